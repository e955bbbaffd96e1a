/* value.c - il_value_… : the fast paths; the rest is in cells.c. */
#include <string.h>

#include "lib/cells.h"

static il_status no_value(void) { return ili_fail(IL_EINVAL, "value: expected a value, got NULL"); }

/* Whether a number of TYPE may be used at once. A deleted value's can as well: nobody else sees it any more. */
static inline bool is_at_hand(const il_value *value, uint32_t type) {
    return value && value->h.place.type == type && ili_cells_is_number(type) &&
           value->h.place.first &&
           atomic_load_explicit(&value->h.member->self, memory_order_relaxed) != 0;
}

/* After a change: nobody watches, and it is not deleted. seq_cst: see ili_cells_changed() */
static inline bool is_quiet(const struct ili_cells *cells) {
    return __builtin_expect(atomic_load(&cells->flags) == 0, 1);
}

/* The change was made; somebody watches, or the value was deleted. */
static il_status changed(const il_value *value) {
    ili_cells_changed(value->h.handle.member, value->h.place.cells);
    uint32_t flags = atomic_load_explicit(&value->h.place.cells->flags, memory_order_relaxed);
    return flags & ILI_CELLS_DELETED ? ili_report(IL_EDELETED, "value") : IL_OK;
}

il_status il_value_open(il_domain *domain, const char *name, size_t name_bytes,
                        const il_value_options *options, il_value **out) {
    struct ili_cells_options made = {IL_I64, 0, 1};
    if (options && options->struct_bytes < sizeof *options) {
        return ili_fail(IL_EINVAL, "options.struct_bytes: expected sizeof(il_value_options)");
    }
    if (options && options->reserved) return ili_fail(IL_EINVAL, "options.reserved: expected 0");
    if (options) made = (struct ili_cells_options){options->type, options->room, 1};
    return ili_cells_open(domain, ILI_KIND_VALUE, name, name_bytes, options ? &made : NULL,
                          sizeof **out, out);
}

il_status il_value_close(il_value *value) { return ili_cells_close(value ? &value->h : NULL); }

il_status il_value_delete(il_domain *domain, const char *name, size_t name_bytes) {
    return ili_cells_delete(domain, ILI_KIND_VALUE, name, name_bytes);
}

il_status il_value_type(il_value *value, uint32_t *type, uint32_t *room) {
    return value ? ili_cells_type(&value->h, type, room) : no_value();
}

il_status il_value_load(il_value *value, uint32_t type, void *out) {
    if (!value) return no_value();
    return ili_cells_call_load(&value->h, 0, type, out);
}

il_status il_value_store(il_value *value, uint32_t type, const void *in) {
    if (in && is_at_hand(value, type)) {
        ili_cell_store(type, value->h.place.first, in);
        return is_quiet(value->h.place.cells) ? IL_OK : changed(value);
    }
    if (!value) return no_value();
    return ili_cells_call_store(&value->h, 0, type, in);
}

il_status il_value_add(il_value *value, uint32_t type, const void *delta, void *before) {
    /* the most usual one is not looked up by its type, and calls nothing */
    if (delta && type == IL_I64 && is_at_hand(value, IL_I64)) {
        struct ili_cells *cells = value->h.place.cells;
        uint64_t by, was;
        memcpy(&by, delta, sizeof by);
        was = atomic_fetch_add(&cells->number, by);
        if (before) memcpy(before, &was, sizeof was);
        return is_quiet(cells) ? IL_OK : changed(value);
    }
    if (!value) return no_value();
    return ili_cells_call_add(&value->h, 0, type, delta, before);
}

il_status il_value_exchange(il_value *value, uint32_t type, const void *in, void *before) {
    if (!value) return no_value();
    return ili_cells_call_exchange(&value->h, 0, type, in, before);
}

il_status il_value_compare_exchange(il_value *value, uint32_t type, void *expected,
                                    const void *desired, int32_t *swapped) {
    if (!value) return no_value();
    return ili_cells_call_compare_exchange(&value->h, 0, type, expected, desired, swapped);
}

il_status il_value_get(il_value *value, void *buffer, size_t capacity, size_t *bytes) {
    if (!value) return no_value();
    return ili_cells_call_get(&value->h, 0, buffer, capacity, bytes);
}

il_status il_value_set(il_value *value, const void *data, size_t bytes) {
    if (!value) return no_value();
    return ili_cells_call_set(&value->h, 0, data, bytes);
}

il_status il_value_compare_set(il_value *value, const void *expected, size_t expected_bytes,
                               const void *desired, size_t desired_bytes, int32_t *swapped) {
    if (!value) return no_value();
    return ili_cells_call_compare_set(&value->h, 0, expected, expected_bytes, desired,
                                      desired_bytes, swapped);
}

il_status il_value_lock(il_value *value, il_rlock **out) {
    return value ? ili_cells_lock(&value->h, out) : no_value();
}

il_status il_value_memory(il_value *value, void **memory) {
    return value ? ili_cells_memory(&value->h, memory, NULL) : no_value();
}
