#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

#include "support/doors.h"

static il_rwlock *open_rwlock(struct door *door) {
    il_rwlock *lock = NULL;
    cr_assert_eq(il_rwlock_open(door->domain, "it", 2, NULL, &lock), IL_OK, "%s",
                 il_error_message());
    return lock;
}

static void expect_info(il_rwlock *lock, uint32_t shared, uint32_t exclusive) {
    il_rwlock_info info = {.struct_bytes = sizeof info};
    cr_assert_eq(il_rwlock_info_get(lock, &info), IL_OK, "%s", il_error_message());
    cr_assert_eq(info.shared, shared, "%u share it", info.shared);
    cr_assert_eq(info.exclusive, exclusive);
}

/* A thread that has the lock until it is told to give it back, or to end with it. */
struct holder {
    pthread_t thread;
    il_rwlock *lock;
    uint32_t mode;
    int64_t timeout_ns;
    bool keeps;
    uint64_t token;
    il_status status, released;
    _Atomic int done, leave;
};

static bool may_leave(void *context) { return atomic_load(&((struct holder *)context)->leave); }
static bool is_done(void *context) { return atomic_load(&((struct holder *)context)->done); }

static void *hold(void *argument) {
    struct holder *h = argument;
    h->status = il_rwlock_acquire(h->lock, h->mode, h->timeout_ns, &h->token);
    atomic_store(&h->done, 1);
    test_wait(may_leave, h, 30);
    if ((h->status == IL_OK || h->status == IL_EOWNERDEAD) && !h->keeps) {
        h->released = il_rwlock_release(h->lock, h->token);
    }
    return NULL;
}

static void start(struct holder *h, il_rwlock *lock, uint32_t mode) {
    *h = (struct holder){.lock = lock, .mode = mode, .timeout_ns = seconds(20)};
    cr_assert_eq(pthread_create(&h->thread, NULL, hold, h), 0);
}

static void await_grant(struct holder *h, il_status status) {
    cr_assert(test_wait(is_done, h, DOOR_SECONDS));
    cr_assert_eq(h->status, status, "%s", il_status_name(h->status));
}

static void finish(struct holder *h) {
    atomic_store(&h->leave, 1);
    pthread_join(h->thread, NULL);
    cr_assert_eq(h->released, IL_OK);
}

struct wanted {
    il_rwlock *lock;
    uint32_t count;
};

static bool are_waiting(void *context) {
    struct wanted *w = context;
    il_rwlock_info info = {.struct_bytes = sizeof info};
    return il_rwlock_info_get(w->lock, &info) == IL_OK && info.waiters >= w->count;
}

static void await_waiters(il_rwlock *lock, uint32_t count) {
    struct wanted wanted = {lock, count};
    cr_assert(test_wait(are_waiting, &wanted, DOOR_SECONDS), "%u waiters do not come", count);
}

EACH_DOOR(abi_rwlock, is_shared_by_many_or_exclusive_to_one) {
    il_rwlock *lock = open_rwlock(door);
    struct holder others[3];
    uint64_t token = 0, untouched = 7;
    expect_info(lock, 0, 0);
    cr_assert_eq(il_rwlock_acquire(lock, IL_SHARED, IL_NOWAIT, &token), IL_OK);
    for (int i = 0; i < 3; i++) {
        start(&others[i], lock, IL_SHARED);
        await_grant(&others[i], IL_OK);
        cr_assert(others[i].token > token);
    }
    expect_info(lock, 4, 0);
    cr_assert_eq(il_rwlock_check(lock, others[1].token), IL_OK);
    cr_assert_eq(il_rwlock_release(lock, others[1].token), IL_ENOTHELD, "it is another thread's");
    for (int i = 0; i < 3; i++) finish(&others[i]);
    cr_assert_eq(il_rwlock_acquire(lock, IL_EXCLUSIVE, seconds(1), &untouched), IL_EUPGRADE);
    cr_assert_eq(untouched, 7);
    cr_assert_eq(il_rwlock_release(lock, token), IL_OK);
    cr_assert_eq(il_rwlock_release(lock, token), IL_ESTALE);
    expect_info(lock, 0, 0);
    cr_assert_eq(il_rwlock_acquire(lock, IL_EXCLUSIVE, IL_NOWAIT, &token), IL_OK);
    expect_info(lock, 0, 1);
    cr_assert_eq(il_rwlock_acquire(lock, IL_SHARED, IL_NOWAIT, &untouched), IL_EDEADLK);
    SAYS("exclusively");
    start(&others[0], lock, IL_SHARED);
    await_waiters(lock, 1);
    cr_assert_eq(il_rwlock_release(lock, token), IL_OK);
    await_grant(&others[0], IL_OK);
    cr_assert_eq(il_rwlock_acquire(lock, IL_EXCLUSIVE, seconds(0.02), NULL), IL_ETIMEOUT);
    finish(&others[0]);
    cr_assert_eq(il_rwlock_release(lock, 0), IL_ENOTHELD);
    cr_assert_eq(il_rwlock_close(lock), IL_OK);
}

EACH_DOOR(abi_rwlock, is_fast_and_slow_alike) {
    il_rwlock *lock = open_rwlock(door);
    uint64_t token = 0, last = 0;
    for (uint32_t i = 0; i < 400; i++) {
        uint32_t mode = i / 3 % 2;
        cr_assert_eq(il_rwlock_acquire(lock, mode, IL_NOWAIT, &token), IL_OK);
        cr_assert(token > last);
        last = token;
        expect_info(lock, !mode, mode);
        cr_assert_eq(il_rwlock_release(lock, i % 4 ? token : 0), IL_OK, "%s", il_error_message());
        expect_info(lock, 0, 0);
    }
    il_rwlock_close(lock);
}

EACH_DOOR(abi_rwlock, owner_acquires_again) {
    il_rwlock *lock = open_rwlock(door);
    uint64_t first = 0, again = 0;
    for (uint32_t mode = IL_SHARED; mode <= IL_EXCLUSIVE; mode++) {
        struct holder other;
        cr_assert_eq(il_rwlock_acquire(lock, mode, 0, &first), IL_OK);
        start(&other, lock, IL_EXCLUSIVE);
        await_waiters(lock, 1);
        cr_assert_eq(il_rwlock_acquire(lock, mode, 0, &again), IL_OK, "also past those who wait");
        cr_assert_eq(again, first);
        cr_assert_eq(il_rwlock_release(lock, first), IL_OK);
        expect_info(lock, !mode, mode);
        cr_assert_eq(il_rwlock_release(lock, 0), IL_OK);
        await_grant(&other, IL_OK);
        finish(&other);
    }
    il_rwlock_close(lock);
}

EACH_DOOR(abi_rwlock, exclusive_goes_before_who_shares_later) {
    il_rwlock *lock = open_rwlock(door);
    struct holder exclusive, shared;
    uint64_t token = 0;
    cr_assert_eq(il_rwlock_acquire(lock, IL_SHARED, 0, &token), IL_OK);
    start(&exclusive, lock, IL_EXCLUSIVE);
    await_waiters(lock, 1);
    start(&shared, lock, IL_SHARED);
    await_waiters(lock, 2);
    cr_assert_eq(il_rwlock_release(lock, token), IL_OK);
    await_grant(&exclusive, IL_OK);
    cr_assert_eq(atomic_load(&shared.done), 0);
    finish(&exclusive);
    await_grant(&shared, IL_OK);
    cr_assert(shared.token > exclusive.token);
    finish(&shared);
    il_rwlock_close(lock);
}

EACH_DOOR(abi_rwlock, is_recovered_when_its_thread_ends) {
    il_rwlock *lock = open_rwlock(door);
    for (uint32_t mode = IL_SHARED; mode <= IL_EXCLUSIVE; mode++) {
        struct holder h;
        start(&h, lock, mode);
        h.keeps = true;
        await_grant(&h, IL_OK);
        finish(&h);
        cr_assert_eq(il_rwlock_acquire(lock, IL_EXCLUSIVE, seconds(DOOR_SECONDS), NULL),
                     mode == IL_SHARED ? IL_OK : IL_EOWNERDEAD);
        cr_assert_eq(il_rwlock_release(lock, 0), IL_OK);
    }
    il_rwlock_close(lock);
}

EACH_DOOR(abi_rwlock, lease_ends_a_grant) {
    il_rwlock *lock = open_rwlock(door);
    struct holder other;
    uint64_t token = 0;
    for (uint32_t mode = IL_SHARED; mode <= IL_EXCLUSIVE; mode++) {
        cr_assert_eq(il_rwlock_acquire_leased(lock, mode, 0, seconds(0.05), &token), IL_OK);
        start(&other, lock, IL_EXCLUSIVE);
        await_grant(&other, mode == IL_SHARED ? IL_OK : IL_EOWNERDEAD);
        cr_assert_eq(il_rwlock_release(lock, token), IL_ELEASE);
        cr_assert_eq(il_rwlock_renew(lock, token, seconds(1)), IL_ELEASE);
        finish(&other);
        cr_assert_eq(il_rwlock_acquire_leased(lock, mode, 0, seconds(3600), &token), IL_OK);
        cr_assert_eq(il_rwlock_renew(lock, token, 0), IL_OK);
        cr_assert_eq(il_rwlock_release(lock, token), IL_OK);
    }
    il_rwlock_close(lock);
}

EACH_DOOR(abi_rwlock, operator_breaks_a_grant) {
    il_rwlock *lock = open_rwlock(door);
    uint64_t token = 0;
    cr_assert_eq(il_rwlock_break(lock, 0, NULL), IL_ENOTHELD);
    il_rwlock_acquire(lock, IL_SHARED, 0, &token);
    cr_assert_eq(il_rwlock_break(lock, token, "too long"), IL_OK);
    cr_assert_eq(il_rwlock_release(lock, token), IL_EREVOKED);
    SAYS("too long");
    il_rwlock_acquire(lock, IL_EXCLUSIVE, 0, &token);
    cr_assert_eq(il_rwlock_break(lock, 0, NULL), IL_OK);
    cr_assert_eq(il_rwlock_check(lock, token), IL_EREVOKED);
    cr_assert_eq(il_rwlock_acquire(lock, IL_SHARED, 0, &token), IL_EOWNERDEAD);
    cr_assert_eq(il_rwlock_release(lock, token), IL_OK);
    il_rwlock_close(lock);
}

EACH_DOOR(abi_rwlock, tells_everyone_of_its_end) {
    il_rwlock *lock = open_rwlock(door), *again;
    struct holder waiter;
    uint64_t token = 0, later = 0;
    il_rwlock_acquire(lock, IL_SHARED, 0, &token);
    start(&waiter, lock, IL_EXCLUSIVE);
    await_waiters(lock, 1);
    cr_assert_eq(il_rwlock_delete(door->domain, "it", 2), IL_OK);
    await_grant(&waiter, IL_EDELETED);
    finish(&waiter);
    cr_assert_eq(il_rwlock_release(lock, token), IL_EDELETED);
    again = open_rwlock(door);
    cr_assert_eq(il_rwlock_acquire(again, IL_EXCLUSIVE, 0, &later), IL_OK);
    cr_assert(later > token, "tokens of a name never go back");
    il_rwlock_close(again);
    il_rwlock_close(lock);
}

EACH_DOOR(abi_rwlock, names_the_bad_argument) {
    il_rwlock *lock = open_rwlock(door), *out = NULL;
    il_rwlock_options options = {sizeof options, IL_DEADLOCK_REPORT};
    il_rwlock_info info = {.struct_bytes = 2};
    cr_assert_eq(il_rwlock_open(NULL, "it", 2, NULL, &out), IL_EINVAL);
    SAYS("domain");
    cr_assert_eq(il_rwlock_open(door->domain, "it", 2, NULL, NULL), IL_EINVAL);
    SAYS("out");
    cr_assert_eq(il_rwlock_open(door->domain, "it", 2, &options, &out), IL_ECONFLICT);
    options.flags = 1;
    cr_assert_eq(il_rwlock_open(door->domain, "it", 2, &options, &out), IL_EINVAL);
    SAYS("flags");
    options.struct_bytes = 3;
    cr_assert_eq(il_rwlock_open(door->domain, "it", 2, &options, &out), IL_EINVAL);
    SAYS("struct_bytes");
    cr_assert_eq(il_rwlock_acquire(NULL, IL_SHARED, 0, NULL), IL_EINVAL);
    SAYS("lock");
    cr_assert_eq(il_rwlock_acquire(lock, 2, 0, NULL), IL_EINVAL);
    SAYS("mode");
    cr_assert_eq(il_rwlock_acquire(lock, IL_SHARED, -2, NULL), IL_EINVAL);
    SAYS("timeout_ns");
    cr_assert_eq(il_rwlock_acquire_leased(lock, IL_SHARED, 0, -1, NULL), IL_EINVAL);
    SAYS("lease_ns");
    cr_assert_eq(il_rwlock_acquire_leased(lock, 7, 0, 0, NULL), IL_EINVAL);
    SAYS("mode");
    cr_assert_eq(il_rwlock_release(NULL, 0), IL_EINVAL);
    cr_assert_eq(il_rwlock_renew(NULL, 0, 0), IL_EINVAL);
    cr_assert_eq(il_rwlock_check(NULL, 0), IL_EINVAL);
    cr_assert_eq(il_rwlock_break(NULL, 0, NULL), IL_EINVAL);
    cr_assert_eq(il_rwlock_info_get(NULL, &info), IL_EINVAL);
    cr_assert_eq(il_rwlock_info_get(lock, &info), IL_EINVAL);
    SAYS("struct_bytes");
    cr_assert_eq(il_rwlock_close(NULL), IL_OK);
    cr_assert_eq(il_rwlock_open(door->domain, NULL, 0, NULL, &out),
                 door->local ? IL_OK : IL_EUNSUPPORTED);
    if (door->local) cr_assert_eq(il_rwlock_acquire(out, IL_EXCLUSIVE, 0, NULL), IL_OK);
    cr_assert_eq(il_rwlock_close(out), IL_OK);
    il_rwlock_close(lock);
}
