#include "lib/grant.h"

#include <stdio.h>
#include <string.h>

#include "arena/loss.h"
#include "base/clock.h"

/* ---- arguments ------------------------------------------------------------------------------------ */

il_status ili_check_timeout(int64_t timeout_ns) {
    if (timeout_ns >= IL_FOREVER) return IL_OK;
    return ili_fail(IL_EINVAL, "timeout_ns: expected IL_FOREVER, IL_NOWAIT or more");
}

il_status ili_check_lease(int64_t lease_ns) {
    if (lease_ns == 0 || (lease_ns >= INT64_C(1000000) && lease_ns <= IL_LEASE_MAX)) return IL_OK;
    return ili_fail(IL_EINVAL, "lease_ns: expected 0, or a millisecond to a day, got %lld",
                    (long long)lease_ns);
}

il_status ili_check_reason(const char *reason) {
    if (!reason || strlen(reason) < ILI_REASON_BYTES) return IL_OK;
    return ili_fail(IL_EINVAL, "reason: expected at most %u bytes, got %zu", ILI_REASON_BYTES - 1,
                    strlen(reason));
}

il_status ili_lock_options_read(const il_lock_options *given, uint32_t known,
                                il_lock_options *all) {
    memset(all, 0, sizeof *all);
    if (!given) return IL_OK;
    if (given->struct_bytes < 2 * sizeof(uint32_t)) {
        return ili_fail(IL_EINVAL, "options.struct_bytes: expected sizeof(il_lock_options)");
    }
    memcpy(all, given, given->struct_bytes < sizeof *all ? given->struct_bytes : sizeof *all);
    all->struct_bytes = sizeof *all;
    if (all->flags & ~known) {
        return ili_fail(IL_EINVAL,
                        "options.flags: expected IL_LOCK_FAIR, %sIL_DEADLOCK_REPORT or 0, got %#x",
                        known & IL_LOCK_ANY_RELEASE ? "IL_LOCK_ANY_RELEASE, " : "", all->flags);
    }
    if (all->lock_delay_ns < 0 || all->lock_delay_ns > IL_LOCK_DELAY_MAX) {
        return ili_fail(IL_EINVAL, "options.lock_delay_ns: expected 0 to a minute, got %lld",
                        (long long)all->lock_delay_ns);
    }
    return IL_OK;
}

int64_t ili_deadline_of(int64_t timeout_ns) {
    return timeout_ns == 0 ? 0 : ili_deadline_in(timeout_ns);
}

/* ---- what became of a grant ------------------------------------------------------------------------ */

il_status ili_report_token(il_status status, const struct ili_handle *handle, uint64_t token,
                           const _Atomic uint64_t *last) {
    struct ili_loss_copy loss;
    const struct ili_arena *a = &handle->member->arena;
    const char *what = handle->kind->word;
    if (status == IL_ENOTHELD && token == 0 && last) {
        token = atomic_load_explicit(last, memory_order_relaxed);
        if (token != 0 && ili_loss_find(a, handle->object, token, &loss)) status = loss.why;
    }
    if (status != IL_EREVOKED) return ili_report(status, what);
    if (!ili_loss_find(a, handle->object, token, &loss)) loss.reason[0] = 0;
    return ili_fail(status, "%s%s%s", what, loss.reason[0] ? ": " : "", loss.reason);
}

/* ---- lock and rlock -------------------------------------------------------------------------------- */

static il_status current(const struct ili_handle *handle, uint32_t *owner) {
    struct ili_agent *self;
    il_status status = ili_agent_current(handle->member, &self);
    if (status == IL_OK) *owner = ili_agent_number(&handle->member->arena, self);
    return status;
}

il_status ili_local_renew(const struct ili_handle *handle, struct ili_lock *lock, uint64_t token,
                          int64_t lease_ns, const _Atomic uint64_t *last) {
    uint32_t owner;
    il_status status = current(handle, &owner);
    if (status == IL_OK) status = ili_lock_lease(handle->member, lock, owner, token, lease_ns);
    return ili_report_token(status, handle, token, last);
}

il_status ili_local_check(const struct ili_handle *handle, const struct ili_lock *lock,
                          uint64_t token) {
    il_status status = ili_member_check(handle->member);
    if (status == IL_OK) status = ili_lock_token_check(handle->member, lock, token);
    return ili_report_token(status, handle, token, NULL);
}

static il_status look(const struct ili_handle *handle, const struct ili_lock *lock,
                      struct ili_lock_view *view) {
    il_status status = ili_member_check(handle->member);
    if (status != IL_OK) return status;
    ili_lock_look(handle->member, lock, view);
    return view->deleted ? IL_EDELETED : IL_OK;
}

il_status ili_local_locked(const struct ili_handle *handle, const struct ili_lock *lock,
                           int32_t *locked) {
    struct ili_lock_view view;
    il_status status = look(handle, lock, &view);
    if (status == IL_OK) *locked = view.owner != 0 || view.held_back;
    return ili_report(status, handle->kind->word);
}

il_status ili_local_owner(const struct ili_handle *handle, const struct ili_lock *lock,
                          il_owner *owner) {
    struct ili_lock_view view;
    struct ili_member *m = handle->member;
    il_status status = look(handle, lock, &view);
    if (status != IL_OK) return ili_report(status, handle->kind->word);
    owner->waiters = view.waiters;
    if (view.owner == 0 || view.slot == 0) return IL_OK;
    owner->token = view.token;
    owner->mine = handle->kind->number == ILI_KIND_RLOCK ? view.owner == ili_agent_at_hand(m)
                                                         : view.slot == m->slot + 1;
    const struct ili_slot *slot = &m->arena.slots[view.slot - 1];
    const struct ili_agent *agent = ili_agent_at(&m->arena, view.owner);
    owner->pid = atomic_load_explicit(&slot->pid, memory_order_relaxed);
    if (m->served && view.slot == 1) { /* the server's: held over HTTP, without a session */
        owner->pid = 0;
        if (atomic_load_explicit(&lock->label_token, memory_order_relaxed) == view.token) {
            memcpy(owner->label, lock->label, sizeof owner->label);
        } else if (agent) {
            memcpy(owner->label, agent->label, sizeof owner->label);
        }
    } else {
        memcpy(owner->label, slot->label, sizeof owner->label);
    }
    owner->label[sizeof owner->label - 1] = 0;
    return IL_OK;
}

il_status ili_local_break(const struct ili_handle *handle, uint64_t token, const char *reason) {
    struct ili_member *m = handle->member;
    struct ili_agent *self;
    struct ili_grant grant;
    void *object = ili_object_at(&m->arena, handle->object, handle->kind->number);
    il_status status = object ? ili_agent_current(m, &self) : IL_ECORRUPT;
    if (status == IL_OK && token == 0) {
        status = handle->kind->grants(m, object, &grant, 1) > 0 ? IL_OK : IL_ENOTHELD;
        if (status == IL_OK) token = grant.token;
    }
    if (status == IL_OK) {
        status = handle->kind->revoke(m, self, object, token, IL_EREVOKED, reason);
    }
    return ili_report(status, handle->kind->word);
}

/* ---- il_owner -------------------------------------------------------------------------------------- */

il_status ili_owner_check(const il_owner *owner) {
    if (owner && owner->struct_bytes >= sizeof(uint32_t)) return IL_OK;
    return ili_fail(IL_EINVAL, "owner.struct_bytes: expected sizeof(il_owner)");
}

void ili_owner_give(il_owner *owner, il_owner *all) {
    uint32_t bytes = owner->struct_bytes;
    all->struct_bytes = bytes;
    memcpy(owner, all, bytes < sizeof *all ? bytes : sizeof *all);
}
