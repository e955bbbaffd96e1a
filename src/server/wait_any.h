/*
 * wait_any.h - POST /v1/wait: the first of several objects: a lock, rlock, rwlock or semaphore, which is then
 * acquired; an event that is set, a latch at 0, a queue that has an item or is closed, of which nothing is
 * taken. Of several that are ready, the first.
 */
#ifndef ILI_SERVER_WAIT_ANY_H
#define ILI_SERVER_WAIT_ANY_H

struct ili_request;

void ili_wait_any(struct ili_request *request);

#endif
