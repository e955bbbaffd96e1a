/*
 * workers.c - il_workers_… : checks, and which way: HTTP, or for a map of a unix: domain the lane.
 *
 * The pools of a unix: domain are spoken to over its socket, by a domain of the HTTP door that is made at
 * the first il_workers_open() and closed with the domain.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "lib/domain.h"
#include "lib/inherit.h"
#include "lib/lane.h"
#include "lib/remote_load.h"

#define ENTRY ILI_DOMAIN_VARIABLE "=" /* what stands before a domain's address in `entry` */
#define FUNCTION_BYTES_MOST 255u
#define RETRIES_MOST 1000u
#define PRIORITY_MOST 100

static il_status no_workers(void) {
    return ili_fail(IL_EINVAL, "workers: expected the workers of a pool, got NULL");
}

/* ---- open and close ------------------------------------------------------------------------------- */

/* The HTTP side of DOMAIN, which is no private one. */
static il_status reach(struct il_domain *domain, const struct ili_remote_ops **ops,
                       struct ili_remote_domain **remote) {
    *ops = domain->remote_ops;
    *remote = domain->remote;
    if (domain->remote_ops) return IL_OK;
    if (!domain->member.served) {
        return ili_fail(IL_EUNSUPPORTED,
                        "the pools are a server's, and a private: domain has none");
    }
    il_status status = ili_member_check(&domain->member); /* also: not in a forked child */
    if (status != IL_OK) return ili_report(status, "domain");
    if (!domain->entry) return ili_fail(IL_ENOMEM, "this process has no memory");
    pthread_mutex_lock(&domain->pools_mutex);
    if (!domain->pools) {
        status = ili_remote_load(&domain->pools_ops);
        if (status == IL_OK) {
            status =
                domain->pools_ops->domain_open(domain->entry + strlen(ENTRY), NULL, &domain->pools);
        }
    }
    *ops = domain->pools_ops;
    *remote = domain->pools;
    pthread_mutex_unlock(&domain->pools_mutex);
    return status;
}

il_status il_workers_open(il_domain *domain, const char *name, size_t name_bytes,
                          il_workers **out) {
    struct ili_remote_domain *remote = NULL;
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the workers, got NULL");
    il_status status = ili_check_name(name, name_bytes, false);
    if (status != IL_OK) return status;
    il_workers *workers = calloc(1, sizeof *workers);
    if (!workers) return ili_fail(IL_ENOMEM, "this process has no memory");
    workers->domain = domain;
    status = reach(domain, &workers->ops, &remote);
    if (status == IL_OK) {
        status = workers->ops->workers_open(remote, name, name_bytes, &workers->remote);
    }
    if (status != IL_OK) {
        free(workers);
        return status;
    }
    *out = workers;
    return IL_OK;
}

il_status il_workers_close(il_workers *workers) {
    if (!workers) return IL_OK;
    il_status status = workers->ops->workers_close(workers->remote);
    free(workers);
    return status;
}

/* ---- checks --------------------------------------------------------------------------------------- */

static il_status check_text(const char *what, const char *text, size_t bytes) {
    if (!text && bytes) return ili_fail(IL_EINVAL, "%s: expected %zu bytes, got NULL", what, bytes);
    if (text && bytes == 0) return ili_fail(IL_EINVAL, "%s: expected JSON, got 0 bytes", what);
    if (text && !ili_utf8_valid(text, bytes)) {
        return ili_fail(IL_EINVAL, "%s: expected UTF-8", what);
    }
    return IL_OK;
}

static il_status check_function(const char *function, size_t bytes) {
    if (!function) return ili_fail(IL_EINVAL, "function: expected a name, got NULL");
    if (bytes == 0 || bytes > FUNCTION_BYTES_MOST || memchr(function, 0, bytes)) {
        return ili_fail(IL_EINVAL, "function: expected 1 to 255 bytes without NUL");
    }
    return check_text("function", function, bytes);
}

static il_status check_time(const char *field, int64_t ns) {
    if (ns >= 0) return IL_OK;
    return ili_fail(IL_EINVAL, "options.%s: expected 0 or more", field);
}

/* Copies what the caller gave of its options to OPTIONS. */
static il_status read_options(const il_task_options *given, il_task_options *options) {
    memset(options, 0, sizeof *options);
    if (given->struct_bytes < sizeof(uint32_t) * 2) {
        return ili_fail(IL_EINVAL, "options.struct_bytes: expected sizeof(il_task_options)");
    }
    size_t bytes = given->struct_bytes < sizeof *options ? given->struct_bytes : sizeof *options;
    memcpy(options, given, bytes);
    if (options->flags & ~IL_TASK_EXPLICIT) {
        return ili_fail(IL_EINVAL, "options.flags: expected IL_TASK_EXPLICIT or 0");
    }
    if (options->priority < -PRIORITY_MOST || options->priority > PRIORITY_MOST) {
        return ili_fail(IL_EINVAL, "options.priority: expected -100 to 100, got %d",
                        options->priority);
    }
    if (options->retries > RETRIES_MOST) {
        return ili_fail(IL_EINVAL, "options.retries: expected at most 1000, got %u",
                        options->retries);
    }
    il_status status = check_time("delay_ns", options->delay_ns);
    if (status == IL_OK) status = check_time("deadline_ns", options->deadline_ns);
    if (status == IL_OK) status = check_time("time_limit_ns", options->time_limit_ns);
    if (status == IL_OK) status = check_time("backoff_ns", options->backoff_ns);
    if (status == IL_OK) status = check_time("backoff_max_ns", options->backoff_max_ns);
    if (status == IL_OK) status = check_time("keep_ns", options->keep_ns);
    return status;
}

static il_status check_timeout(int64_t timeout_ns) {
    if (timeout_ns >= IL_FOREVER) return IL_OK;
    return ili_fail(IL_EINVAL, "timeout_ns: expected IL_FOREVER, IL_NOWAIT or more");
}

/* Checks one call of a function and describes it for the HTTP door; OPTIONS is room for its options. */
static il_status read_work(struct ili_remote_work *work, const il_task_options *given,
                           il_task_options *options) {
    il_status status = check_function(work->function, work->function_bytes);
    if (status == IL_OK) status = check_text("args", work->args, work->args_bytes);
    if (status == IL_OK) status = check_text("kwargs", work->kwargs, work->kwargs_bytes);
    if (status != IL_OK || !given) return status;
    work->options = options;
    return read_options(given, options);
}

/* ---- tasks ---------------------------------------------------------------------------------------- */

/* TIMEOUT_NS NULL: does not wait for the task's end. */
static il_status submit(il_workers *workers, const struct ili_remote_work *asked,
                        const il_task_options *given, const int64_t *timeout_ns, il_task **out) {
    il_task_options options;
    struct ili_remote_work work = *asked;
    if (!workers) return no_workers();
    if (!out) return ili_fail(IL_EINVAL, "task: expected a place for the task, got NULL");
    il_status status = read_work(&work, given, &options);
    if (status == IL_OK && timeout_ns) status = check_timeout(*timeout_ns);
    if (status != IL_OK) return status;
    il_task *task = calloc(1, sizeof *task);
    if (!task) return ili_fail(IL_ENOMEM, "this process has no memory");
    task->ops = workers->ops;
    if (timeout_ns) {
        status = workers->ops->workers_apply(workers->remote, &work, *timeout_ns, &task->remote);
    } else {
        status = workers->ops->workers_submit(workers->remote, &work, &task->remote);
    }
    if (status != IL_OK) {
        free(task);
        return status;
    }
    *out = task;
    return IL_OK;
}

il_status il_workers_submit(il_workers *workers, const char *function, size_t function_bytes,
                            const char *args, size_t args_bytes, const char *kwargs,
                            size_t kwargs_bytes, const il_task_options *options, il_task **task) {
    struct ili_remote_work work = {function, function_bytes, args, args_bytes,
                                   kwargs,   kwargs_bytes,   NULL};
    return submit(workers, &work, options, NULL, task);
}

il_status il_workers_apply(il_workers *workers, const char *function, size_t function_bytes,
                           const char *args, size_t args_bytes, const char *kwargs,
                           size_t kwargs_bytes, const il_task_options *options, int64_t timeout_ns,
                           il_task **task) {
    struct ili_remote_work work = {function, function_bytes, args, args_bytes,
                                   kwargs,   kwargs_bytes,   NULL};
    return submit(workers, &work, options, &timeout_ns, task);
}

/* ---- map ------------------------------------------------------------------------------------------ */

/* The caller's function behind a look at what it is told. */
struct audience {
    il_map_each each; /* may be NULL */
    void *context;
    uint64_t first; /* of the items that did not succeed, its index */
    il_status status;
};

static int32_t hear(void *context, const il_map_result *result) {
    struct audience *a = context;
    if (result->status != IL_OK && (a->status == IL_OK || result->index < a->first)) {
        a->status = result->status;
        a->first = result->index;
    }
    return a->each ? a->each(a->context, result) : 0;
}

static il_status read_map_options(const il_map_options *given, il_map_options *options) {
    memset(options, 0, sizeof *options);
    if (!given) return IL_OK;
    if (given->struct_bytes < sizeof(uint32_t) * 2) {
        return ili_fail(IL_EINVAL, "options.struct_bytes: expected sizeof(il_map_options)");
    }
    size_t bytes = given->struct_bytes < sizeof *options ? given->struct_bytes : sizeof *options;
    memcpy(options, given, bytes);
    if (options->flags & ~(IL_MAP_STAR | IL_MAP_ORDERED | IL_MAP_HTTP)) {
        return ili_fail(IL_EINVAL, "options.flags: expected IL_MAP_STAR, IL_MAP_ORDERED and "
                                   "IL_MAP_HTTP only");
    }
    return IL_OK;
}

static il_status check_items(const il_map_item *items, size_t count) {
    char what[40];
    il_status status = IL_OK;
    if (!items && count) return ili_fail(IL_EINVAL, "items: expected %zu, got NULL", count);
    if (count > IL_MAP_ITEMS_MAX) {
        return ili_fail(IL_ETOOBIG, "count: a map has at most %u items, got %zu", IL_MAP_ITEMS_MAX,
                        count);
    }
    for (size_t i = 0; i < count && status == IL_OK; i++) {
        bool good =
            items[i].data && items[i].bytes && ili_utf8_valid(items[i].data, items[i].bytes);
        if (good) continue;
        snprintf(what, sizeof what, "items[%zu]", i);
        status = items[i].data ? check_text(what, items[i].data, items[i].bytes)
                               : ili_fail(IL_EINVAL, "%s.data: got NULL", what);
    }
    return status;
}

/* Whether MAP can go by the lane, as far as can be said here. */
static bool may_take_lane(const struct il_domain *domain, const struct ili_remote_map *map) {
    const il_task_options *o = map->work.options;
    bool plain = !o || (!o->priority && !o->delay_ns && !o->deadline_ns && !o->time_limit_ns &&
                        !o->backoff_ns);
    return !domain->remote_ops && plain && map->chunk <= 1 && !(map->flags & IL_MAP_HTTP) &&
           map->count >= ILI_LANE_LEAST;
}

static il_status run_map(il_workers *workers, const struct ili_remote_map *map,
                         int64_t timeout_ns) {
    struct ili_remote_lanes lanes = {0};
    if (map->count == 0) return IL_OK;
    if (may_take_lane(workers->domain, map)) {
        il_status status = workers->ops->workers_lanes(workers->remote, map->work.function,
                                                       map->work.function_bytes, &lanes);
        if (status != IL_OK) return status;
    }
    if (lanes.count) return ili_lane_map(workers, map, &lanes, timeout_ns);
    return workers->ops->workers_map(workers->remote, map, timeout_ns);
}

il_status il_workers_map(il_workers *workers, const char *function, size_t function_bytes,
                         const il_map_item *items, size_t count, const il_map_options *options,
                         il_map_each each, void *context, int64_t timeout_ns) {
    il_map_options chosen;
    il_task_options task;
    struct audience audience = {.each = each, .context = context, .status = IL_OK};
    if (!workers) return no_workers();
    il_status status = read_map_options(options, &chosen);
    if (status != IL_OK) return status;
    struct ili_remote_map map = {.work = {.function = function,
                                          .function_bytes = function_bytes,
                                          .kwargs = chosen.kwargs,
                                          .kwargs_bytes = chosen.kwargs_bytes},
                                 .items = items,
                                 .count = count,
                                 .flags = chosen.flags,
                                 .chunk = chosen.chunk,
                                 .each = hear,
                                 .context = &audience};
    status = read_work(&map.work, chosen.task, &task);
    if (status == IL_OK) status = check_timeout(timeout_ns);
    if (status == IL_OK) status = check_items(items, count);
    if (status == IL_OK) status = run_map(workers, &map, timeout_ns);
    if (status != IL_OK || audience.status == IL_OK) return status;
    return ili_fail(audience.status, "item %llu", (unsigned long long)audience.first);
}
