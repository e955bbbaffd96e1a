/*
 * acquire.h - POST /v1/locks/NAME/acquire.
 *
 * A grant whose answer could not be written, or whose client left while it waited, goes to the next one
 * at once.
 */
#ifndef ILI_SERVER_ACQUIRE_H
#define ILI_SERVER_ACQUIRE_H

struct ili_request;

void ili_acquire(struct ili_request *request);

#endif
