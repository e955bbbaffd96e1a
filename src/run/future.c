/*
 * future.c - see future.h.
 *
 * state (futex word; what lies above the low byte counts turns, see ili_thread_sleep())
 *   BEGUN    set once, by who runs it or by who drops it: whoever sets it decides what comes of it
 *   DONE     set once, last, by the same one; releases the result. From then on the pool may be gone
 *   DROPPED  set with BEGUN: it is never run. Who pops it then waits for DONE, so that the pool is there until
 *            whoever drops it is done with it
 *   ASKED    it should stop; the word of the running thread's scope (arena/thread.h)
 *   WAITED   somebody sleeps on the word; set by sleepers
 *   two bits that count references: who takes the last one away frees it
 *
 * Asking: ASKED is set, then `thread` is read and that thread is made to look. Who runs it has stored `thread`
 * before it looks at ASKED in any wait, both sequentially consistent: if the asker reads 0, the runner
 * sees ASKED. The thread may do something else by then: it looks for nothing.
 */
#include "run/future.h"

#include <sched.h>
#include <stdlib.h>

#include "arena/futex.h"
#include "arena/thread.h"
#include "base/awake.h"
#include "base/clock.h"
#include "run/thread_pool.h"

#define BEGUN 1u
#define DONE 2u
#define DROPPED 4u
#define ASKED 8u
#define WAITED 16u
#define REFERENCE 32u /* times 0 to 3 */
#define REFERENCES (3u * REFERENCE)

/* What the calling thread runs, innermost first. */
struct frame {
    const struct ili_future *future;
    const struct frame *outer;
};
static _Thread_local const struct frame *frames __attribute__((tls_model("initial-exec")));

static bool is_run_here(const struct ili_future *future) {
    const struct frame *f = frames;
    while (f && f->future != future) f = f->outer;
    return f != NULL;
}

struct ili_future *ili_future_make(struct ili_thread_pool *pool, uint32_t references,
                                   void *(*function)(void *argument), void *argument) {
    struct ili_future *future = malloc(sizeof *future);
    if (!future) return NULL;
    *future = (struct ili_future){.function = function,
                                  .argument = argument,
                                  .pool = pool,
                                  .generation = ili_process_generation()};
    atomic_init(&future->state, references * REFERENCE);
    return future;
}

bool ili_future_is_forked(const struct ili_future *future) {
    return future->generation != ili_process_generation();
}

void ili_future_let_go(struct ili_future *future) {
    /* acquire: who frees it sees what the others did to it. The only reference is the caller's: nobody else
     * changes the count */
    uint32_t state = atomic_load_explicit(&future->state, memory_order_acquire);
    if ((state & REFERENCES) != REFERENCE) {
        state = atomic_fetch_sub_explicit(&future->state, REFERENCE, memory_order_acq_rel);
    }
    if ((state & REFERENCES) == REFERENCE) free(future);
}

enum ili_future_phase ili_future_phase(const struct ili_future *future) {
    /* acquire: pairs with end(): the result is there */
    uint32_t state = atomic_load_explicit(&future->state, memory_order_acquire);
    if (state & DONE) return state & DROPPED ? ILI_FUTURE_CANCELLED : ILI_FUTURE_DONE;
    return state & BEGUN ? ILI_FUTURE_RUNNING : ILI_FUTURE_QUEUED;
}

/* POPPED: the caller's reference goes with it. Waking touches no more than the address: at worst somebody
 * whose word lies there by then looks once more, as all sleepers must be ready to. */
static void end(struct ili_future *future, bool popped) {
    if (future->ended) future->ended(future);
    uint32_t before = atomic_fetch_add_explicit(&future->state, popped ? DONE - REFERENCE : DONE,
                                                memory_order_acq_rel);
    if (before & WAITED) ili_futex_wake(&future->state, INT32_MAX);
    if (popped && (before & REFERENCES) == REFERENCE) free(future);
}

/* It came from the queue, but somebody else has it. */
static void pass_by(struct ili_future *future) {
    uint32_t state;
    while ((state = atomic_load_explicit(&future->state, memory_order_acquire)) & DROPPED &&
           !(state & DONE)) {
        sched_yield();
    }
    ili_future_let_go(future);
}

bool ili_future_run(struct ili_future *future, bool popped) {
    if (atomic_fetch_or_explicit(&future->state, BEGUN, memory_order_acquire) & BEGUN) {
        if (popped) pass_by(future);
        return false;
    }
    ili_thread_pool_left(future->pool);
    struct ili_thread *self = ili_thread_current();
    const struct frame frame = {future, frames};
    struct ili_cancel_scope scope = {&future->state, ASKED, ILI_NEVER}, outer;
    atomic_store_explicit(&future->thread, ili_thread_id(self), memory_order_seq_cst);
    if (future->time_limit_ns > 0) scope.at_ns = ili_deadline_in(future->time_limit_ns);
    frames = &frame;
    outer = ili_thread_enter(self, scope);
    future->result = future->function(future->argument);
    (void)ili_thread_enter(self, outer);
    frames = frame.outer;
    end(future, popped);
    return true;
}

/* Ends it if it is queued. False: it is not. */
static bool drop(struct ili_future *future, bool popped) {
    uint32_t state = atomic_load_explicit(&future->state, memory_order_relaxed);
    do {
        if (state & BEGUN) return false;
    } while (!atomic_compare_exchange_weak_explicit(&future->state, &state, state | BEGUN | DROPPED,
                                                    memory_order_acquire, memory_order_relaxed));
    ili_thread_pool_left(future->pool);
    ili_thread_pool_dropped(future->pool);
    end(future, popped);
    return true;
}

void ili_future_drop_popped(struct ili_future *future) {
    if (!drop(future, true)) pass_by(future);
}

il_status ili_future_cancel(struct ili_future *future) {
    if (ili_future_is_forked(future)) return IL_EFORKED;
    if (drop(future, false)) return IL_OK;
    uint32_t before = atomic_fetch_or_explicit(&future->state, ASKED, memory_order_seq_cst);
    uint64_t thread = atomic_load_explicit(&future->thread, memory_order_seq_cst);
    if (!(before & DONE) && thread) (void)ili_thread_poke(thread);
    return IL_OK;
}

il_status ili_future_wait(struct ili_future *future, int64_t deadline_ns) {
    struct ili_awake awake = {0};
    if (ili_future_is_forked(future)) return IL_EFORKED;
    if (ili_future_phase(future) >= ILI_FUTURE_DONE) return IL_OK;
    if (is_run_here(future)) return IL_ESELF;
    if (deadline_ns == 0) return IL_ETIMEOUT;
    if (ili_thread_pool_run_here(future->pool, future)) return IL_OK;
    while (ili_future_phase(future) < ILI_FUTURE_DONE && ili_awake(&awake)) {
    }
    for (;;) {
        uint32_t seen = atomic_load_explicit(&future->state, memory_order_acquire);
        if (seen & DONE) return IL_OK;
        if (!(seen & WAITED)) {
            seen = atomic_fetch_or_explicit(&future->state, WAITED, memory_order_acq_rel) | WAITED;
            if (seen & DONE) return IL_OK;
        }
        il_status status = ili_thread_sleep(&future->state, seen, deadline_ns);
        if (status == IL_OK) continue;
        return ili_future_phase(future) >= ILI_FUTURE_DONE ? IL_OK : status;
    }
}
