/*
 * runner.h - a thread that Interlock starts: its life, and waiting for its end.
 *
 *   new ─start()─▶ running ─▶ ended
 *
 * It has ended when its function has returned (or called pthread_exit()), what it held in domains has been
 * settled and its thread-local values have been destroyed: as with pthread_join(), what it did happens
 * before the return of a join. Anyone may join, any number of times.
 * A time limit cancels it: see ili_thread_is_cancelled().
 *
 * One reference belongs to who made it, one to the running thread. Memory of this process; in a forked
 * child the thread does not exist: every call but ili_runner_close() returns IL_EFORKED there.
 */
#ifndef ILI_RUN_RUNNER_H
#define ILI_RUN_RUNNER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <interlock.h>

#define ILI_RUNNER_NAME_BYTES 64

struct ili_runner_options {
    const char *name;      /* copied; NULL: none. The kernel shows its first 15 bytes */
    uint64_t stack_bytes;  /* 0: the system's usual */
    int64_t time_limit_ns; /* from the start; 0: none */
    bool daemon;
};

struct ili_runner {
    _Atomic uint32_t state; /* runner.c; others sleep on it */
    _Atomic uint32_t references;
    uint32_t generation;       /* of the process that made it */
    struct ili_thread *record; /* from the start until the thread adopts it */
    _Atomic uint64_t id;       /* of arena/thread.h; 0: not started */
    pthread_t thread;
    void *(*function)(void *argument);
    void *argument;
    void *result;
    struct ili_runner_options options;
    char name[ILI_RUNNER_NAME_BYTES];
};

/* *OUT owned: ili_runner_close(). IL_EINVAL: the name is longer than 63 bytes, the stack too small;
 * IL_ENOMEM. */
il_status ili_runner_make(void *(*function)(void *argument), void *argument,
                          const struct ili_runner_options *options, struct ili_runner **out);

/* IL_ESTARTED; IL_ELIMIT: this process has too many threads; IL_ESYSTEM: errno says why there is none. After
 * a failure it can be tried again. */
il_status ili_runner_start(struct ili_runner *runner);

/* Waits for the end until DEADLINE_NS (0: does not wait). *RESULT (may be NULL) is what the function
 * returned, NULL after pthread_exit(). IL_ENOTSTARTED, IL_ESELF, IL_ETIMEOUT, IL_EINTR, IL_ECANCELLED (the
 * calling thread was). */
il_status ili_runner_join(struct ili_runner *runner, int64_t deadline_ns, void **result);

/* Asks it to stop; nothing if it has ended. IL_ENOTSTARTED. */
il_status ili_runner_cancel(struct ili_runner *runner);

bool ili_runner_is_started(const struct ili_runner *runner);
bool ili_runner_is_ended(const struct ili_runner *runner);

/* Gives it back. A daemon that runs goes on by itself; any other is waited for, unless it is the calling
 * thread. */
void ili_runner_close(struct ili_runner *runner);

#endif
