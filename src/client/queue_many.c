/*
 * queue_many.c - puts and gets of many messages in one request.
 *
 * Who gives up a parked put_many cannot know how many messages went in. So put_many never waits on
 * the server: it puts what fits at once, in batches, and waits for room by putting one message.
 */
#include <stdlib.h>
#include <string.h>

#include "client/message.h"
#include "client/queue.h"
#include "client/queue_room.h"

#define MOST_MESSAGES 1000u                   /* of one request, by the HTTP API */
#define BATCH_BYTES ((size_t)4 * 1024 * 1024) /* of a body, when another message can wait */

/* Adds the items of MESSAGES to the body, as many as a request should have; *ADDED is how many. An
 * error is about the first one: the others are met again when they are first. */
static il_status write_batch(struct ili_call *call, const il_message *messages, size_t count,
                             size_t *added) {
    size_t n = 0;
    ili_call_field(call, "items");
    ili_buffer_add_text(&call->body, "[");
    while (n < count && n < MOST_MESSAGES && (n == 0 || call->body.bytes < BATCH_BYTES)) {
        size_t before = call->body.bytes;
        const il_message *message = messages + n;
        ili_buffer_add_text(&call->body, n ? ",{" : "{");
        il_status status =
            ili_message_write(&call->body, message->data, message->bytes, message->type);
        if (status != IL_OK && n == 0) return status;
        if (status != IL_OK) {
            call->body.bytes = before;
            break;
        }
        ili_buffer_add_text(&call->body, "}");
        n++;
    }
    ili_buffer_add_text(&call->body, "]");
    *added = n;
    return IL_OK;
}

/* Puts what there is room for now; *PUT is how many, also after a failure. */
static il_status put_batch(struct ili_remote_queue *queue, const il_message *messages, size_t count,
                           size_t *put) {
    struct ili_call call;
    size_t added = 0;
    uint64_t told = 0;
    *put = 0;
    ili_remote_object_begin(&call, &queue->object, "POST", "put_many");
    call.keyed = true;
    il_status status = write_batch(&call, messages, count, &added);
    if (status == IL_OK) {
        struct ili_wait wait;
        ili_wait_begin(&wait, IL_NOWAIT);
        status = ili_call_wait(&call, &wait);
        bool number = ili_json_number(ili_json_member(call.object, "put"), &told);
        if (told > added || (status == IL_OK && (!number || told != added))) {
            status = ili_call_nonsense(&call, "another number of messages than it was sent");
        } else {
            *put = (size_t)told;
        }
    }
    ili_call_end(&call);
    return status;
}

il_status ili_remote_queue_put_many(struct ili_remote_queue *queue, const il_message *messages,
                                    size_t count, size_t *done, int64_t timeout_ns) {
    size_t n = 0;
    struct ili_wait wait;
    ili_wait_begin(&wait, timeout_ns);
    il_status status = ili_remote_domain_check(queue->object.domain);
    while (status == IL_OK && n < count) {
        size_t put;
        status = put_batch(queue, messages + n, count - n, &put);
        n += put;
        if (status == IL_ETIMEOUT && !wait.now && n < count) {
            const il_message *next = messages + n;
            status = ili_remote_queue_put_one(queue, next->data, next->bytes, next->type, &wait);
            if (status == IL_OK) n++;
        }
    }
    *done = n;
    return status;
}

/* ---- get ---------------------------------------------------------------------------------------- */

/* Copies the answer's messages; FOUND has room for COUNT, and ROOM is memory to build them in. */
static il_status deliver(struct ili_call *call, struct ili_buffer *room, il_message *found,
                         void *buffer, size_t capacity, il_message *messages, size_t count,
                         size_t *done) {
    struct ili_json items = ili_json_member(call->object, "items"), item;
    struct ili_json_walk walk = {0};
    size_t n = 0;
    for (item = ili_json_next(items, &walk); item.at; item = ili_json_next(items, &walk)) {
        size_t start = room->bytes;
        uint32_t type;
        if (n == count || !ili_message_read(item, room, &type) || room->bytes > capacity) {
            return room->failed ? ili_remote_fail(IL_ENOMEM, "no memory for messages")
                                : ili_call_nonsense(call, "messages that were not asked for");
        }
        found[n++] = (il_message){.data = start ? (char *)buffer + start : buffer,
                                  .bytes = room->bytes - start,
                                  .type = type};
    }
    if (n == 0) return ili_call_nonsense(call, "no message");
    if (room->bytes) memcpy(buffer, room->data, room->bytes);
    memcpy(messages, found, n * sizeof *found);
    *done = n;
    return IL_OK;
}

il_status ili_remote_queue_get_many(struct ili_remote_queue *queue, void *buffer, size_t capacity,
                                    il_message *messages, size_t count, size_t *done,
                                    int64_t timeout_ns) {
    il_status status = ili_remote_domain_check(queue->object.domain);
    if (status != IL_OK) return status;
    if (!buffer) capacity = 0;
    size_t most = count < MOST_MESSAGES ? count : MOST_MESSAGES;
    il_message *found = malloc(most * sizeof *found);
    if (!found) return ili_remote_fail(IL_ENOMEM, "no memory for messages");
    size_t useful = most * (size_t)IL_MESSAGE_MAX_BYTES;
    struct ili_wait wait;
    struct ili_call call;
    ili_wait_begin(&wait, timeout_ns);
    ili_remote_object_begin(&call, &queue->object, "POST", "get_many");
    call.keyed = true;
    call.answer_max += ili_message_spread(capacity < useful ? capacity : useful) + 64 * most;
    ili_call_field(&call, "max");
    ili_buffer_add_number(&call.body, most);
    ili_call_field(&call, "max_bytes");
    ili_buffer_add_number(&call.body, capacity < useful ? capacity : useful);
    status = ili_call_wait(&call, &wait);
    if (status == IL_OK) {
        struct ili_buffer room = {0};
        status = deliver(&call, &room, found, buffer, capacity, messages, most, done);
        ili_buffer_free(&room);
    } else if (status == IL_ETOOBIG) {
        *done = (size_t)ili_remote_queue_needed(&call);
        status = ili_remote_queue_no_room(*done, capacity);
    }
    free(found);
    ili_call_end(&call);
    return status;
}
