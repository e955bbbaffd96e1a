/*
 * waiting.c - see waiting.h.
 *
 * State of a waiter (agent.park): WAITING from ili_waiting_begin() until it is told, then GRANTED with
 * `result` and `token`, until it has read them: IDLE. NOTIFIED from a nudge until it looks: WAITING again,
 * with ILI_AGENT_HANDOFF while it does. All changes but the last under the object's guard.
 * wait_object is set before the waiter is linked and cleared by the waiter itself.
 * A waiter that is AWAKE is not woken: the teller's exchange and the waiter's clearing of the bit are on
 * one word, so one of them sees the other.
 */
#include "sync/waiting.h"

#include "base/clock.h"
#include "base/point.h"

void ili_waiting_begin(struct ili_member *member, const struct ili_waiting *waiting,
                       struct ili_agent *waiter, uint32_t for_owner, uint32_t want) {
    ili_off at = ili_off_of(&member->arena, waiting->object);
    uint64_t turn = atomic_load_explicit(&waiter->turn, memory_order_relaxed);
    atomic_store_explicit(&waiter->for_owner, for_owner, memory_order_relaxed);
    atomic_store_explicit(&waiter->want, want, memory_order_relaxed);
    atomic_store_explicit(&waiter->since_ns, ili_now_ns(), memory_order_relaxed);
    atomic_store_explicit(&waiter->turn, turn + 1, memory_order_relaxed);
    atomic_fetch_and_explicit(&waiter->flags, ~ILI_AGENT_HANDOFF, memory_order_relaxed);
    ili_waitq_add(member, waiting->queue, waiter, at, waiting->which, false);
}

void ili_waiting_tell(struct ili_member *member, struct ili_agent *self,
                      const struct ili_waiting *waiting, struct ili_agent *waiter, il_status result,
                      uint64_t token) {
    ili_agent_wake_now(member, self); /* the one before: only one wake-up can be owed */
    ili_agent_wake_later(member, self, waiter);
    ili_waitq_remove(member, waiting->queue, waiter);
    ILI_POINT("waiting.removed");
    atomic_store_explicit(&waiter->result, result, memory_order_relaxed);
    atomic_store_explicit(&waiter->token, token, memory_order_relaxed);
    bool asleep = ili_agent_change_state(waiter, ILI_PARK_GRANTED);
    ILI_POINT("waiting.told");
    /* relaxed: only SELF, and repair after its death, read it */
    if (!asleep) atomic_store_explicit(&self->waking, 0, memory_order_relaxed);
}

void ili_waiting_tell_all(struct ili_member *member, struct ili_agent *self,
                          const struct ili_waiting *waiting, il_status result) {
    struct ili_agent *waiter;
    for (uint32_t i = 0; i < member->arena.regions.agents; i++) {
        if (!(waiter = ili_waitq_first(member, waiting->queue))) break;
        if (!ili_waiting_is_in(waiter)) { /* corrupt: nobody is told twice */
            ili_waitq_remove(member, waiting->queue, waiter);
            continue;
        }
        ili_waiting_tell(member, self, waiting, waiter, result, 0);
    }
}

il_status ili_waiting_poll(struct ili_agent *waiter, uint64_t *token) {
    if (ili_agent_state(waiter) != ILI_PARK_GRANTED) return IL_ETIMEOUT;
    il_status result = atomic_load_explicit(&waiter->result, memory_order_relaxed);
    if (token) *token = atomic_load_explicit(&waiter->token, memory_order_relaxed);
    atomic_store_explicit(&waiter->wait_object, 0, memory_order_relaxed);
    ili_agent_set_state(waiter, ILI_PARK_IDLE);
    return result;
}

il_status ili_waiting_withdraw(struct ili_member *member, const struct ili_waiting *waiting,
                               struct ili_agent *waiter, uint64_t *token) {
    struct ili_agent *self;
    il_status status = ili_agent_current(member, &self);
    if (status == IL_OK) status = ili_guard_lock(member, self, waiting->guard);
    if (status != IL_OK) return status;
    status = ili_waiting_poll(waiter, token);
    if (status == IL_ETIMEOUT) {
        if (waiting->leaving) waiting->leaving(member, self, waiting->object);
        ili_waitq_remove(member, waiting->queue, waiter);
        ILI_POINT("waiting.left");
        ili_agent_set_state(waiter, ILI_PARK_IDLE);
        atomic_store_explicit(&waiter->wait_object, 0, memory_order_relaxed);
        if (waiting->left) waiting->left(member, self, waiting->object);
    }
    ili_waiting_unlock(member, self, waiting->guard);
    return status;
}

bool ili_waiting_is_due(const struct ili_agent *waiter) {
    uint32_t flags = atomic_load_explicit(&waiter->flags, memory_order_relaxed);
    if (flags & (ILI_AGENT_BELL | ILI_AGENT_PROXY | ILI_AGENT_HANDOFF)) return true;
    int64_t since = atomic_load_explicit(&waiter->since_ns, memory_order_relaxed);
    return ili_ns_between(since, ili_now_ns()) > ILI_WAITING_PATIENCE_NS;
}

void ili_waiting_nudge(struct ili_member *member, struct ili_agent *self,
                       struct ili_agent *waiter) {
    if (ili_agent_state(waiter) == ILI_PARK_NOTIFIED) return;
    ili_agent_wake_now(member, self);
    ili_agent_wake_later(member, self, waiter);
    bool asleep = ili_agent_change_state(waiter, ILI_PARK_NOTIFIED);
    ILI_POINT("waiting.nudged");
    if (!asleep) atomic_store_explicit(&self->waking, 0, memory_order_relaxed);
}

/* SELF was nudged: looks whether it can go on. */
static il_status look(struct ili_member *m, struct ili_agent *self,
                      const struct ili_waiting *waiting) {
    il_status status = ili_guard_lock(m, self, waiting->guard);
    if (status != IL_OK) return status;
    if (ili_agent_state(self) == ILI_PARK_NOTIFIED) {
        ili_agent_set_state(self, ILI_PARK_WAITING);
        atomic_fetch_or_explicit(&self->flags, ILI_AGENT_HANDOFF, memory_order_relaxed);
        ILI_POINT("waiting.looks");
        waiting->left(m, self, waiting->object);
        atomic_fetch_and_explicit(&self->flags, ~ILI_AGENT_HANDOFF, memory_order_relaxed);
    }
    ili_waiting_unlock(m, self, waiting->guard);
    return IL_OK;
}

il_status ili_waiting_sleep(struct ili_member *member, struct ili_agent *self,
                            const struct ili_waiting *waiting, int64_t deadline_ns,
                            uint64_t *token) {
    il_status slept;
    if (waiting->awake && ili_agent_stay_awake(self, ILI_PARK_WAITING) &&
        ili_agent_state(self) == ILI_PARK_GRANTED) {
        return ili_waiting_poll(self, token);
    }
    do {
        slept = ili_agent_sleep(member, self, ILI_PARK_WAITING, deadline_ns);
        if (slept == IL_OK && ili_agent_state(self) == ILI_PARK_NOTIFIED) {
            slept = look(member, self, waiting);
        }
    } while (slept == IL_OK && ili_agent_state(self) != ILI_PARK_GRANTED);
    if (slept != IL_OK && !ili_gave_up(slept)) return slept;
    il_status status = slept == IL_OK ? ili_waiting_poll(self, token)
                                      : ili_waiting_withdraw(member, waiting, self, token);
    if (status == IL_ETIMEOUT) return slept;
    if (slept == IL_EINTR) ili_thread_keep_interrupt(ili_thread_current());
    return status;
}

void ili_waiting_repair(struct ili_member *member, const struct ili_waiting *waiting,
                        uint32_t slot) {
    ili_off at = ili_off_of(&member->arena, waiting->object);
    ili_waitq_repair(member, waiting->queue, at, waiting->which, slot);
    /* not those of a dead SLOT, which are in the same state once they were dropped */
    if (slot == UINT32_MAX) {
        ili_waitq_relink(member, waiting->queue, at, waiting->which, true);
    }
}

il_status ili_waiting_recover(struct ili_member *member, struct ili_agent *self,
                              const struct ili_waiting *waiting, uint32_t slot) {
    il_status status = ili_guard_lock(member, self, waiting->guard);
    if (status != IL_OK) return status;
    ili_waiting_repair(member, waiting, slot);
    if (waiting->left) waiting->left(member, self, waiting->object);
    ili_waiting_unlock(member, self, waiting->guard);
    return IL_OK;
}
