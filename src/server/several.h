/*
 * several.h - POST /v1/acquire and /v1/release: several locks, rlocks, rwlocks and semaphores at once, all
 * or none.
 *
 * While it waits a request holds none of them, so it cannot be part of a deadlock with others of its kind,
 * whatever the order: it tries each, and if one is not to be had gives back those before and waits for that
 * one alone, and then tries the others.
 */
#ifndef ILI_SERVER_SEVERAL_H
#define ILI_SERVER_SEVERAL_H

struct ili_request;

void ili_several_acquire(struct ili_request *request);
void ili_several_release(struct ili_request *request);

#endif
