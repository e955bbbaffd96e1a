#include "support/measure.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <interlock.h>

#define ROUNDS_MOST 101

int64_t bench_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static double setting(const char *name, double otherwise) {
    const char *text = getenv(name);
    double value = text ? strtod(text, NULL) : 0;
    return value > 0 ? value : otherwise;
}

int bench_rounds(void) {
    int rounds = (int)setting("INTERLOCK_BENCH_ROUNDS", 7);
    return rounds < ROUNDS_MOST ? rounds : ROUNDS_MOST;
}

double bench_seconds(void) { return setting("INTERLOCK_BENCH_SECONDS", 0.5); }

static int rising(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_quantile(double *values, size_t count, double part) {
    qsort(values, count, sizeof *values, rising);
    size_t at = (size_t)(part * (double)count);
    return values[at < count ? at : count - 1];
}

double bench_median(double *values, size_t count) {
    double upper = bench_quantile(values, count, 0.5);
    return count % 2 ? upper : (values[count / 2 - 1] + upper) / 2;
}

static const char *verdict(double figure, enum bench_goal goal, double target) {
    return (goal == BENCH_AT_MOST ? figure <= target : figure >= target) ? "ok" : "short";
}

static const char *sign(enum bench_goal goal) { return goal == BENCH_AT_MOST ? "<=" : ">="; }

void bench_compare(const struct bench_pair *pair) {
    double ours[ROUNDS_MOST], theirs[ROUNDS_MOST], ratios[ROUNDS_MOST];
    int rounds = bench_rounds();
    pair->interlock(pair->context);
    pair->peer(pair->context);
    for (int i = 0; i < rounds; i++) {
        if (i % 2) theirs[i] = pair->peer(pair->context);
        ours[i] = pair->interlock(pair->context);
        if (i % 2 == 0) theirs[i] = pair->peer(pair->context);
        ratios[i] = ours[i] / theirs[i];
    }
    double ratio = bench_median(ratios, (size_t)rounds);
    printf("%-36s  interlock=%.4g%s peer=%.4g%s ratio=%.2f target%s%.2f %s\n", pair->name,
           bench_median(ours, (size_t)rounds), pair->unit, bench_median(theirs, (size_t)rounds),
           pair->unit, ratio, sign(pair->goal), pair->target,
           verdict(ratio, pair->goal, pair->target));
    fflush(stdout);
}

void bench_limit(const char *name, const char *unit, double figure, enum bench_goal goal,
                 double target) {
    printf("%-36s  interlock=%.4g%s target%s%.4g%s %s\n", name, figure, unit, sign(goal), target,
           unit, verdict(figure, goal, target));
    fflush(stdout);
}

void bench_busy(int64_t ns) {
    int64_t end = bench_now_ns() + ns;
    while (bench_now_ns() < end) {
    }
}

void *bench_shared(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) bench_die("mmap");
    return p;
}

void bench_pin(int number) {
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) bench_die("sched_getaffinity");
    number %= CPU_COUNT(&allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed) || number-- > 0) continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        if (sched_setaffinity(0, sizeof one, &one) != 0) bench_die("sched_setaffinity");
        return;
    }
}

void bench_die(const char *what) {
    fprintf(stderr, "bench: %s: %s\n", what,
            *il_error_message() ? il_error_message() : strerror(errno));
    exit(2);
}
