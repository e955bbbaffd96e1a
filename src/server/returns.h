/*
 * returns.h - items on their way back to their queue.
 *
 * Items that were taken for a client and could not be delivered go back, to where they were. If that
 * cannot be at once (a process was stopped inside the queue, or the arena is full) they are kept and
 * it is tried again.
 */
#ifndef ILI_SERVER_RETURNS_H
#define ILI_SERVER_RETURNS_H

#include "data/queue.h"

struct ili_server;

/* Gives MESSAGES[0..COUNT) back to QUEUE, the oldest first. Takes over the array, the messages' data
 * (all from malloc) and the pin on PINNED, of which QUEUE is a part, or which it is. */
void ili_return_items(struct ili_server *server, void *pinned, struct ili_queue *queue,
                      struct ili_taken *messages, size_t count);

/* Tries once more at the end, and frees what is kept. */
void ili_returns_close(struct ili_server *server);

#endif
