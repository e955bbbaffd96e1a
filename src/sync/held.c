/*
 * held.c - see held.h.
 *
 * Steps of ili_held_make(), each a store of what the change says: the holding's fields, its owner last; the
 * value; the word; then the waiter is told. The intent is MAKE from before the first to after the last.
 * A waiter that was told may have gone on and given its grant back, so after a death nothing is made again
 * once it was told. It cannot have come back to the queue, which needs the guard.
 *
 * A page is in pending[0] of who makes it until `pages` leads to it; pages are never unlinked but by
 * dispose, which adopts each before it unlinks it.
 *
 * Invariants (ili_held_check):
 * 1. `used` counts the holdings with an owner, `room` all.
 * 2. A holding without an owner is all zero.
 * Lock order: the guard is taken alone or inside a stripe of names; the allocator inside it.
 */
#include "sync/held.h"

#include <string.h>

#include "arena/alloc.h"
#include "arena/lease.h"
#include "arena/loss.h"
#include "base/clock.h"
#include "base/point.h"

#define MAKE 1u
#define PAGES_MOST 100000u /* a longer chain is a corrupt one */

static uint32_t load32(const _Atomic uint32_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}
static uint64_t load64(const _Atomic uint64_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}
static void store32(_Atomic uint32_t *p, uint32_t v) {
    atomic_store_explicit(p, v, memory_order_relaxed);
}
static void store64(_Atomic uint64_t *p, uint64_t v) {
    atomic_store_explicit(p, v, memory_order_relaxed);
}

void ili_held_init(struct ili_member *member, struct ili_holders *held, uint32_t guard_kind) {
    uint64_t floor = load64(&member->arena.header->token_floor);
    held->guard.kind = guard_kind;
    atomic_init(&held->last_token, floor);
    atomic_init(&held->word, floor << 32);
    atomic_init(&held->room, 1);
}

/* ---- holdings ---------------------------------------------------------------------------------- */

struct ili_holding *ili_held_next(const struct ili_member *member, struct ili_holders *held,
                                  struct ili_held_walk *walk) {
    uint32_t step = walk->steps++;
    if (step == 0) return &held->first;
    uint32_t place = (step - 1) % ILI_HELD_PAGE_PLACES;
    struct ili_held_page *page;
    if (place == 0) {
        /* acquire: pairs with the page's publication: who finds it finds it cleared */
        const _Atomic ili_off *link = &held->pages;
        if (step > 1) {
            page = ili_at(&member->arena, walk->page, sizeof *page);
            if (!page) return NULL;
            link = &page->next;
        }
        walk->page = atomic_load_explicit(link, memory_order_acquire);
        if (walk->page == walk->anchor) walk->page = 0; /* the end, or a circle */
        if (++walk->pages > walk->lap) {
            walk->anchor = walk->page;
            walk->lap = walk->pages * 2;
        }
    }
    page = ili_at(&member->arena, walk->page, sizeof *page);
    return page && walk->page % 64 == 0 ? &page->at[place] : NULL;
}

struct ili_holding *ili_held_by_token(const struct ili_member *member, struct ili_holders *held,
                                      uint64_t token) {
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    while ((h = ili_held_next(member, held, &walk))) {
        if (load64(&h->token) == token && load32(&h->owner)) return h;
    }
    return NULL;
}

struct ili_holding *ili_held_unused(const struct ili_member *member, struct ili_holders *held) {
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    while ((h = ili_held_next(member, held, &walk))) {
        if (load32(&h->owner) == 0) return h;
    }
    return NULL;
}

il_status ili_held_reserve(struct ili_member *member, struct ili_agent *self,
                           struct ili_holders *held, uint32_t count) {
    ili_off at;
    while (load32(&held->room) - load32(&held->used) < count) {
        il_status status = ili_alloc(member, self, 0, ILI_HELD_PAGE, &at);
        if (status != IL_OK) return status;
        struct ili_held_page *page = ili_at(&member->arena, at, ILI_HELD_PAGE);
        memset((void *)page, 0, ILI_HELD_PAGE);
        store64(&page->next, load64(&held->pages));
        ILI_POINT("held.page.made");
        /* release: pairs with the walks */
        atomic_store_explicit(&held->pages, at, memory_order_release);
        ILI_POINT("held.page.linked");
        ili_alloc_published(self, 0);
        store32(&held->room, load32(&held->room) + ILI_HELD_PAGE_PLACES);
    }
    return IL_OK;
}

/* ---- changes ----------------------------------------------------------------------------------- */

struct ili_plan ili_held_plan(const struct ili_holders *held) {
    struct ili_plan plan = {.word = load64(&held->word), .value = load64(&held->value)};
    return plan;
}

struct ili_plan ili_held_plan_for(const struct ili_holders *held, struct ili_holding *holding) {
    struct ili_plan plan = ili_held_plan(held);
    plan.holding = holding;
    plan.owner = load32(&holding->owner);
    plan.count = load32(&holding->count);
    plan.lease = load32(&holding->lease);
    plan.token = load64(&holding->token);
    return plan;
}

/* Whether AGENT was not told yet. */
static bool still_waits(const struct ili_agent *agent, const struct ili_waiting *waiting,
                        const struct ili_arena *a) {
    return ili_waiting_is_in(agent) &&
           load64(&agent->wait_object) == ili_off_of(a, waiting->object) + waiting->which;
}

/* Makes what is written down. AGAIN: after a death. */
static void make(struct ili_member *m, struct ili_agent *self, const struct ili_waiting *waiting,
                 bool again) {
    struct ili_holders *held = waiting->object;
    struct ili_change *c = &held->change;
    struct ili_agent *waiter = ili_agent_at(&m->arena, load32(&c->waiter));
    struct ili_holding *h = ili_at(&m->arena, load64(&c->holding), sizeof *h);
    if (again && waiter && !still_waits(waiter, waiting, &m->arena)) {
        ili_agent_wake(m, waiter);
        return;
    }
    if (h) {
        uint32_t owner = load32(&c->owner);
        if (owner == 0) store32(&h->owner, 0);
        store32(&h->count, load32(&c->count));
        store32(&h->lease, load32(&c->lease));
        store64(&h->token, load64(&c->token));
        ILI_POINT("held.change.holding");
        if (owner) store32(&h->owner, owner);
    }
    store32(&held->used, load32(&c->used));
    store64(&held->value, load64(&c->value));
    ILI_POINT("held.change.value");
    /* seq_cst: an rwlock's readers look at the word after they have given back a holding */
    atomic_store_explicit(&held->word, load64(&c->word), memory_order_seq_cst);
    ILI_POINT("held.change.word");
    if (waiter) {
        ili_waiting_tell(m, self, waiting, waiter,
                         atomic_load_explicit(&c->result, memory_order_relaxed), load64(&c->told));
    }
}

void ili_held_make(struct ili_member *member, struct ili_agent *self,
                   const struct ili_waiting *waiting, const struct ili_plan *plan) {
    struct ili_holders *held = waiting->object;
    struct ili_change *c = &held->change;
    uint32_t used = load32(&held->used);
    if (plan->holding && !plan->uncounted) {
        used += (plan->owner != 0) - (load32(&plan->holding->owner) != 0);
    }
    bool kept = plan->owner != 0; /* else the holding becomes all zero */
    store64(&c->holding, plan->holding ? ili_off_of(&member->arena, plan->holding) : 0);
    store32(&c->owner, plan->owner);
    store32(&c->count, kept ? plan->count : 0);
    store32(&c->lease, kept ? plan->lease : 0);
    store64(&c->token, kept ? plan->token : 0);
    store32(&c->used, used);
    store64(&c->word, plan->word | ILI_HELD_SLOW);
    store64(&c->value, plan->value);
    store32(&c->waiter, plan->waiter ? ili_agent_number(&member->arena, plan->waiter) : 0);
    atomic_store_explicit(&c->result, plan->result, memory_order_relaxed);
    store64(&c->told, plan->token);
    ILI_POINT("held.change.written");
    ili_guard_intend(&held->guard, MAKE, 0, 0);
    ILI_POINT("held.change.intended");
    make(member, self, waiting, false);
    ili_guard_done(&held->guard);
    (void)ili_token_granted(&held->last_token, ili_token_sequence(plan->word));
}

/* ---- leases and losses --------------------------------------------------------------------------- */

il_status ili_held_lease(struct ili_member *member, struct ili_holders *held, uint32_t owner,
                         uint64_t token, int64_t duration_ns, uint32_t *number) {
    ili_off at = ili_off_of(&member->arena, held);
    struct ili_lease *lease = ili_lease_of(&member->arena, *number, at, token);
    if (duration_ns == 0) {
        if (lease) ili_lease_end(lease, at, token);
        *number = 0;
        return IL_OK;
    }
    if (lease) {
        ili_lease_extend(member, lease, duration_ns);
        return IL_OK;
    }
    uint32_t slot = ili_agent_slot(&member->arena, owner);
    if (slot == UINT32_MAX) return IL_ENOTHELD;
    return ili_lease_claim(member, slot, at, token, duration_ns, number);
}

void ili_held_lease_over(struct ili_member *member, struct ili_holders *held, uint32_t number,
                         uint64_t token) {
    ili_off at = ili_off_of(&member->arena, held);
    struct ili_lease *lease = ili_lease_of(&member->arena, number, at, token);
    if (lease) ili_lease_end(lease, at, token);
}

il_status ili_held_why(const struct ili_member *member, struct ili_holders *held, uint64_t token) {
    struct ili_loss_copy loss;
    if (ili_loss_find(&member->arena, ili_off_of(&member->arena, held), token, &loss)) {
        return loss.why == IL_EREVOKED ? IL_EREVOKED : IL_ELEASE;
    }
    return token < ili_held_newest(held) ? IL_ESTALE : IL_ENOTHELD;
}

int64_t ili_held_noted(_Atomic int64_t *since_ns, _Atomic uint64_t *noted, uint64_t token) {
    int64_t since = atomic_load_explicit(since_ns, memory_order_relaxed);
    if (load64(noted) == token && since) return since;
    since = ili_now_ns();
    atomic_store_explicit(since_ns, since, memory_order_relaxed);
    store64(noted, token);
    return since;
}

bool ili_held_copy(struct ili_holding *h, struct ili_grant *grant) {
    *grant = (struct ili_grant){.owner = load32(&h->owner),
                                .count = load32(&h->count),
                                .lease = load32(&h->lease),
                                .token = load64(&h->token)};
    if (grant->owner == 0 || grant->token == 0) return false;
    grant->since_ns = ili_held_noted(&h->noted_since_ns, &h->noted_token, grant->token);
    return true;
}

/* ---- the kinds' rows ------------------------------------------------------------------------------ */

static void recount(struct ili_member *m, struct ili_holders *held) {
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    uint32_t used = 0, room = 0;
    while ((h = ili_held_next(m, held, &walk))) {
        room++;
        used += load32(&h->owner) != 0;
    }
    store32(&held->used, used);
    store32(&held->room, room);
}

static bool is_linked(const struct ili_member *m, const struct ili_holders *held, ili_off block) {
    ili_off at = load64(&held->pages);
    for (uint32_t i = 0; at && i < PAGES_MOST; i++) {
        struct ili_held_page *page = ili_at(&m->arena, at, sizeof *page);
        if (at == block) return true;
        at = page ? load64(&page->next) : 0;
    }
    return false;
}

void ili_held_repair(struct ili_member *member, struct ili_agent *self,
                     const struct ili_waiting *waiting, struct ili_agent *dead) {
    struct ili_holders *held = waiting->object;
    ili_waiting_repair(member, waiting, UINT32_MAX);
    if (atomic_load_explicit(&held->guard.intent[0], memory_order_acquire) == MAKE) {
        make(member, self, waiting, true);
    }
    ili_guard_done(&held->guard);
    if (is_linked(member, held, load64(&dead->pending[0]))) ili_alloc_published(dead, 0);
    recount(member, held);
}

void ili_held_drop_waiters(struct ili_member *member, struct ili_agent *self,
                           const struct ili_waiting *waiting, uint32_t slot) {
    ili_waiting_repair(member, waiting, slot);
    struct ili_agent *agent = ili_waitq_first(member, waiting->queue), *next;
    for (uint32_t i = 0; agent && i < member->arena.regions.agents; i++, agent = next) {
        next = ili_waitq_next(member, agent);
        if (ili_waiting_is_in(agent) &&
            ili_agent_slot(&member->arena, ili_agent_acts_for(&member->arena, agent)) == slot) {
            ili_waiting_tell(member, self, waiting, agent, IL_ESESSION, 0);
        }
    }
}

void ili_held_end(struct ili_member *member, struct ili_agent *self,
                  const struct ili_waiting *waiting) {
    struct ili_holders *held = waiting->object;
    store32(&held->gone, 1);
    ILI_POINT("held.end.gone");
    uint64_t newest = ili_held_newest(held) + 1;
    _Atomic uint64_t *floor = &member->arena.header->token_floor;
    uint64_t seen = load64(floor);
    while (seen < newest && !atomic_compare_exchange_weak_explicit(
                                floor, &seen, newest, memory_order_relaxed, memory_order_relaxed)) {
    }
    ili_waiting_tell_all(member, self, waiting, IL_EDELETED);
}

il_status ili_held_dispose(struct ili_member *member, struct ili_agent *self,
                           struct ili_agent *owner, void *object) {
    struct ili_holders *held = object;
    if (is_linked(member, held, load64(&owner->pending[0]))) ili_alloc_published(owner, 0);
    il_status status = ili_alloc_free_of(member, self, owner, 0);
    for (uint32_t i = 0; status == IL_OK && i < PAGES_MOST; i++) {
        ili_off at = load64(&held->pages);
        struct ili_held_page *page = at ? ili_at(&member->arena, at, sizeof *page) : NULL;
        if (!page) break;
        ili_off next = load64(&page->next);
        ili_alloc_adopt(owner, 0, at);
        ILI_POINT("held.dispose.adopted");
        atomic_store_explicit(&held->pages, next, memory_order_release);
        ILI_POINT("held.dispose.unlinked");
        status = ili_alloc_free_of(member, self, owner, 0);
    }
    return status;
}

il_status ili_held_check(const struct ili_member *member, struct ili_holders *held) {
    struct ili_held_walk walk = {0};
    struct ili_holding *h;
    uint32_t used = 0, room = 0;
    while ((h = ili_held_next(member, held, &walk))) {
        bool owned = load32(&h->owner) != 0;
        room++;
        used += owned;
        if (!owned && (load32(&h->count) || load32(&h->lease) || load64(&h->token))) {
            return IL_ECORRUPT;
        }
    }
    if (used != load32(&held->used) || room != load32(&held->room)) return IL_ECORRUPT;
    return ili_waitq_sound(member, &held->waiters) ? IL_OK : IL_ECORRUPT;
}

bool ili_held_lease_has_ended(const struct ili_member *m, const struct ili_holders *held,
                              uint32_t number, uint64_t token) {
    if (number == 0) return false;
    const struct ili_lease *lease =
        ili_lease_of(&m->arena, number, ili_off_of(&m->arena, held), token);
    return lease && atomic_load_explicit(&lease->end_ns, memory_order_relaxed) <= ili_now_ns();
}

void ili_held_gate_add(struct ili_gate *gate, uint32_t owner, uint32_t count) {
    if (gate->holder_count == gate->holder_room) {
        gate->overflow = true;
        return;
    }
    gate->holders[gate->holder_count++] = (struct ili_gate_holder){owner, count};
}
