#include "arena/bits.h"

static void take_leaf(_Atomic uint64_t *words, uint32_t leaf,
                      void (*heard)(uint32_t number, void *context), void *context) {
    uint64_t bits = atomic_exchange_explicit(&words[leaf], 0, memory_order_seq_cst);
    while (bits) {
        uint32_t bit = (uint32_t)__builtin_ctzll(bits);
        bits &= bits - 1;
        heard(leaf * 64 + bit + 1, context);
    }
}

void ili_bits_take(_Atomic uint64_t *words, uint32_t count, bool sweep,
                   void (*heard)(uint32_t number, void *context), void *context) {
    uint32_t leaves = count / 64;
    for (uint32_t word = 0; word * 64 < leaves; word++) {
        uint64_t marked = atomic_exchange_explicit(&words[leaves + word], 0, memory_order_seq_cst);
        if (sweep) marked = UINT64_MAX;
        while (marked) {
            uint32_t leaf = word * 64 + (uint32_t)__builtin_ctzll(marked);
            marked &= marked - 1;
            if (leaf < leaves) take_leaf(words, leaf, heard, context);
        }
    }
}
