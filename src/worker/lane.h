/*
 * lane.h - the worker's half of the lane (base/lane.h): items from one queue of the server's arena, what came
 * of them into another.
 *
 * A call of ILI_LANE_FUNCTION lasts as long as there are items. It ends early when it is cancelled, or when
 * the client is gone: then it removes what the client left behind. Items are taken one by one; only the
 * one that the function runs for is lost with the worker.
 */
#ifndef ILI_WORKER_LANE_H
#define ILI_WORKER_LANE_H

#include "worker/module.h"

/* Whether this worker can take part: the server said where its arena is. MODULE is borrowed for ever. */
bool worker_lane_prepare(const struct worker_module *module);

/* The function for calls of NAME; NULL: it is not the lane's, or worker_lane_prepare() said no. */
il_status (*worker_lane_function(const char *name))(il_call *);

#endif
