/* Every call that waits ends with IL_ECANCELLED once its thread was asked to stop, behind every door. */
#include <criterion/criterion.h>
#include <stdatomic.h>

#include "support/doors.h"

/* What there is to wait for, none of it to be had. */
struct world {
    il_domain *domain;
    il_lock *lock, *free;
    il_rlock *rlock;
    il_rwlock *rwlock;
    il_semaphore *semaphore;
    il_event *event;
    il_latch *latch;
    il_barrier *barrier;
    il_queue *empty, *full;
    il_condition *condition;
    uint64_t token;
};

static void open_world(struct world *w, il_domain *domain) {
    const il_semaphore_options one = {sizeof one, 0, 1, 0};
    const il_queue_options small = {sizeof small, 0, 1};
    const uint32_t two = 2;
    uint64_t token;
    *w = (struct world){.domain = domain};
    cr_assert_eq(il_lock_open(domain, "lock", 4, NULL, &w->lock), IL_OK);
    cr_assert_eq(il_lock_open(domain, "free", 4, NULL, &w->free), IL_OK);
    cr_assert_eq(il_rlock_open(domain, "rlock", 5, NULL, &w->rlock), IL_OK);
    cr_assert_eq(il_rwlock_open(domain, "rwlock", 6, NULL, &w->rwlock), IL_OK);
    cr_assert_eq(il_semaphore_open(domain, "semaphore", 9, &one, &w->semaphore), IL_OK);
    cr_assert_eq(il_event_open(domain, "event", 5, &w->event), IL_OK);
    cr_assert_eq(il_latch_open(domain, "latch", 5, &two, &w->latch), IL_OK);
    cr_assert_eq(il_barrier_open(domain, "barrier", 7, &two, &w->barrier), IL_OK);
    cr_assert_eq(il_queue_open(domain, "empty", 5, NULL, &w->empty), IL_OK);
    cr_assert_eq(il_queue_open(domain, "full", 4, &small, &w->full), IL_OK);
    const il_condition_options bound = {.struct_bytes = sizeof bound, .lock = w->free};
    cr_assert_eq(il_condition_open(domain, "condition", 9, &bound, &w->condition), IL_OK);
    cr_assert_eq(il_lock_acquire(w->lock, IL_NOWAIT, &w->token), IL_OK);
    cr_assert_eq(il_rlock_acquire(w->rlock, IL_NOWAIT, &token), IL_OK);
    cr_assert_eq(il_rwlock_acquire(w->rwlock, IL_EXCLUSIVE, IL_NOWAIT, &token), IL_OK);
    cr_assert_eq(il_semaphore_acquire(w->semaphore, 1, IL_NOWAIT, &token), IL_OK);
    cr_assert_eq(il_queue_put(w->full, "x", 1, IL_BYTES, IL_NOWAIT), IL_OK);
}

static void close_world(struct world *w) {
    il_lock_release(w->lock, w->token);
    il_rlock_release(w->rlock, 0);
    il_rwlock_release(w->rwlock, 0);
    il_semaphore_release(w->semaphore, 1, 0);
    il_condition_close(w->condition);
    il_lock_close(w->lock);
    il_lock_close(w->free);
    il_rlock_close(w->rlock);
    il_rwlock_close(w->rwlock);
    il_semaphore_close(w->semaphore);
    il_event_close(w->event);
    il_latch_close(w->latch);
    il_barrier_close(w->barrier);
    il_queue_close(w->empty);
    il_queue_close(w->full);
}

/* ---- the waits -------------------------------------------------------------------------------------- */

static il_status wait_lock(struct world *w) { return il_lock_acquire(w->lock, IL_FOREVER, NULL); }
static il_status wait_rlock(struct world *w) {
    return il_rlock_acquire(w->rlock, IL_FOREVER, NULL);
}
static il_status wait_shared(struct world *w) {
    return il_rwlock_acquire(w->rwlock, IL_SHARED, IL_FOREVER, NULL);
}
static il_status wait_exclusive(struct world *w) {
    return il_rwlock_acquire(w->rwlock, IL_EXCLUSIVE, seconds(60), NULL);
}
static il_status wait_semaphore(struct world *w) {
    return il_semaphore_acquire(w->semaphore, 1, IL_FOREVER, NULL);
}
static il_status wait_event(struct world *w) { return il_event_wait(w->event, IL_FOREVER); }
static il_status wait_latch(struct world *w) { return il_latch_wait(w->latch, seconds(60)); }
static il_status wait_barrier(struct world *w) {
    il_barrier_reset(w->barrier);
    return il_barrier_wait(w->barrier, IL_FOREVER, NULL);
}
static il_status wait_get(struct world *w) {
    char buffer[8];
    size_t bytes;
    return il_queue_get(w->empty, buffer, sizeof buffer, &bytes, NULL, IL_FOREVER);
}
static il_status wait_put(struct world *w) {
    return il_queue_put(w->full, "y", 1, IL_BYTES, IL_FOREVER);
}
static il_status wait_all(struct world *w) {
    il_target targets[] = {{.kind = IL_KIND_LOCK, .object = w->free},
                           {.kind = IL_KIND_LOCK, .object = w->lock}};
    return il_acquire_all(targets, 2, IL_FOREVER);
}
static il_status wait_any(struct world *w) {
    il_target targets[] = {{.kind = IL_KIND_EVENT, .object = w->event},
                           {.kind = IL_KIND_LOCK, .object = w->lock}};
    size_t index;
    return il_wait_any(targets, 2, IL_FOREVER, &index);
}
static il_status wait_loss(struct world *w) {
    il_loss loss = {.struct_bytes = sizeof loss};
    return il_loss_next(w->domain, &loss, IL_FOREVER);
}
/* It must hold its lock again, though it is cancelled. */
static il_status wait_condition(struct world *w) {
    uint64_t token;
    il_status status = il_condition_acquire(w->condition, IL_NOWAIT, &token);
    if (status == IL_OK) status = il_condition_wait(w->condition, IL_FOREVER, &token);
    il_status released = il_condition_release(w->condition, token);
    return released == IL_OK ? status : released;
}

static const struct wait {
    const char *name;
    il_status (*wait)(struct world *w);
} waits[] = {
    {"lock", wait_lock},
    {"rlock", wait_rlock},
    {"shared", wait_shared},
    {"exclusive", wait_exclusive},
    {"semaphore", wait_semaphore},
    {"event", wait_event},
    {"latch", wait_latch},
    {"barrier", wait_barrier},
    {"get", wait_get},
    {"put", wait_put},
    {"acquire_all", wait_all},
    {"wait_any", wait_any},
    {"loss_next", wait_loss},
    {"condition", wait_condition},
};

enum { WAITS = sizeof waits / sizeof *waits };

/* One wait in a thread. */
struct waiter {
    struct world *world;
    const struct wait *wait;
    il_thread *thread;
    _Atomic int started;
    il_status first, again, after;
};

/* Cancelled, it waits no more; cleared, it waits again. */
static void *run_wait(void *argument) {
    struct waiter *w = argument;
    atomic_store(&w->started, 1);
    w->first = w->wait->wait(w->world);
    w->again = w->wait->wait(w->world);
    il_cancel_clear();
    w->after = il_event_wait(w->world->event, seconds(0.001));
    return NULL;
}

static bool has_started(void *waiter) { return atomic_load(&((struct waiter *)waiter)->started); }

static void check(const struct waiter *w) {
    cr_assert_eq(w->first, IL_ECANCELLED, "%s: %s", w->wait->name, il_status_name(w->first));
    cr_assert_eq(w->again, IL_ECANCELLED, "%s again: %s", w->wait->name, il_status_name(w->again));
}

/* Some are asleep by the time of the cancellation, some are not yet: both must end. */
EACH_DOOR(abi_cancel, ends_every_wait) {
    struct world world;
    open_world(&world, door->domain);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < WAITS; i++) {
            struct waiter w = {.world = &world, .wait = &waits[i]};
            cr_assert_eq(il_thread_create(run_wait, &w, NULL, &w.thread), IL_OK);
            cr_assert_eq(il_thread_start(w.thread), IL_OK);
            cr_assert(test_wait(has_started, &w, 20));
            if (round) cr_assert_eq(il_thread_join(w.thread, seconds(0.02), NULL), IL_ETIMEOUT);
            cr_assert_eq(il_thread_cancel(w.thread), IL_OK);
            cr_assert_eq(il_thread_join(w.thread, seconds(20), NULL), IL_OK, "%s", waits[i].name);
            check(&w);
            cr_assert_eq(w.after, IL_ETIMEOUT);
            il_thread_close(w.thread);
        }
    }
    close_world(&world);
}

EACH_DOOR(abi_cancel, a_time_limit_ends_every_wait) {
    struct world world;
    open_world(&world, door->domain);
    for (int i = 0; i < WAITS; i++) {
        const il_thread_options options = {.struct_bytes = sizeof options,
                                           .time_limit_ns = seconds(0.02)};
        struct waiter w = {.world = &world, .wait = &waits[i]};
        int64_t begin = test_now_ns();
        cr_assert_eq(il_thread_create(run_wait, &w, &options, &w.thread), IL_OK);
        cr_assert_eq(il_thread_start(w.thread), IL_OK);
        cr_assert_eq(il_thread_join(w.thread, seconds(20), NULL), IL_OK, "%s", waits[i].name);
        check(&w);
        cr_assert(test_now_ns() - begin >= seconds(0.02));
        cr_assert_eq(w.after, IL_ECANCELLED); /* a time limit is not cleared */
        il_thread_close(w.thread);
    }
    close_world(&world);
}

static void *free_calls(void *argument) {
    struct world *w = argument;
    uint64_t token;
    bool well = il_cancel(il_thread_self()) == IL_OK && il_cancelled() == 1;
    well = well && il_lock_acquire(w->free, IL_FOREVER, &token) == IL_OK;
    well = well && il_lock_release(w->free, token) == IL_OK;
    well = well && il_queue_put(w->empty, "z", 1, IL_BYTES, IL_FOREVER) == IL_OK;
    well = well && il_lock_acquire(w->lock, IL_NOWAIT, &token) == IL_ETIMEOUT;
    return well ? argument : NULL;
}

EACH_DOOR(abi_cancel, what_need_not_wait_is_still_done) {
    struct world world;
    void *result = NULL;
    il_thread *thread = NULL;
    open_world(&world, door->domain);
    cr_assert_eq(il_thread_create(free_calls, &world, NULL, &thread), IL_OK);
    cr_assert_eq(il_thread_start(thread), IL_OK);
    cr_assert_eq(il_thread_join(thread, IL_FOREVER, &result), IL_OK);
    cr_assert_eq(result, &world);
    il_thread_close(thread);
    close_world(&world);
}

/* A condition's waiter is notified and cancelled while its lock is held: it has the lock in the end. */
static void *wait_and_hold(void *argument) {
    struct waiter *w = argument;
    uint64_t token = 0;
    if (il_condition_acquire(w->world->condition, IL_FOREVER, &token) != IL_OK) return NULL;
    atomic_store(&w->started, 1);
    w->first = il_condition_wait(w->world->condition, IL_FOREVER, &token);
    w->again = il_lock_check(w->world->free, token);
    return il_condition_release(w->world->condition, token) == IL_OK ? argument : NULL;
}

EACH_DOOR(abi_cancel, a_condition_takes_its_lock_again_whatever_happens) {
    struct world world;
    open_world(&world, door->domain);
    for (int notified = 0; notified < 2; notified++) {
        struct waiter w = {.world = &world};
        uint64_t token;
        void *result = NULL;
        cr_assert_eq(il_thread_create(wait_and_hold, &w, NULL, &w.thread), IL_OK);
        cr_assert_eq(il_thread_start(w.thread), IL_OK);
        cr_assert(test_wait(has_started, &w, 20));
        cr_assert_eq(il_lock_acquire(world.free, seconds(20), &token), IL_OK); /* it waits */
        if (notified) cr_assert_eq(il_condition_notify(world.condition, 1), IL_OK);
        cr_assert_eq(il_thread_cancel(w.thread), IL_OK);
        cr_assert_eq(il_thread_join(w.thread, seconds(0.05), NULL), IL_ETIMEOUT);
        cr_assert_eq(il_lock_release(world.free, token), IL_OK);
        cr_assert_eq(il_thread_join(w.thread, seconds(20), &result), IL_OK);
        cr_assert_eq(result, &w);
        cr_assert(w.first == IL_ECANCELLED || (notified && w.first == IL_OK), "%s",
                  il_status_name(w.first));
        cr_assert_eq(w.again, IL_OK, "%s", il_status_name(w.again));
        il_thread_close(w.thread);
    }
    close_world(&world);
}
