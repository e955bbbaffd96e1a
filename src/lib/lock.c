/* lock.c - il_lock_… : checks, the fast path, and which door. */
#include <stdlib.h>

#include "base/clock.h"
#include "lib/domain.h"
#include "lib/grant.h"

#define ALL_FLAGS (IL_LOCK_FAIR | IL_LOCK_ANY_RELEASE | IL_DEADLOCK_REPORT)
#define UNLIKELY(condition) __builtin_expect((condition), 0)

static il_status no_lock(void) { return ili_fail(IL_EINVAL, "lock: expected a lock, got NULL"); }

/* ---- open and close ------------------------------------------------------------------------------- */

il_status il_lock_open(il_domain *domain, const char *name, size_t name_bytes,
                       const il_lock_options *options, il_lock **out) {
    il_lock_options all;
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the lock, got NULL");
    il_status status = ili_check_name(name, name_bytes, true);
    if (status == IL_OK) status = ili_lock_options_read(options, ALL_FLAGS, &all);
    if (status == IL_OK && domain->remote_ops && all.flags & IL_LOCK_ANY_RELEASE) {
        return ili_fail(IL_EUNSUPPORTED,
                        "options.flags: an http: domain has no locks of IL_LOCK_ANY_RELEASE");
    }
    if (status != IL_OK) return status;
    il_lock *lock = calloc(1, sizeof *lock);
    if (!lock) return ili_fail(IL_ENOMEM, "this process has no memory");
    if (domain->remote_ops) {
        lock->remote_ops = domain->remote_ops;
        status =
            lock->remote_ops->lock_open(domain->remote, name, name_bytes, options, &lock->remote);
    } else {
        status = ili_handle_open(domain, &ili_lock_kind, name, name_bytes, options ? &all : NULL,
                                 &lock->handle);
        if (status == IL_OK) {
            lock->lock = ili_object_at(&domain->member.arena, lock->handle.object, ILI_KIND_LOCK);
        }
    }
    if (status != IL_OK) {
        free(lock);
        return status;
    }
    *out = lock;
    return IL_OK;
}

il_status il_lock_close(il_lock *lock) {
    if (!lock) return IL_OK;
    il_status status = IL_OK;
    if (lock->lock) {
        status = ili_handle_close(&lock->handle);
    } else {
        status = lock->remote_ops->lock_close(lock->remote);
    }
    free(lock);
    return status == IL_OK ? IL_OK : ili_report(status, "lock");
}

il_status il_lock_delete(il_domain *domain, const char *name, size_t name_bytes) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    il_status status = ili_check_name(name, name_bytes, false);
    if (status != IL_OK) return status;
    if (domain->remote_ops) {
        return domain->remote_ops->lock_delete(domain->remote, name, name_bytes);
    }
    return ili_handle_delete(domain, &ili_lock_kind, name, name_bytes);
}

/* ---- acquire and release -------------------------------------------------------------------------- */

static __attribute__((noinline)) il_status acquire_slow(il_lock *lock, int64_t timeout_ns,
                                                        uint64_t *token) {
    uint64_t granted = 0;
    il_status status = ili_check_timeout(timeout_ns);
    if (status != IL_OK) return status;
    if (lock->lock) {
        status = ili_lock_acquire(lock->handle.member, lock->lock, ili_deadline_of(timeout_ns),
                                  &granted);
    } else {
        status = lock->remote_ops->lock_acquire(lock->remote, timeout_ns, &granted);
        if (!ili_is_granted(status)) return status;
    }
    if (ili_is_granted(status)) {
        atomic_store_explicit(&lock->last, granted, memory_order_relaxed);
        if (token) *token = granted;
    }
    return ili_report(status, "lock");
}

il_status il_lock_acquire(il_lock *lock, int64_t timeout_ns, uint64_t *token) {
    uint64_t granted;
    if (UNLIKELY(!lock)) return no_lock();
    if (UNLIKELY(!lock->lock || timeout_ns < IL_FOREVER ||
                 !ili_lock_try_again(lock->lock, ili_agent_at_hand(lock->handle.member),
                                     &lock->last, &granted))) {
        return acquire_slow(lock, timeout_ns, token);
    }
    if (token) *token = granted;
    return IL_OK;
}

il_status il_lock_acquire_leased(il_lock *lock, int64_t timeout_ns, int64_t lease_ns,
                                 uint64_t *token) {
    uint64_t granted = 0;
    if (!lock) return no_lock();
    il_status status = ili_check_lease(lease_ns);
    if (status != IL_OK) return status;
    if (!lock->lock) {
        return lock->remote_ops->lock_acquire_leased(lock->remote, timeout_ns, lease_ns, token);
    }
    status = acquire_slow(lock, timeout_ns, &granted);
    if (!ili_is_granted(status)) return status;
    if (lease_ns > 0) {
        struct ili_member *m = lock->handle.member;
        uint32_t owner = ili_agent_at_hand(m);
        il_status leased = ili_lock_lease(m, lock->lock, owner, granted, lease_ns);
        if (leased != IL_OK) {
            (void)ili_lock_release(m, lock->lock, owner, granted);
            return ili_report(leased, "lock");
        }
    }
    if (token) *token = granted;
    return status;
}

static __attribute__((noinline)) il_status release_slow(il_lock *lock, uint64_t token) {
    struct ili_agent *self;
    if (!lock->lock) return lock->remote_ops->lock_release(lock->remote, token);
    struct ili_member *m = lock->handle.member;
    il_status status = ili_agent_current(m, &self);
    if (status == IL_OK) {
        status = ili_lock_release(m, lock->lock, ili_agent_number(&m->arena, self), token);
    }
    return ili_report_token(status, &lock->handle, token, &lock->last);
}

il_status il_lock_release(il_lock *lock, uint64_t token) {
    if (UNLIKELY(!lock)) return no_lock();
    if (UNLIKELY(
            !lock->lock || token == 0 ||
            !ili_lock_release_fast(lock->lock, ili_agent_at_hand(lock->handle.member), token))) {
        return release_slow(lock, token);
    }
    return IL_OK;
}

/* ---- leases, checks, breaking --------------------------------------------------------------------- */

il_status il_lock_renew(il_lock *lock, uint64_t token, int64_t lease_ns) {
    if (!lock) return no_lock();
    il_status status = ili_check_lease(lease_ns);
    if (status != IL_OK) return status;
    if (!lock->lock) return lock->remote_ops->lock_renew(lock->remote, token, lease_ns);
    return ili_local_renew(&lock->handle, lock->lock, token, lease_ns, &lock->last);
}

il_status il_lock_check(il_lock *lock, uint64_t token) {
    if (!lock) return no_lock();
    if (!lock->lock) return lock->remote_ops->lock_check(lock->remote, token);
    return ili_local_check(&lock->handle, lock->lock, token);
}

il_status il_lock_break(il_lock *lock, uint64_t token, const char *reason) {
    if (!lock) return no_lock();
    il_status status = ili_check_reason(reason);
    if (status != IL_OK) return status;
    if (!lock->lock) return lock->remote_ops->lock_break(lock->remote, token, reason);
    return ili_local_break(&lock->handle, token, reason);
}

/* ---- glances -------------------------------------------------------------------------------------- */

il_status il_lock_locked(il_lock *lock, int32_t *locked) {
    if (!lock) return no_lock();
    if (!locked) return ili_fail(IL_EINVAL, "locked: expected a place for the answer, got NULL");
    if (!lock->lock) return lock->remote_ops->lock_locked(lock->remote, locked);
    return ili_local_locked(&lock->handle, lock->lock, locked);
}

il_status il_lock_owner(il_lock *lock, il_owner *owner) {
    il_owner all = {0};
    if (!lock) return no_lock();
    il_status status = ili_owner_check(owner);
    if (status == IL_OK) {
        status = lock->lock ? ili_local_owner(&lock->handle, lock->lock, &all)
                            : lock->remote_ops->lock_owner(lock->remote, &all);
    }
    if (status == IL_OK) ili_owner_give(owner, &all);
    return status;
}
