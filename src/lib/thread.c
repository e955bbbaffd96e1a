/* thread.c - il_thread_… : checks; the thread is a runner (run/runner.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arena/thread.h"
#include "lib/domain.h"
#include "lib/grant.h"
#include "run/runner.h"

/* The public name of struct ili_runner; never defined. */
static struct ili_runner *runner_of(il_thread *thread) {
    return (struct ili_runner *)(void *)thread;
}

static il_status no_thread(void) {
    return ili_fail(IL_EINVAL, "thread: expected a thread, got NULL");
}

static il_status report(il_status status) {
    if (status == IL_OK) return IL_OK;
    if (status == IL_ESELF) return ili_fail(status, "thread: it is the calling one");
    if (status == IL_ESYSTEM) return ili_fail(status, "pthread_create: %s", strerror(errno));
    return ili_fail(status, status == IL_ELIMIT ? "this process has 16,384 threads" : "thread");
}

static il_status read_options(const il_thread_options *given, il_thread_options *options) {
    memset(options, 0, sizeof *options);
    if (!given) return IL_OK;
    if (given->struct_bytes < sizeof given->struct_bytes) {
        return ili_fail(IL_EINVAL, "options.struct_bytes: expected sizeof(il_thread_options)");
    }
    memcpy(options, given,
           given->struct_bytes < sizeof *options ? given->struct_bytes : sizeof *options);
    if (options->flags & ~IL_THREAD_DAEMON) {
        return ili_fail(IL_EINVAL, "options.flags: expected IL_THREAD_DAEMON or 0, got %#x",
                        (unsigned)options->flags);
    }
    if (options->name && strlen(options->name) >= ILI_RUNNER_NAME_BYTES) {
        return ili_fail(IL_EINVAL, "options.name: expected at most %d bytes",
                        ILI_RUNNER_NAME_BYTES - 1);
    }
    if (options->time_limit_ns < 0) {
        return ili_fail(IL_EINVAL, "options.time_limit_ns: expected 0 (none) or more");
    }
    return IL_OK;
}

il_status il_thread_create(void *(*function)(void *argument), void *argument,
                           const il_thread_options *options, il_thread **out) {
    il_thread_options wish;
    struct ili_runner *runner = NULL;
    if (!function) return ili_fail(IL_EINVAL, "function: expected a function, got NULL");
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the thread, got NULL");
    il_status status = read_options(options, &wish);
    if (status != IL_OK) return status;
    const struct ili_runner_options wanted = {
        .name = wish.name,
        .stack_bytes = wish.stack_bytes,
        .time_limit_ns = wish.time_limit_ns,
        .daemon = wish.flags & IL_THREAD_DAEMON,
    };
    status = ili_runner_make(function, argument, &wanted, &runner);
    if (status == IL_EINVAL) {
        return ili_fail(status, "options.stack_bytes: expected 0 or at least %ld",
                        (long)PTHREAD_STACK_MIN);
    }
    if (status != IL_OK) return ili_fail(status, "this process has no memory");
    *out = (il_thread *)(void *)runner;
    return IL_OK;
}

il_status il_thread_start(il_thread *thread) {
    if (!thread) return no_thread();
    return report(ili_runner_start(runner_of(thread)));
}

il_status il_thread_join(il_thread *thread, int64_t timeout_ns, void **result) {
    if (!thread) return no_thread();
    il_status status = ili_check_timeout(timeout_ns);
    if (status != IL_OK) return status;
    return report(ili_runner_join(runner_of(thread), ili_deadline_of(timeout_ns), result));
}

il_status il_thread_is_alive(il_thread *thread, int32_t *alive) {
    if (!thread) return no_thread();
    if (!alive) return ili_fail(IL_EINVAL, "alive: expected a place for the answer, got NULL");
    const struct ili_runner *runner = runner_of(thread);
    if (runner->generation != ili_process_generation()) return report(IL_EFORKED);
    *alive = ili_runner_is_started(runner) && !ili_runner_is_ended(runner);
    return IL_OK;
}

il_status il_thread_result(il_thread *thread, void **result) {
    if (!thread) return no_thread();
    if (!result) return ili_fail(IL_EINVAL, "result: expected a place for it, got NULL");
    il_status status = ili_runner_join(runner_of(thread), 0, result);
    return report(status == IL_ESELF ? IL_ETIMEOUT : status);
}

il_status il_thread_id(il_thread *thread, uint64_t *id) {
    if (!thread) return no_thread();
    if (!id) return ili_fail(IL_EINVAL, "id: expected a place for the number, got NULL");
    const struct ili_runner *runner = runner_of(thread);
    if (runner->generation != ili_process_generation()) return report(IL_EFORKED);
    uint64_t number = atomic_load_explicit(&runner->id, memory_order_acquire);
    if (number == 0) return report(IL_ENOTSTARTED);
    *id = number;
    return IL_OK;
}

il_status il_thread_name(il_thread *thread, const char **name) {
    if (!thread) return no_thread();
    if (!name) return ili_fail(IL_EINVAL, "name: expected a place for it, got NULL");
    *name = runner_of(thread)->name;
    return IL_OK;
}

il_status il_thread_cancel(il_thread *thread) {
    if (!thread) return no_thread();
    return report(ili_runner_cancel(runner_of(thread)));
}

il_status il_thread_close(il_thread *thread) {
    if (thread) ili_runner_close(runner_of(thread));
    return IL_OK;
}
