/*
 * worker_start.c - what a worker is given: its socket as descriptor 3, one pipe for its stdout and stderr
 * (so that they keep their order), nothing to read on stdin, and its environment.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "work/worker.h"

#define PREFIX "INTERLOCK_"
#define VARIABLES 5

/* ---- environment --------------------------------------------------------------------------------- */

static size_t format(char *room, size_t bytes, const struct ili_worker *worker, unsigned which) {
    const struct ili_pool *pool = worker->pool;
    const char *socket = pool->engine->pools->socket;
    unsigned slots = pool->options.kind == ILI_POOL_THREAD ? pool->wanted : 1;
    int length = 0;
    switch (which) {
    case 0: length = snprintf(room, bytes, PREFIX "DOMAIN=unix:%s", socket ? socket : ""); break;
    case 1: length = snprintf(room, bytes, PREFIX "POOL=%s", pool->name); break;
    case 2:
        length = snprintf(room, bytes, PREFIX "WORKER=%llu", (unsigned long long)worker->number);
        break;
    case 3: length = snprintf(room, bytes, PREFIX "SLOTS=%u", slots); break;
    default: length = snprintf(room, bytes, PREFIX "WORKER_FD=3"); break;
    }
    return length < 0 ? 0 : (size_t)length;
}

/* The pool's, but for names that are ours, and ours: one block. A run of an exec pool has no socket. */
char **ili_worker_environment(const struct ili_worker *worker) {
    char *const *given = worker->pool->options.environment;
    unsigned ours = worker->pool->options.kind == ILI_POOL_EXEC ? 3 : VARIABLES;
    size_t count = 0, kept = 0, bytes = 0;
    while (given && given[count]) count++;
    for (unsigned i = 0; i < ours; i++) bytes += format(NULL, 0, worker, i) + 1;
    char **all = malloc((count + VARIABLES + 1) * sizeof *all + bytes);
    if (!all) return NULL;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(given[i], PREFIX, sizeof PREFIX - 1) != 0) all[kept++] = given[i];
    }
    char *text = (char *)(all + count + VARIABLES + 1), *end = text + bytes;
    for (unsigned i = 0; i < ours; i++) {
        all[kept++] = text;
        text += format(text, (size_t)(end - text), worker, i) + 1;
    }
    all[kept] = NULL;
    return all;
}

/* ---- start --------------------------------------------------------------------------------------- */

struct ends {
    int socket[2], output[2]; /* the worker's is [1] */
};

static void close_ends(struct ends *ends, int from) {
    for (int i = from; i < 2; i++) {
        if (ends->socket[i] >= 0) close(ends->socket[i]);
        if (ends->output[i] >= 0) close(ends->output[i]);
    }
}

static bool make_ends(struct ends *ends) {
    *ends = (struct ends){{-1, -1}, {-1, -1}};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends->socket) != 0 ||
        pipe2(ends->output, O_CLOEXEC) != 0 || fcntl(ends->output[0], F_SETFL, O_NONBLOCK) != 0) {
        int error = errno;
        close_ends(ends, 0);
        errno = error;
        return false;
    }
    return true;
}

/* Gives WORKER its ends of ENDS, and has them listened to. */
static il_status listen_to(struct ili_worker *worker, struct ends *ends) {
    struct ili_loop *loop = worker->pool->engine->pools->loop;
    worker->socket = (struct ili_source){.fd = ends->socket[0], .ready = ili_wire_ready};
    worker->outlets[0].source.fd = ends->output[0];
    ends->socket[0] = ends->output[0] = -1;
    il_status status = ili_loop_add(loop, &worker->socket, EPOLLIN);
    if (status == IL_OK) status = ili_loop_add(loop, &worker->outlets[0].source, EPOLLIN);
    return status;
}

static il_status spawn(struct ili_worker *worker, const struct ends *ends) {
    const struct ili_pool_options *options = &worker->pool->options;
    struct ili_pools *pools = worker->pool->engine->pools;
    char **environment = ili_worker_environment(worker);
    if (!environment) return IL_ENOMEM;
    struct ili_spawn what = {.program = options->command[0],
                             .arguments = options->command,
                             .environment = environment,
                             .directory = options->directory ? options->directory : "/",
                             .limits = options->limits,
                             .own_group = true};
    for (int i = 0; i < ILI_SPAWN_FDS; i++) what.fds[i] = -1;
    what.fds[1] = what.fds[2] = ends->output[1];
    what.fds[3] = ends->socket[1];
    il_status status = ili_spawner_spawn(&pools->spawner, worker->program.id, &what);
    free(environment);
    return status;
}

void ili_worker_start(struct ili_pool *pool) {
    struct ili_engine *engine = pool->engine;
    struct ends ends = {{-1, -1}, {-1, -1}};
    const char *what = "no memory";
    struct ili_worker *worker = ili_worker_new(pool);
    if (!worker) {
        ili_pool_set_trouble(pool, false, "a worker cannot be started: %s", what);
        ili_backoff_failure(pool, engine->now_ns, false);
        return;
    }
    worker->has_place = true;
    pool->places++;
    ili_program_register(engine->pools, &worker->program);
    if (make_ends(&ends)) {
        il_status status = listen_to(worker, &ends);
        if (status == IL_OK) status = spawn(worker, &ends);
        close_ends(&ends, 0);
        if (status == IL_OK) {
            pool->counts.started_workers++;
            worker->kill_ns = engine->now_ns + pool->options.start_limit_ns;
            ili_worker_keep_time(worker);
            return;
        }
        what = status == IL_ETOOBIG  ? "its command and environment are too long"
               : status == IL_ENOMEM ? "no memory"
                                     : strerror(errno);
    } else {
        what = strerror(errno);
    }
    ili_pool_set_trouble(pool, false, "a worker cannot be started: %s", what);
    ili_backoff_failure(pool, worker->started_ns, false);
    ili_program_forget(engine->pools, &worker->program);
    ili_worker_leave(worker);
}
