/*
 * thread_pool.h - threads that run what they are given (Python's ThreadPool), in this process.
 *
 *   running ─shut()─▶ shut (what was submitted is done) ─▶ ended;  terminate(): shut, what is queued is dropped
 *
 * Order: a higher priority goes first; equal ones begin in the order of their submission by one thread.
 * A submission happens before its call, and a call before the return of whoever waits for it.
 * max_queued bounds what others submit: they wait for room. What a task submits to its own pool never waits,
 * since the room might be that task's to make; it may exceed the bound.
 *
 * fork(): in the child there are no such threads. Every call but the close returns IL_EFORKED; the close
 * frees what is safe to free.
 */
#ifndef ILI_RUN_THREAD_POOL_H
#define ILI_RUN_THREAD_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <interlock.h>

#include "run/future.h"
#include "run/job_queue.h"

#define ILI_THREAD_POOL_THREADS_MOST 1024u

struct ili_thread_pool_options {
    const char *name;    /* of its threads, at most 63 bytes; NULL: none */
    uint32_t threads;    /* 0: as many as processors that this process may use */
    uint64_t max_queued; /* calls that have not begun; 0: no bound but memory */
    uint64_t stack_bytes;
};

struct ili_thread_pool_statistics {
    uint32_t threads, running; /* running: threads that run a call */
    uint64_t queued, submitted, done, cancelled;
    uint64_t wakeups; /* how often a sleeping thread was woken for work */
};

/* Its threads have been started. *OUT owned: ili_thread_pool_close(). IL_ENOMEM, IL_ELIMIT, IL_ESYSTEM. */
il_status ili_thread_pool_open(const struct ili_thread_pool_options *options,
                               struct ili_thread_pool **out);

/* Waits for room until DEADLINE_NS (0: does not wait), then queues JOB. IL_ECLOSED, IL_ETIMEOUT (full),
 * IL_ENOMEM, IL_EINTR, IL_ECANCELLED, IL_EFORKED. */
il_status ili_thread_pool_submit(struct ili_thread_pool *pool, struct ili_job job, int32_t priority,
                                 int64_t deadline_ns);

void ili_thread_pool_shut(struct ili_thread_pool *pool);

/* Shuts it, drops what is queued and asks what runs to stop. */
void ili_thread_pool_terminate(struct ili_thread_pool *pool);

/* Waits until a pool that was shut has ended. IL_EINVAL: it was not; IL_ESELF: by one of its threads. Else as
 * ili_future_wait(). */
il_status ili_thread_pool_join(struct ili_thread_pool *pool, int64_t deadline_ns);

void ili_thread_pool_look(struct ili_thread_pool *pool,
                          struct ili_thread_pool_statistics *statistics);

/* Shuts it, waits for its end without limit, and frees it.
 * IL_ESELF: by one of its threads; nothing has happened. */
il_status ili_thread_pool_close(struct ili_thread_pool *pool);

bool ili_thread_pool_is_forked(const struct ili_thread_pool *pool);
uint32_t ili_thread_pool_threads(const struct ili_thread_pool *pool);

/* Whether the calling thread is one of the pool's. */
bool ili_thread_pool_is_here(const struct ili_thread_pool *pool);

/* Makes all its threads look again: the word of a scope has changed. */
void ili_thread_pool_poke(struct ili_thread_pool *pool);

/* For future.c: a queued call has left the queue, by whatever way; one was dropped; the calling thread, if it
 * is one of the pool's (which may be gone, if it is not), runs FUTURE if that is queued. */
void ili_thread_pool_left(struct ili_thread_pool *pool);
void ili_thread_pool_dropped(struct ili_thread_pool *pool);
bool ili_thread_pool_run_here(struct ili_thread_pool *pool, struct ili_future *future);

#endif
