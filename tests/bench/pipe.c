/*
 * pipe.c - a message of 64 bytes to another process and back, against a pair of Unix sockets; the two on two
 * processors, and on one.
 */
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <interlock.h>

#include "support/door.h"
#include "support/measure.h"

#define BYTES 64
#define TRIPS 20000

struct contest {
    const char *address; /* of a host door; NULL: private, inherited by the other process */
    il_domain *domain;
    il_pipe *ends[2];
    int echo_on; /* processor of the other process; this one is on 0 */
};

static void await(pid_t child) {
    int how;
    if (waitpid(child, &how, 0) != child || how != 0) bench_die("the other process failed");
}

static cpu_set_t processors; /* that this process might use before it was pinned */

/* In the other process. */
static void pin_echo(const struct contest *c) {
    if (sched_setaffinity(0, sizeof processors, &processors) != 0) bench_die("affinity");
    bench_pin(c->echo_on);
}

static double since(int64_t start) { return (double)(bench_now_ns() - start) / TRIPS; }

/* ---- pipe ----------------------------------------------------------------------------------------- */

static void say(il_pipe *pipe) {
    static const char data[BYTES] = "0123456789";
    if (il_pipe_send(pipe, data, BYTES, IL_BYTES, IL_FOREVER) != IL_OK) bench_die("send");
}

static void hear(il_pipe *pipe) {
    char data[BYTES];
    size_t bytes = 0;
    if (il_pipe_receive(pipe, data, BYTES, &bytes, NULL, IL_FOREVER) != IL_OK || bytes != BYTES)
        bench_die("receive");
}

static void open_end(il_domain *domain, uint32_t end, il_pipe **out) {
    if (il_pipe_open(domain, "bench", 5, NULL, end, out) != IL_OK) bench_die("open");
}

/* The other process: sends back what it gets. */
static void echo(const struct contest *c) {
    il_pipe *b = c->ends[1];
    if (c->address) open_end(bench_domain(c->address), IL_PIPE_B, &b);
    say(b); /* it is there */
    for (int i = 0; i < TRIPS; i++) {
        hear(b);
        say(b);
    }
}

static double interlock(void *context) {
    struct contest *c = context;
    pid_t child = fork();
    if (child == 0) {
        pin_echo(c);
        echo(c);
        _exit(0);
    }
    hear(c->ends[0]);
    int64_t start = bench_now_ns();
    for (int i = 0; i < TRIPS; i++) {
        say(c->ends[0]);
        hear(c->ends[0]);
    }
    double took = since(start);
    await(child);
    return took;
}

/* ---- sockets -------------------------------------------------------------------------------------- */

static void write_one(int fd) {
    static const char data[BYTES] = "0123456789";
    if (write(fd, data, BYTES) != BYTES) bench_die("write");
}

static void read_one(int fd) {
    char data[BYTES];
    if (read(fd, data, BYTES) != BYTES) bench_die("read");
}

static double sockets(void *context) {
    const struct contest *c = context;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) bench_die("socketpair");
    pid_t child = fork();
    if (child == 0) {
        pin_echo(c);
        write_one(ends[1]);
        for (int i = 0; i < TRIPS; i++) {
            read_one(ends[1]);
            write_one(ends[1]);
        }
        _exit(0);
    }
    read_one(ends[0]);
    int64_t start = bench_now_ns();
    for (int i = 0; i < TRIPS; i++) {
        write_one(ends[0]);
        read_one(ends[0]);
    }
    double took = since(start);
    await(child);
    close(ends[0]);
    close(ends[1]);
    return took;
}

static void compare(const char *door, const char *address, bool host) {
    struct contest contest = {.address = host ? address : NULL, .echo_on = 1};
    struct bench_pair pair = {NULL, "ns", interlock, sockets, &contest, BENCH_AT_MOST, 0.7};
    char name[64];
    contest.domain = bench_domain(address);
    /* this process keeps both ends open, or the first other one would close its end for good */
    for (uint32_t end = 0; end < 2; end++) open_end(contest.domain, end, &contest.ends[end]);
    snprintf(name, sizeof name, "pipe.%s.trip", door);
    pair.name = name;
    bench_compare(&pair);
    snprintf(name, sizeof name, "pipe.%s.one_cpu", door);
    contest.echo_on = 0;
    pair.target = 1;
    bench_compare(&pair);
    for (uint32_t end = 0; end < 2; end++) il_pipe_close(contest.ends[end]);
    il_domain_close(contest.domain);
}

int main(void) {
    struct bench_server server;
    if (sched_getaffinity(0, sizeof processors, &processors) != 0) bench_die("affinity");
    bench_pin(0);
    compare("private", "private:", false);
    if (!bench_server_start(&server)) return 1;
    compare("host", bench_host_address(&server), true);
    bench_server_stop(&server);
    return 0;
}
