/*
 * list_update.c - several changes of a list in one step.
 *
 * Two rounds under the guard. The first looks only at lengths: where each change takes place, and from where to where
 * in the list all of them do. The second makes them in a copy of that part's slots, with a gap where the last change
 * was, and the part is then replaced as a whole.
 */
#include <stdlib.h>
#include <string.h>

#include "data/list_call.h"

#define NEW (UINT64_C(1) << 63) /* in the copy: an item of this update */

/* A change as it turned out: in the list as the changes before it left it. */
struct turn {
    uint64_t start, stop;
};

struct update {
    struct ili_member *member;
    const struct ili_list *list;
    const struct ili_list_change *changes;
    size_t count;
    struct ili_refusal *refusal;
    struct turn *turns;
    struct ili_list_note *notes;
    size_t note_count;
    uint64_t low, high; /* the part of the list, before */
    /* The copy: slots [0, gap) and [behind, room). */
    uint64_t *slots,
        *gone; /* and what was taken out of it: items of the list first, then new ones from the end */
    uint64_t gap, behind, room;
    uint64_t gone_old, gone_new, gone_room;
};

static uint64_t load(const _Atomic uint64_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}

static il_status refuse(struct update *u, size_t which, il_status status) {
    if (u->refusal) u->refusal->which = which;
    return status;
}

/* ---- first round ---------------------------------------------------------------------------------- */

static il_status resolve(struct update *u, size_t i, uint64_t length) {
    const struct ili_list_change *c = &u->changes[i];
    int64_t start = c->start, stop = c->stop;
    if (c->exact && stop > start) {
        uint64_t items = (uint64_t)stop - (uint64_t)start;
        il_status status = ili_list_index_of(&start, length, u->refusal);
        if (status != IL_OK) return status;
        if (items > length - (uint64_t)start) {
            if (u->refusal) u->refusal->limit = length;
            return IL_ERANGE;
        }
        u->turns[i] = (struct turn){(uint64_t)start, (uint64_t)start + items};
        return IL_OK;
    }
    ili_list_clip(&start, &stop, length);
    u->turns[i] = (struct turn){(uint64_t)start, (uint64_t)stop};
    return IL_OK;
}

static il_status plan(struct update *u) {
    uint64_t before = ili_list_length_now(u->list), length = before, high = 0;
    u->low = UINT64_MAX;
    for (size_t i = 0; i < u->count; i++) {
        il_status status = resolve(u, i, length);
        if (status != IL_OK) return refuse(u, i, status);
        const struct ili_list_change *c = &u->changes[i];
        struct turn t = u->turns[i];
        if (t.start == t.stop && !c->count) continue;
        if (t.start < u->low) u->low = t.start;
        if (t.stop > high) high = t.stop;
        high = high - (t.stop - t.start) + c->count;
        length = length - (t.stop - t.start) + c->count;
        u->gone_room += t.stop - t.start;
        bool all = c->start == 0 && c->stop == INT64_MAX;
        u->note_count += ili_list_notes(u->notes + u->note_count, t.start, t.stop, c->count, all);
    }
    u->high = high + before - length;
    return IL_OK;
}

/* ---- second round --------------------------------------------------------------------------------- */

static il_status copy_part(struct update *u, uint64_t new_items) {
    struct ili_list_place place;
    uint64_t n = u->high - u->low;
    u->room = n + new_items;
    u->slots = malloc((u->room + 1) * sizeof *u->slots);
    u->gone = malloc((u->gone_room + 1) * sizeof *u->gone);
    if (!u->slots || !u->gone) return IL_ENOMEM;
    il_status status = n ? ili_list_find_place(&u->member->arena, u->list, u->low, &place) : IL_OK;
    for (uint64_t i = 0; i < n && status == IL_OK; i++) {
        status = ili_list_walk(&u->member->arena, &place, &u->slots[i]);
    }
    u->gap = n;
    u->behind = u->room;
    return status == IL_ENOKEY ? IL_ECORRUPT : status;
}

/* The gap begins before item AT of the copy. */
static void move_gap(struct update *u, uint64_t at) {
    if (at < u->gap) {
        uint64_t n = u->gap - at;
        u->behind -= n;
        memmove(u->slots + u->behind, u->slots + at, n * sizeof *u->slots);
    } else {
        memmove(u->slots + u->gap, u->slots + u->behind, (at - u->gap) * sizeof *u->slots);
        u->behind += at - u->gap;
    }
    u->gap = at;
}

/* The version that the first item behind the gap had before the update; 0: it was not there. */
static uint64_t version_of_next(const struct update *u, bool any) {
    uint64_t bytes, slot = any ? u->slots[u->behind] : NEW;
    if (slot & NEW) return 0;
    const struct ili_list_item *item = ili_list_item_of(&u->member->arena, slot, &bytes);
    return item ? load(&item->version) : 0;
}

/* NEW_SLOTS: of the update's items, in order. */
static il_status make(struct update *u, const uint64_t *new_slots) {
    for (size_t i = 0; i < u->count; i++) {
        const struct ili_list_change *c = &u->changes[i];
        struct turn t = u->turns[i];
        bool any = t.stop > t.start;
        if (!any && !c->count) {
            if (c->version != IL_VERSION_ANY && c->version != 0)
                return refuse(u, i, ili_list_expect(c->version, 0, u->refusal));
            continue;
        }
        move_gap(u, t.start - u->low);
        il_status status = IL_OK;
        if (c->version != IL_VERSION_ANY)
            status = ili_list_expect(c->version, version_of_next(u, any), u->refusal);
        if (status != IL_OK) return refuse(u, i, status);
        for (uint64_t k = t.start; k < t.stop; k++) {
            uint64_t slot = u->slots[u->behind++];
            if (slot & NEW) {
                u->gone[u->gone_room - ++u->gone_new] = slot & ~NEW;
            } else {
                u->gone[u->gone_old++] = slot;
            }
        }
        for (size_t k = 0; k < c->count; k++) u->slots[u->gap++] = *new_slots++ | NEW;
    }
    return IL_OK;
}

static il_status apply(struct update *u, struct ili_agent *self, struct ili_list *list,
                       const struct ili_list_batch *batch) {
    il_status status = plan(u);
    if (status != IL_OK) return status;
    if (u->low == UINT64_MAX) u->low = u->high = 0; /* nothing changes */
    status = copy_part(u, batch->count);
    if (status == IL_OK) status = make(u, batch->slots);
    if (status != IL_OK || !u->note_count) return status;
    move_gap(u, u->gap + (u->room - u->behind));
    for (uint64_t i = 0; i < u->gap; i++) u->slots[i] &= ~NEW;
    struct ili_list_edit edit = {.start = u->low,
                                 .stop = u->high,
                                 .slots = u->slots,
                                 .count = u->gap,
                                 .batch = batch,
                                 .keeps = true,
                                 .removed = u->gone,
                                 .removed_count = u->gone_old,
                                 .stillborn = u->gone + (u->gone_room - u->gone_new),
                                 .stillborn_count = u->gone_new,
                                 .notes = u->notes,
                                 .note_count = u->note_count};
    return ili_list_apply(u->member, self, list, &edit, u->refusal);
}

/* ---- the call ------------------------------------------------------------------------------------- */

/* All messages of all changes: *OUT of *COUNT, owned. */
static il_status collect(const struct ili_list_change *changes, size_t count,
                         struct ili_payload **out, size_t *messages) {
    size_t n = 0;
    for (size_t i = 0; i < count; i++) n += changes[i].count;
    *out = calloc(n + 1, sizeof **out);
    if (!*out) return IL_ENOMEM;
    n = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < changes[i].count; k++) (*out)[n++] = changes[i].messages[k];
    }
    *messages = n;
    return IL_OK;
}

/* A refusal that named a message names its change. */
static void name_change(const struct ili_list_change *changes, size_t count,
                        struct ili_refusal *refusal) {
    uint64_t message = refusal->which;
    for (size_t i = 0; i < count; i++) {
        if (message < changes[i].count) {
            refusal->which = i;
            return;
        }
        message -= changes[i].count;
    }
    refusal->which = count ? count - 1 : 0;
}

/* One change needs no copy of the part of the list where it is. */
static bool is_plain(const struct ili_list_change *change, size_t count, uint64_t version) {
    return count == 1 && !change->exact && change->version == IL_VERSION_ANY &&
           version == IL_VERSION_ANY;
}

il_status ili_list_update(struct ili_member *member, struct ili_list *list,
                          const struct ili_list_change *changes, size_t count, uint64_t version,
                          uint64_t *list_version, struct ili_refusal *refusal) {
    struct ili_agent *self;
    struct ili_list_batch batch;
    struct ili_payload *messages = NULL;
    size_t message_count = 0;
    struct update u = {
        .member = member, .list = list, .changes = changes, .count = count, .refusal = refusal};
    if (is_plain(changes, count, version)) {
        il_status status =
            ili_list_splice(member, list, changes->start, changes->stop, changes->messages,
                            changes->count, version, list_version, refusal);
        if (refusal) refusal->which = 0;
        return status;
    }
    u.turns = malloc((count + 1) * sizeof *u.turns);
    u.notes = malloc((2 * count + 1) * sizeof *u.notes);
    il_status status =
        u.turns && u.notes ? collect(changes, count, &messages, &message_count) : IL_ENOMEM;
    if (status == IL_OK) {
        status = ili_list_begin(member, list, messages, message_count, &batch, &self, refusal);
        if (status == IL_EOVERFLOW && refusal) name_change(changes, count, refusal);
    }
    if (status == IL_OK) {
        status = ili_list_expect(version, ili_list_version_now(list), refusal);
        if (status == IL_OK) status = apply(&u, self, list, &batch);
        if (status == IL_EOVERFLOW && refusal) name_change(changes, count, refusal);
        if (status == IL_OK && list_version) *list_version = ili_list_version_now(list);
        ili_list_changed_now(member, self, list);
        ili_list_clean(member, self, list, &batch);
    }
    free(messages);
    free(u.turns);
    free(u.notes);
    free(u.slots);
    free(u.gone);
    return status;
}
