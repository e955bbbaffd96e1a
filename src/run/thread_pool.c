/*
 * thread_pool.c - see thread_pool.h.
 *
 * Words, all sequentially consistent where two of them meet:
 *   life       SHUT, set when both queues are closed; TERMINATED; ENDED; a word to sleep on (joiners)
 *   idle       threads in the list of those that sleep, or are about to
 *   searching  threads that are awake without work: at most one of its own accord, others were woken
 *   queued     calls against max_queued; `room` is the word that submitters sleep on
 *
 * No wake-up is lost: a submitter queues its call and then looks at `idle` and `searching`; a thread that falls
 * asleep enters `idle`, leaves `searching`, and then looks at the queues. One of the two sees the other.
 * While somebody searches nobody else is woken: who finds a call stops searching, and if there are more, wakes
 * the next one.
 *
 * No call is lost: a thread ends when it sees SHUT and then empty queues, and nothing gets into a closed one.
 *
 * Lock order: idle_mutex and heap_mutex are taken alone.
 */
#include "run/thread_pool.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "arena/futex.h"
#include "arena/thread.h"
#include "base/clock.h"
#include "run/thread_pool_inside.h"

bool ili_thread_pool_is_forked(const struct ili_thread_pool *pool) {
    return pool->generation != ili_process_generation();
}

uint32_t ili_thread_pool_threads(const struct ili_thread_pool *pool) { return pool->threads; }

static void free_pool(struct ili_thread_pool *pool) {
    ili_job_queue_free(&pool->queue);
    ili_job_heap_free(&pool->urgent);
    ili_job_heap_free(&pool->later);
    pthread_mutex_destroy(&pool->idle_mutex);
    pthread_mutex_destroy(&pool->heap_mutex);
    free(pool->workers);
    free(pool);
}

/* ---- submitting ------------------------------------------------------------------------------------ */

static il_status push_to_heap(struct ili_thread_pool *pool, struct ili_job job, int32_t priority) {
    struct ili_job_heap *heap = priority > 0 ? &pool->urgent : &pool->later;
    pthread_mutex_lock(&pool->heap_mutex);
    il_status status = pool->heaps_closed ? IL_ECLOSED : ili_job_heap_push(heap, job, priority);
    if (status == IL_OK) {
        atomic_fetch_add_explicit(priority > 0 ? &pool->urgent_count : &pool->later_count, 1,
                                  memory_order_seq_cst);
    }
    pthread_mutex_unlock(&pool->heap_mutex);
    return status;
}

static void wake_one_for_room(struct ili_thread_pool *pool) {
    if (atomic_load_explicit(&pool->room_wanted, memory_order_seq_cst) == 0) return;
    atomic_fetch_add_explicit(&pool->room, ILI_WORD_TURN, memory_order_seq_cst);
    ili_futex_wake(&pool->room, 1);
}

void ili_thread_pool_left(struct ili_thread_pool *pool) {
    if (pool->max_queued == 0) return;
    atomic_fetch_sub_explicit(&pool->queued, 1, memory_order_seq_cst);
    wake_one_for_room(pool);
}

static bool take_room(struct ili_thread_pool *pool) {
    if (pool->max_queued == 0) return true;
    uint64_t queued = atomic_load_explicit(&pool->queued, memory_order_seq_cst);
    do {
        if (queued >= pool->max_queued && !ili_thread_pool_is_here(pool)) return false;
    } while (!atomic_compare_exchange_weak_explicit(&pool->queued, &queued, queued + 1,
                                                    memory_order_seq_cst, memory_order_seq_cst));
    return true;
}

/* IL_OK: look again. */
static il_status wait_for_room(struct ili_thread_pool *pool, int64_t deadline_ns) {
    il_status status = IL_OK;
    atomic_fetch_add_explicit(&pool->room_wanted, 1, memory_order_seq_cst);
    uint32_t seen = atomic_load_explicit(&pool->room, memory_order_seq_cst);
    if (atomic_load_explicit(&pool->queued, memory_order_seq_cst) >= pool->max_queued &&
        !(ili_thread_pool_life(pool) & ILI_THREAD_POOL_SHUT)) {
        status = ili_thread_sleep(&pool->room, seen, deadline_ns);
    }
    atomic_fetch_sub_explicit(&pool->room_wanted, 1, memory_order_seq_cst);
    /* who gives up may have been the one that was woken */
    if (status != IL_OK) wake_one_for_room(pool);
    return status;
}

void ili_thread_pool_dropped(struct ili_thread_pool *pool) {
    atomic_fetch_add_explicit(&pool->cancelled, 1, memory_order_relaxed);
}

/* ---- open and close --------------------------------------------------------------------------------- */

static uint32_t processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : (uint32_t)count;
}

/* On failure those that were started end with the pool. */
static il_status start_threads(struct ili_thread_pool *pool,
                               const struct ili_thread_pool_options *options) {
    const struct ili_runner_options wanted = {.name = options->name,
                                              .stack_bytes = options->stack_bytes};
    for (uint32_t i = 0; i < pool->threads; i++) {
        struct ili_pool_worker *worker = &pool->workers[i];
        worker->pool = pool;
        il_status status = ili_runner_make(ili_thread_pool_work, worker, &wanted, &worker->runner);
        if (status != IL_OK) return status;
        atomic_fetch_add_explicit(&pool->living, 1, memory_order_seq_cst);
        status = ili_runner_start(worker->runner);
        if (status != IL_OK) {
            atomic_fetch_sub_explicit(&pool->living, 1, memory_order_seq_cst);
            return status;
        }
    }
    return IL_OK;
}

il_status ili_thread_pool_open(const struct ili_thread_pool_options *options,
                               struct ili_thread_pool **out) {
    uint32_t threads = options->threads ? options->threads : processors();
    if (threads > ILI_THREAD_POOL_THREADS_MOST) threads = ILI_THREAD_POOL_THREADS_MOST;
    struct ili_thread_pool *pool = aligned_alloc(64, sizeof *pool);
    struct ili_pool_worker *workers = aligned_alloc(64, threads * sizeof *workers);
    if (pool) memset(pool, 0, sizeof *pool);
    if (workers) memset(workers, 0, threads * sizeof *workers);
    if (!pool || !workers || ili_job_queue_init(&pool->queue) != IL_OK) {
        free(workers);
        free(pool);
        return IL_ENOMEM;
    }
    pool->threads = threads;
    pool->max_queued = options->max_queued;
    pool->workers = workers;
    pthread_mutex_init(&pool->idle_mutex, NULL);
    pthread_mutex_init(&pool->heap_mutex, NULL);
    pool->generation = ili_process_generation();
    il_status status = start_threads(pool, options);
    if (status != IL_OK) {
        (void)ili_thread_pool_close(pool);
        return status;
    }
    *out = pool;
    return IL_OK;
}

/* One attempt. IL_ETIMEOUT: there is no room. */
static il_status try_submit(struct ili_thread_pool *pool, struct ili_job job, int32_t priority) {
    if (!take_room(pool))
        return ili_thread_pool_life(pool) & ILI_THREAD_POOL_SHUT ? IL_ECLOSED : IL_ETIMEOUT;
    il_status status =
        priority == 0 ? ili_job_queue_push(&pool->queue, job) : push_to_heap(pool, job, priority);
    if (status == IL_OK) {
        ili_thread_pool_wake_if_needed(pool);
    } else {
        ili_thread_pool_left(pool);
    }
    return status;
}

il_status ili_thread_pool_submit(struct ili_thread_pool *pool, struct ili_job job, int32_t priority,
                                 int64_t deadline_ns) {
    il_status status;
    if (ili_thread_pool_is_forked(pool)) return IL_EFORKED;
    while ((status = try_submit(pool, job, priority)) == IL_ETIMEOUT && deadline_ns != 0) {
        status = wait_for_room(pool, deadline_ns);
        if (status != IL_OK) break;
    }
    return status;
}

static void wake_everybody(struct ili_thread_pool *pool) {
    for (uint32_t i = 0; i < pool->threads; i++) ili_thread_pool_wake_one(pool);
    atomic_fetch_add_explicit(&pool->room, ILI_WORD_TURN, memory_order_seq_cst);
    ili_futex_wake(&pool->room, INT32_MAX);
}

static void close_queues(struct ili_thread_pool *pool) {
    pthread_mutex_lock(&pool->heap_mutex);
    pool->heaps_closed = true;
    pthread_mutex_unlock(&pool->heap_mutex);
    ili_job_queue_close(&pool->queue);
}

void ili_thread_pool_shut(struct ili_thread_pool *pool) {
    close_queues(pool);
    atomic_fetch_or_explicit(&pool->life, ILI_THREAD_POOL_SHUT, memory_order_seq_cst);
    wake_everybody(pool);
}

void ili_thread_pool_poke(struct ili_thread_pool *pool) {
    for (uint32_t i = 0; i < pool->threads; i++) {
        (void)ili_thread_poke(
            atomic_load_explicit(&pool->workers[i].runner->id, memory_order_acquire));
    }
}

void ili_thread_pool_terminate(struct ili_thread_pool *pool) {
    struct ili_job job;
    close_queues(pool);
    uint32_t before = atomic_fetch_or_explicit(
        &pool->life, ILI_THREAD_POOL_SHUT | ILI_THREAD_POOL_TERMINATED, memory_order_seq_cst);
    if (before & (ILI_THREAD_POOL_ENDED | ILI_THREAD_POOL_TERMINATED)) return;
    while (ili_thread_pool_has_work(pool)) {
        if (ili_thread_pool_pop(pool, &job)) {
            ili_thread_pool_drop(pool, job);
        } else {
            sched_yield();
        }
    }
    for (uint32_t i = 0; i < pool->threads; i++) (void)ili_runner_cancel(pool->workers[i].runner);
    wake_everybody(pool);
}

/* STUBBORN: whatever is asked of the calling thread. */
static il_status wait_for_end(struct ili_thread_pool *pool, int64_t deadline_ns, bool stubborn) {
    for (;;) {
        uint32_t seen = ili_thread_pool_life(pool);
        if (seen & ILI_THREAD_POOL_ENDED) return IL_OK;
        if (!(seen & ILI_THREAD_POOL_WAITED)) {
            seen = atomic_fetch_or_explicit(&pool->life, ILI_THREAD_POOL_WAITED,
                                            memory_order_seq_cst) |
                   ILI_THREAD_POOL_WAITED;
            if (seen & ILI_THREAD_POOL_ENDED) return IL_OK;
        }
        il_status status = IL_OK;
        if (stubborn) {
            (void)ili_futex_wait(&pool->life, seen, deadline_ns);
        } else {
            status = ili_thread_sleep(&pool->life, seen, deadline_ns);
        }
        if (status != IL_OK)
            return ili_thread_pool_life(pool) & ILI_THREAD_POOL_ENDED ? IL_OK : status;
    }
}

il_status ili_thread_pool_join(struct ili_thread_pool *pool, int64_t deadline_ns) {
    if (ili_thread_pool_is_forked(pool)) return IL_EFORKED;
    if (ili_thread_pool_is_here(pool)) return IL_ESELF;
    if (!(ili_thread_pool_life(pool) & ILI_THREAD_POOL_SHUT)) return IL_EINVAL;
    if (ili_thread_pool_life(pool) & ILI_THREAD_POOL_ENDED) return IL_OK;
    return deadline_ns == 0 ? IL_ETIMEOUT : wait_for_end(pool, deadline_ns, false);
}

il_status ili_thread_pool_close(struct ili_thread_pool *pool) {
    if (ili_thread_pool_is_forked(pool))
        return IL_OK; /* its locks may be held by who is not here */
    if (ili_thread_pool_is_here(pool)) return IL_ESELF;
    ili_thread_pool_shut(pool);
    for (uint32_t i = 0; i < pool->threads; i++) {
        if (pool->workers[i].runner) ili_runner_close(pool->workers[i].runner);
    }
    free_pool(pool);
    return IL_OK;
}

void ili_thread_pool_look(struct ili_thread_pool *pool,
                          struct ili_thread_pool_statistics *statistics) {
    struct ili_thread_pool_statistics s = {.threads = pool->threads};
    for (uint32_t i = 0; i < pool->threads; i++) {
        s.running += atomic_load_explicit(&pool->workers[i].depth, memory_order_relaxed);
        s.done += atomic_load_explicit(&pool->workers[i].done, memory_order_relaxed);
    }
    s.cancelled = atomic_load_explicit(&pool->cancelled, memory_order_relaxed);
    s.submitted = ili_job_queue_pushed(&pool->queue);
    pthread_mutex_lock(&pool->heap_mutex);
    s.submitted += pool->urgent.pushed + pool->later.pushed;
    pthread_mutex_unlock(&pool->heap_mutex);
    uint64_t left = s.done + s.cancelled + s.running;
    s.queued = s.submitted > left ? s.submitted - left : 0; /* the counts are not of one moment */
    pthread_mutex_lock(&pool->idle_mutex);
    s.wakeups = pool->wakeups;
    pthread_mutex_unlock(&pool->idle_mutex);
    *statistics = s;
}
