/*
 * threads.h - threads over HTTP, with the life of Python's Thread: a call of a pool's function that is
 * started once and can be joined.
 *
 *   created ─start─▶ started ─▶ ended
 *
 * Started it is a task of its pool, so it may wait in the pool's queue: it is alive from its start to the
 * task's end. What came of it is kept until it is deleted. A daemon is cancelled when its session ends.
 */
#ifndef ILI_SERVER_THREADS_H
#define ILI_SERVER_THREADS_H

struct ili_request;
struct ili_server;

void ili_threads_get(struct ili_request *request);
void ili_threads_put(struct ili_request *request);
void ili_threads_delete(struct ili_request *request);
void ili_threads_list(struct ili_request *request);
void ili_threads_start(struct ili_request *request);
void ili_threads_join(struct ili_request *request);

/* At the end of the server, before sessions and pools are closed: frees all. */
void ili_threads_close(struct ili_server *server);

#endif
