/*
 * list_change.c - see list_change.h; what is in the arena: list_store.c.
 *
 * Of the ways to publish a change the first that will do is taken:
 *   in place   items at one of the list's ends, within its first or last chunk; one item for another: nothing new
 *   a chunk    the items end up in one chunk that takes another's place
 *   the ends   whole chunks come or go at one of the directory's ends
 *   a copy     of the directory, with new chunks for those that the change touches
 * A chunk that would be left with few items takes in a neighbour's, so that of two neighbours in the middle both
 * together have more than JOIN_MOST. Chunks that were full at the list's end stay so.
 */
#include "data/list_change.h"

#include <stdlib.h>

#include "arena/alloc.h"
#include "base/point.h"

#define JOIN_MOST (ILI_LIST_CHUNK * 3 / 4)
#define SINGLY_MOST                                                                                \
    1024u /* more items are not linked one by one under the guard: by their chunks */

static uint64_t load(const _Atomic uint64_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}
static void store(_Atomic uint64_t *p, uint64_t v) {
    atomic_store_explicit(p, v, memory_order_relaxed);
}

/* ---- one change ----------------------------------------------------------------------------------- */

/* What is known of it on the way. The range of entries that new chunks replace is [low, high), items of the list
 * [before, start) and [stop, behind) go into these again. */
struct work {
    struct ili_member *member;
    struct ili_agent *self;
    struct ili_list *list;
    const struct ili_list_edit *edit;
    struct ili_list_root root;
    uint64_t length; /* now */
    uint32_t low, high;
    uint64_t before, behind;
    uint64_t *fresh; /* the new chunks' entries */
    uint32_t fresh_count;
    ili_off trash_at; /* a directory for the trash; 0: none */
    uint32_t trash_count;
    struct ili_list_commit commit;
};

static const struct ili_arena *arena_of(const struct work *w) { return &w->member->arena; }

static uint64_t entry_of(const struct work *w, uint32_t i) {
    return load(ili_list_entry_word(&w->root, i));
}

static uint64_t removed_count(const struct ili_list_edit *e) {
    return e->keeps ? e->removed_count : e->stop - e->start;
}

/* The list's version, length and bytes afterwards, as far as items go. */
static il_status count_items(struct work *w, struct ili_refusal *refusal) {
    const struct ili_list_edit *e = w->edit;
    struct ili_list_place place;
    uint64_t slot, gone = 0;
    il_status status = IL_OK;
    w->commit.length = w->length - (e->stop - e->start) + e->count;
    if (e->count > e->stop - e->start && w->commit.length > w->list->limits.max_entries)
        return ili_list_overflow(refusal, "max_entries", w->list->limits.max_entries, 0);
    for (uint64_t i = 0; e->keeps && i < e->removed_count; i++) {
        gone += ili_list_slot_bytes(e->removed[i]);
    }
    for (uint64_t i = 0; i < e->stillborn_count; i++) gone += ili_list_slot_bytes(e->stillborn[i]);
    if (!e->keeps && e->start < e->stop) {
        status = ili_list_find_place(arena_of(w), w->list, e->start, &place);
        for (uint64_t i = e->start; status == IL_OK && i < e->stop; i++) {
            status = ili_list_walk(arena_of(w), &place, &slot);
            if (status == IL_OK) gone += ili_list_slot_bytes(slot);
        }
    }
    if (status != IL_OK) return IL_ECORRUPT;
    w->commit.used_bytes += (e->batch ? e->batch->bytes : 0) - gone;
    return IL_OK;
}

/* Stamps the new items, links those that go, and publishes. */
static il_status publish(struct work *w, struct ili_refusal *refusal) {
    const struct ili_list_edit *e = w->edit;
    const struct ili_limits *limits = &w->list->limits;
    bool adds = e->batch && e->batch->count;
    if (adds && w->commit.used_bytes > limits->max_bytes)
        return ili_list_overflow(refusal, "max_bytes", limits->max_bytes, e->batch->count - 1);
    for (size_t i = 0; adds && i < e->batch->count; i++) {
        struct ili_list_item *item =
            ili_at(arena_of(w), ili_list_slot_at(e->batch->slots[i]), sizeof *item);
        if (!item) return IL_ECORRUPT;
        store(&item->version, w->commit.version);
    }
    w->commit.notes = e->notes;
    w->commit.note_count = e->note_count;
    ili_list_commit(w->member, w->self, w->list, &w->commit);
    return IL_OK;
}

/* ---- in place ------------------------------------------------------------------------------------- */

/* IL_ENOKEY: it is not done in place. */
static il_status at_end(struct work *w, bool tail, struct ili_refusal *refusal) {
    const struct ili_list_edit *e = w->edit;
    uint32_t i = tail ? w->root.count - 1 : 0, room;
    uint64_t entry = entry_of(w, i), gone = e->stop - e->start;
    struct ili_list_chunk *chunk = ili_list_chunk_of(arena_of(w), entry, &room);
    uint32_t first = ili_list_entry_first(entry), count = ili_list_entry_count(entry);
    ili_off at = ili_list_entry_at(entry);
    if (!chunk) return IL_ECORRUPT;
    w->commit.word = ili_list_entry_word(&w->root, i);
    if (gone) { /* and nothing comes */
        if (gone >= count) return IL_ENOKEY;
        w->commit.now = ili_list_entry(at, tail ? first : first + gone, count - gone);
        il_status status = ili_list_bury_items(arena_of(w), &w->commit.garbage, entry,
                                               tail ? count - (uint32_t)gone : 0, (uint32_t)gone);
        return status == IL_OK ? publish(w, refusal) : status;
    }
    if (e->count > (tail ? room - first - count : first)) return IL_ENOKEY;
    uint32_t to = tail ? first + count : first - (uint32_t)e->count;
    for (uint64_t k = 0; k < e->count; k++) store(&chunk->slots[to + k], e->slots[k]);
    ILI_POINT("list.change.slots");
    w->commit.now = ili_list_entry(at, tail ? first : to, count + e->count);
    return publish(w, refusal);
}

static il_status replace_one(struct work *w, struct ili_refusal *refusal) {
    struct ili_list_place place;
    il_status status = ili_list_find_place(arena_of(w), w->list, w->edit->start, &place);
    if (status != IL_OK) return status;
    w->commit.word = ili_list_slot_word(&place);
    w->commit.now = w->edit->slots[0];
    if (!ili_list_bury(arena_of(w), &w->commit.garbage, ili_list_slot_at(load(w->commit.word))))
        return IL_ECORRUPT;
    return publish(w, refusal);
}

/* IL_ENOKEY: it takes new chunks. */
static il_status in_place(struct work *w, struct ili_refusal *refusal) {
    const struct ili_list_edit *e = w->edit;
    uint64_t gone = e->stop - e->start;
    if (e->keeps || w->root.count == 0) return IL_ENOKEY;
    if (gone == 1 && e->count == 1) return replace_one(w, refusal);
    if (gone && e->count) return IL_ENOKEY;
    il_status status = IL_ENOKEY;
    if (e->stop == w->length) status = at_end(w, true, refusal);
    if (status == IL_ENOKEY && e->start == 0) status = at_end(w, false, refusal);
    return status;
}

/* ---- which chunks --------------------------------------------------------------------------------- */

/* Finds the entries that the change touches. */
static il_status find_range(struct work *w) {
    const struct ili_list_edit *e = w->edit;
    struct ili_list_place place;
    w->low = w->high = w->root.count;
    w->before = w->behind = w->length;
    if (e->start < w->length) {
        if (ili_list_find_place(arena_of(w), w->list, e->start, &place) != IL_OK)
            return IL_ECORRUPT;
        w->low = place.entry;
        w->before = e->start - place.at;
        w->high = w->low + (place.at > 0);
        w->behind = w->before + (place.at > 0 ? ili_list_entry_count(place.word) : 0);
    }
    if (e->stop > e->start) {
        if (ili_list_find_place(arena_of(w), w->list, e->stop - 1, &place) != IL_OK)
            return IL_ECORRUPT;
        w->high = place.entry + 1;
        w->behind = e->stop - 1 - place.at + ili_list_entry_count(place.word);
    }
    return IL_OK;
}

static uint64_t total_of(const struct work *w) {
    return (w->edit->start - w->before) + w->edit->count + (w->behind - w->edit->stop);
}

/* Takes neighbours in, if all fits into one chunk. */
static void join(struct work *w) {
    uint64_t most = w->low == w->high ? ILI_LIST_CHUNK : JOIN_MOST;
    if (total_of(w) == 0) return;
    uint32_t left = w->low > 0 ? ili_list_entry_count(entry_of(w, w->low - 1)) : 0;
    if (left && total_of(w) + left <= most) {
        w->low--;
        w->before -= left;
        most = JOIN_MOST;
    }
    uint32_t right = w->high < w->root.count ? ili_list_entry_count(entry_of(w, w->high)) : 0;
    if (right && total_of(w) + right <= most) {
        w->high++;
        w->behind += right;
    }
}

/* ---- new chunks ----------------------------------------------------------------------------------- */

/* Where the items of new chunks come from: the list, the edit, the list. */
struct source {
    struct ili_list_place place;
    uint64_t at;       /* counted from work.before as if the change was made */
    uint64_t place_at; /* index of PLACE; UINT64_MAX: nowhere yet */
};

static il_status next_slot(const struct work *w, struct source *from, uint64_t *slot) {
    const struct ili_list_edit *e = w->edit;
    uint64_t lead = e->start - w->before, at = from->at++;
    if (at >= lead && at < lead + e->count) {
        *slot = e->slots[at - lead];
        return IL_OK;
    }
    uint64_t index = at < lead ? w->before + at : e->stop + (at - lead - e->count);
    if (from->place_at != index) {
        il_status status = ili_list_find_place(arena_of(w), w->list, index, &from->place);
        if (status != IL_OK) return status;
    }
    from->place_at = index + 1;
    return ili_list_walk(arena_of(w), &from->place, slot) == IL_OK ? IL_OK : IL_ECORRUPT;
}

static il_status make_chunk(struct work *w, struct source *from, uint64_t count, uint32_t room,
                            bool at_its_end) {
    ili_off at;
    uint64_t bytes = sizeof(struct ili_list_chunk) + room * UINT64_C(8);
    il_status status = ili_alloc_chained(w->member, w->self, 2, bytes, &at);
    struct ili_list_chunk *chunk = status == IL_OK ? ili_at(arena_of(w), at, bytes) : NULL;
    if (!chunk) return status == IL_OK ? IL_ECORRUPT : status;
    uint32_t first = at_its_end ? room - (uint32_t)count : 0;
    store(&chunk->room, room);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t slot;
        status = next_slot(w, from, &slot);
        if (status != IL_OK) return status;
        store(&chunk->slots[first + i], slot);
    }
    w->commit.used_bytes += ili_list_chunk_bytes(room);
    w->fresh[w->fresh_count++] = ili_list_entry(at, first, count);
    ILI_POINT("list.change.chunk");
    return IL_OK;
}

/* How many of TOTAL items chunk I of COUNT gets: at the list's ends all but the outermost are full. */
static uint64_t share_of(uint64_t total, uint64_t count, uint64_t i, bool tail, bool front) {
    uint64_t outermost = total - (count - 1) * ILI_LIST_CHUNK;
    if (tail) return i + 1 < count ? ILI_LIST_CHUNK : outermost;
    if (front) return i > 0 ? ILI_LIST_CHUNK : outermost;
    return total / count + (i < total % count);
}

static il_status make_chunks(struct work *w) {
    struct source from = {.place_at = UINT64_MAX};
    uint64_t total = total_of(w), count = (total + ILI_LIST_CHUNK - 1) / ILI_LIST_CHUNK;
    bool tail = w->high == w->root.count && w->edit->start == w->length;
    bool front = !tail && w->low == 0 && w->edit->stop == 0;
    bool others = w->root.count > w->high - w->low || count > 1;
    if (w->root.count + count > ILI_LIST_ENTRIES_MOST) return IL_ENOMEM;
    w->fresh = count ? malloc(count * sizeof *w->fresh) : NULL;
    if (count && !w->fresh) return IL_ENOMEM;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t share = share_of(total, count, i, tail, front);
        uint32_t room = (tail || front) && others ? ILI_LIST_CHUNK : ili_list_chunk_room(share);
        il_status status = make_chunk(w, &from, share, room, front);
        if (status != IL_OK) return status;
    }
    return IL_OK;
}

/* ---- what goes ------------------------------------------------------------------------------------ */

/* A directory of ROOM entries; 0: *STATUS says why not. */
static ili_off make_directory(struct work *w, uint32_t room, il_status *status) {
    ili_off at;
    uint64_t bytes = sizeof(struct ili_list_directory) + room * UINT64_C(8);
    *status = ili_alloc_chained(w->member, w->self, 2, bytes, &at);
    struct ili_list_directory *directory = NULL;
    if (*status == IL_OK) directory = ili_at(arena_of(w), at, bytes);
    if (!directory) return 0;
    store(&directory->room, room);
    ILI_POINT("list.change.directory");
    return at;
}

static void put_entry(const struct work *w, ili_off directory, uint32_t i, uint64_t entry) {
    struct ili_list_directory *d =
        ili_at(arena_of(w), directory, sizeof *d + (i + 1) * UINT64_C(8));
    if (d) store(&d->entries[i], entry);
}

/* AT, of the list, as a place among COUNT items from INDEX on. */
static uint64_t clip(uint64_t at, uint64_t index, uint64_t count) {
    if (at <= index) return 0;
    return at - index < count ? at - index : count;
}

/* Of the entry I, whose first item has INDEX: the items that go, and their chunk. With WHOLE, what goes with all its
 * items goes into the trash. */
static il_status let_entry_go(struct work *w, uint32_t i, uint64_t index, bool whole) {
    const struct ili_list_edit *e = w->edit;
    uint64_t entry = entry_of(w, i), count = ili_list_entry_count(entry);
    uint64_t from = clip(e->start, index, count), to = clip(e->stop, index, count);
    uint32_t room;
    if (!ili_list_chunk_of(arena_of(w), entry, &room)) return IL_ECORRUPT;
    w->commit.used_bytes -= ili_list_chunk_bytes(room);
    if (whole && from == 0 && to == count) {
        put_entry(w, w->trash_at, w->trash_count++, entry);
        return IL_OK;
    }
    if (!e->keeps && from < to) {
        il_status status = ili_list_bury_items(arena_of(w), &w->commit.garbage, entry,
                                               (uint32_t)from, (uint32_t)(to - from));
        if (status != IL_OK) return status;
    }
    return ili_list_bury(arena_of(w), &w->commit.garbage, ili_list_entry_at(entry)) ? IL_OK
                                                                                    : IL_ECORRUPT;
}

/* Chunks of their own for COUNT items that go: they cannot be linked now, being in a chain already, or are many. */
static il_status throw_away(struct work *w, const uint64_t *slots, uint64_t count) {
    for (uint64_t i = 0; i < count; i += ILI_LIST_CHUNK) {
        ili_off at;
        uint64_t some = count - i < ILI_LIST_CHUNK ? count - i : ILI_LIST_CHUNK;
        uint64_t bytes = sizeof(struct ili_list_chunk) + some * 8;
        il_status status = ili_alloc_chained(w->member, w->self, 2, bytes, &at);
        struct ili_list_chunk *chunk = status == IL_OK ? ili_at(arena_of(w), at, bytes) : NULL;
        if (!chunk) return status == IL_OK ? IL_ECORRUPT : status;
        store(&chunk->room, some);
        for (uint64_t k = 0; k < some; k++) store(&chunk->slots[k], slots[i + k]);
        put_entry(w, w->trash_at, w->trash_count++, ili_list_entry(at, 0, some));
        ILI_POINT("list.change.thrown");
    }
    return IL_OK;
}

static uint64_t chunks_for(uint64_t items) { return (items + ILI_LIST_CHUNK - 1) / ILI_LIST_CHUNK; }

/* All that goes is in the chain of garbage or in the trash. */
static il_status let_go(struct work *w) {
    const struct ili_list_edit *e = w->edit;
    uint64_t index = w->before;
    bool many = removed_count(e) > SINGLY_MOST;
    uint64_t trash = chunks_for(e->stillborn_count);
    if (many) trash += e->keeps ? chunks_for(e->removed_count) : w->high - w->low;
    il_status status = IL_OK;
    if (trash > ILI_LIST_ENTRIES_MOST) return IL_ENOMEM;
    if (trash && !(w->trash_at = make_directory(w, (uint32_t)trash, &status))) return status;
    for (uint32_t i = w->low; i < w->high; i++) {
        uint32_t count = ili_list_entry_count(entry_of(w, i));
        status = let_entry_go(w, i, index, many && !e->keeps);
        if (status != IL_OK) return status;
        index += count;
    }
    if (e->keeps && many) status = throw_away(w, e->removed, e->removed_count);
    if (status == IL_OK) status = throw_away(w, e->stillborn, e->stillborn_count);
    for (uint64_t i = 0; e->keeps && !many && status == IL_OK && i < e->removed_count; i++) {
        if (!ili_list_bury(arena_of(w), &w->commit.garbage, ili_list_slot_at(e->removed[i])))
            status = IL_ECORRUPT;
    }
    if (status != IL_OK || !w->trash_count) return status;
    struct ili_list_directory *d = ili_at(arena_of(w), w->trash_at, sizeof *d);
    if (!d) return IL_ECORRUPT;
    store(&d->trash, w->commit.trash);
    w->commit.trash = ili_list_root_word(w->trash_at, 0, w->trash_count);
    return IL_OK;
}

/* ---- the directory -------------------------------------------------------------------------------- */

static il_status copy_directory(struct work *w, uint32_t count) {
    uint32_t room = ili_list_directory_room(count), to = 0;
    il_status status = IL_OK;
    bool front = w->low == 0 && w->edit->stop == 0;
    if (room < count) return IL_ENOMEM;
    if (w->fresh_count && !w->fresh) return IL_ECORRUPT;
    ili_off at = make_directory(w, room, &status);
    if (at == 0) return status == IL_OK ? IL_ECORRUPT : status;
    if (front) to = room - count;
    w->commit.now = ili_list_root_word(at, to, count);
    w->commit.used_bytes += ili_list_directory_bytes(room);
    for (uint32_t i = 0; i < w->low; i++) put_entry(w, at, to++, entry_of(w, i));
    for (uint32_t i = 0; i < w->fresh_count; i++) put_entry(w, at, to++, w->fresh[i]);
    for (uint32_t i = w->high; i < w->root.count; i++) put_entry(w, at, to++, entry_of(w, i));
    return IL_OK;
}

/* The word that is to change, and what to. */
static il_status place_chunks(struct work *w) {
    struct ili_list_root *r = &w->root;
    uint32_t gone = w->high - w->low, count = r->count - gone + w->fresh_count, first = r->first;
    bool tail = w->high == r->count, front = w->low == 0;
    w->commit.word = &w->list->root;
    if (w->fresh_count && !w->fresh) return IL_ECORRUPT;
    if (gone == 1 && w->fresh_count == 1) {
        w->commit.word = ili_list_entry_word(r, w->low);
        w->commit.now = w->fresh[0];
        return IL_OK;
    }
    if (count && tail && (gone == 0 || w->fresh_count == 0) && first + count <= r->room) {
        for (uint32_t i = 0; i < w->fresh_count; i++)
            put_entry(w, r->at, first + w->low + i, w->fresh[i]);
        w->commit.now = ili_list_root_word(r->at, first, count);
        return IL_OK;
    }
    if (count && front && (gone == 0 || w->fresh_count == 0) && first + gone >= w->fresh_count) {
        first = first + gone - w->fresh_count;
        for (uint32_t i = 0; i < w->fresh_count; i++) put_entry(w, r->at, first + i, w->fresh[i]);
        w->commit.now = ili_list_root_word(r->at, first, count);
        return IL_OK;
    }
    il_status status = count ? copy_directory(w, count) : IL_OK;
    if (status != IL_OK || r->count == 0) return status;
    w->commit.used_bytes -= ili_list_directory_bytes(r->room);
    return ili_list_bury(arena_of(w), &w->commit.garbage, r->at) ? IL_OK : IL_ECORRUPT;
}

/* Everything goes, and is much: no memory is needed for that, the directory itself goes into the trash. */
static il_status let_all_go(struct work *w, struct ili_refusal *refusal) {
    store(&w->root.directory->trash, w->commit.trash);
    w->commit.word = &w->list->root;
    w->commit.now = 0;
    w->commit.trash = load(&w->list->root);
    w->commit.used_bytes = 0;
    return publish(w, refusal);
}

il_status ili_list_apply(struct ili_member *member, struct ili_agent *self, struct ili_list *list,
                         const struct ili_list_edit *edit, struct ili_refusal *refusal) {
    struct work w = {.member = member, .self = self, .list = list, .edit = edit};
    w.length = load(&list->length);
    w.commit.version = load(&list->version) + 1;
    w.commit.used_bytes = load(&list->used_bytes);
    w.commit.trash = load(&list->trash);
    if (!ili_list_root_of(&member->arena, load(&list->root), &w.root)) return IL_ECORRUPT;
    if ((w.length == 0) != (w.root.count == 0)) return IL_ECORRUPT;
    if (w.length > SINGLY_MOST && edit->stop - edit->start == w.length && !edit->count &&
        !edit->keeps)
        return let_all_go(&w, refusal);
    il_status status = count_items(&w, refusal);
    if (status == IL_OK) status = in_place(&w, refusal);
    if (status != IL_ENOKEY) return status;
    status = find_range(&w);
    if (status == IL_OK) {
        join(&w);
        status = make_chunks(&w);
    }
    if (status == IL_OK) status = let_go(&w);
    if (status == IL_OK) status = place_chunks(&w);
    if (status == IL_OK) status = publish(&w, refusal);
    free(w.fresh);
    return status;
}
