/*
 * rwlock.h - locks that may be shared, of an http: domain; the calls of interlock.h, as lib/remote.h has
 * them.
 */
#ifndef ILI_CLIENT_RWLOCK_H
#define ILI_CLIENT_RWLOCK_H

#include "client/object.h"

struct ili_remote_rwlock {
    struct ili_remote_object object;
};

il_status ili_remote_rwlock_open(struct ili_remote_domain *domain, const char *name,
                                 size_t name_bytes, const il_rwlock_options *options,
                                 struct ili_remote_rwlock **out);
il_status ili_remote_rwlock_close(struct ili_remote_rwlock *lock);
il_status ili_remote_rwlock_delete(struct ili_remote_domain *domain, const char *name,
                                   size_t name_bytes);
il_status ili_remote_rwlock_acquire(struct ili_remote_rwlock *lock, uint32_t mode,
                                    int64_t timeout_ns, uint64_t *token);
il_status ili_remote_rwlock_acquire_leased(struct ili_remote_rwlock *lock, uint32_t mode,
                                           int64_t timeout_ns, int64_t lease_ns, uint64_t *token);
il_status ili_remote_rwlock_release(struct ili_remote_rwlock *lock, uint64_t token);
il_status ili_remote_rwlock_renew(struct ili_remote_rwlock *lock, uint64_t token, int64_t lease_ns);
il_status ili_remote_rwlock_check(struct ili_remote_rwlock *lock, uint64_t token);
il_status ili_remote_rwlock_break(struct ili_remote_rwlock *lock, uint64_t token,
                                  const char *reason);
il_status ili_remote_rwlock_info_get(struct ili_remote_rwlock *lock, il_rwlock_info *info);

#endif
