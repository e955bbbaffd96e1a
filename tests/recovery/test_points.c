/*
 * A process dies at each named point of the core, in each situation that passes it; the others go on,
 * nothing is lost or granted twice, and no memory is lost.
 *
 * Each scenario (support/scenarios.h) is first run without a death, to learn which points its victim
 * passes and how often; then once for each of them and for some of the passages (INTERLOCK_TORTURE takes
 * many more), with the victim dying there. A point that no scenario reaches is a failure.
 * INTERLOCK_POINT=NAME, INTERLOCK_SCENARIO=NAME restrict a run; INTERLOCK_SEED chooses passages.
 */
#include <criterion/criterion.h>

#ifdef IL_POINTS
#include "support/scenario_run.h"

struct tally {
    bool reached[POINTS_MOST];
    unsigned runs, failures;
    double slowest_ms;
};

static void die_at(struct tally *tally, struct run *run, unsigned point, uint32_t passage) {
    run->points[0] = passages->all.names[point];
    run->passages[0] = passage;
    perform(run);
    tally->reached[point] |= run->hit;
    tally->runs++;
    if (run->slowest_ms > tally->slowest_ms) tally->slowest_ms = run->slowest_ms;
    if (run->slowest_ms > 500) {
        fprintf(stderr, "%s, dead at %s:%u: %.0f ms\n", run->scenario->name, run->points[0],
                passage, run->slowest_ms);
    }
    if (run->trouble[0] == 0) return;
    fprintf(stderr, "%s, %s, dead at %s:%u: %s\n", run->served ? "served" : "private",
            run->scenario->name, run->points[0], passage, run->trouble);
    tally->failures++;
}

static bool takes_place(const struct scenario *scenario, bool served) {
    if (!wanted("INTERLOCK_SCENARIO", scenario->name)) return false;
    return served ? !scenario->private_only : !scenario->bells;
}

static void die_everywhere(struct tally *tally, const struct scenario *scenario, bool served) {
    struct run run = {.scenario = scenario, .served = served};
    uint64_t random = test_seed(7);
    for (unsigned i = 0; i < POINTS_MOST; i++) atomic_store(&passages->counted[i], 0);
    perform(&run);
    if (run.trouble[0]) {
        fprintf(stderr, "%s, nobody dies: %s\n", scenario->name, run.trouble);
        tally->failures++;
        return;
    }
    for (unsigned p = 0; p < passages->all.count && tally->failures < 8; p++) {
        uint32_t count = atomic_load(&passages->counted[p]);
        unsigned tries = test_torture() ? 12 : served ? 1 : 2;
        if (count == 0 || !wanted("INTERLOCK_POINT", passages->all.names[p])) continue;
        for (unsigned t = 0; t < tries && t < count && tally->failures < 8; t++) {
            die_at(tally, &run, p, t == 0 ? 1 : 1 + (uint32_t)(test_random(&random) % count));
        }
    }
}

/* Some points are passed only when things meet: they get more chances, in every scenario. */
static bool try_harder(struct tally *tally, unsigned point, bool served) {
    for (unsigned t = 0; t < 5; t++) {
        for (unsigned s = 0; s < SCENARIOS; s++) {
            struct run run = {.scenario = &scenarios[s], .served = served};
            if (!takes_place(run.scenario, served)) continue;
            die_at(tally, &run, point, 1);
            if (tally->reached[point] || tally->failures) return tally->reached[point];
        }
    }
    return false;
}

static void test_all(bool served) {
    struct tally tally = {0};
    unsigned unreached = 0;
    prepare();
    cr_assert(passages->all.count > 20, "no points found: is INTERLOCK_SOURCE set?");
    for (unsigned s = 0; s < SCENARIOS && tally.failures < 8; s++) {
        if (takes_place(&scenarios[s], served)) die_everywhere(&tally, &scenarios[s], served);
    }
    bool all = !getenv("INTERLOCK_SCENARIO") && !getenv("INTERLOCK_POINT") && !tally.failures;
    for (unsigned p = 0; p < passages->all.count && all; p++) {
        const char *name = passages->all.names[p];
        if (is_keepers(name)) continue; /* test_doubles.c */
        if (!served && strncmp(name, "doorbell.", 9) == 0) continue;
        if (tally.reached[p] || try_harder(&tally, p, served)) continue;
        fprintf(stderr, "never died at %s\n", name);
        unreached++;
    }
    fprintf(stderr, "%s: %u runs for %u points; all survivors had moved on within %.1f ms\n",
            served ? "served" : "private", tally.runs, passages->all.count, tally.slowest_ms);
    cr_assert_eq(tally.failures, 0);
    cr_assert_eq(unreached, 0);
}

Test(recovery_points, survivors_go_on_in_a_private_domain, .timeout = 3600) { test_all(false); }

Test(recovery_points, survivors_go_on_in_a_served_domain, .timeout = 3600) {
    WORLD_SKIP_SERVED();
    test_all(true);
}

#else

Test(recovery_points, needs_a_build_with_points) { cr_skip("built without IL_POINTS"); }

#endif
