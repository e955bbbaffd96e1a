/*
 * guard.c - see guard.h.
 *
 * word     0: free; N: held by agent N; N | WAITED: held, and somebody may sleep on the word.
 * 1. An agent names the guard in held[] before the word can name the agent, and takes it out of
 *    held[] after the word was freed and the next one woken. A guard whose word names a dead agent
 *    is therefore in that agent's held[], and so is one whose wake-up is still owed.
 * 2. Who has slept takes the word with WAITED set, since others may sleep too.
 */
#include "arena/guard.h"

#include <errno.h>
#include <sched.h>

#include "arena/futex.h"
#include "base/clock.h"
#include "base/point.h"
#include "base/relax.h"

#define SPINS 200
#define KEEPER_PATIENCE_NS 2000000
#define SLICE_NS 50000000 /* how often a waiter looks whether its domain still lives */

/* Remembers GUARD in the agent; returns the place, or NULL if the arena is corrupt. */
static _Atomic ili_off *remember(struct ili_agent *self, ili_off at) {
    for (unsigned i = 0; i < ILI_AGENT_GUARDS; i++) {
        if (atomic_load_explicit(&self->held[i], memory_order_relaxed) == 0) {
            atomic_store_explicit(&self->held[i], at, memory_order_relaxed);
            return &self->held[i];
        }
    }
    return NULL;
}

static void forget(struct ili_agent *self, ili_off at) {
    for (unsigned i = ILI_AGENT_GUARDS; i-- > 0;) {
        if (atomic_load_explicit(&self->held[i], memory_order_relaxed) == at) {
            atomic_store_explicit(&self->held[i], 0, memory_order_relaxed);
            return;
        }
    }
}

struct ili_guard *ili_guard_at(const struct ili_arena *arena, ili_off at) {
    ili_off stripes = arena->regions.stripes_at;
    uint64_t stripes_bytes = ILI_STRIPES * sizeof(struct ili_stripe);
    if (at == ili_off_of(arena, &arena->header->alloc)) return &arena->header->alloc;
    if (at >= stripes && at < stripes + stripes_bytes) {
        return &arena->stripes[(at - stripes) / sizeof(struct ili_stripe)].guard;
    }
    return ili_at(arena, at, sizeof(struct ili_guard));
}

static int64_t patience_of(const struct ili_member *m, const struct ili_agent *self) {
    uint32_t flags = atomic_load_explicit(&self->flags, memory_order_relaxed);
    return flags & ILI_AGENT_KEEPER ? KEEPER_PATIENCE_NS : m->patience_ns;
}

static il_status lock_slow(struct ili_member *m, struct ili_agent *self, struct ili_guard *guard) {
    uint32_t number = ili_agent_number(&m->arena, self);
    for (int i = 0; i < SPINS; i++) {
        uint32_t unheld = 0;
        /* acquire: pairs with the unlock's release. acq_rel: held[] is visible before the word */
        if (atomic_load_explicit(&guard->word, memory_order_relaxed) == 0 &&
            atomic_compare_exchange_weak_explicit(&guard->word, &unheld, number,
                                                  memory_order_acq_rel, memory_order_relaxed)) {
            return IL_OK;
        }
        ili_relax();
    }
    if (m->before_wait) m->before_wait(m);
    int64_t patience = patience_of(m, self);
    int64_t end = patience == ILI_NEVER ? ILI_NEVER : ili_deadline_in(patience);
    for (;;) {
        uint32_t word = atomic_load_explicit(&guard->word, memory_order_relaxed);
        if (word == 0) {
            if (atomic_compare_exchange_strong_explicit(
                    &guard->word, &word, number | ILI_GUARD_WAITED, memory_order_acq_rel,
                    memory_order_relaxed)) {
                return IL_OK;
            }
            continue;
        }
        if (patience == KEEPER_PATIENCE_NS) {
            /* Guards are not fair: a keeper that slept would come too late again and again while others
             * take turns, and all of them wait for what it repairs. So it stays awake. */
            if (ili_now_ns() >= end) return IL_EBUSY;
            sched_yield();
            continue;
        }
        if (!(word & ILI_GUARD_WAITED) &&
            !atomic_compare_exchange_strong_explicit(&guard->word, &word, word | ILI_GUARD_WAITED,
                                                     memory_order_relaxed, memory_order_relaxed)) {
            continue;
        }
        il_status status = ili_member_check(m);
        if (status != IL_OK) return status;
        int64_t now = ili_now_ns();
        if (now >= end) return IL_EBUSY;
        int64_t until = end - now < SLICE_NS ? end : now + SLICE_NS;
        ili_futex_wait(&guard->word, word | ILI_GUARD_WAITED, until);
    }
}

il_status ili_guard_lock(struct ili_member *member, struct ili_agent *self,
                         struct ili_guard *guard) {
    uint32_t number = ili_agent_number(&member->arena, self), unheld = 0;
    ili_off at = ili_off_of(&member->arena, guard);
    if (!remember(self, at)) return IL_ECORRUPT;
    ILI_POINT("guard.remembered");
    if (atomic_compare_exchange_strong_explicit(&guard->word, &unheld, number, memory_order_acq_rel,
                                                memory_order_relaxed)) {
        ILI_POINT("guard.locked");
        return IL_OK;
    }
    il_status status = lock_slow(member, self, guard);
    if (status != IL_OK) forget(self, at);
    return status;
}

void ili_guard_unlock(struct ili_member *member, struct ili_agent *self, struct ili_guard *guard) {
    ILI_POINT("guard.unlock");
    uint32_t word = atomic_exchange_explicit(&guard->word, 0, memory_order_release);
    ILI_POINT("guard.unlocked");
    if (word & ILI_GUARD_WAITED) ili_futex_wake(&guard->word, 1);
    forget(self, ili_off_of(&member->arena, guard));
}

bool ili_guard_is_held_by(const struct ili_guard *guard, uint32_t dead_number) {
    return (atomic_load_explicit(&guard->word, memory_order_acquire) & ILI_GUARD_HOLDER) ==
           dead_number;
}

void ili_guard_free_of(struct ili_guard *guard, uint32_t dead_number) {
    if (ili_guard_is_held_by(guard, dead_number)) {
        /* release: pairs with the next holder's acquire */
        (void)atomic_exchange_explicit(&guard->word, 0, memory_order_release);
    }
    ili_futex_wake(&guard->word, 1);
}
