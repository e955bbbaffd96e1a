#include "server/take.h"

#include <stdlib.h>

#include "base/clock.h"
#include "server/item.h"
#include "server/pin.h"
#include "server/pipes.h"
#include "server/reply.h"
#include "server/returns.h"
#include "server/server.h"

#define MANY_MOST 1000
#define MANY_DEFAULT 100
#define TRIES_MOST                                                                                 \
    100 /* to take what others take at the same time, or what is only said to be there */
#define MAX_BYTES_MOST INT64_C(9007199254740991) /* what every JSON reader takes as it is */
/* get_many stops beyond it, so one answer never holds more than this and one message */
#define MANY_BYTES (UINT64_C(16) << 20)

struct taking {
    struct ili_work work;
    void *pinned;
    struct ili_queue *queue;    /* what is pinned, or a part of it */
    il_status closed;           /* how its end is told */
    struct ili_taken *messages; /* owned, their data too, until the answer was written */
    size_t count;
    uint64_t most;
    uint64_t max_bytes; /* of all messages; what does not fit stays */
    uint64_t needed;    /* of the oldest message, if it does not fit */
    int64_t timeout_ns;
    bool many;
};

static void free_taking(struct ili_request *request) {
    struct taking *t = (struct taking *)request->work;
    for (size_t i = 0; i < t->count; i++) free(t->messages[i].data);
    free(t->messages);
    if (t->pinned) ili_unpin(request->server, t->pinned);
    request->work = NULL;
    free(t);
}

/* The answer was lost: everything goes back. */
static void undo_take(struct ili_request *request) {
    struct taking *t = (struct taking *)request->work;
    ili_return_items(request->server, t->pinned, t->queue, t->messages, t->count);
    t->pinned = NULL;
    t->messages = NULL;
    t->count = 0;
}

/* Takes what is there. IL_OK: something. IL_ETIMEOUT: it is empty. */
static il_status take_what_is_there(struct ili_request *request) {
    struct taking *t = (struct taking *)request->work;
    struct ili_member *member = ili_server_member(request->server);
    uint64_t room = ili_queue_size(t->queue), bytes = 0;
    room = room < t->most ? room + 1 : t->most;
    free(t->messages); /* of an attempt before, which found nothing */
    t->messages = calloc(room, sizeof *t->messages);
    if (!t->messages) return IL_ENOMEM;
    il_status status = IL_OK;
    while (t->count < room && bytes < MANY_BYTES) {
        size_t got = 0;
        struct ili_taken *next = &t->messages[t->count];
        next->room = t->max_bytes - bytes;
        status = ili_queue_try_get(member, t->queue, next, 1, &got);
        t->needed = next->bytes;
        if (status != IL_OK) break;
        bytes += next->bytes;
        t->count++;
    }
    if (t->count == 0) return status == IL_ECLOSED ? t->closed : status;
    t->work.undo = undo_take;
    return IL_OK;
}

static void write_messages(struct ili_out *out, const struct taking *t) {
    if (!t->many) {
        ili_item_write(out, t->messages);
        return;
    }
    ili_out_key(out, "items");
    ili_out_open(out, '[');
    for (size_t i = 0; i < t->count; i++) {
        ili_out_open(out, '{');
        ili_item_write(out, &t->messages[i]);
        ili_out_close(out, '}');
    }
    ili_out_close(out, ']');
}

static void answer(struct ili_request *request, il_status status) {
    struct ili_out out = {0};
    if (status == IL_ETOOBIG) {
        ili_reply_problem_done(request, status, "the oldest message is longer than max_bytes",
                               "bytes", ((struct taking *)request->work)->needed);
        return;
    }
    if (status != IL_OK) {
        ili_reply_problem(request, status, NULL);
        return;
    }
    ili_out_open(&out, '{');
    ili_out_key(&out, "name");
    ili_out_text(&out, request->name, request->name_bytes);
    write_messages(&out, (struct taking *)request->work);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

/* Takes, and stands in the queue's list of getters, until it waits there or is answered. */
static void proceed(struct ili_request *request) {
    struct taking *t = (struct taking *)request->work;
    il_status status = IL_EBUSY;
    for (int tries = 0; tries < TRIES_MOST; tries++) {
        status = take_what_is_there(request);
        if (status != IL_ETIMEOUT) break;
        status =
            ili_queue_enqueue(ili_server_member(request->server), t->queue, request->waiter, false);
        if (status == IL_ETIMEOUT) return;
        if (status != IL_OK) break;
        status = IL_EBUSY;
    }
    answer(request, status);
}

static void rung(struct ili_request *request) {
    if (ili_queue_settled(request->waiter)) proceed(request);
}

static bool end_wait(struct ili_request *request, il_status why) {
    struct taking *t = (struct taking *)request->work;
    il_status status =
        ili_queue_withdraw(ili_server_member(request->server), t->queue, request->waiter, false);
    if (status == IL_EBUSY) return false;
    if (why != IL_EGONE) answer(request, why);
    return true;
}

static const struct ili_wait waiting = {.rung = rung, .end = end_wait};

static struct taking *begin(struct ili_request *request, bool many) {
    struct taking *t = calloc(1, sizeof *t);
    if (!t) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the request");
        return NULL;
    }
    t->work.free = free_taking;
    t->timeout_ns = request->server->config.long_poll_ns;
    t->closed = IL_ECLOSED;
    t->most = many ? MANY_DEFAULT : 1;
    t->max_bytes = MAX_BYTES_MOST;
    t->many = many;
    request->work = &t->work;
    return t;
}

static bool pin_queue(struct ili_request *request) {
    struct taking *t = (struct taking *)request->work;
    t->queue = ili_pin_named(request, &ili_queue_kind, NULL, 0, NULL);
    t->pinned = t->queue;
    return t->queue;
}

/* The queue is pinned: takes from it. */
static void take_now(struct ili_request *request) {
    struct taking *t = (struct taking *)request->work;
    il_status status = take_what_is_there(request);
    if (status == IL_ETIMEOUT && t->timeout_ns > 0) {
        ili_request_drop_body(request);
        status = ili_park(request, &waiting, ili_now_ns() + t->timeout_ns);
        if (status == IL_OK) {
            proceed(request);
            return;
        }
    }
    answer(request, status);
}

static void take(struct ili_request *request, const struct ili_param *params, size_t count) {
    if (ili_request_read(request, params, count) && pin_queue(request)) take_now(request);
}

void ili_take_one(struct ili_request *request) {
    struct taking *t = begin(request, false);
    if (!t) return;
    const struct ili_param params[] = {
        ILI_PARAM_SECONDS("timeout", &t->timeout_ns, 0, t->timeout_ns),
        ILI_PARAM_COUNT("max_bytes", &t->max_bytes, 0, MAX_BYTES_MOST)};
    take(request, params, 2);
}

void ili_take_many(struct ili_request *request) {
    struct taking *t = begin(request, true);
    if (!t) return;
    const struct ili_param params[] = {
        ILI_PARAM_COUNT("max", &t->most, 1, MANY_MOST),
        ILI_PARAM_SECONDS("timeout", &t->timeout_ns, 0, t->timeout_ns),
        ILI_PARAM_COUNT("max_bytes", &t->max_bytes, 0, MAX_BYTES_MOST)};
    take(request, params, 3);
}

void ili_take_peek(struct ili_request *request) {
    struct taking *t = begin(request, false);
    struct ili_taken first = {.room = IL_MESSAGE_MAX_BYTES};
    if (!t || !ili_request_read(request, NULL, 0)) return;
    if (!pin_queue(request)) return;
    il_status status = ili_queue_peek(ili_server_member(request->server), t->queue, &first);
    if (status == IL_OK) {
        t->messages = calloc(1, sizeof *t->messages);
        if (!t->messages) {
            free(first.data);
            status = IL_ENOMEM;
        } else {
            t->messages[t->count++] = first;
        }
    }
    answer(request, status);
}

void ili_take_received(struct ili_request *request) {
    struct taking *t = begin(request, false);
    struct ili_pipe_place place = {.who.session = ""};
    if (!t) return;
    const struct ili_param params[] = {
        ILI_PIPE_PLACE_PARAMS(&place),
        ILI_PARAM_SECONDS("timeout", &t->timeout_ns, 0, t->timeout_ns),
        ILI_PARAM_COUNT("max_bytes", &t->max_bytes, 0, MAX_BYTES_MOST)};
    if (!ili_request_read(request, params, 4)) return;
    t->pinned = ili_pipe_place_pin(request, &place);
    if (!t->pinned) return;
    t->queue = ili_pipe_incoming(t->pinned, place.end);
    t->closed = IL_EEOF;
    if (t->queue) {
        take_now(request);
    } else {
        ili_pipe_place_refuse(request, &place, IL_EUNSUPPORTED);
    }
}
