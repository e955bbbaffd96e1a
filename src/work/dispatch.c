/*
 * dispatch.c - queued tasks go to workers that are open.
 *
 * How many go in one line, to a worker that takes batches:
 *   a map's element whose chunk the caller chose   so many, of that map
 *   any other, or a chosen chunk of 1              so many as take about HORIZON_NS, by what calls of the
 *                                                  pool took lately; not more than an equal share of those
 *                                                  that are queued
 * and always one as a worker's first call, or while output was seen, so that it is known whose it is. Those
 * that wait behind a call that takes long after all are taken back when another worker is idle.
 */
#include "work/attempt.h"
#include "work/worker.h"

#define HORIZON_NS INT64_C(250000)
#define BATCH_MOST 128u
#define CHUNK_MOST 4096u
#define LINE_BYTES ((size_t)1 << 20) /* a batch that is longer is not added to */
#define RETRY_NS INT64_C(100000000)

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* The map to whose chunks TASK keeps; NULL: none. */
const struct ili_map *ili_task_chunk(const struct ili_task *task) {
    return task->map && task->map->chunk_chosen && task->map->chunk > 1 ? task->map : NULL;
}

/* How many tasks, FIRST the first of them, go to WORKER at once. */
static size_t batch_of(const struct ili_worker *worker, const struct ili_task *first) {
    const struct ili_pool *pool = worker->pool;
    const struct ili_map *map = ili_task_chunk(first);
    size_t most = pool->backlog.count, lanes = pool->places;
    if (!worker->batch || worker->given == 0 || pool->chatty) return 1;
    if (pool->options.max_tasks_per_worker) {
        most = smaller(most, pool->options.max_tasks_per_worker - worker->given);
    }
    if (map) return smaller(most, smaller(map->chunk, CHUNK_MOST));
    if (pool->options.kind == ILI_POOL_THREAD) lanes = worker->slots;
    size_t share = (pool->backlog.count + lanes - 1) / (lanes ? lanes : 1);
    size_t quick = pool->call_ns ? (size_t)(HORIZON_NS / pool->call_ns) : 1;
    most = smaller(most, smaller(share, smaller(quick, BATCH_MOST)));
    return most ? most : 1;
}

/* Adds TASK to the line that is being written. False: no memory, and nothing is changed. */
static bool add(struct ili_worker *worker, struct ili_task *task, uint32_t *last) {
    struct ili_out *out = &worker->out;
    size_t before = out->bytes;
    uint32_t index = ili_flight_open(worker, task, *last);
    if (index == ILI_NO_FLIGHT) return false;
    ili_call_write(out, ili_flight_id(worker, index), task);
    if (out->failed) {
        out->failed = false;
        out->bytes = before;
        ili_flight_undo(worker, index);
        return false;
    }
    ili_backlog_remove(&worker->pool->backlog, task);
    *last = index;
    return true;
}

/* Nothing of the lane that ends with the flight LAST was written after all. */
static void take_lane_back(struct ili_worker *worker, uint32_t last, size_t bytes) {
    while (last != ILI_NO_FLIGHT) {
        struct ili_task *task = worker->flights[last].task;
        uint32_t before = worker->flights[last].before;
        ili_flight_undo(worker, last);
        ili_backlog_add(&worker->pool->backlog, task);
        last = before;
    }
    worker->out.failed = false;
    worker->out.bytes = bytes;
}

static void begin_lane(struct ili_worker *worker, uint32_t last, uint32_t count) {
    uint32_t first = last;
    for (uint32_t index = last; index != ILI_NO_FLIGHT; index = worker->flights[index].before) {
        worker->flights[index].lane_ns = worker->pool->engine->now_ns;
        worker->flights[index].lane_calls = count;
        first = index;
    }
    worker->given += count;
    ili_flight_begin(worker, first);
}

/* Gives WORKER a line of calls. False: no memory. */
static bool give(struct ili_worker *worker) {
    struct ili_pool *pool = worker->pool;
    struct ili_out *out = &worker->out;
    struct ili_task *task = ili_backlog_first(&pool->backlog);
    const struct ili_map *map = ili_task_chunk(task);
    size_t most = batch_of(worker, task), before = out->bytes;
    uint32_t last = ILI_NO_FLIGHT, count = 0;
    if (most > 1) ili_out_open(out, '[');
    while (!out->failed && count < most && task && ili_task_chunk(task) == map &&
           (count == 0 || out->bytes - before < LINE_BYTES) && add(worker, task, &last)) {
        count++;
        task = ili_backlog_first(&pool->backlog);
    }
    if (most > 1) ili_out_close(out, ']');
    ili_out_line(out);
    if (count == 0 || out->failed) {
        take_lane_back(worker, last, before);
        return false;
    }
    begin_lane(worker, last, count);
    ili_wire_unsent(worker);
    ili_worker_settle(worker);
    return true;
}

void ili_pool_dispatch(struct ili_pool *pool) {
    bool given = true;
    if (pool->options.kind == ILI_POOL_EXEC) {
        while (given && pool->backlog.count && pool->places < pool->wanted) {
            given = ili_exec_start(pool, ili_backlog_first(&pool->backlog));
        }
    } else {
        while (given && pool->backlog.count && pool->open) given = give(pool->open);
    }
    if (!given) pool->retry_ns = pool->engine->now_ns + RETRY_NS;
}
