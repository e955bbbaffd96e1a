/*
 * process.h - a child of this process: waiting for it, signalling it, letting it go.
 *
 * It is known by its pidfd, never by its number alone, so nothing here can meet another process that
 * was given the number later. Any number of threads may use one struct; leaving it is the last use.
 */
#ifndef ILI_RUN_PROCESS_H
#define ILI_RUN_PROCESS_H

#include <pthread.h>

#include "run/spawn.h"

struct ili_process {
    pid_t pid;
    pid_t owner; /* who started it: after a fork the child may only look */
    int pid_fd;
    bool daemon; /* does not outlive this process, nor its struct */
    /* under the mutex */
    pthread_mutex_t mutex;
    bool ended;
    bool lost;    /* somebody else has reaped it: nobody knows how it ended */
    int32_t code; /* its exit code; or the signal that ended it, negative */
};

/* Starts SPAWN. A DAEMON is killed when this process ends, however that ends (not when the calling thread
 * does). As ili_spawn(). *OUT is to be left: ili_process_leave(). */
il_status ili_process_start(const struct ili_spawn *spawn, bool daemon, struct ili_process *out,
                            const char **what);

/* Whether it has ended. IL_OK: *CODE; IL_ETIMEOUT: it runs; IL_ESYSTEM: it has ended, and how is lost
 * (the program ignores SIGCHLD or waits for any child; or it is the parent's child, before a fork). */
il_status ili_process_poll(struct ili_process *process, int32_t *code);

/* Waits for that, at most TIMEOUT_NS. Also IL_EINTR, IL_ECANCELLED, IL_ELIMIT. */
il_status ili_process_join(struct ili_process *process, int64_t timeout_ns, int32_t *code);

/* IL_OK also if it has ended. IL_ESYSTEM: errno. */
il_status ili_process_signal(struct ili_process *process, int signal);

/* Forgets it: a daemon is killed; another one goes on, and is reaped when it ends. After a fork this
 * does neither in the child. */
void ili_process_leave(struct ili_process *process);

#endif
