/* A task's states: how it gets into each, and what is told then. */
#include <poll.h>
#include <sys/epoll.h>

#include "support/pools.h"
#include "work/worker.h"

TestSuite(work_task, .init = world_open, .fini = world_close, .timeout = 60);

#define MS INT64_C(1000000)

static struct ili_pool *small_grace(const char *words) {
    struct ili_pool_options options;
    ili_pool_options_init(&options);
    options.grace_ns = 30 * MS;
    return world_pool("p", 1, words, &options);
}

Test(work_task, names_of_states) {
    for (unsigned i = 0; i < ILI_TASK_STATES; i++) {
        const char *name = ili_task_state_name((enum ili_task_state)i);
        cr_assert_eq(ili_task_state_named(name, strlen(name)), i);
    }
    cr_assert_eq(ili_task_state_named("queue", 5), ILI_TASK_STATES);
    cr_assert_eq(ili_task_state_named("", 0), ILI_TASK_STATES);
}

Test(work_task, ids_only_grow_and_are_found) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct told told[2] = {0};
    struct ili_task *a = world_submit(pool, "add", "[1,1]", NULL, &told[0]);
    struct ili_task *b = world_submit(pool, "add", "[1,1]", NULL, &told[1]);
    cr_assert(a->id > EPOCH << 24 && b->id > a->id && b->id < UINT64_C(1) << 63);
    cr_assert_eq(ili_task_find(&world.pools, a->id), a);
    cr_assert_eq(ili_task_find(&world.pools, b->id + 1), NULL);
    cr_assert_eq(ili_task_forget(a), IL_EBUSY);
    cr_assert(world_until(told[0].times && told[1].times, 20));
    uint64_t id = a->id;
    cr_assert_eq(ili_task_forget(a), IL_OK);
    cr_assert_eq(ili_task_find(&world.pools, id), NULL);
    cr_assert_eq(ili_pool_newest(pool), b);
    cr_assert_eq(b->older, NULL);
    struct ili_pools none = {.loop = &world.loop};
    cr_assert_eq(ili_pools_open(&none, &world.loop, &world.timers, UINT64_C(1) << 39, NULL),
                 IL_EINVAL);
}

Test(work_task, json_goes_through_as_it_is_written) {
    static const char *const values[] = {"1.0",
                                         "123456789012345678901234567890",
                                         "\"\\u00e9\\n\\\"\"",
                                         "{\"b\":1,\"a\":[1.00]}",
                                         "[]",
                                         "-0",
                                         "1e400",
                                         "\"\xc3\xa9\"",
                                         "false",
                                         "null",
                                         "\"},{\\\"id\\\":\"",
                                         "{\"result\":{}}"};
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    char args[100];
    struct told told;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        snprintf(args, sizeof args, "[%s]", values[i]);
        world_call(pool, "echo", args, NULL, &told);
        cr_assert_str_eq(told.result, values[i], "%s", told.error);
    }
    world_call(pool, "echo", "[ {\n\"a\":\r\n1} ]", NULL, &told); /* a message has no line breaks */
    cr_assert_str_eq(told.result, "{ \"a\":  1}");
}

Test(work_task, large_values_go_both_ways) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    size_t bytes = 5 << 20;
    char *args = malloc(bytes + 5);
    memset(args, 'x', bytes + 4);
    memcpy(args, "[\"", 2);
    memcpy(args + bytes + 2, "\"]", 3);
    struct ili_task *task = world_submit(pool, "echo", args, NULL, NULL);
    cr_assert(world_until(ili_task_has_ended(task), 30));
    cr_assert_eq(task->result_bytes, bytes + 2);
    cr_assert_eq(memcmp(task->result, args + 1, bytes + 2), 0);
    cr_assert_eq(task->args_bytes, 0, "the args of an ended task are dropped");
    free(args);
}

Test(work_task, a_function_that_fails_fails_its_task) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct told told;
    world_call(pool, "fail", "[\"it is full\"]", NULL, &told);
    cr_assert_eq(told.state, ILI_TASK_FAILED);
    cr_assert_str_eq(told.error,
                     "{\"type\":\"TestError\",\"message\":\"it is full\",\"traceback\":\"here\"}");
    cr_assert_eq(ili_task_status(ili_pool_newest(pool)), IL_EFAILED);
    world_call(pool, "add", "[1,1]", NULL, &told);
    cr_assert_eq(ili_task_status(ili_pool_newest(pool)), IL_OK);
}

Test(work_task, retries_come_after_a_backoff_that_doubles) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct ili_task_options options = world_options(pool);
    struct told told = {0};
    options.retries = 3;
    options.backoff_ns = 40 * MS;
    options.backoff_most_ns = 60 * MS;
    int64_t started_ns = 0, begun[4] = {0};
    struct ili_task *task = world_submit(pool, "flaky", "[4]", &options, &told);
    while (!told.times) {
        world_turn();
        if (!told.times && task->started_ns != started_ns)
            begun[task->attempts - 1] = task->started_ns;
        started_ns = task->started_ns;
    }
    cr_assert_str_eq(told.result, "\"at last\"");
    cr_assert_eq(told.attempts, 4);
    cr_assert_eq(world_counts(pool).retried, 3);
    begun[3] = task->started_ns;
    cr_assert_geq(begun[1] - begun[0], 20 * MS); /* 40 ms, less up to a half */
    cr_assert_geq(begun[2] - begun[1], 30 * MS); /* 80 ms, but at most 60 */
    cr_assert_geq(begun[3] - begun[2], 30 * MS);
    cr_assert_str_eq(told.error, "", "the errors of earlier attempts are forgotten");
}

Test(work_task, a_backoff_is_at_most_its_limit_and_has_a_random_part) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct ili_task_options options = world_options(pool);
    struct told told = {0};
    int64_t waits[12], least = INT64_MAX, most = 0;
    options.retries = 12;
    options.backoff_ns = 8 * MS;
    options.backoff_most_ns = 12 * MS;
    struct ili_task *task = world_submit(pool, "flaky", "[13]", &options, &told);
    for (uint32_t i = 0; i < 12; i++) {
        cr_assert(world_until(task->state == ILI_TASK_DELAYED && task->attempts == i + 1, 20));
        cr_assert_leq(task->timer.at_ns - ili_now_ns(), (i == 0 ? 8 : 12) * MS);
        waits[i] = task->timer.at_ns - pool->engine->now_ns;
        if (i == 0) continue;
        least = waits[i] < least ? waits[i] : least;
        most = waits[i] > most ? waits[i] : most;
    }
    cr_assert_gt(most, least + MS / 2, "eleven equal waits are not random");
    cr_assert(world_until(told.times, 20));
    cr_assert_eq(told.state, ILI_TASK_SUCCEEDED);
}

Test(work_task, retries_run_out) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct ili_task_options options = world_options(pool);
    struct told told;
    options.retries = 2;
    options.backoff_ns = MS;
    world_call(pool, "flaky", "[4]", &options, &told);
    cr_assert_eq(told.state, ILI_TASK_FAILED);
    cr_assert_eq(told.attempts, 3);
    world_call(pool, "final", "[]", &options, &told);
    cr_assert_eq(told.attempts, 1, "the worker said that it is in vain");
    world_call(pool, "nothing", "[]", &options, &told);
    cr_assert_eq(told.attempts, 1);
    cr_assert_eq(told.state, ILI_TASK_FAILED);
}

Test(work_task, higher_priorities_go_first_and_equal_ones_in_order) {
    enum { COUNT = 60 };
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct told told[COUNT] = {0}, first = {0};
    int priorities[COUNT];
    uint64_t seed = 5;
    struct ili_task *block = world_submit(pool, "sleep", "[20000]", NULL, &first);
    cr_assert(world_until(block->state == ILI_TASK_RUNNING, 20));
    for (int i = 0; i < COUNT; i++) {
        struct ili_task_options options = world_options(pool);
        priorities[i] = options.priority = (int)(test_random(&seed) % 5) * 50 - 100;
        world_submit(pool, "add", "[1,1]", &options, &told[i]);
    }
    ili_task_cancel(block);
    for (int i = 0; i < COUNT; i++) cr_assert(world_until(told[i].times, 20));
    for (int i = 0; i < COUNT; i++) {
        for (int k = 0; k < COUNT; k++) {
            if (priorities[i] > priorities[k] || (priorities[i] == priorities[k] && i < k)) {
                cr_assert(told[i].ended_ns < told[k].ended_ns);
            }
        }
    }
}

Test(work_task, a_delay_is_waited_for) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct ili_task_options options = world_options(pool);
    struct told told = {0};
    options.delay_ns = 50 * MS;
    struct ili_task *task = world_submit(pool, "add", "[1,1]", &options, &told);
    cr_assert_eq(task->state, ILI_TASK_DELAYED);
    cr_assert_eq(world_counts(pool).by_state[ILI_TASK_DELAYED], 1);
    cr_assert(world_until(told.times, 20));
    cr_assert_geq(task->started_ns - task->submitted_ns, 50 * MS);
    world_submit(pool, "add", "[1,1]", &options, &told);
    ili_task_cancel(ili_pool_newest(pool));
    world_turn();
    cr_assert_eq(told.state, ILI_TASK_CANCELLED);
}

Test(work_task, a_time_limit_ends_what_heeds_it_without_replacing_the_worker) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct ili_task_options options = world_options(pool);
    struct told told, pid[2];
    world_call(pool, "pid", "[]", NULL, &pid[0]);
    options.time_limit_ns = 20 * MS;
    world_call(pool, "sleep", "[20000]", &options, &told);
    cr_assert_eq(told.state, ILI_TASK_TIMED_OUT);
    cr_assert(strstr(told.error, "TimeLimit") && strstr(told.error, "0.020 s"), "%s", told.error);
    world_call(pool, "pid", "[]", NULL, &pid[1]);
    cr_assert_str_eq(pid[0].result, pid[1].result);
}

Test(work_task, a_time_limit_replaces_the_worker_that_does_not_heed_it) {
    struct ili_pool *pool = small_grace("");
    struct ili_task_options options = world_options(pool);
    struct told told, pid[2];
    world_call(pool, "pid", "[]", NULL, &pid[0]);
    options.time_limit_ns = 20 * MS;
    world_call(pool, "stuck", "[20000]", &options, &told);
    cr_assert_eq(told.state, ILI_TASK_TIMED_OUT);
    world_call(pool, "pid", "[]", NULL, &pid[1]);
    cr_assert_str_neq(pid[0].result, pid[1].result);
    cr_assert_eq(world_counts(pool).crashed_workers, 0);
}

Test(work_task, a_time_limit_is_retried_and_a_late_result_does_not_count) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct ili_task_options options = world_options(pool);
    struct told told = {0};
    options.time_limit_ns = 20 * MS;
    options.retries = 2;
    options.backoff_ns = MS;
    struct ili_task *task = world_submit(pool, "stuck", "[60]", &options, &told);
    cr_assert(world_until(task->state == ILI_TASK_DELAYED, 20)); /* it answered within the grace */
    cr_assert(strstr(task->error, "TimeLimit"), "%s", task->error);
    cr_assert(world_until(told.times, 20));
    cr_assert_eq(told.state, ILI_TASK_TIMED_OUT);
    cr_assert_eq(told.attempts, 3);
    cr_assert_eq(told.crashes, 0);
    cr_assert_eq(world_counts(pool).started_workers, 1);
    struct ili_pool_options impatient = *ili_pool_options(pool);
    impatient.grace_ns = 10 * MS;
    pool = world_pool("q", 1, "", &impatient);
    world_call(pool, "stuck", "[20000]", &options, &told);
    cr_assert_eq(told.state, ILI_TASK_TIMED_OUT);
    cr_assert_eq(told.attempts, 3);
    cr_assert_eq(told.crashes, 0);
}

Test(work_task, a_deadline_ends_it_in_any_state) {
    struct ili_pool *pool = small_grace("");
    struct ili_task_options options = world_options(pool);
    struct told running = {0}, queued = {0}, delayed = {0};
    options.deadline_ns = 80 * MS;
    options.retries = 5;
    world_submit(pool, "stuck", "[20000]", &options, &running);
    world_submit(pool, "add", "[1,1]", &options, &queued);
    options.delay_ns = 20000 * MS;
    world_submit(pool, "add", "[1,1]", &options, &delayed);
    cr_assert(world_until(running.times && queued.times && delayed.times, 20));
    cr_assert_eq(running.state, ILI_TASK_TIMED_OUT);
    cr_assert_eq(queued.state, ILI_TASK_TIMED_OUT);
    cr_assert_eq(delayed.state, ILI_TASK_TIMED_OUT);
    cr_assert_eq(queued.attempts, 0);
    cr_assert(strstr(running.error, "Deadline"), "%s", running.error);
    cr_assert_eq(ili_task_status(ili_pool_newest(pool)), IL_ETIMEOUT);
    world_call(pool, "add", "[1,1]", NULL, &queued);
    cr_assert_str_eq(queued.result, "2");
}

/* The loop looked at the clock, then read the request that submits, then lets the pools run. */
Test(work_task, times_are_in_order_though_the_loops_clock_is_older) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct told told = {0};
    cr_assert(world_until(world_up(pool) == 1, 20));
    int64_t loops_ns = ili_now_ns();
    struct ili_task *task = world_submit(pool, "sleep", "[20000]", NULL, &told);
    ili_pools_run(&world.pools, loops_ns);
    cr_assert_eq(task->state, ILI_TASK_RUNNING);
    cr_assert_geq(task->submitted_ns, loops_ns);
    cr_assert_geq(task->started_ns, task->submitted_ns);
    ili_task_cancel(task);
    ili_pools_run(&world.pools, loops_ns);
    cr_assert(world_until(told.times, 20));
    cr_assert_geq(task->ended_ns, task->started_ns);
}

Test(work_task, cancel_of_what_waits_ends_it_at_once) {
    struct ili_pool *pool = world_pool("p", 1, "silent", NULL);
    struct told told = {0};
    struct ili_task *task = world_submit(pool, "add", "[1,1]", NULL, &told);
    world_turn();
    ili_task_cancel(task);
    cr_assert_eq(task->state, ILI_TASK_CANCELLED);
    cr_assert_eq(told.times, 0, "whoever watches is told by ili_pools_run()");
    ili_task_cancel(task);
    ili_pools_run(&world.pools, ili_now_ns());
    cr_assert_eq(told.times, 1);
    cr_assert_eq(ili_task_status(task), IL_ECANCELLED);
}

Test(work_task, cancel_of_what_runs_asks_then_kills) {
    struct ili_pool *pool = small_grace("");
    struct told told = {0}, pid[2];
    struct ili_task *task = world_submit(pool, "sleep", "[20000]", NULL, &told);
    cr_assert(world_until(task->state == ILI_TASK_RUNNING, 20));
    ili_task_cancel(task);
    cr_assert(task->cancelling && task->state == ILI_TASK_RUNNING);
    cr_assert(world_until(told.times, 20));
    cr_assert_eq(told.state, ILI_TASK_CANCELLED);
    world_call(pool, "pid", "[]", NULL, &pid[0]);
    told.times = 0;
    task = world_submit(pool, "stuck", "[20000]", NULL, &told);
    cr_assert(world_until(task->state == ILI_TASK_RUNNING, 20));
    ili_task_cancel(task);
    cr_assert(world_until(told.times, 20));
    cr_assert_eq(told.state, ILI_TASK_CANCELLED);
    world_call(pool, "pid", "[]", NULL, &pid[1]);
    cr_assert_str_neq(pid[0].result, pid[1].result);
    cr_assert_eq(world_counts(pool).crashed_workers, 0);
}

Test(work_task, a_cancel_that_comes_too_late_leaves_the_success) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct told told = {0};
    struct ili_task *task = world_submit(pool, "stuck", "[50]", NULL, &told);
    cr_assert(world_until(task->state == ILI_TASK_RUNNING, 20));
    ili_task_cancel(task);
    cr_assert(world_until(told.times, 20));
    cr_assert_eq(told.state, ILI_TASK_SUCCEEDED);
}

Test(work_task, progress_is_seen_while_it_runs) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct told told = {0};
    struct ili_task *task = world_submit(pool, "progress", "[{\"done\":0.50}]", NULL, &told);
    cr_assert(world_until(task->progress, 20));
    cr_assert_eq(task->state, ILI_TASK_RUNNING);
    cr_assert_str_eq(task->progress, "{\"done\":0.50}");
    ili_task_cancel(task);
    cr_assert(world_until(told.times, 20));
}

Test(work_task, output_is_kept_with_the_task_that_wrote_it) {
    struct ili_pool_options options;
    struct told told;
    ili_pool_options_init(&options);
    options.output_bytes = 100;
    struct ili_pool *pool = world_pool("p", 1, "batch", &options);
    char args[100], expected[100];
    for (int i = 0; i < 100; i++) {
        snprintf(args, sizeof args, "[\"out %d\",\" err %d\"]", i, i);
        snprintf(expected, sizeof expected, "out %d err %d", i, i);
        world_call(pool, "write", args, NULL, &told);
        cr_assert_str_eq(told.output, expected);
        cr_assert_not(told.truncated);
    }
    world_call(pool, "flood", "[1000000]", NULL, &told);
    cr_assert_eq(strspn(told.output, "x"), 100);
    cr_assert(told.truncated);
    world_call(pool, "add", "[1,1]", NULL, &told);
    cr_assert_str_eq(told.output, "");
}

/* Both lie ready when the loop hears of the answer alone. */
Test(work_task, output_is_read_before_the_answer_that_follows_it) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct told told = {0};
    cr_assert(world_until(world_up(pool) == 1, 20));
    for (int i = 0; i < 20; i++) {
        told.times = 0;
        world_submit(pool, "write", "[\"out\",\"\"]", NULL, &told);
        ili_pools_run(&world.pools, ili_now_ns());
        struct ili_source *socket = &pool->workers->socket;
        struct pollfd answer = {socket->fd, POLLIN, 0};
        cr_assert_eq(poll(&answer, 1, 20000), 1);
        socket->ready(socket, EPOLLIN, NULL);
        ili_pools_run(&world.pools, ili_now_ns());
        cr_assert_eq(told.times, 1);
        cr_assert_str_eq(told.output, "out");
    }
}

Test(work_task, queued_ones_have_their_own_output_each) {
    struct ili_pool *pool = world_pool("p", 2, "batch", NULL);
    static struct told told[200];
    char args[100], expected[100];
    for (int i = 0; i < 200; i++) {
        snprintf(args, sizeof args, "[\"out %d\",\"\"]", i);
        world_submit(pool, "write", args, NULL, &told[i]);
    }
    for (int i = 0; i < 200; i++) {
        cr_assert(world_until(told[i].times, 20));
        snprintf(expected, sizeof expected, "out %d", i);
        cr_assert_str_eq(told[i].output, expected);
    }
}

Test(work_task, ended_tasks_are_kept_for_their_time) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct ili_task_options options = world_options(pool);
    struct told told;
    options.keep_ns = 30 * MS;
    world_call(pool, "add", "[1,1]", &options, &told);
    uint64_t id = ili_pool_newest(pool)->id;
    cr_assert_neq(ili_task_find(&world.pools, id), NULL);
    cr_assert(world_until(!ili_task_find(&world.pools, id), 20));
    cr_assert_geq(ili_now_ns() - told.ended_ns, 30 * MS);
    cr_assert_eq(ili_pools_task_count(&world.pools), 0);
    options.keep_ns = 0;
    world_call(pool, "add", "[1,1]", &options, &told);
    cr_assert_eq(ili_pools_task_count(&world.pools), 0);
    cr_assert_eq(world_counts(pool).by_state[ILI_TASK_SUCCEEDED], 2);
}

Test(work_task, bad_submissions_are_refused_with_what_is_wrong) {
    struct ili_pool_options limited;
    ili_pool_options_init(&limited);
    limited.max_queued = 2;
    struct ili_pool *pool = world_pool("p", 1, "silent", &limited);
    struct ili_task_options options = world_options(pool);
    struct ili_call good = {.function = "add", .function_bytes = 3}, call;
    struct ili_task *task = NULL;
    struct ili_fault fault;
#define REFUSED(status, name, change)                                                              \
    call = good;                                                                                   \
    options = world_options(pool);                                                                 \
    change;                                                                                        \
    fault = (struct ili_fault){0};                                                                 \
    cr_assert_eq(ili_task_submit(pool, &call, &options, &task, &fault), status);                   \
    cr_assert_str_eq(fault.field, name);                                                           \
    cr_assert_eq(task, NULL);
    REFUSED(IL_EINVAL, "function", call.function_bytes = 0)
    REFUSED(IL_EINVAL, "function", call.function = "a\0b")
    REFUSED(IL_EINVAL, "input", call.input = "x"; call.input_bytes = 1)
    REFUSED(IL_EINVAL, "priority", options.priority = -101)
    REFUSED(IL_EINVAL, "retries", options.retries = 1001)
    REFUSED(IL_EINVAL, "delay", options.delay_ns = -1)
    REFUSED(IL_EINVAL, "backoff_max", options.backoff_most_ns = -1)
    REFUSED(IL_ETOOBIG, "args", call.args = "[]"; call.args_bytes = ILI_CALL_BYTES_MOST)
    cr_assert_eq(world_counts(pool).submitted, 0);
    cr_assert_eq(ili_task_submit(pool, &good, NULL, &task, &fault), IL_OK);
    cr_assert_eq(ili_task_submit(pool, &good, NULL, &task, &fault), IL_OK);
    cr_assert_eq(ili_task_submit(pool, &good, NULL, &task, &fault), IL_ELIMIT);
}

/* ---- callbacks that call ------------------------------------------------------------------------- */

static struct {
    struct ili_task_watch watch;
    struct ili_pool *pool;
    struct ili_task *other;
    struct told *next, *others;
    unsigned times;
} busy;

static void busy_ended(struct ili_task_watch *watch, struct ili_task *task) {
    (void)watch;
    busy.times++;
    world_submit(busy.pool, "add", "[3,4]", NULL, busy.next);
    ili_task_unwatch(busy.other, &busy.others->watch);
    ili_task_cancel(busy.other);
    cr_assert_eq(ili_task_forget(task), IL_OK);
    cr_assert_eq(ili_task_forget(busy.other), IL_OK);
}

Test(work_task, a_callback_may_call_anything) {
    struct told next = {0}, others = {0}, also = {0};
    busy.pool = world_pool("p", 1, "", NULL);
    busy.next = &next;
    busy.others = &others;
    struct ili_task *task = world_submit(busy.pool, "add", "[1,1]", NULL, &also);
    busy.other = world_submit(busy.pool, "sleep", "[0]", NULL, &others);
    struct ili_task_options later = world_options(busy.pool);
    later.delay_ns = 10000 * MS;
    ili_task_unwatch(busy.other, &others.watch);
    ili_task_cancel(busy.other);
    busy.other = world_submit(busy.pool, "add", "[1,1]", &later, &others);
    busy.watch.ended = busy_ended;
    ili_task_watch(task, &busy.watch);
    cr_assert(world_until(next.times, 20));
    cr_assert_str_eq(next.result, "7");
    cr_assert_eq(busy.times, 1);
    cr_assert_eq(also.times, 1, "the others who watch are told all the same");
    cr_assert_eq(others.times, 0);
    cr_assert_eq(ili_pools_task_count(&world.pools), 2);
}

static void delete_pool(struct ili_task_watch *watch, struct ili_task *task) {
    (void)watch;
    ili_pool_delete(task->pool);
}

Test(work_task, a_callback_may_delete_the_pool) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct ili_task_watch watch = {.ended = delete_pool};
    struct told told = {0};
    struct ili_task *task = world_submit(pool, "add", "[1,1]", NULL, &told);
    ili_task_watch(task, &watch);
    cr_assert(world_until(ili_pool_find(&world.pools, "p", 1) == NULL, 20));
    cr_assert(world_until(ili_spawner_count(&world.pools.spawner) == 0, 20));
    cr_assert_eq(told.times, 1);
    cr_assert_eq(ili_pools_task_count(&world.pools), 0);
}

static size_t resident_bytes(void) {
    char text[100] = "";
    FILE *file = fopen("/proc/self/statm", "re");
    cr_assert(file && fgets(text, sizeof text, file));
    fclose(file);
    char *second = strchr(text, ' ');
    return second ? strtoul(second, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

Test(work_task, a_hundred_thousand_queued_ones_cost_less_than_a_kilobyte_each) {
    enum { COUNT = 100000 };
    struct ili_pool *pool = world_pool("p", 1, "silent", NULL);
    size_t before = resident_bytes();
    for (int i = 0; i < COUNT; i++) world_submit(pool, "add", "[1,1]", NULL, NULL);
    size_t each = (resident_bytes() - before) / COUNT;
#if !defined(__SANITIZE_ADDRESS__) &&                                                              \
    !defined(__SANITIZE_THREAD__) /* their own memory is measured too */
    cr_assert_lt(each, 1024, "%zu bytes", each);
#endif
    fprintf(stderr, "%zu bytes a queued task\n", each);
    int64_t began = test_now_ns();
    for (int i = 0; i < 10000;
         i++) { /* a turn does not look at them all: that would take a minute */
        struct told told = {0};
        ili_task_cancel(world_submit(pool, "add", "[1,1]", NULL, &told));
        ili_pools_run(&world.pools, ili_now_ns());
        cr_assert_eq(told.times, 1);
    }
    cr_assert_lt(test_now_ns() - began, INT64_C(5000000000));
    ili_pool_delete(pool);
    cr_assert_eq(ili_pools_task_count(&world.pools), 0);
}
