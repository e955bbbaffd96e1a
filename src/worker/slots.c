/*
 * A batch is `waiting` until a thread takes it, then `taken` by that thread until its last answer. Both are
 * under `lock`; so whoever cancels sees each request from when it was read until it is answered.
 *
 * A request of it:
 *   nobody's   neither `begun` nor cancelled
 *   begun      its thread runs it, `runs` of the slot says which; a cancel is told to the thread
 *   cancelled before it begun: whoever cancels answers it, at once, and its thread passes it over
 * `begun` and `cancelled` change under `lock`; a function reads `cancelled` of its own without.
 */
#include "worker/slots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/lane.h"

struct slot {
    struct worker_slots *slots;
    pthread_t thread;
    uint64_t number; /* il_thread_self(); 0: its Interlock calls cannot be told */
    struct worker_batch *taken;
    struct worker_request *runs; /* NULL: none */
    struct worker_run run;
};

struct worker_slots {
    const struct worker_module *module;
    struct worker_channel *channel;
    pthread_mutex_t lock;
    pthread_cond_t more; /* waiting is not empty, or finishing */
    struct worker_batch *waiting, **last;
    bool finishing;
    struct worker_run refusal; /* of whoever cancels */
    unsigned count, threads;
    struct slot slot[];
};

static il_status report(struct worker_run *run, const char *json, size_t bytes) {
    struct slot *slot = run->from;
    return worker_report(slot->slots->channel, run->request->id, json, bytes);
}

/* False: it was cancelled before, and is answered. */
static bool begin(struct slot *slot, struct worker_request *request) {
    pthread_mutex_lock(&slot->slots->lock);
    bool mine = !atomic_load_explicit(&request->cancelled, memory_order_relaxed);
    request->begun = mine;
    if (mine) slot->runs = request;
    pthread_mutex_unlock(&slot->slots->lock);
    return mine;
}

/* It is answered: from now on a cancel of it is late. */
static void end(struct slot *slot, const struct worker_request *request) {
    pthread_mutex_lock(&slot->slots->lock);
    slot->runs = NULL;
    bool cancelled = atomic_load_explicit(&request->cancelled, memory_order_relaxed);
    pthread_mutex_unlock(&slot->slots->lock);
    if (cancelled) il_cancel_clear(); /* it was for this call, not for the next */
}

static void serve(struct slot *slot, struct worker_request *request) {
    struct worker_run *run = &slot->run;
    if (!begin(slot, request)) return;
    if (request->kind == WORKER_UNKNOWN) {
        worker_run_refuse(run, WORKER_NO_FUNCTION, "LookupError", "there is no such method");
    } else if (request->kind == WORKER_UNFIT) {
        worker_run_refuse(run, WORKER_BAD_ARGUMENTS, "TypeError",
                          "params are to be an object with function, args and kwargs");
    } else {
        il_status (*function)(il_call *) = worker_lane_function(request->function);
        if (!function) function = worker_module_function(slot->slots->module, request->function);
        worker_run(run, function, request);
    }
    fflush(stdout); /* what it wrote belongs to this call: it must be there before the answer */
    worker_answer(slot->slots->channel, request->id, run);
    end(slot, request);
}

/* LOCK is held. */
static struct worker_batch *first(struct worker_slots *slots) {
    struct worker_batch *batch = slots->waiting;
    if (batch) {
        slots->waiting = batch->next;
        if (!slots->waiting) slots->last = &slots->waiting;
    }
    return batch;
}

/* The next batch, which is then taken; NULL: there will be no more. */
static struct worker_batch *take(struct slot *slot) {
    struct worker_slots *slots = slot->slots;
    pthread_mutex_lock(&slots->lock);
    slot->taken = NULL;
    while (!slots->waiting && !slots->finishing) pthread_cond_wait(&slots->more, &slots->lock);
    struct worker_batch *batch = slot->taken = first(slots);
    pthread_mutex_unlock(&slots->lock);
    return batch;
}

static void run_all(struct slot *slot, struct worker_batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        if (atomic_load_explicit(&slot->slots->channel->gone, memory_order_relaxed)) break;
        serve(slot, &batch->requests[i]);
    }
}

static void *work(void *argument) {
    struct slot *slot = argument;
    struct worker_batch *batch, *done = NULL;
    uint64_t number = il_thread_self();
    pthread_mutex_lock(&slot->slots->lock);
    slot->number = number;
    pthread_mutex_unlock(&slot->slots->lock);
    while ((batch = take(slot))) {
        worker_batch_free(done); /* only now is it nobody's: take() has let go of it */
        run_all(slot, batch);
        done = batch;
    }
    worker_batch_free(done);
    return NULL;
}

struct worker_slots *worker_slots_start(unsigned count, const struct worker_module *module,
                                        struct worker_channel *channel) {
    unsigned room = count ? count : 1;
    struct worker_slots *slots = calloc(1, sizeof *slots + room * sizeof slots->slot[0]);
    if (!slots) return NULL;
    slots->module = module;
    slots->channel = channel;
    slots->last = &slots->waiting;
    pthread_mutex_init(&slots->lock, NULL);
    pthread_cond_init(&slots->more, NULL);
    for (; slots->count < room; slots->count++) {
        struct slot *slot = &slots->slot[slots->count];
        slot->slots = slots;
        slot->run.report = report;
        slot->run.from = slot;
        if (count == 0) continue;
        int error = pthread_create(&slot->thread, NULL, work, slot);
        if (error == 0) slots->threads++;
        if (error == 0) continue;
        worker_slots_finish(slots);
        errno = error;
        return NULL;
    }
    return slots;
}

void worker_slots_give(struct worker_slots *slots, struct worker_batch *batch) {
    batch->next = NULL;
    pthread_mutex_lock(&slots->lock);
    *slots->last = batch;
    slots->last = &batch->next;
    pthread_mutex_unlock(&slots->lock);
    pthread_cond_signal(&slots->more);
}

void worker_slots_run(struct worker_slots *slots, struct worker_batch *batch) {
    struct slot *slot = &slots->slot[0];
    uint64_t number = il_thread_self();
    pthread_mutex_lock(&slots->lock);
    slot->number = number;
    slot->taken = batch;
    pthread_mutex_unlock(&slots->lock);
    run_all(slot, batch);
    pthread_mutex_lock(&slots->lock);
    slot->taken = NULL;
    pthread_mutex_unlock(&slots->lock);
    worker_batch_free(batch);
}

struct worker_batch *worker_slots_next(struct worker_slots *slots) {
    pthread_mutex_lock(&slots->lock);
    struct worker_batch *batch = first(slots);
    pthread_mutex_unlock(&slots->lock);
    return batch;
}

/* The request of that id in BATCH (may be NULL); NULL: it is not there. */
static struct worker_request *find(struct worker_batch *batch, struct ili_json_span id) {
    for (size_t i = 0; batch && i < batch->count; i++) {
        struct worker_request *request = &batch->requests[i];
        if (request->id.bytes == id.bytes && memcmp(request->id.at, id.at, id.bytes) == 0) {
            return request;
        }
    }
    return NULL;
}

/* LOCK is held. */
static void cancel(struct worker_slots *slots, struct worker_request *request, struct slot *slot) {
    if (atomic_load_explicit(&request->cancelled, memory_order_relaxed)) return;
    if (!request->begun) {
        atomic_store_explicit(&request->cancelled, true, memory_order_relaxed);
        worker_run_refuse(&slots->refusal, WORKER_CANCELLED, "Cancelled",
                          "cancelled before it began");
        worker_answer(slots->channel, request->id, &slots->refusal);
    } else if (slot && slot->runs == request) { /* else it is answered */
        atomic_store_explicit(&request->cancelled, true, memory_order_relaxed);
        if (slot->number) il_cancel(slot->number);
    }
}

void worker_slots_cancel(struct worker_slots *slots, struct ili_json_span id) {
    struct worker_request *request = NULL;
    struct slot *slot = NULL;
    pthread_mutex_lock(&slots->lock);
    for (unsigned i = 0; i < slots->count && !request; i++) {
        slot = &slots->slot[i];
        request = find(slot->taken, id);
    }
    for (struct worker_batch *b = slots->waiting; b && !request; b = b->next) {
        slot = NULL;
        request = find(b, id);
    }
    if (request) cancel(slots, request, slot);
    pthread_mutex_unlock(&slots->lock);
}

void worker_slots_finish(struct worker_slots *slots) {
    pthread_mutex_lock(&slots->lock);
    slots->finishing = true;
    pthread_mutex_unlock(&slots->lock);
    pthread_cond_broadcast(&slots->more);
    for (unsigned i = 0; i < slots->threads; i++) pthread_join(slots->slot[i].thread, NULL);
    for (unsigned i = 0; i < slots->count; i++) worker_run_end(&slots->slot[i].run);
    worker_run_end(&slots->refusal);
    pthread_cond_destroy(&slots->more);
    pthread_mutex_destroy(&slots->lock);
    free(slots);
}
