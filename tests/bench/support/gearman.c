#include "support/gearman.h"

#include <libgearman/gearman.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/measure.h"
#include "support/peers.h"
#include "support/wire.h"

#define WORKERS_MOST 64
#define HOST "127.0.0.1"
#define FUNCTION "bench"

static struct bench_peer server;
static pid_t workers[WORKERS_MOST];
static int worker_count;
static gearman_client_st *client;
static _Atomic uint64_t *done; /* jobs, by all workers; shared */

static void *work(gearman_job_st *job, void *context, size_t *bytes, gearman_return_t *result) {
    (void)context;
    *bytes = gearman_job_workload_size(job);
    char *answer = malloc(*bytes ? *bytes : 1);
    if (answer) memcpy(answer, gearman_job_workload(job), *bytes);
    *result = answer ? GEARMAN_SUCCESS : GEARMAN_FAIL;
    atomic_fetch_add_explicit(done, 1, memory_order_relaxed);
    return answer;
}

static _Noreturn void serve(void) {
    gearman_worker_st *worker = gearman_worker_create(NULL);
    if (!worker || gearman_worker_add_server(worker, HOST, (in_port_t)server.port) ||
        gearman_worker_add_function(worker, FUNCTION, 0, work, NULL)) {
        _exit(2);
    }
    while (gearman_worker_work(worker) == GEARMAN_SUCCESS) {
    }
    _exit(2);
}

static void start_server(void) {
    char port[16];
    server.port = bench_free_port();
    snprintf(port, sizeof port, "%d", server.port);
    server.pid = fork();
    if (server.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("gearmand", "gearmand", "--listen", HOST, "--port", port, "--log-file", "none",
               "--verbose", "ERROR", (char *)NULL);
        _exit(127);
    }
    for (int tries = 0; tries < 100; tries++) {
        int how;
        usleep(50000);
        if (waitpid(server.pid, &how, WNOHANG) == server.pid) break;
        if (bench_listens(server.port)) return;
    }
    bench_die("gearmand does not start");
}

void bench_gearman_start(int count) {
    done = bench_shared(sizeof *done);
    start_server();
    for (worker_count = 0; worker_count < count && worker_count < WORKERS_MOST; worker_count++) {
        pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve();
        }
        workers[worker_count] = pid;
    }
    client = gearman_client_create(NULL);
    if (!client || gearman_client_add_server(client, HOST, (in_port_t)server.port)) {
        bench_die("gearman_client_create");
    }
    bench_gearman_do(100);
}

void bench_gearman_stop(void) {
    gearman_client_free(client);
    for (int i = 0; i < worker_count; i++) {
        kill(workers[i], SIGKILL);
        waitpid(workers[i], NULL, 0);
    }
    bench_peer_stop(&server);
}

void bench_gearman_do(int count) {
    for (int i = 0; i < count; i++) {
        char text[16];
        size_t bytes;
        gearman_return_t result;
        int length = snprintf(text, sizeof text, "%d", i);
        void *answer =
            gearman_client_do(client, FUNCTION, NULL, text, (size_t)length, &bytes, &result);
        if (result || bytes != (size_t)length || memcmp(answer, text, bytes) != 0) {
            bench_die("gearman_client_do");
        }
        free(answer);
    }
}

void bench_gearman_background(int count) {
    uint64_t target = atomic_load(done) + (uint64_t)count;
    char text[16];
    for (int i = 0; i < count; i++) {
        gearman_return_t result;
        int length = snprintf(text, sizeof text, "%d", i);
        gearman_client_add_task_background(client, NULL, NULL, FUNCTION, NULL, text, (size_t)length,
                                           &result);
        if (result) bench_die("gearman_client_add_task_background");
    }
    if (gearman_client_run_tasks(client)) bench_die("gearman_client_run_tasks");
    gearman_client_task_free_all(client);
    while (atomic_load(done) < target) sched_yield();
}
