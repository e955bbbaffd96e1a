#include "server/queues.h"

#include <inttypes.h>
#include <stdio.h>

#include "data/queue.h"
#include "server/params.h"
#include "server/reply.h"
#include "server/server.h"

#define MAXSIZE_MOST INT64_C(9007199254740991) /* what every JSON reader takes as it is */

static bool read_options(struct ili_request *request, union ili_object_options *room,
                         const void **options) {
    const struct ili_param params[] = {
        ILI_PARAM_COUNT("maxsize", &room->queue.maxsize, 0, MAXSIZE_MOST)};
    room->queue.struct_bytes = sizeof room->queue;
    *options = &room->queue;
    return ili_request_read(request, params, 1);
}

static void differ(const void *object, const void *options, struct ili_difference *difference) {
    const struct ili_queue *queue = object;
    const il_queue_options *asked = options;
    snprintf(difference->has, sizeof difference->has, "maxsize=%" PRIu64, (uint64_t)queue->maxsize);
    snprintf(difference->asked, sizeof difference->asked, "maxsize=%" PRIu64,
             (uint64_t)asked->maxsize);
}

static void view(struct ili_out *out, struct ili_server *server, const void *object, bool whole) {
    const struct ili_queue *queue = object;
    uint64_t size = ili_queue_size(queue);
    (void)server, (void)whole;
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
}

const struct ili_collection ili_queues = {
    .name = "queues",
    .kind = &ili_queue_kind,
    .read = read_options,
    .differ = differ,
    .view = view,
};

void ili_queues_close(struct ili_request *request) {
    if (!ili_request_read(request, NULL, 0)) return;
    struct ili_queue *queue = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!queue) return;
    il_status status = ili_queue_shut(ili_server_member(request->server), queue);
    ili_objects_reply(request, status, queue);
}
