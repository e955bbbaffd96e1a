/*
 * owned.h - one lock, rlock, rwlock and semaphore, used alone or together, with and without leases. Each has
 * a witness: who has how much of it.
 */
#ifndef TESTS_SUPPORT_OWNED_H
#define TESTS_SUPPORT_OWNED_H

#include "support/witness.h"

enum { A_LOCK, AN_RLOCK, AN_RWLOCK, A_SEMAPHORE, OWNED };

#define OWNED_NAME "owned"
#define OWNED_PERMITS 3u
#define OWNED_WHOLE 1000u /* an exclusive one's part of an rwlock */
#define OWNED_LONG (CREW_SECONDS * INT64_C(1000000000))

/* ---- whichever kind: as il_lock_... ------------------------------------------------------------- */

static const uint32_t owned_kinds[OWNED] = {IL_KIND_LOCK, IL_KIND_RLOCK, IL_KIND_RWLOCK,
                                            IL_KIND_SEMAPHORE};

static inline void *owned_open(struct crew *c, unsigned number) {
    il_domain *d = c->world->domain;
    size_t bytes = strlen(OWNED_NAME);
    il_semaphore_options options = {sizeof options, IL_SEMAPHORE_BOUNDED, OWNED_PERMITS, 0};
    void *object = NULL;
    il_status status = IL_EINVAL;
    switch (number) {
    case A_LOCK: status = il_lock_open(d, OWNED_NAME, bytes, NULL, (il_lock **)&object); break;
    case AN_RLOCK: status = il_rlock_open(d, OWNED_NAME, bytes, NULL, (il_rlock **)&object); break;
    case AN_RWLOCK:
        status = il_rwlock_open(d, OWNED_NAME, bytes, NULL, (il_rwlock **)&object);
        break;
    default: status = il_semaphore_open(d, OWNED_NAME, bytes, &options, (il_semaphore **)&object);
    }
    if (status != IL_OK) crew_trouble(c, "opening %u: %s", number, il_error_message());
    return object;
}

static inline void owned_close(unsigned number, void *object) {
    switch (number) {
    case A_LOCK: il_lock_close(object); break;
    case AN_RLOCK: il_rlock_close(object); break;
    case AN_RWLOCK: il_rwlock_close(object); break;
    default: il_semaphore_close(object);
    }
}

static inline il_status owned_acquire(const il_target *t, int64_t timeout_ns, int64_t lease_ns,
                                      uint64_t *token) {
    switch (t->kind) {
    case IL_KIND_LOCK: return il_lock_acquire_leased(t->object, timeout_ns, lease_ns, token);
    case IL_KIND_RLOCK: return il_rlock_acquire_leased(t->object, timeout_ns, lease_ns, token);
    case IL_KIND_RWLOCK:
        return il_rwlock_acquire_leased(t->object, t->mode, timeout_ns, lease_ns, token);
    default: return il_semaphore_acquire_leased(t->object, t->count, timeout_ns, lease_ns, token);
    }
}

static inline il_status owned_release(const il_target *t, uint64_t token) {
    switch (t->kind) {
    case IL_KIND_LOCK: return il_lock_release(t->object, token);
    case IL_KIND_RLOCK: return il_rlock_release(t->object, token);
    case IL_KIND_RWLOCK: return il_rwlock_release(t->object, token);
    default: return il_semaphore_release(t->object, t->count, token);
    }
}

static inline il_status owned_check(const il_target *t, uint64_t token) {
    switch (t->kind) {
    case IL_KIND_LOCK: return il_lock_check(t->object, token);
    case IL_KIND_RLOCK: return il_rlock_check(t->object, token);
    case IL_KIND_RWLOCK: return il_rwlock_check(t->object, token);
    default: return il_semaphore_check(t->object, token);
    }
}

/* ---- the witnesses ------------------------------------------------------------------------------ */

static inline unsigned owned_number(const il_target *t) {
    for (unsigned i = 0; i < OWNED; i++) {
        if (owned_kinds[i] == t->kind) return i;
    }
    return 0;
}

static inline void owned_enter(struct crew *c, const il_target *t, uint64_t token,
                               uint64_t before) {
    uint32_t share = 1, most = 1;
    if (t->kind == IL_KIND_SEMAPHORE) {
        share = t->count;
        most = OWNED_PERMITS;
    } else if (t->kind == IL_KIND_RWLOCK) {
        share = t->mode == IL_SHARED ? 1 : OWNED_WHOLE;
        most = OWNED_WHOLE;
    }
    witness_enter(c, owned_number(t), share, most, token, before);
}

static inline bool owned_is_granted(il_status status) {
    return status == IL_OK || status == IL_EOWNERDEAD;
}

/* Draws how to acquire it. */
static inline void owned_draw(il_target *t, uint64_t *random) {
    uint64_t r = test_random(random);
    t->mode = t->kind == IL_KIND_RWLOCK && r % 2 ? IL_EXCLUSIVE : IL_SHARED;
    t->count = t->kind == IL_KIND_SEMAPHORE ? 1 + (uint32_t)(r >> 8) % OWNED_PERMITS : 0;
}

/* Whoever has an rlock or an rwlock may have it once more, by the same token. */
static inline void owned_again(struct crew *c, const il_target *t, uint64_t token) {
    uint64_t inner = 0;
    if (t->kind != IL_KIND_RLOCK && t->kind != IL_KIND_RWLOCK) return;
    il_status status = owned_acquire(t, IL_NOWAIT, 0, &inner);
    if (status != IL_OK || inner != token) {
        crew_trouble(c, "%u, once more: %#llx after %#llx, %s", owned_number(t),
                     (unsigned long long)inner, (unsigned long long)token, il_error_message());
    } else if (owned_release(t, token) != IL_OK) {
        crew_trouble(c, "%u, the inner one: %s", owned_number(t), il_error_message());
    }
}

/* Acquires T, and gives it back. */
static inline void owned_use(struct crew *c, il_target *t, int64_t timeout_ns, int64_t lease_ns,
                             uint64_t *random) {
    uint64_t token = 0, before = witness_newest(c, owned_number(t));
    owned_draw(t, random);
    atomic_store(&c->board->members[c->me].waited_from_ns, test_now_ns());
    il_status status = owned_acquire(t, timeout_ns, lease_ns, &token);
    if (status == IL_ETIMEOUT && timeout_ns <= CREW_PATIENCE_NS) return;
    if (!owned_is_granted(status)) {
        crew_trouble(c, "acquiring %u: %s", owned_number(t), il_error_message());
        return;
    }
    owned_enter(c, t, token, before);
    if (test_random(random) % 4 == 0) owned_again(c, t, token);
    crew_progress(c);
    crew_linger(c);
    witness_leave(c, owned_number(t));
    if (owned_release(t, token) != IL_OK)
        crew_trouble(c, "releasing %u: %s", owned_number(t), il_error_message());
}

/* Acquires T with a lease so short that it is not relied on, and lets it run out. */
static inline void owned_overstay(struct crew *c, il_target *t, uint64_t *random) {
    uint64_t token = 0, before = witness_newest(c, owned_number(t));
    owned_draw(t, random);
    il_status status = owned_acquire(t, OWNED_LONG, 1000000, &token);
    if (!owned_is_granted(status)) {
        crew_trouble(c, "acquiring %u with a lease: %s", owned_number(t), il_error_message());
        return;
    }
    witness_token(c, owned_number(t), token, before);
    crew_note_grant(c, owned_number(t));
    int64_t end = test_now_ns() + CREW_PATIENCE_NS;
    while (owned_check(t, token) == IL_OK && test_now_ns() < end) test_pause();
    status = owned_release(t, token);
    if (status != IL_ELEASE && status != IL_ESTALE && status != IL_ENOTHELD) {
        crew_trouble(c, "releasing %u past its lease: %s", owned_number(t),
                     status == IL_OK ? "done" : il_error_message());
    }
    crew_progress(c);
}

/* ---- roles -------------------------------------------------------------------------------------- */

struct owned_crew {
    il_target all[OWNED];
    uint64_t random;
};

static inline void owned_begin(struct crew *c, struct owned_crew *o) {
    memset(o, 0, sizeof *o);
    o->random = c->me * 1000003u + (uint64_t)getpid();
    for (unsigned i = 0; i < OWNED; i++) {
        o->all[i] = (il_target){.kind = owned_kinds[i], .object = owned_open(c, i)};
    }
}

static inline void owned_end(struct owned_crew *o) {
    for (unsigned i = 0; i < OWNED; i++) owned_close(i, o->all[i].object);
}

/* Takes one of them all the time, mostly patiently. */
static inline void owned_hammer(struct crew *c, unsigned number) {
    struct owned_crew o;
    owned_begin(c, &o);
    while (!crew_stopped(c)) {
        uint64_t r = test_random(&o.random);
        int64_t timeout = r % 8 ? OWNED_LONG : (int64_t)(r >> 8) % 300000;
        owned_use(c, &o.all[number], timeout, 0, &o.random);
    }
    owned_end(&o);
}

/* ---- before and after --------------------------------------------------------------------------- */

static inline void owned_check_one(struct crew *c, unsigned number, void *object) {
    struct ili_member *m = &c->world->domain->member;
    struct ili_agent *self;
    struct ili_lock *lock = number == A_LOCK     ? ((il_lock *)object)->lock
                            : number == AN_RLOCK ? &((il_rlock *)object)->lock->lock
                                                 : NULL;
    struct ili_holders *held = number == AN_RWLOCK     ? &((il_rwlock *)object)->lock->held
                               : number == A_SEMAPHORE ? &((il_semaphore *)object)->semaphore->held
                                                       : NULL;
    struct ili_guard *guard = lock ? &lock->guard : &held->guard;
    il_status status = ili_agent_current(m, &self);
    if (status == IL_OK) status = ili_guard_lock(m, self, guard);
    if (status == IL_OK) {
        if (lock) status = ili_lock_check(m, lock);
        if (number == AN_RWLOCK) status = ili_rwlock_check(m, ((il_rwlock *)object)->lock);
        if (number == A_SEMAPHORE)
            status = ili_semaphore_check(m, ((il_semaphore *)object)->semaphore);
        ili_guard_unlock(m, self, guard);
    }
    if (status != IL_OK) crew_trouble(c, "%u is not sound", number);
}

/* Each is sound, and the whole of it can be had at once. */
static inline void owned_settle(struct crew *c) {
    il_domain *d = c->world->domain;
    struct owned_crew o;
    owned_begin(c, &o);
    for (unsigned i = 0; i < OWNED; i++) {
        il_target *t = &o.all[i];
        uint64_t token = 0, before = witness_newest(c, i);
        uint32_t value = 0;
        if (!t->object) return;
        owned_check_one(c, i, t->object);
        if (i == A_SEMAPHORE &&
            (il_semaphore_value(t->object, &value) != IL_OK || value != OWNED_PERMITS)) {
            crew_trouble(c, "%u permits are left, of %u", value, OWNED_PERMITS);
        }
        t->mode = i == AN_RWLOCK ? IL_EXCLUSIVE : 0;
        t->count = i == A_SEMAPHORE ? OWNED_PERMITS : 0;
        il_status status = owned_acquire(t, IL_NOWAIT, 0, &token);
        if (!owned_is_granted(status)) {
            crew_trouble(c, "%u is not free: %s", i, il_error_message());
        } else {
            witness_token(c, i, token, before);
            if (owned_release(t, token) != IL_OK)
                crew_trouble(c, "%u does not go on: %s", i, il_error_message());
        }
        /* a server has an open table of its own from the first lease on */
        if (d->member.served && owned_is_granted(owned_acquire(t, IL_NOWAIT, 1000000, &token))) {
            while (owned_check(t, token) == IL_OK) test_pause();
            /* once the server has ended it */
            if (owned_is_granted(owned_acquire(t, INT64_C(5000000000), 0, &token)))
                owned_release(t, token);
        }
        owned_check_one(c, i, t->object);
    }
    owned_end(&o);
    il_lock_delete(d, OWNED_NAME, strlen(OWNED_NAME));
    il_rlock_delete(d, OWNED_NAME, strlen(OWNED_NAME));
    il_rwlock_delete(d, OWNED_NAME, strlen(OWNED_NAME));
    il_semaphore_delete(d, OWNED_NAME, strlen(OWNED_NAME));
}

#endif
