/*
 * alloc_inside.h - what alloc.c and its invariants, alloc_check.c, share. The states and who may touch them: alloc.c.
 */
#ifndef ILI_ARENA_ALLOC_INSIDE_H
#define ILI_ARENA_ALLOC_INSIDE_H

#include "arena/alloc.h"

enum ili_chunk_state {
    ILI_CHUNK_FREE = 0,
    ILI_CHUNK_PIECES,
    ILI_CHUNK_HEAD, /* of a run */
    ILI_CHUNK_BODY,
};

#define ILI_CHUNK_HEADER_BYTES 256u /* a chunk of pieces begins with its map */

extern const uint16_t ili_class_bytes[ILI_PIECE_CLASSES];

static inline uint32_t ili_pieces_of(unsigned class) {
    return (ILI_CHUNK_BYTES - ILI_CHUNK_HEADER_BYTES) / ili_class_bytes[class];
}

static inline ili_off ili_chunk_at(const struct ili_arena *a, uint32_t index) {
    return a->regions.data_at + (ili_off)index * ILI_CHUNK_BYTES;
}

static inline _Atomic uint64_t *ili_chunk_map(const struct ili_arena *a, uint32_t index) {
    return (_Atomic uint64_t *)(a->base + ili_chunk_at(a, index));
}

/* How many pieces of the chunk are free, by its map. */
uint32_t ili_pieces_free(const struct ili_arena *a, uint32_t index);

#endif
