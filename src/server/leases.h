/*
 * leases.h - grants made over HTTP: each has a lease, and is void when it ends.
 *
 * Every grant held by the server's slot has its lease here, found by the lock's name and the token.
 * When it ends the grant is voided as if its owner had died. A bounded memory of what happened to
 * tokens that are no longer valid lets a late release be told why.
 */
#ifndef ILI_SERVER_LEASES_H
#define ILI_SERVER_LEASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <interlock.h>

#include "server/timer.h"

#define ILI_LOST_KEPT 4096u
#define ILI_LEASE_LEAST_NS INT64_C(1000000)
#define ILI_LEASE_MOST_NS INT64_C(86400000000000)

struct ili_lock;
struct ili_server;

struct ili_lease {
    struct ili_timer timer;
    struct ili_lease *next; /* in its bucket */
    uint64_t name_hash, token;
    struct ili_lock *lock; /* pinned */
};

struct ili_leases {
    struct ili_lease **buckets;
    size_t bucket_count, count;
    struct {
        uint64_t name_hash, token;
        il_status why;
    } lost[ILI_LOST_KEPT]; /* a ring */
    size_t lost_next;
};

uint64_t ili_lease_name_hash(const struct ili_server *server, const char *name, size_t name_bytes);

/* Adds a lease until END_NS for the grant TOKEN of LOCK, whose pin it takes over. NULL: no memory. */
struct ili_lease *ili_lease_add(struct ili_server *server, uint64_t name_hash, uint64_t token,
                                struct ili_lock *lock, int64_t end_ns);

/* The lease; NULL: there is none. */
struct ili_lease *ili_lease_find(struct ili_server *server, uint64_t name_hash, uint64_t token);

/* Moves its end. False: no memory; it stays as it was. */
bool ili_lease_move(struct ili_server *server, struct ili_lease *lease, int64_t end_ns);

/* The grant is no more: forgets the lease and lets go of the lock. */
void ili_lease_drop(struct ili_server *server, struct ili_lease *lease);

/* Remembers why a token is no longer valid: IL_ELEASE, IL_EDELETED. */
void ili_lease_remember(struct ili_server *server, uint64_t name_hash, uint64_t token,
                        il_status why);

/* What became of TOKEN; IL_OK: unknown. */
il_status ili_lease_lost(const struct ili_server *server, uint64_t name_hash, uint64_t token);

void ili_leases_close(struct ili_server *server);

#endif
