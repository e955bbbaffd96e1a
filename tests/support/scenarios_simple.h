/*
 * scenarios_simple.h - victims and companions at an event, a latch and a barrier, for scenarios.h.
 *
 * Companions wait patiently: a wait that is not ended is a trouble, so a lost wake-up shows. When the crew
 * is to stop, the nudge ends their waits. settle() proves the objects sound and removes them.
 */
#ifndef TESTS_SUPPORT_SCENARIOS_SIMPLE_H
#define TESTS_SUPPORT_SCENARIOS_SIMPLE_H

#include "support/crew.h"

#define PARTIES 3u

/* In INTERLOCK's own words, if STATUS is not one of those that a scenario brings about. */
static inline void crew_expect(struct crew *c, const char *what, il_status status, il_status or) {
    if (status != IL_OK && status != IL_EDELETED && status != or)
        crew_trouble(c, "%s: %s", what, il_error_message());
}

/* Until COUNT wait in QUEUE; not for long, they may be dead. */
static inline void crew_await_queue(const struct ili_waitq *queue, uint32_t count) {
    int64_t end = test_now_ns() + 2000000;
    while (ili_waitq_count(queue) < count && test_now_ns() < end) sched_yield();
}

/* Under GUARD: CHECK(OBJECT) of the caller's domain. */
#define CREW_CHECK(c, kind, object)                                                                \
    do {                                                                                           \
        struct ili_member *member = &(c)->world->domain->member;                                   \
        struct ili_agent *self;                                                                    \
        if (ili_agent_current(member, &self) != IL_OK ||                                           \
            ili_guard_lock(member, self, &(object)->guard) != IL_OK) {                             \
            crew_trouble(c, #kind ": no guard");                                                   \
            break;                                                                                 \
        }                                                                                          \
        if (ili_##kind##_check(member, object) != IL_OK) crew_trouble(c, #kind " is not sound");   \
        ili_guard_unlock(member, self, &(object)->guard);                                          \
    } while (0)

/* ---- event ------------------------------------------------------------------------------------ */

static inline il_event *crew_open_event(struct crew *c) {
    il_event *event = NULL;
    if (il_event_open(c->world->domain, "event", 5, &event) != IL_OK)
        crew_trouble(c, "event: %s", il_error_message());
    return event;
}

/* Waits until it is set, and again. */
static inline void crew_await_event(struct crew *c) {
    il_event *event = crew_open_event(c);
    while (event && !crew_stopped(c)) {
        il_status status = il_event_wait(event, CREW_PATIENCE_NS);
        crew_expect(c, "waiting for the event", status, IL_OK);
        crew_progress(c);
        if (status != IL_EDELETED) continue;
        il_event_close(event);
        event = crew_open_event(c);
    }
    il_event_close(event);
}

static inline il_status pulse_event(struct crew *c, il_event *event) {
    crew_await_queue(&event->event->waiters, 1);
    il_status status = il_event_set(event);
    if (status == IL_OK) status = il_event_clear(event);
    crew_expect(c, "setting the event", status, IL_OK);
    return status;
}

/* Sets it, and clears it at once. */
static inline void crew_pulse_event(struct crew *c) {
    il_event *event = crew_open_event(c);
    while (event && !crew_stopped(c)) {
        il_status status = pulse_event(c, event);
        crew_progress(c);
        if (status != IL_EDELETED) continue;
        il_event_close(event);
        event = crew_open_event(c);
    }
    il_event_close(event);
}

static inline void use_event(struct crew *c) {
    uint64_t random = test_seed(20);
    il_event *event = crew_open_event(c);
    for (int i = 0; event && i < 80; i++) {
        uint64_t r = test_random(&random);
        if (r % 2) {
            (void)pulse_event(c, event);
        } else {
            int64_t limit = (int64_t)(r >> 8) % (r & 2 ? 300000 : 15000);
            crew_expect(c, "event", il_event_wait(event, limit), IL_ETIMEOUT);
        }
    }
    il_event_close(event);
}

static inline void delete_event(struct crew *c) {
    for (int i = 0; i < 6; i++) {
        il_event *event = crew_open_event(c);
        if (!event) return;
        crew_await_queue(&event->event->waiters, 2);
        il_event_delete(c->world->domain, "event", 5);
        il_event_close(event);
    }
}

static inline void nudge_event(struct crew *c) {
    il_event *event = crew_open_event(c);
    if (event) il_event_set(event);
    il_event_close(event);
}

static inline void settle_event(struct crew *c) {
    il_event *event = crew_open_event(c);
    if (!event) return;
    CREW_CHECK(c, event, event->event);
    if (il_event_set(event) != IL_OK || il_event_wait(event, 0) != IL_OK ||
        il_event_clear(event) != IL_OK || il_event_wait(event, 0) != IL_ETIMEOUT) {
        crew_trouble(c, "the event does not go on: %s", il_error_message());
    }
    CREW_CHECK(c, event, event->event);
    il_event_close(event);
    il_event_delete(c->world->domain, "event", 5);
}

/* ---- latch ------------------------------------------------------------------------------------ */

static inline il_latch *crew_open_latch(struct crew *c) {
    static const uint32_t count = PARTIES;
    il_latch *latch = NULL;
    if (il_latch_open(c->world->domain, "latch", 5, &count, &latch) != IL_OK)
        crew_trouble(c, "latch: %s", il_error_message());
    return latch;
}

/* PARTIES of these count one latch down to 0, throw it away, and take the next. One that comes late may
 * throw away a new latch: who waits for that one takes another. */
static inline void crew_use_latch(struct crew *c) {
    while (!crew_stopped(c)) {
        il_latch *latch = crew_open_latch(c);
        if (!latch) return;
        il_status status = il_latch_count_down(latch, 1, NULL);
        if (status == IL_OK) status = il_latch_wait(latch, CREW_PATIENCE_NS);
        crew_expect(c, "waiting for the latch", status, IL_OK);
        if (status == IL_OK) il_latch_delete(c->world->domain, "latch", 5);
        crew_progress(c);
        il_latch_close(latch);
    }
}

static inline void use_latch(struct crew *c) {
    uint64_t random = test_seed(21);
    for (int i = 0; i < 80; i++) {
        uint64_t r = test_random(&random);
        il_latch *latch = crew_open_latch(c);
        if (!latch) return;
        if (r % 2) {
            crew_await_queue(&latch->latch->waiters, 1);
            crew_expect(c, "latch", il_latch_count_down(latch, r >> 8 & 1 ? 1 : PARTIES, NULL),
                        IL_OK);
        } else {
            crew_expect(c, "latch", il_latch_wait(latch, (int64_t)(r >> 8) % 300000), IL_ETIMEOUT);
        }
        il_latch_close(latch);
    }
}

static inline void delete_latch(struct crew *c) {
    for (int i = 0; i < 6; i++) {
        il_latch *latch = crew_open_latch(c);
        if (!latch) return;
        crew_await_queue(&latch->latch->waiters, 2);
        il_latch_delete(c->world->domain, "latch", 5);
        il_latch_close(latch);
    }
}

static inline void nudge_latch(struct crew *c) {
    il_latch *latch = crew_open_latch(c);
    if (latch) il_latch_count_down(latch, PARTIES, NULL);
    il_latch_close(latch);
}

static inline void settle_latch(struct crew *c) {
    uint32_t left = PARTIES;
    il_latch *latch = crew_open_latch(c);
    if (!latch) return;
    CREW_CHECK(c, latch, latch->latch);
    if (il_latch_count_down(latch, PARTIES, &left) != IL_OK || left != 0 ||
        il_latch_wait(latch, 0) != IL_OK) {
        crew_trouble(c, "the latch does not go on: %s", il_error_message());
    }
    CREW_CHECK(c, latch, latch->latch);
    il_latch_close(latch);
    il_latch_delete(c->world->domain, "latch", 5);
}

/* ---- barrier ---------------------------------------------------------------------------------- */

static inline il_barrier *crew_open_barrier(struct crew *c) {
    static const uint32_t parties = PARTIES;
    il_barrier *barrier = NULL;
    if (il_barrier_open(c->world->domain, "barrier", 7, &parties, &barrier) != IL_OK)
        crew_trouble(c, "barrier: %s", il_error_message());
    return barrier;
}

/* Makes a broken barrier whole, so that PARTIES patient ones meet again. */
static inline void mend_barrier(struct crew *c, il_barrier *barrier) {
    il_barrier_info info = {.struct_bytes = sizeof info};
    il_status status = il_barrier_info_get(barrier, &info);
    if (status == IL_OK && info.broken) status = il_barrier_reset(barrier);
    crew_expect(c, "mending the barrier", status, IL_OK);
}

/* PARTIES of these meet again and again. */
static inline void crew_meet(struct crew *c) {
    il_barrier *barrier = crew_open_barrier(c);
    while (barrier && !crew_stopped(c)) {
        uint32_t index = PARTIES;
        il_status status = il_barrier_wait(barrier, CREW_PATIENCE_NS, &index);
        crew_expect(c, "waiting at the barrier", status, IL_EBROKEN);
        if (status == IL_OK && index >= PARTIES) crew_trouble(c, "barrier: index %u", index);
        if (status == IL_OK) crew_progress(c);
        if (status == IL_EBROKEN && !crew_stopped(c)) mend_barrier(c, barrier);
        if (status != IL_EDELETED) continue;
        il_barrier_close(barrier);
        barrier = crew_open_barrier(c);
    }
    il_barrier_close(barrier);
}

static inline void use_barrier(struct crew *c) {
    uint64_t random = test_seed(22);
    il_barrier *barrier = crew_open_barrier(c);
    for (int i = 0; barrier && i < 60; i++) {
        uint64_t r = test_random(&random);
        il_status status = IL_OK;
        switch (r % 8) {
        case 0: status = il_barrier_abort(barrier); break;
        case 1: status = il_barrier_reset(barrier); break;
        case 2: status = il_barrier_wait(barrier, IL_NOWAIT, NULL); break;
        case 3:
            crew_await_queue(&barrier->barrier->waiters, 2); /* to be the last */
                                                             /* fall through */
        default:
            status = il_barrier_wait(barrier, (int64_t)(r >> 8) % (r & 8 ? 400000 : 10000), NULL);
        }
        if (status != IL_ETIMEOUT) crew_expect(c, "barrier", status, IL_EBROKEN);
        mend_barrier(c, barrier);
    }
    il_barrier_close(barrier);
}

static inline void delete_barrier(struct crew *c) {
    for (int i = 0; i < 6; i++) {
        il_barrier *barrier = crew_open_barrier(c);
        if (!barrier) return;
        crew_await_queue(&barrier->barrier->waiters, 2);
        il_barrier_delete(c->world->domain, "barrier", 7);
        il_barrier_close(barrier);
    }
}

static inline void nudge_barrier(struct crew *c) {
    il_barrier *barrier = crew_open_barrier(c);
    if (barrier) il_barrier_abort(barrier);
    il_barrier_close(barrier);
}

static inline void settle_barrier(struct crew *c) {
    il_barrier_info info = {.struct_bytes = sizeof info};
    il_barrier *barrier = crew_open_barrier(c);
    if (!barrier) return;
    CREW_CHECK(c, barrier, barrier->barrier);
    if (il_barrier_reset(barrier) != IL_OK || il_barrier_info_get(barrier, &info) != IL_OK ||
        info.broken || info.waiting || il_barrier_wait(barrier, 0, NULL) != IL_ETIMEOUT ||
        il_barrier_wait(barrier, 0, NULL) != IL_EBROKEN) {
        crew_trouble(c, "the barrier does not go on: %s", il_error_message());
    }
    CREW_CHECK(c, barrier, barrier->barrier);
    il_barrier_close(barrier);
    il_barrier_delete(c->world->domain, "barrier", 7);
}

#endif
