/*
 * queue.c - messages of 64 bytes from one process to another, against a pipe.
 *
 * The queue holds as many messages as the pipe does (64 KiB), so neither runs away into memory.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <interlock.h>

#include "support/door.h"
#include "support/measure.h"

#define BYTES 64
#define HELD 1024
#define MANY 64
#define MESSAGES 1000000

struct contest {
    const char *address; /* of a host door; NULL: private, inherited by the consumer */
    il_domain *domain;
    il_queue *queue;
    bool many;
};

static void open_queue(struct contest *c, const char *address) {
    il_queue_options options = {.struct_bytes = sizeof options, .maxsize = HELD};
    c->domain = bench_domain(address);
    if (il_queue_open(c->domain, "bench", 5, &options, &c->queue) != IL_OK) bench_die("open");
}

static void put_all(const struct contest *c) {
    char data[BYTES] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde";
    il_message messages[MANY];
    for (int i = 0; i < MANY; i++) messages[i] = (il_message){data, BYTES, IL_BYTES, 0};
    for (size_t i = 0, done = 1; i < MESSAGES; i += done) {
        size_t count = MESSAGES - i < MANY ? MESSAGES - i : MANY;
        il_status status = c->many ? il_queue_put_many(c->queue, messages, count, &done, IL_FOREVER)
                                   : il_queue_put(c->queue, data, BYTES, IL_BYTES, IL_FOREVER);
        if (status != IL_OK) bench_die("put");
    }
}

static void get_all(const struct contest *c) {
    char data[BYTES * MANY];
    il_message messages[MANY];
    size_t bytes = BYTES;
    for (size_t i = 0, done = 1; i < MESSAGES; i += done) {
        il_status status = c->many ? il_queue_get_many(c->queue, data, sizeof data, messages, MANY,
                                                       &done, IL_FOREVER)
                                   : il_queue_get(c->queue, data, BYTES, &bytes, NULL, IL_FOREVER);
        if (status != IL_OK || bytes != BYTES) bench_die("get");
    }
}

static double rate(int64_t start) { return MESSAGES * 1e9 / (double)(bench_now_ns() - start); }

static void await(pid_t child) {
    int how;
    if (waitpid(child, &how, 0) != child || how != 0) bench_die("the consumer failed");
}

static double interlock(void *context) {
    struct contest *c = context;
    int ready[2];
    char byte = 0;
    if (pipe(ready) != 0) bench_die("pipe");
    pid_t child = fork();
    if (child == 0) {
        struct contest own = *c;
        if (c->address) open_queue(&own, c->address);
        if (write(ready[1], &byte, 1) != 1) _exit(2);
        get_all(&own);
        _exit(0);
    }
    if (read(ready[0], &byte, 1) != 1) bench_die("read");
    close(ready[0]);
    close(ready[1]);
    int64_t start = bench_now_ns();
    put_all(c);
    await(child);
    return rate(start);
}

static double pipe_of_kernel(void *context) {
    int ends[2];
    char data[BYTES] = {0};
    (void)context;
    if (pipe(ends) != 0) bench_die("pipe");
    int64_t start = bench_now_ns();
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < MESSAGES; i++) {
            if (read(ends[0], data, BYTES) != BYTES) _exit(2);
        }
        _exit(0);
    }
    for (int i = 0; i < MESSAGES; i++) {
        if (write(ends[1], data, BYTES) != BYTES) bench_die("write");
    }
    await(child);
    close(ends[0]);
    close(ends[1]);
    return rate(start);
}

static void compare(const char *door, const char *address, bool host) {
    struct contest contest = {.address = host ? address : NULL};
    struct bench_pair pair = {NULL, "/s", interlock, pipe_of_kernel, &contest, BENCH_AT_LEAST, 5};
    char name[64];
    open_queue(&contest, address);
    snprintf(name, sizeof name, "queue.%s.one", door);
    pair.name = name;
    bench_compare(&pair);
    snprintf(name, sizeof name, "queue.%s.many", door);
    contest.many = true;
    pair.target = 10;
    bench_compare(&pair);
    il_queue_close(contest.queue);
    il_domain_close(contest.domain);
}

int main(void) {
    struct bench_server server;
    compare("private", "private:", false);
    if (!bench_server_start(&server)) return 1;
    compare("host", bench_host_address(&server), true);
    bench_server_stop(&server);
    return 0;
}
