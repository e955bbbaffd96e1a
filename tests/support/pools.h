/*
 * pools.h - an engine of pools with its loop, timers and spawner, and workers of
 * tests/unit/work/pool_worker.c.
 */
#ifndef TESTS_SUPPORT_POOLS_H
#define TESTS_SUPPORT_POOLS_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "support/wait.h"
#include "work/pools.h"

#define EPOCH UINT64_C(1800000000)

struct world {
    struct ili_loop loop;
    struct ili_timers timers;
    struct ili_pools pools;
    char spawner[512], worker[512];
    char *command[10];
};

static struct world world;

static inline void world_paths(void) {
    const char *build = getenv("INTERLOCK_BUILD");
    if (!build) build = ".";
    snprintf(world.spawner, sizeof world.spawner, "%s/tests/unit/work/spawner_process", build);
    snprintf(world.worker, sizeof world.worker, "%s/tests/unit/work/pool_worker", build);
}

static inline void world_open(void) {
    world_paths();
    ili_spawner_program = world.spawner;
    cr_assert_eq(ili_loop_open(&world.loop), IL_OK);
    cr_assert_eq(ili_spawner_start(&world.pools.spawner), IL_OK);
    cr_assert_eq(ili_pools_open(&world.pools, &world.loop, &world.timers, EPOCH, "/run/test.sock"),
                 IL_OK);
}

static inline void world_close(void) {
    ili_pools_close(&world.pools);
    ili_spawner_stop(&world.pools.spawner);
    ili_timers_free(&world.timers);
    ili_loop_close(&world.loop);
}

/* One turn of the loop, as the server's. */
static inline void world_turn(void) {
    int64_t next = ili_timers_next(&world.timers);
    int64_t wait = next == ILI_NEVER ? 20000000 : ili_ns_between(ili_now_ns(), next);
    if (wait > 20000000) wait = 20000000;
    ili_loop_wait(&world.loop, wait, NULL);
    ili_timers_run(&world.timers, ili_now_ns(), NULL);
    ili_pools_run(&world.pools, ili_now_ns());
}

/* Turns until CONDITION, at most SECONDS; whether it is true then. */
#define world_until(condition, seconds)                                                            \
    ({                                                                                             \
        int64_t until_ = test_now_ns() + (int64_t)((seconds)*1e9);                                 \
        while (!(condition) && test_now_ns() < until_) world_turn();                               \
        (condition);                                                                               \
    })

/* A process pool of pool_worker with the arguments WORDS (separated by spaces), and what else OPTIONS say;
 * NULL: the defaults. */
static inline struct ili_pool *world_pool(const char *name, unsigned workers, const char *words,
                                          struct ili_pool_options *options) {
    static char text[256];
    struct ili_pool_options plain;
    struct ili_pool *pool = NULL;
    struct ili_fault fault = {0};
    bool created;
    unsigned count = 0;
    char *save = NULL;
    if (!options) {
        ili_pool_options_init(&plain);
        options = &plain;
    }
    snprintf(text, sizeof text, "%s", words);
    world.command[count++] = world.worker;
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        world.command[count++] = word;
    }
    world.command[count] = NULL;
    if (!options->command) options->command = world.command;
    options->workers = workers;
    cr_assert_eq(ili_pool_make(&world.pools, name, strlen(name), options, &pool, &created, &fault),
                 IL_OK, "%s", fault.detail);
    return pool;
}

/* Ends of tasks that are watched are counted here. */
struct told {
    struct ili_task_watch watch; /* first */
    unsigned times;
    uint8_t state;
    uint32_t attempts, crashes;
    bool set_aside, truncated;
    char result[512], error[1024], output[512];
    uint32_t worker_pid;
    uint64_t worker_number;
    int64_t ended_ns;
};

static inline void told_copy(char *room, size_t bytes, const char *text, size_t length) {
    if (!text) length = 0;
    if (length >= bytes) length = bytes - 1;
    if (length) memcpy(room, text, length);
    room[length] = 0;
}

static inline void told_ended(struct ili_task_watch *watch, struct ili_task *task) {
    struct told *told = (struct told *)watch;
    told->times++;
    told->state = task->state;
    told->attempts = task->attempts;
    told->crashes = task->crashes;
    told->set_aside = task->set_aside;
    told->truncated = task->output_truncated;
    told->worker_pid = task->worker_pid;
    told->worker_number = task->worker_number;
    told->ended_ns = task->ended_ns;
    told_copy(told->result, sizeof told->result, task->result, task->result_bytes);
    told_copy(told->error, sizeof told->error, task->error, task->error_bytes);
    told_copy(told->output, sizeof told->output, task->output, task->output_bytes);
}

/* Submits and watches; OPTIONS NULL: the pool's defaults. */
static inline struct ili_task *world_submit(struct ili_pool *pool, const char *function,
                                            const char *args,
                                            const struct ili_task_options *options,
                                            struct told *told) {
    struct ili_call call = {.function = function,
                            .function_bytes = strlen(function),
                            .args = args,
                            .args_bytes = strlen(args)};
    struct ili_task *task = NULL;
    struct ili_fault fault = {0};
    cr_assert_eq(ili_task_submit(pool, &call, options, &task, &fault), IL_OK, "%s", fault.detail);
    if (told) {
        told->watch.ended = told_ended;
        ili_task_watch(task, &told->watch);
    }
    return task;
}

/* The same, and waits for its end. */
static inline void world_call(struct ili_pool *pool, const char *function, const char *args,
                              const struct ili_task_options *options, struct told *told) {
    *told = (struct told){0};
    world_submit(pool, function, args, options, told);
    cr_assert(world_until(told->times, 20), "%s%s has not ended: %s", function, args,
              ili_pool_trouble(pool) ? ili_pool_trouble(pool) : "no trouble");
    cr_assert_eq(told->times, 1);
}

static inline struct ili_task_options world_options(struct ili_pool *pool) {
    return ili_pool_options(pool)->defaults;
}

static inline struct ili_pool_statistics world_counts(struct ili_pool *pool) {
    struct ili_pool_statistics counts;
    ili_pool_statistics(pool, &counts);
    return counts;
}

/* How many workers are up (idle or busy). */
static inline unsigned world_up(struct ili_pool *pool) {
    struct ili_worker_view views[64];
    size_t count = ili_pool_worker_views(pool, views, 64);
    unsigned up = 0;
    for (size_t i = 0; i < count; i++) {
        up += views[i].state == ILI_WORKER_IDLE || views[i].state == ILI_WORKER_BUSY;
    }
    return up;
}

/* Kills WORKER. False: its number is not known yet, since it was quicker than the spawner's event. */
static inline bool world_kill(const struct ili_worker_view *worker) {
    return worker->pid != 0 && kill((pid_t)worker->pid, SIGKILL) == 0;
}

static inline unsigned world_descriptors(void) {
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (!directory) return 0;
    while (readdir(directory)) count++;
    closedir(directory);
    return count;
}

#endif
