/*
 * json_order.h - whether two values are equal, and which comes first, without a JSON library.
 *
 * Numbers go by size, as base/json_number.h has it; strings and text by code point; bytes by byte; arrays element by
 * element, then by length. Objects, true, false and null have no order: there each is equal to its like and to
 * nothing else, objects whatever the order of their members (several of one name: in their order). So all that has
 * an order among itself has one that is total.
 */
#ifndef ILI_BASE_JSON_ORDER_H
#define ILI_BASE_JSON_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <interlock.h>

enum ili_order_type {
    ILI_ORDER_NONE = 0,
    ILI_ORDER_NULL,
    ILI_ORDER_BOOLEAN,
    ILI_ORDER_NUMBER,
    ILI_ORDER_STRING, /* of JSON, or text */
    ILI_ORDER_ARRAY,
    ILI_ORDER_OBJECT,
    ILI_ORDER_BYTES,
};

/* For people: "number"; "unknown" for what is none. Borrowed for ever. */
const char *ili_order_type_name(uint32_t type);

/* Two types between whose values there is no order. */
struct ili_order_clash {
    uint32_t has, asked;
};

/* Of two JSON texts that ili_json_check() has accepted; of others something, or IL_ECORRUPT. *ORDER is below 0, 0,
 * above 0. IL_ETYPE: *CLASH says between what there is no order. IL_ENOMEM. */
il_status ili_json_order(const char *a, size_t a_bytes, const char *b, size_t b_bytes, int *order,
                         struct ili_order_clash *clash);
il_status ili_json_equal(const char *a, size_t a_bytes, const char *b, size_t b_bytes, bool *equal);

/* ---- values of any type ---------------------------------------------------------------------------- */

/* A value that is compared often. */
struct ili_order_key {
    uint32_t type;       /* enum ili_order_type */
    uint32_t value_type; /* IL_BYTES, IL_TEXT, IL_JSON */
    bool small;          /* NUMBER holds it */
    int64_t number;
    const char *data; /* borrowed */
    size_t bytes;
};

struct ili_order_key ili_order_key(uint32_t value_type, const void *data, size_t bytes);

/* As above. Equal are values of one type and the same bytes, or JSON that is equal. */
il_status ili_order_of_keys(const struct ili_order_key *a, const struct ili_order_key *b,
                            int *order, struct ili_order_clash *clash);
il_status ili_order_equal_keys(const struct ili_order_key *a, const struct ili_order_key *b,
                               bool *equal);

#endif
