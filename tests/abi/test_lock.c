#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

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

static uint64_t free_bytes(struct door *door) {
    il_domain_info info = {.struct_bytes = sizeof info};
    cr_assert_eq(il_domain_info_get(door->domain, &info), IL_OK);
    return info.free_bytes;
}

EACH_DOOR(abi_lock, without_a_name_is_gone_when_it_is_closed_while_held) {
    if (!door->local) return;
    uint64_t before = 0;
    for (int i = 0; i < 200; i++) {
        if (i == 100) before = free_bytes(door);
        il_lock *lock = NULL;
        il_rlock *recursive = NULL;
        cr_assert_eq(il_lock_open(door->domain, NULL, 0, NULL, &lock), IL_OK);
        cr_assert_eq(il_rlock_open(door->domain, NULL, 0, NULL, &recursive), IL_OK);
        cr_assert_eq(il_lock_acquire(lock, 0, NULL), IL_OK);
        cr_assert_eq(il_rlock_acquire(recursive, 0, NULL), IL_OK);
        cr_assert_eq(il_lock_close(lock), IL_OK);
        cr_assert_eq(il_rlock_close(recursive), IL_OK);
    }
    cr_assert_eq(free_bytes(door), before);
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

/* ---- released by anyone ------------------------------------------------------------------------------ */

/* The server's and this process's domain, or this and a child's: what releases is always another session. */
EACH_DOOR(abi_lock, any_session_may_release_it) {
    il_lock_options options = {.struct_bytes = sizeof options, .flags = IL_LOCK_ANY_RELEASE};
    il_domain *other = NULL;
    il_lock *lock = NULL, *theirs = NULL;
    uint64_t token = 0, second = 0;
    il_status status = il_lock_open(door->domain, "it", 2, &options, &lock);
    if (!door->local) {
        cr_assert_eq(status, IL_EUNSUPPORTED);
        SAYS("IL_LOCK_ANY_RELEASE");
        return;
    }
    cr_assert_eq(status, IL_OK);
    if (!door->server) { /* a second session of a private domain is another process: see below */
        il_lock_close(lock);
        return;
    }
    cr_assert_eq(il_domain_open(door->address, NULL, &other), IL_OK);
    cr_assert_eq(il_lock_open(other, "it", 2, &options, &theirs), IL_OK);
    cr_assert_eq(il_lock_release(theirs, 0), IL_ENOTHELD, "it is free");
    cr_assert_eq(il_lock_acquire(lock, 0, &token), IL_OK);
    cr_assert_eq(il_lock_release(theirs, token + 1), IL_ENOTHELD);
    cr_assert_eq(il_lock_renew(theirs, token, seconds(1)), IL_ENOTHELD, "it is not theirs");
    cr_assert_eq(il_lock_release(theirs, token), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_lock_release(lock, token), IL_ENOTHELD);
    cr_assert_eq(il_lock_acquire(theirs, 0, &second), IL_OK, "free, and nobody had died");
    cr_assert_eq(second, token + 1);
    cr_assert_eq(il_lock_release(lock, token), IL_ESTALE);
    cr_assert_eq(il_lock_release(lock, 0), IL_OK, "whatever grant stands");
    /* a waiter is granted by it, also one that sleeps */
    struct waiter w;
    cr_assert_eq(il_lock_acquire_leased(lock, 0, seconds(60), &token), IL_OK);
    start(&w, lock, 20);
    await_waiters(lock, 1);
    cr_assert_eq(il_lock_release(theirs, 0), IL_OK);
    pthread_join(w.thread, NULL);
    cr_assert_eq(w.status, IL_OK);
    cr_assert_eq(w.released, IL_OK);
    il_lock_close(theirs);
    il_domain_close(other);
    il_lock_close(lock);
}

struct any_board {
    _Atomic int held, released;
    _Atomic il_status status[4];
};
static bool is_held_there(void *board) { return ((struct any_board *)board)->held != 0; }
static bool is_released(void *board) { return ((struct any_board *)board)->released != 0; }

/* Its parent releases what the child holds, acquires it, and the child's death then means nothing. */
Test(abi_lock, death_after_anothers_release_changes_nothing, .timeout = 60) {
    struct any_board *b =
        mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    il_lock_options options = {.struct_bytes = sizeof options, .flags = IL_LOCK_ANY_RELEASE};
    il_domain *domain = NULL;
    il_lock *lock = NULL;
    uint64_t token = 0;
    cr_assert_eq(il_domain_open("private:", NULL, &domain), IL_OK);
    cr_assert_eq(il_lock_open(domain, NULL, 0, &options, &lock), IL_OK);
    cr_assert(door_settle());
    pid_t child = fork();
    if (child == 0) {
        b->status[0] = il_lock_acquire(lock, 0, NULL);
        atomic_store(&b->held, 1);
        if (!test_wait(is_released, b, DOOR_SECONDS)) _exit(1);
        _exit(0); /* with the lock still open, and no release of its own */
    }
    cr_assert(test_wait(is_held_there, b, DOOR_SECONDS));
    cr_assert_eq(il_lock_acquire(lock, 0, NULL), IL_ETIMEOUT);
    cr_assert_eq(il_lock_release(lock, 0), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_lock_acquire(lock, 0, &token), IL_OK);
    atomic_store(&b->released, 1);
    cr_assert_eq(test_reap(child, DOOR_SECONDS), 0);
    cr_assert_eq(b->status[0], IL_OK);
    /* a fresh child is seen to have died by what it held; the first one's death was handled before */
    pid_t second = fork();
    if (second == 0) _exit(il_lock_acquire(lock, seconds(10), NULL) == IL_OK ? 0 : 1);
    struct wanted_waiters one = {lock, 1};
    cr_assert(test_wait(are_waiting, &one, DOOR_SECONDS));
    cr_assert_eq(il_lock_check(lock, token), IL_OK, "this session's grant stands");
    cr_assert_eq(il_lock_release(lock, token), IL_OK);
    cr_assert_eq(test_reap(second, DOOR_SECONDS), 0);
    cr_assert_eq(il_lock_acquire(lock, seconds(20), NULL), IL_EOWNERDEAD, "a holder that died is");
    il_lock_release(lock, 0);
    il_lock_close(lock);
    il_domain_close(domain);
    munmap(b, sizeof *b);
}

struct crossing {
    il_lock *mine, *other;
    _Atomic int holds;
    il_status status;
};
static bool holds_its_own(void *crossing) { return ((struct crossing *)crossing)->holds != 0; }

static void *cross(void *argument) {
    struct crossing *c = argument;
    (void)il_lock_acquire(c->mine, 0, NULL);
    atomic_store(&c->holds, 1);
    c->status = il_lock_acquire(c->other, seconds(20), NULL);
    return NULL;
}

/* Each of two threads holds what the other waits for, and somebody else releases. */
Test(abi_lock, waits_for_one_that_anyone_releases_are_no_deadlock, .timeout = 60) {
    il_lock_options options = {.struct_bytes = sizeof options, .flags = IL_LOCK_ANY_RELEASE};
    il_domain *domain = NULL;
    struct crossing c = {.status = IL_ECORRUPT};
    pthread_t thread;
    il_domain_open("private:", NULL, &domain);
    cr_assert_eq(il_lock_open(domain, NULL, 0, &options, &c.mine), IL_OK);
    cr_assert_eq(il_lock_open(domain, NULL, 0, &options, &c.other), IL_OK);
    cr_assert_eq(il_lock_acquire(c.other, 0, NULL), IL_OK);
    pthread_create(&thread, NULL, cross, &c);
    cr_assert(test_wait(holds_its_own, &c, DOOR_SECONDS));
    await_waiters(c.other, 1);
    cr_assert_eq(il_lock_acquire(c.mine, seconds(0.5), NULL), IL_ETIMEOUT, "%s",
                 il_error_message());
    cr_assert_eq(il_lock_release(c.other, 0), IL_OK);
    pthread_join(thread, NULL);
    cr_assert_eq(c.status, IL_OK);
    il_lock_release(c.other, 0);
    il_lock_release(c.mine, 0);
    il_lock_close(c.other);
    il_lock_close(c.mine);
    il_domain_close(domain);
}

EACH_DOOR(abi_lock, an_rlock_is_released_by_its_owner_only) {
    il_lock_options options = {.struct_bytes = sizeof options, .flags = IL_LOCK_ANY_RELEASE};
    il_rlock *lock = NULL;
    cr_assert_eq(il_rlock_open(door->domain, "it", 2, &options, &lock), IL_EINVAL);
    SAYS("options.flags: expected IL_LOCK_FAIR, IL_DEADLOCK_REPORT or 0");
    cr_assert_null(lock);
    cr_assert_eq(il_rlock_open(door->domain, "it", 2, NULL, &lock), IL_OK);
    il_rlock_close(lock);
}
