/*
 * http.c - locks over HTTP: against a server of the same library that answers a constant, and, for
 * a whole cycle of acquire and release, against Redis.
 *
 * Requests on 32 connections tell what the server's processor can do, cycles on one connection what
 * a client waits for.
 */
#include <stdio.h>

#include "support/door.h"
#include "support/load.h"
#include "support/measure.h"
#include "support/peers.h"

struct contest {
    int ours, theirs; /* ports */
    int connections;
    int requests;                          /* that count as one */
    const struct bench_protocol *protocol; /* the peer's */
};

static double interlock(void *context) {
    const struct contest *c = context;
    return bench_load(&bench_http_protocol, c->ours, c->connections) / c->requests;
}

static double peer(void *context) {
    const struct contest *c = context;
    return bench_load(c->protocol, c->theirs, c->connections) / c->requests;
}

static void compare(const char *name, struct contest *contest, double target) {
    struct bench_pair pair = {name, "/s", interlock, peer, contest, BENCH_AT_LEAST, target};
    bench_compare(&pair);
}

int main(void) {
    struct bench_server server;
    struct bench_peer constant, redis;
    struct contest contest;
    if (!bench_server_start(&server)) return 1;
    bench_constant_start(&constant);
    contest = (struct contest){server.http_port, constant.port, 32, 1, &bench_http_protocol};
    compare("http.requests.constant.32", &contest, 0.75);
    bench_peer_stop(&constant);

    bench_redis_start(&redis);
    bench_redis_prepare(redis.port);
    contest = (struct contest){server.http_port, redis.port, 32, 2, &bench_redis_protocol};
    compare("http.cycles.redis.32", &contest, 1.0);
    contest.connections = 1;
    compare("http.cycles.redis.1", &contest, 1.0);
    bench_peer_stop(&redis);
    bench_server_stop(&server);
    return 0;
}
