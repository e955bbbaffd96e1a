#include "client/workers.h"

#include <stdlib.h>
#include <string.h>

#include "base/lane.h"
#include "client/task.h"

#define VIEW_BYTES ((size_t)16 * 1024 * 1024)
#define SECOND_NS INT64_C(1000000000)

void ili_remote_workers_begin(struct ili_call *call, const struct ili_remote_workers *workers,
                              const char *method, const char *operation) {
    ili_call_begin(call, workers->domain, method, "pools", workers->name, workers->name_bytes,
                   operation);
    call->answer_max = VIEW_BYTES;
}

/* ---- open and close ----------------------------------------------------------------------------- */

il_status ili_remote_workers_open(struct ili_remote_domain *domain, const char *name,
                                  size_t name_bytes, struct ili_remote_workers **out) {
    struct ili_call call;
    il_status status = ili_remote_domain_check(domain);
    if (status != IL_OK) return status;
    struct ili_remote_workers *workers = calloc(1, sizeof *workers);
    if (!workers) return ili_remote_fail(IL_ENOMEM, "no memory for a handle of the pool");
    workers->domain = domain;
    workers->name_bytes = name_bytes;
    memcpy(workers->name, name, name_bytes);
    ili_remote_workers_begin(&call, workers, "GET", NULL);
    status = ili_call_run(&call);
    ili_call_end(&call);
    if (status == IL_OK) {
        *out = workers;
    } else {
        free(workers);
    }
    return status;
}

il_status ili_remote_workers_close(struct ili_remote_workers *workers) {
    free(workers);
    return IL_OK;
}

/* ---- what is asked for -------------------------------------------------------------------------- */

static void add_seconds(struct ili_call *call, const char *key, int64_t ns, bool all) {
    if (!ns && !all) return;
    ili_call_field(call, key);
    ili_buffer_add_seconds(&call->body, (uint64_t)ns);
}

/* A limit of 0 is none, which is written as null. */
static void add_limit(struct ili_call *call, const char *key, int64_t ns, bool all) {
    if (ns || !all) {
        add_seconds(call, key, ns, false);
        return;
    }
    ili_call_field(call, key);
    ili_buffer_add_text(&call->body, "null");
}

static void add_json(struct ili_call *call, const char *key, const char *text, size_t bytes) {
    if (!text) return;
    ili_call_field(call, key);
    ili_buffer_add(&call->body, text, bytes);
}

/* What is 0 is left to the pool, unless all counts. */
static void write_options(struct ili_call *call, const il_task_options *options) {
    bool all = options->flags & IL_TASK_EXPLICIT;
    if (options->priority || all) {
        ili_call_field(call, "priority");
        if (options->priority < 0) ili_buffer_add_text(&call->body, "-");
        ili_buffer_add_number(&call->body, (uint64_t)llabs(options->priority));
    }
    if (options->retries || all) {
        ili_call_field(call, "retries");
        ili_buffer_add_number(&call->body, options->retries);
    }
    add_seconds(call, "delay", options->delay_ns, false);
    add_limit(call, "deadline", options->deadline_ns, all);
    add_limit(call, "time_limit", options->time_limit_ns, all);
    add_seconds(call, "backoff", options->backoff_ns, all);
    add_seconds(call, "backoff_max", options->backoff_max_ns, all);
    add_seconds(call, "keep", options->keep_ns, all);
}

void ili_remote_work_write(struct ili_call *call, const struct ili_remote_work *work) {
    ili_call_field_text(call, "function", work->function, work->function_bytes);
    add_json(call, "kwargs", work->kwargs, work->kwargs_bytes);
    if (work->options) write_options(call, work->options);
}

/* ---- tasks -------------------------------------------------------------------------------------- */

/* Submits, and waits on the server for a second at most if WAITS. */
static il_status submit(struct ili_remote_workers *workers, const struct ili_remote_work *work,
                        bool waits, struct ili_remote_task **out) {
    struct ili_call call;
    il_status status = ili_remote_domain_check(workers->domain);
    if (status != IL_OK) return status;
    ili_remote_workers_begin(&call, workers, "POST", "tasks");
    ili_remote_work_write(&call, work);
    add_json(&call, "args", work->args, work->args_bytes);
    call.answer_max = ILI_TASK_ANSWER_BYTES;
    call.keyed = true;
    if (waits) call.header = "Prefer: wait=1";
    status = ili_call_run(&call);
    if (status == IL_OK) status = ili_remote_task_new(&call, out);
    ili_call_end(&call);
    return status;
}

il_status ili_remote_workers_submit(struct ili_remote_workers *workers,
                                    const struct ili_remote_work *work,
                                    struct ili_remote_task **out) {
    return submit(workers, work, false, out);
}

/* The first request is never broken off: without its answer, nobody could cancel the task. So it waits
 * for a second at most, and what is left to be waited for follows with a task in hand. */
il_status ili_remote_workers_apply(struct ili_remote_workers *workers,
                                   const struct ili_remote_work *work, int64_t timeout_ns,
                                   struct ili_remote_task **out) {
    struct ili_remote_task *task;
    int64_t start = ili_host->now_ns();
    bool waits = timeout_ns < 0 || timeout_ns >= SECOND_NS;
    il_status status = submit(workers, work, waits, &task);
    if (status != IL_OK) return status;
    int64_t left = timeout_ns;
    if (timeout_ns > 0) {
        left -= ili_host->now_ns() - start;
        if (left < 0) left = 0;
    }
    status = ili_remote_task_wait(task, left);
    if (status == IL_OK) {
        *out = task;
        return IL_OK;
    }
    (void)ili_remote_task_cancel(task);
    (void)ili_remote_task_close(task);
    switch (status) { /* the words of the cancellation may stand there now */
    case IL_ETIMEOUT: return ili_remote_fail(status, "the task was cancelled");
    case IL_EINTR: return ili_remote_fail(status, "the task was cancelled");
    default: return ili_remote_fail(status, NULL);
    }
}

/* ---- the lane ----------------------------------------------------------------------------------- */

static bool lists(struct ili_json functions, const char *name, size_t bytes) {
    struct ili_json_walk walk = {0};
    for (;;) {
        json_t *one = ili_json_next(functions, &walk).json;
        if (!one) return false;
        if (json_string_length(one) == bytes && memcmp(json_string_value(one), name, bytes) == 0) {
            return true;
        }
    }
}

/* An option of the pool, or of its tasks. */
static struct ili_json default_of(struct ili_json view, const char *option) {
    struct ili_json one = ili_json_member(view, option);
    return one.json ? one : ili_json_member(ili_json_member(view, "defaults"), option);
}

/* Whether what the pool would do with each task can be done without one. */
static bool is_plain(struct ili_json view) {
    static const char *const limits[] = {"time_limit", "deadline", "max_tasks_per_worker"};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct ili_json one = default_of(view, limits[i]);
        if (one.json && json_is_number(one.json) && json_number_value(one.json) > 0) return false;
    }
    return true;
}

il_status ili_remote_workers_lanes(struct ili_remote_workers *workers, const char *function,
                                   size_t function_bytes, struct ili_remote_lanes *lanes) {
    struct ili_call call;
    uint64_t count = 0, retries = 0;
    il_status status = ili_remote_domain_check(workers->domain);
    if (status != IL_OK) return status;
    ili_remote_workers_begin(&call, workers, "GET", NULL);
    status = ili_call_run(&call);
    if (status == IL_OK) {
        struct ili_json functions = ili_json_member(call.object, "functions");
        bool offered = lists(functions, ILI_LANE_FUNCTION, strlen(ILI_LANE_FUNCTION)) &&
                       lists(functions, function, function_bytes) && is_plain(call.object) &&
                       ili_json_number(ili_json_member(call.object, "workers"), &count);
        (void)ili_json_number(default_of(call.object, "retries"), &retries);
        lanes->count = offered ? (uint32_t)count : 0;
        lanes->retries = (uint32_t)retries;
    }
    ili_call_end(&call);
    return status;
}
