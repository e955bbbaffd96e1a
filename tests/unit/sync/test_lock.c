#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#include "arena/doorbell.h"
#include "arena/lease.h"
#include "arena/open_table.h"
#include "base/clock.h"
#include "session/thread_end.h"
#include "support/member.h"
#include "sync/lock.h"
#include "sync/lock_word.h"
#include "sync/rlock.h"

static struct ili_lock *lock;

static void open_lock(uint32_t flags) {
    il_lock_options options = {.struct_bytes = sizeof options, .flags = flags};
    cr_assert(test_enter(8 << 20));
    lock = test_object(&ili_lock_kind, "it", &options);
    cr_assert_not_null(lock);
}

static void check(void) {
    cr_assert_eq(ili_guard_lock(&test_member, test_self(), &lock->guard), IL_OK);
    il_status status = ili_lock_check(&test_member, lock);
    ili_guard_unlock(&test_member, test_self(), &lock->guard);
    cr_assert_eq(status, IL_OK);
}

static struct ili_agent *bell(void) {
    struct ili_agent *agent = NULL;
    cr_assert_eq(ili_agent_claim_bell(&test_member, &agent), IL_OK);
    return agent;
}

static uint64_t acquire(void) {
    uint64_t token = 0;
    cr_assert_eq(ili_lock_acquire(&test_member, lock, 0, &token), IL_OK);
    return token;
}

static void heard(uint32_t number, void *context) { ((uint8_t *)context)[number % 4096] = 1; }

/* Whether the doorbell rang for AGENT since the last look. */
static bool rang_for(struct ili_agent *agent) {
    static uint8_t numbers[4096];
    uint64_t count;
    ssize_t ignored = read(test_member.doorbell_fd, &count, sizeof count);
    (void)ignored;
    memset(numbers, 0, sizeof numbers);
    ili_doorbell_collect(&test_member, false, heard, numbers);
    return numbers[ili_agent_number(&test_member.arena, agent) % 4096] != 0;
}

static void grants_parked_waiters_in_order(uint32_t flags) {
    struct ili_agent *waiters[5];
    uint64_t token = 0, previous;
    open_lock(flags);
    previous = acquire();
    for (int i = 0; i < 5; i++) {
        waiters[i] = bell();
        cr_assert_eq(
            ili_lock_enqueue(&test_member, lock, waiters[i], test_number(waiters[i]), &token),
            IL_ETIMEOUT);
        check();
    }
    cr_assert_eq(ili_lock_release(&test_member, lock, test_me(), previous), IL_OK);
    for (int i = 0; i < 5; i++) {
        check();
        cr_assert(rang_for(waiters[i]), "waiter %d", i);
        cr_assert_eq(ili_lock_poll(waiters[i], &token), IL_OK);
        cr_assert_eq(token, previous + 1);
        previous = token;
        for (int k = i + 1; k < 5; k++)
            cr_assert_eq(ili_lock_poll(waiters[k], &token), IL_ETIMEOUT);
        cr_assert_eq(ili_lock_release(&test_member, lock, test_me(), previous), IL_OK);
        ili_agent_release(&test_member, waiters[i]);
    }
    check();
    cr_assert_eq(acquire(), previous + 1);
    test_leave();
}

Test(sync_lock, fair_one_grants_parked_waiters_in_order) {
    grants_parked_waiters_in_order(IL_LOCK_FAIR);
}
Test(sync_lock, plain_one_grants_parked_waiters_in_order) { grants_parked_waiters_in_order(0); }

Test(sync_lock, withdrawn_waiter_costs_the_others_nothing) {
    for (uint32_t flags = 0; flags <= IL_LOCK_FAIR; flags++) {
        struct ili_agent *waiters[4];
        uint64_t token = 0, first;
        open_lock(flags);
        first = acquire();
        for (int i = 0; i < 4; i++) {
            waiters[i] = bell();
            ili_lock_enqueue(&test_member, lock, waiters[i], test_number(waiters[i]), &token);
        }
        cr_assert_eq(ili_lock_withdraw(&test_member, lock, waiters[1], &token), IL_ETIMEOUT);
        check();
        cr_assert_eq(ili_lock_withdraw(&test_member, lock, waiters[0], &token), IL_ETIMEOUT);
        check();
        cr_assert_eq(ili_lock_release(&test_member, lock, test_me(), first), IL_OK);
        /* it was granted meanwhile: it holds the lock, and says so */
        cr_assert_eq(ili_lock_withdraw(&test_member, lock, waiters[2], &token), IL_OK);
        cr_assert_eq(token, first + 1);
        cr_assert_eq(ili_lock_release(&test_member, lock, test_me(), token), IL_OK);
        cr_assert_eq(ili_lock_poll(waiters[3], &token), IL_OK);
        cr_assert_eq(ili_lock_release(&test_member, lock, test_me(), token), IL_OK);
        check();
        test_leave();
    }
}

static il_status void_grant(uint64_t token, const char *reason) {
    return ili_lock_kind.revoke(&test_member, test_self(), lock, token,
                                reason ? IL_EREVOKED : IL_ELEASE, reason);
}

Test(sync_lock, voided_grant_goes_to_the_next_who_is_told) {
    uint64_t token = 0, first;
    open_lock(0);
    first = acquire();
    struct ili_agent *waiter = bell();
    ili_lock_enqueue(&test_member, lock, waiter, test_number(waiter), &token);
    cr_assert_eq(void_grant(first + 1, NULL), IL_ENOTHELD);
    cr_assert_eq(void_grant(first - 1, NULL), IL_ESTALE);
    cr_assert_eq(void_grant(first, NULL), IL_OK);
    cr_assert_eq(void_grant(first, NULL), IL_ESTALE);
    cr_assert_eq(ili_lock_poll(waiter, &token), IL_EOWNERDEAD);
    cr_assert_eq(ili_lock_release(&test_member, lock, test_me(), first), IL_ELEASE);
    cr_assert_eq(ili_lock_token_check(&test_member, lock, first), IL_ELEASE);
    cr_assert_eq(ili_lock_token_check(&test_member, lock, token), IL_OK);
    cr_assert_eq(void_grant(token, "enough"), IL_OK);
    cr_assert_eq(void_grant(token, NULL), IL_ENOTHELD, "the lock is free");
    cr_assert_eq(ili_lock_token_check(&test_member, lock, token), IL_EREVOKED);
    check();
    cr_assert_eq(ili_lock_acquire(&test_member, lock, 0, &token), IL_EOWNERDEAD);
    cr_assert_eq(ili_lock_release(&test_member, lock, test_me(), token), IL_OK);
    cr_assert_eq(ili_lock_token_check(&test_member, lock, token), IL_ENOTHELD);
    cr_assert_eq(ili_lock_acquire(&test_member, lock, 0, &token), IL_OK);
    test_leave();
}

/* ---- owners, leases, delays ------------------------------------------------------------------------ */

static size_t leases_in_use(void) {
    size_t count = 0;
    struct ili_lease *lease;
    for (uint32_t n = 1; (lease = ili_lease_at(&test_member.arena, n)); n++) {
        count += atomic_load(&lease->holder) != 0;
    }
    return count;
}

Test(sync_lock, lease_goes_with_its_grant) {
    uint64_t token;
    struct ili_grant grant;
    open_lock(0);
    token = acquire();
    cr_assert_eq(ili_lock_lease(&test_member, lock, test_me(), token, INT64_C(3600000000000)),
                 IL_OK);
    cr_assert_eq(leases_in_use(), 1);
    cr_assert_not(ili_lock_release_fast(lock, test_me(), token),
                  "a lease is not for the fast path");
    cr_assert_eq(ili_lock_kind.grants(&test_member, lock, &grant, 1), 1);
    cr_assert_eq(grant.token, token);
    cr_assert_eq(grant.owner, test_me());
    cr_assert(grant.lease > 0);
    cr_assert_eq(ili_lock_lease(&test_member, lock, test_me(), 0, INT64_C(7200000000000)), IL_OK);
    cr_assert_eq(leases_in_use(), 1, "renewed");
    cr_assert_eq(ili_lock_lease(&test_member, lock, test_me(), token, 0), IL_OK);
    cr_assert_eq(leases_in_use(), 0, "without limit");
    cr_assert_eq(ili_lock_lease(&test_member, lock, test_me(), token, INT64_C(3600000000000)),
                 IL_OK);
    check();
    cr_assert_eq(ili_lock_release(&test_member, lock, test_me(), token), IL_OK);
    cr_assert_eq(leases_in_use(), 0);
    cr_assert_eq(ili_lock_lease(&test_member, lock, test_me(), token, 1000000), IL_ENOTHELD);
    cr_assert_eq(atomic_load(&lock->word) & ILI_LOCK_LOW, 0);
    token = acquire();
    cr_assert_eq(ili_lock_release_fast(lock, test_me(), token), true);
    test_leave();
}

Test(sync_lock, lock_delay_holds_it_back_after_a_failure_only) {
    uint64_t token;
    struct ili_lock_view view;
    il_lock_options options = {.struct_bytes = sizeof options,
                               .lock_delay_ns = INT64_C(3600000000000)};
    cr_assert(test_enter(8 << 20));
    lock = test_object(&ili_lock_kind, "it", &options);
    cr_assert_eq(ili_lock_release(&test_member, lock, test_me(), acquire()), IL_OK);
    token = acquire(); /* a normal release delays nobody */
    struct ili_agent *waiter = bell();
    uint64_t granted = 0;
    cr_assert_eq(ili_lock_enqueue(&test_member, lock, waiter, test_number(waiter), &granted),
                 IL_ETIMEOUT);
    cr_assert_eq(void_grant(token, "it hangs"), IL_OK);
    ili_lock_look(&test_member, lock, &view);
    cr_assert(view.held_back && view.owner == 0);
    cr_assert_eq(leases_in_use(), 1);
    cr_assert_eq(ili_lock_poll(waiter, &granted), IL_ETIMEOUT);
    cr_assert_eq(ili_lock_acquire(&test_member, lock, 0, &granted), IL_ETIMEOUT);
    cr_assert_eq(ili_lock_release(&test_member, lock, test_me(), token), IL_EREVOKED);
    check();
    cr_assert_eq(void_grant(token, NULL), IL_OK); /* as the timekeeper does */
    cr_assert_eq(leases_in_use(), 0);
    cr_assert_eq(ili_lock_poll(waiter, &granted), IL_EOWNERDEAD);
    cr_assert_eq(granted, token + 1);
    check();
    test_leave();
}

/* Nobody keeps the time here: the grant stands in the word, and is nobody's, until somebody acquires. */
Test(sync_lock, lease_that_is_over_is_no_reason_to_acquire_again) {
    struct ili_gate_holder holder;
    struct ili_gate gate = {.holders = &holder, .holder_room = 1};
    uint64_t token = 0, first = 0;
    cr_assert(test_enter(8 << 20));
    test_member.before_wait = NULL;
    struct ili_rlock *rlock = test_object(&ili_rlock_kind, "it", NULL);
    cr_assert_eq(ili_rlock_acquire(&test_member, rlock, 0, &first), IL_OK);
    cr_assert_eq(ili_rlock_acquire(&test_member, rlock, 0, &first), IL_OK);
    cr_assert_eq(ili_lock_lease(&test_member, &rlock->lock, test_me(), first, 1000000), IL_OK);
    while (ili_lock_token_check(&test_member, &rlock->lock, first) == IL_OK) test_pause();
    cr_assert_eq(ili_rlock_release(&test_member, rlock, test_me(), first, NULL), IL_ELEASE);
    /* who waits for it does not wait for its owner */
    ili_rlock_kind.gate(&test_member, rlock, test_self(), &gate);
    cr_assert_eq(gate.holder_count, 0);
    cr_assert_eq(ili_rlock_acquire(&test_member, rlock, 0, &token), IL_EOWNERDEAD);
    cr_assert_eq(token, first + 1);
    cr_assert_eq(ili_rlock_depth(rlock, test_me()), 1);
    test_leave();
}

static uint64_t word_of_thread; /* while it held the lock */

static void *acquire_and_end(void *token) {
    *(uint64_t *)token = acquire();
    word_of_thread = ili_lock_load(lock);
    return NULL;
}

Test(sync_lock, grant_outlives_its_thread) {
    uint64_t token = 0;
    struct ili_grant grant;
    pthread_t thread;
    struct ili_agent *home;
    open_lock(0);
    ili_thread_end_prepare();
    uint32_t entry;
    cr_assert_eq(ili_open_claim(&test_member, test_self(), &entry), IL_OK);
    atomic_store(ili_open_entry(&test_member, entry), ili_off_of(&test_member.arena, lock));
    pthread_create(&thread, NULL, acquire_and_end, &token);
    pthread_join(thread, NULL);
    cr_assert_eq(ili_lock_kind.grants(&test_member, lock, &grant, 1), 1);
    cr_assert_eq(ili_agent_home(&test_member, &home), IL_OK);
    cr_assert_eq(grant.owner, test_number(home));
    cr_assert_eq(ili_lock_acquire(&test_member, lock, 0, &token), IL_ETIMEOUT);
    /* who had looked at the word before the thread ended is not misled by the agent that is gone */
    cr_assert(ili_lock_owner(word_of_thread) != grant.owner);
    cr_assert_eq(ili_lock_check_holder(&test_member, lock, word_of_thread, test_me(), token),
                 IL_OK);
    cr_assert_eq(ili_lock_release(&test_member, lock, test_me(), token), IL_OK);
    cr_assert_eq(ili_lock_check_holder(&test_member, lock, word_of_thread, test_me(), token),
                 IL_ENOTHELD);
    check();
    atomic_store(ili_open_entry(&test_member, entry), 0);
    test_leave();
}

Test(sync_lock, tokens_grow_past_the_end_of_the_sequence) {
    uint64_t start = (UINT64_C(7) << 32) - 5, previous = start, token = 0;
    open_lock(0);
    atomic_store(&lock->last_token, start);
    atomic_store(&lock->word, start << 32);
    _Atomic uint64_t last = start;
    for (int i = 0; i < 20; i++) {
        bool fast = i % 2;
        if (fast) {
            cr_assert(ili_lock_try_again(lock, test_me(), &last, &token));
        } else {
            token = acquire();
            last = token;
        }
        cr_assert_eq(token, previous + 1, "%llx after %llx", (unsigned long long)token,
                     (unsigned long long)previous);
        cr_assert_eq(ili_lock_release(&test_member, lock, test_me(), previous), IL_ESTALE);
        cr_assert_not(ili_lock_release_fast(lock, test_me(), previous));
        cr_assert_not(ili_lock_release_fast(lock, test_me(), token + (UINT64_C(1) << 32)));
        cr_assert_eq(ili_lock_release(&test_member, lock, test_me(), token + (UINT64_C(1) << 32)),
                     IL_ENOTHELD);
        if (!(i % 4 < 2 && ili_lock_release_fast(lock, test_me(), token))) {
            cr_assert_eq(ili_lock_release(&test_member, lock, test_me(), token), IL_OK);
        }
        previous = token;
    }
    test_leave();
}

/* ---- threads ---------------------------------------------------------------------------------- */

static _Atomic int stop;
static _Atomic uint64_t grants[16], overlaps;
static long inside; /* under the lock */

static void *hammer(void *argument) {
    uint64_t number = (uintptr_t)argument;
    while (!atomic_load(&stop)) {
        uint64_t token = 0;
        if (ili_lock_acquire(&test_member, lock, ILI_NEVER, &token) != IL_OK) break;
        if (inside++ != 0) atomic_fetch_add(&overlaps, 1);
        int64_t until = test_now_ns() + 1000;
        while (test_now_ns() < until) {
        }
        inside--;
        atomic_fetch_add(&grants[number], 1);
        if (ili_lock_release(&test_member, lock, test_me(), token) != IL_OK) break;
    }
    return NULL;
}

static bool all_had_some(void *unused) {
    (void)unused;
    for (int i = 0; i < 8; i++) {
        if (atomic_load(&grants[i]) < 50) return false;
    }
    return true;
}

static void nobody_starves(uint32_t flags) {
    pthread_t threads[8];
    open_lock(flags);
    for (uintptr_t i = 0; i < 8; i++) pthread_create(&threads[i], NULL, hammer, (void *)i);
    cr_assert(test_wait(all_had_some, NULL, 30));
    atomic_store(&stop, 1);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    cr_assert_eq(overlaps, 0);
    check();
    test_leave();
}

Test(sync_lock, nobody_starves_at_a_plain_one, .timeout = 60) { nobody_starves(0); }
Test(sync_lock, nobody_starves_at_a_fair_one, .timeout = 60) { nobody_starves(IL_LOCK_FAIR); }

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The waiter of an HTTP client, against eight threads that hold the lock for a microsecond each. */
Test(sync_lock, parked_waiter_is_granted_soon_amid_eight_threads, .timeout = 120) {
    enum { ROUNDS = 200 };
    static double waited[ROUNDS];
    pthread_t threads[8];
    open_lock(0);
    test_member.before_wait = NULL; /* a keeper would listen to the doorbell, too */
    for (uintptr_t i = 0; i < 8; i++) pthread_create(&threads[i], NULL, hammer, (void *)i);
    struct ili_agent *waiter = bell();
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t token = 0, count;
        int64_t begin = test_now_ns();
        il_status status =
            ili_lock_enqueue(&test_member, lock, waiter, test_number(waiter), &token);
        while (status == IL_ETIMEOUT && test_now_ns() - begin < INT64_C(10000000000)) {
            struct pollfd polled = {test_member.doorbell_fd, POLLIN, 0};
            poll(&polled, 1, 100);
            ssize_t ignored = read(test_member.doorbell_fd, &count, sizeof count);
            static uint8_t numbers[4096];
            (void)ignored;
            ili_doorbell_collect(&test_member, false, heard, numbers);
            status = ili_lock_poll(waiter, &token);
        }
        cr_assert_eq(status, IL_OK, "round %d", i);
        waited[i] = (double)(test_now_ns() - begin) / 1e6;
        cr_assert_eq(ili_lock_release(&test_member, lock, test_me(), token), IL_OK);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    qsort(waited, ROUNDS, sizeof waited[0], by_size);
    fprintf(stderr, "a parked waiter is granted after %.3f ms (p50), %.3f ms (p99)\n",
            waited[ROUNDS / 2], waited[ROUNDS * 99 / 100]);
    cr_assert(waited[ROUNDS * 99 / 100] < 100);
    test_leave();
}

/* Short waits that time out, while others take and give: no bit and no waiter is left behind. */
static void *give_up(void *argument) {
    uint64_t random = (uintptr_t)argument;
    while (!atomic_load(&stop)) {
        uint64_t token = 0;
        int64_t deadline = ili_deadline_in((int64_t)(test_random(&random) % 60000));
        il_status status = ili_lock_acquire(&test_member, lock, deadline, &token);
        atomic_fetch_add(&grants[(uintptr_t)argument], 1);
        if (status == IL_ETIMEOUT) continue;
        if (status != IL_OK || ili_lock_release(&test_member, lock, test_me(), token) != IL_OK)
            break;
    }
    return NULL;
}

Test(sync_lock, timeouts_leave_nothing_behind, .timeout = 60) {
    for (uint32_t flags = 0; flags <= IL_LOCK_FAIR; flags++) {
        pthread_t threads[8];
        atomic_store(&stop, 0);
        for (int i = 0; i < 8; i++) atomic_store(&grants[i], 0);
        open_lock(flags);
        for (uintptr_t i = 0; i < 8; i++) {
            pthread_create(&threads[i], NULL, i < 4 ? hammer : give_up, (void *)i);
        }
        for (int i = 0; i < 200; i++) {
            check();
            test_pause();
        }
        cr_assert(test_wait(all_had_some, NULL, 30));
        atomic_store(&stop, 1);
        for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
        check();
        cr_assert_eq(atomic_load(&lock->word) & (ILI_LOCK_LOW), 0, "%llx",
                     (unsigned long long)atomic_load(&lock->word));
        cr_assert_eq(acquire() > 0, true);
        test_leave();
    }
}
