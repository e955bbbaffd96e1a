/* Workers that die, hang, or break the rules: just their tasks fail, with the reason, and the pool goes on. */
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>

#include "support/pools.h"
#include "work/worker.h"

TestSuite(work_supervision, .init = world_open, .fini = world_close, .timeout = 60);

#define MS INT64_C(1000000)

Test(work_supervision, a_death_fails_its_task_at_once_with_the_reason) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct told told;
    world_call(pool, "signal", "[9]", NULL, &told);
    cr_assert_eq(told.state, ILI_TASK_LOST);
    cr_assert_str_eq(told.error,
                     "{\"type\":\"WorkerDied\",\"message\":\"the worker was killed by signal 9 "
                     "(SIGKILL): perhaps for lack of memory\",\"signal\":9,\"signal_name\":"
                     "\"SIGKILL\",\"exit_code\":null,\"output\":\"\"}");
    cr_assert_eq(told.crashes, 1);
    cr_assert_not(told.set_aside);
    cr_assert_eq(ili_task_status(ili_pool_newest(pool)), IL_ELOST);
    world_call(pool, "exit", "[3]", NULL, &told);
    cr_assert(strstr(told.error, "\"the worker exited with code 3\",\"signal\":null") &&
                  strstr(told.error, "\"exit_code\":3"),
              "%s", told.error);
    world_call(pool, "signal", "[11]", NULL, &told);
    cr_assert(strstr(told.error, "signal 11 (SIGSEGV)\""), "%s", told.error);
    world_call(pool, "add", "[1,1]", NULL, &told);
    cr_assert_str_eq(told.result, "2");
    cr_assert_eq(world_counts(pool).crashed_workers, 3);
}

Test(work_supervision, a_death_is_told_with_its_last_output) {
    struct ili_pool *pool = world_pool("p", 1, "crash", NULL);
    cr_assert(world_until(ili_pool_trouble(pool), 20));
    cr_assert(strstr(ili_pool_trouble(pool), "exited with code 4 before it said hello"), "%s",
              ili_pool_trouble(pool));
    cr_assert(strstr(ili_pool_trouble(pool), "cannot load the library"));
}

Test(work_supervision, a_task_that_kills_its_workers_is_set_aside) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct ili_task_options options = world_options(pool);
    struct told told, after = {0};
    options.retries = 100;
    options.backoff_ns = MS;
    world_submit(pool, "add", "[1,1]", NULL, &after);
    world_call(pool, "signal", "[11]", &options, &told);
    cr_assert_eq(told.state, ILI_TASK_LOST);
    cr_assert(told.set_aside);
    cr_assert_eq(told.crashes, 3);
    cr_assert_eq(told.attempts, 3);
    cr_assert_eq(after.state, ILI_TASK_SUCCEEDED);
}

Test(work_supervision, answers_that_were_given_before_a_death_count) {
    struct ili_pool *pool = world_pool("p", 1, "answer-and-die", NULL);
    struct told told;
    for (unsigned i = 0; i < 5; i++) {
        world_call(pool, "add", "[1,1]", NULL, &told);
        cr_assert_eq(told.state, ILI_TASK_SUCCEEDED);
        cr_assert_str_eq(told.result, "\"last words\"");
        cr_assert(world_until(world_counts(pool).crashed_workers == i + 1, 20));
    }
}

/* Its death is seen when the next call cannot be sent: that one did not run. */
Test(work_supervision, a_call_that_could_not_be_sent_is_not_blamed) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct told told = {0};
    for (unsigned i = 0; i < 10; i++) {
        struct ili_worker_view view;
        world_call(pool, "add", "[1,1]", NULL, &told);
        cr_assert(world_until(ili_pool_worker_views(pool, &view, 1) == 1 && view.pid, 20));
        struct pollfd gone = {(int)syscall(SYS_pidfd_open, view.pid, 0), POLLIN, 0};
        cr_assert(world_kill(&view));
        cr_assert_eq(poll(&gone, 1, 20000), 1);
        close(gone.fd);
        told = (struct told){0};
        world_submit(pool, "add", "[1,1]", NULL, &told);
        ili_pools_run(&world.pools, ili_now_ns()); /* sent before the loop hears of the death */
        cr_assert(world_until(told.times, 20));
        cr_assert_eq(told.state, ILI_TASK_SUCCEEDED, "%s", told.error);
        cr_assert_eq(told.attempts, 1);
    }
}

Test(work_supervision, others_of_a_worker_that_is_replaced_are_not_blamed) {
    struct ili_pool_options options;
    struct told limited = {0}, other = {0};
    ili_pool_options_init(&options);
    options.kind = ILI_POOL_THREAD;
    options.grace_ns = 20 * MS;
    struct ili_pool *pool = world_pool("p", 2, "slots=2", &options);
    struct ili_task_options limit = world_options(pool);
    limit.time_limit_ns = 20 * MS;
    struct ili_task *task = world_submit(pool, "stuck", "[300]", NULL, &other);
    cr_assert(world_until(task->state == ILI_TASK_RUNNING, 20));
    uint32_t pid = task->worker_pid;
    world_submit(pool, "stuck", "[20000]", &limit, &limited);
    cr_assert(world_until(limited.times && other.times, 20));
    cr_assert_eq(limited.state, ILI_TASK_TIMED_OUT);
    cr_assert_eq(other.state, ILI_TASK_SUCCEEDED);
    cr_assert_eq(other.attempts, 1);
    cr_assert_eq(other.crashes, 0);
    cr_assert_neq(other.worker_pid, pid);
}

static void assert_ended(const char *misbehaviour, const char *reason) {
    struct ili_pool_options options;
    struct told told;
    ili_pool_options_init(&options);
    options.set_aside_after = 1;
    struct ili_pool *pool = world_pool(misbehaviour, 1, misbehaviour, &options);
    world_call(pool, "add", "[1,1]", NULL, &told);
    cr_assert_eq(told.state, ILI_TASK_LOST, "%s: %s", misbehaviour, told.result);
    cr_assert(strstr(told.error, reason), "%s: %s", misbehaviour, told.error);
    ili_pool_terminate(pool);
}

Test(work_supervision, what_is_no_message_ends_the_worker) {
    assert_ended("garbage", "it sent a line that is not JSON");
    assert_ended("wrong-id", "it answered a call that it was not running");
    assert_ended("both", "not one of `result` and `error`");
    assert_ended("long-line", "it sent a line of more than 24 MiB");
    assert_ended("half-line", "the worker exited with code 3");
    assert_ended("requests", "it sends requests and does not read the answers");
}

Test(work_supervision, a_second_answer_ends_the_worker_after_the_first_has_counted) {
    struct ili_pool *pool = world_pool("p", 1, "double", NULL);
    struct told told;
    world_call(pool, "add", "[1,1]", NULL, &told);
    cr_assert_str_eq(told.result, "1");
    cr_assert(world_until(world_counts(pool).crashed_workers == 1, 20));
}

static void assert_trouble(const char *misbehaviour, const char *reason) {
    struct ili_pool_options options;
    struct told told = {0};
    ili_pool_options_init(&options);
    options.start_limit_ns = 50 * MS;
    struct ili_pool *pool = world_pool(misbehaviour, 1, misbehaviour, &options);
    struct ili_task *task = world_submit(pool, "add", "[1,1]", NULL, &told);
    cr_assert(world_until(ili_pool_trouble(pool), 20));
    cr_assert(strstr(ili_pool_trouble(pool), reason), "%s: %s", misbehaviour,
              ili_pool_trouble(pool));
    cr_assert_eq(task->state, ILI_TASK_QUEUED, "%s", misbehaviour);
    ili_pool_terminate(pool);
    cr_assert(world_until(told.times == 1, 20));
}

Test(work_supervision, workers_that_never_come_up_fail_nothing) {
    assert_trouble("silent", "it did not say hello within 0.050 s");
    assert_trouble("early", "its first message is not a hello");
    assert_trouble("bad-hello", "`slots`");
    assert_trouble("protocol", "it speaks protocol 2; the server speaks 1");
    assert_trouble("closed", "it closed its socket");
}

Test(work_supervision, a_command_that_is_not_there_is_trouble) {
    char *command[] = {(char[]){"/nowhere/worker"}, NULL};
    struct ili_pool_options options;
    ili_pool_options_init(&options);
    options.command = command;
    unsigned before = world_descriptors();
    struct ili_pool *pool = world_pool("p", 1, "", &options);
    cr_assert(world_until(ili_pool_trouble(pool), 20));
    cr_assert(strstr(ili_pool_trouble(pool), "No such file"), "%s", ili_pool_trouble(pool));
    cr_assert(world_until(world_counts(pool).started_workers == 3, 20));
    cr_assert(world_until(pool->places == 0, 20));
    cr_assert_eq(world_descriptors(), before);
}

Test(work_supervision, a_worker_that_closes_its_socket_and_lives_is_killed) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct told told;
    world_call(pool, "close", "[]", NULL, &told);
    cr_assert_eq(told.state, ILI_TASK_LOST);
    cr_assert(strstr(told.error, "it closed its socket"), "%s", told.error);
    world_call(pool, "add", "[1,1]", NULL, &told);
    cr_assert_str_eq(told.result, "2");
}

Test(work_supervision, floods_do_not_keep_others_waiting) {
    struct ili_pool *flooded = world_pool("flood", 1, "progress-flood", NULL);
    struct ili_pool *writing = world_pool("write", 1, "", NULL);
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct told told, flood = {0}, output = {0};
    struct ili_task *task = world_submit(flooded, "add", "[1,1]", NULL, &flood);
    struct ili_task *writes = world_submit(writing, "flood", "[100000000000]", NULL, &output);
    cr_assert(world_until(task->progress && writes->state == ILI_TASK_RUNNING, 20));
    for (int i = 0; i < 100; i++) {
        world_call(pool, "add", "[1,1]", NULL, &told);
        cr_assert_str_eq(told.result, "2");
    }
    ili_pool_terminate(flooded);
    ili_pool_terminate(writing);
    cr_assert(world_until(output.times && flood.times, 20));
    cr_assert_leq(strlen(output.output), sizeof output.output);
}

Test(work_supervision, crashing_workers_do_not_eat_the_machine) {
    struct ili_pool *pool = world_pool("p", 4, "crash", NULL);
    struct told told = {0};
    world_submit(pool, "add", "[1,1]", NULL, &told);
    int64_t end_ns = test_now_ns() + 1000 * MS;
    while (test_now_ns() < end_ns) world_turn();
    /* four, then one after 0.1, 0.3, 0.7 s */
    cr_assert_leq(world_counts(pool).started_workers, 8);
    cr_assert_geq(world_counts(pool).started_workers, 6);
    cr_assert_eq(told.times, 0);
}

Test(work_supervision, a_success_ends_the_backoff) {
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    struct told told;
    int64_t began = test_now_ns();
    for (int i = 0; i < 20; i++) {
        world_call(pool, "add", "[1,1]", NULL, &told);
        world_call(pool, "signal", "[9]", NULL, &told);
    }
    cr_assert_eq(world_counts(pool).crashed_workers, 20);
    cr_assert_lt(test_now_ns() - began, 10000 * MS);
}

/* Those that fail have come up, so it may be for what they are given: one that gets something done shows that
 * the others need not be waited for. */
Test(work_supervision, a_success_of_another_ends_the_backoff) {
    struct ili_pool *pool = world_pool("p", 2, "", NULL);
    struct ili_worker_view views[2];
    struct told told;
    cr_assert(world_until(world_up(pool) == 2, 20));
    cr_assert(world_until(
        ili_pool_worker_views(pool, views, 2) == 2 && views[0].pid && views[1].pid, 20));
    world_call(pool, "add", "[1,1]", NULL, &told);
    cr_assert_eq(ili_pool_worker_views(pool, views, 2), 2);
    cr_assert(world_kill(views[0].tasks_done ? &views[1] : &views[0]));
    cr_assert(world_until(pool->failures == 1, 20));
    world_call(pool, "add", "[1,1]", NULL, &told); /* the one that had a success before */
    cr_assert_eq(pool->failures, 0);
}

/* Its answer lies in the socket when the loop hears that it has ended. */
Test(work_supervision, what_a_worker_said_is_read_when_it_has_ended) {
    struct ili_pool *pool = world_pool("p", 1, "answer-and-die", NULL);
    struct told told = {0};
    cr_assert(world_until(world_up(pool) == 1, 20));
    world_submit(pool, "add", "[1,1]", NULL, &told);
    ili_pools_run(&world.pools, ili_now_ns());
    struct ili_worker *worker = pool->workers;
    struct pollfd closed = {worker->socket.fd, POLLRDHUP, 0};
    struct ili_spawner_event event = {.what_happened = ILI_SPAWNER_ENDED, .wait_status = 3 << 8};
    cr_assert_eq(poll(&closed, 1, 20000), 1);
    ili_ids_remove(&pool->engine->programs,
                   &worker->program); /* the spawner's own comes too late */
    worker->program.event(&worker->program, &event);
    ili_pools_run(&world.pools, ili_now_ns());
    cr_assert_eq(told.times, 1);
    cr_assert_eq(told.state, ILI_TASK_SUCCEEDED, "%s", told.error);
}

Test(work_supervision, a_worker_that_does_not_exit_when_told_to_is_killed) {
    struct ili_pool_options options;
    ili_pool_options_init(&options);
    options.grace_ns = 30 * MS;
    struct told told = {0};
    struct ili_pool *pool = world_pool("p", 1, "", &options);
    struct ili_task_options limit = world_options(pool);
    world_call(pool, "add", "[1,1]", NULL, &told);
    limit.deadline_ns = 20 * MS;
    world_call(pool, "stuck", "[20000]", &limit, &told); /* its call goes on */
    ili_pool_close(pool);
    cr_assert(world_until(ili_pool_state(pool) == ILI_POOL_ENDED, 20));
    cr_assert_eq(ili_spawner_count(&world.pools.spawner), 0);
}

static unsigned children_of(pid_t parent) {
    char path[64], text[4096] = "";
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    if (fgets(text, sizeof text, file)) {
        for (char *at = text; *at; at++) count += *at == ' ';
    }
    fclose(file);
    return count;
}

Test(work_supervision, no_descriptor_and_no_zombie_is_left_after_many_deaths) {
    struct told told;
    struct ili_pool *pool = world_pool("p", 2, "batch", NULL);
    cr_assert(world_until(world_up(pool) == 2, 20));
    world_call(pool, "add", "[1,1]", NULL, &told);
    unsigned before = world_descriptors();
    for (int i = 0; i < 100; i++) {
        world_call(pool, "add", "[1,1]", NULL, &told);
        world_call(pool, i % 2 ? "signal" : "exit", "[9]", NULL, &told);
    }
    for (int i = 0; i < 10000; i++) {
        struct ili_task_options options = world_options(pool);
        options.keep_ns = 0;
        world_submit(pool, "add", "[1,1]", &options, NULL);
    }
    cr_assert(world_until(ili_pools_task_count(&world.pools) <= 202, 60));
    cr_assert(world_until(world_up(pool) == 2, 20));
    cr_assert_eq(world_descriptors(), before);
    cr_assert_eq(children_of(world.pools.spawner.pid), 2);
    ili_pool_close(pool);
    cr_assert(world_until(ili_pool_state(pool) == ILI_POOL_ENDED, 20));
    cr_assert_eq(world_descriptors(), before - 4);
    cr_assert_eq(children_of(world.pools.spawner.pid), 0);
}

Test(work_supervision, without_descriptors_workers_wait_and_nothing_fails) {
    struct told told = {0};
    int held[2000];
    unsigned count = 0;
    struct ili_pool *pool = world_pool("p", 1, "", NULL);
    cr_assert(world_until(world_up(pool) == 1, 20));
    world_call(pool, "add", "[1,1]", NULL, &told);
    while (count < 2000 && (held[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) count++;
    if (count == 2000) {
        while (count) close(held[--count]);
        cr_skip_test("the limit of open files is too high for this");
    }
    world_call(pool, "signal", "[9]", NULL, &told);
    /* the dead worker's two are free again: not enough for another one */
    told = (struct told){0};
    world_submit(pool, "add", "[2,2]", NULL, &told);
    cr_assert(world_until(ili_pool_trouble(pool), 20));
    cr_assert(strstr(ili_pool_trouble(pool), "Too many open files"), "%s", ili_pool_trouble(pool));
    while (count) close(held[--count]);
    cr_assert(world_until(told.times, 20));
    cr_assert_str_eq(told.result, "4");
    cr_assert_eq(ili_pool_trouble(pool), NULL);
}
