/*
 * item.h - values of dicts and lists in requests and answers: a message (message.h) with its version.
 */
#ifndef ILI_CLIENT_ITEM_H
#define ILI_CLIENT_ITEM_H

#include "client/call.h"

/* Tells the server what fits into CAPACITY bytes, and lets the answer be that long. The server does nothing if
 * its answer would not fit: IL_ETOOBIG. */
void ili_item_fits(struct ili_call *call, size_t capacity);

/* Adds VALUE without braces, in which the members may follow others. The error text is about it. */
il_status ili_item_write(struct ili_call *call, const il_message *value);

/* Adds the version that something must have: nothing for IL_VERSION_ANY, null for IL_VERSION_NONE. */
void ili_item_expect(struct ili_buffer *body, uint64_t version);

/* Appends the data of the value FROM to OUT. False: it is none, or no memory (out->failed). */
bool ili_item_read(struct ili_json from, struct ili_buffer *out, il_item *item);

/* The end of CALL, which was answered with STATUS: copies the value that the answer holds. IL_ETOOBIG:
 * item->bytes is what it needs. */
il_status ili_item_deliver(struct ili_call *call, il_status status, void *buffer, size_t capacity,
                           il_item *item);

/* IL_ETOOBIG, with the error text. */
il_status ili_item_no_room(uint64_t needed, size_t capacity);

/* How many bytes the answer IL_ETOOBIG says that are needed; if it does not, the most of one value. */
uint64_t ili_item_needed(const struct ili_call *call);

/* The member "version" of the answer: 0 for null. VERSION may be NULL. */
il_status ili_item_version(struct ili_call *call, uint64_t *version);

/* The end of CALL, which was answered with STATUS and a view. VERSION may be NULL. */
il_status ili_item_length(struct ili_call *call, il_status status, uint64_t *length,
                          uint64_t *version);

/* INDEX within what JSON numbers hold exactly, which is beyond the ends of any list. */
long long ili_item_index(int64_t index);
void ili_item_add_index(struct ili_buffer *body, int64_t index);

/* The options of a PUT. */
void ili_item_options(struct ili_call *call, const il_data_options *options);

#endif
