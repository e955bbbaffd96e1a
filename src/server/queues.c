#include "server/queues.h"

#include <inttypes.h>
#include <stdio.h>

#include "data/queue.h"
#include "server/listing.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/reply.h"
#include "server/server.h"

#define MAXSIZE_MOST INT64_C(9007199254740991) /* what every JSON reader takes as it is */

static void write_view(struct ili_out *out, const struct ili_queue *queue, const char *name,
                       size_t name_bytes) {
    uint64_t size = ili_queue_size(queue);
    ili_out_open(out, '{');
    ili_out_key(out, "name");
    ili_out_text(out, name, name_bytes);
    ili_out_key(out, "maxsize");
    ili_out_number(out, queue->maxsize);
    ili_out_key(out, "size");
    ili_out_number(out, size);
    ili_out_key(out, "empty");
    ili_out_bool(out, size == 0);
    ili_out_key(out, "full");
    ili_out_bool(out, queue->maxsize != 0 && size >= queue->maxsize);
    ili_out_key(out, "closed");
    ili_out_bool(out, ili_queue_state(queue) != ILI_QUEUE_OPEN);
    ili_out_key(out, "getters");
    ili_out_number(out, ili_waitq_count(&queue->getters));
    ili_out_key(out, "putters");
    ili_out_number(out, ili_waitq_count(&queue->putters));
    ili_out_close(out, '}');
}

static void visit(const struct ili_object *object, const char *name, size_t name_bytes,
                  void *context) {
    struct ili_listing *listing = context;
    write_view(listing->out, (const struct ili_queue *)object, name, name_bytes);
}

void ili_queues_list(struct ili_request *request) {
    ili_listing_reply(request, ILI_KIND_QUEUE, "queues", visit);
}

/* Answers with the view of QUEUE and lets go of it. */
static void reply_view(struct ili_request *request, unsigned http_status, struct ili_queue *queue) {
    struct ili_out out = {0};
    write_view(&out, queue, request->name, request->name_bytes);
    ili_unpin(request->server, queue);
    ili_reply(request, http_status, &out);
}

void ili_queues_get(struct ili_request *request) {
    struct ili_queue *queue =
        ili_pin_named(request, &ili_queue_kind, NULL, ILI_OPEN_EXISTING, NULL);
    if (queue) reply_view(request, 200, queue);
}

/* The queue has another maxsize than WANTED. */
static void reply_conflict(struct ili_request *request, uint64_t wanted) {
    char detail[sizeof request->name + 120];
    struct ili_queue *queue =
        ili_pin_named(request, &ili_queue_kind, NULL, ILI_OPEN_EXISTING, NULL);
    if (!queue) return; /* it has been deleted since */
    snprintf(detail, sizeof detail,
             "the queue \"%.*s\" exists with maxsize=%" PRIu64
             ", the request asks for maxsize=%" PRIu64,
             request->name_bytes, request->name, (uint64_t)queue->maxsize, wanted);
    ili_unpin(request->server, queue);
    ili_reply_problem(request, IL_ECONFLICT, detail);
}

void ili_queues_put(struct ili_request *request) {
    il_queue_options options = {.struct_bytes = sizeof options};
    bool created = false;
    const struct ili_param params[] = {
        ILI_PARAM_COUNT("maxsize", &options.maxsize, 0, MAXSIZE_MOST)};
    if (!ili_request_read(request, params, 1)) return;
    void *queue;
    il_status status = ili_pin_open(request, &ili_queue_kind, &options, 0, &created, &queue);
    if (status == IL_OK) {
        reply_view(request, created ? 201 : 200, queue);
    } else if (status == IL_ECONFLICT) {
        reply_conflict(request, options.maxsize);
    } else {
        ili_reply_problem(request, status, NULL);
    }
}

void ili_queues_delete(struct ili_request *request) {
    struct ili_server *server = request->server;
    il_status status = ili_names_delete(ili_server_member(server), server->domain.self,
                                        &ili_queue_kind, request->name, request->name_bytes);
    if (status == IL_OK) {
        ili_reply_empty(request, 0);
    } else {
        ili_reply_problem(request, status, NULL);
    }
}

void ili_queues_close(struct ili_request *request) {
    if (!ili_request_read(request, NULL, 0)) return;
    struct ili_queue *queue =
        ili_pin_named(request, &ili_queue_kind, NULL, ILI_OPEN_EXISTING, NULL);
    if (!queue) return;
    il_status status = ili_queue_shut(ili_server_member(request->server), queue);
    if (status == IL_OK) {
        reply_view(request, 200, queue);
    } else {
        ili_unpin(request->server, queue);
        ili_reply_problem(request, status, NULL);
    }
}
