#include "client/lock.h"

#include <stdlib.h>
#include <string.h>

#include "client/owned.h"

/* Whether the caller's OPTIONS are long enough for FIELD. */
#define HAS(options, field)                                                                        \
    ((options)->struct_bytes >= offsetof(il_lock_options, field) + sizeof(options)->field)

void ili_remote_lock_options_write(struct ili_call *call, const il_lock_options *options) {
    if (!options) return;
    int64_t delay = HAS(options, lock_delay_ns) ? options->lock_delay_ns : 0;
    ili_call_field_bool(call, "fair", options->flags & IL_LOCK_FAIR);
    ili_call_field(call, "lock_delay");
    ili_buffer_add_seconds(&call->body, delay > 0 ? (uint64_t)delay : 0);
    ili_call_field_deadlock(call, options->flags);
}

il_status ili_remote_lock_open(struct ili_remote_domain *domain, const char *name,
                               size_t name_bytes, const il_lock_options *options,
                               struct ili_remote_lock **out) {
    struct ili_remote_lock *lock = NULL;
    il_status status =
        ili_remote_object_new(domain, IL_KIND_LOCK, name, name_bytes, sizeof *lock, (void **)&lock);
    if (status != IL_OK) return status;
    struct ili_call call;
    ili_remote_object_begin(&call, &lock->object, "PUT", NULL);
    ili_remote_lock_options_write(&call, options);
    status = ili_remote_object_open(&call, !options);
    if (status == IL_OK) {
        *out = lock;
    } else {
        free(lock);
    }
    return status;
}

il_status ili_remote_lock_close(struct ili_remote_lock *lock) {
    free(lock);
    return IL_OK;
}

il_status ili_remote_lock_delete(struct ili_remote_domain *domain, const char *name,
                                 size_t name_bytes) {
    return ili_remote_object_delete(domain, IL_KIND_LOCK, name, name_bytes);
}

/* ---- acquire and release ------------------------------------------------------------------------ */

il_status ili_remote_lock_acquire(struct ili_remote_lock *lock, int64_t timeout_ns,
                                  uint64_t *token) {
    return ili_remote_lock_acquire_leased(lock, timeout_ns, 0, token);
}

il_status ili_remote_lock_acquire_leased(struct ili_remote_lock *lock, int64_t timeout_ns,
                                         int64_t lease_ns, uint64_t *token) {
    struct ili_remote_owned what = {&lock->object, &lock->object};
    struct ili_remote_ask ask = {.lease_ns = lease_ns};
    struct ili_wait wait;
    ili_wait_begin(&wait, timeout_ns);
    return ili_remote_owned_acquire(what, ask, &wait, token);
}

il_status ili_remote_lock_release(struct ili_remote_lock *lock, uint64_t token) {
    struct ili_remote_owned what = {&lock->object, &lock->object};
    return ili_remote_owned_release(what, token);
}

il_status ili_remote_lock_renew(struct ili_remote_lock *lock, uint64_t token, int64_t lease_ns) {
    return ili_remote_owned_renew(&lock->object, token, lease_ns);
}

il_status ili_remote_lock_check(struct ili_remote_lock *lock, uint64_t token) {
    return ili_remote_owned_check(&lock->object, token);
}

il_status ili_remote_lock_break(struct ili_remote_lock *lock, uint64_t token, const char *reason) {
    return ili_remote_owned_break(&lock->object, token, reason);
}

/* ---- glances ------------------------------------------------------------------------------------ */

il_status ili_remote_lock_locked(struct ili_remote_lock *lock, int32_t *locked) {
    return ili_remote_owned_locked(&lock->object, locked);
}

il_status ili_remote_lock_owner(struct ili_remote_lock *lock, il_owner *owner) {
    return ili_remote_owned_owner(&lock->object, owner);
}
