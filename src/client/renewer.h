/*
 * renewer.h - the thread that keeps a domain's session alive, and recovers what ended threads held.
 *
 * Starts with the session, with all signals blocked. Renews at a third of the TTL; when the server cannot
 * be reached, again and again. That the session has ended its holders learn by their next calls.
 */
#ifndef ILI_CLIENT_RENEWER_H
#define ILI_CLIENT_RENEWER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <interlock.h>

struct ili_remote_domain;

struct ili_renewer {
    pthread_mutex_t starting; /* protects started */
    bool started;
    pthread_t thread;
    int wake_fd;                       /* an eventfd: look again */
    _Atomic bool stopping;             /* relaxed: wake_fd is written after it */
    _Atomic int64_t sleeping_until_ns; /* sequentially consistent, see ili_renewer_notice() */
};

void ili_renewer_init(struct ili_renewer *renewer);

/* The thread is there. IL_ENOMEM, IL_ESYSTEM, with the error text. */
il_status ili_renewer_start(struct ili_remote_domain *domain);

/* After a session was made that is to be renewed at RENEW_AT_NS. */
void ili_renewer_notice(struct ili_renewer *renewer, int64_t renew_at_ns);

/* There is something else to do: threads.h. The thread has been started. */
void ili_renewer_wake(struct ili_renewer *renewer);

/* Ends the thread; a renewal that is on its way is given up. */
void ili_renewer_stop(struct ili_renewer *renewer);

/* The thread has been stopped, or never was started. */
void ili_renewer_destroy(struct ili_renewer *renewer);

/* When what lasts LEASE_NS and begins NOW is to be renewed. */
int64_t ili_renewer_renew_at(int64_t now, int64_t lease_ns);

#endif
