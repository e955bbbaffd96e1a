/*
 * pool_end.c - how a pool ends.
 *
 *   close        RUNNING -> CLOSED; with its last task done the workers are told to end
 *   terminate    -> CLOSED; its tasks are cancelled at once and its programs killed
 *   both         CLOSED -> ENDED when the last program has ended
 *   delete       as terminate; name, tasks and maps are gone at once, the struct when nobody needs it
 */
#include <stdlib.h>

#include "work/attempt.h"
#include "work/engine.h"
#include "work/worker.h"

void ili_pool_close(struct ili_pool *pool) {
    if (pool->state != ILI_POOL_RUNNING) return;
    pool->state = ILI_POOL_CLOSED;
    ili_pool_attend(pool);
}

static void cancel_tasks(struct ili_pool *pool) {
    for (struct ili_task *task = pool->newest; task; task = task->older) {
        if (ili_task_has_ended(task)) continue;
        struct ili_error error = ili_error_make("Cancelled", "its pool was terminated");
        if (task->worker) ili_flight_detach(task->worker, &task->worker->flights[task->flight]);
        ili_task_end(task, ILI_TASK_CANCELLED, &error);
    }
}

void ili_pool_terminate(struct ili_pool *pool) {
    if (pool->state == ILI_POOL_ENDED) return;
    pool->state = ILI_POOL_CLOSED;
    cancel_tasks(pool);
    for (struct ili_worker *worker = pool->workers; worker; worker = worker->next) {
        ili_worker_kill(worker, true, "its pool was terminated");
    }
    ili_pool_attend(pool);
}

void ili_pool_finish(struct ili_pool *pool) {
    struct ili_pool_watch *watch;
    if (pool->state == ILI_POOL_ENDED) return;
    pool->state = ILI_POOL_ENDED;
    while ((watch = pool->watches)) {
        pool->watches = watch->next;
        watch->next = NULL;
        watch->ended(watch, pool);
    }
    if (pool->deleted) ili_pool_attend(pool);
}

void ili_pool_watch(struct ili_pool *pool, struct ili_pool_watch *watch) {
    watch->next = pool->watches;
    pool->watches = watch;
}

void ili_pool_unwatch(struct ili_pool *pool, struct ili_pool_watch *watch) {
    struct ili_pool_watch **at = &pool->watches;
    while (*at && *at != watch) at = &(*at)->next;
    if (*at) *at = watch->next;
}

/* UNTOLD: also those of which not every end was told. */
static void drop_maps(struct ili_pool *pool, bool untold) {
    struct ili_map *older;
    for (struct ili_map *map = pool->engine->newest_map; map; map = older) {
        older = map->older;
        if (map->pool != pool) continue;
        if (untold) map->ended = map->count;
        ili_map_drop(map);
    }
}

void ili_pool_delete(struct ili_pool *pool) {
    if (pool->deleted) return;
    pool->deleted = true;
    ili_pool_terminate(pool);
    ili_pool_forget_name(pool);
    drop_maps(pool, false);
    while (pool->newest) ili_task_drop(pool->newest);
    ili_pool_attend(pool);
}

/* Out of the list of those whose ends are to be told. */
static void forget_ends(struct ili_pool *pool) {
    struct ili_engine *engine = pool->engine;
    struct ili_task **at = &engine->ended, *task;
    while ((task = *at)) {
        if (task->pool == pool) {
            *at = task->next_ended;
            if (!task->map && task->forgotten) ili_task_free(task); /* nobody else knows it */
        } else {
            at = &task->next_ended;
        }
    }
    engine->ended_end = at;
}

void ili_pool_free(struct ili_pool *pool) {
    struct ili_engine *engine = pool->engine;
    struct ili_pools *pools = engine->pools;
    struct ili_pool **at = &engine->busy;
    struct ili_task *task;
    ili_pool_forget_name(pool);
    while (*at && *at != pool) at = &(*at)->next_busy;
    if (*at) *at = pool->next_busy;
    pool->is_busy = true; /* so that nothing lists it again */
    while (pool->workers) {
        ili_program_forget(pools, &pool->workers->program);
        ili_worker_leave(pool->workers);
    }
    for (task = pool->newest; task; task = task->older) {
        ili_timers_clear(pools->timers, &task->timer);
        ili_timers_clear(pools->timers, &task->deadline);
        task->worker = NULL;
    }
    drop_maps(pool, true);
    while ((task = pool->newest)) {
        bool ended = ili_task_has_ended(task);
        task->told = task->told || !ended; /* then it is in no list */
        ili_task_drop(task);
    }
    forget_ends(pool);
    ili_timers_clear(pools->timers, &pool->timer);
    ili_backlog_free(&pool->backlog);
    ili_pool_forget_functions(pool);
    ili_pool_options_drop(&pool->options);
    if (pool->previous) {
        pool->previous->next = pool->next;
    } else {
        engine->newest = pool->next;
    }
    if (pool->next) pool->next->previous = pool->previous;
    free(pool->trouble);
    free(pool->name);
    free(pool);
}
