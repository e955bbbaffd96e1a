/*
 * semaphore.c - see semaphore.h: the word, acquiring, waiting, releasing. semaphore_owner.c has what happens
 * to grants otherwise.
 *
 * word      permits that are free for certain (VALUE), SLOW, and the sequence of grants. Without SLOW changed
 *           by anybody's compare-and-swap, with SLOW only by the guard's holder.
 * value     all permits, free and held. Changes only under the guard and SLOW.
 * holdings  who has how many. A thread keeps one of its own, its place (`kept`), until it ends: only the
 *           thread itself puts something there without the guard. A claim is a token with CLAIM that is
 *           written before the word is changed to that grant; if the change fails, the claim is withdrawn,
 *           else CLAIM is.
 * epoch     counts enter(), before it looks at the holdings.
 *
 * What is free is what the holdings do not have of `value`; the word says so beforehand, and never too much.
 * Nothing is lost with who dies in between: the guard's holder counts anew, and a claim without a grant
 * goes with its owner as a grant does.
 *
 * Why the word never says too much. A grant needs a change of the word, and the claim is there before it; so
 * who sets SLOW and counts then finds all grants. Who gives a grant back clears its place and adds to the
 * word what it had, unless somebody has counted since: it looks at the epoch first, then finds the word
 * without SLOW, clears the place, and after each new look at the word finds the epoch as it was. So the word
 * that it changes is from before any count that could have found the place empty. (That same word may have
 * come again meanwhile: then as many permits less were counted, since the sequence shows that nobody was
 * granted any.) If it does not come to that, it sees to it under the guard that somebody counts
 * (ili_semaphore_look_on); as does a claim that was in the way of somebody who counted. So none stay uncounted.
 *
 * With IL_SEMAPHORE_SIGNAL the word's VALUE is all there is, and holdings are not used.
 *
 * settle() clears SLOW where nobody waits, or the first one was nudged and will look by itself: until then
 * the fast paths may go on. Between enter() and settle() every change is ili_held_make(): a grant puts permits
 * into a holding and tells its waiter, a release takes them out. A death in between two of them leaves
 * something consistent.
 *
 * Invariants, whenever the guard is free (ili_semaphore_check):
 * 1. Without SLOW nobody waits, or the first waiter was nudged.
 * 2. VALUE is no more than `value` without what is held, nor than the bound.
 * 3. The first waiter cannot have what it wants, or was nudged, or is about to be (dispatch).
 */
#include "base/clock.h"
#include "base/point.h"
#include "base/relax.h"
#include "sync/semaphore_word.h"

#define LOOKS 12     /* at permits that are not there, before a thread goes to sleep */
#define LULL_MOST 64 /* pauses between two of them */

static uint32_t load32(const _Atomic uint32_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}
static uint64_t load64(const _Atomic uint64_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}

struct ili_waiting ili_semaphore_waiting(struct ili_semaphore *semaphore) {
    return (struct ili_waiting){.guard = &semaphore->held.guard,
                                .queue = &semaphore->held.waiters,
                                .object = semaphore,
                                .left = ili_semaphore_dispatch,
                                .awake = true};
}

/* ---- the kind ------------------------------------------------------------------------------- */

static uint32_t value_of(const il_semaphore_options *o) { return o ? o->value : 1; }

void ili_semaphore_init(struct ili_member *member, void *object, const void *options) {
    struct ili_semaphore *s = object;
    const il_semaphore_options *o = options;
    ili_held_init(member, &s->held, ILI_GUARD_SEMAPHORE);
    s->held.flags = o ? o->flags : 0;
    s->held.start = value_of(o);
    atomic_init(&s->held.word, ili_held_word(&s->held) | s->held.start);
    if (!ili_semaphore_is_signal(s)) atomic_init(&s->held.value, s->held.start);
}

bool ili_semaphore_same(const void *object, const void *options) {
    const struct ili_semaphore *s = object;
    const il_semaphore_options *o = options;
    return s->held.flags == o->flags && s->held.start == o->value;
}

/* ---- under the guard ------------------------------------------------------------------------ */

/* Whether OWNER's place goes when it is given back. */
static bool is_passing(const struct ili_member *m, uint32_t owner) {
    const struct ili_agent *agent = ili_agent_at(&m->arena, owner);
    return !agent || (load32(&agent->flags) & ILI_AGENT_OWNER) != 0;
}

void ili_semaphore_survey(const struct ili_member *member, struct ili_semaphore *semaphore,
                          uint32_t owner, struct ili_semaphore_survey *survey) {
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    *survey = (struct ili_semaphore_survey){0};
    while ((h = ili_held_next(member, &semaphore->held, &walk))) {
        uint32_t its = load32(&h->owner);
        /* seq_cst: after SLOW was set. Who finds a token finds its count */
        uint64_t token = atomic_load_explicit(&h->token, memory_order_seq_cst);
        if (its == 0) {
            if (!survey->unused) survey->unused = h;
            continue;
        }
        if (token) survey->held += load32(&h->count);
        if (its != owner) continue;
        if (load32(&h->kept)) survey->place = h;
        if (token == 0 || token & ILI_SEMAPHORE_CLAIM) continue;
        survey->grants++;
        if (load32(&h->lease) == 0 && (!survey->oldest || token < load64(&survey->oldest->token))) {
            survey->oldest = h;
        }
    }
}

uint32_t ili_semaphore_free(const struct ili_member *member, struct ili_semaphore *semaphore) {
    struct ili_semaphore_survey survey;
    if (ili_semaphore_is_signal(semaphore)) {
        return (uint32_t)(ili_held_word(&semaphore->held) & ILI_SEMAPHORE_VALUE);
    }
    ili_semaphore_survey(member, semaphore, 0, &survey);
    return ili_semaphore_left(semaphore, survey.held);
}

void ili_semaphore_make(struct ili_member *member, struct ili_agent *self,
                        struct ili_semaphore *semaphore, const struct ili_plan *plan) {
    struct ili_waiting waiting = ili_semaphore_waiting(semaphore);
    ili_held_make(member, self, &waiting, plan);
}

/* As ili_semaphore_enter(), with what OWNER has in *SURVEY. */
static uint32_t enter_for(struct ili_member *m, struct ili_semaphore *s, uint32_t owner,
                          struct ili_semaphore_survey *survey) {
    struct ili_holders *held = &s->held;
    /* seq_cst: see above. acquire: pairs with the fast paths' releases */
    atomic_fetch_or_explicit(&held->word, ILI_HELD_SLOW, memory_order_seq_cst);
    ILI_POINT("semaphore.enter.slow");
    if (ili_semaphore_is_signal(s)) return ili_semaphore_free(m, s);
    /* relaxed: published by settle() together with what was counted */
    atomic_store_explicit(&s->epoch, load64(&s->epoch) + 1, memory_order_relaxed);
    ILI_POINT("semaphore.enter.counts");
    ili_semaphore_survey(m, s, owner, survey);
    /* what came back beyond the bound is nobody's any more */
    uint64_t bound = survey->held + ili_semaphore_most(s);
    if (load64(&held->value) > bound) {
        atomic_store_explicit(&held->value, bound, memory_order_relaxed);
    }
    return ili_semaphore_left(s, survey->held);
}

uint32_t ili_semaphore_enter(struct ili_member *member, struct ili_semaphore *semaphore) {
    struct ili_semaphore_survey survey;
    return enter_for(member, semaphore, 0, &survey);
}

void ili_semaphore_settle(struct ili_member *member, struct ili_semaphore *semaphore,
                          uint32_t left) {
    struct ili_holders *held = &semaphore->held;
    const struct ili_agent *head = ili_waitq_first(member, &held->waiters);
    if (ili_held_is_gone(held)) return;
    uint64_t word = ili_held_word(held);
    if (!ili_semaphore_is_signal(semaphore)) word = (word & ~ILI_SEMAPHORE_VALUE) | left;
    if (!head || ili_waiting_is_coming(head)) word &= ~ILI_HELD_SLOW;
    /* release: pairs with the fast paths' acquires */
    atomic_store_explicit(&held->word, word, memory_order_release);
    ILI_POINT("semaphore.settle.fast");
}

/* Where OWNER's next grant, of COUNT permits, goes; NULL: there is no room. *MERGED: with what is there. */
static struct ili_holding *place_for(const struct ili_member *m, struct ili_semaphore *s,
                                     uint32_t owner, uint32_t count,
                                     const struct ili_semaphore_survey *survey, bool *merged) {
    *merged = survey->grants >= ILI_SEMAPHORE_GRANTS && survey->oldest &&
              load64(&s->held.value) > s->held.start &&
              (uint64_t)load32(&survey->oldest->count) + count <= IL_SEMAPHORE_MAX;
    if (*merged) return survey->oldest;
    if (survey->place && load64(&survey->place->token) == 0) return survey->place;
    struct ili_holding *unused = survey->unused ? survey->unused : ili_held_unused(m, &s->held);
    if (!unused) return NULL;
    bool kept = !survey->place && !is_passing(m, owner);
    atomic_store_explicit(&unused->kept, kept, memory_order_relaxed);
    ILI_POINT("semaphore.place.kept");
    return unused;
}

/* Grants COUNT permits, which are free, to OWNER, and tells WAITER unless it is NULL. 0: there is no room. */
static uint64_t grant(struct ili_member *m, struct ili_agent *self, struct ili_semaphore *s,
                      uint32_t owner, uint32_t count, const struct ili_semaphore_survey *survey,
                      struct ili_agent *waiter) {
    struct ili_plan plan = ili_held_plan(&s->held);
    if (ili_semaphore_is_signal(s)) {
        plan.word -= count;
    } else {
        bool merged;
        struct ili_holding *h = place_for(m, s, owner, count, survey, &merged);
        if (!h) return 0;
        plan.holding = h;
        plan.owner = owner;
        plan.count = merged ? load32(&h->count) + count : count;
    }
    plan.word += ILI_TOKEN_GRANT;
    plan.token = ili_token_whole(&s->held.last_token, ili_token_sequence(plan.word));
    plan.waiter = waiter;
    plan.result = IL_OK;
    ili_semaphore_make(m, self, s, &plan);
    return plan.token;
}

/* Of LEFT permits, grants to those who are due and nudges the others. */
static void serve(struct ili_member *m, struct ili_agent *self, struct ili_semaphore *s,
                  uint32_t left) {
    struct ili_waiting waiting = ili_semaphore_waiting(s);
    struct ili_semaphore_survey survey = {0};
    struct ili_agent *waiter = ili_waitq_first(m, &s->held.waiters), *next;
    uint64_t promised = 0;
    if (ili_held_is_gone(&s->held)) {
        ili_waiting_tell_all(m, self, &waiting, IL_EDELETED);
        return;
    }
    for (uint32_t i = 0; waiter && i < m->arena.regions.agents; i++, waiter = next) {
        uint32_t want = load32(&waiter->want);
        next = ili_waitq_next(m, waiter);
        if (!ili_waiting_is_in(waiter)) { /* corrupt */
            ili_waitq_remove(m, &s->held.waiters, waiter);
            continue;
        }
        if (left < promised + want) break;
        if (!ili_waiting_is_due(waiter)) {
            ili_waiting_nudge(m, self, waiter);
            promised += want;
            continue;
        }
        uint32_t owner = ili_agent_acts_for(&m->arena, waiter);
        if (!ili_semaphore_is_signal(s)) ili_semaphore_survey(m, s, owner, &survey);
        if (grant(m, self, s, owner, want, &survey, waiter)) {
            left -= want;
        } else { /* not where places were reserved */
            ili_waiting_tell(m, self, &waiting, waiter, IL_ENOMEM, 0);
        }
    }
    ili_semaphore_settle(m, s, left);
}

void ili_semaphore_dispatch(struct ili_member *member, struct ili_agent *self, void *object) {
    serve(member, self, object, ili_semaphore_enter(member, object));
}

void ili_semaphore_unlock(struct ili_member *member, struct ili_agent *self,
                          struct ili_semaphore *semaphore) {
    ili_waiting_unlock(member, self, &semaphore->held.guard);
}

il_status ili_semaphore_lock(struct ili_member *member, struct ili_agent **self,
                             struct ili_semaphore *semaphore) {
    il_status status = ili_agent_current(member, self);
    if (status == IL_OK) status = ili_guard_lock(member, *self, &semaphore->held.guard);
    if (status != IL_OK) return status;
    if (!ili_held_is_gone(&semaphore->held)) return IL_OK;
    ili_guard_unlock(member, *self, &semaphore->held.guard);
    return IL_EDELETED;
}

/* ---- acquire ---------------------------------------------------------------------------------- */

static void begin_waiting(struct ili_member *m, struct ili_semaphore *s, struct ili_agent *waiter,
                          uint32_t owner, uint32_t count) {
    struct ili_waiting waiting = ili_semaphore_waiting(s);
    uint32_t number = ili_agent_number(&m->arena, waiter);
    ili_waiting_begin(m, &waiting, waiter, owner == number ? 0 : owner, count);
}

/* Takes COUNT permits for OWNER, or lets WAITER (NULL: nobody) wait for them: IL_ETIMEOUT. */
static il_status take_or_queue(struct ili_member *m, struct ili_semaphore *s,
                               struct ili_agent *waiter, uint32_t owner, uint32_t count,
                               uint64_t *token) {
    struct ili_semaphore_survey survey = {0};
    struct ili_agent *self;
    if (count == 0 || count > ili_semaphore_most(s)) return IL_EINVAL;
    il_status status = ili_semaphore_lock(m, &self, s);
    if (status != IL_OK) return status;
    uint32_t left = enter_for(m, s, owner, &survey);
    struct ili_agent *head = ili_waitq_first(m, &s->held.waiters);
    bool taken = left >= count && !(head && ili_waiting_is_due(head));
    /* also those who wait must find room for what they are granted */
    if ((taken || waiter) && !ili_semaphore_is_signal(s)) {
        status = ili_held_reserve(m, self, &s->held, ili_waitq_count(&s->held.waiters) + 1);
    }
    if (status == IL_OK && taken) {
        *token = grant(m, self, s, owner, count, &survey, NULL);
        left -= count;
    } else if (status == IL_OK) {
        status = IL_ETIMEOUT;
        if (waiter) begin_waiting(m, s, waiter, owner, count);
    }
    serve(m, self, s, left); /* also for whom a claim of the fast path was in the way */
    ili_semaphore_unlock(m, self, s);
    return status;
}

/* The place of OWNER, the calling thread. */
static struct ili_holding *place_of(const struct ili_member *m, struct ili_semaphore *s,
                                    uint32_t owner) {
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    while ((h = ili_held_next(m, &s->held, &walk))) {
        if (load32(&h->owner) == owner && load32(&h->kept)) return h;
    }
    return NULL;
}

void ili_semaphore_remember(const struct ili_member *member, struct ili_semaphore *semaphore,
                            struct ili_held_near *near, uint32_t owner) {
    struct ili_holding *place = place_of(member, semaphore, owner);
    if (place) ili_held_remember(member, near, owner, place);
}

/* A few attempts to take permits that are about to be given back; see spin() of lock.c for why the looks
 * come further and further apart. True: *TOKEN was granted. */
static bool spin(struct ili_member *m, struct ili_semaphore *s, uint32_t self, uint32_t count,
                 int looks, uint64_t *token) {
    bool signal = ili_semaphore_is_signal(s);
    struct ili_holding *place = signal ? NULL : place_of(m, s, self);
    /* a thread needs a place first, and what else it acquires goes elsewhere */
    bool usable = place && load64(&place->token) == 0 && load32(&place->lease) == 0;
    for (int i = 0, lull = 4; i < looks; i++, lull = lull < LULL_MOST ? lull * 2 : lull) {
        if (signal && ili_semaphore_take_signal(s, count, token)) return true;
        if (usable && ili_semaphore_take_place(s, place, count, token)) return true;
        /* seq_cst: after a claim was withdrawn */
        uint64_t word = atomic_load_explicit(&s->held.word, memory_order_seq_cst);
        bool there = (word & ILI_SEMAPHORE_VALUE) >= count;
        if (there && (word & ILI_HELD_SLOW || !(signal || usable))) return false;
        for (int p = 0; p < lull && i + 1 < looks; p++) ili_relax();
    }
    return false;
}

il_status ili_semaphore_acquire(struct ili_member *member, struct ili_semaphore *semaphore,
                                uint32_t count, int64_t deadline_ns, uint64_t *token) {
    struct ili_agent *self;
    il_status status = ili_agent_current(member, &self);
    if (status != IL_OK) return status;
    uint32_t number = ili_agent_number(&member->arena, self);
    if (spin(member, semaphore, number, count, deadline_ns == 0 ? 1 : LOOKS, token)) {
        return IL_OK;
    }
    status = take_or_queue(member, semaphore, deadline_ns == 0 ? NULL : self, number, count, token);
    if (status != IL_ETIMEOUT) return status;
    if (deadline_ns == 0) {
        /* polling must not wait for ever for somebody who died: see that a keeper is there */
        if (member->before_wait) member->before_wait(member);
        return status;
    }
    struct ili_waiting waiting = ili_semaphore_waiting(semaphore);
    return ili_waiting_sleep(member, self, &waiting, deadline_ns, token);
}

il_status ili_semaphore_try(struct ili_member *member, struct ili_semaphore *semaphore,
                            uint32_t owner, uint32_t count, uint64_t *token) {
    return take_or_queue(member, semaphore, NULL, owner, count, token);
}

il_status ili_semaphore_enqueue(struct ili_member *member, struct ili_semaphore *semaphore,
                                struct ili_agent *waiter, uint32_t owner, uint32_t count,
                                uint64_t *token) {
    return take_or_queue(member, semaphore, waiter, owner, count, token);
}

il_status ili_semaphore_poll(struct ili_agent *waiter, uint64_t *token) {
    return ili_waiting_poll(waiter, token);
}

il_status ili_semaphore_withdraw(struct ili_member *member, struct ili_semaphore *semaphore,
                                 struct ili_agent *waiter, uint64_t *token) {
    struct ili_waiting waiting = ili_semaphore_waiting(semaphore);
    return ili_waiting_withdraw(member, &waiting, waiter, token);
}

/* ---- release ---------------------------------------------------------------------------------- */

void ili_semaphore_give(struct ili_member *member, struct ili_agent *self,
                        struct ili_semaphore *semaphore, struct ili_holding *h, uint32_t count,
                        bool gone) {
    struct ili_semaphore_survey survey;
    struct ili_plan plan = ili_held_plan_for(&semaphore->held, h);
    if (plan.token == 0) plan.count = 0; /* a place that is left as it was */
    if (count > plan.count) count = plan.count;
    if (plan.value > ili_semaphore_most(semaphore)) {
        ili_semaphore_survey(member, semaphore, 0, &survey);
        uint64_t held = survey.held > count ? survey.held - count : 0;
        uint64_t bound = held + ili_semaphore_most(semaphore);
        if (plan.value > bound) plan.value = bound;
    }
    plan.count -= count;
    if (plan.count == 0) {
        ili_held_lease_over(member, &semaphore->held, plan.lease, plan.token);
        if (gone || !load32(&h->kept)) plan.owner = 0;
        plan.token = 0;
        plan.lease = 0;
    }
    ili_semaphore_make(member, self, semaphore, &plan);
}

il_status ili_semaphore_look_on(struct ili_member *member, struct ili_semaphore *semaphore,
                                struct ili_holding *place, uint64_t token) {
    struct ili_agent *self;
    il_status status = ili_semaphore_lock(member, &self, semaphore);
    if (status != IL_OK) return status;
    (void)ili_semaphore_enter(member, semaphore);
    /* somebody gave a part of it back, or a lease, at the same moment, and has written it anew */
    if (load64(&place->token) == token) {
        ili_semaphore_give(member, self, semaphore, place, load32(&place->count), false);
    }
    ili_semaphore_dispatch(member, self, semaphore);
    ili_semaphore_unlock(member, self, semaphore);
    return IL_OK;
}

/* Gives up to COUNT permits back that OWNER holds (OWN), or its session. Returns how many it did not. */
static uint32_t give_of(struct ili_member *m, struct ili_agent *self, struct ili_semaphore *s,
                        uint32_t owner, bool own, uint32_t count) {
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    uint32_t slot = ili_agent_slot(&m->arena, owner);
    while (count && (h = ili_held_next(m, &s->held, &walk))) {
        if (own ? load32(&h->owner) != owner : !ili_semaphore_is_of(m, h, slot)) continue;
        if (ili_semaphore_token(h) == 0) continue;
        uint32_t held = load32(&h->count), part = held < count ? held : count;
        ili_semaphore_give(m, self, s, h, part, false);
        count -= part;
    }
    return count;
}

static il_status give_any(struct ili_member *m, struct ili_agent *self, struct ili_semaphore *s,
                          uint32_t owner, uint32_t count, uint32_t left) {
    if ((uint64_t)left + count > ili_semaphore_most(s)) return IL_EOVERFLOW;
    if (!ili_semaphore_is_signal(s)) {
        count = give_of(m, self, s, owner, true, count);
        count = give_of(m, self, s, owner, false, count);
    }
    if (count) {
        struct ili_plan plan = ili_held_plan(&s->held);
        if (ili_semaphore_is_signal(s)) {
            plan.word += count;
        } else {
            plan.value += count;
        }
        ili_semaphore_make(m, self, s, &plan);
    }
    return IL_OK;
}

il_status ili_semaphore_find(struct ili_member *member, struct ili_semaphore *semaphore,
                             uint32_t owner, uint64_t token, struct ili_holding **out) {
    struct ili_holding *h =
        token & ILI_SEMAPHORE_CLAIM ? NULL : ili_held_by_token(member, &semaphore->held, token);
    if (!h) return ili_held_why(member, &semaphore->held, token);
    if (!ili_semaphore_is_of(member, h, ili_agent_slot(&member->arena, owner))) return IL_ENOTHELD;
    *out = h;
    return IL_OK;
}

il_status ili_semaphore_release(struct ili_member *member, struct ili_semaphore *semaphore,
                                uint32_t owner, uint32_t count, uint64_t token) {
    struct ili_semaphore *s = semaphore;
    struct ili_agent *self;
    struct ili_holding *h = NULL;
    if (token == 0 && ili_semaphore_is_signal(s) &&
        ili_semaphore_give_signal(s, count, ili_semaphore_most(s))) {
        return IL_OK;
    }
    il_status status = ili_semaphore_lock(member, &self, s);
    if (status != IL_OK) return status;
    uint32_t left = ili_semaphore_enter(member, s);
    if (token == 0) {
        status = give_any(member, self, s, owner, count, left);
    } else {
        status = ili_semaphore_find(member, s, owner, token, &h);
        if (status == IL_OK && count > load32(&h->count)) status = IL_EOVERFLOW;
        if (status == IL_OK) ili_semaphore_give(member, self, s, h, count, false);
    }
    ili_semaphore_dispatch(member, self, s);
    ili_semaphore_unlock(member, self, s);
    return status;
}
