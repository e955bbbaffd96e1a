/*
 * big.h - messages of more than IL_MESSAGE_MAX_BYTES.
 *
 * Their parts lie in a list of the domain whose name nobody else has; the message is a text with that name and the
 * length. Who takes the message removes the list. So it outlives its sender, and a receiver that is killed loses it
 * as any other message, but its list stays in the domain; so does the list of a message that nobody ever takes.
 */
#ifndef ILPY_BIG_H
#define ILPY_BIG_H

#include "codec.h"

#define ILPY_BIG_TEXT 96

struct ilpy_big {
    char text[ILPY_BIG_TEXT]; /* the message, ends with NUL */
};

/* Stores MESSAGE, waiting while the domain has no room for it. A status, or ILPY_RAISED. */
il_status ilpy_big_store(ilpy_handle *handle, const struct ilpy_message *message,
                         struct ilpy_big *big, int64_t timeout_ns);
/* Removes what was stored: the message was not sent after all. */
void ilpy_big_drop(ilpy_handle *handle, const struct ilpy_big *big);
/* Whether DATA, a text, is such a message. */
bool ilpy_big_is(const char *data, size_t bytes);
/* Puts BIG in the place of MESSAGE if that is too long, and the codec is PICKLE. A status, or ILPY_RAISED. BIG
 * outlives MESSAGE; its text is empty if nothing was done. */
il_status ilpy_big_out(ilpy_handle *handle, int codec, struct ilpy_message *message,
                       struct ilpy_big *big);
/* A value of a dict or list that was read: where it is big, *DATA, *BYTES and *TYPE become what it stands for, and
 * *WHOLE their owner; else that is NULL. -1: exception set. */
int ilpy_big_in(ilpy_handle *handle, int codec, bool taken, const char **data, size_t *bytes,
                uint32_t *type, PyObject **whole);
/* What it stands for, a bytes object; TAKEN: and removes it. */
PyObject *ilpy_big_fetch(ilpy_handle *handle, const char *data, size_t bytes, bool taken);

#endif
