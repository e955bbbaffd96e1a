/*
 * flight.c - the calls that a worker was sent. An id on the wire is serial << 16 | index, so an answer finds
 * its flight at once, and a late or invented one finds none.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "work/attempt.h"
#include "work/worker.h"

#define INDEX_BITS 16

uint64_t ili_flight_id(const struct ili_worker *worker, uint32_t index) {
    return worker->flights[index].serial << INDEX_BITS | index;
}

struct ili_flight *ili_flight_find(struct ili_worker *worker, uint64_t id) {
    uint64_t index = id & ((1u << INDEX_BITS) - 1);
    if (index >= worker->flight_room || id >> INDEX_BITS == 0) return NULL;
    struct ili_flight *flight = &worker->flights[index];
    return flight->serial == id >> INDEX_BITS ? flight : NULL;
}

uint32_t ili_flight_running(struct ili_worker *worker) {
    uint32_t index = worker->last_begun;
    if (worker->flights[index].serial && worker->flights[index].begun) return index;
    for (index = 0; !worker->flights[index].serial || !worker->flights[index].begun;) index++;
    return worker->last_begun = index;
}

static bool grow(struct ili_worker *worker) {
    uint32_t room = worker->flight_room ? worker->flight_room * 2 : 16;
    if (room > ILI_FLIGHTS_MOST) return false;
    struct ili_flight *flights = realloc(worker->flights, room * sizeof *flights);
    if (!flights) return false;
    memset(flights + worker->flight_room, 0, (room - worker->flight_room) * sizeof *flights);
    for (uint32_t i = room; i-- > worker->flight_room;) {
        flights[i].behind = worker->flight_free;
        worker->flight_free = i;
    }
    worker->flights = flights;
    worker->flight_room = room;
    return true;
}

static void count_unbegun(struct ili_worker *worker, int by) {
    worker->unbegun += (uint32_t)by;
    worker->pool->unbegun += (uint64_t)(int64_t)by;
}

/* A flight of TASK, behind BEFORE in its lane, or (ILI_NO_FLIGHT) in a lane of its own. ILI_NO_FLIGHT: no
 * memory. */
uint32_t ili_flight_open(struct ili_worker *worker, struct ili_task *task, uint32_t before) {
    if (worker->flight_free == ILI_NO_FLIGHT && !grow(worker)) return ILI_NO_FLIGHT;
    uint32_t index = worker->flight_free;
    struct ili_flight *flight = &worker->flights[index];
    worker->flight_free = flight->behind;
    *flight = (struct ili_flight){.task = task,
                                  .task_id = task->id,
                                  .serial = ++worker->last_serial,
                                  .before = before,
                                  .behind = ILI_NO_FLIGHT};
    if (before != ILI_NO_FLIGHT) {
        worker->flights[before].behind = index;
    } else {
        worker->lanes++;
    }
    worker->flight_count++;
    count_unbegun(worker, 1);
    task->worker = worker;
    task->flight = index;
    return index;
}

/* Out of its lane. Returns what is behind it. */
static uint32_t take_out(struct ili_worker *worker, struct ili_flight *flight) {
    uint32_t index = (uint32_t)(flight - worker->flights), behind = flight->behind;
    if (flight->before != ILI_NO_FLIGHT) worker->flights[flight->before].behind = behind;
    if (behind != ILI_NO_FLIGHT) worker->flights[behind].before = flight->before;
    if (flight->before == ILI_NO_FLIGHT && behind == ILI_NO_FLIGHT) worker->lanes--;
    if (!flight->begun) count_unbegun(worker, -1);
    ili_output_free(&flight->output);
    flight->serial = 0;
    flight->task = NULL;
    flight->behind = worker->flight_free;
    worker->flight_free = index;
    worker->flight_count--;
    return behind;
}

static void leave_task(struct ili_flight *flight) {
    flight->task->worker = NULL;
    flight->task->flight = ILI_NO_FLIGHT;
    flight->task = NULL;
}

void ili_flight_undo(struct ili_worker *worker, uint32_t index) {
    leave_task(&worker->flights[index]);
    take_out(worker, &worker->flights[index]);
}

static void set_kill(struct ili_worker *worker, struct ili_flight *flight) {
    int64_t now_ns = worker->pool->engine->now_ns;
    if (flight->kill_ns) return;
    flight->kill_ns = now_ns + worker->pool->options.grace_ns;
    ili_worker_keep_time(worker);
}

void ili_flight_begin(struct ili_worker *worker, uint32_t index) {
    struct ili_flight *flight = &worker->flights[index];
    flight->begun = true;
    worker->last_begun = index;
    count_unbegun(worker, -1);
    if (flight->stopped) set_kill(worker, flight);
    if (flight->task) ili_attempt_begin(flight->task);
}

/* Quick to learn that calls take long, slow to forget it. */
static void learn_time(struct ili_pool *pool, int64_t sample_ns) {
    int64_t more_ns = sample_ns - pool->call_ns;
    if (pool->call_ns == 0) {
        pool->call_ns = sample_ns;
    } else {
        pool->call_ns += more_ns > 0 ? more_ns / 2 : more_ns / 8;
    }
    if (pool->call_ns < 1) pool->call_ns = 1;
}

void ili_flight_close(struct ili_worker *worker, struct ili_flight *flight) {
    struct ili_pool *pool = worker->pool;
    bool first = flight->before == ILI_NO_FLIGHT;
    int64_t lane_ns = flight->lane_ns;
    uint32_t calls = flight->lane_calls;
    if (flight->task) leave_task(flight);
    uint32_t behind = take_out(worker, flight);
    if (first && behind != ILI_NO_FLIGHT) {
        ili_flight_begin(worker, behind);
    } else if (first) {
        learn_time(pool, (pool->engine->now_ns - lane_ns) / calls);
    }
}

/* Without memory for it the worker is not asked. */
static void write_cancel(struct ili_worker *worker, uint32_t index) {
    size_t before = worker->out.bytes;
    ili_call_write_cancel(&worker->out, ili_flight_id(worker, index));
    if (worker->out.failed) {
        worker->out.bytes = before;
        worker->out.failed = false;
        return;
    }
    ili_wire_unsent(worker);
}

/* Asks that it end soon. The grace begins when it has begun. */
void ili_flight_stop(struct ili_worker *worker, uint32_t index) {
    struct ili_flight *flight = &worker->flights[index];
    struct ili_pool *pool = worker->pool;
    if (!flight->stopped) {
        flight->stopped = true;
        if (pool->options.kind == ILI_POOL_EXEC) {
            ili_spawner_kill(&pool->engine->pools->spawner, worker->program.id, 15);
        } else if (!flight->taken_back) {
            write_cancel(worker, index);
        }
    }
    if (flight->begun) set_kill(worker, flight);
}

void ili_flight_take_back(struct ili_worker *worker, uint32_t index) {
    struct ili_flight *flight = &worker->flights[index];
    if (flight->stopped || flight->taken_back) return;
    flight->taken_back = true;
    write_cancel(worker, index);
}

struct ili_task *ili_flight_detach(struct ili_worker *worker, struct ili_flight *flight) {
    struct ili_task *task = flight->task;
    if (!task) return NULL;
    ili_wire_drain_output(worker);
    ili_attempt_output(task, &flight->output);
    leave_task(flight);
    return task;
}

/* ---- the worker is gone -------------------------------------------------------------------------- */

static const struct ili_output *last_output(const struct ili_worker *worker,
                                            const struct ili_flight *flight) {
    return flight->output.bytes ? &flight->output : &worker->output;
}

static void abandon(struct ili_worker *worker, struct ili_flight *flight,
                    const struct ili_death *death) {
    struct ili_task *task = flight->task;
    bool exec = worker->pool->options.kind == ILI_POOL_EXEC, expired = flight->expired;
    bool begun = flight->begun && (exec || flight->serial <= worker->sent_serial);
    if (!task) return;
    struct ili_error error = {0};
    if (task->cancelling) {
        error = ili_error_make("Cancelled", "it was cancelled");
    } else if (begun && !expired && !worker->blameless) {
        error = ili_death_error(death, last_output(worker, flight));
    }
    ili_attempt_output(task, &flight->output);
    leave_task(flight);
    if (task->cancelling) {
        ili_task_end(task, ILI_TASK_CANCELLED, &error);
    } else if (begun && expired) {
        ili_attempt_timed_out(task);
    } else if (begun && !worker->blameless) {
        ili_attempt_failed(task, ILI_FAILURE_CRASH, error);
    } else {
        ili_attempt_undo(task);
    }
}

/* The program has ended: what it ran has failed, and what had not begun is as if it had not been sent. */
void ili_flights_abandon(struct ili_worker *worker, const struct ili_death *death) {
    for (uint32_t i = 0; i < worker->flight_room; i++) {
        struct ili_flight *flight = &worker->flights[i];
        if (!flight->serial) continue;
        abandon(worker, flight, death);
        /* not ili_flight_close(): nothing begins any more */
        if (!flight->begun) count_unbegun(worker, -1);
        ili_output_free(&flight->output);
        flight->serial = 0;
    }
    worker->flight_count = worker->lanes = 0;
    free(worker->flights);
    worker->flights = NULL;
    worker->flight_room = 0;
    worker->flight_free = ILI_NO_FLIGHT;
}
