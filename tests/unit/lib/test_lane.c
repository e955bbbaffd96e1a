/*
 * The lane, with real workers and a pool that is played here: a submission starts a worker process and
 * hands it the call; one that dies is replaced as often as the test says.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/lane.h"
#include "lib/lane.h"
#include "support/mapped.h"
#include "support/world.h"

#define BYTES (UINT64_C(64) << 20)
#define TASKS 64

/* ---- the pool that is played --------------------------------------------------------------------- */

struct ili_remote_task {
    pid_t pid;
    int fd;
    uint32_t state;
    char kwargs[600];
};

static struct {
    struct world world;
    struct il_workers workers;
    struct ili_remote_ops ops;
    struct ili_remote_task tasks[TASKS];
    int submitted, restarts; /* how often a worker may be replaced */
    const char *function;    /* what is asked of workers instead of the lane; NULL: that */
    bool idle;               /* nobody takes the tasks: they stay queued */
    int http_maps;           /* how often the rest went over HTTP */
} pool;

static void say(struct ili_remote_task *task, const char *line) {
    (void)send(task->fd, line, strlen(line),
               MSG_NOSIGNAL); /* to a dead one: its end is read next */
}

/* A worker with the call of TASK. */
static void start(struct ili_remote_task *task) {
    char line[1024], program[4096], module[4096], fd[40], domain[160];
    int ends[2];
    snprintf(program, sizeof program, "%s/bin/interlock-worker", getenv("INTERLOCK_BUILD"));
    snprintf(module, sizeof module, "%s/module/functions.so", getenv("INTERLOCK_BUILD"));
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    snprintf(fd, sizeof fd, "INTERLOCK_WORKER_FD=%d", ends[1]);
    snprintf(domain, sizeof domain, "INTERLOCK_DOMAIN=%s", pool.world.address);
    char *arguments[] = {program, (char[]){"--module"}, module, NULL};
    char *environment[] = {fd, domain, NULL};
    task->pid = fork();
    if (task->pid == 0) { /* of a process with threads: nothing that allocates */
        fcntl(ends[1], F_SETFD, 0);
        execve(program, arguments, environment);
        _exit(127);
    }
    close(ends[1]);
    task->fd = ends[0];
    task->state = IL_TASK_RUNNING;
    snprintf(
        line, sizeof line,
        "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"call\",\"params\":{\"function\":\"%s\","
        "\"args\":[],\"kwargs\":%s,\"task\":\"1\",\"attempt\":1}}\n",
        pool.function ? pool.function : ILI_LANE_FUNCTION, task->kwargs);
    say(task, line);
}

static il_status submit(struct ili_remote_workers *workers, const struct ili_remote_work *work,
                        struct ili_remote_task **out) {
    (void)workers;
    cr_assert_lt(pool.submitted, TASKS);
    struct ili_remote_task *task = &pool.tasks[pool.submitted++];
    *task = (struct ili_remote_task){.fd = -1, .state = IL_TASK_QUEUED};
    cr_assert_lt(work->kwargs_bytes, sizeof task->kwargs);
    memcpy(task->kwargs, work->kwargs, work->kwargs_bytes);
    if (!pool.idle) start(task);
    *out = task;
    return IL_OK;
}

/* What TASK's worker says next. */
static void listen_to(struct ili_remote_task *task) {
    char line[4096];
    ssize_t got = recv(task->fd, line, sizeof line - 1, MSG_DONTWAIT);
    if (got < 0) return;
    line[got] = 0;
    if (strstr(line, "\"result\":")) {
        task->state = IL_TASK_SUCCEEDED;
    } else if (strstr(line, "\"error\":")) {
        task->state = strstr(line, "\"code\":2,") ? IL_TASK_CANCELLED : IL_TASK_FAILED;
    } else if (got == 0 && pool.restarts > 0) {
        pool.restarts--;
        close(task->fd);
        waitpid(task->pid, NULL, 0);
        start(task);
    } else if (got == 0) {
        task->state = IL_TASK_LOST;
    }
}

static il_status state_of(struct ili_remote_task *task, uint32_t *state) {
    if (task->state == IL_TASK_RUNNING) listen_to(task);
    *state = task->state;
    return IL_OK;
}

static il_status cancel(struct ili_remote_task *task) {
    if (task->state == IL_TASK_QUEUED) task->state = IL_TASK_CANCELLED;
    if (task->state == IL_TASK_RUNNING) {
        say(task, "{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":\"1\"}}\n");
    }
    return IL_OK;
}

static il_status close_task(struct ili_remote_task *task) {
    (void)task;
    return IL_OK;
}

/* Everything succeeds there, with the word "http". */
static il_status map_over_http(struct ili_remote_workers *workers, const struct ili_remote_map *map,
                               int64_t timeout_ns) {
    (void)workers, (void)timeout_ns;
    pool.http_maps++;
    for (size_t i = 0; i < map->count; i++) {
        il_map_result result = {sizeof result, IL_OK, i, "\"http\"", 6};
        if (map->each(map->context, &result)) return IL_ECANCELLED;
    }
    return IL_OK;
}

static void open_pool(void) {
    cr_assert(world_open(&pool.world, true, BYTES));
    pool.ops.workers_submit = submit;
    pool.ops.workers_map = map_over_http;
    pool.ops.task_state = state_of;
    pool.ops.task_cancel = cancel;
    pool.ops.task_close = close_task;
    pool.workers = (struct il_workers){.domain = pool.world.domain, .ops = &pool.ops};
}

static bool nothing_is_left(void *world) {
    il_domain_info info = {.struct_bytes = sizeof info};
    return il_domain_info_get(((struct world *)world)->domain, &info) == IL_OK && info.objects == 0;
}

/* Workers end by the end of their sockets. */
static void close_pool(void) {
    for (int i = 0; i < pool.submitted; i++) {
        struct ili_remote_task *task = &pool.tasks[i];
        if (task->fd < 0) continue;
        close(task->fd);
        cr_assert_neq(test_reap(task->pid, 10), -1, "worker %d does not end", i);
    }
    cr_assert(test_wait(nothing_is_left, &pool.world, 10), "objects of the lane are left");
    world_close(&pool.world);
}

/* ---- maps ---------------------------------------------------------------------------------------- */

struct wanted {
    const char *function, *kwargs;
    uint32_t flags, lanes, retries;
    int64_t timeout_ns; /* 0: forever */
};

static il_status map(const struct wanted *w) {
    struct ili_remote_map map = {.work = {.function = w->function,
                                          .function_bytes = strlen(w->function),
                                          .kwargs = w->kwargs,
                                          .kwargs_bytes = w->kwargs ? strlen(w->kwargs) : 0},
                                 .items = run.items,
                                 .count = run.count,
                                 .flags = w->flags,
                                 .each = hear};
    struct ili_remote_lanes lanes = {w->lanes ? w->lanes : 2, w->retries};
    return ili_lane_map(&pool.workers, &map, &lanes, w->timeout_ns ? w->timeout_ns : IL_FOREVER);
}

Test(lib_lane, every_item_is_told_once, .timeout = 60) {
    open_pool();
    fill(MAPPED_MOST, "#");
    cr_assert_eq(map(&(struct wanted){.function = "same", .lanes = 3}), IL_OK, "%s",
                 il_error_message());
    cr_assert_eq(check_numbers(), MAPPED_MOST);
    cr_assert_eq(pool.submitted, 3);
    cr_assert_eq(pool.http_maps, 0);
    close_pool();
}

Test(lib_lane, results_come_in_order_if_asked_for, .timeout = 60) {
    open_pool();
    fill(5000, "#");
    cr_assert_eq(map(&(struct wanted){.function = "same", .lanes = 3, .flags = IL_MAP_ORDERED}),
                 IL_OK);
    cr_assert_eq(check_numbers(), 5000);
    cr_assert(told_in_order());
    close_pool();
}

Test(lib_lane, items_may_be_arguments, .timeout = 60) {
    open_pool();
    fill(100, "[# , 0\n]");
    cr_assert_eq(map(&(struct wanted){.function = "sum", .flags = IL_MAP_STAR}), IL_OK);
    cr_assert_eq(check_numbers(), 100);
    close_pool();
}

Test(lib_lane, kwargs_go_with_each, .timeout = 60) {
    static const char kwargs[] = "{\"a\": \"}\"}";
    open_pool();
    fill(40, "#");
    cr_assert_eq(map(&(struct wanted){.function = "kwargs", .kwargs = kwargs}), IL_OK);
    for (size_t i = 0; i < run.count; i++) cr_assert_str_eq(run.results[i], kwargs);
    close_pool();
}

Test(lib_lane, failures_are_told_with_their_error, .timeout = 60) {
    open_pool();
    fill(40, "\"no #\"");
    cr_assert_eq(map(&(struct wanted){.function = "fail"}), IL_OK);
    cr_assert_eq(run.total, 40);
    cr_assert_eq(run.status[7], IL_EFAILED);
    cr_assert_str_eq(run.results[7], "{\"type\":\"TestError\",\"message\":\"no 7\"}");
    close_pool();
}

Test(lib_lane, what_is_not_json_is_not_called, .timeout = 60) {
    open_pool();
    fill(40, "#");
    run.items[3] = (il_map_item){"1,2", 3};
    run.items[4] = (il_map_item){"nul", 3};
    cr_assert_eq(map(&(struct wanted){.function = "same"}), IL_OK);
    cr_assert_eq(check_numbers(), 38);
    cr_assert_eq(run.status[3], IL_EFAILED);
    cr_assert_eq(run.status[4], IL_EFAILED);
    close_pool();
}

Test(lib_lane, function_that_is_not_there_fails_each_item, .timeout = 60) {
    open_pool();
    fill(40, "#");
    cr_assert_eq(map(&(struct wanted){.function = "none", .retries = 5}), IL_OK);
    cr_assert_eq(check_numbers(), 0);
    cr_assert_eq(pool.submitted, 2, "it was tried again");
    close_pool();
}

/* A directory whose files say which items were tried; FORMAT gets their paths. */
static char marks[] = "/tmp/interlock-lane-XXXXXX";

static void fill_with_marks(const char *format) {
    char text[80];
    const char *at = strchr(format, '@');
    cr_assert_not_null(mkdtemp(marks));
    snprintf(text, sizeof text, "%.*s%s/#%s", (int)(at - format), format, marks, at + 1);
    fill(6, text); /* a death is seen when the client looks, after up to a second */
}

/* Every item was tried, and ended with RESULT. */
static void check_marks(const char *result) {
    cr_assert_eq(run.total, run.count);
    for (size_t i = 0; i < run.count; i++) {
        char file[80];
        snprintf(file, sizeof file, "%s/%zu", marks, i);
        cr_assert_eq(unlink(file), 0);
        cr_assert_eq(run.status[i], IL_OK, "item %zu: %d", i, run.status[i]);
        cr_assert_str_eq(run.results[i], result);
    }
    rmdir(marks);
}

Test(lib_lane, failed_item_is_tried_again, .timeout = 60) {
    open_pool();
    fill_with_marks("\"@\"");
    cr_assert_eq(map(&(struct wanted){.function = "fail_once", .retries = 1}), IL_OK);
    check_marks("\"the second time\"");
    close_pool();
}

/* ---- deaths -------------------------------------------------------------------------------------- */

Test(lib_lane, item_whose_worker_died_is_lost_and_the_others_are_done, .timeout = 60) {
    open_pool();
    pool.restarts = 100;
    fill(2000, "[700,#]");
    cr_assert_eq(map(&(struct wanted){.function = "die_at", .flags = IL_MAP_STAR}), IL_OK);
    cr_assert_eq(check_numbers(), 1999);
    cr_assert_eq(run.status[700], IL_ELOST);
    cr_assert_not_null(strstr(run.results[700], "WorkerDied"));
    close_pool();
}

Test(lib_lane, item_at_which_three_workers_died_is_set_aside, .timeout = 60) {
    open_pool();
    pool.restarts = 100;
    fill(500, "[77,#]");
    cr_assert_eq(map(&(struct wanted){.function = "die_at", .retries = 50, .flags = IL_MAP_STAR}),
                 IL_OK);
    cr_assert_eq(check_numbers(), 499);
    cr_assert_eq(run.status[77], IL_ELOST);
    cr_assert_eq(pool.submitted, 2 + 1 + 1, "it was tried in three rounds");
    close_pool();
}

Test(lib_lane, item_whose_worker_died_once_is_done_by_another, .timeout = 60) {
    open_pool();
    pool.restarts = 100;
    fill_with_marks("[\"@\",5]");
    cr_assert_eq(map(&(struct wanted){.function = "die_once", .retries = 1, .flags = IL_MAP_STAR}),
                 IL_OK);
    check_marks("5");
    close_pool();
}

Test(lib_lane, workers_that_are_not_replaced_leave_the_rest_for_another_round, .timeout = 60) {
    open_pool();
    fill(3000, "[5,#]");
    cr_assert_eq(
        map(&(struct wanted){.function = "die_at", .lanes = 1, .retries = 9, .flags = IL_MAP_STAR}),
        IL_OK);
    cr_assert_eq(check_numbers(), 2999);
    cr_assert_eq(run.status[5], IL_ELOST);
    cr_assert_eq(pool.submitted, 4, "three rounds that ended with a death, and one that did not");
    close_pool();
}

Test(lib_lane, workers_that_take_nothing_leave_it_to_http, .timeout = 60) {
    open_pool();
    pool.function = "none";
    fill(50, "#");
    cr_assert_eq(map(&(struct wanted){.function = "same", .flags = IL_MAP_ORDERED}), IL_OK);
    cr_assert_eq(pool.http_maps, 1);
    cr_assert_eq(run.total, 50);
    for (size_t i = 0; i < run.count; i++) cr_assert_str_eq(run.results[i], "\"http\"");
    close_pool();
}

/* ---- giving up ----------------------------------------------------------------------------------- */

/* The workers end: their functions, which would sleep for hours, were told to. */
Test(lib_lane, map_ends_when_its_time_is_over, .timeout = 60) {
    open_pool();
    fill(40, "#000");
    cr_assert_eq(map(&(struct wanted){.function = "sleep", .timeout_ns = 50000000}), IL_ETIMEOUT);
    close_pool();
}

Test(lib_lane, map_that_nobody_begins_waits_and_can_be_given_up, .timeout = 60) {
    open_pool();
    pool.idle = true;
    fill(40, "#");
    cr_assert_eq(map(&(struct wanted){.function = "same", .timeout_ns = 100000000}), IL_ETIMEOUT);
    cr_assert_eq(run.total, 0);
    cr_assert_eq(pool.submitted, 2);
    cr_assert_eq(pool.tasks[0].state, IL_TASK_CANCELLED);
    cr_assert_eq(pool.tasks[1].state, IL_TASK_CANCELLED);
    close_pool();
}

Test(lib_lane, map_ends_when_the_caller_has_enough, .timeout = 60) {
    open_pool();
    fill(5000, "#");
    run.enough = 10;
    cr_assert_eq(map(&(struct wanted){.function = "same"}), IL_ECANCELLED);
    cr_assert_eq(run.total, 10);
    close_pool();
}

Test(lib_lane, interrupted_map_ends, .timeout = 60) {
    open_pool();
    fill(40, "1#0");
    cr_assert_eq(il_interrupt(il_thread_self()), IL_OK);
    cr_assert_eq(map(&(struct wanted){.function = "sleep"}), IL_EINTR);
    close_pool();
}

/* Their tasks are found cancelled, and not by the map. */
static il_status state_of_cancelled(struct ili_remote_task *task, uint32_t *state) {
    (void)task;
    *state = IL_TASK_CANCELLED;
    return IL_OK;
}

Test(lib_lane, calls_that_somebody_cancels_end_the_map, .timeout = 60) {
    open_pool();
    pool.idle = true;
    pool.ops.task_state = state_of_cancelled;
    fill(40, "#");
    cr_assert_eq(map(&(struct wanted){.function = "same", .retries = 3}), IL_OK);
    cr_assert_eq(check_numbers(), 0);
    cr_assert_eq(run.status[39], IL_ECANCELLED);
    cr_assert_eq(pool.submitted, 2);
    close_pool();
}

/* ---- sizes --------------------------------------------------------------------------------------- */

/* More than the arena holds, in both directions: whoever puts waits for the other side. */
Test(lib_lane, large_items_take_turns_in_the_arena, .timeout = 120) {
    enum { COUNT = 64, EACH = 4 << 20 };
    open_pool();
    char *text = malloc(EACH);
    cr_assert_not_null(text);
    memset(text, '7', EACH);
    text[0] = text[EACH - 1] = '"';
    fill(COUNT, "#");
    for (size_t i = 0; i < COUNT; i++) run.items[i] = (il_map_item){text, EACH};
    cr_assert_eq(map(&(struct wanted){.function = "same"}), IL_OK, "%s", il_error_message());
    cr_assert_eq(run.total, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        cr_assert_eq(run.told[i], 1);
        cr_assert_eq(run.status[i], IL_OK, "%s", run.results[i]);
    }
    free(text);
    close_pool();
}

Test(lib_lane, item_that_fits_no_message_is_refused, .timeout = 60) {
    open_pool();
    char *text = malloc(IL_MESSAGE_MAX_BYTES);
    cr_assert_not_null(text);
    memset(text, '7', IL_MESSAGE_MAX_BYTES);
    fill(40, "#");
    run.items[9] = (il_map_item){text, IL_MESSAGE_MAX_BYTES};
    cr_assert_eq(map(&(struct wanted){.function = "same"}), IL_ETOOBIG);
    cr_assert_not_null(strstr(il_error_message(), "items[9]"), "%s", il_error_message());
    cr_assert_eq(pool.submitted, 0, "nothing was done");
    free(text);
    close_pool();
}

#ifndef WORLD_CANNOT_FORK_SERVED

/* ---- the client's death -------------------------------------------------------------------------- */

static const char orphaned[] = ILI_LANE_PREFIX "test";

/* A client with one item, which then does nothing until it is killed. */
static _Noreturn void be_client(int said) {
    char text[ILI_LANE_NAME_BYTES], message[sizeof(struct ili_lane_head) + 1] = {0}, byte = 1;
    il_lock *lock;
    il_queue *items;
    message[sizeof message - 1] = '5';
    if (!world_join(&pool.world)) _exit(2);
    il_domain *domain = pool.world.domain;
    size_t bytes = ili_lane_queue(text, orphaned, ILI_LANE_ITEMS, 0);
    if (il_lock_open(domain, orphaned, strlen(orphaned), NULL, &lock) != IL_OK ||
        il_lock_acquire(lock, IL_NOWAIT, NULL) != IL_OK ||
        il_queue_open(domain, text, bytes, NULL, &items) != IL_OK ||
        il_queue_put(items, message, sizeof message, IL_BYTES, IL_NOWAIT) != IL_OK ||
        write(said, &byte, 1) != 1) {
        _exit(3);
    }
    for (;;) pause();
}

static bool has_ended(void *task) {
    uint32_t state;
    return state_of(task, &state) == IL_OK && state >= IL_TASK_SUCCEEDED;
}

Test(lib_lane, workers_end_and_clear_away_when_the_client_dies, .timeout = 60) {
    char text[ILI_LANE_NAME_BYTES], byte, kwargs[300], answer[64];
    int said[2];
    struct ili_remote_task *task;
    il_queue *results;
    open_pool();
    cr_assert_eq(pipe(said), 0);
    pid_t client = fork();
    if (client == 0) be_client(said[1]);
    cr_assert_eq(read(said[0], &byte, 1), 1);
    int bytes = snprintf(kwargs, sizeof kwargs,
                         "{\"name\":\"%s\",\"round\":0,\"function\":\"same\",\"star\":false,"
                         "\"kwargs\":{}}",
                         orphaned);
    struct ili_remote_work work = {.kwargs = kwargs, .kwargs_bytes = (size_t)bytes};
    cr_assert_eq(submit(NULL, &work, &task), IL_OK);

    size_t name_bytes = ili_lane_queue(text, orphaned, ILI_LANE_RESULTS, 0), got;
    cr_assert_eq(il_queue_open(pool.world.domain, text, name_bytes, NULL, &results), IL_OK);
    cr_assert_eq(il_queue_get(results, answer, sizeof answer, &got, NULL, 10000000000), IL_OK);
    cr_assert_eq(answer[sizeof(struct ili_lane_head)], '5', "the lane works");
    il_queue_close(results);

    kill(client, SIGKILL);
    waitpid(client, NULL, 0);
    cr_assert(test_wait(has_ended, task, 10), "the worker waits on");
    cr_assert_eq(task->state, IL_TASK_SUCCEEDED);
    close_pool();
}

#endif
