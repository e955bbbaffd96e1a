#include "server/pools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/page.h"
#include "server/params.h"
#include "server/pool_options.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/submit.h"
#include "server/task_view.h"
#include "server/vigil.h"

struct ili_pool *ili_pools_of_path(struct ili_request *request) {
    struct ili_pool *pool =
        ili_pool_find(&request->server->pools, request->name, request->name_bytes);
    if (!pool) ili_reply_problem(request, IL_ENOTFOUND, NULL);
    return pool;
}

/* ---- the view ------------------------------------------------------------------------------------- */

static const char *kind_name(enum ili_pool_kind kind) {
    static const char *const names[] = {"process", "thread", "exec"};
    return names[kind];
}

static const char *state_name(enum ili_pool_state state) {
    static const char *const names[] = {"running", "closed", "ended"};
    return names[state];
}

static void write_tasks(struct ili_out *out, const struct ili_pool_statistics *s) {
    ili_out_key(out, "tasks");
    ili_out_open(out, '{');
    for (int state = 0; state < ILI_TASK_STATES; state++) {
        ili_out_key(out, ili_task_state_name((enum ili_task_state)state));
        ili_out_number(out, s->by_state[state]);
    }
    ili_out_key(out, "submitted");
    ili_out_number(out, s->submitted);
    ili_out_key(out, "retried");
    ili_out_number(out, s->retried);
    ili_out_close(out, '}');
}

static void write_worker(struct ili_out *out, const struct ili_worker_view *worker) {
    static const char *const states[] = {"starting", "idle", "busy", "ending"};
    ili_out_open(out, '{');
    ili_out_key(out, "number");
    ili_out_number(out, worker->number);
    ili_out_key(out, "pid");
    if (worker->pid) {
        ili_out_number(out, worker->pid);
    } else {
        ili_out_null(out); /* it is about to be started */
    }
    ili_out_key(out, "state");
    ili_out_string(out, states[worker->state]);
    ili_out_key(out, "name");
    ili_out_string(out, worker->name);
    ili_out_key(out, "slots");
    ili_out_number(out, worker->slots);
    ili_out_key(out, "busy");
    ili_out_number(out, worker->busy);
    ili_out_key(out, "done");
    ili_out_number(out, worker->tasks_done);
    ili_out_key(out, "task");
    if (worker->task) {
        ili_out_token(out, worker->task);
    } else {
        ili_out_null(out);
    }
    ili_write_time(out, "since", worker->since_ns);
    ili_out_close(out, '}');
}

static void write_workers(struct ili_out *out, const struct ili_pool *pool) {
    size_t room = 2 * (size_t)ili_pool_workers(pool) + 16; /* some are being replaced */
    size_t count = 0;
    struct ili_worker_view *views = calloc(room, sizeof *views);
    if (views) count = ili_pool_worker_views(pool, views, room);
    ili_out_key(out, "worker_list");
    ili_out_open(out, '[');
    for (size_t i = 0; i < count && i < room; i++) write_worker(out, &views[i]);
    ili_out_close(out, ']');
    free(views);
}

static void write_head(struct ili_out *out, const struct ili_pool *pool,
                       const struct ili_pool_statistics *statistics) {
    size_t bytes;
    const char *name = ili_pool_name(pool, &bytes);
    const struct ili_pool_options *options = ili_pool_options(pool);
    ili_out_key(out, "name");
    ili_out_text(out, name, bytes);
    ili_out_key(out, "kind");
    ili_out_string(out, kind_name(options->kind));
    ili_out_key(out, "workers");
    ili_out_number(out, ili_pool_workers(pool));
    ili_out_key(out, "state");
    ili_out_string(out, state_name(ili_pool_state(pool)));
    ili_out_key(out, "command");
    ili_out_open(out, '[');
    for (size_t i = 0; options->command[i]; i++) ili_out_string(out, options->command[i]);
    ili_out_close(out, ']');
    ili_out_key(out, "trouble");
    ili_out_string(out, ili_pool_trouble(pool));
    write_tasks(out, statistics);
    ili_out_key(out, "started");
    ili_out_number(out, statistics->started_workers);
    ili_out_key(out, "replaced");
    ili_out_number(out, statistics->replaced_workers);
    ili_out_key(out, "crashed");
    ili_out_number(out, statistics->crashed_workers);
}

/* A limit of 0 is none. */
static void write_limit(struct ili_out *out, const char *key, int64_t ns) {
    ili_out_key(out, key);
    if (ns) {
        ili_out_seconds(out, ns);
    } else {
        ili_out_null(out);
    }
}

/* How its tasks are run, unless they say otherwise. */
static void write_defaults(struct ili_out *out, const struct ili_pool_options *options) {
    const struct ili_task_options *defaults = &options->defaults;
    char priority[16];
    int bytes = snprintf(priority, sizeof priority, "%d", defaults->priority);
    ili_out_key(out, "max_tasks_per_worker");
    ili_out_number(out, options->max_tasks_per_worker);
    ili_out_key(out, "defaults");
    ili_out_open(out, '{');
    ili_out_key(out, "priority");
    ili_out_json(out, priority, (size_t)bytes);
    ili_out_key(out, "retries");
    ili_out_number(out, defaults->retries);
    write_limit(out, "deadline", defaults->deadline_ns);
    write_limit(out, "time_limit", defaults->time_limit_ns);
    ili_out_key(out, "backoff");
    ili_out_seconds(out, defaults->backoff_ns);
    ili_out_key(out, "backoff_max");
    ili_out_seconds(out, defaults->backoff_most_ns);
    ili_out_key(out, "keep");
    ili_out_seconds(out, defaults->keep_ns);
    ili_out_close(out, '}');
}

/* WHOLE: with its workers, functions and defaults. */
static void write_pool(struct ili_out *out, const struct ili_pool *pool, bool whole) {
    struct ili_pool_statistics statistics;
    const char *function;
    ili_pool_statistics(pool, &statistics);
    ili_out_open(out, '{');
    write_head(out, pool, &statistics);
    if (whole) {
        ili_out_key(out, "functions");
        ili_out_open(out, '[');
        for (size_t i = 0; (function = ili_pool_function(pool, i)); i++) {
            ili_out_string(out, function);
        }
        ili_out_close(out, ']');
        write_workers(out, pool);
        write_defaults(out, ili_pool_options(pool));
    }
    ili_out_close(out, '}');
}

static void reply(struct ili_request *request, unsigned http_status, const struct ili_pool *pool) {
    struct ili_out out = {0};
    write_pool(&out, pool, true);
    ili_reply(request, http_status, &out);
}

void ili_pools_get(struct ili_request *request) {
    const struct ili_pool *pool = ili_pools_of_path(request);
    if (pool) reply(request, 200, pool);
}

static const void *after(struct ili_server *server, const char *name, size_t name_bytes) {
    return ili_pool_after(&server->pools, name, name_bytes);
}

static const char *name_of(const void *thing, size_t *name_bytes) {
    return ili_pool_name(thing, name_bytes);
}

static void view(struct ili_out *out, struct ili_server *server, const void *thing) {
    (void)server;
    write_pool(out, thing, false);
}

void ili_pools_list(struct ili_request *request) {
    static const struct ili_page_walk walk = {"pools", after, name_of, view};
    ili_page_reply(request, &walk);
}

/* ---- making and removing -------------------------------------------------------------------------- */

/* True: it is the configuration's, and the request was answered. */
static bool is_fixed(struct ili_request *request, const char *what) {
    char detail[sizeof request->name + 80];
    if (!ili_config_pools_defines(&request->server->config.pools, request->name,
                                  request->name_bytes)) {
        return false;
    }
    snprintf(detail, sizeof detail,
             "the pool \"%.*s\" is the configuration file's, and cannot be %s", request->name_bytes,
             request->name, what);
    ili_reply_problem(request, IL_EACCESS, detail);
    return true;
}

static void make(struct ili_request *request, struct ili_pool_definition *definition) {
    struct ili_programs *programs = &request->server->config.pools.programs;
    char **environment = ili_environment_make(programs, definition->given);
    struct ili_pool *pool;
    struct ili_fault fault;
    bool created = false;
    if (!environment) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the pool");
        return;
    }
    definition->options.environment = environment;
    ili_fault_set(&fault, IL_EINVAL, NULL, NULL, "the pool cannot be made");
    il_status status = ili_pool_make(&request->server->pools, request->name, request->name_bytes,
                                     &definition->options, &pool, &created, &fault);
    ili_texts_free(environment);
    if (status == IL_OK) {
        reply(request, created ? 201 : 200, pool);
    } else if (status == IL_ECONFLICT || status == IL_EINVAL) {
        fault.status = status;
        ili_reply_fault(request, &fault);
    } else {
        ili_reply_problem(request, status,
                          status == IL_ENOMEM ? "the server has no memory for the pool"
                                              : fault.detail);
    }
}

/* A PUT without fields is content with any options. */
static void find(struct ili_request *request) {
    struct ili_fault fault;
    const struct ili_pool *pool =
        ili_pool_find(&request->server->pools, request->name, request->name_bytes);
    if (pool) {
        reply(request, 200, pool);
        return;
    }
    ili_fault_set(&fault, IL_EINVAL, "command", "to be given, or a module",
                  "command: is missing, and there is no pool \"%.*s\"", request->name_bytes,
                  request->name);
    ili_reply_fault(request, &fault);
}

void ili_pools_put(struct ili_request *request) {
    struct ili_pool_definition definition;
    struct ili_value body;
    struct ili_fault fault;
    if (!ili_submit_load(request, &body)) return;
    il_status status = ili_pool_definition_read(&body, &request->server->config.pools.programs,
                                                &definition, &fault);
    json_decref(body.json);
    if (status != IL_OK) {
        ili_reply_fault(request, &fault);
    } else if (!definition.command) {
        find(request);
    } else if (!is_fixed(request, "changed")) {
        make(request, &definition);
    }
    ili_pool_definition_drop(&definition);
}

void ili_pools_delete(struct ili_request *request) {
    struct ili_pool *pool = ili_pools_of_path(request);
    if (!pool || is_fixed(request, "deleted")) return;
    ili_pool_delete(pool);
    ili_reply_empty(request, 0);
}

/* ---- its end -------------------------------------------------------------------------------------- */

static void end(struct ili_request *request, void (*how)(struct ili_pool *pool)) {
    if (!ili_request_read(request, NULL, 0)) return;
    struct ili_pool *pool = ili_pools_of_path(request);
    if (!pool) return;
    how(pool);
    reply(request, 200, pool);
}

void ili_pools_shut(struct ili_request *request) { end(request, ili_pool_close); }

void ili_pools_terminate(struct ili_request *request) { end(request, ili_pool_terminate); }

struct joining {
    struct ili_vigil vigil;
    struct ili_pool_watch watch;
    struct ili_pool *pool; /* valid while it is watched */
};

static void unwatch(struct ili_vigil *vigil) {
    struct joining *j = (struct joining *)vigil;
    ili_pool_unwatch(j->pool, &j->watch);
}

static void answer(struct ili_request *request, il_status status) {
    const struct joining *j = (struct joining *)request->work;
    if (status == IL_OK) {
        reply(request, 200, j->pool);
    } else if (status != IL_EGONE) {
        ili_reply_problem(request, status, NULL);
    }
}

static void pool_ended(struct ili_pool_watch *watch, struct ili_pool *pool) {
    struct joining *j = (struct joining *)((char *)watch - offsetof(struct joining, watch));
    (void)pool;
    ili_vigil_met(&j->vigil);
}

static void join(struct ili_request *request, struct ili_pool *pool, int64_t deadline_ns) {
    struct joining *j = ili_vigil_new(request, sizeof *j, unwatch, answer);
    if (!j) return;
    j->watch.ended = pool_ended;
    j->pool = pool;
    il_status status = ili_vigil_park(request, &j->vigil, deadline_ns);
    if (status == IL_OK) {
        ili_pool_watch(pool, &j->watch);
    } else {
        ili_reply_problem(request, status, NULL);
    }
}

void ili_pools_join(struct ili_request *request) {
    int64_t timeout_ns = request->server->config.long_poll_ns;
    const struct ili_param params[] = {ILI_PARAM_SECONDS("timeout", &timeout_ns, 0, timeout_ns)};
    if (!ili_request_read(request, params, 1)) return;
    struct ili_pool *pool = ili_pools_of_path(request);
    if (!pool) return;
    if (ili_pool_state(pool) == ILI_POOL_RUNNING) {
        ili_reply_problem(request, IL_ECONFLICT,
                          "the pool is still running: close or terminate it first");
    } else if (ili_pool_state(pool) == ILI_POOL_ENDED) {
        reply(request, 200, pool);
    } else if (timeout_ns == 0) {
        ili_reply_problem(request, IL_ETIMEOUT, NULL);
    } else {
        join(request, pool, ili_now_ns() + timeout_ns);
    }
}
