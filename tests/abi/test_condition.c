#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "support/doors.h"

static il_condition *open_condition(struct door *door) {
    il_condition *condition = NULL;
    cr_assert_eq(il_condition_open(door->domain, "it", 2, NULL, &condition), IL_OK, "%s",
                 il_error_message());
    return condition;
}

static void acquire(il_condition *condition) {
    cr_assert_eq(il_condition_acquire(condition, seconds(10), NULL), IL_OK, "%s",
                 il_error_message());
}

static void release(il_condition *condition) {
    cr_assert_eq(il_condition_release(condition, 0), IL_OK, "%s", il_error_message());
}

/* A thread that waits once. */
struct waiter {
    pthread_t thread;
    il_condition *condition;
    int64_t timeout_ns;
    unsigned depth;
    il_status status, released;
    uint64_t before, after;
    _Atomic uint64_t self;
    _Atomic int done;
};

static void *wait_once(void *argument) {
    struct waiter *w = argument;
    atomic_store(&w->self, il_thread_self());
    for (unsigned i = 0; i < w->depth; i++)
        (void)il_condition_acquire(w->condition, IL_FOREVER, &w->before);
    w->status = il_condition_wait(w->condition, w->timeout_ns, &w->after);
    w->released = IL_OK;
    for (unsigned i = 0; i < w->depth && w->released == IL_OK; i++)
        w->released = il_condition_release(w->condition, w->after);
    atomic_store(&w->done, 1);
    return NULL;
}

static void start(struct waiter *w, il_condition *condition, double s, unsigned depth) {
    *w = (struct waiter){.condition = condition, .timeout_ns = seconds(s), .depth = depth};
    cr_assert_eq(pthread_create(&w->thread, NULL, wait_once, w), 0);
}

struct wanted {
    il_condition *condition;
    uint32_t count;
};

static bool are_waiting(void *context) {
    struct wanted *w = context;
    uint32_t waiters = 0;
    return il_condition_waiters(w->condition, &waiters) == IL_OK && waiters == w->count;
}

static void await_waiters(il_condition *condition, uint32_t count) {
    struct wanted wanted = {condition, count};
    cr_assert(test_wait(are_waiting, &wanted, DOOR_SECONDS), "%u waiters do not come", count);
}

EACH_DOOR(abi_condition, notifies_as_many_as_it_says) {
    enum { WAITERS = 5 };
    struct waiter waiters[WAITERS];
    il_condition *condition = open_condition(door);
    for (int i = 0; i < WAITERS; i++) start(&waiters[i], condition, 20, 1);
    await_waiters(condition, WAITERS);
    acquire(condition);
    cr_assert_eq(il_condition_notify(condition, 2), IL_OK, "%s", il_error_message());
    await_waiters(condition, WAITERS - 2);
    release(condition);
    acquire(condition);
    cr_assert_eq(il_condition_notify_all(condition), IL_OK, "%s", il_error_message());
    release(condition);
    for (int i = 0; i < WAITERS; i++) {
        pthread_join(waiters[i].thread, NULL);
        cr_assert_eq(waiters[i].status, IL_OK, "waiter %d: %d", i, waiters[i].status);
        cr_assert_eq(waiters[i].released, IL_OK);
        cr_assert(waiters[i].after > waiters[i].before, "the lock is held by a new grant");
    }
    acquire(condition);
    cr_assert_eq(il_condition_notify(condition, 1), IL_OK, "nobody waits: nothing happens");
    release(condition);
    il_condition_close(condition);
}

EACH_DOOR(abi_condition, gives_up_all_and_returns_as_deep) {
    struct waiter waiter;
    il_condition *condition = open_condition(door);
    start(&waiter, condition, 20, 3);
    await_waiters(condition, 1);
    acquire(condition);
    cr_assert_eq(il_condition_notify(condition, 1), IL_OK);
    release(condition);
    pthread_join(waiter.thread, NULL);
    cr_assert_eq(waiter.status, IL_OK);
    cr_assert_eq(waiter.released, IL_OK, "three acquires, three releases");
    acquire(condition);
    release(condition);
    il_condition_close(condition);
}

EACH_DOOR(abi_condition, timeout_returns_with_the_lock) {
    il_condition *condition = open_condition(door);
    uint64_t token = 0;
    cr_assert_eq(il_condition_wait(condition, 0, &token), IL_ENOTHELD);
    cr_assert_eq(il_condition_notify(condition, 1), IL_ENOTHELD);
    acquire(condition);
    cr_assert_eq(il_condition_wait(condition, seconds(0.05), &token), IL_ETIMEOUT);
    cr_assert(token > 0);
    cr_assert_eq(il_condition_wait(condition, IL_NOWAIT, &token), IL_ETIMEOUT);
    cr_assert_eq(il_condition_release(condition, token), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_condition_release(condition, 0), IL_ENOTHELD);
    il_condition_close(condition);
}

EACH_DOOR(abi_condition, interrupted_wait_returns_with_the_lock) {
    struct waiter waiter;
    il_condition *condition = open_condition(door);
    start(&waiter, condition, 20, 1);
    await_waiters(condition, 1);
    cr_assert_eq(il_interrupt(atomic_load(&waiter.self)), IL_OK);
    pthread_join(waiter.thread, NULL);
    cr_assert_eq(waiter.status, IL_EINTR);
    cr_assert_eq(waiter.released, IL_OK);
    il_condition_close(condition);
}

EACH_DOOR(abi_condition, is_bound_to_a_lock_it_was_given) {
    il_lock *lock = NULL, *other = NULL;
    il_condition *condition = NULL, *again = NULL;
    struct waiter waiter;
    int32_t locked = -1;
    cr_assert_eq(il_lock_open(door->domain, "guard", 5, NULL, &lock), IL_OK);
    cr_assert_eq(il_lock_open(door->domain, "other", 5, NULL, &other), IL_OK);
    il_condition_options options = {.struct_bytes = sizeof options, .lock = lock};
    cr_assert_eq(il_condition_open(door->domain, "c", 1, &options, &condition), IL_OK, "%s",
                 il_error_message());
    options.lock = other;
    cr_assert_eq(il_condition_open(door->domain, "c", 1, &options, &again), IL_ECONFLICT);
    cr_assert_eq(il_condition_open(door->domain, "c", 1, NULL, &again), IL_OK, "%s",
                 il_error_message());
    start(&waiter, again, 20, 1);
    await_waiters(condition, 1);
    cr_assert_eq(il_lock_acquire(lock, seconds(5), NULL), IL_OK);
    cr_assert_eq(il_condition_notify(condition, 1), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_lock_locked(lock, &locked), IL_OK);
    cr_assert_eq(locked, 1, "the waiter gets it when it is released");
    cr_assert_eq(il_lock_release(lock, 0), IL_OK);
    pthread_join(waiter.thread, NULL);
    cr_assert_eq(waiter.status, IL_OK);
    cr_assert_eq(il_condition_close(again), IL_OK);
    cr_assert_eq(il_condition_close(condition), IL_OK);
    il_lock_close(lock);
    il_lock_close(other);
}

EACH_DOOR(abi_condition, deleted_one_ends_its_waits) {
    struct waiter waiter;
    il_condition *condition = open_condition(door);
    start(&waiter, condition, 20, 1);
    await_waiters(condition, 1);
    cr_assert_eq(il_condition_delete(door->domain, "it", 2), IL_OK, "%s", il_error_message());
    pthread_join(waiter.thread, NULL);
    cr_assert_eq(waiter.status, IL_EDELETED, "%d", waiter.status);
    il_condition_close(condition);
}

EACH_DOOR(abi_condition, refuses_what_makes_no_sense) {
    il_condition *condition = open_condition(door), *out = NULL;
    il_condition_options options = {.struct_bytes = sizeof options};
    cr_assert_eq(il_condition_open(door->domain, "x", 1, &options, &out), IL_EINVAL);
    SAYS("options");
    options.struct_bytes = 3;
    cr_assert_eq(il_condition_open(door->domain, "x", 1, &options, &out), IL_EINVAL);
    SAYS("struct_bytes");
    cr_assert_eq(il_condition_notify(condition, 0), IL_EINVAL);
    SAYS("count");
    cr_assert_eq(il_condition_wait(condition, -5, NULL), IL_EINVAL);
    SAYS("timeout_ns");
    cr_assert_eq(il_condition_wait(NULL, 0, NULL), IL_EINVAL);
    SAYS("condition");
    cr_assert_null(out);
    il_condition_close(condition);
}
