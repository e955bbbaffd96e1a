/*
 * rlock.h - reentrant locks of an http: domain; the calls of interlock.h, as lib/remote.h has them.
 */
#ifndef ILI_CLIENT_RLOCK_H
#define ILI_CLIENT_RLOCK_H

#include "client/object.h"

struct ili_remote_rlock {
    struct ili_remote_object object;
};

il_status ili_remote_rlock_open(struct ili_remote_domain *domain, const char *name,
                                size_t name_bytes, const il_lock_options *options,
                                struct ili_remote_rlock **out);
il_status ili_remote_rlock_close(struct ili_remote_rlock *lock);
il_status ili_remote_rlock_delete(struct ili_remote_domain *domain, const char *name,
                                  size_t name_bytes);
il_status ili_remote_rlock_acquire(struct ili_remote_rlock *lock, int64_t timeout_ns,
                                   uint64_t *token);
il_status ili_remote_rlock_acquire_leased(struct ili_remote_rlock *lock, int64_t timeout_ns,
                                          int64_t lease_ns, uint64_t *token);
il_status ili_remote_rlock_release(struct ili_remote_rlock *lock, uint64_t token);
il_status ili_remote_rlock_renew(struct ili_remote_rlock *lock, uint64_t token, int64_t lease_ns);
il_status ili_remote_rlock_check(struct ili_remote_rlock *lock, uint64_t token);
il_status ili_remote_rlock_break(struct ili_remote_rlock *lock, uint64_t token, const char *reason);
il_status ili_remote_rlock_locked(struct ili_remote_rlock *lock, int32_t *locked);
il_status ili_remote_rlock_owner(struct ili_remote_rlock *lock, il_owner *owner);
il_status ili_remote_rlock_depth(struct ili_remote_rlock *lock, uint32_t *depth);

#endif
