/*
 * json_text.h - JSON text taken apart without being turned into values.
 *
 * A JSON message passes through here as it was written: numbers of any size, 1.0 beside 1, the order
 * and spelling of everything. A parser that makes values of it could not give that back. So answers
 * are checked once, by ili_json_check(), and then cut into spans of the text.
 */
#ifndef ILI_CLIENT_JSON_TEXT_H
#define ILI_CLIENT_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/buffer.h"

#define ILI_JSON_DEPTH 128

/* A part of a text that was checked, without the space around it. Borrowed from that text. */
struct ili_json {
    const char *at; /* NULL: not there */
    size_t bytes;
};

/* Whether TEXT is exactly one JSON value (RFC 8259) in UTF-8, nested at most DEPTH (up to
 * ILI_JSON_DEPTH) deep; *VALUE is its span. Members of one name in an object are not looked for. */
bool ili_json_check(const char *text, size_t bytes, unsigned depth, struct ili_json *value);

/* Member KEY (ASCII, and found only if it is spelled without escapes) of OBJECT, the last one of
 * several; not there if OBJECT is not an object. */
struct ili_json ili_json_member(struct ili_json object, const char *key);

/* The next element of ARRAY; *AT is 0 at first. Not there: at the end, or not an array. */
struct ili_json ili_json_next(struct ili_json array, size_t *at);

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
