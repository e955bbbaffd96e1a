/*
 * task.h - one call of a function by a pool: what is asked, how it stands, what came of it.
 *
 *   queued ─▶ running ─▶ succeeded | failed | timed_out | lost | cancelled
 *     ▲  └──────────────▶ cancelled | timed_out (its deadline)
 *   delayed (start later, or a retry with its backoff)
 *
 * A task is kept for keep_ns after it ended, or until it is forgotten; whoever watches it is told once,
 * when it has ended: by ili_pools_run(), so a callback may call anything of work/. One thread, the
 * loop's. Its texts are JSON as they were written (json_span.h), without line breaks.
 *
 * A task of a chunk that waits in its worker for the one before it is still queued, and no attempt is
 * counted; should the worker end, it goes back to the front.
 *
 * An attempt that fails (the function failed, the time limit, the worker died) is followed by another
 * while `retries` are left, after backoff_ns * 2^n, at most backoff_most_ns, less a random part of up
 * to a half. A task during which its worker died for the `set_aside_after`th time is lost, whatever
 * retries are left, with set_aside. Not retried: a deadline, a cancellation, a function that the pool
 * does not have.
 */
#ifndef ILI_WORK_TASK_H
#define ILI_WORK_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <interlock.h>

#include "base/fault.h"
#include "base/timer.h"

struct ili_map;
struct ili_out;
struct ili_pool;
struct ili_pools;
struct ili_task;
struct ili_worker;

enum ili_task_state {
    ILI_TASK_QUEUED,
    ILI_TASK_DELAYED,
    ILI_TASK_RUNNING,
    ILI_TASK_SUCCEEDED, /* from here on it has ended */
    ILI_TASK_FAILED,
    ILI_TASK_CANCELLED,
    ILI_TASK_TIMED_OUT,
    ILI_TASK_LOST,
    ILI_TASK_STATES,
};

#define ILI_CALL_BYTES_MOST ((size_t)24 << 20) /* of one call, as a worker gets it */
#define ILI_FUNCTION_BYTES_MOST 255
#define ILI_PRIORITY_MOST 100 /* from -100; higher goes first, equal ones in order of submission */
#define ILI_RETRIES_MOST 1000

struct ili_task_options {
    int32_t priority;
    uint32_t retries;
    int64_t delay_ns;      /* before the first attempt */
    int64_t deadline_ns;   /* from the submission until it must have ended; 0: none */
    int64_t time_limit_ns; /* of one attempt; 0: none */
    int64_t backoff_ns, backoff_most_ns;
    int64_t keep_ns; /* how long it is kept after its end */
};

/* What to call. For exec pools `args` is an array of strings that are added to the command, and the
 * rest but `input` is absent. All borrowed: submission copies. */
struct ili_call {
    const char *function;
    size_t function_bytes;
    const char *args; /* a JSON array; NULL: [] */
    size_t args_bytes;
    const char *kwargs; /* a JSON object; NULL: {} */
    size_t kwargs_bytes;
    const char *input; /* exec: its stdin; NULL: empty */
    size_t input_bytes;
};

/* Who is told when a task has ended; lies in the struct it belongs to. */
struct ili_task_watch {
    struct ili_task_watch *next;
    void (*ended)(struct ili_task_watch *watch, struct ili_task *task);
};

struct ili_task {
    uint64_t id; /* never used twice, also across restarts */
    struct ili_pool *pool;
    struct ili_map *map; /* it is an element of; NULL: none */
    uint32_t index;      /* in the map */
    uint8_t state;       /* enum ili_task_state */
    bool cancelling;     /* it runs and was asked to stop */
    bool set_aside;
    bool output_truncated;
    bool told, forgotten; /* private: its end */
    uint32_t attempts;    /* that were begun */
    uint32_t crashes;     /* attempts in which the worker died */
    struct ili_task_options options;
    /* Owned: function, args, kwargs, input, one behind the other. The kwargs of an element are its map's.
     * Once it has ended only the function is sure to be there: what was dropped has the length 0. */
    char *call;
    uint32_t function_bytes;
    uint32_t flight; /* private: which of the calls that its worker was sent */
    uint64_t args_bytes, kwargs_bytes, input_bytes;

    char *result; /* owned, JSON; NULL: none */
    size_t result_bytes;
    char *error; /* owned, a JSON object (type, message, traceback, signal, …); NULL: none */
    size_t error_bytes;
    char *output; /* owned: what it wrote to stdout and stderr, the last of it; NULL: none */
    size_t output_bytes;
    char *progress; /* owned, JSON; NULL: none */
    size_t progress_bytes;

    int64_t submitted_ns, started_ns,
        ended_ns;           /* monotonic; 0: not yet. started: the last attempt */
    uint64_t worker_number; /* of the worker that runs it, or last did; 0: none */
    uint32_t worker_pid;
    struct ili_worker *worker; /* while it runs, or waits in a chunk that a worker was sent */

    struct ili_timer
        timer; /* delay; while running the time limit and the grace; after its end keep */
    struct ili_timer deadline;
    struct ili_task_watch *watches;
    struct ili_task *newer, *older; /* of its pool, all states */
    size_t place;                   /* in the pool's queue, from 1; 0: not there */
    struct ili_task *next_by_id;
    struct ili_task *next_ended; /* private: of those whose end is to be told */
};

/* The word for STATE: "queued". Borrowed for ever. And back; ILI_TASK_STATES: none. */
const char *ili_task_state_name(enum ili_task_state state);
enum ili_task_state ili_task_state_named(const char *name, size_t bytes);

static inline bool ili_task_has_ended(const struct ili_task *task) {
    return task->state >= ILI_TASK_SUCCEEDED;
}

/* Submits one task; OPTIONS NULL: the pool's defaults. *OUT is the pool's, valid until the loop's turn
 * ends, or as long as a watch is on it. IL_ECLOSED, IL_ELIMIT (the pool's max_queued), IL_ENOMEM,
 * IL_EINVAL and IL_ETOOBIG (a call of more than 24 MiB), all with *FAULT. IL_EFUNCTION only when the
 * pool's workers have said what they have, and it is not that. */
il_status ili_task_submit(struct ili_pool *pool, const struct ili_call *call,
                          const struct ili_task_options *options, struct ili_task **out,
                          struct ili_fault *fault);

/* The task of that id; NULL: there is none any more. */
struct ili_task *ili_task_find(struct ili_pools *pools, uint64_t id);

/* Queued or delayed: it has ended at the return. Running, or sent to a worker in a chunk: its worker is
 * asked, and after the pool's grace replaced; it is cancelled then, unless it succeeded meanwhile.
 * Nothing if it has ended. */
void ili_task_cancel(struct ili_task *task);

/* Tells WATCH when TASK, which has not ended, ends. */
void ili_task_watch(struct ili_task *task, struct ili_task_watch *watch);
void ili_task_unwatch(struct ili_task *task, struct ili_task_watch *watch);

/* Forgets an ended task now. IL_EBUSY: it has not ended. */
il_status ili_task_forget(struct ili_task *task);

/* The code that stands for its end: IL_OK, IL_EFAILED, IL_ECANCELLED, IL_ETIMEOUT, IL_ELOST. */
il_status ili_task_status(const struct ili_task *task);

#endif
