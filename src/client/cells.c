#include "client/cells.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/number_text.h"
#include "client/host.h"

#define ANSWER_BYTES ((size_t)16 << 20)
#define MANY 10000 /* elements in one request */

static const char *const types[] = {
    [0] = "", /* there is none */
    [IL_I8] = "i8",   [IL_I16] = "i16", [IL_I32] = "i32",           [IL_I64] = "i64",
    [IL_U8] = "u8",   [IL_U16] = "u16", [IL_U32] = "u32",           [IL_U64] = "u64",
    [IL_F32] = "f32", [IL_F64] = "f64", [IL_FIXED_BYTES] = "bytes", [IL_FIXED_TEXT] = "text",
};
#define TYPES (sizeof types / sizeof *types)

static uint32_t type_read(struct ili_json value) {
    const char *text = json_string_value(value.json);
    for (uint32_t type = 1; text && type < TYPES; type++) {
        if (strcmp(types[type], text) == 0) return type;
    }
    return 0;
}

static size_t size_of(uint32_t type) {
    static const uint8_t sizes[] = {
        [IL_I8] = 1,  [IL_U8] = 1,  [IL_I16] = 2, [IL_U16] = 2, [IL_I32] = 4,
        [IL_U32] = 4, [IL_F32] = 4, [IL_I64] = 8, [IL_U64] = 8, [IL_F64] = 8};
    return sizes[type];
}

/* ---- open and delete -------------------------------------------------------------------------------- */

/* What the view in CALL says of the object. */
static il_status read_shape(struct ili_call *call, struct ili_remote_cells_shape *shape) {
    uint64_t room = 0, length = 1;
    uint32_t type = type_read(ili_json_member(call->object, "type"));
    struct ili_json room_member = ili_json_member(call->object, "room");
    struct ili_json length_member = ili_json_member(call->object, "length");
    bool sound = type != 0;
    if (room_member.at) sound &= ili_json_number(room_member, &room) && room <= IL_ROOM_MAX_BYTES;
    if (length_member.at) sound &= ili_json_number(length_member, &length) && length > 0;
    if (!sound) return ili_call_nonsense(call, "something that is no value or array");
    *shape = (struct ili_remote_cells_shape){type, (uint32_t)room, length};
    return IL_OK;
}

static void write_options(struct ili_call *call, uint32_t kind,
                          const struct ili_remote_cells_shape *shape) {
    ili_call_field_text(call, "type", types[shape->type], strlen(types[shape->type]));
    if (shape->room) {
        ili_call_field(call, "room");
        ili_buffer_add_number(&call->body, shape->room);
    }
    if (kind == IL_KIND_ARRAY) {
        ili_call_field(call, "length");
        ili_buffer_add_number(&call->body, shape->length);
    }
}

il_status ili_remote_cells_open(struct ili_remote_domain *domain, uint32_t kind, const char *name,
                                size_t name_bytes, bool given, struct ili_remote_cells_shape *shape,
                                struct ili_remote_cells **out) {
    struct ili_remote_cells *cells = NULL;
    struct ili_call call;
    il_status status =
        ili_remote_object_new(domain, kind, name, name_bytes, sizeof *cells, (void **)&cells);
    if (status != IL_OK) return status;
    /* an array is not made without a length */
    bool make = given || kind == IL_KIND_VALUE;
    ili_remote_object_begin(&call, &cells->object, make ? "PUT" : "GET", NULL);
    call.answer_max = ANSWER_BYTES;
    if (given) write_options(&call, kind, shape);
    status = ili_call_run(&call);
    if (status == IL_OK) status = read_shape(&call, &cells->shape);
    ili_call_end(&call);
    if (status == IL_OK) {
        *shape = cells->shape;
        *out = cells;
    } else {
        free(cells);
    }
    return status;
}

il_status ili_remote_cells_close(struct ili_remote_cells *cells) {
    free(cells);
    return IL_OK;
}

il_status ili_remote_cells_delete(struct ili_remote_domain *domain, uint32_t kind, const char *name,
                                  size_t name_bytes) {
    return ili_remote_object_delete(domain, kind, name, name_bytes);
}

/* ---- what elements hold ---------------------------------------------------------------------------- */

static void add_number(struct ili_buffer *out, uint32_t type, const void *number) {
    char text[ILI_NUMBER_TEXT_BYTES];
    bool word;
    size_t bytes = ili_number_write(type, number, text, &word);
    if (word) ili_buffer_add_text(out, "\"");
    ili_buffer_add(out, text, bytes);
    if (word) ili_buffer_add_text(out, "\"");
}

static bool read_number(struct ili_json value, uint32_t type, void *out) {
    if (json_is_number(value.json)) return ili_number_read(type, value.at, value.bytes, out);
    if (!json_is_string(value.json)) return false;
    return ili_number_read_word(type, json_string_value(value.json), json_string_length(value.json),
                                out);
}

static void field_number(struct ili_call *call, const char *key, uint32_t type,
                         const void *number) {
    ili_call_field(call, key);
    add_number(&call->body, type, number);
}

static il_status answer_number(struct ili_call *call, const char *key, uint32_t type, void *out) {
    if (read_number(ili_json_member(call->object, key), type, out)) return IL_OK;
    return ili_call_nonsense(call, "something that lacks a number of the type");
}

static void field_data(struct ili_call *call, const struct ili_remote_cells *cells, const char *key,
                       const void *data, uint64_t bytes) {
    if (cells->shape.type == IL_FIXED_TEXT) {
        ili_call_field_text(call, key, data ? data : "", bytes);
        return;
    }
    size_t length = ili_base64_length(bytes);
    ili_call_field(call, key);
    ili_buffer_add_text(&call->body, "\"");
    char *room = ili_buffer_reserve(&call->body, length);
    if (room) {
        ili_base64_encode(room, data ? data : "", bytes);
        call->body.bytes += length;
    }
    ili_buffer_add_text(&call->body, "\"");
}

/* ---- one element ------------------------------------------------------------------------------------ */

static void begin(struct ili_call *call, const struct ili_remote_cells *cells, int64_t index,
                  const char *operation) {
    char text[ILI_NUMBER_TEXT_BYTES];
    bool word;
    ili_remote_object_begin(call, &cells->object, "POST", operation);
    call->answer_max = ANSWER_BYTES;
    call->keyed = strcmp(operation, "load") != 0;
    if (cells->object.kind != IL_KIND_ARRAY) return;
    ili_call_field(call, "index");
    ili_buffer_add(&call->body, text, ili_number_write(IL_I64, &index, text, &word));
}

static il_status run(struct ili_call *call, const struct ili_remote_cells *cells) {
    il_status status = ili_remote_domain_check(cells->object.domain);
    return status == IL_OK ? ili_remote_object_gone(ili_call_run(call)) : status;
}

il_status ili_remote_cells_load(struct ili_remote_cells *cells, int64_t index, uint32_t type,
                                void *out) {
    struct ili_call call;
    begin(&call, cells, index, "load");
    il_status status = run(&call, cells);
    if (status == IL_OK) status = answer_number(&call, "value", type, out);
    ili_call_end(&call);
    return status;
}

il_status ili_remote_cells_store(struct ili_remote_cells *cells, int64_t index, uint32_t type,
                                 const void *in) {
    struct ili_call call;
    begin(&call, cells, index, "store");
    field_number(&call, "value", type, in);
    il_status status = run(&call, cells);
    ili_call_end(&call);
    return status;
}

/* An operation with VALUE that answers with what was there before. */
static il_status replace(struct ili_remote_cells *cells, int64_t index, const char *operation,
                         uint32_t type, const void *value, void *before) {
    struct ili_call call;
    uint8_t was[8];
    begin(&call, cells, index, operation);
    field_number(&call, "value", type, value);
    il_status status = run(&call, cells);
    if (status == IL_OK) status = answer_number(&call, "before", type, was);
    if (status == IL_OK && before) memcpy(before, was, size_of(type));
    ili_call_end(&call);
    return status;
}

il_status ili_remote_cells_add(struct ili_remote_cells *cells, int64_t index, uint32_t type,
                               const void *delta, void *before) {
    return replace(cells, index, "add", type, delta, before);
}

il_status ili_remote_cells_exchange(struct ili_remote_cells *cells, int64_t index, uint32_t type,
                                    const void *in, void *before) {
    return replace(cells, index, "exchange", type, in, before);
}

static il_status answer_swapped(struct ili_call *call, bool *swapped) {
    struct ili_json value = ili_json_member(call->object, "swapped");
    *swapped = ili_json_is(value, "true");
    if (*swapped || ili_json_is(value, "false")) return IL_OK;
    return ili_call_nonsense(call, "something that lacks a flag");
}

il_status ili_remote_cells_compare_exchange(struct ili_remote_cells *cells, int64_t index,
                                            uint32_t type, void *expected, const void *desired,
                                            int32_t *swapped) {
    struct ili_call call;
    uint8_t now[8];
    bool done = false;
    begin(&call, cells, index, "compare_exchange");
    field_number(&call, "expected", type, expected);
    field_number(&call, "value", type, desired);
    il_status status = run(&call, cells);
    if (status == IL_OK) status = answer_swapped(&call, &done);
    if (status == IL_OK) status = answer_number(&call, "value", type, now);
    if (status == IL_OK) {
        if (!done) memcpy(expected, now, size_of(type));
        *swapped = done;
    }
    ili_call_end(&call);
    return status;
}

/* ---- bytes and text ---------------------------------------------------------------------------------- */

/* What the string VALUE stands for, appended to OUT. */
static bool read_data(const struct ili_remote_cells *cells, struct ili_json value,
                      struct ili_buffer *out) {
    if (cells->shape.type == IL_FIXED_TEXT) return ili_json_string(value, out);
    if (!json_is_string(value.json)) return false;
    size_t length = value.bytes - 2, bytes;
    char *room = ili_buffer_reserve(out, ili_base64_room(length) + 1);
    if (!room || !ili_base64_decode(room, &bytes, value.at + 1, length)) return false;
    out->bytes += bytes;
    return true;
}

il_status ili_remote_cells_get(struct ili_remote_cells *cells, int64_t index, void *buffer,
                               uint64_t capacity, uint64_t *bytes) {
    struct ili_call call;
    struct ili_buffer data = {0};
    begin(&call, cells, index, "load");
    il_status status = run(&call, cells);
    if (status == IL_OK && !read_data(cells, ili_json_member(call.object, "value"), &data)) {
        status = ili_call_nonsense(&call, "something that lacks bytes or text");
    }
    if (status == IL_OK) {
        *bytes = data.bytes;
        if (data.bytes > capacity) {
            status = IL_ETOOBIG;
        } else if (data.bytes) {
            memcpy(buffer, data.data, data.bytes);
        }
    }
    ili_buffer_free(&data);
    ili_call_end(&call);
    return status;
}

il_status ili_remote_cells_set(struct ili_remote_cells *cells, int64_t index, const void *data,
                               uint64_t bytes) {
    struct ili_call call;
    begin(&call, cells, index, "store");
    field_data(&call, cells, "value", data, bytes);
    il_status status = run(&call, cells);
    ili_call_end(&call);
    return status;
}

il_status ili_remote_cells_compare_set(struct ili_remote_cells *cells, int64_t index,
                                       const void *expected, uint64_t expected_bytes,
                                       const void *desired, uint64_t desired_bytes,
                                       int32_t *swapped) {
    struct ili_call call;
    bool done = false;
    if (expected_bytes > cells->shape.room) { /* it cannot be there, and would not be taken */
        *swapped = 0;
        return IL_OK;
    }
    begin(&call, cells, index, "compare_exchange");
    field_data(&call, cells, "expected", expected, expected_bytes);
    field_data(&call, cells, "value", desired, desired_bytes);
    il_status status = run(&call, cells);
    if (status == IL_OK) status = answer_swapped(&call, &done);
    if (status == IL_OK) *swapped = done;
    ili_call_end(&call);
    return status;
}

/* ---- many -------------------------------------------------------------------------------------------- */

/* Reads the numbers of an answer: at most COUNT, at least one; *DONE of them. */
static il_status answer_items(struct ili_call *call, uint32_t type, uint64_t count, uint8_t *out,
                              uint64_t *done) {
    struct ili_json items = ili_json_member(call->object, "items"), item;
    struct ili_json_walk walk = {0};
    uint64_t i = 0;
    while (i < count && (item = ili_json_next(items, &walk)).at) {
        if (!read_number(item, type, out + i * size_of(type))) {
            return ili_call_nonsense(call, "an item that is no number of the type");
        }
        i++;
    }
    *done = i;
    return i > 0 ? IL_OK : ili_call_nonsense(call, "too few items");
}

il_status ili_remote_cells_read(struct ili_remote_cells *cells, uint64_t start, uint64_t count,
                                uint32_t type, void *out) {
    il_status status = ili_remote_domain_check(cells->object.domain);
    for (uint64_t at = 0; at < count && status == IL_OK;) {
        struct ili_call call;
        char operation[80];
        uint64_t most = count - at < MANY ? count - at : MANY, done = 0;
        snprintf(operation, sizeof operation, "items?start=%" PRIu64 "&count=%" PRIu64, start + at,
                 most);
        ili_remote_object_begin(&call, &cells->object, "GET", operation);
        call.answer_max = ANSWER_BYTES;
        status = run(&call, cells);
        if (status == IL_OK) {
            status = answer_items(&call, type, most, (uint8_t *)out + at * size_of(type), &done);
        }
        ili_call_end(&call);
        at += done;
    }
    return status;
}

il_status ili_remote_cells_write(struct ili_remote_cells *cells, uint64_t start, uint64_t count,
                                 uint32_t type, const void *in) {
    il_status status = ili_remote_domain_check(cells->object.domain);
    const uint8_t *from = in;
    for (uint64_t at = 0; at < count && status == IL_OK;) {
        struct ili_call call;
        uint64_t most = count - at < MANY ? count - at : MANY;
        ili_remote_object_begin(&call, &cells->object, "POST", "write");
        call.keyed = true;
        ili_call_field(&call, "start");
        ili_buffer_add_number(&call.body, start + at);
        ili_call_field(&call, "values");
        for (uint64_t i = 0; i < most; i++) {
            ili_buffer_add_text(&call.body, i ? "," : "[");
            add_number(&call.body, type, from + (at + i) * size_of(type));
        }
        ili_buffer_add_text(&call.body, "]");
        status = run(&call, cells);
        ili_call_end(&call);
        at += most;
    }
    return status;
}
