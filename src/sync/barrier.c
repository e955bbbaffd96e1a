/*
 * barrier.c - see barrier.h.
 *
 * word: BROKEN (set by abort and by a wait that ends alone, cleared by reset), DELETED; both change only
 * under the guard. The round's waits that have come are those in the queue, in the order they came. The one
 * that completes the round is never in it.
 *
 * An index is how many come after: the first in the queue of a round that is being told has the queue's
 * length as its index, whoever tells it and how many were told before.
 *
 * Invariants, whenever the guard is free (ili_barrier_check):
 * 1. The queue is shorter than `parties`.
 * 2. The queue of a broken or deleted barrier is empty.
 * A barrier is therefore marked BROKEN before a waiter is taken out of the queue that goes on alone, and
 * who is in the queue of a broken barrier is to be told so.
 *
 * Intent of the guard: COMPLETE, everyone in the queue is to be told its index; RESET, everyone is to be told
 * IL_EBROKEN, and then BROKEN is to be cleared.
 * Lock order: this guard is taken alone, or inside a stripe of names.
 */
#include "sync/barrier.h"

#include "base/awake.h"
#include "base/point.h"

#define COMPLETE 1u
#define RESET 2u

static uint32_t load_word(const struct ili_barrier *barrier) {
    return atomic_load_explicit(&barrier->word, memory_order_relaxed); /* the guard orders it */
}

static void store_word(struct ili_barrier *barrier, uint32_t word) {
    atomic_store_explicit(&barrier->word, word, memory_order_release);
}

/* ---- the kind ------------------------------------------------------------------------------- */

static void init(struct ili_member *member, void *object, const void *options) {
    struct ili_barrier *barrier = object;
    const uint32_t *parties = options;
    (void)member;
    barrier->guard.kind = ILI_GUARD_BARRIER;
    barrier->parties = parties ? *parties : 1;
}

static bool same(const void *object, const void *options) {
    return ((const struct ili_barrier *)object)->parties == *(const uint32_t *)options;
}

/* ---- under the guard ------------------------------------------------------------------------ */

static void break_it(struct ili_barrier *barrier) {
    store_word(barrier, load_word(barrier) | ILI_BARRIER_BROKEN);
    ILI_POINT("barrier.broken");
}

/* A wait is about to end alone. */
static void leaving(struct ili_member *member, struct ili_agent *self, void *object) {
    (void)member, (void)self;
    break_it(object);
}

static void tell_broken(struct ili_member *member, struct ili_agent *self, void *object);

static struct ili_waiting waiting_at(struct ili_barrier *barrier) {
    uint32_t crowded = atomic_load_explicit(&barrier->crowded, memory_order_relaxed); /* a hint */
    return (struct ili_waiting){.guard = &barrier->guard,
                                .queue = &barrier->waiters,
                                .object = barrier,
                                .leaving = leaving,
                                .left = tell_broken,
                                .awake = (crowded & ILI_BARRIER_BEFORE) == 0};
}

static void tell_broken(struct ili_member *member, struct ili_agent *self, void *object) {
    struct ili_waiting waiting = waiting_at(object);
    ili_waiting_tell_all(member, self, &waiting, IL_EBROKEN);
}

/* How many are in the queue, also if the arena says nonsense. */
static uint32_t count_of(const struct ili_member *m, const struct ili_barrier *barrier) {
    uint32_t count = ili_waitq_count(&barrier->waiters);
    return count < m->arena.regions.agents ? count : m->arena.regions.agents;
}

/* Everyone in the queue has its index. */
static void tell_indices(struct ili_member *m, struct ili_agent *self,
                         struct ili_barrier *barrier) {
    struct ili_waiting waiting = waiting_at(barrier);
    struct ili_agent *waiter;
    for (uint32_t i = count_of(m, barrier); i > 0; i--) {
        if (!(waiter = ili_waitq_first(m, &barrier->waiters))) break;
        if (ili_agent_state(waiter) == ILI_PARK_WAITING) {
            ili_waiting_tell(m, self, &waiting, waiter, IL_OK, i);
        } else { /* corrupt: nobody is told twice */
            ili_waitq_remove(m, &barrier->waiters, waiter);
        }
    }
}

static void complete(struct ili_member *m, struct ili_agent *self, struct ili_barrier *barrier) {
    ili_guard_intend(&barrier->guard, COMPLETE, 0, 0);
    ILI_POINT("barrier.complete.intended");
    tell_indices(m, self, barrier);
    ILI_POINT("barrier.complete.told");
    ili_guard_done(&barrier->guard);
}

static void clear(struct ili_member *m, struct ili_agent *self, struct ili_barrier *barrier) {
    tell_broken(m, self, barrier);
    store_word(barrier, load_word(barrier) & ~ILI_BARRIER_BROKEN);
    ILI_POINT("barrier.reset.cleared");
    ili_guard_done(&barrier->guard);
}

static il_status state_of(const struct ili_barrier *barrier) {
    uint32_t word = load_word(barrier);
    if (word & ILI_BARRIER_DELETED) return IL_EDELETED;
    return word & ILI_BARRIER_BROKEN ? IL_EBROKEN : IL_OK;
}

static il_status lock(struct ili_member *m, struct ili_barrier *barrier, struct ili_agent **self) {
    il_status status = ili_agent_current(m, self);
    return status == IL_OK ? ili_guard_lock(m, *self, &barrier->guard) : status;
}

/* Notes where a party came, the LAST of its round or not. */
static void note_processor(struct ili_barrier *barrier, bool last) {
    uint32_t bit = UINT32_C(1) << ili_processor() % 32;
    uint32_t seen = atomic_load_explicit(&barrier->processors, memory_order_relaxed);
    uint32_t crowded = atomic_load_explicit(&barrier->crowded, memory_order_relaxed);
    if (seen & bit) crowded |= ILI_BARRIER_NOW;
    if (last) crowded = crowded & ILI_BARRIER_NOW ? ILI_BARRIER_BEFORE : 0;
    atomic_store_explicit(&barrier->processors, last ? 0 : seen | bit, memory_order_relaxed);
    atomic_store_explicit(&barrier->crowded, crowded, memory_order_relaxed);
}

/* ---- wait ------------------------------------------------------------------------------------- */

/* One wait has come. IL_OK: it completed the round. IL_ETIMEOUT: WAITER is in the queue; without a WAITER,
 * it ended at once. */
static il_status come(struct ili_member *m, struct ili_agent *self, struct ili_barrier *barrier,
                      struct ili_agent *waiter) {
    struct ili_waiting waiting = waiting_at(barrier);
    il_status status = state_of(barrier);
    if (status != IL_OK) return status;
    bool last = ili_waitq_count(&barrier->waiters) + 1 >= barrier->parties;
    note_processor(barrier, last);
    if (last) {
        complete(m, self, barrier);
        return IL_OK;
    }
    if (waiter) {
        ili_waiting_begin(m, &waiting, waiter, 0, 0);
    } else {
        break_it(barrier);
        tell_broken(m, self, barrier);
    }
    return IL_ETIMEOUT;
}

il_status ili_barrier_wait(struct ili_member *member, struct ili_barrier *barrier,
                           int64_t deadline_ns, uint32_t *index) {
    struct ili_agent *self;
    uint64_t told = 0;
    il_status status = lock(member, barrier, &self);
    if (status != IL_OK) return status;
    status = come(member, self, barrier, deadline_ns == 0 ? NULL : self);
    ili_waiting_unlock(member, self, &barrier->guard);
    if (status == IL_ETIMEOUT && deadline_ns != 0) {
        struct ili_waiting waiting = waiting_at(barrier);
        status = ili_waiting_sleep(member, self, &waiting, deadline_ns, &told);
    }
    if (status == IL_OK && index) *index = (uint32_t)told;
    return status;
}

il_status ili_barrier_enqueue(struct ili_member *member, struct ili_barrier *barrier,
                              struct ili_agent *waiter) {
    struct ili_agent *self;
    il_status status = lock(member, barrier, &self);
    if (status != IL_OK) return status;
    status = come(member, self, barrier, waiter);
    ili_waiting_unlock(member, self, &barrier->guard);
    return status;
}

il_status ili_barrier_poll(struct ili_agent *waiter, uint32_t *index) {
    uint64_t told = 0;
    il_status status = ili_waiting_poll(waiter, &told);
    if (status == IL_OK && index) *index = (uint32_t)told;
    return status;
}

il_status ili_barrier_withdraw(struct ili_member *member, struct ili_barrier *barrier,
                               struct ili_agent *waiter, uint32_t *index) {
    struct ili_waiting waiting = waiting_at(barrier);
    uint64_t told = 0;
    il_status status = ili_waiting_withdraw(member, &waiting, waiter, &told);
    if (status == IL_OK && index) *index = (uint32_t)told;
    return status;
}

/* ---- reset, abort, glance ----------------------------------------------------------------------- */

il_status ili_barrier_reset(struct ili_member *member, struct ili_barrier *barrier) {
    struct ili_agent *self;
    il_status status = lock(member, barrier, &self);
    if (status != IL_OK) return status;
    status = state_of(barrier);
    if (status != IL_EDELETED) {
        status = IL_OK;
        ili_guard_intend(&barrier->guard, RESET, 0, 0);
        ILI_POINT("barrier.reset.intended");
        clear(member, self, barrier);
    }
    ili_waiting_unlock(member, self, &barrier->guard);
    return status;
}

il_status ili_barrier_abort(struct ili_member *member, struct ili_barrier *barrier) {
    struct ili_agent *self;
    il_status status = lock(member, barrier, &self);
    if (status != IL_OK) return status;
    status = state_of(barrier);
    if (status != IL_EDELETED) {
        status = IL_OK;
        break_it(barrier);
        tell_broken(member, self, barrier);
    }
    ili_waiting_unlock(member, self, &barrier->guard);
    return status;
}

void ili_barrier_look(const struct ili_barrier *barrier, struct ili_barrier_view *view) {
    uint32_t word = load_word(barrier);
    /* Who is being told that the round is over does not wait any more, though it may still be in the queue.
     * acquire: pairs with ili_guard_done(), after which the queue is seen empty */
    bool is_over = atomic_load_explicit(&barrier->guard.intent[0], memory_order_acquire) != 0;
    view->parties = barrier->parties;
    view->waiting = is_over ? 0 : ili_waitq_count(&barrier->waiters);
    view->broken = (word & ILI_BARRIER_BROKEN) != 0;
    view->deleted = (word & ILI_BARRIER_DELETED) != 0;
}

/* ---- end and repair ----------------------------------------------------------------------------- */

static il_status end(struct ili_member *member, struct ili_agent *self, void *object) {
    struct ili_barrier *barrier = object;
    struct ili_waiting waiting = waiting_at(barrier);
    il_status status = ili_guard_lock(member, self, &barrier->guard);
    if (status != IL_OK) return status;
    store_word(barrier, load_word(barrier) | ILI_BARRIER_DELETED);
    ILI_POINT("barrier.end.marked");
    ili_waiting_tell_all(member, self, &waiting, IL_EDELETED);
    ili_waiting_unlock(member, self, &barrier->guard);
    return IL_OK;
}

static il_status dispose(struct ili_member *member, struct ili_agent *self, struct ili_agent *owner,
                         void *object) {
    (void)member, (void)self, (void)owner, (void)object; /* nothing hangs on a barrier */
    return IL_OK;
}

void ili_barrier_repair(struct ili_member *member, struct ili_agent *self,
                        struct ili_barrier *barrier) {
    struct ili_waiting waiting = waiting_at(barrier);
    uint64_t intent = atomic_load_explicit(&barrier->guard.intent[0], memory_order_acquire);
    ili_waiting_repair(member, &waiting, UINT32_MAX);
    if (intent == COMPLETE) tell_indices(member, self, barrier);
    if (intent == RESET) clear(member, self, barrier);
    ili_guard_done(&barrier->guard);
    il_status state = state_of(barrier);
    if (state != IL_OK) ili_waiting_tell_all(member, self, &waiting, state);
}

/* Whether an agent of SLOT (index) is in the queue. */
static bool waits_for(struct ili_member *m, const struct ili_barrier *barrier, uint32_t slot) {
    const struct ili_agent *waiter = ili_waitq_first(m, &barrier->waiters);
    for (uint32_t i = count_of(m, barrier); waiter && i > 0; i--) {
        if (atomic_load_explicit(&waiter->owner, memory_order_relaxed) == slot + 1) return true;
        waiter = ili_waitq_next(m, waiter);
    }
    return false;
}

static il_status recover(struct ili_member *member, struct ili_agent *self, void *object,
                         uint32_t slot) {
    struct ili_barrier *barrier = object;
    struct ili_waiting waiting = waiting_at(barrier);
    il_status status = ili_guard_lock(member, self, &barrier->guard);
    if (status != IL_OK) return status;
    if (waits_for(member, barrier, slot)) {
        break_it(barrier); /* first: should this die as well, the others must not wait on */
        ili_waiting_repair(member, &waiting, slot);
        ILI_POINT("recover.barrier.dropped");
        tell_broken(member, self, barrier);
    }
    ili_waiting_unlock(member, self, &barrier->guard);
    return IL_OK;
}

static struct ili_waitq *waiters(void *object, unsigned which) {
    return which == 0 ? &((struct ili_barrier *)object)->waiters : NULL;
}

il_status ili_barrier_check(const struct ili_member *member, const struct ili_barrier *barrier) {
    uint32_t count = ili_waitq_count(&barrier->waiters);
    if (!ili_waitq_sound(member, &barrier->waiters)) return IL_ECORRUPT;
    if (count >= barrier->parties) return IL_ECORRUPT;
    if (count > 0 && state_of(barrier) != IL_OK) return IL_ECORRUPT;
    return IL_OK;
}

const struct ili_kind ili_barrier_kind = {
    .number = ILI_KIND_BARRIER,
    .word = "barrier",
    .bytes = sizeof(struct ili_barrier),
    .init = init,
    .same = same,
    .end = end,
    .dispose = dispose,
    .recover = recover,
    .waiters = waiters,
};
