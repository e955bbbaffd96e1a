/*
 * alloc.h - blocks of the arena: from 64 bytes to many chunks.
 *
 * Small blocks are pieces of a chunk of one size class; larger ones are runs of whole chunks. What is
 * taken is known by one bit of a piece chunk's map, or by the chunk table's state of a run's head;
 * every list and count beside that is rebuilt by repair.
 *
 * A block always has an owner that a death can find: from the moment it is taken it stands in
 * pending[] of the agent that took it, until that agent has published it (ili_alloc_published) -
 * and before a block is unlinked from where it was published, it is put there again
 * (ili_alloc_adopt). What a dead agent leaves in pending[] is freed.
 *
 * A place of pending[] may also own a chain of blocks, each of which begins with the offset of the next: then it
 * is the first one's offset with ILI_ALLOC_CHAIN. All that free a place free the whole chain.
 */
#ifndef ILI_ARENA_ALLOC_H
#define ILI_ARENA_ALLOC_H

#include "arena/agent.h"

#define ILI_ALLOC_CHAIN UINT64_C(1) /* offsets of blocks are multiples of 64 */

/* Takes a block of at least BYTES, aligned to 64, contents undefined, into pending[PLACE] of SELF;
 * what a failed free left there is freed first.
 * IL_ENOMEM, IL_EBUSY, or why the member may not act. */
il_status ili_alloc(struct ili_member *member, struct ili_agent *self, unsigned place,
                    uint64_t bytes, ili_off *out);

/* As ili_alloc(), in front of the chain in pending[PLACE], which may be none; of the block, the first 8 bytes are
 * the chain's. */
il_status ili_alloc_chained(struct ili_member *member, struct ili_agent *self, unsigned place,
                            uint64_t bytes, ili_off *out);

/* Frees the block or chain in pending[PLACE], if there is one. On failure (IL_EBUSY …) what is left of it stays
 * there. */
il_status ili_alloc_free(struct ili_member *member, struct ili_agent *self, unsigned place);

/* As ili_alloc_free(), for what OWNER (perhaps a dead agent) has in its pending[PLACE]. */
il_status ili_alloc_free_of(struct ili_member *member, struct ili_agent *self,
                            struct ili_agent *owner, unsigned place);

/* Frees the block or chain that WORD, somewhere in the arena, names, and clears WORD together with that. */
il_status ili_alloc_free_word(struct ili_member *member, struct ili_agent *self,
                              _Atomic ili_off *word);

/* The block in pending[PLACE] is now referred to from elsewhere. */
static inline void ili_alloc_published(struct ili_agent *self, unsigned place) {
    atomic_store_explicit(&self->pending[place], 0, memory_order_release);
}

/* SELF is about to unlink BLOCK, and to free it by ili_alloc_free(). */
static inline void ili_alloc_adopt(struct ili_agent *self, unsigned place, ili_off block) {
    atomic_store_explicit(&self->pending[place], block, memory_order_release);
}

/* As ili_alloc_adopt(), for the chain that begins with FIRST; 0: none. */
static inline void ili_alloc_adopt_chain(struct ili_agent *self, unsigned place, ili_off first) {
    atomic_store_explicit(&self->pending[place], first ? first | ILI_ALLOC_CHAIN : 0,
                          memory_order_release);
}

/* How many bytes a block of BYTES really takes. */
uint64_t ili_alloc_size(uint64_t bytes);

/* Bytes that can still be handed out, in whole chunks and in pieces. A glance. */
uint64_t ili_alloc_available(const struct ili_member *member);

/* The allocator's guard is held by a dead agent: undoes what it was doing
 * and rebuilds what can be derived. */
void ili_alloc_repair(struct ili_member *member);

/* Under the allocator's guard: IL_ECORRUPT if lists and counts do not match the maps. For tests and
 * debug builds. */
il_status ili_alloc_check(const struct ili_member *member);

#endif
