/*
 * lock.h - locks of an http: domain; the calls of interlock.h, as lib/remote.h has them.
 */
#ifndef ILI_CLIENT_LOCK_H
#define ILI_CLIENT_LOCK_H

#include "client/object.h"

struct ili_remote_lock {
    struct ili_remote_object object;
};

il_status ili_remote_lock_open(struct ili_remote_domain *domain, const char *name,
                               size_t name_bytes, const il_lock_options *options,
                               struct ili_remote_lock **out);
il_status ili_remote_lock_close(struct ili_remote_lock *lock);
il_status ili_remote_lock_delete(struct ili_remote_domain *domain, const char *name,
                                 size_t name_bytes);
il_status ili_remote_lock_acquire(struct ili_remote_lock *lock, int64_t timeout_ns,
                                  uint64_t *token);
il_status ili_remote_lock_acquire_leased(struct ili_remote_lock *lock, int64_t timeout_ns,
                                         int64_t lease_ns, uint64_t *token);
il_status ili_remote_lock_release(struct ili_remote_lock *lock, uint64_t token);
il_status ili_remote_lock_renew(struct ili_remote_lock *lock, uint64_t token, int64_t lease_ns);
il_status ili_remote_lock_check(struct ili_remote_lock *lock, uint64_t token);
il_status ili_remote_lock_break(struct ili_remote_lock *lock, uint64_t token, const char *reason);
il_status ili_remote_lock_locked(struct ili_remote_lock *lock, int32_t *locked);
il_status ili_remote_lock_owner(struct ili_remote_lock *lock, il_owner *owner);

/* Adds the members of OPTIONS, of a lock or an rlock; NULL: none. */
void ili_remote_lock_options_write(struct ili_call *call, const il_lock_options *options);

#endif
