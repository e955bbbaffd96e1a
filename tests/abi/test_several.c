#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "support/doors.h"

struct objects {
    il_lock *lock;
    il_rlock *rlock;
    il_rwlock *rwlock;
    il_semaphore *semaphore;
    il_event *event;
    il_queue *queue;
};

static struct objects open_all(struct door *door) {
    struct objects o = {0};
    il_semaphore_options three = {.struct_bytes = sizeof three, .value = 3};
    il_domain *d = door->domain;
    cr_assert_eq(il_lock_open(d, "l", 1, NULL, &o.lock), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_rlock_open(d, "r", 1, NULL, &o.rlock), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_rwlock_open(d, "w", 1, NULL, &o.rwlock), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_semaphore_open(d, "s", 1, &three, &o.semaphore), IL_OK, "%s",
                 il_error_message());
    cr_assert_eq(il_event_open(d, "e", 1, &o.event), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_queue_open(d, "q", 1, NULL, &o.queue), IL_OK, "%s", il_error_message());
    return o;
}

static void close_all(struct objects *o) {
    cr_assert_eq(il_lock_close(o->lock), IL_OK);
    cr_assert_eq(il_rlock_close(o->rlock), IL_OK);
    cr_assert_eq(il_rwlock_close(o->rwlock), IL_OK);
    cr_assert_eq(il_semaphore_close(o->semaphore), IL_OK);
    cr_assert_eq(il_event_close(o->event), IL_OK);
    cr_assert_eq(il_queue_close(o->queue), IL_OK);
}

EACH_DOOR(abi_several, acquires_all_or_none) {
    struct objects o = open_all(door);
    uint32_t value = 0;
    int32_t locked = -1;
    il_target targets[] = {
        {.kind = IL_KIND_SEMAPHORE, .count = 2, .object = o.semaphore},
        {.kind = IL_KIND_RWLOCK, .mode = IL_SHARED, .object = o.rwlock},
        {.kind = IL_KIND_LOCK, .object = o.lock},
        {.kind = IL_KIND_RLOCK, .object = o.rlock},
    };
    cr_assert_eq(il_acquire_all(targets, 4, IL_NOWAIT), IL_OK, "%s", il_error_message());
    for (int i = 0; i < 4; i++) cr_assert(targets[i].token > 0, "target %d", i);
    cr_assert_eq(il_semaphore_value(o.semaphore, &value), IL_OK);
    cr_assert_eq(value, 1);
    cr_assert_eq(il_lock_locked(o.lock, &locked), IL_OK);
    cr_assert_eq(locked, 1);
    cr_assert_eq(il_release_all(targets, 4), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_lock_acquire(o.lock, IL_NOWAIT, NULL), IL_OK);
    cr_assert_eq(il_acquire_all(targets, 4, seconds(0.1)), IL_ETIMEOUT);
    cr_assert_eq(il_semaphore_value(o.semaphore, &value), IL_OK);
    cr_assert_eq(value, 3, "nothing is held after a failure");
    cr_assert_eq(il_rlock_locked(o.rlock, &locked), IL_OK);
    cr_assert_eq(locked, 0);
    cr_assert_eq(il_lock_release(o.lock, 0), IL_OK);
    close_all(&o);
}

/* Threads that take two of three locks, in whatever order: without deadlock, and never two inside. */
struct taker {
    il_lock *locks[3];
    uint64_t random;
    _Atomic int *inside, *wrong;
};

static void *take_pairs(void *argument) {
    struct taker *t = argument;
    for (int i = 0; i < 100; i++) {
        unsigned first = (unsigned)(test_random(&t->random) % 3);
        unsigned second = (first + 1 + (unsigned)(test_random(&t->random) % 2)) % 3;
        il_target targets[] = {{.kind = IL_KIND_LOCK, .object = t->locks[first]},
                               {.kind = IL_KIND_LOCK, .object = t->locks[second]}};
        if (il_acquire_all(targets, 2, seconds(30)) != IL_OK) atomic_fetch_add(t->wrong, 1);
        if (atomic_fetch_add(&t->inside[first], 1) || atomic_fetch_add(&t->inside[second], 1))
            atomic_fetch_add(t->wrong, 1);
        atomic_fetch_sub(&t->inside[first], 1);
        atomic_fetch_sub(&t->inside[second], 1);
        if (il_release_all(targets, 2) != IL_OK) atomic_fetch_add(t->wrong, 1);
    }
    return NULL;
}

EACH_DOOR(abi_several, order_does_not_matter) {
    enum { TAKERS = 4 };
    struct taker takers[TAKERS];
    pthread_t threads[TAKERS];
    static _Atomic int inside[3], wrong;
    for (int i = 0; i < TAKERS; i++) {
        takers[i] =
            (struct taker){.random = test_seed((uint64_t)i), .inside = inside, .wrong = &wrong};
        for (int k = 0; k < 3; k++) {
            char name[2] = {(char)('a' + k), 0};
            cr_assert_eq(il_lock_open(door->domain, name, 1, NULL, &takers[i].locks[k]), IL_OK);
        }
    }
    for (int i = 0; i < TAKERS; i++) pthread_create(&threads[i], NULL, take_pairs, &takers[i]);
    for (int i = 0; i < TAKERS; i++) pthread_join(threads[i], NULL);
    cr_assert_eq(wrong, 0);
    for (int i = 0; i < TAKERS; i++) {
        for (int k = 0; k < 3; k++) il_lock_close(takers[i].locks[k]);
    }
}

/* ---- the first of several ------------------------------------------------------------------------------ */

struct waiter {
    pthread_t thread;
    il_target targets[5];
    size_t count, index;
    int64_t timeout_ns;
    uint64_t self;
    il_status status;
    _Atomic int begun;
};

static void *wait_first(void *argument) {
    struct waiter *w = argument;
    w->self = il_thread_self();
    atomic_store(&w->begun, 1);
    w->status = il_wait_any(w->targets, w->count, w->timeout_ns, &w->index);
    if (w->status == IL_OK && w->targets[w->index].kind == IL_KIND_LOCK)
        il_lock_release(w->targets[w->index].object, w->targets[w->index].token);
    return NULL;
}

static bool has_begun(void *waiter) { return atomic_load(&((struct waiter *)waiter)->begun) != 0; }

static struct waiter waiter_for(struct objects *o, double s) {
    struct waiter w = {.count = 5, .timeout_ns = seconds(s), .index = 99};
    w.targets[0] = (il_target){.kind = IL_KIND_EVENT, .object = o->event};
    w.targets[1] = (il_target){.kind = IL_KIND_QUEUE, .object = o->queue};
    w.targets[2] = (il_target){.kind = IL_KIND_LOCK, .object = o->lock};
    w.targets[3] = (il_target){.kind = IL_KIND_SEMAPHORE, .count = 3, .object = o->semaphore};
    w.targets[4] = (il_target){.kind = IL_KIND_RWLOCK, .mode = IL_EXCLUSIVE, .object = o->rwlock};
    return w;
}

static void hold_all(struct objects *o) {
    cr_assert_eq(il_lock_acquire(o->lock, IL_NOWAIT, NULL), IL_OK);
    cr_assert_eq(il_semaphore_acquire(o->semaphore, 1, IL_NOWAIT, NULL), IL_OK);
    cr_assert_eq(il_rwlock_acquire(o->rwlock, IL_SHARED, IL_NOWAIT, NULL), IL_OK);
}

static void release_all(struct objects *o) {
    cr_assert_eq(il_lock_release(o->lock, 0), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_semaphore_release(o->semaphore, 1, 0), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_rwlock_release(o->rwlock, 0), IL_OK, "%s", il_error_message());
}

static void run_waiter(struct waiter *w) {
    cr_assert_eq(pthread_create(&w->thread, NULL, wait_first, w), 0);
    cr_assert(test_wait(has_begun, w, DOOR_SECONDS));
}

EACH_DOOR(abi_several, first_that_is_ready_ends_the_wait) {
    struct objects o = open_all(door);
    for (size_t which = 0; which < 3; which++) {
        struct waiter w = waiter_for(&o, 20);
        hold_all(&o);
        run_waiter(&w);
        if (which == 0) cr_assert_eq(il_event_set(o.event), IL_OK);
        if (which == 1) cr_assert_eq(il_queue_put(o.queue, "x", 1, IL_BYTES, 0), IL_OK);
        if (which == 2) cr_assert_eq(il_lock_release(o.lock, 0), IL_OK);
        pthread_join(w.thread, NULL);
        cr_assert_eq(w.status, IL_OK, "%zu: %d", which, w.status);
        cr_assert_eq(w.index, which);
        if (which == 0) cr_assert_eq(il_event_clear(o.event), IL_OK);
        if (which == 1) {
            char byte;
            size_t bytes;
            cr_assert_eq(il_queue_get(o.queue, &byte, 1, &bytes, NULL, 0), IL_OK,
                         "the message was not taken");
        }
        if (which == 2) cr_assert_eq(il_lock_acquire(o.lock, seconds(5), NULL), IL_OK);
        release_all(&o);
    }
    uint32_t value = 0;
    cr_assert_eq(il_semaphore_value(o.semaphore, &value), IL_OK);
    cr_assert_eq(value, 3, "nothing is left of the waits");
    close_all(&o);
}

EACH_DOOR(abi_several, ready_one_ends_the_wait_at_once) {
    struct objects o = open_all(door);
    struct waiter w = waiter_for(&o, 0);
    size_t index = 99;
    hold_all(&o);
    w.targets[4].mode = IL_SHARED; /* which this very thread has */
    cr_assert_eq(il_wait_any(w.targets, w.count, IL_NOWAIT, &index), IL_OK);
    cr_assert_eq(index, 4);
    cr_assert_eq(il_rwlock_release(o.rwlock, w.targets[4].token), IL_OK);
    w.targets[4].mode = IL_EXCLUSIVE;
    cr_assert_eq(il_wait_any(w.targets, w.count, IL_NOWAIT, &index), IL_EUPGRADE);
    w.count = 4;
    index = 99;
    cr_assert_eq(il_wait_any(w.targets, w.count, IL_NOWAIT, &index), IL_ETIMEOUT);
    cr_assert_eq(il_wait_any(w.targets, w.count, seconds(0.05), &index), IL_ETIMEOUT);
    cr_assert_eq(index, 99);
    cr_assert_eq(il_semaphore_release(o.semaphore, 1, 0), IL_OK);
    cr_assert_eq(il_wait_any(w.targets, w.count, IL_NOWAIT, &index), IL_OK, "%s",
                 il_error_message());
    cr_assert_eq(index, 3);
    cr_assert(w.targets[3].token > 0);
    cr_assert_eq(il_semaphore_release(o.semaphore, 3, w.targets[3].token), IL_OK);
    cr_assert_eq(il_semaphore_acquire(o.semaphore, 1, IL_NOWAIT, NULL), IL_OK);
    release_all(&o);
    close_all(&o);
}

EACH_DOOR(abi_several, death_of_the_owner_before_is_told) {
    struct objects o = open_all(door);
    il_target targets[] = {{.kind = IL_KIND_EVENT, .object = o.event},
                           {.kind = IL_KIND_LOCK, .object = o.lock},
                           {.kind = IL_KIND_RLOCK, .object = o.rlock}};
    size_t index = 99;
    for (int all = 0; all < 2; all++) {
        cr_assert_eq(il_lock_acquire(o.lock, IL_NOWAIT, NULL), IL_OK);
        cr_assert_eq(il_lock_break(o.lock, 0, NULL), IL_OK, "%s", il_error_message());
        if (all) {
            cr_assert_eq(il_acquire_all(targets + 1, 2, IL_NOWAIT), IL_OK);
            cr_assert_eq(targets[2].status, IL_OK);
            cr_assert_eq(il_rlock_release(o.rlock, targets[2].token), IL_OK);
        } else {
            cr_assert_eq(il_wait_any(targets, 3, seconds(1), &index), IL_OK);
            cr_assert_eq(index, 1);
        }
        cr_assert_eq(targets[1].status, IL_EOWNERDEAD, "all: %d", all);
        cr_assert_eq(il_lock_release(o.lock, targets[1].token), IL_OK);
    }
    close_all(&o);
}

EACH_DOOR(abi_several, wait_is_interrupted) {
    struct objects o = open_all(door);
    struct waiter w = waiter_for(&o, 20);
    hold_all(&o);
    run_waiter(&w);
    cr_assert_eq(il_interrupt(w.self), IL_OK);
    pthread_join(w.thread, NULL);
    cr_assert_eq(w.status, IL_EINTR, "%d", w.status);
    release_all(&o);
    close_all(&o);
}

/* ---- for event loops ----------------------------------------------------------------------------------- */

EACH_DOOR(abi_several, wait_is_a_descriptor) {
    struct objects o = open_all(door);
    il_target targets[] = {{.kind = IL_KIND_EVENT, .object = o.event},
                           {.kind = IL_KIND_LOCK, .object = o.lock}};
    il_wait *wait = NULL;
    int fd = -1;
    size_t index = 99;
    uint64_t token = 0;
    cr_assert_eq(il_lock_acquire(o.lock, IL_NOWAIT, NULL), IL_OK);
    cr_assert_eq(il_wait_start(targets, 2, &wait), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_wait_fd(wait, &fd), IL_OK);
    struct pollfd polled = {fd, POLLIN, 0};
    cr_assert_eq(poll(&polled, 1, 20), 0);
    cr_assert_eq(il_wait_finish(wait, &index, &token), IL_ETIMEOUT);
    cr_assert_eq(il_lock_release(o.lock, 0), IL_OK);
    cr_assert_eq(poll(&polled, 1, 10000), 1);
    cr_assert_eq(il_wait_finish(wait, &index, &token), IL_OK, "%s", il_error_message());
    cr_assert_eq(index, 1);
    cr_assert_eq(il_wait_close(wait), IL_OK);
    cr_assert_eq(il_lock_check(o.lock, token), IL_OK, "it is the session's now");
    cr_assert_eq(il_lock_release(o.lock, token), IL_OK, "%s", il_error_message());
    /* closed before it ended, and after it ended but before it was fetched */
    cr_assert_eq(il_lock_acquire(o.lock, IL_NOWAIT, NULL), IL_OK);
    cr_assert_eq(il_wait_start(targets, 2, &wait), IL_OK);
    cr_assert_eq(il_wait_close(wait), IL_OK);
    cr_assert_eq(il_lock_release(o.lock, 0), IL_OK);
    cr_assert_eq(il_wait_start(targets, 2, &wait), IL_OK);
    cr_assert_eq(il_wait_fd(wait, &polled.fd), IL_OK);
    cr_assert_eq(poll(&polled, 1, 10000), 1);
    cr_assert_eq(il_wait_close(wait), IL_OK);
    cr_assert_eq(il_lock_acquire(o.lock, seconds(5), &token), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_lock_release(o.lock, token), IL_OK);
    cr_assert_eq(il_wait_close(NULL), IL_OK);
    close_all(&o);
}

EACH_DOOR(abi_several, refuses_what_makes_no_sense) {
    struct objects o = open_all(door);
    il_wait *wait = NULL;
    size_t index;
    il_target one = {.kind = IL_KIND_EVENT, .object = o.event};
    il_target twice[] = {{.kind = IL_KIND_LOCK, .object = o.lock},
                         {.kind = IL_KIND_LOCK, .object = o.lock}};
    cr_assert_eq(il_acquire_all(&one, 1, 0), IL_EINVAL);
    SAYS("targets[0].kind");
    cr_assert_eq(il_acquire_all(NULL, 1, 0), IL_EINVAL);
    cr_assert_eq(il_acquire_all(twice, 0, 0), IL_EINVAL);
    SAYS("count");
    if (door->local) { /* over HTTP a handle is a name, and the server finds the same */
        cr_assert_eq(il_acquire_all(twice, 2, 0), IL_EINVAL);
        SAYS("targets[1]");
    }
    one.mode = 1;
    cr_assert_eq(il_wait_any(&one, 1, 0, &index), IL_EINVAL);
    SAYS("mode");
    one = (il_target){.kind = IL_KIND_LOCK, .object = NULL};
    cr_assert_eq(il_wait_any(&one, 1, 0, &index), IL_EINVAL);
    SAYS("object");
    one = (il_target){.kind = IL_KIND_RLOCK, .object = o.rlock};
    cr_assert_eq(il_wait_start(&one, 1, &wait), IL_EUNSUPPORTED);
    SAYS("thread");
    cr_assert_null(wait);
    close_all(&o);
}
