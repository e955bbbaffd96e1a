/* array.c - il_array_… : the fast paths; the rest is in cells.c. */
#include <string.h>

#include "lib/cells.h"

static il_status no_array(void) {
    return ili_fail(IL_EINVAL, "array: expected an array, got NULL");
}

/* The element at INDEX if it is a number of TYPE that may be used at once; else NULL. */
static inline void *at_hand(const il_array *array, int64_t index, uint32_t type) {
    if (!array || array->h.place.type != type || !array->h.place.first) return NULL;
    if (atomic_load_explicit(&array->h.member->self, memory_order_relaxed) == 0) return NULL;
    return ili_cells_at(&array->h.place, index);
}

/* After a change: the array is there. A deleted one's elements are seen by nobody. relaxed: one that is being
 * deleted may be found either way */
static inline il_status still_there(const il_array *array) {
    uint32_t flags = atomic_load_explicit(&array->h.place.cells->flags, memory_order_relaxed);
    return __builtin_expect(flags & ILI_CELLS_DELETED, 0) ? ili_report(IL_EDELETED, "array")
                                                          : IL_OK;
}

il_status il_array_open(il_domain *domain, const char *name, size_t name_bytes,
                        const il_array_options *options, il_array **out) {
    struct ili_cells_options made = {0};
    if (options && options->struct_bytes < sizeof *options) {
        return ili_fail(IL_EINVAL, "options.struct_bytes: expected sizeof(il_array_options)");
    }
    if (options && options->reserved) return ili_fail(IL_EINVAL, "options.reserved: expected 0");
    if (options) {
        made = (struct ili_cells_options){options->type, options->room, options->length};
    }
    return ili_cells_open(domain, ILI_KIND_ARRAY, name, name_bytes, options ? &made : NULL,
                          sizeof **out, out);
}

il_status il_array_close(il_array *array) { return ili_cells_close(array ? &array->h : NULL); }

il_status il_array_delete(il_domain *domain, const char *name, size_t name_bytes) {
    return ili_cells_delete(domain, ILI_KIND_ARRAY, name, name_bytes);
}

il_status il_array_type(il_array *array, uint32_t *type, uint32_t *room) {
    return array ? ili_cells_type(&array->h, type, room) : no_array();
}

il_status il_array_length(il_array *array, uint64_t *length) {
    if (!array) return no_array();
    if (!length) return ili_cells_missing("length");
    *length = array->h.place.length;
    return IL_OK;
}

/* ---- one element ---------------------------------------------------------------------------------- */

il_status il_array_load(il_array *array, int64_t index, uint32_t type, void *out) {
    if (!array) return no_array();
    return ili_cells_call_load(&array->h, index, type, out);
}

il_status il_array_store(il_array *array, int64_t index, uint32_t type, const void *in) {
    /* the most usual sizes are not looked up by their type, and call nothing */
    void *at = in ? at_hand(array, index, type) : NULL;
    if (at && (type == IL_I64 || type == IL_U64 || type == IL_F64)) {
        uint64_t bits;
        memcpy(&bits, in, sizeof bits);
        atomic_store((_Atomic uint64_t *)at, bits);
        return still_there(array);
    }
    if (at && ili_cells_is_number(type)) {
        ili_cell_store(type, at, in);
        return still_there(array);
    }
    if (!array) return no_array();
    return ili_cells_call_store(&array->h, index, type, in);
}

il_status il_array_add(il_array *array, int64_t index, uint32_t type, const void *delta,
                       void *before) {
    if (!array) return no_array();
    return ili_cells_call_add(&array->h, index, type, delta, before);
}

il_status il_array_exchange(il_array *array, int64_t index, uint32_t type, const void *in,
                            void *before) {
    if (!array) return no_array();
    return ili_cells_call_exchange(&array->h, index, type, in, before);
}

il_status il_array_compare_exchange(il_array *array, int64_t index, uint32_t type, void *expected,
                                    const void *desired, int32_t *swapped) {
    if (!array) return no_array();
    return ili_cells_call_compare_exchange(&array->h, index, type, expected, desired, swapped);
}

il_status il_array_get(il_array *array, int64_t index, void *buffer, size_t capacity,
                       size_t *bytes) {
    if (!array) return no_array();
    return ili_cells_call_get(&array->h, index, buffer, capacity, bytes);
}

il_status il_array_set(il_array *array, int64_t index, const void *data, size_t bytes) {
    if (!array) return no_array();
    return ili_cells_call_set(&array->h, index, data, bytes);
}

il_status il_array_compare_set(il_array *array, int64_t index, const void *expected,
                               size_t expected_bytes, const void *desired, size_t desired_bytes,
                               int32_t *swapped) {
    if (!array) return no_array();
    return ili_cells_call_compare_set(&array->h, index, expected, expected_bytes, desired,
                                      desired_bytes, swapped);
}

/* ---- many ------------------------------------------------------------------------------------------- */

/* COUNT numbers of TYPE from *START on; *FIRST is the first of them, NULL: remote, or COUNT is 0. */
static il_status find_range(const il_array *array, int64_t *start, uint64_t count, uint32_t type,
                            uint8_t **first) {
    void *any;
    il_status status = ili_cells_number(&array->h, 0, type, &any);
    if (status == IL_OK) status = ili_cells_range(&array->h, start, count);
    if (status == IL_OK) *first = any && count ? ili_cells_at(&array->h.place, *start) : NULL;
    return status;
}

il_status il_array_read(il_array *array, int64_t start, uint64_t count, uint32_t type, void *out) {
    uint8_t *at;
    if (!array) return no_array();
    if (!out && count) return ili_cells_missing("out");
    il_status status = find_range(array, &start, count, type, &at);
    if (status != IL_OK) return status;
    if (!array->h.place.first) {
        return array->h.remote_ops->cells_read(array->h.remote, (uint64_t)start, count, type, out);
    }
    uint32_t step = array->h.place.step;
    for (uint64_t i = 0; i < count; i++) {
        ili_cell_load(type, at + i * step, (uint8_t *)out + i * step);
    }
    return IL_OK;
}

il_status il_array_write(il_array *array, int64_t start, uint64_t count, uint32_t type,
                         const void *in) {
    uint8_t *at;
    if (!array) return no_array();
    if (!in && count) return ili_cells_missing("in");
    il_status status = find_range(array, &start, count, type, &at);
    if (status != IL_OK) return status;
    if (!array->h.place.first) {
        return array->h.remote_ops->cells_write(array->h.remote, (uint64_t)start, count, type, in);
    }
    uint32_t step = array->h.place.step;
    for (uint64_t i = 0; i < count; i++) {
        ili_cell_store(type, at + i * step, (const uint8_t *)in + i * step);
    }
    return still_there(array);
}

il_status il_array_lock(il_array *array, il_rlock **out) {
    return array ? ili_cells_lock(&array->h, out) : no_array();
}

il_status il_array_memory(il_array *array, void **memory, uint64_t *bytes) {
    if (!array) return no_array();
    if (!bytes) return ili_cells_missing("bytes");
    return ili_cells_memory(&array->h, memory, bytes);
}
