/*
 * Processes are killed at random instants while they wait for an event, a latch, a barrier or a condition,
 * or let others go on. Beyond what support/kills.h says: nobody goes on for nothing, everybody who is due
 * does; of a barrier's rounds everybody learns the same, and a broken one goes on after a reset.
 */
#include "support/kills.h"
#include "support/scenarios_simple.h"

#define THING 0 /* the one thing of a campaign: a wait that ends is a grant of it */

/* From here on, a death hurts. */
static void be_about(struct crew *c) { atomic_store(&c->board->members[c->me].holding, THING + 1); }
static void be_done(struct crew *c) { atomic_store(&c->board->members[c->me].holding, 0); }

/* ---- event: numbers[member] is odd while that member may have set it ----------------------------------- */

#define PULSERS 2

static void pulse(struct crew *c) {
    _Atomic uint64_t *mine = &c->board->numbers[c->me];
    il_event *event = crew_open_event(c);
    if (event && atomic_load(mine) % 2) { /* of who was this one before, and died setting it */
        crew_expect(c, "clearing the event", il_event_clear(event), IL_OK);
        atomic_fetch_add(mine, 1);
    }
    while (event && !crew_stopped(c)) {
        crew_await_queue(&event->event->waiters, 1);
        atomic_fetch_add(mine, 1);
        be_about(c);
        crew_expect(c, "setting the event", il_event_set(event), IL_OK);
        if (atomic_load(mine) % 8 == 1) crew_linger(c);
        crew_expect(c, "clearing the event", il_event_clear(event), IL_OK);
        be_done(c);
        atomic_fetch_add(mine, 1);
        crew_progress(c);
    }
    il_event_close(event);
}

/* How often it was set and cleared; *CLEAR: nobody is about it. */
static uint64_t count_pulses(struct crew *c, bool *clear) {
    uint64_t sum = 0;
    *clear = true;
    for (unsigned i = 0; i < PULSERS; i++) {
        uint64_t one = atomic_load(&c->board->numbers[i]);
        sum += one;
        if (one % 2) *clear = false;
    }
    return sum;
}

static void await_event(struct crew *c) {
    il_event *event = crew_open_event(c);
    while (event && !crew_stopped(c)) {
        bool clear, still;
        uint64_t before = count_pulses(c, &clear);
        il_status status = il_event_wait(event, CREW_PATIENCE_NS);
        if (count_pulses(c, &still) == before && clear && status == IL_OK && !crew_stopped(c))
            crew_trouble(c, "the event was not set");
        crew_expect(c, "waiting for the event", status, IL_OK);
        crew_note_grant(c, THING);
        crew_progress(c);
    }
    il_event_close(event);
}

static const struct campaign event = {
    .name = "event",
    .things = 1u << THING,
    .settle = settle_event,
    .nudge = nudge_event,
    .roles = {pulse, pulse, await_event, await_event, await_event, await_event},
};

/* ---- latch: counted down, thrown away, made anew --------------------------------------------------------- */

static void count_down(struct crew *c) {
    uint32_t left = 0;
    while (!crew_stopped(c)) {
        il_latch *latch = crew_open_latch(c);
        if (!latch) return;
        be_about(c);
        il_status status = il_latch_count_down(latch, 1, &left);
        if (status == IL_OK && left >= PARTIES) crew_trouble(c, "the latch is at %u", left);
        if (status == IL_OK && c->me % 2) crew_linger(c);
        if (status == IL_OK) status = il_latch_wait(latch, CREW_PATIENCE_NS);
        be_done(c);
        crew_expect(c, "waiting for the latch", status, IL_OK);
        if (status == IL_OK && il_latch_count(latch, &left) == IL_OK && left != 0)
            crew_trouble(c, "open, the latch is at %u", left);
        if (status == IL_OK) {
            crew_note_grant(c, THING);
            il_latch_delete(c->world->domain, "latch", 5);
        }
        crew_progress(c);
        il_latch_close(latch);
    }
}

static const struct campaign latch = {
    .name = "latch",
    .things = 1u << THING,
    .settle = settle_latch,
    .nudge = nudge_latch,
    .roles = {count_down, count_down, count_down, count_down, count_down, count_down},
};

/* ---- barrier: numbers[index]: how many were told that index ---------------------------------------------- */

static void meet(struct crew *c) {
    uint64_t random = c->me + (uint64_t)getpid();
    il_barrier *barrier = crew_open_barrier(c);
    while (barrier && !crew_stopped(c)) {
        uint32_t index = PARTIES;
        uint64_t r = test_random(&random);
        int64_t patience = r % 32 ? CREW_PATIENCE_NS : (int64_t)(r >> 8) % 200000;
        if (r >> 40 & 1) be_about(c);
        il_status status = il_barrier_wait(barrier, patience, &index);
        be_done(c);
        if (status == IL_ETIMEOUT && patience == CREW_PATIENCE_NS)
            crew_trouble(c, "nobody came to the barrier");
        if (status != IL_ETIMEOUT) crew_expect(c, "waiting at the barrier", status, IL_EBROKEN);
        if (status == IL_OK) {
            if (index >= PARTIES) crew_trouble(c, "barrier: index %u", index);
            atomic_fetch_add(&c->board->numbers[index % PARTIES], 1);
            crew_note_grant(c, THING);
            crew_progress(c);
        } else if (!crew_stopped(c)) {
            mend_barrier(c, barrier);
        }
    }
    il_barrier_close(barrier);
}

/* Each round told each index once; some of those were told who then died. */
static void settle_rounds(struct crew *c) {
    uint64_t least = UINT64_MAX, most = 0;
    for (unsigned i = 0; i < PARTIES; i++) {
        uint64_t one = atomic_load(&c->board->numbers[i]);
        if (one < least) least = one;
        if (one > most) most = one;
    }
    if (most > least + c->killed) {
        crew_trouble(c, "%llu were told one index, %llu another", (unsigned long long)most,
                     (unsigned long long)least);
    }
    settle_barrier(c);
}

static const struct campaign barrier = {
    .name = "barrier",
    .things = 1u << THING,
    .settle = settle_rounds,
    .nudge = nudge_barrier,
    .roles = {meet, meet, meet, meet, meet, meet},
};

/* ---- condition: numbers[0] is what it is about, changed only by who has its lock ------------------------- */

#define STOCK_MOST 20

static il_condition *open_stock(struct crew *c) {
    il_condition *stock = NULL;
    if (il_condition_open(c->world->domain, "stock", 5, NULL, &stock) != IL_OK)
        crew_trouble(c, "condition: %s", il_error_message());
    return stock;
}

/* The lock was granted, first or again, which was asked for when BEFORE was its newest token. */
static bool go_in(struct crew *c, il_status status, uint64_t token, uint64_t before) {
    if (status != IL_OK && status != IL_EOWNERDEAD && status != IL_ETIMEOUT) {
        crew_trouble(c, "condition: %s", il_error_message());
        return false;
    }
    witness_enter(c, THING, 1, 1, token, before);
    return true;
}

static bool enter_stock(struct crew *c, il_condition *stock) {
    uint64_t token = 0, before = witness_newest(c, THING);
    il_status status = il_condition_acquire(stock, CREW_SECONDS * INT64_C(1000000000), &token);
    if (status != IL_ETIMEOUT) return go_in(c, status, token, before);
    crew_trouble(c, "the condition's lock is stuck");
    return false;
}

/* With the lock held before and, if true, after. */
static bool wait_at_stock(struct crew *c, il_condition *stock, int64_t timeout_ns,
                          il_status *status) {
    uint64_t token = 0, before = witness_newest(c, THING);
    witness_leave(c, THING);
    *status = il_condition_wait(stock, timeout_ns, &token);
    return go_in(c, *status, token, before);
}

static void leave_stock(struct crew *c, il_condition *stock) {
    crew_linger(c);
    witness_leave(c, THING);
    if (il_condition_release(stock, 0) != IL_OK)
        crew_trouble(c, "releasing the condition: %s", il_error_message());
}

/* Adds BY when there is room or something for it; waits until there is. */
static void change_stock(struct crew *c, il_condition *stock, int by) {
    _Atomic uint64_t *number = &c->board->numbers[0];
    il_status status;
    if (!enter_stock(c, stock)) return;
    while (atomic_load(number) == (by > 0 ? STOCK_MOST : 0) && !crew_stopped(c)) {
        if (!wait_at_stock(c, stock, CREW_PATIENCE_NS, &status)) return;
        if (status == IL_ETIMEOUT) crew_trouble(c, "nobody was notified");
    }
    if (!crew_stopped(c)) atomic_store(number, atomic_load(number) + (uint64_t)(int64_t)by);
    crew_progress(c);
    /* one that dies being notified takes the notify with it: so now and then all are notified */
    status =
        atomic_load(number) % 4 ? il_condition_notify(stock, 1) : il_condition_notify_all(stock);
    if (status != IL_OK) crew_trouble(c, "notifying: %s", il_error_message());
    leave_stock(c, stock);
}

static void stock_up(struct crew *c) {
    il_condition *stock = open_stock(c);
    while (stock && !crew_stopped(c)) change_stock(c, stock, 1);
    il_condition_close(stock);
}

static void use_up(struct crew *c) {
    il_condition *stock = open_stock(c);
    while (stock && !crew_stopped(c)) change_stock(c, stock, -1);
    il_condition_close(stock);
}

/* Waits for nothing that comes. */
static void look_on(struct crew *c) {
    il_condition *stock = open_stock(c);
    while (stock && !crew_stopped(c)) {
        il_status status;
        if (!enter_stock(c, stock) || !wait_at_stock(c, stock, 300000, &status)) break;
        if (status != IL_ETIMEOUT) (void)il_condition_notify(stock, 1); /* it was another's */
        crew_progress(c);
        leave_stock(c, stock);
    }
    il_condition_close(stock);
}

static void nudge_stock(struct crew *c) {
    il_condition *stock = open_stock(c);
    il_status status = stock ? il_condition_acquire(stock, 100000000, NULL) : IL_EINVAL;
    if (status == IL_OK || status == IL_EOWNERDEAD) {
        il_condition_notify_all(stock);
        il_condition_release(stock, 0);
    }
    il_condition_close(stock);
}

static void settle_stock(struct crew *c) {
    uint32_t waiters = 1;
    uint64_t token = 0;
    il_condition *stock = open_stock(c);
    if (!stock) return;
    CREW_CHECK(c, condition, stock->condition);
    if (il_condition_waiters(stock, &waiters) != IL_OK || waiters != 0)
        crew_trouble(c, "%u wait at the condition", waiters);
    il_status status = il_condition_acquire(stock, IL_NOWAIT, &token);
    if ((status != IL_OK && status != IL_EOWNERDEAD) ||
        il_condition_wait(stock, 1000, &token) != IL_ETIMEOUT ||
        il_condition_release(stock, token) != IL_OK) {
        crew_trouble(c, "the condition does not go on: %s", il_error_message());
    }
    CREW_CHECK(c, condition, stock->condition);
    il_condition_close(stock);
    il_condition_delete(c->world->domain, "stock", 5);
    il_rlock_delete(c->world->domain, "stock", 5);
}

static const struct campaign condition = {
    .name = "condition",
    .things = 1u << THING,
    .settle = settle_stock,
    .nudge = nudge_stock,
    .roles = {stock_up, stock_up, use_up, use_up, look_on, look_on},
};

EACH_CAMPAIGN(recovery_kills_told, event, 100)
EACH_CAMPAIGN(recovery_kills_told, latch, 100)
EACH_CAMPAIGN(recovery_kills_told, barrier, 100)
EACH_CAMPAIGN(recovery_kills_told, condition, 100)
