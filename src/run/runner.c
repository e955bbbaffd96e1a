/*
 * runner.c - see runner.h.
 *
 * state (futex word; what lies above the low byte counts turns, see ili_thread_sleep())
 *   STARTED   set by who wins start(); cleared if no thread could be made
 *   ENDED     set once, by the thread's last act that Interlock sees: the destructor of its record
 *   WAITED    somebody sleeps on the word; set by sleepers, never cleared
 *
 * Setting ENDED releases what the thread did; who sees it acquires that. Until then the record's id is the
 * thread's: cancelling one that has ended finds no such thread, and is nothing.
 *
 * What is left of the thread when ENDED is set is its way out of this library and of libc, for which nobody
 * waits: to sleep a second time for that would cost as much as the rest of a join. So when the handle is
 * closed, the pthread is joined if that does not wait, else detached.
 */

#include "run/runner.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "arena/futex.h"
#include "arena/thread.h"
#include "base/clock.h"
#include "base/text.h"
#include "session/fork.h"

#define STARTED 1u
#define ENDED 2u
#define WAITED 4u

#define YIELDS 2 /* before a join sleeps */

static uint32_t state_of(const struct ili_runner *runner) {
    /* acquire: pairs with has_ended() */
    return atomic_load_explicit(&runner->state, memory_order_acquire);
}

static void let_go(struct ili_runner *runner) {
    /* acq_rel: who frees it sees what the other one did to it */
    if (atomic_fetch_sub_explicit(&runner->references, 1, memory_order_acq_rel) == 1) free(runner);
}

il_status ili_runner_make(void *(*function)(void *argument), void *argument,
                          const struct ili_runner_options *options, struct ili_runner **out) {
    size_t bytes = options->name ? strlen(options->name) : 0;
    if (bytes >= ILI_RUNNER_NAME_BYTES) return IL_EINVAL;
    if (options->stack_bytes && (options->stack_bytes < (uint64_t)PTHREAD_STACK_MIN ||
                                 options->stack_bytes > SIZE_MAX / 2)) {
        return IL_EINVAL;
    }
    struct ili_runner *runner = calloc(1, sizeof *runner);
    if (!runner) return IL_ENOMEM;
    ili_fork_prepare();
    atomic_init(&runner->references, 1);
    runner->generation = ili_process_generation();
    runner->function = function;
    runner->argument = argument;
    runner->options = *options;
    memcpy(runner->name, options->name ? options->name : "", bytes);
    runner->options.name = runner->name;
    *out = runner;
    return IL_OK;
}

/* ---- the thread ------------------------------------------------------------------------------------- */

/* The record's destructor: the last thing. */
static void has_ended(void *context) {
    struct ili_runner *runner = context;
    /* release: pairs with state_of(). One instruction: either a sleeper's WAITED is seen, or it sees ENDED */
    uint32_t before = atomic_fetch_or_explicit(&runner->state, ENDED, memory_order_acq_rel);
    if (before & WAITED) ili_futex_wake(&runner->state, INT32_MAX);
    let_go(runner);
}

static void *run(void *argument) {
    struct ili_runner *runner = argument;
    struct ili_thread *record = runner->record;
    ili_thread_adopt(record);
    /* the starter stores the same, perhaps later */
    atomic_store_explicit(&runner->id, ili_thread_id(record), memory_order_release);
    record->ended = has_ended;
    record->ended_context = runner;
    int64_t limit = runner->options.time_limit_ns;
    if (limit > 0) record->scope.at_ns = ili_deadline_in(limit);
    if (runner->name[0]) {
        char name[16]; /* prctl(2): 16 bytes with the NUL */
        ili_text_copy(name, sizeof name, runner->name);
        prctl(PR_SET_NAME, name);
    }
    runner->result = runner->function(runner->argument);
    return NULL;
}

static int create(struct ili_runner *runner) {
    pthread_attr_t attributes;
    if (!runner->options.stack_bytes) {
        return pthread_create(&runner->thread, NULL, run, runner);
    }
    int error = pthread_attr_init(&attributes);
    if (error) return error;
    error = pthread_attr_setstacksize(&attributes, (size_t)runner->options.stack_bytes);
    if (!error) error = pthread_create(&runner->thread, &attributes, run, runner);
    pthread_attr_destroy(&attributes);
    return error;
}

il_status ili_runner_start(struct ili_runner *runner) {
    if (runner->generation != ili_process_generation()) return IL_EFORKED;
    /* acquire: a start after one that failed sees what that left */
    uint32_t before = atomic_fetch_or_explicit(&runner->state, STARTED, memory_order_acq_rel);
    if (before & STARTED) return IL_ESTARTED;
    struct ili_thread *record = ili_thread_claim();
    int error = EAGAIN;
    if (record) {
        runner->record = record;
        atomic_fetch_add_explicit(&runner->references, 1, memory_order_relaxed);
        uint64_t id = ili_thread_id(record);
        error = create(runner);
        if (error == 0) {
            /* release: pairs with the loads of who joins or cancels */
            atomic_store_explicit(&runner->id, id, memory_order_release);
            return IL_OK;
        }
        atomic_fetch_sub_explicit(&runner->references, 1, memory_order_relaxed);
        ili_thread_give_back(record);
    }
    atomic_fetch_and_explicit(&runner->state, ~STARTED, memory_order_release);
    errno = error;
    return record ? IL_ESYSTEM : IL_ELIMIT;
}

/* ---- its end ---------------------------------------------------------------------------------------- */

static void reap(struct ili_runner *runner) {
    if (pthread_tryjoin_np(runner->thread, NULL) != 0) pthread_detach(runner->thread);
}

bool ili_runner_is_started(const struct ili_runner *runner) {
    return atomic_load_explicit(&runner->id, memory_order_acquire) != 0;
}

bool ili_runner_is_ended(const struct ili_runner *runner) {
    return (state_of(runner) & ENDED) != 0;
}

/* STUBBORN: whatever is asked of the calling thread. */
static il_status wait_for_end(struct ili_runner *runner, int64_t deadline_ns, bool stubborn) {
    /* a thread that was just started often waits for this very processor */
    for (int i = 0; i < YIELDS && !ili_runner_is_ended(runner); i++) sched_yield();
    for (;;) {
        uint32_t seen = state_of(runner);
        if (seen & ENDED) return IL_OK;
        if (!(seen & WAITED)) {
            seen = atomic_fetch_or_explicit(&runner->state, WAITED, memory_order_acq_rel) | WAITED;
            if (seen & ENDED) return IL_OK;
        }
        il_status status = IL_OK;
        if (stubborn) {
            (void)ili_futex_wait(&runner->state, seen, deadline_ns);
        } else {
            status = ili_thread_sleep(&runner->state, seen, deadline_ns);
        }
        if (status != IL_OK) return ili_runner_is_ended(runner) ? IL_OK : status;
    }
}

il_status ili_runner_join(struct ili_runner *runner, int64_t deadline_ns, void **result) {
    if (runner->generation != ili_process_generation()) return IL_EFORKED;
    uint64_t id = atomic_load_explicit(&runner->id, memory_order_acquire);
    if (id == 0) return IL_ENOTSTARTED;
    if (!ili_runner_is_ended(runner)) {
        if (id == ili_thread_known_id()) return IL_ESELF;
        if (deadline_ns == 0) return IL_ETIMEOUT;
        il_status status = wait_for_end(runner, deadline_ns, false);
        if (status != IL_OK) return status;
    }
    if (result) *result = runner->result;
    return IL_OK;
}

il_status ili_runner_cancel(struct ili_runner *runner) {
    if (runner->generation != ili_process_generation()) return IL_EFORKED;
    uint64_t id = atomic_load_explicit(&runner->id, memory_order_acquire);
    if (id == 0) return IL_ENOTSTARTED;
    (void)ili_thread_set_cancelled(id, true); /* one that has ended is not found */
    return IL_OK;
}

void ili_runner_close(struct ili_runner *runner) {
    uint64_t id = atomic_load_explicit(&runner->id, memory_order_acquire);
    if (runner->generation != ili_process_generation()) {
        free(runner); /* the thread's reference is the parent's */
        return;
    }
    bool itself = id && id == ili_thread_known_id() && !ili_runner_is_ended(runner);
    if (id && !runner->options.daemon && !itself) (void)wait_for_end(runner, ILI_NEVER, true);
    if (id) reap(runner);
    let_go(runner);
}
