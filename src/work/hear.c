/*
 * hear.c - what a worker's line means to its state and its flights. What is not a message of the protocol
 * ends the worker; the reason is its `why`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "base/text.h"
#include "work/attempt.h"
#include "work/worker.h"

#define CODE_CANCELLED 2
#define CODE_NO_FUNCTION (-32601)
#define CODE_BAD_ARGUMENTS (-32602)
#define UNREAD_MOST ((size_t)1 << 20) /* of answers to its requests */

/* ---- hello and initialize ------------------------------------------------------------------------ */

void ili_worker_come_up(struct ili_worker *worker) {
    worker->initialised = true;
    if (!worker->pid || worker->up || worker->state == ILI_WORKER_ENDING) return;
    worker->up = true;
    worker->state = ILI_WORKER_IDLE;
    worker->since_ns = worker->pool->engine->now_ns;
    ili_backoff_up(worker->pool);
    ili_worker_settle(worker);
}

static void greet(struct ili_worker *worker, const struct ili_message *hello) {
    struct ili_pool *pool = worker->pool;
    uint32_t wanted = pool->options.kind == ILI_POOL_THREAD ? pool->wanted : 1;
    if (worker->greeted) {
        ili_worker_kill(worker, false, "it said hello twice");
        return;
    }
    if (hello->protocol != 1) {
        ili_worker_kill(worker, false, "it speaks protocol %lld; the server speaks 1",
                        (long long)hello->protocol);
        return;
    }
    if (ili_pool_learn(pool, hello) != IL_OK) {
        ili_worker_kill(worker, false, "the server has no memory for its functions");
        return;
    }
    worker->greeted = true;
    worker->kill_ns = 0;
    ili_worker_keep_time(worker);
    worker->slots = hello->slots < wanted ? hello->slots : wanted;
    worker->batch = hello->batch;
    ili_text_copy(worker->name, sizeof worker->name, json_string_value(hello->name));
    if (!pool->options.initializer) {
        ili_worker_come_up(worker);
        return;
    }
    ili_call_write_initialize(&worker->out, &pool->options);
    if (worker->out.failed) {
        ili_worker_kill(worker, true, "the server has no memory for its initializer");
    } else {
        ili_wire_unsent(worker);
    }
}

static void initialised(struct ili_worker *worker, const struct ili_message *message) {
    if (!worker->greeted || worker->initialised || !worker->pool->options.initializer) {
        ili_worker_kill(worker, false, "it answered an initialize that it was not sent");
    } else if (message->kind == ILI_MESSAGE_ERROR) {
        ili_worker_kill(worker, false, "its initializer %s failed: %s",
                        worker->pool->options.initializer, json_string_value(message->text));
    } else {
        ili_worker_come_up(worker);
    }
}

/* ---- answers ------------------------------------------------------------------------------------- */

static void text_member(struct ili_out *out, const char *key, const json_t *text) {
    if (!text) return;
    ili_out_key(out, key);
    ili_out_text(out, json_string_value(text), json_string_length(text));
}

static struct ili_error error_of(const struct ili_message *message) {
    struct ili_out out = {0};
    ili_out_open(&out, '{');
    ili_out_key(&out, "type");
    if (message->type) {
        ili_out_text(&out, json_string_value(message->type), json_string_length(message->type));
    } else {
        ili_out_string(&out, message->code == CODE_NO_FUNCTION     ? "NoSuchFunction"
                             : message->code == CODE_BAD_ARGUMENTS ? "BadArguments"
                             : message->code == CODE_CANCELLED     ? "Cancelled"
                                                                   : "Error");
    }
    text_member(&out, "message", message->text);
    text_member(&out, "traceback", message->traceback);
    if (message->code != 1) {
        char code[24];
        int bytes = snprintf(code, sizeof code, "%lld", (long long)message->code);
        ili_out_key(&out, "code");
        ili_out_json(&out, code, (size_t)bytes);
    }
    ili_out_close(&out, '}');
    if (out.failed) {
        ili_out_free(&out);
        return (struct ili_error){0};
    }
    return (struct ili_error){out.data, out.bytes};
}

static bool is_final(const struct ili_message *message) {
    return message->code == CODE_NO_FUNCTION || message->code == CODE_BAD_ARGUMENTS ||
           message->no_retry;
}

/* TASK has left its flight. */
static void settle_task(struct ili_task *task, const struct ili_message *message, bool expired,
                        bool taken_back) {
    bool succeeded = message->kind == ILI_MESSAGE_RESULT;
    if (expired && !task->cancelling) {
        ili_attempt_timed_out(task);
    } else if (succeeded && !expired) { /* also one that was to be cancelled: it was too late */
        ili_attempt_succeeded(task, message->value);
    } else if (task->cancelling) {
        struct ili_error error =
            succeeded ? ili_error_make("Cancelled", "it was cancelled") : error_of(message);
        ili_task_end(task, ILI_TASK_CANCELLED, &error);
    } else if (message->code == CODE_CANCELLED && taken_back) {
        ili_attempt_undo(task);
    } else {
        ili_attempt_failed(task, is_final(message) ? ILI_FAILURE_FINAL : ILI_FAILURE_FUNCTION,
                           error_of(message));
    }
}

static void gets_something_done(struct ili_worker *worker) {
    if (worker->succeeded++ == 0 || worker->pool->failed_up) ili_backoff_success(worker->pool);
}

static void answered(struct ili_worker *worker, const struct ili_message *message) {
    struct ili_flight *flight = ili_flight_find(worker, message->id);
    bool succeeded = message->kind == ILI_MESSAGE_RESULT;
    if (!flight) {
        ili_worker_kill(worker, false, "it answered a call that it was not running");
        return;
    }
    bool not_run = message->kind == ILI_MESSAGE_ERROR && message->code == CODE_CANCELLED;
    if (!flight->begun && !not_run) {
        ili_flight_begin(worker, (uint32_t)(flight - worker->flights));
    }
    bool expired = flight->expired, taken_back = flight->taken_back;
    struct ili_task *task = flight->task;
    if (task) {
        ili_attempt_output(task, &flight->output);
        task->worker = NULL;
        task->flight = ILI_NO_FLIGHT;
        flight->task = NULL;
        settle_task(task, message, expired, taken_back);
    }
    ili_flight_close(worker, flight);
    worker->done++;
    if (worker->pool->chatty) worker->pool->chatty--;
    if (succeeded) gets_something_done(worker);
    ili_worker_settle(worker);
    if (worker->is_open && (worker->pool->backlog.count || worker->pool->unbegun)) {
        ili_pool_attend(worker->pool);
    }
}

/* ---- the rest ------------------------------------------------------------------------------------ */

static void progressed(struct ili_worker *worker, const struct ili_message *message) {
    struct ili_flight *flight = ili_flight_find(worker, message->id);
    if (!flight || !flight->task) return; /* it has ended */
    struct ili_task *task = flight->task;
    gets_something_done(worker);
    char *progress = malloc(message->value.bytes + 1);
    if (!progress) return; /* the next one tells more */
    ili_task_copy(progress, message->value.at, message->value.bytes);
    progress[message->value.bytes] = 0;
    free(task->progress);
    task->progress = progress;
    task->progress_bytes = message->value.bytes;
}

static void refuse(struct ili_worker *worker, const struct ili_message *message) {
    size_t before = worker->out.bytes;
    if (ili_wire_pending(worker) > UNREAD_MOST) {
        ili_worker_kill(worker, false, "it sends requests and does not read the answers");
        return;
    }
    ili_call_write_unknown(&worker->out, message->value);
    if (worker->out.failed) {
        worker->out.failed = false;
        worker->out.bytes = before;
    }
    ili_wire_unsent(worker);
}

static void hear(struct ili_worker *worker, const struct ili_message *message) {
    if (!worker->greeted && message->kind != ILI_MESSAGE_HELLO &&
        message->kind != ILI_MESSAGE_BAD) {
        ili_worker_kill(worker, false, "its first message is not a hello");
        return;
    }
    switch (message->kind) {
    case ILI_MESSAGE_BAD: ili_worker_kill(worker, false, "it sent %s", message->why); break;
    case ILI_MESSAGE_HELLO: greet(worker, message); break;
    case ILI_MESSAGE_RESULT:
    case ILI_MESSAGE_ERROR:
        if (message->init) {
            initialised(worker, message);
        } else {
            answered(worker, message);
        }
        break;
    case ILI_MESSAGE_PROGRESS: progressed(worker, message); break;
    case ILI_MESSAGE_REQUEST: refuse(worker, message); break;
    case ILI_MESSAGE_NOTIFICATION: break;
    }
}

void ili_worker_hear(struct ili_worker *worker, char *line, size_t bytes) {
    struct ili_message message;
    ili_message_read(line, bytes, &message);
    hear(worker, &message);
    ili_message_free(&message);
}
