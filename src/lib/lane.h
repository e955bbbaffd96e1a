/*
 * lane.h - il_workers_map() by the lane: two queues of the arena between this process and the workers
 * of a pool on the same host (base/lane.h). Its guarantees are in interlock.h.
 */
#ifndef ILI_LIB_LANE_H
#define ILI_LIB_LANE_H

#include "lib/domain.h"

#define ILI_LANE_LEAST 32 /* items; for fewer, setting the lane up costs more than it saves */

/* Tells MAP's results; TIMEOUT_NS as in il_workers_map(). WORKERS is of a unix: domain, and LANES what its
 * pool offers. IL_OK: every item was told, however it ended. Writes the error text on failure. */
il_status ili_lane_map(struct il_workers *workers, const struct ili_remote_map *map,
                       const struct ili_remote_lanes *lanes, int64_t timeout_ns);

#endif
