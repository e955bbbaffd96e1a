/*
 * contend.h - two processes that want the same thing all the time, for a fixed while.
 */
#ifndef BENCH_CONTEND_H
#define BENCH_CONTEND_H

#include <stdbool.h>
#include <stdint.h>

/* What both do: made in each process by `begin`, which returns what `pair` is given. */
struct bench_contest {
    void *(*begin)(void *context);
    void (*pair)(void *prepared, void *context, uint64_t turn); /* acquire, work, release */
    void *context;
};

/* Pairs a second of two processes on two processors. */
double bench_contend(const struct bench_contest *contest);

/* About 100 ns of work that touches no memory. */
void bench_work(void);

#endif
