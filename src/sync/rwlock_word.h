/*
 * rwlock_word.h - what rwlock.c and rwlock_owner.c share: reading and changing an rwlock under its guard.
 * Internal to sync/.
 */
#ifndef ILI_SYNC_RWLOCK_WORD_H
#define ILI_SYNC_RWLOCK_WORD_H

#include "sync/rwlock.h"

static inline uint32_t ili_rwlock_owner_in(uint64_t word) {
    return (uint32_t)(word & ILI_RWLOCK_OWNER);
}
static inline uint32_t ili_rwlock_owner(const struct ili_rwlock *lock) {
    return ili_rwlock_owner_in(ili_held_word(&lock->held));
}

static inline uint64_t ili_rwlock_token(const struct ili_holding *h) {
    /* seq_cst: after SLOW was set, and after a word was changed to an exclusive grant */
    return atomic_load_explicit(&h->token, memory_order_seq_cst);
}

void ili_rwlock_init(struct ili_member *member, void *object, const void *options);
bool ili_rwlock_same(const void *object, const void *options);

struct ili_waiting ili_rwlock_waiting(struct ili_rwlock *lock);

/* The guard, of a lock that exists; and its end, with the wake-ups that are owed. */
il_status ili_rwlock_lock(struct ili_member *member, struct ili_agent **self,
                          struct ili_rwlock *lock);
void ili_rwlock_unlock(struct ili_member *member, struct ili_agent *self, struct ili_rwlock *lock);

/* Under the guard. From here on the word is the guard's holder's. */
void ili_rwlock_enter(struct ili_rwlock *lock);

/* The last of what was begun by enter(): fast again, if that can be. */
void ili_rwlock_settle(struct ili_member *member, struct ili_rwlock *lock);

/* Grants to those who are due, in order, and nudges the first if it is not. Settles. */
void ili_rwlock_dispatch(struct ili_member *member, struct ili_agent *self, void *object);

void ili_rwlock_make(struct ili_member *member, struct ili_agent *self, struct ili_rwlock *lock,
                     const struct ili_plan *plan);

/* OWNER's holding with TOKEN; with ANY, whatever token it has. */
struct ili_holding *ili_rwlock_holding_of(const struct ili_member *member, struct ili_rwlock *lock,
                                          uint32_t owner, bool any, uint64_t token);

/* The grant TOKEN (0: any) of OWNER: *SHARED, or NULL if it is the exclusive one. */
il_status ili_rwlock_find(struct ili_member *member, struct ili_rwlock *lock, uint32_t owner,
                          uint64_t token, struct ili_holding **shared);

/* Ends the exclusive grant; MARK: DIED, or 0. */
void ili_rwlock_end_exclusive(struct ili_member *member, struct ili_agent *self,
                              struct ili_rwlock *lock, uint64_t mark);

/* Ends the grant of H, and with GONE also its owner's claim to the place. */
void ili_rwlock_end_shared(struct ili_member *member, struct ili_agent *self,
                           struct ili_rwlock *lock, struct ili_holding *h, bool gone);

#endif
