#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

#include "support/doors.h"

static il_lock *open_lock(struct door *door, const char *name, uint32_t flags) {
    il_lock_options options = {.struct_bytes = sizeof options, .flags = flags};
    il_lock *lock = NULL;
    cr_assert_eq(il_lock_open(door->domain, name, strlen(name), &options, &lock), IL_OK, "%s",
                 il_error_message());
    return lock;
}

/* A thread that acquires and releases once. */
struct waiter {
    pthread_t thread;
    il_lock *lock;
    int64_t timeout_ns;
    il_status status, released;
    uint64_t token;
    _Atomic int done;
};

static void *wait_for_lock(void *argument) {
    struct waiter *w = argument;
    w->status = il_lock_acquire(w->lock, w->timeout_ns, &w->token);
    if (w->status == IL_OK || w->status == IL_EOWNERDEAD)
        w->released = il_lock_release(w->lock, w->token);
    atomic_store(&w->done, 1);
    return NULL;
}

static void start(struct waiter *w, il_lock *lock, double s) {
    *w = (struct waiter){.lock = lock, .timeout_ns = seconds(s)};
    cr_assert_eq(pthread_create(&w->thread, NULL, wait_for_lock, w), 0);
}

struct wanted_waiters {
    il_lock *lock;
    uint32_t count;
};

static bool are_waiting(void *context) {
    struct wanted_waiters *w = context;
    il_owner owner = {.struct_bytes = sizeof owner};
    return il_lock_owner(w->lock, &owner) == IL_OK && owner.waiters >= w->count;
}

static void await_waiters(il_lock *lock, uint32_t count) {
    struct wanted_waiters wanted = {lock, count};
    cr_assert(test_wait(are_waiting, &wanted, DOOR_SECONDS), "%u waiters do not come", count);
}

EACH_DOOR(abi_lock, is_held_by_one_and_given_back) {
    il_lock *lock = open_lock(door, "it", 0);
    uint64_t first = 0, second = 0;
    int32_t locked = -1;
    cr_assert_eq(il_lock_locked(lock, &locked), IL_OK);
    cr_assert_eq(locked, 0);
    cr_assert_eq(il_lock_acquire(lock, IL_NOWAIT, &first), IL_OK, "%s", il_error_message());
    cr_assert(first > 0);
    cr_assert_eq(il_lock_acquire(lock, IL_NOWAIT, &second), IL_ETIMEOUT);
    cr_assert_eq(second, 0, "an out parameter was touched by a failure");
    cr_assert_eq(il_lock_locked(lock, &locked), IL_OK);
    cr_assert_eq(locked, 1);
    cr_assert_eq(il_lock_release(lock, first), IL_OK);
    cr_assert_eq(il_lock_locked(lock, &locked), IL_OK);
    cr_assert_eq(locked, 0);
    cr_assert_eq(il_lock_acquire(lock, IL_FOREVER, &second), IL_OK);
    cr_assert(second > first);
    cr_assert_eq(il_lock_release(lock, 0), IL_OK);
    cr_assert_eq(il_lock_acquire(lock, seconds(1), NULL), IL_OK);
    cr_assert_eq(il_lock_release(lock, 0), IL_OK);
    cr_assert_eq(il_lock_close(lock), IL_OK);
}

EACH_DOOR(abi_lock, refuses_to_release_what_is_not_held) {
    il_lock *lock = open_lock(door, "it", 0);
    uint64_t first = 0, second = 0;
    cr_assert_eq(il_lock_release(lock, 0), IL_ENOTHELD);
    cr_assert_eq(il_lock_acquire(lock, 0, &first), IL_OK);
    cr_assert_eq(il_lock_release(lock, first + 1), IL_ENOTHELD);
    cr_assert_eq(il_lock_release(lock, first), IL_OK);
    cr_assert_eq(il_lock_release(lock, first), IL_ENOTHELD);
    cr_assert_eq(il_lock_acquire(lock, 0, &second), IL_OK);
    cr_assert_eq(il_lock_release(lock, first), IL_ESTALE);
    cr_assert_eq(il_lock_release(lock, second), IL_OK);
    il_lock_close(lock);
}

EACH_DOOR(abi_lock, tells_its_owner) {
    il_lock *lock = open_lock(door, "it", 0);
    uint64_t token = 0;
    il_owner owner = {.struct_bytes = sizeof owner};
    cr_assert_eq(il_lock_owner(lock, &owner), IL_OK);
    cr_assert_eq(owner.token, 0);
    cr_assert_eq(owner.waiters, 0);
    il_lock_acquire(lock, 0, &token);
    cr_assert_eq(il_lock_owner(lock, &owner), IL_OK);
    cr_assert_eq(owner.token, token);
    cr_assert_eq(owner.mine, 1);
    if (door->local) cr_assert_eq(owner.pid, (uint32_t)getpid());
    cr_assert_str_eq(owner.label, "door");
    /* an older program's struct is shorter: nothing behind it is written */
    memset(&owner, 0x55, sizeof owner);
    owner.struct_bytes = offsetof(il_owner, waiters);
    cr_assert_eq(il_lock_owner(lock, &owner), IL_OK);
    cr_assert_eq(owner.token, token);
    cr_assert_eq(owner.waiters, 0x55555555);
    il_lock_release(lock, token);
    il_lock_close(lock);
}

EACH_DOOR(abi_lock, ends_a_wait_in_time) {
    il_lock *lock = open_lock(door, "it", 0);
    uint64_t token = 0, other = 7;
    cr_assert_eq(il_lock_acquire(lock, 0, &token), IL_OK);
    int64_t begin = test_now_ns();
    cr_assert_eq(il_lock_acquire(lock, seconds(0.05), &other), IL_ETIMEOUT);
    int64_t took = test_now_ns() - begin;
    cr_assert(took >= seconds(0.05) && took < seconds(5), "%lld ns", (long long)took);
    cr_assert_eq(other, 7);
    il_owner owner = {.struct_bytes = sizeof owner};
    il_lock_owner(lock, &owner);
    cr_assert_eq(owner.waiters, 0, "a waiter stays behind");
    cr_assert_eq(il_lock_release(lock, token), IL_OK);
    il_lock_close(lock);
}

EACH_DOOR(abi_lock, goes_to_who_waits) {
    il_lock *lock = open_lock(door, "it", IL_LOCK_FAIR);
    uint64_t token = 0;
    struct waiter waiters[3];
    cr_assert_eq(il_lock_acquire(lock, 0, &token), IL_OK);
    for (unsigned i = 0; i < 3; i++) {
        start(&waiters[i], lock, DOOR_SECONDS);
        await_waiters(lock, i + 1);
    }
    cr_assert_eq(il_lock_release(lock, token), IL_OK);
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(waiters[i].thread, NULL);
        cr_assert_eq(waiters[i].status, IL_OK);
        cr_assert_eq(waiters[i].released, IL_OK);
        cr_assert(waiters[i].token > token, "a fair lock grants in the order of arrival");
        token = waiters[i].token;
    }
    il_lock_close(lock);
}

EACH_DOOR(abi_lock, is_the_same_by_all_handles_of_its_name) {
    il_lock *one = open_lock(door, "\xc3\xa4 / %2F:?#", 0),
            *two = open_lock(door, "\xc3\xa4 / %2F:?#", 0);
    il_lock *other = open_lock(door, "other", 0);
    uint64_t token = 0;
    cr_assert_eq(il_lock_acquire(one, 0, &token), IL_OK);
    cr_assert_eq(il_lock_acquire(two, 0, NULL), IL_ETIMEOUT);
    cr_assert_eq(il_lock_acquire(other, 0, NULL), IL_OK);
    cr_assert_eq(il_lock_release(two, token), IL_OK, "any handle of the session may release");
    il_lock_release(other, 0);
    il_lock_close(one);
    il_lock_close(two);
    il_lock_close(other);
}

EACH_DOOR(abi_lock, refuses_other_options_for_a_name_in_use) {
    il_lock *fair = open_lock(door, "fair", IL_LOCK_FAIR), *again = NULL;
    il_lock_options options = {.struct_bytes = sizeof options, .flags = 0};
    cr_assert_eq(il_lock_open(door->domain, "fair", 4, &options, &again), IL_ECONFLICT);
    cr_assert_null(again);
    cr_assert_eq(il_lock_open(door->domain, "fair", 4, NULL, &again), IL_OK);
    il_lock_close(again);
    il_lock_close(fair);
}

EACH_DOOR(abi_lock, tells_everyone_of_its_end) {
    il_lock *lock = open_lock(door, "it", 0), *again;
    uint64_t token = 0, later = 0;
    struct waiter waiters[2];
    cr_assert_eq(il_lock_delete(door->domain, "no such", 7), IL_ENOTFOUND);
    cr_assert_eq(il_lock_acquire(lock, 0, &token), IL_OK);
    for (unsigned i = 0; i < 2; i++) start(&waiters[i], lock, DOOR_SECONDS);
    await_waiters(lock, 2);
    cr_assert_eq(il_lock_delete(door->domain, "it", 2), IL_OK);
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(waiters[i].thread, NULL);
        cr_assert_eq(waiters[i].status, IL_EDELETED, "%s", il_status_name(waiters[i].status));
    }
    cr_assert_eq(il_lock_release(lock, token), IL_EDELETED);
    cr_assert_eq(il_lock_delete(door->domain, "it", 2), IL_ENOTFOUND);
    again = open_lock(door, "it", 0);
    cr_assert_eq(il_lock_acquire(again, 0, &later), IL_OK);
    cr_assert(later > token, "tokens of a name never go back");
    il_lock_release(again, later);
    il_lock_close(again);
    il_lock_close(lock);
}

EACH_DOOR(abi_lock, lives_without_a_name_until_it_is_closed) {
    il_lock *lock = NULL;
    il_status status = il_lock_open(door->domain, NULL, 0, NULL, &lock);
    if (!door->local) {
        cr_assert_eq(status, IL_EUNSUPPORTED);
        return;
    }
    cr_assert_eq(status, IL_OK);
    cr_assert_eq(il_lock_acquire(lock, 0, NULL), IL_OK);
    cr_assert_eq(il_lock_release(lock, 0), IL_OK);
    cr_assert_eq(il_lock_close(lock), IL_OK);
}

EACH_DOOR(abi_lock, names_the_bad_argument) {
    char long_name[257];
    il_lock *lock = open_lock(door, "it", 0), *out = NULL;
    il_lock_options options = {.struct_bytes = sizeof options, .flags = 0};
    il_owner owner = {.struct_bytes = 2};
    memset(long_name, 'x', sizeof long_name);
    cr_assert_eq(il_lock_open(NULL, "it", 2, NULL, &out), IL_EINVAL);
    SAYS("domain");
    cr_assert_eq(il_lock_open(door->domain, "it", 2, NULL, NULL), IL_EINVAL);
    SAYS("out");
    cr_assert_eq(il_lock_open(door->domain, "", 0, NULL, &out), IL_EINVAL);
    SAYS("name");
    cr_assert_eq(il_lock_open(door->domain, long_name, 256, NULL, &out), IL_ETOOBIG);
    SAYS("name");
    cr_assert_eq(il_lock_open(door->domain, "a\0b", 3, NULL, &out), IL_EINVAL);
    SAYS("name");
    cr_assert_eq(il_lock_open(door->domain, "\xff", 1, NULL, &out), IL_EINVAL);
    SAYS("name");
    options.struct_bytes = 3;
    cr_assert_eq(il_lock_open(door->domain, "it", 2, &options, &out), IL_EINVAL);
    SAYS("struct_bytes");
    options = (il_lock_options){.struct_bytes = sizeof options, .flags = 0x80};
    cr_assert_eq(il_lock_open(door->domain, "it", 2, &options, &out), IL_EINVAL);
    SAYS("flags");
    cr_assert_eq(il_lock_delete(NULL, "it", 2), IL_EINVAL);
    SAYS("domain");
    cr_assert_eq(il_lock_delete(door->domain, NULL, 0), IL_EINVAL);
    SAYS("name");
    cr_assert_eq(il_lock_acquire(NULL, 0, NULL), IL_EINVAL);
    SAYS("lock");
    cr_assert_eq(il_lock_release(NULL, 0), IL_EINVAL);
    SAYS("lock");
    cr_assert_eq(il_lock_locked(NULL, NULL), IL_EINVAL);
    cr_assert_eq(il_lock_locked(lock, NULL), IL_EINVAL);
    SAYS("locked");
    cr_assert_eq(il_lock_owner(lock, NULL), IL_EINVAL);
    SAYS("owner");
    cr_assert_eq(il_lock_owner(lock, &owner), IL_EINVAL);
    SAYS("struct_bytes");
    cr_assert_eq(il_lock_acquire(lock, 0, NULL), IL_OK);
    cr_assert_eq(il_lock_acquire(lock, -2, NULL), IL_EINVAL);
    SAYS("timeout_ns");
    il_lock_release(lock, 0);
    cr_assert_eq(il_lock_close(NULL), IL_OK);
    cr_assert_null(out);
    cr_assert_eq(il_lock_open(door->domain, long_name, 255, NULL, &out), IL_OK);
    il_lock_close(out);
    /* a newer program's larger struct is taken for what is known of it */
    struct {
        il_lock_options known;
        uint64_t news;
    } newer = {{.struct_bytes = sizeof newer, .flags = IL_LOCK_FAIR}, 9};
    cr_assert_eq(il_lock_open(door->domain, "newer", 5, &newer.known, &out), IL_OK);
    il_lock_close(out);
    il_lock_close(lock);
}
