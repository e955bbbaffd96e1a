/*
 * thread_pool_inside.h - what thread_pool.c and its threads, thread_pool_work.c, share. The words and who may
 * touch them: thread_pool.c.
 */
#ifndef ILI_RUN_THREAD_POOL_INSIDE_H
#define ILI_RUN_THREAD_POOL_INSIDE_H

#include <pthread.h>

#include "run/job_heap.h"
#include "run/runner.h"
#include "run/thread_pool.h"

/* life */
#define ILI_THREAD_POOL_SHUT 1u
#define ILI_THREAD_POOL_TERMINATED 2u
#define ILI_THREAD_POOL_ENDED 4u
#define ILI_THREAD_POOL_WAITED 8u

/* A thread of the pool. Only it writes, but for `word` and the list. */
struct ili_pool_worker {
    alignas(64) _Atomic uint64_t done;
    _Atomic uint32_t depth; /* calls that it runs, one inside the other */
    bool searching;
    struct ili_thread_pool *pool;
    struct ili_runner *runner;
    alignas(64) _Atomic uint32_t word; /* 0: may sleep */
    bool listed;                       /* under idle_mutex */
    struct ili_pool_worker *next;
};

struct ili_thread_pool {
    uint32_t generation; /* of the process */
    uint32_t threads;
    uint64_t max_queued;
    struct ili_pool_worker *workers;
    alignas(64) _Atomic uint32_t life;
    _Atomic uint32_t living;
    alignas(64) _Atomic uint32_t idle;
    _Atomic uint32_t searching;
    alignas(64) pthread_mutex_t idle_mutex;
    struct ili_pool_worker *idle_list;
    uint64_t wakeups;
    alignas(64) _Atomic uint64_t queued; /* only with max_queued */
    _Atomic uint32_t room, room_wanted;
    alignas(64) _Atomic uint64_t cancelled;
    pthread_mutex_t heap_mutex;
    struct ili_job_heap urgent, later;        /* above, and below, priority 0 */
    _Atomic size_t urgent_count, later_count; /* changed under heap_mutex */
    bool heaps_closed;                        /* under heap_mutex */
    struct ili_job_queue queue;
};

static inline uint32_t ili_thread_pool_life(const struct ili_thread_pool *pool) {
    return atomic_load_explicit(&pool->life, memory_order_seq_cst);
}

/* A thread of the pool: what its runner runs. ARGUMENT: the struct ili_pool_worker. */
void *ili_thread_pool_work(void *argument);

/* The next call. False: there is none that can be had right now. */
bool ili_thread_pool_pop(struct ili_thread_pool *pool, struct ili_job *job);

/* Whether any is queued, or about to be. */
bool ili_thread_pool_has_work(const struct ili_thread_pool *pool);

/* A popped call is not to be done. */
void ili_thread_pool_drop(struct ili_thread_pool *pool, struct ili_job job);

/* Wakes a sleeping thread, which then searches. */
void ili_thread_pool_wake_one(struct ili_thread_pool *pool);

/* The same, unless somebody searches already. */
static inline void ili_thread_pool_wake_if_needed(struct ili_thread_pool *pool) {
    if (atomic_load_explicit(&pool->idle, memory_order_seq_cst) != 0 &&
        atomic_load_explicit(&pool->searching, memory_order_seq_cst) == 0) {
        ili_thread_pool_wake_one(pool);
    }
}

#endif
