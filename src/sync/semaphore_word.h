/*
 * semaphore_word.h - what semaphore.c and semaphore_owner.c share: reading and changing a semaphore under its
 * guard. Internal to sync/.
 */
#ifndef ILI_SYNC_SEMAPHORE_WORD_H
#define ILI_SYNC_SEMAPHORE_WORD_H

#include "sync/semaphore.h"

void ili_semaphore_init(struct ili_member *member, void *object, const void *options);
bool ili_semaphore_same(const void *object, const void *options);

struct ili_waiting ili_semaphore_waiting(struct ili_semaphore *semaphore);

/* The guard, of a semaphore that exists; and its end, with the wake-ups that are owed. */
il_status ili_semaphore_lock(struct ili_member *member, struct ili_agent **self,
                             struct ili_semaphore *semaphore);
void ili_semaphore_unlock(struct ili_member *member, struct ili_agent *self,
                          struct ili_semaphore *semaphore);

/* Under the guard. From here on the semaphore is the guard's holder's. Returns how many permits are free. */
uint32_t ili_semaphore_enter(struct ili_member *member, struct ili_semaphore *semaphore);

/* The last of what was begun by enter(): fast again, if that can be. LEFT permits are free, or more. */
void ili_semaphore_settle(struct ili_member *member, struct ili_semaphore *semaphore,
                          uint32_t left);

/* Grants, in order, to those who are due, and nudges the others whom the free permits suffice for. Settles. */
void ili_semaphore_dispatch(struct ili_member *member, struct ili_agent *self, void *object);

void ili_semaphore_make(struct ili_member *member, struct ili_agent *self,
                        struct ili_semaphore *semaphore, const struct ili_plan *plan);

/* What is in the holdings, for OWNER. */
struct ili_semaphore_survey {
    uint64_t held;              /* permits, those that are claimed as well */
    uint32_t grants;            /* OWNER's */
    struct ili_holding *place;  /* OWNER's kept one */
    struct ili_holding *oldest; /* of OWNER's grants without a lease */
    struct ili_holding *unused;
};

void ili_semaphore_survey(const struct ili_member *member, struct ili_semaphore *semaphore,
                          uint32_t owner, struct ili_semaphore_survey *survey);

/* The permits that nobody has and nobody claims, if HELD are in the holdings. */
static inline uint32_t ili_semaphore_left(const struct ili_semaphore *semaphore, uint64_t held) {
    uint64_t all = atomic_load_explicit(&semaphore->held.value, memory_order_relaxed);
    uint64_t most = ili_semaphore_most(semaphore), left = all > held ? all - held : 0;
    return (uint32_t)(left < most ? left : most);
}

/* The same, as the holdings are now. */
uint32_t ili_semaphore_free(const struct ili_member *member, struct ili_semaphore *semaphore);

/* The token of a grant that H has; 0: none, or none yet. */
static inline uint64_t ili_semaphore_token(const struct ili_holding *h) {
    /* acquire: who finds the token finds the count, and who finds it gone what was done before */
    uint64_t token = atomic_load_explicit(&h->token, memory_order_acquire);
    return token & ILI_SEMAPHORE_CLAIM ? 0 : token;
}

static inline bool ili_semaphore_is_of(const struct ili_member *member, const struct ili_holding *h,
                                       uint32_t slot) {
    uint32_t owner = atomic_load_explicit(&h->owner, memory_order_relaxed);
    return owner && ili_agent_slot(&member->arena, owner) == slot;
}

/* COUNT permits of H become free, but none beyond the bound. GONE: and if that is all, so is its owner. */
void ili_semaphore_give(struct ili_member *member, struct ili_agent *self,
                        struct ili_semaphore *semaphore, struct ili_holding *h, uint32_t count,
                        bool gone);

/* The grant TOKEN of OWNER's session in *OUT. */
il_status ili_semaphore_find(struct ili_member *member, struct ili_semaphore *semaphore,
                             uint32_t owner, uint64_t token, struct ili_holding **out);

#endif
