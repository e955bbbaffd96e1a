/*
 * tasks.h - /v1/tasks: one call of a function, by its id (work/task.h).
 *
 * A task is kept for its `keep` after its end, and can be looked at and waited for by everybody.
 */
#ifndef ILI_SERVER_TASKS_H
#define ILI_SERVER_TASKS_H

#include <stdint.h>

#include "work/task.h"

struct ili_request;
struct ili_vigil;

void ili_tasks_list(struct ili_request *request);
void ili_tasks_get(struct ili_request *request);
void ili_tasks_wait(struct ili_request *request);
void ili_tasks_cancel(struct ili_request *request);
void ili_tasks_delete(struct ili_request *request);

/* Answers with the view of TASK. */
void ili_tasks_reply(struct ili_request *request, unsigned http_status,
                     const struct ili_task *task);

/* Waits until TASK has ended, or DEADLINE_NS, and answers: 200 with its view, or if it has not ended in
 * time and LATE is 202, with that and its view, else with a timeout. The task goes on whatever becomes of
 * the client. A LATE answer stands for the request's Idempotency-Key if the client leaves before. */
void ili_tasks_await(struct ili_request *request, struct ili_task *task, int64_t deadline_ns,
                     unsigned late);

/* The number that the path names; 0: it is none. */
uint64_t ili_tasks_id(const struct ili_request *request);

#endif
