#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

#include "support/doors.h"

static il_semaphore *open_semaphore(struct door *door, uint32_t flags, uint32_t value) {
    il_semaphore_options options = {sizeof options, flags, value, 0};
    il_semaphore *semaphore = NULL;
    cr_assert_eq(il_semaphore_open(door->domain, "it", 2, &options, &semaphore), IL_OK, "%s",
                 il_error_message());
    return semaphore;
}

static void expect_value(il_semaphore *semaphore, uint32_t expected) {
    uint32_t value = 77;
    cr_assert_eq(il_semaphore_value(semaphore, &value), IL_OK, "%s", il_error_message());
    cr_assert_eq(value, expected);
}

struct waiter {
    pthread_t thread;
    il_semaphore *semaphore;
    uint32_t count;
    int64_t timeout_ns;
    uint64_t token;
    il_status status;
    _Atomic uint64_t number;
};

static void *wait_for_it(void *argument) {
    struct waiter *w = argument;
    atomic_store(&w->number, il_thread_self());
    w->status = il_semaphore_acquire(w->semaphore, w->count, w->timeout_ns, &w->token);
    return NULL;
}

static void start(struct waiter *w, il_semaphore *semaphore, uint32_t count) {
    *w = (struct waiter){.semaphore = semaphore, .count = count, .timeout_ns = seconds(20)};
    cr_assert_eq(pthread_create(&w->thread, NULL, wait_for_it, w), 0);
}

static bool has_number(void *context) { return atomic_load(&((struct waiter *)context)->number); }

EACH_DOOR(abi_semaphore, counts_its_permits) {
    il_semaphore *semaphore = open_semaphore(door, 0, 3);
    uint64_t first = 0, second = 0, third = 7;
    expect_value(semaphore, 3);
    cr_assert_eq(il_semaphore_acquire(semaphore, 2, IL_NOWAIT, &first), IL_OK);
    cr_assert_eq(il_semaphore_acquire(semaphore, 1, IL_FOREVER, &second), IL_OK);
    cr_assert(first > 0 && second > first);
    cr_assert_eq(il_semaphore_acquire(semaphore, 1, IL_NOWAIT, &third), IL_ETIMEOUT);
    cr_assert_eq(il_semaphore_acquire(semaphore, 1, seconds(0.02), &third), IL_ETIMEOUT);
    cr_assert_eq(third, 7, "an out parameter was touched by a failure");
    expect_value(semaphore, 0);
    cr_assert_eq(il_semaphore_check(semaphore, first), IL_OK);
    cr_assert_eq(il_semaphore_release(semaphore, 1, first), IL_OK);
    cr_assert_eq(il_semaphore_release(semaphore, 2, first), IL_EOVERFLOW);
    SAYS("count");
    cr_assert_eq(il_semaphore_release(semaphore, 1, first), IL_OK);
    cr_assert_eq(il_semaphore_release(semaphore, 1, first), IL_ESTALE);
    cr_assert_eq(il_semaphore_release(semaphore, 1, 0), IL_OK);
    cr_assert_eq(il_semaphore_release(semaphore, 1, second), IL_ENOTHELD);
    cr_assert_eq(il_semaphore_check(semaphore, second), IL_ENOTHELD);
    expect_value(semaphore, 3);
    /* who holds none adds some, as in Python */
    cr_assert_eq(il_semaphore_release(semaphore, 4, 0), IL_OK);
    expect_value(semaphore, 7);
    cr_assert_eq(il_semaphore_close(semaphore), IL_OK);
}

EACH_DOOR(abi_semaphore, is_fast_and_slow_alike) {
    il_semaphore *semaphore = open_semaphore(door, 0, 2);
    uint64_t token = 0, last = 0;
    for (int i = 0; i < 200; i++) {
        cr_assert_eq(il_semaphore_acquire(semaphore, 1 + i % 2, IL_NOWAIT, &token), IL_OK);
        cr_assert(token > last);
        expect_value(semaphore, 1 - i % 2);
        last = token;
        cr_assert_eq(il_semaphore_release(semaphore, 1 + i % 2, i % 3 ? token : 0), IL_OK);
        expect_value(semaphore, 2);
    }
    il_semaphore_close(semaphore);
}

EACH_DOOR(abi_semaphore, bounded_one_has_a_bound) {
    il_semaphore *semaphore = open_semaphore(door, IL_SEMAPHORE_BOUNDED, 2);
    cr_assert_eq(il_semaphore_release(semaphore, 1, 0), IL_EOVERFLOW);
    SAYS("count");
    cr_assert_eq(il_semaphore_acquire(semaphore, 3, IL_NOWAIT, NULL), IL_EINVAL);
    SAYS("count");
    cr_assert_eq(il_semaphore_acquire(semaphore, 2, IL_NOWAIT, NULL), IL_OK);
    cr_assert_eq(il_semaphore_release(semaphore, 3, 0), IL_EOVERFLOW);
    expect_value(semaphore, 0);
    cr_assert_eq(il_semaphore_release(semaphore, 2, 0), IL_OK);
    il_semaphore_close(semaphore);
}

EACH_DOOR(abi_semaphore, signal_is_consumed) {
    il_semaphore *semaphore = open_semaphore(door, IL_SEMAPHORE_SIGNAL, 0);
    uint64_t token = 0;
    struct waiter w;
    start(&w, semaphore, 3);
    for (int i = 0; i < 4; i++) cr_assert_eq(il_semaphore_release(semaphore, 1, 0), IL_OK);
    pthread_join(w.thread, NULL);
    cr_assert_eq(w.status, IL_OK);
    cr_assert_eq(il_semaphore_acquire(semaphore, 1, IL_NOWAIT, &token), IL_OK);
    cr_assert(token > w.token);
    expect_value(semaphore, 0);
    cr_assert_eq(il_semaphore_release(semaphore, 1, token), IL_ENOTHELD);
    cr_assert_eq(il_semaphore_acquire_leased(semaphore, 1, 0, seconds(1), &token), IL_EINVAL);
    SAYS("lease");
    cr_assert_eq(il_semaphore_renew(semaphore, token, seconds(1)),
                 door->local ? IL_EINVAL : IL_ENOTHELD);
    il_semaphore_close(semaphore);
}

/* Who has consumed a signal can give one: the two have nothing to do with each other. */
EACH_DOOR(abi_semaphore, signal_is_given_by_who_consumed_one) {
    il_semaphore *semaphore = open_semaphore(door, IL_SEMAPHORE_SIGNAL, 1);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(il_semaphore_acquire(semaphore, 1, IL_NOWAIT, NULL), IL_OK);
        cr_assert_eq(il_semaphore_release(semaphore, 2, 0), IL_OK);
        cr_assert_eq(il_semaphore_acquire(semaphore, 1, IL_NOWAIT, NULL), IL_OK);
        cr_assert_eq(il_semaphore_release(semaphore, 1, 0), IL_OK);
    }
    expect_value(semaphore, 4);
    il_semaphore_close(semaphore);
}

EACH_DOOR(abi_semaphore, goes_to_those_who_wait) {
    il_semaphore *semaphore = open_semaphore(door, 0, 2);
    struct waiter waiters[4];
    uint64_t token = 0;
    cr_assert_eq(il_semaphore_acquire(semaphore, 2, 0, &token), IL_OK);
    for (int i = 0; i < 4; i++) start(&waiters[i], semaphore, 2);
    cr_assert_eq(il_semaphore_release(semaphore, 2, token), IL_OK);
    for (int n = 0; n < 4; n++) { /* any thread of the session may release */
        uint32_t value = 0;
        int64_t end = test_now_ns() + seconds(DOOR_SECONDS);
        while (il_semaphore_release(semaphore, 2, 0) == IL_OK &&
               il_semaphore_value(semaphore, &value) == IL_OK && value == 0 &&
               test_now_ns() < end) {
            test_pause();
        }
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(waiters[i].thread, NULL);
        cr_assert_eq(waiters[i].status, IL_OK);
    }
    il_semaphore_close(semaphore);
}

EACH_DOOR(abi_semaphore, stays_the_session_s_when_its_thread_ends) {
    il_semaphore *semaphore = open_semaphore(door, IL_SEMAPHORE_BOUNDED, 2);
    struct waiter w;
    start(&w, semaphore, 2);
    pthread_join(w.thread, NULL);
    cr_assert_eq(w.status, IL_OK);
    expect_value(semaphore, 0);
    cr_assert_eq(il_semaphore_check(semaphore, w.token), IL_OK);
    cr_assert_eq(il_semaphore_release(semaphore, 2, w.token), IL_OK);
    expect_value(semaphore, 2);
    il_semaphore_close(semaphore);
}

EACH_DOOR(abi_semaphore, wait_can_be_interrupted) {
    il_semaphore *semaphore = open_semaphore(door, 0, 0);
    struct waiter w;
    start(&w, semaphore, 1);
    cr_assert(test_wait(has_number, &w, DOOR_SECONDS));
    cr_assert_eq(il_interrupt(atomic_load(&w.number)), IL_OK);
    pthread_join(w.thread, NULL);
    cr_assert_eq(w.status, IL_EINTR);
    il_semaphore_close(semaphore);
}

EACH_DOOR(abi_semaphore, lease_ends_a_grant) {
    il_semaphore *semaphore = open_semaphore(door, IL_SEMAPHORE_BOUNDED, 2);
    uint64_t token = 0, next = 0;
    cr_assert_eq(il_semaphore_acquire_leased(semaphore, 2, 0, seconds(0.05), &token), IL_OK);
    cr_assert_eq(il_semaphore_acquire(semaphore, 1, seconds(DOOR_SECONDS), &next), IL_OK);
    cr_assert_eq(il_semaphore_release(semaphore, 2, token), IL_ELEASE);
    cr_assert_eq(il_semaphore_renew(semaphore, token, seconds(1)), IL_ELEASE);
    cr_assert_eq(il_semaphore_renew(semaphore, next, seconds(3600)), IL_OK);
    cr_assert_eq(il_semaphore_renew(semaphore, next, 0), IL_OK);
    cr_assert_eq(il_semaphore_release(semaphore, 1, next), IL_OK);
    expect_value(semaphore, 2);
    il_semaphore_close(semaphore);
}

EACH_DOOR(abi_semaphore, operator_breaks_a_grant) {
    il_semaphore *semaphore = open_semaphore(door, 0, 2);
    uint64_t first = 0, second = 0;
    cr_assert_eq(il_semaphore_break(semaphore, 0, NULL), IL_ENOTHELD);
    il_semaphore_acquire(semaphore, 1, 0, &first);
    il_semaphore_acquire(semaphore, 1, 0, &second);
    cr_assert_eq(il_semaphore_break(semaphore, first, "too long"), IL_OK);
    cr_assert_eq(il_semaphore_release(semaphore, 1, first), IL_EREVOKED);
    SAYS("too long");
    cr_assert_eq(il_semaphore_check(semaphore, second), IL_OK);
    expect_value(semaphore, 1);
    cr_assert_eq(il_semaphore_release(semaphore, 1, second), IL_OK);
    il_semaphore_close(semaphore);
}

EACH_DOOR(abi_semaphore, tells_everyone_of_its_end) {
    if (!door->local) cr_skip("over HTTP a handle is a name: see tests/http");
    il_semaphore *semaphore = open_semaphore(door, 0, 1), *again;
    struct waiter w;
    uint64_t token = 0, later = 0;
    uint32_t value;
    il_semaphore_acquire(semaphore, 1, 0, &token);
    start(&w, semaphore, 1);
    cr_assert_eq(il_semaphore_delete(door->domain, "it", 2), IL_OK);
    pthread_join(w.thread, NULL);
    cr_assert_eq(w.status, IL_EDELETED);
    cr_assert_eq(il_semaphore_release(semaphore, 1, token), IL_EDELETED);
    cr_assert_eq(il_semaphore_value(semaphore, &value), IL_EDELETED);
    cr_assert_eq(il_semaphore_delete(door->domain, "it", 2), IL_ENOTFOUND);
    again = open_semaphore(door, 0, 1);
    cr_assert_eq(il_semaphore_acquire(again, 1, 0, &later), IL_OK);
    cr_assert(later > token, "tokens of a name never go back");
    il_semaphore_close(again);
    il_semaphore_close(semaphore);
}

EACH_DOOR(abi_semaphore, returns_when_the_session_ends) {
    if (!door->server) cr_skip("a private domain has one session here");
    il_semaphore *semaphore = open_semaphore(door, IL_SEMAPHORE_BOUNDED, 3), *its = NULL;
    il_domain *other = NULL;
    cr_assert_eq(il_domain_open(door->address, NULL, &other), IL_OK);
    cr_assert_eq(il_semaphore_open(other, "it", 2, NULL, &its), IL_OK);
    cr_assert_eq(il_semaphore_acquire(its, 2, 0, NULL), IL_OK);
    cr_assert_eq(il_semaphore_acquire(semaphore, 1, 0, NULL), IL_OK);
    cr_assert_eq(il_semaphore_acquire(semaphore, 1, 0, NULL), IL_ETIMEOUT);
    il_semaphore_close(its);
    cr_assert_eq(il_domain_close(other), IL_OK);
    cr_assert_eq(il_semaphore_acquire(semaphore, 2, seconds(DOOR_SECONDS), NULL), IL_OK);
    il_semaphore_close(semaphore);
}

EACH_DOOR(abi_semaphore, names_the_bad_argument) {
    il_semaphore *semaphore = open_semaphore(door, 0, 1), *out = NULL;
    il_semaphore_options options = {sizeof options, 0, 2, 0};
    uint32_t value;
    cr_assert_eq(il_semaphore_open(NULL, "it", 2, NULL, &out), IL_EINVAL);
    SAYS("domain");
    cr_assert_eq(il_semaphore_open(door->domain, "it", 2, NULL, NULL), IL_EINVAL);
    SAYS("out");
    cr_assert_eq(il_semaphore_open(door->domain, "", 0, NULL, &out), IL_EINVAL);
    SAYS("name");
    cr_assert_eq(il_semaphore_open(door->domain, "it", 2, &options, &out), IL_ECONFLICT);
    options.value = IL_SEMAPHORE_MAX + 1;
    cr_assert_eq(il_semaphore_open(door->domain, "it", 2, &options, &out), IL_EINVAL);
    SAYS("value");
    options = (il_semaphore_options){sizeof options, 0x40, 1, 0};
    cr_assert_eq(il_semaphore_open(door->domain, "it", 2, &options, &out), IL_EINVAL);
    SAYS("flags");
    options = (il_semaphore_options){3, 0, 1, 0};
    cr_assert_eq(il_semaphore_open(door->domain, "it", 2, &options, &out), IL_EINVAL);
    SAYS("struct_bytes");
    options = (il_semaphore_options){8, 0, 9, 9}; /* an older program's */
    cr_assert_eq(il_semaphore_open(door->domain, "it", 2, &options, &out), IL_OK);
    il_semaphore_close(out);
    out = NULL;
    cr_assert_eq(il_semaphore_acquire(NULL, 1, 0, NULL), IL_EINVAL);
    SAYS("semaphore");
    cr_assert_eq(il_semaphore_acquire(semaphore, 0, 0, NULL), IL_EINVAL);
    SAYS("count");
    cr_assert_eq(il_semaphore_acquire(semaphore, IL_SEMAPHORE_MAX + 1, 0, NULL), IL_EINVAL);
    SAYS("count");
    cr_assert_eq(il_semaphore_acquire(semaphore, 1, -2, NULL), IL_EINVAL);
    SAYS("timeout_ns");
    cr_assert_eq(il_semaphore_acquire_leased(semaphore, 1, 0, 5, NULL), IL_EINVAL);
    SAYS("lease_ns");
    cr_assert_eq(il_semaphore_release(NULL, 1, 0), IL_EINVAL);
    cr_assert_eq(il_semaphore_release(semaphore, 0, 0), IL_EINVAL);
    SAYS("count");
    cr_assert_eq(il_semaphore_release(semaphore, IL_SEMAPHORE_MAX, 0), IL_EOVERFLOW);
    cr_assert_eq(il_semaphore_renew(NULL, 1, 0), IL_EINVAL);
    cr_assert_eq(il_semaphore_check(NULL, 1), IL_EINVAL);
    cr_assert_eq(il_semaphore_break(NULL, 1, NULL), IL_EINVAL);
    cr_assert_eq(il_semaphore_value(NULL, &value), IL_EINVAL);
    cr_assert_eq(il_semaphore_value(semaphore, NULL), IL_EINVAL);
    SAYS("value");
    cr_assert_eq(il_semaphore_close(NULL), IL_OK);
    cr_assert_eq(il_semaphore_open(door->domain, NULL, 0, NULL, &out),
                 door->local ? IL_OK : IL_EUNSUPPORTED);
    if (door->local) cr_assert_eq(il_semaphore_acquire(out, 1, 0, NULL), IL_OK);
    cr_assert_eq(il_semaphore_close(out), IL_OK);
    il_semaphore_close(semaphore);
}
