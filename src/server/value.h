/*
 * value.h - reading JSON without making values of it: a text is checked once, then walked in spans.
 *
 * An item of a queue must come out as it was put: numbers of any size, 1.0 beside 1, keys in their
 * order. A parser that builds values could not promise that, and would copy 16 MiB for nothing. So
 * ili_value_parse() proves that the text is JSON, and everything else here may then trust it.
 */
#ifndef ILI_SERVER_VALUE_H
#define ILI_SERVER_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "server/fault.h"

#define ILI_VALUE_DEPTH 64 /* of a value in an item; an array of scalars has depth 1 */

enum ili_value_type {
    ILI_VALUE_NONE = 0, /* not there */
    ILI_VALUE_NULL,
    ILI_VALUE_BOOL,
    ILI_VALUE_NUMBER,
    ILI_VALUE_STRING,
    ILI_VALUE_ARRAY,
    ILI_VALUE_OBJECT,
};

/* A value in a checked text, without space around it; a string with its quotes. Borrowed. */
struct ili_value {
    enum ili_value_type type;
    char *at;
    size_t bytes;
};

/* Whether TEXT is exactly one JSON value (RFC 8259) in UTF-8, nested at most DEPTH deep (up to 128)
 * and without two members of one name in any object. IL_OK; IL_EINVAL, *FAULT says where and what;
 * IL_ENOMEM. */
il_status ili_value_parse(char *text, size_t bytes, unsigned depth, struct ili_value *out,
                          struct ili_fault *fault);

/* Walks an object's members or, with KEY NULL, an array's elements. *AT is NULL at first. False: there
 * is no more. */
bool ili_value_next(const struct ili_value *of, char **at, struct ili_value *key,
                    struct ili_value *value);

/* How deep VALUE is nested. */
unsigned ili_value_depth(const struct ili_value *value);

/* Turns the string VALUE, in its place, into what it stands for; *BYTES is its length. The text is
 * no longer JSON there. Returns where it begins. */
char *ili_value_unescape(const struct ili_value *value, size_t *bytes);

#endif
