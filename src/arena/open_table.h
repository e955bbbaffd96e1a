/*
 * open_table.h - which objects a process has open, written where its keeper finds it.
 *
 * The table is why a fast path needs no bookkeeping: after a death only the objects that the process
 * had open are looked at. It is a chain of pages from the slot; a page is one block of entries, an
 * entry the offset of an object or 0. The process knows its entries by number, so that a forked
 * child can lay out a table of its own in which the inherited handles find theirs. An entry is filled
 * and emptied by names.c together with the object's reference count.
 */
#ifndef ILI_ARENA_OPEN_TABLE_H
#define ILI_ARENA_OPEN_TABLE_H

#include "arena/agent.h"

#define ILI_OPEN_PAGE_ENTRIES 511u

struct ili_open_page {
    _Atomic ili_off next;
    _Atomic ili_off entries[ILI_OPEN_PAGE_ENTRIES];
};
_Static_assert(sizeof(struct ili_open_page) == 4096, "shared layout");

/* Hands out the number of an empty entry. IL_ENOMEM, IL_EBUSY, or why the member may not act. */
il_status ili_open_claim(struct ili_member *member, struct ili_agent *self, uint32_t *number);

/* The entry is empty again. */
void ili_open_release(struct ili_member *member, uint32_t number);

/* Where the entry lies. */
_Atomic ili_off *ili_open_entry(struct ili_member *member, uint32_t number);

/* In a forked child whose member has a fresh slot: makes a table with the same numbers, and opens
 * for itself what its parent, of PARENT_SLOT, has open. */
il_status ili_open_inherit(struct ili_member *member, struct ili_agent *self, uint32_t parent_slot);

/* A walk over the pages of a slot, by links that come from the arena: one that leads in a circle ends after
 * two or three rounds (Brent's way: the place of every step that is a power of two is remembered). */
struct ili_open_walk {
    ili_off next, anchor;
    uint32_t steps, lap;
};
struct ili_open_walk ili_open_walk_of(const struct ili_slot *slot);

/* The next page; NULL: there are no more. */
struct ili_open_page *ili_open_walk_next(const struct ili_arena *arena, struct ili_open_walk *walk);

/* The page at an offset that comes from the arena; NULL if there cannot be one. */
struct ili_open_page *ili_open_page_at(const struct ili_arena *arena, ili_off at);

#endif
