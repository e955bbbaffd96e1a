/* Exec pools: each task is a run of the command. */
#include "support/pools.h"

TestSuite(work_exec, .init = world_open, .fini = world_close, .timeout = 60);

#define MS INT64_C(1000000)

static struct ili_pool *shell(const char *name, unsigned workers,
                              struct ili_pool_options *options) {
    static char program[] = "/bin/sh", option[] = "-c";
    static char *command[] = {program, option, NULL};
    struct ili_pool_options plain;
    if (!options) {
        ili_pool_options_init(&plain);
        options = &plain;
    }
    options->kind = ILI_POOL_EXEC;
    options->command = command;
    return world_pool(name, workers, "", options);
}

static void run_with_input(struct ili_pool *pool, const char *args, const char *input, size_t bytes,
                           struct told *told) {
    struct ili_call call = {
        .args = args, .args_bytes = strlen(args), .input = input, .input_bytes = bytes};
    struct ili_task *task;
    struct ili_fault fault = {0};
    *told = (struct told){.watch.ended = told_ended};
    cr_assert_eq(ili_task_submit(pool, &call, NULL, &task, &fault), IL_OK, "%s", fault.detail);
    ili_task_watch(task, &told->watch);
    cr_assert(world_until(told->times, 20));
}

Test(work_exec, the_result_is_exit_code_stdout_and_stderr) {
    struct ili_pool *pool = shell("p", 2, NULL);
    struct told told;
    world_call(pool, "",
               "[\"echo \\\"$1\\\"; echo warning >&2; exit 3\",\"sh\",\"a \\u00e9 \\\" b\"]", NULL,
               &told);
    cr_assert_eq(told.state, ILI_TASK_SUCCEEDED, "%s", told.error);
    cr_assert_str_eq(
        told.result,
        "{\"exit_code\":3,\"stdout\":\"a \xc3\xa9 \\\" b\\n\",\"stderr\":\"warning\\n\"}");
    cr_assert_eq(told.worker_number, 1);
    world_call(pool, "",
               "[\"echo $INTERLOCK_POOL $INTERLOCK_WORKER_FD; ls /proc/self/fd | wc -l\"]", NULL,
               &told);
    cr_assert_str_eq(told.result, "{\"exit_code\":0,\"stdout\":\"p\\n4\\n\",\"stderr\":\"\"}");
}

Test(work_exec, stdin_is_the_input) {
    struct ili_pool *pool = shell("p", 2, NULL);
    struct told told;
    size_t bytes = 3 << 20;
    char *input = malloc(bytes);
    memset(input, '\n', bytes);
    run_with_input(pool, "[\"cat\"]", "two\nlines\n", 10, &told);
    cr_assert(strstr(told.result, "\"two\\nlines\\n\""), "%s", told.result);
    run_with_input(pool, "[\"wc -c\"]", input, bytes, &told);
    cr_assert(strstr(told.result, "\"3145728\\n\""), "%s", told.result);
    run_with_input(pool, "[\"true\"]", input, bytes, &told);
    cr_assert_eq(told.state, ILI_TASK_SUCCEEDED);
    world_call(pool, "", "[\"wc -c\"]", NULL, &told);
    cr_assert(strstr(told.result, "\"0\\n\""), "%s", told.result);
    free(input);
}

Test(work_exec, at_most_so_many_run_at_once) {
    struct ili_pool *pool = shell("p", 2, NULL);
    struct told told[6] = {0};
    struct ili_worker_view views[8];
    struct ili_task *tasks[6];
    for (int i = 0; i < 6; i++)
        tasks[i] = world_submit(pool, "", "[\"sleep 1000\"]", NULL, &told[i]);
    cr_assert(world_until(tasks[1]->worker_pid, 20));
    cr_assert_eq(ili_pool_worker_views(pool, views, 8), 2);
    cr_assert_eq(tasks[2]->state, ILI_TASK_QUEUED);
    for (int i = 5; i >= 0; i--) ili_task_cancel(tasks[i]);
    for (int i = 0; i < 6; i++) cr_assert(world_until(told[i].times, 20));
    for (int i = 0; i < 6; i++) cr_assert_eq(told[i].state, ILI_TASK_CANCELLED);
    cr_assert(world_until(ili_pool_worker_views(pool, views, 8) == 0, 20));
}

Test(work_exec, time_limits_and_signals) {
    struct ili_pool_options options;
    ili_pool_options_init(&options);
    options.grace_ns = 30 * MS;
    struct ili_pool *pool = shell("p", 1, &options);
    struct ili_task_options limit = world_options(pool);
    struct told told;
    limit.time_limit_ns = 50 * MS;
    world_call(pool, "", "[\"echo begun; sleep 1000\"]", &limit, &told);
    cr_assert_eq(told.state, ILI_TASK_TIMED_OUT);
    world_call(pool, "", "[\"trap '' TERM; while :; do sleep 1; done\"]", &limit, &told);
    cr_assert_eq(told.state, ILI_TASK_TIMED_OUT);
    limit.retries = 1;
    limit.backoff_ns = MS;
    world_call(pool, "", "[\"trap '' TERM; while :; do sleep 1; done\"]", &limit, &told);
    cr_assert_eq(told.state, ILI_TASK_TIMED_OUT);
    cr_assert_eq(told.attempts, 2);
    world_call(pool, "", "[\"echo last words >&2; kill -11 $$\"]", NULL, &told);
    cr_assert_eq(told.state, ILI_TASK_LOST);
    cr_assert(strstr(told.error, "the command was killed by signal 11 (SIGSEGV)"), "%s",
              told.error);
    cr_assert_str_eq(told.output, "last words\n");
    cr_assert(world_until(ili_spawner_count(&world.pools.spawner) == 0, 20));
}

Test(work_exec, too_much_output_fails_it) {
    struct ili_pool_options options;
    ili_pool_options_init(&options);
    options.output_bytes = 1000;
    struct ili_pool *pool = shell("p", 1, &options);
    struct told told;
    world_call(pool, "", "[\"head -c 1000 /dev/zero | tr '\\\\0' x\"]", NULL, &told);
    cr_assert_eq(told.state, ILI_TASK_SUCCEEDED, "%s", told.error);
    world_call(pool, "", "[\"head -c 700 /dev/zero | tr '\\\\0' x | tee /dev/stderr\"]", NULL,
               &told);
    cr_assert_eq(told.state, ILI_TASK_FAILED, "both together are too much");
    world_call(pool, "", "[\"yes\"]", NULL, &told);
    cr_assert_eq(told.state, ILI_TASK_FAILED);
    cr_assert(strstr(told.error, "OutputLimit") && strstr(told.error, "more than 1000 bytes"), "%s",
              told.error);
}

Test(work_exec, a_program_that_is_not_there_fails_the_task) {
    char *command[] = {(char[]){"/nowhere/program"}, NULL};
    struct ili_pool_options options;
    ili_pool_options_init(&options);
    options.kind = ILI_POOL_EXEC;
    options.command = command;
    struct ili_pool *pool = world_pool("p", 1, "", &options);
    struct told told;
    world_call(pool, "", "[]", NULL, &told);
    cr_assert_eq(told.state, ILI_TASK_FAILED);
    cr_assert(strstr(told.error, "SpawnFailed") && strstr(told.error, "No such file"), "%s",
              told.error);
    cr_assert_neq(ili_pool_trouble(pool), NULL);
}

Test(work_exec, arguments_are_texts) {
    static const char *const bad[] = {"[1]", "{}", "[\"a\\u0000b\"]", "[[\"a\"]]", "\"a\""};
    struct ili_pool *pool = shell("p", 1, NULL);
    struct ili_fault fault;
    struct ili_task *task;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ili_call call = {.args = bad[i], .args_bytes = strlen(bad[i])};
        cr_assert_eq(ili_task_submit(pool, &call, NULL, &task, &fault), IL_EINVAL, "%s", bad[i]);
        cr_assert_eq(strncmp(fault.field, "args", 4), 0);
    }
    struct ili_call call = {.function = "f", .function_bytes = 1};
    cr_assert_eq(ili_task_submit(pool, &call, NULL, &task, &fault), IL_EINVAL);
    cr_assert_str_eq(fault.field, "function");
}

Test(work_exec, arguments_that_are_too_long_for_a_program_fail_the_task) {
    struct ili_pool *pool = shell("p", 1, NULL);
    size_t bytes = 2 << 20;
    char *args = malloc(bytes + 5);
    struct told told;
    memset(args, 'x', bytes + 4);
    memcpy(args, "[\"", 2);
    memcpy(args + bytes + 2, "\"]", 3);
    world_call(pool, "", args, NULL, &told);
    cr_assert_eq(told.state, ILI_TASK_FAILED);
    cr_assert(strstr(told.error, "too long"), "%s", told.error);
    free(args);
    world_call(pool, "", "[\"true\"]", NULL, &told);
    cr_assert_eq(told.state, ILI_TASK_SUCCEEDED);
}

Test(work_exec, nothing_is_left_after_many_runs) {
    struct ili_pool *pool = shell("p", 3, NULL);
    static struct told told[200];
    unsigned before = world_descriptors();
    for (int i = 0; i < 200; i++) world_submit(pool, "", "[\"cat\"]", NULL, &told[i]);
    for (int i = 0; i < 200; i++) {
        cr_assert(world_until(told[i].times, 30));
        cr_assert_eq(told[i].state, ILI_TASK_SUCCEEDED, "%s", told[i].error);
    }
    cr_assert(world_until(ili_spawner_count(&world.pools.spawner) == 0, 20));
    cr_assert_eq(world_descriptors(), before);
    ili_pool_close(pool);
    cr_assert(world_until(ili_pool_state(pool) == ILI_POOL_ENDED, 20));
}
