/*
 * queue.h - queues of an http: domain; the calls of interlock.h, as lib/remote.h has them.
 */
#ifndef ILI_CLIENT_QUEUE_H
#define ILI_CLIENT_QUEUE_H

#include "client/domain.h"

il_status ili_remote_queue_open(struct ili_remote_domain *domain, const char *name,
                                size_t name_bytes, const uint64_t *maxsize,
                                struct ili_remote_queue **out);
il_status ili_remote_queue_close(struct ili_remote_queue *queue);
il_status ili_remote_queue_delete(struct ili_remote_domain *domain, const char *name,
                                  size_t name_bytes);
il_status ili_remote_queue_put(struct ili_remote_queue *queue, const void *data, size_t bytes,
                               uint32_t type, int64_t timeout_ns);
il_status ili_remote_queue_get(struct ili_remote_queue *queue, void *buffer, size_t capacity,
                               size_t *bytes, uint32_t *type, int64_t timeout_ns);
il_status ili_remote_queue_put_many(struct ili_remote_queue *queue, const il_message *messages,
                                    size_t count, size_t *done, int64_t timeout_ns);
il_status ili_remote_queue_get_many(struct ili_remote_queue *queue, void *buffer, size_t capacity,
                                    il_message *messages, size_t count, size_t *done,
                                    int64_t timeout_ns);
il_status ili_remote_queue_peek(struct ili_remote_queue *queue, void *buffer, size_t capacity,
                                size_t *bytes, uint32_t *type);
il_status ili_remote_queue_size(struct ili_remote_queue *queue, uint64_t *size);
il_status ili_remote_queue_maxsize(struct ili_remote_queue *queue, uint64_t *maxsize);
il_status ili_remote_queue_full(struct ili_remote_queue *queue, int32_t *full);
il_status ili_remote_queue_shut(struct ili_remote_queue *queue);

#endif
