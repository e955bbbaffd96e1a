/*
 * domain.h - what stands behind the handles of interlock.h. Internal to lib/.
 *
 * A handle is either local (its object lies in an arena: `member` and an object) or remote (the HTTP
 * door's own handle). Every public call checks its arguments, calls one of the two, and on failure
 * writes the thread's error text.
 */
#ifndef ILI_LIB_DOMAIN_H
#define ILI_LIB_DOMAIN_H

#include "arena/member.h"
#include "base/error.h"
#include "data/queue.h"
#include "lib/remote.h"
#include "sync/lock.h"

struct il_domain {
    struct ili_member member;                /* local */
    const struct ili_remote_ops *remote_ops; /* remote; NULL: local */
    struct ili_remote_domain *remote;
};

/* The local part that all kinds of handle have in common. */
struct ili_handle {
    struct ili_member *member;
    ili_off object;
    uint32_t entry; /* number in the open table */
};

struct il_lock {
    struct il_lock *next;  /* among those kept, see lock.c */
    struct ili_lock *lock; /* NULL: remote */
    _Atomic uint64_t last; /* token; see ili_lock_try_again() */
    struct ili_handle handle;
    const struct ili_remote_ops *remote_ops;
    struct ili_remote_lock *remote;
};

struct il_queue {
    struct ili_queue *queue; /* NULL: remote */
    struct ili_handle handle;
    const struct ili_remote_ops *remote_ops;
    struct ili_remote_queue *remote;
};

/* Frees what il_lock_close() kept; the domain is about to be left. */
void ili_locks_forget(struct ili_member *member);

/* Opens the object (KIND, NAME) of a local domain. Writes the error text on failure. */
il_status ili_handle_open(struct il_domain *domain, const struct ili_kind *kind, const char *name,
                          size_t name_bytes, const void *options, struct ili_handle *out);

/* Closes it; the memory of the handle is the caller's. */
il_status ili_handle_close(struct ili_handle *handle);

/* Deletes (KIND, NAME) in a local domain. Writes the error text on failure. */
il_status ili_handle_delete(struct il_domain *domain, const struct ili_kind *kind, const char *name,
                            size_t name_bytes);

/* Checks a name argument: NULL is allowed if ANONYMOUS. Writes the error text on failure. */
il_status ili_check_name(const char *name, size_t name_bytes, bool anonymous);

/* STATUS, with the error text written for WHAT ("lock", "queue") if it is a failure. */
il_status ili_report(il_status status, const char *what);

#endif
