/*
 * peers.h - the servers that interlockd is measured against, as children of the benchmark.
 */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include <sys/types.h>

struct bench_peer {
    pid_t pid;
    int port;
};

/* libmicrohttpd in its own loop, as interlockd uses it, with a handler that answers a constant. */
void bench_constant_start(struct bench_peer *peer);

/* redis-server without persistence. */
void bench_redis_start(struct bench_peer *peer);

void bench_peer_stop(const struct bench_peer *peer);

#endif
