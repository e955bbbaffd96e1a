/*
 * thread.h - this process's record of the calling thread: its agents, and how to interrupt it.
 *
 * Records lie in a fixed table, so that il_interrupt() may look one up inside a signal handler. A
 * record is claimed at the thread's first blocking or structural call and freed when it ends.
 */
#ifndef ILI_ARENA_THREAD_H
#define ILI_ARENA_THREAD_H

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

struct ili_thread {
    _Atomic uint32_t used;
    _Atomic uint32_t generation;
    _Atomic uint32_t interrupted;  /* set by ili_thread_interrupt(), taken by the wait it ends */
    _Atomic uint32_t interrupters; /* calls that may be looking through parked_at right now */
    _Atomic(_Atomic uint32_t *) parked_at; /* the futex word the thread sleeps on */
    _Atomic int wake_fd; /* for waits on descriptors: an eventfd, -1 until it is asked for */
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

uint64_t ili_thread_id(const struct ili_thread *thread);

/* Async-signal-safe. IL_ENOTFOUND: no thread has that id. */
il_status ili_thread_interrupt(uint64_t id);

/* Makes an interruption of the calling thread pending again: the wait it ended had been granted. */
void ili_thread_keep_interrupt(struct ili_thread *thread);

/* Takes a pending interruption: true once for each time one was pending. */
bool ili_thread_take_interrupt(struct ili_thread *thread);

/* A descriptor that becomes readable when the thread is interrupted, for waits on descriptors. -1 if
 * none can be made. Drained by ili_thread_take_interrupt(). */
int ili_thread_wake_fd(struct ili_thread *thread);

/* Announces, and ends, a sleep on WORD: in between an interruption sets ILI_PARK_POKED in it and
 * wakes it. */
void ili_thread_parked(struct ili_thread *thread, _Atomic uint32_t *word);
void ili_thread_unparked(struct ili_thread *thread);

/* Called in a forked child: only the calling thread is left. */
void ili_thread_after_fork(void);

#endif
