/*
 * rlock.c - see rlock.h.
 *
 * `again` is changed by the owner only, but an owner that has lost its grant may not know it yet. So it
 * reads the count, then sees that the grant stands, then changes by compare-and-swap from what it read. A
 * late change of the old owner therefore either meets the new owner's value and fails, or leaves a value of
 * an old sequence, which counts as nothing.
 */
#include "sync/rlock.h"

#include "arena/lease.h"
#include "sync/lock_word.h"

#define AGAIN_MOST 0x7ffffffeu

static uint32_t sequence_of(uint64_t value) { return (uint32_t)(value >> 32); }

/* The word if OWNER has the lock; else 0, which is no word with an owner. */
static uint64_t owned_word(const struct ili_rlock *lock, uint32_t owner) {
    /* relaxed: the owner reads what it wrote itself; for all others the answer is no */
    uint64_t word = atomic_load_explicit(&lock->lock.word, memory_order_relaxed);
    bool owned = (word & ILI_LOCK_OWNER) == owner && !(word & ILI_LOCK_DELETED);
    return owned && owner != 0 ? word : 0;
}

static uint32_t again_of(const struct ili_rlock *lock, uint64_t word) {
    uint64_t again = atomic_load_explicit(&lock->again, memory_order_relaxed);
    return sequence_of(again) == sequence_of(word) ? (uint32_t)again : 0;
}

uint32_t ili_rlock_depth(const struct ili_rlock *lock, uint32_t owner) {
    uint64_t word = owned_word(lock, owner);
    return word ? again_of(lock, word) + 1 : 0;
}

/* Sets the count of the grant in WORD to COUNT, unless there is a later grant. */
static void set_again(struct ili_rlock *lock, uint64_t word, uint32_t count) {
    uint64_t next = (word & ~ILI_LOCK_LOW) | count;
    /* acquire: pairs with the release below. Who reads a later grant's count sees that grant in the word */
    uint64_t again = atomic_load_explicit(&lock->again, memory_order_acquire);
    do {
        uint64_t now = atomic_load_explicit(&lock->lock.word, memory_order_relaxed);
        if (sequence_of(now) != sequence_of(word)) return;
    } while (!atomic_compare_exchange_weak_explicit(&lock->again, &again, next,
                                                    memory_order_release, memory_order_acquire));
}

struct ili_lease *ili_rlock_leased(const struct ili_member *member, const struct ili_rlock *lock,
                                   uint64_t token) {
    uint32_t number = atomic_load_explicit(&lock->lock.lease, memory_order_relaxed);
    return ili_lease_of(&member->arena, number, ili_off_of(&member->arena, lock), token);
}

/* If OWNER has the lock: acquires once more. IL_OK with the token of the grant; IL_ETIMEOUT: it has not;
 * IL_EOVERFLOW: too often (2^31). A grant whose lease is over is voided here, as the timekeeper is about to
 * do: what is acquired now must not be lost with it. */
static il_status again(struct ili_member *member, struct ili_rlock *lock, uint32_t owner,
                       uint64_t *token) {
    uint64_t word = owned_word(lock, owner);
    if (!word) return IL_ETIMEOUT;
    if (ili_lock_lease_is_over(member, &lock->lock, word)) {
        struct ili_agent *self;
        il_status status = ili_agent_current(member, &self);
        uint64_t void_token = ili_lock_token(&lock->lock, sequence_of(word));
        if (status != IL_OK) return status;
        status = ili_lock_revoke(member, self, lock, void_token, IL_ELEASE, NULL);
        return status == IL_EBUSY ? status : IL_ETIMEOUT;
    }
    uint32_t count = again_of(lock, word);
    if (count >= AGAIN_MOST) return IL_EOVERFLOW;
    set_again(lock, word, count + 1);
    *token = ili_lock_token(&lock->lock, sequence_of(word));
    return IL_OK;
}

il_status ili_rlock_acquire(struct ili_member *member, struct ili_rlock *lock, int64_t deadline_ns,
                            uint64_t *token) {
    struct ili_agent *self;
    il_status status = ili_agent_current(member, &self);
    if (status != IL_OK) return status;
    status = again(member, lock, ili_agent_number(&member->arena, self), token);
    return status == IL_ETIMEOUT ? ili_lock_acquire(member, &lock->lock, deadline_ns, token)
                                 : status;
}

il_status ili_rlock_try(struct ili_member *member, struct ili_rlock *lock, uint32_t owner,
                        uint64_t *token) {
    il_status status = again(member, lock, owner, token);
    return status == IL_ETIMEOUT ? ili_lock_try(member, &lock->lock, owner, token) : status;
}

il_status ili_rlock_enqueue(struct ili_member *member, struct ili_rlock *lock,
                            struct ili_agent *waiter, uint32_t owner, uint64_t *token) {
    il_status status = again(member, lock, owner, token);
    return status == IL_ETIMEOUT ? ili_lock_enqueue(member, &lock->lock, waiter, owner, token)
                                 : status;
}

il_status ili_rlock_release(struct ili_member *member, struct ili_rlock *lock, uint32_t owner,
                            uint64_t token, uint32_t *left) {
    uint64_t word = owned_word(lock, owner);
    uint32_t count = word ? again_of(lock, word) : 0;
    il_status status = IL_OK;
    bool over = word && ili_lock_lease_is_over(member, &lock->lock, word);
    if (count > 0 && !over &&
        (token == 0 || token == ili_lock_token(&lock->lock, sequence_of(word)))) {
        set_again(lock, word, count - 1);
    } else {
        status = ili_lock_release(member, &lock->lock, owner, token);
        count = 0;
    }
    if (status == IL_OK && left) *left = count;
    return status;
}

il_status ili_rlock_release_all(struct ili_member *member, struct ili_rlock *lock, uint32_t owner,
                                uint32_t *depth) {
    uint64_t word = owned_word(lock, owner);
    if (!word) return IL_ENOTHELD;
    uint32_t count = again_of(lock, word);
    if (count > 0) set_again(lock, word, 0);
    il_status status = ili_lock_release(member, &lock->lock, owner, 0);
    if (status == IL_OK) {
        *depth = count + 1;
    } else if (count > 0) {
        set_again(lock, word, count);
    }
    return status;
}

void ili_rlock_deepen(struct ili_rlock *lock, uint64_t token, uint32_t depth) {
    if (depth > 1) set_again(lock, token << 32, depth - 1);
}

static size_t grants(struct ili_member *member, void *object, struct ili_grant *out, size_t room) {
    struct ili_rlock *lock = object;
    size_t count = ili_lock_grants(member, object, out, room);
    if (count && room) {
        uint64_t again = atomic_load_explicit(&lock->again, memory_order_relaxed);
        if (sequence_of(again) == (uint32_t)out->token) out->count += (uint32_t)again;
    }
    return count;
}

static il_status dispose(struct ili_member *member, struct ili_agent *self, struct ili_agent *owner,
                         void *object) {
    return ili_lock_kind.dispose(member, self, owner, object);
}

const struct ili_kind ili_rlock_kind = {
    .number = ILI_KIND_RLOCK,
    .bytes = sizeof(struct ili_rlock),
    .word = "rlock",
    .init = ili_lock_init,
    .same = ili_lock_same,
    .end = ili_lock_end,
    .dispose = dispose,
    .recover = ili_lock_recover,
    .waiters = ili_lock_waiters,
    .thread_end = ili_lock_thread_end,
    .revoke = ili_lock_revoke,
    .grants = grants,
    .gate = ili_lock_gate,
};
