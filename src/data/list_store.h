/*
 * list_store.h - how a list lies in the arena, and the one step in which it changes.
 *
 * Internal to data/. Everything is called under the list's guard, unless it says otherwise. What is read from the
 * arena is checked: what makes no sense is IL_ECORRUPT, or nothing.
 */
#ifndef ILI_DATA_LIST_STORE_H
#define ILI_DATA_LIST_STORE_H

#include "data/list.h"

#define ILI_LIST_CHUNK 510u /* items at most: a chunk is 4 KiB then */
#define ILI_LIST_ENTRIES_MOST 131071u

/* Blocks begin with the word that chains them (arena/alloc.h), which means nothing while they are in the list. */
struct ili_list_item {
    _Atomic ili_off next;
    _Atomic uint64_t version, bytes; /* the value follows */
    _Atomic uint32_t type;
    uint32_t reserved;
};
_Static_assert(sizeof(struct ili_list_item) == 32, "shared layout");

struct ili_list_chunk {
    _Atomic ili_off next;
    _Atomic uint64_t room;
    _Atomic uint64_t slots[];
};
_Static_assert(sizeof(struct ili_list_chunk) == 16, "shared layout");

struct ili_list_directory {
    _Atomic ili_off next;
    _Atomic uint64_t room;
    _Atomic uint64_t trash; /* in the trash: the root word of the next there */
    uint64_t reserved;
    _Atomic uint64_t entries[];
};
_Static_assert(sizeof(struct ili_list_directory) == 32, "shared layout");

/* ---- words: see list_store.c ---------------------------------------------------------------------- */

static inline uint64_t ili_list_slot(ili_off at, uint64_t bytes) { return at | bytes / 64 << 40; }
static inline ili_off ili_list_slot_at(uint64_t slot) { return slot & ((UINT64_C(1) << 40) - 64); }
static inline uint64_t ili_list_slot_bytes(uint64_t slot) { return (slot >> 40) * 64; }

static inline uint64_t ili_list_entry(ili_off chunk, uint64_t first, uint64_t count) {
    return chunk / 64 << 24 | first << 12 | count;
}
static inline ili_off ili_list_entry_at(uint64_t entry) { return (entry >> 24) * 64; }
static inline uint32_t ili_list_entry_first(uint64_t entry) { return entry >> 12 & 0xfff; }
static inline uint32_t ili_list_entry_count(uint64_t entry) { return entry & 0xfff; }

/* A directory as its word says, read once. Without one, all 0. */
struct ili_list_root {
    struct ili_list_directory *directory;
    ili_off at;
    uint32_t room, first, count;
};
static inline uint64_t ili_list_root_word(ili_off at, uint64_t first, uint64_t count) {
    return count ? at / 64 << 34 | first << 17 | count : 0;
}
bool ili_list_root_of(const struct ili_arena *arena, uint64_t word, struct ili_list_root *root);

/* The word of the directory's entry INDEX, counted from its first. */
static inline _Atomic uint64_t *ili_list_entry_word(const struct ili_list_root *root,
                                                    uint32_t index) {
    return &root->directory->entries[root->first + index];
}

/* The chunk of ENTRY with *ROOM slots; NULL if there cannot be one. */
struct ili_list_chunk *ili_list_chunk_of(const struct ili_arena *arena, uint64_t entry,
                                         uint32_t *room);

/* The item of SLOT with *BYTES of value, which lie in its block; NULL if there cannot be one. */
struct ili_list_item *ili_list_item_of(const struct ili_arena *arena, uint64_t slot,
                                       uint64_t *bytes);

/* Bytes of the arena that a chunk or a directory of ROOM takes, and the most room in as many. */
uint64_t ili_list_chunk_bytes(uint64_t room);
uint64_t ili_list_directory_bytes(uint64_t room);
uint32_t ili_list_chunk_room(uint64_t least);
uint32_t ili_list_directory_room(uint64_t least);

/* ---- finding -------------------------------------------------------------------------------------- */

/* A place in a list: of its entry ENTRY, item AT. */
struct ili_list_place {
    struct ili_list_root root;
    uint32_t entry;
    uint64_t word; /* of the entry */
    struct ili_list_chunk *chunk;
    uint32_t at;
};

/* INDEX is below the length. */
il_status ili_list_find_place(const struct ili_arena *arena, const struct ili_list *list,
                              uint64_t index, struct ili_list_place *place);

/* Where the slot of PLACE lies. */
static inline _Atomic uint64_t *ili_list_slot_word(const struct ili_list_place *place) {
    return &place->chunk->slots[ili_list_entry_first(place->word) + place->at];
}

/* The slots from PLACE on, one after the other: *SLOT. IL_ENOKEY: there are no more. */
il_status ili_list_walk(const struct ili_arena *arena, struct ili_list_place *place,
                        uint64_t *slot);

/* ---- changing ------------------------------------------------------------------------------------- */

/* One change, for watchers. */
struct ili_list_note {
    uint32_t what; /* IL_CHANGED_... */
    uint64_t index, count;
};

struct ili_list_commit {
    _Atomic uint64_t
        *word; /* a slot, an entry, the root or the trash becomes NOW: that is the commit */
    uint64_t now;
    ili_off garbage; /* the first of the chain of blocks that are then out of the list; 0: none */
    uint64_t trash, length, version, used_bytes; /* the list's afterwards */
    const struct ili_list_note *notes;           /* note_count of them; none: nothing to tell */
    size_t note_count;
};

/* Makes it. What was in pending[2] of OWNER (SELF, or a dead agent) is then in the list, and pending[2] owns the
 * garbage. */
void ili_list_commit(struct ili_member *member, struct ili_agent *owner, struct ili_list *list,
                     const struct ili_list_commit *commit);

/* Puts the block AT in front of the chain *GARBAGE; it is still in the list. */
bool ili_list_bury(const struct ili_arena *arena, ili_off *garbage, ili_off at);
/* The items from FIRST on, COUNT of them, of ENTRY. */
il_status ili_list_bury_items(const struct ili_arena *arena, ili_off *garbage, uint64_t entry,
                              uint32_t first, uint32_t count);

/* Takes one chunk with its items out of the trash, into pending[2] of OWNER, which is empty. */
il_status ili_list_drain(struct ili_member *member, struct ili_agent *owner, struct ili_list *list);

/* ---- end and repair ------------------------------------------------------------------------------- */

/* Without the guard: see ili_kind.dispose. */
il_status ili_list_store_dispose(struct ili_member *member, struct ili_agent *self,
                                 struct ili_agent *owner, struct ili_list *list);
void ili_list_store_repair(struct ili_member *member, struct ili_list *list,
                           struct ili_agent *dead);
il_status ili_list_store_check(const struct ili_member *member, const struct ili_list *list);

#endif
