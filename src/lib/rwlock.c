/* rwlock.c - il_rwlock_… : checks, the fast path, and which door. */
#include <stdlib.h>
#include <string.h>

#include "lib/domain.h"
#include "lib/grant.h"

#define UNLIKELY(condition) __builtin_expect((condition), 0)

static il_status no_lock(void) { return ili_fail(IL_EINVAL, "lock: expected an rwlock, got NULL"); }

/* ---- open and close ------------------------------------------------------------------------------- */

static il_status read_options(const il_rwlock_options *given, il_rwlock_options *all) {
    *all = (il_rwlock_options){0};
    if (!given) return IL_OK;
    if (given->struct_bytes < sizeof *all) {
        return ili_fail(IL_EINVAL, "options.struct_bytes: expected sizeof(il_rwlock_options)");
    }
    memcpy(all, given, sizeof *all);
    all->struct_bytes = sizeof *all;
    if (all->flags & ~IL_DEADLOCK_REPORT) {
        return ili_fail(IL_EINVAL, "options.flags: expected 0 or IL_DEADLOCK_REPORT, got %#x",
                        all->flags);
    }
    return IL_OK;
}

il_status il_rwlock_open(il_domain *domain, const char *name, size_t name_bytes,
                         const il_rwlock_options *options, il_rwlock **out) {
    il_rwlock_options all;
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the rwlock, got NULL");
    il_status status = ili_check_name(name, name_bytes, true);
    if (status == IL_OK) status = read_options(options, &all);
    if (status != IL_OK) return status;
    il_rwlock *lock = calloc(1, sizeof *lock);
    if (!lock) return ili_fail(IL_ENOMEM, "this process has no memory");
    if (domain->remote_ops) {
        lock->remote_ops = domain->remote_ops;
        status = lock->remote_ops->rwlock_open(domain->remote, name, name_bytes,
                                               options ? &all : NULL, &lock->remote);
    } else {
        status = ili_handle_open(domain, &ili_rwlock_kind, name, name_bytes, options ? &all : NULL,
                                 &lock->handle);
        if (status == IL_OK) {
            lock->lock = ili_object_at(&domain->member.arena, lock->handle.object, ILI_KIND_RWLOCK);
        }
    }
    if (status != IL_OK) {
        free(lock);
        return status;
    }
    *out = lock;
    return IL_OK;
}

il_status il_rwlock_close(il_rwlock *lock) {
    if (!lock) return IL_OK;
    il_status status =
        lock->lock ? ili_handle_close(&lock->handle) : lock->remote_ops->rwlock_close(lock->remote);
    free(lock);
    return status == IL_OK ? IL_OK : ili_report(status, "rwlock");
}

il_status il_rwlock_delete(il_domain *domain, const char *name, size_t name_bytes) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    il_status status = ili_check_name(name, name_bytes, false);
    if (status != IL_OK) return status;
    if (domain->remote_ops) {
        return domain->remote_ops->rwlock_delete(domain->remote, name, name_bytes);
    }
    return ili_handle_delete(domain, &ili_rwlock_kind, name, name_bytes);
}

/* ---- acquire and release -------------------------------------------------------------------------- */

static il_status check_mode(uint32_t mode) {
    if (mode <= IL_EXCLUSIVE) return IL_OK;
    return ili_fail(IL_EINVAL, "mode: expected IL_SHARED or IL_EXCLUSIVE, got %u", mode);
}

static il_status report_refusal(const il_rwlock *lock, il_status status, uint32_t mode) {
    struct ili_member *m = lock->handle.member;
    if (status == IL_EUPGRADE) {
        return ili_fail(status, "rwlock: this thread shares it; release it first");
    }
    if (status == IL_EDEADLK && mode == IL_SHARED &&
        ili_rwlock_depth(m, lock->lock, ili_agent_at_hand(m), 0) != 0) {
        return ili_fail(status, "rwlock: this thread has it exclusively");
    }
    return ili_report(status, "rwlock");
}

static __attribute__((noinline)) il_status acquire_slow(il_rwlock *lock, uint32_t mode,
                                                        int64_t timeout_ns, uint64_t *token) {
    uint64_t granted = 0;
    il_status status = check_mode(mode);
    if (status == IL_OK) status = ili_check_timeout(timeout_ns);
    if (status != IL_OK) return status;
    if (!lock->lock) {
        return lock->remote_ops->rwlock_acquire(lock->remote, mode, timeout_ns,
                                                token ? token : &granted);
    }
    struct ili_member *m = lock->handle.member;
    status = ili_rwlock_acquire(m, lock->lock, mode, ili_deadline_of(timeout_ns), &granted);
    if (!ili_is_granted(status)) return report_refusal(lock, status, mode);
    ili_rwlock_remember(m, lock->lock, &lock->near, ili_agent_at_hand(m), granted);
    if (token) *token = granted;
    return status;
}

il_status il_rwlock_acquire(il_rwlock *lock, uint32_t mode, int64_t timeout_ns, uint64_t *token) {
    uint64_t granted;
    bool done = false;
    if (UNLIKELY(!lock)) return no_lock();
    if (lock->lock && timeout_ns >= IL_FOREVER) {
        struct ili_member *m = lock->handle.member;
        uint32_t self = ili_agent_at_hand(m);
        if (mode == IL_SHARED) {
            done = ili_rwlock_share_fast(m, lock->lock, self, &lock->near, &granted);
        } else if (mode == IL_EXCLUSIVE) {
            done = ili_rwlock_exclude_fast(m, lock->lock, self, &lock->near, &granted);
        }
    }
    if (UNLIKELY(!done)) return acquire_slow(lock, mode, timeout_ns, token);
    if (token) *token = granted;
    return IL_OK;
}

il_status il_rwlock_acquire_leased(il_rwlock *lock, uint32_t mode, int64_t timeout_ns,
                                   int64_t lease_ns, uint64_t *token) {
    uint64_t granted = 0;
    if (!lock) return no_lock();
    il_status status = ili_check_lease(lease_ns);
    if (status == IL_OK) status = check_mode(mode);
    if (status != IL_OK) return status;
    if (!lock->lock) {
        return lock->remote_ops->rwlock_acquire_leased(lock->remote, mode, timeout_ns, lease_ns,
                                                       token ? token : &granted);
    }
    status = acquire_slow(lock, mode, timeout_ns, &granted);
    if (!ili_is_granted(status)) return status;
    if (lease_ns > 0) {
        struct ili_member *m = lock->handle.member;
        uint32_t owner = ili_agent_at_hand(m);
        il_status leased = ili_rwlock_prolong(m, lock->lock, owner, granted, lease_ns);
        if (leased != IL_OK) {
            (void)ili_rwlock_release(m, lock->lock, owner, granted);
            return ili_report(leased, "rwlock");
        }
    }
    if (token) *token = granted;
    return status;
}

static __attribute__((noinline)) il_status release_slow(il_rwlock *lock, uint64_t token) {
    struct ili_agent *self;
    if (!lock->lock) return lock->remote_ops->rwlock_release(lock->remote, token);
    struct ili_member *m = lock->handle.member;
    il_status status = ili_agent_current(m, &self);
    if (status == IL_OK) {
        status = ili_rwlock_release(m, lock->lock, ili_agent_number(&m->arena, self), token);
    }
    return ili_report_token(status, &lock->handle, token, &lock->near.last);
}

il_status il_rwlock_release(il_rwlock *lock, uint64_t token) {
    il_status status;
    if (UNLIKELY(!lock)) return no_lock();
    if (UNLIKELY(!lock->lock || !ili_rwlock_release_fast(lock->handle.member, lock->lock,
                                                         ili_agent_at_hand(lock->handle.member),
                                                         &lock->near, token, &status))) {
        return release_slow(lock, token);
    }
    return status == IL_OK ? IL_OK : ili_report(status, "rwlock");
}

/* ---- leases, checks, breaking --------------------------------------------------------------------- */

il_status il_rwlock_renew(il_rwlock *lock, uint64_t token, int64_t lease_ns) {
    struct ili_agent *self;
    if (!lock) return no_lock();
    il_status status = ili_check_lease(lease_ns);
    if (status != IL_OK) return status;
    if (!lock->lock) return lock->remote_ops->rwlock_renew(lock->remote, token, lease_ns);
    struct ili_member *m = lock->handle.member;
    status = ili_agent_current(m, &self);
    if (status == IL_OK) {
        status =
            ili_rwlock_lease(m, lock->lock, ili_agent_number(&m->arena, self), token, lease_ns);
    }
    return ili_report_token(status, &lock->handle, token, &lock->near.last);
}

il_status il_rwlock_check(il_rwlock *lock, uint64_t token) {
    if (!lock) return no_lock();
    if (!lock->lock) return lock->remote_ops->rwlock_check(lock->remote, token);
    il_status status = ili_rwlock_check_token(lock->handle.member, lock->lock, token);
    return ili_report_token(status, &lock->handle, token, NULL);
}

il_status il_rwlock_break(il_rwlock *lock, uint64_t token, const char *reason) {
    if (!lock) return no_lock();
    il_status status = ili_check_reason(reason);
    if (status != IL_OK) return status;
    if (!lock->lock) return lock->remote_ops->rwlock_break(lock->remote, token, reason);
    status = ili_rwlock_break(lock->handle.member, lock->lock, token, IL_EREVOKED, reason);
    return ili_report_token(status, &lock->handle, token, NULL);
}

/* ---- glances -------------------------------------------------------------------------------------- */

il_status il_rwlock_info_get(il_rwlock *lock, il_rwlock_info *info) {
    struct ili_rwlock_view view;
    il_rwlock_info all = {0};
    il_status status;
    if (!lock) return no_lock();
    if (!info || info->struct_bytes < sizeof(uint32_t)) {
        return ili_fail(IL_EINVAL, "info.struct_bytes: expected sizeof(il_rwlock_info)");
    }
    if (!lock->lock) {
        status = lock->remote_ops->rwlock_info_get(lock->remote, &all);
        if (status != IL_OK) return status;
    } else {
        struct ili_member *m = lock->handle.member;
        status = ili_member_check(m);
        if (status == IL_OK) {
            ili_rwlock_look(m, lock->lock, &view);
            if (view.deleted) status = IL_EDELETED;
        }
        if (status != IL_OK) return ili_report(status, "rwlock");
        all.shared = view.shared;
        all.exclusive = view.exclusive != 0;
        all.waiters = view.waiters;
    }
    uint32_t bytes = info->struct_bytes;
    all.struct_bytes = bytes;
    memcpy(info, &all, bytes < sizeof all ? bytes : sizeof all);
    return IL_OK;
}
