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
#include "data/dict.h"
#include "data/list.h"
#include "data/pipe.h"
#include "data/queue.h"
#include "lib/remote.h"
#include "sync/barrier.h"
#include "sync/condition.h"
#include "sync/event.h"
#include "sync/latch.h"
#include "sync/lock.h"
#include "sync/rlock.h"
#include "sync/rwlock.h"
#include "sync/semaphore.h"

struct il_domain {
    struct ili_member member; /* local */
    uint64_t losses_told;     /* up to which il_loss_next() has looked; under open_mutex */
    const struct ili_remote_ops *remote_ops; /* remote; NULL: local */
    struct ili_remote_domain *remote;
    char *
        entry; /* "INTERLOCK_DOMAIN=…" for programs that inherit it; NULL: private, by descriptors */
    /* of a unix: domain, for its pools: see lib/workers.c */
    pthread_mutex_t pools_mutex; /* protects the rest */
    const struct ili_remote_ops *pools_ops;
    struct ili_remote_domain *pools; /* NULL: not asked for yet */
};

/* The local part that all kinds of handle have in common. */
struct ili_handle {
    struct ili_member *member;
    const struct ili_kind *kind;
    ili_off object;
    uint32_t entry; /* number in the open table */
};

struct il_lock {
    struct ili_lock *lock; /* NULL: remote */
    _Atomic uint64_t last; /* token; see ili_lock_try_again() */
    struct ili_handle handle;
    const struct ili_remote_ops *remote_ops;
    struct ili_remote_lock *remote;
};

struct il_rlock {
    struct ili_rlock *lock; /* NULL: remote */
    _Atomic uint64_t last;
    struct ili_handle handle;
    const struct ili_remote_ops *remote_ops;
    struct ili_remote_rlock *remote;
};

struct il_rwlock {
    struct ili_rwlock *lock; /* NULL: remote */
    struct ili_held_near near;
    struct ili_handle handle;
    const struct ili_remote_ops *remote_ops;
    struct ili_remote_rwlock *remote;
};

struct il_semaphore {
    struct ili_semaphore *semaphore; /* NULL: remote */
    struct ili_held_near near;
    struct ili_handle handle;
    const struct ili_remote_ops *remote_ops;
    struct ili_remote_semaphore *remote;
};

struct il_condition {
    struct ili_condition *condition; /* NULL: remote */
    struct ili_lock *lock;           /* that it is bound to; may be an rlock's */
    _Atomic uint64_t last;
    struct ili_handle handle, lock_handle;
    const struct ili_remote_ops *remote_ops;
    struct ili_remote_condition *remote;
};

struct il_queue {
    struct ili_queue *queue; /* NULL: remote */
    struct ili_handle handle;
    const struct ili_remote_ops *remote_ops;
    struct ili_remote_queue *remote;
};

struct il_dict {
    struct ili_dict *dict; /* NULL: remote */
    struct il_domain *domain;
    struct ili_handle handle;
    const struct ili_remote_ops *remote_ops;
    struct ili_remote_dict *remote;
};

struct il_list {
    struct ili_list *list; /* NULL: remote */
    struct ili_handle handle;
    const struct ili_remote_ops *remote_ops;
    struct ili_remote_list *remote;
};

struct il_pipe {
    struct ili_pipe *pipe; /* NULL: remote */
    uint32_t end;
    struct ili_handle handle;
    const struct ili_remote_ops *remote_ops;
    struct ili_remote_pipe *remote;
};

struct il_event {
    struct ili_event *event; /* NULL: remote */
    struct ili_handle handle;
    const struct ili_remote_ops *remote_ops;
    struct ili_remote_event *remote;
};

struct il_latch {
    struct ili_latch *latch; /* NULL: remote */
    struct ili_handle handle;
    const struct ili_remote_ops *remote_ops;
    struct ili_remote_latch *remote;
};

struct il_barrier {
    struct ili_barrier *barrier; /* NULL: remote */
    struct ili_handle handle;
    const struct ili_remote_ops *remote_ops;
    struct ili_remote_barrier *remote;
};

struct il_workers {
    struct il_domain *domain;
    const struct ili_remote_ops *ops;
    struct ili_remote_workers *remote;
};

struct il_task {
    const struct ili_remote_ops *ops;
    struct ili_remote_task *remote;
};

/* Frees what ili_handle_close() kept; the domain is about to be left. */
void ili_handles_forget(struct ili_member *member);

/* Opens the object (KIND, NAME) of a local domain. Writes the error text on failure. */
il_status ili_handle_open(struct il_domain *domain, const struct ili_kind *kind, const char *name,
                          size_t name_bytes, const void *options, struct ili_handle *out);

/* The same, but does not make it: IL_ENOTFOUND, without an error text. */
il_status ili_handle_open_existing(struct il_domain *domain, const struct ili_kind *kind,
                                   const char *name, size_t name_bytes, struct ili_handle *out);

/* A second handle of what HANDLE has open, also if it has no name. Writes the error text on failure. */
il_status ili_handle_again(const struct ili_handle *handle, struct ili_handle *out);

/* A handle of the object of KIND and BIRTH at an offset that somebody was told: see ili_names_adopt(). Writes
 * the error text on failure. */
il_status ili_handle_adopt(struct il_domain *domain, const struct ili_kind *kind, ili_off object,
                           uint32_t birth, struct ili_handle *out);

/* Closes it; the memory of HANDLE is the caller's. While this process holds a grant of the object, the
 * object stays in its open table, or a death would not find the grant: then the table's entry is closed
 * later. IL_OK also where nothing is left to close (IL_EGONE, IL_EFORKED). Writes no error text. */
il_status ili_handle_close(struct ili_handle *handle);

/* Deletes (KIND, NAME) in a local domain. Writes the error text on failure. */
il_status ili_handle_delete(struct il_domain *domain, const struct ili_kind *kind, const char *name,
                            size_t name_bytes);

/* Checks a name argument: NULL is allowed if ANONYMOUS. Writes the error text on failure. */
il_status ili_check_name(const char *name, size_t name_bytes, bool anonymous);

/* STATUS, with the error text written for WHAT ("lock", "queue": kind->word) if it is a failure. */
il_status ili_report(il_status status, const char *what);

#endif
