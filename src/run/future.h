/*
 * future.h - one call that a pool of threads is to do, and what came of it.
 *
 *   queued ─▶ running ─▶ done
 *      └────▶ cancelled
 *
 * One reference belongs to who holds it, one to the pool's queue and then to who popped it. It may outlive
 * its pool, which ends only when all its futures have. In a forked child it is IL_EFORKED.
 *
 * A thread of the pool that waits for a call which has not begun does it itself: so tasks that wait for tasks
 * of their own pool never wait for one another's threads.
 */
#ifndef ILI_RUN_FUTURE_H
#define ILI_RUN_FUTURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <interlock.h>

struct ili_thread_pool;

struct ili_future {
    _Atomic uint32_t state;  /* future.c; others sleep on it */
    uint32_t generation;     /* of the process */
    _Atomic uint64_t thread; /* id of the one that runs it; 0: not yet */
    void *(*function)(void *argument);
    void *argument;
    void *result;
    int64_t time_limit_ns; /* from its beginning; 0: none */
    struct ili_thread_pool *pool;
    /* Called once, when it has ended in whatever way; may be NULL. */
    void (*ended)(struct ili_future *future);
};

enum ili_future_phase {
    ILI_FUTURE_QUEUED,
    ILI_FUTURE_RUNNING,
    ILI_FUTURE_DONE,
    ILI_FUTURE_CANCELLED,
};

/* With one or two REFERENCES. NULL: no memory. */
struct ili_future *ili_future_make(struct ili_thread_pool *pool, uint32_t references,
                                   void *(*function)(void *argument), void *argument);
void ili_future_let_go(struct ili_future *future);

enum ili_future_phase ili_future_phase(const struct ili_future *future);

bool ili_future_is_forked(const struct ili_future *future);

/* The calling thread, one of the pool's, runs it. POPPED: it came from the queue, and its reference is given
 * back. False: it is not queued any more. */
bool ili_future_run(struct ili_future *future, bool popped);

/* It came from the queue and is not to be run. */
void ili_future_drop_popped(struct ili_future *future);

/* Waits until it has ended, or DEADLINE_NS (0: does not wait). IL_ETIMEOUT, IL_EINTR, IL_ECANCELLED (the
 * calling thread was), IL_ESELF (the calling thread is running it), IL_EFORKED. */
il_status ili_future_wait(struct ili_future *future, int64_t deadline_ns);

/* Drops it if it is queued, asks it to stop if it runs. IL_EFORKED. */
il_status ili_future_cancel(struct ili_future *future);

#endif
