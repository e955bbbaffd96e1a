/*
 * scenarios_shared.h - what victims and companions do with a semaphore and an rwlock. See scenarios.h.
 */
#ifndef TESTS_SUPPORT_SCENARIOS_SHARED_H
#define TESTS_SUPPORT_SCENARIOS_SHARED_H

#include "support/crew.h"

#define SHARED_PERMITS 3
#define SHARED_EXCLUSIVE 1000u /* what an exclusive owner counts */
#define SHARED_LONG (CREW_SECONDS * INT64_C(1000000000))

static inline il_semaphore *shared_semaphore(struct crew *c) {
    il_semaphore_options options = {sizeof options, IL_SEMAPHORE_BOUNDED, SHARED_PERMITS, 0};
    il_semaphore *semaphore = NULL;
    if (il_semaphore_open(c->world->domain, "permits", 7, &options, &semaphore) != IL_OK) {
        crew_trouble(c, "semaphore: %s", il_error_message());
    }
    return semaphore;
}

static inline il_rwlock *shared_rwlock(struct crew *c) {
    il_rwlock *lock = NULL;
    if (il_rwlock_open(c->world->domain, "shares", 6, NULL, &lock) != IL_OK) {
        crew_trouble(c, "rwlock: %s", il_error_message());
    }
    return lock;
}

/* Notes that this process has COUNT. */
static inline void shared_note(struct crew *c, _Atomic uint32_t *inside, uint32_t count) {
    atomic_store(&inside[c->me], count);
    atomic_fetch_add(&c->board->share_changes, 1);
}

/* The same; returns what it and those that do not die have, at one moment; 0: it changes all the time. */
static inline uint32_t shared_enter(struct crew *c, _Atomic uint32_t *inside, uint32_t count) {
    shared_note(c, inside, count);
    for (int attempt = 0; attempt < 100; attempt++) {
        uint64_t changes = atomic_load(&c->board->share_changes);
        uint32_t sum = 0;
        for (uint32_t i = 0; i < CREW_MOST; i++) {
            if (i >= 2 || i == c->me) sum += atomic_load(&inside[i]);
        }
        if (atomic_load(&c->board->share_changes) == changes) return sum;
    }
    return 0;
}

/* False: it was deleted, or something is wrong. */
static inline bool shared_use_semaphore(struct crew *c, il_semaphore *semaphore, uint32_t count,
                                        int64_t timeout_ns, bool by_token) {
    uint64_t token = 0;
    il_status status = il_semaphore_acquire(semaphore, count, timeout_ns, &token);
    if (status == IL_ETIMEOUT && timeout_ns <= CREW_PATIENCE_NS) return true;
    if (status == IL_EDELETED) return false;
    if (status != IL_OK) {
        crew_trouble(c, "acquiring permits: %s", il_error_message());
        return false;
    }
    uint32_t sum = shared_enter(c, c->board->permits, count);
    if (sum > SHARED_PERMITS && !c->board->locks_remade) crew_trouble(c, "%u permits", sum);
    crew_progress(c);
    shared_note(c, c->board->permits, 0);
    status = il_semaphore_release(semaphore, count, by_token ? token : 0);
    if (status != IL_OK && status != IL_EDELETED) {
        crew_trouble(c, "releasing permits: %s", il_error_message());
    }
    return status == IL_OK;
}

static inline bool shared_use_rwlock(struct crew *c, il_rwlock *lock, uint32_t mode,
                                     int64_t timeout_ns, bool by_token) {
    uint64_t token = 0;
    il_status status = il_rwlock_acquire(lock, mode, timeout_ns, &token);
    if (status == IL_ETIMEOUT && timeout_ns <= CREW_PATIENCE_NS) return true;
    if (status == IL_EDELETED) return false;
    if (status != IL_OK && status != IL_EOWNERDEAD) {
        crew_trouble(c, "acquiring the rwlock: %s", il_error_message());
        return false;
    }
    uint32_t sum = shared_enter(c, c->board->shares, mode ? SHARED_EXCLUSIVE : 1);
    if (sum > SHARED_EXCLUSIVE && !c->board->locks_remade) crew_trouble(c, "rwlock: %u", sum);
    crew_progress(c);
    shared_note(c, c->board->shares, 0);
    status = il_rwlock_release(lock, by_token ? token : 0);
    if (status != IL_OK && status != IL_EDELETED) {
        crew_trouble(c, "releasing the rwlock: %s", il_error_message());
    }
    return status == IL_OK;
}

/* ---- companions ------------------------------------------------------------------------------- */

static inline void share_permits(struct crew *c) {
    uint64_t random = c->me;
    il_semaphore *semaphore = shared_semaphore(c);
    while (semaphore && !crew_stopped(c)) {
        uint64_t r = test_random(&random);
        atomic_store(&c->board->members[c->me].waited_from_ns, test_now_ns());
        if (shared_use_semaphore(c, semaphore, 1 + (uint32_t)(r % 3), SHARED_LONG, r >> 8 & 1)) {
            continue;
        }
        il_semaphore_close(semaphore);
        semaphore = shared_semaphore(c); /* it was deleted: the name makes a new one */
    }
    il_semaphore_close(semaphore);
}

static inline void share_lock(struct crew *c) {
    uint64_t random = c->me;
    il_rwlock *lock = shared_rwlock(c);
    while (lock && !crew_stopped(c)) {
        uint64_t r = test_random(&random);
        atomic_store(&c->board->members[c->me].waited_from_ns, test_now_ns());
        if (shared_use_rwlock(c, lock, r % 4 == 0, SHARED_LONG, r >> 8 & 1)) continue;
        il_rwlock_close(lock);
        lock = shared_rwlock(c);
    }
    il_rwlock_close(lock);
}

/* ---- victims ---------------------------------------------------------------------------------- */

static inline int64_t shared_timeout(uint64_t r) {
    return r % 3 == 0 ? IL_NOWAIT : r % 3 == 1 ? (int64_t)(r >> 8) % 300000 : SHARED_LONG;
}

static inline void use_permits(struct crew *c) {
    il_semaphore *semaphore = shared_semaphore(c);
    uint64_t random = test_seed(5), token;
    for (int i = 0; i < 60; i++) {
        uint64_t r = test_random(&random);
        if (i % 10 == 9 && /* it is broken while it is held, or its lease is left to the end */
            il_semaphore_acquire_leased(semaphore, 1, SHARED_LONG, INT64_C(3600000000000),
                                        &token) == IL_OK) {
            il_semaphore_break(semaphore, token, "broken");
        }
        (void)shared_use_semaphore(c, semaphore, 1 + (uint32_t)(r >> 50) % 3, shared_timeout(r),
                                   r >> 49 & 1);
    }
    il_semaphore_close(semaphore);
}

static inline void use_shares(struct crew *c) {
    il_rwlock *lock = shared_rwlock(c);
    uint64_t random = test_seed(6), token;
    for (int i = 0; i < 60; i++) {
        uint64_t r = test_random(&random);
        uint32_t mode = r >> 50 & 1;
        if (i % 10 == 9) {
            il_status status =
                il_rwlock_acquire_leased(lock, mode, SHARED_LONG, INT64_C(3600000000000), &token);
            if (status == IL_OK || status == IL_EOWNERDEAD) {
                il_rwlock_acquire(lock, mode, 0, NULL);
                il_rwlock_break(lock, token, "broken");
            }
        }
        (void)shared_use_rwlock(c, lock, mode, shared_timeout(r), r >> 49 & 1);
    }
    il_rwlock_close(lock);
}

/* A thread ends with one of each in its hands. */
static inline void *leave_with_both(void *argument) {
    struct crew *c = argument;
    static _Atomic uint32_t number;
    il_semaphore *semaphore = shared_semaphore(c);
    il_rwlock *lock = shared_rwlock(c);
    (void)il_semaphore_acquire(semaphore, 1, SHARED_LONG, NULL);
    (void)il_rwlock_acquire(lock, atomic_fetch_add(&number, 1) % 2, SHARED_LONG, NULL);
    il_rwlock_close(lock);
    il_semaphore_close(semaphore);
    return NULL;
}

static inline void end_sharing_threads(struct crew *c) {
    il_semaphore *semaphore = shared_semaphore(c);
    for (int i = 0; i < 6; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, leave_with_both, c) != 0) break;
        pthread_join(thread, NULL);
        il_semaphore_release(semaphore, 1, 0);
        crew_progress(c);
    }
    il_semaphore_close(semaphore);
}

static inline void delete_shared(struct crew *c) {
    for (int i = 0; i < 4; i++) {
        il_semaphore *semaphore = shared_semaphore(c);
        il_rwlock *lock = shared_rwlock(c);
        (void)il_semaphore_acquire(semaphore, 3, SHARED_LONG, NULL);
        (void)il_rwlock_acquire(lock, IL_EXCLUSIVE, SHARED_LONG, NULL);
        il_rwlock_info info = {.struct_bytes = sizeof info};
        int64_t end = test_now_ns() + INT64_C(1000000000);
        while (il_rwlock_info_get(lock, &info) == IL_OK && info.waiters == 0 &&
               test_now_ns() < end) {
            test_pause();
        }
        il_semaphore_delete(c->world->domain, "permits", 7);
        il_rwlock_delete(c->world->domain, "shares", 6);
        il_semaphore_close(semaphore);
        il_rwlock_close(lock);
    }
}

/* Of its own, with more grants than a page has room for. */
static inline void own_permits(struct crew *c) {
    for (int round = 0; round < 4; round++) {
        il_semaphore_options options = {sizeof options, 0, 40, 0};
        il_semaphore *semaphore = NULL;
        uint64_t tokens[40] = {0};
        il_status status = il_semaphore_open(c->world->domain, NULL, 0, &options, &semaphore);
        if (status == IL_ENOMEM) continue; /* the small arena is full for the moment */
        for (int i = 0; i < 20 + round * 6; i++) {
            (void)il_semaphore_acquire(semaphore, 1, 0, &tokens[i]);
        }
        for (int i = 0; i < 20 + round * 6; i++) {
            if (tokens[i] && il_semaphore_release(semaphore, 1, tokens[i]) != IL_OK) {
                crew_trouble(c, "own permit %d: %s", i, il_error_message());
            }
        }
        il_semaphore_close(semaphore);
    }
}

/* ---- before and after a run --------------------------------------------------------------------- */

static inline void shared_remove(il_domain *d) {
    il_semaphore_delete(d, "permits", 7);
    il_rwlock_delete(d, "shares", 6);
}

static inline void shared_warm(struct crew *c) {
    il_semaphore_close(shared_semaphore(c));
    il_rwlock_close(shared_rwlock(c));
    shared_remove(c->world->domain);
}

/* Both are sound, and everything has come back. */
static inline void shared_check(struct crew *c) {
    struct ili_member *m = &c->world->domain->member;
    struct ili_agent *self;
    il_semaphore *semaphore = shared_semaphore(c);
    il_rwlock *lock = shared_rwlock(c);
    il_status status = ili_agent_current(m, &self);
    if (!semaphore || !lock || status != IL_OK) return;
    struct ili_guard *guard = &semaphore->semaphore->held.guard;
    if (ili_guard_lock(m, self, guard) != IL_OK ||
        ili_semaphore_check(m, semaphore->semaphore) != IL_OK) {
        crew_trouble(c, "the semaphore is not sound");
    }
    ili_guard_unlock(m, self, guard);
    guard = &lock->lock->held.guard;
    if (ili_guard_lock(m, self, guard) != IL_OK || ili_rwlock_check(m, lock->lock) != IL_OK) {
        crew_trouble(c, "the rwlock is not sound");
    }
    ili_guard_unlock(m, self, guard);
    status = il_semaphore_acquire(semaphore, SHARED_PERMITS, INT64_C(2000000000), NULL);
    if (status != IL_OK) crew_trouble(c, "permits: %s", il_error_message());
    if (status == IL_OK) il_semaphore_release(semaphore, SHARED_PERMITS, 0);
    status = il_rwlock_acquire(lock, IL_EXCLUSIVE, INT64_C(2000000000), NULL);
    if (status != IL_OK && status != IL_EOWNERDEAD) {
        crew_trouble(c, "rwlock: %s", il_error_message());
    } else {
        il_rwlock_release(lock, 0);
    }
    il_semaphore_close(semaphore);
    il_rwlock_close(lock);
}

#endif
