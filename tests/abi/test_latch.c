#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

#include "support/doors.h"

static il_latch *open_latch(struct door *door, const char *name, uint32_t count) {
    il_latch *latch = NULL;
    cr_assert_eq(il_latch_open(door->domain, name, strlen(name), &count, &latch), IL_OK, "%s",
                 il_error_message());
    return latch;
}

static uint32_t count_of(il_latch *latch) {
    uint32_t count = UINT32_MAX;
    cr_assert_eq(il_latch_count(latch, &count), IL_OK, "%s", il_error_message());
    return count;
}

/* A thread that waits once. */
struct waiter {
    pthread_t thread;
    il_latch *latch;
    int64_t timeout_ns;
    il_status status;
    _Atomic uint64_t id;
};

static void *wait_for_latch(void *argument) {
    struct waiter *w = argument;
    atomic_store(&w->id, il_thread_self());
    w->status = il_latch_wait(w->latch, w->timeout_ns);
    return NULL;
}

static void start(struct waiter *w, il_latch *latch, double s) {
    *w = (struct waiter){.latch = latch, .timeout_ns = s < 0 ? IL_FOREVER : seconds(s)};
    cr_assert_eq(pthread_create(&w->thread, NULL, wait_for_latch, w), 0);
    while (atomic_load(&w->id) == 0) test_pause();
}

EACH_DOOR(abi_latch, lets_everyone_go_on_at_zero) {
    il_latch *latch = open_latch(door, "it", 5);
    struct waiter waiters[3];
    uint32_t left = 99;
    cr_assert_eq(il_latch_wait(latch, IL_NOWAIT), IL_ETIMEOUT);
    for (int i = 0; i < 3; i++) start(&waiters[i], latch, i ? DOOR_SECONDS : -1);
    cr_assert_eq(il_latch_count_down(latch, 3, &left), IL_OK);
    cr_assert_eq(left, 2);
    cr_assert_eq(il_latch_count_down(latch, 1, NULL), IL_OK);
    cr_assert_eq(count_of(latch), 1);
    cr_assert_eq(il_latch_count_down(latch, 1000, &left), IL_OK);
    cr_assert_eq(left, 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(waiters[i].thread, NULL);
        cr_assert_eq(waiters[i].status, IL_OK, "%s", il_status_name(waiters[i].status));
    }
    cr_assert_eq(il_latch_count_down(latch, 1, &left), IL_OK);
    cr_assert_eq(left, 0);
    cr_assert_eq(il_latch_wait(latch, IL_NOWAIT), IL_OK);
    cr_assert_eq(il_latch_wait(latch, IL_FOREVER), IL_OK);
    cr_assert_eq(il_latch_close(latch), IL_OK);
}

EACH_DOOR(abi_latch, ends_a_wait_in_time) {
    il_latch *latch = open_latch(door, "it", 1);
    int64_t begin = test_now_ns();
    cr_assert_eq(il_latch_wait(latch, seconds(0.05)), IL_ETIMEOUT);
    int64_t took = test_now_ns() - begin;
    cr_assert(took >= seconds(0.05) && took < seconds(5), "%lld ns", (long long)took);
    cr_assert_eq(count_of(latch), 1);
    il_latch_close(latch);
}

EACH_DOOR(abi_latch, wait_can_be_interrupted) {
    il_latch *latch = open_latch(door, "it", 1);
    struct waiter waiter;
    start(&waiter, latch, -1);
    cr_assert_eq(il_interrupt(atomic_load(&waiter.id)), IL_OK);
    pthread_join(waiter.thread, NULL);
    cr_assert_eq(waiter.status, IL_EINTR);
    il_latch_close(latch);
}

EACH_DOOR(abi_latch, is_the_same_by_all_handles_of_its_name) {
    static const char name[] = "\xc3\xa4 / %2F:?#";
    il_latch *one = open_latch(door, name, 4), *two = NULL, *other = NULL;
    uint32_t four = 4, five = 5;
    cr_assert_eq(il_latch_count_down(one, 1, NULL), IL_OK);
    cr_assert_eq(il_latch_open(door->domain, name, sizeof name - 1, &five, &two), IL_ECONFLICT);
    cr_assert_null(two);
    cr_assert_eq(il_latch_open(door->domain, name, sizeof name - 1, &four, &two), IL_OK, "%s",
                 il_error_message());
    cr_assert_eq(count_of(two), 3);
    il_latch_close(two);
    cr_assert_eq(il_latch_open(door->domain, name, sizeof name - 1, NULL, &two), IL_OK);
    cr_assert_eq(count_of(two), 3);
    cr_assert_eq(il_latch_open(door->domain, "other", 5, NULL, &other), IL_OK);
    cr_assert_eq(count_of(other), 1);
    il_latch_close(one);
    il_latch_close(two);
    il_latch_close(other);
}

EACH_DOOR(abi_latch, may_begin_at_zero_and_at_the_most) {
    il_latch *latch = open_latch(door, "zero", 0), *most = open_latch(door, "most", IL_LATCH_MAX);
    uint32_t left;
    cr_assert_eq(il_latch_wait(latch, IL_NOWAIT), IL_OK);
    cr_assert_eq(il_latch_count_down(most, 1, &left), IL_OK);
    cr_assert_eq(left, IL_LATCH_MAX - 1);
    cr_assert_eq(il_latch_count_down(most, IL_LATCH_MAX, &left), IL_OK);
    cr_assert_eq(left, 0);
    il_latch_close(latch);
    il_latch_close(most);
}

EACH_DOOR(abi_latch, tells_everyone_of_its_end) {
    il_latch *latch = open_latch(door, "it", 2), *again;
    struct waiter waiters[2];
    uint32_t count;
    cr_assert_eq(il_latch_delete(door->domain, "no such", 7), IL_ENOTFOUND);
    for (int i = 0; i < 2; i++) start(&waiters[i], latch, DOOR_SECONDS);
    cr_assert_eq(il_latch_delete(door->domain, "it", 2), IL_OK);
    for (int i = 0; i < 2; i++) {
        pthread_join(waiters[i].thread, NULL);
        /* over HTTP a wait that comes after the end makes a new one, which nobody counts down */
        cr_assert(waiters[i].status == IL_EDELETED ||
                      (!door->local && waiters[i].status == IL_ETIMEOUT),
                  "%s", il_status_name(waiters[i].status));
    }
    if (door->local) {
        cr_assert_eq(il_latch_count_down(latch, 1, &count), IL_EDELETED);
        cr_assert_eq(il_latch_count(latch, &count), IL_EDELETED);
        cr_assert_eq(il_latch_wait(latch, IL_FOREVER), IL_EDELETED);
        cr_assert_eq(il_latch_delete(door->domain, "it", 2), IL_ENOTFOUND);
        again = open_latch(door, "it", 7);
        cr_assert_eq(count_of(again), 7);
        il_latch_close(again);
    }
    il_latch_close(latch);
}

EACH_DOOR(abi_latch, lives_without_a_name_until_it_is_closed) {
    il_latch *latch = NULL;
    il_status status = il_latch_open(door->domain, NULL, 0, NULL, &latch);
    if (!door->local) {
        cr_assert_eq(status, IL_EUNSUPPORTED);
        return;
    }
    cr_assert_eq(status, IL_OK);
    cr_assert_eq(il_latch_count_down(latch, 1, NULL), IL_OK);
    cr_assert_eq(il_latch_wait(latch, 0), IL_OK);
    cr_assert_eq(il_latch_close(latch), IL_OK);
}

EACH_DOOR(abi_latch, names_the_bad_argument) {
    il_latch *latch = open_latch(door, "it", 1), *out = NULL;
    uint32_t count = IL_LATCH_MAX + 1;
    cr_assert_eq(il_latch_open(NULL, "it", 2, NULL, &out), IL_EINVAL);
    SAYS("domain");
    cr_assert_eq(il_latch_open(door->domain, "it", 2, NULL, NULL), IL_EINVAL);
    SAYS("out");
    cr_assert_eq(il_latch_open(door->domain, "", 0, NULL, &out), IL_EINVAL);
    SAYS("name");
    cr_assert_eq(il_latch_open(door->domain, "x", 1, &count, &out), IL_EINVAL);
    SAYS("count");
    cr_assert_eq(il_latch_delete(NULL, "it", 2), IL_EINVAL);
    SAYS("domain");
    cr_assert_eq(il_latch_delete(door->domain, NULL, 0), IL_EINVAL);
    SAYS("name");
    cr_assert_eq(il_latch_count_down(NULL, 1, NULL), IL_EINVAL);
    SAYS("latch");
    cr_assert_eq(il_latch_count_down(latch, 0, NULL), IL_EINVAL);
    SAYS("count");
    cr_assert_eq(il_latch_count(NULL, &count), IL_EINVAL);
    SAYS("latch");
    cr_assert_eq(il_latch_count(latch, NULL), IL_EINVAL);
    SAYS("count");
    cr_assert_eq(il_latch_wait(NULL, 0), IL_EINVAL);
    SAYS("latch");
    cr_assert_eq(il_latch_wait(latch, -2), IL_EINVAL);
    SAYS("timeout_ns");
    cr_assert_null(out);
    cr_assert_eq(il_latch_close(NULL), IL_OK);
    il_latch_close(latch);
}
