/*
 * guard.c - see guard.h.
 *
 * word     0: free; N: held by agent N; N | WAITED: held, and somebody may sleep on the word.
 * 1. An agent names the guard in held[] before the word can name the agent, and takes it out of
 *    held[] after the word was freed and the next one woken. A guard whose word names a dead agent
 *    is therefore in that agent's held[], and so is one whose wake-up is still owed.
 * 2. Who has slept takes the word with WAITED set, since others may sleep too.
 *
 * A process that was stopped while it held a guard, or a word that was overwritten, must cost a server its
 * patience once and not with every request: member.stuck notes the guard and its holder (offset / 8 in 33
 * bits, the holder's number in 31; a place is found by the offset and written over by others). While the
 * same one holds it, waits for it are short.
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
#define SHORT_PATIENCE_NS 200000
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

/* ---- patience ----------------------------------------------------------------------------------- */

/* relaxed, all of it: a wrong guess makes one wait too long, or one too short */

static _Atomic uint64_t *stuck_place(struct ili_member *m, ili_off at) {
    return &m->stuck[at / sizeof(struct ili_guard) * UINT64_C(0x9E3779B97F4A7C15) >> 58];
}
_Static_assert(ILI_STUCK_GUARDS == 64, "six bits");

static uint64_t stuck_note(ili_off at, uint32_t word) {
    return at / 8 << 31 | (word & ILI_GUARD_HOLDER);
}

static bool is_stuck(struct ili_member *m, const struct ili_guard *guard) {
    ili_off at = ili_off_of(&m->arena, guard);
    uint32_t word = atomic_load_explicit(&guard->word, memory_order_relaxed);
    return atomic_load_explicit(stuck_place(m, at), memory_order_relaxed) == stuck_note(at, word);
}

bool ili_guard_patience_spent(const struct ili_member *member) {
    return member->turn_patience_ns &&
           atomic_load_explicit(&member->waited_ns, memory_order_relaxed) >=
               member->turn_patience_ns;
}

static int64_t patience_of(struct ili_member *m, const struct ili_guard *guard, bool keeper) {
    int64_t usual = keeper ? KEEPER_PATIENCE_NS : m->patience_ns;
    if (m->patience_ns == ILI_NEVER) return usual;
    if (ili_guard_patience_spent(m)) return 0;
    return usual > SHORT_PATIENCE_NS && is_stuck(m, guard) ? SHORT_PATIENCE_NS : usual;
}

/* A wait for GUARD since SINCE_NS, by PATIENCE, has ended. */
static void note_wait(struct ili_member *m, const struct ili_guard *guard, int64_t since_ns,
                      int64_t patience, il_status status) {
    ili_off at = ili_off_of(&m->arena, guard);
    uint32_t word = atomic_load_explicit(&guard->word, memory_order_relaxed);
    if (m->patience_ns == ILI_NEVER) return;
    atomic_fetch_add_explicit(&m->waited_ns, ili_now_ns() - since_ns, memory_order_relaxed);
    if (status == IL_EBUSY && patience > 0) {
        atomic_store_explicit(stuck_place(m, at), stuck_note(at, word), memory_order_relaxed);
    } else if (status == IL_OK &&
               atomic_load_explicit(stuck_place(m, at), memory_order_relaxed) >> 31 == at / 8) {
        atomic_store_explicit(stuck_place(m, at), 0, memory_order_relaxed);
    }
}

/* ---- taking ------------------------------------------------------------------------------------- */

/* Waits for GUARD until END_NS, asleep, or as a KEEPER awake. */
static il_status wait_for(struct ili_member *m, uint32_t number, struct ili_guard *guard,
                          int64_t end_ns, bool keeper) {
    for (;;) {
        uint32_t word = atomic_load_explicit(&guard->word, memory_order_relaxed);
        if (word == 0 &&
            atomic_compare_exchange_strong_explicit(&guard->word, &word, number | ILI_GUARD_WAITED,
                                                    memory_order_acq_rel, memory_order_relaxed)) {
            return IL_OK;
        }
        int64_t now = ili_now_ns();
        if (now >= end_ns) return IL_EBUSY;
        if (word == 0) continue;
        if (keeper) {
            /* Guards are not fair: a keeper that slept would come too late again and again while others
             * take turns, and all of them wait for what it repairs. So it stays awake. */
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
        int64_t until = end_ns - now < SLICE_NS ? end_ns : now + SLICE_NS;
        ili_futex_wait(&guard->word, word | ILI_GUARD_WAITED, until);
    }
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
    bool keeper =
        (atomic_load_explicit(&self->flags, memory_order_relaxed) & ILI_AGENT_KEEPER) != 0;
    int64_t patience = patience_of(m, guard, keeper), since = ili_now_ns();
    int64_t end = patience == ILI_NEVER ? ILI_NEVER : since + patience;
    il_status status = wait_for(m, number, guard, end, keeper);
    note_wait(m, guard, since, patience, status);
    return status;
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
