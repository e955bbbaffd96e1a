#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

#include "arena/lease.h"
#include "arena/loss.h"
#include "base/clock.h"
#include "support/member.h"
#include "sync/semaphore.h"

static struct ili_semaphore *sem;

static void open_semaphore(uint32_t flags, uint32_t value) {
    il_semaphore_options options = {sizeof options, flags, value, 0};
    cr_assert(test_enter(8 << 20));
    sem = test_object(&ili_semaphore_kind, "it", &options);
    cr_assert_not_null(sem);
}

static bool is_sound(void *unused) {
    (void)unused;
    cr_assert_eq(ili_guard_lock(&test_member, test_self(), &sem->held.guard), IL_OK);
    il_status status = ili_semaphore_check(&test_member, sem);
    ili_guard_unlock(&test_member, test_self(), &sem->held.guard);
    return status == IL_OK;
}

static void check(void) { cr_assert(is_sound(NULL)); }

static uint32_t me(void) { return ili_agent_number(&test_member.arena, test_self()); }

static struct ili_agent *bell(void) {
    struct ili_agent *agent = NULL;
    cr_assert_eq(ili_agent_claim_bell(&test_member, &agent), IL_OK);
    return agent;
}

/* An owner of the session of SLOT. */
static uint32_t owner_in_slot(uint32_t slot) {
    struct ili_agent *agent = NULL;
    cr_assert_eq(ili_agent_claim_for(&test_member, slot, ILI_AGENT_OWNER, "owner", &agent), IL_OK);
    return ili_agent_number(&test_member.arena, agent);
}

static uint32_t other_slot(void) {
    uint32_t slot = 0;
    cr_assert_eq(ili_slot_claim(&test_member.arena, 1, 1, "other", &slot), IL_OK);
    return slot;
}

static uint32_t value(void) {
    struct ili_semaphore_view view;
    ili_semaphore_look(&test_member, sem, &view);
    return view.value;
}

static uint64_t take(uint32_t owner, uint32_t count) {
    uint64_t token = 0;
    cr_assert_eq(ili_semaphore_try(&test_member, sem, owner, count, &token), IL_OK);
    check();
    return token;
}

static void expect_try(uint32_t owner, uint32_t count, il_status status) {
    uint64_t token = 7;
    cr_assert_eq(ili_semaphore_try(&test_member, sem, owner, count, &token), status);
    cr_assert_eq(token, 7, "an out parameter was touched by a failure");
    check();
}

static void give(uint32_t owner, uint32_t count, uint64_t token, il_status status) {
    il_status got = ili_semaphore_release(&test_member, sem, owner, count, token);
    cr_assert_eq(got, status, "%d, not %d", got, status);
    check();
}

static bool give_fast(uint32_t owner, uint32_t count, const struct ili_held_near *near,
                      uint64_t token) {
    il_status status = IL_OK;
    bool done = ili_semaphore_give_fast(&test_member, sem, owner, count, near, token, &status);
    return done && status == IL_OK;
}

static size_t grants_of(struct ili_grant *grants, size_t room) {
    return ili_semaphore_kind.grants(&test_member, sem, grants, room);
}

Test(sync_semaphore, has_as_many_permits_as_it_was_made_with) {
    open_semaphore(0, 3);
    uint64_t first = take(me(), 2), second = take(me(), 1);
    cr_assert(second > first);
    cr_assert_eq(value(), 0);
    expect_try(me(), 1, IL_ETIMEOUT);
    give(me(), 2, first, IL_OK);
    cr_assert_eq(value(), 2);
    give(me(), 1, first, IL_ESTALE);
    give(me(), 1, second, IL_OK);
    give(me(), 1, second, IL_ENOTHELD);
    give(me(), 1, second + 9, IL_ENOTHELD);
    cr_assert_eq(value(), 3);
    cr_assert_eq(atomic_load(&sem->held.word) & ILI_HELD_SLOW, 0, "it is not fast again");
    test_leave();
}

Test(sync_semaphore, fast_and_slow_paths_agree) {
    static struct ili_held_near near;
    uint64_t token = 0, previous = 0;
    open_semaphore(0, 4);
    for (int i = 0; i < 60; i++) {
        uint32_t count = 1 + (uint32_t)i % 4;
        if (!(i % 3 && ili_semaphore_take_fast(&test_member, sem, me(), count, &near, &token))) {
            cr_assert_eq(i % 3, 0, "the fast path does not come after round %d", i);
            token = take(me(), count);
            ili_semaphore_remember(&test_member, sem, &near, me());
        }
        cr_assert_eq(value(), 4 - count);
        check();
        cr_assert(previous == 0 || token == previous + 1);
        previous = token;
        struct ili_grant grant;
        cr_assert_eq(grants_of(&grant, 1), 1);
        cr_assert_eq(grant.token, token);
        cr_assert_eq(grant.count, count);
        cr_assert_eq(grant.owner, me());
        cr_assert_not(give_fast(me(), count + 1, &near, token));
        cr_assert_not(give_fast(me(), count, &near, token - 1));
        cr_assert_not(give_fast(me() + 1, count, &near, token));
        if (i % 2 && i % 3) {
            cr_assert(give_fast(me(), count, &near, token));
        } else {
            give(me(), count, i % 4 ? token : 0, IL_OK);
        }
        cr_assert_eq(value(), 4);
    }
    test_leave();
}

Test(sync_semaphore, keeps_a_grant_that_is_given_back_in_parts) {
    open_semaphore(0, 10);
    uint64_t token = take(me(), 5);
    give(me(), 2, token, IL_OK);
    cr_assert_eq(value(), 7);
    give(me(), 4, token, IL_EOVERFLOW);
    give(me(), 1, 0, IL_OK);
    give(me(), 2, token, IL_OK);
    cr_assert_eq(value(), 10);
    test_leave();
}

Test(sync_semaphore, belongs_to_the_session) {
    open_semaphore(0, 5);
    uint32_t mine = me(), sibling = owner_in_slot(test_member.slot);
    uint32_t stranger = owner_in_slot(other_slot());
    uint64_t token = take(mine, 2);
    give(stranger, 1, token, IL_ENOTHELD);
    give(sibling, 1, token, IL_OK);
    uint64_t own = take(sibling, 1);
    give(sibling, 1, 0, IL_OK); /* its own first */
    give(sibling, 1, own, IL_ENOTHELD);
    give(sibling, 1, 0, IL_OK); /* then the session's */
    cr_assert_eq(value(), 5);
    give(stranger, 3, 0, IL_OK); /* who holds nothing adds some */
    cr_assert_eq(value(), 8);
    take(mine, 1);
    give(mine, 2, 0, IL_OK);
    cr_assert_eq(value(), 9, "one back, one more");
    test_leave();
}

Test(sync_semaphore, bounded_one_refuses_more_than_it_was_made_with) {
    open_semaphore(IL_SEMAPHORE_BOUNDED, 2);
    give(me(), 1, 0, IL_EOVERFLOW);
    expect_try(me(), 3, IL_EINVAL);
    uint64_t token = take(me(), 1);
    give(me(), 2, 0, IL_EOVERFLOW);
    cr_assert_eq(value(), 1);
    uint32_t stranger = owner_in_slot(other_slot());
    give(stranger, 1, 0, IL_OK); /* as in Python */
    give(me(), 1, 0, IL_EOVERFLOW);
    cr_assert_eq(ili_semaphore_break(&test_member, sem, token, IL_EREVOKED, NULL), IL_OK);
    cr_assert_eq(value(), 2, "never more than the bound");
    test_leave();
}

Test(sync_semaphore, refuses_more_than_the_most) {
    open_semaphore(0, IL_SEMAPHORE_MAX);
    give(me(), 1, 0, IL_EOVERFLOW);
    uint64_t token = take(me(), IL_SEMAPHORE_MAX);
    cr_assert_eq(value(), 0);
    give(me(), IL_SEMAPHORE_MAX, token, IL_OK);
    cr_assert_eq(value(), IL_SEMAPHORE_MAX);
    test_leave();
}

Test(sync_semaphore, signal_is_consumed_and_held_by_nobody) {
    uint64_t token = 0, later = 0;
    struct ili_grant grant;
    open_semaphore(IL_SEMAPHORE_SIGNAL, 0);
    expect_try(me(), 1, IL_ETIMEOUT);
    give(me(), 3, 0, IL_OK);
    cr_assert(ili_semaphore_take_signal(sem, 2, &token));
    later = take(me(), 1);
    cr_assert(later > token);
    cr_assert_eq(value(), 0);
    cr_assert_eq(grants_of(&grant, 1), 0);
    give(me(), 1, later, IL_ENOTHELD);
    cr_assert_eq(ili_semaphore_lease(&test_member, sem, me(), later, 1000000), IL_EINVAL);
    cr_assert_eq(ili_semaphore_kind.recover(&test_member, test_self(), sem, test_member.slot),
                 IL_OK);
    cr_assert_eq(value(), 0, "a death brings nothing back");
    struct ili_agent *waiter = bell();
    cr_assert_eq(ili_semaphore_enqueue(&test_member, sem, waiter, me(), 2, &token), IL_ETIMEOUT);
    give(me(), 1, 0, IL_OK);
    cr_assert_eq(ili_semaphore_poll(waiter, &token), IL_ETIMEOUT);
    give(me(), 2, 0, IL_OK);
    cr_assert_eq(ili_semaphore_poll(waiter, &token), IL_OK);
    cr_assert_eq(value(), 1);
    cr_assert(ili_semaphore_give_signal(sem, 1, IL_SEMAPHORE_MAX));
    cr_assert_not(ili_semaphore_give_signal(sem, 1, 2));
    cr_assert_eq(value(), 2);
    test_leave();
}

Test(sync_semaphore, serves_parked_waiters_in_order) {
    enum { WAITERS = 20 };
    struct ili_agent *waiters[WAITERS];
    uint32_t owners[WAITERS];
    uint64_t token = 0, tokens[WAITERS];
    open_semaphore(0, 2);
    uint64_t first = take(me(), 2);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = bell();
        owners[i] = owner_in_slot(test_member.slot);
        cr_assert_eq(
            ili_semaphore_enqueue(&test_member, sem, waiters[i], owners[i], 1 + i % 2, &token),
            IL_ETIMEOUT);
        check();
    }
    give(me(), 1, first, IL_OK);
    cr_assert_eq(ili_semaphore_poll(waiters[0], &tokens[0]), IL_OK);
    give(me(), 1, first, IL_OK);
    cr_assert_eq(ili_semaphore_poll(waiters[1], &token), IL_ETIMEOUT, "it wants two");
    cr_assert_eq(ili_semaphore_poll(waiters[2], &token), IL_ETIMEOUT, "it comes later");
    expect_try(me(), 1, IL_ETIMEOUT); /* nor does anybody else */
    for (int i = 0; i + 1 < WAITERS; i++) {
        give(owners[i], 1 + i % 2, tokens[i], IL_OK);
        cr_assert_eq(ili_semaphore_poll(waiters[i + 1], &tokens[i + 1]), IL_OK, "%d", i);
        cr_assert(tokens[i + 1] > tokens[i]);
    }
    give(owners[WAITERS - 1], 2, tokens[WAITERS - 1], IL_OK);
    cr_assert_eq(value(), 2);
    cr_assert_eq(atomic_load(&sem->held.word) & ILI_HELD_SLOW, 0);
    test_leave();
}

Test(sync_semaphore, withdrawn_waiter_lets_those_behind_it_go_on) {
    uint64_t token = 0;
    open_semaphore(0, 2);
    take(me(), 1);
    struct ili_agent *large = bell(), *small = bell();
    cr_assert_eq(ili_semaphore_enqueue(&test_member, sem, large, me(), 2, &token), IL_ETIMEOUT);
    cr_assert_eq(ili_semaphore_enqueue(&test_member, sem, small, me(), 1, &token), IL_ETIMEOUT);
    cr_assert_eq(ili_semaphore_withdraw(&test_member, sem, large, &token), IL_ETIMEOUT);
    check();
    cr_assert_eq(ili_semaphore_poll(small, &token), IL_OK);
    cr_assert_eq(value(), 0);
    test_leave();
}

Test(sync_semaphore, death_returns_what_the_session_holds) {
    uint64_t token = 0;
    open_semaphore(0, 4);
    uint32_t slot = other_slot(), dead = owner_in_slot(slot), sibling = owner_in_slot(slot);
    take(dead, 1);
    take(sibling, 2);
    uint64_t mine = take(me(), 1);
    struct ili_agent *waiter = bell(), *its = bell();
    cr_assert_eq(ili_semaphore_enqueue(&test_member, sem, its, dead, 1, &token), IL_ETIMEOUT);
    cr_assert_eq(ili_semaphore_enqueue(&test_member, sem, waiter, me(), 2, &token), IL_ETIMEOUT);
    cr_assert_eq(ili_semaphore_kind.recover(&test_member, test_self(), sem, slot), IL_OK);
    check();
    cr_assert_eq(ili_semaphore_poll(its, &token), IL_ESESSION);
    cr_assert_eq(ili_semaphore_poll(waiter, &token), IL_OK);
    cr_assert_eq(value(), 1);
    give(me(), 1, mine, IL_OK);
    give(me(), 2, token, IL_OK);
    cr_assert_eq(value(), 4);
    /* the one in the word as well */
    take(dead, 3);
    cr_assert_eq(ili_semaphore_kind.recover(&test_member, test_self(), sem, slot), IL_OK);
    cr_assert_eq(value(), 4);
    test_leave();
}

Test(sync_semaphore, thread_that_ends_leaves_its_permits_to_the_session) {
    struct ili_agent *ended, *home = NULL;
    struct ili_grant grant;
    open_semaphore(0, 2);
    ended = bell();
    cr_assert_eq(ili_agent_home(&test_member, &home), IL_OK);
    uint64_t token = take(ili_agent_number(&test_member.arena, ended), 1);
    cr_assert_eq(ili_semaphore_kind.thread_end(&test_member, test_self(), sem, ended, home), IL_OK);
    check();
    cr_assert_eq(grants_of(&grant, 1), 1);
    cr_assert_eq(grant.owner, ili_agent_number(&test_member.arena, home));
    give(me(), 1, token, IL_OK);
    test_leave();
}

Test(sync_semaphore, revoked_grant_tells_why) {
    struct ili_loss_copy loss;
    uint64_t token = 0;
    open_semaphore(0, 3);
    uint64_t first = take(me(), 1), second = take(me(), 1), third = take(me(), 1);
    struct ili_agent *waiter = bell();
    cr_assert_eq(ili_semaphore_enqueue(&test_member, sem, waiter, me(), 1, &token), IL_ETIMEOUT);
    cr_assert_eq(ili_semaphore_check_token(&test_member, sem, first), IL_OK);
    cr_assert_eq(ili_semaphore_break(&test_member, sem, first, IL_EREVOKED, "why not"), IL_OK);
    check();
    cr_assert_eq(ili_semaphore_poll(waiter, &token), IL_OK);
    cr_assert_eq(ili_semaphore_check_token(&test_member, sem, first), IL_EREVOKED);
    cr_assert(ili_loss_find(&test_member.arena, ili_off_of(&test_member.arena, sem), first, &loss));
    cr_assert_str_eq(loss.reason, "why not");
    give(me(), 1, first, IL_EREVOKED);
    cr_assert_eq(ili_semaphore_break(&test_member, sem, first, IL_EREVOKED, NULL), IL_EREVOKED);
    cr_assert_eq(ili_semaphore_kind.revoke(&test_member, test_self(), sem, second, IL_ELEASE, NULL),
                 IL_OK);
    give(me(), 1, second, IL_ELEASE);
    cr_assert_eq(ili_semaphore_lease(&test_member, sem, me(), second, 5), IL_ELEASE);
    cr_assert_eq(ili_semaphore_break(&test_member, sem, 0, IL_EREVOKED, NULL), IL_OK);
    give(me(), 1, third, IL_EREVOKED);
    cr_assert_eq(value(), 3);
    cr_assert_eq(ili_semaphore_break(&test_member, sem, 0, IL_EREVOKED, NULL), IL_ENOTHELD);
    test_leave();
}

Test(sync_semaphore, lease_lives_as_long_as_its_grant) {
    static struct ili_held_near near;
    struct ili_grant grant;
    open_semaphore(0, 3);
    uint64_t token = take(me(), 1), other;
    ili_off at = ili_off_of(&test_member.arena, sem);
    cr_assert_eq(ili_semaphore_lease(&test_member, sem, me(), token, INT64_C(1000000000)), IL_OK);
    check();
    cr_assert_eq(grants_of(&grant, 1), 1);
    struct ili_lease *lease = ili_lease_of(&test_member.arena, grant.lease, at, token);
    cr_assert_not_null(lease);
    cr_assert_not(give_fast(me(), 1, &near, token));
    ili_semaphore_remember(&test_member, sem, &near, me());
    cr_assert_not(give_fast(me(), 1, &near, token));
    cr_assert_not(ili_semaphore_take_fast(&test_member, sem, me(), 1, &near, &other));
    cr_assert_eq(ili_semaphore_lease(&test_member, sem, me(), 0, INT64_C(9000000000)), IL_OK);
    cr_assert_eq(atomic_load(&lease->duration_ns), INT64_C(9000000000));
    give(me(), 1, token, IL_OK);
    cr_assert_null(ili_lease_of(&test_member.arena, grant.lease, at, token));
    token = take(me(), 1);
    cr_assert_eq(ili_semaphore_lease(&test_member, sem, me(), token, INT64_C(1000000000)), IL_OK);
    cr_assert_eq(ili_semaphore_lease(&test_member, sem, me(), token, 0), IL_OK);
    give(me(), 1, token, IL_OK);
    cr_assert_eq(atomic_load(&sem->held.word) & ILI_HELD_SLOW, 0);
    cr_assert_eq(ili_semaphore_lease(&test_member, sem, me(), 0, 5), IL_ENOTHELD);
    test_leave();
}

Test(sync_semaphore, end_tells_everyone) {
    static struct ili_held_near near;
    uint64_t token = 0;
    open_semaphore(0, 1);
    uint64_t mine = take(me(), 1);
    ili_semaphore_remember(&test_member, sem, &near, me());
    struct ili_agent *waiter = bell();
    ili_semaphore_enqueue(&test_member, sem, waiter, me(), 1, &token);
    cr_assert_eq(ili_semaphore_kind.end(&test_member, test_self(), sem), IL_OK);
    cr_assert_eq(ili_semaphore_poll(waiter, &token), IL_EDELETED);
    cr_assert_not(give_fast(me(), 1, &near, mine));
    give(me(), 1, mine, IL_EDELETED);
    expect_try(me(), 1, IL_EDELETED);
    cr_assert_gt(atomic_load(&test_member.arena.header->token_floor), mine);
    test_leave();
}

Test(sync_semaphore, gate_names_the_holders) {
    struct ili_gate_holder holders[4];
    struct ili_gate gate = {.holder_room = 4, .holders = holders};
    uint64_t token = 0;
    open_semaphore(IL_DEADLOCK_REPORT, 3);
    uint32_t other = owner_in_slot(test_member.slot);
    take(me(), 1);
    take(other, 1);
    struct ili_agent *waiter = bell(), *greedy = bell();
    ili_semaphore_enqueue(&test_member, sem, waiter, me(), 2, &token);
    ili_semaphore_enqueue(&test_member, sem, greedy, me(), 4, &token);
    ili_semaphore_kind.gate(&test_member, sem, waiter, &gate);
    cr_assert_eq(gate.need, 2);
    cr_assert_eq(gate.have, 1);
    cr_assert_eq(gate.holder_count, 2);
    cr_assert_eq(holders[0].owner + holders[1].owner, me() + other);
    cr_assert(gate.behind && gate.report && !gate.overflow);
    gate.holder_count = 0;
    ili_semaphore_kind.gate(&test_member, sem, greedy, &gate);
    cr_assert_eq(gate.need, 0, "only somebody else can help");
    test_leave();
}

Test(sync_semaphore, costs_no_memory_once_it_is_gone) {
    uint64_t tokens[40];
    open_semaphore(0, 100);
    uint64_t before = ili_alloc_available(&test_member);
    il_semaphore_options options = {sizeof options, 0, 100, 0};
    sem = test_object(&ili_semaphore_kind, NULL, &options);
    for (int i = 0; i < 40; i++) tokens[i] = take(me(), 1);
    for (int i = 0; i < 40; i++) give(me(), 1, tokens[(i * 7) % 40], IL_OK);
    cr_assert_lt(ili_alloc_available(&test_member), before);
    cr_assert_eq(test_close(sem), IL_OK);
    cr_assert_eq(ili_alloc_available(&test_member), before);
    cr_assert_eq(test_check_alloc(), IL_OK);
    test_leave();
}

Test(sync_semaphore, lacks_memory_without_harm) {
    uint64_t token = 0;
    unsigned taken = 0;
    il_semaphore_options options = {sizeof options, 0, 3000000, 0};
    cr_assert(test_enter(1 << 20));
    sem = test_object(&ili_semaphore_kind, "it", &options);
    cr_assert_not_null(sem);
    while (ili_semaphore_try(&test_member, sem, me(), 1, &token) == IL_OK) taken++;
    cr_assert_eq(ili_semaphore_try(&test_member, sem, me(), 1, &token), IL_ENOMEM);
    check();
    cr_assert_eq(value(), 3000000 - taken);
    give(me(), taken, 0, IL_OK);
    cr_assert_eq(value(), 3000000);
    test_leave();
}

Test(sync_semaphore, permits_that_others_give_take_no_room_without_limit) {
    struct ili_grant grants[2 * ILI_SEMAPHORE_GRANTS];
    uint64_t tokens[3 * ILI_SEMAPHORE_GRANTS];
    uint64_t held = 0;
    open_semaphore(0, 0);
    uint32_t producer = owner_in_slot(other_slot());
    for (uint32_t i = 0; i < 3 * ILI_SEMAPHORE_GRANTS; i++) {
        give(producer, 2, 0, IL_OK);
        tokens[i] = take(me(), 2);
    }
    cr_assert_eq(grants_of(grants, 2 * ILI_SEMAPHORE_GRANTS), ILI_SEMAPHORE_GRANTS);
    for (uint32_t i = 0; i < ILI_SEMAPHORE_GRANTS; i++) held += grants[i].count;
    cr_assert_eq(held, 6 * ILI_SEMAPHORE_GRANTS, "no permit is lost");
    give(me(), 1, tokens[0], IL_ESTALE);
    give(me(), 2, tokens[3 * ILI_SEMAPHORE_GRANTS - 1], IL_OK);
    cr_assert_eq(value(), 2);
    cr_assert_eq(ili_semaphore_kind.recover(&test_member, test_self(), sem, test_member.slot),
                 IL_OK);
    check();
    cr_assert_eq(value(), 6 * ILI_SEMAPHORE_GRANTS);
    test_leave();
}

Test(sync_semaphore, grants_of_a_pool_keep_their_tokens) {
    enum { MANY = 2 * ILI_SEMAPHORE_GRANTS };
    uint64_t tokens[MANY];
    open_semaphore(0, MANY);
    for (uint32_t i = 0; i < MANY; i++) tokens[i] = take(me(), 1);
    for (uint32_t i = 0; i < MANY; i++) give(me(), 1, tokens[i], IL_OK);
    cr_assert_eq(value(), MANY);
    test_leave();
}

/* ---- threads ---------------------------------------------------------------------------------- */

#define THREADS 8

static _Atomic int stop, inside;
static _Atomic uint64_t rounds[THREADS], troubles;
static int permits;

static void *hammer(void *argument) {
    uintptr_t number = (uintptr_t)argument;
    uint64_t random = number;
    struct ili_held_near near = {0};
    while (!atomic_load(&stop)) {
        uint64_t token = 0, r = test_random(&random);
        uint32_t count = 1 + (uint32_t)(r % (unsigned)permits);
        int64_t deadline = r >> 20 & 1 ? ILI_NEVER : ili_deadline_in((int64_t)(r >> 32) % 200000);
        il_status status = IL_OK;
        if (!ili_semaphore_take_fast(&test_member, sem, me(), count, &near, &token)) {
            status = ili_semaphore_acquire(&test_member, sem, count, deadline, &token);
        }
        atomic_fetch_add(&rounds[number], 1);
        if (status == IL_ETIMEOUT) continue;
        if (status != IL_OK) {
            atomic_fetch_add(&troubles, 1);
            break;
        }
        ili_semaphore_remember(&test_member, sem, &near, me());
        if (atomic_fetch_add(&inside, (int)count) + (int)count > permits) {
            atomic_fetch_add(&troubles, 1);
        }
        for (int i = 0; i < (int)(r >> 50); i++) __asm__ __volatile__("" ::: "memory");
        atomic_fetch_sub(&inside, (int)count);
        if (!give_fast(me(), count, &near, token) &&
            ili_semaphore_release(&test_member, sem, me(), count, r >> 21 & 1 ? token : 0) !=
                IL_OK) {
            atomic_fetch_add(&troubles, 1);
        }
    }
    return NULL;
}

static bool all_had_some(void *unused) {
    (void)unused;
    for (int i = 0; i < THREADS; i++) {
        if (atomic_load(&rounds[i]) < 300) return false;
    }
    return true;
}

static void stress(int count) {
    pthread_t threads[THREADS];
    permits = count;
    atomic_store(&stop, 0);
    for (int i = 0; i < THREADS; i++) atomic_store(&rounds[i], 0);
    open_semaphore(IL_SEMAPHORE_BOUNDED, (uint32_t)count);
    for (uintptr_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, hammer, (void *)i);
    for (int i = 0; i < 100; i++) {
        /* for a moment a permit may be free with somebody waiting: who gave it back is on its way to the guard */
        cr_assert(test_wait(is_sound, NULL, 30));
        test_pause();
    }
    cr_assert(test_wait(all_had_some, NULL, 30), "somebody starves");
    atomic_store(&stop, 1);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    cr_assert_eq(troubles, 0);
    check();
    cr_assert_eq(value(), (uint32_t)count);
    cr_assert_eq(atomic_load(&sem->held.word) & ILI_HELD_SLOW, 0);
    test_leave();
}

Test(sync_semaphore, threads_never_have_too_many_of_one, .timeout = 60) { stress(1); }
Test(sync_semaphore, threads_never_have_too_many_of_five, .timeout = 60) { stress(5); }

static _Atomic uint64_t got;

static void *consume(void *unused) {
    uint64_t token;
    (void)unused;
    while (ili_semaphore_acquire(&test_member, sem, 1, ILI_NEVER, &token) == IL_OK) {
        if (atomic_fetch_add(&got, 1) >= 40000) break;
    }
    return NULL;
}

Test(sync_semaphore, no_signal_is_lost, .timeout = 60) {
    pthread_t threads[4];
    open_semaphore(IL_SEMAPHORE_SIGNAL, 0);
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, consume, NULL);
    for (int i = 0; i < 40004; i++) {
        cr_assert_eq(ili_semaphore_release(&test_member, sem, me(), 1, 0), IL_OK);
        if (i % 4096 == 0) test_pause();
    }
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    cr_assert_eq(value() + atomic_load(&got), 40004);
    check();
    test_leave();
}
