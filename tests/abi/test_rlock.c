#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "support/doors.h"

static il_rlock *open_rlock(struct door *door) {
    il_rlock *lock = NULL;
    cr_assert_eq(il_rlock_open(door->domain, "it", 2, NULL, &lock), IL_OK, "%s",
                 il_error_message());
    return lock;
}

static uint32_t depth_of(il_rlock *lock) {
    uint32_t depth = 99;
    cr_assert_eq(il_rlock_depth(lock, &depth), IL_OK, "%s", il_error_message());
    return depth;
}

struct other {
    il_rlock *lock;
    uint64_t token;
    int64_t timeout_ns;
    il_status acquired, released;
    uint32_t depth;
    bool keeps;
};

static void *act(void *argument) {
    struct other *o = argument;
    il_rlock_depth(o->lock, &o->depth);
    o->released = il_rlock_release(o->lock, o->token);
    o->acquired = il_rlock_acquire(o->lock, o->timeout_ns, &o->token);
    if (o->acquired == IL_OK && !o->keeps) il_rlock_release(o->lock, o->token);
    return NULL;
}

static struct other let_another_thread(il_rlock *lock, uint64_t token, int64_t timeout_ns,
                                       bool keeps) {
    struct other o = {.lock = lock, .token = token, .timeout_ns = timeout_ns, .keeps = keeps};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, act, &o), 0);
    pthread_join(thread, NULL);
    return o;
}

EACH_DOOR(abi_rlock, is_acquired_again_by_its_thread_only) {
    il_rlock *lock = open_rlock(door);
    uint64_t first = 0, second = 0;
    int32_t locked = -1;
    il_owner owner = {.struct_bytes = sizeof owner};
    cr_assert_eq(depth_of(lock), 0);
    cr_assert_eq(il_rlock_release(lock, 0), IL_ENOTHELD);
    cr_assert_eq(il_rlock_acquire(lock, IL_NOWAIT, &first), IL_OK);
    cr_assert_eq(il_rlock_acquire(lock, IL_NOWAIT, &second), IL_OK);
    cr_assert_eq(second, first, "all of one outermost acquire has one token");
    cr_assert_eq(depth_of(lock), 2);
    cr_assert_eq(il_rlock_owner(lock, &owner), IL_OK);
    cr_assert(owner.mine && owner.token == first);
    struct other o = let_another_thread(lock, first, IL_NOWAIT, false);
    cr_assert_eq(o.depth, 0);
    cr_assert_eq(o.released, IL_ENOTHELD);
    cr_assert_eq(o.acquired, IL_ETIMEOUT);
    cr_assert_eq(il_rlock_release(lock, first), IL_OK);
    cr_assert_eq(depth_of(lock), 1);
    o = let_another_thread(lock, first, IL_NOWAIT, false);
    cr_assert_eq(o.acquired, IL_ETIMEOUT, "it is held until it was released as often");
    cr_assert_eq(il_rlock_release(lock, 0), IL_OK);
    cr_assert_eq(depth_of(lock), 0);
    cr_assert_eq(il_rlock_locked(lock, &locked), IL_OK);
    cr_assert_eq(locked, 0);
    cr_assert_eq(il_rlock_release(lock, 0), IL_ENOTHELD);
    o = let_another_thread(lock, first, IL_NOWAIT, false);
    cr_assert_eq(o.acquired, IL_OK);
    cr_assert(o.token > first);
    cr_assert_eq(il_rlock_close(lock), IL_OK);
}

EACH_DOOR(abi_rlock, is_recovered_when_its_thread_ends) {
    if (!door->local) cr_skip("over HTTP a thread's end is not seen");
    il_rlock *lock = open_rlock(door);
    uint64_t token = 0;
    struct other o = let_another_thread(lock, 0, IL_NOWAIT, true);
    cr_assert_eq(o.acquired, IL_OK);
    cr_assert_eq(il_rlock_acquire(lock, seconds(5), &token), IL_EOWNERDEAD, "%s",
                 il_error_message());
    cr_assert(token > o.token);
    cr_assert_eq(depth_of(lock), 1);
    cr_assert_eq(il_rlock_release(lock, token), IL_OK);
    il_rlock_close(lock);
}

EACH_DOOR(abi_rlock, deep_one_is_recovered_when_its_process_dies) {
    if (!door->server || !door->local) cr_skip("the process of a test attaches");
    il_rlock *lock = open_rlock(door);
    uint64_t token = 0;
    pid_t child = fork();
    if (child == 0) {
        il_domain *domain = NULL;
        il_rlock *its = NULL;
        if (il_domain_open(door->address, NULL, &domain) != IL_OK ||
            il_rlock_open(domain, "it", 2, NULL, &its) != IL_OK)
            _exit(1);
        for (int i = 0; i < 5; i++) {
            if (il_rlock_acquire(its, IL_NOWAIT, NULL) != IL_OK) _exit(2);
        }
        raise(SIGKILL);
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status), "%x", status);
    cr_assert_eq(il_rlock_acquire(lock, seconds(5), &token), IL_EOWNERDEAD);
    cr_assert_eq(depth_of(lock), 1);
    cr_assert_eq(il_rlock_release(lock, token), IL_OK);
    il_rlock_close(lock);
}

/* Threads that acquire to random depths: the count inside is never another's. */
struct crowd {
    il_rlock *lock;
    uint64_t random;
    long *inside;
    _Atomic int *wrong;
};

static void *go_deep(void *argument) {
    struct crowd *c = argument;
    for (int i = 0; i < 200; i++) {
        uint64_t tokens[4];
        int depth = 1 + (int)(test_random(&c->random) % 4);
        for (int d = 0; d < depth; d++) {
            if (il_rlock_acquire(c->lock, IL_FOREVER, &tokens[d]) != IL_OK ||
                tokens[d] != tokens[0])
                atomic_fetch_add(c->wrong, 1);
        }
        if ((*c->inside)++ != 0) atomic_fetch_add(c->wrong, 1);
        (*c->inside)--;
        for (int d = 0; d < depth; d++) {
            if (il_rlock_release(c->lock, d % 2 ? 0 : tokens[0]) != IL_OK)
                atomic_fetch_add(c->wrong, 1);
        }
    }
    return NULL;
}

EACH_DOOR(abi_rlock, many_threads_go_in_and_out) {
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    struct crowd crowd[THREADS];
    long inside = 0;
    _Atomic int wrong = 0;
    il_rlock *lock = open_rlock(door);
    for (int i = 0; i < THREADS; i++) {
        crowd[i] = (struct crowd){lock, test_seed((uint64_t)i + 1), &inside, &wrong};
        cr_assert_eq(pthread_create(&threads[i], NULL, go_deep, &crowd[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    cr_assert_eq(wrong, 0);
    il_rlock_close(lock);
}

EACH_DOOR(abi_rlock, refuses_what_makes_no_sense) {
    il_rlock *lock = open_rlock(door), *out = NULL;
    il_lock_options options = {.struct_bytes = sizeof options, .lock_delay_ns = -1};
    cr_assert_eq(il_rlock_acquire(NULL, 0, NULL), IL_EINVAL);
    SAYS("rlock");
    cr_assert_eq(il_rlock_acquire(lock, -2, NULL), IL_EINVAL);
    SAYS("timeout_ns");
    cr_assert_eq(il_rlock_acquire_leased(lock, 0, 5, NULL), IL_EINVAL);
    SAYS("lease_ns");
    cr_assert_eq(il_rlock_open(door->domain, "x", 1, &options, &out), IL_EINVAL);
    SAYS("lock_delay_ns");
    cr_assert_eq(il_rlock_depth(lock, NULL), IL_EINVAL);
    SAYS("depth");
    cr_assert_null(out);
    options.lock_delay_ns = seconds(1);
    cr_assert_eq(il_rlock_open(door->domain, "it", 2, &options, &out), IL_ECONFLICT);
    cr_assert_eq(il_rlock_delete(door->domain, "it", 2), IL_OK);
    cr_assert_eq(il_rlock_delete(door->domain, "it", 2), IL_ENOTFOUND);
    il_rlock_close(lock);
}
