/*
 * attempt.c - how a task's state changes.
 *
 *   state                    in the backlog   worker        timer
 *   QUEUED                   yes              -             -
 *   QUEUED, in a chunk       no               the one       -
 *   DELAYED                  no               -             when it is queued
 *   RUNNING                  no               the one       its time limit
 *   ended, not told yet      no               -             -
 *   ended                    no               -             when it is forgotten (a map's: never)
 *
 * The deadline's timer is set from the submission to the end.
 */
#include "work/attempt.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/out.h"
#include "work/engine.h"
#include "work/worker.h"

#define BACKOFF_LEAST_NS INT64_C(1000000)

struct ili_error ili_error_make(const char *type, const char *format, ...) {
    struct ili_out out = {0};
    char message[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    ili_out_open(&out, '{');
    ili_out_key(&out, "type");
    ili_out_string(&out, type);
    ili_out_key(&out, "message");
    ili_out_string(&out, message);
    ili_out_close(&out, '}');
    if (out.failed) {
        ili_out_free(&out);
        return (struct ili_error){0};
    }
    return (struct ili_error){out.data, out.bytes};
}

static struct ili_timers *timers_of(const struct ili_task *task) {
    return task->pool->engine->pools->timers;
}

void ili_task_set_state(struct ili_task *task, enum ili_task_state state) {
    struct ili_pool_statistics *counts = &task->pool->counts;
    if (!ili_task_has_ended(task)) counts->by_state[task->state]--;
    task->state = (uint8_t)state;
    counts->by_state[state]++;
}

void ili_task_line_up(struct ili_task *task) {
    ili_backlog_add(&task->pool->backlog, task);
    ili_pool_attend(task->pool);
}

static void set_error(struct ili_task *task, struct ili_error *error) {
    free(task->error);
    task->error = error ? error->text : NULL;
    task->error_bytes = error ? error->bytes : 0;
}

/* ---- an attempt --------------------------------------------------------------------------------- */

static void drop_output(struct ili_task *task) {
    free(task->output);
    free(task->progress);
    task->output = task->progress = NULL;
    task->output_bytes = task->progress_bytes = 0;
    task->output_truncated = false;
}

void ili_attempt_begin(struct ili_task *task) {
    int64_t now_ns = task->pool->engine->now_ns;
    ili_task_set_state(task, ILI_TASK_RUNNING);
    task->attempts++;
    task->started_ns = now_ns;
    task->worker_number = task->worker->number;
    task->worker_pid = task->worker->pid;
    drop_output(task); /* of the attempt before */
    if (task->options.time_limit_ns == 0) return;
    int64_t end_ns = task->options.time_limit_ns > ILI_NEVER - now_ns
                         ? ILI_NEVER
                         : now_ns + task->options.time_limit_ns;
    /* one that cannot be watched over is stopped */
    if (!ili_timers_set(timers_of(task), &task->timer, end_ns)) ili_task_timer(&task->timer, NULL);
}

void ili_attempt_undo(struct ili_task *task) {
    if (task->state == ILI_TASK_RUNNING) {
        task->attempts--;
        ili_timers_clear(timers_of(task), &task->timer);
        ili_task_set_state(task, ILI_TASK_QUEUED);
        if (task->attempts == 0) task->started_ns = 0;
    }
    ili_task_line_up(task);
}

void ili_attempt_output(struct ili_task *task, struct ili_output *output) {
    ili_output_trim(output, task->pool->options.output_bytes);
    if (output->bytes == 0) return;
    free(task->output);
    task->output = output->data;
    task->output_bytes = output->bytes;
    task->output_truncated = output->truncated;
    *output = (struct ili_output){0};
}

void ili_attempt_succeeded(struct ili_task *task, struct ili_json_span result) {
    struct ili_error error = {0};
    task->result = malloc(result.bytes + 1);
    if (!task->result) {
        error = ili_error_make("OutOfMemory", "the server has no memory for the result");
        ili_task_end(task, ILI_TASK_FAILED, &error);
        return;
    }
    ili_task_copy(task->result, result.at, result.bytes);
    task->result[result.bytes] = 0;
    task->result_bytes = result.bytes;
    ili_task_end(task, ILI_TASK_SUCCEEDED, NULL);
}

static uint64_t random_next(struct ili_engine *engine) { /* splitmix64 */
    uint64_t z = engine->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* backoff * 2^n, n failures before this one, less up to a half of it. */
static int64_t backoff_of(const struct ili_task *task) {
    const struct ili_task_options *o = &task->options;
    int64_t ns = o->backoff_ns;
    for (uint32_t n = 1; n < task->attempts && ns < o->backoff_most_ns; n++) {
        if (ns > INT64_MAX / 2) break;
        ns *= 2;
    }
    if (ns > o->backoff_most_ns) ns = o->backoff_most_ns;
    if (ns < 2) return ns;
    return ns - (int64_t)(random_next(task->pool->engine) % ((uint64_t)ns / 2 + 1));
}

static void try_again(struct ili_task *task) {
    int64_t now_ns = task->pool->engine->now_ns, wait_ns = backoff_of(task);
    task->pool->counts.retried++;
    if (wait_ns > 0 && wait_ns <= ILI_NEVER - now_ns &&
        ili_timers_set(timers_of(task), &task->timer, now_ns + wait_ns)) {
        ili_task_set_state(task, ILI_TASK_DELAYED);
        return;
    }
    ili_task_set_state(task, ILI_TASK_QUEUED);
    ili_task_line_up(task);
}

bool ili_attempt_may_follow(const struct ili_task *task) {
    return task->attempts <= task->options.retries && !task->cancelling;
}

void ili_attempt_failed(struct ili_task *task, enum ili_failure failure, struct ili_error error) {
    static const enum ili_task_state ends[] = {
        [ILI_FAILURE_FUNCTION] = ILI_TASK_FAILED,
        [ILI_FAILURE_FINAL] = ILI_TASK_FAILED,
        [ILI_FAILURE_TIME] = ILI_TASK_TIMED_OUT,
        [ILI_FAILURE_CRASH] = ILI_TASK_LOST,
    };
    const struct ili_pool_options *options = &task->pool->options;
    ili_timers_clear(timers_of(task), &task->timer);
    if (failure == ILI_FAILURE_CRASH) {
        task->crashes++;
        task->set_aside = options->set_aside_after && task->crashes >= options->set_aside_after;
    }
    if (failure == ILI_FAILURE_FINAL || task->set_aside || !ili_attempt_may_follow(task)) {
        ili_task_end(task, ends[failure], &error);
        return;
    }
    set_error(task, &error);
    try_again(task);
}

void ili_attempt_timed_out(struct ili_task *task) {
    struct ili_error error = {task->error, task->error_bytes}; /* from time_is_up() */
    task->error = NULL;
    ili_attempt_failed(task, ILI_FAILURE_TIME, error);
}

/* ---- time --------------------------------------------------------------------------------------- */

static void time_is_up(struct ili_task *task) {
    struct ili_worker *worker = task->worker;
    struct ili_error error =
        ili_error_make("TimeLimit", "it ran longer than its time limit of %.3f s",
                       (double)task->options.time_limit_ns / 1e9);
    worker->flights[task->flight].expired = true;
    ili_flight_stop(worker, task->flight);
    if (ili_attempt_may_follow(task)) { /* when the worker has stopped */
        set_error(task, &error);
        return;
    }
    ili_flight_detach(worker, &worker->flights[task->flight]);
    ili_task_end(task, task->cancelling ? ILI_TASK_CANCELLED : ILI_TASK_TIMED_OUT, &error);
}

void ili_task_timer(struct ili_timer *timer, void *context) {
    struct ili_task *task = (struct ili_task *)((char *)timer - offsetof(struct ili_task, timer));
    struct ili_engine *engine = task->pool->engine;
    (void)context;
    engine->now_ns = ili_now_ns();
    if (task->state == ILI_TASK_DELAYED) {
        ili_task_set_state(task, ILI_TASK_QUEUED);
        ili_task_line_up(task);
    } else if (task->state == ILI_TASK_RUNNING) {
        time_is_up(task);
    } else {
        ili_task_drop(task);
    }
}

void ili_task_deadline(struct ili_timer *timer, void *context) {
    struct ili_task *task =
        (struct ili_task *)((char *)timer - offsetof(struct ili_task, deadline));
    struct ili_error error =
        ili_error_make("Deadline", "it had not ended %.3f s after its submission",
                       (double)task->options.deadline_ns / 1e9);
    (void)context;
    task->pool->engine->now_ns = ili_now_ns();
    if (task->worker) {
        struct ili_worker *worker = task->worker;
        ili_flight_stop(worker, task->flight);
        ili_flight_detach(worker, &worker->flights[task->flight]);
    }
    ili_task_end(task, ILI_TASK_TIMED_OUT, &error);
}

/* ---- the end ------------------------------------------------------------------------------------ */

/* Its texts but the function are of no more use. Short ones lie in the task's block, and a map's in the
 * map's. */
static void drop_call(struct ili_task *task) {
    if (task->map || task->call == (char *)(task + 1)) return;
    char *call = realloc(task->call, task->function_bytes + 1);
    if (!call) return;
    task->call = call;
    task->args_bytes = task->kwargs_bytes = task->input_bytes = 0;
}

void ili_task_end(struct ili_task *task, enum ili_task_state state, struct ili_error *error) {
    struct ili_pool *pool = task->pool;
    struct ili_engine *engine = pool->engine;
    ili_timers_clear(timers_of(task), &task->timer);
    ili_timers_clear(timers_of(task), &task->deadline);
    if (task->place) ili_backlog_remove(&pool->backlog, task);
    set_error(task, error);
    ili_task_set_state(task, state);
    drop_call(task);
    task->cancelling = false;
    task->ended_ns = engine->now_ns;
    pool->unended--;
    pool->untold++;
    task->next_ended = NULL;
    *engine->ended_end = task;
    engine->ended_end = &task->next_ended;
    if (pool->unended == 0) ili_pool_attend(pool); /* it may be closed */
    ili_engine_wake(engine);
}

static void keep(struct ili_task *task) {
    int64_t keep_ns = task->options.keep_ns, now_ns = task->pool->engine->now_ns;
    if (keep_ns > ILI_NEVER - now_ns) keep_ns = ILI_NEVER - now_ns;
    if (keep_ns == 0 || !ili_timers_set(timers_of(task), &task->timer, now_ns + keep_ns)) {
        ili_task_drop(task);
    }
}

void ili_task_tell(struct ili_task *task) {
    struct ili_pool *pool = task->pool;
    struct ili_task_watch *watch;
    while ((watch = task->watches)) {
        task->watches = watch->next; /* which may be freed by whom it tells */
        watch->next = NULL;
        watch->ended(watch, task);
    }
    task->told = true;
    pool->untold--;
    if (pool->deleted) ili_pool_attend(pool);
    if (task->map) {
        ili_map_tell(task->map, task);
    } else if (task->forgotten) {
        ili_task_drop(task);
    } else {
        keep(task);
    }
}
