/*
 * grants.h - the locks that this process holds in an http: domain.
 *
 * Over HTTP a grant has a lease. interlock.h knows nothing of leases, so the domain's renewer renews
 * them for as long as the process holds the lock; this is the table of what there is to renew. At
 * most one grant per name: a lock is not reentrant, so a newer grant means that the older is lost.
 *
 * States of an entry: held -> (the server refuses to renew) lost; held or lost -> releasing -> gone.
 * A release that did not reach the server leaves the entry releasing: not renewed, and found by the
 * next attempt.
 */
#ifndef ILI_CLIENT_GRANTS_H
#define ILI_CLIENT_GRANTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <interlock.h>

struct ili_remote_grant {
    struct ili_remote_grant *next;
    uint64_t token;
    int64_t lease_ns;
    int64_t renew_at_ns; /* a third of the lease after it began */
    il_status lost;      /* IL_OK, or what a release is to return */
    bool releasing;
    uint8_t name_bytes;
    char name[IL_NAME_MAX_BYTES];
};

struct ili_remote_grants {
    pthread_mutex_t mutex; /* protects everything that hangs on first */
    struct ili_remote_grant *first;
};

void ili_remote_grants_init(struct ili_remote_grants *grants);
void ili_remote_grants_end(struct ili_remote_grants *grants);

/* An entry to be filled and given to ili_remote_grants_add(), or free()d; NULL: no memory. Made before the
 * server is asked, so that a grant is never without one. */
struct ili_remote_grant *ili_remote_grant_new(const char *name, size_t name_bytes);

/* Takes GRANT over, in the place of one with the same name. */
void ili_remote_grants_add(struct ili_remote_grants *grants, struct ili_remote_grant *grant);

/* Copies the entry of NAME; false: there is none. */
bool ili_remote_grants_find(struct ili_remote_grants *grants, const char *name, size_t name_bytes,
                            struct ili_remote_grant *copy);

/* The one of which TOKEN is to be released (0: whichever is held) becomes releasing. IL_OK and *COPY;
 * IL_ENOTHELD: none by that name, or TOKEN is newer; IL_ESTALE: TOKEN is older. */
il_status ili_remote_grants_start_release(struct ili_remote_grants *grants, const char *name,
                                          size_t name_bytes, uint64_t token,
                                          struct ili_remote_grant *copy);

/* The entry with that name and token is gone, if it is still there. */
void ili_remote_grants_remove(struct ili_remote_grants *grants,
                              const struct ili_remote_grant *which);

/* Copies any entry that is not lost, and makes it releasing; false: there is none left. */
bool ili_remote_grants_take_any(struct ili_remote_grants *grants, struct ili_remote_grant *copy);

/* Copies the entry that is to be renewed next. False: there is none. */
bool ili_remote_grants_next(struct ili_remote_grants *grants, struct ili_remote_grant *copy);

/* The outcome of renewing WHICH, if it is still there. */
void ili_remote_grants_renewed(struct ili_remote_grants *grants,
                               const struct ili_remote_grant *which, int64_t renew_at_ns,
                               il_status lost);

#endif
