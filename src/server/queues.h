/*
 * queues.h - /v1/queues: queues as objects. Putting is put.c, taking is take.c.
 */
#ifndef ILI_SERVER_QUEUES_H
#define ILI_SERVER_QUEUES_H

#include "server/objects.h"

extern const struct ili_collection ili_queues;

void ili_queues_close(struct ili_request *request);

#endif
