/*
 * Processes are killed at random instants while they use what has owners: an rlock, an rwlock, a semaphore,
 * each of them with leases, and a semaphore of signals. Beyond what support/kills.h says: never more of it
 * is held than there is, readers and writer never together, all permits come back.
 */
#include "support/kills.h"
#include "support/owned.h"

/* ---- rlock: also threads that end with it in their hands ------------------------------------------ */

static void hammer_rlock(struct crew *c) { owned_hammer(c, AN_RLOCK); }

static void *keep_rlock(void *rlock) {
    (void)il_rlock_acquire(rlock, OWNED_LONG, NULL);
    (void)il_rlock_acquire(rlock, OWNED_LONG, NULL);
    return NULL;
}

static void end_threads(struct crew *c) {
    struct owned_crew o;
    owned_begin(c, &o);
    while (!crew_stopped(c)) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, keep_rlock, o.all[AN_RLOCK].object) == 0)
            pthread_join(thread, NULL);
        for (int i = 0; i < 8; i++) owned_use(c, &o.all[AN_RLOCK], OWNED_LONG, 0, &o.random);
    }
    owned_end(&o);
}

static const struct campaign rlock = {
    .name = "rlock",
    .things = 1u << AN_RLOCK,
    .settle = owned_settle,
    .roles = {hammer_rlock, hammer_rlock, hammer_rlock, hammer_rlock, end_threads, end_threads},
};

/* ---- rwlock ------------------------------------------------------------------------------------------ */

static void hammer_rwlock(struct crew *c) { owned_hammer(c, AN_RWLOCK); }

static const struct campaign rwlock = {
    .name = "rwlock",
    .things = 1u << AN_RWLOCK,
    .settle = owned_settle,
    .roles = {hammer_rwlock, hammer_rwlock, hammer_rwlock, hammer_rwlock, hammer_rwlock,
              hammer_rwlock},
};

/* ---- semaphore: permits that are held, and permits that are signals ---------------------------------- */

enum { POSTS_BEGUN, POSTS_DONE, TAKEN };

static il_semaphore *open_signals(struct crew *c) {
    il_semaphore_options options = {sizeof options, IL_SEMAPHORE_SIGNAL, 0, 0};
    il_semaphore *signals = NULL;
    if (il_semaphore_open(c->world->domain, "signals", 7, &options, &signals) != IL_OK)
        crew_trouble(c, "signals: %s", il_error_message());
    return signals;
}

static void post_and_take(struct crew *c) {
    uint64_t random = c->me + (uint64_t)getpid();
    il_semaphore *signals = open_signals(c);
    while (signals && !crew_stopped(c)) {
        if (test_random(&random) % 2) {
            atomic_fetch_add(&c->board->numbers[POSTS_BEGUN], 1);
            if (il_semaphore_release(signals, 1, 0) != IL_OK)
                crew_trouble(c, "a signal: %s", il_error_message());
            atomic_fetch_add(&c->board->numbers[POSTS_DONE], 1);
        } else {
            il_status status = il_semaphore_acquire(signals, 1, 1000000, NULL);
            if (status == IL_OK) {
                uint64_t taken = atomic_fetch_add(&c->board->numbers[TAKEN], 1) + 1;
                uint64_t begun = atomic_load(&c->board->numbers[POSTS_BEGUN]);
                if (taken > begun)
                    crew_trouble(c, "signal %llu of %llu", (unsigned long long)taken,
                                 (unsigned long long)begun);
            } else if (status != IL_ETIMEOUT) {
                crew_trouble(c, "waiting for a signal: %s", il_error_message());
            }
        }
        crew_progress(c);
        test_pause(); /* the others are to run as well */
    }
    il_semaphore_close(signals);
}

static void hammer_semaphore(struct crew *c) { owned_hammer(c, A_SEMAPHORE); }

/* No signal came from nowhere; only those are lost that a dead process took. */
static void settle_semaphores(struct crew *c) {
    uint32_t value = 0;
    il_semaphore *signals = open_signals(c);
    struct ili_member *m = &c->world->domain->member;
    struct ili_agent *self;
    if (!signals) return;
    struct ili_guard *guard = &signals->semaphore->held.guard;
    if (ili_agent_current(m, &self) != IL_OK || ili_guard_lock(m, self, guard) != IL_OK) return;
    if (ili_semaphore_check(m, signals->semaphore) != IL_OK)
        crew_trouble(c, "the signals are not sound");
    ili_guard_unlock(m, self, guard);
    uint64_t begun = atomic_load(&c->board->numbers[POSTS_BEGUN]),
             done = atomic_load(&c->board->numbers[POSTS_DONE]),
             taken = atomic_load(&c->board->numbers[TAKEN]);
    il_semaphore_value(signals, &value);
    if (value + taken > begun || value + taken + c->killed < done) {
        crew_trouble(c, "%u signals are left, of %llu to %llu, %llu taken", value,
                     (unsigned long long)done, (unsigned long long)begun,
                     (unsigned long long)taken);
    }
    il_semaphore_close(signals);
    il_semaphore_delete(c->world->domain, "signals", 7);
    owned_settle(c);
}

static const struct campaign semaphore = {
    .name = "semaphore",
    .things = 1u << A_SEMAPHORE,
    .settle = settle_semaphores,
    .roles = {hammer_semaphore, hammer_semaphore, hammer_semaphore, hammer_semaphore, post_and_take,
              post_and_take},
};

/* ---- leases: on all four ------------------------------------------------------------------------------- */

static void use_all(struct crew *c) {
    struct owned_crew o;
    owned_begin(c, &o);
    while (!crew_stopped(c)) {
        uint64_t r = test_random(&o.random);
        owned_use(c, &o.all[r % OWNED], OWNED_LONG, r >> 8 & 1 ? OWNED_LONG : 0, &o.random);
    }
    owned_end(&o);
}

static void overstay(struct crew *c) {
    struct owned_crew o;
    owned_begin(c, &o);
    while (!crew_stopped(c)) {
        owned_overstay(c, &o.all[test_random(&o.random) % OWNED], &o.random);
    }
    owned_end(&o);
}

static const struct campaign leases = {
    .name = "leases",
    .things = (1u << OWNED) - 1,
    .settle = owned_settle,
    .roles = {use_all, use_all, use_all, use_all, overstay, overstay},
};

EACH_CAMPAIGN(recovery_kills_owned, rlock, 100)
EACH_CAMPAIGN(recovery_kills_owned, rwlock, 100)
EACH_CAMPAIGN(recovery_kills_owned, semaphore, 100)
EACH_CAMPAIGN(recovery_kills_owned, leases, 60)
