/*
 * fairness.c - how long a client of the HTTP door waits for a lock that eight threads of an attached
 * process take and hold for a microsecond, over and over.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include <interlock.h>

#include "support/door.h"
#include "support/measure.h"
#include "support/wire.h"

#define THREADS 8
#define HELD_NS 1000
#define GRANTS 300
#define LIMIT_MS 100.0

static il_lock *lock;
static _Atomic int stop;
static _Atomic uint64_t local_grants;

static void *hammer(void *context) {
    uint64_t token, grants = 0;
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        il_status status = il_lock_acquire(lock, IL_FOREVER, &token);
        if (status != IL_OK) bench_die("il_lock_acquire");
        bench_busy(HELD_NS);
        if (il_lock_release(lock, token) != IL_OK) bench_die("il_lock_release");
        grants++;
    }
    atomic_fetch_add(&local_grants, grants);
    return context;
}

/* Milliseconds until the lock is granted over HTTP. */
static double wait_once(int fd) {
    char answer[2048], token[64], body[128];
    int64_t start = bench_now_ns();
    if (bench_exchange(fd, "/v1/locks/bench/acquire", "{\"timeout\":60}", answer, sizeof answer) !=
        200) {
        bench_die("the acquire over HTTP failed");
    }
    double waited = (double)(bench_now_ns() - start) / 1e6;
    bench_json_string(answer, sizeof answer, "token", token, sizeof token);
    snprintf(body, sizeof body, "{\"token\":\"%s\"}", token);
    if (bench_exchange(fd, "/v1/locks/bench/release", body, answer, sizeof answer) != 200) {
        bench_die("the release over HTTP failed");
    }
    return waited;
}

int main(void) {
    struct bench_server server;
    pthread_t threads[THREADS];
    static double waits[GRANTS];
    if (!bench_server_start(&server)) return 1;
    il_domain *domain = bench_domain(bench_host_address(&server));
    if (il_lock_open(domain, "bench", 5, NULL, &lock) != IL_OK) bench_die("il_lock_open");
    int fd = bench_connect(server.http_port);
    int64_t start = bench_now_ns();
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, hammer, NULL);
    for (int i = 0; i < GRANTS; i++) waits[i] = wait_once(fd);
    atomic_store(&stop, 1);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    double seconds = (double)(bench_now_ns() - start) / 1e9;
    bench_limit("fairness.http_wait.median", "ms", bench_median(waits, GRANTS), BENCH_AT_MOST,
                LIMIT_MS);
    bench_limit("fairness.http_wait.p99", "ms", bench_quantile(waits, GRANTS, 0.99), BENCH_AT_MOST,
                LIMIT_MS);
    bench_limit("fairness.local_grants", "/s", (double)local_grants / seconds, BENCH_AT_LEAST, 0);
    il_lock_close(lock);
    il_domain_close(domain);
    bench_server_stop(&server);
    return 0;
}
