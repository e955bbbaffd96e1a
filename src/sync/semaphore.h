/*
 * semaphore.h - a number of permits that sessions hold.
 *
 * A grant is some permits and belongs to a session (il_semaphore in interlock.h); OWNER, an agent number,
 * says which of its threads took it. Who waits is served in order of arrival, but for a running thread,
 * which may take what is free before a thread that has slept for less than ILI_WAITING_PATIENCE_NS.
 * A release happens before the grants that it makes possible.
 *
 * While nobody waits, acquiring is one compare-and-swap on the word, after the claim was written to a line of
 * the owner's own, and releasing another: inline below, whoever else holds permits. They serve one grant of a
 * thread at a time; what it acquires beyond that takes the guard. With IL_SEMAPHORE_SIGNAL nothing is held.
 *
 * Where permits come from others than those who acquire them (more have been released than there were at the
 * start), an owner of ILI_SEMAPHORE_GRANTS grants or more gets its next one by way of its oldest, which it
 * has then by the new token: so holdings do not grow without limit. The old token is then stale.
 */
#ifndef ILI_SYNC_SEMAPHORE_H
#define ILI_SYNC_SEMAPHORE_H

#include "base/point.h"
#include "sync/held.h"

/* the word's low half, beside ILI_HELD_SLOW: permits that are free for certain */
#define ILI_SEMAPHORE_VALUE UINT64_C(0x7fffffff)
/* in a holding's token: granted only if the word says so; its owner is in the middle of an acquire */
#define ILI_SEMAPHORE_CLAIM (UINT64_C(1) << 63)
#define ILI_SEMAPHORE_GRANTS 128u

struct ili_semaphore {
    struct ili_holders held; /* value: all permits, free and held; 0 with IL_SEMAPHORE_SIGNAL */
    /* Counts how often the guard's holder looked at the holdings. On a line that else does not change. */
    _Atomic uint64_t epoch;
    uint64_t reserved[7];
};
_Static_assert(sizeof(struct ili_semaphore) == 384, "shared layout");

struct ili_semaphore_view {
    uint32_t value; /* permits that are there */
    uint32_t held;  /* permits that are held */
    uint32_t start, flags, waiters;
    bool deleted;
};

extern const struct ili_kind ili_semaphore_kind;

static inline bool ili_semaphore_is_signal(const struct ili_semaphore *semaphore) {
    return (semaphore->held.flags & IL_SEMAPHORE_SIGNAL) != 0;
}

/* How many permits there may be free at once. */
static inline uint32_t ili_semaphore_most(const struct ili_semaphore *semaphore) {
    return semaphore->held.flags & IL_SEMAPHORE_BOUNDED ? semaphore->held.start : IL_SEMAPHORE_MAX;
}

/* Fills in NEAR for OWNER, the calling thread, after a grant. */
void ili_semaphore_remember(const struct ili_member *member, struct ili_semaphore *semaphore,
                            struct ili_held_near *near, uint32_t owner);

/* After what PLACE had by TOKEN was given back past the guard: sees to it that it is counted as free, and
 * that those go on who can. IL_OK, or why the guard is not to be had. */
il_status ili_semaphore_look_on(struct ili_member *member, struct ili_semaphore *semaphore,
                                struct ili_holding *place, uint64_t token);

/* One attempt to take COUNT permits into PLACE, of the calling thread, which has nothing there. */
static inline bool ili_semaphore_take_place(struct ili_semaphore *semaphore,
                                            struct ili_holding *place, uint32_t count,
                                            uint64_t *token) {
    struct ili_holders *held = &semaphore->held;
    uint64_t word = atomic_load_explicit(&held->word, memory_order_relaxed);
    bool claimed = false;
    for (int attempt = 0; attempt < 3; attempt++) {
        if (word & ILI_HELD_SLOW || (word & ILI_SEMAPHORE_VALUE) < count) break;
        uint64_t next = word + ILI_TOKEN_GRANT - count;
        uint64_t its = ili_token_whole(&held->last_token, ili_token_sequence(next));
        /* first the claim, then the word: who counts the holdings after this grant finds it.
         * release: who finds the token finds the count */
        atomic_store_explicit(&place->count, count, memory_order_relaxed);
        atomic_store_explicit(&place->token, its | ILI_SEMAPHORE_CLAIM, memory_order_release);
        claimed = true;
        ILI_POINT("semaphore.take.claimed");
        if (atomic_compare_exchange_strong_explicit(&held->word, &word, next, memory_order_seq_cst,
                                                    memory_order_relaxed)) {
            ILI_POINT("semaphore.take.granted");
            if (__builtin_expect(its % ILI_TOKEN_STEP == 0, 0)) {
                (void)ili_token_granted(&held->last_token, (uint32_t)its);
            }
            atomic_store_explicit(&place->token, its, memory_order_release);
            *token = its;
            return true;
        }
    }
    /* seq_cst: against who sets SLOW and finds the claim. The caller looks at the word again, and if it is
     * SLOW then, goes to the guard, and looks there who can go on */
    if (claimed) (void)atomic_exchange_explicit(&place->token, 0, memory_order_seq_cst);
    return false;
}

static inline bool ili_semaphore_take_fast(struct ili_member *member,
                                           struct ili_semaphore *semaphore, uint32_t self,
                                           uint32_t count, const struct ili_held_near *near,
                                           uint64_t *token) {
    struct ili_holding *place = ili_held_place(member, near, self);
    /* relaxed: only the calling thread puts something there */
    return place && atomic_load_explicit(&place->token, memory_order_relaxed) == 0 &&
           ili_semaphore_take_place(semaphore, place, count, token);
}

/* Gives back all COUNT permits of the grant TOKEN (0: whichever) of SELF, the calling thread. False: the slow
 * path must. *STATUS if true. */
static inline bool ili_semaphore_give_fast(struct ili_member *member,
                                           struct ili_semaphore *semaphore, uint32_t self,
                                           uint32_t count, const struct ili_held_near *near,
                                           uint64_t token, il_status *status) {
    struct ili_holders *held = &semaphore->held;
    struct ili_holding *place = ili_held_place(member, near, self);
    uint32_t most = ili_semaphore_most(semaphore);
    /* acquire, twice, in this order: see semaphore.c */
    uint64_t epoch = atomic_load_explicit(&semaphore->epoch, memory_order_acquire);
    uint64_t word = atomic_load_explicit(&held->word, memory_order_acquire);
    if (!place || word & ILI_HELD_SLOW) return false;
    uint64_t its = atomic_load_explicit(&place->token, memory_order_relaxed);
    if (its == 0 || (token && its != token) ||
        atomic_load_explicit(&place->count, memory_order_relaxed) != count ||
        atomic_load_explicit(&held->value, memory_order_relaxed) > most) {
        return false;
    }
    /* release: pairs with who counts the holdings and grants these permits */
    atomic_store_explicit(&place->token, 0, memory_order_release);
    ILI_POINT("semaphore.give.cleared");
    *status = IL_OK;
    do {
        if ((word & ILI_SEMAPHORE_VALUE) + count > most) break;
        if (atomic_compare_exchange_strong_explicit(&held->word, &word, word + count,
                                                    memory_order_seq_cst, memory_order_acquire)) {
            return true;
        }
    } while (!(word & ILI_HELD_SLOW) &&
             atomic_load_explicit(&semaphore->epoch, memory_order_relaxed) == epoch);
    *status = ili_semaphore_look_on(member, semaphore, place, its);
    return true;
}

/* With IL_SEMAPHORE_SIGNAL: takes COUNT permits that are there, if nobody waits. */
static inline bool ili_semaphore_take_signal(struct ili_semaphore *semaphore, uint32_t count,
                                             uint64_t *token) {
    struct ili_holders *held = &semaphore->held;
    uint64_t word = atomic_load_explicit(&held->word, memory_order_relaxed);
    while (!(word & ILI_HELD_SLOW) && (word & ILI_SEMAPHORE_VALUE) >= count) {
        uint64_t next = word + ILI_TOKEN_GRANT - count;
        /* acquire: pairs with the releases */
        if (atomic_compare_exchange_weak_explicit(&held->word, &word, next, memory_order_acquire,
                                                  memory_order_relaxed)) {
            *token = ili_token_granted(&held->last_token, ili_token_sequence(next));
            return true;
        }
    }
    return false;
}

/* With IL_SEMAPHORE_SIGNAL: gives COUNT permits, up to MOST in all, if nobody waits. */
static inline bool ili_semaphore_give_signal(struct ili_semaphore *semaphore, uint32_t count,
                                             uint32_t most) {
    struct ili_holders *held = &semaphore->held;
    uint64_t word = atomic_load_explicit(&held->word, memory_order_relaxed);
    while (!(word & ILI_HELD_SLOW) && (word & ILI_SEMAPHORE_VALUE) + count <= most) {
        if (atomic_compare_exchange_weak_explicit(&held->word, &word, word + count,
                                                  memory_order_release, memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

/* Takes COUNT permits, waiting until DEADLINE_NS (0: not at all) with the calling thread, which becomes
 * the owner. IL_OK, IL_ETIMEOUT, IL_EINTR, IL_EDEADLK, IL_EDELETED, IL_EINVAL (a bounded one never has so
 * many), IL_ENOMEM, IL_EBUSY, or why the member may not act. */
il_status ili_semaphore_acquire(struct ili_member *member, struct ili_semaphore *semaphore,
                                uint32_t count, int64_t deadline_ns, uint64_t *token);

/* The same for OWNER, at once or not at all (IL_ETIMEOUT). */
il_status ili_semaphore_try(struct ili_member *member, struct ili_semaphore *semaphore,
                            uint32_t owner, uint32_t count, uint64_t *token);

/* Gives COUNT permits back: of the grant TOKEN, which must be of OWNER's session and hold so many
 * (IL_EOVERFLOW); or with TOKEN 0 of the session's grants, OWNER's first, and what they lack besides.
 * IL_EOVERFLOW (nothing was changed), IL_ESTALE, IL_ENOTHELD, IL_ELEASE, IL_EREVOKED, IL_EDELETED. */
il_status ili_semaphore_release(struct ili_member *member, struct ili_semaphore *semaphore,
                                uint32_t owner, uint32_t count, uint64_t token);

/* The grant TOKEN of OWNER's session (0: its newest) lasts DURATION_NS from now; 0: without limit.
 * IL_EINVAL with IL_SEMAPHORE_SIGNAL; IL_ELIMIT; else as release. */
il_status ili_semaphore_lease(struct ili_member *member, struct ili_semaphore *semaphore,
                              uint32_t owner, uint64_t token, int64_t duration_ns);

/* Whether the grant TOKEN stands, whoever has it. */
il_status ili_semaphore_check_token(struct ili_member *member, struct ili_semaphore *semaphore,
                                    uint64_t token);

/* Voids the grant TOKEN, or with 0 all: see struct ili_kind. */
il_status ili_semaphore_break(struct ili_member *member, struct ili_semaphore *semaphore,
                              uint64_t token, il_status why, const char *reason);

/* ---- waiting without a thread: WAITER is of ili_agent_claim_bell() ---------------------------- */

/* Grants to OWNER at once, or queues WAITER on its behalf and returns IL_ETIMEOUT: then the doorbell
 * rings for it and ili_waiting_poll() tells the outcome; IL_ESESSION: OWNER's session has ended. */
il_status ili_semaphore_enqueue(struct ili_member *member, struct ili_semaphore *semaphore,
                                struct ili_agent *waiter, uint32_t owner, uint32_t count,
                                uint64_t *token);

/* As ili_waiting_poll() and ili_waiting_withdraw(). */
il_status ili_semaphore_poll(struct ili_agent *waiter, uint64_t *token);
il_status ili_semaphore_withdraw(struct ili_member *member, struct ili_semaphore *semaphore,
                                 struct ili_agent *waiter, uint64_t *token);

/* Gives back all that the member's session has. */
void ili_semaphore_release_all(struct ili_member *member, struct ili_semaphore *semaphore);

/* ---- glance, repair ------------------------------------------------------------------------------ */

void ili_semaphore_look(const struct ili_member *member, struct ili_semaphore *semaphore,
                        struct ili_semaphore_view *view);

/* The dead agent DEAD holds the guard. */
void ili_semaphore_repair(struct ili_member *member, struct ili_agent *self,
                          struct ili_semaphore *semaphore, struct ili_agent *dead);

/* Under the guard: IL_ECORRUPT if an invariant of semaphore.c does not hold. */
il_status ili_semaphore_check(const struct ili_member *member, struct ili_semaphore *semaphore);

#endif
