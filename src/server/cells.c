#include "server/cells.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/cell.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/reply.h"
#include "server/server.h"
#include "sync/rlock.h"

#define LENGTH_MOST INT64_C(9007199254740991) /* what every JSON reader takes as it is */

static bool is_array(const struct ili_request *request) {
    return ili_collection_named(request->route->collection)->kind->number == ILI_KIND_ARRAY;
}

/* ---- making --------------------------------------------------------------------------------------- */

static il_status check_room(uint32_t type, uint64_t room, bool given, struct ili_fault *fault) {
    bool number = ili_cells_is_number(type);
    if (number && given) {
        return ili_fault_set(fault, IL_EINVAL, "room", "to be absent",
                             "room: expected only with the types bytes and text");
    }
    if (!number && !given) {
        return ili_fault_set(fault, IL_EINVAL, "room", "an integer from 1 to 65536",
                             "room: is missing, and the type is %s", ili_cells_type_word(type));
    }
    (void)room;
    return IL_OK;
}

/* Sets memory aside for an object that does not exist and needs some. */
static il_status prepare(struct ili_request *request, union ili_object_options *room,
                         struct ili_fault *fault) {
    struct ili_member *m = ili_server_member(request->server);
    const struct ili_kind *kind = ili_collection_named(request->route->collection)->kind;
    void *object;
    uint64_t most = ili_arena_share(&m->arena);
    const struct ili_cells_options *o = &room->cells.options;
    if (kind == &ili_value_kind && ili_cells_is_number(o->type)) return IL_OK;
    il_status status = ili_pin_open(request, kind, NULL, ILI_OPEN_EXISTING, NULL, &object);
    if (status == IL_OK) ili_unpin(request->server, object);
    if (status == IL_OK) return IL_OK;
    if (status == IL_ENOTFOUND) {
        if (ili_cells_bytes(o) > most) {
            return ili_fault_set(fault, IL_ENOMEM, NULL, NULL,
                                 "the %s may have at most %" PRIu64 " bytes, half of the arena",
                                 kind->word, most);
        }
        status = ili_cells_prepare(m, o, &room->cells.spare);
    }
    if (status == IL_OK) return IL_OK;
    return ili_fault_set(fault, status, NULL, NULL, "no memory for the %s \"%.*s\"", kind->word,
                         request->name_bytes, request->name);
}

bool ili_cells_read_options(struct ili_request *request, union ili_object_options *room,
                            const void **options) {
    char type[16] = "-"; /* absent: no type is called so */
    uint64_t bytes = 0, length = 0;
    struct ili_fault fault;
    struct ili_cells_options *o = &room->cells.options;
    const struct ili_param params[] = {
        ILI_PARAM_TEXT("type", type, sizeof type - 1),
        ILI_PARAM_COUNT("room", &bytes, 1, IL_ROOM_MAX_BYTES),
        ILI_PARAM_COUNT("length", &length, 1, LENGTH_MOST),
    };
    if (!ili_request_read(request, params, is_array(request) ? 3 : 2)) return false;
    bool given = *type != '-';
    if (!given && !bytes && !length) return true; /* whatever it has */
    il_status status = IL_OK;
    *o = (struct ili_cells_options){given ? ili_cells_type_named(type) : IL_I64, (uint32_t)bytes,
                                    is_array(request) ? length : 1};
    if (o->type == 0) {
        status = ili_fault_set(&fault, IL_EINVAL, "type",
                               "i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, bytes or text",
                               "type: expected i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, "
                               "bytes or text");
    } else if (o->length == 0) {
        status = ili_fault_set(&fault, IL_EINVAL, "length", "an integer of 1 or more",
                               "length: is missing");
    }
    if (status == IL_OK) status = check_room(o->type, bytes, bytes != 0, &fault);
    if (status == IL_OK) status = prepare(request, room, &fault);
    if (status != IL_OK) {
        ili_reply_fault(request, &fault);
        return false;
    }
    *options = o;
    return true;
}

void ili_cells_drop_options(struct ili_server *server, union ili_object_options *room) {
    ili_cells_give_up(ili_server_member(server), room->cells.spare);
}

il_status ili_cells_made(struct ili_server *server, void *object, union ili_object_options *room) {
    struct ili_cells_place place;
    il_status status =
        ili_cells_ready(ili_server_member(server), object, room->cells.spare, &place);
    room->cells.spare = 0;
    return status;
}

static void say_options(char *room, size_t room_bytes, uint32_t type, uint32_t bytes,
                        uint64_t length) {
    const char *word = ili_cells_type_word(type);
    int at = snprintf(room, room_bytes, "type=%s", word ? word : "?");
    if (bytes) at += snprintf(room + at, room_bytes - (size_t)at, " room=%u", bytes);
    if (length > 1) snprintf(room + at, room_bytes - (size_t)at, " length=%" PRIu64, length);
}

void ili_cells_differ(const void *object, const void *options, struct ili_difference *difference) {
    const struct ili_cells *cells = object;
    const struct ili_cells_options *o = options;
    say_options(difference->has, sizeof difference->has, ili_once32(&cells->type),
                ili_once32(&cells->room), *(const volatile uint64_t *)&cells->length);
    say_options(difference->asked, sizeof difference->asked, o->type, o->room, o->length);
}

void ili_cells_write_type(struct ili_out *out, const struct ili_cells_place *place) {
    ili_out_key(out, "type");
    ili_out_string(out, ili_cells_type_word(place->type));
    if (!ili_cells_is_number(place->type)) {
        ili_out_key(out, "room");
        ili_out_number(out, place->room);
    }
}

void ili_cells_op_delete(struct ili_request *request) {
    struct ili_server *server = request->server;
    struct ili_member *m = ili_server_member(server);
    const struct ili_kind *kind = ili_collection_named(request->route->collection)->kind;
    char lock[IL_NAME_MAX_BYTES + 8];
    il_status status =
        ili_names_delete(m, server->domain.self, kind, request->name, request->name_bytes);
    if (status != IL_OK) {
        ili_reply_problem(request, status, NULL);
        return;
    }
    int bytes = snprintf(lock, sizeof lock, "%s:", kind->word);
    memcpy(lock + bytes, request->name, request->name_bytes);
    size_t all = (size_t)bytes + request->name_bytes;
    if (all <= IL_NAME_MAX_BYTES) {
        (void)ili_names_delete(m, server->domain.self, &ili_rlock_kind, lock, all);
    }
    ili_reply_empty(request, 0);
}

/* ---- one element ---------------------------------------------------------------------------------- */

struct ili_cells *ili_cells_pin(struct ili_request *request, struct ili_cells_place *place) {
    struct ili_cells *cells = ili_objects_pin(request, is_array(request) ? ILI_OPEN_EXISTING : 0);
    if (!cells) return NULL;
    il_status status = ili_cells_ready(ili_server_member(request->server), cells, 0, place);
    if (status == IL_OK) return cells;
    ili_unpin(request->server, cells);
    ili_reply_problem(request, status, NULL);
    return NULL;
}

void ili_cells_refuse(struct ili_request *request, struct ili_cells *cells,
                      const struct ili_fault *fault) {
    ili_unpin(request->server, cells);
    ili_reply_fault(request, fault);
}

il_status ili_cells_no_index(const struct ili_cells_place *place, const char *field, int64_t index,
                             struct ili_fault *fault) {
    char expected[100];
    snprintf(expected, sizeof expected, "an integer from -%" PRIu64 " to %" PRIu64, place->length,
             place->length - 1);
    return ili_fault_set(fault, IL_ERANGE, field, expected,
                         "%s: the array's length is %" PRIu64 ", got %" PRId64, field,
                         place->length, index);
}

/* An operation on one element. */
struct operation {
    int64_t index;
    struct ili_value value, expected; /* owned, if they were asked for */
    struct ili_cells *cells;          /* pinned */
    struct ili_cells_place place;
    void *element;
    struct ili_cell_content content, expecting;
};

static void drop(struct operation *op) {
    json_decref(op->value.json);
    json_decref(op->expected.json);
}

/* Reads and checks what the request asks for. False: it was answered. */
static bool begin(struct ili_request *request, struct operation *op, bool value, bool expected) {
    struct ili_param params[3];
    size_t count = 0;
    struct ili_fault fault;
    memset(op, 0, sizeof *op);
    if (is_array(request)) {
        params[count++] = (struct ili_param){
            "index", ILI_PARAM_IS_INTEGER, &op->index, INT64_MIN + 1, INT64_MAX, true};
    }
    if (value) {
        params[count++] = (struct ili_param){"value", ILI_PARAM_IS_VALUE, &op->value, 0, 0, true};
    }
    if (expected) {
        params[count++] =
            (struct ili_param){"expected", ILI_PARAM_IS_VALUE, &op->expected, 0, 0, true};
    }
    bool read = ili_request_read(request, params, count);
    op->cells = read ? ili_cells_pin(request, &op->place) : NULL;
    if (!op->cells) {
        drop(op);
        return false;
    }
    il_status status = IL_OK;
    op->element = ili_cells_at(&op->place, op->index);
    if (!op->element) status = ili_cells_no_index(&op->place, "index", op->index, &fault);
    if (status == IL_OK && value) {
        status = ili_cell_json_read(&op->place, &op->value, "value", &op->content, &fault);
    }
    if (status == IL_OK && expected) {
        status = ili_cell_json_read(&op->place, &op->expected, "expected", &op->expecting, &fault);
    }
    if (status == IL_OK) return true;
    drop(op);
    ili_cells_refuse(request, op->cells, &fault);
    return false;
}

static bool is_number(const struct operation *op) { return ili_cells_is_number(op->place.type); }

static struct ili_out open_answer(struct ili_request *request, const struct operation *op) {
    struct ili_out out = {0};
    ili_out_open(&out, '{');
    ili_out_key(&out, "name");
    ili_out_text(&out, request->name, request->name_bytes);
    if (is_array(request)) {
        ili_out_key(&out, "index");
        ili_out_signed(&out, op->index < 0 ? op->index + (int64_t)op->place.length : op->index);
    }
    return out;
}

static void write_content(struct ili_out *out, const char *key, const struct operation *op,
                          const struct ili_cell_content *content) {
    ili_out_key(out, key);
    if (is_number(op)) {
        ili_cell_json_number(out, op->place.type, content->number);
    } else {
        ili_cell_json_data(out, op->place.type, content->data, content->bytes);
    }
}

/* Answers with what OUT has so far, or with STATUS, and ends OP. */
static void finish(struct ili_request *request, struct operation *op, il_status status,
                   struct ili_out *out) {
    if (status == IL_OK) {
        ili_out_close(out, '}');
        ili_reply(request, 200, out);
    } else {
        ili_out_free(out);
        ili_reply_problem(request, status, NULL);
    }
    drop(op);
    ili_unpin(request->server, op->cells);
}

/* A number that is there is about to be changed. */
static il_status check_live(struct ili_request *request, const struct operation *op) {
    return ili_cells_check_live(ili_server_member(request->server), op->cells);
}

static void changed(struct ili_request *request, const struct operation *op) {
    ili_cells_changed(ili_server_member(request->server), op->cells);
}

void ili_cells_op_load(struct ili_request *request) {
    struct operation op;
    if (!begin(request, &op, false, false)) return;
    struct ili_out out = open_answer(request, &op);
    ili_out_key(&out, "type");
    ili_out_string(&out, ili_cells_type_word(op.place.type));
    ili_out_key(&out, "value");
    il_status status =
        ili_cell_json_element(&out, ili_server_member(request->server), &op.place, op.element);
    finish(request, &op, status, &out);
}

void ili_cells_op_store(struct ili_request *request) {
    struct operation op;
    struct ili_member *m = ili_server_member(request->server);
    if (!begin(request, &op, true, false)) return;
    struct ili_out out = open_answer(request, &op);
    il_status status = check_live(request, &op);
    if (status == IL_OK && is_number(&op)) {
        ili_cell_store(op.place.type, op.element, op.content.number);
        changed(request, &op);
    } else if (status == IL_OK) {
        status = ili_cells_set(m, &op.place, op.element, op.content.data, op.content.bytes);
    }
    write_content(&out, "value", &op, &op.content);
    finish(request, &op, status, &out);
}

/* Adding is for numbers; the request has "value". */
static void refuse_add(struct ili_request *request, struct operation *op) {
    struct ili_fault fault;
    const char *word = ili_kind_word(op->cells->object.kind);
    ili_fault_set(&fault, IL_ETYPE, "value", "a number",
                  "the %s holds %s, only numbers are added to", word,
                  ili_cells_type_word(op->place.type));
    drop(op);
    ili_cells_refuse(request, op->cells, &fault);
}

void ili_cells_op_add(struct ili_request *request) {
    struct operation op;
    struct ili_cell_content before = {0};
    _Alignas(8) uint8_t sum[8];
    if (!begin(request, &op, true, false)) return;
    if (!is_number(&op)) {
        refuse_add(request, &op);
        return;
    }
    struct ili_out out = open_answer(request, &op);
    il_status status = check_live(request, &op);
    if (status == IL_OK) {
        ili_cell_add(op.place.type, op.element, op.content.number, before.number);
        changed(request, &op);
        memcpy(sum, before.number, sizeof sum);
        ili_cell_add(op.place.type, sum, op.content.number, NULL);
        write_content(&out, "before", &op, &before);
        ili_out_key(&out, "value");
        ili_cell_json_number(&out, op.place.type, sum);
    }
    finish(request, &op, status, &out);
}

void ili_cells_op_exchange(struct ili_request *request) {
    struct operation op;
    struct ili_member *m = ili_server_member(request->server);
    struct ili_cell_content before = {0};
    struct ili_item item = {.room = IL_ROOM_MAX_BYTES};
    if (!begin(request, &op, true, false)) return;
    struct ili_out out = open_answer(request, &op);
    il_status status = check_live(request, &op);
    if (status == IL_OK && is_number(&op)) {
        ili_cell_exchange(op.place.type, op.element, op.content.number, before.number);
        changed(request, &op);
    } else if (status == IL_OK) {
        status =
            ili_cells_exchange(m, &op.place, op.element, op.content.data, op.content.bytes, &item);
        before.data = item.data;
        before.bytes = item.bytes;
    }
    if (status == IL_OK) {
        write_content(&out, "before", &op, &before);
        write_content(&out, "value", &op, &op.content);
    }
    free(item.data);
    finish(request, &op, status, &out);
}

void ili_cells_op_compare_exchange(struct ili_request *request) {
    struct operation op;
    struct ili_member *m = ili_server_member(request->server);
    bool swapped = false;
    if (!begin(request, &op, true, true)) return;
    struct ili_out out = open_answer(request, &op);
    il_status status = check_live(request, &op);
    if (status == IL_OK && is_number(&op)) {
        swapped = ili_cell_compare_exchange(op.place.type, op.element, op.expecting.number,
                                            op.content.number);
        if (swapped) changed(request, &op);
    } else if (status == IL_OK) {
        status =
            ili_cells_compare_set(m, &op.place, op.element, op.expecting.data, op.expecting.bytes,
                                  op.content.data, op.content.bytes, &swapped);
    }
    if (status == IL_OK) {
        ili_out_key(&out, "swapped");
        ili_out_bool(&out, swapped);
        if (swapped || is_number(&op)) {
            write_content(&out, "value", &op, swapped ? &op.content : &op.expecting);
        } else {
            ili_out_key(&out, "value");
            status = ili_cell_json_element(&out, m, &op.place, op.element);
        }
    }
    finish(request, &op, status, &out);
}
