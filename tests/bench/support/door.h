/*
 * door.h - an interlockd for a benchmark, and domains of both local doors.
 */
#ifndef BENCH_DOOR_H
#define BENCH_DOOR_H

#include <sys/types.h>

#include <interlock.h>

struct bench_server {
    pid_t pid;
    int http_port;
    char directory[64]; /* of its own, removed when it stops */
    char socket[96];
    int output; /* its standard output */
};

/* The path of FILE in the build tree that this program lies in, in static memory. */
const char *bench_beside(const char *file);

/* Starts INTERLOCKD (default: interlockd of the build tree that this program lies in) on free ports.
 * False, with the reason on stderr: there is none. */
int bench_server_start(struct bench_server *server);

/* The same with a configuration file of that text; NULL: without one. */
int bench_server_start_with(struct bench_server *server, const char *config);
void bench_server_stop(struct bench_server *server);

/* A domain at ADDRESS; ends the program if there is none. */
il_domain *bench_domain(const char *address);

/* The address of SERVER's host door, in static memory. */
const char *bench_host_address(const struct bench_server *server);

#endif
