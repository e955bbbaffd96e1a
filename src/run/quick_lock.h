/*
 * quick_lock.h - a lock of this process for a few instructions: one atomic instruction if nobody else wants it,
 * where pthread_mutex_t needs two and more. Who waits gives way to others, then sleeps for a moment at a time,
 * so that a holder of a lower priority comes to its end. Not to be held over a fork() or a wait.
 */
#ifndef ILI_RUN_QUICK_LOCK_H
#define ILI_RUN_QUICK_LOCK_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define ILI_QUICK_YIELDS 64

struct ili_quick_lock {
    _Atomic uint32_t held;
};

static inline void ili_quick_lock(struct ili_quick_lock *lock) {
    unsigned waits = 0;
    uint32_t held = 0;
    /* seq_cst: who looks whether it is held sees it, or is seen by what comes next. Acquire: pairs with the
     * unlock */
    while (!atomic_compare_exchange_weak_explicit(&lock->held, &held, 1, memory_order_seq_cst,
                                                  memory_order_relaxed)) {
        const struct timespec moment = {0, 50000};
        held = 0;
        if (++waits % ILI_QUICK_YIELDS) {
            sched_yield();
        } else {
            nanosleep(&moment, NULL);
        }
    }
}

static inline void ili_quick_unlock(struct ili_quick_lock *lock) {
    atomic_store_explicit(&lock->held, 0, memory_order_release);
}

/* False: whatever was done under it before is seen from here on. */
static inline bool ili_quick_is_held(const struct ili_quick_lock *lock) {
    return atomic_load_explicit(&lock->held, memory_order_seq_cst) != 0;
}

#endif
