/*
 * event.c - see event.h.
 *
 * word: SET, DELETED, WAITERS in the low half, in the high half how often it was set. Who changes what:
 *   SET off -> on   set(), and the count grows with it: by anybody while WAITERS is clear, else under the
 *                   guard, which clears WAITERS in the same step, and then tells everyone in the queue
 *   SET on -> off   clear(), by anybody at any time
 *   WAITERS         set under the guard, in one step with seeing that SET is off; cleared under the guard
 *   DELETED         set under the guard
 * By the count a waiter that is not in the queue yet sees that the event was set and cleared meanwhile.
 * set() always writes the word, though it was set: what the caller did before must be visible to who then
 * clears it, and on most machines a mere load could overtake those writes.
 *
 * Invariants, whenever the guard is free (ili_event_check):
 * 1. WAITERS is set exactly if the queue is not empty.
 * 2. SET and WAITERS are never set both, nor DELETED and WAITERS.
 *
 * Intent of the guard: TELL, [1] the count before. If the count has grown since, everyone in the queue is
 * to be told. (SET alone would not show it: another thread may have cleared it at once.)
 * Lock order: this guard is taken alone, or inside a stripe of names.
 */
#include "sync/event.h"

#include "base/awake.h"
#include "base/point.h"

#define TELL 1u

static uint64_t load_word(const struct ili_event *event) {
    /* acquire: pairs with set(), who sees SET goes on */
    return atomic_load_explicit(&event->word, memory_order_acquire);
}

/* acquire and release at once: set() passes on what happened before it to who waits, clear() what happened
 * before it to the next set() */
static bool change_word(struct ili_event *event, uint64_t *from, uint64_t to) {
    return atomic_compare_exchange_strong_explicit(&event->word, from, to, memory_order_acq_rel,
                                                   memory_order_acquire);
}

static uint32_t times_of(uint64_t word) { return (uint32_t)(word >> 32); }

/* ---- the kind ------------------------------------------------------------------------------- */

static void init(struct ili_member *member, void *object, const void *options) {
    struct ili_event *event = object;
    (void)member, (void)options;
    event->guard.kind = ILI_GUARD_EVENT;
}

static bool same(const void *object, const void *options) {
    (void)object, (void)options; /* there are no options */
    return true;
}

/* ---- under the guard ------------------------------------------------------------------------ */

/* WAITERS as the queue says. */
static void mark(struct ili_event *event) {
    if (ili_waitq_count(&event->waiters)) {
        atomic_fetch_or_explicit(&event->word, ILI_EVENT_WAITERS, memory_order_relaxed);
    } else {
        atomic_fetch_and_explicit(&event->word, ~ILI_EVENT_WAITERS, memory_order_relaxed);
    }
}

static void left(struct ili_member *member, struct ili_agent *self, void *object) {
    (void)member, (void)self;
    mark(object);
}

static struct ili_waiting waiting_at(struct ili_event *event) {
    return (struct ili_waiting){
        .guard = &event->guard, .queue = &event->waiters, .object = event, .left = left};
}

/* ---- set and clear -------------------------------------------------------------------------- */

/* What set() makes of WORD. */
static uint64_t set_of(uint64_t word) {
    if (word & ILI_EVENT_SET) return word;
    return ((word | ILI_EVENT_SET) & ~ILI_EVENT_WAITERS) + ILI_EVENT_TIME;
}

static il_status set_and_tell(struct ili_member *m, struct ili_event *event) {
    struct ili_agent *self;
    struct ili_waiting waiting = waiting_at(event);
    il_status status = ili_agent_current(m, &self);
    if (status == IL_OK) status = ili_guard_lock(m, self, &event->guard);
    if (status != IL_OK) return status;
    uint64_t word = load_word(event);
    do {
        if (word & ILI_EVENT_DELETED) break;
        ili_guard_intend(&event->guard, TELL, times_of(word), 0);
        ILI_POINT("event.set.intended");
    } while (!change_word(event, &word, set_of(word)));
    ILI_POINT("event.set.done");
    if (word & ILI_EVENT_DELETED) {
        status = IL_EDELETED;
    } else {
        ili_waiting_tell_all(m, self, &waiting, IL_OK);
    }
    ili_guard_done(&event->guard);
    ili_waiting_unlock(m, self, &event->guard);
    return status;
}

il_status ili_event_set(struct ili_member *member, struct ili_event *event) {
    uint64_t word = load_word(event);
    il_status status = ili_member_check(member);
    if (status != IL_OK) return status;
    atomic_store_explicit(&event->processor, ili_processor(), memory_order_relaxed);
    do {
        if (word & ILI_EVENT_DELETED) return IL_EDELETED;
        if (word & ILI_EVENT_WAITERS) return set_and_tell(member, event);
    } while (!change_word(event, &word, set_of(word)));
    return IL_OK;
}

il_status ili_event_clear(struct ili_member *member, struct ili_event *event) {
    il_status status = ili_member_check(member);
    if (status != IL_OK) return status;
    uint64_t word = atomic_fetch_and_explicit(&event->word, ~ILI_EVENT_SET, memory_order_acq_rel);
    return word & ILI_EVENT_DELETED ? IL_EDELETED : IL_OK;
}

/* ---- wait ------------------------------------------------------------------------------------- */

/* What a waiter finds that saw the event set TIMES times. IL_ETIMEOUT: it must wait. */
static il_status outcome(uint64_t word, uint32_t times) {
    if (word & ILI_EVENT_DELETED) return IL_EDELETED;
    return word & ILI_EVENT_SET || times_of(word) != times ? IL_OK : IL_ETIMEOUT;
}

/* Puts WAITER into the queue: IL_ETIMEOUT; unless the event was set since it had been so TIMES times. */
static il_status queue(struct ili_member *m, struct ili_agent *self, struct ili_event *event,
                       struct ili_agent *waiter, uint32_t times) {
    struct ili_waiting waiting = waiting_at(event);
    il_status status = ili_guard_lock(m, self, &event->guard);
    if (status != IL_OK) return status;
    uint64_t word = load_word(event);
    do {
        status = outcome(word, times);
    } while (status == IL_ETIMEOUT && !(word & ILI_EVENT_WAITERS) &&
             !change_word(event, &word, word | ILI_EVENT_WAITERS));
    if (status == IL_ETIMEOUT) {
        ILI_POINT("event.wait.marked");
        ili_waiting_begin(m, &waiting, waiter, 0, 0);
    }
    ili_guard_unlock(m, self, &event->guard);
    return status;
}

il_status ili_event_wait(struct ili_member *member, struct ili_event *event, int64_t deadline_ns) {
    struct ili_agent *self;
    struct ili_awake awake = {0};
    uint64_t word = load_word(event);
    uint32_t times = times_of(word);
    il_status status = ili_member_check(member);
    if (status == IL_OK) status = outcome(word, times);
    if (status != IL_ETIMEOUT || deadline_ns == 0) return status;
    /* a hint: who sets it is where it was the last time */
    uint32_t processor = atomic_load_explicit(&event->processor, memory_order_relaxed);
    if (processor != ili_processor()) {
        while (ili_awake(&awake)) {
            status = outcome(load_word(event), times);
            if (status != IL_ETIMEOUT) return status;
        }
    }
    status = ili_agent_current(member, &self);
    if (status == IL_OK) status = queue(member, self, event, self, times);
    if (status != IL_ETIMEOUT) return status;
    struct ili_waiting waiting = waiting_at(event);
    return ili_waiting_sleep(member, self, &waiting, deadline_ns, NULL);
}

void ili_event_look(const struct ili_event *event, struct ili_event_view *view) {
    uint64_t word = load_word(event);
    view->waiters = ili_waitq_count(&event->waiters);
    view->set = (word & ILI_EVENT_SET) != 0;
    view->deleted = (word & ILI_EVENT_DELETED) != 0;
}

il_status ili_event_enqueue(struct ili_member *member, struct ili_event *event,
                            struct ili_agent *waiter) {
    struct ili_agent *self;
    uint32_t times = times_of(load_word(event));
    il_status status = ili_agent_current(member, &self);
    return status == IL_OK ? queue(member, self, event, waiter, times) : status;
}

il_status ili_event_poll(struct ili_agent *waiter) { return ili_waiting_poll(waiter, NULL); }

il_status ili_event_withdraw(struct ili_member *member, struct ili_event *event,
                             struct ili_agent *waiter) {
    struct ili_waiting waiting = waiting_at(event);
    return ili_waiting_withdraw(member, &waiting, waiter, NULL);
}

/* ---- end and repair ----------------------------------------------------------------------------- */

static il_status end(struct ili_member *member, struct ili_agent *self, void *object) {
    struct ili_event *event = object;
    struct ili_waiting waiting = waiting_at(event);
    il_status status = ili_guard_lock(member, self, &event->guard);
    if (status != IL_OK) return status;
    atomic_fetch_or_explicit(&event->word, ILI_EVENT_DELETED, memory_order_release);
    ILI_POINT("event.end.marked");
    ili_waiting_tell_all(member, self, &waiting, IL_EDELETED);
    mark(event);
    ili_waiting_unlock(member, self, &event->guard);
    return IL_OK;
}

static il_status dispose(struct ili_member *member, struct ili_agent *self, struct ili_agent *owner,
                         void *object) {
    (void)member, (void)self, (void)owner, (void)object; /* nothing hangs on an event */
    return IL_OK;
}

void ili_event_repair(struct ili_member *member, struct ili_agent *self, struct ili_event *event) {
    struct ili_waiting waiting = waiting_at(event);
    uint64_t intent = atomic_load_explicit(&event->guard.intent[0], memory_order_acquire);
    uint32_t times = (uint32_t)atomic_load_explicit(&event->guard.intent[1], memory_order_relaxed);
    uint64_t word = load_word(event);
    ili_waiting_repair(member, &waiting, UINT32_MAX);
    /* nobody else can have set it with somebody in the queue, so if it is set, the queue is to be told */
    il_status result = outcome(word, intent == TELL ? times : times_of(word));
    if (result != IL_ETIMEOUT) ili_waiting_tell_all(member, self, &waiting, result);
    ili_guard_done(&event->guard);
    mark(event);
}

static il_status recover(struct ili_member *member, struct ili_agent *self, void *object,
                         uint32_t slot) {
    struct ili_waiting waiting = waiting_at(object);
    return ili_waiting_recover(member, self, &waiting, slot);
}

static struct ili_waitq *waiters(void *object, unsigned which) {
    return which == 0 ? &((struct ili_event *)object)->waiters : NULL;
}

il_status ili_event_check(const struct ili_member *member, const struct ili_event *event) {
    uint64_t word = load_word(event);
    bool marked = (word & ILI_EVENT_WAITERS) != 0;
    if (!ili_waitq_sound(member, &event->waiters)) return IL_ECORRUPT;
    if (marked != (ili_waitq_first(member, &event->waiters) != NULL)) return IL_ECORRUPT;
    if (marked && word & (ILI_EVENT_SET | ILI_EVENT_DELETED)) return IL_ECORRUPT;
    return IL_OK;
}

const struct ili_kind ili_event_kind = {
    .number = ILI_KIND_EVENT,
    .word = "event",
    .bytes = sizeof(struct ili_event),
    .init = init,
    .same = same,
    .end = end,
    .dispose = dispose,
    .recover = recover,
    .waiters = waiters,
};
