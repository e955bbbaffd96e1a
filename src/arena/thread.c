/*
 * thread.c - see thread.h.
 *
 * Asking: the waiter publishes parked_at and then looks at `interrupted`, `cancelled`, `poked` and the
 * word of its scope; the asker sets one of them and then looks at parked_at. Both pairs are sequentially
 * consistent, so at least one of the two sees the other. `interrupters` keeps the word mapped while an
 * asker uses it: the waiter does not leave its wait before the count is 0. An asker in a signal handler
 * on the waiter's own thread ends before the waiter looks.
 *
 * The end of a thread: `generation` moves on, then it waits for `interrupters` to be 0, then the record is
 * free. An asker counts itself in and then compares the generation: it finds the thread that was meant
 * or none, and what it sets cannot reach the record's next thread.
 */
#include "arena/thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "arena/agent.h"
#include "arena/futex.h"
#include "base/clock.h"

#define THREADS 16384u

static struct ili_thread threads[THREADS];
static _Atomic uint32_t claim_hint;
static _Atomic uint32_t most_used; /* no record from here on was ever claimed */
_Atomic uint32_t ili_process_forks;
static _Thread_local struct ili_thread *current;
_Thread_local struct ili_at_hand ili_at_hand;
void (*ili_thread_ending)(struct ili_member *member, struct ili_agent *agent);
static pthread_key_t ended_key;
static pthread_once_t ended_once = PTHREAD_ONCE_INIT;

static void thread_ended(void *value) {
    struct ili_thread *thread = value;
    if (thread->ended && !thread->leaving) { /* once more, after the other keys' destructors */
        thread->leaving = true;
        pthread_setspecific(ended_key, thread);
        return;
    }
    for (unsigned i = 0; i < ILI_THREAD_BINDINGS; i++) ili_agent_unbind(&thread->bindings[i]);
    current = NULL;
    void (*ended)(void *context) = thread->ended;
    void *context = thread->ended_context;
    ili_thread_give_back(thread);
    if (ended) ended(context);
}

static void make_key(void) { pthread_key_create(&ended_key, thread_ended); }

static void note_used(uint32_t count) {
    uint32_t most = atomic_load_explicit(&most_used, memory_order_relaxed);
    while (most < count &&
           !atomic_compare_exchange_weak_explicit(&most_used, &most, count, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

struct ili_thread *ili_thread_claim(void) {
    pthread_once(&ended_once, make_key);
    uint32_t start = atomic_load_explicit(&claim_hint, memory_order_relaxed);
    for (uint32_t i = 0; i < THREADS; i++) {
        struct ili_thread *t = &threads[(start + i) % THREADS];
        uint32_t unused = 0;
        /* acquire: pairs with thread_ended() */
        if (atomic_load_explicit(&t->used, memory_order_relaxed) == 0 &&
            atomic_compare_exchange_strong_explicit(&t->used, &unused, 1, memory_order_acquire,
                                                    memory_order_relaxed)) {
            atomic_store_explicit(&claim_hint, (start + i) % THREADS, memory_order_relaxed);
            note_used((start + i) % THREADS + 1);
            atomic_store_explicit(&t->interrupted, 0, memory_order_relaxed);
            atomic_store_explicit(&t->cancelled, 0, memory_order_relaxed);
            atomic_store_explicit(&t->poked, 0, memory_order_relaxed);
            atomic_store_explicit(&t->wake_fd, -1, memory_order_relaxed);
            memset(t->bindings, 0, sizeof t->bindings);
            t->scope = (struct ili_cancel_scope){.at_ns = ILI_NEVER};
            t->ended = NULL;
            t->signals = t->leaving = false;
            return t;
        }
    }
    return NULL;
}

void ili_thread_adopt(struct ili_thread *thread) {
    current = thread;
    pthread_setspecific(ended_key, thread);
}

void ili_thread_give_back(struct ili_thread *thread) {
    int fd = atomic_exchange_explicit(&thread->wake_fd, -1, memory_order_seq_cst);
    atomic_fetch_add_explicit(&thread->generation, 1, memory_order_seq_cst);
    /* an asker that has read the descriptor is done with it, or it might write to another's */
    while (atomic_load_explicit(&thread->interrupters, memory_order_seq_cst) != 0) sched_yield();
    if (fd >= 0) close(fd);
    /* release: pairs with the claim's acquire */
    atomic_store_explicit(&thread->used, 0, memory_order_release);
}

struct ili_thread *ili_thread_current(void) {
    if (current) return current;
    struct ili_thread *thread = ili_thread_claim();
    if (thread) ili_thread_adopt(thread);
    return thread;
}

uint64_t ili_thread_id(const struct ili_thread *thread) {
    uint32_t generation = atomic_load_explicit(&thread->generation, memory_order_relaxed);
    return (uint64_t)generation << 32 | (uint32_t)(thread - threads + 1);
}

uint64_t ili_thread_known_id(void) { return current ? ili_thread_id(current) : 0; }

/* ---- asking ------------------------------------------------------------------------------------- */

/* The record of thread ID, which does not become another's before let_go(). NULL: no such thread. */
static struct ili_thread *hold(uint64_t id) {
    uint32_t number = (uint32_t)id;
    if (number == 0 || number > THREADS) return NULL;
    struct ili_thread *t = &threads[number - 1];
    atomic_fetch_add_explicit(&t->interrupters, 1, memory_order_seq_cst);
    uint32_t generation = atomic_load_explicit(&t->generation, memory_order_seq_cst);
    if (generation == (uint32_t)(id >> 32) &&
        atomic_load_explicit(&t->used, memory_order_acquire) != 0) {
        return t;
    }
    atomic_fetch_sub_explicit(&t->interrupters, 1, memory_order_seq_cst);
    return NULL;
}

static void let_go(struct ili_thread *t) {
    atomic_fetch_sub_explicit(&t->interrupters, 1, memory_order_seq_cst);
}

/* Something has been asked of T, which is held: if it waits, it looks. */
static void make_look(struct ili_thread *t) {
    _Atomic uint32_t *word = atomic_load_explicit(&t->parked_at, memory_order_seq_cst);
    if (word && atomic_load_explicit(&t->parked_shared, memory_order_relaxed)) {
        atomic_fetch_add_explicit(word, ILI_WORD_TURN, memory_order_relaxed);
        ili_futex_wake(word, INT32_MAX);
    } else if (word) {
        atomic_fetch_or_explicit(word, ILI_PARK_POKED, memory_order_relaxed);
        ili_futex_wake(word, 1);
    }
    /* acquire: pairs with ili_thread_wake_fd(). seq_cst: against the end of the thread */
    int fd = atomic_load_explicit(&t->wake_fd, memory_order_seq_cst);
    if (fd >= 0) {
        uint64_t one = 1;
        ssize_t ignored = write(fd, &one, sizeof one);
        (void)ignored; /* full means readable already */
    }
}

il_status ili_thread_interrupt(uint64_t id) {
    struct ili_thread *t = hold(id);
    if (!t) return IL_ENOTFOUND;
    atomic_store_explicit(&t->interrupted, 1, memory_order_seq_cst);
    make_look(t);
    let_go(t);
    return IL_OK;
}

il_status ili_thread_set_cancelled(uint64_t id, bool cancelled) {
    struct ili_thread *t = hold(id);
    if (!t) return IL_ENOTFOUND;
    atomic_store_explicit(&t->cancelled, cancelled, memory_order_seq_cst);
    if (cancelled) make_look(t);
    let_go(t);
    return IL_OK;
}

il_status ili_thread_poke(uint64_t id) {
    struct ili_thread *t = hold(id);
    if (!t) return IL_ENOTFOUND;
    atomic_store_explicit(&t->poked, 1, memory_order_seq_cst);
    make_look(t);
    let_go(t);
    return IL_OK;
}

void ili_thread_keep_interrupt(struct ili_thread *thread) {
    (void)ili_thread_interrupt(ili_thread_id(thread));
}

/* ---- being asked -------------------------------------------------------------------------------- */

bool ili_thread_is_cancelled(const struct ili_thread *thread) {
    const struct ili_cancel_scope *scope = &thread->scope;
    if (atomic_load_explicit(&thread->cancelled, memory_order_seq_cst)) return true;
    if (scope->word && atomic_load_explicit(scope->word, memory_order_seq_cst) & scope->mask) {
        return true;
    }
    return scope->at_ns != ILI_NEVER && ili_now_ns() >= scope->at_ns;
}

struct ili_cancel_scope ili_thread_enter(struct ili_thread *thread, struct ili_cancel_scope scope) {
    struct ili_cancel_scope before = thread->scope;
    thread->scope = scope;
    return before;
}

static bool take_interrupt(struct ili_thread *thread) {
    if (atomic_load_explicit(&thread->interrupted, memory_order_seq_cst) == 0) return false;
    bool taken = atomic_exchange_explicit(&thread->interrupted, 0, memory_order_seq_cst) != 0;
    int fd = atomic_load_explicit(&thread->wake_fd, memory_order_relaxed);
    uint64_t count;
    if (taken && fd >= 0) {
        ssize_t ignored = read(fd, &count, sizeof count);
        (void)ignored; /* empty is fine: the descriptor does not block */
    }
    return taken;
}

il_status ili_thread_take(struct ili_thread *thread) {
    if (ili_thread_is_cancelled(thread)) return IL_ECANCELLED;
    return take_interrupt(thread) ? IL_EINTR : IL_OK;
}

int64_t ili_thread_until(const struct ili_thread *thread, int64_t deadline_ns) {
    return thread->scope.at_ns < deadline_ns ? thread->scope.at_ns : deadline_ns;
}

int ili_thread_wake_fd(struct ili_thread *thread) {
    int fd = atomic_load_explicit(&thread->wake_fd, memory_order_relaxed);
    if (fd >= 0) return fd;
    fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_store_explicit(&thread->wake_fd, fd, memory_order_seq_cst);
    /* an asker that came before the store has not seen the descriptor */
    uint64_t one = 1;
    if (fd >= 0 && (atomic_load_explicit(&thread->interrupted, memory_order_seq_cst) ||
                    ili_thread_is_cancelled(thread))) {
        ssize_t ignored = write(fd, &one, sizeof one);
        (void)ignored;
    }
    return fd;
}

int ili_thread_futex_wait(const struct ili_thread *thread, _Atomic uint32_t *word, uint32_t seen,
                          int64_t until_ns) {
    /* without a time limit the system call goes on after a handler with SA_RESTART */
    if (thread->signals && until_ns == ILI_NEVER) until_ns--;
    return ili_futex_wait(word, seen, until_ns);
}

void ili_thread_parked(struct ili_thread *thread, _Atomic uint32_t *word) {
    atomic_store_explicit(&thread->parked_at, word, memory_order_seq_cst);
}

void ili_thread_unparked(struct ili_thread *thread) {
    atomic_store_explicit(&thread->parked_at, NULL, memory_order_seq_cst);
    while (atomic_load_explicit(&thread->interrupters, memory_order_seq_cst) != 0) sched_yield();
}

il_status ili_thread_sleep(_Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns) {
    struct ili_thread *thread = ili_thread_current();
    if (!thread) return IL_ELIMIT;
    atomic_store_explicit(&thread->parked_shared, 1, memory_order_relaxed);
    ili_thread_parked(thread, word); /* seq_cst: publishes parked_shared as well */
    il_status status = ili_thread_take(thread);
    if (status == IL_OK && !atomic_exchange_explicit(&thread->poked, 0, memory_order_seq_cst)) {
        int64_t until = ili_thread_until(thread, deadline_ns);
        int why = ili_thread_futex_wait(thread, word, seen, until);
        status = ili_thread_slept(thread, why);
        if (why == ETIMEDOUT && until == deadline_ns) status = IL_ETIMEOUT;
    }
    ili_thread_unparked(thread);
    atomic_store_explicit(&thread->parked_shared, 0, memory_order_relaxed);
    return status;
}

void ili_thread_after_fork(void) {
    uint32_t most = atomic_load_explicit(&most_used, memory_order_relaxed);
    atomic_fetch_add_explicit(&ili_process_forks, 1, memory_order_relaxed);
    for (uint32_t i = 0; i < most; i++) {
        struct ili_thread *t = &threads[i];
        /* whoever was asking something of it is not in this process */
        atomic_store_explicit(&t->interrupters, 0, memory_order_relaxed);
        if (t == current || atomic_load_explicit(&t->used, memory_order_relaxed) == 0) continue;
        atomic_fetch_add_explicit(&t->generation, 1, memory_order_relaxed);
        atomic_store_explicit(&t->used, 0, memory_order_relaxed);
    }
    ili_at_hand.member = NULL;
    if (current) {
        memset(current->bindings, 0, sizeof current->bindings);
        /* the eventfd is shared with the parent: a wake meant for one must not reach the other */
        int fd = atomic_exchange_explicit(&current->wake_fd, -1, memory_order_relaxed);
        if (fd >= 0) close(fd);
    }
}
