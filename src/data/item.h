/* item.h - what dicts, lists and pipes take and give: bytes with a type, and a version. */
#ifndef ILI_DATA_ITEM_H
#define ILI_DATA_ITEM_H

#include <stdbool.h>
#include <stdint.h>

struct ili_member;

/* Where an item goes: ROOM bytes at DATA, or memory that is allocated for it. */
struct ili_item {
    void *data;    /* in: NULL: allocate at most ROOM bytes, then owned by the caller: free() */
    uint64_t room; /* in */
    uint64_t bytes, version; /* out; BYTES also with IL_ETOOBIG */
    uint32_t type;           /* out */
};

/* The limits of a dict or list. As options, 0 is the default; in the object all are set. */
struct ili_limits {
    uint64_t max_entries, max_entry_bytes, max_bytes;
};

/* OPTIONS (NULL: defaults) with every limit set. */
struct ili_limits ili_limits_of(const struct ili_member *member, const struct ili_limits *options);
bool ili_limits_same(const struct ili_limits *limits, const struct ili_limits *others);

/* What a change that was refused, or an index that is none, is told about. */
struct ili_refusal {
    uint64_t which;   /* of several changes: its number */
    uint64_t version; /* IL_ECHANGED: what the entry has; 0: it is not there */
    uint64_t limit;   /* IL_EOVERFLOW: the limit; IL_ERANGE: the length */
    const char *what; /* IL_EOVERFLOW: "max_entries", "max_entry_bytes", "max_bytes". Static */
    uint32_t has,
        asked; /* IL_ETYPE of a sort: the two types (enum ili_order_type of base/json_order.h) */
};

#endif
