/*
 * domain.h - an http: domain: the address, its connections, and what this process holds there.
 */
#ifndef ILI_CLIENT_DOMAIN_H
#define ILI_CLIENT_DOMAIN_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/grants.h"
#include "client/host.h"
#include "client/http.h"
#include "client/losses.h"
#include "client/renewer.h"
#include "client/session.h"

struct ili_remote_domain {
    struct ili_remote_domain *next; /* threads.h */
    pid_t pid;                      /* who opened it; for all others every call is IL_EFORKED */
    char *base;
    char *socket; /* the path of a unix: address; NULL: http: or https: */
    char label[64];
    struct ili_http_pool pool;
    int64_t patience_ns; /* how long the server may be silent when it owes an answer */
    /* The longest `timeout` the server takes; found out by being refused. Stale values cost a
     * request. */
    _Atomic int64_t longest_wait_ns;
    char key_prefix[33]; /* random: no two domains make the same Idempotency-Key */
    _Atomic uint64_t key_count;
    struct ili_remote_session session;
    struct ili_remote_grants grants;
    struct ili_remote_losses losses;
    struct ili_renewer renewer;
};

il_status ili_remote_domain_open(const char *address, const char *label,
                                 struct ili_remote_domain **out);

/* Releases what is held and ends the session, as far as the server can be reached. */
il_status ili_remote_domain_close(struct ili_remote_domain *domain);

/* IL_EFORKED in a forked child, with the error text. First line of every call. */
il_status ili_remote_domain_check(const struct ili_remote_domain *domain);

#endif
