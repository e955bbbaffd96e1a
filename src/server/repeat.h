/*
 * repeat.h - Idempotency-Key at work: a repeated request is answered as the first was.
 *
 * The first request of a key runs; repeats that come meanwhile are parked until it is answered, and
 * told the same. If its answer is not worth keeping (a timeout, say) or its client left, they run
 * themselves, one after the other.
 * What the first request was granted is taken back if its answer got lost, and the record with it, so
 * that a repeat starts afresh; unless a repeat has been told the answer already.
 */
#ifndef ILI_SERVER_REPEAT_H
#define ILI_SERVER_REPEAT_H

#include <stdbool.h>
#include <stddef.h>

struct ili_out;
struct ili_request;

/* A request with a key, complete. True: it is the first, and to be handled. False: it was answered or
 * parked. */
bool ili_repeat_begin(struct ili_request *request);

/* Its answer, worth keeping; BODY NULL: there was no memory for it. Before it is sent. */
void ili_repeat_keep(struct ili_request *request, unsigned http_status, const char *body,
                     size_t body_bytes);

/* Its client has left, but it has done something: repeats are told VIEW, which it takes, with HTTP_STATUS. */
void ili_repeat_leave(struct ili_request *request, unsigned http_status, struct ili_out *view);

/* It was answered: those that wait for it are, too, or run. After it was sent. */
void ili_repeat_answered(struct ili_request *request);

/* It is over. Returns whether what it was granted may be taken back if it was not written. */
bool ili_repeat_completed(struct ili_request *request, bool written);

#endif
