/*
 * job_queue.h - what is to be done by the threads of a pool, first in, first out, without a bound.
 *
 * Any number of threads push and pop at once. The jobs lie in a ring that is used without a lock; what does
 * not fit waits in a list behind it. Jobs of one pusher are popped in the order in which it pushed them.
 * Memory of this process.
 */
#ifndef ILI_RUN_JOB_QUEUE_H
#define ILI_RUN_JOB_QUEUE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <interlock.h>

#include "run/quick_lock.h"

typedef void *(*ili_job_function)(void *argument);

/* A call; or, if FUNCTION is NULL, the struct ili_future ARGUMENT. */
struct ili_job {
    ili_job_function function;
    void *argument;
};

struct ili_job_slot;
struct ili_job_chunk;

struct ili_job_queue {
    alignas(64) _Atomic uint64_t tail; /* pushers; its highest bit: closed */
    _Atomic uint64_t head_seen;        /* by pushers: as far as poppers were at some time */
    alignas(64) _Atomic uint64_t head; /* poppers */
    alignas(64) struct ili_job_slot *slots;
    /* the list behind the ring */
    alignas(64) _Atomic uint64_t put_behind; /* how many ever; changed under the lock */
    struct ili_quick_lock lock;
    struct ili_job_chunk *first, *last, *spare; /* under the lock */
    uint32_t spares;                            /* under the lock */
    bool closed;                                /* under the lock */
    alignas(64) _Atomic uint32_t moves;         /* 1: somebody moves jobs into the ring */
    _Atomic uint64_t moved;                     /* by that one: how many ever */
    struct ili_job_chunk *moving;               /* by that one */
    uint32_t at;                                /* of `moving`: the next one */
};

il_status ili_job_queue_init(struct ili_job_queue *queue);
void ili_job_queue_free(struct ili_job_queue *queue); /* it is empty */

/* IL_ECLOSED, IL_ENOMEM. */
il_status ili_job_queue_push(struct ili_job_queue *queue, struct ili_job job);

/* No more pushes. Again: a no-op. */
void ili_job_queue_close(struct ili_job_queue *queue);

/* False: there is none, or its push is not finished: then the queue is not empty. */
bool ili_job_queue_pop(struct ili_job_queue *queue, struct ili_job *job);

/* A glance, sequentially consistent: a push that came before it in that order is seen. */
bool ili_job_queue_is_empty(const struct ili_job_queue *queue);

/* How many were pushed so far; a glance. */
uint64_t ili_job_queue_pushed(const struct ili_job_queue *queue);

#endif
