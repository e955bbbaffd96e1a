/*
 * worker.h - one program that works for a pool: a worker that speaks the protocol, or a run of an exec
 * pool's command. And the flights: the calls that it was sent and has not answered.
 *
 *   STARTING ─hello, initialised─▶ IDLE ⇄ BUSY ─told to end, or killed─▶ ENDING ─ENDED─▶ gone
 *
 * Calls go in lanes, one for each slot: those of a lane were sent in one line and run one after the other.
 * The first of a lane has begun, the others wait (`unbegun`). What a worker answers to a flight without
 * a task is dropped: nobody waits for it any more.
 */
#ifndef ILI_WORK_WORKER_H
#define ILI_WORK_WORKER_H

#include "work/engine.h"
#include "work/message.h"
#include "work/output.h"

#define ILI_NO_FLIGHT UINT32_MAX
#define ILI_FLIGHTS_MOST 65536u

struct ili_flight {
    struct ili_task *task; /* NULL: nobody waits for its answer */
    uint64_t task_id;
    uint64_t serial;         /* of the call in its worker; 0: unused */
    uint32_t before, behind; /* in its lane; behind also links the unused ones */
    bool begun;
    bool stopped;    /* the worker was asked to cancel it */
    bool taken_back; /* so that another worker may run it */
    bool expired;    /* its time limit has passed */
    int64_t kill_ns; /* when the worker is killed if it has not answered; 0: not set */
    int64_t lane_ns; /* when the lane began */
    uint32_t lane_calls;
    struct ili_output output;
};

/* A pipe of a program's output. */
struct ili_outlet {
    struct ili_source source; /* fd -1: closed */
    struct ili_worker *worker;
};

struct ili_worker {
    struct ili_program program; /* first */
    struct ili_pool *pool;
    uint64_t number;
    uint32_t pid;
    enum ili_worker_state state;
    char name[64];
    struct ili_source socket;     /* fd -1: closed, or a run of an exec pool */
    struct ili_outlet outlets[2]; /* a worker has one for both; a run: stdout, stderr */
    uint32_t slots, lanes;        /* how many calls at once, and now */
    bool greeted;                 /* said hello */
    bool initialised;
    bool up; /* that too, and its pid is known */
    bool batch;
    bool has_place; /* counts in pool->places */
    bool told_to_end;
    bool killed; /* by us */
    bool
        blameless; /* what it ran is not to blame for that, but those that `expired` or were stopped */
    bool too_much; /* a run wrote more than it may */
    bool waits_to_write, is_unsent, is_open;
    char why[200];                /* it was killed */
    uint64_t given, done;         /* calls */
    uint64_t succeeded;           /* calls, and reports of progress */
    int64_t started_ns, since_ns; /* since: in its state */
    int64_t kill_ns;              /* of the worker itself; 0: not set */
    struct ili_timer timer;

    struct ili_flight *flights;
    uint32_t flight_room, flight_free, flight_count, unbegun;
    uint32_t last_begun; /* flight; it may have been answered */
    uint64_t last_serial;

    struct ili_out out;
    size_t out_sent;      /* of it */
    uint64_t sent_serial; /* flights up to this one may have reached it */
    char *line;           /* the beginning of a line */
    size_t line_bytes, line_room;
    struct ili_output output; /* that belongs to no task; of a run: its stdout */
    struct ili_output errors; /* of a run: its stderr */

    struct ili_worker *next, *previous;           /* of the pool */
    struct ili_worker *next_open, *previous_open; /* of those that take a call */
    struct ili_worker *next_unsent;
};

/* Why a program ended, for the tasks that it ran. */
struct ili_death {
    int signal;    /* 0: it exited */
    int exit_code; /* -1: a signal */
    char message[320];
};

/* worker.c: life */
void ili_worker_start(struct ili_pool *pool);
struct ili_worker *ili_worker_new(struct ili_pool *pool); /* NULL: no memory */
void ili_worker_set_state(struct ili_worker *worker, enum ili_worker_state state);
void ili_worker_settle(struct ili_worker *worker); /* idle or busy, open or not, at its last task */
void ili_worker_tell_to_end(struct ili_worker *worker);
void ili_worker_kill(struct ili_worker *worker, bool blameless, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void ili_worker_keep_time(struct ili_worker *worker); /* its timer is set to what is due next */
void ili_worker_started(struct ili_worker *worker, pid_t pid);
void ili_worker_closed(struct ili_worker *worker); /* its socket is at its end */
void ili_worker_leave(struct ili_worker *worker);  /* its program has ended; freed later */
void ili_worker_free(struct ili_worker *worker);

/* worker_start.c */
char **ili_worker_environment(const struct ili_worker *worker); /* ended by NULL; free(); NULL */

/* death.c */
void ili_death_describe(const struct ili_worker *worker, const struct ili_spawner_event *event,
                        struct ili_death *death);
struct ili_error ili_death_error(const struct ili_death *death, const struct ili_output *output);

/* wire.c: bytes */
void ili_wire_ready(struct ili_source *source, uint32_t events, void *context);
void ili_wire_output_ready(struct ili_source *source, uint32_t events, void *context);
void ili_wire_drain_output(struct ili_worker *worker);
void ili_wire_read_rest(struct ili_worker *worker);
void ili_wire_unsent(struct ili_worker *worker); /* has something to write */
void ili_wire_flush(struct ili_worker *worker);
void ili_wire_close(struct ili_worker *worker); /* all its descriptors */
void ili_wire_close_source(struct ili_worker *worker, struct ili_source *source);
size_t ili_wire_pending(const struct ili_worker *worker);

/* hear.c: what a line says. LINE is written to. */
/* It is initialised; it comes up once its pid is known as well. */
void ili_worker_come_up(struct ili_worker *worker);
void ili_worker_hear(struct ili_worker *worker, char *line, size_t bytes);

/* flight.c */
uint32_t ili_flight_open(struct ili_worker *worker, struct ili_task *task, uint32_t before);
void ili_flight_undo(struct ili_worker *worker, uint32_t index); /* it was not sent after all */
void ili_flight_begin(struct ili_worker *worker, uint32_t index);
struct ili_flight *ili_flight_find(struct ili_worker *worker, uint64_t id);
/* The one that has begun, in the only lane. */
uint32_t ili_flight_running(struct ili_worker *worker);
uint64_t ili_flight_id(const struct ili_worker *worker, uint32_t index);
/* It was answered: what is behind it begins. */
void ili_flight_close(struct ili_worker *worker, struct ili_flight *flight);
void ili_flight_stop(struct ili_worker *worker, uint32_t index);
void ili_flight_take_back(struct ili_worker *worker, uint32_t index);
/* The task of a flight is given its output, and leaves it. */
struct ili_task *ili_flight_detach(struct ili_worker *worker, struct ili_flight *flight);
void ili_flights_abandon(struct ili_worker *worker, const struct ili_death *death);

/* calls.c: what a worker is told, a line each, into worker->out */
void ili_call_write(struct ili_out *out, uint64_t id, const struct ili_task *task);
void ili_call_write_cancel(struct ili_out *out, uint64_t id);
void ili_call_write_initialize(struct ili_out *out, const struct ili_pool_options *options);
void ili_call_write_unknown(struct ili_out *out, struct ili_json_span id);

/* exec.c */
/* Runs the command for TASK, which is in the backlog. False: no memory, it is still there. */
bool ili_exec_start(struct ili_pool *pool, struct ili_task *task);

#endif
