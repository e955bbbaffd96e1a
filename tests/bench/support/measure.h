/*
 * measure.h - compares Interlock with a peer in one run, so that both see the same machine.
 *
 * A measurement is a function that does the work once and returns a figure: nanoseconds an
 * operation, operations a second, bytes. Rounds alternate between the two, and who goes first changes
 * with every round. What is reported are the medians, and as ratio the median of the rounds' own
 * ratios: neighbours in time share the noise of the machine, so their quotient has less of it.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

/* Does the work with CONTEXT and returns its figure. */
typedef double (*bench_measurement)(void *context);

enum bench_goal { BENCH_AT_MOST, BENCH_AT_LEAST };

struct bench_pair {
    const char *name, *unit;
    bench_measurement interlock, peer;
    void *context;
    enum bench_goal goal;
    double target; /* for interlock / peer */
};

/* Runs one round of each to warm up, then INTERLOCK_BENCH_ROUNDS (7) rounds of both, and prints
 *   name  interlock=… peer=… ratio=… target=… ok|short */
void bench_compare(const struct bench_pair *pair);

/* Prints FIGURE against a fixed limit in the same form. */
void bench_limit(const char *name, const char *unit, double figure, enum bench_goal goal,
                 double target);

int bench_rounds(void);

/* The median of VALUES, which are sorted in place; COUNT is not 0. */
double bench_median(double *values, size_t count);

/* The value below which PART (0 to 1) of the VALUES lie; they are sorted in place. */
double bench_quantile(double *values, size_t count, double part);

/* Monotonic. */
int64_t bench_now_ns(void);

/* How long a measurement should run; INTERLOCK_BENCH_SECONDS, 0.5 by default. */
double bench_seconds(void);

/* Busy for about NS nanoseconds, without a system call. */
void bench_busy(int64_t ns);

/* Memory that forked children share, zeroed. Ends the program if there is none. */
void *bench_shared(size_t bytes);

/* Keeps the calling thread on the NUMBERth processor that this process may use, modulo their count. */
void bench_pin(int number);

/* Ends the program with WHAT, and Interlock's or the system's words about it. */
_Noreturn void bench_die(const char *what);

#endif
