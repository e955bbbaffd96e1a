/*
 * take.h - POST /v1/queues/NAME/get, get_many and peek, and /v1/pipes/NAME/receive.
 *
 * An item that was taken for a client goes back to the head of its queue, at its old place, if the
 * answer could not be written.
 */
#ifndef ILI_SERVER_TAKE_H
#define ILI_SERVER_TAKE_H

struct ili_request;

void ili_take_one(struct ili_request *request);
void ili_take_many(struct ili_request *request);
void ili_take_peek(struct ili_request *request);
void ili_take_received(struct ili_request *request);

#endif
