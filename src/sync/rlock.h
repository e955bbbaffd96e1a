/*
 * rlock.h - a lock that its owner may acquire again; free when it was released as often.
 *
 * The owner is a thread (or who the server acts for): only it may release, and its end, or that of its
 * session, voids the grant. All of one outermost grant has one token. Everything else is lock.h's:
 * waiting, order, recovery, leases, delay.
 */
#ifndef ILI_SYNC_RLOCK_H
#define ILI_SYNC_RLOCK_H

#include "sync/lock.h"

struct ili_rlock {
    struct ili_lock lock; /* its object's kind is RLOCK */
    /* High half: a sequence of grants; low half: how often that grant's owner has acquired again. Nothing,
     * if the sequence is not that of the word. */
    _Atomic uint64_t again;
    uint64_t reserved;
};
_Static_assert(sizeof(struct ili_rlock) == 256, "shared layout");

extern const struct ili_kind ili_rlock_kind;

/* How often OWNER (an agent number) has acquired it and not released it; 0: it is another's, or free. */
uint32_t ili_rlock_depth(const struct ili_rlock *lock, uint32_t owner);

/* Whether the grant TOKEN, of the calling thread, was acquired more than once. */
static inline bool ili_rlock_is_again(const struct ili_rlock *lock, uint64_t token) {
    /* relaxed: only its owner asks, who wrote it */
    uint64_t again = atomic_load_explicit(&lock->again, memory_order_relaxed);
    return (uint32_t)again != 0 && (uint32_t)(again >> 32) == (uint32_t)token;
}

/* The lease of the grant TOKEN; NULL: it has none. */
struct ili_lease *ili_rlock_leased(const struct ili_member *member, const struct ili_rlock *lock,
                                   uint64_t token);

/* As the namesakes of lock.h, but that they may succeed by acquiring again. */
il_status ili_rlock_acquire(struct ili_member *member, struct ili_rlock *lock, int64_t deadline_ns,
                            uint64_t *token);
il_status ili_rlock_try(struct ili_member *member, struct ili_rlock *lock, uint32_t owner,
                        uint64_t *token);
il_status ili_rlock_enqueue(struct ili_member *member, struct ili_rlock *lock,
                            struct ili_agent *waiter, uint32_t owner, uint64_t *token);

/* Gives one acquire of OWNER back; TOKEN 0: of whatever grant it has. *LEFT (may be NULL): how many are
 * left. Codes as ili_lock_release(). */
il_status ili_rlock_release(struct ili_member *member, struct ili_rlock *lock, uint32_t owner,
                            uint64_t token, uint32_t *left);

/* For a condition: releases all acquires of OWNER at once, *DEPTH of them; and, for who has the lock again
 * by TOKEN, makes it as deep as before. */
il_status ili_rlock_release_all(struct ili_member *member, struct ili_rlock *lock, uint32_t owner,
                                uint32_t *depth);
void ili_rlock_deepen(struct ili_rlock *lock, uint64_t token, uint32_t depth);

#endif
