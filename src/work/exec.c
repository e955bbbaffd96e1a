/*
 * exec.c - exec pools: each task is a run of the command. A run is a worker without a socket that has one
 * flight; the command's exit is its answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/out.h"
#include "work/args.h"
#include "work/attempt.h"
#include "work/worker.h"

/* A file with the task's input, to be read from its beginning. -1: errno. */
static int input_of(const struct ili_task *task) {
    const char *data = task->call + task->function_bytes + task->args_bytes + task->kwargs_bytes;
    size_t left = task->input_bytes;
    int fd = memfd_create("input", MFD_CLOEXEC);
    while (fd >= 0 && left > 0) {
        ssize_t written = write(fd, data, left);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) {
            int error = errno;
            close(fd);
            errno = error;
            return -1;
        }
        data += written;
        left -= (size_t)written;
    }
    if (fd >= 0) (void)lseek(fd, 0, SEEK_SET);
    return fd;
}

/* The pipe of one outlet; *END is the command's. */
static il_status open_outlet(struct ili_worker *worker, struct ili_outlet *outlet, int *end) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return IL_ESYSTEM;
    *end = ends[1];
    outlet->source.fd = ends[0];
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) return IL_ESYSTEM;
    return ili_loop_add(worker->pool->engine->pools->loop, &outlet->source, EPOLLIN);
}

static il_status run(struct ili_worker *worker, const struct ili_task *task) {
    const struct ili_pool_options *options = &worker->pool->options;
    struct ili_spawn what = {.program = options->command[0],
                             .directory = options->directory ? options->directory : "/",
                             .limits = options->limits,
                             .own_group = true};
    char **environment = ili_worker_environment(worker);
    char **arguments =
        ili_args_join(options->command, task->call + task->function_bytes, task->args_bytes);
    il_status status = environment && arguments ? IL_OK : IL_ENOMEM;
    for (int i = 0; i < ILI_SPAWN_FDS; i++) what.fds[i] = -1;
    what.environment = environment;
    what.arguments = arguments;
    if (status == IL_OK && task->input_bytes) {
        what.fds[0] = input_of(task);
        if (what.fds[0] < 0) status = IL_ESYSTEM;
    }
    if (status == IL_OK) status = open_outlet(worker, &worker->outlets[0], &what.fds[1]);
    if (status == IL_OK) status = open_outlet(worker, &worker->outlets[1], &what.fds[2]);
    if (status == IL_OK) {
        status =
            ili_spawner_spawn(&worker->pool->engine->pools->spawner, worker->program.id, &what);
    }
    int error = errno;
    for (int i = 0; i < 3; i++) {
        if (what.fds[i] >= 0) close(what.fds[i]);
    }
    free(environment);
    free(arguments);
    errno = error;
    return status;
}

/* ---- the end of a run ---------------------------------------------------------------------------- */

/* The only flight; NULL: it never had one. */
static struct ili_flight *flight_of(struct ili_worker *worker) {
    return worker->flight_count ? &worker->flights[ili_flight_running(worker)] : NULL;
}

static void fail(struct ili_worker *worker, struct ili_error error) {
    struct ili_flight *flight = flight_of(worker);
    struct ili_task *task = ili_flight_detach(worker, flight);
    if (!task) {
        free(error.text);
    } else if (task->cancelling) {
        ili_task_end(task, ILI_TASK_CANCELLED, &error);
    } else {
        ili_attempt_failed(task, ILI_FAILURE_FUNCTION, error);
    }
}

static void succeed(struct ili_worker *worker, int exit_code) {
    struct ili_task *task = ili_flight_detach(worker, flight_of(worker));
    const struct ili_output *output = &worker->output, *errors = &worker->errors;
    struct ili_out out = {0};
    ili_out_open(&out, '{');
    ili_out_key(&out, "exit_code");
    ili_out_number(&out, (uint64_t)exit_code);
    ili_out_key(&out, "stdout");
    ili_out_text(&out, output->data ? output->data : "", output->bytes);
    ili_out_key(&out, "stderr");
    ili_out_text(&out, errors->data ? errors->data : "", errors->bytes);
    ili_out_close(&out, '}');
    if (out.failed) {
        ili_attempt_failed(
            task, ILI_FAILURE_FUNCTION,
            ili_error_make("OutOfMemory", "the server has no memory for the result"));
    } else {
        ili_attempt_succeeded(task, (struct ili_json_span){out.data, out.bytes});
    }
    ili_out_free(&out);
}

/* What it wrote last is the output of a task without a result. */
static void hand_over_output(struct ili_worker *worker, struct ili_flight *flight) {
    struct ili_output *from = worker->errors.bytes ? &worker->errors : &worker->output;
    ili_output_free(&flight->output);
    flight->output = *from;
    *from = (struct ili_output){0};
}

static void ended(struct ili_worker *worker, const struct ili_spawner_event *event) {
    struct ili_death death;
    struct ili_flight *flight = flight_of(worker);
    struct ili_task *task = flight->task;
    ili_wire_read_rest(worker);
    ili_death_describe(worker, event, &death);
    bool exited = death.exit_code >= 0 && !worker->killed && !flight->expired;
    if (task && worker->too_much) {
        hand_over_output(worker, flight);
        fail(worker, ili_error_make("OutputLimit", "%s", death.message));
    } else if (task && exited && (death.exit_code == 0 || !task->cancelling)) {
        succeed(worker, death.exit_code);
    } else if (task) {
        hand_over_output(worker, flight);
    }
    if (!exited && !worker->killed) worker->pool->counts.crashed_workers++;
    ili_flights_abandon(worker, &death);
    ili_worker_leave(worker);
}

static void refuse(struct ili_worker *worker, const char *what, int error) {
    struct ili_pool *pool = worker->pool;
    const char *why = error ? strerror(error) : "the arguments are too long";
    ili_pool_set_trouble(pool, false, "the command cannot be run: %s: %s", what, why);
    fail(worker, ili_error_make("SpawnFailed", "%s cannot be run: %s: %s", pool->options.command[0],
                                what, why));
    ili_flight_close(worker, flight_of(worker));
    ili_worker_leave(worker);
}

static void event_came(struct ili_program *program, const struct ili_spawner_event *event) {
    struct ili_worker *worker = (struct ili_worker *)program;
    struct ili_task *task;
    switch (event->what_happened) {
    case ILI_SPAWNER_STARTED:
        worker->pid = (uint32_t)event->pid;
        task = flight_of(worker)->task;
        if (task) task->worker_pid = worker->pid;
        ili_backoff_up(worker->pool);
        break;
    case ILI_SPAWNER_FAILED: refuse(worker, event->what, event->error); break;
    case ILI_SPAWNER_ENDED: ended(worker, event); break;
    }
}

bool ili_exec_start(struct ili_pool *pool, struct ili_task *task) {
    struct ili_engine *engine = pool->engine;
    struct ili_worker *worker = ili_worker_new(pool);
    if (!worker) return false;
    uint32_t index = ili_flight_open(worker, task, ILI_NO_FLIGHT);
    if (index == ILI_NO_FLIGHT) {
        ili_worker_leave(worker);
        return false;
    }
    ili_backlog_remove(&pool->backlog, task);
    worker->program.event = event_came;
    worker->has_place = worker->greeted = worker->up = true;
    worker->slots = 1;
    worker->state = ILI_WORKER_BUSY;
    pool->places++;
    ili_program_register(engine->pools, &worker->program);
    worker->flights[index].lane_ns = engine->now_ns;
    worker->flights[index].lane_calls = 1;
    ili_flight_begin(worker, index);
    il_status status = run(worker, task);
    if (status == IL_OK) {
        pool->counts.started_workers++;
        return true;
    }
    ili_program_forget(engine->pools, &worker->program);
    refuse(worker, "start", status == IL_ETOOBIG ? 0 : status == IL_ENOMEM ? ENOMEM : errno);
    return true;
}
