/*
 * list.c - see list.h; where items lie and how a change is published: list_store.c; which blocks it takes:
 * list_change.c.
 *
 * What a call puts in is prepared before it takes the guard, in a chain in pending[2] of its agent; what it takes out
 * is in the same place afterwards, and is freed without the guard. So either way a death frees it.
 * Much that is removed at once goes into the list's trash, which is freed a chunk at a time, each under the guard for
 * a moment: by who removed it, or after its death by who changes the list next.
 *
 * deleted   1: the name is gone. Set under the guard.
 * Watchers stand in `changes.watchers`, and are told to look by each change.
 * Lock order: this guard, then the allocator.
 */
#include "data/list.h"

#include <stdlib.h>
#include <string.h>

#include "arena/alloc.h"
#include "base/point.h"
#include "data/list_call.h"

static uint64_t load(const _Atomic uint64_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}

uint64_t ili_list_length_now(const struct ili_list *list) { return load(&list->length); }
uint64_t ili_list_version_now(const struct ili_list *list) { return load(&list->version); }

static struct ili_waiting waiting_at(struct ili_list *list) {
    return (struct ili_waiting){
        .guard = &list->guard, .queue = &list->changes.watchers, .object = list};
}

/* ---- how calls begin and end ---------------------------------------------------------------------- */

static il_status enter(struct ili_member *m, struct ili_agent *self, struct ili_list *list) {
    il_status status = ili_guard_lock(m, self, &list->guard);
    if (status != IL_OK) return status;
    if (!atomic_load_explicit(&list->deleted, memory_order_relaxed)) return IL_OK;
    ili_guard_unlock(m, self, &list->guard);
    return IL_EDELETED;
}

il_status ili_list_enter(struct ili_member *member, struct ili_list *list,
                         struct ili_agent **self) {
    il_status status = ili_agent_current(member, self);
    return status == IL_OK ? enter(member, *self, list) : status;
}

void ili_list_leave(struct ili_member *member, struct ili_agent *self, struct ili_list *list) {
    ili_guard_unlock(member, self, &list->guard);
}

il_status ili_list_begin(struct ili_member *member, struct ili_list *list,
                         const struct ili_payload *messages, size_t count,
                         struct ili_list_batch *batch, struct ili_agent **self,
                         struct ili_refusal *refusal) {
    il_status status = ili_agent_current(member, self);
    if (status == IL_OK) status = ili_alloc_free(member, *self, 2); /* what an earlier call left */
    if (status != IL_OK) return status;
    if (batch) {
        status = ili_list_prepare(member, *self, list, messages, count, batch, refusal);
    }
    if (status == IL_OK) status = enter(member, *self, list);
    if (status == IL_OK) return IL_OK;
    (void)ili_alloc_free(member, *self, 2);
    if (batch) ili_list_batch_end(batch);
    return status;
}

void ili_list_changed_now(struct ili_member *member, struct ili_agent *self,
                          struct ili_list *list) {
    struct ili_waiting waiting = waiting_at(list);
    ili_changes_tell(member, self, &waiting);
    ili_waiting_unlock(member, self, &list->guard);
}

void ili_list_clean(struct ili_member *member, struct ili_agent *self, struct ili_list *list,
                    struct ili_list_batch *batch) {
    if (batch) ili_list_batch_end(batch);
    /* on failure it stays there, for the next call */
    il_status status = ili_alloc_free(member, self, 2);
    while (status == IL_OK && load(&list->trash)) {
        status = ili_guard_lock(member, self, &list->guard);
        if (status != IL_OK) break;
        status = ili_list_drain(member, self, list);
        ili_guard_unlock(member, self, &list->guard);
        if (status == IL_OK) status = ili_alloc_free(member, self, 2);
    }
}

/* ---- arguments ------------------------------------------------------------------------------------ */

static int64_t clip_one(int64_t at, int64_t length) {
    if (at < 0) return at < -length ? 0 : at + length;
    return at < length ? at : length;
}

void ili_list_clip(int64_t *start, int64_t *stop, uint64_t length) {
    *start = clip_one(*start, (int64_t)length);
    *stop = clip_one(*stop, (int64_t)length);
    if (*stop < *start) *stop = *start;
}

il_status ili_list_index_of(int64_t *index, uint64_t length, struct ili_refusal *refusal) {
    int64_t at = *index < 0 && *index >= -(int64_t)length ? *index + (int64_t)length : *index;
    if (at >= 0 && (uint64_t)at < length) {
        *index = at;
        return IL_OK;
    }
    if (refusal) refusal->limit = length;
    return IL_ERANGE;
}

il_status ili_list_expect(uint64_t wanted, uint64_t has, struct ili_refusal *refusal) {
    if (wanted == IL_VERSION_ANY || wanted == has) return IL_OK;
    if (refusal) refusal->version = has;
    return IL_ECHANGED;
}

size_t ili_list_notes(struct ili_list_note notes[2], uint64_t start, uint64_t stop, uint64_t count,
                      bool all) {
    uint64_t gone = stop - start;
    size_t n = 0;
    if (gone == 1 && count == 1) {
        notes[n++] = (struct ili_list_note){IL_CHANGED_SET, start, 1};
        return n;
    }
    if (gone && !count && all) {
        notes[n++] = (struct ili_list_note){IL_CHANGED_CLEARED, 0, gone};
        return n;
    }
    if (gone) notes[n++] = (struct ili_list_note){IL_CHANGED_REMOVED, start, gone};
    if (count) notes[n++] = (struct ili_list_note){IL_CHANGED_INSERTED, start, count};
    return n;
}

/* ---- reading -------------------------------------------------------------------------------------- */

static il_status item_at(const struct ili_member *m, const struct ili_list *list, uint64_t index,
                         const struct ili_list_item **item, uint64_t *bytes) {
    struct ili_list_place place;
    il_status status = ili_list_find_place(&m->arena, list, index, &place);
    if (status != IL_OK) return status;
    *item = ili_list_item_of(&m->arena, load(ili_list_slot_word(&place)), bytes);
    return *item ? IL_OK : IL_ECORRUPT;
}

/* Finds room for FROM in *ITEM. *OWN: it was allocated. */
static il_status find_room(struct ili_item *item, const struct ili_list_item *from, uint64_t bytes,
                           bool *own) {
    *own = false;
    item->bytes = bytes;
    if (bytes > item->room) return IL_ETOOBIG;
    if (!item->data) {
        item->data = malloc(bytes + 1);
        if (!item->data) return IL_ENOMEM;
        *own = true;
    }
    item->version = load(&from->version);
    item->type = atomic_load_explicit(&from->type, memory_order_relaxed);
    return IL_OK;
}

il_status ili_list_get(struct ili_member *member, struct ili_list *list, int64_t index,
                       struct ili_item *item, struct ili_refusal *refusal) {
    struct ili_agent *self;
    const struct ili_list_item *from;
    uint64_t bytes;
    bool own;
    il_status status = ili_list_enter(member, list, &self);
    if (status != IL_OK) return status;
    status = ili_list_index_of(&index, load(&list->length), refusal);
    if (status == IL_OK) status = item_at(member, list, (uint64_t)index, &from, &bytes);
    if (status == IL_OK) status = find_room(item, from, bytes, &own);
    if (status == IL_OK && bytes) memcpy(item->data, from + 1, bytes);
    ili_list_leave(member, self, list);
    return status;
}

il_status ili_list_part(struct ili_member *member, struct ili_list *list, int64_t start,
                        int64_t stop, void *buffer, uint64_t room, struct ili_item *items,
                        size_t count, size_t *done, uint64_t *list_version, uint64_t *length) {
    struct ili_agent *self;
    struct ili_list_place place;
    size_t n = 0;
    uint64_t used = 0, bytes = 0, slot;
    il_status status = ili_list_enter(member, list, &self);
    if (status != IL_OK) return status;
    ili_list_clip(&start, &stop, load(&list->length));
    if (count > (uint64_t)(stop - start)) count = (uint64_t)(stop - start);
    if (count) status = ili_list_find_place(&member->arena, list, (uint64_t)start, &place);
    for (; status == IL_OK && n < count; n++, used += bytes) {
        if ((status = ili_list_walk(&member->arena, &place, &slot)) != IL_OK) break;
        const struct ili_list_item *from = ili_list_item_of(&member->arena, slot, &bytes);
        if (!from) {
            status = IL_ECORRUPT;
        } else if (bytes > room - used) {
            status = IL_ETOOBIG;
        } else {
            bool own;
            items[n] = (struct ili_item){.data = (char *)buffer + used, .room = bytes};
            status = find_room(&items[n], from, bytes, &own);
            if (bytes) memcpy(items[n].data, from + 1, bytes);
        }
        if (status != IL_OK) break;
    }
    if (status == IL_ETOOBIG && n > 0) status = IL_OK;
    if (status == IL_ENOKEY) status = IL_ECORRUPT;
    if (status == IL_OK) *done = n;
    if (status == IL_ETOOBIG) *done = bytes;
    if (status == IL_OK && list_version) *list_version = load(&list->version);
    if (status == IL_OK && length) *length = load(&list->length);
    ili_list_leave(member, self, list);
    return status;
}

il_status ili_list_slice(struct ili_member *member, struct ili_list *list, int64_t start,
                         int64_t stop, void *buffer, uint64_t room, struct ili_item *items,
                         size_t count, size_t *done, uint64_t *list_version) {
    return ili_list_part(member, list, start, stop, buffer, room, items, count, done, list_version,
                         NULL);
}

void ili_list_look(const struct ili_list *list, struct ili_list_view *view) {
    view->limits = list->limits;
    view->length = load(&list->length);
    view->version = load(&list->version);
    view->used_bytes = load(&list->used_bytes);
    view->watchers = ili_waitq_count(&list->changes.watchers);
}

/* ---- changing ------------------------------------------------------------------------------------- */

il_status ili_list_splice(struct ili_member *member, struct ili_list *list, int64_t start,
                          int64_t stop, const struct ili_payload *messages, size_t count,
                          uint64_t version, uint64_t *list_version, struct ili_refusal *refusal) {
    struct ili_agent *self;
    struct ili_list_batch batch;
    struct ili_list_note notes[2];
    bool all = start == 0 && stop == INT64_MAX;
    il_status status = ili_list_begin(member, list, messages, count, &batch, &self, refusal);
    if (status != IL_OK) return status;
    ili_list_clip(&start, &stop, load(&list->length));
    status = ili_list_expect(version, load(&list->version), refusal);
    if (status == IL_OK && (count || start < stop)) {
        struct ili_list_edit edit = {.start = (uint64_t)start,
                                     .stop = (uint64_t)stop,
                                     .slots = batch.slots,
                                     .count = count,
                                     .batch = &batch,
                                     .notes = notes};
        edit.note_count = ili_list_notes(notes, edit.start, edit.stop, count, all);
        status = ili_list_apply(member, self, list, &edit, refusal);
    }
    if (status == IL_OK && list_version) *list_version = load(&list->version);
    ili_list_changed_now(member, self, list);
    ili_list_clean(member, self, list, &batch);
    return status;
}

il_status ili_list_set(struct ili_member *member, struct ili_list *list, int64_t index,
                       const struct ili_payload *message, uint64_t version, uint64_t *now,
                       struct ili_refusal *refusal) {
    struct ili_agent *self;
    struct ili_list_batch batch;
    const struct ili_list_item *item;
    struct ili_list_note note;
    uint64_t bytes;
    il_status status = ili_list_begin(member, list, message, 1, &batch, &self, refusal);
    if (status != IL_OK) return status;
    status = ili_list_index_of(&index, load(&list->length), refusal);
    if (status == IL_OK) status = item_at(member, list, (uint64_t)index, &item, &bytes);
    if (status == IL_OK) status = ili_list_expect(version, load(&item->version), refusal);
    if (status == IL_OK) {
        note = (struct ili_list_note){IL_CHANGED_SET, (uint64_t)index, 1};
        struct ili_list_edit edit = {.start = (uint64_t)index,
                                     .stop = (uint64_t)index + 1,
                                     .slots = batch.slots,
                                     .count = 1,
                                     .batch = &batch,
                                     .notes = &note,
                                     .note_count = 1};
        status = ili_list_apply(member, self, list, &edit, refusal);
    }
    if (status == IL_OK && now) *now = load(&list->version);
    ili_list_changed_now(member, self, list);
    ili_list_clean(member, self, list, &batch);
    return status;
}

il_status ili_list_pop(struct ili_member *member, struct ili_list *list, int64_t index,
                       uint64_t version, struct ili_item *item, struct ili_refusal *refusal) {
    struct ili_agent *self;
    const struct ili_list_item *from;
    uint64_t bytes;
    bool own = false;
    il_status status = ili_list_begin(member, list, NULL, 0, NULL, &self, refusal);
    if (status != IL_OK) return status;
    status = ili_list_index_of(&index, load(&list->length), refusal);
    if (status == IL_OK) status = item_at(member, list, (uint64_t)index, &from, &bytes);
    if (status == IL_OK) status = ili_list_expect(version, load(&from->version), refusal);
    if (status == IL_OK && item) status = find_room(item, from, bytes, &own);
    if (status == IL_OK) {
        struct ili_list_note note = {IL_CHANGED_REMOVED, (uint64_t)index, 1};
        struct ili_list_edit edit = {
            .start = (uint64_t)index, .stop = (uint64_t)index + 1, .notes = &note, .note_count = 1};
        status = ili_list_apply(member, self, list, &edit, refusal);
    }
    ili_list_changed_now(member, self, list);
    /* it is the caller's now, and is copied without the guard */
    if (status == IL_OK && item && bytes) memcpy(item->data, from + 1, bytes);
    if (status != IL_OK && own) {
        free(item->data);
        item->data = NULL;
    }
    ili_list_clean(member, self, list, NULL);
    return status;
}

/* ---- watching ------------------------------------------------------------------------------------- */

il_status ili_list_watch(struct ili_member *member, struct ili_list *list,
                         struct ili_changes_place *place) {
    struct ili_agent *self;
    il_status status = ili_list_enter(member, list, &self);
    if (status != IL_OK) return status;
    status = ili_changes_start(member, self, &list->changes, load(&list->version));
    if (status == IL_OK && place->version == 0) {
        *place = (struct ili_changes_place){.version = load(&list->version)};
    }
    ili_list_leave(member, self, list);
    return status;
}

il_status ili_list_changed(struct ili_member *member, struct ili_list *list,
                           struct ili_changes_place *place, struct ili_changed *out, char *key,
                           int64_t deadline_ns) {
    struct ili_agent *self;
    struct ili_waiting waiting = waiting_at(list);
    for (;;) {
        il_status status = ili_list_enter(member, list, &self);
        if (status != IL_OK) return status;
        status = ili_changes_next(member, &list->changes, place, out, key);
        if (status == IL_ETIMEOUT && deadline_ns != 0) {
            ili_waiting_begin(member, &waiting, self, 0, 0);
        }
        ili_list_leave(member, self, list);
        if (status != IL_ETIMEOUT || deadline_ns == 0) return status;
        status = ili_waiting_sleep(member, self, &waiting, deadline_ns, NULL);
        if (status != IL_OK) return status;
    }
}

il_status ili_list_enqueue(struct ili_member *member, struct ili_list *list,
                           const struct ili_changes_place *place, struct ili_agent *waiter) {
    struct ili_agent *self;
    struct ili_waiting waiting = waiting_at(list);
    il_status status = ili_list_enter(member, list, &self);
    if (status != IL_OK) return status;
    if (!ili_changes_due(&list->changes, place)) {
        ili_waiting_begin(member, &waiting, waiter, 0, 0);
        status = IL_ETIMEOUT;
    }
    ili_list_leave(member, self, list);
    return status;
}

il_status ili_list_withdraw(struct ili_member *member, struct ili_list *list,
                            struct ili_agent *waiter) {
    struct ili_waiting waiting = waiting_at(list);
    return ili_waiting_withdraw(member, &waiting, waiter, NULL);
}

/* ---- the kind ------------------------------------------------------------------------------------- */

static void init(struct ili_member *member, void *object, const void *options) {
    struct ili_list *list = object;
    list->limits = ili_limits_of(member, options);
    list->guard.kind = ILI_GUARD_LIST;
}

static bool same(const void *object, const void *options) {
    return ili_limits_same(&((const struct ili_list *)object)->limits, options);
}

static il_status end(struct ili_member *member, struct ili_agent *self, void *object) {
    struct ili_list *list = object;
    struct ili_waiting waiting = waiting_at(list);
    il_status status = ili_guard_lock(member, self, &list->guard);
    if (status != IL_OK) return status;
    atomic_store_explicit(&list->deleted, 1, memory_order_relaxed);
    ILI_POINT("list.end.marked");
    ili_waiting_tell_all(member, self, &waiting, IL_EDELETED);
    ili_waiting_unlock(member, self, &list->guard);
    return IL_OK;
}

static il_status dispose(struct ili_member *member, struct ili_agent *self, struct ili_agent *owner,
                         void *object) {
    return ili_list_store_dispose(member, self, owner, object);
}

static il_status recover(struct ili_member *member, struct ili_agent *self, void *object,
                         uint32_t slot) {
    struct ili_waiting waiting = waiting_at(object);
    return ili_waiting_recover(member, self, &waiting, slot);
}

static struct ili_waitq *waiters(void *object, unsigned which) {
    return which == 0 ? &((struct ili_list *)object)->changes.watchers : NULL;
}

void ili_list_repair(struct ili_member *member, struct ili_agent *self, struct ili_list *list,
                     struct ili_agent *dead) {
    struct ili_waiting waiting = waiting_at(list);
    ili_changes_repair(member, &list->changes, dead, load(&list->version));
    ili_list_store_repair(member, list, dead);
    ili_waiting_repair(member, &waiting, UINT32_MAX);
    bool deleted = atomic_load_explicit(&list->deleted, memory_order_relaxed);
    ili_waiting_tell_all(member, self, &waiting, deleted ? IL_EDELETED : IL_OK);
}

il_status ili_list_check(const struct ili_member *member, const struct ili_list *list) {
    il_status status = ili_changes_check(member, &list->changes);
    return status == IL_OK ? ili_list_store_check(member, list) : status;
}

const struct ili_kind ili_list_kind = {
    .number = ILI_KIND_LIST,
    .word = "list",
    .bytes = sizeof(struct ili_list),
    .init = init,
    .same = same,
    .end = end,
    .dispose = dispose,
    .recover = recover,
    .waiters = waiters,
};
