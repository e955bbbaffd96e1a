/* il_signals_interrupt: waits of a thread that end when a signal handler ran in it. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

#include "support/doors.h"

static _Atomic uint32_t handled;
static void on_signal(int number) {
    (void)number;
    atomic_fetch_add(&handled, 1);
}

static void install(int flags) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
    sigaction(SIGUSR1, &action, NULL);
}

/* What a thread waits for. */
struct things {
    struct door *door;
    il_lock *lock;
    il_rlock *rlock;
    il_rwlock *rwlock;
    il_semaphore *semaphore;
    il_event *event;
    il_latch *latch;
    il_barrier *barrier;
    il_condition *condition;
    il_queue *empty, *full;
    il_pipe *pipe, *other_end;
    il_dict *dict;
    il_thread *thread;
    il_process *process;
};

enum { LOCK, RLOCK, RWLOCK, SEMAPHORE, EVENT, LATCH, BARRIER, CONDITION, GET, PUT, RECEIVE, POLL };
enum { ANY = POLL + 1, ALL, LOSS, WATCH, DOZE, JOIN_THREAD, JOIN_PROCESS, WAITS };

static void open_things(struct things *t, struct door *door) {
    il_queue_options one = {sizeof one, 0, 1};
    uint32_t two = 2;
    il_semaphore_options none = {.struct_bytes = sizeof none, .flags = IL_SEMAPHORE_SIGNAL};
    il_domain *d = door->domain;
    *t = (struct things){.door = door};
    bool open = il_lock_open(d, "it", 2, NULL, &t->lock) == IL_OK &&
                il_rlock_open(d, "it", 2, NULL, &t->rlock) == IL_OK &&
                il_rwlock_open(d, "it", 2, NULL, &t->rwlock) == IL_OK &&
                il_semaphore_open(d, "it", 2, &none, &t->semaphore) == IL_OK &&
                il_event_open(d, "it", 2, &t->event) == IL_OK &&
                il_latch_open(d, "it", 2, &two, &t->latch) == IL_OK &&
                il_barrier_open(d, "it", 2, &two, &t->barrier) == IL_OK &&
                il_condition_open(d, "its own", 7, NULL, &t->condition) == IL_OK &&
                il_queue_open(d, "empty", 5, NULL, &t->empty) == IL_OK &&
                il_queue_open(d, "full", 4, &one, &t->full) == IL_OK &&
                il_pipe_open(d, "it", 2, NULL, IL_PIPE_A, &t->pipe) == IL_OK &&
                il_pipe_open(d, "it", 2, NULL, IL_PIPE_B, &t->other_end) == IL_OK &&
                il_dict_open(d, "it", 2, NULL, &t->dict) == IL_OK;
    cr_assert(open, "%s", il_error_message());
    cr_assert_eq(il_lock_acquire(t->lock, 0, NULL), IL_OK);
    cr_assert_eq(il_rlock_acquire(t->rlock, 0, NULL), IL_OK);
    cr_assert_eq(il_rwlock_acquire(t->rwlock, IL_EXCLUSIVE, 0, NULL), IL_OK);
    cr_assert_eq(il_queue_put(t->full, "x", 1, IL_BYTES, 0), IL_OK);
}

static void close_things(struct things *t) {
    il_rlock_release(t->rlock, 0);
    il_rwlock_release(t->rwlock, 0);
    il_lock_release(t->lock, 0);
    il_lock_close(t->lock);
    il_rlock_close(t->rlock);
    il_rwlock_close(t->rwlock);
    il_semaphore_close(t->semaphore);
    il_event_close(t->event);
    il_latch_close(t->latch);
    il_barrier_close(t->barrier);
    il_condition_close(t->condition);
    il_queue_close(t->empty);
    il_queue_close(t->full);
    il_pipe_close(t->pipe);
    il_pipe_close(t->other_end);
    il_dict_close(t->dict);
}

static il_status wait_in_condition(struct things *t, int64_t timeout) {
    uint64_t token = 0;
    il_status status = il_condition_acquire(t->condition, seconds(5), &token);
    if (status != IL_OK) return IL_ECORRUPT;
    status = il_condition_wait(t->condition, timeout, &token);
    return il_condition_release(t->condition, token) == IL_OK ? status : IL_ECORRUPT;
}

static il_status wait_in_poll(struct things *t, int64_t timeout) {
    int32_t ready = 1;
    il_status status = il_pipe_poll(t->pipe, timeout, &ready);
    return status == IL_OK && !ready ? IL_ETIMEOUT : status;
}

static il_status wait_for_change(uint32_t kind, void *object, int64_t timeout) {
    il_watch *watch = NULL;
    il_changed changed = {.struct_bytes = sizeof changed};
    if (il_watch_open(kind, object, 0, &watch) != IL_OK) return IL_ECORRUPT;
    il_status status;
    do { /* what it finds first is no news */
        status = il_watch_next(watch, &changed, timeout);
    } while (status == IL_OK);
    il_watch_close(watch);
    return status;
}

static il_status wait_for(struct things *t, int what, int64_t timeout) {
    char room[8];
    size_t bytes, index;
    il_loss loss = {.struct_bytes = sizeof loss};
    il_target targets[] = {{.kind = IL_KIND_LOCK, .object = t->lock},
                           {.kind = IL_KIND_SEMAPHORE, .object = t->semaphore}};
    switch (what) {
    case LOCK: return il_lock_acquire(t->lock, timeout, NULL);
    case RLOCK: return il_rlock_acquire(t->rlock, timeout, NULL);
    case RWLOCK: return il_rwlock_acquire(t->rwlock, IL_SHARED, timeout, NULL);
    case SEMAPHORE: return il_semaphore_acquire(t->semaphore, 1, timeout, NULL);
    case EVENT: return il_event_wait(t->event, timeout);
    case LATCH: return il_latch_wait(t->latch, timeout);
    case BARRIER: return il_barrier_wait(t->barrier, timeout, NULL);
    case CONDITION: return wait_in_condition(t, timeout);
    case GET: return il_queue_get(t->empty, room, sizeof room, &bytes, NULL, timeout);
    case PUT: return il_queue_put(t->full, "x", 1, IL_BYTES, timeout);
    case RECEIVE: return il_pipe_receive(t->pipe, room, sizeof room, &bytes, NULL, timeout);
    case POLL: return wait_in_poll(t, timeout);
    case ANY: return il_wait_any(targets, 2, timeout, &index);
    case ALL: return il_acquire_all(targets, 2, timeout);
    case LOSS: return il_loss_next(t->door->domain, &loss, timeout);
    case WATCH: return wait_for_change(IL_KIND_DICT, t->dict, timeout);
    case DOZE: return wait_for_change(IL_KIND_QUEUE, t->empty, timeout);
    case JOIN_THREAD: return il_thread_join(t->thread, timeout, NULL);
    default: return il_process_join(t->process, timeout, NULL);
    }
}

/* A thread that waits for one thing after the other; HANDLED: how many signals it wants to have seen. */
struct waiter {
    pthread_t thread;
    struct things *things;
    int what;
    bool on;
    int64_t timeout_ns;
    il_status status, turned;
    _Atomic int done;
};

static void *wait_main(void *argument) {
    struct waiter *w = argument;
    w->turned = il_signals_interrupt(w->on);
    w->status = wait_for(w->things, w->what, w->timeout_ns);
    atomic_store(&w->done, 1);
    return NULL;
}

/* Signals until it is done: a signal may come before the wait. */
static void run(struct waiter *w) {
    int64_t end = test_now_ns() + seconds(20);
    pthread_create(&w->thread, NULL, wait_main, w);
    while (!atomic_load(&w->done) && test_now_ns() < end) {
        pthread_kill(w->thread, SIGUSR1);
        for (int i = 0; i < 20 && !atomic_load(&w->done); i++) test_pause();
    }
    cr_assert(atomic_load(&w->done), "wait %d hangs", w->what);
    pthread_join(w->thread, NULL);
    cr_assert_eq(w->turned, IL_OK);
}

static void *linger(void *event) {
    (void)il_event_wait(event, seconds(60));
    return NULL;
}

static void start_runs(struct things *t) {
    static const char *const words[] = {"sleep", "60"};
    il_process_options options = {.struct_bytes = sizeof options,
                                  .flags = IL_PROCESS_DAEMON,
                                  .arguments = words,
                                  .argument_count = 2};
    cr_assert_eq(il_thread_create(linger, t->event, NULL, &t->thread), IL_OK);
    cr_assert_eq(il_thread_start(t->thread), IL_OK);
    cr_assert_eq(il_process_start(NULL, &options, &t->process), IL_OK, "%s", il_error_message());
}

static void end_runs(struct things *t) {
    il_event_set(t->event);
    cr_assert_eq(il_thread_join(t->thread, seconds(20), NULL), IL_OK);
    il_thread_close(t->thread);
    il_process_close(t->process);
}

EACH_DOOR(abi_signals, a_handler_that_ran_ends_every_wait) {
    struct things t;
    open_things(&t, door);
    start_runs(&t);
    for (int what = 0; what < WAITS; what++) {
        install(what % 2 ? SA_RESTART : 0);
        struct waiter w = {.things = &t, .what = what, .on = true, .timeout_ns = IL_FOREVER};
        run(&w);
        cr_assert_eq(w.status, IL_EINTR, "wait %d: %s", what, il_status_name(w.status));
        il_barrier_reset(t.barrier);
    }
    end_runs(&t);
    close_things(&t);
}

EACH_DOOR(abi_signals, waits_go_on_unless_it_is_asked_for) {
    struct things t;
    open_things(&t, door);
    install(0);
    static const int some[] = {LOCK, SEMAPHORE, GET, POLL, ANY, LOSS, DOZE};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        uint32_t before = atomic_load(&handled);
        struct waiter w = {.things = &t, .what = some[i], .timeout_ns = seconds(0.05)};
        run(&w);
        cr_assert_eq(w.status, IL_ETIMEOUT, "wait %d: %s", some[i], il_status_name(w.status));
        cr_assert_gt(atomic_load(&handled), before + 2);
    }
    close_things(&t);
}

/* ---- nothing is lost ---------------------------------------------------------------------------------- */

#define ROUNDS 400

struct taker {
    pthread_t thread;
    il_queue *queue;
    il_lock *lock;
    uint64_t sum, interrupted;
    il_status bad;
    _Atomic int done;
};

/* Takes ROUNDS numbers, each under the lock, whatever interrupts it. */
static void *take(void *argument) {
    struct taker *t = argument;
    uint32_t number;
    size_t bytes;
    il_signals_interrupt(1);
    for (int i = 0; i < ROUNDS && !t->bad; i++) {
        il_status status;
        while ((status = il_lock_acquire(t->lock, seconds(20), NULL)) == IL_EINTR) t->interrupted++;
        if (status != IL_OK) t->bad = status;
        while ((status = il_queue_get(t->queue, &number, sizeof number, &bytes, NULL,
                                      seconds(20))) == IL_EINTR)
            t->interrupted++;
        if (status != IL_OK) t->bad = status;
        t->sum += number;
        status = il_lock_release(t->lock, 0);
        if (status != IL_OK) t->bad = status;
    }
    atomic_store(&t->done, 1);
    return NULL;
}

EACH_DOOR(abi_signals, no_grant_and_no_message_is_lost) {
    struct taker takers[2];
    il_queue *queue = NULL;
    il_lock *lock = NULL;
    install(0);
    cr_assert_eq(il_queue_open(door->domain, "numbers", 7, NULL, &queue), IL_OK);
    cr_assert_eq(il_lock_open(door->domain, "numbers", 7, NULL, &lock), IL_OK);
    for (int i = 0; i < 2; i++) {
        takers[i] = (struct taker){.queue = queue, .lock = lock};
        pthread_create(&takers[i].thread, NULL, take, &takers[i]);
    }
    uint64_t sum = 0;
    int64_t end = test_now_ns() + seconds(60);
    for (uint32_t n = 1; n <= 2 * ROUNDS; n++) {
        sum += n;
        cr_assert_eq(il_queue_put(queue, &n, sizeof n, IL_BYTES, seconds(5)), IL_OK);
        for (int i = 0; i < 2; i++) {
            if (!atomic_load(&takers[i].done)) pthread_kill(takers[i].thread, SIGUSR1);
        }
        if (n % 8 == 0) test_pause();
    }
    while (!atomic_load(&takers[0].done) || !atomic_load(&takers[1].done)) {
        cr_assert(test_now_ns() < end, "they hang");
        test_pause();
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(takers[i].thread, NULL);
        cr_assert_eq(takers[i].bad, IL_OK, "%s", il_status_name(takers[i].bad));
    }
    cr_assert_gt(takers[0].interrupted + takers[1].interrupted, 0);
    cr_assert_eq(takers[0].sum + takers[1].sum, sum);
    cr_assert_eq(il_lock_acquire(lock, 0, NULL), IL_OK, "nobody holds it");
    il_lock_release(lock, 0);
    il_lock_close(lock);
    il_queue_close(queue);
}

/* A forked child's thread goes on as the one that forked. */
Test(abi_signals, setting_is_inherited_by_fork, .timeout = 60) {
    il_domain *domain = NULL;
    il_queue *queue = NULL;
    char room[8];
    size_t bytes;
    install(0);
    il_domain_open("private:", NULL, &domain);
    il_queue_open(domain, NULL, 0, NULL, &queue);
    cr_assert_eq(il_signals_interrupt(1), IL_OK);
    cr_assert(door_settle());
    pid_t child = fork();
    if (child == 0) {
        il_status status = il_queue_get(queue, room, sizeof room, &bytes, NULL, seconds(20));
        _exit(status == IL_EINTR ? 0 : 1);
    }
    int64_t end = test_now_ns() + seconds(20);
    int status = 0;
    pid_t got;
    while ((got = waitpid(child, &status, WNOHANG)) == 0 && test_now_ns() < end) {
        kill(child, SIGUSR1);
        test_pause();
    }
    cr_assert_eq(got, child);
    cr_assert_eq(status, 0, "%d", status);
    cr_assert_eq(il_signals_interrupt(0), IL_OK);
    il_queue_close(queue);
    il_domain_close(domain);
}
