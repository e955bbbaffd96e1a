/*
 * load.h - a client with many connections that acquires and releases locks as fast as it is answered.
 *
 * Each connection has a lock of its own and waits for an answer before it sends the next request. One
 * thread serves them all, the same for every protocol, so that what differs is the server.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stddef.h>

struct bench_client {
    int number;
    int releasing; /* which of the two requests is due */
    char requests[2][512];
    size_t lengths[2];
    char *token; /* its place in the release */
};

/* Requests are prepared and answers hardly looked at, so that the server is what is measured. */
struct bench_protocol {
    /* Writes both requests; those to come differ in the token only. */
    void (*prepare)(struct bench_client *client);
    /* How much of IN is the answer to the request that is due, 0 if there must be more. Ends the
     * program if it is not a success. */
    size_t (*answer)(struct bench_client *client, const char *in, size_t length);
};

extern const struct bench_protocol bench_http_protocol;
extern const struct bench_protocol bench_redis_protocol;

/* Lets CONNECTIONS run against 127.0.0.1:PORT for bench_seconds(); answers a second. */
double bench_load(const struct bench_protocol *protocol, int port, int connections);

/* Loads the script that bench_redis_protocol releases with. */
void bench_redis_prepare(int port);

#endif
