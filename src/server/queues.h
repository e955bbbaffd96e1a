/*
 * queues.h - /v1/queues: queues as objects. Putting is put.c, taking is take.c.
 */
#ifndef ILI_SERVER_QUEUES_H
#define ILI_SERVER_QUEUES_H

struct ili_request;

void ili_queues_list(struct ili_request *request);
void ili_queues_get(struct ili_request *request);
void ili_queues_put(struct ili_request *request);
void ili_queues_delete(struct ili_request *request);
void ili_queues_close(struct ili_request *request);

#endif
