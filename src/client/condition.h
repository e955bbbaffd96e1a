/*
 * condition.h - conditions of an http: domain; the calls of interlock.h, as lib/remote.h has them.
 */
#ifndef ILI_CLIENT_CONDITION_H
#define ILI_CLIENT_CONDITION_H

#include "client/object.h"

struct ili_remote_condition {
    struct ili_remote_object object;
    struct ili_remote_object lock; /* the lock or rlock it was bound to when it was opened */
};

il_status ili_remote_condition_open(struct ili_remote_domain *domain, const char *name,
                                    size_t name_bytes, struct ili_remote_lock *lock,
                                    struct ili_remote_rlock *rlock,
                                    struct ili_remote_condition **out);
il_status ili_remote_condition_close(struct ili_remote_condition *condition);
il_status ili_remote_condition_delete(struct ili_remote_domain *domain, const char *name,
                                      size_t name_bytes);
il_status ili_remote_condition_acquire(struct ili_remote_condition *condition, int64_t timeout_ns,
                                       uint64_t *token);
il_status ili_remote_condition_release(struct ili_remote_condition *condition, uint64_t token);
il_status ili_remote_condition_wait(struct ili_remote_condition *condition, int64_t timeout_ns,
                                    uint64_t *token);
il_status ili_remote_condition_notify(struct ili_remote_condition *condition, uint32_t count);
il_status ili_remote_condition_notify_all(struct ili_remote_condition *condition);
il_status ili_remote_condition_waiters(struct ili_remote_condition *condition, uint32_t *waiters);

#endif
