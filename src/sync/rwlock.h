/*
 * rwlock.h - shared by any number of owners, or exclusive to one.
 *
 * OWNER is an agent number: a thread's, or one that the server made (il_rwlock in interlock.h). An owner
 * may acquire again what it has, in the same mode, and gets the same token; but for a session's home agent,
 * which acts for clients that are told apart by token: each of its grants is one for itself.
 * Who waits to be exclusive goes before those that come later to share. A running thread may take a lock
 * that is free before a thread that has slept for less than ILI_WAITING_PATIENCE_NS.
 * A release happens before the grants that it makes possible.
 *
 * While nobody waits, an exclusive acquire and release are one compare-and-swap each. To share costs one on
 * the word, for the token, and one on a line of the owner's own to give it back; so those that share hardly
 * hinder each other. An owner that dies in the middle of an exclusive acquire may count as one that held it.
 */
#ifndef ILI_SYNC_RWLOCK_H
#define ILI_SYNC_RWLOCK_H

#include "sync/held.h"

/* the word's low half, beside ILI_HELD_SLOW */
#define ILI_RWLOCK_OWNER UINT64_C(0x1ffff) /* agent number of the exclusive owner */
#define ILI_RWLOCK_DIED                                                                            \
    UINT64_C(0x20000) /* the last exclusive owner died, the next grant says so */
/* without SLOW: the first waiter was nudged and is going to look; until then others may still exclude */
#define ILI_RWLOCK_NUDGED UINT64_C(0x40000)

struct ili_rwlock {
    struct ili_holders held;
    /* Of the exclusive grant in the word, if it is leased or was acquired again: else all zero. */
    struct ili_holding exclusive;
};
_Static_assert(sizeof(struct ili_rwlock) == 384, "shared layout");

struct ili_rwlock_view {
    uint32_t shared;    /* owners that share it */
    uint32_t exclusive; /* agent number of the exclusive owner; 0: none */
    uint32_t waiters, flags;
    bool deleted;
};

extern const struct ili_kind ili_rwlock_kind;

/* ---- the fast paths -------------------------------------------------------------------------------- */

/* Fills in NEAR for OWNER, the calling thread, after a grant TOKEN. */
void ili_rwlock_remember(const struct ili_member *member, struct ili_rwlock *lock,
                         struct ili_held_near *near, uint32_t owner, uint64_t token);

/* Whether nobody shares LOCK. */
bool ili_rwlock_is_unshared(const struct ili_member *member, struct ili_rwlock *lock);

/* The opposite; most locks have the one place only. */
static inline bool ili_rwlock_is_shared(const struct ili_member *member, struct ili_rwlock *lock) {
    /* seq_cst: after a word was changed to an exclusive grant, claims from before it are found */
    return atomic_load_explicit(&lock->held.first.token, memory_order_seq_cst) != 0 ||
           (atomic_load_explicit(&lock->held.pages, memory_order_relaxed) != 0 &&
            !ili_rwlock_is_unshared(member, lock));
}

/* Gives back what came too late, or looks who can go on. */
il_status ili_rwlock_look_on(struct ili_member *member, struct ili_rwlock *lock);

/* The holding of SELF, the calling thread, if it is known and has no count and no lease. */
static inline struct ili_holding *
ili_rwlock_place(const struct ili_member *member, const struct ili_held_near *near, uint32_t self) {
    struct ili_holding *h = ili_held_place(member, near, self);
    return h && atomic_load_explicit(&h->count, memory_order_relaxed) == 0 ? h : NULL;
}

/* The token of WORD's next grant. */
static inline uint64_t ili_rwlock_next(const struct ili_rwlock *lock, uint64_t word) {
    return ili_token_whole(&lock->held.last_token, ili_token_sequence(word) + 1);
}

/* One attempt to share LOCK while it is free or shared and nobody waits. */
static inline bool ili_rwlock_share_fast(struct ili_member *member, struct ili_rwlock *lock,
                                         uint32_t self, struct ili_held_near *near,
                                         uint64_t *token) {
    struct ili_holding *place = ili_rwlock_place(member, near, self);
    if (!place || atomic_load_explicit(&place->token, memory_order_relaxed) != 0) return false;
    uint64_t next = atomic_load_explicit(&near->last, memory_order_relaxed) + 1;
    uint64_t word = (next - 1) << 32;
    for (int attempt = 0; attempt < 3 && !(word & ILI_HELD_LOW); attempt++) {
        /* first the claim, then the word: who finds the lock free after this grant finds the claim.
         * relaxed: ordered by the exchange */
        atomic_store_explicit(&place->token, next, memory_order_relaxed);
        if (atomic_compare_exchange_strong_explicit(&lock->held.word, &word, next << 32,
                                                    memory_order_seq_cst, memory_order_relaxed)) {
            if (__builtin_expect(next % ILI_TOKEN_STEP == 0 ||
                                     !ili_token_is_near(&lock->held.last_token, next),
                                 0)) {
                next = ili_token_granted(&lock->held.last_token, (uint32_t)next);
                atomic_store_explicit(&place->token, next, memory_order_relaxed);
            }
            atomic_store_explicit(&near->last, next, memory_order_relaxed);
            *token = next;
            return true;
        }
        next = ili_rwlock_next(lock, word);
    }
    /* seq_cst: against who sets SLOW and finds the claim; the caller goes on to the slow path, which looks
     * who can go on */
    (void)atomic_exchange_explicit(&place->token, 0, memory_order_seq_cst);
    return false;
}

/* One attempt to have LOCK exclusively, for who was the last one to be granted anything. */
static inline bool ili_rwlock_exclude_fast(struct ili_member *member, struct ili_rwlock *lock,
                                           uint32_t self, struct ili_held_near *near,
                                           uint64_t *token) {
    uint64_t next = atomic_load_explicit(&near->last, memory_order_relaxed) + 1;
    uint64_t word = (next - 1) << 32;
    if (self == 0 || ili_rwlock_is_shared(member, lock) ||
        !atomic_compare_exchange_strong_explicit(&lock->held.word, &word, next << 32 | self,
                                                 memory_order_seq_cst, memory_order_relaxed)) {
        return false;
    }
    if (__builtin_expect(
            next % ILI_TOKEN_STEP == 0 || !ili_token_is_near(&lock->held.last_token, next), 0)) {
        next = ili_token_granted(&lock->held.last_token, (uint32_t)next);
    }
    atomic_store_explicit(&near->last, next, memory_order_relaxed);
    /* who shares it since before this grant has a claim that is seen now; who came later failed */
    if (__builtin_expect(ili_rwlock_is_shared(member, lock), 0)) {
        word = next << 32 | self;
        if (!atomic_compare_exchange_strong_explicit(&lock->held.word, &word, next << 32,
                                                     memory_order_seq_cst, memory_order_relaxed)) {
            (void)ili_rwlock_look_on(member, lock);
        }
        return false;
    }
    *token = next;
    return true;
}

/* Gives back the only acquire of the grant TOKEN of SELF; 0: of what it has. False: the slow path must. *STATUS if true. */
static inline bool ili_rwlock_release_fast(struct ili_member *member, struct ili_rwlock *lock,
                                           uint32_t self, struct ili_held_near *near,
                                           uint64_t token, il_status *status) {
    struct ili_holding *place = ili_rwlock_place(member, near, self);
    *status = IL_OK;
    if (self == 0) return false;
    if (token == 0 && place) token = atomic_load_explicit(&place->token, memory_order_relaxed);
    if (token == 0) token = atomic_load_explicit(&near->last, memory_order_relaxed);
    if (token == 0) return false;
    uint64_t word = token << 32 | self, held = token;
    if (place && atomic_load_explicit(&place->token, memory_order_relaxed) == token) {
        /* seq_cst, both: either this sees SLOW, or who set it sees that the place is empty.
         * release: pairs with the next exclusive owner's look */
        if (!atomic_compare_exchange_strong_explicit(&place->token, &held, 0, memory_order_seq_cst,
                                                     memory_order_relaxed)) {
            return false;
        }
        word = atomic_load_explicit(&lock->held.word, memory_order_seq_cst);
        if (__builtin_expect((word & ILI_HELD_SLOW) != 0, 0)) {
            *status = ili_rwlock_look_on(member, lock);
        }
        return true;
    }
    if (!ili_token_is_near(&lock->held.last_token, token)) return false;
    return atomic_compare_exchange_strong_explicit(&lock->held.word, &word, token << 32,
                                                   memory_order_release, memory_order_relaxed);
}

/* ---- calls for threads ------------------------------------------------------------------------------ */

/* Acquires LOCK in MODE (IL_SHARED, IL_EXCLUSIVE) for the calling thread, waiting until DEADLINE_NS (0: not
 * at all). IL_OK, IL_EOWNERDEAD (granted), IL_ETIMEOUT, IL_EINTR, IL_EDEADLK (also: shared by who has it
 * exclusively), IL_EUPGRADE, IL_EDELETED, IL_ENOMEM, IL_EBUSY, IL_ELIMIT, or why the member may not act. */
il_status ili_rwlock_acquire(struct ili_member *member, struct ili_rwlock *lock, uint32_t mode,
                             int64_t deadline_ns, uint64_t *token);

/* The same for OWNER, at once or not at all (IL_ETIMEOUT). */
il_status ili_rwlock_try(struct ili_member *member, struct ili_rwlock *lock, uint32_t owner,
                         uint32_t mode, uint64_t *token);

/* Gives one acquire of OWNER back, of the grant TOKEN; 0: of any. IL_ENOTHELD, IL_ESTALE, IL_ELEASE,
 * IL_EREVOKED, IL_EDELETED, IL_EBUSY. */
il_status ili_rwlock_release(struct ili_member *member, struct ili_rwlock *lock, uint32_t owner,
                             uint64_t token);

/* The same for who could not use the grant after all: OWNER_DIED, that its result was IL_EOWNERDEAD, is
 * then told to the next one. */
il_status ili_rwlock_give_back(struct ili_member *member, struct ili_rwlock *lock, uint32_t owner,
                               uint64_t token, bool owner_died);

/* The grant TOKEN of OWNER (0: what it has) lasts DURATION_NS from now; 0: without limit. Codes as
 * release; IL_ELIMIT. */
il_status ili_rwlock_lease(struct ili_member *member, struct ili_rwlock *lock, uint32_t owner,
                           uint64_t token, int64_t duration_ns);

/* The same for an acquire with a lease: an inner one prolongs it if it ends later, and gives none to a grant
 * that has none. */
il_status ili_rwlock_prolong(struct ili_member *member, struct ili_rwlock *lock, uint32_t owner,
                             uint64_t token, int64_t duration_ns);

/* How often OWNER has acquired what it has by TOKEN; 0: it does not. A glance. */
uint32_t ili_rwlock_depth(struct ili_member *member, struct ili_rwlock *lock, uint32_t owner,
                          uint64_t token);

/* Whether the grant TOKEN stands, whoever has it. */
il_status ili_rwlock_check_token(struct ili_member *member, struct ili_rwlock *lock,
                                 uint64_t token);

/* Voids the grant TOKEN, or with 0 all: see struct ili_kind. */
il_status ili_rwlock_break(struct ili_member *member, struct ili_rwlock *lock, uint64_t token,
                           il_status why, const char *reason);

/* ---- waiting without a thread: WAITER is of ili_agent_claim_bell() ---------------------------- */

/* Grants to OWNER at once, or queues WAITER on its behalf and returns IL_ETIMEOUT: then the doorbell
 * rings for it and ili_rwlock_poll() tells the outcome; IL_ESESSION: OWNER's session has ended. */
il_status ili_rwlock_enqueue(struct ili_member *member, struct ili_rwlock *lock,
                             struct ili_agent *waiter, uint32_t owner, uint32_t mode,
                             uint64_t *token);

/* As ili_waiting_poll() and ili_waiting_withdraw(). */
il_status ili_rwlock_poll(struct ili_agent *waiter, uint64_t *token);
il_status ili_rwlock_withdraw(struct ili_member *member, struct ili_rwlock *lock,
                              struct ili_agent *waiter, uint64_t *token);

/* Gives back all that the member's session has. */
void ili_rwlock_release_all(struct ili_member *member, struct ili_rwlock *lock);

/* ---- glance, repair ------------------------------------------------------------------------------ */

void ili_rwlock_look(const struct ili_member *member, struct ili_rwlock *lock,
                     struct ili_rwlock_view *view);

/* The dead agent DEAD holds the guard. */
void ili_rwlock_repair(struct ili_member *member, struct ili_agent *self, struct ili_rwlock *lock,
                       struct ili_agent *dead);

/* Under the guard: IL_ECORRUPT if an invariant of rwlock.c does not hold. */
il_status ili_rwlock_check(const struct ili_member *member, struct ili_rwlock *lock);

#endif
