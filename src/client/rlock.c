#include "client/rlock.h"

#include <stdlib.h>

#include "client/lock.h"
#include "client/owned.h"

il_status ili_remote_rlock_open(struct ili_remote_domain *domain, const char *name,
                                size_t name_bytes, const il_lock_options *options,
                                struct ili_remote_rlock **out) {
    struct ili_remote_rlock *lock = NULL;
    il_status status = ili_remote_object_new(domain, IL_KIND_RLOCK, name, name_bytes, sizeof *lock,
                                             (void **)&lock);
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

il_status ili_remote_rlock_close(struct ili_remote_rlock *lock) {
    free(lock);
    return IL_OK;
}

il_status ili_remote_rlock_delete(struct ili_remote_domain *domain, const char *name,
                                  size_t name_bytes) {
    return ili_remote_object_delete(domain, IL_KIND_RLOCK, name, name_bytes);
}

/* ---- acquire and release ------------------------------------------------------------------------ */

il_status ili_remote_rlock_acquire(struct ili_remote_rlock *lock, int64_t timeout_ns,
                                   uint64_t *token) {
    return ili_remote_rlock_acquire_leased(lock, timeout_ns, 0, token);
}

il_status ili_remote_rlock_acquire_leased(struct ili_remote_rlock *lock, int64_t timeout_ns,
                                          int64_t lease_ns, uint64_t *token) {
    struct ili_remote_owned what = {&lock->object, &lock->object};
    struct ili_remote_ask ask = {.lease_ns = lease_ns};
    struct ili_wait wait;
    ili_wait_begin(&wait, timeout_ns);
    return ili_remote_owned_acquire(what, ask, &wait, token);
}

il_status ili_remote_rlock_release(struct ili_remote_rlock *lock, uint64_t token) {
    struct ili_remote_owned what = {&lock->object, &lock->object};
    return ili_remote_owned_release(what, token);
}

il_status ili_remote_rlock_renew(struct ili_remote_rlock *lock, uint64_t token, int64_t lease_ns) {
    return ili_remote_owned_renew(&lock->object, token, lease_ns);
}

il_status ili_remote_rlock_check(struct ili_remote_rlock *lock, uint64_t token) {
    return ili_remote_owned_check(&lock->object, token);
}

il_status ili_remote_rlock_break(struct ili_remote_rlock *lock, uint64_t token,
                                 const char *reason) {
    return ili_remote_owned_break(&lock->object, token, reason);
}

/* ---- glances ------------------------------------------------------------------------------------ */

il_status ili_remote_rlock_locked(struct ili_remote_rlock *lock, int32_t *locked) {
    return ili_remote_owned_locked(&lock->object, locked);
}

il_status ili_remote_rlock_owner(struct ili_remote_rlock *lock, il_owner *owner) {
    return ili_remote_owned_owner(&lock->object, owner);
}

/* The depth of the grant TOKEN in the answer's list of holders; 0: it is not there. */
static uint32_t depth_of(struct ili_json view, uint64_t token) {
    struct ili_json holders = ili_json_member(view, "holders"), holder;
    struct ili_json_walk walk = {0};
    while ((holder = ili_json_next(holders, &walk)).at) {
        uint64_t theirs, depth;
        if (ili_json_number_text(ili_json_member(holder, "token"), &theirs) && theirs == token) {
            return ili_json_number(ili_json_member(holder, "depth"), &depth) ? (uint32_t)depth : 1;
        }
    }
    return 0;
}

il_status ili_remote_rlock_depth(struct ili_remote_rlock *lock, uint32_t *depth) {
    struct ili_remote_domain *domain = lock->object.domain;
    struct ili_remote_key key = ili_remote_owned_key(&lock->object);
    struct ili_remote_grant mine;
    il_status status = ili_remote_domain_check(domain);
    if (status != IL_OK) return status;
    bool holds = ili_remote_grants_find(&domain->grants, &key, 0, &mine) && !mine.lost;
    if (!holds) {
        *depth = 0;
        return IL_OK;
    }
    /* it may have been taken from this thread since */
    struct ili_call call;
    status = ili_remote_object_view(&call, &lock->object);
    if (status == IL_OK) *depth = depth_of(call.object, mine.token);
    ili_call_end(&call);
    return status;
}
