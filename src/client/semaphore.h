/*
 * semaphore.h - semaphores of an http: domain; the calls of interlock.h, as lib/remote.h has them.
 */
#ifndef ILI_CLIENT_SEMAPHORE_H
#define ILI_CLIENT_SEMAPHORE_H

#include "client/object.h"

struct ili_remote_semaphore {
    struct ili_remote_object object;
};

il_status ili_remote_semaphore_open(struct ili_remote_domain *domain, const char *name,
                                    size_t name_bytes, const il_semaphore_options *options,
                                    struct ili_remote_semaphore **out);
il_status ili_remote_semaphore_close(struct ili_remote_semaphore *semaphore);
il_status ili_remote_semaphore_delete(struct ili_remote_domain *domain, const char *name,
                                      size_t name_bytes);
il_status ili_remote_semaphore_acquire(struct ili_remote_semaphore *semaphore, uint32_t count,
                                       int64_t timeout_ns, uint64_t *token);
il_status ili_remote_semaphore_acquire_leased(struct ili_remote_semaphore *semaphore,
                                              uint32_t count, int64_t timeout_ns, int64_t lease_ns,
                                              uint64_t *token);
il_status ili_remote_semaphore_release(struct ili_remote_semaphore *semaphore, uint32_t count,
                                       uint64_t token);
il_status ili_remote_semaphore_renew(struct ili_remote_semaphore *semaphore, uint64_t token,
                                     int64_t lease_ns);
il_status ili_remote_semaphore_check(struct ili_remote_semaphore *semaphore, uint64_t token);
il_status ili_remote_semaphore_break(struct ili_remote_semaphore *semaphore, uint64_t token,
                                     const char *reason);
il_status ili_remote_semaphore_value(struct ili_remote_semaphore *semaphore, uint32_t *value);

#endif
