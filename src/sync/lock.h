/*
 * lock.h - mutual exclusion between owners, with a fencing token for every grant.
 *
 * Is: not reentrant (rlock.h is, and is made of this); granted to an owner (an agent: a thread, or who
 * the server acts for), released by any owner of the same session, as Python's Lock; with
 * IL_LOCK_ANY_RELEASE by anybody.
 * Is not: recursive, priority-inheriting.
 *
 * Plain: a running thread may take a free lock before those that sleep, but whoever has waited for
 * ILI_LOCK_PATIENCE_NS, or waits without a thread, is granted directly by the next release. Fair
 * (IL_LOCK_FAIR): always the one that waits longest.
 * A release happens before the next grant. The end of the owner's session gives the lock to the next one,
 * whose result is IL_EOWNERDEAD; so do the end of a lease and an operator, and the holder's next call says
 * which (loss.h). With a lock delay the lock is first held back for that long. Tokens: see
 * il_lock_acquire(); the low half of a token is the word's sequence, so a stale release can never hit a
 * newer grant, however slow it is.
 *
 * Sharing: any number of processes and threads. Uncontended acquire and release are one
 * compare-and-swap each, inline below.
 */
#ifndef ILI_SYNC_LOCK_H
#define ILI_SYNC_LOCK_H

#include "arena/guard.h"
#include "arena/names.h"
#include "arena/waitq.h"

#define ILI_LOCK_PATIENCE_NS 1000000

/* the word's low half */
#define ILI_LOCK_OWNER UINT64_C(0x1ffff) /* agent index + 1; 0: free */
#define ILI_LOCK_HELD_BACK                                                                         \
    UINT64_C(0x1ffff)                       /* as the owner: nobody, until the delay's lease ends */
#define ILI_LOCK_WAITERS UINT64_C(0x20000)  /* somebody is in the wait queue */
#define ILI_LOCK_WAKING UINT64_C(0x40000)   /* the first waiter was notified and has not settled */
#define ILI_LOCK_DIED UINT64_C(0x80000)     /* the last owner died, the next grant says so */
#define ILI_LOCK_DELETED UINT64_C(0x100000) /* the name is gone: all calls fail */
#define ILI_LOCK_HANDED UINT64_C(0x200000)  /* the owner is a waiter that has not been told yet */
#define ILI_LOCK_LEASED UINT64_C(0x400000)  /* the grant has a lease: `lease` */
#define ILI_LOCK_LOW UINT64_C(0xffffffff)
#define ILI_LOCK_TOKEN_STEP 65536u         /* grants between two updates of last_token */
#define ILI_LOCK_GRANT (UINT64_C(1) << 32) /* the high half: how many grants, modulo 2^32 */
_Static_assert(ILI_AGENTS_MAX < ILI_LOCK_HELD_BACK, "an agent's number fits into the word");

struct ili_lock {
    struct ili_object object;
    _Atomic uint64_t word;
    _Atomic uint64_t last_token; /* of some recent grant: supplies the bits above the sequence */
    uint32_t flags;              /* IL_LOCK_…, IL_DEADLOCK_REPORT, as made */
    _Atomic uint32_t
        lease;        /* number; counts with LEASED or HELD_BACK, if it is that of the token */
    int64_t delay_ns; /* lock delay, as made */
    /* When the grant SINCE_TOKEN was made, or first noticed. Glances write it too. */
    _Atomic uint64_t since_token;
    _Atomic int64_t since_ns;
    struct ili_guard guard; /* kind LOCK; protects waiters and all waiting */
    struct ili_waitq waiters;
    /* Who holds it, for people, if the client gave no owner; counts while label_token is the token of the
     * grant in the word. */
    _Atomic uint64_t label_token;
    char label[64];
    uint64_t reserved;
};
_Static_assert(sizeof(struct ili_lock) == 240, "shared layout");

struct ili_lock_view {
    uint32_t owner; /* agent index + 1; 0: free, or held back */
    uint32_t slot;  /* index + 1 of the owner's session; 0: as above */
    uint32_t waiters;
    uint64_t token; /* of the grant that stands, or the last one */
    bool died, deleted, held_back;
};

extern const struct ili_kind ili_lock_kind;

/* The whole token whose low half is SEQUENCE. */
static inline uint64_t ili_lock_token(const struct ili_lock *lock, uint32_t sequence) {
    uint64_t last = atomic_load_explicit(&lock->last_token, memory_order_relaxed);
    return last + (uint64_t)(int64_t)(int32_t)(sequence - (uint32_t)last);
}

/* After the word was changed to a grant of SEQUENCE for this process. */
static inline uint64_t ili_lock_granted(struct ili_lock *lock, uint32_t sequence) {
    uint64_t token = ili_lock_token(lock, sequence);
    /* Now and then is enough, since only the distance to the sequence must stay below 2^31, and saves
     * the release's locked instruction from waiting for a store. relaxed: any recent value serves,
     * also an older one that overtakes. */
    if (sequence % ILI_LOCK_TOKEN_STEP == 0) {
        atomic_store_explicit(&lock->last_token, token, memory_order_relaxed);
    }
    return token;
}

/* Whether TOKEN is so close to the lock's tokens that its low half tells it from all of them. */
static inline bool ili_lock_near(const struct ili_lock *lock, uint64_t token) {
    uint64_t last = atomic_load_explicit(&lock->last_token, memory_order_relaxed);
    return token - last + (UINT64_C(1) << 31) < UINT64_C(1) << 32;
}

/* Takes the lock for SELF (an agent number, or 0: fails) if it is free, nobody waits, and nobody else was
 * granted it since the caller was. LAST is the caller's own, its last token of this lock, or 0. This saves
 * a load of the word, which could not start before the locked instruction of the release before has
 * ended. */
static inline bool ili_lock_try_again(struct ili_lock *lock, uint32_t self, _Atomic uint64_t *last,
                                      uint64_t *token) {
    /* relaxed, here and below: a guess; if it is wrong, the attempt fails */
    uint64_t next = atomic_load_explicit(last, memory_order_relaxed) + 1;
    uint64_t word = (next - 1) << 32;
    if (self == 0) return false;
    /* acquire: pairs with the release of the one before */
    if (!atomic_compare_exchange_strong_explicit(&lock->word, &word, next << 32 | self,
                                                 memory_order_acquire, memory_order_relaxed)) {
        return false;
    }
    if (__builtin_expect(next % ILI_LOCK_TOKEN_STEP == 0 || !ili_lock_near(lock, next), 0)) {
        next = ili_lock_granted(lock, (uint32_t)next);
    }
    atomic_store_explicit(last, next, memory_order_relaxed);
    *token = next;
    return true;
}

/* Releases the grant TOKEN of the owner SELF (0: fails) if nothing else is going on. TOKEN 0 is not for
 * the fast path. */
static inline bool ili_lock_release_fast(struct ili_lock *lock, uint32_t self, uint64_t token) {
    uint64_t word = token << 32 | self;
    if (self == 0 || !ili_lock_near(lock, token)) return false;
    return atomic_compare_exchange_strong_explicit(&lock->word, &word, word & ~ILI_LOCK_OWNER,
                                                   memory_order_release, memory_order_relaxed);
}

/* Acquires for the calling thread, waiting until DEADLINE_NS (0: not at all).
 * IL_OK, IL_EOWNERDEAD (granted), IL_ETIMEOUT, IL_EINTR, IL_EDEADLK, IL_EDELETED, IL_EBUSY, IL_ELIMIT, or
 * why the member may not act. */
il_status ili_lock_acquire(struct ili_member *member, struct ili_lock *lock, int64_t deadline_ns,
                           uint64_t *token);

/* Acquires for OWNER (an agent number) if the lock is free. As above; IL_ETIMEOUT: it is not. */
il_status ili_lock_try(struct ili_member *member, struct ili_lock *lock, uint32_t owner,
                       uint64_t *token);

/* Releases TOKEN, which OWNER's session holds; 0: whatever grant it holds. IL_ENOTHELD, IL_ESTALE,
 * IL_ELEASE, IL_EREVOKED, IL_EDELETED, IL_EBUSY. */
il_status ili_lock_release(struct ili_member *member, struct ili_lock *lock, uint32_t owner,
                           uint64_t token);

/* The same for who could not use the grant after all: OWNER_DIED, that its result was IL_EOWNERDEAD, is
 * then told to the next one. */
il_status ili_lock_give_back(struct ili_member *member, struct ili_lock *lock, uint32_t owner,
                             uint64_t token, bool owner_died);

/* Whether TOKEN is the grant that stands. Codes as of il_lock_check(). */
il_status ili_lock_token_check(const struct ili_member *member, const struct ili_lock *lock,
                               uint64_t token);

/* Gives the grant TOKEN (0: whatever OWNER's session holds) a lease of DURATION_NS from now, or moves the
 * end of the one it has; 0: none. As ili_lock_release(), and IL_ELIMIT: there are too many leases. */
il_status ili_lock_lease(struct ili_member *member, struct ili_lock *lock, uint32_t owner,
                         uint64_t token, int64_t duration_ns);

/* ---- waiting without a thread; WAITER is of ili_agent_claim_bell() ---------------------------- */

/* Grants at once (IL_OK, IL_EOWNERDEAD), or queues WAITER on behalf of OWNER (an agent number) and returns
 * IL_ETIMEOUT: then the doorbell rings for it and ili_lock_poll() tells the outcome. */
il_status ili_lock_enqueue(struct ili_member *member, struct ili_lock *lock,
                           struct ili_agent *waiter, uint32_t owner, uint64_t *token);

/* IL_OK, IL_EOWNERDEAD: granted, WAITER is free again. IL_EDELETED: it is free again too.
 * IL_ETIMEOUT: it still waits. */
il_status ili_lock_poll(struct ili_agent *waiter, uint64_t *token);

/* Withdraws WAITER. IL_ETIMEOUT: withdrawn. IL_OK, IL_EOWNERDEAD: it had been granted meanwhile and
 * holds the lock. IL_EDELETED. In these cases it is free again; IL_EBUSY: it still waits. */
il_status ili_lock_withdraw(struct ili_member *member, struct ili_lock *lock,
                            struct ili_agent *waiter, uint64_t *token);

/* ---- for rlock.c ------------------------------------------------------------------------------- */

/* The functions of both kinds' rows. */
void ili_lock_init(struct ili_member *member, void *object, const void *options);
bool ili_lock_same(const void *object, const void *options);
il_status ili_lock_end(struct ili_member *member, struct ili_agent *self, void *object);
il_status ili_lock_recover(struct ili_member *member, struct ili_agent *self, void *object,
                           uint32_t slot);
struct ili_waitq *ili_lock_waiters(void *object, unsigned which);
il_status ili_lock_thread_end(struct ili_member *member, struct ili_agent *self, void *object,
                              struct ili_agent *ended, struct ili_agent *home);
il_status ili_lock_revoke(struct ili_member *member, struct ili_agent *self, void *object,
                          uint64_t token, il_status why, const char *reason);
size_t ili_lock_grants(struct ili_member *member, void *object, struct ili_grant *out, size_t room);
void ili_lock_gate(struct ili_member *member, void *object, const struct ili_agent *waiter,
                   struct ili_gate *gate);

/* ---- glances ------------------------------------------------------------------------------------- */

void ili_lock_look(const struct ili_member *member, const struct ili_lock *lock,
                   struct ili_lock_view *view);

/* ---- repair ------------------------------------------------------------------------------------ */

/* A dead agent holds the guard. */
void ili_lock_repair(struct ili_member *member, struct ili_agent *self, struct ili_lock *lock);

/* Under the guard: IL_ECORRUPT if an invariant of lock.c does not hold. */
il_status ili_lock_check(const struct ili_member *member, const struct ili_lock *lock);

#endif
