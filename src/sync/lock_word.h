/*
 * lock_word.h - what lock.c and lock_owner.c share: reading and changing the word. Internal to sync/.
 */
#ifndef ILI_SYNC_LOCK_WORD_H
#define ILI_SYNC_LOCK_WORD_H

#include "sync/lock.h"

static inline uint64_t ili_lock_load(const struct ili_lock *lock) {
    return atomic_load_explicit(&lock->word, memory_order_relaxed);
}

static inline uint32_t ili_lock_sequence(uint64_t word) { return (uint32_t)(word >> 32); }

/* acquire and release at once: a hand-over passes on what the last owner did */
static inline bool ili_lock_change(struct ili_lock *lock, uint64_t *from, uint64_t to) {
    return atomic_compare_exchange_strong_explicit(&lock->word, from, to, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

static inline void ili_lock_clear(struct ili_lock *lock, uint64_t bits) {
    atomic_fetch_and_explicit(&lock->word, ~bits, memory_order_relaxed);
}

/* Whether a grant is its owner's alone, rather than its session's. */
static inline bool ili_lock_is_owners(const struct ili_lock *lock) {
    return lock->object.kind == ILI_KIND_RLOCK;
}

static inline uint32_t ili_lock_owner(uint64_t word) { return (uint32_t)(word & ILI_LOCK_OWNER); }

static inline bool ili_lock_is_held(uint64_t word) {
    return ili_lock_owner(word) != 0 && ili_lock_owner(word) != ILI_LOCK_HELD_BACK;
}

/* The newest token there is. */
static inline uint64_t ili_lock_newest(const struct ili_lock *lock, uint64_t word) {
    return ili_lock_token(lock, ili_lock_sequence(word));
}

/* ---- lock.c; under the guard ------------------------------------------------------------------------ */

/* The lock is to become free, or is free, and FROM is its owner (0: none): gives it to the first
 * waiter, or frees it and makes sure that the first waiter comes for it. MARK is set in the word
 * meanwhile (DIED). Whom to wake is left in self->waking. */
void ili_lock_dispatch(struct ili_member *member, struct ili_agent *self, struct ili_lock *lock,
                       uint32_t from, uint64_t mark);

/* The same, and frees the lease that the grant has. */
void ili_lock_give_up(struct ili_member *member, struct ili_agent *self, struct ili_lock *lock,
                      uint32_t from, uint64_t mark);

static inline void ili_lock_unlock_and_wake(struct ili_member *member, struct ili_agent *self,
                                            struct ili_lock *lock) {
    ili_guard_unlock(member, self, &lock->guard);
    ili_agent_wake_now(member, self);
}

/* ---- lock_owner.c ------------------------------------------------------------------------------------ */

/* Whether WORD shows that OWNER, or for a plain lock one of its session, holds the grant TOKEN (0: any).
 * IL_OK; IL_DELETED, IL_ENOTHELD, IL_ESTALE, IL_ELEASE, IL_EREVOKED. */
il_status ili_lock_check_holder(const struct ili_member *member, const struct ili_lock *lock,
                                uint64_t word, uint32_t owner, uint64_t token);

/* Whether the grant in WORD has a lease that has ended, though it may not have been voided yet: nobody may
 * take it for valid any more. */
bool ili_lock_lease_is_over(const struct ili_member *member, const struct ili_lock *lock,
                            uint64_t word);

/* Frees the lease of the grant TOKEN, which has ended. */
void ili_lock_drop_lease(const struct ili_member *member, struct ili_lock *lock, uint64_t token);

/* The grant TOKEN began at SINCE_NS. */
void ili_lock_note_since(struct ili_lock *lock, uint64_t token, int64_t since_ns);

/* Under the guard: FROM, the owner, has failed. */
void ili_lock_owner_failed(struct ili_member *member, struct ili_agent *self, struct ili_lock *lock,
                           uint32_t from);

/* Under the guard: the lock is HELD_BACK, and from now on there is a lease that ends it. If none is to be
 * had the delay is over at once: rather too early than never. */
void ili_lock_time_delay(struct ili_member *member, struct ili_agent *self, struct ili_lock *lock);

#endif
