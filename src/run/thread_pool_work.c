/*
 * thread_pool_work.c - the threads of a pool: what they take, how they sleep and are woken. See thread_pool.c.
 */
#include <sched.h>

#include "arena/futex.h"
#include "arena/thread.h"
#include "base/clock.h"
#include "base/relax.h"
#include "run/thread_pool_inside.h"

#define LULLS 5 /* looks before a thread sleeps */
#define LULL_NS 1000
#define LULL_PAUSES 200 /* at most, whatever the clock says */

static _Thread_local struct ili_pool_worker *here
    __attribute__((tls_model("initial-exec"))); /* what the calling thread is; NULL: no pool's */

bool ili_thread_pool_is_here(const struct ili_thread_pool *pool) {
    return here && here->pool == pool;
}

/* ---- what is queued --------------------------------------------------------------------------------- */

static bool pop_from_heap(struct ili_thread_pool *pool, struct ili_job_heap *heap,
                          _Atomic size_t *count, struct ili_job *job) {
    /* relaxed: who is about to sleep looks once more */
    if (atomic_load_explicit(count, memory_order_relaxed) == 0) return false;
    pthread_mutex_lock(&pool->heap_mutex);
    bool popped = ili_job_heap_pop(heap, job);
    if (popped) atomic_fetch_sub_explicit(count, 1, memory_order_seq_cst);
    pthread_mutex_unlock(&pool->heap_mutex);
    return popped;
}

bool ili_thread_pool_pop(struct ili_thread_pool *pool, struct ili_job *job) {
    return pop_from_heap(pool, &pool->urgent, &pool->urgent_count, job) ||
           ili_job_queue_pop(&pool->queue, job) ||
           pop_from_heap(pool, &pool->later, &pool->later_count, job);
}

bool ili_thread_pool_has_work(const struct ili_thread_pool *pool) {
    return !ili_job_queue_is_empty(&pool->queue) ||
           atomic_load_explicit(&pool->urgent_count, memory_order_seq_cst) ||
           atomic_load_explicit(&pool->later_count, memory_order_seq_cst);
}

/* ---- sleeping and waking ---------------------------------------------------------------------------- */

/* Under idle_mutex. */
static void unlist(struct ili_thread_pool *pool, struct ili_pool_worker *worker) {
    struct ili_pool_worker **at = &pool->idle_list;
    while (*at != worker) at = &(*at)->next;
    *at = worker->next;
    worker->listed = false;
    atomic_fetch_sub_explicit(&pool->idle, 1, memory_order_seq_cst);
}

/* Wakes a sleeping thread, which then searches. */
void ili_thread_pool_wake_one(struct ili_thread_pool *pool) {
    pthread_mutex_lock(&pool->idle_mutex);
    struct ili_pool_worker *worker = pool->idle_list;
    if (worker) {
        atomic_fetch_add_explicit(&pool->searching, 1, memory_order_seq_cst);
        unlist(pool, worker);
        pool->wakeups++;
        /* release: pairs with the sleeper's acquire */
        atomic_store_explicit(&worker->word, 1, memory_order_release);
    }
    pthread_mutex_unlock(&pool->idle_mutex);
    /* a thread of the pool is not freed while somebody may submit */
    if (worker) ili_futex_wake(&worker->word, 1);
}

static void stop_searching(struct ili_pool_worker *worker) {
    if (!worker->searching) return;
    worker->searching = false;
    atomic_fetch_sub_explicit(&worker->pool->searching, 1, memory_order_seq_cst);
}

/* It has found work: the next one may look for more. */
static void found(struct ili_pool_worker *worker) {
    if (!worker->searching) return;
    stop_searching(worker);
    if (ili_thread_pool_has_work(worker->pool)) ili_thread_pool_wake_if_needed(worker->pool);
}

/* Awake for a moment. True: there is work. Looking takes the lines away from who submits, and who looks all
 * the time gets one call at a time, each at the price of moving lines to and fro: after a lull there are
 * some dozen. */
static bool search(struct ili_pool_worker *worker) {
    struct ili_thread_pool *pool = worker->pool;
    if (!worker->searching) {
        if (atomic_load_explicit(&pool->searching, memory_order_relaxed) != 0) return false;
        worker->searching = true;
        atomic_fetch_add_explicit(&pool->searching, 1, memory_order_seq_cst);
    }
    for (int i = 0; i < LULLS; i++) {
        int64_t end = ili_now_ns() + LULL_NS;
        for (int p = 0; p < LULL_PAUSES && ili_now_ns() < end; p++) ili_relax();
        if (ili_thread_pool_has_work(pool)) return true;
    }
    return false;
}

/* True: there may be work. False: the pool has ended for this thread. */
static bool wait_for_work(struct ili_pool_worker *worker) {
    struct ili_thread_pool *pool = worker->pool;
    if (search(worker)) return true;
    pthread_mutex_lock(&pool->idle_mutex);
    atomic_store_explicit(&worker->word, 0,
                          memory_order_relaxed); /* under the mutex, as its waking */
    worker->next = pool->idle_list;
    worker->listed = true;
    pool->idle_list = worker;
    atomic_fetch_add_explicit(&pool->idle, 1, memory_order_seq_cst);
    pthread_mutex_unlock(&pool->idle_mutex);
    stop_searching(worker);
    bool shut = ili_thread_pool_life(pool) & ILI_THREAD_POOL_SHUT;
    bool work = ili_thread_pool_has_work(pool);
    if (!work && !shut) {
        while (atomic_load_explicit(&worker->word, memory_order_acquire) == 0) {
            (void)ili_futex_wait(&worker->word, 0, ILI_NEVER);
        }
    }
    pthread_mutex_lock(&pool->idle_mutex);
    if (worker->listed) {
        unlist(pool, worker);
    } else {
        worker->searching = true; /* who woke it has counted it */
    }
    pthread_mutex_unlock(&pool->idle_mutex);
    return work || !shut;
}

/* ---- the threads ------------------------------------------------------------------------------------ */

/* Before a worker's counters change, it is the only one that changes them. */
static void add_here(_Atomic uint64_t *counter) {
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static void enter_call(struct ili_pool_worker *worker, int32_t by) {
    uint32_t depth = atomic_load_explicit(&worker->depth, memory_order_relaxed);
    atomic_store_explicit(&worker->depth, depth + (uint32_t)by, memory_order_relaxed);
}

/* What was asked of the thread by its id was meant for the call that has just ended; but not the end of all. */
static void forget_requests(struct ili_pool_worker *worker, struct ili_thread *thread) {
    if (atomic_load_explicit(&thread->cancelled, memory_order_relaxed) == 0) return;
    (void)ili_thread_set_cancelled(ili_thread_id(thread), false);
    if (ili_thread_pool_life(worker->pool) & ILI_THREAD_POOL_TERMINATED) {
        (void)ili_thread_set_cancelled(ili_thread_id(thread), true);
    }
}

void ili_thread_pool_drop(struct ili_thread_pool *pool, struct ili_job job) {
    if (job.function) {
        ili_thread_pool_left(pool);
        ili_thread_pool_dropped(pool);
    } else {
        ili_future_drop_popped(job.argument);
    }
}

static void do_job(struct ili_pool_worker *worker, struct ili_job job) {
    if (ili_thread_pool_life(worker->pool) & ILI_THREAD_POOL_TERMINATED) {
        ili_thread_pool_drop(worker->pool, job);
        return;
    }
    enter_call(worker, 1);
    bool ran = true;
    if (job.function) {
        ili_thread_pool_left(worker->pool);
        (void)job.function(job.argument);
    } else {
        /* else it was done by who waits for it, or cancelled */
        ran = ili_future_run(job.argument, true);
    }
    enter_call(worker, -1);
    if (ran) add_here(&worker->done);
}

void *ili_thread_pool_work(void *argument) {
    struct ili_pool_worker *worker = argument;
    struct ili_thread_pool *pool = worker->pool;
    struct ili_thread *thread = ili_thread_current();
    struct ili_job job;
    here = worker;
    do {
        bool none = true;
        while (ili_thread_pool_pop(pool, &job)) {
            none = false;
            found(worker);
            do_job(worker, job);
            /* the function has forked: this is the child's only thread, and the pool is not its own */
            if (ili_thread_pool_is_forked(pool)) pthread_exit(NULL);
            forget_requests(worker, thread);
        }
        if (none) sched_yield(); /* whoever is about to finish a push may need this processor */
    } while (wait_for_work(worker));
    stop_searching(worker);
    here = NULL;
    if (atomic_fetch_sub_explicit(&pool->living, 1, memory_order_seq_cst) == 1) {
        uint32_t before =
            atomic_fetch_or_explicit(&pool->life, ILI_THREAD_POOL_ENDED, memory_order_seq_cst);
        if (before & ILI_THREAD_POOL_WAITED) ili_futex_wake(&pool->life, INT32_MAX);
    }
    return NULL;
}

bool ili_thread_pool_run_here(struct ili_thread_pool *pool, struct ili_future *future) {
    if (!ili_thread_pool_is_here(pool)) return false;
    enter_call(here, 1);
    bool ran = ili_future_run(future, false);
    enter_call(here, -1);
    if (ran) add_here(&here->done);
    return ran;
}
