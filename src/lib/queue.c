/* queue.c - il_queue_… : checks, and which door. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "lib/domain.h"
#include "lib/message.h"

#define BATCH 64 /* messages that are looked at together; bounds the stack, not the call */

static il_status no_queue(void) { return ili_fail(IL_EINVAL, "queue: expected a queue, got NULL"); }

static il_status missing(const char *argument) {
    return ili_fail(IL_EINVAL, "%s: expected a place for the answer, got NULL", argument);
}

static il_status check_timeout(int64_t timeout_ns) {
    if (timeout_ns >= IL_FOREVER) return IL_OK;
    return ili_fail(IL_EINVAL, "timeout_ns: expected IL_FOREVER, IL_NOWAIT or more");
}

static int64_t deadline_of(int64_t timeout_ns) {
    return timeout_ns == 0 ? 0 : ili_deadline_in(timeout_ns);
}

/* ---- open and close ------------------------------------------------------------------------------- */

static il_status check_options(const il_queue_options *options) {
    if (!options) return IL_OK;
    if (options->struct_bytes < sizeof *options) {
        return ili_fail(IL_EINVAL, "options.struct_bytes: expected sizeof(il_queue_options)");
    }
    if (options->reserved) return ili_fail(IL_EINVAL, "options.reserved: expected 0");
    return IL_OK;
}

il_status il_queue_open(il_domain *domain, const char *name, size_t name_bytes,
                        const il_queue_options *options, il_queue **out) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the queue, got NULL");
    il_status status = ili_check_name(name, name_bytes, true);
    if (status == IL_OK) status = check_options(options);
    if (status != IL_OK) return status;
    il_queue *queue = calloc(1, sizeof *queue);
    if (!queue) return ili_fail(IL_ENOMEM, "this process has no memory");
    if (domain->remote_ops) {
        queue->remote_ops = domain->remote_ops;
        status = queue->remote_ops->queue_open(domain->remote, name, name_bytes,
                                               options ? &options->maxsize : NULL, &queue->remote);
    } else {
        status =
            ili_handle_open(domain, &ili_queue_kind, name, name_bytes, options, &queue->handle);
        if (status == IL_OK) {
            queue->queue =
                ili_object_at(&domain->member.arena, queue->handle.object, ILI_KIND_QUEUE);
        }
    }
    if (status != IL_OK) {
        free(queue);
        return status;
    }
    *out = queue;
    return IL_OK;
}

il_status il_queue_close(il_queue *queue) {
    if (!queue) return IL_OK;
    il_status status;
    if (queue->queue) {
        status = ili_handle_close(&queue->handle);
    } else {
        status = queue->remote_ops->queue_close(queue->remote);
    }
    free(queue);
    return status == IL_OK ? IL_OK : ili_report(status, "queue");
}

il_status il_queue_delete(il_domain *domain, const char *name, size_t name_bytes) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    il_status status = ili_check_name(name, name_bytes, false);
    if (status != IL_OK) return status;
    if (domain->remote_ops) {
        return domain->remote_ops->queue_delete(domain->remote, name, name_bytes);
    }
    return ili_handle_delete(domain, &ili_queue_kind, name, name_bytes);
}

/* ---- put ------------------------------------------------------------------------------------------ */

il_status il_queue_put(il_queue *queue, const void *data, size_t bytes, uint32_t type,
                       int64_t timeout_ns) {
    size_t done;
    if (!queue) return no_queue();
    il_status status = ili_message_check(data, bytes, type);
    if (status == IL_OK) status = check_timeout(timeout_ns);
    if (status != IL_OK) return status;
    if (!queue->queue) {
        return queue->remote_ops->queue_put(queue->remote, data, bytes, type, timeout_ns);
    }
    struct ili_payload message = {data, bytes, type};
    status = ili_queue_put(queue->handle.member, queue->queue, &message, 1, &done,
                           deadline_of(timeout_ns));
    return ili_report(status, "queue");
}

static il_status put_many_local(il_queue *queue, const il_message *messages, size_t count,
                                size_t *done, int64_t timeout_ns) {
    int64_t deadline = deadline_of(timeout_ns);
    struct ili_payload batch[BATCH];
    il_status status = IL_OK;
    for (size_t at = 0; at < count && status == IL_OK;) {
        size_t n = count - at < BATCH ? count - at : BATCH, put;
        for (size_t i = 0; i < n; i++) {
            batch[i] = (struct ili_payload){messages[at + i].data, messages[at + i].bytes,
                                            messages[at + i].type};
        }
        status = ili_queue_put(queue->handle.member, queue->queue, batch, n, &put, deadline);
        at += put;
        *done = at;
    }
    return ili_report(status, "queue");
}

il_status il_queue_put_many(il_queue *queue, const il_message *messages, size_t count, size_t *done,
                            int64_t timeout_ns) {
    if (!queue) return no_queue();
    if (!done) return missing("done");
    if (!messages && count) return ili_fail(IL_EINVAL, "messages: got NULL");
    il_status status = check_timeout(timeout_ns);
    for (size_t i = 0; i < count && status == IL_OK; i++) {
        status = ili_message_check(messages[i].data, messages[i].bytes, messages[i].type);
    }
    if (status != IL_OK) return status;
    *done = 0;
    if (!queue->queue) {
        return queue->remote_ops->queue_put_many(queue->remote, messages, count, done, timeout_ns);
    }
    return put_many_local(queue, messages, count, done, timeout_ns);
}

/* ---- get ------------------------------------------------------------------------------------------ */

il_status il_queue_get(il_queue *queue, void *buffer, size_t capacity, size_t *bytes,
                       uint32_t *type, int64_t timeout_ns) {
    size_t done;
    if (!queue) return no_queue();
    if (!bytes) return missing("bytes");
    il_status status = check_timeout(timeout_ns);
    if (status != IL_OK) return status;
    if (!queue->queue) {
        return queue->remote_ops->queue_get(queue->remote, buffer, capacity, bytes, type,
                                            timeout_ns);
    }
    struct ili_taken message = ili_message_room(buffer, capacity);
    status = ili_queue_get(queue->handle.member, queue->queue, &message, 1, &done,
                           deadline_of(timeout_ns));
    return ili_message_taken(status, &message, bytes, type, "queue");
}

static il_status get_many_local(il_queue *queue, void *buffer, size_t capacity,
                                il_message *messages, size_t count, size_t *done,
                                int64_t timeout_ns) {
    struct ili_taken batch[BATCH];
    struct ili_taken next = ili_message_room(buffer, capacity);
    int64_t deadline = deadline_of(timeout_ns);
    il_status status = IL_OK;
    size_t total = 0;
    while (total < count) {
        size_t n = count - total < BATCH ? count - total : BATCH, taken;
        memset(batch, 0, sizeof batch[0] * n);
        batch[0] = next;
        /* only the first batch waits: the call returns what is there */
        status = ili_queue_get(queue->handle.member, queue->queue, batch, n, &taken,
                               total ? 0 : deadline);
        if (status != IL_OK) break;
        for (size_t i = 0; i < taken; i++) {
            messages[total + i] = (il_message){batch[i].data, batch[i].bytes, batch[i].type, 0};
        }
        total += taken;
        next.data = (char *)batch[taken - 1].data + batch[taken - 1].bytes;
        next.room = batch[taken - 1].room - batch[taken - 1].bytes;
    }
    if (total == 0 && status != IL_OK)
        return ili_message_taken(status, &batch[0], done, NULL, "queue");
    *done = total;
    return IL_OK;
}

il_status il_queue_get_many(il_queue *queue, void *buffer, size_t capacity, il_message *messages,
                            size_t count, size_t *done, int64_t timeout_ns) {
    if (!queue) return no_queue();
    if (!done) return missing("done");
    if (!messages || count == 0) {
        return ili_fail(IL_EINVAL, "messages: expected room for at least one");
    }
    il_status status = check_timeout(timeout_ns);
    if (status != IL_OK) return status;
    if (!queue->queue) {
        return queue->remote_ops->queue_get_many(queue->remote, buffer, capacity, messages, count,
                                                 done, timeout_ns);
    }
    return get_many_local(queue, buffer, capacity, messages, count, done, timeout_ns);
}

il_status il_queue_peek(il_queue *queue, void *buffer, size_t capacity, size_t *bytes,
                        uint32_t *type) {
    if (!queue) return no_queue();
    if (!bytes) return missing("bytes");
    if (!queue->queue) {
        return queue->remote_ops->queue_peek(queue->remote, buffer, capacity, bytes, type);
    }
    struct ili_taken message = ili_message_room(buffer, capacity);
    il_status status = ili_queue_peek(queue->handle.member, queue->queue, &message);
    return ili_message_taken(status, &message, bytes, type, "queue");
}

/* ---- glances -------------------------------------------------------------------------------------- */

static il_status check_live(const il_queue *queue) {
    il_status status = ili_member_check(queue->handle.member);
    if (status == IL_OK && ili_queue_state(queue->queue) == ILI_QUEUE_DELETED) {
        status = IL_EDELETED;
    }
    return ili_report(status, "queue");
}

il_status il_queue_size(il_queue *queue, uint64_t *size) {
    if (!queue) return no_queue();
    if (!size) return missing("size");
    if (!queue->queue) return queue->remote_ops->queue_size(queue->remote, size);
    il_status status = check_live(queue);
    if (status == IL_OK) *size = ili_queue_size(queue->queue);
    return status;
}

il_status il_queue_maxsize(il_queue *queue, uint64_t *maxsize) {
    if (!queue) return no_queue();
    if (!maxsize) return missing("maxsize");
    if (!queue->queue) return queue->remote_ops->queue_maxsize(queue->remote, maxsize);
    il_status status = check_live(queue);
    if (status == IL_OK) *maxsize = queue->queue->maxsize;
    return status;
}

il_status il_queue_empty(il_queue *queue, int32_t *empty) {
    uint64_t size;
    if (!queue) return no_queue();
    if (!empty) return missing("empty");
    il_status status = il_queue_size(queue, &size);
    if (status == IL_OK) *empty = size == 0;
    return status;
}

il_status il_queue_full(il_queue *queue, int32_t *full) {
    if (!queue) return no_queue();
    if (!full) return missing("full");
    if (!queue->queue) return queue->remote_ops->queue_full(queue->remote, full);
    il_status status = check_live(queue);
    uint64_t max = status == IL_OK ? queue->queue->maxsize : 0;
    if (status == IL_OK) *full = max != 0 && ili_queue_size(queue->queue) >= max;
    return status;
}

il_status il_queue_shut(il_queue *queue) {
    if (!queue) return no_queue();
    if (!queue->queue) return queue->remote_ops->queue_shut(queue->remote);
    return ili_report(ili_queue_shut(queue->handle.member, queue->queue), "queue");
}
