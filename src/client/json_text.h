/*
 * json_text.h - a value of a JSON text, twice: what jansson made of it, and how it is written.
 *
 * A JSON message passes through here as it was written: numbers of any size, 1.0 beside 1, the order
 * and spelling of everything. jansson's values could not give that back, so each has its part of the
 * text beside it, and numbers are read from there.
 */
#ifndef ILI_CLIENT_JSON_TEXT_H
#define ILI_CLIENT_JSON_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/buffer.h"

#define ILI_JSON_DEPTH 128

/* All zero: not there. The text is borrowed, without the space around the value. */
struct ili_json {
    json_t *json;
    const char *at;
    size_t bytes;
};

/* Whether TEXT is exactly one JSON value (RFC 8259) in UTF-8, nested at most DEPTH deep and without two
 * members of one name in any object; *VALUE is then to be freed. */
bool ili_json_load(const char *text, size_t bytes, unsigned depth, struct ili_json *value);
void ili_json_free(struct ili_json *value); /* it is not there any more */

/* What is found in a value is borrowed from it. */

/* Member KEY of OBJECT; not there if OBJECT is not an object. */
struct ili_json ili_json_member(struct ili_json object, const char *key);

/* A walk over an array; all zero at first. */
struct ili_json_walk {
    const char *at;
    size_t index;
};

/* The next element of ARRAY. Not there: at the end, or not an array. */
struct ili_json ili_json_next(struct ili_json array, struct ili_json_walk *walk);

bool ili_json_is(struct ili_json value, const char *word); /* true, false, null */

/* False: VALUE is not a non-negative integer that fits. The same for one in a string ("17"). */
bool ili_json_number(struct ili_json value, uint64_t *number);
bool ili_json_number_text(struct ili_json value, uint64_t *number);

/* False: VALUE is not a finite number, or negative. *NS is it in nanoseconds, saturating. */
bool ili_json_seconds(struct ili_json value, int64_t *ns);

/* Appends what the string VALUE stands for. False: not a string, or no memory (out->failed). */
bool ili_json_string(struct ili_json value, struct ili_buffer *out);

/* Appends TEXT, which must be UTF-8, as a JSON string. */
void ili_json_quote(struct ili_buffer *out, const char *text, size_t bytes);

#endif
