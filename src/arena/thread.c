/*
 * thread.c - see thread.h.
 *
 * Interrupting: the waiter publishes parked_at and then looks at `interrupted`; the interrupter sets
 * `interrupted` and then looks at parked_at. Both pairs are sequentially consistent, so at least one
 * of the two sees the other. `interrupters` keeps the word mapped while an interrupter uses it: the
 * waiter does not leave its wait before the count is 0. An interrupter in a signal handler on the
 * waiter's own thread ends before the waiter looks.
 */
#include "arena/thread.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "arena/agent.h"
#include "arena/futex.h"

#define THREADS 16384u

static struct ili_thread threads[THREADS];
static _Atomic uint32_t claim_hint;
static _Atomic uint32_t most_used; /* no record from here on was ever claimed */
static _Thread_local struct ili_thread *current;
_Thread_local struct ili_at_hand ili_at_hand;
void (*ili_thread_ending)(struct ili_member *member, struct ili_agent *agent);
static pthread_key_t ended_key;
static pthread_once_t ended_once = PTHREAD_ONCE_INIT;

static void thread_ended(void *value) {
    struct ili_thread *thread = value;
    for (unsigned i = 0; i < ILI_THREAD_BINDINGS; i++) ili_agent_unbind(&thread->bindings[i]);
    int fd = atomic_exchange_explicit(&thread->wake_fd, -1, memory_order_seq_cst);
    /* an interrupter that has read the descriptor is done with it, or it might write to another's */
    while (atomic_load_explicit(&thread->interrupters, memory_order_seq_cst) != 0) sched_yield();
    if (fd >= 0) close(fd);
    current = NULL;
    atomic_fetch_add_explicit(&thread->generation, 1, memory_order_relaxed);
    /* release: pairs with the claim's acquire */
    atomic_store_explicit(&thread->used, 0, memory_order_release);
}

static void make_key(void) { pthread_key_create(&ended_key, thread_ended); }

static void note_used(uint32_t count) {
    uint32_t most = atomic_load_explicit(&most_used, memory_order_relaxed);
    while (most < count &&
           !atomic_compare_exchange_weak_explicit(&most_used, &most, count, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

struct ili_thread *ili_thread_current(void) {
    if (current) return current;
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
            atomic_store_explicit(&t->wake_fd, -1, memory_order_relaxed);
            memset(t->bindings, 0, sizeof t->bindings);
            current = t;
            pthread_setspecific(ended_key, t);
            return t;
        }
    }
    return NULL;
}

uint64_t ili_thread_id(const struct ili_thread *thread) {
    uint32_t generation = atomic_load_explicit(&thread->generation, memory_order_relaxed);
    return (uint64_t)generation << 32 | (uint32_t)(thread - threads + 1);
}

il_status ili_thread_interrupt(uint64_t id) {
    uint32_t number = (uint32_t)id;
    if (number == 0 || number > THREADS) return IL_ENOTFOUND;
    struct ili_thread *t = &threads[number - 1];
    if (atomic_load_explicit(&t->used, memory_order_acquire) == 0 || ili_thread_id(t) != id) {
        return IL_ENOTFOUND;
    }
    atomic_fetch_add_explicit(&t->interrupters, 1, memory_order_seq_cst);
    atomic_store_explicit(&t->interrupted, 1, memory_order_seq_cst);
    _Atomic uint32_t *word = atomic_load_explicit(&t->parked_at, memory_order_seq_cst);
    if (word) {
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
    atomic_fetch_sub_explicit(&t->interrupters, 1, memory_order_seq_cst);
    return IL_OK;
}

void ili_thread_keep_interrupt(struct ili_thread *thread) {
    (void)ili_thread_interrupt(ili_thread_id(thread));
}

bool ili_thread_take_interrupt(struct ili_thread *thread) {
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

int ili_thread_wake_fd(struct ili_thread *thread) {
    int fd = atomic_load_explicit(&thread->wake_fd, memory_order_relaxed);
    if (fd >= 0) return fd;
    fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_store_explicit(&thread->wake_fd, fd, memory_order_seq_cst);
    /* an interrupter that came before the store has not seen the descriptor */
    uint64_t one = 1;
    if (fd >= 0 && atomic_load_explicit(&thread->interrupted, memory_order_seq_cst)) {
        ssize_t ignored = write(fd, &one, sizeof one);
        (void)ignored;
    }
    return fd;
}

void ili_thread_parked(struct ili_thread *thread, _Atomic uint32_t *word) {
    atomic_store_explicit(&thread->parked_at, word, memory_order_seq_cst);
}

void ili_thread_unparked(struct ili_thread *thread) {
    atomic_store_explicit(&thread->parked_at, NULL, memory_order_seq_cst);
    while (atomic_load_explicit(&thread->interrupters, memory_order_seq_cst) != 0) sched_yield();
}

void ili_thread_after_fork(void) {
    uint32_t most = atomic_load_explicit(&most_used, memory_order_relaxed);
    for (uint32_t i = 0; i < most; i++) {
        struct ili_thread *t = &threads[i];
        if (t == current || atomic_load_explicit(&t->used, memory_order_relaxed) == 0) continue;
        atomic_fetch_add_explicit(&t->generation, 1, memory_order_relaxed);
        atomic_store_explicit(&t->used, 0, memory_order_relaxed);
    }
    ili_at_hand.member = NULL;
    if (current) {
        memset(current->bindings, 0, sizeof current->bindings);
        atomic_store_explicit(&current->interrupters, 0, memory_order_relaxed);
        /* the eventfd is shared with the parent: a wake meant for one must not reach the other */
        int fd = atomic_exchange_explicit(&current->wake_fd, -1, memory_order_relaxed);
        if (fd >= 0) close(fd);
    }
}
