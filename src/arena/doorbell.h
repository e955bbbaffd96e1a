/*
 * doorbell.h - waking the waiters that the server parks for its clients.
 *
 * Such a waiter has an agent but no thread. Whoever changes its state sets the agent's bit and rings
 * one eventfd that one server thread listens to. Bits rather than a list: setting one twice is
 * harmless, so nothing can be damaged by a death between two steps; after a death the keeper looks
 * at all bits (ili_doorbell_collect with SWEEP).
 */
#ifndef ILI_ARENA_DOORBELL_H
#define ILI_ARENA_DOORBELL_H

#include "arena/member.h"

/* Any process: rings for the agent of NUMBER (index + 1). */
void ili_doorbell_ring(struct ili_member *member, uint32_t number);

/* Rings without a bit: for a change of another bitmap that the listener looks at (lease.h). */
void ili_doorbell_write(struct ili_member *member);

/* The listener, before it looks at any bitmap: rings from now on are told by the eventfd again.
 * ili_doorbell_collect() does it itself. */
void ili_doorbell_hear(struct ili_member *member);

/* The listener: calls HEARD once for each agent rung for since the last call. With SWEEP it does not
 * trust the summary, for the time after a death. The eventfd must have been read before. */
void ili_doorbell_collect(struct ili_member *member, bool sweep,
                          void (*heard)(uint32_t number, void *context), void *context);

#endif
