#include "base/clock.h"

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

int64_t ili_deadline_in(int64_t timeout_ns) {
    if (timeout_ns < 0) return ILI_NEVER;
    int64_t now = ili_now_ns();
    return timeout_ns > ILI_NEVER - now ? ILI_NEVER : now + timeout_ns;
}
