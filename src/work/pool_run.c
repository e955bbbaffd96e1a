/*
 * pool_run.c - a pool's part of the loop's turn: workers are started, tasks handed out, calls that wait
 * behind a long one taken back, and at last the pool is ended.
 */
#include <string.h>

#include "base/clock.h"
#include "work/worker.h"

/* A call that waits in its worker longer than that, while another worker has nothing to do, is taken
 * back. */
#define WAITS_LONG_NS INT64_C(2000000)

void ili_pool_timer(struct ili_timer *timer, void *context) {
    (void)context;
    ili_pool_attend((struct ili_pool *)((char *)timer - offsetof(struct ili_pool, timer)));
}

static uint32_t processes(const struct ili_pool *pool) {
    return pool->options.kind == ILI_POOL_PROCESS ? pool->wanted : 1;
}

/* Returns when to look again. */
static int64_t start_workers(struct ili_pool *pool) {
    int64_t now_ns = pool->engine->now_ns;
    bool wanted =
        pool->state == ILI_POOL_RUNNING || (pool->state == ILI_POOL_CLOSED && pool->unended > 0);
    if (!wanted || pool->options.kind == ILI_POOL_EXEC) return ILI_NEVER;
    while (pool->places < processes(pool)) {
        if (pool->start_ns > now_ns) return pool->start_ns;
        if (pool->retiring >= processes(pool)) return ILI_NEVER; /* until one of them has gone */
        if (pool->probing && pool->places > 0) return ILI_NEVER; /* until it came up, or failed */
        ili_worker_start(pool);
    }
    return ILI_NEVER;
}

/* From workers whose first call takes long, if others are idle. */
static int64_t take_back(struct ili_pool *pool) {
    int64_t now_ns = pool->engine->now_ns, again_ns = ILI_NEVER;
    if (pool->unbegun == 0 || pool->backlog.count > 0 || !pool->open) return ILI_NEVER;
    for (struct ili_worker *worker = pool->workers; worker; worker = worker->next) {
        for (uint32_t i = 0; worker->unbegun && i < worker->flight_room; i++) {
            struct ili_flight *flight = &worker->flights[i];
            int64_t due_ns = flight->lane_ns + WAITS_LONG_NS;
            if (!flight->serial || flight->begun || flight->taken_back || !flight->task) continue;
            if (ili_task_chunk(flight->task)) continue; /* the caller wants it together */
            if (due_ns <= now_ns) {
                ili_flight_take_back(worker, i);
            } else if (due_ns < again_ns) {
                again_ns = due_ns;
            }
        }
    }
    return again_ns;
}

/* Tells those that have nothing to do to end. */
static void let_go(struct ili_pool *pool) {
    struct ili_worker *next;
    for (struct ili_worker *worker = pool->workers; worker; worker = next) {
        next = worker->next;
        if (pool->options.kind != ILI_POOL_EXEC) ili_worker_tell_to_end(worker);
    }
}

void ili_pool_look(struct ili_pool *pool) {
    struct ili_timers *timers = pool->engine->pools->timers;
    int64_t due_ns = start_workers(pool);
    ili_pool_dispatch(pool);
    int64_t again_ns = take_back(pool);
    if (again_ns < due_ns) due_ns = again_ns;
    if (pool->retry_ns && pool->retry_ns < due_ns) due_ns = pool->retry_ns;
    pool->retry_ns = 0;
    if (due_ns == ILI_NEVER) {
        ili_timers_clear(timers, &pool->timer);
    } else {
        (void)ili_timers_set(timers, &pool->timer, due_ns); /* else with the next event */
    }
    if (pool->state == ILI_POOL_CLOSED && pool->unended == 0) {
        let_go(pool);
        if (!pool->workers) ili_pool_finish(pool);
    }
    if (pool->deleted && pool->state == ILI_POOL_ENDED && pool->untold == 0 && !pool->workers) {
        ili_pool_free(pool);
    }
}
