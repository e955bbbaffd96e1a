/*
 * loss.h - what became of grants that were taken from their holders.
 *
 * A ring of the last ILI_LOSSES in the domain: the holder's next call finds out why its token is no longer
 * valid, and a holder that listens is told at once. Written by who voids the grant, after it is void;
 * a death in the middle loses the entry, never the order.
 */
#ifndef ILI_ARENA_LOSS_H
#define ILI_ARENA_LOSS_H

#include "arena/member.h"

/* Notes that the grant TOKEN of the object at OBJECT, of KIND, held by the agent of number OWNER, was
 * voided. WHY: IL_ELEASE, IL_EREVOKED. REASON may be NULL. Wakes those who listen. */
void ili_loss_add(struct ili_member *member, ili_off object, uint32_t kind, uint32_t owner,
                  uint64_t token, il_status why, const char *reason);

/* A copy of an entry. */
struct ili_loss_copy {
    uint64_t number;
    ili_off object;
    uint64_t token;
    uint32_t slot, generation, kind;
    il_status why;
    char reason[ILI_REASON_BYTES]; /* ends with NUL */
};

/* What became of the grant TOKEN of OBJECT. False: nothing is noted. */
bool ili_loss_find(const struct ili_arena *arena, ili_off object, uint64_t token,
                   struct ili_loss_copy *copy);

/* The first loss behind number *AFTER that the session of SLOT (index) and its GENERATION suffered; *AFTER
 * moves on to what was looked at. False: none yet. */
bool ili_loss_next(const struct ili_arena *arena, uint32_t slot, uint32_t generation,
                   uint64_t *after, struct ili_loss_copy *copy);

#endif
