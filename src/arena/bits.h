/*
 * bits.h - a set of numbers that many add to and one takes from: a bitmap with a bitmap of its words.
 *
 * Adding is idempotent, so nothing can be damaged by a death between its two steps; after a death the
 * taker looks at all words (SWEEP). Orders are sequentially consistent: a caller may look at a flag of
 * its own after adding, see doorbell.c.
 */
#ifndef ILI_ARENA_BITS_H
#define ILI_ARENA_BITS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/point.h"

/* WORDS has COUNT / 64 words of bits, then one bit for each of those words. */
static inline void ili_bits_add(_Atomic uint64_t *words, uint32_t count, uint32_t index) {
    uint32_t leaf = index / 64;
    atomic_fetch_or_explicit(&words[leaf], UINT64_C(1) << (index % 64), memory_order_seq_cst);
    ILI_POINT("bits.leaf");
    atomic_fetch_or_explicit(&words[count / 64 + leaf / 64], UINT64_C(1) << (leaf % 64),
                             memory_order_seq_cst);
}

/* Takes all, and calls HEARD with the index + 1 of each. */
void ili_bits_take(_Atomic uint64_t *words, uint32_t count, bool sweep,
                   void (*heard)(uint32_t number, void *context), void *context);

#endif
