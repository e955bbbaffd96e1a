/*
 * pool.c - tasks for a pool of processes: a map through the host door against Python's
 * multiprocessing.Pool, a submit that waits and a map over HTTP against that and gearmand.
 *
 * The function answers its argument. Every side has two workers; Interlock's and gearmand's are in C.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <interlock.h>

#include "support/door.h"
#include "support/gearman.h"
#include "support/measure.h"
#include "support/python.h"
#include "support/wire.h"

#define WORKERS 2
#define LANE_ITEMS 200000
#define PYTHON_ITEMS 20000
#define TASKS 2000
#define MAPPED 10000

static struct bench_server server;
static il_workers *workers;
static int connection;

/* ---- Interlock ---------------------------------------------------------------------------------- */

struct checked {
    uint64_t count, sum;
};

static int32_t check(void *context, const il_map_result *result) {
    struct checked *c = context;
    if (result->status != IL_OK) bench_die("an item of the map failed");
    uint64_t number = 0;
    for (uint64_t i = 0; i < result->bytes; i++)
        number = number * 10 + (uint64_t)(result->data[i] - '0');
    c->count++;
    c->sum += number;
    return 0;
}

static double lane(void *context) {
    static il_map_item items[LANE_ITEMS];
    static char texts[LANE_ITEMS][12];
    struct checked checked = {0};
    (void)context;
    for (int i = 0; i < LANE_ITEMS; i++) {
        int bytes = snprintf(texts[i], sizeof texts[i], "%d", i);
        items[i] = (il_map_item){texts[i], (uint64_t)bytes};
    }
    il_map_options options = {.struct_bytes = sizeof options, .chunk = 1};
    int64_t start = bench_now_ns();
    il_status status = il_workers_map(workers, "same", 4, items, LANE_ITEMS, &options, check,
                                      &checked, IL_FOREVER);
    double rate = LANE_ITEMS * 1e9 / (double)(bench_now_ns() - start);
    uint64_t sum = (uint64_t)LANE_ITEMS * (LANE_ITEMS - 1) / 2;
    if (status != IL_OK || checked.count != LANE_ITEMS || checked.sum != sum) {
        bench_die("il_workers_map");
    }
    return rate;
}

/* Posts REQUEST and reads the answer into ANSWER; its status. */
static int exchange(const char *request, size_t length, char *answer, size_t room) {
    size_t have = 0;
    int status;
    while (length > 0) {
        ssize_t sent = write(connection, request, length);
        if (sent <= 0) bench_die("write to the server");
        request += sent;
        length -= (size_t)sent;
    }
    do {
        ssize_t got = read(connection, answer + have, room - 1 - have);
        if (got <= 0) bench_die("read from the server");
        have += (size_t)got;
        answer[have] = 0;
    } while (!bench_http_answer(answer, have, &status));
    return status;
}

static size_t request(char *out, size_t room, const char *path, const char *body) {
    int length = snprintf(out, room,
                          "POST %s HTTP/1.1\r\nHost: localhost\r\nPrefer: wait\r\n"
                          "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                          path, strlen(body), body);
    return (size_t)length;
}

static double submit_and_wait(void *context) {
    char text[512], body[64], answer[4096], result[32];
    (void)context;
    int64_t start = bench_now_ns();
    for (int i = 0; i < TASKS; i++) {
        snprintf(body, sizeof body, "{\"function\":\"same\",\"args\":[%d]}", i);
        size_t length = request(text, sizeof text, "/v1/pools/bench/tasks", body);
        int status = exchange(text, length, answer, sizeof answer);
        snprintf(result, sizeof result, "\"result\":%d,", i);
        if (status != 200 || !strstr(answer, result)) bench_die("the task did not succeed");
    }
    return TASKS * 1e9 / (double)(bench_now_ns() - start);
}

static double map(void *context) {
    static char body[MAPPED * 8], text[sizeof body + 512], answer[sizeof body + 4096];
    (void)context;
    size_t at = (size_t)snprintf(body, sizeof body, "{\"function\":\"same\",\"items\":");
    for (int i = 0; i < MAPPED; i++) {
        at += (size_t)snprintf(body + at, sizeof body - at, "%c%d", i ? ',' : '[', i);
    }
    snprintf(body + at, sizeof body - at, "]}");
    size_t length = request(text, sizeof text, "/v1/pools/bench/map", body);
    int64_t start = bench_now_ns();
    int status = exchange(text, length, answer, sizeof answer);
    double rate = MAPPED * 1e9 / (double)(bench_now_ns() - start);
    if (status != 200 || !strstr(answer, ",9998,9999]")) bench_die("the map did not succeed");
    return rate;
}

/* ---- peers -------------------------------------------------------------------------------------- */

static double python_map(void *context) {
    (void)context;
    return bench_python_ask("map", PYTHON_ITEMS);
}

static double python_apply(void *context) {
    (void)context;
    return bench_python_ask("apply", TASKS);
}

static double gearman_do(void *context) {
    (void)context;
    int64_t start = bench_now_ns();
    bench_gearman_do(TASKS);
    return TASKS * 1e9 / (double)(bench_now_ns() - start);
}

static double gearman_background(void *context) {
    (void)context;
    int64_t start = bench_now_ns();
    bench_gearman_background(MAPPED);
    return MAPPED * 1e9 / (double)(bench_now_ns() - start);
}

/* ---- the whole ---------------------------------------------------------------------------------- */

static void compare(const char *name, bench_measurement interlock, bench_measurement peer,
                    double target) {
    struct bench_pair pair = {name, "/s", interlock, peer, NULL, BENCH_AT_LEAST, target};
    bench_compare(&pair);
}

/* Until the workers are up: the first task then has been done. */
static void open_pool(il_domain *domain) {
    il_task *task;
    char digit;
    size_t bytes;
    if (il_workers_open(domain, "bench", 5, &workers) != IL_OK) bench_die("il_workers_open");
    if (il_workers_apply(workers, "same", 4, "[1]", 3, NULL, 0, NULL, 10000000000, &task) ||
        il_task_result(task, &digit, 1, &bytes, IL_NOWAIT) != IL_OK) {
        bench_die("il_workers_apply");
    }
    il_task_close(task);
}

int main(void) {
    char config[8192];
    snprintf(config, sizeof config, "{\"pools\":{\"bench\":{\"module\":\"%s\",\"workers\":%d}}}",
             bench_beside("module/functions.so"), WORKERS);
    if (!bench_server_start_with(&server, config)) return 1;
    il_domain *domain = bench_domain(bench_host_address(&server));
    connection = bench_connect(server.http_port);
    open_pool(domain);

    bench_python_start("python_pool.py", WORKERS, "map");
    compare("pool.host.map.python", lane, python_map, 5);
    compare("pool.http.apply.python", submit_and_wait, python_apply, 3);
    bench_python_stop();
    bench_gearman_start(WORKERS);
    compare("pool.http.apply.gearmand", submit_and_wait, gearman_do, 1);
    compare("pool.http.map.gearmand", map, gearman_background, 3);
    bench_gearman_stop();

    close(connection);
    il_workers_close(workers);
    il_domain_close(domain);
    bench_server_stop(&server);
    return 0;
}
