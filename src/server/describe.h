/*
 * describe.h - a failure in words: which object, and what was the matter with it.
 */
#ifndef ILI_SERVER_DESCRIBE_H
#define ILI_SERVER_DESCRIBE_H

#include <stddef.h>

#include <interlock.h>

struct ili_request;

/* Says in ROOM why REQUEST ended with STATUS, as far as that follows from the two. */
void ili_describe(const struct ili_request *request, il_status status, char *room,
                  size_t room_bytes);

#endif
