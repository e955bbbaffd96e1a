#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

static int64_t monotonic_now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t (*ili_clock_now)(void) = monotonic_now;

int64_t ili_wall_seconds(void) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec;
}

int64_t ili_wall_seconds_of(int64_t then_ns) {
    struct timespec ts;
    int64_t ago_ns = ili_ns_between(then_ns, ili_now_ns());
    clock_gettime(CLOCK_REALTIME, &ts);
    return (ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec - ago_ns) / INT64_C(1000000000);
}

/* How far the wall clock is ahead. Both clocks are slewed alike, so it changes only when the wall clock is
 * set; what differs by less than this comes from reading them one after the other. */
#define SAME_NS INT64_C(1000000)
/* Between the two readings the thread may stand still, so they are repeated until they lie this close. */
#define CLOSE_NS INT64_C(50000)
#define READINGS 10

static int64_t wall_ahead_ns(void) {
    static _Atomic int64_t
        known_ns; /* 0: not yet. Threads may each find the same: relaxed will do */
    int64_t known = atomic_load_explicit(&known_ns, memory_order_relaxed);
    int64_t ahead = 0, closest = INT64_MAX;
    for (int i = 0; i < READINGS && closest > CLOSE_NS; i++) {
        struct timespec ts;
        int64_t before = ili_now_ns();
        clock_gettime(CLOCK_REALTIME, &ts);
        int64_t apart = ili_ns_between(before, ili_now_ns());
        int64_t most = ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec - before;
        if (known && known > most - apart - SAME_NS && known < most + SAME_NS) return known;
        if (apart < closest) closest = apart, ahead = most - apart / 2;
    }
    atomic_store_explicit(&known_ns, ahead, memory_order_relaxed);
    return ahead;
}

int64_t ili_wall_ms_of(int64_t then_ns) { return (then_ns + wall_ahead_ns()) / INT64_C(1000000); }

int64_t ili_deadline_in(int64_t timeout_ns) {
    if (timeout_ns < 0) return ILI_NEVER;
    int64_t now = ili_now_ns();
    return timeout_ns > ILI_NEVER - now ? ILI_NEVER : now + timeout_ns;
}
