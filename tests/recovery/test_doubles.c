/*
 * Two processes die at once, each at a named point; and the keeper dies while it repairs after one.
 * Private domains: a served one dies with its keeper. Scenario, points and passages are drawn by seed.
 */
#include <criterion/criterion.h>

#ifdef IL_POINTS
#include "support/scenario_run.h"

/* The points that one run without deaths passed; returns how many. */
static unsigned passed_points(uint32_t counts[POINTS_MOST], unsigned order[POINTS_MOST]) {
    unsigned count = 0;
    for (unsigned i = 0; i < passages->all.count; i++) {
        counts[i] = atomic_load(&passages->counted[i]);
        if (counts[i]) order[count++] = i;
    }
    return count;
}

static void forget_passages(void) {
    for (unsigned i = 0; i < POINTS_MOST; i++) atomic_store(&passages->counted[i], 0);
}

static void complain(const struct run *run) {
    fprintf(stderr, "%s, %s:%u and %s:%u: %s\n", run->scenario->name, run->points[0],
            run->passages[0], run->keeper_point ? run->keeper_point : run->points[1],
            run->keeper_point ? run->keeper_passage : run->passages[1], run->trouble);
}

Test(recovery_doubles, two_processes_die_at_once, .timeout = 3600) {
    uint64_t random = test_seed(11);
    unsigned hits = 0, failures = 0, each = test_torture() ? 100 : 4;
    prepare();
    for (unsigned s = 0; s < SCENARIOS && failures < 5; s++) {
        uint32_t counts[POINTS_MOST];
        unsigned order[POINTS_MOST];
        struct run run = {.scenario = &scenarios[s]};
        if (scenarios[s].bells || !wanted("INTERLOCK_SCENARIO", scenarios[s].name)) continue;
        forget_passages();
        perform(&run);
        unsigned count = passed_points(counts, order);
        cr_assert(count > 0 && run.trouble[0] == 0, "%s", run.trouble);
        for (unsigned t = 0; t < each && failures < 5; t++) {
            for (int v = 0; v < 2; v++) {
                unsigned point = order[test_random(&random) % count];
                run.points[v] = passages->all.names[point];
                run.passages[v] = 1 + (uint32_t)(test_random(&random) % counts[point]);
            }
            perform(&run);
            hits += run.hit;
            if (run.trouble[0]) {
                complain(&run);
                failures++;
            }
        }
    }
    fprintf(stderr, "%u runs with one or two deaths\n", hits);
    cr_assert_eq(failures, 0);
    cr_assert(hits > 0);
}

struct keepers {
    bool reached[POINTS_MOST];
    unsigned hits, failures;
    uint64_t random;
};

/* RUN's victim dies; then the same with the keeper dying at a few of the points that it passed. */
static void keeper_dies(struct keepers *k, struct run *run) {
    uint32_t counts[POINTS_MOST];
    unsigned order[POINTS_MOST];
    run->own_keeper = true;
    run->keeper_point = NULL;
    forget_passages();
    perform(run);
    unsigned count = passed_points(counts, order);
    for (int t = 0; t < 4 && count > 0 && run->trouble[0] == 0; t++) {
        unsigned i = order[test_random(&k->random) % count];
        for (unsigned f = 0; f < count; f++) {
            if (!k->reached[order[f]]) i = order[f]; /* the new ones first */
        }
        run->keeper_point = passages->all.names[i];
        run->keeper_passage = 1 + (uint32_t)(test_random(&k->random) % counts[i]);
        perform(run);
        k->reached[i] |= run->keeper_hit;
        k->hits += run->keeper_hit;
    }
    if (run->trouble[0]) {
        complain(run);
        k->failures++;
    }
}

/* Victims die in SCENARIO at EACH points, drawn. */
static void keeper_dies_in(struct keepers *k, const struct scenario *scenario, unsigned each) {
    uint32_t counts[POINTS_MOST];
    unsigned order[POINTS_MOST];
    struct run run = {.scenario = scenario};
    if (scenario->bells || !wanted("INTERLOCK_SCENARIO", scenario->name)) return;
    forget_passages();
    perform(&run);
    unsigned count = passed_points(counts, order);
    cr_assert(count > 0 && run.trouble[0] == 0, "%s", run.trouble);
    for (unsigned t = 0; t < each && k->failures < 5; t++) {
        unsigned point = order[test_random(&k->random) % count];
        run.points[0] = passages->all.names[point];
        run.passages[0] = 1 + (uint32_t)(test_random(&k->random) % counts[point]);
        keeper_dies(k, &run);
    }
}

/* How many points that only keepers pass no keeper has died at. */
static unsigned unreached(const struct keepers *k, bool say) {
    unsigned count = 0;
    if (getenv("INTERLOCK_SCENARIO")) return 0;
    for (unsigned p = 0; p < passages->all.count; p++) {
        if (k->reached[p] || !is_keepers(passages->all.names[p])) continue;
        if (say) fprintf(stderr, "no keeper died at %s\n", passages->all.names[p]);
        count++;
    }
    return count;
}

/* Whether SCENARIO's name is the object of the point NAME: "barrier" of "recover.barrier.dropped". */
static bool is_about(const struct scenario *scenario, const char *name) {
    char word[48];
    const char *from = strchr(name, '.'), *to = from ? strchr(from + 1, '.') : NULL;
    if (!to) return false;
    snprintf(word, sizeof word, "%.*s", (int)(to - from - 1), from + 1);
    return strstr(scenario->name, word) != NULL;
}

/* Whether SCENARIO may bring a keeper to a point that none has died at: the ones about its object, or if there
 * are none, any. */
static bool may_help(const struct keepers *k, const struct scenario *scenario) {
    for (unsigned p = 0; p < passages->all.count; p++) {
        const char *name = passages->all.names[p];
        bool about = false;
        if (k->reached[p] || !is_keepers(name)) continue;
        for (unsigned s = 0; s < SCENARIOS; s++) about |= is_about(&scenarios[s], name);
        if (!about || is_about(scenario, name)) return true;
    }
    return false;
}

Test(recovery_doubles, the_keeper_dies_during_repair, .timeout = 3600) {
    struct keepers k = {.random = test_seed(12)};
    unsigned each = test_torture() ? 60 : 3;
    prepare();
    /* again if a victim did not happen to die where the keeper has that to do */
    for (unsigned turn = 0; turn < 12 && (turn == 0 || unreached(&k, false)); turn++) {
        for (unsigned s = 0; s < SCENARIOS && k.failures < 5; s++) {
            if (turn == 0 || may_help(&k, &scenarios[s])) keeper_dies_in(&k, &scenarios[s], each);
        }
    }
    fprintf(stderr, "%u keepers died\n", k.hits);
    cr_assert_eq(k.failures, 0);
    cr_assert_eq(unreached(&k, true), 0);
}

#else

Test(recovery_doubles, needs_a_build_with_points) { cr_skip("built without IL_POINTS"); }

#endif
