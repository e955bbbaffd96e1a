/*
 * task.h - tasks of a pool, as this side has them; the calls of interlock.h, as lib/remote.h has them.
 *
 * A handle is the task's number, until its end is known: then it has the result or the error too, and the
 * server is not asked again.
 */
#ifndef ILI_CLIENT_TASK_H
#define ILI_CLIENT_TASK_H

#include "client/call.h"

/* Bytes that an answer with a result or an error may have. */
#define ILI_TASK_ANSWER_BYTES ((size_t)64 * 1024 * 1024)

/* How a task stands, or an element of a map: what VIEW tells. */
struct ili_task_view {
    uint32_t state;                /* IL_TASK_… */
    struct ili_json result, error; /* not there: none; both borrowed from the view */
};

/* False: VIEW is none. */
bool ili_task_view_read(struct ili_json view, struct ili_task_view *out);

/* IL_OK for success, IL_EFAILED, … for how it ended otherwise. */
il_status ili_task_end(uint32_t state);

/* A handle for the task whose view CALL was answered with, in *OUT. Writes the error text on failure. */
il_status ili_remote_task_new(struct ili_call *call, struct ili_remote_task **out);

il_status ili_remote_task_wait(struct ili_remote_task *task, int64_t timeout_ns);
il_status ili_remote_task_result(struct ili_remote_task *task, void *buffer, size_t capacity,
                                 size_t *bytes, int64_t timeout_ns);
il_status ili_remote_task_error(struct ili_remote_task *task, void *buffer, size_t capacity,
                                size_t *bytes, int64_t timeout_ns);
il_status ili_remote_task_state(struct ili_remote_task *task, uint32_t *state);
il_status ili_remote_task_cancel(struct ili_remote_task *task);
il_status ili_remote_task_id(struct ili_remote_task *task, uint64_t *id);
il_status ili_remote_task_close(struct ili_remote_task *task);

#endif
