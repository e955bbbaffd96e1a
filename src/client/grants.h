/*
 * grants.h - what this process holds in an http: domain.
 *
 * The server knows it better: this table tells a release that names no token which one is meant, and a
 * holder what became of a grant whose session ended. A lock's grant and a semaphore's belong to the
 * process (owner 0), those of rlocks and rwlocks to a thread. There is one entry for each name and
 * owner, of a semaphore one for each grant: a newer grant means that the older is gone.
 *
 * States of an entry: held -> (its session ended) lost; held or lost -> gone. A release that did not
 * reach the server leaves the entry for the next attempt.
 */
#ifndef ILI_CLIENT_GRANTS_H
#define ILI_CLIENT_GRANTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <interlock.h>

#include "client/losses.h"

/* What an entry is looked up by. */
struct ili_remote_key {
    uint32_t kind;
    uint64_t owner; /* a thread (self.h), or 0: the process */
    const char *name;
    size_t name_bytes;
};

struct ili_remote_grant {
    struct ili_remote_grant *next;
    uint64_t owner;
    uint64_t token;
    uint64_t session; /* the number of the session that has it */
    int64_t lease_ns; /* its own lease, as it was asked for; 0: none */
    uint32_t kind;
    uint32_t depth; /* rlock, rwlock: acquires that were not released */
    uint32_t count; /* semaphore: permits that were not released */
    bool lost;
    bool orphan; /* the thread that owns it has ended */
    uint8_t name_bytes;
    char name[IL_NAME_MAX_BYTES];
};

struct ili_remote_grants {
    pthread_mutex_t mutex; /* protects the rest */
    struct ili_remote_grant *first;
    uint64_t lost_through; /* sessions up to this number have ended */
};

void ili_remote_grants_init(struct ili_remote_grants *grants);
void ili_remote_grants_end(struct ili_remote_grants *grants);

/* An entry of depth 1 to be filled and given to ili_remote_grants_add(), or free()d; NULL: no memory. Made
 * before the server is asked, so that a grant is never without one. */
struct ili_remote_grant *ili_remote_grant_new(const struct ili_remote_key *key);

/* Takes GRANT over, in the place of the one it supersedes. TOLD_DEPTH: GRANT's depth is the server's;
 * else it is one more if the token is the same. If its session has ended meanwhile, it is lost, which is added
 * to LOSSES. */
void ili_remote_grants_add(struct ili_remote_grants *grants, struct ili_remote_grant *grant,
                           bool told_depth, struct ili_remote_losses *losses);

/* Copies the entry of TOKEN (0: the newest of KEY). False: there is none. */
bool ili_remote_grants_find(struct ili_remote_grants *grants, const struct ili_remote_key *key,
                            uint64_t token, struct ili_remote_grant *copy);

/* Of a semaphore: copies the newest entry of at least COUNT permits that is not lost. False: none. */
bool ili_remote_grants_find_count(struct ili_remote_grants *grants,
                                  const struct ili_remote_key *key, uint32_t count,
                                  struct ili_remote_grant *copy);

/* Of a semaphore: COUNT permits less in the entry of TOKEN; 0: in those that are there. */
void ili_remote_grants_give(struct ili_remote_grants *grants, const struct ili_remote_key *key,
                            uint64_t token, uint32_t count);

/* WHICH, if it is still there, has that depth now; 0: it is gone. */
void ili_remote_grants_set_depth(struct ili_remote_grants *grants,
                                 const struct ili_remote_grant *which, uint32_t depth);

/* WHICH is gone, if it is still there. */
void ili_remote_grants_remove(struct ili_remote_grants *grants,
                              const struct ili_remote_grant *which);

/* The thread OWNER has ended: what it has is orphaned. False: it has nothing. */
bool ili_remote_grants_orphan(struct ili_remote_grants *grants, uint64_t owner);

/* Copies an orphaned entry; false: there is none. */
bool ili_remote_grants_orphaned(struct ili_remote_grants *grants, struct ili_remote_grant *copy);

/* Copies any entry; false: there is none left. */
bool ili_remote_grants_any(struct ili_remote_grants *grants, struct ili_remote_grant *copy);

/* The sessions up to number SESSION have ended: what they had is lost, which is added to LOSSES. */
void ili_remote_grants_lose(struct ili_remote_grants *grants, uint64_t session,
                            struct ili_remote_losses *losses);

/* What is looked up for WHICH; borrows its name. */
struct ili_remote_key ili_remote_grant_key(const struct ili_remote_grant *which);

#endif
