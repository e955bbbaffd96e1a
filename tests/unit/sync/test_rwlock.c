#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

#include "arena/lease.h"
#include "arena/loss.h"
#include "base/clock.h"
#include "support/member.h"
#include "sync/rwlock.h"

static struct ili_rwlock *rw;

static void open_rwlock(uint32_t flags) {
    il_rwlock_options options = {sizeof options, flags};
    cr_assert(test_enter(8 << 20));
    rw = test_object(&ili_rwlock_kind, "it", &options);
    cr_assert_not_null(rw);
}

static void check(void) {
    cr_assert_eq(ili_guard_lock(&test_member, test_self(), &rw->held.guard), IL_OK);
    il_status status = ili_rwlock_check(&test_member, rw);
    ili_guard_unlock(&test_member, test_self(), &rw->held.guard);
    cr_assert_eq(status, IL_OK);
}

static uint32_t me(void) { return ili_agent_number(&test_member.arena, test_self()); }

static struct ili_agent *bell(void) {
    struct ili_agent *agent = NULL;
    cr_assert_eq(ili_agent_claim_bell(&test_member, &agent), IL_OK);
    return agent;
}

static uint32_t owner_in_slot(uint32_t slot) {
    struct ili_agent *agent = NULL;
    cr_assert_eq(ili_agent_claim_for(&test_member, slot, ILI_AGENT_OWNER, "owner", &agent), IL_OK);
    return ili_agent_number(&test_member.arena, agent);
}

static uint32_t someone(void) { return owner_in_slot(test_member.slot); }

static uint32_t other_slot(void) {
    uint32_t slot = 0;
    cr_assert_eq(ili_slot_claim(&test_member.arena, 1, 1, "other", &slot), IL_OK);
    return slot;
}

static uint64_t take(uint32_t owner, uint32_t mode) {
    uint64_t token = 0;
    cr_assert_eq(ili_rwlock_try(&test_member, rw, owner, mode, &token), IL_OK);
    check();
    return token;
}

static void expect_try(uint32_t owner, uint32_t mode, il_status status) {
    uint64_t token = 7;
    il_status got = ili_rwlock_try(&test_member, rw, owner, mode, &token);
    cr_assert_eq(got, status, "%d, not %d", got, status);
    if (status != IL_OK && status != IL_EOWNERDEAD) cr_assert_eq(token, 7);
    check();
}

static void give(uint32_t owner, uint64_t token, il_status status) {
    il_status got = ili_rwlock_release(&test_member, rw, owner, token);
    cr_assert_eq(got, status, "%d, not %d", got, status);
    check();
}

static void queue(struct ili_agent *waiter, uint32_t owner, uint32_t mode) {
    uint64_t token;
    cr_assert_eq(ili_rwlock_enqueue(&test_member, rw, waiter, owner, mode, &token), IL_ETIMEOUT);
    check();
}

static uint64_t granted(struct ili_agent *waiter, il_status status) {
    uint64_t token = 0;
    il_status got = ili_rwlock_poll(waiter, &token);
    cr_assert_eq(got, status, "%d, not %d", got, status);
    return token;
}

static void expect_view(uint32_t shared, uint32_t exclusive) {
    struct ili_rwlock_view view;
    ili_rwlock_look(&test_member, rw, &view);
    cr_assert_eq(view.shared, shared, "%u share it", view.shared);
    cr_assert_eq(view.exclusive, exclusive);
}

static bool is_fast(void) { return (atomic_load(&rw->held.word) & ILI_HELD_LOW) == 0; }

Test(sync_rwlock, news_of_a_death_are_given_back_with_the_grant) {
    uint64_t token = 0, next = 0;
    cr_assert(test_enter(8 << 20));
    struct ili_rwlock *it = test_object(&ili_rwlock_kind, "it", NULL);
    cr_assert_eq(ili_rwlock_try(&test_member, it, test_me(), IL_EXCLUSIVE, &token), IL_OK);
    cr_assert_eq(ili_rwlock_kind.revoke(&test_member, test_self(), it, token, IL_EREVOKED, NULL),
                 IL_OK);
    cr_assert_eq(ili_rwlock_try(&test_member, it, test_me(), IL_EXCLUSIVE, &token), IL_EOWNERDEAD);
    cr_assert_eq(ili_rwlock_give_back(&test_member, it, test_me(), token, true), IL_OK);
    cr_assert_eq(ili_rwlock_try(&test_member, it, test_me(), IL_EXCLUSIVE, &next), IL_EOWNERDEAD);
    cr_assert_eq(ili_rwlock_give_back(&test_member, it, test_me(), next, false), IL_OK);
    cr_assert_eq(ili_rwlock_try(&test_member, it, test_me(), IL_EXCLUSIVE, &next), IL_OK);
    test_leave();
}

Test(sync_rwlock, is_shared_by_many_or_exclusive_to_one) {
    open_rwlock(0);
    uint32_t a = someone(), b = someone(), c = someone();
    uint64_t first = take(a, IL_SHARED), second = take(b, IL_SHARED);
    cr_assert(second > first);
    expect_view(2, 0);
    expect_try(c, IL_EXCLUSIVE, IL_ETIMEOUT);
    give(c, 0, IL_ENOTHELD);
    give(c, first, IL_ENOTHELD);
    give(a, first, IL_OK);
    give(a, first, IL_ESTALE);
    expect_try(c, IL_EXCLUSIVE, IL_ETIMEOUT);
    give(b, 0, IL_OK);
    give(b, second, IL_ENOTHELD);
    uint64_t third = take(c, IL_EXCLUSIVE);
    cr_assert(third > second);
    expect_view(0, c);
    expect_try(a, IL_SHARED, IL_ETIMEOUT);
    expect_try(b, IL_EXCLUSIVE, IL_ETIMEOUT);
    give(a, third, IL_ENOTHELD);
    give(c, third, IL_OK);
    expect_view(0, 0);
    cr_assert(is_fast());
    test_leave();
}

Test(sync_rwlock, owner_acquires_again_in_the_same_mode_only) {
    open_rwlock(0);
    uint32_t a = someone(), b = someone(), c = someone();
    uint64_t token = take(a, IL_SHARED);
    take(b, IL_SHARED);
    struct ili_agent *waiter = bell();
    queue(waiter, c, IL_EXCLUSIVE);
    expect_try(someone(), IL_SHARED, IL_ETIMEOUT); /* it comes later */
    cr_assert_eq(take(a, IL_SHARED), token, "also past those who wait");
    cr_assert_eq(ili_rwlock_depth(&test_member, rw, a, token), 2);
    expect_try(a, IL_EXCLUSIVE, IL_EUPGRADE);
    give(b, 0, IL_OK);
    give(a, token, IL_OK);
    granted(waiter, IL_ETIMEOUT);
    give(a, token, IL_OK);
    token = granted(waiter, IL_OK);
    cr_assert_eq(take(c, IL_EXCLUSIVE), token);
    cr_assert_eq(take(c, IL_EXCLUSIVE), token);
    expect_try(c, IL_SHARED, IL_EDEADLK);
    give(c, token, IL_OK);
    give(c, 0, IL_OK);
    expect_view(0, c);
    give(c, token, IL_OK);
    give(c, token, IL_ENOTHELD);
    cr_assert(is_fast());
    test_leave();
}

Test(sync_rwlock, fast_and_slow_paths_agree) {
    static struct ili_held_near near;
    uint64_t token = 0, previous = 0;
    il_status status;
    open_rwlock(0);
    for (int i = 0; i < 80; i++) {
        uint32_t mode = (uint32_t)(i / 2 % 2);
        bool fast = i > 8 && i % 5;
        if (fast && mode == IL_SHARED) {
            cr_assert(ili_rwlock_share_fast(&test_member, rw, me(), &near, &token), "%d", i);
        } else if (fast) {
            cr_assert(ili_rwlock_exclude_fast(&test_member, rw, me(), &near, &token), "%d", i);
        } else {
            token = take(me(), mode);
            ili_rwlock_remember(&test_member, rw, &near, me(), token);
        }
        cr_assert(previous == 0 || token == previous + 1);
        previous = token;
        expect_view(mode == IL_SHARED, mode == IL_SHARED ? 0 : me());
        struct ili_grant grant;
        cr_assert_eq(ili_rwlock_kind.grants(&test_member, rw, &grant, 1), 1);
        cr_assert_eq(grant.token, token);
        cr_assert_eq(grant.owner, me());
        cr_assert_eq(grant.mode, mode);
        cr_assert_eq(grant.count, 1);
        expect_try(someone(), IL_EXCLUSIVE, IL_ETIMEOUT);
        cr_assert_not(ili_rwlock_release_fast(&test_member, rw, me(), &near, token - 1, &status));
        if (i % 3) {
            cr_assert(ili_rwlock_release_fast(&test_member, rw, me(), &near, token, &status));
            cr_assert_eq(status, IL_OK);
        } else {
            give(me(), token, IL_OK);
        }
        expect_view(0, 0);
    }
    /* acquired again it is not for the fast path */
    token = take(me(), IL_SHARED);
    cr_assert_not(ili_rwlock_share_fast(&test_member, rw, me(), &near, &token));
    take(me(), IL_SHARED);
    cr_assert_not(ili_rwlock_release_fast(&test_member, rw, me(), &near, token, &status));
    give(me(), token, IL_OK);
    cr_assert(ili_rwlock_release_fast(&test_member, rw, me(), &near, token, &status));
    expect_view(0, 0);
    test_leave();
}

Test(sync_rwlock, fast_release_lets_the_waiter_go_on) {
    static struct ili_held_near near;
    il_status status;
    open_rwlock(0);
    uint64_t token = take(me(), IL_SHARED);
    ili_rwlock_remember(&test_member, rw, &near, me(), token);
    struct ili_agent *waiter = bell();
    queue(waiter, someone(), IL_EXCLUSIVE);
    cr_assert(ili_rwlock_release_fast(&test_member, rw, me(), &near, token, &status));
    cr_assert_eq(status, IL_OK);
    check();
    cr_assert(granted(waiter, IL_OK) > token);
    cr_assert_not(ili_rwlock_share_fast(&test_member, rw, me(), &near, &token));
    cr_assert_not(ili_rwlock_exclude_fast(&test_member, rw, me(), &near, &token));
    check();
    test_leave();
}

Test(sync_rwlock, exclusive_goes_before_who_shares_later) {
    open_rwlock(0);
    uint32_t owners[6];
    struct ili_agent *waiters[6];
    const uint32_t modes[6] = {IL_SHARED, IL_SHARED, IL_EXCLUSIVE,
                               IL_SHARED, IL_SHARED, IL_EXCLUSIVE};
    uint64_t tokens[6];
    uint64_t first = take(me(), IL_EXCLUSIVE);
    for (int i = 0; i < 6; i++) {
        owners[i] = someone();
        waiters[i] = bell();
        queue(waiters[i], owners[i], modes[i]);
    }
    give(me(), first, IL_OK);
    tokens[0] = granted(waiters[0], IL_OK);
    tokens[1] = granted(waiters[1], IL_OK);
    granted(waiters[2], IL_ETIMEOUT);
    granted(waiters[3], IL_ETIMEOUT);
    expect_try(me(), IL_SHARED, IL_ETIMEOUT);
    give(owners[1], tokens[1], IL_OK);
    give(owners[0], tokens[0], IL_OK);
    tokens[2] = granted(waiters[2], IL_OK);
    granted(waiters[3], IL_ETIMEOUT);
    give(owners[2], tokens[2], IL_OK);
    tokens[3] = granted(waiters[3], IL_OK);
    tokens[4] = granted(waiters[4], IL_OK);
    give(owners[3], tokens[3], IL_OK);
    give(owners[4], tokens[4], IL_OK);
    tokens[5] = granted(waiters[5], IL_OK);
    give(owners[5], tokens[5], IL_OK);
    for (int i = 1; i < 6; i++) cr_assert(tokens[i] > tokens[i - 1]);
    cr_assert(is_fast());
    test_leave();
}

Test(sync_rwlock, withdrawn_exclusive_waiter_lets_others_share) {
    uint64_t token;
    open_rwlock(0);
    take(me(), IL_SHARED);
    struct ili_agent *exclusive = bell(), *shared = bell();
    queue(exclusive, someone(), IL_EXCLUSIVE);
    queue(shared, someone(), IL_SHARED);
    cr_assert_eq(ili_rwlock_withdraw(&test_member, rw, exclusive, &token), IL_ETIMEOUT);
    check();
    granted(shared, IL_OK);
    expect_view(2, 0);
    test_leave();
}

Test(sync_rwlock, next_grant_tells_of_an_exclusive_owner_that_died) {
    open_rwlock(0);
    for (uint32_t mode = IL_SHARED; mode <= IL_EXCLUSIVE; mode++) {
        uint32_t slot = other_slot(), dead = owner_in_slot(slot), mine = someone();
        struct ili_agent *waiter = bell(), *its = bell(), *last = bell();
        uint64_t token = take(dead, IL_EXCLUSIVE);
        take(dead, IL_EXCLUSIVE);
        queue(its, owner_in_slot(slot), IL_SHARED);
        queue(waiter, mine, mode);
        cr_assert_eq(ili_rwlock_kind.recover(&test_member, test_self(), rw, slot), IL_OK);
        check();
        granted(its, IL_ESESSION);
        granted(waiter, IL_EOWNERDEAD);
        give(mine, 0, IL_OK);
        take(mine, IL_SHARED); /* once is enough */
        give(mine, 0, IL_OK);
        give(dead, token, IL_ESTALE);
        /* who shares it may die unnoticed */
        take(dead, IL_SHARED);
        queue(last, mine, IL_EXCLUSIVE);
        cr_assert_eq(ili_rwlock_kind.recover(&test_member, test_self(), rw, slot), IL_OK);
        check();
        granted(last, IL_OK);
        give(mine, 0, IL_OK);
        cr_assert(is_fast());
    }
    uint32_t slot = other_slot();
    take(owner_in_slot(slot), IL_EXCLUSIVE);
    cr_assert_eq(ili_rwlock_kind.recover(&test_member, test_self(), rw, slot), IL_OK);
    expect_try(me(), IL_EXCLUSIVE, IL_EOWNERDEAD);
    test_leave();
}

Test(sync_rwlock, thread_that_ends_loses_what_it_has) {
    struct ili_agent *home = NULL, *ended;
    open_rwlock(0);
    cr_assert_eq(ili_agent_home(&test_member, &home), IL_OK);
    ended = bell();
    uint32_t number = ili_agent_number(&test_member.arena, ended);
    take(number, IL_SHARED);
    take(me(), IL_SHARED);
    cr_assert_eq(ili_rwlock_kind.thread_end(&test_member, test_self(), rw, ended, home), IL_OK);
    check();
    expect_view(1, 0);
    give(me(), 0, IL_OK);
    take(number, IL_EXCLUSIVE);
    cr_assert_eq(ili_rwlock_kind.thread_end(&test_member, test_self(), rw, ended, home), IL_OK);
    expect_try(me(), IL_EXCLUSIVE, IL_EOWNERDEAD);
    test_leave();
}

Test(sync_rwlock, home_acts_for_many) {
    struct ili_agent *home = NULL;
    open_rwlock(0);
    cr_assert_eq(ili_agent_home(&test_member, &home), IL_OK);
    uint32_t number = ili_agent_number(&test_member.arena, home);
    uint64_t first = take(number, IL_SHARED), second = take(number, IL_SHARED);
    cr_assert(second > first);
    expect_view(2, 0);
    expect_try(number, IL_EXCLUSIVE, IL_ETIMEOUT);
    give(number, first, IL_OK);
    give(number, first, IL_ESTALE);
    give(number, second, IL_OK);
    first = take(number, IL_EXCLUSIVE);
    expect_try(number, IL_EXCLUSIVE, IL_ETIMEOUT);
    expect_try(number, IL_SHARED, IL_ETIMEOUT);
    give(number, first, IL_OK);
    test_leave();
}

Test(sync_rwlock, revoked_grant_tells_why) {
    struct ili_loss_copy loss;
    open_rwlock(0);
    uint32_t a = someone(), b = someone();
    uint64_t first = take(a, IL_SHARED), second = take(b, IL_SHARED);
    struct ili_agent *waiter = bell();
    queue(waiter, me(), IL_EXCLUSIVE);
    cr_assert_eq(ili_rwlock_break(&test_member, rw, first, IL_EREVOKED, "maintenance"), IL_OK);
    check();
    cr_assert_eq(ili_rwlock_check_token(&test_member, rw, first), IL_EREVOKED);
    cr_assert_eq(ili_rwlock_check_token(&test_member, rw, second), IL_OK);
    cr_assert(ili_loss_find(&test_member.arena, ili_off_of(&test_member.arena, rw), first, &loss));
    cr_assert_str_eq(loss.reason, "maintenance");
    give(a, first, IL_EREVOKED);
    give(a, 0, IL_ENOTHELD);
    granted(waiter, IL_ETIMEOUT);
    cr_assert_eq(ili_rwlock_break(&test_member, rw, 0, IL_EREVOKED, NULL), IL_OK);
    uint64_t third = granted(waiter, IL_OK);
    give(b, second, IL_EREVOKED);
    cr_assert_eq(ili_rwlock_kind.revoke(&test_member, test_self(), rw, third, IL_ELEASE, NULL),
                 IL_OK);
    give(me(), third, IL_ELEASE);
    cr_assert_eq(ili_rwlock_break(&test_member, rw, third, IL_EREVOKED, NULL), IL_ELEASE);
    cr_assert_eq(ili_rwlock_break(&test_member, rw, 0, IL_EREVOKED, NULL), IL_ENOTHELD);
    expect_try(a, IL_SHARED, IL_EOWNERDEAD);
    test_leave();
}

Test(sync_rwlock, lease_lives_as_long_as_its_grant) {
    static struct ili_held_near near;
    il_status status;
    open_rwlock(0);
    ili_off at = ili_off_of(&test_member.arena, rw);
    for (uint32_t mode = IL_SHARED; mode <= IL_EXCLUSIVE; mode++) {
        struct ili_grant grant;
        uint64_t token = take(me(), mode);
        ili_rwlock_remember(&test_member, rw, &near, me(), token);
        cr_assert_eq(ili_rwlock_lease(&test_member, rw, me(), token, INT64_C(1000000000)), IL_OK);
        check();
        cr_assert_eq(ili_rwlock_kind.grants(&test_member, rw, &grant, 1), 1);
        struct ili_lease *lease = ili_lease_of(&test_member.arena, grant.lease, at, token);
        cr_assert_not_null(lease);
        cr_assert_not(ili_rwlock_release_fast(&test_member, rw, me(), &near, token, &status));
        cr_assert_eq(ili_rwlock_lease(&test_member, rw, me(), 0, INT64_C(9000000000)), IL_OK);
        cr_assert_eq(atomic_load(&lease->duration_ns), INT64_C(9000000000));
        take(me(), mode);
        give(me(), token, IL_OK);
        cr_assert_not_null(ili_lease_of(&test_member.arena, grant.lease, at, token));
        give(me(), token, IL_OK);
        cr_assert_null(ili_lease_of(&test_member.arena, grant.lease, at, token));
        token = take(me(), mode);
        cr_assert_eq(ili_rwlock_lease(&test_member, rw, me(), token, INT64_C(1000000000)), IL_OK);
        cr_assert_eq(ili_rwlock_lease(&test_member, rw, me(), token, 0), IL_OK);
        cr_assert(ili_rwlock_release_fast(&test_member, rw, me(), &near, token, &status));
        cr_assert_eq(ili_rwlock_lease(&test_member, rw, me(), 0, 5), IL_ENOTHELD);
    }
    test_leave();
}

Test(sync_rwlock, end_tells_everyone) {
    static struct ili_held_near near;
    uint64_t token;
    il_status status;
    open_rwlock(0);
    uint64_t mine = take(me(), IL_SHARED);
    ili_rwlock_remember(&test_member, rw, &near, me(), mine);
    struct ili_agent *waiter = bell();
    queue(waiter, someone(), IL_EXCLUSIVE);
    cr_assert_eq(ili_rwlock_kind.end(&test_member, test_self(), rw), IL_OK);
    granted(waiter, IL_EDELETED);
    cr_assert(ili_rwlock_release_fast(&test_member, rw, me(), &near, mine, &status));
    cr_assert_eq(status, IL_EDELETED);
    cr_assert_not(ili_rwlock_share_fast(&test_member, rw, me(), &near, &token));
    expect_try(me(), IL_SHARED, IL_EDELETED);
    cr_assert_gt(atomic_load(&test_member.arena.header->token_floor), mine);
    test_leave();
}

Test(sync_rwlock, gate_names_the_holders) {
    struct ili_gate_holder holders[4];
    struct ili_gate gate = {.holder_room = 4, .holders = holders};
    open_rwlock(0);
    uint32_t a = someone(), b = someone();
    struct ili_agent *exclusive = bell(), *shared = bell();
    take(a, IL_SHARED);
    take(b, IL_SHARED);
    queue(exclusive, me(), IL_EXCLUSIVE);
    queue(shared, someone(), IL_SHARED);
    ili_rwlock_kind.gate(&test_member, rw, exclusive, &gate);
    cr_assert_eq(gate.need, 2);
    cr_assert_eq(gate.have, 0);
    cr_assert_eq(gate.holder_count, 2);
    cr_assert_eq(holders[0].owner + holders[1].owner, a + b);
    cr_assert(gate.behind && !gate.report);
    gate.holder_count = 0;
    ili_rwlock_kind.gate(&test_member, rw, shared, &gate);
    cr_assert_eq(gate.need, gate.have, "only who is ahead of it is in its way");
    cr_assert(gate.need != 0);
    give(a, 0, IL_OK);
    give(b, 0, IL_OK);
    gate.holder_count = 0;
    ili_rwlock_kind.gate(&test_member, rw, shared, &gate);
    cr_assert_eq(gate.need, 1);
    cr_assert_eq(gate.have, 0);
    cr_assert_eq(holders[0].owner, me());
    test_leave();
}

Test(sync_rwlock, costs_no_memory_once_it_is_gone) {
    uint32_t owners[40];
    open_rwlock(0);
    uint64_t before = ili_alloc_available(&test_member);
    rw = test_object(&ili_rwlock_kind, NULL, NULL);
    for (int i = 0; i < 40; i++) take(owners[i] = someone(), IL_SHARED);
    for (int i = 0; i < 40; i++) give(owners[(i * 7) % 40], 0, IL_OK);
    cr_assert_lt(ili_alloc_available(&test_member), before);
    cr_assert_eq(test_close(rw), IL_OK);
    cr_assert_eq(ili_alloc_available(&test_member), before);
    cr_assert_eq(test_check_alloc(), IL_OK);
    test_leave();
}

/* ---- threads ---------------------------------------------------------------------------------- */

#define THREADS 8

static _Atomic int stop, sharing, excluding;
static _Atomic uint64_t rounds[THREADS], troubles;
static int exclusive_in; /* so many of 256 */

static void *hammer(void *argument) {
    uintptr_t number = (uintptr_t)argument;
    uint64_t random = number;
    struct ili_held_near near = {0};
    uint32_t self = me();
    while (!atomic_load(&stop)) {
        uint64_t token = 0, r = test_random(&random);
        uint32_t mode = (int)(r % 256) < exclusive_in ? IL_EXCLUSIVE : IL_SHARED;
        int64_t deadline = r >> 20 & 3 ? ILI_NEVER : ili_deadline_in((int64_t)(r >> 32) % 200000);
        il_status status = IL_OK;
        bool fast = mode ? ili_rwlock_exclude_fast(&test_member, rw, self, &near, &token)
                         : ili_rwlock_share_fast(&test_member, rw, self, &near, &token);
        if (!fast) status = ili_rwlock_acquire(&test_member, rw, mode, deadline, &token);
        atomic_fetch_add(&rounds[number], 1);
        if (status == IL_ETIMEOUT) continue;
        if (status != IL_OK) {
            atomic_fetch_add(&troubles, 1);
            break;
        }
        if (!fast) ili_rwlock_remember(&test_member, rw, &near, self, token);
        atomic_fetch_add(mode ? &excluding : &sharing, 1);
        int shared = atomic_load(&sharing), exclusive = atomic_load(&excluding);
        if (mode ? shared || exclusive != 1 : exclusive || !shared) atomic_fetch_add(&troubles, 1);
        for (int i = 0; i < (int)(r >> 50); i++) __asm__ __volatile__("" ::: "memory");
        atomic_fetch_sub(mode ? &excluding : &sharing, 1);
        if (!ili_rwlock_release_fast(&test_member, rw, self, &near, token, &status)) {
            status = ili_rwlock_release(&test_member, rw, self, r >> 22 & 1 ? token : 0);
        }
        if (status != IL_OK) atomic_fetch_add(&troubles, 1);
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

static void stress(int exclusive) {
    pthread_t threads[THREADS];
    exclusive_in = exclusive;
    atomic_store(&stop, 0);
    for (int i = 0; i < THREADS; i++) atomic_store(&rounds[i], 0);
    open_rwlock(0);
    for (uintptr_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, hammer, (void *)i);
    for (int i = 0; i < 100; i++) {
        check();
        test_pause();
    }
    cr_assert(test_wait(all_had_some, NULL, 30), "somebody starves");
    atomic_store(&stop, 1);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    cr_assert_eq(troubles, 0);
    check();
    expect_view(0, 0);
    cr_assert(is_fast());
    test_leave();
}

Test(sync_rwlock, threads_mostly_share, .timeout = 60) { stress(8); }
Test(sync_rwlock, threads_share_and_exclude, .timeout = 60) { stress(128); }
Test(sync_rwlock, threads_only_exclude, .timeout = 60) { stress(256); }
