/*
 * arena.h - one piece of shared memory: made, mapped, committed, given back.
 *
 * An arena is a memfd of fixed size, sealed against growing and shrinking. Its size is address space:
 * memory is committed with fallocate() before it is touched and given back by punching holes, so
 * that a shortage is the error of one call and never a SIGBUS. The name of a place is its offset.
 */
#ifndef ILI_ARENA_ARENA_H
#define ILI_ARENA_ARENA_H

#include <stdbool.h>

#include <interlock.h>

#include "arena/layout.h"

#define ILI_ARENA_MIN_BYTES (UINT64_C(1) << 20)
#define ILI_ARENA_MAX_BYTES (UINT64_C(1) << 36)
#define ILI_ARENA_DEFAULT_BYTES (UINT64_C(1) << 30)

/* One process's view of an arena. Everything but the memory itself is this process's own. */
struct ili_arena {
    uint8_t *base;
    uint64_t bytes;
    int fd;
    struct ili_header *header;
    struct ili_regions regions; /* copied and checked at attach */
    uint64_t hash_key[2];
    struct ili_slot *slots;
    struct ili_chunk *chunks;
    _Atomic uint64_t *bitmap; /* a set bit: that chunk is free */
    _Atomic ili_off *directory;
    struct ili_stripe *stripes;
    _Atomic uint64_t *rung;    /* a bit an agent, then a summary bit a word: see doorbell.h */
    _Atomic uint64_t *changed; /* the same for leases: see lease.h */
    struct ili_loss *losses;
    struct ili_agent *agents;
    struct ili_lease *leases;
};

/* A number computed from the sizes and places of all shared structs, those of the registered kinds
 * included: programs whose numbers differ must not share an arena. */
uint64_t ili_layout_stamp(void);

/* Makes an arena of BYTES (rounded up to whole chunks). TOKEN_FLOOR: no token of it will be smaller.
 * *OUT owned: ili_arena_unmap(). IL_EINVAL (size), IL_ENOMEM, IL_ESYSTEM. */
il_status ili_arena_create(uint64_t bytes, bool served, uint64_t token_floor,
                           struct ili_arena *out);

/* Maps the arena behind FD, which becomes OUT's on success. Checks seals, size and stamp.
 * IL_EPROTOCOL (another layout), IL_ECORRUPT, IL_ENOMEM, IL_ESYSTEM. */
il_status ili_arena_map(int fd, struct ili_arena *out);

/* Unmaps and closes; the memory goes when the last process has done so. */
void ili_arena_unmap(struct ili_arena *arena);

/* Commits [at, at+bytes). IL_ENOMEM: no memory; nothing changed for the caller. */
il_status ili_arena_commit(const struct ili_arena *arena, ili_off at, uint64_t bytes);

/* Gives the memory of [at, at+bytes) back; it must be committed again before use. */
void ili_arena_decommit(const struct ili_arena *arena, ili_off at, uint64_t bytes);

/* The most of the arena that one object may have unless it was made with other limits: half of it. The same for
 * every door, or they would take an object of default limits for another one. */
static inline uint64_t ili_arena_share(const struct ili_arena *arena) {
    return (uint64_t)arena->regions.chunks * ILI_CHUNK_BYTES / 2;
}

/* The place AT, if [at, at+bytes) lies within the data chunks and AT is aligned to 8; else NULL.
 * AT may come from the arena itself: whatever it is, the result is safe to read and write. */
static inline void *ili_at(const struct ili_arena *arena, ili_off at, uint64_t bytes) {
    if (at < arena->regions.data_at || at > arena->bytes || bytes > arena->bytes - at || at % 8) {
        return NULL;
    }
    return arena->base + at;
}

/* What another process may write at any time is read once, whatever the compiler would like. */
static inline uint32_t ili_once32(const uint32_t *p) { return *(const volatile uint32_t *)p; }

/* The offset of P, which points into the arena. */
static inline ili_off ili_off_of(const struct ili_arena *arena, const void *p) {
    return (ili_off)((const uint8_t *)p - arena->base);
}

/* The agent of a stored INDEX_PLUS_ONE; NULL for 0 and for what is out of range. */
static inline struct ili_agent *ili_agent_at(const struct ili_arena *arena,
                                             uint32_t index_plus_one) {
    uint32_t committed =
        atomic_load_explicit(&arena->header->agents_committed, memory_order_relaxed);
    uint32_t limit = committed < arena->regions.agents ? committed : arena->regions.agents;
    if (index_plus_one == 0 || index_plus_one > limit) return NULL;
    return &arena->agents[index_plus_one - 1];
}

static inline uint32_t ili_agent_number(const struct ili_arena *arena,
                                        const struct ili_agent *agent) {
    return (uint32_t)(agent - arena->agents) + 1;
}

#endif
