/* task.c - il_task_… : checks; what there is to know is the server's. */
#include <stdlib.h>

#include "lib/domain.h"

static il_status no_task(void) { return ili_fail(IL_EINVAL, "task: expected a task, got NULL"); }

static il_status missing(const char *argument) {
    return ili_fail(IL_EINVAL, "%s: expected a place for the answer, got NULL", argument);
}

static il_status check_timeout(int64_t timeout_ns) {
    if (timeout_ns >= IL_FOREVER) return IL_OK;
    return ili_fail(IL_EINVAL, "timeout_ns: expected IL_FOREVER, IL_NOWAIT or more");
}

il_status il_task_close(il_task *task) {
    if (!task) return IL_OK;
    il_status status = task->ops->task_close(task->remote);
    free(task);
    return status;
}

il_status il_task_wait(il_task *task, int64_t timeout_ns) {
    if (!task) return no_task();
    il_status status = check_timeout(timeout_ns);
    return status == IL_OK ? task->ops->task_wait(task->remote, timeout_ns) : status;
}

il_status il_task_result(il_task *task, void *buffer, size_t capacity, size_t *bytes,
                         int64_t timeout_ns) {
    if (!task) return no_task();
    if (!bytes) return missing("bytes");
    il_status status = check_timeout(timeout_ns);
    if (status != IL_OK) return status;
    return task->ops->task_result(task->remote, buffer, capacity, bytes, timeout_ns);
}

il_status il_task_error(il_task *task, void *buffer, size_t capacity, size_t *bytes,
                        int64_t timeout_ns) {
    if (!task) return no_task();
    if (!bytes) return missing("bytes");
    il_status status = check_timeout(timeout_ns);
    if (status != IL_OK) return status;
    return task->ops->task_error(task->remote, buffer, capacity, bytes, timeout_ns);
}

il_status il_task_state(il_task *task, uint32_t *state) {
    if (!task) return no_task();
    if (!state) return missing("state");
    return task->ops->task_state(task->remote, state);
}

il_status il_task_cancel(il_task *task) {
    return task ? task->ops->task_cancel(task->remote) : no_task();
}

il_status il_task_id(il_task *task, uint64_t *id) {
    if (!task) return no_task();
    if (!id) return missing("id");
    return task->ops->task_id(task->remote, id);
}
