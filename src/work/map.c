/*
 * map.c - a map and its elements. The elements' structs are one block and their calls another, so that a
 * million of them are two allocations; they go when the map goes.
 */
#include "work/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "work/attempt.h"
#include "work/engine.h"
#include "work/worker.h"

static void map_timer(struct ili_timer *timer, void *context) {
    (void)context;
    ili_map_drop((struct ili_map *)((char *)timer - offsetof(struct ili_map, timer)));
}

void ili_map_free(struct ili_map *map) {
    for (uint32_t i = 0; map->elements && i < map->count; i++) ili_task_free(&map->elements[i]);
    free(map->elements);
    free(map->texts);
    free(map->tasks);
    free(map->order);
    free(map->kwargs);
    free(map);
}

/* ---- submission ---------------------------------------------------------------------------------- */

static struct ili_map *map_new(struct ili_pool *pool, const struct ili_call *call,
                               const struct ili_map_item *items, uint32_t count) {
    struct ili_map *map = calloc(1, sizeof *map);
    size_t bytes = 0;
    if (!map) return NULL;
    map->pool = pool;
    map->timer.fire = map_timer;
    for (uint32_t i = 0; i < count; i++) bytes += call->function_bytes + items[i].args_bytes;
    map->elements = calloc(count ? count : 1, sizeof *map->elements);
    map->texts = malloc(bytes ? bytes : 1);
    map->tasks = malloc((count ? count : 1) * sizeof *map->tasks);
    map->order = malloc((count ? count : 1) * sizeof *map->order);
    map->kwargs = malloc(call->kwargs_bytes + 1);
    if (!map->elements || !map->texts || !map->tasks || !map->order || !map->kwargs) {
        ili_map_free(map);
        return NULL;
    }
    ili_task_copy(map->kwargs, call->kwargs, call->kwargs_bytes);
    map->kwargs_bytes = call->kwargs_bytes;
    return map;
}

static void fill(struct ili_map *map, const struct ili_call *call, const struct ili_map_item *items,
                 const struct ili_task_options *options) {
    char *to = map->texts;
    for (uint32_t i = 0; i < map->count; i++) {
        struct ili_task *task = &map->elements[i];
        map->tasks[i] = task;
        task->pool = map->pool;
        task->map = map;
        task->index = i;
        task->options = *options;
        task->submitted_ns = map->submitted_ns;
        task->call = to;
        task->function_bytes = (uint32_t)call->function_bytes;
        task->args_bytes = items[i].args_bytes;
        to = ili_task_copy(to, call->function, call->function_bytes);
        to = ili_task_copy(to, items[i].args, items[i].args_bytes);
        task->timer.fire = ili_task_timer;
        task->deadline.fire = ili_task_deadline;
    }
}

/* Sets the timers of delayed elements, and of those with a deadline. False: no memory. */
static bool set_timers(struct ili_map *map, const struct ili_task_options *options) {
    struct ili_timers *timers = map->pool->engine->pools->timers;
    int64_t start_ns = ili_deadline_in(options->delay_ns);
    int64_t deadline_ns = ili_deadline_in(options->deadline_ns);
    for (uint32_t i = 0; i < map->count; i++) {
        struct ili_task *task = &map->elements[i];
        task->state = options->delay_ns > 0 ? ILI_TASK_DELAYED : ILI_TASK_QUEUED;
        if (options->delay_ns > 0 && !ili_timers_set(timers, &task->timer, start_ns)) return false;
        if (options->deadline_ns > 0 && !ili_timers_set(timers, &task->deadline, deadline_ns)) {
            return false;
        }
    }
    return true;
}

static void clear_timers(struct ili_map *map) {
    struct ili_timers *timers = map->pool->engine->pools->timers;
    for (uint32_t i = 0; i < map->count; i++) {
        ili_timers_clear(timers, &map->elements[i].timer);
        ili_timers_clear(timers, &map->elements[i].deadline);
    }
}

static uint32_t chunk_of(const struct ili_pool *pool, uint32_t count) {
    uint64_t share = (uint64_t)pool->wanted * 4;
    uint64_t chunk = (count + share - 1) / share;
    return chunk ? (uint32_t)chunk : 1;
}

static void enter(struct ili_map *map) {
    struct ili_engine *engine = map->pool->engine;
    map->id = engine->next_id++;
    ili_ids_add(&engine->maps, map);
    map->older = engine->newest_map;
    if (map->older) map->older->newer = map;
    engine->newest_map = map;
    for (uint32_t i = 0; i < map->count; i++) ili_task_enter(&map->elements[i]);
    ili_pool_attend(map->pool);
}

/* All have ended. */
static void keep(struct ili_map *map) {
    struct ili_engine *engine = map->pool->engine;
    map->ended_ns = engine->now_ns;
    int64_t keep_ns = map->keep_ns;
    if (keep_ns > ILI_NEVER - engine->now_ns) keep_ns = ILI_NEVER - engine->now_ns;
    /* without memory it is forgotten soon, but not under the hands of whom it was told */
    if (!ili_timers_set(engine->pools->timers, &map->timer, engine->now_ns + keep_ns)) {
        ili_map_drop(map);
    }
}

static il_status check_items(struct ili_pool *pool, const struct ili_call *call,
                             const struct ili_map_item *items, uint32_t count,
                             const struct ili_task_options *options, struct ili_fault *fault) {
    struct ili_call longest = *call;
    if (count > ILI_MAP_ITEMS_MOST) {
        return ili_fault_set(fault, IL_EINVAL, "items", "at most 1000000 items", "%u items",
                             (unsigned)count);
    }
    bool exec = pool->options.kind == ILI_POOL_EXEC;
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].args_bytes > longest.args_bytes) {
            longest.args = items[i].args;
            longest.args_bytes = items[i].args_bytes;
        }
        if (!exec) continue;
        struct ili_call each = *call;
        each.args = items[i].args;
        each.args_bytes = items[i].args_bytes;
        il_status status = ili_task_check(pool, &each, options, count, fault);
        if (status != IL_OK) return status;
    }
    return ili_task_check(pool, &longest, options, count, fault);
}

il_status ili_map_submit(struct ili_pool *pool, const char *function, size_t function_bytes,
                         const struct ili_map_item *items, uint32_t count, const char *kwargs,
                         size_t kwargs_bytes, uint32_t chunk,
                         const struct ili_task_options *options, struct ili_map **out,
                         struct ili_fault *fault) {
    struct ili_call call = {.function = function,
                            .function_bytes = function_bytes,
                            .kwargs = kwargs,
                            .kwargs_bytes = kwargs_bytes};
    if (!options) options = &pool->options.defaults;
    il_status status = check_items(pool, &call, items, count, options, fault);
    if (status != IL_OK) return status;
    struct ili_map *map = NULL;
    if (ili_backlog_reserve(&pool->backlog, pool->unended + count)) {
        map = map_new(pool, &call, items, count);
    }
    if (!map) goto no_memory;
    map->count = count;
    map->chunk_chosen = chunk != 0;
    map->chunk = chunk ? chunk : chunk_of(pool, count);
    map->keep_ns = options->keep_ns;
    map->submitted_ns = pool->engine->now_ns = ili_now_ns();
    fill(map, &call, items, options);
    if (!set_timers(map, options)) {
        clear_timers(map);
        ili_map_free(map);
        goto no_memory;
    }
    enter(map);
    if (count == 0) keep(map);
    *out = map;
    return IL_OK;

no_memory:
    return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "no memory for the map");
}

/* ---- afterwards ---------------------------------------------------------------------------------- */

struct ili_map *ili_map_find(struct ili_pools *pools, uint64_t id) {
    return ili_ids_find(&ili_engine_of(pools)->maps, id);
}

void ili_map_cancel(struct ili_map *map) {
    for (uint32_t i = 0; i < map->count; i++) ili_task_cancel(&map->elements[i]);
}

void ili_map_watch(struct ili_map *map, struct ili_map_watch *watch) {
    watch->next = map->watches;
    map->watches = watch;
}

void ili_map_unwatch(struct ili_map *map, struct ili_map_watch *watch) {
    struct ili_map_watch **at = &map->watches;
    if (map->telling == watch) map->telling = watch->next;
    while (*at && *at != watch) at = &(*at)->next;
    if (*at) *at = watch->next;
}

void ili_map_tell(struct ili_map *map, struct ili_task *task) {
    bool last = map->ended + 1 == map->count;
    map->order[map->ended++] = task->index;
    if (task->state == ILI_TASK_SUCCEEDED) map->succeeded++;
    if (last) map->ended_ns = map->pool->engine->now_ns;
    for (struct ili_map_watch *watch = map->watches; watch; watch = map->telling) {
        map->telling = watch->next;
        watch->element(watch, map, task);
    }
    map->telling = NULL;
    if (!last) return;
    if (map->forgotten) {
        ili_map_drop(map);
    } else {
        keep(map);
    }
}

il_status ili_map_forget(struct ili_map *map) {
    if (map->ended < map->count) return IL_EBUSY;
    ili_map_drop(map);
    return IL_OK;
}

/* Nobody finds it any more. Once all its elements are told it is freed, when ili_pools_run() ends. */
void ili_map_drop(struct ili_map *map) {
    struct ili_engine *engine = map->pool->engine;
    if (!map->forgotten) {
        map->forgotten = true;
        ili_timers_clear(engine->pools->timers, &map->timer);
        ili_ids_remove(&engine->maps, map);
        for (uint32_t i = 0; i < map->count; i++) {
            if (!map->elements[i].forgotten) ili_task_drop(&map->elements[i]);
        }
    }
    if (map->ended < map->count || map->dropped) return;
    map->dropped = true;
    if (map->newer) {
        map->newer->older = map->older;
    } else {
        engine->newest_map = map->older;
    }
    if (map->older) map->older->newer = map->newer;
    map->older = engine->dropped_maps;
    engine->dropped_maps = map;
    ili_engine_wake(engine);
}
