/*
 * thread.h - this process's record of the calling thread: its agents, and how to ask something of it.
 *
 * Records lie in a fixed table, so that il_interrupt() may look one up inside a signal handler. A
 * record is claimed at the thread's first blocking or structural call and freed when it ends.
 *
 * Two things can be asked of a thread: an interruption ends one wait (IL_EINTR), a cancellation ends every
 * wait from then on (IL_ECANCELLED). A signal whose handler ran is an interruption of the wait that it met, if
 * the thread wants it so. A thread counts as cancelled while any of these says so: the mark of
 * ili_thread_set_cancelled(), the word of its scope, the time of its scope. A scope is what the thread does
 * right now (one task of a pool), so that a cancellation meant for that cannot hit what comes next.
 */
#ifndef ILI_ARENA_THREAD_H
#define ILI_ARENA_THREAD_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <interlock.h>

#define ILI_THREAD_BINDINGS 8

struct ili_agent;
struct ili_member;

struct ili_thread_binding {
    uint64_t member;       /* ili_member.id; 0: unused */
    uint32_t agent_number; /* the agent this thread has in that domain */
};

/* What the calling thread does, as far as its cancellation goes. Used by that thread alone. */
struct ili_cancel_scope {
    const _Atomic uint32_t *word; /* cancelled while it has a bit of `mask`; NULL: by nobody */
    uint32_t mask;
    int64_t at_ns; /* cancelled from then on; ILI_NEVER: no time limit */
};

struct ili_thread {
    _Atomic uint32_t used;
    _Atomic uint32_t generation;
    _Atomic uint32_t interrupted;  /* set by ili_thread_interrupt(), taken by the wait it ends */
    _Atomic uint32_t cancelled;    /* until it is cleared */
    _Atomic uint32_t poked;        /* taken by the next ili_thread_sleep() */
    _Atomic uint32_t interrupters; /* calls that may be looking through parked_at right now */
    _Atomic uint32_t
        parked_shared; /* of parked_at: ili_thread_sleep()'s, others may sleep there too */
    _Atomic(_Atomic uint32_t *) parked_at; /* the futex word the thread sleeps on */
    _Atomic int wake_fd; /* for waits on descriptors: an eventfd, -1 until it is asked for */
    struct ili_cancel_scope scope;
    void (*ended)(
        void *context); /* called when the thread has ended and the record is free again */
    void *ended_context;
    bool signals; /* a handler that ran ends its waits; used by the thread alone */
    bool leaving; /* with `ended`: the destructors of thread-local values have run once */
    struct ili_thread_binding bindings[ILI_THREAD_BINDINGS];
};

/* The calling thread's agent in the domain it used last; see ili_agent_at_hand(). Static thread-local
 * memory, so that reaching it takes one load also from a shared library. */
struct ili_at_hand {
    const void *member; /* struct ili_member; NULL: none */
    uint32_t agent;     /* number */
};
extern _Thread_local struct ili_at_hand ili_at_hand __attribute__((tls_model("initial-exec")));

/* Called for each binding of a thread that ends, before its agent is given back. Set by the session
 * layer; may be NULL. */
extern void (*ili_thread_ending)(struct ili_member *member, struct ili_agent *agent);

/* The calling thread's record, made if need be. NULL: the process has more threads than the table
 * has room for (16,384). Borrowed until the thread ends. */
struct ili_thread *ili_thread_current(void);

/* A record for a thread that is about to be started, which then adopts it as its first act; or, if it
 * never starts, it is given back. NULL as above. */
struct ili_thread *ili_thread_claim(void);
void ili_thread_adopt(struct ili_thread *thread);
void ili_thread_give_back(struct ili_thread *thread);

uint64_t ili_thread_id(const struct ili_thread *thread);

/* The id of the calling thread if it has a record; else 0. */
uint64_t ili_thread_known_id(void);

/* Async-signal-safe. IL_ENOTFOUND: no thread has that id. */
il_status ili_thread_interrupt(uint64_t id);

/* Makes an interruption of the calling thread pending again: the wait it ended had been granted. */
void ili_thread_keep_interrupt(struct ili_thread *thread);

/* Marks a thread as cancelled and ends its wait; or takes the mark away. Async-signal-safe.
 * IL_ENOTFOUND: no thread has that id. For one call after the other on the same thread (a worker): clear
 * the mark before the next one, when nobody can mean the last one any more; or enter a scope for each. */
il_status ili_thread_set_cancelled(uint64_t id, bool cancelled);

/* Makes a sleeping thread look again, for who has changed the word of its scope. */
il_status ili_thread_poke(uint64_t id);

/* Whether THREAD, the calling one, is cancelled. */
bool ili_thread_is_cancelled(const struct ili_thread *thread);

/* From now on THREAD, the calling one, does SCOPE. Returns what it did before, for when that goes on. */
struct ili_cancel_scope ili_thread_enter(struct ili_thread *thread, struct ili_cancel_scope scope);

/* What is asked of THREAD, the calling one, before it sleeps: IL_OK nothing, IL_ECANCELLED (stays so),
 * IL_EINTR (is taken: once for each time an interruption was pending). */
il_status ili_thread_take(struct ili_thread *thread);

/* ili_futex_wait() for THREAD, the calling one. */
int ili_thread_futex_wait(const struct ili_thread *thread, _Atomic uint32_t *word, uint32_t seen,
                          int64_t until_ns);

/* The outcome of a sleep of THREAD, the calling one, that ended with ERROR (an errno): IL_EINTR if a signal
 * handler ran and its waits are to end by that; else IL_OK. */
static inline il_status ili_thread_slept(const struct ili_thread *thread, int error) {
    return error == EINTR && thread->signals ? IL_EINTR : IL_OK;
}

/* DEADLINE_NS, or if that is earlier the time at which THREAD, the calling one, will be cancelled. */
int64_t ili_thread_until(const struct ili_thread *thread, int64_t deadline_ns);

/* A descriptor that becomes readable when the thread is interrupted or cancelled, for waits on
 * descriptors. -1 if none can be made. An interruption drains it when it is taken; who finds it readable
 * without one drains it. */
int ili_thread_wake_fd(struct ili_thread *thread);

/* Announces, and ends, a sleep on WORD: in between an interruption sets ILI_PARK_POKED in it and
 * wakes it. */
void ili_thread_parked(struct ili_thread *thread, _Atomic uint32_t *word);
void ili_thread_unparked(struct ili_thread *thread);

/* Sleeping on a word of this process's memory on which any number of threads may sleep. Its low byte is
 * the owner's; whoever pokes a sleeper, or changes what is waited for, adds ILI_WORD_TURN to the word,
 * never stores to it. Sleeps while *WORD is SEEN, which was read before the caller saw that it must wait.
 * IL_OK: look again. IL_ETIMEOUT, IL_EINTR, IL_ECANCELLED; IL_ELIMIT. */
#define ILI_WORD_TURN 0x100u
il_status ili_thread_sleep(_Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns);

/* Grows with each fork(), in the child: what a process made before it was forked is known by it.
 * Whoever relies on it has called ili_fork_prepare() (session/fork.h). */
extern _Atomic uint32_t ili_process_forks;
static inline uint32_t ili_process_generation(void) {
    return atomic_load_explicit(&ili_process_forks, memory_order_relaxed);
}

/* Called in a forked child: only the calling thread is left. */
void ili_thread_after_fork(void);

#endif
