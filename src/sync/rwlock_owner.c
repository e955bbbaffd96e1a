/*
 * rwlock_owner.c - what happens to an rwlock's grants besides acquiring and releasing: leases, losses, the
 * ends of threads, sessions and the lock; glances; repair. See rwlock.c for the word.
 */
#include "arena/lease.h"
#include "arena/loss.h"
#include "base/clock.h"
#include "base/point.h"
#include "sync/rwlock_word.h"

static uint32_t load32(const _Atomic uint32_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}
static uint64_t load64(const _Atomic uint64_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}

/* ---- leases, revocation ------------------------------------------------------------------------- */

il_status ili_rwlock_lease(struct ili_member *member, struct ili_rwlock *lock, uint32_t owner,
                           uint64_t token, int64_t duration_ns) {
    struct ili_agent *self;
    struct ili_holding *shared;
    il_status status = ili_rwlock_lock(member, &self, lock);
    if (status != IL_OK) return status;
    ili_rwlock_enter(lock);
    status = ili_rwlock_find(member, lock, owner, token, &shared);
    if (status == IL_OK) {
        struct ili_plan plan = ili_held_plan_for(&lock->held, shared ? shared : &lock->exclusive);
        plan.uncounted = !shared;
        plan.owner = owner;
        if (!shared) plan.token = ili_held_newest(&lock->held);
        status = ili_held_lease(member, &lock->held, owner, plan.token, duration_ns, &plan.lease);
        if (!shared && plan.count == 0 && plan.lease == 0) plan.owner = 0;
        if (status == IL_OK) ili_rwlock_make(member, self, lock, &plan);
    }
    ili_rwlock_settle(member, lock);
    ili_rwlock_unlock(member, self, lock);
    return status;
}

il_status ili_rwlock_prolong(struct ili_member *member, struct ili_rwlock *lock, uint32_t owner,
                             uint64_t token, int64_t duration_ns) {
    struct ili_holding *shared;
    il_status status = ili_rwlock_find(member, lock, owner, token, &shared);
    if (status != IL_OK) return status;
    struct ili_holding *h = shared ? shared : &lock->exclusive;
    if (load32(&h->count)) {
        struct ili_lease *lease = ili_lease_of(&member->arena, load32(&h->lease),
                                               ili_off_of(&member->arena, lock), token);
        if (!lease || atomic_load_explicit(&lease->end_ns, memory_order_relaxed) >=
                          ili_deadline_in(duration_ns)) {
            return IL_OK;
        }
    }
    return ili_rwlock_lease(member, lock, owner, token, duration_ns);
}

uint32_t ili_rwlock_depth(struct ili_member *member, struct ili_rwlock *lock, uint32_t owner,
                          uint64_t token) {
    struct ili_holding *shared;
    if (ili_rwlock_find(member, lock, owner, token, &shared) != IL_OK) return 0;
    return load32(shared ? &shared->count : &lock->exclusive.count) + 1;
}

il_status ili_rwlock_check_token(struct ili_member *member, struct ili_rwlock *lock,
                                 uint64_t token) {
    struct ili_agent *self;
    il_status status = ili_rwlock_lock(member, &self, lock);
    if (status != IL_OK) return status;
    bool exclusive = ili_rwlock_owner(lock) && ili_held_newest(&lock->held) == token;
    if (!exclusive && !ili_held_by_token(member, &lock->held, token)) {
        status = ili_held_why(member, &lock->held, token);
    }
    ili_rwlock_unlock(member, self, lock);
    return status;
}

static il_status revoke_all(struct ili_member *m, struct ili_agent *self, struct ili_rwlock *l,
                            uint64_t token, il_status why, const char *reason) {
    ili_off at = ili_off_of(&m->arena, l);
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    unsigned revoked = 0;
    uint32_t owner = ili_rwlock_owner(l);
    uint64_t its = ili_held_newest(&l->held);
    if (owner && (token == 0 || its == token)) {
        ili_rwlock_end_exclusive(m, self, l, ILI_RWLOCK_DIED);
        ILI_POINT("rwlock.revoke.exclusive");
        ili_loss_add(m, at, ILI_KIND_RWLOCK, owner, its, why, reason);
        revoked++;
    }
    while ((h = ili_held_next(m, &l->held, &walk))) {
        owner = load32(&h->owner);
        its = ili_rwlock_token(h);
        if (!owner || its == 0 || (token && its != token)) continue;
        ili_rwlock_end_shared(m, self, l, h, false);
        ILI_POINT("rwlock.revoke.shared");
        ili_loss_add(m, at, ILI_KIND_RWLOCK, owner, its, why, reason);
        revoked++;
    }
    if (revoked) return IL_OK;
    return token ? ili_held_why(m, &l->held, token) : IL_ENOTHELD;
}

static il_status revoke(struct ili_member *member, struct ili_agent *self, void *object,
                        uint64_t token, il_status why, const char *reason) {
    struct ili_rwlock *l = object;
    il_status status = ili_rwlock_lock(member, &self, l);
    if (status != IL_OK) return status;
    ili_rwlock_enter(l);
    status = revoke_all(member, self, l, token, why, reason);
    ili_rwlock_dispatch(member, self, l);
    ili_rwlock_unlock(member, self, l);
    return status;
}

il_status ili_rwlock_break(struct ili_member *member, struct ili_rwlock *lock, uint64_t token,
                           il_status why, const char *reason) {
    return revoke(member, NULL, lock, token, why, reason);
}

/* ---- ends and repair ------------------------------------------------------------------------------ */

static il_status end(struct ili_member *member, struct ili_agent *self, void *object) {
    struct ili_rwlock *l = object;
    struct ili_waiting waiting = ili_rwlock_waiting(l);
    il_status status = ili_guard_lock(member, self, &l->held.guard);
    if (status != IL_OK) return status;
    ili_rwlock_enter(l);
    ili_held_end(member, self, &waiting);
    ili_rwlock_unlock(member, self, l);
    return IL_OK;
}

/* Ends what the agent of NUMBER has, or with 0 what the session of SLOT has; an exclusive grant with MARK. */
static void end_all(struct ili_member *m, struct ili_agent *self, struct ili_rwlock *l,
                    uint32_t number, uint32_t slot, uint64_t mark) {
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    uint32_t owner = ili_rwlock_owner(l);
    if (owner && (number ? owner == number : ili_agent_slot(&m->arena, owner) == slot)) {
        ili_rwlock_end_exclusive(m, self, l, mark);
        ILI_POINT("rwlock.end.exclusive");
    }
    while ((h = ili_held_next(m, &l->held, &walk))) {
        owner = load32(&h->owner);
        if (owner && (number ? owner == number : ili_agent_slot(&m->arena, owner) == slot)) {
            ili_rwlock_end_shared(m, self, l, h, true);
            ILI_POINT("rwlock.end.shared");
        }
    }
}

void ili_rwlock_release_all(struct ili_member *member, struct ili_rwlock *lock) {
    struct ili_agent *self;
    if (ili_rwlock_lock(member, &self, lock) != IL_OK) return;
    ili_rwlock_enter(lock);
    end_all(member, self, lock, 0, member->slot, 0);
    ili_rwlock_dispatch(member, self, lock);
    ili_rwlock_unlock(member, self, lock);
}

static il_status recover(struct ili_member *member, struct ili_agent *self, void *object,
                         uint32_t slot) {
    struct ili_rwlock *l = object;
    struct ili_waiting waiting = ili_rwlock_waiting(l);
    il_status status = ili_guard_lock(member, self, &l->held.guard);
    if (status != IL_OK) return status;
    ili_rwlock_enter(l);
    ili_held_drop_waiters(member, self, &waiting, slot);
    end_all(member, self, l, 0, slot, ILI_RWLOCK_DIED);
    ili_rwlock_dispatch(member, self, l);
    ili_rwlock_unlock(member, self, l);
    return IL_OK;
}

static il_status thread_end(struct ili_member *member, struct ili_agent *self, void *object,
                            struct ili_agent *ended, struct ili_agent *home) {
    struct ili_rwlock *l = object;
    (void)home;
    uint32_t number = ili_agent_number(&member->arena, ended);
    /* the thread does nothing else any more, so what it does not have it will not have */
    if (ili_rwlock_owner(l) != number && !ili_rwlock_holding_of(member, l, number, true, 0))
        return IL_OK;
    il_status status = ili_guard_lock(member, self, &l->held.guard);
    if (status != IL_OK) return status;
    ili_rwlock_enter(l);
    end_all(member, self, l, number, 0, ILI_RWLOCK_DIED);
    ili_rwlock_dispatch(member, self, l);
    ili_rwlock_unlock(member, self, l);
    return IL_OK;
}

void ili_rwlock_repair(struct ili_member *member, struct ili_agent *self, struct ili_rwlock *lock,
                       struct ili_agent *dead) {
    struct ili_waiting waiting = ili_rwlock_waiting(lock);
    ili_held_repair(member, self, &waiting, dead);
    ili_rwlock_dispatch(member, self, lock);
}

il_status ili_rwlock_check(const struct ili_member *member, struct ili_rwlock *lock) {
    uint64_t word = ili_held_word(&lock->held);
    const struct ili_agent *head = ili_waitq_first(member, &lock->held.waiters);
    uint32_t details = load32(&lock->exclusive.owner);
    il_status status = ili_held_check(member, &lock->held);
    if (status != IL_OK) return status;
    bool nudged = head && ili_agent_state(head) == ILI_PARK_NOTIFIED && word & ILI_RWLOCK_NUDGED;
    if (!(word & ILI_HELD_SLOW) && ((head && !nudged) || details)) return IL_ECORRUPT;
    if (details && !ili_held_is_gone(&lock->held) &&
        (details != ili_rwlock_owner_in(word) ||
         load64(&lock->exclusive.token) != ili_held_newest(&lock->held))) {
        return IL_ECORRUPT;
    }
    return IL_OK;
}

/* ---- glances -------------------------------------------------------------------------------------- */

void ili_rwlock_look(const struct ili_member *member, struct ili_rwlock *lock,
                     struct ili_rwlock_view *view) {
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    *view = (struct ili_rwlock_view){.exclusive = ili_rwlock_owner(lock),
                                     .waiters = ili_waitq_count(&lock->held.waiters),
                                     .flags = lock->held.flags,
                                     .deleted = ili_held_is_gone(&lock->held)};
    if (view->exclusive) return;
    while ((h = ili_held_next(member, &lock->held, &walk)))
        view->shared += ili_rwlock_token(h) != 0;
}

static size_t grants(struct ili_member *member, void *object, struct ili_grant *out, size_t room) {
    struct ili_rwlock *l = object;
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    size_t count = 0;
    uint32_t owner = ili_rwlock_owner(l);
    uint64_t token = ili_held_newest(&l->held);
    if (ili_held_is_gone(&l->held)) return 0;
    if (owner) {
        bool details = load64(&l->exclusive.token) == token;
        if (room) {
            out[0] = (struct ili_grant){
                .owner = owner,
                .mode = IL_EXCLUSIVE,
                .count = details ? load32(&l->exclusive.count) + 1 : 1,
                .lease = details ? load32(&l->exclusive.lease) : 0,
                .token = token,
                .since_ns = ili_held_noted(&l->held.noted_since_ns, &l->held.noted_token, token)};
        }
        count = 1;
    }
    /* also then: who came too late to be exclusive shows for a moment, and must not hide those that share */
    while ((h = ili_held_next(member, &l->held, &walk))) {
        struct ili_grant grant;
        if (!ili_held_copy(h, &grant)) continue;
        grant.mode = IL_SHARED;
        grant.count++;
        if (count < room) out[count] = grant;
        count++;
    }
    return count;
}

static struct ili_waitq *waiters(void *object, unsigned which) {
    return which == 0 ? &((struct ili_rwlock *)object)->held.waiters : NULL;
}

static void gate(struct ili_member *member, void *object, const struct ili_agent *waiter,
                 struct ili_gate *gate) {
    struct ili_rwlock *l = object;
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    uint64_t word = ili_held_word(&l->held);
    uint32_t owner = ili_rwlock_owner_in(word);
    uint64_t newest = ili_token_whole(&l->held.last_token, ili_token_sequence(word));
    gate->need = gate->have = 0;
    gate->behind = true;
    gate->report = (l->held.flags & IL_DEADLOCK_REPORT) != 0;
    if (ili_held_is_gone(&l->held)) return;
    if (owner) {
        if (!ili_held_lease_has_ended(member, &l->held, load32(&l->exclusive.lease), newest)) {
            ili_held_gate_add(gate, owner, 1);
            gate->need = 1;
        }
    } else if (load32(&waiter->want) == IL_EXCLUSIVE) {
        while ((h = ili_held_next(member, &l->held, &walk))) {
            struct ili_grant grant;
            if (!ili_held_copy(h, &grant) ||
                ili_held_lease_has_ended(member, &l->held, grant.lease, grant.token)) {
                continue;
            }
            ili_held_gate_add(gate, grant.owner, 1);
            gate->need++;
        }
    }
    /* nobody has it, but somebody may be ahead */
    if (gate->need == 0) gate->need = gate->have = 1;
}

const struct ili_kind ili_rwlock_kind = {
    .number = ILI_KIND_RWLOCK,
    .word = "rwlock",
    .bytes = sizeof(struct ili_rwlock),
    .init = ili_rwlock_init,
    .same = ili_rwlock_same,
    .end = end,
    .dispose = ili_held_dispose,
    .recover = recover,
    .waiters = waiters,
    .thread_end = thread_end,
    .revoke = revoke,
    .grants = grants,
    .gate = gate,
};
