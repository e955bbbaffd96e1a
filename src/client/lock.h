/*
 * lock.h - locks of an http: domain; the calls of interlock.h, as lib/remote.h has them.
 */
#ifndef ILI_CLIENT_LOCK_H
#define ILI_CLIENT_LOCK_H

#include "client/domain.h"

il_status ili_remote_lock_open(struct ili_remote_domain *domain, const char *name,
                               size_t name_bytes, const uint32_t *flags,
                               struct ili_remote_lock **out);
il_status ili_remote_lock_close(struct ili_remote_lock *lock);
il_status ili_remote_lock_delete(struct ili_remote_domain *domain, const char *name,
                                 size_t name_bytes);
il_status ili_remote_lock_acquire(struct ili_remote_lock *lock, int64_t timeout_ns,
                                  uint64_t *token);
il_status ili_remote_lock_release(struct ili_remote_lock *lock, uint64_t token);
il_status ili_remote_lock_locked(struct ili_remote_lock *lock, int32_t *locked);
il_status ili_remote_lock_owner(struct ili_remote_lock *lock, il_owner *owner);

/* At the end of a domain: releases all that it holds, until the server cannot be reached. */
void ili_remote_lock_release_all(struct ili_remote_domain *domain);

#endif
