/*
 * barrier.h - so many waits meet and go on together, again and again; as Python's Barrier.
 *
 * The last of `parties` waits to come ends the round: all of them return, each with an index of its own, the
 * last with 0. A wait that ends without the others (timeout, interruption, withdrawal, the death or the end
 * of its session) breaks the barrier: everyone who waits and everyone who comes is told IL_EBROKEN, until
 * reset(). What happens before a wait of a round happens before the return of all others of that round.
 * Nobody owns a barrier. Of a process that dies in wait() the round is complete, for everyone, or the
 * barrier is broken.
 *
 * Sharing: any number of processes and threads. Every call takes the guard. Who waits stays awake for a
 * moment before it sleeps, and is then not woken by a system call; but not where the parties of the round
 * before had to share processors.
 */
#ifndef ILI_SYNC_BARRIER_H
#define ILI_SYNC_BARRIER_H

#include "sync/waiting.h"

#define ILI_BARRIER_BROKEN 1u
#define ILI_BARRIER_DELETED 2u /* the name is gone: all calls fail */

/* crowded: two parties came on one processor, in this round, or in the round before */
#define ILI_BARRIER_NOW 1u
#define ILI_BARRIER_BEFORE 2u

struct ili_barrier {
    struct ili_object object;
    _Atomic uint32_t word;
    uint32_t parties; /* 1 or more */
    struct ili_waitq waiters;
    _Atomic uint32_t processors; /* a bit for each that a party of this round came on */
    _Atomic uint32_t crowded;    /* ILI_BARRIER_NOW, ILI_BARRIER_BEFORE */
    struct ili_guard guard;      /* kind BARRIER; protects all of it */
};
_Static_assert(sizeof(struct ili_barrier) == 128, "shared layout");

struct ili_barrier_view {
    uint32_t parties, waiting;
    bool broken, deleted;
};

/* Its options are a const uint32_t *: the parties, 1 to IL_BARRIER_MAX; NULL: 1. */
extern const struct ili_kind ili_barrier_kind;

/* Waits for the others, until DEADLINE_NS (0: does not wait). IL_OK, with *INDEX (may be NULL); IL_EBROKEN;
 * IL_ETIMEOUT, IL_EINTR: and it is broken now; IL_EDELETED, or why the member may not act. */
il_status ili_barrier_wait(struct ili_member *member, struct ili_barrier *barrier,
                           int64_t deadline_ns, uint32_t *index);

/* To its first state; who waits is told IL_EBROKEN. IL_EDELETED, or why the member may not act. */
il_status ili_barrier_reset(struct ili_member *member, struct ili_barrier *barrier);

/* Breaks it. As above. */
il_status ili_barrier_abort(struct ili_member *member, struct ili_barrier *barrier);

/* A glance. */
void ili_barrier_look(const struct ili_barrier *barrier, struct ili_barrier_view *view);

/* Waiting without a thread. WAITER is in no queue. IL_OK: it was the last party (index 0). IL_ETIMEOUT:
 * WAITER is in the queue, and will be woken. IL_EBROKEN, IL_EDELETED, or why the guard was not to be had. */
il_status ili_barrier_enqueue(struct ili_member *member, struct ili_barrier *barrier,
                              struct ili_agent *waiter);

/* IL_OK, with *INDEX; IL_EBROKEN, IL_EDELETED. IL_ETIMEOUT: WAITER still waits. */
il_status ili_barrier_poll(struct ili_agent *waiter, uint32_t *index);

/* Takes WAITER out. IL_ETIMEOUT: done, and the barrier is broken; IL_EBUSY: it still waits; else what it
 * had been told. */
il_status ili_barrier_withdraw(struct ili_member *member, struct ili_barrier *barrier,
                               struct ili_agent *waiter, uint32_t *index);

/* The guard is held by a dead agent: finishes what it was doing. */
void ili_barrier_repair(struct ili_member *member, struct ili_agent *self,
                        struct ili_barrier *barrier);

/* The invariants, under the guard. IL_ECORRUPT. */
il_status ili_barrier_check(const struct ili_member *member, const struct ili_barrier *barrier);

#endif
