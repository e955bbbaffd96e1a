/*
 * latch.c - see latch.h.
 *
 * word: the count (32 bits), WAITERS, DELETED. Who changes what:
 *   count      falls, by compare-and-swap, by anybody; to 0 while WAITERS is set only under the guard, which
 *              clears WAITERS in the same step, and then tells everyone in the queue
 *   WAITERS    set under the guard, in one step with seeing that the count is not 0; cleared under the guard
 *   DELETED    set under the guard
 *
 * Invariants, whenever the guard is free (ili_latch_check):
 * 1. WAITERS is set exactly if the queue is not empty.
 * 2. At 0, and when it is deleted, the queue is empty.
 * Since the count never grows, repair needs no intent: at 0 everyone in the queue is to be told.
 * Lock order: this guard is taken alone, or inside a stripe of names.
 */
#include "sync/latch.h"

#include "base/point.h"

static uint64_t load_word(const struct ili_latch *latch) {
    /* acquire: pairs with the count_downs; who sees 0 goes on */
    return atomic_load_explicit(&latch->word, memory_order_acquire);
}

/* acquire and release at once: the last count_down passes on what happened before all others */
static bool change_word(struct ili_latch *latch, uint64_t *from, uint64_t to) {
    return atomic_compare_exchange_strong_explicit(&latch->word, from, to, memory_order_acq_rel,
                                                   memory_order_acquire);
}

static uint32_t count_of(uint64_t word) { return (uint32_t)(word & ILI_LATCH_COUNT); }

/* ---- the kind ------------------------------------------------------------------------------- */

static void init(struct ili_member *member, void *object, const void *options) {
    struct ili_latch *latch = object;
    const uint32_t *count = options;
    (void)member;
    latch->guard.kind = ILI_GUARD_LATCH;
    latch->start = count ? *count : 1;
    atomic_init(&latch->word, latch->start);
}

static bool same(const void *object, const void *options) {
    return ((const struct ili_latch *)object)->start == *(const uint32_t *)options;
}

/* ---- under the guard ------------------------------------------------------------------------ */

/* WAITERS as the queue says. */
static void mark(struct ili_latch *latch) {
    if (ili_waitq_count(&latch->waiters)) {
        atomic_fetch_or_explicit(&latch->word, ILI_LATCH_WAITERS, memory_order_relaxed);
    } else {
        atomic_fetch_and_explicit(&latch->word, ~ILI_LATCH_WAITERS, memory_order_relaxed);
    }
}

static void left_queue(struct ili_member *member, struct ili_agent *self, void *object) {
    (void)member, (void)self;
    mark(object);
}

static struct ili_waiting waiting_at(struct ili_latch *latch) {
    return (struct ili_waiting){
        .guard = &latch->guard, .queue = &latch->waiters, .object = latch, .left = left_queue};
}

/* ---- count_down ----------------------------------------------------------------------------- */

/* Takes COUNT off *WORD, which it becomes. IL_ETIMEOUT: that would be 0, with waiters, which only
 * the guard's holder may do. */
static il_status take(struct ili_latch *latch, uint32_t count, bool guarded, uint64_t *word) {
    uint64_t next;
    *word = load_word(latch);
    do {
        uint32_t now = count_of(*word);
        if (*word & ILI_LATCH_DELETED) return IL_EDELETED;
        if (count < now) {
            next = *word - count;
        } else if (*word & ILI_LATCH_WAITERS && !guarded) {
            return IL_ETIMEOUT;
        } else {
            next = 0; /* and no waiters */
        }
    } while (!change_word(latch, word, next));
    *word = next;
    return IL_OK;
}

static il_status end_waits(struct ili_member *m, struct ili_latch *latch, uint32_t count,
                           uint64_t *word) {
    struct ili_agent *self;
    struct ili_waiting waiting = waiting_at(latch);
    il_status status = ili_agent_current(m, &self);
    if (status == IL_OK) status = ili_guard_lock(m, self, &latch->guard);
    if (status != IL_OK) return status;
    status = take(latch, count, true, word);
    ILI_POINT("latch.count_down.done");
    if (status == IL_OK && count_of(*word) == 0) ili_waiting_tell_all(m, self, &waiting, IL_OK);
    ili_waiting_unlock(m, self, &latch->guard);
    return status;
}

il_status ili_latch_count_down(struct ili_member *member, struct ili_latch *latch, uint32_t count,
                               uint32_t *left) {
    uint64_t word = 0;
    il_status status = ili_member_check(member);
    if (status != IL_OK) return status;
    status = take(latch, count, false, &word);
    if (status == IL_ETIMEOUT) status = end_waits(member, latch, count, &word);
    if (status == IL_OK && left) *left = count_of(word);
    return status;
}

/* ---- wait ------------------------------------------------------------------------------------- */

/* IL_ETIMEOUT: who finds WORD must wait. */
static il_status outcome(uint64_t word) {
    if (word & ILI_LATCH_DELETED) return IL_EDELETED;
    return count_of(word) == 0 ? IL_OK : IL_ETIMEOUT;
}

/* Puts WAITER into the queue: IL_ETIMEOUT; unless the count is 0. */
static il_status queue(struct ili_member *m, struct ili_agent *self, struct ili_latch *latch,
                       struct ili_agent *waiter) {
    struct ili_waiting waiting = waiting_at(latch);
    il_status status = ili_guard_lock(m, self, &latch->guard);
    if (status != IL_OK) return status;
    uint64_t word = load_word(latch);
    do {
        status = outcome(word);
    } while (status == IL_ETIMEOUT && !(word & ILI_LATCH_WAITERS) &&
             !change_word(latch, &word, word | ILI_LATCH_WAITERS));
    if (status == IL_ETIMEOUT) {
        ILI_POINT("latch.wait.marked");
        ili_waiting_begin(m, &waiting, waiter, 0, 0);
    }
    ili_guard_unlock(m, self, &latch->guard);
    return status;
}

il_status ili_latch_wait(struct ili_member *member, struct ili_latch *latch, int64_t deadline_ns) {
    struct ili_agent *self;
    il_status status = ili_member_check(member);
    if (status == IL_OK) status = outcome(load_word(latch));
    if (status != IL_ETIMEOUT || deadline_ns == 0) return status;
    status = ili_agent_current(member, &self);
    if (status == IL_OK) status = queue(member, self, latch, self);
    if (status != IL_ETIMEOUT) return status;
    struct ili_waiting waiting = waiting_at(latch);
    return ili_waiting_sleep(member, self, &waiting, deadline_ns, NULL);
}

void ili_latch_look(const struct ili_latch *latch, struct ili_latch_view *view) {
    uint64_t word = load_word(latch);
    view->count = count_of(word);
    view->start = latch->start;
    view->waiters = ili_waitq_count(&latch->waiters);
    view->deleted = (word & ILI_LATCH_DELETED) != 0;
}

il_status ili_latch_enqueue(struct ili_member *member, struct ili_latch *latch,
                            struct ili_agent *waiter) {
    struct ili_agent *self;
    il_status status = ili_agent_current(member, &self);
    return status == IL_OK ? queue(member, self, latch, waiter) : status;
}

il_status ili_latch_poll(struct ili_agent *waiter) { return ili_waiting_poll(waiter, NULL); }

il_status ili_latch_withdraw(struct ili_member *member, struct ili_latch *latch,
                             struct ili_agent *waiter) {
    struct ili_waiting waiting = waiting_at(latch);
    return ili_waiting_withdraw(member, &waiting, waiter, NULL);
}

/* ---- end and repair ----------------------------------------------------------------------------- */

static il_status end(struct ili_member *member, struct ili_agent *self, void *object) {
    struct ili_latch *latch = object;
    struct ili_waiting waiting = waiting_at(latch);
    il_status status = ili_guard_lock(member, self, &latch->guard);
    if (status != IL_OK) return status;
    atomic_fetch_or_explicit(&latch->word, ILI_LATCH_DELETED, memory_order_release);
    ILI_POINT("latch.end.marked");
    ili_waiting_tell_all(member, self, &waiting, IL_EDELETED);
    mark(latch);
    ili_waiting_unlock(member, self, &latch->guard);
    return IL_OK;
}

static il_status dispose(struct ili_member *member, struct ili_agent *self, struct ili_agent *owner,
                         void *object) {
    (void)member, (void)self, (void)owner, (void)object; /* nothing hangs on a latch */
    return IL_OK;
}

void ili_latch_repair(struct ili_member *member, struct ili_agent *self, struct ili_latch *latch) {
    struct ili_waiting waiting = waiting_at(latch);
    ili_waiting_repair(member, &waiting, UINT32_MAX);
    il_status result = outcome(load_word(latch));
    if (result != IL_ETIMEOUT) ili_waiting_tell_all(member, self, &waiting, result);
    mark(latch);
}

static il_status recover(struct ili_member *member, struct ili_agent *self, void *object,
                         uint32_t slot) {
    struct ili_waiting waiting = waiting_at(object);
    return ili_waiting_recover(member, self, &waiting, slot);
}

static struct ili_waitq *waiters(void *object, unsigned which) {
    return which == 0 ? &((struct ili_latch *)object)->waiters : NULL;
}

il_status ili_latch_check(const struct ili_member *member, const struct ili_latch *latch) {
    uint64_t word = load_word(latch);
    bool marked = (word & ILI_LATCH_WAITERS) != 0;
    if (!ili_waitq_sound(member, &latch->waiters)) return IL_ECORRUPT;
    if (marked != (ili_waitq_first(member, &latch->waiters) != NULL)) return IL_ECORRUPT;
    if (marked && outcome(word) != IL_ETIMEOUT) return IL_ECORRUPT;
    return IL_OK;
}

const struct ili_kind ili_latch_kind = {
    .number = ILI_KIND_LATCH,
    .word = "latch",
    .bytes = sizeof(struct ili_latch),
    .init = init,
    .same = same,
    .end = end,
    .dispose = dispose,
    .recover = recover,
    .waiters = waiters,
};
