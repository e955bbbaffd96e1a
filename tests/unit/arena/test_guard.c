#include <criterion/criterion.h>
#include <pthread.h>

#include "support/member.h"

static struct ili_guard *guard(void) { return &test_member.arena.stripes[5].guard; }

static long counter; /* under the guard; not atomic on purpose */

static void *count(void *unused) {
    (void)unused;
    struct ili_agent *self = test_self();
    for (int i = 0; i < 200000; i++) {
        if (ili_guard_lock(&test_member, self, guard()) != IL_OK) return NULL;
        counter++;
        ili_guard_unlock(&test_member, self, guard());
    }
    return NULL;
}

Test(arena_guard, lets_in_one_at_a_time, .timeout = 60) {
    pthread_t threads[4];
    cr_assert(test_enter(4 << 20));
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, count, NULL);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    cr_assert_eq(counter, 800000);
    cr_assert_eq(atomic_load(&guard()->word), 0);
    test_leave();
}

/* Every wait returns at once for a reason that is none, as futex(2) may. */
static int restless(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns) {
    static _Atomic int turn;
    (void)word, (void)expected, (void)deadline_ns;
    errno = atomic_fetch_add(&turn, 1) % 2 ? EINTR : EAGAIN;
    sched_yield();
    return -1;
}

Test(arena_guard, does_not_rely_on_why_a_wait_ended, .timeout = 60) {
    pthread_t threads[4];
    cr_assert(test_enter(4 << 20));
    ili_system.futex_wait = restless;
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, count, NULL);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    cr_assert_eq(counter, 800000);
    test_leave();
}

static void *hold(void *held) {
    struct ili_agent *self = test_self();
    if (ili_guard_lock(&test_member, self, guard()) != IL_OK) return NULL;
    atomic_store((_Atomic int *)held, 1);
    while (atomic_load((_Atomic int *)held) == 1) test_pause();
    ili_guard_unlock(&test_member, self, guard());
    return NULL;
}

static bool is_one(void *held) { return atomic_load((_Atomic int *)held) == 1; }

Test(arena_guard, is_waited_for_no_longer_than_the_members_patience) {
    pthread_t thread;
    _Atomic int held = 0;
    cr_assert(test_enter(4 << 20));
    pthread_create(&thread, NULL, hold, &held);
    cr_assert(test_wait(is_one, &held, 10));
    test_member.patience_ns = 20000000;
    int64_t begin = test_now_ns();
    cr_assert_eq(ili_guard_lock(&test_member, test_self(), guard()), IL_EBUSY);
    int64_t took = test_now_ns() - begin;
    cr_assert(took >= 20000000 && took < 5000000000, "%lld", (long long)took);
    for (unsigned i = 0; i < ILI_AGENT_GUARDS; i++)
        cr_assert_eq(atomic_load(&test_self()->held[i]), 0);
    test_member.patience_ns = INT64_MAX;
    atomic_store(&held, 2);
    cr_assert_eq(ili_guard_lock(&test_member, test_self(), guard()), IL_OK);
    ili_guard_unlock(&test_member, test_self(), guard());
    pthread_join(thread, NULL);
    test_leave();
}

Test(arena_guard, names_each_holder_before_it_holds) {
    cr_assert(test_enter(4 << 20));
    struct ili_agent *self = test_self();
    uint32_t number = ili_agent_number(&test_member.arena, self);
    cr_assert_eq(ili_guard_lock(&test_member, self, guard()), IL_OK);
    cr_assert(ili_guard_is_held_by(guard(), number));
    cr_assert_eq(atomic_load(&self->held[0]), ili_off_of(&test_member.arena, guard()));
    ili_guard_unlock(&test_member, self, guard());
    cr_assert_not(ili_guard_is_held_by(guard(), number));
    cr_assert_eq(atomic_load(&self->held[0]), 0);
    cr_assert_null(ili_guard_at(&test_member.arena, 8));
    cr_assert_null(ili_guard_at(&test_member.arena, test_member.arena.bytes - 8));
    cr_assert_eq(ili_guard_at(&test_member.arena, ili_off_of(&test_member.arena, guard()) + 3),
                 guard());
    test_leave();
}
