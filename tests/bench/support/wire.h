/*
 * wire.h - the little HTTP that benchmarks need: one request after the other on one connection.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stddef.h>
#include <sys/types.h>

/* A connection to 127.0.0.1:PORT; ends the program if there is none. */
int bench_connect(int port);

/* Whether anybody listens at 127.0.0.1:PORT. */
int bench_listens(int port);

/* A port that is free right now. */
int bench_free_port(void);

/* Writes a POST of BODY to PATH into OUT; returns its length. */
size_t bench_http_post(char *out, size_t room, const char *path, const char *body);

/* An answer at the start of IN: its length, with *STATUS; 0: not complete yet. */
size_t bench_http_answer(const char *in, size_t length, int *status);

/* Copies the string member NAME of the JSON in the answer IN into OUT; 0: there is none. */
size_t bench_json_string(const char *in, size_t length, const char *name, char *out, size_t room);

/* Posts on FD and waits for the answer, which ends with NUL in ANSWER; returns the status. */
int bench_exchange(int fd, const char *path, const char *body, char *answer, size_t room);

#endif
