/*
 * pipe.c - a pipe, and its model: a line of messages to each end. Variants: duplex; one-way; duplex with room
 * for 5,000 bytes.
 *
 * Every process has both ends open, so that a death closes none. Now and then the driver lets all of them
 * close one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random/kind.h"
#include "random/line.h"
#include "support/world.h"

enum { SEND = KIND_CODES, RECEIVE, POLL, CLOSE_END };

#define ONE_WAY 1 /* variants */
#define NARROW 2
#define NARROW_BYTES 5000
#define COST_MOST 64 /* of a message, beside its bytes */

struct model {
    struct line to[2];
    struct line drained[2]; /* what cannot be put back: its sending end is closed */
    bool closed[2];
};

struct ends {
    il_pipe *ends[2]; /* NULL: closed for good */
};

static void *make_model(unsigned variant) {
    (void)variant;
    return calloc(1, sizeof(struct model));
}

static void free_model(void *pointer) {
    struct model *model = pointer;
    for (unsigned end = 0; end < 2; end++) {
        line_clear(&model->to[end]);
        line_clear(&model->drained[end]);
    }
    free(model);
}

static void close_pipe(void *pointer) {
    struct ends *ends = pointer;
    for (unsigned end = 0; end < 2; end++) il_pipe_close(ends->ends[end]);
    free(ends);
}

static il_status open_pipe(il_domain *domain, const struct object *object, void **handle) {
    il_pipe_options options = {.struct_bytes = sizeof options,
                               .flags = object->variant == ONE_WAY ? IL_PIPE_ONE_WAY : 0,
                               .max_bytes = object->variant == NARROW ? NARROW_BYTES : 0};
    struct ends *ends = calloc(1, sizeof *ends);
    for (uint32_t end = 0; end < 2; end++) {
        il_status status = il_pipe_open(domain, object->name, strlen(object->name), &options, end,
                                        &ends->ends[end]);
        if (status == IL_OK || status == IL_EPIPE) continue;
        close_pipe(ends);
        return status;
    }
    *handle = ends;
    return IL_OK;
}

static void draw(struct object *object, struct operation *op, uint64_t *random) {
    const struct model *model = object->model;
    bool closed = model->closed[0] || model->closed[1];
    bool grow = model->to[0].count + model->to[1].count < object->target / 8;
    uint32_t chance = draw_below(random, 100);
    op->code = chance < 80 ? (grow == (chance < 55) ? SEND : RECEIVE) : chance < 99 ? POLL : SEND;
    op->end = model->closed[0] ? 1 : model->closed[1] ? 0 : draw_below(random, 2);
    op->capacity = draw_capacity(random);
    draw_any_value(&op->cargo, random);
    if (closed && draw_below(random, 30) == 0) op->code = REMOVE_OBJECT;
    if (!closed && draw_below(random, 300) == 0) {
        op->code = CLOSE_END;
        op->flags = BY_DRIVER;
    }
}

static void perform(void *handle, void *other, const struct operation *op, struct answer *answer) {
    struct ends *ends = handle;
    il_pipe *pipe = ends->ends[op->end];
    const struct piece *piece = op->cargo.pieces;
    size_t bytes = UNTOUCHED;
    uint32_t type = 0;
    int32_t ready = -1;
    (void)other;
    switch (op->code) {
    case SEND:
        answer->status =
            il_pipe_send(pipe, cargo_data(&op->cargo, piece), piece->bytes, piece->type, 0);
        break;
    case RECEIVE:
        answer->status = il_pipe_receive(pipe, answer->cargo.room, op->capacity, &bytes, &type, 0);
        answer->bytes = bytes;
        if (answer->status == IL_OK) cargo_took(&answer->cargo, type, bytes, 0);
        break;
    case POLL:
        answer->status = il_pipe_poll(pipe, 0, &ready);
        answer->number = answer->status == IL_OK ? (uint64_t)ready : UNTOUCHED;
        break;
    default: answer->status = il_pipe_close(pipe); ends->ends[op->end] = NULL;
    }
}

/* ---- on the model ------------------------------------------------------------------------------- */

/* END 0 is where a one-way pipe receives. */
static bool can(const struct object *object, uint32_t end, bool send) {
    return object->variant != ONE_WAY || (end == 1) == send;
}

static il_status apply_send(struct object *object, const struct operation *op, il_status got) {
    struct model *model = object->model;
    const struct piece *piece = op->cargo.pieces;
    struct line *line = &model->to[1 - op->end];
    if (!can(object, op->end, true)) return IL_EUNSUPPORTED;
    if (model->closed[1 - op->end]) return IL_EPIPE;
    if (line->count > 0) { /* one alone is always sent */
        uint64_t most = object->variant == NARROW ? NARROW_BYTES : IL_PIPE_BYTES;
        uint64_t bytes = line->bytes + piece->bytes;
        bool perhaps = bytes + (line->count + 1) * COST_MOST > most;
        if (bytes > most || (perhaps && got == IL_ETIMEOUT)) return IL_ETIMEOUT;
    }
    line_push(line, piece->type, cargo_data(&op->cargo, piece), piece->bytes);
    return IL_OK;
}

static void apply(struct object *object, const struct operation *op, struct answer *answer) {
    struct model *model = object->model;
    struct line *line = &model->to[op->end];
    struct line_item *item = line_first(line);
    bool at_end = !item && model->closed[1 - op->end];
    if (op->code == SEND) {
        answer->status = apply_send(object, op, answer->got);
    } else if (op->code == CLOSE_END) {
        model->closed[op->end] = true;
        line_clear(line); /* nobody will receive it */
    } else if (!can(object, op->end, false)) {
        answer->status = IL_EUNSUPPORTED;
    } else if (op->code == POLL) {
        answer->number = item || at_end;
    } else if (!item) {
        answer->status = at_end ? IL_EEOF : IL_ETIMEOUT;
    } else {
        answer->bytes = item->bytes;
        answer->status = item->bytes > op->capacity ? IL_ETOOBIG : IL_OK;
        if (answer->status != IL_OK) return;
        cargo_add(&answer->cargo, item->type, item->data, item->bytes);
        line_pop(line);
    }
}

/* ---- the whole ---------------------------------------------------------------------------------- */

/* What is on its way to END: received, compared, and sent again. */
static bool same_way(struct object *object, struct ends *ends, uint32_t end, char why[WHY]) {
    struct model *model = object->model;
    static char room[ROOM];
    struct line found = {0};
    size_t bytes;
    uint32_t type;
    il_status status;
    if (model->closed[end] || !can(object, end, false)) return true;
    while ((status = il_pipe_receive(ends->ends[end], room, sizeof room, &bytes, &type, 0)) ==
           IL_OK) {
        line_push(&found, type, room, bytes);
    }
    bool shut = model->closed[1 - end];
    if (shut && found.count == 0) {
        found = model->drained[end];
        model->drained[end] = (struct line){0};
    }
    bool equal = line_equal(&found, &model->to[end], why);
    if (equal && status != (shut ? IL_EEOF : IL_ETIMEOUT)) {
        snprintf(why, WHY, "to %u: %s: %.300s", end, il_status_name(status), il_error_message());
        equal = false;
    }
    for (uint64_t i = 0; !shut && i < found.count; i++) {
        const struct line_item *item = line_at(&found, i);
        il_pipe_send(ends->ends[1 - end], item->data, item->bytes, item->type, 0);
    }
    if (shut && !equal) {
        model->drained[end] = found;
        return false;
    }
    if (shut) line_clear(&model->to[end]);
    line_clear(&found);
    return equal;
}

static bool same(struct object *object, void *handle, char why[WHY]) {
    const struct model *model = object->model;
    const struct ends *ends = handle;
    il_pipe_info info = {.struct_bytes = sizeof info};
    il_status status = il_pipe_info_get(ends->ends[0] ? ends->ends[0] : ends->ends[1], &info);
    if (status != IL_OK || info.closed[0] != model->closed[0] ||
        info.closed[1] != model->closed[1]) {
        snprintf(why, WHY, "%s, its ends are closed: %d and %d, not %d and %d",
                 il_status_name(status), info.closed[0], info.closed[1], model->closed[0],
                 model->closed[1]);
        return false;
    }
    return same_way(object, handle, 0, why) && same_way(object, handle, 1, why);
}

/* No more sessions have an end than there are. */
static il_status check(il_domain *domain, void *handle) {
    const struct ends *ends = handle;
    const il_pipe *pipe = ends->ends[0] ? ends->ends[0] : ends->ends[1];
    const struct ili_arena *a = &domain->member.arena;
    struct ili_pipe_view view;
    uint32_t sessions = 0;
    for (uint32_t i = 0; i < a->regions.slots; i++) {
        sessions += atomic_load(&a->slots[i].state) != ILI_SLOT_FREE;
    }
    ili_pipe_look(&domain->member, pipe->pipe, &view);
    if (view.claims[0] > sessions || view.claims[1] > sessions) return IL_ECORRUPT;
    return ili_pipe_check(&domain->member, pipe->pipe);
}

const struct random_kind random_pipe = {
    "pipe",         10,   3,       make_model, free_model, open_pipe, close_pipe,
    il_pipe_delete, draw, perform, apply,      NULL,       same,      check};
