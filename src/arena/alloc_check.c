/* alloc_check.c - the allocator's invariants; what they say: alloc.c. */
#include "arena/alloc_inside.h"

const uint16_t ili_class_bytes[ILI_PIECE_CLASSES] = {
    64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384};

static uint32_t load32(const _Atomic uint32_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}
static uint8_t load8(const _Atomic uint8_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}

uint32_t ili_pieces_free(const struct ili_arena *a, uint32_t index) {
    uint32_t count = ili_pieces_of(load8(&a->chunks[index].class) % ILI_PIECE_CLASSES), taken = 0;
    _Atomic uint64_t *map = ili_chunk_map(a, index);
    for (uint32_t w = 0; w * 64 < count; w++) {
        uint64_t word = atomic_load_explicit(&map[w], memory_order_relaxed);
        if (count - w * 64 < 64) word &= (UINT64_C(1) << (count - w * 64)) - 1;
        taken += (uint32_t)__builtin_popcountll(word);
    }
    return count - taken;
}

il_status ili_alloc_check(const struct ili_member *member) {
    const struct ili_arena *a = &member->arena;
    uint32_t free_chunks = 0, covered = 0;
    uint64_t piece_bytes = 0;
    uint32_t partial[ILI_PIECE_CLASSES] = {0};
    for (uint32_t i = 0; i < a->regions.chunks; i++) {
        const struct ili_chunk *c = &a->chunks[i];
        uint8_t state = load8(&c->state);
        uint64_t word = atomic_load_explicit(&a->bitmap[i / 64], memory_order_relaxed);
        if ((word >> (i % 64) & 1) != (state == ILI_CHUNK_FREE)) return IL_ECORRUPT;
        if (state == ILI_CHUNK_FREE) free_chunks++;
        if (state == ILI_CHUNK_HEAD) covered = i + load32(&c->free);
        if (state == ILI_CHUNK_BODY && i >= covered) return IL_ECORRUPT;
        if (state == ILI_CHUNK_PIECES) {
            uint32_t now_free = ili_pieces_free(a, i);
            unsigned class = load8(&c->class);
            if (class >= ILI_PIECE_CLASSES) return IL_ECORRUPT;
            if (now_free != load32(&c->free) || now_free == ili_pieces_of(class))
                return IL_ECORRUPT;
            piece_bytes += (uint64_t)now_free * ili_class_bytes[class];
            if (now_free) partial[class]++;
        }
    }
    if (free_chunks != load32(&a->header->free_chunks)) return IL_ECORRUPT;
    if (piece_bytes != atomic_load_explicit(&a->header->free_piece_bytes, memory_order_relaxed)) {
        return IL_ECORRUPT;
    }
    for (unsigned class = 0; class < ILI_PIECE_CLASSES; class ++) {
        uint32_t number = load32(&a->header->partial[class]), length = 0;
        while (number && number <= a->regions.chunks && length <= partial[class]) {
            length++;
            number = load32(&a->chunks[number - 1].next);
        }
        if (length != partial[class]) return IL_ECORRUPT;
    }
    return IL_OK;
}
