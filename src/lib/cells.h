/*
 * cells.h - what the handles of values and arrays have in common. Internal to lib/.
 *
 * A handle knows where the elements lie, of what type and how many they are, from when it was opened; a fast path
 * looks at nothing else but whether the process may act, and whether the object was deleted.
 */
#ifndef ILI_LIB_CELLS_H
#define ILI_LIB_CELLS_H

#include "data/cell.h"
#include "data/cells.h"
#include "lib/domain.h"

struct ili_cells_handle {
    struct ili_cells_place place; /* first is NULL, and so is cells: remote */
    const struct ili_member *member;
    uint32_t kind; /* ILI_KIND_VALUE, ILI_KIND_ARRAY */
    struct ili_handle handle;
    const struct ili_remote_ops *remote_ops;
    struct ili_remote_cells *remote;
    il_domain *domain;
    _Atomic(il_rlock *) lock; /* its own; NULL: not opened yet */
    size_t name_bytes;        /* 0: anonymous */
    char name[IL_NAME_MAX_BYTES];
};

struct il_value {
    struct ili_cells_handle h;
};

struct il_array {
    struct ili_cells_handle h;
};

/* All of these write the error text. */

/* OPTIONS NULL: one that exists, as it is; else, if it is a value, an IL_I64. *OUT is memory of BYTES that begins with the
 * handle. */
il_status ili_cells_open(il_domain *domain, uint32_t kind, const char *name, size_t name_bytes,
                         const struct ili_cells_options *options, size_t bytes, void *out);
il_status ili_cells_close(struct ili_cells_handle *h); /* frees H; NULL is allowed */
il_status ili_cells_delete(il_domain *domain, uint32_t kind, const char *name, size_t name_bytes);

/* Whether a call on a number of TYPE, or on bytes or text, may be made: IL_OK, and *ELEMENT is it; NULL: remote. */
il_status ili_cells_number(const struct ili_cells_handle *h, int64_t index, uint32_t type,
                           void **element);
il_status ili_cells_fixed(const struct ili_cells_handle *h, int64_t index, void **element);

/* The slow half of the calls on one element. */
il_status ili_cells_call_load(const struct ili_cells_handle *h, int64_t index, uint32_t type,
                              void *out);
il_status ili_cells_call_store(const struct ili_cells_handle *h, int64_t index, uint32_t type,
                               const void *in);
il_status ili_cells_call_add(const struct ili_cells_handle *h, int64_t index, uint32_t type,
                             const void *delta, void *before);
il_status ili_cells_call_exchange(const struct ili_cells_handle *h, int64_t index, uint32_t type,
                                  const void *in, void *before);
il_status ili_cells_call_compare_exchange(const struct ili_cells_handle *h, int64_t index,
                                          uint32_t type, void *expected, const void *desired,
                                          int32_t *swapped);
il_status ili_cells_call_get(const struct ili_cells_handle *h, int64_t index, void *buffer,
                             size_t capacity, size_t *bytes);
il_status ili_cells_call_set(const struct ili_cells_handle *h, int64_t index, const void *data,
                             size_t bytes);
il_status ili_cells_call_compare_set(const struct ili_cells_handle *h, int64_t index,
                                     const void *expected, size_t expected_bytes,
                                     const void *desired, size_t desired_bytes, int32_t *swapped);

il_status ili_cells_type(const struct ili_cells_handle *h, uint32_t *type, uint32_t *room);
il_status ili_cells_lock(struct ili_cells_handle *h, il_rlock **out);
il_status ili_cells_memory(const struct ili_cells_handle *h, void **memory, uint64_t *bytes);

/* COUNT elements from *START on, which is then not negative; IL_ERANGE. */
il_status ili_cells_range(const struct ili_cells_handle *h, int64_t *start, uint64_t count);

il_status ili_cells_missing(const char *argument); /* it is NULL */

#endif
