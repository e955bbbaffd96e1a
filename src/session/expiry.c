/*
 * expiry.c - see expiry.h.
 *
 * heap[places[n]].number == n for each lease n in the heap; places[n] is 0 for all others. A lease is in
 * the heap at most once, at its end as it was last seen: never later than a claim or a shortening that
 * was told, perhaps earlier than its end is now.
 */
#include "session/expiry.h"

#include <stdlib.h>
#include <string.h>

#include "arena/guard.h"
#include "arena/lease.h"
#include "arena/names.h"
#include "arena/open_table.h"
#include "base/clock.h"
#include "base/point.h"

/* How soon to look again at a lease whose object a stopped process is inside of, or which is just being
 * made. */
#define RETRY_NS INT64_C(50000000)
#define LOOK_AGAIN_NS INT64_C(1000000000)

/* ---- the heap ------------------------------------------------------------------------------------- */

static void put(struct ili_expiry *e, uint32_t place, struct ili_expiry_entry entry) {
    e->heap[place] = entry;
    e->places[entry.number] = place;
}

static void rise(struct ili_expiry *e, uint32_t place) {
    struct ili_expiry_entry entry = e->heap[place];
    while (place > 1 && e->heap[place / 2].at_ns > entry.at_ns) {
        put(e, place, e->heap[place / 2]);
        place /= 2;
    }
    put(e, place, entry);
}

static void sink(struct ili_expiry *e, uint32_t place) {
    struct ili_expiry_entry entry = e->heap[place];
    for (;;) {
        uint32_t child = place * 2;
        if (child > e->count) break;
        if (child < e->count && e->heap[child + 1].at_ns < e->heap[child].at_ns) child++;
        if (e->heap[child].at_ns >= entry.at_ns) break;
        put(e, place, e->heap[child]);
        place = child;
    }
    put(e, place, entry);
}

/* Room for one more, of NUMBER. */
static bool reserve(struct ili_expiry *e, uint32_t number) {
    if (number >= e->place_room) {
        uint32_t room = e->place_room ? e->place_room : 1024;
        while (room <= number) room *= 2;
        uint32_t *places = realloc(e->places, room * sizeof *places);
        if (!places) return false;
        memset(places + e->place_room, 0, (room - e->place_room) * sizeof *places);
        e->places = places;
        e->place_room = room;
    }
    if (e->count + 2 > e->room) {
        uint32_t room = e->room ? e->room * 2 : 256;
        struct ili_expiry_entry *heap = realloc(e->heap, room * sizeof *heap);
        if (!heap) return false;
        e->heap = heap;
        e->room = room;
    }
    return true;
}

static void set(struct ili_expiry *e, uint32_t number, int64_t at_ns) {
    if (!reserve(e, number)) {
        e->missed = true;
        return;
    }
    uint32_t place = e->places[number];
    if (place == 0) place = ++e->count;
    put(e, place, (struct ili_expiry_entry){at_ns, number});
    rise(e, place);
    sink(e, e->places[number]);
}

static void take_first(struct ili_expiry *e) {
    e->places[e->heap[1].number] = 0;
    struct ili_expiry_entry last = e->heap[e->count--];
    if (e->count == 0) return;
    put(e, 1, last);
    sink(e, 1);
}

/* ---- what is in the arena ------------------------------------------------------------------------- */

struct heard_context {
    struct ili_expiry *expiry;
    const struct ili_arena *arena;
};

static void heard(uint32_t number, void *context) {
    struct heard_context *c = context;
    struct ili_lease *lease = ili_lease_at(c->arena, number);
    struct ili_lease_copy copy;
    if (!lease || !ili_lease_read(lease, &copy)) return;
    /* one that is not armed yet is looked at at once, and then again */
    set(c->expiry, number, copy.armed ? copy.end_ns : 0);
}

void ili_expiry_collect(struct ili_expiry *expiry, struct ili_member *member, bool sweep) {
    struct heard_context context = {expiry, &member->arena};
    ili_lease_collect(member, sweep, heard, &context);
}

void ili_expiry_take_over(struct ili_expiry *expiry, struct ili_member *member) {
    struct heard_context context = {expiry, &member->arena};
    ili_lease_each(member, heard, &context);
}

int64_t ili_expiry_next(const struct ili_expiry *expiry) {
    int64_t next = expiry->count ? expiry->heap[1].at_ns : ILI_NEVER;
    return expiry->missed && expiry->look_again_ns < next ? expiry->look_again_ns : next;
}

/* Whether there is a session of SLOT. */
static bool is_there(const struct ili_arena *a, uint32_t slot) {
    return slot < a->regions.slots &&
           atomic_load_explicit(&a->slots[slot].state, memory_order_relaxed) != ILI_SLOT_FREE;
}

/* The place by which objects are opened; NULL: there is none now. It is claimed before it is needed, since
 * leases have to end in a full arena too. */
static _Atomic ili_off *open_place(struct ili_expiry *e, struct ili_member *m,
                                   struct ili_agent *self) {
    if (!e->has_entry && ili_open_claim(m, self, &e->entry) != IL_OK) return NULL;
    e->has_entry = true;
    _Atomic ili_off *entry = ili_open_entry(m, e->entry);
    ili_off left = atomic_load_explicit(entry, memory_order_relaxed); /* that could not be closed */
    if (left && ili_names_close(m, self, left, entry) == IL_EBUSY) return NULL;
    return entry;
}

/* Voids the grant of LEASE, which has ended. The object is opened for it: whoever releases the grant at
 * this moment may also close the object. IL_EBUSY: again. */
static il_status void_grant(struct ili_expiry *e, struct ili_member *m, struct ili_agent *self,
                            struct ili_lease *lease, struct ili_expired *what) {
    _Atomic ili_off *entry = open_place(e, m, self);
    if (!entry) return IL_EBUSY;
    il_status status = ili_names_inherit(m, self, &lease->object, entry);
    if (status != IL_OK) return status;
    ili_off opened = atomic_load_explicit(entry, memory_order_relaxed);
    struct ili_object *object = ili_at(&m->arena, opened, sizeof *object);
    what->kind = object ? ili_once32(&object->kind) : 0;
    const struct ili_kind *kind = object ? ili_kind_of(what->kind) : NULL;
    status = IL_ECORRUPT;
    if (opened != what->object) {
        status =
            IL_ENOTHELD; /* the entry is another object's by now, whose token may be the same */
    } else if (kind && kind->revoke && ili_object_at(&m->arena, what->object, what->kind)) {
        ILI_POINT("expiry.opened");
        status = kind->revoke(m, self, object, what->token, IL_ELEASE, NULL);
        ILI_POINT("expiry.revoked");
        if (status == IL_OK && e->expired) e->expired(what, e->context);
    }
    (void)ili_names_close(m, self, opened, entry);
    return status;
}

/* The lease of NUMBER seems to have ended. */
static void end(struct ili_expiry *e, struct ili_member *m, struct ili_agent *self, uint32_t number,
                int64_t now_ns) {
    struct ili_lease *lease = ili_lease_at(&m->arena, number);
    struct ili_lease_copy copy;
    if (!lease || !ili_lease_read(lease, &copy)) return;
    if (!copy.armed) {
        /* being made, or its maker died: then its session's recovery gives it back */
        if (is_there(&m->arena, copy.slot)) set(e, number, now_ns + RETRY_NS);
        return;
    }
    if (copy.end_ns > now_ns) {
        set(e, number, copy.end_ns);
        return;
    }
    struct ili_expired what = {.object = copy.object, .token = copy.token, .slot = copy.slot};
    il_status status = void_grant(e, m, self, lease, &what);
    if (status == IL_OK || status == IL_EBUSY) {
        /* The kind has ended its grant's lease; if it could not, the grant no longer stands next time. */
        bool left = ili_lease_of(&m->arena, number, copy.object, copy.token) != NULL;
        if (left && e->places[number] == 0) set(e, number, now_ns + RETRY_NS);
    } else {
        ili_lease_end(lease, copy.object, copy.token);
    }
}

void ili_expiry_run(struct ili_expiry *expiry, struct ili_member *member, struct ili_agent *self,
                    int64_t now_ns) {
    struct ili_expiry *e = expiry;
    if (!e->has_entry && e->count > 0) (void)open_place(e, member, self);
    if (e->missed && now_ns >= e->look_again_ns) {
        e->look_again_ns = now_ns + LOOK_AGAIN_NS;
        e->missed = false;
        ili_expiry_take_over(e, member);
    }
    if (e->count == 0 || e->heap[1].at_ns > now_ns) return;
    uint32_t flags = atomic_fetch_or_explicit(&self->flags, ILI_AGENT_KEEPER, memory_order_relaxed);
    /* at most as many as there are now: what ends over and over must not hold the keeper */
    for (uint32_t left = e->count; left > 0 && e->count > 0; left--) {
        struct ili_expiry_entry first = e->heap[1];
        if (first.at_ns > now_ns || ili_guard_patience_spent(member)) break;
        take_first(e);
        end(e, member, self, first.number, now_ns);
    }
    if (!(flags & ILI_AGENT_KEEPER)) {
        atomic_fetch_and_explicit(&self->flags, ~ILI_AGENT_KEEPER, memory_order_relaxed);
    }
}

void ili_expiry_free(struct ili_expiry *expiry) {
    free(expiry->heap);
    free(expiry->places);
    memset(expiry, 0, sizeof *expiry);
}
