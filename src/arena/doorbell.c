/*
 * doorbell.c - see doorbell.h.
 *
 * Ringing: leaf bit, summary bit, `doorbell` 0 -> 1, and who made that step writes the eventfd.
 * Listening: `doorbell` -> 0 first, then summary words, then leaf words, each by exchange. A bit set
 * after its word was taken finds `doorbell` 0 (the exchange that took it is in order behind) and so
 * writes the eventfd again: no ring gets lost, at worst one is heard for nothing.
 */
#include "arena/doorbell.h"

#include <unistd.h>

#include "base/point.h"

static uint32_t leaf_words(const struct ili_member *m) { return m->arena.regions.agents / 64; }

void ili_doorbell_ring(struct ili_member *member, uint32_t number) {
    uint32_t index = number - 1, leaf = index / 64;
    _Atomic uint64_t *summary = member->arena.rung + leaf_words(member);
    /* seq_cst throughout: a bit must be visible before `doorbell` is looked at */
    atomic_fetch_or_explicit(&member->arena.rung[leaf], UINT64_C(1) << (index % 64),
                             memory_order_seq_cst);
    ILI_POINT("doorbell.leaf");
    atomic_fetch_or_explicit(&summary[leaf / 64], UINT64_C(1) << (leaf % 64), memory_order_seq_cst);
    if (atomic_exchange_explicit(&member->arena.header->doorbell, 1, memory_order_seq_cst) == 0) {
        ILI_POINT("doorbell.write");
        uint64_t one = 1;
        ssize_t ignored = write(member->doorbell_fd, &one, sizeof one);
        (void)ignored; /* full means that it rings already */
    }
}

static void collect_leaf(struct ili_member *m, uint32_t leaf,
                         void (*heard)(uint32_t number, void *context), void *context) {
    uint64_t bits = atomic_exchange_explicit(&m->arena.rung[leaf], 0, memory_order_seq_cst);
    while (bits) {
        uint32_t bit = (uint32_t)__builtin_ctzll(bits);
        bits &= bits - 1;
        heard(leaf * 64 + bit + 1, context);
    }
}

void ili_doorbell_collect(struct ili_member *member, bool sweep,
                          void (*heard)(uint32_t number, void *context), void *context) {
    uint32_t leaves = leaf_words(member);
    _Atomic uint64_t *summary = member->arena.rung + leaves;
    atomic_store_explicit(&member->arena.header->doorbell, 0, memory_order_seq_cst);
    for (uint32_t word = 0; word * 64 < leaves; word++) {
        uint64_t marked = atomic_exchange_explicit(&summary[word], 0, memory_order_seq_cst);
        if (sweep) marked = UINT64_MAX;
        while (marked) {
            uint32_t leaf = word * 64 + (uint32_t)__builtin_ctzll(marked);
            marked &= marked - 1;
            if (leaf < leaves) collect_leaf(member, leaf, heard, context);
        }
    }
}
