/*
 * list_store.c - see list_store.h.
 *
 *   root       bits 0-16 how many entries, 17-33 the first one's number in the directory, 34-63 the directory's
 *              offset / 64; 0: the list is empty
 *   entry      bits 0-11 how many items, 12-23 the first one's number in the chunk, 24-63 the chunk's offset / 64
 *   slot       the item's offset; bits 40-63 the bytes of its block / 64
 *   trash      as root: a directory of chunks that are out of the list with all their items, and wait to be freed;
 *              its `trash` leads to the next such directory
 *
 * What no root, entry counts yet, nobody sees: slots before the first and behind the last of a chunk, entries
 * of a directory. So every change is one store of one word: a slot (another item), an entry (items at the ends
 * of a chunk, or another chunk), the root (entries at the ends of the directory, or another directory). Before it
 * the blocks that come in are a chain in pending[2] of the agent, after it those that went out are: see
 * ili_list_commit(). Blocks on their way out are linked to a chain while they are in the list still, by their first
 * word, which the list does not use.
 *
 * The guard's intent is COMMIT from when `plan` is complete until all of it has become true:
 *   step      after a death before it                        after a death behind it
 *   planned   nothing has happened                           the word says whether it was made
 *   made      pending[2] has what would have come in: freed  finish() is made again, all of it
 *   done                                                     pending[2] has what went out: freed
 *
 * Invariants, whenever the guard is free (ili_list_store_check):
 * 1. Entries have 1 to ILI_LIST_CHUNK items, which lie within their chunk; the entries lie within the directory.
 * 2. `length` is the sum of the entries' counts, `used_bytes` that of all blocks but the trash and the ring of
 *    changes.
 * 3. A slot names a block of the size that its item needs; no item's version is above the list's.
 * 4. The intent is 0.
 */
#include "data/list_store.h"

#include "arena/alloc.h"
#include "base/point.h"

#define COMMIT 1u
#define MANY UINT64_MAX /* plan.what: several changes */

/* All under the guard, which orders it: relaxed. */
static uint64_t load(const _Atomic uint64_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}
static void store(_Atomic uint64_t *p, uint64_t v) {
    atomic_store_explicit(p, v, memory_order_relaxed);
}

/* release: repair, which finds a later store, finds those before it */
static void publish(_Atomic uint64_t *p, uint64_t v) {
    atomic_store_explicit(p, v, memory_order_release);
}

/* ---- blocks --------------------------------------------------------------------------------------- */

bool ili_list_root_of(const struct ili_arena *arena, uint64_t word, struct ili_list_root *root) {
    *root = (struct ili_list_root){0};
    if (word == 0) return true;
    ili_off at = (word >> 34) * 64;
    struct ili_list_directory *directory = ili_at(arena, at, sizeof *directory);
    uint64_t room = directory ? load(&directory->room) : 0;
    uint64_t first = word >> 17 & ILI_LIST_ENTRIES_MOST, count = word & ILI_LIST_ENTRIES_MOST;
    if (room > ILI_LIST_ENTRIES_MOST || first + count > room || count == 0) return false;
    if (!ili_at(arena, at, sizeof *directory + room * 8)) return false;
    *root = (struct ili_list_root){directory, at, (uint32_t)room, (uint32_t)first, (uint32_t)count};
    return true;
}

struct ili_list_chunk *ili_list_chunk_of(const struct ili_arena *arena, uint64_t entry,
                                         uint32_t *room) {
    struct ili_list_chunk *chunk = ili_at(arena, ili_list_entry_at(entry), sizeof *chunk);
    uint64_t has = chunk ? load(&chunk->room) : 0;
    uint32_t count = ili_list_entry_count(entry);
    if (has > ILI_LIST_CHUNK || count == 0 || ili_list_entry_first(entry) + count > has)
        return NULL;
    if (!ili_at(arena, ili_list_entry_at(entry), sizeof *chunk + has * 8)) return NULL;
    *room = (uint32_t)has;
    return chunk;
}

struct ili_list_item *ili_list_item_of(const struct ili_arena *arena, uint64_t slot,
                                       uint64_t *bytes) {
    uint64_t size = ili_list_slot_bytes(slot);
    struct ili_list_item *item = ili_at(arena, ili_list_slot_at(slot), size);
    if (!item || size < sizeof *item) return NULL;
    *bytes = load(&item->bytes);
    return *bytes <= size - sizeof *item && *bytes <= IL_MESSAGE_MAX_BYTES ? item : NULL;
}

uint64_t ili_list_chunk_bytes(uint64_t room) {
    return ili_alloc_size(sizeof(struct ili_list_chunk) + room * 8);
}

uint64_t ili_list_directory_bytes(uint64_t room) {
    return ili_alloc_size(sizeof(struct ili_list_directory) + room * 8);
}

uint32_t ili_list_chunk_room(uint64_t least) {
    uint32_t room = 6; /* of the smallest block; each size is twice the one before */
    while (room < least && room < ILI_LIST_CHUNK) room = room * 2 + 2;
    return room;
}

uint32_t ili_list_directory_room(uint64_t least) {
    uint64_t bytes = ili_list_directory_bytes(least + least / 4);
    uint64_t room = (bytes - sizeof(struct ili_list_directory)) / 8;
    return (uint32_t)(room < ILI_LIST_ENTRIES_MOST ? room : ILI_LIST_ENTRIES_MOST);
}

/* ---- finding -------------------------------------------------------------------------------------- */

/* The number of the entry that has INDEX, which becomes the item's number in it; from the nearer end. */
static uint32_t find_entry(const struct ili_list_root *root, uint64_t length, uint64_t *index) {
    if (*index < length / 2) {
        for (uint32_t i = 0; i < root->count; i++) {
            uint32_t count = ili_list_entry_count(load(ili_list_entry_word(root, i)));
            if (*index < count) return i;
            *index -= count;
        }
        return UINT32_MAX;
    }
    uint64_t behind = length - *index; /* items from it on */
    for (uint32_t i = root->count; i-- > 0;) {
        uint32_t count = ili_list_entry_count(load(ili_list_entry_word(root, i)));
        if (behind <= count) {
            *index = count - behind;
            return i;
        }
        behind -= count;
    }
    return UINT32_MAX;
}

il_status ili_list_find_place(const struct ili_arena *arena, const struct ili_list *list,
                              uint64_t index, struct ili_list_place *place) {
    uint32_t room;
    if (!ili_list_root_of(arena, load(&list->root), &place->root)) return IL_ECORRUPT;
    place->entry = find_entry(&place->root, load(&list->length), &index);
    if (place->entry == UINT32_MAX) return IL_ECORRUPT;
    place->at = (uint32_t)index;
    place->word = load(ili_list_entry_word(&place->root, place->entry));
    place->chunk = ili_list_chunk_of(arena, place->word, &room);
    return place->chunk && place->at < ili_list_entry_count(place->word) ? IL_OK : IL_ECORRUPT;
}

il_status ili_list_walk(const struct ili_arena *arena, struct ili_list_place *place,
                        uint64_t *slot) {
    uint32_t room;
    if (place->at == ili_list_entry_count(place->word)) {
        if (place->entry + 1 >= place->root.count) return IL_ENOKEY;
        place->entry++;
        place->at = 0;
        place->word = load(ili_list_entry_word(&place->root, place->entry));
        place->chunk = ili_list_chunk_of(arena, place->word, &room);
        if (!place->chunk) return IL_ECORRUPT;
    }
    *slot = load(ili_list_slot_word(place));
    place->at++;
    return IL_OK;
}

/* ---- the commit ----------------------------------------------------------------------------------- */

/* Tells watchers what the plan says. Several changes that a death kept from being told one by one are told as
 * one that comes to the same. */
static void note_planned(struct ili_member *m, struct ili_list *list) {
    const struct ili_list_plan *plan = &list->plan;
    struct ili_changed change = {.what = (uint32_t)load(&plan->what),
                                 .version = load(&plan->version),
                                 .index = (int64_t)load(&plan->index),
                                 .count = load(&plan->count)};
    if (load(&plan->what) == MANY) {
        change = (struct ili_changed){.what = IL_CHANGED_CLEARED, .version = change.version};
        ili_changes_note(m, &list->changes, &change, true);
        change.what = IL_CHANGED_INSERTED;
        change.count = load(&plan->length);
    }
    if (change.what) ili_changes_note(m, &list->changes, &change, false);
}

/* All that follows the commit; repair makes it again. */
static void finish(struct ili_list *list, struct ili_agent *owner) {
    const struct ili_list_plan *plan = &list->plan;
    ili_alloc_adopt_chain(owner, 2, load(&plan->garbage));
    ILI_POINT("list.commit.owned");
    publish(&list->trash, load(&plan->trash));
    publish(&list->length, load(&plan->length));
    publish(&list->version, load(&plan->version));
    publish(&list->used_bytes, load(&plan->used_bytes));
    ILI_POINT("list.commit.counted");
}

void ili_list_commit(struct ili_member *member, struct ili_agent *owner, struct ili_list *list,
                     const struct ili_list_commit *commit) {
    struct ili_list_plan *plan = &list->plan;
    store(&plan->word_at, ili_off_of(&member->arena, commit->word));
    store(&plan->now, commit->now);
    store(&plan->garbage, commit->garbage);
    store(&plan->trash, commit->trash);
    store(&plan->length, commit->length);
    store(&plan->version, commit->version);
    store(&plan->used_bytes, commit->used_bytes);
    store(&plan->what, commit->note_count > 1 ? MANY
                       : commit->note_count   ? commit->notes->what
                                              : 0);
    store(&plan->index, commit->note_count ? commit->notes->index : 0);
    store(&plan->count, commit->note_count ? commit->notes->count : 0);
    ili_guard_intend(&list->guard, COMMIT, 0, 0); /* release: repair sees all of the plan */
    ILI_POINT("list.commit.planned");
    publish(commit->word, commit->now);
    ILI_POINT("list.commit.made");
    finish(list, owner);
    for (size_t i = 0; i < commit->note_count; i++) {
        const struct ili_list_note *note = &commit->notes[i];
        struct ili_changed change = {.what = note->what,
                                     .version = commit->version,
                                     .index = (int64_t)note->index,
                                     .count = note->count};
        ili_changes_note(member, &list->changes, &change, i + 1 < commit->note_count);
    }
    ILI_POINT("list.commit.noted");
    ili_guard_done(&list->guard);
}

bool ili_list_bury(const struct ili_arena *arena, ili_off *garbage, ili_off at) {
    _Atomic ili_off *next = ili_at(arena, at, sizeof *next);
    if (!next) return false;
    store(next, *garbage);
    *garbage = at;
    return true;
}

il_status ili_list_bury_items(const struct ili_arena *arena, ili_off *garbage, uint64_t entry,
                              uint32_t first, uint32_t count) {
    uint32_t room;
    struct ili_list_chunk *chunk = ili_list_chunk_of(arena, entry, &room);
    if (!chunk || first + count > ili_list_entry_count(entry)) return IL_ECORRUPT;
    first += ili_list_entry_first(entry);
    for (uint32_t i = first; i < first + count; i++) {
        if (!ili_list_bury(arena, garbage, ili_list_slot_at(load(&chunk->slots[i])))) {
            return IL_ECORRUPT;
        }
    }
    return IL_OK;
}

/* ---- the trash ------------------------------------------------------------------------------------ */

il_status ili_list_drain(struct ili_member *member, struct ili_agent *owner,
                         struct ili_list *list) {
    const struct ili_arena *a = &member->arena;
    struct ili_list_root root;
    ili_off garbage = 0;
    uint64_t word = load(&list->trash);
    if (word == 0) return IL_OK;
    if (!ili_list_root_of(a, word, &root)) return IL_ECORRUPT;
    uint64_t now = ili_list_root_word(root.at, root.first, root.count - 1);
    if (now == 0) {
        now = load(&root.directory->trash);
        ili_list_bury(a, &garbage, root.at);
    }
    uint64_t entry = load(ili_list_entry_word(&root, root.count - 1));
    il_status status = ili_list_bury_items(a, &garbage, entry, 0, ili_list_entry_count(entry));
    if (status != IL_OK) return status;
    ili_list_bury(a, &garbage, ili_list_entry_at(entry));
    struct ili_list_commit commit = {.word = &list->trash,
                                     .now = now,
                                     .garbage = garbage,
                                     .trash = now,
                                     .length = load(&list->length),
                                     .version = load(&list->version),
                                     .used_bytes = load(&list->used_bytes)};
    ili_list_commit(member, owner, list, &commit);
    return IL_OK;
}

/* ---- end and repair ------------------------------------------------------------------------------- */

void ili_list_store_repair(struct ili_member *member, struct ili_list *list,
                           struct ili_agent *dead) {
    if (atomic_load_explicit(&list->guard.intent[0], memory_order_acquire) == 0) return;
    const _Atomic uint64_t *word = ili_at(&member->arena, load(&list->plan.word_at), sizeof *word);
    if (word && load(word) == load(&list->plan.now)) {
        finish(list, dead);
        note_planned(member, list);
    }
    ili_guard_done(&list->guard);
}

il_status ili_list_store_dispose(struct ili_member *member, struct ili_agent *self,
                                 struct ili_agent *owner, struct ili_list *list) {
    struct ili_list_root root;
    uint64_t most = member->arena.bytes / 64; /* more chunks there cannot be */
    /* goes on where it stopped, if it did */
    ili_list_store_repair(member, list, owner);
    il_status status = ili_alloc_free_of(member, self, owner, 2);
    uint64_t word = load(&list->root);
    if (status == IL_OK && word && ili_list_root_of(&member->arena, word, &root)) {
        store(&root.directory->trash, load(&list->trash));
        struct ili_list_commit commit = {
            .word = &list->root, .trash = word, .version = load(&list->version)};
        ili_list_commit(member, owner, list, &commit);
    }
    while (status == IL_OK && load(&list->trash) && most-- > 0) {
        /* what cannot be reached is lost */
        if (ili_list_drain(member, owner, list) != IL_OK) break;
        status = ili_alloc_free_of(member, self, owner, 2);
    }
    return status == IL_OK ? ili_changes_dispose(member, self, &list->changes) : status;
}

/* One chunk; its blocks are added to *USED. */
static il_status check_chunk(const struct ili_arena *a, const struct ili_list *list, uint64_t entry,
                             uint64_t *used) {
    uint32_t room, first = ili_list_entry_first(entry);
    const struct ili_list_chunk *chunk = ili_list_chunk_of(a, entry, &room);
    if (!chunk) return IL_ECORRUPT;
    *used += ili_list_chunk_bytes(room);
    for (uint32_t i = first; i < first + ili_list_entry_count(entry); i++) {
        uint64_t bytes, slot = load(&chunk->slots[i]);
        const struct ili_list_item *item = ili_list_item_of(a, slot, &bytes);
        if (!item || load(&item->version) == 0 || load(&item->version) > load(&list->version)) {
            return IL_ECORRUPT;
        }
        if (ili_alloc_size(sizeof *item + bytes) != ili_list_slot_bytes(slot)) return IL_ECORRUPT;
        *used += ili_list_slot_bytes(slot);
    }
    return IL_OK;
}

il_status ili_list_store_check(const struct ili_member *member, const struct ili_list *list) {
    const struct ili_arena *a = &member->arena;
    struct ili_list_root root;
    uint64_t length = 0, used = 0, unused = 0, most = a->bytes / 64;
    if (load(&list->guard.intent[0]) != 0) return IL_ECORRUPT;
    if (!ili_list_root_of(a, load(&list->root), &root)) return IL_ECORRUPT;
    if (root.count) used += ili_list_directory_bytes(root.room);
    for (uint32_t i = 0; i < root.count; i++) {
        uint64_t entry = load(ili_list_entry_word(&root, i));
        if (check_chunk(a, list, entry, &used) != IL_OK) return IL_ECORRUPT;
        length += ili_list_entry_count(entry);
    }
    if (length != load(&list->length) || used != load(&list->used_bytes)) return IL_ECORRUPT;
    for (uint64_t word = load(&list->trash); word; word = load(&root.directory->trash)) {
        if (most-- == 0 || !ili_list_root_of(a, word, &root)) return IL_ECORRUPT;
        for (uint32_t i = 0; i < root.count; i++) {
            uint64_t entry = load(ili_list_entry_word(&root, i));
            if (check_chunk(a, list, entry, &unused) != IL_OK) return IL_ECORRUPT;
        }
    }
    return IL_OK;
}
