/*
 * rwlock.c - see rwlock.h: the word, acquiring, waiting, releasing. rwlock_owner.c has what happens to grants
 * otherwise.
 *
 * word      the exclusive owner (17 bits), DIED, NUDGED, SLOW, and the sequence of grants of both modes. Without SLOW
 *           changed by anybody's compare-and-swap, with SLOW only by the guard's holder.
 * holdings  one for each owner that shares, or has shared and may again: a thread keeps its own until it
 *           ends. It is shared by that owner while its token is not 0. A claim is a token that is written
 *           before the word is changed to that grant; if the change fails, the claim is withdrawn.
 * exclusive the count and the lease of the exclusive grant, if it has more than one acquire or a lease.
 *           SLOW is set as long, so that only the guard's holder gives it back.
 *
 * Who wants to be exclusive changes the word and then looks for holdings with a token; if there is one, what
 * it has is nothing yet, and it gives it back and waits. Who shares writes its claim and then changes the
 * word. So at least one sees the other. Under the guard the same goes for SLOW: it is set before the
 * holdings are looked at; who gives a holding back without the guard looks for SLOW afterwards, and if it
 * is set sees to it by the guard that those who wait go on (ili_rwlock_look_on).
 *
 * Invariants, whenever the guard is free (ili_rwlock_check):
 * 1. Without SLOW nobody waits, or the first waiter was nudged and NUDGED is set, and `exclusive` is all zero.
 * 2. `exclusive` is of the grant in the word, or all zero.
 */
#include "base/point.h"
#include "base/relax.h"
#include "sync/rwlock_word.h"

#define LOOKS 12     /* at a lock that is not to be had, before a thread goes to sleep */
#define LULL_MOST 64 /* pauses between two of them */

static uint32_t load32(const _Atomic uint32_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}
static uint64_t load64(const _Atomic uint64_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}

struct ili_waiting ili_rwlock_waiting(struct ili_rwlock *l) {
    return (struct ili_waiting){.guard = &l->held.guard,
                                .queue = &l->held.waiters,
                                .object = l,
                                .left = ili_rwlock_dispatch,
                                .awake = true};
}

/* Whether OWNER acts for clients that are told apart by token. */
static bool is_home(const struct ili_member *m, uint32_t owner) {
    uint32_t slot = ili_agent_slot(&m->arena, owner);
    return slot != UINT32_MAX && load32(&m->arena.slots[slot].home) == owner;
}

/* Whether OWNER's holding goes when it is given back. */
static bool is_passing(const struct ili_member *m, uint32_t owner) {
    const struct ili_agent *agent = ili_agent_at(&m->arena, owner);
    return !agent || (load32(&agent->flags) & ILI_AGENT_OWNER) != 0;
}

/* ---- the kind ------------------------------------------------------------------------------- */

void ili_rwlock_init(struct ili_member *member, void *object, const void *options) {
    struct ili_rwlock *l = object;
    ili_held_init(member, &l->held, ILI_GUARD_RWLOCK);
    l->held.flags = options ? ((const il_rwlock_options *)options)->flags : 0;
}

bool ili_rwlock_same(const void *object, const void *options) {
    return ((const struct ili_rwlock *)object)->held.flags ==
           ((const il_rwlock_options *)options)->flags;
}

/* ---- under the guard ------------------------------------------------------------------------ */

void ili_rwlock_make(struct ili_member *m, struct ili_agent *self, struct ili_rwlock *l,
                     const struct ili_plan *plan) {
    struct ili_waiting waiting = ili_rwlock_waiting(l);
    ili_held_make(m, self, &waiting, plan);
}

/* From here on the word is the guard's holder's. seq_cst: see above. */
void ili_rwlock_enter(struct ili_rwlock *l) {
    atomic_fetch_or_explicit(&l->held.word, ILI_HELD_SLOW, memory_order_seq_cst);
    ILI_POINT("rwlock.enter.slow");
}

void ili_rwlock_settle(struct ili_member *m, struct ili_rwlock *l) {
    const struct ili_agent *head = ili_waitq_first(m, &l->held.waiters);
    if (ili_held_is_gone(&l->held) || load32(&l->exclusive.owner) ||
        (head && !ili_waiting_is_coming(head))) {
        return;
    }
    uint64_t word = ili_held_word(&l->held) & ~(ILI_HELD_SLOW | ILI_RWLOCK_NUDGED);
    /* release: pairs with the fast paths' acquires */
    atomic_store_explicit(&l->held.word, head ? word | ILI_RWLOCK_NUDGED : word,
                          memory_order_release);
    ILI_POINT("rwlock.settle.fast");
}

bool ili_rwlock_is_unshared(const struct ili_member *member, struct ili_rwlock *lock) {
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    while ((h = ili_held_next(member, &lock->held, &walk))) {
        if (ili_rwlock_token(h)) return false;
    }
    return true;
}

/* OWNER's holding with TOKEN; with ANY, whatever token it has. */
struct ili_holding *ili_rwlock_holding_of(const struct ili_member *m, struct ili_rwlock *l,
                                          uint32_t owner, bool any, uint64_t token) {
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    while ((h = ili_held_next(m, &l->held, &walk))) {
        if (load32(&h->owner) == owner && (any || ili_rwlock_token(h) == token)) return h;
    }
    return NULL;
}

/* What OWNER shares already, so that it may acquire it again. */
static struct ili_holding *shared_by(const struct ili_member *m, struct ili_rwlock *l,
                                     uint32_t owner) {
    struct ili_holding *h = is_home(m, owner) ? NULL : ili_rwlock_holding_of(m, l, owner, true, 0);
    return h && ili_rwlock_token(h) ? h : NULL;
}

static il_status word_to(const struct ili_rwlock *l, struct ili_plan *plan) {
    bool died = (plan->word & ILI_RWLOCK_DIED) != 0;
    plan->word = (plan->word & ~ILI_RWLOCK_DIED) + ILI_TOKEN_GRANT;
    plan->token = ili_token_whole(&l->held.last_token, ili_token_sequence(plan->word));
    return died ? IL_EOWNERDEAD : IL_OK;
}

/* OWNER becomes the exclusive one of a free lock; WAITER is told unless it is NULL. */
static il_status grant_exclusive(struct ili_member *m, struct ili_agent *self, struct ili_rwlock *l,
                                 uint32_t owner, struct ili_agent *waiter, uint64_t *token) {
    struct ili_plan plan = ili_held_plan(&l->held);
    plan.result = word_to(l, &plan);
    plan.word = (plan.word & ~ILI_RWLOCK_OWNER) | owner;
    plan.waiter = waiter;
    ili_rwlock_make(m, self, l, &plan);
    *token = plan.token;
    return plan.result;
}

/* OWNER shares a lock that nobody has exclusively, perhaps once more. There is a holding for it. */
static il_status grant_shared(struct ili_member *m, struct ili_agent *self, struct ili_rwlock *l,
                              uint32_t owner, struct ili_agent *waiter, uint64_t *token) {
    struct ili_holding *again = shared_by(m, l, owner);
    struct ili_holding *h =
        again ? again : ili_rwlock_holding_of(m, l, owner, is_home(m, owner) == false, 0);
    if (!h) h = ili_held_unused(m, &l->held);
    if (!h) return IL_ENOMEM;
    struct ili_plan plan = ili_held_plan_for(&l->held, h);
    plan.owner = owner;
    if (again) {
        plan.count++;
        plan.result = IL_OK;
    } else {
        plan.count = 0;
        plan.lease = 0;
        plan.result = word_to(l, &plan);
    }
    plan.waiter = waiter;
    ili_rwlock_make(m, self, l, &plan);
    *token = plan.token;
    return plan.result;
}

/* The exclusive owner acquires once more. */
static void grant_again(struct ili_member *m, struct ili_agent *self, struct ili_rwlock *l,
                        uint64_t *token) {
    struct ili_plan plan = ili_held_plan_for(&l->held, &l->exclusive);
    plan.uncounted = true;
    plan.owner = ili_rwlock_owner(l);
    plan.token = ili_held_newest(&l->held);
    plan.count++;
    ili_rwlock_make(m, self, l, &plan);
    *token = plan.token;
}

/* Grants to those who are due, in order, and nudges the first if it is not. */
void ili_rwlock_dispatch(struct ili_member *m, struct ili_agent *self, void *object) {
    struct ili_rwlock *l = object;
    struct ili_waiting waiting = ili_rwlock_waiting(l);
    struct ili_agent *head;
    ili_rwlock_enter(l);
    if (ili_held_is_gone(&l->held)) {
        ili_waiting_tell_all(m, self, &waiting, IL_EDELETED);
        return;
    }
    bool shared = !ili_rwlock_is_unshared(m, l);
    for (uint32_t i = 0; i < m->arena.regions.agents && !ili_rwlock_owner(l); i++) {
        uint64_t token;
        if (!(head = ili_waitq_first(m, &l->held.waiters))) break;
        bool exclusive = load32(&head->want) == IL_EXCLUSIVE;
        uint32_t owner = ili_agent_acts_for(&m->arena, head);
        if (!ili_waiting_is_in(head)) { /* corrupt */
            ili_waitq_remove(m, &l->held.waiters, head);
            continue;
        }
        if (exclusive && shared) break;
        if (!shared && !ili_waiting_is_due(head)) {
            ili_waiting_nudge(m, self, head);
            break;
        }
        if (exclusive) {
            (void)grant_exclusive(m, self, l, owner, head, &token);
        } else if (grant_shared(m, self, l, owner, head, &token) == IL_ENOMEM) {
            ili_waiting_tell(m, self, &waiting, head, IL_ENOMEM, 0); /* though it was reserved */
        } else {
            shared = true;
        }
    }
    ili_rwlock_settle(m, l);
}

void ili_rwlock_unlock(struct ili_member *m, struct ili_agent *self, struct ili_rwlock *l) {
    ili_waiting_unlock(m, self, &l->held.guard);
}

/* The guard, of a lock that exists. */
il_status ili_rwlock_lock(struct ili_member *m, struct ili_agent **self, struct ili_rwlock *l) {
    il_status status = ili_agent_current(m, self);
    if (status == IL_OK) status = ili_guard_lock(m, *self, &l->held.guard);
    if (status != IL_OK) return status;
    if (!ili_held_is_gone(&l->held)) return IL_OK;
    ili_guard_unlock(m, *self, &l->held.guard);
    return IL_EDELETED;
}

il_status ili_rwlock_look_on(struct ili_member *member, struct ili_rwlock *lock) {
    struct ili_agent *self;
    il_status status = ili_rwlock_lock(member, &self, lock);
    if (status != IL_OK) return status;
    ili_rwlock_enter(lock);
    struct ili_plan plan = ili_held_plan(&lock->held);
    if (ili_rwlock_owner_in(plan.word) ==
        ili_agent_number(&member->arena, self)) { /* it came too late */
        plan.word &= ~ILI_RWLOCK_OWNER;
        ili_rwlock_make(member, self, lock, &plan);
    }
    ili_rwlock_dispatch(member, self, lock);
    ili_rwlock_unlock(member, self, lock);
    return IL_OK;
}

/* ---- acquire ---------------------------------------------------------------------------------- */

static bool exclusive_waits(struct ili_member *m, struct ili_rwlock *l) {
    struct ili_agent *waiter = ili_waitq_first(m, &l->held.waiters);
    for (uint32_t i = 0; waiter && i < m->arena.regions.agents; i++) {
        if (load32(&waiter->want) == IL_EXCLUSIVE) return true;
        waiter = ili_waitq_next(m, waiter);
    }
    return false;
}

/* Whether the lock is to be had in MODE, past those who wait. */
static bool is_to_be_had(struct ili_member *m, struct ili_rwlock *l, uint32_t mode) {
    struct ili_agent *head = ili_waitq_first(m, &l->held.waiters);
    if (ili_rwlock_owner(l) || (mode == IL_EXCLUSIVE && !ili_rwlock_is_unshared(m, l)))
        return false;
    if (!head) return true;
    return !ili_waiting_is_due(head) && !(mode == IL_SHARED && exclusive_waits(m, l));
}

/* Acquires for OWNER under the guard, or lets WAITER (NULL: nobody) wait: IL_ETIMEOUT. */
static il_status take(struct ili_member *m, struct ili_agent *self, struct ili_rwlock *l,
                      struct ili_agent *waiter, uint32_t owner, uint32_t mode, uint64_t *token) {
    bool again = ili_rwlock_owner(l) == owner && !is_home(m, owner);
    if (again && mode == IL_SHARED) return IL_EDEADLK;
    if (again) {
        if (load32(&l->exclusive.count) == UINT32_MAX) return IL_EOVERFLOW;
        grant_again(m, self, l, token);
        return IL_OK;
    }
    struct ili_holding *mine = shared_by(m, l, owner);
    if (mine && mode == IL_EXCLUSIVE) return IL_EUPGRADE;
    if (mine) {
        if (load32(&mine->count) == UINT32_MAX) return IL_EOVERFLOW;
        return grant_shared(m, self, l, owner, NULL, token);
    }
    bool taken = is_to_be_had(m, l, mode);
    if (mode == IL_SHARED && (taken || waiter)) {
        /* also those who wait must find room for what they are granted */
        il_status status =
            ili_held_reserve(m, self, &l->held, ili_waitq_count(&l->held.waiters) + 1);
        if (status != IL_OK) return status;
    }
    if (taken && mode == IL_SHARED) return grant_shared(m, self, l, owner, NULL, token);
    if (taken) return grant_exclusive(m, self, l, owner, NULL, token);
    if (waiter) {
        struct ili_waiting waiting = ili_rwlock_waiting(l);
        uint32_t number = ili_agent_number(&m->arena, waiter);
        ili_waiting_begin(m, &waiting, waiter, owner == number ? 0 : owner, mode);
    }
    return IL_ETIMEOUT;
}

static il_status take_or_queue(struct ili_member *m, struct ili_rwlock *l, struct ili_agent *waiter,
                               uint32_t owner, uint32_t mode, uint64_t *token) {
    struct ili_agent *self;
    if (mode > IL_EXCLUSIVE) return IL_EINVAL;
    il_status status = ili_rwlock_lock(m, &self, l);
    if (status != IL_OK) return status;
    ili_rwlock_enter(l);
    status = take(m, self, l, waiter, owner, mode, token);
    ili_rwlock_dispatch(m, self, l); /* also for whom a claim of the fast path was in the way */
    ili_rwlock_unlock(m, self, l);
    return status;
}

void ili_rwlock_remember(const struct ili_member *member, struct ili_rwlock *lock,
                         struct ili_held_near *near, uint32_t owner, uint64_t token) {
    struct ili_holding *h = ili_rwlock_holding_of(member, lock, owner, true, 0);
    atomic_store_explicit(&near->last, token, memory_order_relaxed);
    if (!h) return;
    uint64_t packed = ili_off_of(&member->arena, h) / 64 << 17 | owner;
    atomic_store_explicit(&near->places[owner % 8], packed, memory_order_relaxed);
}

/* As ili_rwlock_exclude_fast(), while the first waiter is on its way. */
static bool exclude_past_nudged(struct ili_member *m, struct ili_rwlock *l, uint32_t self,
                                uint64_t word, uint64_t *token) {
    uint64_t next = (word + ILI_TOKEN_GRANT) | self;
    if (!atomic_compare_exchange_strong_explicit(&l->held.word, &word, next, memory_order_seq_cst,
                                                 memory_order_relaxed)) {
        return false;
    }
    if (!ili_rwlock_is_unshared(m, l)) {
        (void)ili_rwlock_look_on(m, l);
        return false;
    }
    *token = ili_token_granted(&l->held.last_token, ili_token_sequence(next));
    return true;
}

/* A few attempts to have a lock that is about to become free; see spin() of lock.c for why the looks come
 * further and further apart. True: *TOKEN was granted. */
static bool spin(struct ili_member *m, struct ili_rwlock *l, uint32_t self, uint32_t mode,
                 uint64_t *token) {
    struct ili_held_near near = {0};
    for (int i = 0, lull = 4; i < LOOKS; i++, lull = lull < LULL_MOST ? lull * 2 : lull) {
        uint64_t word = ili_held_word(&l->held);
        bool to_be_had =
            ili_rwlock_owner_in(word) == 0 && (mode == IL_SHARED || ili_rwlock_is_unshared(m, l));
        if (ili_rwlock_owner_in(word) == self) return false;
        if (to_be_had && mode == IL_EXCLUSIVE && (word & ILI_HELD_LOW) == ILI_RWLOCK_NUDGED) {
            if (exclude_past_nudged(m, l, self, word, token)) return true;
        } else if (to_be_had && word & ILI_HELD_LOW) {
            return false;
        } else if (to_be_had) {
            ili_rwlock_remember(m, l, &near, self, ili_rwlock_next(l, word) - 1);
            if (mode == IL_EXCLUSIVE) {
                if (ili_rwlock_exclude_fast(m, l, self, &near, token)) return true;
            } else if (ili_rwlock_share_fast(m, l, self, &near, token)) {
                return true;
            } else {
                struct ili_holding *place = ili_rwlock_place(m, &near, self);
                /* it needs a place first, or has it already */
                if (!place || load64(&place->token)) return false;
            }
        }
        for (int p = 0; p < lull && i + 1 < LOOKS; p++) ili_relax();
    }
    return false;
}

il_status ili_rwlock_acquire(struct ili_member *member, struct ili_rwlock *lock, uint32_t mode,
                             int64_t deadline_ns, uint64_t *token) {
    struct ili_agent *self;
    il_status status = ili_agent_current(member, &self);
    if (status != IL_OK) return status;
    uint32_t number = ili_agent_number(&member->arena, self);
    if (deadline_ns != 0 && spin(member, lock, number, mode, token)) return IL_OK;
    status = take_or_queue(member, lock, deadline_ns == 0 ? NULL : self, number, mode, token);
    if (status != IL_ETIMEOUT) return status;
    if (deadline_ns == 0) {
        /* polling must not wait for ever for somebody who died: see that a keeper is there */
        if (member->before_wait) member->before_wait(member);
        return status;
    }
    struct ili_waiting waiting = ili_rwlock_waiting(lock);
    return ili_waiting_sleep(member, self, &waiting, deadline_ns, token);
}

il_status ili_rwlock_try(struct ili_member *member, struct ili_rwlock *lock, uint32_t owner,
                         uint32_t mode, uint64_t *token) {
    return take_or_queue(member, lock, NULL, owner, mode, token);
}

il_status ili_rwlock_enqueue(struct ili_member *member, struct ili_rwlock *lock,
                             struct ili_agent *waiter, uint32_t owner, uint32_t mode,
                             uint64_t *token) {
    return take_or_queue(member, lock, waiter, owner, mode, token);
}

il_status ili_rwlock_poll(struct ili_agent *waiter, uint64_t *token) {
    return ili_waiting_poll(waiter, token);
}

il_status ili_rwlock_withdraw(struct ili_member *member, struct ili_rwlock *lock,
                              struct ili_agent *waiter, uint64_t *token) {
    struct ili_waiting waiting = ili_rwlock_waiting(lock);
    return ili_waiting_withdraw(member, &waiting, waiter, token);
}

/* ---- release ---------------------------------------------------------------------------------- */

/* Ends the exclusive grant; MARK: DIED, or 0. */
void ili_rwlock_end_exclusive(struct ili_member *m, struct ili_agent *self, struct ili_rwlock *l,
                              uint64_t mark) {
    struct ili_plan plan = ili_held_plan_for(&l->held, &l->exclusive);
    if (plan.owner) ili_held_lease_over(m, &l->held, plan.lease, plan.token);
    plan.uncounted = true;
    plan.owner = 0;
    plan.word = (plan.word & ~ILI_RWLOCK_OWNER) | mark;
    ili_rwlock_make(m, self, l, &plan);
}

/* Ends the grant of H, and with GONE also its owner's claim to the place. */
void ili_rwlock_end_shared(struct ili_member *m, struct ili_agent *self, struct ili_rwlock *l,
                           struct ili_holding *h, bool gone) {
    struct ili_plan plan = ili_held_plan_for(&l->held, h);
    ili_held_lease_over(m, &l->held, plan.lease, plan.token);
    if (gone || is_passing(m, plan.owner)) plan.owner = 0;
    plan.token = 0;
    plan.count = plan.lease = 0;
    ili_rwlock_make(m, self, l, &plan);
}

/* The one acquire less of H, which is `exclusive` or a holding. */
static void count_down(struct ili_member *m, struct ili_agent *self, struct ili_rwlock *l,
                       struct ili_holding *h) {
    struct ili_plan plan = ili_held_plan_for(&l->held, h);
    plan.count--;
    plan.uncounted = h == &l->exclusive;
    if (plan.uncounted && plan.count == 0 && plan.lease == 0) plan.owner = 0;
    ili_rwlock_make(m, self, l, &plan);
}

/* The grant TOKEN (0: any) of OWNER: *SHARED, or NULL if it is the exclusive one. */
il_status ili_rwlock_find(struct ili_member *m, struct ili_rwlock *l, uint32_t owner,
                          uint64_t token, struct ili_holding **shared) {
    uint32_t exclusive = ili_rwlock_owner(l);
    *shared = NULL;
    if (exclusive && (token == 0 || ili_held_newest(&l->held) == token)) {
        return exclusive == owner ? IL_OK : IL_ENOTHELD;
    }
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    bool others = false;
    while ((h = ili_held_next(m, &l->held, &walk))) {
        uint64_t its = ili_rwlock_token(h);
        if (its == 0 || (token && its != token)) continue;
        if (load32(&h->owner) == owner) {
            *shared = h;
            return IL_OK;
        }
        others = true;
    }
    return token == 0 || others ? IL_ENOTHELD : ili_held_why(m, &l->held, token);
}

/* Ends the exclusive grant of OWNER without the guard, while the first waiter is on its way. */
static bool exclude_no_more(struct ili_rwlock *l, uint32_t owner, uint64_t token) {
    uint64_t word = ili_held_word(&l->held);
    return (word & ILI_HELD_LOW) == (owner | ILI_RWLOCK_NUDGED) &&
           (token == 0 || ili_held_newest(&l->held) == token) &&
           atomic_compare_exchange_strong_explicit(&l->held.word, &word, word & ~ILI_RWLOCK_OWNER,
                                                   memory_order_release, memory_order_relaxed);
}

/* MARK: what the word says after the end of an exclusive grant: DIED, or 0. */
static il_status give_up(struct ili_member *member, struct ili_rwlock *lock, uint32_t owner,
                         uint64_t token, uint64_t mark) {
    struct ili_agent *self;
    struct ili_holding *shared;
    if (!mark && exclude_no_more(lock, owner, token)) return IL_OK;
    il_status status = ili_rwlock_lock(member, &self, lock);
    if (status != IL_OK) return status;
    ili_rwlock_enter(lock);
    status = ili_rwlock_find(member, lock, owner, token, &shared);
    if (status == IL_OK) {
        struct ili_holding *h = shared ? shared : &lock->exclusive;
        if (load32(&h->count)) {
            count_down(member, self, lock, h);
        } else if (shared) {
            ili_rwlock_end_shared(member, self, lock, shared, false);
        } else {
            ili_rwlock_end_exclusive(member, self, lock, mark);
        }
    }
    ili_rwlock_dispatch(member, self, lock);
    ili_rwlock_unlock(member, self, lock);
    return status;
}

il_status ili_rwlock_release(struct ili_member *member, struct ili_rwlock *lock, uint32_t owner,
                             uint64_t token) {
    return give_up(member, lock, owner, token, 0);
}

il_status ili_rwlock_give_back(struct ili_member *member, struct ili_rwlock *lock, uint32_t owner,
                               uint64_t token, bool owner_died) {
    return give_up(member, lock, owner, token, owner_died ? ILI_RWLOCK_DIED : 0);
}
