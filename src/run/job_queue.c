/*
 * job_queue.c - see job_queue.h.
 *
 * Ring: pushers win a position by a compare-and-swap of `tail`, write the slot, and publish it by `turn`, which
 * is then position + 1. Poppers copy a slot that is published, and win it by a compare-and-swap of `head`. A slot
 * is written again only once `head` is past it; who copied it too late loses the swap. So poppers write
 * nothing but `head`: the slots' lines travel one way.
 * `tail` alone says whether there is something: a position that was won and is not published yet counts, so
 * who is about to sleep need not be told of it, and looks again.
 *
 * Behind: once a job is there, every push goes there until it has been moved into the ring and nothing is
 * behind any more, so nobody overtakes itself. Who finds the ring empty moves a chunk; one at a time does, and the
 * lock is held for taking a whole chunk only.
 *
 * Closed: `closed` under the lock for pushes behind, then the bit of `tail`, at which every other push's swap
 * fails. What is behind is still moved.
 */
#include "run/job_queue.h"

#include <sched.h>
#include <stdlib.h>

#define SLOTS UINT64_C(8192)
#define CLOSED (UINT64_C(1) << 63)
#define CHUNK_JOBS 510u
#define SPARES 32u /* chunks that are kept for the next crowd */
#define AHEAD 16   /* slots: their lines are asked for in time */

struct ili_job_slot {
    _Atomic uint64_t turn;
    _Atomic(ili_job_function) function;
    _Atomic(void *) argument;
};

struct ili_job_chunk {
    struct ili_job_chunk *next;
    uint32_t count;
    struct ili_job jobs[CHUNK_JOBS];
};

il_status ili_job_queue_init(struct ili_job_queue *queue) {
    queue->slots = aligned_alloc(64, SLOTS * sizeof *queue->slots);
    if (!queue->slots) return IL_ENOMEM;
    for (uint64_t i = 0; i < SLOTS; i++) atomic_init(&queue->slots[i].turn, 0);
    atomic_init(&queue->tail, 0);
    atomic_init(&queue->head, 0);
    atomic_init(&queue->head_seen, 0);
    atomic_init(&queue->put_behind, 0);
    atomic_init(&queue->moves, 0);
    atomic_init(&queue->moved, 0);
    atomic_init(&queue->lock.held, 0);
    queue->first = queue->last = queue->spare = queue->moving = NULL;
    queue->closed = false;
    queue->spares = 0;
    queue->at = 0;
    return IL_OK;
}

void ili_job_queue_free(struct ili_job_queue *queue) {
    while (queue->spare) {
        struct ili_job_chunk *next = queue->spare->next;
        free(queue->spare);
        queue->spare = next;
    }
    free(queue->first);
    free(queue->moving);
    free(queue->slots);
}

/* ---- the ring --------------------------------------------------------------------------------------- */

static struct ili_job_slot *slot_of(struct ili_job_queue *queue, uint64_t at) {
    return &queue->slots[at % SLOTS];
}

/* Whether position AT may be written. */
static bool has_room(struct ili_job_queue *queue, uint64_t at) {
    /* acquire: pairs with the store below, by whoever has looked */
    uint64_t head = atomic_load_explicit(&queue->head_seen, memory_order_acquire);
    if (at - head < SLOTS) return true;
    /* acquire: pairs with the poppers' swap: they have copied what is before it */
    head = atomic_load_explicit(&queue->head, memory_order_acquire);
    atomic_store_explicit(&queue->head_seen, head, memory_order_release);
    return at - head < SLOTS;
}

enum pushed { PUSHED, FULL, SHUT };

/* Writes position AT, which is the caller's, and publishes it. */
static void write_slot(struct ili_job_queue *queue, uint64_t at, struct ili_job job) {
    struct ili_job_slot *slot = slot_of(queue, at);
    atomic_store_explicit(&slot->function, job.function, memory_order_relaxed);
    atomic_store_explicit(&slot->argument, job.argument, memory_order_relaxed);
    /* release: pairs with the popper's acquire */
    atomic_store_explicit(&slot->turn, at + 1, memory_order_release);
    __builtin_prefetch(slot_of(queue, at + AHEAD), 1);
}

static enum pushed push_to_ring(struct ili_job_queue *queue, struct ili_job job) {
    uint64_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
    do {
        if (tail & CLOSED) return SHUT;
        if (!has_room(queue, tail)) return FULL;
        /* seq_cst: against who is about to sleep, see ili_job_queue_is_empty() */
    } while (!atomic_compare_exchange_weak_explicit(&queue->tail, &tail, tail + 1,
                                                    memory_order_seq_cst, memory_order_relaxed));
    write_slot(queue, tail, job);
    return PUSHED;
}

/* Pushes as many of JOBS[0..COUNT) as there is room for, whether the ring is closed or not: they were behind. */
static uint32_t push_many(struct ili_job_queue *queue, const struct ili_job *jobs, uint32_t count) {
    uint64_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed), at;
    do {
        at = tail & ~CLOSED;
        while (count > 0 && !has_room(queue, at + count - 1)) count /= 2;
        if (count == 0) return 0;
    } while (!atomic_compare_exchange_weak_explicit(&queue->tail, &tail, tail + count,
                                                    memory_order_seq_cst, memory_order_relaxed));
    for (uint32_t i = 0; i < count; i++) write_slot(queue, at + i, jobs[i]);
    return count;
}

static uint64_t tail_of(const struct ili_job_queue *queue) {
    return atomic_load_explicit(&queue->tail, memory_order_seq_cst) & ~CLOSED;
}

/* Looks at nothing that pushers use but the slot: who asks their words all the time slows them down. */
static bool pop_from_ring(struct ili_job_queue *queue, struct ili_job *job) {
    uint64_t at = atomic_load_explicit(&queue->head, memory_order_relaxed);
    for (;;) {
        struct ili_job_slot *slot = slot_of(queue, at);
        if (atomic_load_explicit(&slot->turn, memory_order_acquire) == at + 1) {
            job->function = atomic_load_explicit(&slot->function, memory_order_relaxed);
            job->argument = atomic_load_explicit(&slot->argument, memory_order_relaxed);
            /* release: pairs with has_room(): the slot was copied before it is written again */
            if (atomic_compare_exchange_weak_explicit(&queue->head, &at, at + 1,
                                                      memory_order_acq_rel, memory_order_relaxed)) {
                __builtin_prefetch(slot_of(queue, at + AHEAD), 0);
                return true;
            }
            continue;
        }
        uint64_t now = atomic_load_explicit(&queue->head, memory_order_seq_cst);
        if (now == at) return false;
        at = now;
    }
}

/* ---- behind it -------------------------------------------------------------------------------------- */

/* Whether jobs are behind the ring. `moved` first: it never passes the other. */
static bool has_behind(const struct ili_job_queue *queue) {
    uint64_t moved = atomic_load_explicit(&queue->moved, memory_order_seq_cst);
    return atomic_load_explicit(&queue->put_behind, memory_order_seq_cst) != moved;
}

/* Under the lock. NULL: no memory. */
static struct ili_job_chunk *chunk_with_room(struct ili_job_queue *queue) {
    struct ili_job_chunk *chunk = queue->last;
    if (chunk && chunk->count < CHUNK_JOBS) return chunk;
    chunk = queue->spare;
    if (chunk) {
        queue->spare = chunk->next;
        queue->spares--;
    } else {
        chunk = malloc(sizeof *chunk);
    }
    if (!chunk) return NULL;
    chunk->next = NULL;
    chunk->count = 0;
    if (queue->last) {
        queue->last->next = chunk;
    } else {
        queue->first = chunk;
    }
    queue->last = chunk;
    return chunk;
}

static il_status push_behind(struct ili_job_queue *queue, struct ili_job job) {
    struct ili_job_chunk *chunk = NULL;
    ili_quick_lock(&queue->lock);
    il_status status = queue->closed ? IL_ECLOSED : IL_OK;
    if (status == IL_OK) {
        chunk = chunk_with_room(queue);
        if (!chunk) status = IL_ENOMEM;
    }
    if (chunk) {
        chunk->jobs[chunk->count++] = job;
        uint64_t put = atomic_load_explicit(&queue->put_behind, memory_order_relaxed);
        /* who is about to sleep looks at the lock first, see ili_job_queue_is_empty() */
        atomic_store_explicit(&queue->put_behind, put + 1, memory_order_release);
    }
    ili_quick_unlock(&queue->lock);
    return status;
}

static struct ili_job_chunk *take_chunk(struct ili_job_queue *queue) {
    ili_quick_lock(&queue->lock);
    struct ili_job_chunk *chunk = queue->first;
    if (chunk) {
        queue->first = chunk->next;
        if (!queue->first) queue->last = NULL;
    }
    ili_quick_unlock(&queue->lock);
    return chunk;
}

static void give_chunk_back(struct ili_job_queue *queue, struct ili_job_chunk *chunk) {
    ili_quick_lock(&queue->lock);
    bool keep = queue->spares < SPARES;
    if (keep) {
        chunk->next = queue->spare;
        queue->spare = chunk;
        queue->spares++;
    }
    ili_quick_unlock(&queue->lock);
    if (!keep) free(chunk);
}

/* Moves a chunk, or what of it fits, into the ring. */
static void move_up(struct ili_job_queue *queue) {
    /* acquire: pairs with the release below: `moving` and `at` are the last mover's */
    if (atomic_exchange_explicit(&queue->moves, 1, memory_order_acquire) != 0) {
        sched_yield(); /* somebody does */
        return;
    }
    if (!queue->moving) {
        queue->moving = take_chunk(queue);
        queue->at = 0;
    }
    struct ili_job_chunk *chunk = queue->moving;
    uint32_t moved = 0;
    if (chunk) moved = push_many(queue, chunk->jobs + queue->at, chunk->count - queue->at);
    queue->at += moved;
    if (chunk && queue->at == chunk->count) {
        queue->moving = NULL;
        give_chunk_back(queue, chunk);
    }
    /* after they are in the ring: who sees that all were moved pushes behind them */
    atomic_fetch_add_explicit(&queue->moved, moved, memory_order_seq_cst);
    atomic_store_explicit(&queue->moves, 0, memory_order_release);
}

/* ---- both ------------------------------------------------------------------------------------------- */

il_status ili_job_queue_push(struct ili_job_queue *queue, struct ili_job job) {
    if (!has_behind(queue)) {
        enum pushed pushed = push_to_ring(queue, job);
        if (pushed != FULL) return pushed == PUSHED ? IL_OK : IL_ECLOSED;
    }
    return push_behind(queue, job);
}

void ili_job_queue_close(struct ili_job_queue *queue) {
    ili_quick_lock(&queue->lock);
    queue->closed = true;
    ili_quick_unlock(&queue->lock);
    atomic_fetch_or_explicit(&queue->tail, CLOSED, memory_order_seq_cst);
}

bool ili_job_queue_pop(struct ili_job_queue *queue, struct ili_job *job) {
    while (!pop_from_ring(queue, job)) {
        if (!has_behind(queue)) return false;
        move_up(queue);
    }
    return true;
}

/* What is behind first: what leaves there is in the ring by then. While somebody may be putting something
 * there, it is not empty. */
bool ili_job_queue_is_empty(const struct ili_job_queue *queue) {
    if (ili_quick_is_held(&queue->lock)) return false;
    if (has_behind(queue)) return false;
    return atomic_load_explicit(&queue->head, memory_order_seq_cst) == tail_of(queue);
}

uint64_t ili_job_queue_pushed(const struct ili_job_queue *queue) {
    return tail_of(queue) + atomic_load_explicit(&queue->put_behind, memory_order_relaxed) -
           atomic_load_explicit(&queue->moved, memory_order_relaxed);
}
