#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#include "arena/doorbell.h"
#include "base/clock.h"
#include "support/member.h"
#include "sync/lock.h"

static struct ili_lock *lock;

static void open_lock(uint32_t flags) {
    il_lock_options options = {sizeof options, flags};
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
        cr_assert_eq(ili_lock_enqueue(&test_member, lock, waiters[i], &token), IL_ETIMEOUT);
        check();
    }
    cr_assert_eq(ili_lock_release(&test_member, lock, previous), IL_OK);
    for (int i = 0; i < 5; i++) {
        check();
        cr_assert(rang_for(waiters[i]), "waiter %d", i);
        cr_assert_eq(ili_lock_poll(waiters[i], &token), IL_OK);
        cr_assert_eq(token, previous + 1);
        previous = token;
        for (int k = i + 1; k < 5; k++)
            cr_assert_eq(ili_lock_poll(waiters[k], &token), IL_ETIMEOUT);
        cr_assert_eq(ili_lock_release(&test_member, lock, previous), IL_OK);
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
            ili_lock_enqueue(&test_member, lock, waiters[i], &token);
        }
        cr_assert_eq(ili_lock_withdraw(&test_member, lock, waiters[1], &token), IL_ETIMEOUT);
        check();
        cr_assert_eq(ili_lock_withdraw(&test_member, lock, waiters[0], &token), IL_ETIMEOUT);
        check();
        cr_assert_eq(ili_lock_release(&test_member, lock, first), IL_OK);
        /* it was granted meanwhile: it holds the lock, and says so */
        cr_assert_eq(ili_lock_withdraw(&test_member, lock, waiters[2], &token), IL_OK);
        cr_assert_eq(token, first + 1);
        cr_assert_eq(ili_lock_release(&test_member, lock, token), IL_OK);
        cr_assert_eq(ili_lock_poll(waiters[3], &token), IL_OK);
        cr_assert_eq(ili_lock_release(&test_member, lock, token), IL_OK);
        check();
        test_leave();
    }
}

Test(sync_lock, voided_grant_goes_to_the_next_who_is_told) {
    uint64_t token = 0, first;
    open_lock(0);
    first = acquire();
    struct ili_agent *waiter = bell();
    ili_lock_enqueue(&test_member, lock, waiter, &token);
    cr_assert_eq(ili_lock_void(&test_member, lock, first + 1), IL_ESTALE);
    cr_assert_eq(ili_lock_void(&test_member, lock, 0), IL_ESTALE);
    cr_assert_eq(ili_lock_void(&test_member, lock, first), IL_OK);
    cr_assert_eq(ili_lock_void(&test_member, lock, first), IL_ESTALE);
    cr_assert_eq(ili_lock_poll(waiter, &token), IL_EOWNERDEAD);
    cr_assert_eq(ili_lock_release(&test_member, lock, first), IL_ESTALE);
    cr_assert_eq(ili_lock_void(&test_member, lock, token), IL_OK);
    cr_assert_eq(ili_lock_void(&test_member, lock, token), IL_ESTALE, "the lock is free");
    check();
    cr_assert_eq(ili_lock_acquire(&test_member, lock, 0, &token), IL_EOWNERDEAD);
    cr_assert_eq(ili_lock_release(&test_member, lock, token), IL_OK);
    cr_assert_eq(ili_lock_acquire(&test_member, lock, 0, &token), IL_OK);
    test_leave();
}

Test(sync_lock, tokens_grow_past_the_end_of_the_sequence) {
    uint64_t start = (UINT64_C(7) << 32) - 5, previous = start, token = 0;
    open_lock(0);
    atomic_store(&lock->last_token, start);
    atomic_store(&lock->word, start << 32);
    for (int i = 0; i < 20; i++) {
        bool fast = i % 2;
        if (fast) {
            cr_assert(ili_lock_try_fast(lock, test_member.slot + 1, &token));
        } else {
            token = acquire();
        }
        cr_assert_eq(token, previous + 1, "%llx after %llx", (unsigned long long)token,
                     (unsigned long long)previous);
        cr_assert_eq(ili_lock_release(&test_member, lock, previous), IL_ESTALE);
        cr_assert_not(ili_lock_release_fast(lock, test_member.slot + 1, previous));
        cr_assert_not(
            ili_lock_release_fast(lock, test_member.slot + 1, token + (UINT64_C(1) << 32)));
        cr_assert_eq(ili_lock_release(&test_member, lock, token + (UINT64_C(1) << 32)),
                     IL_ENOTHELD);
        if (!(i % 4 < 2 && ili_lock_release_fast(lock, test_member.slot + 1, token))) {
            cr_assert_eq(ili_lock_release(&test_member, lock, token), IL_OK);
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
        if (ili_lock_release(&test_member, lock, token) != IL_OK) break;
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
        il_status status = ili_lock_enqueue(&test_member, lock, waiter, &token);
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
        cr_assert_eq(ili_lock_release(&test_member, lock, token), IL_OK);
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
        if (status != IL_OK || ili_lock_release(&test_member, lock, token) != IL_OK) break;
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
