/*
 * task.c - see task.h.
 *
 * What several threads may touch: `state`, `result` and `error` are written once, under the mutex, by
 * the first thread that sees the task ended. From then on they stay as they are.
 */
#include "client/task.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ili_remote_task {
    struct ili_remote_domain *domain;
    uint64_t id;
    char name[24]; /* the id, decimal */
    pthread_mutex_t mutex;
    uint32_t state; /* of the end; 0: not known to have ended */
    struct ili_buffer result, error;
};

/* ---- views -------------------------------------------------------------------------------------- */

static const char *const states[] = {
    [IL_TASK_QUEUED] = "queued",       [IL_TASK_DELAYED] = "delayed",
    [IL_TASK_RUNNING] = "running",     [IL_TASK_SUCCEEDED] = "succeeded",
    [IL_TASK_FAILED] = "failed",       [IL_TASK_CANCELLED] = "cancelled",
    [IL_TASK_TIMED_OUT] = "timed_out", [IL_TASK_LOST] = "lost",
};

#define STATES (sizeof states / sizeof *states)

static struct ili_json unless_null(struct ili_json value) {
    return json_is_null(value.json) ? (struct ili_json){0} : value;
}

bool ili_task_view_read(struct ili_json view, struct ili_task_view *out) {
    const char *word = json_string_value(ili_json_member(view, "state").json);
    *out = (struct ili_task_view){0};
    for (uint32_t state = IL_TASK_QUEUED; word && state < STATES; state++) {
        if (strcmp(states[state], word) == 0) out->state = state;
    }
    out->result = ili_json_member(view, "result"); /* null is a result */
    out->error = unless_null(ili_json_member(view, "error"));
    return out->state != 0;
}

il_status ili_task_end(uint32_t state) {
    switch (state) {
    case IL_TASK_SUCCEEDED: return IL_OK;
    case IL_TASK_CANCELLED: return IL_ECANCELLED;
    case IL_TASK_TIMED_OUT: return IL_ETIMEOUT;
    case IL_TASK_LOST: return IL_ELOST;
    default: return IL_EFAILED;
    }
}

/* What the answer to CALL tells of TASK. *STATE is how it stands. */
static il_status learn(struct ili_remote_task *task, struct ili_call *call, uint32_t *state) {
    struct ili_task_view view;
    if (!ili_task_view_read(call->object, &view)) {
        return ili_call_nonsense(call, "something that is no task");
    }
    *state = view.state;
    if (view.state < IL_TASK_SUCCEEDED) return IL_OK;
    pthread_mutex_lock(&task->mutex);
    if (!task->state) {
        ili_buffer_add(&task->result, view.result.at, view.result.bytes);
        ili_buffer_add(&task->error, view.error.at, view.error.bytes);
        task->state = view.state;
        if (task->result.failed || task->error.failed) { /* it may be asked for again */
            ili_buffer_free(&task->result);
            ili_buffer_free(&task->error);
            task->state = 0;
        }
    }
    bool known = task->state != 0;
    pthread_mutex_unlock(&task->mutex);
    return known ? IL_OK : ili_remote_fail(IL_ENOMEM, "no memory for the task's result");
}

static uint32_t ended(struct ili_remote_task *task) {
    pthread_mutex_lock(&task->mutex);
    uint32_t state = task->state;
    pthread_mutex_unlock(&task->mutex);
    return state;
}

/* ---- open and close ----------------------------------------------------------------------------- */

il_status ili_remote_task_new(struct ili_call *call, struct ili_remote_task **out) {
    uint64_t id;
    uint32_t state;
    if (!ili_json_number_text(ili_json_member(call->object, "id"), &id)) {
        return ili_call_nonsense(call, "a task without a number");
    }
    struct ili_remote_task *task = calloc(1, sizeof *task);
    if (!task) return ili_remote_fail(IL_ENOMEM, "no memory for a handle of the task");
    task->domain = call->domain;
    task->id = id;
    snprintf(task->name, sizeof task->name, "%llu", (unsigned long long)id);
    pthread_mutex_init(&task->mutex, NULL);
    il_status status = learn(task, call, &state);
    if (status == IL_OK) {
        *out = task;
    } else {
        (void)ili_remote_task_close(task);
    }
    return status;
}

il_status ili_remote_task_close(struct ili_remote_task *task) {
    ili_buffer_free(&task->result);
    ili_buffer_free(&task->error);
    pthread_mutex_destroy(&task->mutex);
    free(task);
    return IL_OK;
}

il_status ili_remote_task_id(struct ili_remote_task *task, uint64_t *id) {
    *id = task->id;
    return IL_OK;
}

/* ---- asking the server -------------------------------------------------------------------------- */

static void begin(struct ili_call *call, struct ili_remote_task *task, const char *method,
                  const char *operation) {
    ili_call_begin(call, task->domain, method, "tasks", task->name, strlen(task->name), operation);
    call->answer_max = ILI_TASK_ANSWER_BYTES;
}

/* A request that does not wait; its answer is the task's view. */
static il_status ask(struct ili_remote_task *task, const char *method, const char *operation,
                     uint32_t *state) {
    struct ili_call call;
    il_status status = ili_remote_domain_check(task->domain);
    if (status != IL_OK) return status;
    begin(&call, task, method, operation);
    status = ili_call_run(&call);
    if (status == IL_OK) status = learn(task, &call, state);
    ili_call_end(&call);
    return status;
}

il_status ili_remote_task_state(struct ili_remote_task *task, uint32_t *state) {
    uint32_t now = ended(task);
    il_status status = now ? IL_OK : ask(task, "GET", NULL, &now);
    if (status == IL_OK) *state = now;
    return status;
}

il_status ili_remote_task_cancel(struct ili_remote_task *task) {
    uint32_t state;
    return ended(task) ? IL_OK : ask(task, "POST", "cancel", &state);
}

il_status ili_remote_task_wait(struct ili_remote_task *task, int64_t timeout_ns) {
    struct ili_wait wait;
    struct ili_call call;
    uint32_t state;
    if (ended(task)) return IL_OK;
    il_status status = ili_remote_domain_check(task->domain);
    if (status != IL_OK) return status;
    ili_wait_begin(&wait, timeout_ns);
    begin(&call, task, "POST", "wait");
    status = ili_call_wait(&call, &wait);
    if (status == IL_OK) status = learn(task, &call, &state);
    if (status == IL_OK && !ended(task)) {
        status = ili_call_nonsense(&call, "a task that has not ended");
    }
    ili_call_end(&call);
    return status;
}

/* ---- what came of it ---------------------------------------------------------------------------- */

static il_status deliver(const struct ili_buffer *from, void *buffer, size_t capacity,
                         size_t *bytes) {
    if (!buffer) capacity = 0;
    *bytes = from->bytes; /* also of what does not fit */
    if (from->bytes > capacity) {
        return ili_remote_fail(IL_ETOOBIG, "capacity: %zu bytes are needed", from->bytes);
    }
    if (from->bytes) memcpy(buffer, from->data, from->bytes);
    return IL_OK;
}

/* Writes the error text: "TYPE: MESSAGE" of the task's error. */
static il_status explain(struct ili_remote_task *task) {
    struct ili_json error = {0};
    struct ili_buffer type = {0}, message = {0};
    il_status end = ili_task_end(task->state);
    if (task->error.bytes > 0 &&
        ili_json_load(task->error.data, task->error.bytes, ILI_JSON_DEPTH, &error)) {
        (void)ili_json_string(ili_json_member(error, "type"), &type);
        (void)ili_json_string(ili_json_member(error, "message"), &message);
    }
    const char *kind = type.bytes ? ili_buffer_text(&type) : NULL;
    const char *text = message.bytes ? ili_buffer_text(&message) : NULL;
    if (kind && text) {
        end = ili_remote_fail(end, "%s: %s", kind, text);
    } else if (kind || text) {
        end = ili_remote_fail(end, "%s", kind ? kind : text);
    } else {
        end = ili_remote_fail(end, "task %s: %s", task->name, states[task->state]);
    }
    ili_buffer_free(&type);
    ili_buffer_free(&message);
    ili_json_free(&error);
    return end;
}

il_status ili_remote_task_result(struct ili_remote_task *task, void *buffer, size_t capacity,
                                 size_t *bytes, int64_t timeout_ns) {
    il_status status = ili_remote_task_wait(task, timeout_ns);
    if (status != IL_OK) return status;
    if (task->state != IL_TASK_SUCCEEDED) return explain(task);
    return deliver(&task->result, buffer, capacity, bytes);
}

il_status ili_remote_task_error(struct ili_remote_task *task, void *buffer, size_t capacity,
                                size_t *bytes, int64_t timeout_ns) {
    il_status status = ili_remote_task_wait(task, timeout_ns);
    if (status != IL_OK) return status;
    if (task->state == IL_TASK_SUCCEEDED || task->error.bytes == 0) {
        return ili_remote_fail(IL_ENOTFOUND, "task %s has no error", task->name);
    }
    return deliver(&task->error, buffer, capacity, bytes);
}
