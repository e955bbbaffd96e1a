#include "server/submit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/call_fields.h"
#include "server/pools.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/tasks.h"

#define MANY_MOST 100000u

bool ili_submit_load(struct ili_request *request, struct ili_value *body) {
    static char empty[] = "{}";
    struct ili_fault fault;
    char *text = request->body_bytes ? request->body : empty;
    size_t bytes = request->body_bytes ? request->body_bytes : 2;
    if (ili_value_load(text, bytes, body, &fault) != IL_OK) {
        ili_reply_fault(request, &fault);
        return false;
    }
    if (json_is_object(body->json)) return true;
    ili_fault_set(&fault, IL_EINVAL, "body", "a JSON object", "the body is not an object");
    ili_reply_fault(request, &fault);
    json_decref(body->json);
    return false;
}

int64_t ili_submit_patience(struct ili_request *request) {
    int64_t now_ns = ili_now_ns(), most_ns = request->server->config.long_poll_ns;
    const struct ili_wishes *wishes = &request->wishes;
    if (!wishes->waits) return now_ns;
    return now_ns + (wishes->wait_ns < most_ns ? wishes->wait_ns : most_ns);
}

void ili_submit_refuse(struct ili_request *request, il_status status,
                       const struct ili_fault *fault) {
    char detail[sizeof request->name + 80];
    if (status == IL_EINVAL || status == IL_ETOOBIG || status == IL_EFUNCTION) {
        ili_reply_fault(request, fault);
    } else if (status == IL_ENOMEM) {
        ili_reply_problem(request, status, "the server has no memory for the task");
    } else if (status == IL_ELIMIT) {
        snprintf(detail, sizeof detail, "the pool \"%.*s\" has as many tasks queued as it may",
                 request->name_bytes, request->name);
        ili_reply_problem(request, status, detail);
    } else {
        ili_reply_problem(request, status, NULL);
    }
}

/* ---- one ------------------------------------------------------------------------------------------ */

static void submit_one(struct ili_request *request, struct ili_pool *pool,
                       const struct ili_value *body) {
    struct ili_call call;
    struct ili_task_options options;
    struct ili_task *task;
    struct ili_fault fault;
    il_status status = ili_wishes_check(&request->wishes, &fault);
    if (status == IL_OK) status = ili_call_read(pool, body, &call, &options, &fault);
    if (status != IL_OK) {
        ili_reply_fault(request, &fault);
        return;
    }
    ili_fault_set(&fault, IL_EINVAL, NULL, NULL, "the pool refuses the task");
    status = ili_task_submit(pool, &call, &options, &task, &fault);
    if (status != IL_OK) {
        ili_submit_refuse(request, status, &fault);
    } else if (request->wishes.waits && !request->answer) {
        request->waited = true;
        ili_tasks_await(request, task, ili_submit_patience(request), 202);
    } else {
        ili_tasks_reply(request, 202, task);
    }
}

/* ---- many ----------------------------------------------------------------------------------------- */

struct each {
    struct ili_call call;
    struct ili_task_options options;
    struct ili_task *task; /* once it is submitted */
    uint64_t id;
};

/* FAULT is about the INDEXth task. */
static void place_fault(size_t index, struct ili_fault *fault) {
    ili_fault_place(fault, "tasks", index, "a task that the pool takes");
}

static il_status read_many(const struct ili_pool *pool, const struct ili_value *tasks,
                           struct each *each, struct ili_fault *fault) {
    struct ili_value_walk walk = {0};
    struct ili_value value;
    for (size_t i = 0; ili_value_next(tasks, &walk, &value); i++) {
        il_status status = IL_EINVAL;
        if (json_is_object(value.json)) {
            status = ili_call_read(pool, &value, &each[i].call, &each[i].options, fault);
        } else {
            ili_fault_set(fault, IL_EINVAL, NULL, "an object", "expected an object");
        }
        if (status == IL_OK) continue;
        place_fault(i, fault);
        return status;
    }
    return IL_OK;
}

/* Nothing has run yet: tasks are handed out by ili_pools_run(). */
static void take_back(struct each *each, size_t count) {
    for (size_t i = 0; i < count; i++) {
        ili_task_cancel(each[i].task);
        (void)ili_task_forget(each[i].task);
    }
}

static il_status submit_all(struct ili_pool *pool, struct each *each, size_t count,
                            struct ili_fault *fault) {
    for (size_t i = 0; i < count; i++) {
        struct ili_task *task;
        ili_fault_set(fault, IL_EINVAL, NULL, NULL, "the pool refuses the task");
        il_status status = ili_task_submit(pool, &each[i].call, &each[i].options, &task, fault);
        if (status == IL_OK) {
            each[i].task = task;
            each[i].id = task->id;
            continue;
        }
        take_back(each, i);
        if (status == IL_EINVAL || status == IL_ETOOBIG || status == IL_EFUNCTION) {
            place_fault(i, fault);
        }
        return status;
    }
    return IL_OK;
}

/* Whether COUNT more fit under the pool's limit: nothing needs to be taken back then. */
static bool fit(const struct ili_pool *pool, size_t count) {
    uint64_t most = ili_pool_options(pool)->max_queued;
    struct ili_pool_statistics statistics;
    if (most == 0) return true;
    ili_pool_statistics(pool, &statistics);
    uint64_t waiting = statistics.by_state[ILI_TASK_QUEUED] + statistics.by_state[ILI_TASK_DELAYED];
    return waiting <= most && count <= most - waiting;
}

static void reply_many(struct ili_request *request, const struct each *each, size_t count) {
    struct ili_out out = {0};
    ili_out_open(&out, '{');
    ili_out_key(&out, "tasks");
    ili_out_open(&out, '[');
    for (size_t i = 0; i < count; i++) {
        ili_out_open(&out, '{');
        ili_out_key(&out, "id");
        ili_out_token(&out, each[i].id);
        ili_out_close(&out, '}');
    }
    ili_out_close(&out, ']');
    ili_out_close(&out, '}');
    ili_reply(request, 202, &out);
}

static void submit_many(struct ili_request *request, struct ili_pool *pool,
                        const struct ili_value *body) {
    struct ili_value_walk walk = {0};
    struct ili_value tasks;
    struct ili_fault fault;
    (void)ili_value_next(body, &walk, &tasks);
    size_t count = json_array_size(tasks.json); /* 0 also if it is no array */
    if (json_object_size(body->json) != 1 || count < 1 || count > MANY_MOST) {
        ili_fault_expected(&fault, "tasks", "an array of 1 to 100000 tasks, and nothing else");
        ili_reply_fault(request, &fault);
        return;
    }
    struct each *each = calloc(count, sizeof *each);
    if (!each) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the tasks");
        return;
    }
    il_status status = read_many(pool, &tasks, each, &fault);
    if (status != IL_OK) {
        ili_reply_fault(request, &fault);
    } else {
        status = fit(pool, count) ? submit_all(pool, each, count, &fault) : IL_ELIMIT;
        if (status == IL_OK) {
            reply_many(request, each, count);
        } else {
            ili_submit_refuse(request, status, &fault);
        }
    }
    free(each);
}

void ili_submit(struct ili_request *request) {
    struct ili_value body;
    struct ili_pool *pool = ili_pools_of_path(request);
    if (!pool || !ili_submit_load(request, &body)) return;
    if (json_object_get(body.json, "tasks")) {
        submit_many(request, pool, &body);
    } else {
        submit_one(request, pool, &body);
    }
    json_decref(body.json);
}
