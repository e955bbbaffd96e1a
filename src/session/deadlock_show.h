/* deadlock_show.h - what deadlock.c found, for people. Internal to it. */
#ifndef ILI_SESSION_DEADLOCK_SHOW_H
#define ILI_SESSION_DEADLOCK_SHOW_H

#include "session/deadlock.h"
#include "session/wait_graph.h"

/* Copies the COUNT cycles of RESULT that CYCLES names, and the waits in them, or with EVERYTHING all waits
 * of GRAPH. *OUT owned: ili_deadlocks_free(), on success. IL_ENOMEM. */
il_status ili_deadlock_show(struct ili_member *member, const struct ili_wait_graph *graph,
                            const struct ili_waitfor_result *result, const uint32_t *cycles,
                            uint32_t count, bool everything, struct ili_deadlocks *out);

/* Remembers CYCLE for ili_deadlock_last(). */
void ili_deadlock_note(struct ili_member *member, const struct ili_wait_graph *graph,
                       const struct ili_waitfor_result *result, uint32_t cycle);

#endif
