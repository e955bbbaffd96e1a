/*
 * parked.c - what a client that waits over HTTP costs the server in memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/door.h"
#include "support/measure.h"
#include "support/wire.h"

#define WAITERS 10000
#define LIMIT_BYTES 8192

/* What the server has in memory, the part of the arena that it touched included. */
static double resident_bytes(pid_t pid) {
    char path[64];
    long size, resident;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%ld %ld", &size, &resident) != 2) bench_die(path);
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static int waiters_of(int fd) {
    static const char request[] = "GET /v1/locks/bench HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char answer[4096];
    size_t have = 0;
    int status;
    if (write(fd, request, sizeof request - 1) != (ssize_t)sizeof request - 1) bench_die("write");
    do {
        ssize_t n = read(fd, answer + have, sizeof answer - 1 - have);
        if (n <= 0) bench_die("read");
        have += (size_t)n;
        answer[have] = 0;
    } while (!bench_http_answer(answer, have, &status));
    const char *waiters = strstr(answer, "\"waiters\":");
    return waiters ? atoi(waiters + strlen("\"waiters\":")) : 0;
}

static void need_descriptors(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < WAITERS + 100) bench_die("ulimit -Hn: more than 10,100 are needed");
}

int main(void) {
    struct bench_server server;
    static int fds[WAITERS];
    char answer[2048], request[512];
    need_descriptors();
    if (!bench_server_start(&server)) return 1;
    int fd = bench_connect(server.http_port);
    const char *path = "/v1/locks/bench/acquire";
    if (bench_exchange(fd, path, "{\"lease\":3600}", answer, sizeof answer) != 200) {
        bench_die("acquire");
    }
    size_t length = bench_http_post(request, sizeof request, path, "{\"timeout\":290}");
    double before = resident_bytes(server.pid);
    for (int i = 0; i < WAITERS; i++) {
        fds[i] = bench_connect(server.http_port);
        if (write(fds[i], request, length) != (ssize_t)length) bench_die("write");
    }
    for (int tries = 0; waiters_of(fd) < WAITERS; tries++) {
        if (tries > 1000) bench_die("not all of the clients came to wait");
        usleep(10000);
    }
    double each = (resident_bytes(server.pid) - before) / WAITERS;
    bench_limit("parked.memory", "B", each, BENCH_AT_MOST, LIMIT_BYTES);
    for (int i = 0; i < WAITERS; i++) close(fds[i]);
    bench_server_stop(&server);
    return 0;
}
