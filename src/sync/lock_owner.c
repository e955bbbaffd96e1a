/*
 * lock_owner.c - who holds a lock, and what becomes of the grant when they fail: leases, lock delay,
 * operators, threads that end; and the glances at all that. The word and its rules are lock.c's.
 *
 * A lease's entry is freed after the grant has ended. One that a death in between leaves behind is of a
 * token that no longer stands, which its own end finds out.
 */
#include "arena/lease.h"
#include "arena/loss.h"
#include "base/clock.h"
#include "base/point.h"
#include "sync/lock_word.h"

/* ---- leases ----------------------------------------------------------------------------------- */

void ili_lock_drop_lease(const struct ili_member *m, struct ili_lock *lock, uint64_t token) {
    uint32_t number = atomic_load_explicit(&lock->lease, memory_order_relaxed);
    struct ili_lease *lease = ili_lease_of(&m->arena, number, ili_off_of(&m->arena, lock), token);
    if (lease) ili_lease_free(lease);
}

void ili_lock_note_since(struct ili_lock *lock, uint64_t token, int64_t since_ns) {
    atomic_store_explicit(&lock->since_ns, since_ns, memory_order_relaxed);
    atomic_store_explicit(&lock->since_token, token, memory_order_release);
}

/* ---- holding --------------------------------------------------------------------------------------- */

bool ili_lock_lease_is_over(const struct ili_member *m, const struct ili_lock *lock,
                            uint64_t word) {
    if (!(word & ILI_LOCK_LEASED)) return false;
    uint32_t number = atomic_load_explicit(&lock->lease, memory_order_relaxed);
    const struct ili_lease *lease =
        ili_lease_of(&m->arena, number, ili_off_of(&m->arena, lock), ili_lock_newest(lock, word));
    return lease && atomic_load_explicit(&lease->end_ns, memory_order_relaxed) <= ili_now_ns();
}

/* Why the grant TOKEN, which is not the newest or not held any more, is no longer valid. */
static il_status why_not(const struct ili_member *m, const struct ili_lock *lock, uint64_t token,
                         il_status otherwise) {
    struct ili_loss_copy loss;
    bool lost = ili_loss_find(&m->arena, ili_off_of(&m->arena, lock), token, &loss);
    return lost ? loss.why : otherwise;
}

/* The slot of the session that holds what WORD shows. The thread that acquired it may have ended meanwhile:
 * then the grant goes on as another's of its session (ili_lock_thread_end), and the agent that WORD names is
 * nobody's by now, or somebody else's. */
static uint32_t session_of(const struct ili_member *m, const struct ili_lock *lock, uint64_t word) {
    uint32_t slot = ili_agent_slot(&m->arena, ili_lock_owner(word));
    for (int i = 0; i < 4; i++) { /* once, unless the arena is corrupt */
        uint64_t now = ili_lock_load(lock);
        if (ili_lock_sequence(now) != ili_lock_sequence(word) ||
            ili_lock_owner(now) == ili_lock_owner(word)) {
            break;
        }
        word = now;
        slot = ili_agent_slot(&m->arena, ili_lock_owner(word));
    }
    return slot;
}

il_status ili_lock_check_holder(const struct ili_member *m, const struct ili_lock *lock,
                                uint64_t word, uint32_t owner, uint64_t token) {
    if (word & ILI_LOCK_DELETED) return IL_EDELETED;
    uint64_t newest = ili_lock_newest(lock, word);
    if (token != 0 && token < newest) return why_not(m, lock, token, IL_ESTALE);
    if (ili_lock_lease_is_over(m, lock, word)) return IL_ELEASE;
    bool held = ili_lock_owner(word) == owner;
    if (!held && ili_lock_is_held(word) && !ili_lock_is_owners(lock)) {
        uint32_t slot = session_of(m, lock, word);
        held = slot != UINT32_MAX && slot == ili_agent_slot(&m->arena, owner);
    }
    if (held && (token == 0 || token == newest)) return IL_OK;
    return token == newest ? why_not(m, lock, token, IL_ENOTHELD) : IL_ENOTHELD;
}

il_status ili_lock_token_check(const struct ili_member *member, const struct ili_lock *lock,
                               uint64_t token) {
    uint64_t word = ili_lock_load(lock);
    uint64_t newest = ili_lock_newest(lock, word);
    if (word & ILI_LOCK_DELETED) return IL_EDELETED;
    if (token == newest && ili_lock_lease_is_over(member, lock, word)) return IL_ELEASE;
    if (token == newest && ili_lock_is_held(word)) return IL_OK;
    return why_not(member, lock, token, token < newest ? IL_ESTALE : IL_ENOTHELD);
}

il_status ili_lock_lease(struct ili_member *member, struct ili_lock *lock, uint32_t owner,
                         uint64_t token, int64_t duration_ns) {
    struct ili_agent *self;
    il_status status = ili_agent_current(member, &self);
    if (status == IL_OK) status = ili_guard_lock(member, self, &lock->guard);
    if (status != IL_OK) return status;
    uint64_t word = ili_lock_load(lock);
    status = ili_lock_check_holder(member, lock, word, owner, token);
    token = ili_lock_newest(lock, word);
    uint32_t number = atomic_load_explicit(&lock->lease, memory_order_relaxed);
    ili_off at = ili_off_of(&member->arena, lock);
    struct ili_lease *lease = ili_lease_of(&member->arena, number, at, token);
    if (status == IL_OK && duration_ns == 0) {
        ili_lock_clear(lock, ILI_LOCK_LEASED);
        if (lease) ili_lease_free(lease);
    } else if (status == IL_OK && lease && word & ILI_LOCK_LEASED) {
        ili_lease_extend(member, lease, duration_ns);
    } else if (status == IL_OK) {
        /* another agent of the session may release it at this moment, past the guard */
        uint32_t slot = ili_agent_slot(&member->arena, ili_lock_owner(word));
        status = ili_lease_claim(member, slot, at, token, duration_ns, &number);
        if (status == IL_OK) {
            atomic_store_explicit(&lock->lease, number, memory_order_relaxed);
            ILI_POINT("lock.lease.claimed");
            while (ili_lock_check_holder(member, lock, word, owner, token) == IL_OK &&
                   !ili_lock_change(lock, &word, word | ILI_LOCK_LEASED)) {
            }
            if (ili_lock_check_holder(member, lock, word, owner, token) != IL_OK) {
                ili_lock_drop_lease(member, lock, token);
                status = IL_ENOTHELD;
            }
        }
    }
    if (status == IL_OK && atomic_load_explicit(&lock->since_token, memory_order_relaxed) != token)
        ili_lock_note_since(lock, token, ili_now_ns());
    ili_lock_unlock_and_wake(member, self, lock);
    return status;
}

/* ---- owners that fail ------------------------------------------------------------------------------ */

/* Whether a lease keeps the time of the delay that began when the grant TOKEN ended. */
static bool delay_is_timed(const struct ili_member *m, const struct ili_lock *lock,
                           uint64_t token) {
    uint32_t number = atomic_load_explicit(&lock->lease, memory_order_relaxed);
    return ili_lease_of(&m->arena, number, ili_off_of(&m->arena, lock), token) != NULL;
}

void ili_lock_time_delay(struct ili_member *m, struct ili_agent *self, struct ili_lock *lock) {
    uint64_t token = ili_lock_newest(lock, ili_lock_load(lock));
    uint32_t number;
    if (delay_is_timed(m, lock, token)) return;
    if (ili_lease_claim(m, ILI_LEASE_NOBODY, ili_off_of(&m->arena, lock), token, lock->delay_ns,
                        &number) == IL_OK) {
        atomic_store_explicit(&lock->lease, number, memory_order_relaxed);
    } else {
        ili_lock_dispatch(m, self, lock, ILI_LOCK_HELD_BACK, ILI_LOCK_DIED);
    }
}

void ili_lock_owner_failed(struct ili_member *m, struct ili_agent *self, struct ili_lock *lock,
                           uint32_t from) {
    uint64_t word = ili_lock_load(lock);
    if (lock->delay_ns <= 0) {
        ili_lock_give_up(m, self, lock, from, ILI_LOCK_DIED);
        return;
    }
    for (;;) {
        if (ili_lock_owner(word) != from)
            return; /* it was just released, by another of its session */
        uint64_t next =
            (word & ~(ILI_LOCK_OWNER | ILI_LOCK_LEASED)) | ILI_LOCK_HELD_BACK | ILI_LOCK_DIED;
        if (ili_lock_change(lock, &word, next)) break;
    }
    ILI_POINT("lock.held_back");
    if (word & ILI_LOCK_LEASED) ili_lock_drop_lease(m, lock, ili_lock_newest(lock, word));
    ili_lock_time_delay(m, self, lock);
}

/* Under the guard: keeps the fast release away from the grant TOKEN of OWNER, so that it ends by what comes
 * next. IL_ENOTHELD, IL_ESTALE: it was just released. */
static il_status hold_fast(struct ili_lock *lock, uint32_t owner, uint64_t token) {
    uint64_t word = ili_lock_load(lock);
    while (ili_lock_owner(word) == owner && ili_lock_newest(lock, word) == token) {
        if (word & ILI_LOCK_LEASED || ili_lock_change(lock, &word, word | ILI_LOCK_LEASED)) {
            return IL_OK;
        }
    }
    return ili_lock_newest(lock, word) == token ? IL_ENOTHELD : IL_ESTALE;
}

il_status ili_lock_revoke(struct ili_member *member, struct ili_agent *self, void *object,
                          uint64_t token, il_status why, const char *reason) {
    struct ili_lock *lock = object;
    il_status status = ili_guard_lock(member, self, &lock->guard);
    if (status != IL_OK) return status;
    uint64_t word = ili_lock_load(lock);
    uint32_t owner = ili_lock_owner(word);
    uint64_t newest = ili_lock_newest(lock, word);
    if (word & ILI_LOCK_DELETED) {
        status = IL_EDELETED;
    } else if (token != newest) {
        status = token < newest ? IL_ESTALE : IL_ENOTHELD;
    } else if (owner == ILI_LOCK_HELD_BACK) { /* the delay is over, or an operator ends it */
        ili_lock_dispatch(member, self, lock, owner, ILI_LOCK_DIED);
        ili_lock_drop_lease(member, lock, token);
    } else if (owner == 0) {
        status = IL_ENOTHELD;
    } else if ((status = hold_fast(lock, owner, token)) == IL_OK) {
        /* noted before it is void, so that no call of the holder can find it void without a reason */
        ili_loss_add(member, ili_off_of(&member->arena, lock), lock->object.kind, owner, token, why,
                     reason);
        ili_lock_owner_failed(member, self, lock, owner);
    }
    ili_lock_unlock_and_wake(member, self, lock);
    return status;
}

il_status ili_lock_thread_end(struct ili_member *member, struct ili_agent *self, void *object,
                              struct ili_agent *ended, struct ili_agent *home) {
    struct ili_lock *lock = object;
    uint32_t from = ili_agent_number(&member->arena, ended);
    uint64_t word = ili_lock_load(lock);
    if (ili_lock_owner(word) != from) return IL_OK; /* only the thread itself could make it so */
    il_status status = ili_guard_lock(member, self, &lock->guard);
    if (status != IL_OK) return status;
    if (ili_lock_is_owners(lock)) {
        ili_lock_owner_failed(member, self, lock, from);
    } else {
        uint64_t to = ili_agent_number(&member->arena, home);
        word = ili_lock_load(lock);
        while (ili_lock_owner(word) == from &&
               !ili_lock_change(lock, &word, (word & ~ILI_LOCK_OWNER) | to)) {
        }
    }
    ili_lock_unlock_and_wake(member, self, lock);
    return IL_OK;
}

/* ---- glances ------------------------------------------------------------------------------------- */

void ili_lock_look(const struct ili_member *member, const struct ili_lock *lock,
                   struct ili_lock_view *view) {
    uint64_t word = ili_lock_load(lock);
    uint32_t slot = session_of(member, lock, word);
    view->held_back = ili_lock_owner(word) == ILI_LOCK_HELD_BACK;
    view->owner = view->held_back ? 0 : ili_lock_owner(word);
    view->slot = slot == UINT32_MAX ? 0 : slot + 1;
    view->waiters = ili_waitq_count(&lock->waiters);
    view->token = ili_lock_newest(lock, word);
    view->died = (word & ILI_LOCK_DIED) != 0;
    view->deleted = (word & ILI_LOCK_DELETED) != 0;
}

struct ili_waitq *ili_lock_waiters(void *object, unsigned which) {
    return which == 0 ? &((struct ili_lock *)object)->waiters : NULL;
}

size_t ili_lock_grants(struct ili_member *member, void *object, struct ili_grant *out,
                       size_t room) {
    struct ili_lock *lock = object;
    uint64_t word = ili_lock_load(lock);
    uint64_t token = ili_lock_newest(lock, word);
    if (!ili_lock_is_held(word) || word & ILI_LOCK_DELETED) return 0;
    if (room == 0) return 1;
    /* acquire: pairs with ili_lock_note_since() */
    if (atomic_load_explicit(&lock->since_token, memory_order_acquire) != token) {
        ili_lock_note_since(lock, token, ili_now_ns());
    }
    uint32_t lease = atomic_load_explicit(&lock->lease, memory_order_relaxed);
    bool leased = ili_lease_of(&member->arena, lease, ili_off_of(&member->arena, lock), token);
    *out = (struct ili_grant){
        .owner = ili_lock_owner(word),
        .count = 1,
        .lease = leased ? lease : 0,
        .token = token,
        .since_ns = atomic_load_explicit(&lock->since_ns, memory_order_relaxed),
    };
    return 1;
}

void ili_lock_gate(struct ili_member *member, void *object, const struct ili_agent *waiter,
                   struct ili_gate *gate) {
    const struct ili_lock *lock = object;
    uint64_t word = ili_lock_load(lock);
    (void)waiter;
    gate->report = (lock->flags & IL_DEADLOCK_REPORT) != 0;
    if (!ili_lock_is_held(word) || word & ILI_LOCK_DELETED) return; /* open */
    if (lock->flags & IL_LOCK_ANY_RELEASE) return; /* its holder may wait for what it likes */
    if (ili_lock_lease_is_over(member, lock, word)) return; /* about to be */
    gate->need = 1;
    if (gate->holder_room == 0) {
        gate->overflow = true;
        return;
    }
    gate->holders[0].owner = ili_lock_owner(word);
    gate->holders[0].count = 1;
    gate->holder_count = 1;
}
