#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "session/deadlock.h"
#include "support/member.h"
#include "sync/lock.h"

#define ARENA_BYTES (UINT64_C(16) << 20)
#define LOCKS 4

static struct ili_lock *locks[LOCKS];
static uint64_t tokens[LOCKS];

static void make_locks(uint32_t flags) {
    il_lock_options options = {.struct_bytes = sizeof options, .flags = flags};
    for (int i = 0; i < LOCKS; i++) {
        char name[8];
        snprintf(name, sizeof name, "%c", 'a' + i);
        locks[i] = test_object(&ili_lock_kind, name, &options);
        cr_assert_not_null(locks[i]);
    }
}

static void enter(void) {
    cr_assert(test_enter(ARENA_BYTES));
    make_locks(0);
}

static void leave(void) { test_leave(); }

TestSuite(session_deadlock, .init = enter, .fini = leave, .timeout = 60);

/* An owner as a client over HTTP is one. */
static uint32_t new_owner(const char *label) {
    struct ili_agent *owner = NULL;
    cr_assert_eq(
        ili_agent_claim_for(&test_member, test_member.slot, ILI_AGENT_OWNER, label, &owner), IL_OK);
    return test_number(owner);
}

static void hold(uint32_t owner, int lock) {
    cr_assert_eq(ili_lock_try(&test_member, locks[lock], owner, &tokens[lock]), IL_OK);
}

/* OWNER waits for LOCK: by a waiter without a thread, of which it may have several. */
static struct ili_agent *wait_for(uint32_t owner, int lock) {
    struct ili_agent *waiter = NULL;
    uint64_t token;
    cr_assert_eq(ili_agent_claim_bell(&test_member, &waiter), IL_OK);
    cr_assert_eq(ili_lock_enqueue(&test_member, locks[lock], waiter, owner, &token), IL_ETIMEOUT);
    return waiter;
}

static il_status check(struct ili_agent *waiter) {
    return ili_deadlock_check(&test_member, waiter);
}

static void withdraw(struct ili_agent *waiter, int lock) {
    uint64_t token;
    cr_assert_eq(ili_lock_withdraw(&test_member, locks[lock], waiter, &token), IL_ETIMEOUT);
    ili_agent_release(&test_member, waiter);
}

Test(session_deadlock, the_wait_that_closes_the_cycle_fails_and_says_why) {
    uint32_t x = new_owner("x"), y = new_owner("y");
    hold(x, 0);
    hold(y, 1);
    struct ili_agent *first = wait_for(x, 1);
    cr_assert_eq(check(first), IL_OK);
    cr_assert_null(ili_deadlock_last());
    struct ili_agent *second = wait_for(y, 0);
    cr_assert_eq(check(first), IL_OK, "the victim is the other one");
    cr_assert(atomic_load(&second->park) & ILI_PARK_POKED, "who is told to look");
    cr_assert_eq(check(second), IL_EDEADLK);
    const struct ili_deadlocks *last = ili_deadlock_last();
    cr_assert_not_null(last);
    cr_assert_eq(last->cycle_count, 1);
    cr_assert_eq(last->step_count, 2);
    const struct ili_deadlock_wait *wait = &last->waits[last->steps[0].wait];
    cr_assert_eq(wait->owner.agent, y);
    cr_assert_str_eq(wait->owner.label, "y");
    cr_assert_eq(wait->kind, ILI_KIND_LOCK);
    cr_assert_str_eq(wait->name, "a");
    cr_assert_eq(wait->holder_count, 1);
    cr_assert_eq(last->holders[wait->holders].owner.agent, x);
    cr_assert_eq(last->holders[wait->holders].grant.token, tokens[0]);
    cr_assert(strstr(ili_deadlock_text(), "waits for lock \"a\", held by"), "%s",
              ili_deadlock_text());
    withdraw(second, 0);
    cr_assert_eq(check(first), IL_OK);
}

Test(session_deadlock, an_owner_is_stuck_when_all_its_waits_are) {
    uint32_t x = new_owner("x"), y = new_owner("y"), z = new_owner("z");
    hold(x, 0);
    hold(y, 1);
    hold(z, 2);
    struct ili_agent *first = wait_for(x, 1), *way_out = wait_for(x, 2);
    struct ili_agent *second = wait_for(y, 0);
    cr_assert_eq(check(second), IL_OK, "x may still get c");
    struct ili_agent *third = wait_for(z, 0);
    cr_assert_eq(check(second), IL_OK);
    cr_assert_eq(check(way_out), IL_OK);
    cr_assert_eq(check(third), IL_EDEADLK);
    withdraw(third, 0);
    withdraw(way_out, 2);
    /* without its way out, x is stuck again; nobody began to wait since */
    cr_assert_eq(check(first), IL_OK);
    cr_assert_eq(check(second), IL_EDEADLK);
}

Test(session_deadlock, those_that_end_or_wait_for_themselves_are_spared) {
    uint32_t x = new_owner("x"), y = new_owner("y");
    hold(x, 0);
    struct ili_agent *own = wait_for(x, 0);
    struct ili_agent *other = wait_for(y, 0);
    cr_assert_eq(check(own), IL_OK);
    cr_assert_eq(check(other), IL_OK);
    struct ili_deadlocks all;
    cr_assert_eq(ili_deadlock_list(&test_member, &all), IL_OK);
    cr_assert_eq(all.wait_count, 2);
    cr_assert_eq(all.cycle_count, 1, "it is listed");
    cr_assert_eq(all.cycles[0].step_count, 1);
    cr_assert_eq(all.waits[all.steps[0].wait].owner.agent, x);
    ili_deadlocks_free(&all);
}

/* What belongs to a session as a whole may be released by any of its clients. */
Test(session_deadlock, a_home_agent_is_in_no_cycle) {
    struct ili_agent *home;
    cr_assert_eq(ili_agent_home(&test_member, &home), IL_OK);
    uint32_t x = new_owner("x"), shared = test_number(home);
    hold(x, 0);
    hold(shared, 1);
    struct ili_agent *first = wait_for(shared, 0), *second = wait_for(x, 1);
    cr_assert_eq(check(first), IL_OK);
    cr_assert_eq(check(second), IL_OK);
}

Test(session_deadlock, standing_cycles_and_their_tails_are_listed) {
    for (int i = 0; i < LOCKS; i++) {
        char name[2] = {(char)('a' + i), 0};
        cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_lock_kind, name, 1), IL_OK);
    }
    make_locks(IL_DEADLOCK_REPORT);
    uint32_t x = new_owner("x"), y = new_owner("y"), z = new_owner("z");
    hold(x, 0);
    hold(y, 1);
    struct ili_agent *tail = wait_for(z, 0), *first = wait_for(x, 1), *second = wait_for(y, 0);
    cr_assert_eq(check(first), IL_OK);
    cr_assert_eq(check(second), IL_OK);
    cr_assert_eq(check(tail), IL_OK);
    struct ili_deadlocks all;
    cr_assert_eq(ili_deadlock_list(&test_member, &all), IL_OK);
    cr_assert_eq(all.wait_count, 3);
    cr_assert_eq(all.cycle_count, 1);
    cr_assert_eq(all.cycles[0].step_count, 2);
    cr_assert_eq(all.waits[all.steps[0].wait].owner.agent, y);
    cr_assert_eq(all.waits[all.steps[1].wait].owner.agent, x);
    cr_assert_eq(all.holder_count, 2, "two wait for one lock and share its holders");
    ili_deadlocks_free(&all);
}

/* Fifty in a ring, and one that waits for all of it. */
Test(session_deadlock, a_long_cycle_is_found) {
    enum { LONG = 50 };
    struct ili_lock *many[LONG];
    uint32_t owners[LONG];
    struct ili_agent *waiter = NULL;
    uint64_t token;
    for (int i = 0; i < LONG; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%d", i);
        many[i] = test_object(&ili_lock_kind, name, NULL);
        owners[i] = new_owner(name);
        cr_assert_eq(ili_lock_try(&test_member, many[i], owners[i], &token), IL_OK);
    }
    for (int i = 0; i < LONG; i++) {
        if (waiter) cr_assert_eq(check(waiter), IL_OK);
        cr_assert_eq(ili_agent_claim_bell(&test_member, &waiter), IL_OK);
        cr_assert_eq(
            ili_lock_enqueue(&test_member, many[(i + 1) % LONG], waiter, owners[i], &token),
            IL_ETIMEOUT);
    }
    cr_assert_eq(check(waiter), IL_EDEADLK);
    cr_assert_eq(ili_deadlock_last()->step_count, LONG);
    cr_assert_gt(strlen(ili_deadlock_text()), 100);
}

/* Whatever stands in the arena: nothing outside is read, and every look ends. */
Test(session_deadlock, nonsense_in_the_arena_does_no_harm) {
    uint64_t seed = test_seed(7);
    uint32_t owners[LOCKS];
    struct ili_agent *waiters[2 * LOCKS];
    for (int i = 0; i < LOCKS; i++) owners[i] = new_owner("owner");
    for (int i = 0; i < LOCKS; i++) hold(owners[i], i);
    for (int i = 0; i < 2 * LOCKS; i++) {
        waiters[i] = wait_for(owners[i % LOCKS], (i + 1 + i / LOCKS) % LOCKS);
    }
    struct ili_arena *a = &test_member.arena;
    static uint8_t kept[512 * sizeof(struct ili_agent)], kept_locks[LOCKS][sizeof **locks];
    memcpy(kept, a->agents, sizeof kept);
    for (int i = 0; i < LOCKS; i++) memcpy(kept_locks[i], locks[i], sizeof kept_locks[i]);
    for (int round = 0; round < 3000; round++) {
        for (int i = 0; i < 8; i++) {
            uint64_t random = test_random(&seed);
            uint8_t *in = random & 1 ? (uint8_t *)waiters[random >> 1 & 7]
                                     : (uint8_t *)locks[random >> 1 & 3];
            size_t bytes = random & 1 ? sizeof(struct ili_agent) : sizeof(struct ili_lock);
            uint32_t value = random & 16 ? (uint32_t)(random >> 40) % 20 : (uint32_t)(random >> 32);
            memcpy(in + (random >> 8) % (bytes / 4) * 4, &value, sizeof value);
        }
        struct ili_deadlocks all;
        (void)check(waiters[round % (2 * LOCKS)]);
        if (ili_deadlock_list(&test_member, &all) == IL_OK) ili_deadlocks_free(&all);
        memcpy(a->agents, kept, sizeof kept);
        for (int i = 0; i < LOCKS; i++) memcpy(locks[i], kept_locks[i], sizeof kept_locks[i]);
    }
}
