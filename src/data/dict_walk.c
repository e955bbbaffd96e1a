/*
 * dict_walk.c - a dict's entries in order, and a copy of all of them.
 *
 * A cursor knows the last entry's serial (`after`) and its hash (`hint`): if the bucket of that hash still has an entry
 * with that serial, the walk goes on behind it. Else it was removed, and the walk looks from the first one on for the
 * next larger serial; not longer than LOOKS under one hold of the guard, coming back by a cursor of its own.
 */
#include <stdlib.h>
#include <string.h>

#include "data/dict_many.h"
#include "data/dict_store.h"
#include "data/dict_table.h"

#define load ili_dict_load

#define LOOKS 4096 /* entries looked at under one hold of the guard */
#define RESTARTS                                                                                   \
    1000 /* how often others may spoil the place of a walk until it holds the guard on */
#define CHAIN_MOST 100000u /* a longer chain is a corrupt one */

/* The entry of a cursor's place; 0: it is not there any more. */
static ili_off place_of(const struct ili_member *m, const struct ili_dict *d, uint64_t serial,
                        uint64_t hash) {
    _Atomic ili_off *link = ili_dict_bucket(m, d, hash);
    for (unsigned steps = 0; link && steps < CHAIN_MOST; steps++) {
        struct ili_dict_node *node = ili_at(&m->arena, load(link), sizeof *node);
        if (!node) return 0;
        if (load(&node->serial) == serial) return load(link);
        link = &node->next;
    }
    return 0;
}

/* A walk over the order. */
struct walk {
    uint64_t serial, hash; /* of the last entry looked at; 0: none */
    uint64_t looks;        /* left under this hold */
    ili_off next;          /* under the guard: the next one; 0: the end */
};

/* Moves on over the entry at walk->next, which SEEN is of. False: the arena is corrupt. */
static bool move_on(struct walk *walk, const struct ili_dict_seen *seen) {
    if (seen->serial <= walk->serial) return false; /* perhaps a circle */
    walk->serial = seen->serial;
    walk->hash = load(&seen->node->hash);
    walk->next = load(&seen->node->after);
    return true;
}

/* Under the guard, again: finds WALK's place. False: it is gone. */
static bool come_back(const struct ili_member *m, const struct ili_dict *d, struct walk *walk) {
    struct ili_dict_seen seen;
    walk->next = load(&d->first);
    if (walk->serial == 0) return true;
    ili_off at = place_of(m, d, walk->serial, walk->hash);
    if (!at || !ili_dict_see(m, at, &seen)) return false;
    walk->next = load(&seen.node->after);
    return true;
}

/* Moves WALK behind serial AFTER. IL_ETIMEOUT: it has looked at enough for now. */
static il_status skip(const struct ili_member *m, struct walk *walk, uint64_t after) {
    struct ili_dict_seen seen;
    while (walk->next) {
        if (!ili_dict_see(m, walk->next, &seen)) return IL_ECORRUPT;
        if (seen.serial > after) return IL_OK;
        if (walk->looks-- == 0) return IL_ETIMEOUT;
        if (!move_on(walk, &seen)) return IL_ECORRUPT;
    }
    return IL_OK;
}

/* Takes the guard, and goes to the first entry behind serial AFTER. On failure the guard is not held. */
static il_status enter_behind(struct ili_member *m, struct ili_dict *d, uint64_t after,
                              struct walk *walk, struct ili_agent **self) {
    for (unsigned restarts = 0;;) {
        il_status status = ili_dict_enter(m, d, self);
        if (status != IL_OK) return status;
        if (!come_back(m, d, walk)) {
            *walk = (struct walk){.next = load(&d->first)};
            restarts++;
        }
        walk->looks = restarts < RESTARTS ? LOOKS : UINT64_MAX;
        status = skip(m, walk, after);
        if (status == IL_OK) return IL_OK;
        ili_guard_unlock(m, *self, &d->guard);
        if (status != IL_ETIMEOUT) return status;
    }
}

/* ---- pages -------------------------------------------------------------------------------------- */

/* Where a page is written. */
struct page {
    uint32_t what;
    char *to;
    uint64_t left; /* bytes */
    struct ili_dict_entry *entries;
    size_t count, done;
};

static uint64_t bytes_for(const struct page *page, const struct ili_dict_seen *seen) {
    return seen->key_bytes + (page->what & IL_VALUES ? seen->bytes : 0);
}

static void write_entry(struct page *page, const struct ili_dict_seen *seen) {
    uint64_t bytes = bytes_for(page, seen);
    struct ili_dict_entry *entry = &page->entries[page->done++];
    if (bytes) memcpy(page->to, seen->key, bytes); /* the value follows the key */
    *entry = (struct ili_dict_entry){.key = page->to, .key_bytes = seen->key_bytes};
    entry->item = (struct ili_item){
        .bytes = seen->bytes, .room = seen->bytes, .version = seen->version, .type = seen->type};
    if (page->what & IL_VALUES) entry->item.data = page->to + seen->key_bytes;
    if (page->to) page->to += bytes;
    page->left -= bytes;
}

/* Under the guard: fills PAGE from WALK on, with LOOKS entries at most. IL_OK: it is full, or the end is reached
 * (walk->next 0). IL_ETIMEOUT: there is more to look at. */
static il_status fill(const struct ili_member *m, struct walk *walk, struct page *page) {
    while (walk->next && page->done < page->count) {
        struct ili_dict_seen seen;
        if (!ili_dict_see(m, walk->next, &seen)) return IL_ECORRUPT;
        if (bytes_for(page, &seen) > page->left) {
            if (page->done) return IL_OK;
            page->done = bytes_for(page, &seen);
            return IL_ETOOBIG;
        }
        if (walk->looks-- == 0) return IL_ETIMEOUT;
        if (!move_on(walk, &seen)) return IL_ECORRUPT;
        write_entry(page, &seen);
    }
    return IL_OK;
}

il_status ili_dict_items(struct ili_member *member, struct ili_dict *dict, il_cursor *cursor,
                         uint32_t what, void *buffer, uint64_t room, struct ili_dict_entry *entries,
                         size_t count, size_t *done) {
    struct ili_agent *self;
    struct walk walk = {.serial = cursor->after, .hash = cursor->hint};
    struct page page = {
        .what = what, .to = buffer, .left = room, .entries = entries, .count = count};
    il_status status = IL_ETIMEOUT;
    *done = 0;
    if (cursor->finished) return IL_OK;
    while (status == IL_ETIMEOUT) {
        status = enter_behind(member, dict, page.done ? walk.serial : cursor->after, &walk, &self);
        if (status != IL_OK) return status;
        walk.looks = LOOKS;
        status = fill(member, &walk, &page);
        ili_guard_unlock(member, self, &dict->guard);
    }
    *done = page.done;
    if (status != IL_OK) return status;
    if (page.done) {
        cursor->after = walk.serial;
        cursor->hint = walk.hash;
    }
    cursor->finished = walk.next == 0;
    return IL_OK;
}

/* ---- copy --------------------------------------------------------------------------------------- */

/* All entries of a dict at one moment. */
struct snapshot {
    char *bytes;
    struct ili_dict_entry *entries;
    uint64_t room;
    size_t count;
    struct page page;
};

static void free_snapshot(struct snapshot *s) {
    free(s->bytes);
    free(s->entries);
}

/* Makes room for what DICT has, or soon will. */
static bool make_room(struct snapshot *s, uint64_t length, uint64_t used) {
    free_snapshot(s);
    s->room = used + used / 8 + 64;
    s->count = length + length / 8 + 8;
    s->bytes = malloc(s->room);
    s->entries = malloc(s->count * sizeof *s->entries);
    return s->bytes && s->entries;
}

static il_status take_snapshot(struct ili_member *m, struct ili_dict *d, struct snapshot *s) {
    struct ili_agent *self;
    for (;;) {
        struct walk walk = {.looks = UINT64_MAX};
        il_status status = ili_dict_enter(m, d, &self);
        if (status != IL_OK) return status;
        uint64_t length = load(&d->length), used = load(&d->used_bytes);
        s->page = (struct page){.what = IL_KEYS | IL_VALUES,
                                .to = s->bytes,
                                .left = s->room,
                                .entries = s->entries,
                                .count = s->count};
        bool enough = length <= s->count && used <= s->room && s->bytes && s->entries;
        if (enough) {
            walk.next = load(&d->first);
            status = fill(m, &walk, &s->page);
            if (status == IL_OK && walk.next) status = IL_ECORRUPT;
        }
        ili_guard_unlock(m, self, &d->guard);
        if (enough) return status == IL_ETOOBIG ? IL_ECORRUPT : status;
        if (used > m->arena.bytes || length > m->arena.bytes / sizeof(struct ili_dict_node)) {
            return IL_ECORRUPT;
        }
        if (!make_room(s, length, used)) return IL_ENOMEM;
    }
}

il_status ili_dict_copy(struct ili_member *member, struct ili_dict *dict, struct ili_dict *into,
                        struct ili_refusal *refusal) {
    struct snapshot s = {0};
    struct ili_dict_change *changes = NULL;
    il_status status = take_snapshot(member, dict, &s);
    if (status == IL_OK) {
        changes = malloc((s.page.done + 1) * sizeof *changes);
        if (!changes) status = IL_ENOMEM;
    }
    for (size_t i = 0; status == IL_OK && i < s.page.done; i++) {
        const struct ili_dict_entry *e = &s.entries[i];
        changes[i] = (struct ili_dict_change){.what = IL_CHANGE_SET,
                                              .type = e->item.type,
                                              .key = e->key,
                                              .key_bytes = e->key_bytes,
                                              .data = e->item.data,
                                              .bytes = e->item.bytes,
                                              .version = IL_VERSION_ANY};
    }
    if (status == IL_OK) {
        status = ili_dict_update(member, into, changes, s.page.done, NULL, refusal);
    }
    free(changes);
    free_snapshot(&s);
    return status;
}
