/*
 * scenarios_owner.h - victims and companions around who holds a lock: leases, breaking, lock delay, rlocks,
 * conditions, threads that end. Part of scenarios.h.
 */
#ifndef TESTS_SUPPORT_SCENARIOS_OWNER_H
#define TESTS_SUPPORT_SCENARIOS_OWNER_H

#include "support/crew.h"

#define OWNER_PATIENCE (CREW_SECONDS * INT64_C(1000000000))

static il_lock *open_delayed(struct crew *c) {
    il_lock_options options = {.struct_bytes = sizeof options, .lock_delay_ns = 5000000};
    il_lock *lock = NULL;
    if (il_lock_open(c->world->domain, "delayed", 7, &options, &lock) != IL_OK)
        crew_trouble(c, "lock delayed: %s", il_error_message());
    return lock;
}

static bool is_end_of_grant(il_status status) {
    return status == IL_OK || status == IL_ELEASE || status == IL_EREVOKED || status == IL_ESTALE ||
           status == IL_ENOTHELD;
}

/* Takes LOCK with a lease of LEASE_NS, renews or breaks its own grant, and gives it up. */
static void use_leased(struct crew *c, il_lock *lock, int64_t lease_ns, unsigned how) {
    uint64_t token = 0;
    il_status status = il_lock_acquire_leased(lock, OWNER_PATIENCE, lease_ns, &token);
    if (status != IL_OK && status != IL_EOWNERDEAD) {
        crew_trouble(c, "acquiring with a lease: %s", il_error_message());
        return;
    }
    if (how % 3 == 0) (void)il_lock_renew(lock, token, lease_ns * 2);
    if (how % 3 == 1) (void)il_lock_break(lock, token, "by itself");
    if (lease_ns < 2000000) { /* let it end */
        while (il_lock_check(lock, token) == IL_OK) test_pause();
    }
    status = il_lock_release(lock, token);
    if (!is_end_of_grant(status)) crew_trouble(c, "releasing: %s", il_error_message());
    crew_progress(c);
}

static void use_leases(struct crew *c) {
    il_lock *locks[] = {crew_open_lock(c, PLAIN), crew_open_lock(c, FAIR), open_delayed(c)};
    for (unsigned i = 0; i < 24 && !crew_stopped(c); i++) {
        use_leased(c, locks[i % 3], i % 4 == 3 ? 1000000 : INT64_C(10000000000), i / 3);
    }
    for (int i = 0; i < 3; i++) il_lock_close(locks[i]);
}

/* A companion. */
static void hammer_delayed(struct crew *c) {
    il_lock *lock = open_delayed(c);
    while (lock && !crew_stopped(c)) {
        uint64_t token;
        atomic_store(&c->board->members[c->me].waited_from_ns, test_now_ns());
        il_status status = il_lock_acquire(lock, OWNER_PATIENCE, &token);
        if (status != IL_OK && status != IL_EOWNERDEAD) {
            crew_trouble(c, "acquiring delayed: %s", il_error_message());
            break;
        }
        crew_progress(c);
        status = il_lock_release(lock, token);
        if (status != IL_OK) crew_trouble(c, "releasing delayed: %s", il_error_message());
    }
    il_lock_close(lock);
}

/* ---- rlocks ------------------------------------------------------------------------------------------ */

static bool go_in_and_out(struct crew *c, il_rlock *lock, unsigned depth) {
    uint64_t first = 0, token = 0;
    for (unsigned i = 0; i < depth; i++) {
        il_status status = il_rlock_acquire(lock, OWNER_PATIENCE, &token);
        if (status != IL_OK && status != IL_EOWNERDEAD) {
            crew_trouble(c, "acquiring deep: %s", il_error_message());
            return false;
        }
        if (i == 0) first = token;
        if (token != first) crew_trouble(c, "deep: another token");
    }
    crew_progress(c);
    for (unsigned i = 0; i < depth; i++) {
        if (il_rlock_release(lock, first) != IL_OK) {
            crew_trouble(c, "releasing deep %u of %u: %s", i, depth, il_error_message());
            return false;
        }
    }
    return true;
}

static il_rlock *open_deep(struct crew *c) {
    il_rlock *lock = NULL;
    if (il_rlock_open(c->world->domain, "deep", 4, NULL, &lock) != IL_OK)
        crew_trouble(c, "rlock deep: %s", il_error_message());
    return lock;
}

static void hammer_deep(struct crew *c) {
    il_rlock *lock = open_deep(c);
    for (unsigned i = 0; lock && !crew_stopped(c); i++) {
        atomic_store(&c->board->members[c->me].waited_from_ns, test_now_ns());
        if (!go_in_and_out(c, lock, 1 + i % 3)) break;
    }
    il_rlock_close(lock);
}

static void hammer_deep_a_while(struct crew *c) {
    il_rlock *lock = open_deep(c);
    for (unsigned i = 0; i < 60 && !crew_stopped(c); i++) {
        if (!go_in_and_out(c, lock, 1 + i % 4)) break;
    }
    il_rlock_close(lock);
}

static void *hold_and_end(void *lock) {
    (void)il_rlock_acquire(lock, OWNER_PATIENCE, NULL);
    (void)il_rlock_acquire(lock, OWNER_PATIENCE, NULL);
    return NULL;
}

static void *lock_and_end(void *lock) {
    (void)il_lock_acquire(lock, OWNER_PATIENCE, NULL);
    return NULL;
}

/* Threads end that hold something: an rlock is recovered, a lock goes on as the session's. */
static void end_lock_threads(struct crew *c) {
    il_rlock *deep = open_deep(c);
    il_lock *plain = crew_open_lock(c, PLAIN);
    for (int i = 0; i < 10 && !crew_stopped(c); i++) {
        pthread_t thread;
        if (!go_in_and_out(c, deep, 3)) break;
        pthread_create(&thread, NULL, hold_and_end, deep);
        pthread_join(thread, NULL);
        pthread_create(&thread, NULL, lock_and_end, plain);
        pthread_join(thread, NULL);
        if (il_lock_release(plain, 0) != IL_OK)
            crew_trouble(c, "a lock of an ended thread: %s", il_error_message());
        crew_progress(c);
    }
    il_rlock_close(deep);
    il_lock_close(plain);
}

/* ---- conditions -------------------------------------------------------------------------------------- */

static il_condition *open_news(struct crew *c) {
    il_condition *news = NULL;
    if (il_condition_open(c->world->domain, "news", 4, NULL, &news) != IL_OK)
        crew_trouble(c, "condition news: %s", il_error_message());
    return news;
}

static bool is_held_again(il_status status) {
    return status == IL_OK || status == IL_EOWNERDEAD || status == IL_ETIMEOUT;
}

/* One turn: waits a while, or notifies. A notify may die with the waiter it went to, so waits have an end. */
static bool take_part(struct crew *c, il_condition *news, unsigned turn) {
    il_status status = il_condition_acquire(news, OWNER_PATIENCE, NULL);
    if (status == IL_EDELETED) return false;
    if (status != IL_OK && status != IL_EOWNERDEAD) {
        crew_trouble(c, "acquiring news: %s", il_error_message());
        return false;
    }
    if (turn % 3 == 0) {
        status = il_condition_wait(news, 2000000, NULL);
        if (status == IL_EDELETED) return false;
        if (!is_held_again(status)) crew_trouble(c, "waiting for news: %s", il_error_message());
    } else if (turn % 3 == 1) {
        status = il_condition_notify(news, 1);
    } else {
        status = il_condition_notify_all(news);
    }
    if (status != IL_OK && status != IL_EDELETED && !is_held_again(status))
        crew_trouble(c, "news: %s", il_error_message());
    crew_progress(c);
    if (il_condition_release(news, 0) != IL_OK)
        crew_trouble(c, "releasing news: %s", il_error_message());
    return true;
}

static void spread_news(struct crew *c) {
    il_condition *news = open_news(c);
    for (unsigned turn = c->me; news && !crew_stopped(c); turn++) {
        atomic_store(&c->board->members[c->me].waited_from_ns, test_now_ns());
        if (take_part(c, news, turn)) continue;
        il_condition_close(news);
        news = open_news(c);
    }
    il_condition_close(news);
}

static void hear_news(struct crew *c) {
    il_condition *news = open_news(c);
    for (unsigned turn = 0; turn < 60 && !crew_stopped(c); turn++) {
        if (!take_part(c, news, turn)) break;
    }
    il_condition_close(news);
}

static void delete_news(struct crew *c) {
    for (int i = 0; i < 6 && !crew_stopped(c); i++) {
        il_condition *news = open_news(c);
        for (unsigned turn = 0; turn < 4; turn++) {
            if (!take_part(c, news, turn)) break;
        }
        il_condition_delete(c->world->domain, "news", 4);
        il_condition_close(news);
    }
}

static void remove_owner_names(il_domain *d) {
    il_lock_delete(d, "delayed", 7);
    il_rlock_delete(d, "deep", 4);
    il_condition_delete(d, "news", 4);
    il_rlock_delete(d, "news", 4);
}

static void warm_owner_names(il_domain *d) {
    il_lock *lock;
    il_rlock *rlock;
    il_condition *condition;
    uint64_t token;
    if (il_lock_open(d, "delayed", 7, NULL, &lock) == IL_OK) {
        /* a server has an open table of its own from the first lease on */
        if (d->member.served && il_lock_acquire_leased(lock, IL_NOWAIT, 1000000, &token) == IL_OK) {
            il_lock_acquire(lock, INT64_C(5000000000), &token); /* once the server has ended it */
            il_lock_release(lock, token);
        }
        il_lock_close(lock);
    }
    if (il_rlock_open(d, "deep", 4, NULL, &rlock) == IL_OK) il_rlock_close(rlock);
    if (il_condition_open(d, "news", 4, NULL, &condition) == IL_OK) il_condition_close(condition);
    remove_owner_names(d);
}

#endif
