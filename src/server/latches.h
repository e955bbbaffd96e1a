/*
 * latches.h - /v1/latches: counts that only fall, to wait for 0.
 */
#ifndef ILI_SERVER_LATCHES_H
#define ILI_SERVER_LATCHES_H

#include "server/objects.h"

extern const struct ili_collection ili_latches;

void ili_latches_count_down(struct ili_request *request);
void ili_latches_wait(struct ili_request *request);

#endif
