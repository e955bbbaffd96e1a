/*
 * pools.c - the engine's own life, its turn of the loop, and whose program an event is about.
 */
#include "work/pools.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "work/attempt.h"
#include "work/engine.h"
#include "work/worker.h"

/* What callbacks start is looked at in the same turn, but not for ever. */
#define ROUNDS_MOST 8

static void wake_fired(struct ili_timer *timer, void *context) {
    struct ili_engine *engine =
        (struct ili_engine *)((char *)timer - offsetof(struct ili_engine, wake));
    (void)context;
    /* cannot fail: it was just cleared, so there is room; see ili_pools_open() */
    (void)ili_timers_set(engine->pools->timers, &engine->wake, ILI_NEVER);
}

void ili_engine_wake(struct ili_engine *engine) {
    if (engine->running || engine->wake.at_ns == 0) return;
    (void)ili_timers_set(engine->pools->timers, &engine->wake, 0);
}

void ili_pool_attend(struct ili_pool *pool) {
    struct ili_engine *engine = pool->engine;
    if (pool->is_busy) return;
    pool->is_busy = true;
    pool->next_busy = engine->busy;
    engine->busy = pool;
    ili_engine_wake(engine);
}

/* ---- programs ----------------------------------------------------------------------------------- */

static void program_event(void *context, const struct ili_spawner_event *event) {
    struct ili_engine *engine = ili_engine_of(context);
    struct ili_program *program = ili_ids_find(&engine->programs, event->id);
    if (!program) return; /* forgotten */
    engine->now_ns = ili_now_ns();
    if (event->what_happened != ILI_SPAWNER_STARTED) {
        ili_ids_remove(&engine->programs, program);
    }
    program->event(program, event);
}

void ili_program_register(struct ili_pools *pools, struct ili_program *program) {
    struct ili_engine *engine = ili_engine_of(pools);
    program->id = ++engine->next_program;
    ili_ids_add(&engine->programs, program);
}

void ili_program_forget(struct ili_pools *pools, struct ili_program *program) {
    struct ili_engine *engine = ili_engine_of(pools);
    if (ili_ids_find(&engine->programs, program->id) != program) return;
    ili_ids_remove(&engine->programs, program);
    ili_spawner_kill(&pools->spawner, program->id, 9);
}

/* ---- life --------------------------------------------------------------------------------------- */

static struct ili_engine *engine_new(struct ili_pools *pools, uint64_t epoch) {
    struct ili_engine *engine = calloc(1, sizeof *engine);
    if (!engine) return NULL;
    engine->pools = pools;
    engine->now_ns = ili_now_ns();
    engine->next_id = (epoch << 24) + 1;
    engine->ended_end = &engine->ended;
    engine->wake.fire = wake_fired;
    engine->room = malloc(ILI_ENGINE_ROOM);
    if (getrandom(&engine->random, sizeof engine->random, GRND_NONBLOCK) < 0) {
        engine->random = (uint64_t)engine->now_ns;
    }
    return engine;
}

static void engine_free(struct ili_engine *engine) {
    ili_timers_clear(engine->pools->timers, &engine->wake);
    ili_ids_free(&engine->tasks);
    ili_ids_free(&engine->maps);
    ili_ids_free(&engine->programs);
    free(engine->by_name);
    free(engine->room);
    free(engine);
}

il_status ili_pools_open(struct ili_pools *pools, struct ili_loop *loop, struct ili_timers *timers,
                         uint64_t epoch, const char *socket) {
    if (epoch >> 39 != 0) return IL_EINVAL; /* ids are to stay below 2^63 */
    pools->loop = loop;
    pools->timers = timers;
    pools->socket = socket;
    struct ili_engine *engine = engine_new(pools, epoch);
    if (!engine) return IL_ENOMEM;
    pools->private = engine;
    il_status status = IL_ENOMEM;
    if (engine->room &&
        ili_ids_open(&engine->tasks, offsetof(struct ili_task, id),
                     offsetof(struct ili_task, next_by_id)) == IL_OK &&
        ili_ids_open(&engine->maps, offsetof(struct ili_map, id),
                     offsetof(struct ili_map, next_by_id)) == IL_OK &&
        ili_ids_open(&engine->programs, offsetof(struct ili_program, id),
                     offsetof(struct ili_program, next)) == IL_OK &&
        ili_timers_set(timers, &engine->wake, ILI_NEVER)) { /* so that it has a place from now on */
        status = ili_spawner_listen(&pools->spawner, loop, program_event, pools);
    }
    if (status != IL_OK) {
        engine_free(engine);
        pools->private = NULL;
    }
    return status;
}

/* ---- the turn ----------------------------------------------------------------------------------- */

static void tell_ended(struct ili_engine *engine) {
    struct ili_task *task;
    while ((task = engine->ended)) {
        engine->ended = task->next_ended;
        if (!engine->ended) engine->ended_end = &engine->ended;
        task->next_ended = NULL;
        ili_task_tell(task);
    }
}

static void look_at_busy(struct ili_engine *engine) {
    struct ili_pool *pool = engine->busy;
    engine->busy = NULL;
    while (pool) {
        struct ili_pool *next = pool->next_busy;
        pool->is_busy = false;
        ili_pool_look(pool); /* may free it */
        pool = next;
    }
}

static void flush_unsent(struct ili_engine *engine) {
    struct ili_worker *worker;
    while ((worker = engine->unsent)) {
        engine->unsent = worker->next_unsent;
        worker->is_unsent = false;
        ili_wire_flush(worker);
    }
}

static void free_dropped(struct ili_engine *engine) {
    struct ili_worker *worker;
    struct ili_task *task;
    struct ili_map *map;
    while ((worker = engine->gone)) {
        engine->gone = worker->next_unsent;
        ili_worker_free(worker);
    }
    while ((task = engine->dropped)) {
        engine->dropped = task->next_ended;
        ili_task_free(task);
    }
    while ((map = engine->dropped_maps)) {
        engine->dropped_maps = map->older;
        ili_map_free(map);
    }
}

void ili_pools_run(struct ili_pools *pools, int64_t now_ns) {
    struct ili_engine *engine = ili_engine_of(pools);
    if (engine->running) return;                          /* a callback calls it */
    if (now_ns > engine->now_ns) engine->now_ns = now_ns; /* a task may have come since */
    engine->running = true;
    for (int i = 0; i < ROUNDS_MOST && (engine->ended || engine->busy); i++) {
        tell_ended(engine);
        look_at_busy(engine);
    }
    flush_unsent(engine);
    free_dropped(engine);
    engine->running = false;
    int64_t next_ns = engine->ended || engine->busy ? 0 : ILI_NEVER;
    if (engine->wake.at_ns != next_ns) {
        (void)ili_timers_set(pools->timers, &engine->wake, next_ns);
    }
}

void ili_pools_end_all(struct ili_pools *pools) {
    struct ili_engine *engine = ili_engine_of(pools);
    struct ili_pool *pool;
    for (pool = engine->newest; pool; pool = pool->next) ili_pool_terminate(pool);
    ili_pools_run(pools, ili_now_ns());
    /* its programs were killed; whoever waits for its end need not wait for theirs */
    struct ili_pool *next;
    for (pool = engine->newest; pool; pool = next) {
        next = pool->next;
        ili_pool_finish(pool);
    }
    ili_pools_run(pools, ili_now_ns());
}

void ili_pools_close(struct ili_pools *pools) {
    struct ili_engine *engine = ili_engine_of(pools);
    if (!engine) return;
    while (engine->newest) ili_pool_free(engine->newest);
    free_dropped(engine);
    engine_free(engine);
    pools->private = NULL;
}

uint64_t ili_pools_task_count(const struct ili_pools *pools) {
    return ili_engine_of(pools)->tasks.count;
}
