/*
 * message.h - a queue's message as a JSON item: {"json":…}, {"text":"…"} or {"base64":"…"}.
 *
 * JSON messages are put into the body as they are, and taken out of an answer as they stand there.
 */
#ifndef ILI_CLIENT_MESSAGE_H
#define ILI_CLIENT_MESSAGE_H

#include <interlock.h>

#include "client/buffer.h"
#include "client/json_text.h"

#define ILI_MESSAGE_JSON_DEPTH 64

/* Appends the item's one member, without braces. IL_ETOOBIG; IL_EINVAL: a text that is not UTF-8, or
 * JSON that is not one value; both with the error text, and nothing appended. */
il_status ili_message_write(struct ili_buffer *out, const void *data, size_t bytes, uint32_t type);

/* Appends what ITEM (with a "type") holds. False: it is no item, or no memory (out->failed). */
bool ili_message_read(struct ili_json item, struct ili_buffer *out, uint32_t *type);

/* Bytes that an item of BYTES may take in an answer at most. */
size_t ili_message_spread(size_t bytes);

#endif
