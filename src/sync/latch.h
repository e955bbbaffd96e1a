/*
 * latch.h - a count that only falls; who waits goes on when it is 0.
 *
 * As Java's CountDownLatch: the count is chosen when the latch is made (0 is allowed) and never grows.
 * What happens before a count_down() happens before the return of each wait(). Nobody owns a latch: what a
 * process counted down before it died stays counted down; a process that dies in count_down() has counted
 * down, or has not.
 *
 * Sharing: any number of processes and threads. count_down() is one compare-and-swap unless it ends the
 * waits of others; a wait at 0 is a load.
 */
#ifndef ILI_SYNC_LATCH_H
#define ILI_SYNC_LATCH_H

#include "sync/waiting.h"

#define ILI_LATCH_COUNT UINT64_C(0xffffffff)
#define ILI_LATCH_WAITERS (UINT64_C(1) << 32) /* somebody is in the wait queue */
#define ILI_LATCH_DELETED (UINT64_C(1) << 33) /* the name is gone: all calls fail */

struct ili_latch {
    struct ili_object object;
    _Atomic uint64_t word;
    uint32_t start; /* the count as made */
    uint32_t reserved;
    struct ili_waitq waiters;
    struct ili_guard guard; /* kind LATCH; protects waiters */
};
_Static_assert(sizeof(struct ili_latch) == 128, "shared layout");

struct ili_latch_view {
    uint32_t count, start, waiters;
    bool deleted;
};

/* Its options are a const uint32_t *: the count, 0 to IL_LATCH_MAX; NULL: 1. */
extern const struct ili_kind ili_latch_kind;

/* Counts down by COUNT, not below 0; *LEFT (may be NULL) is what is left. Never waits but for the guard.
 * IL_EDELETED, or why the member may not act. */
il_status ili_latch_count_down(struct ili_member *member, struct ili_latch *latch, uint32_t count,
                               uint32_t *left);

/* Waits until the count is 0, or DEADLINE_NS (0: does not wait). IL_OK, IL_ETIMEOUT, IL_EINTR,
 * IL_EDELETED, or why the member may not act. */
il_status ili_latch_wait(struct ili_member *member, struct ili_latch *latch, int64_t deadline_ns);

/* A glance. */
void ili_latch_look(const struct ili_latch *latch, struct ili_latch_view *view);

/* Waiting without a thread. WAITER is in no queue. IL_OK: the count is 0. IL_ETIMEOUT: WAITER is in the
 * queue, and will be woken. IL_EDELETED, or why the guard was not to be had. */
il_status ili_latch_enqueue(struct ili_member *member, struct ili_latch *latch,
                            struct ili_agent *waiter);

/* IL_OK: the count is 0. IL_ETIMEOUT: WAITER still waits. IL_EDELETED. */
il_status ili_latch_poll(struct ili_agent *waiter);

/* Takes WAITER out. IL_ETIMEOUT: done; IL_EBUSY: it still waits; else what it had been told. */
il_status ili_latch_withdraw(struct ili_member *member, struct ili_latch *latch,
                             struct ili_agent *waiter);

/* The guard is held by a dead agent: finishes what it was doing. */
void ili_latch_repair(struct ili_member *member, struct ili_agent *self, struct ili_latch *latch);

/* The invariants, under the guard. IL_ECORRUPT. */
il_status ili_latch_check(const struct ili_member *member, const struct ili_latch *latch);

#endif
