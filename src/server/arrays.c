#include "server/arrays.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number_text.h"
#include "data/cell.h"
#include "server/cells.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/query.h"
#include "server/reply.h"
#include "server/server.h"

#define ITEMS_MOST 10000
#define ANSWER_BYTES ((size_t)4 << 20) /* no more items are written once an answer is so long */

static void view(struct ili_out *out, struct ili_server *server, const void *object, bool whole) {
    struct ili_cells_place place;
    struct ili_cells *cells = (struct ili_cells *)(uintptr_t)object;
    (void)whole;
    il_status status = ili_cells_look(ili_server_member(server), cells, &place);
    if (status != IL_OK) { /* nonsense, or without memory yet */
        place.type = ili_once32(&cells->type);
        place.room = ili_once32(&cells->room);
        place.length = *(const volatile uint64_t *)&cells->length;
    }
    ili_cells_write_type(out, &place);
    ili_out_key(out, "length");
    ili_out_number(out, place.length);
}

const struct ili_collection ili_arrays = {
    .name = "arrays",
    .kind = &ili_array_kind,
    .read = ili_cells_read_options,
    .drop = ili_cells_drop_options,
    .made = ili_cells_made,
    .needed = "length",
    .differ = ili_cells_differ,
    .view = view,
};

/* ---- reading many ----------------------------------------------------------------------------------- */

struct range {
    int64_t start;
    uint64_t count;
};

static il_status read_query(struct ili_request *request, struct range *range,
                            struct ili_fault *fault) {
    char start[24], count[24];
    struct ili_query_param params[] = {ILI_QUERY("start", start), ILI_QUERY("count", count)};
    static const char expected[] = "an integer of 64 bits";
    il_status status = ili_query_read(request, params, 2, fault);
    range->start = 0;
    range->count = ITEMS_MOST;
    if (status == IL_OK && params[0].given &&
        !ili_number_read(IL_I64, start, params[0].bytes, &range->start)) {
        return ili_fault_expected(fault, "start", expected);
    }
    if (status == IL_OK && params[1].given) {
        status =
            ili_params_count("count", count, params[1].bytes, 1, ITEMS_MOST, &range->count, fault);
    }
    return status;
}

/* RANGE as it lies in the array: from 0, and no longer than there are elements. */
static il_status clip(const struct ili_cells_place *place, struct range *range,
                      struct ili_fault *fault) {
    uint64_t from =
        range->start < 0 ? (uint64_t)range->start + place->length : (uint64_t)range->start;
    /* an empty range may begin at the end */
    if (from > place->length) return ili_cells_no_index(place, "start", range->start, fault);
    range->start = (int64_t)from;
    if (range->count > place->length - from) range->count = place->length - from;
    return IL_OK;
}

void ili_arrays_items(struct ili_request *request) {
    struct ili_member *m = ili_server_member(request->server);
    struct ili_cells_place place;
    struct ili_out out = {0};
    struct ili_fault fault;
    struct range range;
    if (read_query(request, &range, &fault) != IL_OK) {
        ili_reply_fault(request, &fault);
        return;
    }
    struct ili_cells *cells = ili_cells_pin(request, &place);
    if (!cells) return;
    if (clip(&place, &range, &fault) != IL_OK) {
        ili_cells_refuse(request, cells, &fault);
        return;
    }
    il_status status = IL_OK;
    ili_out_open(&out, '{');
    ili_out_key(&out, "name");
    ili_out_text(&out, request->name, request->name_bytes);
    ili_cells_write_type(&out, &place);
    ili_out_key(&out, "start");
    ili_out_signed(&out, range.start);
    ili_out_key(&out, "length");
    ili_out_number(&out, place.length);
    ili_out_key(&out, "items");
    ili_out_open(&out, '[');
    for (uint64_t i = 0; i < range.count && status == IL_OK && out.bytes < ANSWER_BYTES; i++) {
        status =
            ili_cell_json_element(&out, m, &place, ili_cells_at(&place, range.start + (int64_t)i));
    }
    ili_out_close(&out, ']');
    ili_out_close(&out, '}');
    ili_unpin(request->server, cells);
    if (status == IL_OK) {
        ili_reply(request, 200, &out);
    } else {
        ili_out_free(&out);
        ili_reply_problem(request, status, NULL);
    }
}

/* ---- writing many ----------------------------------------------------------------------------------- */

/* Reads VALUES as numbers of PLACE into *NUMBERS, owned by the caller also after a failure. */
static il_status read_values(const struct ili_cells_place *place, const struct ili_value *values,
                             uint8_t **numbers, struct ili_fault *fault) {
    struct ili_value_walk walk = {0};
    struct ili_value value;
    size_t count = json_array_size(values->json), at = 0; /* 0 also if it is no array */
    if (count < 1 || count > ITEMS_MOST) {
        return ili_fault_expected(fault, "values", "an array of 1 to 10000 numbers");
    }
    if (!ili_cells_is_number(place->type)) {
        return ili_fault_set(fault, IL_ETYPE, "values", "numbers",
                             "values: the array holds %s, only numbers are written together",
                             ili_cells_type_word(place->type));
    }
    *numbers = malloc(count * place->step);
    if (!*numbers) {
        return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "the server has no memory for them");
    }
    while (ili_value_next(values, &walk, &value)) {
        struct ili_cell_content content;
        char where[32];
        snprintf(where, sizeof where, "values[%zu]", at);
        il_status status = ili_cell_json_read(place, &value, where, &content, fault);
        if (status != IL_OK) return status;
        for (uint32_t i = 0; i < place->step; i++) {
            (*numbers)[at * place->step + i] = content.number[i];
        }
        at++;
    }
    return IL_OK;
}

static il_status write_values(struct ili_member *m, const struct ili_cells_place *place,
                              struct range *range, const uint8_t *numbers,
                              struct ili_fault *fault) {
    int64_t asked = range->start;
    uint64_t count = range->count;
    il_status status = clip(place, range, fault);
    if (status == IL_OK && range->count < count) {
        return ili_fault_set(fault, IL_ERANGE, "values", "as many as there is room for",
                             "values: the array's length is %" PRIu64 ", got start %" PRId64
                             " and %" PRIu64 " values",
                             place->length, asked, count);
    }
    if (status != IL_OK) return status;
    status = ili_cells_check_live(m, place->cells);
    if (status != IL_OK) return ili_fault_set(fault, status, NULL, NULL, "the array was deleted");
    for (uint64_t i = 0; i < count; i++) {
        ili_cell_store(place->type, ili_cells_at(place, range->start + (int64_t)i),
                       numbers + i * place->step);
    }
    return IL_OK;
}

void ili_arrays_write(struct ili_request *request) {
    struct ili_member *m = ili_server_member(request->server);
    struct range range = {0, 0};
    struct ili_value values = {0};
    struct ili_cells_place place;
    struct ili_fault fault;
    struct ili_out out = {0};
    uint8_t *numbers = NULL;
    const struct ili_param params[] = {
        ILI_PARAM_INTEGER("start", &range.start, INT64_MIN + 1, INT64_MAX),
        {"values", ILI_PARAM_IS_VALUE, &values, 0, 0, true}};
    struct ili_cells *cells =
        ili_request_read(request, params, 2) ? ili_cells_pin(request, &place) : NULL;
    if (cells) {
        range.count = json_array_size(values.json);
        il_status status = read_values(&place, &values, &numbers, &fault);
        if (status == IL_OK) status = write_values(m, &place, &range, numbers, &fault);
        if (status == IL_OK) {
            ili_unpin(request->server, cells);
            ili_out_open(&out, '{');
            ili_out_key(&out, "name");
            ili_out_text(&out, request->name, request->name_bytes);
            ili_out_key(&out, "start");
            ili_out_signed(&out, range.start);
            ili_out_key(&out, "written");
            ili_out_number(&out, range.count);
            ili_out_close(&out, '}');
            ili_reply(request, 200, &out);
        } else {
            ili_cells_refuse(request, cells, &fault);
        }
    }
    free(numbers);
    json_decref(values.json);
}
