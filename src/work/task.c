/*
 * task.c - a task comes, is found, is cancelled and forgotten. What happens to it between: attempt.c.
 */
#include "work/task.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "work/args.h"
#include "work/attempt.h"
#include "work/engine.h"
#include "work/worker.h"

/* Beside its texts: the envelope of a call. */
#define ENVELOPE_BYTES 256u

#define SHORT_BYTES 512u

static const char *const names[ILI_TASK_STATES] = {
    [ILI_TASK_QUEUED] = "queued",       [ILI_TASK_DELAYED] = "delayed",
    [ILI_TASK_RUNNING] = "running",     [ILI_TASK_SUCCEEDED] = "succeeded",
    [ILI_TASK_FAILED] = "failed",       [ILI_TASK_CANCELLED] = "cancelled",
    [ILI_TASK_TIMED_OUT] = "timed_out", [ILI_TASK_LOST] = "lost",
};

const char *ili_task_state_name(enum ili_task_state state) { return names[state]; }

enum ili_task_state ili_task_state_named(const char *name, size_t bytes) {
    unsigned state = 0;
    while (state < ILI_TASK_STATES &&
           (strlen(names[state]) != bytes || memcmp(names[state], name, bytes) != 0)) {
        state++;
    }
    return (enum ili_task_state)state;
}

il_status ili_task_status(const struct ili_task *task) {
    switch (task->state) {
    case ILI_TASK_SUCCEEDED: return IL_OK;
    case ILI_TASK_CANCELLED: return IL_ECANCELLED;
    case ILI_TASK_TIMED_OUT: return IL_ETIMEOUT;
    case ILI_TASK_LOST: return IL_ELOST;
    default: return IL_EFAILED;
    }
}

/* ---- what is submitted -------------------------------------------------------------------------- */

il_status ili_task_check_options(const struct ili_task_options *o, struct ili_fault *fault) {
    static const char no_less[] = "a time that is not negative";
    const struct {
        const char *name;
        int64_t ns;
    } times[] = {{"delay", o->delay_ns},
                 {"deadline", o->deadline_ns},
                 {"time_limit", o->time_limit_ns},
                 {"backoff", o->backoff_ns},
                 {"backoff_max", o->backoff_most_ns},
                 {"keep", o->keep_ns}};
    if (o->priority < -ILI_PRIORITY_MOST || o->priority > ILI_PRIORITY_MOST) {
        return ili_fault_set(fault, IL_EINVAL, "priority", "a number from -100 to 100",
                             "the priority is %d", (int)o->priority);
    }
    if (o->retries > ILI_RETRIES_MOST) {
        return ili_fault_set(fault, IL_EINVAL, "retries", "a number from 0 to 1000",
                             "%u retries are too many", (unsigned)o->retries);
    }
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        if (times[i].ns >= 0) continue;
        return ili_fault_set(fault, IL_EINVAL, times[i].name, no_less, "%s is negative",
                             times[i].name);
    }
    return IL_OK;
}

static il_status check_function(const struct ili_pool *pool, const struct ili_call *call,
                                struct ili_fault *fault) {
    static const char expected[] = "the name of a function, of 1 to 255 bytes";
    const char *why;
    if (pool->options.kind == ILI_POOL_EXEC) {
        if (call->function_bytes == 0 && call->kwargs_bytes == 0) return IL_OK;
        return ili_fault_set(fault, IL_EINVAL, call->function_bytes ? "function" : "kwargs", "none",
                             "an exec pool runs its command, with args and input");
    }
    if (call->input) {
        return ili_fault_set(fault, IL_EINVAL, "input", "none",
                             "only the tasks of exec pools have an input");
    }
    if (!call->function || call->function_bytes == 0) {
        return ili_fault_set(fault, IL_EINVAL, "function", expected, "no function is named");
    }
    if (ili_name_check(call->function, call->function_bytes, &why) != IL_OK) {
        return ili_fault_set(fault, IL_EINVAL, "function", expected, "the function's name: %s",
                             why);
    }
    if (ili_pool_lacks(pool, call->function, call->function_bytes)) {
        return ili_fault_set(fault, IL_EFUNCTION, "function", "one of the pool's functions",
                             "no worker of the pool has a function %.*s", (int)call->function_bytes,
                             call->function);
    }
    return IL_OK;
}

il_status ili_task_check(struct ili_pool *pool, const struct ili_call *call,
                         const struct ili_task_options *options, uint32_t count,
                         struct ili_fault *fault) {
    const struct ili_pool_statistics *counts = &pool->counts;
    uint64_t waiting = counts->by_state[ILI_TASK_QUEUED] + counts->by_state[ILI_TASK_DELAYED];
    if (pool->state != ILI_POOL_RUNNING) {
        return ili_fault_set(fault, IL_ECLOSED, NULL, NULL, "the pool takes no more tasks");
    }
    il_status status = ili_task_check_options(options, fault);
    if (status == IL_OK) status = check_function(pool, call, fault);
    if (status != IL_OK) return status;
    if (call->args_bytes + call->kwargs_bytes + call->function_bytes * 6 + ENVELOPE_BYTES >
            ILI_CALL_BYTES_MOST ||
        call->input_bytes > ILI_CALL_BYTES_MOST) {
        return ili_fault_set(fault, IL_ETOOBIG, "args", "less than 24 MiB in all",
                             "the call is longer than 24 MiB");
    }
    if (pool->options.kind == ILI_POOL_EXEC) {
        status = ili_args_check(call->args, call->args_bytes, fault);
        if (status != IL_OK) return status;
    }
    if (pool->options.max_queued && waiting + count > pool->options.max_queued) {
        return ili_fault_set(fault, IL_ELIMIT, NULL, NULL,
                             "the pool may have %u tasks waiting, and has %llu",
                             (unsigned)pool->options.max_queued, (unsigned long long)waiting);
    }
    return IL_OK;
}

/* ---- submission --------------------------------------------------------------------------------- */

char *ili_task_copy(char *to, const char *text, size_t bytes) {
    if (bytes == 0) return to;
    memcpy(to, text, bytes);
    /* in JSON they can only be space between values */
    for (char *at = to; (at = memchr(at, '\n', (size_t)(to + bytes - at)));) *at = ' ';
    for (char *at = to; (at = memchr(at, '\r', (size_t)(to + bytes - at)));) *at = ' ';
    return to + bytes;
}

void ili_task_enter(struct ili_task *task) {
    struct ili_pool *pool = task->pool;
    struct ili_engine *engine = pool->engine;
    task->id = engine->next_id++;
    task->timer.fire = ili_task_timer;
    task->deadline.fire = ili_task_deadline;
    task->flight = ILI_NO_FLIGHT;
    ili_ids_add(&engine->tasks, task);
    task->older = pool->newest;
    if (pool->newest) pool->newest->newer = task;
    pool->newest = task;
    pool->unended++;
    pool->counts.submitted++;
    pool->counts.by_state[task->state]++;
    if (task->state == ILI_TASK_QUEUED) ili_task_line_up(task);
}

/* Short texts lie behind the task in its block; long ones can be dropped before it. */
static struct ili_task *task_new(const struct ili_call *call) {
    size_t bytes = call->function_bytes + call->args_bytes + call->kwargs_bytes + call->input_bytes;
    bool within = bytes <= SHORT_BYTES;
    struct ili_task *task = malloc(sizeof *task + (within ? bytes : 0));
    if (!task) return NULL;
    memset(task, 0, sizeof *task);
    task->call = within ? (char *)(task + 1) : malloc(bytes);
    if (!task->call) {
        free(task);
        return NULL;
    }
    task->function_bytes = (uint32_t)call->function_bytes;
    task->args_bytes = call->args_bytes;
    task->kwargs_bytes = call->kwargs_bytes;
    task->input_bytes = call->input_bytes;
    char *to = ili_task_copy(task->call, call->function, call->function_bytes);
    to = ili_task_copy(to, call->args, call->args_bytes);
    to = ili_task_copy(to, call->kwargs, call->kwargs_bytes);
    if (call->input_bytes) memcpy(to, call->input, call->input_bytes);
    return task;
}

static il_status no_memory(struct ili_fault *fault) {
    return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "no memory for the task");
}

il_status ili_task_submit(struct ili_pool *pool, const struct ili_call *call,
                          const struct ili_task_options *options, struct ili_task **out,
                          struct ili_fault *fault) {
    struct ili_timers *timers = pool->engine->pools->timers;
    if (!options) options = &pool->options.defaults;
    il_status status = ili_task_check(pool, call, options, 1, fault);
    if (status != IL_OK) return status;
    /* whatever becomes of it, it has a place in the backlog */
    if (!ili_backlog_reserve(&pool->backlog, pool->unended + 1)) return no_memory(fault);
    struct ili_task *task = task_new(call);
    if (!task) return no_memory(fault);
    task->pool = pool;
    task->options = *options;
    task->submitted_ns = pool->engine->now_ns = ili_now_ns();
    task->timer.fire = ili_task_timer;
    task->deadline.fire = ili_task_deadline;
    if (options->delay_ns > 0) {
        task->state = ILI_TASK_DELAYED;
        if (!ili_timers_set(timers, &task->timer, ili_deadline_in(options->delay_ns))) goto cleanup;
    }
    if (options->deadline_ns > 0 &&
        !ili_timers_set(timers, &task->deadline, ili_deadline_in(options->deadline_ns))) {
        goto cleanup;
    }
    ili_task_enter(task);
    ili_pool_attend(pool);
    *out = task;
    return IL_OK;

cleanup:
    ili_timers_clear(timers, &task->timer);
    ili_task_free(task);
    return no_memory(fault);
}

/* ---- finding, watching, cancelling, forgetting -------------------------------------------------- */

struct ili_task *ili_task_find(struct ili_pools *pools, uint64_t id) {
    return ili_ids_find(&ili_engine_of(pools)->tasks, id);
}

void ili_task_watch(struct ili_task *task, struct ili_task_watch *watch) {
    watch->next = task->watches;
    task->watches = watch;
}

void ili_task_unwatch(struct ili_task *task, struct ili_task_watch *watch) {
    struct ili_task_watch **at = &task->watches;
    while (*at && *at != watch) at = &(*at)->next;
    if (*at) *at = watch->next;
}

void ili_task_cancel(struct ili_task *task) {
    if (ili_task_has_ended(task) || task->cancelling) return;
    if (task->worker) {
        task->cancelling = true;
        ili_flight_stop(task->worker, task->flight);
        return;
    }
    struct ili_error error = ili_error_make("Cancelled", "it was cancelled before it began");
    ili_task_end(task, ILI_TASK_CANCELLED, &error);
}

il_status ili_task_forget(struct ili_task *task) {
    if (!ili_task_has_ended(task)) return IL_EBUSY;
    if (task->map) return IL_EBUSY; /* it goes with its map */
    if (task->forgotten) return IL_OK;
    ili_task_drop(task);
    return IL_OK;
}

/* Out of the pool's list and the table: nobody finds it any more. */
static void leave(struct ili_task *task) {
    struct ili_pool *pool = task->pool;
    ili_timers_clear(pool->engine->pools->timers, &task->timer);
    ili_ids_remove(&pool->engine->tasks, task);
    if (task->newer) {
        task->newer->older = task->older;
    } else {
        pool->newest = task->older;
    }
    if (task->older) task->older->newer = task->newer;
    task->newer = task->older = NULL;
}

void ili_task_drop(struct ili_task *task) {
    struct ili_engine *engine = task->pool->engine;
    if (!task->forgotten) {
        task->forgotten = true;
        leave(task);
    }
    if (!task->told || task->map) return; /* it is told first; its map frees it */
    task->next_ended = engine->dropped;
    engine->dropped = task;
    ili_engine_wake(engine);
}

void ili_task_free(struct ili_task *task) {
    free(task->result);
    free(task->error);
    free(task->output);
    free(task->progress);
    if (task->map) return;
    if (task->call != (char *)(task + 1)) free(task->call);
    free(task);
}
