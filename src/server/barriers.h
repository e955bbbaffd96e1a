/*
 * barriers.h - /v1/barriers: places where so many waits meet and go on together.
 *
 * A wait over HTTP that ends without the others (its time is up, its client leaves, its session ends)
 * breaks the barrier, as that of a thread does.
 */
#ifndef ILI_SERVER_BARRIERS_H
#define ILI_SERVER_BARRIERS_H

#include "server/objects.h"

extern const struct ili_collection ili_barriers;

void ili_barriers_wait(struct ili_request *request);
void ili_barriers_reset(struct ili_request *request);
void ili_barriers_abort(struct ili_request *request);

#endif
