/*
 * lock.c - what an uncontended acquire and release cost, against mutexes that processes share.
 */
#include <string.h>

#include <interlock.h>

#include "support/door.h"
#include "support/measure.h"
#include "support/mutex.h"

#define SLICES 40
#define PAIRS                                                                                      \
    50000 /* a slice: a millisecond, so that what else runs on the machine hits only some */

struct contest {
    il_lock *lock;
    pthread_mutex_t *mutex;
};

static void interlock_pairs(const struct contest *c) {
    for (int i = 0; i < PAIRS; i++) {
        uint64_t token;
        if (il_lock_acquire(c->lock, IL_FOREVER, &token) != IL_OK) bench_die("il_lock_acquire");
        if (il_lock_release(c->lock, token) != IL_OK) bench_die("il_lock_release");
    }
}

static void mutex_pairs(const struct contest *c) {
    for (int i = 0; i < PAIRS; i++) {
        if (pthread_mutex_lock(c->mutex) != 0) bench_die("pthread_mutex_lock");
        if (pthread_mutex_unlock(c->mutex) != 0) bench_die("pthread_mutex_unlock");
    }
}

/* Nanoseconds a pair: the median of the slices. */
static double measure(void (*pairs)(const struct contest *), const struct contest *c) {
    double slices[SLICES];
    for (int i = 0; i < SLICES; i++) {
        int64_t start = bench_now_ns();
        pairs(c);
        slices[i] = (double)(bench_now_ns() - start) / PAIRS;
    }
    return bench_median(slices, SLICES);
}

static double interlock(void *context) { return measure(interlock_pairs, context); }
static double mutex(void *context) { return measure(mutex_pairs, context); }

static void compare(const char *address, const char *against_robust, const char *against_plain) {
    il_domain *domain = bench_domain(address);
    struct contest contest = {0};
    if (il_lock_open(domain, "bench", 5, NULL, &contest.lock) != IL_OK) bench_die("il_lock_open");
    struct bench_pair pair = {against_robust, "ns", interlock, mutex, &contest, BENCH_AT_MOST, 0.7};
    contest.mutex = bench_mutex_make(BENCH_ROBUST);
    bench_compare(&pair);
    pair.name = against_plain;
    pair.target = 1.0;
    contest.mutex = bench_mutex_make(BENCH_PLAIN);
    bench_compare(&pair);
    il_lock_close(contest.lock);
    il_domain_close(domain);
}

int main(void) {
    struct bench_server server;
    compare("private:", "lock.private.robust", "lock.private.plain");
    if (!bench_server_start(&server)) return 1;
    compare(bench_host_address(&server), "lock.host.robust", "lock.host.plain");
    bench_server_stop(&server);
    return 0;
}
