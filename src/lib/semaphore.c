/* semaphore.c - il_semaphore_… : checks, the fast path, and which door. */
#include <stdlib.h>
#include <string.h>

#include "lib/domain.h"
#include "lib/grant.h"

#define UNLIKELY(condition) __builtin_expect((condition), 0)
#define FLAGS (IL_SEMAPHORE_BOUNDED | IL_SEMAPHORE_SIGNAL | IL_DEADLOCK_REPORT)

static il_status no_semaphore(void) {
    return ili_fail(IL_EINVAL, "semaphore: expected a semaphore, got NULL");
}

/* ---- open and close ------------------------------------------------------------------------------- */

static il_status read_options(const il_semaphore_options *given, il_semaphore_options *all) {
    *all = (il_semaphore_options){.value = 1};
    if (!given) return IL_OK;
    if (given->struct_bytes < 2 * sizeof(uint32_t)) {
        return ili_fail(IL_EINVAL, "options.struct_bytes: expected sizeof(il_semaphore_options)");
    }
    memcpy(all, given, given->struct_bytes < sizeof *all ? given->struct_bytes : sizeof *all);
    all->struct_bytes = sizeof *all;
    if (all->flags & ~FLAGS) {
        return ili_fail(IL_EINVAL,
                        "options.flags: expected IL_SEMAPHORE_BOUNDED, IL_SEMAPHORE_SIGNAL, "
                        "IL_DEADLOCK_REPORT or 0, got %#x",
                        all->flags);
    }
    if (all->value > IL_SEMAPHORE_MAX) {
        return ili_fail(IL_EINVAL, "options.value: expected at most %u, got %u", IL_SEMAPHORE_MAX,
                        all->value);
    }
    if (all->reserved) return ili_fail(IL_EINVAL, "options.reserved: expected 0");
    return IL_OK;
}

il_status il_semaphore_open(il_domain *domain, const char *name, size_t name_bytes,
                            const il_semaphore_options *options, il_semaphore **out) {
    il_semaphore_options all;
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the semaphore, got NULL");
    il_status status = ili_check_name(name, name_bytes, true);
    if (status == IL_OK) status = read_options(options, &all);
    if (status != IL_OK) return status;
    il_semaphore *semaphore = calloc(1, sizeof *semaphore);
    if (!semaphore) return ili_fail(IL_ENOMEM, "this process has no memory");
    if (domain->remote_ops) {
        semaphore->remote_ops = domain->remote_ops;
        status = semaphore->remote_ops->semaphore_open(domain->remote, name, name_bytes,
                                                       options ? &all : NULL, &semaphore->remote);
    } else {
        status = ili_handle_open(domain, &ili_semaphore_kind, name, name_bytes,
                                 options ? &all : NULL, &semaphore->handle);
        if (status == IL_OK) {
            semaphore->semaphore =
                ili_object_at(&domain->member.arena, semaphore->handle.object, ILI_KIND_SEMAPHORE);
        }
    }
    if (status != IL_OK) {
        free(semaphore);
        return status;
    }
    *out = semaphore;
    return IL_OK;
}

il_status il_semaphore_close(il_semaphore *semaphore) {
    if (!semaphore) return IL_OK;
    il_status status = semaphore->semaphore
                           ? ili_handle_close(&semaphore->handle)
                           : semaphore->remote_ops->semaphore_close(semaphore->remote);
    free(semaphore);
    return status == IL_OK ? IL_OK : ili_report(status, "semaphore");
}

il_status il_semaphore_delete(il_domain *domain, const char *name, size_t name_bytes) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    il_status status = ili_check_name(name, name_bytes, false);
    if (status != IL_OK) return status;
    if (domain->remote_ops) {
        return domain->remote_ops->semaphore_delete(domain->remote, name, name_bytes);
    }
    return ili_handle_delete(domain, &ili_semaphore_kind, name, name_bytes);
}

/* ---- acquire and release -------------------------------------------------------------------------- */

static il_status check_count(uint32_t count) {
    if (count >= 1 && count <= IL_SEMAPHORE_MAX) return IL_OK;
    return ili_fail(IL_EINVAL, "count: expected 1 to %u, got %u", IL_SEMAPHORE_MAX, count);
}

static __attribute__((noinline)) il_status acquire_slow(il_semaphore *semaphore, uint32_t count,
                                                        int64_t timeout_ns, uint64_t *token) {
    uint64_t granted = 0;
    struct ili_semaphore *local = semaphore->semaphore;
    il_status status = check_count(count);
    if (status == IL_OK) status = ili_check_timeout(timeout_ns);
    if (status != IL_OK) return status;
    if (!local) {
        return semaphore->remote_ops->semaphore_acquire(semaphore->remote, count, timeout_ns,
                                                        token ? token : &granted);
    }
    status = ili_semaphore_acquire(semaphore->handle.member, local, count,
                                   ili_deadline_of(timeout_ns), &granted);
    if (status == IL_EINVAL) {
        return ili_fail(status, "count: a bounded semaphore of %u never has %u permits",
                        local->held.start, count);
    }
    if (status == IL_OK) {
        struct ili_member *m = semaphore->handle.member;
        atomic_store_explicit(&semaphore->near.last, granted, memory_order_relaxed);
        if (!ili_semaphore_is_signal(local)) {
            ili_semaphore_remember(m, local, &semaphore->near, ili_agent_at_hand(m));
        }
        if (token) *token = granted;
    }
    return ili_report(status, "semaphore");
}

static bool acquire_fast(il_semaphore *semaphore, uint32_t count, uint64_t *token) {
    struct ili_semaphore *local = semaphore->semaphore;
    uint32_t self = ili_agent_at_hand(semaphore->handle.member);
    if (UNLIKELY(self == 0 || count == 0 || count > IL_SEMAPHORE_MAX)) return false;
    return ili_semaphore_is_signal(local)
               ? ili_semaphore_take_signal(local, count, token)
               : ili_semaphore_take_fast(semaphore->handle.member, local, self, count,
                                         &semaphore->near, token);
}

il_status il_semaphore_acquire(il_semaphore *semaphore, uint32_t count, int64_t timeout_ns,
                               uint64_t *token) {
    uint64_t granted = 0;
    if (UNLIKELY(!semaphore)) return no_semaphore();
    if (UNLIKELY(!semaphore->semaphore || timeout_ns < IL_FOREVER ||
                 !acquire_fast(semaphore, count, &granted))) {
        return acquire_slow(semaphore, count, timeout_ns, token);
    }
    if (token) *token = granted;
    return IL_OK;
}

il_status il_semaphore_acquire_leased(il_semaphore *semaphore, uint32_t count, int64_t timeout_ns,
                                      int64_t lease_ns, uint64_t *token) {
    uint64_t granted = 0;
    if (!semaphore) return no_semaphore();
    il_status status = ili_check_lease(lease_ns);
    if (status == IL_OK) status = check_count(count);
    if (status != IL_OK) return status;
    if (!semaphore->semaphore) {
        return semaphore->remote_ops->semaphore_acquire_leased(semaphore->remote, count, timeout_ns,
                                                               lease_ns, token ? token : &granted);
    }
    if (ili_semaphore_is_signal(semaphore->semaphore)) {
        return ili_fail(IL_EINVAL, "lease_ns: nothing is held of a semaphore for signals");
    }
    status = acquire_slow(semaphore, count, timeout_ns, &granted);
    if (status != IL_OK) return status;
    if (lease_ns > 0) {
        struct ili_member *m = semaphore->handle.member;
        uint32_t owner = ili_agent_at_hand(m);
        status = ili_semaphore_lease(m, semaphore->semaphore, owner, granted, lease_ns);
        if (status != IL_OK) {
            (void)ili_semaphore_release(m, semaphore->semaphore, owner, count, granted);
            return ili_report(status, "semaphore");
        }
    }
    if (token) *token = granted;
    return IL_OK;
}

static __attribute__((noinline)) il_status release_slow(il_semaphore *semaphore, uint32_t count,
                                                        uint64_t token) {
    struct ili_agent *self;
    il_status status = check_count(count);
    if (status != IL_OK) return status;
    if (!semaphore->semaphore) {
        return semaphore->remote_ops->semaphore_release(semaphore->remote, count, token);
    }
    struct ili_member *m = semaphore->handle.member;
    status = ili_agent_current(m, &self);
    if (status == IL_OK) {
        uint32_t owner = ili_agent_number(&m->arena, self);
        status = ili_semaphore_release(m, semaphore->semaphore, owner, count, token);
    }
    if (status == IL_EOVERFLOW) {
        return ili_fail(status,
                        token ? "count: the grant has fewer permits than %u"
                              : "count: %u more permits than the semaphore may have",
                        count);
    }
    return ili_report_token(status, &semaphore->handle, token, NULL);
}

il_status il_semaphore_release(il_semaphore *semaphore, uint32_t count, uint64_t token) {
    il_status status;
    if (UNLIKELY(!semaphore)) return no_semaphore();
    if (UNLIKELY(!semaphore->semaphore || count == 0 ||
                 ili_semaphore_is_signal(semaphore->semaphore))) {
        return release_slow(semaphore, count, token);
    }
    struct ili_member *m = semaphore->handle.member;
    /* without a token, its own grant first: that is the one in its place */
    if (UNLIKELY(!ili_semaphore_give_fast(m, semaphore->semaphore, ili_agent_at_hand(m), count,
                                          &semaphore->near, token, &status))) {
        return release_slow(semaphore, count, token);
    }
    return status == IL_OK ? IL_OK : ili_report(status, "semaphore");
}

/* ---- leases, checks, breaking --------------------------------------------------------------------- */

il_status il_semaphore_renew(il_semaphore *semaphore, uint64_t token, int64_t lease_ns) {
    struct ili_agent *self;
    if (!semaphore) return no_semaphore();
    il_status status = ili_check_lease(lease_ns);
    if (status != IL_OK) return status;
    if (!semaphore->semaphore) {
        return semaphore->remote_ops->semaphore_renew(semaphore->remote, token, lease_ns);
    }
    struct ili_member *m = semaphore->handle.member;
    status = ili_agent_current(m, &self);
    if (status == IL_OK) {
        status = ili_semaphore_lease(m, semaphore->semaphore, ili_agent_number(&m->arena, self),
                                     token, lease_ns);
    }
    if (status == IL_EINVAL) {
        return ili_fail(status, "semaphore: nothing is held of a semaphore for signals");
    }
    return ili_report_token(status, &semaphore->handle, token, &semaphore->near.last);
}

il_status il_semaphore_check(il_semaphore *semaphore, uint64_t token) {
    if (!semaphore) return no_semaphore();
    if (!semaphore->semaphore) {
        return semaphore->remote_ops->semaphore_check(semaphore->remote, token);
    }
    il_status status =
        ili_semaphore_check_token(semaphore->handle.member, semaphore->semaphore, token);
    return ili_report_token(status, &semaphore->handle, token, NULL);
}

il_status il_semaphore_break(il_semaphore *semaphore, uint64_t token, const char *reason) {
    if (!semaphore) return no_semaphore();
    il_status status = ili_check_reason(reason);
    if (status != IL_OK) return status;
    if (!semaphore->semaphore) {
        return semaphore->remote_ops->semaphore_break(semaphore->remote, token, reason);
    }
    status = ili_semaphore_break(semaphore->handle.member, semaphore->semaphore, token, IL_EREVOKED,
                                 reason);
    return ili_report_token(status, &semaphore->handle, token, NULL);
}

/* ---- glances -------------------------------------------------------------------------------------- */

il_status il_semaphore_value(il_semaphore *semaphore, uint32_t *value) {
    struct ili_semaphore_view view;
    if (!semaphore) return no_semaphore();
    if (!value) return ili_fail(IL_EINVAL, "value: expected a place for the answer, got NULL");
    if (!semaphore->semaphore) {
        return semaphore->remote_ops->semaphore_value(semaphore->remote, value);
    }
    struct ili_member *m = semaphore->handle.member;
    il_status status = ili_member_check(m);
    if (status == IL_OK) {
        ili_semaphore_look(m, semaphore->semaphore, &view);
        if (view.deleted) status = IL_EDELETED;
    }
    if (status != IL_OK) return ili_report(status, "semaphore");
    *value = view.value;
    return IL_OK;
}
