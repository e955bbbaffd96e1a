/* future.c - il_future_… : checks. */
#include "lib/future.h"

#include "lib/domain.h"
#include "lib/grant.h"

_Static_assert(IL_FUTURE_QUEUED == (uint32_t)ILI_FUTURE_QUEUED &&
                   IL_FUTURE_RUNNING == (uint32_t)ILI_FUTURE_RUNNING &&
                   IL_FUTURE_DONE == (uint32_t)ILI_FUTURE_DONE &&
                   IL_FUTURE_CANCELLED == (uint32_t)ILI_FUTURE_CANCELLED,
               "the public numbers are those of run/future.h");

static struct ili_future *future_of(il_future *future) {
    return (struct ili_future *)(void *)future;
}

/* Whether there is one, in this process. Writes the error text. */
static il_status check(il_future *future) {
    if (!future) return ili_fail(IL_EINVAL, "future: expected a future, got NULL");
    if (ili_future_is_forked(future_of(future))) return ili_fail(IL_EFORKED, "future");
    return IL_OK;
}

il_status il_future_wait(il_future *future, int64_t timeout_ns) {
    il_status status = check(future);
    if (status == IL_OK) status = ili_check_timeout(timeout_ns);
    if (status != IL_OK) return status;
    status = ili_future_wait(future_of(future), ili_deadline_of(timeout_ns));
    if (status == IL_ESELF) return ili_fail(status, "future: the caller is its task");
    return status == IL_OK ? IL_OK : ili_fail(status, "future");
}

il_status il_future_result(il_future *future, void **result) {
    il_status status = check(future);
    if (status != IL_OK) return status;
    if (!result) return ili_fail(IL_EINVAL, "result: expected a place for it, got NULL");
    switch (ili_future_phase(future_of(future))) {
    case ILI_FUTURE_DONE: *result = future_of(future)->result; return IL_OK;
    case ILI_FUTURE_CANCELLED:
        return ili_fail(IL_ECANCELLED, "future: it was cancelled before it began");
    default: return ili_fail(IL_ETIMEOUT, "future: it is not done yet");
    }
}

il_status il_future_done(il_future *future, int32_t *done) {
    il_status status = check(future);
    if (status != IL_OK) return status;
    if (!done) return ili_fail(IL_EINVAL, "done: expected a place for the answer, got NULL");
    *done = ili_future_phase(future_of(future)) >= ILI_FUTURE_DONE;
    return IL_OK;
}

il_status il_future_state(il_future *future, uint32_t *state) {
    il_status status = check(future);
    if (status != IL_OK) return status;
    if (!state) return ili_fail(IL_EINVAL, "state: expected a place for the answer, got NULL");
    *state = (uint32_t)ili_future_phase(future_of(future));
    return IL_OK;
}

il_status il_future_cancel(il_future *future) {
    il_status status = check(future);
    return status == IL_OK ? ili_future_cancel(future_of(future)) : status;
}

il_status il_future_close(il_future *future) {
    if (future) ili_future_let_go(future_of(future));
    return IL_OK;
}
