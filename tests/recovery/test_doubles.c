/*
 * Two processes die at once, each at a named point; and the keeper dies while it repairs after one.
 * Private domains: a served one dies with its keeper. Scenario, points and passages are drawn by seed.
 */
#include <criterion/criterion.h>

#ifdef IL_POINTS
#include "support/scenarios.h"

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
    unsigned hits = 0, failures = 0, each = test_torture() ? 100 : 8;
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

/* The victim's death, drawn; then the same with the keeper dying at each kind of point it passes. */
Test(recovery_doubles, the_keeper_dies_during_repair, .timeout = 3600) {
    uint64_t random = test_seed(12);
    bool reached[POINTS_MOST] = {false};
    unsigned hits = 0, failures = 0, each = test_torture() ? 60 : 6, unreached = 0;
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
            uint32_t keeper_counts[POINTS_MOST];
            unsigned keeper_order[POINTS_MOST], point = order[test_random(&random) % count];
            run.points[0] = passages->all.names[point];
            run.passages[0] = 1 + (uint32_t)(test_random(&random) % counts[point]);
            run.own_keeper = true;
            run.keeper_point = NULL;
            forget_passages();
            perform(&run);
            unsigned keeper_count = passed_points(keeper_counts, keeper_order);
            for (int k = 0; k < 4 && keeper_count > 0 && run.trouble[0] == 0; k++) {
                unsigned i = keeper_order[test_random(&random) % keeper_count];
                for (unsigned f = 0; f < keeper_count; f++) {
                    if (!reached[keeper_order[f]]) i = keeper_order[f]; /* the new ones first */
                }
                run.keeper_point = passages->all.names[i];
                run.keeper_passage = 1 + (uint32_t)(test_random(&random) % keeper_counts[i]);
                perform(&run);
                reached[i] |= run.keeper_hit;
                hits += run.keeper_hit;
            }
            if (run.trouble[0]) {
                complain(&run);
                failures++;
            }
        }
    }
    for (unsigned p = 0; p < passages->all.count && !getenv("INTERLOCK_SCENARIO"); p++) {
        if (reached[p] || strncmp(passages->all.names[p], "recover.", 8) != 0) continue;
        fprintf(stderr, "no keeper died at %s\n", passages->all.names[p]);
        unreached++;
    }
    fprintf(stderr, "%u keepers died\n", hits);
    cr_assert_eq(failures, 0);
    cr_assert_eq(unreached, 0);
}

#else

Test(recovery_doubles, needs_a_build_with_points) { cr_skip("built without IL_POINTS"); }

#endif
