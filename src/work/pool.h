/*
 * pool.h - workers of one command, and the tasks that they do.
 *
 * process   N workers, each runs one task at a time
 * thread    one worker, with N slots
 * exec      no workers: each task is a run of the command, at most N at once; the result is
 *           {"exit_code", "stdout", "stderr"}
 *
 * Life: running ─close()─▶ closed (what was submitted is done) ─▶ ended; terminate() ends it at once.
 * join() waits for the end: see ili_pool_watch().
 *
 * Supervision: a worker is alive as long as its process is. One that ends, for whatever reason, fails
 * or retries just the tasks that it was running, at once, with the reason (exit code, signal, whether
 * it looks like a lack of memory, its last output), and is replaced: at once after its first success
 * or report of progress, else after 0.1 s, doubled with each one that ended without any up to 30 s; a
 * success of any other ends that, unless they do not even come up. A pool whose workers never come up
 * fails nothing: its tasks wait, and its view tells why.
 */
#ifndef ILI_WORK_POOL_H
#define ILI_WORK_POOL_H

#include "base/loop.h"
#include "run/spawn.h"
#include "work/task.h"

enum ili_pool_kind { ILI_POOL_PROCESS, ILI_POOL_THREAD, ILI_POOL_EXEC };
enum ili_pool_state { ILI_POOL_RUNNING, ILI_POOL_CLOSED, ILI_POOL_ENDED };

/* All borrowed: making a pool copies. */
struct ili_pool_options {
    enum ili_pool_kind kind;
    uint32_t workers;              /* slots of a thread pool; 0: one per CPU */
    char *const *command;          /* ended by NULL; [0] is an absolute path */
    char *const *environment;      /* whole: "NAME=value", ended by NULL; INTERLOCK_… is added */
    const char *directory;         /* NULL: / */
    const char *initializer;       /* function to call in each new worker; NULL: none */
    const char *initializer_args;  /* a JSON array; NULL: [] */
    uint32_t max_tasks_per_worker; /* then it is replaced; 0: no limit */
    uint32_t max_queued;           /* tasks that have not begun; 0: no limit but memory */
    struct ili_spawn_limits limits;
    uint64_t
        output_bytes; /* kept of what a task writes: its last part; exec: more than that fails it */
    uint32_t set_aside_after; /* worker deaths; 0: never */
    int64_t grace_ns;       /* from a cancellation or a time limit to the worker's end by SIGKILL */
    int64_t start_limit_ns; /* from the start of a worker to its hello */
    struct ili_task_options defaults;
};

/* Defaults of everything but the command. */
void ili_pool_options_init(struct ili_pool_options *options);

struct ili_pool_statistics {
    uint64_t submitted, by_state[ILI_TASK_STATES]; /* of those that ended: so far; else: now */
    uint64_t retried, crashed_workers, replaced_workers, started_workers;
};

enum ili_worker_state {
    ILI_WORKER_STARTING, /* until its hello, and its initializer is done */
    ILI_WORKER_IDLE,
    ILI_WORKER_BUSY,
    ILI_WORKER_ENDING, /* told to end, or killed */
};

/* For people, copied. */
struct ili_worker_view {
    uint64_t number; /* of the pool's workers, from 1 */
    uint32_t pid;
    enum ili_worker_state state;
    char name[64]; /* what it calls itself */
    uint32_t slots, busy;
    uint64_t tasks_done;
    uint64_t task; /* id of (one of) what it runs; 0: none */
    int64_t since_ns;
};

struct ili_pool_watch {
    struct ili_pool_watch *next;
    void (*ended)(struct ili_pool_watch *watch, struct ili_pool *pool);
};

/* Its fields are private to work/; these look. */
struct ili_pool;

struct ili_pools; /* see pools.h */

/* Makes a pool of that name, or finds one with the same options (IL_OK, *CREATED false). IL_ECONFLICT
 * (FAULT names what differs), IL_EINVAL, IL_ENOMEM. Whether the program is allowed is the caller's to
 * check. */
il_status ili_pool_make(struct ili_pools *pools, const char *name, size_t name_bytes,
                        const struct ili_pool_options *options, struct ili_pool **out,
                        bool *created, struct ili_fault *fault);

struct ili_pool *ili_pool_find(struct ili_pools *pools, const char *name, size_t name_bytes);

/* In the order of their names: the first after NAME (NULL: of all). For listings. */
struct ili_pool *ili_pool_after(struct ili_pools *pools, const char *name, size_t name_bytes);

const char *ili_pool_name(const struct ili_pool *pool, size_t *bytes);
const struct ili_pool_options *ili_pool_options(const struct ili_pool *pool);
enum ili_pool_state ili_pool_state(const struct ili_pool *pool);
uint32_t ili_pool_workers(const struct ili_pool *pool); /* wanted: slots or processes */
void ili_pool_statistics(const struct ili_pool *pool, struct ili_pool_statistics *out);
size_t ili_pool_worker_views(const struct ili_pool *pool, struct ili_worker_view *out, size_t room);
const char *
ili_pool_trouble(const struct ili_pool *pool); /* why its workers do not come up; NULL */
/* What its workers said they have: the i-th; NULL: no more. */
const char *ili_pool_function(const struct ili_pool *pool, size_t i);
/* Its newest task, then by task->older. */
struct ili_task *ili_pool_newest(struct ili_pool *pool);

void ili_pool_close(struct ili_pool *pool);
void ili_pool_terminate(struct ili_pool *pool);
/* Told when it has ended; not if it has already. */
void ili_pool_watch(struct ili_pool *pool, struct ili_pool_watch *watch);
void ili_pool_unwatch(struct ili_pool *pool, struct ili_pool_watch *watch);
/* Terminates it and removes the name. Its tasks can no longer be found. */
void ili_pool_delete(struct ili_pool *pool);

#endif
