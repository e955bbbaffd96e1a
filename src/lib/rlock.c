/* rlock.c - il_rlock_… : checks, the fast path, and which door. */
#include <stdlib.h>

#include "base/clock.h"
#include "lib/domain.h"
#include "lib/grant.h"

static il_status no_lock(void) { return ili_fail(IL_EINVAL, "lock: expected an rlock, got NULL"); }

/* ---- open and close ------------------------------------------------------------------------------- */

il_status il_rlock_open(il_domain *domain, const char *name, size_t name_bytes,
                        const il_lock_options *options, il_rlock **out) {
    il_lock_options all;
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the rlock, got NULL");
    il_status status = ili_check_name(name, name_bytes, true);
    if (status == IL_OK)
        status = ili_lock_options_read(options, IL_LOCK_FAIR | IL_DEADLOCK_REPORT, &all);
    if (status != IL_OK) return status;
    il_rlock *lock = calloc(1, sizeof *lock);
    if (!lock) return ili_fail(IL_ENOMEM, "this process has no memory");
    if (domain->remote_ops) {
        lock->remote_ops = domain->remote_ops;
        status = lock->remote_ops->rlock_open(domain->remote, name, name_bytes,
                                              options ? &all : NULL, &lock->remote);
    } else {
        status = ili_handle_open(domain, &ili_rlock_kind, name, name_bytes, options ? &all : NULL,
                                 &lock->handle);
        if (status == IL_OK) {
            lock->lock = ili_object_at(&domain->member.arena, lock->handle.object, ILI_KIND_RLOCK);
        }
    }
    if (status != IL_OK) {
        free(lock);
        return status;
    }
    *out = lock;
    return IL_OK;
}

il_status il_rlock_close(il_rlock *lock) {
    if (!lock) return IL_OK;
    il_status status =
        lock->lock ? ili_handle_close(&lock->handle) : lock->remote_ops->rlock_close(lock->remote);
    free(lock);
    return status == IL_OK ? IL_OK : ili_report(status, "rlock");
}

il_status il_rlock_delete(il_domain *domain, const char *name, size_t name_bytes) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    il_status status = ili_check_name(name, name_bytes, false);
    if (status != IL_OK) return status;
    if (domain->remote_ops) {
        return domain->remote_ops->rlock_delete(domain->remote, name, name_bytes);
    }
    return ili_handle_delete(domain, &ili_rlock_kind, name, name_bytes);
}

/* ---- acquire and release -------------------------------------------------------------------------- */

static il_status acquire_slow(il_rlock *lock, int64_t timeout_ns, uint64_t *token) {
    uint64_t granted = 0;
    il_status status = ili_check_timeout(timeout_ns);
    if (status != IL_OK) return status;
    if (lock->lock) {
        status = ili_rlock_acquire(lock->handle.member, lock->lock, ili_deadline_of(timeout_ns),
                                   &granted);
    } else {
        status = lock->remote_ops->rlock_acquire(lock->remote, timeout_ns, &granted);
        if (!ili_is_granted(status)) return status;
    }
    if (ili_is_granted(status)) {
        atomic_store_explicit(&lock->last, granted, memory_order_relaxed);
        if (token) *token = granted;
    }
    return ili_report(status, "rlock");
}

il_status il_rlock_acquire(il_rlock *lock, int64_t timeout_ns, uint64_t *token) {
    uint64_t granted;
    if (!lock) return no_lock();
    if (!lock->lock || timeout_ns < IL_FOREVER ||
        !ili_lock_try_again(&lock->lock->lock, ili_agent_at_hand(lock->handle.member), &lock->last,
                            &granted)) {
        return acquire_slow(lock, timeout_ns, token);
    }
    if (token) *token = granted;
    return IL_OK;
}

/* Whether the lease of the grant TOKEN ends sooner than in LEASE_NS, or, if it is the only acquire, has
 * not been given at all. */
static bool wants_lease(const il_rlock *lock, uint64_t token, int64_t lease_ns, uint32_t depth) {
    struct ili_lease *lease = ili_rlock_leased(lock->handle.member, lock->lock, token);
    if (!lease) return depth == 1;
    int64_t end = atomic_load_explicit(&lease->end_ns, memory_order_relaxed);
    return end < ili_deadline_in(lease_ns);
}

il_status il_rlock_acquire_leased(il_rlock *lock, int64_t timeout_ns, int64_t lease_ns,
                                  uint64_t *token) {
    uint64_t granted = 0;
    if (!lock) return no_lock();
    il_status status = ili_check_lease(lease_ns);
    if (status != IL_OK) return status;
    if (!lock->lock) {
        return lock->remote_ops->rlock_acquire_leased(lock->remote, timeout_ns, lease_ns, token);
    }
    status = acquire_slow(lock, timeout_ns, &granted);
    if (!ili_is_granted(status)) return status;
    struct ili_member *m = lock->handle.member;
    uint32_t owner = ili_agent_at_hand(m);
    if (lease_ns > 0 && wants_lease(lock, granted, lease_ns, ili_rlock_depth(lock->lock, owner))) {
        il_status leased = ili_lock_lease(m, &lock->lock->lock, owner, granted, lease_ns);
        if (leased != IL_OK) {
            (void)ili_rlock_release(m, lock->lock, owner, granted, NULL);
            return ili_report(leased, "rlock");
        }
    }
    if (token) *token = granted;
    return status;
}

il_status il_rlock_release(il_rlock *lock, uint64_t token) {
    struct ili_agent *self;
    if (!lock) return no_lock();
    if (!lock->lock) return lock->remote_ops->rlock_release(lock->remote, token);
    struct ili_member *m = lock->handle.member;
    uint32_t owner = ili_agent_at_hand(m);
    if (token != 0 && !ili_rlock_is_again(lock->lock, token) &&
        ili_lock_release_fast(&lock->lock->lock, owner, token)) {
        return IL_OK;
    }
    il_status status = ili_agent_current(m, &self);
    if (status == IL_OK) {
        owner = ili_agent_number(&m->arena, self);
        status = ili_rlock_release(m, lock->lock, owner, token, NULL);
    }
    return ili_report_token(status, &lock->handle, token, &lock->last);
}

/* ---- leases, checks, breaking --------------------------------------------------------------------- */

il_status il_rlock_renew(il_rlock *lock, uint64_t token, int64_t lease_ns) {
    if (!lock) return no_lock();
    il_status status = ili_check_lease(lease_ns);
    if (status != IL_OK) return status;
    if (!lock->lock) return lock->remote_ops->rlock_renew(lock->remote, token, lease_ns);
    return ili_local_renew(&lock->handle, &lock->lock->lock, token, lease_ns, &lock->last);
}

il_status il_rlock_check(il_rlock *lock, uint64_t token) {
    if (!lock) return no_lock();
    if (!lock->lock) return lock->remote_ops->rlock_check(lock->remote, token);
    return ili_local_check(&lock->handle, &lock->lock->lock, token);
}

il_status il_rlock_break(il_rlock *lock, uint64_t token, const char *reason) {
    if (!lock) return no_lock();
    il_status status = ili_check_reason(reason);
    if (status != IL_OK) return status;
    if (!lock->lock) return lock->remote_ops->rlock_break(lock->remote, token, reason);
    return ili_local_break(&lock->handle, token, reason);
}

/* ---- glances -------------------------------------------------------------------------------------- */

il_status il_rlock_locked(il_rlock *lock, int32_t *locked) {
    if (!lock) return no_lock();
    if (!locked) return ili_fail(IL_EINVAL, "locked: expected a place for the answer, got NULL");
    if (!lock->lock) return lock->remote_ops->rlock_locked(lock->remote, locked);
    return ili_local_locked(&lock->handle, &lock->lock->lock, locked);
}

il_status il_rlock_depth(il_rlock *lock, uint32_t *depth) {
    struct ili_agent *self;
    if (!lock) return no_lock();
    if (!depth) return ili_fail(IL_EINVAL, "depth: expected a place for the answer, got NULL");
    if (!lock->lock) return lock->remote_ops->rlock_depth(lock->remote, depth);
    struct ili_member *m = lock->handle.member;
    il_status status = ili_agent_current(m, &self);
    if (status != IL_OK) return ili_report(status, "rlock");
    *depth = ili_rlock_depth(lock->lock, ili_agent_number(&m->arena, self));
    return IL_OK;
}

il_status il_rlock_owner(il_rlock *lock, il_owner *owner) {
    il_owner all = {0};
    if (!lock) return no_lock();
    il_status status = ili_owner_check(owner);
    if (status == IL_OK) {
        status = lock->lock ? ili_local_owner(&lock->handle, &lock->lock->lock, &all)
                            : lock->remote_ops->rlock_owner(lock->remote, &all);
    }
    if (status == IL_OK) ili_owner_give(owner, &all);
    return status;
}
