#include "server/cell_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/number_text.h"
#include "data/cell.h"

/* "a string": what VALUE is in JSON. */
static const char *json_word(const struct ili_value *value) {
    switch (json_typeof(value->json)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a string";
    case JSON_INTEGER:
    case JSON_REAL: return "a number";
    case JSON_TRUE:
    case JSON_FALSE: return "a boolean";
    default: return "null";
    }
}

static il_status mismatch(const struct ili_cells_place *place, const struct ili_value *value,
                          const char *where, struct ili_fault *fault) {
    const char *holds = ili_cells_type_word(place->type);
    return ili_fault_set(fault, IL_ETYPE, where, holds, "%s: the %s holds %s, the request has %s",
                         where, ili_kind_word(place->cells->object.kind), holds, json_word(value));
}

static il_status read_number(const struct ili_cells_place *place, const struct ili_value *value,
                             const char *where, struct ili_cell_content *out,
                             struct ili_fault *fault) {
    bool fits;
    if (json_is_number(value->json)) {
        fits = ili_number_read(place->type, value->at, value->bytes, out->number);
    } else if (json_is_string(value->json) && place->type >= IL_F32) {
        /* the words have no escapes in them */
        fits = ili_number_read_word(place->type, json_string_value(value->json),
                                    json_string_length(value->json), out->number);
        if (!fits) return mismatch(place, value, where, fault);
    } else {
        return mismatch(place, value, where, fault);
    }
    if (fits) return IL_OK;
    const char *range = ili_number_range(place->type);
    return ili_fault_expected(fault, where, range);
}

il_status ili_cell_json_read(const struct ili_cells_place *place, const struct ili_value *value,
                             const char *where, struct ili_cell_content *out,
                             struct ili_fault *fault) {
    if (ili_cells_is_number(place->type)) return read_number(place, value, where, out, fault);
    if (!json_is_string(value->json)) return mismatch(place, value, where, fault);
    size_t bytes;
    if (place->type == IL_FIXED_TEXT) {
        out->data = ili_value_text(value, &bytes);
    } else {
        const char *digits = json_string_value(value->json);
        bytes = json_string_length(value->json);
        if (!ili_base64_decode(value->at, &bytes, digits, bytes)) {
            return ili_fault_set(fault, IL_EINVAL, where, "padded base64 (RFC 4648)",
                                 "%s: expected a string of padded base64 (RFC 4648)", where);
        }
        out->data = value->at;
    }
    out->bytes = bytes;
    if (bytes <= place->room) return IL_OK;
    return ili_fault_set(fault, IL_ETOOBIG, where, "no more than there is room for",
                         "%s: expected at most %u bytes, got %zu", where, place->room, bytes);
}

void ili_cell_json_number(struct ili_out *out, uint32_t type, const void *number) {
    char text[ILI_NUMBER_TEXT_BYTES];
    bool word;
    size_t bytes = ili_number_write(type, number, text, &word);
    if (word) {
        ili_out_string(out, text);
    } else {
        ili_out_json(out, text, bytes);
    }
}

void ili_cell_json_data(struct ili_out *out, uint32_t type, const void *data, uint64_t bytes) {
    if (type == IL_FIXED_TEXT) {
        ili_out_text(out, data, bytes);
    } else {
        ili_out_base64(out, data, bytes);
    }
}

il_status ili_cell_json_element(struct ili_out *out, struct ili_member *member,
                                const struct ili_cells_place *place, const void *element) {
    uint8_t number[8];
    if (ili_cells_is_number(place->type)) {
        il_status status = ili_cells_check_live(member, place->cells);
        if (status != IL_OK) return status;
        ili_cell_load(place->type, element, number);
        ili_cell_json_number(out, place->type, number);
        return IL_OK;
    }
    struct ili_item item = {.room = IL_ROOM_MAX_BYTES};
    il_status status = ili_cells_get(member, place, element, &item);
    if (status != IL_OK) return status;
    ili_cell_json_data(out, place->type, item.data, item.bytes);
    free(item.data);
    return IL_OK;
}
