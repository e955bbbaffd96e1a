/*
 * pool.c - pools by their names: made, found, looked at.
 */
#include "work/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "work/attempt.h"
#include "work/engine.h"
#include "work/worker.h"

/* Where the pool of that name is in by_name, or would be. */
static size_t place_of(const struct ili_engine *engine, const char *name, size_t bytes,
                       bool *found) {
    size_t from = 0, to = engine->pool_count;
    *found = false;
    while (from < to) {
        size_t middle = (from + to) / 2;
        const struct ili_pool *pool = engine->by_name[middle];
        size_t least = pool->name_bytes < bytes ? pool->name_bytes : bytes;
        int order = memcmp(pool->name, name, least);
        if (order == 0 && pool->name_bytes == bytes) {
            *found = true;
            return middle;
        }
        if (order < 0 || (order == 0 && pool->name_bytes < bytes)) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

struct ili_pool *ili_pool_find(struct ili_pools *pools, const char *name, size_t name_bytes) {
    struct ili_engine *engine = ili_engine_of(pools);
    bool found;
    size_t at = place_of(engine, name, name_bytes, &found);
    return found ? engine->by_name[at] : NULL;
}

struct ili_pool *ili_pool_after(struct ili_pools *pools, const char *name, size_t name_bytes) {
    struct ili_engine *engine = ili_engine_of(pools);
    bool found = false;
    size_t at = name ? place_of(engine, name, name_bytes, &found) : 0;
    if (found) at++;
    return at < engine->pool_count ? engine->by_name[at] : NULL;
}

/* ---- made and removed ---------------------------------------------------------------------------- */

static bool reserve_name(struct ili_engine *engine) {
    if (engine->pool_count < engine->pool_room) return true;
    size_t room = engine->pool_room ? engine->pool_room * 2 : 16;
    struct ili_pool **by_name = realloc(engine->by_name, room * sizeof(struct ili_pool *));
    if (!by_name) return false;
    engine->by_name = by_name;
    engine->pool_room = room;
    return true;
}

static struct ili_pool *pool_new(struct ili_engine *engine, const char *name, size_t name_bytes,
                                 const struct ili_pool_options *options) {
    struct ili_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return NULL;
    pool->name = strndup(name, name_bytes);
    if (!pool->name || !ili_pool_options_copy(&pool->options, options)) {
        free(pool->name);
        free(pool);
        return NULL;
    }
    pool->engine = engine;
    pool->name_bytes = name_bytes;
    pool->wanted = ili_pool_options_workers(options);
    pool->timer.fire = ili_pool_timer;
    pool->next = engine->newest;
    if (pool->next) pool->next->previous = pool;
    engine->newest = pool;
    return pool;
}

il_status ili_pool_make(struct ili_pools *pools, const char *name, size_t name_bytes,
                        const struct ili_pool_options *options, struct ili_pool **out,
                        bool *created, struct ili_fault *fault) {
    struct ili_engine *engine = ili_engine_of(pools);
    const char *why;
    bool found;
    il_status status = ili_name_check(name, name_bytes, &why);
    if (status != IL_OK) {
        return ili_fault_set(fault, status, "name", "1 to 255 bytes of UTF-8", "the name: %s", why);
    }
    status = ili_pool_options_check(options, fault);
    if (status != IL_OK) return status;
    size_t at = place_of(engine, name, name_bytes, &found);
    if (found) {
        const char *differs = ili_pool_options_differ(&engine->by_name[at]->options, options);
        if (differs) {
            return ili_fault_set(fault, IL_ECONFLICT, NULL, NULL, "the pool exists with another %s",
                                 differs);
        }
        *out = engine->by_name[at];
        *created = false;
        return IL_OK;
    }
    struct ili_pool *pool = NULL;
    if (reserve_name(engine)) pool = pool_new(engine, name, name_bytes, options);
    if (!pool) return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "no memory for the pool");
    memmove(engine->by_name + at + 1, engine->by_name + at,
            (engine->pool_count - at) * sizeof(struct ili_pool *));
    engine->by_name[at] = pool;
    engine->pool_count++;
    ili_pool_attend(pool);
    *out = pool;
    *created = true;
    return IL_OK;
}

void ili_pool_forget_name(struct ili_pool *pool) {
    struct ili_engine *engine = pool->engine;
    bool found;
    size_t at = place_of(engine, pool->name, pool->name_bytes, &found);
    if (!found || engine->by_name[at] != pool) return; /* deleted before */
    engine->pool_count--;
    memmove(engine->by_name + at, engine->by_name + at + 1,
            (engine->pool_count - at) * sizeof(struct ili_pool *));
}

/* ---- looked at ----------------------------------------------------------------------------------- */

const char *ili_pool_name(const struct ili_pool *pool, size_t *bytes) {
    *bytes = pool->name_bytes;
    return pool->name;
}

const struct ili_pool_options *ili_pool_options(const struct ili_pool *pool) {
    return &pool->options;
}

enum ili_pool_state ili_pool_state(const struct ili_pool *pool) { return pool->state; }

uint32_t ili_pool_workers(const struct ili_pool *pool) { return pool->wanted; }

void ili_pool_statistics(const struct ili_pool *pool, struct ili_pool_statistics *out) {
    *out = pool->counts;
}

const char *ili_pool_trouble(const struct ili_pool *pool) { return pool->trouble; }

struct ili_task *ili_pool_newest(struct ili_pool *pool) {
    return pool->newest;
}

static void view(const struct ili_worker *worker, struct ili_worker_view *out) {
    *out = (struct ili_worker_view){.number = worker->number,
                                    .pid = worker->pid,
                                    .state = worker->state,
                                    .slots = worker->slots,
                                    .busy = worker->lanes,
                                    .tasks_done = worker->done,
                                    .since_ns = worker->since_ns};
    memcpy(out->name, worker->name, sizeof out->name);
    for (uint32_t i = 0; i < worker->flight_room; i++) {
        const struct ili_flight *flight = &worker->flights[i];
        if (flight->serial && flight->begun) {
            out->task = flight->task_id;
            return;
        }
    }
}

size_t ili_pool_worker_views(const struct ili_pool *pool, struct ili_worker_view *out,
                             size_t room) {
    const struct ili_worker *worker = pool->workers;
    size_t count = 0;
    while (worker && worker->next) worker = worker->next; /* the oldest first */
    for (; worker && count < room; worker = worker->previous) view(worker, &out[count++]);
    return count;
}
