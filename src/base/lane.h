/*
 * lane.h - what a client of il_workers_map() and the workers of a pool say to each other, through the
 * arena that both are attached to.
 *
 * For each map the client makes, with the unguessable name NAME (ILI_LANE_PREFIX and 32 digits):
 *   the lock NAME                  the client holds it: a worker that finds it free knows that the client
 *                                  is gone, deletes all three and ends
 *   the queue NAME.items.ROUND     the items of one round; closed once all are in it
 *   the queue NAME.results.ROUND   one message for each item of which something came
 * and asks the pool for a call of ILI_LANE_FUNCTION by each worker, with the kwargs
 *   {"name":NAME,"round":0,"function":"f","star":false,"kwargs":{}}
 * That call takes items, one at a time, runs the function, and puts what came of it, until the items are
 * closed and empty. Its progress, and its result, is how many it did.
 *
 * A message is a head and a text: the item, a JSON value; its result; or its error, a JSON object.
 */
#ifndef ILI_BASE_LANE_H
#define ILI_BASE_LANE_H

#include <stddef.h>
#include <stdint.h>

#define ILI_LANE_FUNCTION "interlock.lane"
#define ILI_LANE_PREFIX "interlock.lane."
#define ILI_LANE_NAME_BYTES 80 /* of a queue's name, with a NUL */
#define ILI_LANE_ITEMS "items"
#define ILI_LANE_RESULTS "results"

#define ILI_LANE_FINAL 1u /* flags: another attempt would be in vain */

struct ili_lane_head {
    uint32_t index;
    int32_t status; /* of a result: IL_OK, IL_EFAILED, IL_ECANCELLED */
    uint32_t flags;
    uint32_t reserved;
};

/* Writes the name of queue WHICH to OUT; its length, or 0: LANE is too long. */
size_t ili_lane_queue(char out[ILI_LANE_NAME_BYTES], const char *lane, const char *which,
                      uint32_t round);

#endif
