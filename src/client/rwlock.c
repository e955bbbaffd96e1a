#include "client/rwlock.h"

#include <stdlib.h>

#include "client/owned.h"

il_status ili_remote_rwlock_open(struct ili_remote_domain *domain, const char *name,
                                 size_t name_bytes, const il_rwlock_options *options,
                                 struct ili_remote_rwlock **out) {
    struct ili_remote_rwlock *lock = NULL;
    il_status status = ili_remote_object_new(domain, IL_KIND_RWLOCK, name, name_bytes, sizeof *lock,
                                             (void **)&lock);
    if (status != IL_OK) return status;
    struct ili_call call;
    ili_remote_object_begin(&call, &lock->object, "PUT", NULL);
    if (options) ili_call_field_deadlock(&call, options->flags);
    status = ili_remote_object_open(&call, !options);
    if (status == IL_OK) {
        *out = lock;
    } else {
        free(lock);
    }
    return status;
}

il_status ili_remote_rwlock_close(struct ili_remote_rwlock *lock) {
    free(lock);
    return IL_OK;
}

il_status ili_remote_rwlock_delete(struct ili_remote_domain *domain, const char *name,
                                   size_t name_bytes) {
    return ili_remote_object_delete(domain, IL_KIND_RWLOCK, name, name_bytes);
}

/* ---- acquire and release ------------------------------------------------------------------------ */

il_status ili_remote_rwlock_acquire(struct ili_remote_rwlock *lock, uint32_t mode,
                                    int64_t timeout_ns, uint64_t *token) {
    return ili_remote_rwlock_acquire_leased(lock, mode, timeout_ns, 0, token);
}

il_status ili_remote_rwlock_acquire_leased(struct ili_remote_rwlock *lock, uint32_t mode,
                                           int64_t timeout_ns, int64_t lease_ns, uint64_t *token) {
    struct ili_remote_owned what = {&lock->object, &lock->object};
    struct ili_remote_ask ask = {.mode = mode, .lease_ns = lease_ns};
    struct ili_wait wait;
    ili_wait_begin(&wait, timeout_ns);
    return ili_remote_owned_acquire(what, ask, &wait, token);
}

il_status ili_remote_rwlock_release(struct ili_remote_rwlock *lock, uint64_t token) {
    struct ili_remote_owned what = {&lock->object, &lock->object};
    return ili_remote_owned_release(what, token);
}

il_status ili_remote_rwlock_renew(struct ili_remote_rwlock *lock, uint64_t token,
                                  int64_t lease_ns) {
    return ili_remote_owned_renew(&lock->object, token, lease_ns);
}

il_status ili_remote_rwlock_check(struct ili_remote_rwlock *lock, uint64_t token) {
    return ili_remote_owned_check(&lock->object, token);
}

il_status ili_remote_rwlock_break(struct ili_remote_rwlock *lock, uint64_t token,
                                  const char *reason) {
    return ili_remote_owned_break(&lock->object, token, reason);
}

/* ---- a glance ----------------------------------------------------------------------------------- */

il_status ili_remote_rwlock_info_get(struct ili_remote_rwlock *lock, il_rwlock_info *info) {
    struct ili_call call;
    uint32_t shared, waiters;
    il_status status = ili_remote_object_view(&call, &lock->object);
    if (status == IL_OK) status = ili_remote_answer_count(&call, "shared", &shared);
    if (status == IL_OK) status = ili_remote_answer_count(&call, "waiters", &waiters);
    if (status == IL_OK) {
        info->shared = shared;
        info->waiters = waiters;
        info->exclusive = ili_json_is(ili_json_member(call.object, "mode"), "\"exclusive\"");
    }
    ili_call_end(&call);
    return status;
}
