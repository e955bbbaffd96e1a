/* answer.h - what the worker says to the server: one line a message, one write a line. */
#ifndef ILI_WORKER_ANSWER_H
#define ILI_WORKER_ANSWER_H

#include <pthread.h>
#include <stdatomic.h>

#include "worker/run.h"

#define WORKER_LINE_MOST ((size_t)24 * 1024 * 1024)

/* The socket's sending side. Several threads may say something at once; the lines do not mix. */
struct worker_channel {
    int fd;
    pthread_mutex_t lock; /* one line at a time */
    atomic_bool gone;     /* nobody listens any more; relaxed, it orders nothing */
};

void worker_channel_init(struct worker_channel *channel, int fd);

/* The outcome of RUN as the answer to its request. */
void worker_answer(struct worker_channel *channel, struct ili_json_span id, struct worker_run *run);

/* A progress report. IL_EGONE: nobody listens. */
il_status worker_report(struct worker_channel *channel, struct ili_json_span id, const char *json,
                        size_t bytes);

/* The first message: the functions, with LANE the lane's too, and how many calls may run at once. IL_EGONE,
 * IL_ENOMEM. */
il_status worker_hello(struct worker_channel *channel, const char *name,
                       const il_module_function *functions, size_t count, bool lane,
                       unsigned slots);

#endif
