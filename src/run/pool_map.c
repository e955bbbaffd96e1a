/*
 * pool_map.c - see pool_map.h.
 *
 * word      STOP: no more are begun, and the word of the scope of those that run; WAITED; turns
 * next      the first argument that nobody has taken
 * done      how many calls have returned
 * busy      helpers between looking at STOP and their last use of the arrays
 * helpers   those that are queued or run; what they refer to outlives the caller
 *
 * A helper enters `busy` and then looks at STOP; the caller sets STOP and then waits for `busy` to be 0. All
 * sequentially consistent: a helper that the caller does not wait for sees STOP and touches nothing.
 */
#include "run/pool_map.h"

#include <stdlib.h>

#include "arena/futex.h"
#include "arena/thread.h"
#include "base/clock.h"

#define STOP 1u
#define WAITED 2u

struct map {
    struct ili_pool_map what;
    _Atomic uint32_t references, word, busy, helpers;
    _Atomic size_t next, done;
};

static void let_go(struct map *map) {
    if (atomic_fetch_sub_explicit(&map->references, 1, memory_order_acq_rel) == 1) free(map);
}

/* Something the caller waits for has happened. The calling thread has a reference, or is in `busy`. */
static void tell(struct map *map) {
    uint32_t before = atomic_fetch_add_explicit(&map->word, ILI_WORD_TURN, memory_order_seq_cst);
    if (before & WAITED) ili_futex_wake(&map->word, INT32_MAX);
}

static bool is_stopped(const struct map *map) {
    return atomic_load_explicit(&map->word, memory_order_seq_cst) & STOP;
}

static void call_one(struct map *map, size_t at) {
    struct ili_thread *self = ili_thread_current();
    struct ili_cancel_scope scope = {&map->word, STOP, ILI_NEVER};
    if (map->what.time_limit_ns > 0) scope.at_ns = ili_deadline_in(map->what.time_limit_ns);
    scope = ili_thread_enter(self, scope);
    void *result = map->what.function(map->what.arguments[at]);
    (void)ili_thread_enter(self, scope);
    if (map->what.results) map->what.results[at] = result;
}

static void take_part(struct map *map) {
    atomic_fetch_add_explicit(&map->busy, 1, memory_order_seq_cst);
    while (!is_stopped(map)) {
        size_t chunk = map->what.chunk, count = map->what.count;
        size_t at = atomic_load_explicit(&map->next, memory_order_relaxed);
        do {
            if (at >= count) break;
            if (chunk > count - at) chunk = count - at;
        } while (!atomic_compare_exchange_weak_explicit(
            &map->next, &at, at + chunk, memory_order_relaxed, memory_order_relaxed));
        if (at >= count) break;
        size_t did = 0;
        while (did < chunk && !is_stopped(map)) call_one(map, at + did++);
        /* release: pairs with the caller's acquire, the results are there */
        atomic_fetch_add_explicit(&map->done, did, memory_order_seq_cst);
    }
    atomic_fetch_sub_explicit(&map->busy, 1, memory_order_seq_cst);
}

static void *help(void *argument) {
    take_part(argument);
    return NULL;
}

static void helper_ended(struct ili_future *future) {
    struct map *map = future->argument;
    atomic_fetch_sub_explicit(&map->helpers, 1, memory_order_seq_cst);
    tell(map);
    let_go(map);
}

static il_status add_helper(struct ili_thread_pool *pool, struct map *map, int64_t deadline_ns) {
    struct ili_future *future = ili_future_make(pool, 1, help, map);
    if (!future) return IL_ENOMEM;
    future->ended = helper_ended;
    atomic_fetch_add_explicit(&map->references, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&map->helpers, 1, memory_order_seq_cst);
    const struct ili_job job = {NULL, future};
    il_status status = ili_thread_pool_submit(pool, job, map->what.priority, deadline_ns);
    if (status == IL_OK) return IL_OK;
    atomic_fetch_sub_explicit(&map->helpers, 1, memory_order_seq_cst);
    atomic_fetch_sub_explicit(&map->references, 1, memory_order_relaxed);
    ili_future_let_go(future);
    return status;
}

/* The first one waits for room if it must, the others come if there is some. */
static il_status add_helpers(struct ili_thread_pool *pool, struct map *map, bool here,
                             int64_t deadline_ns) {
    size_t chunks = (map->what.count - 1) / map->what.chunk + 1;
    size_t wanted = ili_thread_pool_threads(pool);
    if (wanted > chunks) wanted = chunks;
    for (size_t i = here ? 1 : 0; i < wanted; i++) {
        il_status status = add_helper(pool, map, i == 0 ? deadline_ns : 0);
        if (status != IL_OK) return i == 0 ? status : IL_OK;
    }
    return IL_OK;
}

/* Whether there is nothing to wait for; *STATUS tells what has come of it. */
static bool is_over(const struct map *map, il_status *status) {
    bool helpers = atomic_load_explicit(&map->helpers, memory_order_seq_cst) != 0;
    bool all = atomic_load_explicit(&map->done, memory_order_seq_cst) == map->what.count;
    *status = all ? IL_OK : IL_ECANCELLED;
    return all || !helpers;
}

static il_status wait_for_all(struct map *map, int64_t deadline_ns) {
    il_status status;
    for (;;) {
        uint32_t seen = atomic_fetch_or_explicit(&map->word, WAITED, memory_order_seq_cst) | WAITED;
        if (is_over(map, &status)) return status;
        if (deadline_ns == 0) return IL_ETIMEOUT;
        il_status slept = ili_thread_sleep(&map->word, seen, deadline_ns);
        if (slept != IL_OK) return is_over(map, &status) ? status : slept;
    }
}

/* No helper uses the arrays after it. */
static void stop(struct ili_thread_pool *pool, struct map *map) {
    atomic_fetch_or_explicit(&map->word, STOP, memory_order_seq_cst);
    ili_thread_pool_poke(pool);
    for (;;) {
        uint32_t seen = atomic_fetch_or_explicit(&map->word, WAITED, memory_order_seq_cst) | WAITED;
        if (atomic_load_explicit(&map->busy, memory_order_seq_cst) == 0) return;
        (void)ili_futex_wait(&map->word, seen, ILI_NEVER);
    }
}

il_status ili_pool_map_run(struct ili_thread_pool *pool, const struct ili_pool_map *what,
                           int64_t deadline_ns) {
    if (ili_thread_pool_is_forked(pool)) return IL_EFORKED;
    if (what->count == 0) return IL_OK;
    bool here = ili_thread_pool_is_here(pool);
    struct map *map = calloc(1, sizeof *map);
    if (!map) return IL_ENOMEM;
    atomic_init(&map->references, 1);
    map->what = *what;
    if (map->what.chunk == 0) {
        map->what.chunk = (what->count - 1) / (ili_thread_pool_threads(pool) * (size_t)4) + 1;
    }
    il_status status = add_helpers(pool, map, here, deadline_ns);
    if (status == IL_OK && here) take_part(map);
    if (status == IL_OK) status = wait_for_all(map, deadline_ns);
    if (status != IL_OK) stop(pool, map);
    let_go(map);
    return status;
}
