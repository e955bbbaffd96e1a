#include "server/task_view.h"

#include "base/clock.h"
#include "work/pool.h"

void ili_write_json(struct ili_out *out, const char *key, const char *json, size_t bytes) {
    ili_out_key(out, key);
    if (json) {
        ili_out_json(out, json, bytes);
    } else {
        ili_out_null(out);
    }
}

void ili_write_time(struct ili_out *out, const char *key, int64_t at_ns) {
    ili_out_key(out, key);
    if (at_ns > 0) {
        ili_out_time_ms(out, ili_wall_ms_of(at_ns));
    } else {
        ili_out_null(out);
    }
}

static void write_pool(struct ili_out *out, const struct ili_pool *pool) {
    size_t bytes;
    const char *name = ili_pool_name(pool, &bytes);
    ili_out_key(out, "pool");
    ili_out_text(out, name, bytes);
}

static void write_function(struct ili_out *out, const struct ili_task *task) {
    ili_out_key(out, "function");
    if (task->call && task->function_bytes > 0) {
        ili_out_text(out, task->call, task->function_bytes);
    } else {
        ili_out_null(out); /* of an exec pool */
    }
}

/* How long it was queued and has run: the last attempt's, or so far. */
static void write_durations(struct ili_out *out, const struct ili_task *task) {
    int64_t end_ns = task->ended_ns ? task->ended_ns : ili_now_ns();
    int64_t begin_ns = task->started_ns ? task->started_ns : end_ns;
    ili_out_key(out, "queued_for");
    ili_out_seconds(out, ili_ns_between(task->submitted_ns, begin_ns));
    ili_out_key(out, "ran_for");
    if (task->started_ns) {
        ili_out_seconds(out, ili_ns_between(task->started_ns, end_ns));
    } else {
        ili_out_null(out);
    }
}

static void write_worker(struct ili_out *out, const struct ili_task *task) {
    ili_out_key(out, "worker");
    if (task->worker_number == 0) {
        ili_out_null(out);
        return;
    }
    ili_out_open(out, '{');
    ili_out_key(out, "number");
    ili_out_number(out, task->worker_number);
    ili_out_key(out, "pid");
    ili_out_number(out, task->worker_pid);
    ili_out_close(out, '}');
}

static void write_outcome(struct ili_out *out, const struct ili_task *task) {
    ili_write_json(out, "result", task->result, task->result_bytes);
    ili_write_json(out, "error", task->error, task->error_bytes);
    ili_write_json(out, "progress", task->progress, task->progress_bytes);
    ili_out_key(out, "output");
    if (task->output) {
        ili_out_text(out, task->output, task->output_bytes);
    } else {
        ili_out_string(out, "");
    }
    ili_out_key(out, "output_truncated");
    ili_out_bool(out, task->output_truncated);
}

void ili_task_write(struct ili_out *out, const struct ili_task *task, bool whole) {
    ili_out_open(out, '{');
    ili_out_key(out, "id");
    ili_out_token(out, task->id);
    write_pool(out, task->pool);
    if (task->map) {
        ili_out_key(out, "map");
        ili_out_token(out, task->map->id);
        ili_out_key(out, "index");
        ili_out_number(out, task->index);
    }
    write_function(out, task);
    ili_out_key(out, "state");
    ili_out_string(out, ili_task_state_name((enum ili_task_state)task->state));
    ili_out_key(out, "cancelling");
    ili_out_bool(out, task->cancelling);
    ili_out_key(out, "priority");
    ili_out_signed(out, task->options.priority);
    ili_out_key(out, "attempts");
    ili_out_number(out, task->attempts);
    ili_out_key(out, "retries");
    ili_out_number(out, task->options.retries);
    ili_out_key(out, "crashes");
    ili_out_number(out, task->crashes);
    ili_out_key(out, "set_aside");
    ili_out_bool(out, task->set_aside);
    if (whole) write_outcome(out, task);
    ili_write_time(out, "submitted", task->submitted_ns);
    ili_write_time(out, "started", task->started_ns);
    ili_write_time(out, "ended", task->ended_ns);
    write_durations(out, task);
    write_worker(out, task);
    ili_out_close(out, '}');
}

void ili_map_write(struct ili_out *out, const struct ili_map *map) {
    uint32_t states[ILI_TASK_STATES] = {0};
    ili_out_open(out, '{');
    ili_out_key(out, "id");
    ili_out_token(out, map->id);
    write_pool(out, map->pool);
    if (map->count > 0) {
        write_function(out, map->tasks[0]);
    } else {
        ili_out_key(out, "function");
        ili_out_null(out);
    }
    ili_out_key(out, "count");
    ili_out_number(out, map->count);
    ili_out_key(out, "chunk");
    ili_out_number(out, map->chunk);
    ili_out_key(out, "ended");
    ili_out_number(out, map->ended);
    ili_out_key(out, "succeeded");
    ili_out_number(out, map->succeeded);
    ili_out_key(out, "states");
    ili_out_open(out, '{');
    for (uint32_t i = 0; i < map->count; i++) states[map->tasks[i]->state]++;
    for (int state = 0; state < ILI_TASK_STATES; state++) {
        ili_out_key(out, ili_task_state_name((enum ili_task_state)state));
        ili_out_number(out, states[state]);
    }
    ili_out_close(out, '}');
    ili_write_time(out, "submitted", map->submitted_ns);
    ili_write_time(out, "finished", map->ended_ns);
    ili_out_close(out, '}');
}

void ili_map_write_element(struct ili_out *out, const struct ili_task *task) {
    ili_out_open(out, '{');
    ili_out_key(out, "index");
    ili_out_number(out, task->index);
    ili_out_key(out, "task");
    ili_out_token(out, task->id);
    ili_out_key(out, "state");
    ili_out_string(out, ili_task_state_name((enum ili_task_state)task->state));
    if (task->state == ILI_TASK_SUCCEEDED) {
        ili_write_json(out, "result", task->result, task->result_bytes);
    } else {
        ili_write_json(out, "error", task->error, task->error_bytes);
    }
    ili_out_close(out, '}');
}
