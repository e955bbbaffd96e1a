#include "server/put.h"

#include <stdlib.h>

#include "base/clock.h"
#include "server/item.h"
#include "server/payloads.h"
#include "server/pin.h"
#include "server/pipes.h"
#include "server/reply.h"
#include "server/server.h"

#define MANY_MOST 1000
#define TRIES_MOST 100 /* to put into room that others fill, or that is only said to be there */

struct putting {
    struct ili_work work;
    void *pinned;
    struct ili_queue *queue;     /* what is pinned, or a part of it */
    struct ili_payload one;      /* in the request's body */
    struct ili_payloads several; /* the same */
    const struct ili_payload *messages;
    size_t count, done;
    int64_t timeout_ns;
    bool many;
    bool pipe; /* the queue is a direction of one */
};

static void free_putting(struct ili_request *request) {
    struct putting *p = (struct putting *)request->work;
    if (p->pinned) ili_unpin(request->server, p->pinned);
    ili_payloads_free(&p->several);
    request->work = NULL;
    free(p);
}

static void answer(struct ili_request *request, il_status status) {
    struct putting *p = (struct putting *)request->work;
    struct ili_out out = {0};
    if (status != IL_OK) {
        ili_reply_problem_done(request, status, NULL, p->many ? "put" : NULL, p->done);
        return;
    }
    ili_out_open(&out, '{');
    ili_out_key(&out, "name");
    ili_out_text(&out, request->name, request->name_bytes);
    ili_out_key(&out, p->many ? "put" : p->pipe ? "waiting" : "size");
    ili_out_number(&out, p->many ? p->done : ili_queue_size(p->queue));
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

/* Puts what there is room for. IL_OK: all were put. IL_ETIMEOUT: it is full. */
static il_status put_what_fits(struct ili_request *request) {
    struct putting *p = (struct putting *)request->work;
    il_status status = IL_OK;
    while (status == IL_OK && p->done < p->count) {
        size_t done = 0;
        status = ili_queue_try_put_of(ili_server_member(request->server), p->queue, request->waiter,
                                      p->messages + p->done, p->count - p->done, &done);
        p->done += done;
    }
    if (p->pipe && status == IL_ECLOSED) return IL_EPIPE;
    return status;
}

/* Puts, and stands in the queue's list of putters, until it waits there or is answered. */
static void proceed(struct ili_request *request) {
    struct putting *p = (struct putting *)request->work;
    il_status status = IL_EBUSY;
    for (int tries = 0; tries < TRIES_MOST; tries++) {
        status = put_what_fits(request);
        if (status != IL_ETIMEOUT) break;
        status = ili_queue_enqueue_put(ili_server_member(request->server), p->queue,
                                       request->waiter, p->messages[p->done].bytes);
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
    struct putting *p = (struct putting *)request->work;
    il_status status =
        ili_queue_withdraw(ili_server_member(request->server), p->queue, request->waiter, true);
    if (status == IL_EBUSY) return false;
    if (why != IL_EGONE) answer(request, why);
    return true;
}

static const struct ili_wait waiting = {.rung = rung, .end = end_wait};

/* The queue is pinned: puts the messages into it. */
static void put_now(struct ili_request *request) {
    struct putting *p = (struct putting *)request->work;
    il_status status = put_what_fits(request);
    if (status == IL_ETIMEOUT && p->timeout_ns > 0) {
        status = ili_park(request, &waiting, ili_now_ns() + p->timeout_ns);
        if (status == IL_OK) {
            proceed(request);
            return;
        }
    }
    answer(request, status);
}

/* The messages are read: puts them into the queue. */
static void put_all(struct ili_request *request) {
    struct putting *p = (struct putting *)request->work;
    p->queue = ili_pin_named(request, &ili_queue_kind, NULL, 0, NULL);
    p->pinned = p->queue;
    if (p->queue) put_now(request);
}

static struct putting *begin(struct ili_request *request, bool many) {
    struct putting *p = calloc(1, sizeof *p);
    if (!p) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the request");
        return NULL;
    }
    p->work.free = free_putting;
    p->messages = &p->one;
    p->timeout_ns = request->server->config.long_poll_ns;
    p->many = many;
    request->work = &p->work;
    return p;
}

void ili_put_one(struct ili_request *request) {
    struct putting *p = begin(request, false);
    struct ili_item_fields fields = {0};
    struct ili_fault fault;
    if (!p) return;
    const struct ili_param params[] = {
        ILI_ITEM_PARAMS(&fields), ILI_PARAM_SECONDS("timeout", &p->timeout_ns, 0, p->timeout_ns)};
    p->count = 1;
    il_status status = ili_params_read(request->body, request->body_bytes, params, 4, &fault);
    if (status == IL_OK) status = ili_item_read(&fields, "", &p->one, &fault);
    ili_item_drop(&fields);
    if (status != IL_OK) {
        ili_reply_fault(request, &fault);
    } else {
        put_all(request);
    }
}

void ili_put_many(struct ili_request *request) {
    struct putting *p = begin(request, true);
    struct ili_value items = {0};
    struct ili_fault fault;
    if (!p) return;
    const struct ili_param params[] = {
        {"items", ILI_PARAM_IS_VALUE, &items, 0, 0, true},
        ILI_PARAM_SECONDS("timeout", &p->timeout_ns, 0, p->timeout_ns)};
    il_status status = ili_params_read(request->body, request->body_bytes, params, 2, &fault);
    if (status == IL_OK) {
        status = ili_payloads_read(&items, "items", 1, MANY_MOST, &p->several, &fault);
    }
    json_decref(items.json);
    p->messages = p->several.at;
    p->count = p->several.count;
    if (status != IL_OK) {
        ili_reply_fault(request, &fault);
    } else {
        put_all(request);
    }
}

void ili_put_sent(struct ili_request *request) {
    struct putting *p = begin(request, false);
    struct ili_pipe_place place = {.who.session = ""};
    struct ili_item_fields fields = {0};
    struct ili_fault fault;
    if (!p) return;
    const struct ili_param params[] = {
        ILI_ITEM_PARAMS(&fields), ILI_PIPE_PLACE_PARAMS(&place),
        ILI_PARAM_SECONDS("timeout", &p->timeout_ns, 0, p->timeout_ns)};
    p->count = 1;
    p->pipe = true;
    il_status status = ili_params_read(request->body, request->body_bytes, params, 6, &fault);
    if (status == IL_OK) status = ili_item_read(&fields, "", &p->one, &fault);
    ili_item_drop(&fields);
    if (status != IL_OK) {
        ili_reply_fault(request, &fault);
        return;
    }
    p->pinned = ili_pipe_place_pin(request, &place);
    if (!p->pinned) return;
    p->queue = ili_pipe_outgoing(p->pinned, place.end);
    if (p->queue) {
        put_now(request);
    } else {
        ili_pipe_place_refuse(request, &place, IL_EUNSUPPORTED);
    }
}
