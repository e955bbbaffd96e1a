#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

#include "support/doors.h"

static il_event *open_event(struct door *door, const char *name) {
    il_event *event = NULL;
    cr_assert_eq(il_event_open(door->domain, name, strlen(name), &event), IL_OK, "%s",
                 il_error_message());
    return event;
}

static int32_t is_set(il_event *event) {
    int32_t set = -1;
    cr_assert_eq(il_event_is_set(event, &set), IL_OK, "%s", il_error_message());
    return set;
}

/* A thread that waits once. */
struct waiter {
    pthread_t thread;
    il_event *event;
    int64_t timeout_ns;
    il_status status;
    _Atomic uint64_t id;
    _Atomic int done;
};

static void *wait_for_event(void *argument) {
    struct waiter *w = argument;
    atomic_store(&w->id, il_thread_self());
    w->status = il_event_wait(w->event, w->timeout_ns);
    atomic_store(&w->done, 1);
    return NULL;
}

static void start(struct waiter *w, il_event *event, double s) {
    *w = (struct waiter){.event = event, .timeout_ns = s < 0 ? IL_FOREVER : seconds(s)};
    cr_assert_eq(pthread_create(&w->thread, NULL, wait_for_event, w), 0);
    while (atomic_load(&w->id) == 0) test_pause();
}

EACH_DOOR(abi_event, lets_go_on_while_it_is_set) {
    il_event *event = open_event(door, "it");
    cr_assert_eq(is_set(event), 0);
    cr_assert_eq(il_event_wait(event, IL_NOWAIT), IL_ETIMEOUT);
    cr_assert_eq(il_event_clear(event), IL_OK);
    for (int i = 0; i < 2; i++) cr_assert_eq(il_event_set(event), IL_OK);
    cr_assert_eq(is_set(event), 1);
    cr_assert_eq(il_event_wait(event, IL_NOWAIT), IL_OK);
    cr_assert_eq(il_event_wait(event, IL_FOREVER), IL_OK);
    cr_assert_eq(il_event_wait(event, seconds(1)), IL_OK);
    cr_assert_eq(il_event_clear(event), IL_OK);
    cr_assert_eq(is_set(event), 0);
    cr_assert_eq(il_event_wait(event, IL_NOWAIT), IL_ETIMEOUT);
    cr_assert_eq(il_event_close(event), IL_OK);
}

EACH_DOOR(abi_event, wakes_all_who_wait) {
    il_event *event = open_event(door, "it");
    struct waiter waiters[3];
    for (int i = 0; i < 3; i++) start(&waiters[i], event, i ? DOOR_SECONDS : -1);
    cr_assert_eq(il_event_set(event), IL_OK);
    for (int i = 0; i < 3; i++) {
        pthread_join(waiters[i].thread, NULL);
        cr_assert_eq(waiters[i].status, IL_OK, "%s", il_status_name(waiters[i].status));
    }
    il_event_close(event);
}

EACH_DOOR(abi_event, ends_a_wait_in_time) {
    il_event *event = open_event(door, "it");
    int64_t begin = test_now_ns();
    cr_assert_eq(il_event_wait(event, seconds(0.05)), IL_ETIMEOUT);
    int64_t took = test_now_ns() - begin;
    cr_assert(took >= seconds(0.05) && took < seconds(5), "%lld ns", (long long)took);
    il_event_close(event);
}

EACH_DOOR(abi_event, wait_can_be_interrupted) {
    il_event *event = open_event(door, "it");
    struct waiter waiter;
    start(&waiter, event, -1);
    cr_assert_eq(il_interrupt(atomic_load(&waiter.id)), IL_OK);
    pthread_join(waiter.thread, NULL);
    cr_assert_eq(waiter.status, IL_EINTR);
    il_event_close(event);
}

EACH_DOOR(abi_event, is_the_same_by_all_handles_of_its_name) {
    il_event *one = open_event(door, "\xc3\xa4 / %2F:?#"),
             *two = open_event(door, "\xc3\xa4 / %2F:?#");
    il_event *other = open_event(door, "other");
    cr_assert_eq(il_event_set(one), IL_OK);
    cr_assert_eq(is_set(two), 1);
    cr_assert_eq(is_set(other), 0);
    il_event_close(one);
    cr_assert_eq(is_set(two), 1);
    il_event_close(two);
    il_event_close(other);
}

EACH_DOOR(abi_event, tells_everyone_of_its_end) {
    il_event *event = open_event(door, "it"), *again;
    struct waiter waiters[2];
    int32_t set;
    cr_assert_eq(il_event_delete(door->domain, "no such", 7), IL_ENOTFOUND);
    for (int i = 0; i < 2; i++) start(&waiters[i], event, DOOR_SECONDS);
    cr_assert_eq(il_event_delete(door->domain, "it", 2), IL_OK);
    for (int i = 0; i < 2; i++) {
        pthread_join(waiters[i].thread, NULL);
        /* over HTTP a wait that comes after the end makes a new one, which is never set */
        cr_assert(waiters[i].status == IL_EDELETED ||
                      (!door->local && waiters[i].status == IL_ETIMEOUT),
                  "%s", il_status_name(waiters[i].status));
    }
    if (door->local) {
        cr_assert_eq(il_event_set(event), IL_EDELETED);
        cr_assert_eq(il_event_clear(event), IL_EDELETED);
        cr_assert_eq(il_event_is_set(event, &set), IL_EDELETED);
        cr_assert_eq(il_event_wait(event, IL_FOREVER), IL_EDELETED);
        cr_assert_eq(il_event_delete(door->domain, "it", 2), IL_ENOTFOUND);
    }
    again = open_event(door, "it");
    cr_assert_eq(is_set(again), 0);
    il_event_close(again);
    il_event_close(event);
}

EACH_DOOR(abi_event, lives_without_a_name_until_it_is_closed) {
    il_event *event = NULL;
    il_status status = il_event_open(door->domain, NULL, 0, &event);
    if (!door->local) {
        cr_assert_eq(status, IL_EUNSUPPORTED);
        return;
    }
    cr_assert_eq(status, IL_OK);
    cr_assert_eq(il_event_set(event), IL_OK);
    cr_assert_eq(il_event_wait(event, 0), IL_OK);
    cr_assert_eq(il_event_close(event), IL_OK);
}

EACH_DOOR(abi_event, names_the_bad_argument) {
    il_event *event = open_event(door, "it"), *out = NULL;
    int32_t set;
    cr_assert_eq(il_event_open(NULL, "it", 2, &out), IL_EINVAL);
    SAYS("domain");
    cr_assert_eq(il_event_open(door->domain, "it", 2, NULL), IL_EINVAL);
    SAYS("out");
    cr_assert_eq(il_event_open(door->domain, "", 0, &out), IL_EINVAL);
    SAYS("name");
    cr_assert_eq(il_event_open(door->domain, "\xff", 1, &out), IL_EINVAL);
    SAYS("name");
    cr_assert_eq(il_event_delete(NULL, "it", 2), IL_EINVAL);
    SAYS("domain");
    cr_assert_eq(il_event_delete(door->domain, NULL, 0), IL_EINVAL);
    SAYS("name");
    cr_assert_eq(il_event_set(NULL), IL_EINVAL);
    SAYS("event");
    cr_assert_eq(il_event_clear(NULL), IL_EINVAL);
    SAYS("event");
    cr_assert_eq(il_event_is_set(NULL, &set), IL_EINVAL);
    SAYS("event");
    cr_assert_eq(il_event_is_set(event, NULL), IL_EINVAL);
    SAYS("set");
    cr_assert_eq(il_event_wait(NULL, 0), IL_EINVAL);
    SAYS("event");
    cr_assert_eq(il_event_wait(event, -2), IL_EINVAL);
    SAYS("timeout_ns");
    cr_assert_null(out);
    cr_assert_eq(il_event_close(NULL), IL_OK);
    il_event_close(event);
}
