/*
 * awake.h - staying awake for a moment, for what others are about to do, before going to sleep.
 *
 * The moment is about as long as it takes to fall asleep and to be woken. It is wasted where the others need
 * this very processor: ili_processor() tells whether they do.
 *
 *     struct ili_awake awake = {0};
 *     while (!what_it_waits_for() && ili_awake(&awake)) {
 *     }
 */
#ifndef ILI_BASE_AWAKE_H
#define ILI_BASE_AWAKE_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/relax.h"

#define ILI_AWAKE_NS 5000
#define ILI_AWAKE_LOOKS 512 /* at most, whatever the clock says */

struct ili_awake {
    int64_t end_ns;
    unsigned looks;
};

/* A moment between two looks. False: it has been long enough. */
static inline bool ili_awake(struct ili_awake *awake) {
    for (int i = 0; i < 4; i++) ili_relax();
    if (++awake->looks % 4) return true; /* the clock costs more than a look */
    int64_t now = ili_now_ns();
    if (awake->end_ns == 0) awake->end_ns = now + ILI_AWAKE_NS;
    return now < awake->end_ns && awake->looks < ILI_AWAKE_LOOKS;
}

/* The processor that this thread runs on, from 1; 0: unknown. */
static inline uint32_t ili_processor(void) { return (uint32_t)(sched_getcpu() + 1); }

#endif
