/*
 * loss.c - see loss.h.
 *
 * A place is being written while its number is 0; a reader copies it and then looks whether the number
 * is still the same (a sequence lock; the fields are words, and the reason may be torn only if the number
 * changed meanwhile).
 */
#include "arena/loss.h"

#include <string.h>

#include "arena/agent.h"
#include "arena/doorbell.h"
#include "arena/futex.h"
#include "base/point.h"
#include "base/text.h"

void ili_loss_add(struct ili_member *member, ili_off object, uint32_t kind, uint32_t owner,
                  uint64_t token, il_status why, const char *reason) {
    struct ili_arena *a = &member->arena;
    uint32_t slot = ili_agent_slot(a, owner);
    uint64_t number = atomic_fetch_add_explicit(&a->header->losses, 1, memory_order_relaxed) + 1;
    struct ili_loss *loss = &a->losses[number % ILI_LOSSES];
    /* seq_cst: no write below is seen before it */
    atomic_store_explicit(&loss->number, 0, memory_order_seq_cst);
    ILI_POINT("loss.begun");
    atomic_store_explicit(&loss->object, object, memory_order_relaxed);
    atomic_store_explicit(&loss->token, token, memory_order_relaxed);
    atomic_store_explicit(&loss->slot, slot < a->regions.slots ? slot + 1 : 0,
                          memory_order_relaxed);
    uint32_t generation = slot < a->regions.slots ? atomic_load_explicit(&a->slots[slot].generation,
                                                                         memory_order_relaxed)
                                                  : 0;
    atomic_store_explicit(&loss->generation, generation, memory_order_relaxed);
    atomic_store_explicit(&loss->why, why, memory_order_relaxed);
    loss->kind = kind;
    ili_text_copy(loss->reason, sizeof loss->reason, reason ? reason : "");
    atomic_store_explicit(&loss->number, number, memory_order_release);
    ILI_POINT("loss.written");
    atomic_fetch_add_explicit(&a->header->loss_bell, 1, memory_order_release);
    ili_futex_wake(&a->header->loss_bell, UINT32_MAX >> 1);
    ili_doorbell_write(member); /* the server tells those of its clients that listen */
}

static bool copy_of(struct ili_loss *loss, struct ili_loss_copy *copy) {
    copy->number = atomic_load_explicit(&loss->number, memory_order_acquire);
    if (copy->number == 0) return false;
    copy->object = atomic_load_explicit(&loss->object, memory_order_relaxed);
    copy->token = atomic_load_explicit(&loss->token, memory_order_relaxed);
    copy->slot = atomic_load_explicit(&loss->slot, memory_order_relaxed);
    copy->generation = atomic_load_explicit(&loss->generation, memory_order_relaxed);
    copy->why = atomic_load_explicit(&loss->why, memory_order_relaxed);
    copy->kind = loss->kind;
    memcpy(copy->reason, loss->reason, sizeof copy->reason);
    copy->reason[sizeof copy->reason - 1] = 0;
    /* a read-modify-write that changes nothing, so that the reads above stay above it (a fence would do,
     * but thread sanitizers do not know fences) */
    return atomic_fetch_add_explicit(&loss->number, 0, memory_order_acq_rel) == copy->number;
}

bool ili_loss_find(const struct ili_arena *arena, ili_off object, uint64_t token,
                   struct ili_loss_copy *copy) {
    for (uint32_t i = 0; i < ILI_LOSSES; i++) {
        struct ili_loss *loss = &arena->losses[i];
        if (atomic_load_explicit(&loss->token, memory_order_relaxed) == token &&
            copy_of(loss, copy) && copy->token == token && copy->object == object) {
            return true;
        }
    }
    return false;
}

bool ili_loss_next(const struct ili_arena *arena, uint32_t slot, uint32_t generation,
                   uint64_t *after, struct ili_loss_copy *copy) {
    uint64_t last = atomic_load_explicit(&arena->header->losses, memory_order_acquire);
    if (last > ILI_LOSSES && *after < last - ILI_LOSSES) *after = last - ILI_LOSSES;
    while (*after < last) {
        uint64_t number = *after + 1;
        bool whole = copy_of(&arena->losses[number % ILI_LOSSES], copy);
        /* being written: not yet; unless its writer died, and those behind it are there */
        if ((!whole || copy->number < number) && number == last) return false;
        *after = number;
        if (whole && copy->number == number && copy->slot == slot + 1 &&
            copy->generation == generation) {
            return true;
        }
    }
    return false;
}
