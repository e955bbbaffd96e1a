/*
 * recover.c - see recover.h. The order of the steps matters:
 *
 * 1. Guards, innermost kind first, so that a repair never waits for a guard that the same dead
 *    process holds. Each repair also decides which of the dead agent's pending blocks are published.
 * 2. Wake-ups that were announced (agent.waking) and may not have been made.
 * 3. Objects that nobody refers to any more, and pending blocks: now surely in nobody's reach.
 * 4. Its leases: no entry may outlive its object. Every object in the open table: its kind's recover(),
 *    then the handle is closed.
 * 5. The table's pages, the agents, the slot.
 * Agents keep their owner until 5, since wait queues know a dead waiter by it.
 * The keeper may die in the middle of this. Therefore guards stay the dead agent's until what they
 * protect is right, blocks stay in the dead agent's pending[], and each step may be done again.
 */
#include "session/recover.h"

#include "arena/alloc.h"
#include "arena/guard.h"
#include "arena/lease.h"
#include "arena/names.h"
#include "arena/open_table.h"
#include "base/point.h"
#include "session/kinds.h"

/* The order in which kinds of guard are repaired; the reverse of the lock order. */
static const uint8_t rank_order[] = {
    ILI_GUARD_ALLOC,      ILI_GUARD_LOCK,  ILI_GUARD_RWLOCK,  ILI_GUARD_SEMAPHORE,
    ILI_GUARD_CONDITION,  ILI_GUARD_EVENT, ILI_GUARD_BARRIER, ILI_GUARD_LATCH,
    ILI_GUARD_CELLS,      ILI_GUARD_DICT,  ILI_GUARD_LIST,    ILI_GUARD_QUEUE_HEAD,
    ILI_GUARD_QUEUE_TAIL, ILI_GUARD_PIPE,  ILI_GUARD_NAMES};

static ili_off load_off(const _Atomic ili_off *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}

/* Calls STEP for each agent of SLOT, until one fails. */
static il_status each_agent(struct ili_member *m, struct ili_agent *self, uint32_t slot,
                            il_status (*step)(struct ili_member *m, struct ili_agent *self,
                                              struct ili_agent *dead, uint32_t argument),
                            uint32_t argument) {
    struct ili_agent *agent;
    for (uint32_t number = 1; (agent = ili_agent_at(&m->arena, number)); number++) {
        if (atomic_load_explicit(&agent->owner, memory_order_acquire) != slot + 1) continue;
        il_status status = step(m, self, agent, argument);
        if (status != IL_OK) return status;
    }
    return IL_OK;
}

static il_status repair_guards(struct ili_member *m, struct ili_agent *self, struct ili_agent *dead,
                               uint32_t kind) {
    for (unsigned i = 0; i < ILI_AGENT_GUARDS; i++) {
        struct ili_guard *guard = ili_guard_at(&m->arena, load_off(&dead->held[i]));
        if (!guard || ili_once32(&guard->kind) != kind) continue;
        uint32_t number = ili_agent_number(&m->arena, dead);
        if (ili_guard_is_held_by(guard, number)) {
            il_status status = ili_kinds_repair(m, self, guard, dead);
            if (status != IL_OK) return status;
        }
        ILI_POINT("recover.guard.repaired");
        ili_guard_free_of(guard, number);
        ili_agent_wake_now(m, self);
        ILI_POINT("recover.guard.freed");
        atomic_store_explicit(&dead->held[i], 0, memory_order_relaxed);
    }
    return IL_OK;
}

static il_status pay_wakes(struct ili_member *m, struct ili_agent *self, struct ili_agent *dead,
                           uint32_t unused) {
    (void)self, (void)unused;
    uint32_t number = atomic_load_explicit(&dead->waking, memory_order_relaxed);
    struct ili_agent *owed = ili_agent_at(&m->arena, number);
    if (owed) ili_agent_wake(m, owed);
    atomic_store_explicit(&dead->waking, 0, memory_order_relaxed);
    return IL_OK;
}

/* Whether BLOCK is the newest page of some slot's open table: published, though still pending. */
static bool is_open_page(const struct ili_arena *a, ili_off block) {
    for (uint32_t i = 0; i < a->regions.slots; i++) {
        if (load_off(&a->slots[i].open_pages) == block) return true;
    }
    return false;
}

static il_status free_pending(struct ili_member *m, struct ili_agent *self, struct ili_agent *dead,
                              uint32_t unused) {
    (void)unused;
    /* first, since it decides whether the others are still in the object */
    il_status reaped = ili_names_reap(m, self, dead);
    if (reaped != IL_OK) return reaped;
    for (unsigned i = 0; i < ILI_AGENT_PENDING; i++) {
        ili_off block = load_off(&dead->pending[i]);
        if (block == 0) continue;
        if (is_open_page(&m->arena, block)) ili_alloc_published(dead, i);
        il_status status = ili_alloc_free_of(m, self, dead, i);
        if (status != IL_OK) return status;
    }
    return IL_OK;
}

static il_status close_handle(struct ili_member *m, struct ili_agent *self, uint32_t slot,
                              _Atomic ili_off *entry) {
    ili_off at = load_off(entry);
    struct ili_object *object = ili_at(&m->arena, at, sizeof *object);
    const struct ili_kind *kind = object ? ili_kind_of(ili_once32(&object->kind)) : NULL;
    if (!kind || !ili_object_at(&m->arena, at, kind->number)) {
        atomic_store_explicit(entry, 0, memory_order_relaxed); /* nonsense */
        return IL_OK;
    }
    il_status status = kind->recover(m, self, object, slot);
    if (status != IL_OK) return status;
    ILI_POINT("recover.object");
    status = ili_names_close(m, self, at, entry);
    return status == IL_EBUSY ? status : IL_OK;
}

/* One object that is stuck does not keep the others from being recovered. */
static il_status close_handles(struct ili_member *m, struct ili_agent *self, uint32_t slot) {
    il_status result = IL_OK;
    struct ili_open_walk walk = ili_open_walk_of(&m->arena.slots[slot]);
    struct ili_open_page *page;
    while ((page = ili_open_walk_next(&m->arena, &walk))) {
        for (unsigned i = 0; i < ILI_OPEN_PAGE_ENTRIES; i++) {
            if (load_off(&page->entries[i]) == 0) continue;
            il_status status = close_handle(m, self, slot, &page->entries[i]);
            if (status != IL_OK) result = status;
        }
    }
    return result;
}

/* The last page first, so that the word that names it is cleared together with its memory. */
static il_status free_pages(struct ili_member *m, struct ili_agent *self, uint32_t slot) {
    _Atomic ili_off *head = &m->arena.slots[slot].open_pages;
    while (load_off(head)) {
        _Atomic ili_off *word = head, *last = NULL;
        struct ili_open_walk walk = ili_open_walk_of(&m->arena.slots[slot]);
        struct ili_open_page *page;
        while ((page = ili_open_walk_next(&m->arena, &walk))) {
            last = word;
            word = &page->next;
        }
        word = last;
        if (!word || walk.next) { /* corrupt: it led out of the arena, or in a circle */
            atomic_store_explicit(head, 0, memory_order_relaxed);
            return IL_OK;
        }
        ILI_POINT("recover.page");
        il_status status = ili_alloc_free_word(m, self, word);
        if (status != IL_OK) return status;
    }
    return IL_OK;
}

static il_status free_agent(struct ili_member *m, struct ili_agent *self, struct ili_agent *dead,
                            uint32_t unused) {
    (void)self, (void)unused;
    for (unsigned i = 0; i < ILI_AGENT_GUARDS; i++) {
        atomic_store_explicit(&dead->held[i], 0, memory_order_relaxed);
    }
    atomic_store_explicit(&dead->wait_object, 0, memory_order_relaxed);
    atomic_store_explicit(&dead->flags, 0, memory_order_relaxed);
    ili_agent_release(m, dead);
    return IL_OK;
}

static il_status run(struct ili_member *m, struct ili_agent *self, uint32_t slot) {
    il_status status = IL_OK;
    for (unsigned i = 0; i < sizeof rank_order && status == IL_OK; i++) {
        status = each_agent(m, self, slot, repair_guards, rank_order[i]);
    }
    /* what an earlier call left behind; after the guards, since it may need one of this slot's */
    if (status == IL_OK) status = free_pending(m, self, self, 0);
    if (status == IL_OK) status = each_agent(m, self, slot, pay_wakes, 0);
    if (status == IL_OK) status = each_agent(m, self, slot, free_pending, 0);
    if (status == IL_OK) ili_lease_end_all_of(m, slot);
    if (status == IL_OK) status = close_handles(m, self, slot);
    if (status == IL_OK) status = free_pages(m, self, slot);
    if (status == IL_OK) status = each_agent(m, self, slot, free_agent, 0);
    return status;
}

il_status ili_recover_slot(struct ili_member *member, struct ili_agent *self, uint32_t slot) {
    struct ili_slot *s = &member->arena.slots[slot];
    atomic_store_explicit(&s->state, ILI_SLOT_DEAD, memory_order_release);
    atomic_fetch_or_explicit(&self->flags, ILI_AGENT_KEEPER, memory_order_relaxed);
    il_status status = run(member, self, slot);
    atomic_fetch_and_explicit(&self->flags, ~ILI_AGENT_KEEPER, memory_order_relaxed);
    if (status == IL_OK) ili_slot_free(&member->arena, slot);
    return status;
}
