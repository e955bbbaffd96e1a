/* Pools of real workers: their life, what their workers are given, and how they end. */
#include "support/pools.h"

TestSuite(work_pool, .init = world_open, .fini = world_close, .timeout = 60);

struct joined {
    struct ili_pool_watch watch; /* first */
    unsigned times;
};

static void joined(struct ili_pool_watch *watch, struct ili_pool *pool) {
    ((struct joined *)watch)->times++;
    cr_assert_eq(ili_pool_state(pool), ILI_POOL_ENDED);
}

Test(work_pool, a_task_is_run_by_a_worker) {
    struct ili_pool *pool = world_pool("p", 2, "", NULL);
    struct told told;
    world_call(pool, "add", "[20,22]", NULL, &told);
    cr_assert_eq(told.state, ILI_TASK_SUCCEEDED, "%s", told.error);
    cr_assert_str_eq(told.result, "42");
    cr_assert_eq(told.attempts, 1);
    cr_assert(told.worker_pid > 0);
    cr_assert_eq(world_counts(pool).by_state[ILI_TASK_SUCCEEDED], 1);
}

Test(work_pool, names_are_found_listed_and_compared) {
    struct ili_pool *b = world_pool("b", 1, "", NULL), *a = world_pool("a", 1, "", NULL);
    struct ili_pool_options options = *ili_pool_options(b);
    struct ili_pool *found;
    struct ili_fault fault;
    bool created;
    size_t bytes;
    cr_assert_eq(ili_pool_find(&world.pools, "b", 1), b);
    cr_assert_eq(ili_pool_find(&world.pools, "bb", 2), NULL);
    cr_assert_eq(ili_pool_after(&world.pools, NULL, 0), a);
    cr_assert_eq(ili_pool_after(&world.pools, "a", 1), b);
    cr_assert_eq(ili_pool_after(&world.pools, "aa", 2), b);
    cr_assert_eq(ili_pool_after(&world.pools, "b", 1), NULL);
    cr_assert_str_eq(ili_pool_name(b, &bytes), "b");
    cr_assert_eq(bytes, 1);
    cr_assert_eq(ili_pool_make(&world.pools, "b", 1, &options, &found, &created, &fault), IL_OK);
    cr_assert(found == b && !created);
    options.max_queued = 7;
    cr_assert_eq(ili_pool_make(&world.pools, "b", 1, &options, &found, &created, &fault),
                 IL_ECONFLICT);
    cr_assert(strstr(fault.detail, "max_queued"), "%s", fault.detail);
}

Test(work_pool, bad_options_are_named) {
    static const char *const relative[] = {"worker", NULL};
    struct ili_pool_options good, bad;
    struct ili_pool *pool;
    struct ili_fault fault;
    bool created;
    ili_pool_options_init(&good);
    good.command = (char *[]){world.worker, NULL};
#define REFUSED(change, name)                                                                      \
    bad = good;                                                                                    \
    change;                                                                                        \
    cr_assert_eq(ili_pool_make(&world.pools, "p", 1, &bad, &pool, &created, &fault), IL_EINVAL);   \
    cr_assert_str_eq(fault.field, name);
    REFUSED(bad.command = NULL, "command")
    REFUSED(bad.command = (char *const *)(uintptr_t)relative, "command")
    REFUSED(bad.workers = 5000, "workers")
    REFUSED(bad.directory = "tmp", "directory")
    REFUSED(bad.grace_ns = -1, "grace")
    REFUSED(bad.output_bytes = UINT64_MAX, "output")
    REFUSED(bad.kind = ILI_POOL_EXEC; bad.initializer = "f", "initializer")
    REFUSED(bad.defaults.priority = 101, "priority")
    REFUSED(bad.defaults.keep_ns = -1, "keep")
    cr_assert_eq(ili_pool_find(&world.pools, "p", 1), NULL);
}

Test(work_pool, workers_find_what_the_protocol_promises) {
    static const char *const environment[] = {"COLOUR=blue", "INTERLOCK_POOL=fake", NULL};
    struct ili_pool_options options;
    struct told told;
    ili_pool_options_init(&options);
    options.environment = (char *const *)(uintptr_t)environment;
    struct ili_pool *pool = world_pool("the pool", 1, "", &options);
    static const char *const pairs[][2] = {{"[\"COLOUR\"]", "\"blue\""},
                                           {"[\"INTERLOCK_POOL\"]", "\"the pool\""},
                                           {"[\"INTERLOCK_WORKER\"]", "\"1\""},
                                           {"[\"INTERLOCK_SLOTS\"]", "\"1\""},
                                           {"[\"INTERLOCK_WORKER_FD\"]", "\"3\""},
                                           {"[\"INTERLOCK_DOMAIN\"]", "\"unix:/run/test.sock\""},
                                           {"[\"HOME\"]", "null"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        world_call(pool, "getenv", pairs[i][0], NULL, &told);
        cr_assert_str_eq(told.result, pairs[i][1], "%s", pairs[i][0]);
    }
    world_call(pool, "getenv", "[\"INTERLOCK_PROCESS\"]", NULL, &told);
    cr_assert_neq(told.result[0], 'n');
}

Test(work_pool, a_view_shows_each_worker) {
    struct ili_pool *pool = world_pool("p", 2, "name=painter", NULL);
    struct ili_worker_view views[4];
    struct told told = {0};
    cr_assert(world_until(world_up(pool) == 2, 20));
    struct ili_task *task = world_submit(pool, "sleep", "[20000]", NULL, &told);
    uint64_t id = task->id;
    cr_assert(world_until(task->state == ILI_TASK_RUNNING, 20));
    cr_assert_eq(ili_pool_worker_views(pool, views, 4), 2);
    const struct ili_worker_view *busy = views[0].busy ? &views[0] : &views[1];
    cr_assert_eq(busy->task, id);
    cr_assert_eq(busy->state, ILI_WORKER_BUSY);
    cr_assert_eq(views[0].number, 1);
    cr_assert_eq(views[1].number, 2);
    cr_assert_str_eq(busy->name, "painter");
    cr_assert_eq(busy->pid, task->worker_pid);
    cr_assert_eq(ili_pool_worker_views(pool, views, 1), 1);
    ili_task_cancel(task);
    cr_assert(world_until(told.times, 20));
}

Test(work_pool, close_ends_it_when_all_is_done) {
    struct ili_pool *pool = world_pool("p", 2, "", NULL);
    struct told told[20] = {0};
    struct joined join = {.watch.ended = joined};
    struct ili_task *task;
    struct ili_fault fault;
    struct ili_call call = {.function = "add", .function_bytes = 3};
    for (int i = 0; i < 20; i++) world_submit(pool, "add", "[1,1]", NULL, &told[i]);
    ili_pool_watch(pool, &join.watch);
    ili_pool_close(pool);
    cr_assert_eq(ili_task_submit(pool, &call, NULL, &task, &fault), IL_ECLOSED);
    cr_assert(world_until(join.times, 20));
    for (int i = 0; i < 20; i++) cr_assert_str_eq(told[i].result, "2");
    cr_assert_eq(ili_spawner_count(&world.pools.spawner), 0);
    cr_assert_eq(world_counts(pool).crashed_workers, 0);
    world_turn();
    cr_assert_eq(join.times, 1);
}

Test(work_pool, close_while_the_only_task_is_delayed_waits_for_it) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct ili_task_options options = world_options(pool);
    struct told told = {0};
    options.delay_ns = 50000000;
    world_submit(pool, "add", "[1,1]", &options, &told);
    ili_pool_close(pool);
    cr_assert(world_until(ili_pool_state(pool) == ILI_POOL_ENDED, 20));
    cr_assert_str_eq(told.result, "2");
}

Test(work_pool, terminate_cancels_at_once_and_leaves_no_process) {
    struct ili_pool *pool = world_pool("p", 2, "", NULL);
    struct told told[10] = {0};
    struct joined join = {.watch.ended = joined}, dropped = {.watch.ended = joined};
    for (int i = 0; i < 10; i++) world_submit(pool, "stuck", "[20000]", NULL, &told[i]);
    cr_assert(world_until(world_counts(pool).by_state[ILI_TASK_RUNNING] == 2, 20));
    ili_pool_watch(pool, &join.watch);
    ili_pool_watch(pool, &dropped.watch);
    ili_pool_unwatch(pool, &dropped.watch);
    ili_pool_terminate(pool);
    world_turn();
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(told[i].times, 1);
        cr_assert_eq(told[i].state, ILI_TASK_CANCELLED);
    }
    cr_assert(world_until(join.times, 20));
    cr_assert_eq(ili_spawner_count(&world.pools.spawner), 0);
    cr_assert_eq(dropped.times, 0);
}

Test(work_pool, a_deleted_pool_leaves_its_name_and_its_tasks_are_not_found) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct told told = {0}, done;
    struct joined join = {.watch.ended = joined};
    world_call(pool, "add", "[1,1]", NULL, &done);
    uint64_t ended = ili_pool_newest(pool)->id;
    uint64_t running = world_submit(pool, "stuck", "[20000]", NULL, &told)->id;
    ili_pool_watch(pool, &join.watch);
    ili_pool_delete(pool);
    cr_assert_eq(ili_pool_find(&world.pools, "p", 1), NULL);
    cr_assert_eq(ili_task_find(&world.pools, ended), NULL);
    cr_assert_eq(ili_task_find(&world.pools, running), NULL);
    cr_assert_eq(ili_pools_task_count(&world.pools), 0);
    struct ili_pool *next = world_pool("p", 1, "", NULL);
    cr_assert(world_until(join.times && told.times, 20));
    cr_assert_eq(told.state, ILI_TASK_CANCELLED);
    world_call(next, "add", "[2,2]", NULL, &told);
    cr_assert_str_eq(told.result, "4");
}

Test(work_pool, end_all_tells_everybody_at_once) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL), *idle = world_pool("q", 1, "", NULL);
    struct told told = {0};
    struct joined join[2] = {{.watch.ended = joined}, {.watch.ended = joined}};
    world_submit(pool, "stuck", "[20000]", NULL, &told);
    ili_pool_watch(pool, &join[0].watch);
    ili_pool_watch(idle, &join[1].watch);
    ili_pools_end_all(&world.pools);
    cr_assert_eq(told.state, ILI_TASK_CANCELLED);
    cr_assert(join[0].times == 1 && join[1].times == 1);
    cr_assert(world_until(ili_spawner_count(&world.pools.spawner) == 0, 20));
    cr_assert(join[0].times == 1 && told.times == 1);
}

Test(work_pool, functions_are_known_once_workers_have_told) {
    struct ili_pool *pool = world_pool("p", 1, "functions=add,echo", NULL);
    struct ili_call call = {.function = "nothing", .function_bytes = 7};
    struct ili_fault fault;
    struct ili_task *task;
    struct told told = {0};
    world_submit(pool, "nothing", "[]", NULL, &told); /* before anybody said hello */
    cr_assert(world_until(told.times, 20));
    cr_assert_eq(told.state, ILI_TASK_FAILED);
    cr_assert(strstr(told.error, "NoSuchFunction"), "%s", told.error);
    cr_assert_eq(told.attempts, 1);
    cr_assert_eq(ili_task_submit(pool, &call, NULL, &task, &fault), IL_EFUNCTION);
    cr_assert_str_eq(ili_pool_function(pool, 0), "add");
    cr_assert_str_eq(ili_pool_function(pool, 1), "echo");
    cr_assert_eq(ili_pool_function(pool, 2), NULL);
}

Test(work_pool, workers_are_replaced_after_their_last_task) {
    struct ili_pool_options options;
    struct told told[60] = {0};
    unsigned seen[100] = {0};
    ili_pool_options_init(&options);
    options.max_tasks_per_worker = 3;
    struct ili_pool *pool = world_pool("p", 2, "batch", &options);
    for (int i = 0; i < 60; i++) world_submit(pool, "add", "[1,2]", NULL, &told[i]);
    ili_pool_close(pool);
    cr_assert(world_until(ili_pool_state(pool) == ILI_POOL_ENDED, 30));
    for (int i = 0; i < 60; i++) {
        cr_assert_str_eq(told[i].result, "3");
        cr_assert(++seen[told[i].worker_number] <= 3);
    }
    cr_assert_geq(world_counts(pool).started_workers, 20);
    cr_assert_eq(world_counts(pool).crashed_workers, 0);
    cr_assert_eq(world_counts(pool).retried, 0);
}

Test(work_pool, an_initializer_is_called_before_any_task) {
    struct ili_pool_options options;
    struct told told;
    ili_pool_options_init(&options);
    options.initializer = "setup";
    options.initializer_args = "[1]";
    struct ili_pool *pool = world_pool("p", 1, "", &options);
    world_call(pool, "add", "[1,2]", NULL, &told);
    cr_assert_str_eq(told.result, "3");
}

Test(work_pool, an_initializer_that_fails_is_trouble_and_fails_no_task) {
    struct ili_pool_options options;
    struct told told = {0};
    ili_pool_options_init(&options);
    options.initializer = "fail";
    struct ili_pool *pool = world_pool("p", 2, "", &options);
    struct ili_task *task = world_submit(pool, "add", "[1,2]", NULL, &told);
    cr_assert(world_until(ili_pool_trouble(pool), 20));
    cr_assert(strstr(ili_pool_trouble(pool), "initializer fail failed: it will not"), "%s",
              ili_pool_trouble(pool));
    cr_assert(world_until(world_counts(pool).started_workers > 2, 20));
    cr_assert_eq(task->state, ILI_TASK_QUEUED);
    ili_task_cancel(task);
    world_turn();
    cr_assert_eq(told.state, ILI_TASK_CANCELLED);
}

Test(work_pool, a_thread_pool_is_one_worker_that_runs_many) {
    struct ili_pool_options options;
    struct told told[8] = {0};
    ili_pool_options_init(&options);
    options.kind = ILI_POOL_THREAD;
    struct ili_pool *pool = world_pool("p", 4, "slots=8", &options);
    struct ili_task *tasks[8];
    for (int i = 0; i < 8; i++) tasks[i] = world_submit(pool, "sleep", "[20000]", NULL, &told[i]);
    cr_assert(world_until(world_counts(pool).by_state[ILI_TASK_RUNNING] == 4, 20));
    world_turn();
    cr_assert_eq(world_counts(pool).by_state[ILI_TASK_RUNNING], 4); /* not 8, whatever it says */
    cr_assert_eq(world_counts(pool).started_workers, 1);
    for (int i = 0; i < 8; i++) ili_task_cancel(tasks[i]);
    for (int i = 0; i < 8; i++) cr_assert(world_until(told[i].times, 20));
    for (int i = 0; i < 8; i++) cr_assert_eq(told[i].state, ILI_TASK_CANCELLED);
    world_call(pool, "getenv", "[\"INTERLOCK_SLOTS\"]", NULL, &told[0]);
    cr_assert_str_eq(told[0].result, "\"4\"");
}

Test(work_pool, a_worker_gets_no_more_than_the_slots_it_named) {
    struct ili_pool_options options;
    struct told told[3] = {0};
    ili_pool_options_init(&options);
    options.kind = ILI_POOL_THREAD;
    struct ili_pool *pool = world_pool("p", 4, "slots=2", &options);
    struct ili_task *tasks[3];
    for (int i = 0; i < 3; i++) tasks[i] = world_submit(pool, "sleep", "[20000]", NULL, &told[i]);
    cr_assert(world_until(tasks[1]->state == ILI_TASK_RUNNING, 20));
    world_turn();
    cr_assert_eq(tasks[2]->state, ILI_TASK_QUEUED);
    ili_task_cancel(tasks[0]);
    cr_assert(world_until(tasks[2]->state == ILI_TASK_RUNNING, 20));
    ili_pool_terminate(pool);
}

static void program_event(struct ili_program *program, const struct ili_spawner_event *event) {
    (void)program;
    cr_assert_neq(event->what_happened, ILI_SPAWNER_ENDED, "it was forgotten");
}

Test(work_pool, programs_outside_of_pools_share_the_spawner) {
    struct ili_program program = {.event = program_event};
    char *words[] = {(char[]){"/bin/sleep"}, (char[]){"1000"}, NULL};
    struct ili_spawn spawn = {.program = words[0],
                              .arguments = words,
                              .fds = {-1, -1, -1, -1, -1, -1, -1, -1},
                              .own_group = true};
    ili_program_register(&world.pools, &program);
    cr_assert_eq(ili_spawner_spawn(&world.pools.spawner, program.id, &spawn), IL_OK);
    world_turn();
    ili_program_forget(&world.pools, &program);
    cr_assert(world_until(ili_spawner_count(&world.pools.spawner) == 0, 20));
}
