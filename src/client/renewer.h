/*
 * renewer.h - the thread that renews the leases of what a domain holds.
 *
 * Starts with the first acquire, with all signals blocked. Renews at a third of a lease; when the
 * server cannot be reached, again and again until the lease must be over. A refusal marks the grant
 * as lost, which its holder learns by its release.
 */
#ifndef ILI_CLIENT_RENEWER_H
#define ILI_CLIENT_RENEWER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <interlock.h>

#define ILI_LEASE_SECONDS 30 /* what is asked for; the server may give another */

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

/* Before an acquire: the thread is there. IL_ENOMEM, IL_ESYSTEM, with the error text. */
il_status ili_renewer_start(struct ili_remote_domain *domain);

/* After a grant was added that is to be renewed at RENEW_AT_NS. */
void ili_renewer_notice(struct ili_renewer *renewer, int64_t renew_at_ns);

/* Ends the thread; a renewal that is on its way is given up. */
void ili_renewer_stop(struct ili_renewer *renewer);

/* When a grant of LEASE_NS that begins NOW is to be renewed. */
int64_t ili_renewer_renew_at(int64_t now, int64_t lease_ns);

#endif
