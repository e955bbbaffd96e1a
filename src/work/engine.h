/*
 * engine.h - what the rooms of work/ share behind pools.h: the engine of one server, and a pool. Used by
 * the loop's thread alone.
 *
 * What is told and what is freed waits for ili_pools_run(): ends of tasks are collected in `ended`, pools
 * with something to do in `busy`, workers with something to write in `unsent`; whatever is dropped goes
 * to `dropped` or `gone` and is freed at the end of that call. So the code that changes a state never
 * meets its own change coming back at it from a callback.
 */
#ifndef ILI_WORK_ENGINE_H
#define ILI_WORK_ENGINE_H

#include "base/out.h"
#include "work/backlog.h"
#include "work/ids.h"
#include "work/pools.h"

struct ili_engine {
    struct ili_pools *pools;
    int64_t now_ns; /* when it last looked at the clock; only grows */
    uint64_t next_id;
    uint64_t next_program;
    struct ili_ids tasks, maps, programs;
    struct ili_pool **by_name; /* in order */
    size_t pool_count, pool_room;
    struct ili_pool *newest;      /* all, those deleted too until they have ended */
    struct ili_pool *busy;        /* by next_busy: to be looked at */
    struct ili_worker *unsent;    /* by next_unsent: have something to write */
    struct ili_task *ended;       /* by next_ended: to be told, in order */
    struct ili_task **ended_end;  /* where the next one goes */
    struct ili_task *dropped;     /* by next_ended: to be freed */
    struct ili_map *dropped_maps; /* by older */
    struct ili_worker *gone;      /* by next_unsent: to be freed */
    struct ili_map *newest_map;
    struct ili_timer wake; /* always set: for now, when ili_pools_run() has something to do */
    char *room;            /* to read into */
    uint64_t random;
    bool running; /* inside ili_pools_run() */
};

#define ILI_ENGINE_ROOM ((size_t)128 << 10)

struct ili_pool {
    struct ili_engine *engine;
    char *name;
    size_t name_bytes;
    struct ili_pool_options options; /* owned */
    uint32_t wanted;                 /* workers, runs or slots */
    enum ili_pool_state state;
    bool deleted;
    struct ili_pool_watch *watches;

    struct ili_backlog backlog; /* has room for all that have not ended */
    struct ili_task *newest;
    struct ili_pool_statistics counts;
    uint64_t unended; /* tasks that have not ended */
    uint64_t untold;  /* that have, but nobody knows */

    struct ili_worker *workers; /* all whose programs have not ended */
    struct ili_worker *open; /* those that take a call now, the one that was busy last in front */
    uint32_t places;         /* that are taken by workers */
    uint32_t retiring;       /* workers that were told to end and have left their place */
    uint64_t last_number;
    uint64_t unbegun; /* calls that were sent and wait in their worker */

    int64_t call_ns;   /* what a call takes, about */
    uint32_t chatty;   /* so many more calls go one by one, since output was seen */
    uint32_t failures; /* worker ends without a success, in a row */
    bool failed_up;    /* in the last of them, after having come up */
    bool probing;      /* one worker is to come up before the others are started */
    int64_t failed_ns; /* the last of them */
    int64_t start_ns;  /* no worker is started before */
    int64_t retry_ns;  /* there was no memory to hand out a task; 0: there was */
    struct ili_timer timer;
    char *trouble;      /* owned */
    bool trouble_stays; /* until a call succeeds; else until a worker comes up */
    char **functions;   /* owned, in order */
    size_t function_count;
    bool heard_functions, any_function; /* a worker said which it has; one did not */

    struct ili_pool *next, *previous; /* all */
    struct ili_pool *next_busy;
    bool is_busy;
};

static inline struct ili_engine *ili_engine_of(const struct ili_pools *pools) {
    return pools->private;
}

/* ili_pools_run() is to be called soon. */
void ili_engine_wake(struct ili_engine *engine);

/* POOL is to be looked at by ili_pools_run(). */
void ili_pool_attend(struct ili_pool *pool);

/* pool_run.c: starts workers, hands out tasks, ends the pool if it is time. */
void ili_pool_look(struct ili_pool *pool);
void ili_pool_timer(struct ili_timer *timer, void *context);

/* dispatch.c */
void ili_pool_dispatch(struct ili_pool *pool);
const struct ili_map *ili_task_chunk(const struct ili_task *task);

/* backoff.c: a worker of the pool came up, or a call of one succeeded, or one ended. */
void ili_backoff_up(struct ili_pool *pool);
void ili_backoff_success(struct ili_pool *pool);
void ili_backoff_failure(struct ili_pool *pool, int64_t started_ns, bool was_up);
void ili_pool_set_trouble(struct ili_pool *pool, bool stays, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* functions.c: what the workers say they have. IL_ENOMEM */
struct ili_message;
il_status ili_pool_learn(struct ili_pool *pool, const struct ili_message *hello);
/* Whether it is known that no worker has that function. */
bool ili_pool_lacks(const struct ili_pool *pool, const char *function, size_t bytes);
void ili_pool_forget_functions(struct ili_pool *pool);

/* pool.c */
void ili_pool_forget_name(struct ili_pool *pool);

/* pool_end.c */
void ili_pool_finish(struct ili_pool *pool); /* it has ended: tells who watches */
void ili_pool_free(struct ili_pool *pool);   /* all of it at once; nobody is told */

/* pool_options.c */
il_status ili_pool_options_check(const struct ili_pool_options *options, struct ili_fault *fault);
/* Takes a copy. False: no memory, and nothing is taken. */
bool ili_pool_options_copy(struct ili_pool_options *to, const struct ili_pool_options *from);
void ili_pool_options_drop(struct ili_pool_options *options);
/* What differs; NULL: nothing. */
const char *ili_pool_options_differ(const struct ili_pool_options *a,
                                    const struct ili_pool_options *b);
uint32_t
ili_pool_options_workers(const struct ili_pool_options *options); /* with 0 made a number */

#endif
