#include <criterion/criterion.h>
#include <pthread.h>

#include "base/clock.h"
#include "support/member.h"
#include "sync/barrier.h"

#define PATIENCE_NS INT64_C(20000000000)

static struct ili_barrier *barrier;

static void open_barrier(uint32_t parties) {
    cr_assert(test_enter(8 << 20));
    barrier = test_object(&ili_barrier_kind, "it", &parties);
    cr_assert_not_null(barrier);
}

static void check(void) {
    cr_assert_eq(ili_guard_lock(&test_member, test_self(), &barrier->guard), IL_OK);
    il_status status = ili_barrier_check(&test_member, barrier);
    ili_guard_unlock(&test_member, test_self(), &barrier->guard);
    cr_assert_eq(status, IL_OK);
}

static struct ili_barrier_view look(void) {
    struct ili_barrier_view view;
    check();
    ili_barrier_look(barrier, &view);
    return view;
}

static struct ili_agent *bell(void) {
    struct ili_agent *agent = NULL;
    cr_assert_eq(ili_agent_claim_bell(&test_member, &agent), IL_OK);
    return agent;
}

static il_status enqueue(struct ili_agent *waiter) {
    return ili_barrier_enqueue(&test_member, barrier, waiter);
}

Test(sync_barrier, gives_each_party_an_index_and_the_last_zero) {
    struct ili_agent *waiters[4];
    uint32_t index;
    open_barrier(4);
    for (int i = 0; i < 4; i++) waiters[i] = bell();
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 3; i++) {
            cr_assert_eq(enqueue(waiters[i]), IL_ETIMEOUT);
            cr_assert_eq(look().waiting, i + 1);
            cr_assert_eq(ili_barrier_poll(waiters[i], &index), IL_ETIMEOUT);
        }
        if (round % 2) {
            index = 99;
            cr_assert_eq(ili_barrier_wait(&test_member, barrier, 0, &index), IL_OK);
            cr_assert_eq(index, 0);
        } else {
            cr_assert_eq(enqueue(waiters[3]), IL_OK);
        }
        cr_assert_eq(look().waiting, 0);
        for (uint32_t i = 0; i < 3; i++) {
            cr_assert_eq(ili_barrier_poll(waiters[i], &index), IL_OK);
            cr_assert_eq(index, 3 - i);
        }
    }
    test_leave();
}

Test(sync_barrier, of_one_party_never_waits) {
    uint32_t index = 9;
    open_barrier(1);
    for (int i = 0; i < 3; i++) cr_assert_eq(ili_barrier_wait(&test_member, barrier, 0, &index), 0);
    cr_assert_eq(index, 0);
    cr_assert_eq(ili_barrier_wait(&test_member, barrier, ILI_NEVER, NULL), IL_OK);
    cr_assert_eq(look().parties, 1);
    test_leave();
}

/* Two wait; then BREAK_IT; both are told, and so is who comes, until reset(). */
static void is_broken_by(il_status (*break_it)(struct ili_agent *first), bool first_told) {
    uint32_t index = 77;
    open_barrier(4);
    struct ili_agent *one = bell(), *two = bell(), *three = bell();
    enqueue(one);
    enqueue(two);
    cr_assert_eq(break_it(one), IL_OK);
    cr_assert(look().broken);
    cr_assert_eq(look().waiting, 0);
    if (first_told) cr_assert_eq(ili_barrier_poll(one, &index), IL_EBROKEN);
    cr_assert_eq(ili_barrier_poll(two, &index), IL_EBROKEN);
    cr_assert_eq(index, 77);
    cr_assert_eq(enqueue(three), IL_EBROKEN);
    cr_assert_eq(ili_barrier_wait(&test_member, barrier, ILI_NEVER, &index), IL_EBROKEN);
    cr_assert_eq(ili_barrier_wait(&test_member, barrier, 0, &index), IL_EBROKEN);
    cr_assert_eq(ili_barrier_reset(&test_member, barrier), IL_OK);
    cr_assert_not(look().broken);
    one = bell(); /* the one before may be a dead session's */
    cr_assert_eq(enqueue(one), IL_ETIMEOUT);
    cr_assert_eq(enqueue(two), IL_ETIMEOUT);
    cr_assert_eq(enqueue(three), IL_ETIMEOUT);
    cr_assert_eq(ili_barrier_wait(&test_member, barrier, 0, &index), IL_OK);
    cr_assert_eq(ili_barrier_poll(one, &index), IL_OK);
    cr_assert_eq(index, 3);
    test_leave();
}

static il_status abort_it(struct ili_agent *first) {
    (void)first;
    return ili_barrier_abort(&test_member, barrier);
}
static il_status withdraw(struct ili_agent *first) {
    uint32_t index;
    return ili_barrier_withdraw(&test_member, barrier, first, &index) == IL_ETIMEOUT ? IL_OK : -1;
}
static il_status time_out(struct ili_agent *first) {
    uint32_t index;
    (void)first;
    il_status status = ili_barrier_wait(&test_member, barrier, ili_deadline_in(100000), &index);
    return status == IL_ETIMEOUT ? IL_OK : -1;
}
static il_status do_not_wait(struct ili_agent *first) {
    uint32_t index;
    (void)first;
    return ili_barrier_wait(&test_member, barrier, 0, &index) == IL_ETIMEOUT ? IL_OK : -1;
}
static il_status interrupt(struct ili_agent *first) {
    (void)first;
    ili_thread_keep_interrupt(ili_thread_current());
    return ili_barrier_wait(&test_member, barrier, ILI_NEVER, NULL) == IL_EINTR ? IL_OK : -1;
}
static il_status end_a_session(struct ili_agent *first) {
    uint32_t slot;
    (void)first;
    struct ili_agent *theirs;
    if (ili_slot_claim(&test_member.arena, 0, 0, "client", &slot) != IL_OK) return -1;
    /* no waiter of it: nothing happens */
    if (ili_barrier_kind.recover(&test_member, test_self(), barrier, slot) != IL_OK) return -1;
    if (look().broken || look().waiting != 2) return -1;
    ili_agent_claim_for(&test_member, slot, ILI_AGENT_BELL, NULL, &theirs);
    if (enqueue(theirs) != IL_ETIMEOUT) return -1;
    return ili_barrier_kind.recover(&test_member, test_self(), barrier, slot);
}

Test(sync_barrier, is_broken_by_abort) { is_broken_by(abort_it, true); }
Test(sync_barrier, is_broken_by_a_withdrawn_wait) { is_broken_by(withdraw, false); }
Test(sync_barrier, is_broken_by_a_wait_that_times_out) { is_broken_by(time_out, true); }
Test(sync_barrier, is_broken_by_a_wait_that_does_not_wait) { is_broken_by(do_not_wait, true); }
Test(sync_barrier, is_broken_by_a_wait_that_is_interrupted) { is_broken_by(interrupt, true); }
Test(sync_barrier, is_broken_by_the_end_of_a_session) { is_broken_by(end_a_session, true); }

Test(sync_barrier, reset_ends_the_waits_and_leaves_it_whole) {
    uint32_t index;
    open_barrier(2);
    struct ili_agent *one = bell();
    cr_assert_eq(ili_barrier_reset(&test_member, barrier), IL_OK);
    enqueue(one);
    cr_assert_eq(ili_barrier_reset(&test_member, barrier), IL_OK);
    cr_assert_eq(ili_barrier_poll(one, &index), IL_EBROKEN);
    cr_assert_not(look().broken);
    cr_assert_eq(enqueue(one), IL_ETIMEOUT);
    cr_assert_eq(ili_barrier_wait(&test_member, barrier, 0, &index), IL_OK);
    /* told meanwhile: a withdrawal does not break what is complete */
    cr_assert_eq(ili_barrier_withdraw(&test_member, barrier, one, &index), IL_OK);
    cr_assert_eq(index, 1);
    cr_assert_not(look().broken);
    test_leave();
}

Test(sync_barrier, deleted_one_tells_everyone) {
    uint32_t index;
    open_barrier(3);
    struct ili_agent *one = bell();
    enqueue(one);
    cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_barrier_kind, "it", 2), IL_OK);
    cr_assert_eq(ili_barrier_poll(one, &index), IL_EDELETED);
    cr_assert_eq(enqueue(one), IL_EDELETED);
    cr_assert_eq(ili_barrier_wait(&test_member, barrier, ILI_NEVER, NULL), IL_EDELETED);
    cr_assert_eq(ili_barrier_reset(&test_member, barrier), IL_EDELETED);
    cr_assert_eq(ili_barrier_abort(&test_member, barrier), IL_EDELETED);
    check();
    cr_assert_eq(test_close(barrier), IL_OK);
    cr_assert_eq(test_check_alloc(), IL_OK);
    test_leave();
}

/* ---- threads ---------------------------------------------------------------------------------- */

#define PARTIES 4
#define ROUNDS 2000

static _Atomic uint64_t failures;
static _Atomic uint32_t indices[ROUNDS], arrived[ROUNDS];

static void *attend(void *argument) {
    uint64_t random = (uintptr_t)argument;
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t index = PARTIES;
        if (test_random(&random) % 4 == 0) sched_yield();
        atomic_fetch_add_explicit(&arrived[i], 1, memory_order_relaxed);
        if (ili_barrier_wait(&test_member, barrier, ili_deadline_in(PATIENCE_NS), &index) != IL_OK)
            atomic_fetch_add(&failures, 1);
        if (atomic_load_explicit(&arrived[i], memory_order_relaxed) != PARTIES)
            atomic_fetch_add(&failures, 1);
        atomic_fetch_or(&indices[i], 1u << index);
    }
    return NULL;
}

Test(sync_barrier, nobody_goes_on_alone, .timeout = 120) {
    pthread_t threads[PARTIES];
    open_barrier(PARTIES);
    for (uintptr_t i = 0; i < PARTIES; i++) pthread_create(&threads[i], NULL, attend, (void *)i);
    for (int i = 0; i < PARTIES; i++) pthread_join(threads[i], NULL);
    cr_assert_eq(failures, 0);
    for (int i = 0; i < ROUNDS; i++)
        cr_assert_eq(indices[i], (1u << PARTIES) - 1, "round %d: %#x", i, indices[i]);
    cr_assert_eq(look().waiting, 0);
    test_leave();
}

/* Waits that break it, resets, and patient ones that reset it and go on: everyone comes to an end. */
static _Atomic int stop;
static _Atomic uint64_t met;

static void *insist(void *argument) {
    uint64_t random = (uintptr_t)argument + 100;
    while (!atomic_load(&stop)) {
        bool hurry = (uintptr_t)argument == 0 && test_random(&random) % 8 == 0;
        int64_t limit = hurry ? (int64_t)(test_random(&random) % 40000) : PATIENCE_NS;
        il_status status = ili_barrier_wait(&test_member, barrier, ili_deadline_in(limit), NULL);
        if (status == IL_OK) atomic_fetch_add(&met, 1);
        struct ili_barrier_view view;
        ili_barrier_look(barrier, &view);
        if (status != IL_OK && view.broken) ili_barrier_reset(&test_member, barrier);
        if (status != IL_OK && status != IL_EBROKEN && !(hurry && status == IL_ETIMEOUT))
            atomic_fetch_add(&failures, 1);
    }
    return NULL;
}

static bool have_met(void *unused) {
    (void)unused;
    return atomic_load(&met) > 2000 || atomic_load(&failures);
}

Test(sync_barrier, goes_on_after_it_was_broken, .timeout = 120) {
    pthread_t threads[3];
    open_barrier(3);
    for (uintptr_t i = 0; i < 3; i++) pthread_create(&threads[i], NULL, insist, (void *)i);
    bool well = test_wait(have_met, NULL, 60);
    uint64_t failed = atomic_load(&failures); /* IL_EDELETED will be one */
    atomic_store(&stop, 1);
    ili_names_delete(&test_member, test_self(), &ili_barrier_kind, "it", 2);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    cr_assert(well, "%llu", (unsigned long long)met);
    cr_assert_eq(failed, 0);
    test_leave();
}
