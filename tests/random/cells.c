/*
 * cells.c - values and arrays, and their model: elements one behind the other, each with its length.
 *
 * Floats are multiples of a quarter, so that the HTTP door has nothing to round.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random/kind.h"

enum {
    LOAD = KIND_CODES,
    STORE,
    ADD,
    EXCHANGE,
    COMPARE,
    GET,
    SET,
    COMPARE_SET,
    READ,
    WRITE,
    LENGTH
};

#define SLICE_MOST 200

struct shape {
    uint32_t type, room;
    uint64_t length;
};

static const struct shape value_shapes[] = {
    {IL_I8, 0, 1}, {IL_I64, 0, 1}, {IL_U32, 0, 1}, {IL_F64, 0, 1}, {IL_FIXED_TEXT, 100, 1}};
static const struct shape array_shapes[] = {
    {IL_I32, 0, 1000}, {IL_F32, 0, 64}, {IL_U8, 0, 5000}, {IL_FIXED_BYTES, 24, 50}};
static const uint32_t sizes[] = {0, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8};

struct model {
    struct shape shape;
    uint32_t bytes; /* of an element */
    uint32_t *lengths;
    char *elements;
};

static bool is_fixed(uint32_t type) { return type >= IL_FIXED_BYTES; }

static void *make_model(const struct shape *shape) {
    struct model *model = calloc(1, sizeof *model);
    model->shape = *shape;
    model->bytes = is_fixed(shape->type) ? shape->room : sizes[shape->type];
    model->lengths = calloc(shape->length, sizeof *model->lengths);
    model->elements = calloc(shape->length, model->bytes);
    return model;
}

static void *make_value_model(unsigned variant) { return make_model(&value_shapes[variant]); }
static void *make_array_model(unsigned variant) { return make_model(&array_shapes[variant]); }

static void free_model(void *pointer) {
    struct model *model = pointer;
    free(model->lengths);
    free(model->elements);
    free(model);
}

static il_status open_value(il_domain *domain, const struct object *object, void **handle) {
    const struct shape *shape = &value_shapes[object->variant];
    il_value_options options = {
        .struct_bytes = sizeof options, .type = shape->type, .room = shape->room};
    return il_value_open(domain, object->name, strlen(object->name), &options, (il_value **)handle);
}

static il_status open_array(il_domain *domain, const struct object *object, void **handle) {
    const struct shape *shape = &array_shapes[object->variant];
    il_array_options options = {.struct_bytes = sizeof options,
                                .type = shape->type,
                                .room = shape->room,
                                .length = shape->length};
    return il_array_open(domain, object->name, strlen(object->name), &options, (il_array **)handle);
}

static void close_value(void *handle) { il_value_close(handle); }
static void close_array(void *handle) { il_array_close(handle); }

/* ---- drawing ------------------------------------------------------------------------------------ */

static void draw_number(struct operation *op, uint32_t type, uint64_t *random) {
    double quarters = ((int)draw_below(random, 8001) - 4000) / 4.0;
    float single = (float)quarters;
    int64_t integer = (int)draw_below(random, 2001) - 1000;
    if (draw_below(random, 8) == 0) integer = (int64_t)draw_below(random, UINT32_MAX) << 31;
    if (draw_below(random, 4) == 0) integer = 0;
    const void *from = type == IL_F64   ? (const void *)&quarters
                       : type == IL_F32 ? (const void *)&single
                                        : (const void *)&integer; /* its low bytes */
    cargo_add(&op->cargo, 0, from, sizes[type]);
}

static void draw_fixed(struct operation *op, const struct model *model, uint64_t *random) {
    uint64_t most = model->shape.room + (draw_below(random, 20) == 0);
    uint32_t type = model->shape.type == IL_FIXED_TEXT ? IL_TEXT : IL_BYTES;
    bool few = draw_below(random, 3) == 0; /* so that it may be what is expected */
    uint64_t bytes = most > model->shape.room ? most : few ? 0 : draw_below(random, (uint32_t)most);
    draw_value(&op->cargo, type, bytes, random);
    if (type == IL_TEXT && draw_below(random, 40) == 0) {
        cargo_clear(&op->cargo);
        cargo_add(&op->cargo, IL_TEXT, "a\xff", 2);
    }
}

/* What is there, so that it is swapped. */
static void expect_what_is_there(struct operation *op, const struct model *model) {
    int64_t at = op->start < 0 ? op->start + (int64_t)model->shape.length : op->start;
    if (at < 0 || at >= (int64_t)model->shape.length) at = 0;
    cargo_clear(&op->cargo);
    cargo_add(&op->cargo, 0, model->elements + (uint64_t)at * model->bytes,
              is_fixed(model->shape.type) ? model->lengths[at] : model->bytes);
}

static void draw(struct object *object, struct operation *op, uint64_t *random) {
    const struct model *model = object->model;
    uint32_t length = (uint32_t)model->shape.length, chance = draw_below(random, 100);
    bool array = object->kind == &random_array, fixed = is_fixed(model->shape.type);
    op->type = fixed ? IL_I64 : model->shape.type; /* of fixed: a wrong one */
    op->start = (int64_t)draw_below(random, length + length) - length;
    if (array && draw_below(random, 30) == 0) {
        op->start = draw_below(random, 2) ? length : -1 - (int64_t)length;
    } else if (!fixed && draw_below(random, 30) == 0) {
        op->type = op->type == IL_U16 ? IL_F32 : IL_U16; /* a wrong one */
    }
    op->capacity = draw_capacity(random);
    if (array && chance < 5) {
        op->code = LENGTH;
    } else if (fixed != (draw_below(random, 30) == 0)) {
        op->code = GET + draw_below(random, 3);
        if (op->code == GET) return;
        if (fixed) {
            draw_fixed(op, model, random);
        } else {
            cargo_add(&op->cargo, 0, "a", 1);
        }
    } else if (array && chance < 35) {
        op->code = chance < 20 ? READ : WRITE;
        op->count = 1 + draw_below(random, SLICE_MOST);
        op->start = (int64_t)draw_below(random, length);
        for (uint64_t i = 0; op->code == WRITE && i < op->count; i++)
            draw_number(op, op->type, random);
        return;
    } else {
        op->code = LOAD + draw_below(random, 5);
        draw_number(op, op->type, random);
    }
    if (op->code != COMPARE && op->code != COMPARE_SET) return;
    if (draw_below(random, 2) == 0 && (fixed || op->type == model->shape.type))
        expect_what_is_there(op, model);
    if (op->code == COMPARE) {
        draw_number(op, op->type, random);
    } else if (fixed) {
        struct piece expected = op->cargo.pieces[0];
        draw_value(&op->cargo, model->shape.type == IL_FIXED_TEXT ? IL_TEXT : IL_BYTES,
                   draw_below(random, model->shape.room), random);
        op->cargo.pieces[0] = expected;
    } else {
        cargo_add(&op->cargo, 0, "b", 1);
    }
}

/* ---- through a door ----------------------------------------------------------------------------- */

static void perform_number(void *h, bool array, const struct operation *op, struct answer *answer) {
    const void *in = cargo_data(&op->cargo, op->cargo.pieces);
    int64_t at = op->start;
    uint32_t type = op->type;
    void *out = answer->cargo.room;
    int32_t swapped = 0;
    il_status status;
    switch (op->code) {
    case LOAD:
        status = array ? il_array_load(h, at, type, out) : il_value_load(h, type, out);
        break;
    case STORE:
        status = array ? il_array_store(h, at, type, in) : il_value_store(h, type, in);
        break;
    case ADD:
        status = array ? il_array_add(h, at, type, in, out) : il_value_add(h, type, in, out);
        break;
    case EXCHANGE:
        status =
            array ? il_array_exchange(h, at, type, in, out) : il_value_exchange(h, type, in, out);
        break;
    default: {
        const void *desired = cargo_data(&op->cargo, &op->cargo.pieces[1]);
        memcpy(out, in, sizes[type]);
        status = array ? il_array_compare_exchange(h, at, type, out, desired, &swapped)
                       : il_value_compare_exchange(h, type, out, desired, &swapped);
        if (status == IL_OK) answer->number = (uint64_t)swapped;
    }
    }
    answer->status = status;
    if (status == IL_OK && op->code != STORE) cargo_took(&answer->cargo, 0, sizes[type], 0);
}

static void perform_fixed(void *h, bool array, const struct operation *op, struct answer *answer) {
    const struct piece *piece = op->cargo.pieces;
    const void *in = cargo_data(&op->cargo, piece);
    size_t bytes = UNTOUCHED;
    int32_t swapped = 0;
    if (op->code == GET) {
        void *out = answer->cargo.room;
        answer->status = array ? il_array_get(h, op->start, out, op->capacity, &bytes)
                               : il_value_get(h, out, op->capacity, &bytes);
        answer->bytes = bytes;
        if (answer->status == IL_OK) cargo_took(&answer->cargo, 0, bytes, 0);
    } else if (op->code == SET) {
        answer->status = array ? il_array_set(h, op->start, in, piece->bytes)
                               : il_value_set(h, in, piece->bytes);
    } else {
        const void *desired = cargo_data(&op->cargo, &piece[1]);
        answer->status =
            array ? il_array_compare_set(h, op->start, in, piece->bytes, desired, piece[1].bytes,
                                         &swapped)
                  : il_value_compare_set(h, in, piece->bytes, desired, piece[1].bytes, &swapped);
        if (answer->status == IL_OK) answer->number = (uint64_t)swapped;
    }
}

static void perform(void *h, bool array, const struct operation *op, struct answer *answer) {
    const void *in = cargo_data(&op->cargo, op->cargo.pieces);
    switch (op->code) {
    case GET:
    case SET:
    case COMPARE_SET: perform_fixed(h, array, op, answer); break;
    case READ:
        answer->status = il_array_read(h, op->start, op->count, op->type, answer->cargo.room);
        if (answer->status == IL_OK) cargo_took(&answer->cargo, 0, op->count * sizes[op->type], 0);
        break;
    case WRITE: answer->status = il_array_write(h, op->start, op->count, op->type, in); break;
    case LENGTH: answer->status = il_array_length(h, &answer->number); break;
    default: perform_number(h, array, op, answer);
    }
}

static void perform_value(void *handle, void *other, const struct operation *op,
                          struct answer *answer) {
    (void)other;
    perform(handle, false, op, answer);
}

static void perform_array(void *handle, void *other, const struct operation *op,
                          struct answer *answer) {
    (void)other;
    perform(handle, true, op, answer);
}

/* ---- on the model ------------------------------------------------------------------------------- */

static void add(uint32_t type, char *to, const char *delta) {
    if (type == IL_F64 || type == IL_F32) {
        double a, b;
        float c, d;
        memcpy(&a, to, type == IL_F64 ? sizeof a : 0);
        memcpy(&b, delta, type == IL_F64 ? sizeof b : 0);
        memcpy(&c, to, sizeof c);
        memcpy(&d, delta, sizeof d);
        if (type == IL_F64) {
            a += b;
            memcpy(to, &a, sizeof a);
        } else {
            c += d;
            memcpy(to, &c, sizeof c);
        }
        return;
    }
    uint64_t a = 0, b = 0; /* the low bytes first */
    memcpy(&a, to, sizes[type]);
    memcpy(&b, delta, sizes[type]);
    a += b;
    memcpy(to, &a, sizes[type]);
}

static void apply_number(struct model *model, uint64_t at, const struct operation *op,
                         struct answer *answer) {
    char *element = model->elements + at * model->bytes;
    const char *in = cargo_data(&op->cargo, op->cargo.pieces);
    if (op->code != STORE) cargo_add(&answer->cargo, 0, element, model->bytes);
    if (op->code == STORE || op->code == EXCHANGE) memcpy(element, in, model->bytes);
    if (op->code == ADD) add(model->shape.type, element, in);
    if (op->code != COMPARE) return;
    answer->number = memcmp(element, in, model->bytes) == 0;
    if (answer->number) memcpy(element, cargo_data(&op->cargo, &op->cargo.pieces[1]), model->bytes);
}

static il_status set_fixed(struct model *model, uint64_t at, const struct operation *op,
                           const struct piece *piece) {
    const char *data = cargo_data(&op->cargo, piece);
    memcpy(model->elements + at * model->bytes, data, piece->bytes);
    model->lengths[at] = (uint32_t)piece->bytes;
    return IL_OK;
}

static il_status apply_fixed(struct model *model, uint64_t at, const struct operation *op,
                             struct answer *answer) {
    const struct piece *piece = op->cargo.pieces;
    const char *element = model->elements + at * model->bytes;
    uint32_t bytes = model->lengths[at];
    if (op->code == GET) {
        answer->bytes = bytes;
        if (bytes > op->capacity) return IL_ETOOBIG;
        cargo_add(&answer->cargo, 0, element, bytes);
        return IL_OK;
    }
    if (model->shape.type == IL_FIXED_TEXT && piece->bytes == 2 &&
        memcmp(cargo_data(&op->cargo, piece), "a\xff", 2) == 0)
        return IL_EINVAL;
    if (op->code == SET) {
        return piece->bytes > model->shape.room ? IL_ETOOBIG : set_fixed(model, at, op, piece);
    }
    answer->number =
        piece->bytes == bytes && memcmp(element, cargo_data(&op->cargo, piece), bytes) == 0;
    return answer->number ? set_fixed(model, at, op, &piece[1]) : IL_OK;
}

static void apply(struct object *object, const struct operation *op, struct answer *answer) {
    struct model *model = object->model;
    int64_t length = (int64_t)model->shape.length;
    bool array = object->kind == &random_array, of_fixed = op->code >= GET && op->code < READ;
    int64_t at = !array ? 0 : op->start < 0 ? op->start + length : op->start;
    if (op->code == LENGTH) {
        answer->number = (uint64_t)length;
        return;
    }
    if (of_fixed != is_fixed(model->shape.type) || (!of_fixed && op->type != model->shape.type)) {
        answer->status = IL_ETYPE;
        return;
    }
    if (at < 0 || at >= length ||
        ((op->code == READ || op->code == WRITE) && at + (int64_t)op->count > length)) {
        answer->status = IL_ERANGE;
        return;
    }
    char *from = model->elements + (uint64_t)at * model->bytes;
    if (op->code == READ) {
        cargo_add(&answer->cargo, 0, from, op->count * model->bytes);
    } else if (op->code == WRITE) {
        memcpy(from, cargo_data(&op->cargo, op->cargo.pieces), op->count * model->bytes);
    } else if (of_fixed) {
        answer->status = apply_fixed(model, (uint64_t)at, op, answer);
    } else {
        apply_number(model, (uint64_t)at, op, answer);
    }
}

/* Elements are written one by one. */
static bool apply_part(struct object *object, const struct operation *op, uint32_t part) {
    static struct answer answer;
    struct model *model = object->model;
    answer_begin(&answer);
    if (op->code != WRITE) {
        if (part == 0) apply(object, op, &answer);
        return part == 0;
    }
    if (part >= op->count || op->type != model->shape.type ||
        op->start + (int64_t)op->count > (int64_t)model->shape.length)
        return false;
    memcpy(model->elements + ((uint64_t)op->start + part) * model->bytes,
           cargo_data(&op->cargo, op->cargo.pieces) + part * model->bytes, model->bytes);
    return true;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

static bool same(struct object *object, void *handle, char why[WHY]) {
    const struct model *model = object->model;
    bool array = object->kind == &random_array;
    char found[256];
    static char numbers[65536];
    size_t bytes = 0;
    il_status status = IL_OK;
    if (array && !is_fixed(model->shape.type)) {
        status = il_array_read(handle, 0, model->shape.length, model->shape.type, numbers);
        bytes = model->shape.length * model->bytes;
        if (status == IL_OK && memcmp(numbers, model->elements, bytes) == 0) return true;
        uint64_t at = 0;
        while (at < bytes && numbers[at] == model->elements[at]) at++;
        snprintf(why, WHY, "%s, element %llu is another", il_status_name(status),
                 (unsigned long long)(at / model->bytes));
        return false;
    }
    for (uint64_t i = 0; i < model->shape.length; i++) {
        const char *element = model->elements + i * model->bytes;
        uint64_t expected = model->bytes;
        if (is_fixed(model->shape.type)) {
            expected = model->lengths[i];
            status = array ? il_array_get(handle, (int64_t)i, found, sizeof found, &bytes)
                           : il_value_get(handle, found, sizeof found, &bytes);
        } else {
            bytes = expected;
            status = il_value_load(handle, model->shape.type, found);
        }
        if (status == IL_OK && bytes == expected && memcmp(found, element, expected) == 0) continue;
        snprintf(why, WHY, "%s, element %llu is another", il_status_name(status),
                 (unsigned long long)i);
        return false;
    }
    return true;
}

static il_status check(il_domain *domain, void *handle) {
    (void)domain, (void)handle; /* an element has no invariant but what same() sees */
    return IL_OK;
}

const struct random_kind random_value = {"value",
                                         8,
                                         sizeof value_shapes / sizeof value_shapes[0],
                                         make_value_model,
                                         free_model,
                                         open_value,
                                         close_value,
                                         il_value_delete,
                                         draw,
                                         perform_value,
                                         apply,
                                         apply_part,
                                         same,
                                         check};
const struct random_kind random_array = {"array",
                                         12,
                                         sizeof array_shapes / sizeof array_shapes[0],
                                         make_array_model,
                                         free_model,
                                         open_array,
                                         close_array,
                                         il_array_delete,
                                         draw,
                                         perform_array,
                                         apply,
                                         apply_part,
                                         same,
                                         check};
