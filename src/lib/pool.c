/* pool.c - il_pool_… : checks; the pool is a struct ili_thread_pool (run/thread_pool.h). */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "lib/domain.h"
#include "lib/future.h"
#include "lib/grant.h"
#include "run/pool_map.h"
#include "run/runner.h"
#include "run/thread_pool.h"

/* The public name of struct ili_thread_pool; never defined. */
static struct ili_thread_pool *pool_of(il_pool *pool) {
    return (struct ili_thread_pool *)(void *)pool;
}

static il_status no_pool(void) { return ili_fail(IL_EINVAL, "pool: expected a pool, got NULL"); }

static il_status report(il_status status) {
    switch (status) {
    case IL_OK: return IL_OK;
    case IL_ESELF: return ili_fail(status, "pool: the caller is one of its tasks");
    case IL_ENOMEM: return ili_fail(status, "this process has no memory");
    default: return ili_fail(status, "pool");
    }
}

static il_status read_options(const il_pool_options *given, il_pool_options *options) {
    memset(options, 0, sizeof *options);
    if (!given) return IL_OK;
    if (given->struct_bytes < sizeof given->struct_bytes) {
        return ili_fail(IL_EINVAL, "options.struct_bytes: expected sizeof(il_pool_options)");
    }
    memcpy(options, given,
           given->struct_bytes < sizeof *options ? given->struct_bytes : sizeof *options);
    if (options->threads > ILI_THREAD_POOL_THREADS_MOST) {
        return ili_fail(IL_EINVAL, "options.threads: expected at most %u, got %u",
                        ILI_THREAD_POOL_THREADS_MOST, (unsigned)options->threads);
    }
    if (options->name && strlen(options->name) >= ILI_RUNNER_NAME_BYTES) {
        return ili_fail(IL_EINVAL, "options.name: expected at most %d bytes",
                        ILI_RUNNER_NAME_BYTES - 1);
    }
    return IL_OK;
}

il_status il_pool_create(const il_pool_options *options, il_pool **out) {
    il_pool_options wish;
    struct ili_thread_pool *pool = NULL;
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the pool, got NULL");
    il_status status = read_options(options, &wish);
    if (status != IL_OK) return status;
    const struct ili_thread_pool_options wanted = {
        .name = wish.name,
        .threads = wish.threads,
        .max_queued = wish.max_queued,
        .stack_bytes = wish.stack_bytes,
    };
    status = ili_thread_pool_open(&wanted, &pool);
    switch (status) {
    case IL_OK: *out = (il_pool *)(void *)pool; return IL_OK;
    case IL_EINVAL:
        return ili_fail(status, "options.stack_bytes: expected 0 or at least %ld",
                        (long)PTHREAD_STACK_MIN);
    case IL_ESYSTEM: return ili_fail(status, "pthread_create: %s", strerror(errno));
    case IL_ELIMIT: return ili_fail(status, "this process has 16,384 threads");
    default: return report(status);
    }
}

static il_status read_submit_options(const il_submit_options *options, il_submit_options *wish) {
    memset(wish, 0, sizeof *wish);
    if (!options) return IL_OK;
    if (options->struct_bytes < sizeof options->struct_bytes) {
        return ili_fail(IL_EINVAL, "options.struct_bytes: expected sizeof(il_submit_options)");
    }
    memcpy(wish, options,
           options->struct_bytes < sizeof *wish ? options->struct_bytes : sizeof *wish);
    if (wish->priority < -IL_PRIORITY_MAX || wish->priority > IL_PRIORITY_MAX) {
        return ili_fail(IL_EINVAL, "options.priority: expected -%d to %d, got %d", IL_PRIORITY_MAX,
                        IL_PRIORITY_MAX, (int)wish->priority);
    }
    if (wish->time_limit_ns < 0) {
        return ili_fail(IL_EINVAL, "options.time_limit_ns: expected 0 (none) or more");
    }
    return IL_OK;
}

il_status il_pool_submit(il_pool *pool, void *(*function)(void *argument), void *argument,
                         const il_submit_options *options, int64_t timeout_ns, il_future **out) {
    il_submit_options wish;
    struct ili_future *future = NULL;
    if (!pool) return no_pool();
    if (!function) return ili_fail(IL_EINVAL, "function: expected a function, got NULL");
    struct ili_job job = {function, argument};
    if (!out && !options && timeout_ns == IL_FOREVER) { /* the most frequent one */
        return report(ili_thread_pool_submit(pool_of(pool), job, 0, ILI_NEVER));
    }
    il_status status = ili_check_timeout(timeout_ns);
    if (status == IL_OK) status = read_submit_options(options, &wish);
    if (status != IL_OK) return status;
    if (out || wish.time_limit_ns > 0) {
        future = ili_future_make(pool_of(pool), out ? 2 : 1, function, argument);
        if (!future) return report(IL_ENOMEM);
        future->time_limit_ns = wish.time_limit_ns;
        job = (struct ili_job){NULL, future};
    }
    status = ili_thread_pool_submit(pool_of(pool), job, wish.priority, ili_deadline_of(timeout_ns));
    if (status == IL_OK) {
        if (out) *out = ili_future_public(future);
        return IL_OK;
    }
    if (future) ili_future_let_go(future);
    if (future && out) ili_future_let_go(future);
    return report(status);
}

il_status il_pool_map(il_pool *pool, void *(*function)(void *argument), void *const *arguments,
                      size_t count, size_t chunk, void **results, const il_submit_options *options,
                      int64_t timeout_ns) {
    il_submit_options wish;
    if (!pool) return no_pool();
    if (!function) return ili_fail(IL_EINVAL, "function: expected a function, got NULL");
    if (!arguments && count) return ili_fail(IL_EINVAL, "arguments: expected an array, got NULL");
    il_status status = ili_check_timeout(timeout_ns);
    if (status == IL_OK) status = read_submit_options(options, &wish);
    if (status != IL_OK) return status;
    const struct ili_pool_map what = {
        .function = function,
        .arguments = arguments,
        .results = results,
        .count = count,
        .chunk = chunk,
        .priority = wish.priority,
        .time_limit_ns = wish.time_limit_ns,
    };
    return report(ili_pool_map_run(pool_of(pool), &what, ili_deadline_of(timeout_ns)));
}

il_status il_pool_shut(il_pool *pool) {
    if (!pool) return no_pool();
    if (ili_thread_pool_is_forked(pool_of(pool))) return report(IL_EFORKED);
    ili_thread_pool_shut(pool_of(pool));
    return IL_OK;
}

il_status il_pool_terminate(il_pool *pool) {
    if (!pool) return no_pool();
    if (ili_thread_pool_is_forked(pool_of(pool))) return report(IL_EFORKED);
    ili_thread_pool_terminate(pool_of(pool));
    return IL_OK;
}

il_status il_pool_join(il_pool *pool, int64_t timeout_ns) {
    if (!pool) return no_pool();
    il_status status = ili_check_timeout(timeout_ns);
    if (status != IL_OK) return status;
    status = ili_thread_pool_join(pool_of(pool), ili_deadline_of(timeout_ns));
    if (status == IL_EINVAL) {
        return ili_fail(status, "pool: expected one that was shut or terminated");
    }
    return report(status);
}

il_status il_pool_info_get(il_pool *pool, il_pool_info *info) {
    struct ili_thread_pool_statistics look;
    if (!pool) return no_pool();
    if (!info || info->struct_bytes < sizeof info->struct_bytes) {
        return ili_fail(IL_EINVAL, "info.struct_bytes: expected sizeof(il_pool_info)");
    }
    if (ili_thread_pool_is_forked(pool_of(pool))) return report(IL_EFORKED);
    ili_thread_pool_look(pool_of(pool), &look);
    const il_pool_info all = {
        .struct_bytes = info->struct_bytes,
        .threads = look.threads,
        .running = look.running,
        .queued = look.queued,
        .submitted = look.submitted,
        .done = look.done,
        .cancelled = look.cancelled,
        .wakeups = look.wakeups,
    };
    memcpy(info, &all, all.struct_bytes < sizeof all ? all.struct_bytes : sizeof all);
    return IL_OK;
}

il_status il_pool_close(il_pool *pool) {
    return pool ? report(ili_thread_pool_close(pool_of(pool))) : IL_OK;
}
