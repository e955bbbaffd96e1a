#include <criterion/criterion.h>
#include <pthread.h>

#include "base/clock.h"
#include "support/member.h"
#include "sync/event.h"

#define PATIENCE_NS INT64_C(20000000000)

static struct ili_event *event;

static void open_event(void) {
    cr_assert(test_enter(8 << 20));
    event = test_object(&ili_event_kind, "it", NULL);
    cr_assert_not_null(event);
}

static void check(void) {
    cr_assert_eq(ili_guard_lock(&test_member, test_self(), &event->guard), IL_OK);
    il_status status = ili_event_check(&test_member, event);
    ili_guard_unlock(&test_member, test_self(), &event->guard);
    cr_assert_eq(status, IL_OK);
}

static struct ili_agent *bell(void) {
    struct ili_agent *agent = NULL;
    cr_assert_eq(ili_agent_claim_bell(&test_member, &agent), IL_OK);
    return agent;
}

static il_status set(void) { return ili_event_set(&test_member, event); }
static il_status clear(void) { return ili_event_clear(&test_member, event); }
static il_status wait_for(int64_t deadline) {
    return ili_event_wait(&test_member, event, deadline);
}

Test(sync_event, is_set_until_it_is_cleared) {
    open_event();
    cr_assert_not(ili_event_is_set(event));
    cr_assert_eq(wait_for(0), IL_ETIMEOUT);
    cr_assert_eq(wait_for(ili_deadline_in(100000)), IL_ETIMEOUT);
    check();
    for (int i = 0; i < 3; i++) cr_assert_eq(set(), IL_OK);
    cr_assert(ili_event_is_set(event));
    for (int i = 0; i < 3; i++) cr_assert_eq(wait_for(i ? ILI_NEVER : 0), IL_OK);
    for (int i = 0; i < 3; i++) cr_assert_eq(clear(), IL_OK);
    cr_assert_not(ili_event_is_set(event));
    cr_assert_eq(wait_for(0), IL_ETIMEOUT);
    check();
    test_leave();
}

Test(sync_event, set_tells_all_though_it_is_cleared_at_once) {
    struct ili_agent *waiters[5], *late;
    struct ili_event_view view;
    open_event();
    for (int i = 0; i < 5; i++) {
        waiters[i] = bell();
        cr_assert_eq(ili_event_enqueue(&test_member, event, waiters[i]), IL_ETIMEOUT);
        check();
    }
    ili_event_look(event, &view);
    cr_assert_eq(view.waiters, 5);
    cr_assert_not(view.set);
    cr_assert_eq(set(), IL_OK);
    check();
    cr_assert_eq(clear(), IL_OK);
    late = bell();
    cr_assert_eq(ili_event_enqueue(&test_member, event, late), IL_ETIMEOUT);
    for (int i = 0; i < 5; i++) cr_assert_eq(ili_event_poll(waiters[i]), IL_OK, "waiter %d", i);
    cr_assert_eq(ili_event_poll(late), IL_ETIMEOUT, "it came after clear()");
    cr_assert_eq(ili_event_withdraw(&test_member, event, late), IL_ETIMEOUT);
    check();
    cr_assert_eq(set(), IL_OK);
    cr_assert_eq(ili_event_enqueue(&test_member, event, late), IL_OK);
    test_leave();
}

Test(sync_event, withdrawn_waiter_that_was_told_says_so) {
    open_event();
    struct ili_agent *one = bell(), *two = bell();
    ili_event_enqueue(&test_member, event, one);
    ili_event_enqueue(&test_member, event, two);
    cr_assert_eq(ili_event_withdraw(&test_member, event, one), IL_ETIMEOUT);
    check();
    set();
    cr_assert_eq(ili_event_withdraw(&test_member, event, two), IL_OK);
    check();
    test_leave();
}

Test(sync_event, deleted_one_tells_everyone) {
    open_event();
    struct ili_agent *waiter = bell();
    ili_event_enqueue(&test_member, event, waiter);
    cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_event_kind, "it", 2), IL_OK);
    cr_assert_eq(ili_event_poll(waiter), IL_EDELETED);
    cr_assert_eq(set(), IL_EDELETED);
    cr_assert_eq(clear(), IL_EDELETED);
    cr_assert_eq(wait_for(ILI_NEVER), IL_EDELETED);
    cr_assert_eq(ili_event_enqueue(&test_member, event, waiter), IL_EDELETED);
    check();
    cr_assert_eq(test_close(event), IL_OK);
    cr_assert_eq(test_check_alloc(), IL_OK);
    test_leave();
}

/* A client's session ends: its waiters leave, the others stay. */
Test(sync_event, ended_session_leaves_the_queue) {
    uint32_t slot;
    struct ili_agent *theirs, *ours;
    open_event();
    cr_assert_eq(ili_slot_claim(&test_member.arena, 0, 0, "client", &slot), IL_OK);
    ili_agent_claim_for(&test_member, slot, ILI_AGENT_BELL, NULL, &theirs);
    ours = bell();
    ili_event_enqueue(&test_member, event, theirs);
    ili_event_enqueue(&test_member, event, ours);
    cr_assert_eq(ili_event_kind.recover(&test_member, test_self(), event, slot), IL_OK);
    check();
    cr_assert_eq(ili_waitq_count(ili_event_kind.waiters(event, 0)), 1);
    cr_assert_null(ili_event_kind.waiters(event, 1));
    set();
    cr_assert_eq(ili_event_poll(ours), IL_OK);
    cr_assert_eq(ili_event_poll(theirs), IL_ETIMEOUT);
    check();
    test_leave();
}

/* ---- threads ---------------------------------------------------------------------------------- */

#define WAITERS 4

static _Atomic int stop;
static _Atomic uint64_t woken[WAITERS], failures;

static void *sleeper(void *argument) {
    uint64_t number = (uintptr_t)argument;
    while (!atomic_load(&stop)) {
        if (wait_for(ili_deadline_in(PATIENCE_NS)) != IL_OK) atomic_fetch_add(&failures, 1);
        atomic_fetch_add(&woken[number], 1);
    }
    return NULL;
}

/* Short waits that may end either way. */
static void *impatient(void *argument) {
    uint64_t random = (uintptr_t)argument;
    while (!atomic_load(&stop)) {
        il_status status = wait_for(ili_deadline_in((int64_t)(test_random(&random) % 50000)));
        if (status != IL_OK && status != IL_ETIMEOUT) atomic_fetch_add(&failures, 1);
    }
    return NULL;
}

static bool sleeps(void *count) {
    struct ili_event_view view;
    ili_event_look(event, &view);
    return view.waiters >= *(uint32_t *)count;
}

/* Everyone who waits when it is set goes on, though it is cleared at once. */
Test(sync_event, nobody_who_waits_is_lost, .timeout = 120) {
    pthread_t threads[WAITERS + 2];
    uint32_t all = WAITERS;
    open_event();
    for (uintptr_t i = 0; i < WAITERS + 2; i++) {
        pthread_create(&threads[i], NULL, i < WAITERS ? sleeper : impatient, (void *)i);
    }
    for (int i = 0; i < 2000; i++) {
        if (i % 4 == 0) {
            cr_assert(test_wait(sleeps, &all, 20), "round %d", i);
            check();
        }
        cr_assert_eq(set(), IL_OK);
        cr_assert_eq(clear(), IL_OK);
    }
    atomic_store(&stop, 1);
    cr_assert_eq(set(), IL_OK);
    for (int i = 0; i < WAITERS + 2; i++) pthread_join(threads[i], NULL);
    cr_assert_eq(failures, 0);
    for (int k = 0; k < WAITERS; k++)
        cr_assert(woken[k] > 100, "%d: %llu", k, (unsigned long long)woken[k]);
    check();
    test_leave();
}

/* What happens before set() is seen by who goes on, also if set() finds it set: else the second set() of a
 * round and the clear() after the first may miss each other. */
#define ROUNDS 100000

static _Atomic long item, taken;

static void *produce(void *unused) {
    (void)unused;
    for (long i = 1; i <= ROUNDS && !atomic_load(&failures); i++) {
        set();
        atomic_store_explicit(&item, i, memory_order_relaxed);
        set();
        while (atomic_load_explicit(&taken, memory_order_relaxed) < i && !atomic_load(&failures)) {
        }
    }
    return NULL;
}

Test(sync_event, set_event_that_is_set_again_is_not_missed, .timeout = 120) {
    pthread_t producer;
    open_event();
    pthread_create(&producer, NULL, produce, NULL);
    while (atomic_load(&taken) < ROUNDS && !atomic_load(&failures)) {
        if (wait_for(ili_deadline_in(2000000000)) != IL_OK) atomic_fetch_add(&failures, 1);
        clear();
        atomic_store_explicit(&taken, atomic_load_explicit(&item, memory_order_relaxed),
                              memory_order_relaxed);
    }
    pthread_join(producer, NULL);
    cr_assert_eq(failures, 0, "round %ld was missed", taken + 1);
    test_leave();
}
