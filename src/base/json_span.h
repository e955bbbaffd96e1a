/*
 * json_span.h - which part of a JSON text is which value, for what must go on as it was written.
 *
 * A parser's values do not tell 1.0 from 1.00, nor hold 123456789012345678901234567890. So a text is
 * given to a JSON library first, and then walked here beside the library's values, in their order.
 * Only over text that a JSON parser accepted: nothing is checked here.
 */
#ifndef ILI_BASE_JSON_SPAN_H
#define ILI_BASE_JSON_SPAN_H

#include <stdbool.h>
#include <stddef.h>

/* A value as it is written, without space around it; a string with its quotes. Borrowed. */
struct ili_json_span {
    const char *at;
    size_t bytes;
};

/* The one value that TEXT consists of. */
struct ili_json_span ili_json_span(const char *text, size_t bytes);

/* Walks an array's elements, or the values of an object's members. *AT is NULL at first. False: there
 * is no more. */
bool ili_json_span_next(struct ili_json_span of, const char **at, struct ili_json_span *value);

/* The same over an object, with the names: *KEY with its quotes, as it is written. */
bool ili_json_span_member(struct ili_json_span of, const char **at, struct ili_json_span *key,
                          struct ili_json_span *value);

/* How deep it is nested: 0 for a scalar, 1 for an array of scalars. */
unsigned ili_json_span_depth(struct ili_json_span of);

/*
 * The same text with its numbers shortened until they fit a double, for a parser that refuses the
 * others: what was JSON stays JSON and what was not is still not. This may be any text, and the
 * parser's numbers are then not to be trusted.
 *
 *     struct ili_json_fitting from = {.at = text, .end = text + bytes};
 *     ... ili_json_fit(room, room_bytes, &from) until it returns 0
 */
struct ili_json_fitting {
    const char *at, *end;
    unsigned digits; /* that were met in a row */
    bool in_string, escaped, exponent;
};

/* Writes the next bytes to ROOM; how many. FROM is a struct ili_json_fitting. */
size_t ili_json_fit(void *room, size_t room_bytes, void *from);

#endif
