/*
 * lock.c - see lock.h.
 *
 * word: owner (17 bits), WAITERS, WAKING, DIED, DELETED, HANDED, LEASED in the low half, the sequence of
 * grants in the high half. Who changes what:
 *   free -> owned           anybody, by compare-and-swap, sequence + 1, DIED cleared; not past
 *                           waiters if the lock is fair
 *   owned -> free           the owner; with WAITERS and without WAKING only under the guard (dispatch)
 *   owned -> owned by head  under the guard (hand): sequence + 1
 *   owned -> HELD_BACK      under the guard, when the owner failed and the lock has a delay; a lease of the
 *                           last token keeps the time, and its end dispatches the lock
 *   owner -> another of the same session   under the guard, when the owner's thread ends
 *   WAITERS, WAKING, DIED, DELETED   set and cleared under the guard, DIED cleared by a grant
 *   LEASED                           set under the guard, cleared when the grant ends. It keeps the fast
 *                                    release away, so that the lease is freed with the grant
 *   HANDED                           set by hand together with the owner, cleared when the new owner has
 *                                    been told: in between, the word changes only under the guard
 *
 * Invariants, whenever the guard is free (ili_lock_check), HANDED being clear then:
 * 1. WAITERS is set exactly if the queue is not empty.
 * 2. WAKING is set only if the queue's first is NOTIFIED; nobody else is NOTIFIED.
 * 3. If the lock is free and somebody waits, WAKING is set: someone is on the way to take it. (Not
 *    so for an instant in a fair lock or for a waiter without a thread: those are handed the lock.)
 *
 * A NOTIFIED waiter stays in the queue, so that it keeps its turn when another thread was faster.
 * WAKING lets the releases in between go by without the guard. A waiter that has waited for
 * ILI_LOCK_PATIENCE_NS sets ILI_AGENT_HANDOFF instead of WAKING: the next release is then made by
 * dispatch, which hands the lock to it.
 *
 * Intent of the guard: HAND, [1] the waiter; from bit 8 of [0]: the owner before had died. The hand-over
 * happened exactly if HANDED is set. (The sequence alone would not tell: another thread, even of the same
 * process, may have taken the free lock at that moment.)
 * Lock order: this guard is taken alone, or inside a stripe of names.
 */
#include "base/clock.h"
#include "base/point.h"
#include "base/relax.h"
#include "sync/lock_word.h"

#define HAND 1u
#define LOOKS 12     /* at a lock that is held, before a thread goes to sleep */
#define LULL_MOST 64 /* pauses between two of them */

static il_status granted_status(bool died) { return died ? IL_EOWNERDEAD : IL_OK; }

static bool is_fair(const struct ili_lock *lock) { return (lock->flags & IL_LOCK_FAIR) != 0; }

/* ---- the kind ------------------------------------------------------------------------------- */

void ili_lock_init(struct ili_member *member, void *object, const void *options) {
    struct ili_lock *lock = object;
    const il_lock_options *o = options;
    uint64_t floor = atomic_load_explicit(&member->arena.header->token_floor, memory_order_relaxed);
    lock->flags = o ? o->flags : 0;
    lock->delay_ns = o ? o->lock_delay_ns : 0;
    lock->guard.kind = ILI_GUARD_LOCK;
    atomic_init(&lock->last_token, floor);
    atomic_init(&lock->word, floor << 32);
}

bool ili_lock_same(const void *object, const void *options) {
    const struct ili_lock *lock = object;
    const il_lock_options *o = options;
    return lock->flags == o->flags && lock->delay_ns == o->lock_delay_ns;
}

/* ---- under the guard ------------------------------------------------------------------------ */

static bool wants_handing(const struct ili_lock *lock, const struct ili_agent *head) {
    uint32_t flags = atomic_load_explicit(&head->flags, memory_order_relaxed);
    if (is_fair(lock) || flags & (ILI_AGENT_BELL | ILI_AGENT_HANDOFF)) return true;
    int64_t since = atomic_load_explicit(&head->since_ns, memory_order_relaxed);
    return ili_agent_state(head) == ILI_PARK_WAITING &&
           ili_ns_between(since, ili_now_ns()) > ILI_LOCK_PATIENCE_NS;
}

/* The waiter owns the lock by the grant SEQUENCE: takes it out of the queue and tells it. Its
 * wait_object it clears itself: a death before it was told finds it by that. */
static void settle_hand(struct ili_member *m, struct ili_lock *lock, struct ili_agent *waiter,
                        uint32_t sequence, bool died) {
    ili_waitq_remove(m, &lock->waiters, waiter);
    ili_lock_clear(lock, ili_waitq_count(&lock->waiters) ? ILI_LOCK_WAKING
                                                         : ILI_LOCK_WAKING | ILI_LOCK_WAITERS);
    uint64_t token = ili_lock_granted(lock, sequence);
    ili_lock_note_since(lock, token, ili_now_ns());
    atomic_store_explicit(&waiter->token, token, memory_order_relaxed);
    if (died) atomic_fetch_or_explicit(&waiter->flags, ILI_AGENT_DIED, memory_order_relaxed);
    ILI_POINT("lock.hand.settled");
    ili_agent_set_state(waiter, ILI_PARK_GRANTED);
    ILI_POINT("lock.hand.told");
    ili_lock_clear(lock, ILI_LOCK_HANDED);
}

/* Grants the lock, whose word is WORD, to HEAD. False: the word changed. */
static bool hand(struct ili_member *m, struct ili_lock *lock, struct ili_agent *head,
                 uint64_t word) {
    uint32_t owner = ili_agent_acts_for(&m->arena, head);
    uint64_t next =
        ((word & ~(ILI_LOCK_OWNER | ILI_LOCK_DIED | ILI_LOCK_LEASED)) + ILI_LOCK_GRANT) |
        ILI_LOCK_HANDED | (owner & ILI_LOCK_OWNER);
    bool died = (word & ILI_LOCK_DIED) != 0;
    ili_guard_intend(&lock->guard, HAND | (uint64_t)died << 8, ili_agent_number(&m->arena, head),
                     0);
    ILI_POINT("lock.hand.intended");
    bool done = ili_lock_change(lock, &word, next);
    ILI_POINT("lock.hand.owned");
    if (done) settle_hand(m, lock, head, ili_lock_sequence(next), died);
    return done;
}

void ili_lock_dispatch(struct ili_member *m, struct ili_agent *self, struct ili_lock *lock,
                       uint32_t from, uint64_t mark) {
    for (;;) {
        uint64_t word = ili_lock_load(lock);
        if ((word & ILI_LOCK_OWNER) != from || word & ILI_LOCK_DELETED) break;
        struct ili_agent *head = ili_waitq_first(m, &lock->waiters);
        if (head && wants_handing(lock, head)) {
            if (mark && !(word & mark)) {
                atomic_fetch_or_explicit(&lock->word, mark, memory_order_relaxed);
                continue;
            }
            ili_agent_wake_later(m, self, head);
            if (hand(m, lock, head, word)) break;
            continue;
        }
        uint64_t next =
            (word & ~(ILI_LOCK_OWNER | ILI_LOCK_WAITERS | ILI_LOCK_WAKING | ILI_LOCK_LEASED)) |
            mark;
        if (head) next |= ILI_LOCK_WAITERS | ILI_LOCK_WAKING;
        bool wake = head && ili_agent_state(head) != ILI_PARK_NOTIFIED;
        if (wake) ili_agent_wake_later(m, self, head);
        if (!ili_lock_change(lock, &word, next)) continue;
        ILI_POINT("lock.dispatch.freed");
        if (wake) ili_agent_set_state(head, ILI_PARK_NOTIFIED);
        break;
    }
    ili_guard_done(&lock->guard);
}

/* Takes the free lock for OWNER, or marks that somebody waits. *WORD: as it was then. */
static bool take_or_mark(struct ili_lock *lock, uint32_t owner, bool waiters_first,
                         uint64_t *word) {
    *word = ili_lock_load(lock);
    for (;;) {
        if (*word & ILI_LOCK_DELETED) return false;
        if ((*word & ILI_LOCK_OWNER) == 0 && !waiters_first) {
            uint64_t next = ((*word & ~ILI_LOCK_DIED) + ILI_LOCK_GRANT) | owner;
            if (ili_lock_change(lock, word, next)) return true;
        } else if (ili_lock_change(lock, word, *word | ILI_LOCK_WAITERS)) {
            return false;
        }
    }
}

/* WAITER leaves the queue without a grant, or with one it took itself. */
static void leave(struct ili_member *m, struct ili_agent *self, struct ili_lock *lock,
                  struct ili_agent *waiter) {
    uint64_t bits = 0;
    ili_waitq_remove(m, &lock->waiters, waiter);
    if (ili_agent_state(waiter) == ILI_PARK_NOTIFIED) bits |= ILI_LOCK_WAKING;
    if (ili_waitq_count(&lock->waiters) == 0) bits |= ILI_LOCK_WAITERS | ILI_LOCK_WAKING;
    if (bits) ili_lock_clear(lock, bits);
    ILI_POINT("lock.leave.cleared");
    ili_agent_set_state(waiter, ILI_PARK_IDLE);
    atomic_store_explicit(&waiter->wait_object, 0, memory_order_relaxed);
    /* what it was notified of, or what it found free, is now the next one's */
    if (ili_waitq_count(&lock->waiters) && !(ili_lock_load(lock) & ILI_LOCK_WAKING)) {
        ili_lock_dispatch(m, self, lock, 0, 0);
    }
}

/* What a waiter that is no longer in the queue was told; *TOKEN on a grant. */
static il_status outcome(struct ili_agent *waiter, uint64_t *token) {
    uint32_t state = ili_agent_state(waiter);
    if (state != ILI_PARK_GRANTED && state != ILI_PARK_ENDED) return IL_ETIMEOUT;
    atomic_store_explicit(&waiter->wait_object, 0, memory_order_relaxed);
    if (state == ILI_PARK_ENDED) {
        ili_agent_set_state(waiter, ILI_PARK_IDLE);
        return IL_EDELETED;
    }
    uint32_t flags = atomic_fetch_and_explicit(
        &waiter->flags, ~(ILI_AGENT_DIED | ILI_AGENT_HANDOFF), memory_order_relaxed);
    *token = atomic_load_explicit(&waiter->token, memory_order_relaxed);
    ili_agent_set_state(waiter, ILI_PARK_IDLE);
    return granted_status((flags & ILI_AGENT_DIED) != 0);
}

/* Takes the lock for OWNER or puts WAITER into the queue (IL_ETIMEOUT). */
static il_status take_or_queue(struct ili_member *m, struct ili_agent *self, struct ili_lock *lock,
                               struct ili_agent *waiter, uint32_t owner, uint64_t *token) {
    uint64_t word, turn = atomic_load_explicit(&waiter->turn, memory_order_relaxed);
    il_status status = ili_guard_lock(m, self, &lock->guard);
    if (status != IL_OK) return status;
    bool behind = is_fair(lock) && ili_waitq_count(&lock->waiters) != 0;
    if (take_or_mark(lock, owner, behind, &word)) {
        *token = ili_lock_granted(lock, ili_lock_sequence(word) + 1);
        status = granted_status((word & ILI_LOCK_DIED) != 0);
    } else if (word & ILI_LOCK_DELETED) {
        status = IL_EDELETED;
    } else {
        ILI_POINT("lock.queue.marked");
        atomic_store_explicit(&waiter->since_ns, ili_now_ns(), memory_order_relaxed);
        atomic_store_explicit(&waiter->for_owner, owner, memory_order_relaxed);
        atomic_store_explicit(&waiter->want, 1, memory_order_relaxed);
        atomic_store_explicit(&waiter->turn, turn + 1, memory_order_relaxed);
        ili_waitq_add(m, &lock->waiters, waiter, ili_off_of(&m->arena, lock), 0, false);
        /* the lock may have become free between the mark and here, past the guard */
        if (!(ili_lock_load(lock) & (ILI_LOCK_OWNER | ILI_LOCK_WAKING)))
            ili_lock_dispatch(m, self, lock, 0, 0);
        status = IL_ETIMEOUT;
    }
    ili_lock_unlock_and_wake(m, self, lock);
    return status;
}

/* ---- acquire ---------------------------------------------------------------------------------- */

/* A few attempts to take the lock while it is about to become free. Looking takes the lock's line away
 * from its owner, and taking it moves whatever the lock protects as well: so the looks come further
 * and further apart, and an owner that returns at once gets some turns in a row. */
static bool spin(struct ili_lock *lock, uint32_t self, int looks, uint64_t *token,
                 il_status *status) {
    for (int i = 0, lull = 4; i < looks; i++, lull = lull < LULL_MOST ? lull * 2 : lull) {
        uint64_t word = ili_lock_load(lock);
        if (word & ILI_LOCK_DELETED) {
            *status = IL_EDELETED;
            return true;
        }
        if ((word & ILI_LOCK_OWNER) == 0 && !(is_fair(lock) && word & ILI_LOCK_WAITERS)) {
            uint64_t next = ((word & ~ILI_LOCK_DIED) + ILI_LOCK_GRANT) | self;
            if (ili_lock_change(lock, &word, next)) {
                *token = ili_lock_granted(lock, ili_lock_sequence(next));
                *status = granted_status((word & ILI_LOCK_DIED) != 0);
                return true;
            }
        }
        for (int p = 0; p < lull && i + 1 < looks; p++) ili_relax();
    }
    return false;
}

/* A notified waiter was too late: it waits on, at the front, and if it has waited long enough asks
 * to be handed the lock. IL_OK: look at its state again; or why the guard was not to be had. */
static il_status wait_on(struct ili_member *m, struct ili_agent *self, struct ili_lock *lock) {
    il_status status = ili_guard_lock(m, self, &lock->guard);
    if (status != IL_OK) return status;
    if (ili_agent_state(self) == ILI_PARK_NOTIFIED) {
        int64_t since = atomic_load_explicit(&self->since_ns, memory_order_relaxed);
        if (ili_ns_between(since, ili_now_ns()) > ILI_LOCK_PATIENCE_NS) {
            atomic_fetch_or_explicit(&self->flags, ILI_AGENT_HANDOFF, memory_order_relaxed);
        }
        ili_agent_set_state(self, ILI_PARK_WAITING);
        ili_lock_clear(lock, ILI_LOCK_WAKING);
        ILI_POINT("lock.wait_on.cleared");
        /* if it is free right now, it is dispatched right now, possibly to this very waiter */
        if (!(ili_lock_load(lock) & ILI_LOCK_OWNER)) ili_lock_dispatch(m, self, lock, 0, 0);
    }
    ili_lock_unlock_and_wake(m, self, lock);
    return IL_OK;
}

/* The waiter took the lock by itself: out of the queue. */
static void leave_as_owner(struct ili_member *m, struct ili_agent *self, struct ili_lock *lock) {
    if (ili_guard_lock(m, self, &lock->guard) != IL_OK) return; /* the domain is gone */
    leave(m, self, lock, self);
    ili_lock_unlock_and_wake(m, self, lock);
}

/* SELF is in the queue: until it is granted, or DEADLINE_NS. */
static il_status wait_in_queue(struct ili_member *m, struct ili_agent *self, struct ili_lock *lock,
                               int64_t deadline_ns, uint64_t *token) {
    uint32_t number = ili_agent_number(&m->arena, self);
    il_status status;
    for (;;) {
        il_status slept = ili_agent_sleep(m, self, ILI_PARK_WAITING, deadline_ns);
        uint32_t state = ili_agent_state(self);
        if (state == ILI_PARK_GRANTED || state == ILI_PARK_ENDED) {
            if (slept == IL_EINTR) ili_thread_keep_interrupt(ili_thread_current());
            return outcome(self, token);
        }
        if (ili_gave_up(slept)) {
            status = ili_lock_withdraw(m, lock, self, token);
            if (status == IL_ETIMEOUT) return slept;
            if (slept == IL_EINTR) ili_thread_keep_interrupt(ili_thread_current());
            return status;
        }
        if (slept != IL_OK) return slept;
        if (spin(lock, number, LOOKS, token, &status)) {
            if (status == IL_EDELETED) continue; /* being told so as well */
            leave_as_owner(m, self, lock);
            return status;
        }
        status = wait_on(m, self, lock);
        if (status != IL_OK) return status;
    }
}

il_status ili_lock_acquire(struct ili_member *member, struct ili_lock *lock, int64_t deadline_ns,
                           uint64_t *token) {
    struct ili_agent *self;
    il_status status = ili_agent_current(member, &self);
    uint64_t granted = 0;
    if (status != IL_OK) return status;
    uint32_t number = ili_agent_number(&member->arena, self);
    if (!spin(lock, number, deadline_ns == 0 ? 1 : LOOKS, &granted, &status)) {
        if (deadline_ns == 0) {
            /* polling must not wait for ever for somebody who died: see that a keeper is there */
            if (member->before_wait) member->before_wait(member);
            return IL_ETIMEOUT;
        }
        atomic_fetch_and_explicit(&self->flags, ~(ILI_AGENT_DIED | ILI_AGENT_HANDOFF),
                                  memory_order_relaxed);
        status = take_or_queue(member, self, lock, self, number, &granted);
        if (status == IL_ETIMEOUT) {
            status = wait_in_queue(member, self, lock, deadline_ns, &granted);
        }
    }
    if (status == IL_OK || status == IL_EOWNERDEAD) *token = granted;
    return status;
}

il_status ili_lock_try(struct ili_member *member, struct ili_lock *lock, uint32_t owner,
                       uint64_t *token) {
    il_status status = IL_ETIMEOUT;
    if (ili_member_check(member) != IL_OK) return ili_member_check(member);
    return spin(lock, owner, 1, token, &status) ? status : IL_ETIMEOUT;
}

/* ---- release ---------------------------------------------------------------------------------- */

void ili_lock_give_up(struct ili_member *m, struct ili_agent *self, struct ili_lock *lock,
                      uint32_t from, uint64_t mark) {
    uint64_t word = ili_lock_load(lock);
    ili_lock_dispatch(m, self, lock, from, mark);
    if (word & ILI_LOCK_LEASED) ili_lock_drop_lease(m, lock, ili_lock_newest(lock, word));
}

/* As ili_lock_check_holder(), of who wants to release: with IL_LOCK_ANY_RELEASE whoever it is. */
static il_status may_release(const struct ili_member *m, const struct ili_lock *lock, uint64_t word,
                             uint32_t owner, uint64_t token) {
    il_status status = ili_lock_check_holder(m, lock, word, owner, token);
    bool anyone = lock->flags & IL_LOCK_ANY_RELEASE && ili_lock_is_held(word);
    bool meant = token == 0 || token == ili_lock_newest(lock, word);
    return status == IL_ENOTHELD && anyone && meant ? IL_OK : status;
}

static il_status give_up(struct ili_member *member, struct ili_lock *lock, uint32_t owner,
                         uint64_t token, uint64_t mark) {
    struct ili_agent *self;
    uint64_t word = ili_lock_load(lock);
    il_status status = ili_member_check(member);
    if (status != IL_OK) return status;
    for (;;) {
        status = may_release(member, lock, word, owner, token);
        if (status != IL_OK) return status;
        uint64_t waiting = word & (ILI_LOCK_WAITERS | ILI_LOCK_WAKING);
        if (waiting == ILI_LOCK_WAITERS || word & (ILI_LOCK_HANDED | ILI_LOCK_LEASED)) break;
        /* release: pairs with the next owner's acquire. Nobody waits, or somebody is awake. */
        if (atomic_compare_exchange_strong_explicit(&lock->word, &word,
                                                    (word & ~ILI_LOCK_OWNER) | mark,
                                                    memory_order_release, memory_order_relaxed)) {
            return IL_OK;
        }
    }
    status = ili_agent_current(member, &self);
    if (status != IL_OK) return status;
    status = ili_guard_lock(member, self, &lock->guard);
    if (status != IL_OK) return status;
    /* again under the guard: the grant may have been voided meanwhile */
    word = ili_lock_load(lock);
    status = may_release(member, lock, word, owner, token);
    if (status == IL_OK) ili_lock_give_up(member, self, lock, ili_lock_owner(word), mark);
    ili_lock_unlock_and_wake(member, self, lock);
    return status;
}

il_status ili_lock_release(struct ili_member *member, struct ili_lock *lock, uint32_t owner,
                           uint64_t token) {
    return give_up(member, lock, owner, token, 0);
}

il_status ili_lock_give_back(struct ili_member *member, struct ili_lock *lock, uint32_t owner,
                             uint64_t token, bool owner_died) {
    return give_up(member, lock, owner, token, owner_died ? ILI_LOCK_DIED : 0);
}

/* ---- waiting without a thread ------------------------------------------------------------------- */

il_status ili_lock_enqueue(struct ili_member *member, struct ili_lock *lock,
                           struct ili_agent *waiter, uint32_t owner, uint64_t *token) {
    struct ili_agent *self;
    il_status status = ili_agent_current(member, &self);
    if (status != IL_OK) return status;
    return take_or_queue(member, self, lock, waiter, owner, token);
}

il_status ili_lock_poll(struct ili_agent *waiter, uint64_t *token) {
    return outcome(waiter, token);
}

il_status ili_lock_withdraw(struct ili_member *member, struct ili_lock *lock,
                            struct ili_agent *waiter, uint64_t *token) {
    struct ili_agent *self;
    il_status status = ili_agent_current(member, &self);
    if (status != IL_OK) return status;
    status = ili_guard_lock(member, self, &lock->guard);
    if (status != IL_OK) return status;
    uint32_t state = ili_agent_state(waiter);
    if (state == ILI_PARK_GRANTED || state == ILI_PARK_ENDED) {
        status = outcome(waiter, token);
    } else {
        leave(member, self, lock, waiter);
        status = IL_ETIMEOUT;
    }
    ili_lock_unlock_and_wake(member, self, lock);
    return status;
}

/* ---- end and repair ----------------------------------------------------------------------------- */

/* Whether WAITER waits for LOCK and was not told anything yet. */
static bool still_waits(const struct ili_agent *waiter, ili_off lock) {
    uint32_t state = ili_agent_state(waiter);
    return (state == ILI_PARK_WAITING || state == ILI_PARK_NOTIFIED) &&
           atomic_load_explicit(&waiter->wait_object, memory_order_relaxed) == lock;
}

/* Under the guard of a DELETED lock: tells everyone who waits. */
static void end_waiters(struct ili_member *m, struct ili_agent *self, struct ili_lock *lock) {
    struct ili_agent *waiter;
    for (uint32_t i = 0; i < m->arena.regions.agents; i++) {
        if (!(waiter = ili_waitq_first(m, &lock->waiters))) break;
        bool waits = still_waits(waiter, ili_off_of(&m->arena, lock));
        ili_waitq_remove(m, &lock->waiters, waiter);
        if (!waits) continue; /* the list is corrupt, perhaps a circle */
        ILI_POINT("lock.end.removed");
        ili_agent_wake_later(m, self, waiter);
        ili_agent_set_state(waiter, ILI_PARK_ENDED);
        ILI_POINT("lock.end.told");
        ili_agent_wake_now(m, self);
    }
}

il_status ili_lock_end(struct ili_member *member, struct ili_agent *self, void *object) {
    struct ili_lock *lock = object;
    il_status status = ili_guard_lock(member, self, &lock->guard);
    if (status != IL_OK) return status;
    uint64_t word = atomic_fetch_or_explicit(&lock->word, ILI_LOCK_DELETED, memory_order_relaxed);
    /* a lock of this name that is made later starts above every token of this one */
    uint64_t newest = ili_lock_newest(lock, word) + 1;
    _Atomic uint64_t *floor = &member->arena.header->token_floor;
    uint64_t seen = atomic_load_explicit(floor, memory_order_relaxed);
    while (seen < newest && !atomic_compare_exchange_weak_explicit(
                                floor, &seen, newest, memory_order_relaxed, memory_order_relaxed)) {
    }
    end_waiters(member, self, lock);
    ili_guard_unlock(member, self, &lock->guard);
    ili_lock_drop_lease(member, lock, newest - 1);
    return IL_OK;
}

static il_status dispose(struct ili_member *member, struct ili_agent *self, struct ili_agent *owner,
                         void *object) {
    (void)member, (void)self, (void)owner, (void)object; /* nothing hangs on a lock */
    return IL_OK;
}

/* Under the guard: makes bits and queue agree, and sets the lock going again. Dead waiters of SLOT
 * (UINT32_MAX: none) are dropped. */
static void mend(struct ili_member *m, struct ili_agent *self, struct ili_lock *lock,
                 uint32_t slot) {
    ili_waitq_repair(m, &lock->waiters, ili_off_of(&m->arena, lock), 0, slot);
    struct ili_agent *head = ili_waitq_first(m, &lock->waiters);
    bool notified = head && ili_agent_state(head) == ILI_PARK_NOTIFIED;
    uint64_t word = ili_lock_load(lock), bits = 0;
    if (head) bits |= ILI_LOCK_WAITERS;
    if (notified) bits |= ILI_LOCK_WAKING;
    while (!ili_lock_change(lock, &word, (word & ~(ILI_LOCK_WAITERS | ILI_LOCK_WAKING)) | bits)) {
    }
    if (word & ILI_LOCK_DELETED) {
        end_waiters(m, self, lock);
    } else if (ili_lock_owner(word) == ILI_LOCK_HELD_BACK) {
        ili_lock_time_delay(m, self, lock);
    } else if (ili_lock_owner(word) == 0) {
        if (notified) ili_agent_wake(m, head); /* its wake-up may have died with the waker */
        ili_lock_dispatch(m, self, lock, 0, 0);
    }
}

void ili_lock_repair(struct ili_member *member, struct ili_agent *self, struct ili_lock *lock) {
    uint64_t intent = atomic_load_explicit(&lock->guard.intent[0], memory_order_acquire);
    uint64_t number = atomic_load_explicit(&lock->guard.intent[1], memory_order_relaxed);
    ili_off at = ili_off_of(&member->arena, lock);
    ili_waitq_repair(member, &lock->waiters, at, 0, UINT32_MAX);
    ili_waitq_relink(member, &lock->waiters, at, 0, true);
    struct ili_agent *waiter = ili_agent_at(&member->arena, (uint32_t)number);
    uint64_t word = ili_lock_load(lock);
    if (word & ILI_LOCK_HANDED) {
        if (waiter && still_waits(waiter, at)) {
            settle_hand(member, lock, waiter, ili_lock_sequence(word), (intent >> 8 & 1) != 0);
        }
        if (waiter) ili_agent_wake(member, waiter);
        ili_lock_clear(lock, ILI_LOCK_HANDED);
    }
    ili_guard_done(&lock->guard);
    mend(member, self, lock, UINT32_MAX);
}

il_status ili_lock_recover(struct ili_member *member, struct ili_agent *self, void *object,
                           uint32_t slot) {
    struct ili_lock *lock = object;
    il_status status = ili_guard_lock(member, self, &lock->guard);
    if (status != IL_OK) return status;
    mend(member, self, lock, slot);
    uint64_t word = ili_lock_load(lock);
    if (ili_lock_is_held(word) && !(word & ILI_LOCK_DELETED) &&
        ili_agent_slot(&member->arena, ili_lock_owner(word)) == slot) {
        ili_lock_owner_failed(member, self, lock, ili_lock_owner(word));
    }
    ili_lock_unlock_and_wake(member, self, lock);
    return IL_OK;
}

il_status ili_lock_check(const struct ili_member *member, const struct ili_lock *lock) {
    uint64_t word = ili_lock_load(lock);
    const struct ili_agent *head = ili_waitq_first(member, &lock->waiters);
    bool waiters = (word & ILI_LOCK_WAITERS) != 0, waking = (word & ILI_LOCK_WAKING) != 0;
    if (!ili_waitq_sound(member, &lock->waiters)) return IL_ECORRUPT;
    if (waiters != (head != NULL) || word & ILI_LOCK_HANDED) return IL_ECORRUPT;
    if (waking && (!head || ili_agent_state(head) != ILI_PARK_NOTIFIED)) return IL_ECORRUPT;
    if ((word & (ILI_LOCK_OWNER | ILI_LOCK_DELETED)) == 0 && head && !waking) return IL_ECORRUPT;
    return IL_OK;
}

const struct ili_kind ili_lock_kind = {
    .number = ILI_KIND_LOCK,
    .bytes = sizeof(struct ili_lock),
    .word = "lock",
    .init = ili_lock_init,
    .same = ili_lock_same,
    .end = ili_lock_end,
    .dispose = dispose,
    .recover = ili_lock_recover,
    .waiters = ili_lock_waiters,
    .thread_end = ili_lock_thread_end,
    .revoke = ili_lock_revoke,
    .grants = ili_lock_grants,
    .gate = ili_lock_gate,
};
