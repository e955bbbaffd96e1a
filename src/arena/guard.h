/*
 * guard.h - the short lock around a change of shared structure, which survives its holder.
 *
 * Not the lock that users get: guards are held for nanoseconds, are not fair, and are taken by
 * agents. The word names its holder; the holder's agent names the guard before it takes it. So when
 * a process dies, the keeper finds each guard that it held, puts right what the guard protects by
 * the routine of the guard's kind (session/recover.c), and sets it free.
 *
 * Lock order: a stripe of names, then a queue's tail, then a queue's head or a lock's guard, then
 * the allocator. At most ILI_AGENT_GUARDS at once.
 */
#ifndef ILI_ARENA_GUARD_H
#define ILI_ARENA_GUARD_H

#include "arena/agent.h"

#define ILI_GUARD_WAITED UINT32_C(0x80000000)
#define ILI_GUARD_HOLDER UINT32_C(0x7fffffff)

/* The guard at an offset that comes from the arena; NULL if there cannot be one. */
struct ili_guard *ili_guard_at(const struct ili_arena *arena, ili_off at);

/* Takes GUARD. Blocks while others hold it, at most the member's patience (a keeper's agent: 2 ms).
 * IL_EBUSY: patience ended. Or why the member may not act. On failure it is not held. */
il_status ili_guard_lock(struct ili_member *member, struct ili_agent *self,
                         struct ili_guard *guard);

/* Whether MEMBER has waited for guards for as long as it may (turn_patience_ns): time for other things. */
bool ili_guard_patience_spent(const struct ili_member *member);

/* Frees GUARD, which SELF holds, and wakes one who waits for it. */
void ili_guard_unlock(struct ili_member *member, struct ili_agent *self, struct ili_guard *guard);

/* The keeper: whether the dead agent of DEAD_NUMBER holds GUARD. If so, nobody else changes what it
 * protects, and the keeper may. The word stays the dead one's meanwhile: should the keeper die too, the
 * next one finds everything as this one did. */
bool ili_guard_is_held_by(const struct ili_guard *guard, uint32_t dead_number);

/* The keeper: frees GUARD if the dead agent of DEAD_NUMBER holds it, and pays the wake-up that it may
 * have owed. */
void ili_guard_free_of(struct ili_guard *guard, uint32_t dead_number);

/* Announces a change for repair: A and B first, then WHAT (not 0). */
static inline void ili_guard_intend(struct ili_guard *guard, uint64_t what, uint64_t a,
                                    uint64_t b) {
    atomic_store_explicit(&guard->intent[1], a, memory_order_relaxed);
    atomic_store_explicit(&guard->intent[2], b, memory_order_relaxed);
    /* release: repair that sees WHAT sees A and B, and what follows is not ordered before it by the
     * compiler; each change's commit is itself a release */
    atomic_store_explicit(&guard->intent[0], what, memory_order_release);
}

static inline void ili_guard_done(struct ili_guard *guard) {
    atomic_store_explicit(&guard->intent[0], 0, memory_order_release);
}

#endif
