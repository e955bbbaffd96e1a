/*
 * events.h - /v1/events: flags to wait for.
 */
#ifndef ILI_SERVER_EVENTS_H
#define ILI_SERVER_EVENTS_H

#include "server/objects.h"

extern const struct ili_collection ili_events;

void ili_events_set(struct ili_request *request);
void ili_events_clear(struct ili_request *request);
void ili_events_wait(struct ili_request *request);

#endif
