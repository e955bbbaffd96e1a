#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

#include "support/doors.h"

enum call { ACQUIRE, GET, PUT };

struct blocked {
    pthread_t thread;
    enum call call;
    il_lock *lock;
    il_queue *queue;
    _Atomic uint64_t id;
    _Atomic int done;
    il_status status;
};

static void *block(void *argument) {
    struct blocked *b = argument;
    char room[8];
    size_t bytes;
    atomic_store(&b->id, il_thread_self());
    switch (b->call) {
    case ACQUIRE: b->status = il_lock_acquire(b->lock, IL_FOREVER, NULL); break;
    case GET:
        b->status = il_queue_get(b->queue, room, sizeof room, &bytes, NULL, IL_FOREVER);
        break;
    case PUT: b->status = il_queue_put(b->queue, "x", 1, IL_BYTES, IL_FOREVER); break;
    }
    atomic_store(&b->done, 1);
    return NULL;
}

static bool has_id(void *b) { return atomic_load(&((struct blocked *)b)->id) != 0; }
static bool is_done(void *b) { return atomic_load(&((struct blocked *)b)->done) != 0; }

static void start(struct door *door, struct blocked *b, enum call call) {
    *b = (struct blocked){.call = call};
    il_queue_options options = {sizeof options, 0, 1};
    cr_assert_eq(il_lock_open(door->domain, "lock", 4, NULL, &b->lock), IL_OK);
    cr_assert_eq(il_queue_open(door->domain, call == PUT ? "full" : "empty", call == PUT ? 4 : 5,
                               &options, &b->queue),
                 IL_OK);
    (void)il_lock_acquire(b->lock, 0, NULL);
    if (call == PUT) (void)il_queue_put(b->queue, "x", 1, IL_BYTES, 0);
    pthread_create(&b->thread, NULL, block, b);
    cr_assert(test_wait(has_id, b, DOOR_SECONDS));
}

static void finish(struct blocked *b) {
    cr_assert(test_wait(is_done, b, 5), "the call hangs");
    pthread_join(b->thread, NULL);
    cr_assert_eq(b->status, IL_EINTR, "%s", il_status_name(b->status));
    il_lock_close(b->lock);
    il_queue_close(b->queue);
}

EACH_DOOR(abi_interrupt, ends_any_wait_of_another_thread) {
    for (enum call call = ACQUIRE; call <= PUT; call++) {
        struct blocked b;
        start(door, &b, call);
        /* whether it waits already or is about to makes no difference */
        cr_assert_eq(il_interrupt(atomic_load(&b.id)), IL_OK);
        finish(&b);
        cr_assert_eq(il_interrupt(atomic_load(&b.id)), IL_ENOTFOUND, "it has ended");
    }
}

static volatile uint64_t self;
static void on_signal(int number) {
    (void)number;
    (void)il_interrupt(self);
}

static void *signal_main(void *thread) {
    pthread_kill(*(pthread_t *)thread, SIGUSR1);
    return NULL;
}

EACH_DOOR(abi_interrupt, works_from_a_signal_handler) {
    struct sigaction action = {.sa_handler = on_signal};
    il_queue *queue = NULL;
    pthread_t main_thread = pthread_self(), helper;
    char room[8];
    size_t bytes;
    self = il_thread_self();
    cr_assert(self != 0);
    sigaction(SIGUSR1, &action, NULL);
    cr_assert_eq(il_queue_open(door->domain, "empty", 5, NULL, &queue), IL_OK);
    for (int i = 0; i < 50; i++) {
        pthread_create(&helper, NULL, signal_main, &main_thread);
        cr_assert_eq(il_queue_get(queue, room, sizeof room, &bytes, NULL, seconds(20)), IL_EINTR);
        pthread_join(helper, NULL);
    }
    il_queue_close(queue);
}

EACH_DOOR(abi_interrupt, stays_pending_until_a_call_would_wait) {
    il_queue *queue = NULL;
    char room[8];
    size_t bytes = 0;
    cr_assert_eq(il_queue_open(door->domain, "it", 2, NULL, &queue), IL_OK);
    cr_assert_eq(il_interrupt(il_thread_self()), IL_OK);
    cr_assert_eq(il_queue_put(queue, "x", 1, IL_BYTES, seconds(1)), IL_OK);
    cr_assert_eq(il_queue_get(queue, room, sizeof room, &bytes, NULL, seconds(1)), IL_OK);
    cr_assert_eq(il_queue_get(queue, room, sizeof room, &bytes, NULL, seconds(20)), IL_EINTR);
    cr_assert_eq(il_queue_get(queue, room, sizeof room, &bytes, NULL, seconds(0.01)), IL_ETIMEOUT,
                 "once only");
    cr_assert_eq(il_interrupt(0), IL_ENOTFOUND);
    cr_assert_eq(il_interrupt(UINT64_C(0xffffffffffffffff)), IL_ENOTFOUND);
    il_queue_close(queue);
}
