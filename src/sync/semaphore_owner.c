/*
 * semaphore_owner.c - what happens to a semaphore's grants besides acquiring and releasing: leases, losses,
 * the ends of threads, sessions and the semaphore; glances; repair. See semaphore.c for the word.
 */
#include "arena/loss.h"
#include "base/clock.h"
#include "base/point.h"
#include "sync/semaphore_word.h"

static uint32_t load32(const _Atomic uint32_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}
static uint64_t load64(const _Atomic uint64_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}

/* ---- leases, revocation ------------------------------------------------------------------------- */

/* The newest grant of OWNER's session. */
static struct ili_holding *newest_of(struct ili_member *m, struct ili_semaphore *s,
                                     uint32_t owner) {
    struct ili_held_walk walk = {0};
    struct ili_holding *h, *newest = NULL;
    uint32_t slot = ili_agent_slot(&m->arena, owner);
    while ((h = ili_held_next(m, &s->held, &walk))) {
        if (!ili_semaphore_is_of(m, h, slot) || ili_semaphore_token(h) == 0) continue;
        if (!newest || load64(&h->token) > load64(&newest->token)) newest = h;
    }
    return newest;
}

il_status ili_semaphore_lease(struct ili_member *member, struct ili_semaphore *semaphore,
                              uint32_t owner, uint64_t token, int64_t duration_ns) {
    struct ili_semaphore *s = semaphore;
    struct ili_agent *self;
    struct ili_holding *h = NULL;
    if (ili_semaphore_is_signal(s)) return IL_EINVAL;
    il_status status = ili_semaphore_lock(member, &self, s);
    if (status != IL_OK) return status;
    uint32_t left = ili_semaphore_enter(member, s);
    if (token) {
        status = ili_semaphore_find(member, s, owner, token, &h);
    } else if (!(h = newest_of(member, s, owner))) {
        status = IL_ENOTHELD;
    }
    if (status == IL_OK) {
        struct ili_plan plan = ili_held_plan_for(&s->held, h);
        status = ili_held_lease(member, &s->held, plan.owner, plan.token, duration_ns, &plan.lease);
        if (status == IL_OK) ili_semaphore_make(member, self, s, &plan);
    }
    ili_semaphore_settle(member, s, left);
    ili_semaphore_unlock(member, self, s);
    return status;
}

il_status ili_semaphore_check_token(struct ili_member *member, struct ili_semaphore *semaphore,
                                    uint64_t token) {
    struct ili_semaphore *s = semaphore;
    struct ili_agent *self;
    il_status status = ili_semaphore_lock(member, &self, s);
    if (status != IL_OK) return status;
    if (token & ILI_SEMAPHORE_CLAIM || !ili_held_by_token(member, &s->held, token)) {
        status = ili_held_why(member, &s->held, token);
    }
    ili_semaphore_unlock(member, self, s);
    return status;
}

static il_status revoke_all(struct ili_member *m, struct ili_agent *self, struct ili_semaphore *s,
                            uint64_t token, il_status why, const char *reason) {
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    unsigned revoked = 0;
    while ((h = ili_held_next(m, &s->held, &walk))) {
        uint32_t owner = load32(&h->owner);
        uint64_t its = ili_semaphore_token(h);
        if (!owner || its == 0 || (token && its != token)) continue;
        ili_semaphore_give(m, self, s, h, load32(&h->count), false);
        ILI_POINT("semaphore.revoke.voided");
        ili_loss_add(m, ili_off_of(&m->arena, s), ILI_KIND_SEMAPHORE, owner, its, why, reason);
        revoked++;
    }
    if (revoked) return IL_OK;
    return token ? ili_held_why(m, &s->held, token) : IL_ENOTHELD;
}

static il_status revoke(struct ili_member *member, struct ili_agent *self, void *object,
                        uint64_t token, il_status why, const char *reason) {
    struct ili_semaphore *s = object;
    il_status status = ili_semaphore_lock(member, &self, s);
    if (status != IL_OK) return status;
    (void)ili_semaphore_enter(member, s);
    status = revoke_all(member, self, s, token, why, reason);
    ili_semaphore_dispatch(member, self, s);
    ili_semaphore_unlock(member, self, s);
    return status;
}

il_status ili_semaphore_break(struct ili_member *member, struct ili_semaphore *semaphore,
                              uint64_t token, il_status why, const char *reason) {
    return revoke(member, NULL, semaphore, token, why, reason);
}

/* ---- ends and repair ------------------------------------------------------------------------------ */

static il_status end(struct ili_member *member, struct ili_agent *self, void *object) {
    struct ili_semaphore *s = object;
    struct ili_waiting waiting = ili_semaphore_waiting(s);
    il_status status = ili_guard_lock(member, self, &s->held.guard);
    if (status != IL_OK) return status;
    (void)ili_semaphore_enter(member, s);
    ili_held_end(member, self, &waiting);
    ili_semaphore_unlock(member, self, s);
    return IL_OK;
}

/* Ends all that the session of SLOT has, places and claims as well. */
static void end_all(struct ili_member *m, struct ili_agent *self, struct ili_semaphore *s,
                    uint32_t slot) {
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    while ((h = ili_held_next(m, &s->held, &walk))) {
        if (!ili_semaphore_is_of(m, h, slot)) continue;
        ili_semaphore_give(m, self, s, h, UINT32_MAX, true);
        ILI_POINT("recover.semaphore.given");
    }
}

void ili_semaphore_release_all(struct ili_member *member, struct ili_semaphore *semaphore) {
    struct ili_agent *self;
    if (ili_semaphore_lock(member, &self, semaphore) != IL_OK) return;
    (void)ili_semaphore_enter(member, semaphore);
    end_all(member, self, semaphore, member->slot);
    ili_semaphore_dispatch(member, self, semaphore);
    ili_semaphore_unlock(member, self, semaphore);
}

static il_status recover(struct ili_member *member, struct ili_agent *self, void *object,
                         uint32_t slot) {
    struct ili_semaphore *s = object;
    struct ili_waiting waiting = ili_semaphore_waiting(s);
    il_status status = ili_guard_lock(member, self, &s->held.guard);
    if (status != IL_OK) return status;
    (void)ili_semaphore_enter(member, s);
    ili_held_drop_waiters(member, self, &waiting, slot);
    end_all(member, self, s, slot);
    ili_semaphore_dispatch(member, self, s);
    ili_semaphore_unlock(member, self, s);
    return IL_OK;
}

static il_status thread_end(struct ili_member *member, struct ili_agent *self, void *object,
                            struct ili_agent *ended, struct ili_agent *home) {
    struct ili_semaphore *s = object;
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    uint32_t number = ili_agent_number(&member->arena, ended);
    bool owns = false;
    /* the thread does nothing else any more, so what it does not have it will not have */
    while (!owns && (h = ili_held_next(member, &s->held, &walk)))
        owns = load32(&h->owner) == number;
    if (!owns) return IL_OK;
    il_status status = ili_guard_lock(member, self, &s->held.guard);
    if (status != IL_OK) return status;
    uint32_t left = ili_semaphore_enter(member, s);
    walk = (struct ili_held_walk){0};
    while ((h = ili_held_next(member, &s->held, &walk))) {
        if (load32(&h->owner) != number) continue;
        struct ili_plan plan = ili_held_plan_for(&s->held, h);
        atomic_store_explicit(&h->kept, 0, memory_order_relaxed);
        plan.owner = ili_semaphore_token(h) ? ili_agent_number(&member->arena, home) : 0;
        ili_semaphore_make(member, self, s, &plan);
        ILI_POINT("semaphore.thread_end.left");
    }
    ili_semaphore_settle(member, s, left);
    ili_semaphore_unlock(member, self, s);
    return IL_OK;
}

void ili_semaphore_repair(struct ili_member *member, struct ili_agent *self,
                          struct ili_semaphore *semaphore, struct ili_agent *dead) {
    struct ili_waiting waiting = ili_semaphore_waiting(semaphore);
    ili_held_repair(member, self, &waiting, dead);
    ili_semaphore_dispatch(member, self, semaphore);
}

/* The permits of all grants. */
static uint64_t granted_in(const struct ili_member *m, struct ili_semaphore *s) {
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    uint64_t granted = 0;
    while ((h = ili_held_next(m, &s->held, &walk))) {
        if (load32(&h->owner) && ili_semaphore_token(h)) granted += load32(&h->count);
    }
    return granted;
}

il_status ili_semaphore_check(const struct ili_member *member, struct ili_semaphore *semaphore) {
    struct ili_holders *held = &semaphore->held;
    uint64_t word = ili_held_word(held);
    const struct ili_agent *head = ili_waitq_first(member, &held->waiters);
    il_status status = ili_held_check(member, held);
    if (status != IL_OK) return status;
    bool nudged = head && ili_agent_state(head) == ILI_PARK_NOTIFIED;
    if (!(word & ILI_HELD_SLOW) && head && !nudged) return IL_ECORRUPT;
    uint32_t free = ili_semaphore_free(member, semaphore);
    if (!ili_semaphore_is_signal(semaphore) && !ili_held_is_gone(held)) {
        uint64_t granted = granted_in(member, semaphore);
        uint64_t says = (word & ILI_SEMAPHORE_VALUE) + granted;
        /* others may go on meanwhile: then it says nothing */
        bool still = atomic_load_explicit(&held->word, memory_order_seq_cst) == word;
        if (still && !(word & ILI_HELD_SLOW) && says > load64(&held->value)) return IL_ECORRUPT;
        if ((word & ILI_SEMAPHORE_VALUE) > ili_semaphore_most(semaphore)) return IL_ECORRUPT;
    }
    if (!(word & ILI_HELD_SLOW)) return IL_OK;
    bool can = head && !ili_held_is_gone(held) && load32(&head->want) <= free;
    return can && ili_agent_state(head) == ILI_PARK_WAITING ? IL_ECORRUPT : IL_OK;
}

/* ---- glances -------------------------------------------------------------------------------------- */

void ili_semaphore_look(const struct ili_member *member, struct ili_semaphore *semaphore,
                        struct ili_semaphore_view *view) {
    struct ili_holders *held = &semaphore->held;
    *view = (struct ili_semaphore_view){.start = held->start,
                                        .flags = held->flags,
                                        .waiters = ili_waitq_count(&held->waiters),
                                        .deleted = ili_held_is_gone(held)};
    view->value = ili_semaphore_free(member, semaphore);
    if (!ili_semaphore_is_signal(semaphore)) {
        view->held = (uint32_t)granted_in(member, semaphore);
    }
}

static size_t grants(struct ili_member *member, void *object, struct ili_grant *out, size_t room) {
    struct ili_semaphore *s = object;
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    size_t count = 0;
    if (ili_semaphore_is_signal(s) || ili_held_is_gone(&s->held)) return 0;
    while ((h = ili_held_next(member, &s->held, &walk))) {
        struct ili_grant grant;
        if (ili_semaphore_token(h) == 0 || !ili_held_copy(h, &grant)) continue;
        if (grant.token & ILI_SEMAPHORE_CLAIM) continue;
        if (count < room) out[count] = grant;
        count++;
    }
    return count;
}

static struct ili_waitq *waiters(void *object, unsigned which) {
    return which == 0 ? &((struct ili_semaphore *)object)->held.waiters : NULL;
}

static void gate(struct ili_member *member, void *object, const struct ili_agent *waiter,
                 struct ili_gate *gate) {
    struct ili_semaphore *s = object;
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    uint64_t held = 0, ended = 0;
    gate->need = gate->have = 0;
    gate->behind = true;
    gate->report = (s->held.flags & IL_DEADLOCK_REPORT) != 0;
    if (ili_semaphore_is_signal(s) || ili_held_is_gone(&s->held)) return;
    while ((h = ili_held_next(member, &s->held, &walk))) {
        struct ili_grant grant;
        if (ili_semaphore_token(h) == 0 || !ili_held_copy(h, &grant)) continue;
        if (ili_held_lease_has_ended(member, &s->held, grant.lease, grant.token)) {
            ended += grant.count;
            continue;
        }
        ili_held_gate_add(gate, grant.owner, grant.count);
        held += grant.count;
    }
    uint64_t want = load32(&waiter->want), free = ili_semaphore_free(member, s) + ended;
    if (free + held < want) return; /* others must add some: anybody may */
    gate->need = want;
    gate->have = free;
}

const struct ili_kind ili_semaphore_kind = {
    .number = ILI_KIND_SEMAPHORE,
    .word = "semaphore",
    .bytes = sizeof(struct ili_semaphore),
    .init = ili_semaphore_init,
    .same = ili_semaphore_same,
    .end = end,
    .dispose = ili_held_dispose,
    .recover = recover,
    .waiters = waiters,
    .thread_end = thread_end,
    .revoke = revoke,
    .grants = grants,
    .gate = gate,
};
