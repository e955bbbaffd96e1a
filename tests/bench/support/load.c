#include "support/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "support/measure.h"
#include "support/wire.h"

#define ROOM 4096
#define EVENTS 64

struct connection {
    struct bench_client client;
    int fd;
    size_t have;
    char in[ROOM];
};

/* ---- HTTP ------------------------------------------------------------------------------------- */

/* Tokens of one server have the same length as long as it runs. */
#define TOKEN_BYTES 19

static void http_prepare(struct bench_client *c) {
    char path[128];
    snprintf(path, sizeof path, "/v1/locks/bench-%d/acquire", c->number);
    c->lengths[0] = bench_http_post(c->requests[0], sizeof c->requests[0], path,
                                    "{\"timeout\":0,\"lease\":60}");
    snprintf(path, sizeof path, "/v1/locks/bench-%d/release", c->number);
    c->lengths[1] = bench_http_post(c->requests[1], sizeof c->requests[1], path,
                                    "{\"token\":\"0000000000000000000\"}");
    c->token = c->requests[1] + c->lengths[1] - TOKEN_BYTES - 2;
}

static size_t http_answer(struct bench_client *c, const char *in, size_t length) {
    static const char key[] = "\"token\":\"";
    int status;
    size_t used = bench_http_answer(in, length, &status);
    if (used == 0) return 0;
    const char *token = c->releasing ? in : memmem(in, used, key, sizeof key - 1);
    if (status != 200 || !token) {
        fprintf(stderr, "%.*s\n", (int)used, in);
        bench_die("the server refused a request");
    }
    if (!c->releasing) memcpy(c->token, token + sizeof key - 1, TOKEN_BYTES);
    return used;
}

const struct bench_protocol bench_http_protocol = {http_prepare, http_answer};

/* ---- Redis: the lock of its own documentation, on one server ----------------------------------- */

static const char release_script[] =
    "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end";
static char release_sha[41];

void bench_redis_prepare(int port) {
    char line[512];
    int fd = bench_connect(port);
    int length = snprintf(line, sizeof line, "*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$%zu\r\n%s\r\n",
                          strlen(release_script), release_script);
    if (write(fd, line, (size_t)length) != length) bench_die("write to redis");
    ssize_t n = 0;
    while (n < 47) { /* "$40\r\n", 40 digits, "\r\n" */
        ssize_t more = read(fd, line + n, sizeof line - (size_t)n);
        if (more <= 0) bench_die("read from redis");
        n += more;
    }
    memcpy(release_sha, line + 5, 40);
    close(fd);
}

static void redis_prepare(struct bench_client *c) {
    char name[32], value[32];
    int n = snprintf(name, sizeof name, "bench-%d", c->number);
    int v = snprintf(value, sizeof value, "owner-%012d", c->number);
    c->lengths[0] = (size_t)snprintf(c->requests[0], sizeof c->requests[0],
                                     "*6\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n$2\r\nNX\r\n"
                                     "$2\r\nPX\r\n$5\r\n60000\r\n",
                                     n, name, v, value);
    c->lengths[1] = (size_t)snprintf(c->requests[1], sizeof c->requests[1],
                                     "*5\r\n$7\r\nEVALSHA\r\n$40\r\n%s\r\n$1\r\n1\r\n$%d\r\n%s\r\n"
                                     "$%d\r\n%s\r\n",
                                     release_sha, n, name, v, value);
}

static size_t redis_answer(struct bench_client *c, const char *in, size_t length) {
    const char *expected = c->releasing ? ":1\r\n" : "+OK\r\n";
    size_t want = strlen(expected);
    if (length < want) return 0;
    if (memcmp(in, expected, want) != 0) bench_die("redis refused a request");
    return want;
}

const struct bench_protocol bench_redis_protocol = {redis_prepare, redis_answer};

/* ---- the loop ---------------------------------------------------------------------------------- */

static void send_request(struct connection *c) {
    int which = c->client.releasing;
    size_t length = c->client.lengths[which];
    if (write(c->fd, c->client.requests[which], length) != (ssize_t)length) bench_die("write");
}

/* True: an answer came, and the next request is under way. */
static int serve(const struct bench_protocol *p, struct connection *c) {
    ssize_t n = read(c->fd, c->in + c->have, ROOM - c->have);
    if (n <= 0) bench_die("read");
    c->have += (size_t)n;
    size_t used = p->answer(&c->client, c->in, c->have);
    if (used == 0) return 0;
    c->have -= used;
    memmove(c->in, c->in + used, c->have);
    c->client.releasing = !c->client.releasing;
    return 1;
}

static void begin(const struct bench_protocol *p, struct connection *all, int count, int port,
                  int epoll) {
    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        all[i].client.number = i;
        p->prepare(&all[i].client);
        all[i].fd = bench_connect(port);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &event) != 0) bench_die("epoll_ctl");
        send_request(&all[i]);
    }
}

/* Every lock is free again when the connections close. */
static void finish(const struct bench_protocol *p, struct connection *all, int count) {
    for (int i = 0; i < count; i++) {
        while (!serve(p, &all[i])) {
        }
        if (all[i].client.releasing) {
            send_request(&all[i]);
            while (!serve(p, &all[i])) {
            }
        }
        close(all[i].fd);
    }
}

double bench_load(const struct bench_protocol *protocol, int port, int connections) {
    struct connection *all = calloc((size_t)connections, sizeof *all);
    struct epoll_event events[EVENTS];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int64_t start = bench_now_ns(), end = start + (int64_t)(bench_seconds() * 1e9), now = start;
    uint64_t answers = 0;
    if (!all || epoll < 0) bench_die("epoll_create1");
    begin(protocol, all, connections, port, epoll);
    while (now < end) {
        int ready = epoll_wait(epoll, events, EVENTS, 1000);
        if (ready <= 0) bench_die("no connection was answered for a second");
        for (int i = 0; i < ready; i++) {
            if (!serve(protocol, events[i].data.ptr)) continue;
            answers++;
            send_request(events[i].data.ptr);
        }
        now = bench_now_ns();
    }
    finish(protocol, all, connections);
    close(epoll);
    free(all);
    return (double)answers * 1e9 / (double)(now - start);
}
