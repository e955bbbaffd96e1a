#include <criterion/criterion.h>
#include <pthread.h>

#include "base/clock.h"
#include "support/member.h"
#include "sync/latch.h"

#define PATIENCE_NS INT64_C(20000000000)

static struct ili_latch *latch;

static struct ili_latch *make_latch(const char *name, uint32_t count) {
    struct ili_latch *made = test_object(&ili_latch_kind, name, &count);
    cr_assert_not_null(made);
    return made;
}

static void open_latch(uint32_t count) {
    cr_assert(test_enter(8 << 20));
    latch = make_latch("it", count);
}

static void check(void) {
    cr_assert_eq(ili_guard_lock(&test_member, test_self(), &latch->guard), IL_OK);
    il_status status = ili_latch_check(&test_member, latch);
    ili_guard_unlock(&test_member, test_self(), &latch->guard);
    cr_assert_eq(status, IL_OK);
}

static struct ili_agent *bell(void) {
    struct ili_agent *agent = NULL;
    cr_assert_eq(ili_agent_claim_bell(&test_member, &agent), IL_OK);
    return agent;
}

static uint32_t count_down(uint32_t count) {
    uint32_t left = UINT32_MAX;
    cr_assert_eq(ili_latch_count_down(&test_member, latch, count, &left), IL_OK);
    check();
    return left;
}

static il_status wait_for(int64_t deadline) {
    return ili_latch_wait(&test_member, latch, deadline);
}

Test(sync_latch, counts_down_and_no_further_than_zero) {
    struct ili_latch_view view;
    open_latch(10);
    cr_assert_eq(count_down(1), 9);
    cr_assert_eq(count_down(3), 6);
    cr_assert_eq(wait_for(0), IL_ETIMEOUT);
    cr_assert_eq(wait_for(ili_deadline_in(100000)), IL_ETIMEOUT);
    check();
    cr_assert_eq(count_down(UINT32_MAX), 0);
    cr_assert_eq(count_down(1), 0);
    cr_assert_eq(wait_for(0), IL_OK);
    cr_assert_eq(wait_for(ILI_NEVER), IL_OK);
    cr_assert_eq(ili_latch_count_down(&test_member, latch, 1, NULL), IL_OK);
    ili_latch_look(latch, &view);
    cr_assert(view.count == 0 && view.start == 10 && view.waiters == 0 && !view.deleted);
    latch = make_latch("nothing", 0);
    cr_assert_eq(wait_for(0), IL_OK);
    latch = make_latch("most", IL_LATCH_MAX);
    cr_assert_eq(count_down(1), IL_LATCH_MAX - 1);
    test_leave();
}

Test(sync_latch, options_are_the_count_it_was_made_with) {
    uint32_t five = 5, six = 6;
    open_latch(5);
    count_down(2);
    cr_assert_eq(test_object(&ili_latch_kind, "it", &five), latch);
    cr_assert_eq(test_object(&ili_latch_kind, "it", NULL), latch);
    cr_assert_null(test_object(&ili_latch_kind, "it", &six));
    test_leave();
}

Test(sync_latch, tells_parked_waiters_at_zero) {
    struct ili_agent *waiters[4];
    open_latch(3);
    for (int i = 0; i < 4; i++) {
        waiters[i] = bell();
        cr_assert_eq(ili_latch_enqueue(&test_member, latch, waiters[i]), IL_ETIMEOUT);
        check();
    }
    cr_assert_eq(count_down(2), 1);
    for (int i = 0; i < 4; i++) cr_assert_eq(ili_latch_poll(waiters[i]), IL_ETIMEOUT);
    cr_assert_eq(ili_latch_withdraw(&test_member, latch, waiters[1]), IL_ETIMEOUT);
    check();
    cr_assert_eq(count_down(1), 0);
    cr_assert_eq(ili_latch_poll(waiters[0]), IL_OK);
    cr_assert_eq(ili_latch_withdraw(&test_member, latch, waiters[2]), IL_OK, "told meanwhile");
    cr_assert_eq(ili_latch_poll(waiters[3]), IL_OK);
    cr_assert_eq(ili_latch_enqueue(&test_member, latch, waiters[1]), IL_OK);
    check();
    test_leave();
}

Test(sync_latch, deleted_one_tells_everyone) {
    open_latch(3);
    struct ili_agent *waiter = bell();
    ili_latch_enqueue(&test_member, latch, waiter);
    cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_latch_kind, "it", 2), IL_OK);
    cr_assert_eq(ili_latch_poll(waiter), IL_EDELETED);
    cr_assert_eq(wait_for(ILI_NEVER), IL_EDELETED);
    cr_assert_eq(ili_latch_count_down(&test_member, latch, 1, NULL), IL_EDELETED);
    check();
    cr_assert_eq(test_close(latch), IL_OK);
    cr_assert_eq(test_check_alloc(), IL_OK);
    test_leave();
}

Test(sync_latch, ended_session_leaves_the_queue) {
    uint32_t slot;
    struct ili_agent *theirs, *ours;
    open_latch(2);
    cr_assert_eq(ili_slot_claim(&test_member.arena, 0, 0, "client", &slot), IL_OK);
    ili_agent_claim_for(&test_member, slot, ILI_AGENT_BELL, NULL, &theirs);
    ili_latch_enqueue(&test_member, latch, theirs);
    cr_assert_eq(ili_latch_kind.recover(&test_member, test_self(), latch, slot), IL_OK);
    check();
    cr_assert_eq(ili_waitq_count(ili_latch_kind.waiters(latch, 0)), 0);
    ours = bell();
    ili_latch_enqueue(&test_member, latch, ours);
    count_down(2);
    cr_assert_eq(ili_latch_poll(ours), IL_OK);
    test_leave();
}

/* ---- threads ---------------------------------------------------------------------------------- */

#define THREADS 6
#define EACH 50

static _Atomic uint64_t failures;
static _Atomic uint64_t counted; /* before each count_down */

static void *work(void *argument) {
    uintptr_t number = (uintptr_t)argument;
    if (number % 2) { /* waits, then sees all that was counted */
        if (wait_for(ili_deadline_in(PATIENCE_NS)) != IL_OK) atomic_fetch_add(&failures, 1);
        if (atomic_load_explicit(&counted, memory_order_relaxed) != THREADS / 2 * EACH)
            atomic_fetch_add(&failures, 1);
        return NULL;
    }
    for (int i = 0; i < EACH; i++) {
        atomic_fetch_add_explicit(&counted, 1, memory_order_relaxed);
        if (i % 10 == 0) (void)wait_for(ili_deadline_in(1000));
        if (ili_latch_count_down(&test_member, latch, 1, NULL) != IL_OK)
            atomic_fetch_add(&failures, 1);
    }
    return NULL;
}

Test(sync_latch, everyone_goes_on_at_zero, .timeout = 120) {
    cr_assert(test_enter(8 << 20));
    for (int round = 0; round < 200; round++) {
        pthread_t threads[THREADS];
        uint32_t count = THREADS / 2 * EACH;
        latch = test_object(&ili_latch_kind, NULL, &count);
        cr_assert_not_null(latch);
        atomic_store(&counted, 0);
        for (uintptr_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)i);
        for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
        cr_assert_eq(failures, 0, "round %d", round);
        check();
        cr_assert_eq(test_close(latch), IL_OK);
    }
    cr_assert_eq(test_check_alloc(), IL_OK);
    test_leave();
}
