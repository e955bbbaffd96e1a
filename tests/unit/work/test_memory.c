/* Each allocation that fails, one after the other: nothing crashes or hangs, whatever was accepted ends, and
 * with memory there all works again. */
#include "base/log.h"
#include "support/pools.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

TestSuite(work_memory, .init = world_open, .fini = world_close, .timeout = 250);

#ifndef SANITIZED

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);

static uint64_t left; /* allocations until one fails; 0: none will */
static bool failed;

static bool fails(void) {
    if (left == 0 || --left > 0) return false;
    failed = true;
    errno = ENOMEM;
    return true;
}

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc's begin with underscores
void *malloc(size_t bytes) { return fails() ? NULL : __libc_malloc(bytes); }
void *calloc(size_t count, size_t bytes) { return fails() ? NULL : __libc_calloc(count, bytes); }
void *realloc(void *memory, size_t bytes) { return fails() ? NULL : __libc_realloc(memory, bytes); }
// NOLINTEND(readability-inconsistent-declaration-parameter-name)

struct accepted {
    struct ili_task_watch watch; /* first */
    bool is, wrong;
    unsigned times;
    const char *result;
};

static void ended(struct ili_task_watch *watch, struct ili_task *task) {
    struct accepted *accepted = (struct accepted *)watch;
    accepted->times++;
    if (task->state == ILI_TASK_SUCCEEDED &&
        (task->result_bytes != strlen(accepted->result) ||
         memcmp(task->result, accepted->result, task->result_bytes) != 0)) {
        accepted->wrong = true;
    }
}

static void submit(struct ili_pool *pool, const char *function, const char *args,
                   const char *result, const struct ili_task_options *options,
                   struct accepted *accepted) {
    struct ili_call call = {function, strlen(function), args, strlen(args), NULL, 0, NULL, 0};
    struct ili_task *task;
    struct ili_fault fault;
    *accepted = (struct accepted){.watch.ended = ended, .result = result};
    il_status status = ili_task_submit(pool, &call, options, &task, &fault);
    accepted->is = status == IL_OK;
    if (status == IL_OK) ili_task_watch(task, &accepted->watch);
    if (status != IL_OK) cr_assert(status == IL_ENOMEM, "%d", status);
}

static void scenario(uint64_t nth) {
    static char big[3000];
    struct ili_pool_options options;
    struct ili_pool *pool = NULL;
    struct accepted all[6];
    struct ili_map_item items[20];
    struct ili_map *map = NULL;
    struct ili_fault fault;
    bool created;
    memset(big, 'x', sizeof big);
    memcpy(big, "[\"", 2);
    memcpy(big + sizeof big - 3, "\"]", 3);
    for (int i = 0; i < 20; i++) items[i] = (struct ili_map_item){"[4,5]", 5};
    ili_pool_options_init(&options);
    options.command = (char *[]){world.worker, (char[]){"batch"},
                                 (char[]){"functions=add,fail,flaky,signal"}, NULL};
    options.workers = 1;
    options.initializer = "setup";
    left = nth;
    failed = false;
    il_status status = ili_pool_make(&world.pools, "p", 1, &options, &pool, &created, &fault);
    if (status != IL_OK) {
        left = 0;
        cr_assert_eq(status, IL_ENOMEM);
        return;
    }
    struct ili_task_options with = options.defaults;
    with.backoff_ns = 1000000;
    with.retries = 1;
    with.time_limit_ns = with.deadline_ns = INT64_C(20000000000);
    submit(pool, "add", "[1,1]", "2", &with, &all[0]);
    submit(pool, "flaky", "[2]", "\"at last\"", &with, &all[1]);
    submit(pool, "fail", "[\"so\"]", "", NULL, &all[2]);
    submit(pool, "signal", "[9]", "", NULL, &all[3]);
    submit(pool, "fail", big, "", NULL, &all[4]);
    with.delay_ns = 1000000;
    submit(pool, "add", "[1,2]", "3", &with, &all[5]);
    status = ili_map_submit(pool, "add", 3, items, 20, NULL, 0, 5, &with, &map, &fault);
    if (status != IL_OK) cr_assert_eq(status, IL_ENOMEM);
    for (int i = 0; i < 6; i++) {
        if (!all[i].is) continue;
        cr_assert(world_until(all[i].times, 20), "allocation %d, task %d: %s", (int)nth, i,
                  ili_pool_trouble(pool));
        cr_assert_eq(all[i].times, 1);
        cr_assert_not(all[i].wrong, "allocation %d, task %d", (int)nth, i);
    }
    if (map) cr_assert(world_until(map->ended == 20, 20), "allocation %d", (int)nth);
    left = 0;
    struct told told;
    world_call(pool, "add", "[20,22]", NULL, &told);
    cr_assert_str_eq(told.result, "42", "allocation %d", (int)nth);
    ili_pool_delete(pool);
    cr_assert(world_until(ili_spawner_count(&world.pools.spawner) == 0, 20));
    cr_assert_eq(ili_pools_task_count(&world.pools), 0);
}

Test(work_memory, any_allocation_may_fail) {
    uint64_t nth = 0, step = test_torture() ? 1 : 3;
    ili_log_set_level(ILI_LOG_ERROR);
    do {
        nth += nth < 60 ? 1 : step;
        scenario(nth);
    } while (failed);
    cr_assert_gt(nth, 100);
}

#endif
