/*
 * worker.c - a worker's life after its start. Where it stands in its pool:
 *
 *   has_place     it is one of the pool's wanted workers. One that was told to end gives its place up at
 *                 once, so that another is started; one that is killed keeps it until it is gone
 *   is_open       it takes a call: up, a lane free, not at its last task, and it reads what it is sent
 *   told_to_end   its sending side is closed: it finishes what it runs and exits
 *   killed        SIGKILL is on its way; what it still says counts if it is `blameless`
 *
 * It leaves with the spawner's ENDED or FAILED only; everything before is a reason to wait for that.
 */
#include "work/worker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "work/attempt.h"

/* From the end of a worker's socket to its SIGKILL: a process that exits closes it a moment before. */
#define CLOSED_GRACE_NS INT64_C(250000000)
#define PENDING_MOST ((size_t)1 << 20) /* that a worker has not read, for another call to be sent */

void ili_worker_set_state(struct ili_worker *worker, enum ili_worker_state state) {
    if (worker->state == state) return;
    worker->state = state;
    worker->since_ns = worker->pool->engine->now_ns;
}

/* ---- open or not --------------------------------------------------------------------------------- */

static void set_open(struct ili_worker *worker, bool open) {
    struct ili_pool *pool = worker->pool;
    if (worker->is_open == open) return;
    worker->is_open = open;
    if (open) {
        worker->previous_open = NULL;
        worker->next_open = pool->open;
        if (pool->open) pool->open->previous_open = worker;
        pool->open = worker;
        return;
    }
    if (worker->previous_open) {
        worker->previous_open->next_open = worker->next_open;
    } else {
        pool->open = worker->next_open;
    }
    if (worker->next_open) worker->next_open->previous_open = worker->previous_open;
}

static void give_place_up(struct ili_worker *worker) {
    if (!worker->has_place) return;
    worker->has_place = false;
    worker->pool->places--;
    ili_pool_attend(worker->pool);
}

void ili_worker_settle(struct ili_worker *worker) {
    const struct ili_pool_options *options = &worker->pool->options;
    bool last = options->max_tasks_per_worker && worker->given >= options->max_tasks_per_worker;
    if (worker->state == ILI_WORKER_ENDING || !worker->up) {
        set_open(worker, false);
        return;
    }
    ili_worker_set_state(worker, worker->flight_count ? ILI_WORKER_BUSY : ILI_WORKER_IDLE);
    set_open(worker,
             !last && worker->lanes < worker->slots && ili_wire_pending(worker) < PENDING_MOST);
    if (last && worker->flight_count == 0) {
        worker->pool->counts.replaced_workers++;
        ili_worker_tell_to_end(worker);
    }
}

/* ---- the end ------------------------------------------------------------------------------------- */

void ili_worker_tell_to_end(struct ili_worker *worker) {
    struct ili_pool *pool = worker->pool;
    if (worker->state == ILI_WORKER_ENDING) return;
    ili_worker_set_state(worker, ILI_WORKER_ENDING);
    set_open(worker, false);
    worker->told_to_end = true;
    worker->kill_ns = pool->engine->now_ns + pool->options.grace_ns;
    ili_worker_keep_time(worker);
    /* what is not sent yet would be a cancel of a call that it has answered */
    (void)shutdown(worker->socket.fd, SHUT_WR);
    if (worker->has_place) pool->retiring++;
    give_place_up(worker);
}

void ili_worker_kill(struct ili_worker *worker, bool blameless, const char *format, ...) {
    va_list arguments;
    if (worker->killed) return;
    worker->killed = true;
    worker->blameless = blameless;
    va_start(arguments, format);
    vsnprintf(worker->why, sizeof worker->why, format, arguments);
    va_end(arguments);
    ili_worker_set_state(worker, ILI_WORKER_ENDING);
    set_open(worker, false);
    if (!blameless) ili_wire_close_source(worker, &worker->socket); /* nothing it says counts */
    ili_spawner_kill(&worker->pool->engine->pools->spawner, worker->program.id, 9);
}

void ili_worker_closed(struct ili_worker *worker) {
    struct ili_engine *engine = worker->pool->engine;
    ili_wire_close_source(worker, &worker->socket);
    if (worker->told_to_end || worker->killed) return;
    ili_worker_set_state(worker, ILI_WORKER_ENDING);
    set_open(worker, false);
    worker->kill_ns = engine->now_ns + CLOSED_GRACE_NS;
    ili_worker_keep_time(worker);
}

/* ---- time ---------------------------------------------------------------------------------------- */

static int64_t next_due(const struct ili_worker *worker) {
    int64_t due_ns = worker->kill_ns ? worker->kill_ns : ILI_NEVER;
    for (uint32_t i = 0; i < worker->flight_room; i++) {
        const struct ili_flight *flight = &worker->flights[i];
        if (flight->serial && flight->kill_ns && flight->kill_ns < due_ns) due_ns = flight->kill_ns;
    }
    return due_ns;
}

static void kill_overdue(struct ili_worker *worker, int64_t now_ns) {
    if (!worker->kill_ns || worker->kill_ns > now_ns) {
        ili_worker_kill(worker, true, "it did not stop in time");
    } else if (worker->told_to_end) {
        ili_worker_kill(worker, true, "it did not exit when it was told to");
    } else if (worker->socket.fd < 0) {
        ili_worker_kill(worker, false, "it closed its socket");
    } else {
        ili_worker_kill(worker, false, "it did not say hello within %.3f s",
                        (double)worker->pool->options.start_limit_ns / 1e9);
    }
}

static void timer_fired(struct ili_timer *timer, void *context) {
    struct ili_worker *worker =
        (struct ili_worker *)((char *)timer - offsetof(struct ili_worker, timer));
    int64_t now_ns = ili_now_ns();
    (void)context;
    worker->pool->engine->now_ns = now_ns;
    if (worker->killed) return;
    if (next_due(worker) <= now_ns) {
        kill_overdue(worker, now_ns);
    } else {
        ili_worker_keep_time(worker);
    }
}

/* The timer may stand earlier than it must: it is moved when it fires. */
void ili_worker_keep_time(struct ili_worker *worker) {
    struct ili_timers *timers = worker->pool->engine->pools->timers;
    int64_t due_ns = next_due(worker);
    worker->timer.fire = timer_fired;
    if (due_ns == ILI_NEVER || worker->killed) {
        ili_timers_clear(timers, &worker->timer);
    } else if (!ili_timers_set(timers, &worker->timer, due_ns)) {
        kill_overdue(worker, due_ns); /* whom nobody would watch over */
    }
}

/* ---- gone ---------------------------------------------------------------------------------------- */

void ili_worker_leave(struct ili_worker *worker) {
    struct ili_pool *pool = worker->pool;
    struct ili_engine *engine = pool->engine;
    if (worker->told_to_end && !worker->has_place && pool->retiring) pool->retiring--;
    give_place_up(worker);
    set_open(worker, false);
    ili_timers_clear(engine->pools->timers, &worker->timer);
    ili_wire_close(worker);
    if (worker->previous) {
        worker->previous->next = worker->next;
    } else {
        pool->workers = worker->next;
    }
    if (worker->next) worker->next->previous = worker->previous;
    if (worker->is_unsent) {
        struct ili_worker **at = &engine->unsent;
        while (*at != worker) at = &(*at)->next_unsent;
        *at = worker->next_unsent;
        worker->is_unsent = false;
    }
    worker->next_unsent = engine->gone;
    engine->gone = worker;
    ili_pool_attend(pool);
}

void ili_worker_free(struct ili_worker *worker) {
    for (uint32_t i = 0; i < worker->flight_room; i++) ili_output_free(&worker->flights[i].output);
    free(worker->flights);
    ili_out_free(&worker->out);
    free(worker->line);
    ili_output_free(&worker->output);
    ili_output_free(&worker->errors);
    free(worker);
}

static void log_death(const struct ili_worker *worker, const struct ili_death *death) {
    struct ili_log_line line;
    ili_log_begin(&line, ILI_LOG_WARN, "worker.died");
    ili_log_text(&line, "pool", worker->pool->name);
    ili_log_number(&line, "worker", (int64_t)worker->number);
    ili_log_number(&line, "pid", worker->pid);
    ili_log_text(&line, "detail", death->message);
    ili_log_end(&line);
}

static void count_end(struct ili_worker *worker, const struct ili_death *death, bool orderly) {
    struct ili_pool *pool = worker->pool;
    const struct ili_output *output = &worker->output;
    int tail = output->bytes > 600 ? 600 : (int)output->bytes;
    if (!orderly && !worker->blameless) {
        pool->counts.crashed_workers++;
        log_death(worker, death);
    }
    if (!worker->up && !worker->blameless) {
        ili_pool_set_trouble(pool, false, "%s%s%.*s", death->message,
                             tail ? "; its last output: " : "", tail,
                             output->data ? output->data + output->bytes - tail : "");
    } else if (worker->killed && !worker->blameless) {
        ili_pool_set_trouble(pool, true, "%s", death->message);
    }
    if (worker->succeeded) {
        ili_backoff_success(pool);
    } else if (!worker->told_to_end && !worker->blameless) {
        ili_backoff_failure(pool, worker->started_ns, worker->up);
    }
}

static void ended(struct ili_worker *worker, const struct ili_spawner_event *event) {
    struct ili_death death;
    ili_wire_read_rest(worker); /* answers that it gave before */
    ili_death_describe(worker, event, &death);
    bool orderly = worker->told_to_end && death.exit_code == 0;
    if (!worker->told_to_end) worker->pool->counts.replaced_workers++;
    count_end(worker, &death, orderly);
    ili_flights_abandon(worker, &death);
    ili_worker_leave(worker);
}

void ili_worker_started(struct ili_worker *worker, pid_t pid) {
    worker->pid = (uint32_t)pid;
    if (worker->initialised) ili_worker_come_up(worker); /* it was quicker than this event */
}

static void event_came(struct ili_program *program, const struct ili_spawner_event *event) {
    struct ili_worker *worker = (struct ili_worker *)program;
    switch (event->what_happened) {
    case ILI_SPAWNER_STARTED: ili_worker_started(worker, event->pid); break;
    case ILI_SPAWNER_FAILED:
        ili_pool_set_trouble(worker->pool, false, "the command cannot be run: %s: %s", event->what,
                             strerror(event->error));
        ili_backoff_failure(worker->pool, worker->started_ns, false);
        ili_worker_leave(worker);
        break;
    case ILI_SPAWNER_ENDED: ended(worker, event); break;
    }
}

struct ili_worker *ili_worker_new(struct ili_pool *pool) {
    struct ili_worker *worker = calloc(1, sizeof *worker);
    if (!worker) return NULL;
    worker->pool = pool;
    worker->program.event = event_came;
    worker->number = ++pool->last_number;
    worker->started_ns = worker->since_ns = pool->engine->now_ns;
    worker->socket.fd = -1;
    worker->flight_free = ILI_NO_FLIGHT;
    for (int i = 0; i < 2; i++) {
        worker->outlets[i] = (struct ili_outlet){
            .source = {.fd = -1, .early = true, .ready = ili_wire_output_ready}, .worker = worker};
    }
    worker->next = pool->workers;
    if (pool->workers) pool->workers->previous = worker;
    pool->workers = worker;
    return worker;
}
