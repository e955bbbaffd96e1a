/*
 * timer.h - deadlines in order: a binary heap of timers that lie in the structs they belong to.
 *
 * Setting, moving and clearing cost O(log n). One thread.
 */
#ifndef ILI_BASE_TIMER_H
#define ILI_BASE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is a timer that is not set. */
struct ili_timer {
    int64_t at_ns; /* monotonic clock */
    void (*fire)(struct ili_timer *timer, void *context);
    size_t place; /* in the heap, from 1; 0: not set */
};

struct ili_timers {
    struct ili_timer **heap; /* [1..count] */
    size_t count, room;
};

/* Sets TIMER, or moves it if it is set. False: no memory; it is not set then. */
bool ili_timers_set(struct ili_timers *timers, struct ili_timer *timer, int64_t at_ns);

/* Clears TIMER; nothing if it is not set. */
void ili_timers_clear(struct ili_timers *timers, struct ili_timer *timer);

/* Clears and returns one of those that would call FIRE; NULL if there is none. For the end. */
struct ili_timer *ili_timers_take(struct ili_timers *timers,
                                  void (*fire)(struct ili_timer *timer, void *context));

/* When the next one is due; ILI_NEVER: none is set. */
int64_t ili_timers_next(const struct ili_timers *timers);

/* Clears and fires those that are due at NOW_NS, the earliest first. A timer that fires may set and
 * clear others, also itself; what it sets for NOW_NS or earlier waits for the next call. */
void ili_timers_run(struct ili_timers *timers, int64_t now_ns, void *context);

void ili_timers_free(struct ili_timers *timers);

#endif
