#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>

#include "support/doors.h"

static void *echo(void *argument) { return argument; }

/* Runs until it is told to end. */
struct held {
    _Atomic int started, end, cancelled;
    _Atomic uint64_t self;
    il_thread *thread;
    il_status status;
};

static void *hold(void *argument) {
    struct held *held = argument;
    atomic_store(&held->self, il_thread_self());
    atomic_store(&held->started, 1);
    while (!atomic_load(&held->end) && !il_cancelled()) test_pause();
    atomic_store(&held->cancelled, il_cancelled());
    return held;
}

static bool has_started(void *held) { return atomic_load(&((struct held *)held)->started); }

static il_thread *make(void *(*function)(void *), void *argument,
                       const il_thread_options *options) {
    il_thread *thread = NULL;
    cr_assert_eq(il_thread_create(function, argument, options, &thread), IL_OK, "%s",
                 il_error_message());
    return thread;
}

static int32_t alive(il_thread *thread) {
    int32_t is = -1;
    cr_assert_eq(il_thread_is_alive(thread, &is), IL_OK);
    return is;
}

Test(abi_thread, lives_once_from_its_start_to_its_end, .timeout = 30) {
    struct held held = {0};
    il_thread *thread = make(hold, &held, NULL);
    void *result = NULL;
    uint64_t id = 0;
    cr_assert_eq(alive(thread), 0);
    cr_assert_eq(il_thread_join(thread, IL_NOWAIT, NULL), IL_ENOTSTARTED);
    cr_assert_eq(il_thread_result(thread, &result), IL_ENOTSTARTED);
    cr_assert_eq(il_thread_id(thread, &id), IL_ENOTSTARTED);
    cr_assert_eq(il_thread_cancel(thread), IL_ENOTSTARTED);
    cr_assert_eq(il_thread_start(thread), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_thread_start(thread), IL_ESTARTED);
    cr_assert(test_wait(has_started, &held, 10));
    cr_assert_eq(alive(thread), 1);
    cr_assert_eq(il_thread_id(thread, &id), IL_OK);
    cr_assert_eq(id, atomic_load(&held.self));
    cr_assert_eq(il_thread_join(thread, IL_NOWAIT, &result), IL_ETIMEOUT);
    cr_assert_eq(il_thread_join(thread, seconds(0.01), &result), IL_ETIMEOUT);
    cr_assert_eq(il_thread_result(thread, &result), IL_ETIMEOUT);
    cr_assert_null(result);
    atomic_store(&held.end, 1);
    for (int i = 0; i < 2; i++) {
        result = NULL;
        cr_assert_eq(il_thread_join(thread, IL_FOREVER, &result), IL_OK);
        cr_assert_eq(result, &held);
    }
    result = NULL;
    cr_assert_eq(il_thread_result(thread, &result), IL_OK);
    cr_assert_eq(result, &held);
    cr_assert_eq(alive(thread), 0);
    cr_assert_eq(il_thread_start(thread), IL_ESTARTED);
    cr_assert_eq(il_thread_cancel(thread), IL_OK);
    cr_assert_eq(il_thread_close(thread), IL_OK);
}

static void *join_itself(void *argument) {
    struct held *held = argument;
    void *result;
    held->status = il_thread_join(held->thread, IL_FOREVER, NULL);
    return il_thread_result(held->thread, &result) == IL_ETIMEOUT ? held : NULL;
}

Test(abi_thread, cannot_join_itself, .timeout = 30) {
    struct held held = {0};
    void *result = NULL;
    held.thread = make(join_itself, &held, NULL);
    cr_assert_eq(il_thread_start(held.thread), IL_OK);
    cr_assert_eq(il_thread_join(held.thread, IL_FOREVER, &result), IL_OK);
    cr_assert_eq(held.status, IL_ESELF);
    cr_assert_eq(result, &held);
    il_thread_close(held.thread);
}

static void *name_of(void *argument) {
    prctl(PR_GET_NAME, argument);
    return NULL;
}

Test(abi_thread, has_a_name_and_a_stack, .timeout = 30) {
    char seen[32] = "";
    const char *name = NULL;
    const il_thread_options options = {
        .struct_bytes = sizeof options, .name = "a name that is long", .stack_bytes = 1 << 20};
    il_thread *thread = make(name_of, seen, &options);
    cr_assert_eq(il_thread_name(thread, &name), IL_OK);
    cr_assert_str_eq(name, "a name that is long");
    cr_assert_eq(il_thread_start(thread), IL_OK);
    cr_assert_eq(il_thread_join(thread, IL_FOREVER, NULL), IL_OK);
    cr_assert_str_eq(seen, "a name that is ");
    il_thread_close(thread);
    thread = make(echo, NULL, NULL);
    cr_assert_eq(il_thread_name(thread, &name), IL_OK);
    cr_assert_str_eq(name, "");
    il_thread_close(thread); /* never started */
}

static void *leave(void *argument) { pthread_exit(argument); }

Test(abi_thread, ends_with_pthread_exit_too, .timeout = 30) {
    int here = 0;
    il_thread *thread = make(leave, &here, NULL);
    void *result = thread;
    cr_assert_eq(il_thread_start(thread), IL_OK);
    cr_assert_eq(il_thread_join(thread, IL_FOREVER, &result), IL_OK);
    cr_assert_null(result);
    il_thread_close(thread);
}

Test(abi_thread, stops_when_it_is_cancelled_or_its_time_is_up, .timeout = 30) {
    for (int limited = 0; limited < 2; limited++) {
        struct held held = {0};
        const il_thread_options options = {.struct_bytes = sizeof options,
                                           .time_limit_ns = limited ? seconds(0.02) : 0};
        il_thread *thread = make(hold, &held, &options);
        cr_assert_eq(il_thread_start(thread), IL_OK);
        cr_assert(test_wait(has_started, &held, 10));
        if (!limited) cr_assert_eq(il_thread_cancel(thread), IL_OK);
        cr_assert_eq(il_thread_join(thread, seconds(20), NULL), IL_OK);
        cr_assert_eq(atomic_load(&held.cancelled), 1);
        il_thread_close(thread);
    }
    cr_assert_eq(il_cancelled(), 0);
}

/* One that joins another. */
static void *join_other(void *argument) {
    struct held *held = argument;
    atomic_store(&held->self, il_thread_self());
    atomic_store(&held->started, 1);
    held->status = il_thread_join(held->thread, IL_FOREVER, NULL);
    return NULL;
}

Test(abi_thread, a_join_can_be_interrupted_and_cancelled, .timeout = 30) {
    struct held held = {0};
    il_thread *slow = make(hold, &held, NULL);
    cr_assert_eq(il_thread_start(slow), IL_OK);
    for (int cancel = 0; cancel < 2; cancel++) {
        struct held joiner = {.thread = slow};
        il_thread *thread = make(join_other, &joiner, NULL);
        cr_assert_eq(il_thread_start(thread), IL_OK);
        cr_assert(test_wait(has_started, &joiner, 10));
        uint64_t id = atomic_load(&joiner.self);
        cr_assert_eq(cancel ? il_cancel(id) : il_interrupt(id), IL_OK);
        cr_assert_eq(il_thread_join(thread, IL_FOREVER, NULL), IL_OK);
        cr_assert_eq(joiner.status, cancel ? IL_ECANCELLED : IL_EINTR);
        il_thread_close(thread);
        cr_assert_eq(il_cancel(id), IL_ENOTFOUND);
    }
    atomic_store(&held.end, 1);
    il_thread_close(slow);
}

static void *end_later(void *argument) {
    struct held *held = argument;
    atomic_store(&held->started, 1);
    while (!atomic_load(&held->end)) test_pause();
    atomic_store(&held->cancelled, 7); /* after the end was asked for */
    return NULL;
}

static bool is_over(void *held) { return atomic_load(&((struct held *)held)->cancelled) == 7; }

Test(abi_thread, closing_waits_for_its_end_unless_it_is_a_daemon, .timeout = 30) {
    static struct held held;
    const il_thread_options options = {.struct_bytes = sizeof options, .flags = IL_THREAD_DAEMON};
    il_thread *thread = make(end_later, &held, &options);
    cr_assert_eq(il_thread_start(thread), IL_OK);
    cr_assert_eq(il_thread_close(thread), IL_OK); /* returns, though it runs */
    cr_assert_eq(atomic_load(&held.cancelled), 0);
    atomic_store(&held.end, 1);
    cr_assert(test_wait(is_over, &held, 10));
    struct held other = {0};
    thread = make(end_later, &other, NULL);
    cr_assert_eq(il_thread_start(thread), IL_OK);
    atomic_store(&other.end, 1);
    cr_assert_eq(il_thread_close(thread), IL_OK);
    cr_assert_eq(atomic_load(&other.cancelled), 7);
}

static pthread_key_t key;
/* Takes its time, so that who does not wait for it returns before. */
static void forget(void *value) {
    for (int i = 0; i < 20; i++) test_pause();
    atomic_store((_Atomic int *)value, 1);
}

static void *remember(void *argument) {
    pthread_setspecific(key, argument);
    return NULL;
}

Test(abi_thread, a_join_sees_what_thread_local_destructors_did, .timeout = 30) {
    (void)il_thread_self(); /* the library's own key is older, so its destructor comes first */
    cr_assert_eq(pthread_key_create(&key, forget), 0);
    for (int i = 0; i < 20; i++) {
        _Atomic int gone = 0;
        il_thread *thread = make(remember, (void *)&gone, NULL);
        cr_assert_eq(il_thread_start(thread), IL_OK);
        cr_assert_eq(il_thread_join(thread, IL_FOREVER, NULL), IL_OK);
        cr_assert_eq(atomic_load(&gone), 1);
        il_thread_close(thread);
    }
}

static void *take_rlock(void *argument) {
    uint64_t token;
    return il_rlock_acquire(argument, IL_FOREVER, &token) == IL_OK ? argument : NULL;
}

Test(abi_thread, what_it_held_is_settled_when_it_is_joined, .timeout = 60) {
    il_domain *domain = NULL;
    il_rlock *lock = NULL;
    uint64_t token;
    cr_assert_eq(il_domain_open("private:", NULL, &domain), IL_OK);
    cr_assert_eq(il_rlock_open(domain, "it", 2, NULL, &lock), IL_OK);
    for (int i = 0; i < 50; i++) {
        void *result = NULL;
        il_thread *thread = make(take_rlock, lock, NULL);
        cr_assert_eq(il_thread_start(thread), IL_OK);
        cr_assert_eq(il_thread_join(thread, IL_FOREVER, &result), IL_OK);
        cr_assert_eq(result, lock);
        cr_assert_eq(il_rlock_acquire(lock, IL_NOWAIT, &token), IL_EOWNERDEAD);
        cr_assert_eq(il_rlock_release(lock, token), IL_OK);
        il_thread_close(thread);
    }
    il_rlock_close(lock);
    il_domain_close(domain);
}

Test(abi_thread, does_not_exist_in_a_forked_child, .timeout = 30) {
    struct held held = {0};
    il_thread *thread = make(hold, &held, NULL);
    cr_assert_eq(il_thread_start(thread), IL_OK);
    cr_assert(test_wait(has_started, &held, 10));
    pid_t child = fork();
    if (child == 0) {
        int32_t is;
        bool told = il_thread_join(thread, IL_FOREVER, NULL) == IL_EFORKED &&
                    il_thread_is_alive(thread, &is) == IL_EFORKED &&
                    il_thread_cancel(thread) == IL_EFORKED && il_thread_close(thread) == IL_OK;
        _exit(told ? 0 : 1);
    }
    cr_assert_eq(test_reap(child, 20), 0);
    atomic_store(&held.end, 1);
    il_thread_close(thread);
}

Test(abi_thread, names_the_bad_argument) {
    il_thread_options options = {.struct_bytes = sizeof options};
    il_thread *thread = NULL;
    char name[65];
    cr_assert_eq(il_thread_create(NULL, NULL, NULL, &thread), IL_EINVAL);
    SAYS("function");
    cr_assert_eq(il_thread_create(echo, NULL, NULL, NULL), IL_EINVAL);
    SAYS("out");
    options.struct_bytes = 1;
    cr_assert_eq(il_thread_create(echo, NULL, &options, &thread), IL_EINVAL);
    SAYS("struct_bytes");
    options = (il_thread_options){.struct_bytes = sizeof options, .flags = 2};
    cr_assert_eq(il_thread_create(echo, NULL, &options, &thread), IL_EINVAL);
    SAYS("flags");
    memset(name, 'n', 64);
    name[64] = 0;
    options = (il_thread_options){.struct_bytes = sizeof options, .name = name};
    cr_assert_eq(il_thread_create(echo, NULL, &options, &thread), IL_EINVAL);
    SAYS("name");
    options = (il_thread_options){.struct_bytes = sizeof options, .stack_bytes = 1};
    cr_assert_eq(il_thread_create(echo, NULL, &options, &thread), IL_EINVAL);
    SAYS("stack_bytes");
    options = (il_thread_options){.struct_bytes = sizeof options, .time_limit_ns = -1};
    cr_assert_eq(il_thread_create(echo, NULL, &options, &thread), IL_EINVAL);
    SAYS("time_limit_ns");
    cr_assert_null(thread);
    cr_assert_eq(il_thread_start(NULL), IL_EINVAL);
    SAYS("thread");
    thread = make(echo, NULL, NULL);
    cr_assert_eq(il_thread_join(thread, -2, NULL), IL_EINVAL);
    SAYS("timeout_ns");
    cr_assert_eq(il_thread_is_alive(thread, NULL), IL_EINVAL);
    SAYS("alive");
    cr_assert_eq(il_thread_result(thread, NULL), IL_EINVAL);
    SAYS("result");
    il_thread_close(thread);
    cr_assert_eq(il_thread_close(NULL), IL_OK);
}
