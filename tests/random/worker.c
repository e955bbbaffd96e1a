#include "random/worker.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/point.h"
#include "support/wait.h"

#define PATIENCE_MS 30000

/* ---- in the process ----------------------------------------------------------------------------- */

struct held {
    void *handle;
    uint32_t generation;
};

static struct answer *noting; /* the answer that notes which points are passed; NULL: none */

#ifdef IL_POINTS
static void note_point(const char *name) {
    struct answer *answer = noting;
    if (!answer) return;
    for (uint32_t i = 0; i < answer->passed_count; i++) {
        if (answer->passed[i] != name) continue;
        answer->passages[i]++;
        return;
    }
    if (answer->passed_count == POINTS) return;
    answer->passed[answer->passed_count] = name;
    answer->passages[answer->passed_count++] = 1;
}

static void arm(const char *point, uint32_t passage) { ili_point_arm(point, passage); }
static void listen_to_points(void) { ili_point_passed = note_point; }
#else
static void arm(const char *point, uint32_t passage) { (void)point, (void)passage; }
static void listen_to_points(void) {}
#endif

static void let_go(const struct object *object, struct held *held) {
    if (held->handle) object->kind->close(held->handle);
    held->handle = NULL;
}

static void *handle_of(il_domain *domain, const struct object *object, struct held *held,
                       uint32_t generation, struct answer *answer) {
    if (held->handle && held->generation == generation) return held->handle;
    let_go(object, held);
    held->generation = generation;
    answer->status = object->kind->open(domain, object, &held->handle);
    return answer->status == IL_OK ? held->handle : NULL;
}

static void make(il_domain *domain, const struct cast *cast, struct held *held,
                 struct shared *shared) {
    const struct operation *op = &shared->op;
    struct answer *answer = &shared->answer;
    const struct object *object = &cast->objects[op->object];
    void *handle, *other = NULL;
    if (op->code == REMOVE_OBJECT) {
        let_go(object, &held[op->object]);
        answer->status = object->kind->remove(domain, object->name, strlen(object->name));
        return;
    }
    if (op->code == LET_GO) {
        let_go(object, &held[op->object]);
        return;
    }
    handle = handle_of(domain, object, &held[op->object], op->generation, answer);
    if (handle && op->flags & WITH_OTHER) {
        other = handle_of(domain, object->other, &held[object->other->number], op->other_generation,
                          answer);
    }
    if (answer->status == IL_OK) object->kind->perform(handle, other, op, answer);
}

static _Noreturn void run(struct worker *worker, const struct cast *cast) {
    static struct held held[OBJECTS];
    il_domain *domain = cast->domain;
    struct shared *shared = worker->shared;
    char byte = 1;
    if (worker->door == DOOR_PRIVATE) { /* a deleted object would live as long as these */
        for (uint32_t i = 0; i < cast->objects_count; i++) {
            if (cast->handles[i]) cast->objects[i].kind->close(cast->handles[i]);
        }
    } else if (il_domain_open(cast->addresses[worker->door], NULL, &domain) != IL_OK) {
        fprintf(stderr, "a worker: %s\n", il_error_message());
        _exit(1);
    }
    listen_to_points();
    while (write(worker->fd, &byte, 1) == 1 && read(worker->fd, &byte, 1) == 1) {
        struct answer *answer = &shared->answer;
        answer_begin(answer);
        answer->passed_count = 0;
        noting = answer;
        arm(shared->op.point, shared->op.passage);
        make(domain, cast, held, shared);
        noting = NULL;
        arm(NULL, 0);
        if (answer->status != IL_OK) {
            snprintf(answer->message, sizeof answer->message, "%s", il_error_message());
        }
        atomic_store(&answer->done, 1);
    }
    for (uint32_t i = 0; i < cast->objects_count; i++) let_go(&cast->objects[i], &held[i]);
    _exit(il_domain_close(domain) == IL_OK ? 0 : 1);
}

/* ---- around it ---------------------------------------------------------------------------------- */

bool worker_start(struct worker *worker, const struct cast *cast) {
    int ends[2];
    if (!worker->shared) {
        worker->shared = mmap(NULL, sizeof *worker->shared, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (worker->shared == MAP_FAILED) return false;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
    worker->pid = fork();
    if (worker->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        worker->fd = ends[1];
        run(worker, cast);
    }
    close(ends[1]);
    worker->fd = ends[0];
    return worker->pid > 0 && worker_await(worker);
}

bool worker_begin(struct worker *worker) {
    char byte = 1;
    atomic_store(&worker->shared->answer.done, 0);
    return send(worker->fd, &byte, 1, MSG_NOSIGNAL) == 1;
}

bool worker_await(struct worker *worker) {
    struct pollfd polled = {worker->fd, POLLIN, 0};
    char byte;
    return poll(&polled, 1, PATIENCE_MS) == 1 && read(worker->fd, &byte, 1) == 1;
}

static void forget(struct worker *worker) {
    close(worker->fd);
    worker->pid = 0;
}

void worker_kill(struct worker *worker) {
    kill(worker->pid, SIGKILL);
    waitpid(worker->pid, NULL, 0);
    forget(worker);
}

bool worker_end(struct worker *worker) {
    if (worker->pid == 0) return true;
    shutdown(worker->fd, SHUT_WR);
    int status = test_reap(worker->pid, PATIENCE_MS / 1000.0);
    forget(worker);
    return status == 0;
}
