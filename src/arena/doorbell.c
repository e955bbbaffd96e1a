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

#include "arena/bits.h"
#include "base/point.h"

void ili_doorbell_write(struct ili_member *member) {
    if (atomic_exchange_explicit(&member->arena.header->doorbell, 1, memory_order_seq_cst) == 0) {
        ILI_POINT("doorbell.write");
        uint64_t one = 1;
        ssize_t ignored = write(member->doorbell_fd, &one, sizeof one);
        (void)ignored; /* full means that it rings already */
    }
}

void ili_doorbell_ring(struct ili_member *member, uint32_t number) {
    ili_bits_add(member->arena.rung, member->arena.regions.agents, number - 1);
    ILI_POINT("doorbell.leaf");
    ili_doorbell_write(member);
}

void ili_doorbell_hear(struct ili_member *member) {
    atomic_store_explicit(&member->arena.header->doorbell, 0, memory_order_seq_cst);
}

void ili_doorbell_collect(struct ili_member *member, bool sweep,
                          void (*heard)(uint32_t number, void *context), void *context) {
    ili_doorbell_hear(member);
    ili_bits_take(member->arena.rung, member->arena.regions.agents, sweep, heard, context);
}
