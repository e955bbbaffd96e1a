/*
 * acquire.h - POST /v1/{locks,rlocks,rwlocks,semaphores,conditions}/NAME/acquire.
 *
 * A grant whose answer could not be written, or whose client left while it waited, goes to the next one
 * at once. A wait that can never end is answered 409 deadlock, with the cycle.
 */
#ifndef ILI_SERVER_ACQUIRE_H
#define ILI_SERVER_ACQUIRE_H

struct ili_request;

void ili_acquire(struct ili_request *request);

#endif
