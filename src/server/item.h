/*
 * item.h - a queue's messages as JSON: {"json": …}, {"text": "…"} or {"base64": "…"}.
 *
 * JSON goes in and out as it was written, byte for byte. A message that came through another door and
 * says it is JSON or text, but is not, goes out as what it can be: text, else bytes. So does JSON that is
 * nested too deep, or of more values than value.h takes.
 */
#ifndef ILI_SERVER_ITEM_H
#define ILI_SERVER_ITEM_H

#include "base/fault.h"
#include "base/out.h"
#include "data/queue.h"
#include "server/params.h"

struct ili_item_fields {
    struct ili_value json, text, base64; /* exactly one is to be there */
};

/* For a request's own item; then ili_item_drop() the fields. */

#define ILI_ITEM_PARAMS(fields)                                                                    \
    ILI_PARAM_VALUE("json", &(fields)->json), ILI_PARAM_VALUE("text", &(fields)->text),            \
        ILI_PARAM_VALUE("base64", &(fields)->base64)

/* The message FIELDS stand for, which borrows from their text, not from their json_t, and is decoded in
 * it. WHERE names the item in faults ("items[3]"; "": the body itself). */
il_status ili_item_read(const struct ili_item_fields *fields, const char *where,
                        struct ili_payload *out, struct ili_fault *fault);

void ili_item_drop(struct ili_item_fields *fields);

/* The message that the JSON VALUE is. WHERE is its name. */
il_status ili_item_read_json(const struct ili_value *value, const char *where,
                             struct ili_payload *out, struct ili_fault *fault);

/* The same for an object that holds nothing else. */
il_status ili_item_read_object(const struct ili_value *object, const char *where,
                               struct ili_payload *out, struct ili_fault *fault);

/* Writes the members "type" and "json", "text" or "base64" into the object that is open. */
void ili_item_write(struct ili_out *out, const struct ili_taken *message);

#endif
