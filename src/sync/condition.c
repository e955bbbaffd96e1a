/*
 * condition.c - see condition.h.
 *
 * State: a queue, nothing else. The guard protects it; `deleted` is set once under it.
 *
 * wait:    queued (guard), lock given up, asleep, told or given up (guard), lock taken again
 * notify:  tells the first ones, each by one commit (waiting.c): a notifier that dies in between has
 *          notified some and not the others
 *
 * Lock order: this guard is taken alone, or inside a stripe of names; never together with the lock's.
 */
#include "sync/condition.h"

#include <string.h>

#include "base/clock.h"
#include "base/point.h"

static struct ili_waiting waiting_of(struct ili_condition *condition) {
    return (struct ili_waiting){
        .guard = &condition->guard, .queue = &condition->waiters, .object = condition};
}

static bool is_deleted(const struct ili_condition *condition) {
    return atomic_load_explicit(&condition->deleted, memory_order_relaxed) != 0;
}

/* ---- the kind --------------------------------------------------------------------------------------- */

static void init(struct ili_member *member, void *object, const void *options) {
    struct ili_condition *condition = object;
    const struct ili_condition_options *o = options;
    (void)member;
    condition->guard.kind = ILI_GUARD_CONDITION;
    if (!o) return; /* whoever made it so did not mean it: nobody can wait without a lock */
    condition->lock_kind = o->lock->object.kind;
    condition->lock_name_bytes = o->lock->object.name_bytes;
    condition->lock_birth = o->lock->object.birth;
    memcpy(condition->lock_name, (const char *)o->lock + o->lock->object.name_at,
           o->lock->object.name_bytes);
    atomic_init(&condition->lock, o->lock_at);
}

static bool same(const void *object, const void *options) {
    const struct ili_condition *condition = object;
    const struct ili_lock *lock = ((const struct ili_condition_options *)options)->lock;
    uint32_t bytes = lock->object.name_bytes;
    return condition->lock_kind == lock->object.kind && condition->lock_name_bytes == bytes &&
           memcmp(condition->lock_name, (const char *)lock + lock->object.name_at, bytes) == 0;
}

static il_status end(struct ili_member *member, struct ili_agent *self, void *object) {
    struct ili_condition *condition = object;
    struct ili_waiting waiting = waiting_of(condition);
    il_status status = ili_guard_lock(member, self, &condition->guard);
    if (status != IL_OK) return status;
    atomic_store_explicit(&condition->deleted, 1, memory_order_relaxed);
    ILI_POINT("condition.end.marked");
    ili_waiting_tell_all(member, self, &waiting, IL_EDELETED);
    ili_waiting_unlock(member, self, &condition->guard);
    return IL_OK;
}

static il_status dispose(struct ili_member *member, struct ili_agent *self, struct ili_agent *owner,
                         void *object) {
    (void)member, (void)self, (void)owner, (void)object; /* nothing hangs on a condition */
    return IL_OK;
}

static void mend(struct ili_member *m, struct ili_agent *self, struct ili_condition *condition,
                 uint32_t slot) {
    struct ili_waiting waiting = waiting_of(condition);
    ili_waiting_repair(m, &waiting, slot);
    if (is_deleted(condition)) ili_waiting_tell_all(m, self, &waiting, IL_EDELETED);
}

void ili_condition_repair(struct ili_member *member, struct ili_agent *self,
                          struct ili_condition *condition) {
    mend(member, self, condition, UINT32_MAX);
}

/* Whether AGENT, of a dead SLOT, was notified and died before it knew. */
static bool never_knew(const struct ili_agent *agent, uint32_t slot, ili_off at) {
    return atomic_load_explicit(&agent->owner, memory_order_relaxed) == slot + 1 &&
           atomic_load_explicit(&agent->wait_object, memory_order_relaxed) == at &&
           ili_agent_state(agent) == ILI_PARK_GRANTED &&
           atomic_load_explicit(&agent->result, memory_order_relaxed) == IL_OK;
}

/* What the dead of SLOT were told and never knew is told to those who wait. Their state changes after that: a
 * keeper that dies in between has one told twice, and none too few. */
static void pass_on(struct ili_member *m, struct ili_agent *self, struct ili_condition *condition,
                    uint32_t slot) {
    struct ili_waiting waiting = waiting_of(condition);
    ili_off at = ili_off_of(&m->arena, condition);
    struct ili_agent *agent, *first;
    for (uint32_t number = 1; (agent = ili_agent_at(&m->arena, number)); number++) {
        if (!never_knew(agent, slot, at)) continue;
        first = ili_waitq_first(m, &condition->waiters);
        if (first) ili_waiting_tell(m, self, &waiting, first, IL_OK, 0);
        ili_agent_set_state(agent, ILI_PARK_IDLE);
    }
}

static il_status recover(struct ili_member *member, struct ili_agent *self, void *object,
                         uint32_t slot) {
    struct ili_condition *condition = object;
    il_status status = ili_guard_lock(member, self, &condition->guard);
    if (status != IL_OK) return status;
    mend(member, self, condition, slot);
    pass_on(member, self, condition, slot);
    ili_waiting_unlock(member, self, &condition->guard);
    return IL_OK;
}

static struct ili_waitq *waiters(void *object, unsigned which) {
    return which == 0 ? &((struct ili_condition *)object)->waiters : NULL;
}

/* Only who has the lock can notify: if its holder is stuck, so is who waits here. */
static void gate(struct ili_member *member, void *object, const struct ili_agent *waiter,
                 struct ili_gate *gate) {
    const struct ili_condition *condition = object;
    ili_off at = atomic_load_explicit(&condition->lock, memory_order_relaxed);
    void *lock = ili_object_at(&member->arena, at, condition->lock_kind);
    bool known = condition->lock_kind == ILI_KIND_LOCK || condition->lock_kind == ILI_KIND_RLOCK;
    if (lock && known && !is_deleted(condition)) ili_lock_gate(member, lock, waiter, gate);
    gate->report =
        true; /* the wait that closes a cycle is another's: this one has given its lock up */
}

/* ---- the lock --------------------------------------------------------------------------------------- */

il_status ili_condition_holds(const struct ili_member *member, const struct ili_lock *lock,
                              uint32_t owner, uint64_t token) {
    struct ili_lock_view view;
    ili_lock_look(member, lock, &view);
    if (view.deleted) return IL_EDELETED;
    bool held = view.owner == owner;
    if (!held && view.owner && lock->object.kind == ILI_KIND_LOCK) {
        held = view.slot == ili_agent_slot(&member->arena, owner) + 1;
    }
    if (held && (token == 0 || token == view.token)) return IL_OK;
    if (token == 0) return IL_ENOTHELD;
    il_status status = ili_lock_token_check(member, lock, token);
    return status == IL_OK ? IL_ENOTHELD : status;
}

/* Gives up all that OWNER has of LOCK. */
static il_status give_up(struct ili_member *m, struct ili_lock *lock, uint32_t owner,
                         uint32_t *depth) {
    if (lock->object.kind == ILI_KIND_RLOCK) {
        return ili_rlock_release_all(m, (struct ili_rlock *)lock, owner, depth);
    }
    *depth = 1;
    return ili_lock_release(m, lock, owner, 0);
}

/* ---- waiting ---------------------------------------------------------------------------------------- */

il_status ili_condition_enqueue(struct ili_member *member, struct ili_condition *condition,
                                struct ili_lock *lock, struct ili_agent *waiter, uint32_t owner,
                                uint64_t token, uint32_t *depth) {
    struct ili_waiting waiting = waiting_of(condition);
    struct ili_agent *self;
    il_status status = ili_agent_current(member, &self);
    if (status == IL_OK) status = ili_condition_holds(member, lock, owner, token);
    if (status == IL_OK) status = ili_guard_lock(member, self, &condition->guard);
    if (status != IL_OK) return status;
    if (is_deleted(condition)) {
        status = IL_EDELETED;
    } else {
        atomic_store_explicit(&condition->lock, ili_off_of(&member->arena, lock),
                              memory_order_relaxed);
        ili_waiting_begin(member, &waiting, waiter, owner, 1);
    }
    ili_guard_unlock(member, self, &condition->guard);
    if (status != IL_OK) return status;
    ILI_POINT("condition.queued");
    status = give_up(member, lock, owner, depth);
    ILI_POINT("condition.given_up");
    if (status == IL_OK) return IL_ETIMEOUT;
    /* it lost the lock in between, by its lease's end or an operator */
    il_status withdrawn = ili_waiting_withdraw(member, &waiting, waiter, NULL);
    return withdrawn == IL_EBUSY ? withdrawn : status;
}

il_status ili_condition_withdraw(struct ili_member *member, struct ili_condition *condition,
                                 struct ili_agent *waiter) {
    struct ili_waiting waiting = waiting_of(condition);
    return ili_waiting_withdraw(member, &waiting, waiter, NULL);
}

/* Whatever happens, who waited gets the lock again, unless that is gone. An interruption or a cancellation
 * meanwhile is for the next wait; a deadlock is listed, but the lock is what the caller must have. */
static il_status take_again(struct ili_member *m, struct ili_agent *self, struct ili_lock *lock,
                            uint64_t *token) {
    il_status status;
    atomic_fetch_or_explicit(&self->flags, ILI_AGENT_STUBBORN, memory_order_relaxed);
    do {
        status = ili_lock_acquire(m, lock, ILI_NEVER, token);
    } while (status == IL_EBUSY);
    atomic_fetch_and_explicit(&self->flags, ~ILI_AGENT_STUBBORN, memory_order_relaxed);
    return status;
}

il_status ili_condition_wait(struct ili_member *member, struct ili_condition *condition,
                             struct ili_lock *lock, int64_t deadline_ns, uint64_t *token) {
    struct ili_waiting waiting = waiting_of(condition);
    struct ili_agent *self;
    uint32_t depth = 0;
    uint64_t granted = 0;
    il_status status = ili_agent_current(member, &self);
    if (status != IL_OK) return status;
    uint32_t owner = ili_agent_number(&member->arena, self);
    status = ili_condition_enqueue(member, condition, lock, self, owner, 0, &depth);
    if (status != IL_ETIMEOUT) return status;
    int64_t deadline = deadline_ns == 0 ? ili_now_ns() : deadline_ns;
    status = ili_waiting_sleep(member, self, &waiting, deadline, NULL);
    if (status != IL_OK && (!ili_gave_up(status) || status == IL_EDEADLK)) return status;
    il_status taken = take_again(member, self, lock, &granted);
    if (taken != IL_OK && taken != IL_EOWNERDEAD) return taken;
    if (lock->object.kind == ILI_KIND_RLOCK) {
        ili_rlock_deepen((struct ili_rlock *)lock, granted, depth);
    }
    *token = granted;
    return status == IL_OK ? taken : status;
}

il_status ili_condition_notify(struct ili_member *member, struct ili_condition *condition,
                               const struct ili_lock *lock, uint32_t owner, uint32_t count,
                               uint32_t *notified) {
    struct ili_waiting waiting = waiting_of(condition);
    struct ili_agent *self, *first;
    uint32_t told = 0;
    il_status status = ili_agent_current(member, &self);
    if (status == IL_OK) status = ili_condition_holds(member, lock, owner, 0);
    if (status == IL_OK) status = ili_guard_lock(member, self, &condition->guard);
    if (status != IL_OK) return status;
    if (is_deleted(condition)) status = IL_EDELETED;
    while (status == IL_OK && told < count &&
           (first = ili_waitq_first(member, &condition->waiters)) != NULL) {
        ili_waiting_tell(member, self, &waiting, first, IL_OK, 0);
        if (++told > member->arena.regions.agents) break; /* a circle: the arena is corrupt */
    }
    ili_waiting_unlock(member, self, &condition->guard);
    if (status == IL_OK && notified) *notified = told;
    return status;
}

il_status ili_condition_check(const struct ili_member *member,
                              const struct ili_condition *condition) {
    return ili_waitq_sound(member, &condition->waiters) ? IL_OK : IL_ECORRUPT;
}

const struct ili_kind ili_condition_kind = {
    .number = ILI_KIND_CONDITION,
    .bytes = sizeof(struct ili_condition),
    .word = "condition",
    .init = init,
    .same = same,
    .end = end,
    .dispose = dispose,
    .recover = recover,
    .waiters = waiters,
    .gate = gate,
};
