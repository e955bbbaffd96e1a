/*
 * value.h - a value of a JSON text, twice: what jansson made of it, and how it is written.
 *
 * jansson says whether a text is JSON, of what type a value is and what a string stands for. But an
 * item of a queue must come out as it was put: numbers of any size, 1.0 beside 1, keys in their order.
 * So each value keeps its part of the text beside it, and numbers are read from there.
 */
#ifndef ILI_WORK_VALUE_H
#define ILI_WORK_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"

#define ILI_VALUE_DEPTH 64 /* of a value in an item; an array of scalars has depth 1 */

/* All zero: not there. The text is borrowed, without space around it; a string with its quotes. */
struct ili_value {
    json_t *json;
    char *at;
    size_t bytes;
};

/* A walk over an array or object; all zero at first. */
struct ili_value_walk {
    const char *at;
    void *member;
    size_t index;
    const char *key; /* of the member that was met last, borrowed from the object */
};

/* Reads TEXT, which is to be one JSON value (RFC 8259) in UTF-8 without two members of one name in any
 * object. IL_OK: OUT->json is owned, for json_decref(). IL_EINVAL, *FAULT says where and what: also for
 * a name that holds \u0000, which jansson has no room for; IL_ETOOBIG: it has too many values;
 * IL_ENOMEM. */
il_status ili_value_load(char *text, size_t bytes, struct ili_value *out, struct ili_fault *fault);

/* The next element or member, borrowed from OF. False: there is no more. */
bool ili_value_next(const struct ili_value *of, struct ili_value_walk *walk,
                    struct ili_value *value);

unsigned ili_value_depth(const struct ili_value *value);

/* Turns the string VALUE, in the text, into what it stands for: it outlives the json_t. *BYTES is its
 * length. The text is no longer JSON there. Returns where it begins. */
char *ili_value_text(const struct ili_value *value, size_t *bytes);

#endif
