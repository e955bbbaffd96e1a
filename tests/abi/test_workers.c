/* Pools of a real server, behind both doors that lead to one: tasks, maps, and the lane. */
#include <criterion/criterion.h>
#include <dirent.h>

#include "support/doors.h"
#include "support/mapped.h"

static char directory[] = "/tmp/interlock-workers-XXXXXX";
static char config[64];

/* A server with the pool "c", of two workers with tests/module/functions.c. */
static void open_server(struct door *door, const char *which) {
    cr_assert_not_null(mkdtemp(directory));
    snprintf(config, sizeof config, "%s/config.json", directory);
    FILE *out = fopen(config, "w");
    cr_assert_not_null(out);
    fprintf(out,
            "{\"pools\":{\"c\":{\"module\":\"%s/module/functions.so\",\"workers\":2,\"grace\":1},"
            "\"limited\":{\"module\":\"%s/module/functions.so\",\"workers\":1,\"time_limit\":60}}}",
            getenv("INTERLOCK_BUILD"), getenv("INTERLOCK_BUILD"));
    fclose(out);
    cr_assert(door_open_with(door, which, config), "%s", il_error_message());
}

static void remove_directory(void) {
    char path[600];
    DIR *all = opendir(directory);
    for (struct dirent *one; all && (one = readdir(all));) {
        snprintf(path, sizeof path, "%s/%s", directory, one->d_name);
        unlink(path);
    }
    if (all) closedir(all);
    rmdir(directory);
}

#define BOTH_DOORS(name)                                                                           \
    static void test_##name(struct door *door, il_workers *workers);                               \
    ONE_OF_BOTH(name, unix)                                                                        \
    ONE_OF_BOTH(name, http)                                                                        \
    static void test_##name(struct door *door, il_workers *workers)

#define ONE_OF_BOTH(name, which)                                                                   \
    Test(workers, name##_##which, .timeout = 120) {                                                \
        struct door door;                                                                          \
        il_workers *workers = NULL;                                                                \
        open_server(&door, #which);                                                                \
        cr_assert_eq(il_workers_open(door.domain, "c", 1, &workers), IL_OK, "%s",                  \
                     il_error_message());                                                          \
        test_##name(&door, workers);                                                               \
        cr_assert_eq(il_workers_close(workers), IL_OK);                                            \
        cr_assert(door_close(&door), "the server did not end well");                               \
        remove_directory();                                                                        \
    }

static il_task *submit(il_workers *workers, const char *function, const char *args,
                       const il_task_options *options) {
    il_task *task = NULL;
    il_status status = il_workers_submit(workers, function, strlen(function), args,
                                         args ? strlen(args) : 0, NULL, 0, options, &task);
    cr_assert_eq(status, IL_OK, "%s", il_error_message());
    return task;
}

/* The result of TASK, which must succeed. Borrowed until the next call. */
static const char *result(il_task *task) {
    static char text[1024];
    size_t bytes = 0;
    il_status status = il_task_result(task, text, sizeof text - 1, &bytes, seconds(60));
    cr_assert_eq(status, IL_OK, "%s", il_error_message());
    text[bytes] = 0;
    return text;
}

static uint32_t state(il_task *task) {
    uint32_t now = 0;
    cr_assert_eq(il_task_state(task, &now), IL_OK, "%s", il_error_message());
    return now;
}

/* ---- tasks ---------------------------------------------------------------------------------- */

BOTH_DOORS(task_is_submitted_waited_for_and_asked) {
    (void)door;
    uint64_t id = 0;
    size_t bytes = 0;
    il_task *task = submit(workers, "same", "[{\"a\": [1.0, \"\\u00e9\"]}]", NULL);
    cr_assert_eq(il_task_id(task, &id), IL_OK);
    cr_assert_neq(id, 0);
    cr_assert_eq(il_task_wait(task, IL_FOREVER), IL_OK);
    cr_assert_eq(state(task), IL_TASK_SUCCEEDED);
    cr_assert_str_eq(result(task), "{\"a\": [1.0, \"\\u00e9\"]}");
    cr_assert_eq(il_task_result(task, NULL, 0, &bytes, IL_NOWAIT), IL_ETOOBIG);
    cr_assert_eq(bytes, strlen(result(task)));
    cr_assert_eq(il_task_error(task, NULL, 0, &bytes, IL_NOWAIT), IL_ENOTFOUND);
    cr_assert_eq(il_task_cancel(task), IL_OK, "nothing is left to be cancelled");
    cr_assert_eq(il_task_close(task), IL_OK);
}

BOTH_DOORS(kwargs_reach_the_function) {
    (void)door;
    il_task *task = NULL;
    cr_assert_eq(il_workers_submit(workers, "kwargs", 6, NULL, 0, "{\"x\":\"y\"}", 9, NULL, &task),
                 IL_OK, "%s", il_error_message());
    cr_assert_str_eq(result(task), "{\"x\":\"y\"}");
    il_task_close(task);
}

BOTH_DOORS(apply_returns_a_task_that_has_ended) {
    (void)door;
    il_task *task = NULL;
    cr_assert_eq(il_workers_apply(workers, "sum", 3, "[40,2]", 6, NULL, 0, NULL, IL_FOREVER, &task),
                 IL_OK, "%s", il_error_message());
    cr_assert_str_eq(result(task), "42");
    il_task_close(task);
    cr_assert_eq(
        il_workers_apply(workers, "sleep", 5, "[1.2]", 5, NULL, 0, NULL, seconds(60), &task), IL_OK,
        "longer than one request waits: %s", il_error_message());
    cr_assert_str_eq(result(task), "null");
    il_task_close(task);
}

BOTH_DOORS(failure_is_told_with_its_error) {
    (void)door;
    char text[1024] = "";
    size_t bytes = 0;
    il_task *task = submit(workers, "fail", "[\"no luck\"]", NULL);
    cr_assert_eq(il_task_result(task, text, sizeof text, &bytes, IL_FOREVER), IL_EFAILED);
    SAYS("TestError");
    SAYS("no luck");
    cr_assert_eq(il_task_error(task, text, sizeof text - 1, &bytes, IL_NOWAIT), IL_OK);
    text[bytes] = 0;
    cr_assert_not_null(strstr(text, "TestError"), "%s", text);
    cr_assert_eq(state(task), IL_TASK_FAILED);
    il_task_close(task);
}

BOTH_DOORS(worker_that_dies_loses_or_repeats_its_task) {
    (void)door;
    char args[200];
    size_t bytes = 0;
    il_task_options options = {.struct_bytes = sizeof options, .retries = 1};
    il_task *task = submit(workers, "die", NULL, NULL);
    cr_assert_eq(il_task_result(task, NULL, 0, &bytes, seconds(60)), IL_ELOST);
    cr_assert_eq(state(task), IL_TASK_LOST);
    il_task_close(task);
    snprintf(args, sizeof args, "[\"%s/mark\",7]", directory);
    task = submit(workers, "die_once", args, &options);
    cr_assert_str_eq(result(task), "7");
    il_task_close(task);
}

BOTH_DOORS(time_limit_ends_an_attempt) {
    (void)door;
    size_t bytes = 0;
    il_task_options options = {.struct_bytes = sizeof options, .time_limit_ns = 50000000};
    il_task *task = submit(workers, "sleep", "[60]", &options);
    cr_assert_eq(il_task_wait(task, seconds(60)), IL_OK);
    cr_assert_eq(state(task), IL_TASK_TIMED_OUT);
    cr_assert_eq(il_task_result(task, NULL, 0, &bytes, IL_NOWAIT), IL_ETIMEOUT);
    il_task_close(task);
}

BOTH_DOORS(task_is_cancelled_before_it_begins_and_while_it_runs) {
    (void)door;
    size_t bytes = 0;
    il_task *running[2] = {submit(workers, "sleep", "[60]", NULL),
                           submit(workers, "sleep", "[60]", NULL)};
    il_task *queued = submit(workers, "same", "[1]", NULL);
    cr_assert_eq(il_task_wait(queued, 20000000), IL_ETIMEOUT);
    cr_assert_eq(il_task_cancel(queued), IL_OK);
    cr_assert_eq(state(queued), IL_TASK_CANCELLED);
    cr_assert_eq(il_task_result(queued, NULL, 0, &bytes, IL_NOWAIT), IL_ECANCELLED);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(il_task_cancel(running[i]), IL_OK);
        cr_assert_eq(il_task_wait(running[i], seconds(60)), IL_OK);
        cr_assert_eq(state(running[i]), IL_TASK_CANCELLED);
        il_task_close(running[i]);
    }
    il_task_close(queued);
}

BOTH_DOORS(delayed_task_waits) {
    (void)door;
    il_task_options options = {.struct_bytes = sizeof options, .delay_ns = seconds(3600)};
    il_task *task = submit(workers, "same", "[1]", &options);
    cr_assert_eq(state(task), IL_TASK_DELAYED);
    cr_assert_eq(il_task_cancel(task), IL_OK);
    il_task_close(task);
}

BOTH_DOORS(apply_that_takes_too_long_cancels_its_task) {
    (void)door;
    il_task *task = NULL;
    il_status status =
        il_workers_apply(workers, "sleep", 5, "[60]", 4, NULL, 0, NULL, 50000000, &task);
    cr_assert_eq(status, IL_ETIMEOUT);
    cr_assert_null(task);
    /* both workers are free again, since the call was ended */
    il_task *both[2] = {submit(workers, "same", "[1]", NULL), submit(workers, "same", "[2]", NULL)};
    cr_assert_str_eq(result(both[0]), "1");
    cr_assert_str_eq(result(both[1]), "2");
    il_task_close(both[0]);
    il_task_close(both[1]);
}

BOTH_DOORS(interruption_ends_a_wait) {
    (void)door;
    il_task *task = submit(workers, "sleep", "[60]", NULL);
    cr_assert_eq(il_interrupt(il_thread_self()), IL_OK);
    cr_assert_eq(il_task_wait(task, IL_FOREVER), IL_EINTR);
    cr_assert_eq(il_task_wait(task, IL_NOWAIT), IL_ETIMEOUT, "it runs on");
    cr_assert_eq(il_task_cancel(task), IL_OK);
    il_task_close(task);
}

BOTH_DOORS(refusals_name_what_is_wrong) {
    il_task *task = NULL;
    il_workers *none = NULL;
    cr_assert_eq(il_workers_open(door->domain, "other", 5, &none), IL_ENOTFOUND);
    il_task *first = submit(workers, "same", "[1]", NULL); /* then the functions are known */
    cr_assert_str_eq(result(first), "1");
    il_task_close(first);
    cr_assert_eq(il_workers_submit(workers, "nothing", 7, NULL, 0, NULL, 0, NULL, &task),
                 IL_EFUNCTION);
    cr_assert_eq(il_workers_submit(workers, "same", 4, "[1", 2, NULL, 0, NULL, &task), IL_EINVAL);
    cr_assert_eq(il_workers_submit(workers, "same", 4, "{}", 2, NULL, 0, NULL, &task), IL_EINVAL);
    SAYS("args");
    cr_assert_null(task);
}

/* ---- maps ------------------------------------------------------------------------------------ */

#define ITEMS 3000

static il_status map(il_workers *workers, const char *function, uint32_t flags,
                     const il_task_options *task) {
    il_map_options options = {.struct_bytes = sizeof options, .flags = flags, .task = task};
    return il_workers_map(workers, function, strlen(function), run.items, run.count, &options, hear,
                          NULL, seconds(60));
}

/* So that a map knows what the workers have, and takes the lane if it may. */
static void wake(il_workers *workers) {
    il_task *task = submit(workers, "same", "[0]", NULL);
    cr_assert_str_eq(result(task), "0");
    il_task_close(task);
}

BOTH_DOORS(map_tells_every_item_once) {
    (void)door;
    wake(workers);
    for (uint32_t flags = 0; flags <= IL_MAP_HTTP; flags += IL_MAP_HTTP) {
        fill(ITEMS, "#");
        cr_assert_eq(map(workers, "same", flags, NULL), IL_OK, "%s", il_error_message());
        cr_assert_eq(check_numbers(), ITEMS);
        fill(500, "[#,0]");
        cr_assert_eq(map(workers, "sum", flags | IL_MAP_STAR | IL_MAP_ORDERED, NULL), IL_OK, "%s",
                     il_error_message());
        cr_assert_eq(check_numbers(), 500);
        cr_assert(told_in_order());
    }
}

BOTH_DOORS(map_of_nothing_is_done) {
    (void)door;
    fill(0, "#");
    cr_assert_eq(map(workers, "same", 0, NULL), IL_OK);
    cr_assert_eq(run.total, 0);
}

BOTH_DOORS(map_returns_the_first_failure_and_tells_all) {
    (void)door;
    wake(workers);
    for (uint32_t flags = 0; flags <= IL_MAP_HTTP; flags += IL_MAP_HTTP) {
        fill(100, "#");
        run.items[70] = run.items[30] = (il_map_item){"\"x\"", 3};
        cr_assert_eq(map(workers, "sum", flags | IL_MAP_STAR, NULL),
                     flags || !door->local ? IL_EINVAL : IL_EFAILED, "%s", il_error_message());
        fill(100, "\"#\"");
        cr_assert_eq(map(workers, "fail", flags, NULL), IL_EFAILED);
        SAYS("item 0");
        cr_assert_eq(check_numbers(), 0);
    }
}

/* Workers die at one item; it is lost, and every other is done once. */
BOTH_DOORS(map_survives_workers) {
    (void)door;
    wake(workers);
    il_task_options options = {.struct_bytes = sizeof options, .retries = 9};
    for (uint32_t flags = 0; flags <= IL_MAP_HTTP; flags += IL_MAP_HTTP) {
        fill(1000, "[500,#]");
        cr_assert_eq(map(workers, "die_at", flags | IL_MAP_STAR, &options), IL_ELOST, "%s",
                     il_error_message());
        SAYS("item 500");
        cr_assert_eq(check_numbers(), 999);
    }
}

BOTH_DOORS(map_is_given_up_when_its_time_is_over) {
    (void)door;
    wake(workers);
    for (uint32_t flags = 0; flags <= IL_MAP_HTTP; flags += IL_MAP_HTTP) {
        il_map_options options = {.struct_bytes = sizeof options, .flags = flags};
        fill(100, "1#0");
        cr_assert_eq(il_workers_map(workers, "sleep", 5, run.items, run.count, &options, hear, NULL,
                                    100000000),
                     IL_ETIMEOUT);
    }
    wake(workers); /* the workers are free again */
}

/* ---- what is common to both ------------------------------------------------------------------- */

static bool lane_is_gone(void *domain) {
    il_domain_info info = {.struct_bytes = sizeof info};
    return il_domain_info_get(domain, &info) == IL_OK && info.objects == 0;
}

/* The id of a new task: the difference of two is how many were submitted in between, and one. */
static uint64_t submitted_so_far(il_workers *workers) {
    uint64_t id = 0;
    il_task *task = submit(workers, "same", "[0]", NULL);
    cr_assert_eq(il_task_id(task, &id), IL_OK);
    cr_assert_str_eq(result(task), "0");
    il_task_close(task);
    return id;
}

Test(workers, map_of_a_unix_domain_takes_the_lane, .timeout = 120) {
    struct door door;
    il_workers *workers = NULL, *limited = NULL;
    open_server(&door, "unix");
    cr_assert_eq(il_workers_open(door.domain, "c", 1, &workers), IL_OK);
    uint64_t before = submitted_so_far(workers);
    fill(ITEMS, "#");
    cr_assert_eq(map(workers, "same", 0, NULL), IL_OK);
    cr_assert_eq(check_numbers(), ITEMS);
    uint64_t after = submitted_so_far(workers);
    cr_assert_eq(after - before, 3, "two calls of the lane, not %d tasks", (int)(after - before));
    cr_assert(test_wait(lane_is_gone, door.domain, 10), "its queues are left");

    cr_assert_eq(map(workers, "same", IL_MAP_HTTP, NULL), IL_OK);
    cr_assert_gt(submitted_so_far(workers) - after, ITEMS);
    cr_assert_eq(il_workers_open(door.domain, "limited", 7, &limited), IL_OK);
    before = submitted_so_far(limited);
    fill(100, "#");
    cr_assert_eq(map(limited, "same", 0, NULL), IL_OK);
    cr_assert_gt(submitted_so_far(limited) - before, 100, "a time limit is of tasks");
    il_workers_close(limited);
    il_workers_close(workers);
    cr_assert(door_close(&door));
    remove_directory();
}

Test(workers, private_domain_has_none) {
    il_domain *domain = NULL;
    il_workers *workers = NULL;
    cr_assert_eq(il_domain_open("private:", NULL, &domain), IL_OK);
    cr_assert_eq(il_workers_open(domain, "c", 1, &workers), IL_EUNSUPPORTED);
    SAYS("private:");
    cr_assert_null(workers);
    il_domain_close(domain);
}

Test(workers, nonsense_is_refused_by_name) {
    il_task *task = NULL;
    il_workers *workers = NULL;
    uint32_t number;
    size_t bytes;
    cr_assert_eq(il_workers_open(NULL, "c", 1, &workers), IL_EINVAL);
    SAYS("domain");
    cr_assert_eq(il_workers_submit(NULL, "f", 1, NULL, 0, NULL, 0, NULL, &task), IL_EINVAL);
    SAYS("workers");
    cr_assert_eq(il_workers_map(NULL, "f", 1, NULL, 0, NULL, NULL, NULL, 0), IL_EINVAL);
    SAYS("workers");
    cr_assert_eq(il_workers_close(NULL), IL_OK);
    cr_assert_eq(il_task_close(NULL), IL_OK);
    cr_assert_eq(il_task_wait(NULL, 0), IL_EINVAL);
    SAYS("task");
    cr_assert_eq(il_task_result(NULL, NULL, 0, &bytes, 0), IL_EINVAL);
    cr_assert_eq(il_task_error(NULL, NULL, 0, &bytes, 0), IL_EINVAL);
    cr_assert_eq(il_task_state(NULL, &number), IL_EINVAL);
    cr_assert_eq(il_task_cancel(NULL), IL_EINVAL);
}

BOTH_DOORS(options_are_checked_before_anything_is_sent) {
    (void)door;
    il_task *task = NULL;
    static const struct {
        il_task_options options;
        const char *field;
    } bad[] = {
        {{.struct_bytes = 4}, "struct_bytes"},
        {{.struct_bytes = sizeof(il_task_options), .flags = 2}, "flags"},
        {{.struct_bytes = sizeof(il_task_options), .priority = 101}, "priority"},
        {{.struct_bytes = sizeof(il_task_options), .retries = 1001}, "retries"},
        {{.struct_bytes = sizeof(il_task_options), .delay_ns = -1}, "delay_ns"},
        {{.struct_bytes = sizeof(il_task_options), .keep_ns = -1}, "keep_ns"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(
            il_workers_submit(workers, "same", 4, "[1]", 3, NULL, 0, &bad[i].options, &task),
            IL_EINVAL);
        SAYS(bad[i].field);
    }
    cr_assert_eq(il_workers_submit(workers, NULL, 4, NULL, 0, NULL, 0, NULL, &task), IL_EINVAL);
    SAYS("function");
    cr_assert_eq(il_workers_submit(workers, "f", 1, "\"\xff\"", 3, NULL, 0, NULL, &task),
                 IL_EINVAL);
    SAYS("args");
    cr_assert_eq(il_workers_submit(workers, "f", 1, NULL, 0, NULL, 0, NULL, NULL), IL_EINVAL);
    il_map_options options = {.struct_bytes = sizeof options, .flags = 64};
    il_map_item item = {"1", 1}, none = {NULL, 0};
    cr_assert_eq(il_workers_map(workers, "f", 1, &item, 1, &options, NULL, NULL, 0), IL_EINVAL);
    SAYS("flags");
    cr_assert_eq(il_workers_map(workers, "f", 1, &none, 1, NULL, NULL, NULL, 0), IL_EINVAL);
    SAYS("items[0]");
    cr_assert_eq(il_workers_map(workers, "f", 1, &item, 1, NULL, NULL, NULL, -2), IL_EINVAL);
    SAYS("timeout_ns");
    cr_assert_null(task);
}
