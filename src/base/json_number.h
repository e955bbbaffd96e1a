/* json_number.h - which of two numbers of JSON texts is larger, exactly, without a JSON library. */
#ifndef ILI_BASE_JSON_NUMBER_H
#define ILI_BASE_JSON_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A number as it is written. Without fraction and exponent it is the integer that it says, however long; else
 * it is the double next to it, as for Python: 1 and 1.0 are equal, 9007199254740993 and 9007199254740993.0 are
 * not. Text is borrowed.
 */
struct ili_json_number {
    bool integer, negative;
    const char *digits; /* integer: without leading zeros; of 0 there are none */
    size_t count;
    double value; /* if not integer; may be infinite */
};

/* TEXT is one number, or anything: then so is the result. */
struct ili_json_number ili_json_number(const char *text, size_t bytes);

/* Below 0, 0, above 0. */
int ili_json_number_order(const struct ili_json_number *a, const struct ili_json_number *b);

/* Whether it is an integer that fits: *VALUE. */
bool ili_json_number_small(const struct ili_json_number *number, int64_t *value);

#endif
