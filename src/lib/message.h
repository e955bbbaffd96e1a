/*
 * message.h - messages as arguments of interlock.h: checked, and copied to where the caller wants them.
 * Internal to lib/.
 */
#ifndef ILI_LIB_MESSAGE_H
#define ILI_LIB_MESSAGE_H

#include "data/queue.h"

/* Checks a message to be sent. IL_EINVAL, IL_ETOOBIG, with the error text. */
il_status ili_message_check(const void *data, uint64_t bytes, uint32_t type);

/* The caller's BUFFER (may be NULL) as a place for a message. */
struct ili_taken ili_message_room(void *buffer, size_t capacity);

/* STATUS of taking MESSAGE, with the error text for WHAT; tells its size, also if it does not fit, and its
 * type (TYPE may be NULL). */
il_status ili_message_taken(il_status status, const struct ili_taken *message, size_t *bytes,
                            uint32_t *type, const char *what);

#endif
