/* Maps: each element its own task, whatever chunk it goes in. */
#include "support/pools.h"

TestSuite(work_map, .init = world_open, .fini = world_close, .timeout = 120);

struct seen {
    struct ili_map_watch watch; /* first */
    struct ili_map *map;
    unsigned count, wrong;
    uint8_t times[20000];
};

static void element(struct ili_map_watch *watch, struct ili_map *map, struct ili_task *task) {
    struct seen *seen = (struct seen *)watch;
    if (!ili_task_has_ended(task) || map->order[map->ended - 1] != task->index) seen->wrong++;
    seen->times[task->index]++;
    seen->count++;
}

/* Element i is FUNCTION(i, 1). */
static struct ili_map *submit(struct ili_pool *pool, const char *function, unsigned count,
                              unsigned chunk, const struct ili_task_options *options,
                              struct seen *seen) {
    struct ili_map_item *items = calloc(count + 1, sizeof *items);
    char(*texts)[32] = calloc(count + 1, sizeof *texts);
    struct ili_map *map = NULL;
    struct ili_fault fault = {0};
    for (unsigned i = 0; i < count; i++) {
        items[i].args = texts[i];
        items[i].args_bytes = (size_t)snprintf(texts[i], sizeof *texts, "[%u,1]", i);
    }
    cr_assert_eq(ili_map_submit(pool, function, strlen(function), items, count, NULL, 0, chunk,
                                options, &map, &fault),
                 IL_OK, "%s", fault.detail);
    free(items);
    free(texts);
    if (seen) {
        *seen = (struct seen){.watch.element = element, .map = map};
        ili_map_watch(map, &seen->watch);
    }
    return map;
}

static void assert_sums(const struct ili_map *map, const struct seen *seen) {
    char expected[32];
    cr_assert_eq(seen->wrong, 0);
    cr_assert_eq(map->ended, map->count);
    cr_assert_eq(map->succeeded, map->count);
    for (unsigned i = 0; i < map->count; i++) {
        snprintf(expected, sizeof expected, "%u", i + 1);
        cr_assert_eq(seen->times[i], 1, "element %u was told %u times", i, seen->times[i]);
        cr_assert_eq(map->tasks[i]->result_bytes, strlen(expected));
        cr_assert_eq(memcmp(map->tasks[i]->result, expected, strlen(expected)), 0);
    }
}

Test(work_map, every_element_ends_once_with_any_chunk_and_any_worker) {
    static const unsigned chunks[] = {0, 1, 7, 5000};
    static const char *const workers[] = {"", "batch"};
    static struct seen seen;
    for (unsigned w = 0; w < 2; w++) {
        struct ili_pool *pool = world_pool(w ? "batch" : "one", 2, workers[w], NULL);
        for (unsigned i = 0; i < 4; i++) {
            struct ili_map *map = submit(pool, "add", 5000, chunks[i], NULL, &seen);
            cr_assert_eq(map->chunk, chunks[i] ? chunks[i] : 625);
            cr_assert(world_until(seen.count == 5000, 60));
            assert_sums(map, &seen);
            cr_assert_eq(ili_map_forget(map), IL_OK);
        }
    }
    world_turn();
    cr_assert_eq(ili_pools_task_count(&world.pools), 0);
}

Test(work_map, an_empty_one_has_ended) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct ili_map *map = submit(pool, "add", 0, 0, NULL, NULL);
    cr_assert_eq(map->count, 0);
    cr_assert_neq(map->ended_ns, 0);
    cr_assert_eq(ili_map_find(&world.pools, map->id), map);
    cr_assert_eq(ili_map_forget(map), IL_OK);
}

Test(work_map, it_is_found_kept_and_forgotten_with_its_tasks) {
    static struct seen seen;
    struct ili_pool *pool = world_pool("p", 1, "batch", NULL);
    struct ili_task_options options = world_options(pool);
    options.keep_ns = 30000000;
    struct ili_map *map = submit(pool, "add", 10, 0, &options, &seen);
    uint64_t id = map->id, task = map->tasks[3]->id;
    cr_assert_eq(ili_map_forget(map), IL_EBUSY);
    cr_assert_eq(ili_task_find(&world.pools, task)->index, 3);
    cr_assert(world_until(seen.count == 10, 20));
    cr_assert_eq(ili_task_forget(map->tasks[3]), IL_EBUSY);
    cr_assert_eq(ili_map_find(&world.pools, id), map);
    cr_assert(world_until(!ili_map_find(&world.pools, id), 20));
    cr_assert_eq(ili_task_find(&world.pools, task), NULL);
}

Test(work_map, kwargs_are_shared_and_given_to_each) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct ili_map_item items[] = {{"[1]", 3}, {"[2]", 3}};
    struct ili_map *map;
    struct ili_fault fault;
    cr_assert_eq(ili_map_submit(pool, "echo", 4, items, 2, "{\"a\":\n1}", 8, 0, NULL, &map, &fault),
                 IL_OK);
    cr_assert(world_until(map->ended == 2, 20));
    cr_assert_eq(map->kwargs_bytes, 8);
    cr_assert_eq(memcmp(map->kwargs, "{\"a\": 1}", 8), 0);
    cr_assert_eq(map->tasks[1]->result[0], '2');
}

Test(work_map, too_many_are_refused_and_none_is_submitted) {
    struct ili_pool_options options;
    ili_pool_options_init(&options);
    options.max_queued = 5;
    struct ili_pool *pool = world_pool("p", 1, "silent", &options);
    struct ili_map_item items[6];
    struct ili_map *map;
    struct ili_fault fault;
    for (int i = 0; i < 6; i++) items[i] = (struct ili_map_item){"[1]", 3};
    cr_assert_eq(ili_map_submit(pool, "echo", 4, items, 6, NULL, 0, 0, NULL, &map, &fault),
                 IL_ELIMIT);
    cr_assert_eq(world_counts(pool).submitted, 0);
    cr_assert_eq(ili_map_submit(pool, "echo", 4, items, 5, NULL, 0, 0, NULL, &map, &fault), IL_OK);
    cr_assert_eq(world_counts(pool).by_state[ILI_TASK_QUEUED], 5);
}

Test(work_map, one_failure_touches_no_other_element) {
    static struct seen seen;
    struct ili_pool *pool = world_pool("p", 1, "batch", NULL);
    struct told told;
    for (int i = 0; i < 2; i++) world_call(pool, "add", "[1,1]", NULL, &told);
    struct ili_map_item items[] = {{"[1]", 3}, {"[9]", 3}, {"[2]", 3}, {"[3]", 3}};
    struct ili_task_options options = world_options(pool);
    struct ili_map *map;
    struct ili_fault fault;
    options.retries = 0;
    cr_assert_eq(ili_map_submit(pool, "flaky", 5, items, 4, NULL, 0, 4, &options, &map, &fault),
                 IL_OK);
    seen = (struct seen){.watch.element = element};
    ili_map_watch(map, &seen.watch);
    cr_assert(world_until(seen.count == 4, 20));
    cr_assert_eq(map->tasks[0]->state, ILI_TASK_SUCCEEDED);
    for (int i = 1; i < 4; i++) cr_assert_eq(map->tasks[i]->state, ILI_TASK_FAILED);
    cr_assert_eq(map->succeeded, 1);
}

/* A chunk of functions of which the third kills its worker. */
Test(work_map, a_death_is_blamed_on_the_one_that_ran) {
    struct ili_pool *pool = world_pool("p", 1, "batch", NULL);
    struct told told;
    struct ili_map_item items[8];
    char path[64], texts[8][80];
    struct ili_map *map;
    struct ili_fault fault;
    struct ili_task_options options = world_options(pool);
    snprintf(path, sizeof path, "/tmp/interlock-once-%d", (int)getpid());
    unlink(path);
    world_call(pool, "add", "[1,1]", NULL, &told);
    FILE *file = fopen(path, "we"); /* the first two find it and live */
    cr_assert(file && fclose(file) == 0);
    for (int i = 0; i < 8; i++) {
        snprintf(texts[i], sizeof texts[i], "[\"%s%s\"]", path, i == 2 ? "-third" : "");
        items[i] = (struct ili_map_item){texts[i], strlen(texts[i])};
    }
    options.retries = 1;
    options.backoff_ns = 1000000;
    cr_assert_eq(ili_map_submit(pool, "once", 4, items, 8, NULL, 0, 8, &options, &map, &fault),
                 IL_OK);
    cr_assert(world_until(map->ended == 8, 20));
    unlink(path);
    snprintf(path, sizeof path, "/tmp/interlock-once-%d-third", (int)getpid());
    unlink(path);
    for (int i = 0; i < 8; i++) {
        const struct ili_task *task = map->tasks[i];
        cr_assert_eq(task->state, ILI_TASK_SUCCEEDED);
        cr_assert_eq(task->attempts, i == 2 ? 2 : 1, "element %d had %u attempts", i,
                     task->attempts);
        cr_assert_eq(task->crashes, i == 2 ? 1 : 0);
    }
    cr_assert_eq(world_counts(pool).crashed_workers, 1);
}

Test(work_map, those_of_a_chunk_that_have_not_begun_are_queued) {
    struct ili_pool *pool = world_pool("p", 1, "batch", NULL);
    struct told told;
    struct ili_map_item items[4] = {{"[20000]", 7}, {"[20000]", 7}, {"[0]", 3}, {"[0]", 3}};
    struct ili_map *map;
    struct ili_fault fault;
    world_call(pool, "add", "[1,1]", NULL, &told);
    cr_assert_eq(ili_map_submit(pool, "sleep", 5, items, 4, NULL, 0, 4, NULL, &map, &fault), IL_OK);
    cr_assert(world_until(map->tasks[0]->state == ILI_TASK_RUNNING, 20));
    for (int i = 1; i < 4; i++) {
        cr_assert_eq(map->tasks[i]->state, ILI_TASK_QUEUED);
        cr_assert_neq(map->tasks[i]->worker, NULL, "it was sent");
        cr_assert_eq(map->tasks[i]->attempts, 0);
    }
    ili_task_cancel(map->tasks[1]); /* before it begins */
    cr_assert(world_until(map->ended == 1, 20));
    cr_assert_eq(map->tasks[1]->state, ILI_TASK_CANCELLED);
    cr_assert_eq(map->tasks[1]->attempts, 0);
    ili_task_cancel(map->tasks[0]);
    cr_assert(world_until(map->ended == 4, 20));
    cr_assert_eq(map->tasks[0]->state, ILI_TASK_CANCELLED);
    cr_assert_eq(map->succeeded, 2);
}

Test(work_map, cancel_ends_all_that_has_not_ended) {
    static struct seen seen;
    struct ili_pool_options options;
    ili_pool_options_init(&options);
    options.grace_ns = 50000000;
    struct ili_pool *pool = world_pool("p", 2, "batch", &options);
    struct told told;
    world_call(pool, "add", "[1,1]", NULL, &told);
    struct ili_map_item items[100];
    struct ili_map *map;
    struct ili_fault fault;
    for (int i = 0; i < 100; i++) items[i] = (struct ili_map_item){"[20000]", 7};
    cr_assert_eq(ili_map_submit(pool, "stuck", 5, items, 100, NULL, 0, 10, NULL, &map, &fault),
                 IL_OK);
    seen = (struct seen){.watch.element = element};
    ili_map_watch(map, &seen.watch);
    cr_assert(world_until(world_counts(pool).by_state[ILI_TASK_RUNNING] == 2, 20));
    ili_map_cancel(map);
    cr_assert(world_until(seen.count == 100, 20));
    for (int i = 0; i < 100; i++) cr_assert_eq(map->tasks[i]->state, ILI_TASK_CANCELLED);
    world_call(pool, "add", "[1,1]", NULL, &told);
    cr_assert_str_eq(told.result, "2");
}

/* Calls that were quick are sent many at once; should one take long after all, those behind it are given to a
 * worker that has nothing to do. */
Test(work_map, nothing_waits_long_behind_another_while_a_worker_is_idle) {
    static struct seen seen;
    struct ili_pool *pool = world_pool("p", 2, "batch", NULL);
    cr_assert(world_until(world_up(pool) == 2, 20));
    for (int i = 0; i < 5; i++) { /* learns that calls are quick */
        struct ili_map *map = submit(pool, "add", 5000, 1, NULL, &seen);
        cr_assert(world_until(map->ended == 5000, 60));
    }
    struct ili_map_item items[20] = {{"[20000]", 7}};
    struct ili_map *map;
    struct ili_fault fault;
    for (int i = 1; i < 20; i++) items[i] = (struct ili_map_item){"[0]", 3};
    cr_assert_eq(ili_map_submit(pool, "sleep", 5, items, 20, NULL, 0, 1, NULL, &map, &fault),
                 IL_OK);
    cr_assert(world_until(map->ended == 19, 10), "%u have ended", map->ended);
    cr_assert_eq(map->tasks[0]->state, ILI_TASK_RUNNING);
    for (int i = 1; i < 20; i++) {
        cr_assert_eq(map->tasks[i]->state, ILI_TASK_SUCCEEDED);
        cr_assert_eq(map->tasks[i]->attempts, 1);
    }
    ili_pool_terminate(pool);
}

static void forget(struct ili_map_watch *watch, struct ili_map *map, struct ili_task *task) {
    struct seen *seen = (struct seen *)watch;
    (void)task;
    if (++seen->count == 2) ili_map_unwatch(map, &seen[1].watch);
    if (map->ended == map->count) cr_assert_eq(ili_map_forget(map), IL_OK);
}

Test(work_map, a_callback_may_unwatch_and_forget) {
    static struct seen seen[2];
    struct ili_pool *pool = world_pool("p", 1, "batch", NULL);
    struct ili_map *map = submit(pool, "add", 10, 0, NULL, NULL);
    uint64_t id = map->id;
    seen[0].watch.element = forget;
    seen[1].watch.element = element;
    ili_map_watch(map, &seen[1].watch);
    ili_map_watch(map, &seen[0].watch);
    cr_assert(world_until(!ili_map_find(&world.pools, id), 20));
    cr_assert_eq(seen[0].count, 10);
    cr_assert_eq(seen[1].count, 1);
    cr_assert_eq(ili_pools_task_count(&world.pools), 0);
}

Test(work_map, its_pool_may_be_deleted_while_it_runs) {
    static struct seen seen;
    struct ili_pool *pool = world_pool("p", 2, "batch", NULL);
    struct ili_map *map = submit(pool, "add", 20000, 10, NULL, &seen);
    uint64_t id = map->id;
    cr_assert(world_until(seen.count > 10, 20));
    ili_pool_delete(pool);
    cr_assert_eq(ili_map_find(&world.pools, id), NULL);
    cr_assert(world_until(seen.count == 20000, 20));
    cr_assert(world_until(ili_spawner_count(&world.pools.spawner) == 0, 20));
}

Test(work_map, ten_thousand_elements_survive_the_deaths_of_their_workers) {
    static struct seen seen;
    struct ili_pool_options often;
    ili_pool_options_init(&often);
    often.set_aside_after = 0; /* the same element may have bad luck again and again */
    struct ili_pool *pool = world_pool("p", 3, "batch", &often);
    struct ili_task_options options = world_options(pool);
    struct ili_worker_view views[3];
    uint64_t seed = test_seed(42);
    int64_t next_ns = test_now_ns();
    unsigned kills = 0, rounds = test_torture() ? 40 : 4;
    options.retries = 1000;
    options.backoff_ns = 1000000;
    options.backoff_most_ns = 4000000;
    for (unsigned round = 0; round < rounds; round++) {
        struct ili_map *map = submit(pool, "add", 10000, round % 3 * 20, &options, &seen);
        for (unsigned i = 0; i < 10000; i++) cr_assert_eq(map->tasks[i]->set_aside, false);
        while (seen.count < 10000) {
            world_turn();
            if (test_now_ns() < next_ns) continue;
            next_ns = test_now_ns() + (int64_t)(test_random(&seed) % 8000000);
            size_t count = ili_pool_worker_views(pool, views, 3);
            size_t which = count ? test_random(&seed) % count : 0;
            if (count && views[which].tasks_done && world_kill(&views[which])) kills++;
        }
        assert_sums(map, &seen);
        ili_map_forget(map);
    }
    cr_assert_gt(kills, rounds);
    cr_assert_gt(world_counts(pool).crashed_workers, 0);
    ili_pool_close(pool);
    cr_assert(world_until(ili_pool_state(pool) == ILI_POOL_ENDED, 20));
}
