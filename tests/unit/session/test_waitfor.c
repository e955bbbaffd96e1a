#include <criterion/criterion.h>
#include <string.h>

#include "session/waitfor.h"
#include "support/wait.h"

/* ---- graphs by hand -------------------------------------------------------------------------------- */

#define MOST 64

static struct ili_waitfor_wait waits[MOST];
static struct ili_waitfor_holder holders[MOST * MOST];
static struct ili_waitfor graph = {.waits = waits, .holders = holders};

static void begin(uint32_t owners) {
    graph.wait_count = graph.holder_count = 0;
    graph.owner_count = owners;
}

/* OWNER waits for NEED of something; the wait's index. It began after those before. */
static uint32_t wait_of(uint32_t owner, uint64_t need, uint64_t have) {
    uint32_t w = graph.wait_count++;
    waits[w] = (struct ili_waitfor_wait){.owner = owner,
                                         .holders = graph.holder_count,
                                         .need = need,
                                         .have = have,
                                         .since_ns = 100 + w,
                                         .rank = w};
    return w;
}

/* … of which the wait made last finds COUNT in the hands of OWNER. */
static void held(uint32_t owner, uint32_t count) {
    holders[graph.holder_count++] = (struct ili_waitfor_holder){owner, count};
    waits[graph.wait_count - 1].holder_count++;
}

/* OWNER waits for a lock that HOLDER has. */
static uint32_t lock_wait(uint32_t owner, uint32_t holder) {
    uint32_t w = wait_of(owner, 1, 0);
    held(holder, 1);
    return w;
}

static struct ili_waitfor_result solved;

static uint32_t solve(uint32_t root, bool self_free) {
    ili_waitfor_free(&solved);
    cr_assert_eq(ili_waitfor_solve(&graph, root, self_free, &solved), IL_OK);
    return solved.cycle_count;
}

/* The deadlocks that ROOT is stuck in or behind. */
static uint32_t from(uint32_t root) { return solve(root, true); }

static uint32_t victim(uint32_t cycle) { return solved.steps[solved.cycles[cycle].steps].wait; }

static void end(void) { ili_waitfor_free(&solved); }

TestSuite(session_waitfor, .fini = end);

Test(session_waitfor, nobody_who_waits_for_a_running_owner_is_stuck) {
    begin(4);
    lock_wait(0, 1);
    lock_wait(1, 2);
    lock_wait(2, 3);
    cr_assert_eq(solve(ILI_WAITFOR_ALL, true), 0);
    for (uint32_t w = 0; w < 3; w++) cr_assert_eq(solved.stuck[w], 0);
}

Test(session_waitfor, two_owners_that_wait_for_each_other_are_found) {
    begin(2);
    uint32_t a = lock_wait(0, 1), b = lock_wait(1, 0);
    cr_assert_eq(from(a), 1);
    cr_assert_eq(victim(0), b, "the one that began last is the victim");
    cr_assert_eq(solved.cycles[0].step_count, 2);
    cr_assert_eq(solved.steps[1].wait, a);
    waits[a].since_ns = waits[b].since_ns;
    cr_assert_eq(from(b), 1);
    cr_assert_eq(victim(0), b, "of two that began at once, the one of the higher rank");
    waits[a].since_ns++;
    cr_assert_eq(from(b), 1);
    cr_assert_eq(victim(0), a);
}

Test(session_waitfor, a_cycle_of_three_is_told_in_order) {
    begin(3);
    uint32_t a = lock_wait(0, 1), b = lock_wait(1, 2), c = lock_wait(2, 0);
    cr_assert_eq(from(b), 1);
    cr_assert_eq(solved.cycles[0].step_count, 3);
    cr_assert_eq(solved.steps[0].wait, c);
    cr_assert_eq(solved.steps[1].wait, a);
    cr_assert_eq(solved.steps[2].wait, b);
}

Test(session_waitfor, who_waits_for_itself_is_listed_and_does_not_fail) {
    begin(2);
    uint32_t own = lock_wait(0, 0), other = lock_wait(1, 0);
    cr_assert_eq(from(own), 0);
    cr_assert_eq(solve(own, false), 1);
    cr_assert_eq(victim(0), own);
    cr_assert_eq(solved.cycles[0].step_count, 1);
    cr_assert_eq(solved.stuck[other], 1);
}

Test(session_waitfor, a_tail_of_a_cycle_is_not_its_victim) {
    begin(5);
    uint32_t a = lock_wait(0, 1), b = lock_wait(1, 0);
    uint32_t tail = lock_wait(2, 0), end_of_tail = lock_wait(3, 2);
    cr_assert_eq(from(end_of_tail), 1);
    cr_assert_eq(victim(0), b);
    cr_assert_eq(solved.cycles[0].step_count, 2);
    cr_assert_eq(solved.steps[1].wait, a);
    cr_assert_eq(solved.stuck[tail] + solved.stuck[end_of_tail], 2);
}

Test(session_waitfor, waits_that_converge_are_no_cycle) {
    begin(5);
    for (uint32_t owner = 0; owner < 3; owner++) {
        wait_of(owner, 2, 0);
        held(3, 1);
        held(4, 1);
    }
    lock_wait(3, 4);
    cr_assert_eq(solve(ILI_WAITFOR_ALL, true), 0);
}

Test(session_waitfor, one_way_out_is_enough) {
    begin(4);
    wait_of(0, 1, 0); /* a permit of 1, 2 or 3 */
    held(1, 1);
    held(2, 1);
    held(3, 1);
    lock_wait(1, 0);
    uint32_t last = lock_wait(2, 0);
    cr_assert_eq(solve(ILI_WAITFOR_ALL, true), 0);
    uint32_t closing = lock_wait(3, 0);
    cr_assert_eq(from(last), 1);
    cr_assert_eq(victim(0), closing);
}

Test(session_waitfor, all_that_is_needed_must_come) {
    begin(3);
    uint32_t writer = wait_of(0, 2, 0); /* readers 1 and 2 must both go */
    held(1, 1);
    held(2, 1);
    uint32_t reader = lock_wait(1, 0);
    cr_assert_eq(from(writer), 1);
    cr_assert_eq(victim(0), reader);
    waits[writer].have = 1;
    cr_assert_eq(from(writer), 0, "reader 2 is enough");
    waits[reader].since_ns = 0;
    waits[writer].have = 0;
    cr_assert_eq(from(reader), 1);
    cr_assert_eq(victim(0), writer);
}

Test(session_waitfor, those_ahead_count_where_service_is_in_order) {
    begin(4);
    /* reader 2 stands behind writer 1, who waits for reader 0, who waits for what 2 holds */
    uint32_t writer = lock_wait(1, 0);
    uint32_t reader = wait_of(2, 1, 1);
    waits[reader].behind = true;
    waits[reader].before = writer + 1;
    uint32_t closing = lock_wait(0, 2);
    cr_assert_eq(from(closing), 1);
    cr_assert_eq(victim(0), closing);
    cr_assert_eq(solved.cycles[0].step_count, 3);
    cr_assert_eq(solved.steps[1].wait, reader);
    cr_assert(solved.steps[1].queued);
    cr_assert_eq(solved.steps[2].wait, writer);
    cr_assert(!solved.steps[2].queued);
    waits[reader].behind = false;
    cr_assert_eq(solve(ILI_WAITFOR_ALL, true), 0, "the reader may pass");
}

Test(session_waitfor, an_owner_goes_on_by_any_of_its_waits) {
    begin(3);
    uint32_t a = lock_wait(0, 1), b = lock_wait(1, 0);
    uint32_t other = lock_wait(1, 2);
    cr_assert_eq(from(b), 0);
    cr_assert_eq(solved.stuck[a] + solved.stuck[b] + solved.stuck[other], 0);
    uint32_t closing = lock_wait(2, 0);
    cr_assert_eq(from(a), 1);
    cr_assert_eq(victim(0), closing);
    cr_assert_eq(solved.stuck[other], 1);
}

Test(session_waitfor, two_deadlocks_are_two) {
    begin(5);
    uint32_t a = lock_wait(0, 1);
    lock_wait(1, 0);
    uint32_t c = lock_wait(2, 3);
    lock_wait(3, 2);
    cr_assert_eq(solve(ILI_WAITFOR_ALL, true), 2);
    cr_assert_eq(from(a), 1);
    cr_assert_eq(from(c), 1);
    uint32_t both = wait_of(4, 2, 0);
    held(0, 1);
    held(2, 1);
    cr_assert_eq(from(both), 2);
}

Test(session_waitfor, what_opens_by_itself_is_not_waited_for) {
    begin(2);
    wait_of(0, 0, 0);
    lock_wait(1, 0);
    cr_assert_eq(solve(ILI_WAITFOR_ALL, true), 0);
    begin(2); /* a need that nobody can fill is no cycle either */
    wait_of(0, 5, 1);
    held(1, 1);
    cr_assert_eq(solve(ILI_WAITFOR_ALL, true), 0);
    cr_assert_eq(solved.stuck[0], 1);
}

/* Two that wait for both of two others, which wait for both of them, and all began at once: none of them
 * could go on by itself. */
Test(session_waitfor, a_knot_that_nobody_closed_alone_has_a_victim) {
    begin(4);
    for (uint32_t owner = 0; owner < 4; owner++) {
        wait_of(owner, 2, 0);
        held(owner < 2 ? 2 : 0, 1);
        held(owner < 2 ? 3 : 1, 1);
    }
    cr_assert_eq(from(0), 1);
    cr_assert_eq(victim(0), 3);
}

Test(session_waitfor, a_large_graph_takes_a_moment, .timeout = 60) {
    enum { LARGE = 65536 };
    struct ili_waitfor_wait *many = calloc(LARGE, sizeof *many);
    struct ili_waitfor_holder *by = calloc(LARGE, sizeof *by);
    struct ili_waitfor large = {many, by, LARGE, LARGE, LARGE};
    for (int shape = 0; shape < 3; shape++) {
        for (uint32_t w = 0; w < LARGE; w++) {
            bool line = shape == 1 && w > 1; /* a cycle of two with a long tail, served in order */
            many[w] = (struct ili_waitfor_wait){.owner = w,
                                                .before = line ? w : 0,
                                                .holders = w,
                                                .holder_count = 1,
                                                .need = 1,
                                                .since_ns = w,
                                                .rank = w,
                                                .behind = line};
            by[w] = (struct ili_waitfor_holder){shape == 1 ? w == 0 : (w + 1) % LARGE, 1};
        }
        if (shape == 2) many[LARGE - 1].need = 0; /* a long line that can go on */
        int64_t began = test_now_ns();
        cr_assert_eq(ili_waitfor_solve(&large, ILI_WAITFOR_ALL, true, &solved), IL_OK);
        int64_t took = test_now_ns() - began;
        cr_assert_lt(took, INT64_C(5000000000), "%ld ns", (long)took);
        cr_assert_eq(solved.cycle_count, shape == 2 ? 0 : 1);
        if (shape == 0) cr_assert_eq(solved.cycles[0].step_count, LARGE);
        if (shape == 1) cr_assert_eq(victim(0), 1);
        ili_waitfor_free(&solved);
    }
    free(many);
    free(by);
}

/* ---- random sequences against a world that is simply run ------------------------------------------------
 *
 * The world has objects with a capacity, of which owners hold some and wait for some. What is stuck is what
 * is left when the world runs on as long as it can: an owner that does not wait, or was granted one of its
 * waits, drops all it holds. */

#define OWNERS 7
#define OBJECTS 6
#define WAITS 16
#define ALL_OF_IT 16 /* of an rwlock, by a writer */

struct request {
    uint8_t owner, object, amount;
    uint32_t since;
};

struct world {
    uint8_t capacity[OBJECTS], in_order[OBJECTS], report[OBJECTS];
    uint8_t lock_of[OBJECTS]; /* a condition: its lock + 1 */
    uint8_t held[OBJECTS][OWNERS];
    struct request queue[WAITS]; /* all objects', in the order of their beginning */
    uint32_t waiting, clock;
};

/* What WHO may take of OBJECT, if what it holds itself counts as given back. */
static int free_for(const struct world *w, unsigned object, unsigned who) {
    int left = w->capacity[object];
    for (unsigned o = 0; o < OWNERS; o++) {
        if (o != who) left -= w->held[object][o];
    }
    return left;
}

static unsigned subject(const struct world *w, const struct request *r) {
    return w->lock_of[r->object] ? w->lock_of[r->object] - 1u : r->object;
}

static bool is_first(const struct world *w, uint32_t which, uint32_t gone) {
    for (uint32_t i = 0; i < which; i++) {
        if (w->queue[i].object == w->queue[which].object && !(gone >> i & 1)) return false;
    }
    return true;
}

/* Runs a copy of the world until nothing moves; ALSO (or OWNERS) goes on in any case. A bit for each wait
 * that was granted. */
static uint32_t run(const struct world *world, unsigned also) {
    struct world w = *world;
    uint32_t gone = 0;
    bool moved = true;
    while (moved) {
        moved = false;
        for (unsigned o = 0; o < OWNERS; o++) {
            bool waits_on = false, granted = o == also;
            for (uint32_t i = 0; i < w.waiting; i++) {
                if (w.queue[i].owner != o) continue;
                waits_on = true;
                if (gone >> i & 1) granted = true;
            }
            if (waits_on && !granted) continue;
            for (unsigned k = 0; k < OBJECTS; k++) {
                moved |= w.held[k][o] != 0;
                w.held[k][o] = 0;
            }
        }
        for (uint32_t i = 0; i < w.waiting; i++) {
            const struct request *r = &w.queue[i];
            if (gone >> i & 1 || free_for(&w, subject(&w, r), r->owner) < r->amount) continue;
            if (w.in_order[r->object] && !is_first(&w, i, gone)) continue;
            gone |= 1u << i;
            moved = true;
        }
    }
    return gone;
}

static void draw(const struct world *w) {
    begin(OWNERS);
    for (uint32_t i = 0; i < w->waiting; i++) {
        const struct request *r = &w->queue[i];
        unsigned on = subject(w, r);
        int left = w->capacity[on];
        for (unsigned o = 0; o < OWNERS; o++) left -= w->held[on][o];
        wait_of(r->owner, r->amount, (uint64_t)left);
        waits[i].since_ns = r->since;
        waits[i].behind = w->in_order[r->object];
        for (uint32_t k = 0; k < i; k++) {
            if (w->queue[k].object == r->object) waits[i].before = k + 1;
        }
        for (unsigned o = 0; o < OWNERS; o++) {
            if (w->held[on][o]) held(o, w->held[on][o]);
        }
    }
}

static void drop(struct world *w, uint32_t which) {
    w->waiting--;
    memmove(&w->queue[which], &w->queue[which + 1], (w->waiting - which) * sizeof w->queue[0]);
}

/* Grants what can be granted now, as the objects would. */
static void settle(struct world *w) {
    for (uint32_t i = 0; i < w->waiting; i++) {
        struct request r = w->queue[i];
        unsigned on = subject(w, &r);
        if (free_for(w, on, OWNERS) < r.amount) continue;
        if (w->in_order[r.object] && !is_first(w, i, 0)) continue;
        if (on != r.object) continue; /* a condition: notified by somebody, not by itself */
        w->held[on][r.owner] = (uint8_t)(w->held[on][r.owner] + r.amount);
        drop(w, i);
        i = UINT32_MAX; /* from the beginning: one grant may let others pass */
    }
}

static unsigned pick(uint64_t *seed, unsigned below) {
    return (unsigned)(test_random(seed) >> 32) % below;
}

static void make_world(struct world *w, uint64_t *seed, bool reports) {
    memset(w, 0, sizeof *w);
    for (unsigned k = 0; k < OBJECTS; k++) {
        unsigned kind = pick(seed, 4);
        w->capacity[k] = (uint8_t)(kind < 2 ? 1 : kind == 2 ? 2 + pick(seed, 3) : ALL_OF_IT);
        w->in_order[k] = pick(seed, 2) != 0;
        w->report[k] = reports && pick(seed, 2);
        if (k > 0 && kind == 0 && pick(seed, 2)) {
            w->lock_of[k] = (uint8_t)(1 + pick(seed, k));
            if (w->lock_of[w->lock_of[k] - 1]) w->lock_of[k] = 0;
            if (w->lock_of[k]) w->in_order[k] = 0; /* anybody may be notified first */
        }
    }
}

/* One thing happens. True: a wait began, as the last one of the queue. */
static bool step(struct world *w, uint64_t *seed) {
    unsigned what = pick(seed, 16), owner = pick(seed, OWNERS), object = pick(seed, OBJECTS);
    unsigned waits_of_owner = 0;
    for (uint32_t i = 0; i < w->waiting; i++) waits_of_owner += w->queue[i].owner == owner;
    if (what == 0 && w->waiting) { /* a time-out */
        drop(w, pick(seed, w->waiting));
    } else if (what == 1) { /* the end of an owner */
        for (uint32_t i = 0; i < w->waiting; i++) {
            if (w->queue[i].owner == owner) drop(w, i--);
        }
        for (unsigned k = 0; k < OBJECTS; k++) w->held[k][owner] = 0;
    } else if (what < 4) { /* who runs gives back */
        if (waits_of_owner == 0 || owner == 0) w->held[object][owner] = 0;
    } else if (w->waiting < WAITS && (waits_of_owner == 0 || (owner < 2 && waits_of_owner < 3))) {
        /* owners 0 and 1 are of those with several waits */
        unsigned capacity = w->capacity[object];
        unsigned amount =
            capacity == ALL_OF_IT ? (pick(seed, 2) ? 1 : ALL_OF_IT) : 1 + pick(seed, capacity);
        w->queue[w->waiting++] =
            (struct request){(uint8_t)owner, (uint8_t)object, (uint8_t)amount, ++w->clock};
        uint32_t before = w->waiting;
        settle(w);
        return w->waiting == before;
    }
    settle(w);
    return false;
}

/* The last of the stuck waits that could be granted were their owners to go on; WAITS: there is none. */
static uint32_t last_to_close(const struct world *w, uint32_t among) {
    uint32_t last = WAITS;
    for (uint32_t i = 0; i < w->waiting; i++) {
        if (!(among >> i & 1) || !(run(w, w->queue[i].owner) >> i & 1)) continue;
        if (last == WAITS || w->queue[i].since > w->queue[last].since) last = i;
    }
    return last;
}

/* Whether a step of a cycle is what the world says it is. */
static void check_step(const struct world *w, struct ili_waitfor_step a,
                       struct ili_waitfor_step b) {
    const struct request *x = &w->queue[a.wait], *y = &w->queue[b.wait];
    if (a.queued) {
        cr_assert(w->in_order[x->object] && x->object == y->object && x->since > y->since);
    } else {
        cr_assert(w->held[subject(w, x)][y->owner], "it holds nothing of what is waited for");
    }
}

static uint32_t compare(const struct world *w) {
    uint32_t all = (1u << w->waiting) - 1, stuck = all & ~run(w, OWNERS);
    draw(w);
    solve(ILI_WAITFOR_ALL, true);
    for (uint32_t i = 0; i < w->waiting; i++) {
        cr_assert_eq(solved.stuck[i], stuck >> i & 1, "wait %u: %u", i, solved.stuck[i]);
    }
    cr_assert_eq(solved.cycle_count > 0, stuck != 0);
    uint32_t victims = 0;
    for (uint32_t c = 0; c < solved.cycle_count; c++) {
        const struct ili_waitfor_cycle *cycle = &solved.cycles[c];
        for (uint32_t i = 0; i < cycle->step_count; i++) {
            const struct ili_waitfor_step *steps = solved.steps + cycle->steps;
            cr_assert(stuck >> steps[i].wait & 1, "a false alarm");
            check_step(w, steps[i], steps[(i + 1) % cycle->step_count]);
        }
        victims |= 1u << victim(c);
    }
    return victims;
}

/* Whoever looks, of those that are STUCK, finds that the wait that began last is the one to fail. */
static void blame(const struct world *w, uint32_t stuck) {
    for (uint32_t i = 0; i < w->waiting; i++) {
        if (!(stuck >> i & 1)) continue;
        uint32_t last = 0;
        cr_assert_gt(from(i), 0);
        for (uint32_t c = 0; c < solved.cycle_count; c++) {
            if (waits[victim(c)].since_ns >= waits[last].since_ns) last = victim(c);
        }
        cr_assert_eq(last, w->waiting - 1, "only the wait that began is to blame");
    }
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SEQUENCES 10000 /* the arithmetic is the same, only slower */
#else
#define SEQUENCES 100000
#endif
#define STEPS 24

Test(session_waitfor, no_alarm_is_false_and_none_is_missed, .timeout = 300) {
    uint64_t seed = test_seed(20240607);
    unsigned long found = 0, tails = 0, busy = 0;
    for (unsigned n = 0; n < SEQUENCES; n++) {
        struct world w;
        make_world(&w, &seed, false);
        for (unsigned i = 0; i < STEPS; i++) {
            bool began = step(&w, &seed);
            if (w.waiting < 2) continue;
            busy++;
            uint32_t stuck = ((1u << w.waiting) - 1) & ~run(&w, OWNERS), victims = compare(&w);
            if (began && stuck) {
                blame(&w, stuck);
                tails += (stuck & (stuck - 1)) != 0;
            }
            for (unsigned k = 0; victims; k++) { /* each victim fails until all others can go on */
                cr_assert_lt(k, WAITS);
                uint32_t last = last_to_close(&w, stuck);
                cr_assert_neq(last, WAITS, "nobody closes it");
                cr_assert(victims >> last & 1, "wait %u is the victim", last);
                drop(&w, last);
                settle(&w);
                found++;
                stuck = ((1u << w.waiting) - 1) & ~run(&w, OWNERS);
                victims = compare(&w);
            }
        }
    }
    cr_assert_gt(found, SEQUENCES / 4, "only %lu of %lu", found, busy);
    cr_assert_gt(tails, 0);
}

/* Where deadlocks are only reported they stand, grow tails and merge. */
Test(session_waitfor, deadlocks_that_stand_are_told_from_what_waits_for_them, .timeout = 300) {
    uint64_t seed = test_seed(99);
    unsigned long standing = 0, together = 0;
    for (unsigned n = 0; n < SEQUENCES / 10; n++) {
        struct world w;
        make_world(&w, &seed, true);
        for (unsigned i = 0; i < STEPS * 2; i++) {
            bool began = step(&w, &seed);
            if (w.waiting < 2) continue;
            uint32_t victims = compare(&w), left = victims;
            uint32_t stuck = ((1u << w.waiting) - 1) & ~run(&w, OWNERS);
            uint32_t last = last_to_close(&w, stuck);
            if (last != WAITS) cr_assert(victims >> last & 1, "the last to close is a victim");
            for (uint32_t v = 0; left; v++, left >>= 1) {
                if (!(left & 1)) continue;
                standing++;
                together += !(run(&w, w.queue[v].owner) >> v & 1);
            }
            /* from the new wait's point of view */
            if (began && (stuck >> (w.waiting - 1) & 1)) {
                bool closing = run(&w, w.queue[w.waiting - 1].owner) >> (w.waiting - 1) & 1;
                cr_assert_gt(from(w.waiting - 1), 0);
                bool blamed = false;
                for (uint32_t c = 0; c < solved.cycle_count; c++) {
                    blamed |= victim(c) == w.waiting - 1;
                }
                cr_assert(blamed || !closing, "the wait that closes a cycle is its victim");
                if (blamed && !w.report[w.queue[w.waiting - 1].object]) drop(&w, w.waiting - 1);
            }
            settle(&w);
        }
    }
    cr_assert_gt(standing, SEQUENCES / 100);
    cr_assert_lt(together * 20, standing, "victims that close nothing are rare: %lu of %lu",
                 together, standing);
}
