/*
 * event.h - a flag that threads, and waiters without a thread, wait for.
 *
 * set() lets everyone go on who waits, and everyone who comes until clear(). A set() that is followed at
 * once by clear() still ends every wait that began before it. What happens before set() happens before the
 * return of each wait() that it ends, also of a set() that finds the event set; and what happens before
 * clear() happens before the next set() returns.
 * Nobody owns an event. A process that dies in set() has set it, for everyone, or has not.
 *
 * Sharing: any number of processes and threads. set(), clear() and a wait for what is set are one atomic
 * instruction each while nobody sleeps.
 */
#ifndef ILI_SYNC_EVENT_H
#define ILI_SYNC_EVENT_H

#include "sync/waiting.h"

#define ILI_EVENT_SET UINT64_C(1)
#define ILI_EVENT_DELETED UINT64_C(2)      /* the name is gone: all calls fail */
#define ILI_EVENT_WAITERS UINT64_C(4)      /* somebody is in the wait queue */
#define ILI_EVENT_TIME (UINT64_C(1) << 32) /* the high half: how often it was set, modulo 2^32 */

struct ili_event {
    struct ili_object object;
    _Atomic uint64_t word;
    struct ili_waitq waiters;
    _Atomic uint32_t processor; /* that set it last, see base/awake.h */
    uint32_t reserved;
    struct ili_guard guard; /* kind EVENT; protects waiters */
};
_Static_assert(sizeof(struct ili_event) == 128, "shared layout");

struct ili_event_view {
    uint32_t waiters;
    bool set, deleted;
};

extern const struct ili_kind ili_event_kind;

/* Never waits but for the guard. IL_EDELETED, or why the member may not act. */
il_status ili_event_set(struct ili_member *member, struct ili_event *event);
il_status ili_event_clear(struct ili_member *member, struct ili_event *event);

/* Waits until it is set, or DEADLINE_NS (0: does not wait). IL_OK, IL_ETIMEOUT, IL_EINTR, IL_EDELETED, or
 * why the member may not act. */
il_status ili_event_wait(struct ili_member *member, struct ili_event *event, int64_t deadline_ns);

/* Whether it is set, at the cost of a load. */
static inline bool ili_event_is_set(const struct ili_event *event) {
    /* acquire: pairs with set() */
    uint64_t word = atomic_load_explicit(&event->word, memory_order_acquire);
    return (word & (ILI_EVENT_SET | ILI_EVENT_DELETED)) == ILI_EVENT_SET;
}

/* A glance. */
void ili_event_look(const struct ili_event *event, struct ili_event_view *view);

/* Waiting without a thread. WAITER is in no queue. IL_OK: it is set. IL_ETIMEOUT: WAITER is in the queue,
 * and will be woken. IL_EDELETED, or why the guard was not to be had. */
il_status ili_event_enqueue(struct ili_member *member, struct ili_event *event,
                            struct ili_agent *waiter);

/* IL_OK: it was set. IL_ETIMEOUT: WAITER still waits. IL_EDELETED. */
il_status ili_event_poll(struct ili_agent *waiter);

/* Takes WAITER out. IL_ETIMEOUT: done; IL_EBUSY: it still waits; else what it had been told. */
il_status ili_event_withdraw(struct ili_member *member, struct ili_event *event,
                             struct ili_agent *waiter);

/* The guard is held by a dead agent: finishes what it was doing. */
void ili_event_repair(struct ili_member *member, struct ili_agent *self, struct ili_event *event);

/* The invariants, under the guard. IL_ECORRUPT. */
il_status ili_event_check(const struct ili_member *member, const struct ili_event *event);

#endif
