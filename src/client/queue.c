/*
 * queue.c - see queue.h; the calls on many messages are in queue_many.c.
 *
 * A message that does not fit into the caller's buffer must stay in the queue. Only the server can
 * see to that, so a get says with `max_bytes` what fits.
 */
#include "client/queue.h"

#include <stdlib.h>
#include <string.h>

#include "client/message.h"
#include "client/queue_room.h"

il_status ili_remote_queue_open(struct ili_remote_domain *domain, const char *name,
                                size_t name_bytes, const uint64_t *maxsize,
                                struct ili_remote_queue **out) {
    struct ili_remote_queue *queue = NULL;
    il_status status = ili_remote_object_new(domain, IL_KIND_QUEUE, name, name_bytes, sizeof *queue,
                                             (void **)&queue);
    if (status != IL_OK) return status;
    struct ili_call call;
    ili_remote_object_begin(&call, &queue->object, "PUT", NULL);
    if (maxsize) {
        ili_call_field(&call, "maxsize");
        ili_buffer_add_number(&call.body, *maxsize);
    }
    status = ili_remote_object_open(&call, !maxsize);
    if (status == IL_OK) {
        *out = queue;
    } else {
        free(queue);
    }
    return status;
}

il_status ili_remote_queue_close(struct ili_remote_queue *queue) {
    free(queue);
    return IL_OK;
}

il_status ili_remote_queue_delete(struct ili_remote_domain *domain, const char *name,
                                  size_t name_bytes) {
    return ili_remote_object_delete(domain, IL_KIND_QUEUE, name, name_bytes);
}

/* ---- one message -------------------------------------------------------------------------------- */

il_status ili_remote_queue_put(struct ili_remote_queue *queue, const void *data, size_t bytes,
                               uint32_t type, int64_t timeout_ns) {
    struct ili_wait wait;
    ili_wait_begin(&wait, timeout_ns);
    return ili_remote_queue_put_one(queue, data, bytes, type, &wait);
}

il_status ili_remote_queue_put_one(struct ili_remote_queue *queue, const void *data, size_t bytes,
                                   uint32_t type, const struct ili_wait *wait) {
    il_status status = ili_remote_domain_check(queue->object.domain);
    if (status != IL_OK) return status;
    struct ili_call call;
    ili_remote_object_begin(&call, &queue->object, "POST", "put");
    call.keyed = true;
    status = ili_message_write(&call.body, data, bytes, type);
    if (status == IL_OK) status = ili_call_wait(&call, wait);
    ili_call_end(&call);
    return status;
}

/* Copies the message that CALL's answer holds. */
static il_status deliver(struct ili_call *call, void *buffer, size_t capacity, size_t *bytes,
                         uint32_t *type) {
    struct ili_buffer message = {0};
    uint32_t kind;
    il_status status = IL_OK;
    if (!ili_message_read(call->object, &message, &kind)) {
        status = message.failed ? ili_remote_fail(IL_ENOMEM, "no memory for a message")
                                : ili_call_nonsense(call, "what is not a message");
    } else {
        *bytes = message.bytes;
        if (message.bytes > capacity) {
            status = ili_remote_queue_no_room(message.bytes, capacity);
        } else {
            if (message.bytes) memcpy(buffer, message.data, message.bytes);
            if (type) *type = kind;
        }
    }
    ili_buffer_free(&message);
    return status;
}

il_status ili_remote_queue_no_room(uint64_t needed, size_t capacity) {
    return ili_remote_fail(IL_ETOOBIG, "the message has %llu bytes, the buffer %zu",
                           (unsigned long long)needed, capacity);
}

uint64_t ili_remote_queue_needed(const struct ili_call *call) {
    uint64_t needed;
    bool told = ili_json_number(ili_json_member(call->object, "bytes"), &needed);
    return told ? needed : IL_MESSAGE_MAX_BYTES;
}

il_status ili_remote_queue_take(struct ili_call *call, const struct ili_wait *wait, void *buffer,
                                size_t capacity, size_t *bytes, uint32_t *type) {
    if (!buffer) capacity = 0;
    bool any_fits = capacity >= IL_MESSAGE_MAX_BYTES;
    call->keyed = true;
    call->answer_max += ili_message_spread(any_fits ? IL_MESSAGE_MAX_BYTES : capacity);
    if (!any_fits) {
        ili_call_field(call, "max_bytes");
        ili_buffer_add_number(&call->body, capacity);
    }
    il_status status = ili_call_wait(call, wait);
    if (status == IL_OK) return deliver(call, buffer, capacity, bytes, type);
    if (status != IL_ETOOBIG) return status;
    *bytes = ili_remote_queue_needed(call);
    return ili_remote_queue_no_room(*bytes, capacity);
}

il_status ili_remote_queue_get(struct ili_remote_queue *queue, void *buffer, size_t capacity,
                               size_t *bytes, uint32_t *type, int64_t timeout_ns) {
    il_status status = ili_remote_domain_check(queue->object.domain);
    if (status != IL_OK) return status;
    struct ili_wait wait;
    struct ili_call call;
    ili_wait_begin(&wait, timeout_ns);
    ili_remote_object_begin(&call, &queue->object, "POST", "get");
    status = ili_remote_queue_take(&call, &wait, buffer, capacity, bytes, type);
    ili_call_end(&call);
    return status;
}

il_status ili_remote_queue_peek(struct ili_remote_queue *queue, void *buffer, size_t capacity,
                                size_t *bytes, uint32_t *type) {
    il_status status = ili_remote_domain_check(queue->object.domain);
    if (status != IL_OK) return status;
    if (!buffer) capacity = 0;
    struct ili_call call;
    ili_remote_object_begin(&call, &queue->object, "POST", "peek");
    call.answer_max += ili_message_spread(IL_MESSAGE_MAX_BYTES);
    status = ili_call_run(&call);
    if (status == IL_OK) status = deliver(&call, buffer, capacity, bytes, type);
    ili_call_end(&call);
    return status;
}

/* ---- glances ------------------------------------------------------------------------------------ */

il_status ili_remote_queue_size(struct ili_remote_queue *queue, uint64_t *size) {
    return ili_remote_object_number(&queue->object, "size", size);
}

il_status ili_remote_queue_maxsize(struct ili_remote_queue *queue, uint64_t *maxsize) {
    return ili_remote_object_number(&queue->object, "maxsize", maxsize);
}

il_status ili_remote_queue_full(struct ili_remote_queue *queue, int32_t *full) {
    return ili_remote_object_flag(&queue->object, "full", full);
}

il_status ili_remote_queue_shut(struct ili_remote_queue *queue) {
    il_status status = ili_remote_domain_check(queue->object.domain);
    if (status != IL_OK) return status;
    struct ili_call call;
    ili_remote_object_begin(&call, &queue->object, "POST", "close");
    status = ili_remote_object_gone(ili_call_run(&call));
    ili_call_end(&call);
    return status;
}
