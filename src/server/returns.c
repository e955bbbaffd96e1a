#include "server/returns.h"

#include <stdlib.h>

#include "base/log.h"
#include "server/pin.h"
#include "server/server.h"

#define RETRY_NS INT64_C(100000000)

struct batch {
    struct ili_timer timer;
    void *pinned;
    struct ili_queue *queue; /* of it */
    struct ili_taken *messages;
    size_t count, done;
};

/* Whether nothing is left to do. */
static bool give(struct ili_server *server, struct batch *b) {
    for (; b->done < b->count; b->done++) {
        struct ili_taken *message = &b->messages[b->done];
        struct ili_payload payload = {message->data, message->bytes, message->type};
        il_status status =
            ili_queue_give_back(ili_server_member(server), b->queue, &payload, message->sequence);
        if (status == IL_EBUSY || status == IL_ENOMEM) return false;
        free(message->data); /* it is back, or its queue is gone */
        message->data = NULL;
    }
    return true;
}

static void finish(struct ili_server *server, struct batch *b) {
    if (b->done < b->count)
        ili_log_event(ILI_LOG_ERROR, "items.lost", "they could not be given back");
    for (; b->done < b->count; b->done++) free(b->messages[b->done].data);
    free(b->messages);
    ili_unpin(server, b->pinned);
}

static void try_again(struct ili_timer *timer, void *context) {
    struct batch *b = (struct batch *)timer;
    struct ili_server *server = context;
    if (!give(server, b) && ili_timers_set(&server->timers, timer, server->now_ns + RETRY_NS)) {
        return;
    }
    finish(server, b);
    free(b);
}

void ili_return_items(struct ili_server *server, void *pinned, struct ili_queue *queue,
                      struct ili_taken *messages, size_t count) {
    struct batch now = {.timer.fire = try_again,
                        .pinned = pinned,
                        .queue = queue,
                        .messages = messages,
                        .count = count};
    if (!give(server, &now)) {
        struct batch *later = malloc(sizeof *later);
        if (later) {
            *later = now;
            if (ili_timers_set(&server->timers, &later->timer, server->now_ns + RETRY_NS)) return;
            free(later);
        }
    }
    finish(server, &now);
}

void ili_returns_close(struct ili_server *server) {
    struct ili_timer *timer;
    while ((timer = ili_timers_take(&server->timers, try_again))) {
        struct batch *b = (struct batch *)timer;
        (void)give(server, b);
        finish(server, b);
        free(b);
    }
}
