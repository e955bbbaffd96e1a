/*
 * clock.h - the monotonic clock, deadlines, and what tests put in their place.
 *
 * All waiting in Interlock is against CLOCK_MONOTONIC: a step of the wall clock neither prolongs
 * nor ends a wait or a lease.
 */
#ifndef ILI_BASE_CLOCK_H
#define ILI_BASE_CLOCK_H

#include <stdint.h>

/* A deadline: nanoseconds of the monotonic clock. */
#define ILI_NEVER INT64_MAX

/* Replaced by tests only, before other threads run. */
extern int64_t (*ili_clock_now)(void);

static inline int64_t ili_now_ns(void) { return ili_clock_now(); }

/* Wall-clock seconds since 1970; only for epochs and for showing times to people. */
int64_t ili_wall_seconds(void);

/* The same of what was THEN_NS on the monotonic clock. */
int64_t ili_wall_seconds_of(int64_t then_ns);

/* The same in milliseconds; of the same THEN_NS always the same, unless the wall clock was set. */
int64_t ili_wall_ms_of(int64_t then_ns);

/* TIMEOUT_NS from now, saturating; negative (IL_FOREVER) is ILI_NEVER. */
int64_t ili_deadline_in(int64_t timeout_ns);

/* How long it is from FROM_NS to TO_NS; 0 if that is earlier. Either may be nonsense from an arena. */
static inline int64_t ili_ns_between(int64_t from_ns, int64_t to_ns) {
    uint64_t ns = (uint64_t)to_ns - (uint64_t)from_ns;
    if (to_ns <= from_ns) return 0;
    return ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}

#endif
