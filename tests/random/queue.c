/*
 * queue.c - a queue, and its model: a ring of messages. Variants: without a limit; of 40 messages.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random/kind.h"
#include "random/line.h"
#include "support/world.h"

enum { PUT = KIND_CODES, GET, PEEK, SIZE, PUT_MANY, GET_MANY, SHUT };

#define MANY 12

struct model {
    struct line line;
    struct line drained; /* of a closed queue, since nothing can be put back into it */
    uint64_t maxsize;
    bool shut;
};

static uint64_t maxsize_of(unsigned variant) { return variant == 1 ? 40 : 0; }

static void *make_model(unsigned variant) {
    struct model *model = calloc(1, sizeof *model);
    model->maxsize = maxsize_of(variant);
    return model;
}

static void free_model(void *model) {
    line_clear(&((struct model *)model)->line);
    line_clear(&((struct model *)model)->drained);
    free(model);
}

static il_status open_queue(il_domain *domain, const struct object *object, void **handle) {
    il_queue_options options = {.struct_bytes = sizeof options,
                                .maxsize = maxsize_of(object->variant)};
    return il_queue_open(domain, object->name, strlen(object->name), &options, (il_queue **)handle);
}

static void close_queue(void *handle) { il_queue_close(handle); }

static void draw(struct object *object, struct operation *op, uint64_t *random) {
    const struct model *model = object->model;
    bool grow = model->line.count < object->target;
    uint32_t chance = draw_below(random, 100);
    op->capacity = draw_capacity(random);
    if (chance < 60) {
        op->code = grow == (chance < 45) ? PUT : GET;
    } else if (chance < 80) {
        op->code = grow == (chance < 75) ? PUT_MANY : GET_MANY;
        op->count = 1 + draw_below(random, MANY);
    } else {
        op->code = chance < 90 ? PEEK : SIZE;
        if (draw_below(random, 400) == 0) op->code = SHUT;
    }
    if (model->shut && draw_below(random, 20) == 0) op->code = REMOVE_OBJECT;
    if (op->code == PUT) draw_any_value(&op->cargo, random);
    for (uint64_t i = 0; op->code == PUT_MANY && i < op->count; i++) {
        draw_any_value(&op->cargo, random);
    }
    if (op->code == PUT && draw_below(random, 50) == 0) { /* not UTF-8 */
        cargo_clear(&op->cargo);
        cargo_add(&op->cargo, IL_TEXT, "\xff", 1);
    }
}

/* ---- through a door ----------------------------------------------------------------------------- */

static void take_many(il_queue *queue, const struct operation *op, struct answer *answer) {
    il_message messages[MANY];
    size_t done = UNTOUCHED;
    char *room = answer->cargo.room;
    answer->status = il_queue_get_many(queue, room, op->capacity, messages, op->count, &done, 0);
    answer->number = done;
    if (answer->status != IL_OK) return;
    for (size_t i = 0; i < done; i++) {
        struct piece *piece = &answer->cargo.pieces[answer->cargo.count++];
        *piece = (struct piece){.type = messages[i].type,
                                .bytes = messages[i].bytes,
                                .at = (uint64_t)((const char *)messages[i].data - room)};
    }
}

static void perform(void *handle, void *other, const struct operation *op, struct answer *answer) {
    il_queue *queue = handle;
    const struct piece *piece = op->cargo.pieces;
    il_message messages[MANY];
    size_t bytes = UNTOUCHED, done = UNTOUCHED;
    uint32_t type = (uint32_t)UNTOUCHED;
    (void)other;
    switch (op->code) {
    case PUT:
        answer->status =
            il_queue_put(queue, cargo_data(&op->cargo, piece), piece->bytes, piece->type, 0);
        break;
    case GET:
    case PEEK:
        answer->status =
            op->code == GET
                ? il_queue_get(queue, answer->cargo.room, op->capacity, &bytes, &type, 0)
                : il_queue_peek(queue, answer->cargo.room, op->capacity, &bytes, &type);
        answer->bytes = bytes;
        if (answer->status == IL_OK) cargo_took(&answer->cargo, type, bytes, 0);
        break;
    case SIZE: answer->status = il_queue_size(queue, &answer->number); break;
    case PUT_MANY:
        for (uint64_t i = 0; i < op->count; i++) {
            messages[i] = (il_message){.data = cargo_data(&op->cargo, &piece[i]),
                                       .bytes = piece[i].bytes,
                                       .type = piece[i].type};
        }
        answer->status = il_queue_put_many(queue, messages, op->count, &done, 0);
        answer->number = done;
        break;
    case GET_MANY: take_many(queue, op, answer); break;
    default: answer->status = il_queue_shut(queue);
    }
}

/* ---- on the model ------------------------------------------------------------------------------- */

static il_status put_one(struct model *model, const struct operation *op, uint64_t i) {
    const struct piece *piece = &op->cargo.pieces[i];
    const char *data = cargo_data(&op->cargo, piece);
    if (piece->type == IL_TEXT && piece->bytes == 1 && *data == '\xff') return IL_EINVAL;
    if (model->shut) return IL_ECLOSED;
    if (model->maxsize && model->line.count == model->maxsize) return IL_ETIMEOUT;
    line_push(&model->line, piece->type, data, piece->bytes);
    return IL_OK;
}

/* The oldest; LEFT is what the buffer has room for. */
static il_status take_one(struct model *model, struct answer *answer, uint64_t left, bool keep) {
    struct line_item *item = line_first(&model->line);
    if (!item) return model->shut ? IL_ECLOSED : IL_ETIMEOUT;
    answer->bytes = item->bytes;
    if (item->bytes > left) return IL_ETOOBIG;
    cargo_add(&answer->cargo, item->type, item->data, item->bytes);
    if (!keep) line_pop(&model->line);
    return IL_OK;
}

static void apply(struct object *object, const struct operation *op, struct answer *answer) {
    struct model *model = object->model;
    il_status status = IL_OK;
    uint64_t done = 0;
    switch (op->code) {
    case PUT: answer->status = put_one(model, op, 0); break;
    case GET:
    case PEEK: answer->status = take_one(model, answer, op->capacity, op->code == PEEK); break;
    case SIZE: answer->number = model->line.count; break;
    case PUT_MANY:
        while (done < op->count && (status = put_one(model, op, done)) == IL_OK) done++;
        answer->status = status;
        answer->number = done;
        break;
    case GET_MANY:
        while (done < op->count) {
            status = take_one(model, answer, op->capacity - answer->cargo.used, false);
            if (status != IL_OK) break;
            done++;
        }
        answer->status = done > 0 ? IL_OK : status;
        answer->number = done > 0 || status == IL_OK ? done
                         : status == IL_ETOOBIG      ? answer->bytes
                                                     : UNTOUCHED;
        answer->bytes = UNTOUCHED;
        break;
    default: model->shut = true;
    }
}

/* Several messages are put and taken one by one. */
static bool apply_part(struct object *object, const struct operation *op, uint32_t part) {
    static struct answer answer;
    struct model *model = object->model;
    answer_begin(&answer);
    if (op->code == PUT_MANY) return part < op->count && put_one(model, op, part) == IL_OK;
    if (op->code == GET_MANY) {
        return part < op->count && take_one(model, &answer, op->capacity, false) == IL_OK;
    }
    if (part > 0) return false;
    apply(object, op, &answer);
    return true;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

static bool same(struct object *object, void *handle, char why[WHY]) {
    struct model *model = object->model;
    static char room[ROOM];
    struct line found = {0};
    size_t bytes;
    uint32_t type;
    il_status status;
    while ((status = il_queue_get(handle, room, sizeof room, &bytes, &type, 0)) == IL_OK) {
        line_push(&found, type, room, bytes);
    }
    if (status == IL_ECLOSED && found.count == 0) {
        found = model->drained;
        model->drained = (struct line){0};
    }
    bool equal = line_equal(&found, &model->line, why);
    if (equal && status != (model->shut ? IL_ECLOSED : IL_ETIMEOUT)) {
        snprintf(why, WHY, "%s: %s", il_status_name(status), il_error_message());
        equal = false;
    }
    for (uint64_t i = 0; status == IL_ETIMEOUT && i < found.count; i++) {
        const struct line_item *item = line_at(&found, i);
        il_queue_put(handle, item->data, item->bytes, item->type, 0);
    }
    if (status == IL_ECLOSED && !equal) {
        model->drained = found;
        return false;
    }
    if (status == IL_ECLOSED) line_clear(&model->line);
    line_clear(&found);
    return equal;
}

static il_status check(il_domain *domain, void *handle) {
    struct world world = {.domain = domain};
    return world_check_queue(&world, handle);
}

const struct random_kind random_queue = {
    "queue",         12,   2,       make_model, free_model, open_queue, close_queue,
    il_queue_delete, draw, perform, apply,      apply_part, same,       check};
