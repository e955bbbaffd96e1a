/*
 * queue_room.h - what queue.c and queue_many.c share.
 */
#ifndef ILI_CLIENT_QUEUE_ROOM_H
#define ILI_CLIENT_QUEUE_ROOM_H

#include "client/object.h"
#include "lib/remote.h"

struct ili_remote_queue {
    struct ili_remote_object object;
};

/* il_queue_put() within a wait that has begun. */
il_status ili_remote_queue_put_one(struct ili_remote_queue *queue, const void *data, size_t bytes,
                                   uint32_t type, const struct ili_wait *wait);

/* Sends CALL, a get whose other members are there, within WAIT, and copies the message of its answer. The
 * caller ends CALL. */
il_status ili_remote_queue_take(struct ili_call *call, const struct ili_wait *wait, void *buffer,
                                size_t capacity, size_t *bytes, uint32_t *type);

/* IL_ETOOBIG, with the error text. */
il_status ili_remote_queue_no_room(uint64_t needed, size_t capacity);

/* How long the oldest message is, of the answer IL_ETOOBIG; if it does not say, the longest. */
uint64_t ili_remote_queue_needed(const struct ili_call *call);

#endif
