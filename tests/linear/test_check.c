/*
 * The checker itself: for each kind of object, histories that are linearizable and such that are not.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "linear/check/check.h"

#define CALLS_MOST 64
#define PENDING LINEAR_NEVER

static struct linear_call calls[CALLS_MOST];
static struct linear_history history;

static void begin(unsigned kind, uint32_t flags, uint32_t number) {
    memset(calls, 0, sizeof calls);
    history = (struct linear_history){.object = {kind, flags, number, "x"}, .calls = calls};
}

/* A call of SESSION, whose one thread is its owner, from BEGAN to ENDED. */
static struct linear_call *call(int64_t began, int64_t ended, uint32_t session, unsigned op,
                                il_status status) {
    struct linear_call *c = &calls[history.count++];
    *c = (struct linear_call){.began_ns = began,
                              .ended_ns = ended,
                              .op = (uint16_t)op,
                              .session = session,
                              .owner = op == OP_DEATH ? 0 : session,
                              .status = ended == PENDING ? LINEAR_PENDING : status};
    return c;
}

static struct linear_call *acquire(int64_t began, int64_t ended, uint32_t session, uint64_t token) {
    struct linear_call *c = call(began, ended, session, OP_ACQUIRE, IL_OK);
    c->result = token;
    return c;
}

static struct linear_call *fail(int64_t began, int64_t ended, uint32_t session) {
    struct linear_call *c = call(began, ended, session, OP_ACQUIRE, IL_ETIMEOUT);
    c->flags = CALL_NOWAIT;
    return c;
}

static struct linear_call *about(int64_t began, int64_t ended, uint32_t session, unsigned op,
                                 uint64_t token, il_status status) {
    struct linear_call *c = call(began, ended, session, op, status);
    c->argument = token;
    return c;
}

static struct linear_call *release(int64_t began, int64_t ended, uint32_t session, uint64_t token) {
    return about(began, ended, session, OP_RELEASE, token, IL_OK);
}

static struct linear_call *permits(struct linear_call *c, uint32_t amount) {
    c->amount = amount;
    return c;
}

static struct linear_call *put(int64_t began, int64_t ended, uint32_t session, uint64_t item) {
    return about(began, ended, session, OP_PUT, item, IL_OK);
}

static struct linear_call *get(int64_t began, int64_t ended, uint32_t session, uint64_t item) {
    struct linear_call *c = call(began, ended, session, OP_GET, IL_OK);
    c->result = item;
    return c;
}

static struct linear_call *nowait(struct linear_call *c) {
    c->flags |= CALL_NOWAIT;
    return c;
}

static struct linear_call *dropped(struct linear_call *c) {
    c->flags |= CALL_DROPPED;
    return c;
}

static struct linear_call *gives(struct linear_call *c, uint64_t result) {
    c->result = result;
    return c;
}

static void good(void) { cr_assert_eq(linear_check(&history, stderr), LINEAR_OK); }
static void bad(void) { cr_assert_eq(linear_check(&history, NULL), LINEAR_VIOLATED); }

/* ---- lock ----------------------------------------------------------------------------------- */

Test(linear_lock, is_held_back_after_a_death) {
    begin(IL_KIND_LOCK, 0, 10); /* ms */
    acquire(0, 10, 1, 100);
    call(20, 30, 1, OP_DEATH, IL_OK);
    fail(40, 50, 2);
    acquire(60, 10000020, 2, 101)->status = IL_EOWNERDEAD;
    good();
}

Test(linear_lock, is_not_granted_while_it_is_held_back) {
    begin(IL_KIND_LOCK, 0, 10);
    acquire(0, 10, 1, 100);
    call(20, 30, 1, OP_DEATH, IL_OK);
    acquire(60, 9999999, 2, 101)->status = IL_EOWNERDEAD;
    bad();
}

Test(linear_lock, a_break_ends_the_time_that_it_is_held_back) {
    begin(IL_KIND_LOCK, 0, 10);
    acquire(0, 10, 1, 100);
    call(20, 30, 1, OP_DEATH, IL_OK);
    about(40, 50, 2, OP_BREAK, 100, IL_OK);
    acquire(60, 70, 2, 101)->status = IL_EOWNERDEAD;
    good();
}

Test(linear_lock, a_break_that_ends_it_has_broken_no_grant) {
    begin(IL_KIND_LOCK, 0, 10);
    acquire(0, 10, 1, 100);
    call(20, 30, 1, OP_DEATH, IL_OK);
    about(40, 50, 2, OP_BREAK, 100, IL_OK);
    about(60, 70, 2, OP_CHECK, 100, IL_ENOTHELD);
    good();
}

Test(linear_lock, a_break_of_a_grant_that_stood_is_told) {
    begin(IL_KIND_LOCK, 0, 10);
    acquire(0, 10, 1, 100);
    about(40, 50, 2, OP_BREAK, 100, IL_OK);
    about(60, 70, 2, OP_CHECK, 100, IL_ENOTHELD);
    bad();
}

Test(linear_lock, one_after_the_other) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, 10, 1, 100);
    fail(20, 30, 2);
    acquire(25, 60, 2, 101);
    release(40, 50, 1, 100);
    about(70, 80, 1, OP_RELEASE, 100, IL_ESTALE);
    about(81, 82, 1, OP_CHECK, 101, IL_OK);
    release(90, 99, 2, 101);
    about(100, 101, 1, OP_CHECK, 101, IL_ENOTHELD);
    good();
}

Test(linear_lock, not_granted_twice) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, 10, 1, 100);
    acquire(20, 30, 2, 101);
    release(40, 50, 1, 100);
    release(60, 70, 2, 101);
    bad();
}

Test(linear_lock, tokens_do_not_go_back) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, 10, 1, 101);
    release(20, 30, 1, 101);
    acquire(40, 50, 2, 100);
    bad();
}

Test(linear_lock, tokens_differ) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, 10, 1, 101);
    release(20, 30, 1, 101);
    acquire(40, 50, 2, 101);
    bad();
}

Test(linear_lock, a_try_fails_only_if_it_is_held) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, 10, 1, 100);
    release(20, 30, 1, 100);
    fail(40, 50, 2);
    bad();
}

Test(linear_lock, a_wait_may_give_up_anyway) {
    begin(IL_KIND_LOCK, 0, 0);
    call(0, 10, 1, OP_ACQUIRE, IL_ETIMEOUT);
    good();
}

Test(linear_lock, only_its_holder_releases) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, 10, 1, 100);
    release(20, 30, 2, 100);
    bad();
}

Test(linear_lock, a_stale_token_is_refused) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, 10, 1, 100);
    release(20, 30, 1, 100);
    acquire(40, 50, 1, 101);
    release(60, 70, 1, 100);
    bad();
}

Test(linear_lock, what_is_held_can_be_released) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, 10, 1, 100);
    about(20, 30, 1, OP_RELEASE, 100, IL_ENOTHELD);
    bad();
}

Test(linear_lock, death_passes_it_on) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, 10, 1, 100);
    call(20, 100, 1, OP_DEATH, IL_OK);
    acquire(15, 40, 2, 101)->status = IL_EOWNERDEAD;
    release(50, 60, 2, 101);
    acquire(70, 80, 3, 102);
    good();
}

Test(linear_lock, death_is_told) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, 10, 1, 100);
    call(20, 30, 1, OP_DEATH, IL_OK);
    acquire(40, 50, 2, 101);
    bad();
}

Test(linear_lock, nobody_died) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, 10, 1, 100);
    release(20, 30, 1, 100);
    acquire(40, 50, 2, 101)->status = IL_EOWNERDEAD;
    bad();
}

Test(linear_lock, death_frees_it) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, 10, 1, 100);
    call(20, 30, 1, OP_DEATH, IL_OK);
    fail(40, 50, 2);
    bad();
}

Test(linear_lock, the_dead_may_have_been_granted_it) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, PENDING, 1, 0);
    fail(5, 6, 2);
    call(20, 30, 1, OP_DEATH, IL_OK);
    acquire(40, 50, 2, 101)->status = IL_EOWNERDEAD;
    good();
}

Test(linear_lock, the_dead_are_not_granted_it_later) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, PENDING, 1, 0);
    call(20, 30, 1, OP_DEATH, IL_OK);
    fail(40, 50, 2);
    bad();
}

Test(linear_lock, the_dead_may_have_released_it) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, 10, 1, 100);
    release(11, PENDING, 1, 100);
    call(20, 30, 1, OP_DEATH, IL_OK);
    acquire(40, 50, 2, 101);
    good();
}

Test(linear_lock, a_dropped_wait_may_have_held_it) {
    begin(IL_KIND_LOCK, 0, 0);
    dropped(acquire(0, PENDING, 1, 0));
    fail(10, 20, 2);
    acquire(30, 40, 2, 101);
    good();
}

Test(linear_lock, a_lease_ends) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, 10, 1, 100)->lease_ns = 50;
    acquire(20, 70, 2, 101)->status = IL_EOWNERDEAD;
    about(80, 90, 1, OP_RELEASE, 100, IL_ELEASE);
    about(91, 92, 1, OP_CHECK, 100, IL_ELEASE);
    good();
}

Test(linear_lock, a_lease_does_not_end_early) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, 10, 1, 100)->lease_ns = 50;
    acquire(20, 40, 2, 101)->status = IL_EOWNERDEAD;
    bad();
}

Test(linear_lock, a_lease_that_ended_is_gone) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, 10, 1, 100)->lease_ns = 50;
    acquire(20, 70, 2, 101)->status = IL_EOWNERDEAD;
    about(80, 90, 1, OP_CHECK, 100, IL_OK);
    bad();
}

Test(linear_lock, a_renewed_lease_lasts) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, 10, 1, 100)->lease_ns = 50;
    about(30, 40, 1, OP_RENEW, 100, IL_OK)->lease_ns = 100;
    fail(70, 80, 2);
    acquire(85, 150, 2, 101)->status = IL_EOWNERDEAD;
    about(160, 170, 1, OP_RENEW, 100, IL_ELEASE);
    good();
}

Test(linear_lock, a_renewed_lease_does_not_end_as_the_first) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, 10, 1, 100)->lease_ns = 50;
    about(30, 40, 1, OP_RENEW, 100, IL_OK)->lease_ns = 100;
    acquire(45, 100, 2, 101)->status = IL_EOWNERDEAD;
    bad();
}

Test(linear_lock, a_broken_grant_says_so) {
    begin(IL_KIND_LOCK, 0, 0);
    acquire(0, 10, 1, 100);
    about(20, 30, 2, OP_BREAK, 100, IL_OK);
    about(40, 50, 1, OP_RELEASE, 100, IL_EREVOKED);
    acquire(60, 70, 3, 101)->status = IL_EOWNERDEAD;
    good();
    calls[2].status = IL_ENOTHELD;
    bad();
}

/* ---- rlock, rwlock, semaphore --------------------------------------------------------------- */

Test(linear_rlock, is_free_when_released_as_often) {
    begin(IL_KIND_RLOCK, 0, 0);
    acquire(0, 1, 1, 100);
    acquire(2, 3, 1, 100);
    release(4, 5, 1, 100);
    fail(6, 7, 2);
    release(8, 9, 1, 100);
    acquire(10, 11, 2, 101);
    good();
}

Test(linear_rlock, is_not_free_before) {
    begin(IL_KIND_RLOCK, 0, 0);
    acquire(0, 1, 1, 100);
    acquire(2, 3, 1, 100);
    release(4, 5, 1, 100);
    acquire(6, 7, 2, 101);
    bad();
}

Test(linear_rlock, its_owner_never_fails) {
    begin(IL_KIND_RLOCK, 0, 0);
    acquire(0, 1, 1, 100);
    fail(2, 3, 1);
    bad();
}

Test(linear_rlock, belongs_to_a_thread) {
    begin(IL_KIND_RLOCK, 0, 0);
    acquire(0, 1, 1, 100);
    acquire(2, 3, 1, 100)->owner = 9;
    bad();
}

Test(linear_rlock, a_threads_end_frees_it) {
    begin(IL_KIND_RLOCK, 0, 0);
    acquire(0, 1, 1, 100);
    call(2, 3, 0, OP_DEATH, IL_OK)->owner = 1;
    acquire(4, 5, 2, 101)->status = IL_EOWNERDEAD;
    good();
}

Test(linear_rwlock, is_shared) {
    begin(IL_KIND_RWLOCK, 0, 0);
    acquire(0, 1, 1, 100);
    acquire(2, 3, 2, 101);
    permits(fail(4, 5, 3), IL_EXCLUSIVE);
    release(6, 7, 1, 100);
    release(8, 9, 2, 101);
    permits(acquire(10, 11, 3, 102), IL_EXCLUSIVE);
    fail(12, 13, 1);
    good();
}

Test(linear_rwlock, is_not_shared_while_exclusive) {
    begin(IL_KIND_RWLOCK, 0, 0);
    permits(acquire(0, 1, 1, 100), IL_EXCLUSIVE);
    acquire(2, 3, 2, 101);
    bad();
}

Test(linear_rwlock, is_not_exclusive_while_shared) {
    begin(IL_KIND_RWLOCK, 0, 0);
    acquire(0, 1, 1, 100);
    permits(acquire(2, 3, 2, 101), IL_EXCLUSIVE);
    bad();
}

/* One more acquire, that gives the grant a lease, finds it broken. */
Test(linear_rlock, an_acquire_may_be_told_that_the_grant_was_broken_meanwhile) {
    begin(IL_KIND_RLOCK, 0, 0);
    acquire(0, 10, 1, 100);
    about(20, 40, 2, OP_BREAK, 100, IL_OK);
    struct linear_call *again = fail(30, 50, 1);
    again->status = IL_EREVOKED;
    again->flags = 0;
    again->lease_ns = 100;
    acquire(60, 70, 2, 101)->status = IL_EOWNERDEAD;
    good();
    again->lease_ns = 0;
    bad();
}

Test(linear_rlock, an_acquire_is_not_told_of_an_older_break) {
    begin(IL_KIND_RLOCK, 0, 0);
    acquire(0, 10, 1, 100);
    about(20, 25, 2, OP_BREAK, 100, IL_OK);
    struct linear_call *again = fail(30, 50, 1);
    again->status = IL_EREVOKED;
    again->flags = 0;
    again->lease_ns = 100;
    bad();
}

Test(linear_rwlock, a_try_to_share_fails_only_for_a_reason) {
    begin(IL_KIND_RWLOCK, 0, 0);
    acquire(0, 1, 1, 100);
    fail(2, 3, 2);
    bad();
}

Test(linear_rwlock, a_dropped_acquire_may_have_given_the_grant_its_lease) {
    begin(IL_KIND_RWLOCK, 0, 0);
    acquire(0, 1, 1, 100);
    dropped(acquire(2, PENDING, 1, 0))->lease_ns = 50;
    about(60, 70, 1, OP_RELEASE, 100, IL_ELEASE);
    good();
}

Test(linear_rwlock, a_dropped_acquire_of_another_did_not) {
    begin(IL_KIND_RWLOCK, 0, 0);
    acquire(0, 1, 1, 100);
    dropped(acquire(2, PENDING, 2, 0))->lease_ns = 50;
    about(60, 70, 1, OP_RELEASE, 100, IL_ELEASE);
    bad();
}

Test(linear_semaphore, has_so_many_permits) {
    begin(IL_KIND_SEMAPHORE, LINEAR_BOUNDED, 3);
    permits(acquire(0, 1, 1, 100), 2);
    permits(acquire(2, 3, 2, 101), 1);
    permits(fail(4, 5, 3), 1);
    permits(release(6, 7, 1, 100), 1);
    permits(acquire(8, 9, 3, 102), 1);
    permits(release(10, 11, 1, 100), 1);
    permits(release(12, 13, 2, 101), 1);
    permits(release(14, 15, 3, 102), 1);
    permits(about(16, 17, 1, OP_RELEASE, 0, IL_EOVERFLOW), 1);
    good();
}

Test(linear_semaphore, has_no_more) {
    begin(IL_KIND_SEMAPHORE, 0, 2);
    permits(acquire(0, 1, 1, 100), 2);
    permits(acquire(2, 3, 2, 101), 1);
    bad();
}

Test(linear_semaphore, permits_are_not_lost) {
    begin(IL_KIND_SEMAPHORE, 0, 2);
    permits(acquire(0, 1, 1, 100), 2);
    permits(release(2, 3, 1, 100), 2);
    permits(fail(4, 5, 2), 2);
    bad();
}

Test(linear_semaphore, permits_of_the_dead_return) {
    begin(IL_KIND_SEMAPHORE, 0, 2);
    permits(acquire(0, 1, 1, 100), 2);
    call(2, 3, 1, OP_DEATH, IL_OK);
    permits(acquire(4, 5, 2, 101), 2);
    good();
    calls[1].session = 9;
    bad();
}

Test(linear_semaphore, signals_are_consumed) {
    begin(IL_KIND_SEMAPHORE, LINEAR_SIGNAL, 1);
    permits(acquire(0, 1, 1, 100), 1);
    permits(fail(2, 3, 2), 1);
    permits(about(4, 5, 2, OP_RELEASE, 0, IL_OK), 1);
    permits(acquire(6, 7, 1, 101), 1);
    good();
    permits(acquire(8, 9, 1, 102), 1);
    bad();
}

/* ---- queue ---------------------------------------------------------------------------------- */

Test(linear_queue, first_in_first_out) {
    begin(IL_KIND_QUEUE, 0, 2);
    put(0, 1, 1, 1);
    put(2, 3, 1, 2);
    nowait(about(4, 5, 1, OP_PUT, 3, IL_ETIMEOUT));
    get(6, 7, 2, 1);
    get(8, 9, 2, 2);
    nowait(call(10, 11, 2, OP_GET, IL_ETIMEOUT));
    good();
}

Test(linear_queue, calls_at_once_come_in_any_order) {
    begin(IL_KIND_QUEUE, 0, 0);
    put(0, 10, 1, 1);
    put(0, 10, 2, 2);
    get(20, 30, 1, 2);
    get(20, 30, 2, 1);
    good();
}

Test(linear_queue, not_out_of_order) {
    begin(IL_KIND_QUEUE, 0, 0);
    put(0, 1, 1, 1);
    put(2, 3, 1, 2);
    get(4, 5, 2, 2);
    get(6, 7, 2, 1);
    bad();
}

Test(linear_queue, nothing_is_lost) {
    begin(IL_KIND_QUEUE, 0, 0);
    put(0, 1, 1, 1);
    put(2, 3, 1, 2);
    get(4, 5, 2, 2);
    nowait(call(6, 7, 2, OP_GET, IL_ETIMEOUT));
    bad();
}

Test(linear_queue, is_empty_only_if_it_is) {
    begin(IL_KIND_QUEUE, 0, 0);
    put(0, 1, 1, 1);
    nowait(call(2, 3, 2, OP_GET, IL_ETIMEOUT));
    bad();
}

Test(linear_queue, nothing_comes_twice) {
    begin(IL_KIND_QUEUE, 0, 0);
    put(0, 1, 1, 1);
    get(2, 5, 2, 1);
    get(2, 5, 3, 1);
    bad();
}

Test(linear_queue, nothing_comes_from_nowhere) {
    begin(IL_KIND_QUEUE, 0, 0);
    get(0, 10, 1, 7);
    put(20, 30, 2, 7);
    bad();
}

Test(linear_queue, is_bounded) {
    begin(IL_KIND_QUEUE, 0, 1);
    put(0, 1, 1, 1);
    put(2, 3, 1, 2);
    get(4, 5, 2, 1);
    bad();
}

Test(linear_queue, the_dead_may_have_put_or_taken) {
    begin(IL_KIND_QUEUE, 0, 0);
    put(0, PENDING, 1, 1);
    call(5, 10, 1, OP_DEATH, IL_OK);
    get(11, 12, 2, 1);
    put(13, 14, 2, 2);
    get(15, PENDING, 3, 0);
    call(16, 20, 3, OP_DEATH, IL_OK);
    nowait(call(21, 22, 2, OP_GET, IL_ETIMEOUT));
    good();
}

Test(linear_queue, the_dead_take_nothing_later) {
    begin(IL_KIND_QUEUE, 0, 0);
    get(0, PENDING, 3, 0);
    call(1, 2, 3, OP_DEATH, IL_OK);
    put(3, 4, 1, 1);
    nowait(call(5, 6, 2, OP_GET, IL_ETIMEOUT));
    bad();
}

Test(linear_queue, a_dropped_get_gives_back) {
    begin(IL_KIND_QUEUE, 0, 0);
    put(0, 1, 1, 1);
    put(2, 3, 1, 2);
    put(4, 5, 1, 3);
    dropped(get(6, PENDING, 2, 0));
    get(7, 8, 1, 2);
    get(9, 10, 1, 1);
    get(11, 12, 1, 3);
    good();
}

Test(linear_queue, is_not_given_back_twice) {
    begin(IL_KIND_QUEUE, 0, 0);
    put(0, 1, 1, 1);
    dropped(get(6, PENDING, 2, 0));
    get(7, 8, 1, 1);
    get(9, 10, 1, 1);
    bad();
}

Test(linear_queue, closed_means_closed) {
    begin(IL_KIND_QUEUE, 0, 0);
    put(0, 1, 1, 1);
    call(2, 3, 1, OP_CLOSE, IL_OK);
    about(4, 5, 1, OP_PUT, 2, IL_ECLOSED);
    get(6, 7, 1, 1);
    call(8, 9, 1, OP_GET, IL_ECLOSED);
    good();
    put(10, 11, 1, 3);
    bad();
}

Test(linear_queue, closed_and_full_it_still_gives) {
    begin(IL_KIND_QUEUE, 0, 0);
    put(0, 1, 1, 1);
    call(2, 3, 1, OP_CLOSE, IL_OK);
    call(4, 5, 1, OP_GET, IL_ECLOSED);
    bad();
}

/* ---- event, latch --------------------------------------------------------------------------- */

Test(linear_event, wakes_when_set) {
    begin(IL_KIND_EVENT, 0, 0);
    call(0, 30, 1, OP_WAIT, IL_OK);
    nowait(call(1, 2, 2, OP_WAIT, IL_ETIMEOUT));
    call(10, 11, 2, OP_SET, IL_OK);
    call(12, 13, 2, OP_CLEAR, IL_OK);
    gives(call(14, 15, 2, OP_IS_SET, IL_OK), 0);
    good();
}

Test(linear_event, does_not_wake_from_nothing) {
    begin(IL_KIND_EVENT, 0, 0);
    call(0, 1, 2, OP_SET, IL_OK);
    call(2, 3, 2, OP_CLEAR, IL_OK);
    call(4, 30, 1, OP_WAIT, IL_OK);
    bad();
}

Test(linear_event, stays_set) {
    begin(IL_KIND_EVENT, 0, 0);
    call(0, 1, 2, OP_SET, IL_OK);
    nowait(call(2, 3, 1, OP_WAIT, IL_ETIMEOUT));
    bad();
}

Test(linear_latch, opens_at_none) {
    begin(IL_KIND_LATCH, 0, 3);
    gives(permits(call(0, 5, 1, OP_COUNT_DOWN, IL_OK), 1), 2);
    nowait(call(6, 7, 1, OP_WAIT, IL_ETIMEOUT));
    gives(permits(call(8, 9, 2, OP_COUNT_DOWN, IL_OK), 5), 0);
    call(6, 10, 2, OP_WAIT, IL_OK);
    gives(call(11, 12, 2, OP_COUNT, IL_OK), 0);
    good();
}

Test(linear_latch, does_not_open_before) {
    begin(IL_KIND_LATCH, 0, 2);
    gives(permits(call(0, 5, 1, OP_COUNT_DOWN, IL_OK), 1), 1);
    call(6, 10, 2, OP_WAIT, IL_OK);
    bad();
}

Test(linear_latch, loses_no_count) {
    begin(IL_KIND_LATCH, 0, 2);
    gives(permits(call(0, 5, 1, OP_COUNT_DOWN, IL_OK), 1), 1);
    gives(permits(call(0, 5, 2, OP_COUNT_DOWN, IL_OK), 1), 1);
    bad();
}

/* ---- barrier -------------------------------------------------------------------------------- */

Test(linear_barrier, rounds) {
    begin(IL_KIND_BARRIER, 0, 2);
    gives(call(0, 20, 1, OP_MEET, IL_OK), 1);
    gives(call(10, 21, 2, OP_MEET, IL_OK), 0);
    gives(call(30, 42, 2, OP_MEET, IL_OK), 1);
    gives(call(40, 41, 1, OP_MEET, IL_OK), 0);
    good();
}

Test(linear_barrier, nobody_goes_on_alone) {
    begin(IL_KIND_BARRIER, 0, 2);
    gives(call(0, 20, 1, OP_MEET, IL_OK), 1);
    gives(call(30, 40, 2, OP_MEET, IL_OK), 0);
    bad();
}

Test(linear_barrier, each_index_once) {
    begin(IL_KIND_BARRIER, 0, 3);
    gives(call(0, 20, 1, OP_MEET, IL_OK), 1);
    gives(call(0, 20, 2, OP_MEET, IL_OK), 1);
    gives(call(0, 20, 3, OP_MEET, IL_OK), 0);
    bad();
}

Test(linear_barrier, who_comes_last_has_0) {
    begin(IL_KIND_BARRIER, 0, 2);
    gives(call(0, 20, 1, OP_MEET, IL_OK), 0);
    gives(call(10, 21, 2, OP_MEET, IL_OK), 1);
    good(); /* at 10 both had come, either first */
    calls[0].began_ns = 0;
    calls[1].began_ns = 0;
    history.count = 0;
    memset(calls, 0, sizeof calls);
    gives(call(0, 20, 1, OP_MEET, IL_OK), 0);
    gives(call(0, 20, 2, OP_MEET, IL_OK), 0);
    bad();
}

Test(linear_barrier, breaks_by_a_timeout) {
    begin(IL_KIND_BARRIER, 0, 2);
    call(0, 20, 1, OP_MEET, IL_ETIMEOUT);
    call(30, 31, 2, OP_MEET, IL_EBROKEN);
    call(40, 41, 2, OP_RESET, IL_OK);
    gives(call(50, 60, 1, OP_MEET, IL_OK), 1);
    gives(call(50, 60, 2, OP_MEET, IL_OK), 0);
    good();
}

Test(linear_barrier, does_not_meet_while_broken) {
    begin(IL_KIND_BARRIER, 0, 2);
    call(0, 20, 1, OP_ABORT, IL_OK);
    gives(call(50, 60, 1, OP_MEET, IL_OK), 1);
    gives(call(50, 60, 2, OP_MEET, IL_OK), 0);
    bad();
}

Test(linear_barrier, does_not_break_by_itself) {
    begin(IL_KIND_BARRIER, 0, 2);
    call(30, 31, 2, OP_MEET, IL_EBROKEN);
    bad();
}

Test(linear_barrier, the_dead_break_it) {
    begin(IL_KIND_BARRIER, 0, 3);
    call(0, 50, 1, OP_MEET, IL_EBROKEN);
    call(0, PENDING, 2, OP_MEET, IL_OK);
    call(20, 30, 2, OP_DEATH, IL_OK);
    good();
}

/* ---- condition ------------------------------------------------------------------------------ */

Test(linear_condition, waits_for_a_notify) {
    begin(IL_KIND_CONDITION, 0, 0);
    acquire(0, 1, 1, 100);
    gives(about(2, 50, 1, OP_AWAIT, 100, IL_OK), 102);
    acquire(3, 10, 2, 101);
    permits(about(11, 12, 2, OP_NOTIFY, 101, IL_OK), 1);
    release(13, 14, 2, 101);
    release(51, 52, 1, 102);
    good();
    calls[3].amount = 0;
    bad();
}

Test(linear_condition, does_not_return_before_it_has_the_lock) {
    begin(IL_KIND_CONDITION, 0, 0);
    acquire(0, 1, 1, 100);
    gives(about(2, 13, 1, OP_AWAIT, 100, IL_OK), 102);
    acquire(3, 10, 2, 101);
    permits(about(11, 12, 2, OP_NOTIFY, 101, IL_OK), 1);
    release(14, 15, 2, 101);
    bad();
}

Test(linear_condition, one_notify_ends_one_wait) {
    begin(IL_KIND_CONDITION, 0, 0);
    acquire(0, 1, 1, 100);
    gives(about(2, 50, 1, OP_AWAIT, 100, IL_OK), 104);
    acquire(3, 4, 2, 101);
    gives(about(5, 60, 2, OP_AWAIT, 101, IL_OK), 105);
    acquire(6, 10, 3, 102);
    permits(about(11, 12, 3, OP_NOTIFY, 102, IL_OK), 1);
    release(13, 14, 3, 102);
    release(51, 52, 1, 104);
    release(61, 62, 2, 105);
    bad();
    permits(about(12, 13, 3, OP_NOTIFY, 102, IL_OK), 1);
    good();
}

Test(linear_condition, a_timeout_has_the_lock_again) {
    begin(IL_KIND_CONDITION, 0, 0);
    acquire(0, 1, 1, 100);
    gives(about(2, 50, 1, OP_AWAIT, 100, IL_ETIMEOUT), 101);
    fail(51, 52, 2);
    release(53, 54, 1, 101);
    good();
    history.count = 3;
    acquire(60, 61, 2, 102);
    bad();
}

Test(linear_condition, only_with_the_lock) {
    begin(IL_KIND_CONDITION, 0, 0);
    permits(about(11, 12, 3, OP_NOTIFY, 0, IL_ENOTHELD), 1);
    good();
    calls[0].status = IL_OK;
    bad();
}
