/*
 * kills.h - a campaign of random kills: processes use some objects, are killed at random instants, and
 * replaced. What must hold each time: all the others go on, those who wait are granted what the dead one
 * had, and the witnesses (crew.h, witness.h) see nothing wrong. At the end everything is free and sound,
 * and no memory is lost.
 */
#ifndef TESTS_SUPPORT_KILLS_H
#define TESTS_SUPPORT_KILLS_H

#include <criterion/criterion.h>
#include <stdio.h>

#include "support/witness.h"

#define KILLS_MEMBERS 6
#define KILLS_WATCHDOG_S 10.0
/* The aim is 10 ms; machines that run tests are busy, and sanitized code is slow. */
#if defined(__SANITIZE_ADDRESS__)
#define KILLS_LIMIT_P99_MS 2000.0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KILLS_LIMIT_P99_MS 2000.0
#endif
#endif
#ifndef KILLS_LIMIT_P99_MS
#define KILLS_LIMIT_P99_MS 100.0
#endif

struct campaign {
    const char *name;
    unsigned things; /* bits: those of crew_board.locks that are granted on and on, whoever dies */
    void (*roles[KILLS_MEMBERS])(struct crew *c);
    /* Proves that all is sound and free, and removes it; once before, once after. */
    void (*settle)(struct crew *c);
    void (*nudge)(struct crew *c); /* see struct crew; may be NULL */
};

struct kills_record {
    unsigned count;
    float ms[20000];
};

static inline int kills_by_size(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static inline void kills_note(struct kills_record *r, int64_t ns) {
    if (r->count < 20000) r->ms[r->count++] = (float)ns / 1e6f;
}

static inline float kills_percentile(struct kills_record *r, double p) {
    if (r->count == 0) return 0;
    qsort(r->ms, r->count, sizeof r->ms[0], kills_by_size);
    return r->ms[(unsigned)((r->count - 1) * p)];
}

struct kills_awaited {
    struct crew *crew;
    unsigned thing;
    int64_t since_ns;
    uint64_t progress[KILLS_MEMBERS];
    unsigned but;
};

static inline bool kills_was_granted(void *context) {
    struct kills_awaited *a = context;
    return atomic_load(&a->crew->board->locks[a->thing].first_grant_ns) > a->since_ns ||
           atomic_load(&a->crew->board->troubles);
}

static inline bool kills_all_moved(void *context) {
    struct kills_awaited *a = context;
    if (atomic_load(&a->crew->board->troubles)) return true;
    for (unsigned i = 0; i < KILLS_MEMBERS; i++) {
        if (i != a->but && atomic_load(&a->crew->board->members[i].progress) == a->progress[i])
            return false;
    }
    return true;
}

/* A moment drawn by chance: after some operations of the victim; in half of the cases where it hurts, with
 * something in its hands that the others wait for. */
static inline void kills_await_instant(struct crew *c, unsigned victim, uint64_t *random) {
    struct crew_member *m = &c->board->members[victim];
    uint64_t from = atomic_load(&m->progress), by = test_random(random) % 40;
    bool holding = test_random(random) % 2 != 0;
    int64_t lull = (int64_t)(test_random(random) % (holding ? 1500000 : 30000));
    int64_t end = test_now_ns() + 20000000;
    while (atomic_load(&m->progress) < from + by && test_now_ns() < end) {
    }
    if (holding) atomic_store(&m->linger, 1);
    while (holding && atomic_load(&m->holding) == 0 && test_now_ns() < end) test_pause();
    int64_t until = test_now_ns() + lull;
    while (test_now_ns() < until) {
    }
}

struct kills_tally {
    struct kills_record next_grant, everybody;
    unsigned holders;
};

/* Kills one member, sees that the others go on, and replaces it. NULL, or what is wrong. */
static inline const char *kills_round(const struct campaign *campaign, struct crew *c,
                                      struct kills_tally *tally, uint64_t *random) {
    unsigned victim = (unsigned)(test_random(random) % KILLS_MEMBERS);
    struct kills_awaited a = {.crew = c, .but = victim};
    kills_await_instant(c, victim, random);
    witness_doom(c, victim);
    a.since_ns = test_now_ns();
    atomic_store(&c->board->killed_ns, a.since_ns);
    kill(c->pids[victim], SIGKILL);
    waitpid(c->pids[victim], NULL, 0);
    c->pids[victim] = 0;
    c->killed++;
    uint32_t held = atomic_load(&c->board->members[victim].holding);
    for (unsigned i = 0; i < KILLS_MEMBERS; i++)
        a.progress[i] = atomic_load(&c->board->members[i].progress);
    for (a.thing = 0; a.thing < CREW_LOCKS; a.thing++) {
        if (!(campaign->things >> a.thing & 1)) continue;
        if (!test_wait(kills_was_granted, &a, KILLS_WATCHDOG_S)) return "no waiter is granted";
        if (held != a.thing + 1) continue;
        kills_note(&tally->next_grant,
                   atomic_load(&c->board->locks[a.thing].first_grant_ns) - a.since_ns);
        tally->holders++;
    }
    if (!test_wait(kills_all_moved, &a, KILLS_WATCHDOG_S)) return "not all survivors go on";
    kills_note(&tally->everybody, test_now_ns() - a.since_ns);
    c->lost += atomic_load(&c->board->members[victim].taking);
    if (atomic_load(&c->board->troubles)) return c->board->trouble;
    return crew_start(c, victim, campaign->roles[victim]) ? NULL : "fork";
}

/* The crew's own queues, by which it is told to stop, and the campaign's objects. */
static inline void kills_settle(const struct campaign *campaign, struct crew *c) {
    if (campaign->settle) campaign->settle(c);
    for (unsigned i = 0; i < 2; i++) {
        il_queue_close(crew_open_queue(c, i));
        il_queue_delete(c->world->domain, crew_queue_name(i), strlen(crew_queue_name(i)));
    }
}

static inline void kills_print(const struct campaign *campaign, bool served, unsigned rounds,
                               struct kills_tally *t) {
    fprintf(
        stderr,
        "%s, %s: %u kills, %u of who held something or waited; the next grant of the same after "
        "%.2f ms (p50) %.2f ms (p99) %.2f ms (most); every survivor done with its next thing "
        "after %.2f %.2f %.2f ms\n",
        campaign->name, served ? "served" : "private", rounds, t->holders,
        kills_percentile(&t->next_grant, 0.5), kills_percentile(&t->next_grant, 0.99),
        kills_percentile(&t->next_grant, 1), kills_percentile(&t->everybody, 0.5),
        kills_percentile(&t->everybody, 0.99), kills_percentile(&t->everybody, 1));
}

static inline void kill_at_random(const struct campaign *campaign, bool served, unsigned rounds) {
    static struct kills_tally tally;
    static struct world w;
    static struct crew c;
    uint64_t random = test_seed(42);
    memset(&tally, 0, sizeof tally);
    cr_assert(world_open(&w, served, UINT64_C(128) << 20), "%s", il_error_message());
    cr_assert(crew_open(&c, &w));
    c.me = CREW_MOST - 1;
    c.nudge = campaign->nudge;
    world_watch(&w);
    kills_settle(campaign, &c); /* from here on the name table has its size */
    world_await_time(&w);
    uint64_t free_at_first = world_free_bytes(&w);
    const char *what = atomic_load(&c.board->troubles) ? c.board->trouble : NULL;
    for (unsigned i = 0; i < KILLS_MEMBERS; i++) cr_assert(crew_start(&c, i, campaign->roles[i]));

    for (unsigned round = 0; round < rounds && !what; round++) {
        what = kills_round(campaign, &c, &tally, &random);
        if (what) fprintf(stderr, "%s, round %u: %s\n", campaign->name, round, what);
    }
    if (!what && !crew_stop(&c, KILLS_WATCHDOG_S)) what = c.board->trouble;
    cr_assert(what == NULL, "%s: %s [%s]", campaign->name, what, c.board->trouble);
    cr_assert(test_wait(world_is_alone, &w, KILLS_WATCHDOG_S), "not all were recovered");
    kills_settle(campaign, &c);
    cr_assert_eq(atomic_load(&c.board->troubles), 0, "%s: %s", campaign->name, c.board->trouble);
    cr_assert_eq(world_check_alloc(&w), IL_OK);
    cr_assert(world_gets_back(&w, free_at_first, 1), "%s: %lld bytes are lost", campaign->name,
              (long long)(free_at_first - world_free_bytes(&w)));
    kills_print(campaign, served, rounds, &tally);
    cr_assert(kills_percentile(&tally.next_grant, 0.99) < KILLS_LIMIT_P99_MS);
    world_close(&w);
    crew_close(&c);
}

static inline unsigned kills_rounds(unsigned usual) {
    const char *given = getenv("INTERLOCK_ROUNDS");
    return given ? (unsigned)atoi(given) : test_torture() ? 10000 : usual;
}

/* Test(SUITE, NAME_in_a_private_domain) and …_in_a_served_domain of the struct campaign NAME. */
#define EACH_CAMPAIGN(suite, name, usual)                                                          \
    Test(suite, name##_in_a_private_domain, .timeout = 14400) {                                    \
        kill_at_random(&name, false, kills_rounds(usual));                                         \
    }                                                                                              \
    Test(suite, name##_in_a_served_domain, .timeout = 14400) {                                     \
        WORLD_SKIP_SERVED();                                                                       \
        kill_at_random(&name, true, kills_rounds(usual));                                          \
    }

#endif
