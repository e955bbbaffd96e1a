/*
 * several.h - taking several of the objects of owned.h at once, or the first of them, an event, a latch or a
 * queue: for members of a crew that are killed meanwhile, or are the victims of a scenario.
 */
#ifndef TESTS_SUPPORT_SEVERAL_H
#define TESTS_SUPPORT_SEVERAL_H

#include <poll.h>

#include "support/owned.h"

enum { AN_EVENT = OWNED, A_LATCH, A_QUEUE, WAITED };

/* COUNT of those of ALL[0..FROM), each at most once, in any order. */
static inline void several_draw(il_target *out, size_t count, const il_target *all, size_t from,
                                uint64_t *random) {
    il_target left[WAITED];
    memcpy(left, all, from * sizeof *all);
    for (size_t i = 0; i < count; i++, from--) {
        size_t which = test_random(random) % from;
        out[i] = left[which];
        owned_draw(&out[i], random);
        left[which] = left[from - 1];
    }
}

/* ---- all or none ------------------------------------------------------------------------------------ */

static inline void several_acquire(struct crew *c, const il_target all[OWNED], uint64_t *random) {
    il_target targets[OWNED];
    uint64_t before[OWNED];
    size_t count = 2 + test_random(random) % (OWNED - 1);
    int64_t timeout = test_random(random) % 8 ? OWNED_LONG : 300000;
    several_draw(targets, count, all, OWNED, random);
    for (size_t i = 0; i < count; i++) before[i] = witness_newest(c, owned_number(&targets[i]));
    il_status status = il_acquire_all(targets, count, timeout);
    if (status == IL_ETIMEOUT && timeout <= CREW_PATIENCE_NS) return;
    if (status != IL_OK) {
        crew_trouble(c, "acquiring %zu at once: %s", count, il_error_message());
        return;
    }
    for (size_t i = 0; i < count; i++) owned_enter(c, &targets[i], targets[i].token, before[i]);
    crew_progress(c);
    crew_linger(c);
    for (size_t i = 0; i < count; i++) witness_leave(c, owned_number(&targets[i]));
    if (il_release_all(targets, count) != IL_OK)
        crew_trouble(c, "releasing %zu at once: %s", count, il_error_message());
}

static inline void several_take_all(struct crew *c) {
    struct owned_crew o;
    owned_begin(c, &o);
    while (!crew_stopped(c)) several_acquire(c, o.all, &o.random);
    owned_end(&o);
}

/* ---- the first -------------------------------------------------------------------------------------- */

struct several_first {
    struct owned_crew owned;
    il_target all[WAITED];
    il_event *event;
    il_latch *latch;
    il_queue *queue;
};

static inline void several_begin(struct crew *c, struct several_first *f) {
    owned_begin(c, &f->owned);
    memcpy(f->all, f->owned.all, sizeof f->owned.all);
    f->event = NULL;
    f->latch = NULL;
    f->queue = NULL;
    if (il_event_open(c->world->domain, "first", 5, &f->event) != IL_OK ||
        il_latch_open(c->world->domain, "first", 5, NULL, &f->latch) != IL_OK ||
        il_queue_open(c->world->domain, "first", 5, NULL, &f->queue) != IL_OK) {
        crew_trouble(c, "an event, a latch, a queue: %s", il_error_message());
    }
    f->all[AN_EVENT] = (il_target){.kind = IL_KIND_EVENT, .object = f->event};
    f->all[A_LATCH] = (il_target){.kind = IL_KIND_LATCH, .object = f->latch};
    f->all[A_QUEUE] = (il_target){.kind = IL_KIND_QUEUE, .object = f->queue};
}

static inline void several_end(struct several_first *f) {
    owned_end(&f->owned);
    il_event_close(f->event);
    il_latch_close(f->latch);
    il_queue_close(f->queue);
}

/* What came first is held, or a message is to be taken. */
static inline void several_came(struct crew *c, struct several_first *f, const il_target *t,
                                uint64_t token, uint64_t before) {
    uint8_t byte;
    size_t bytes;
    crew_progress(c);
    if (t->kind == IL_KIND_QUEUE) {
        (void)il_queue_get(f->queue, &byte, 1, &bytes, NULL, IL_NOWAIT); /* others take it, too */
    } else if (t->kind == IL_KIND_LATCH) {
        crew_trouble(c, "the latch opened");
    } else if (t->kind != IL_KIND_EVENT) {
        owned_enter(c, t, token, before);
        crew_linger(c);
        witness_leave(c, owned_number(t));
        if (owned_release(t, token) != IL_OK)
            crew_trouble(c, "releasing the first: %s", il_error_message());
    }
}

static inline void several_read(struct crew *c, const il_target *targets, size_t count,
                                uint64_t before[WAITED]) {
    for (size_t i = 0; i < count; i++) {
        bool owned = targets[i].kind != IL_KIND_EVENT && targets[i].kind != IL_KIND_LATCH &&
                     targets[i].kind != IL_KIND_QUEUE;
        before[i] = owned ? witness_newest(c, owned_number(&targets[i])) : 0;
    }
}

static inline void several_wait(struct crew *c, struct several_first *f, uint64_t *random) {
    il_target targets[WAITED];
    uint64_t before[WAITED];
    size_t count = 2 + test_random(random) % (WAITED - 1), index = 0;
    several_draw(targets, count, f->all, WAITED, random);
    several_read(c, targets, count, before);
    il_status status = il_wait_any(targets, count, 20000000, &index);
    if (status == IL_ETIMEOUT) { /* only a latch and a queue, perhaps */
        crew_progress(c);
    } else if (status != IL_OK) {
        crew_trouble(c, "waiting for the first of %zu: %s", count, il_error_message());
    } else {
        several_came(c, f, &targets[index], targets[index].token, before[index]);
    }
}

static inline void several_take_first(struct crew *c) {
    struct several_first f;
    several_begin(c, &f);
    while (!crew_stopped(c)) several_wait(c, &f, &f.owned.random);
    several_end(&f);
}

/* The same as an event loop does it. What belongs to a thread cannot be had so. */
static inline bool several_poll(struct crew *c, struct several_first *f) {
    const il_target some[] = {f->all[A_LOCK], f->all[A_SEMAPHORE], f->all[AN_EVENT],
                              f->all[A_QUEUE]};
    il_target targets[4];
    uint64_t before[WAITED], token = 0, random = test_random(&f->owned.random);
    size_t count = 2 + random % 3, index = 0;
    il_wait *wait = NULL;
    int fd = -1;
    several_draw(targets, count, some, 4, &f->owned.random);
    several_read(c, targets, count, before);
    if (il_wait_start(targets, count, &wait) != IL_OK || il_wait_fd(wait, &fd) != IL_OK) {
        crew_trouble(c, "starting to wait: %s", il_error_message());
        return false;
    }
    struct pollfd polled = {fd, POLLIN, 0};
    if (poll(&polled, 1, (int)((random >> 8) % 20)) == 1) {
        il_status status = il_wait_finish(wait, &index, &token);
        if (owned_is_granted(status)) {
            several_came(c, f, &targets[index], token, before[index]);
        } else {
            crew_trouble(c, "the first of %zu: %s", count, il_error_message());
        }
    }
    il_wait_close(wait); /* also one that is not over */
    crew_progress(c);
    return true;
}

static inline void several_loop(struct crew *c) {
    struct several_first f;
    several_begin(c, &f);
    while (!crew_stopped(c) && several_poll(c, &f)) {
    }
    several_end(&f);
}

/* Makes things happen to those who wait. */
static inline void several_feed(struct crew *c) {
    struct several_first f;
    several_begin(c, &f);
    while (!crew_stopped(c)) {
        uint64_t r = test_random(&f.owned.random), size = 0;
        if (r % 4 == 0) {
            il_event_set(f.event);
            il_event_clear(f.event);
        } else if (r % 4 == 1 && il_queue_size(f.queue, &size) == IL_OK && size < 3) {
            il_queue_put(f.queue, "x", 1, IL_BYTES, IL_NOWAIT);
        }
        owned_use(c, &f.all[(r >> 8) % OWNED], OWNED_LONG, 0, &f.owned.random);
    }
    several_end(&f);
}

/* ---- victims ---------------------------------------------------------------------------------------- */

static inline void several_die_acquiring(struct crew *c) {
    struct owned_crew o;
    witness_doom(c, c->me); /* what it has does not count, since nobody sees it die */
    owned_begin(c, &o);
    for (int i = 0; i < 40 && !crew_stopped(c); i++) several_acquire(c, o.all, &o.random);
    owned_end(&o);
}

static inline void several_die_waiting(struct crew *c) {
    struct several_first f;
    witness_doom(c, c->me);
    several_begin(c, &f);
    for (int i = 0; i < 40 && !crew_stopped(c); i++) several_wait(c, &f, &f.owned.random);
    several_end(&f);
}

static inline void several_die_polling(struct crew *c) {
    struct several_first f;
    witness_doom(c, c->me);
    several_begin(c, &f);
    for (int i = 0; i < 25 && !crew_stopped(c) && several_poll(c, &f); i++) {
    }
    several_end(&f);
}

/* ---- before and after ------------------------------------------------------------------------------- */

#define SEVERAL_SETTLE(c, kind, object)                                                            \
    do {                                                                                           \
        struct ili_member *m = &(c)->world->domain->member;                                        \
        struct ili_agent *self;                                                                    \
        if (ili_agent_current(m, &self) != IL_OK ||                                                \
            ili_guard_lock(m, self, &(object)->guard) != IL_OK) {                                  \
            crew_trouble(c, #kind ": no guard");                                                   \
            break;                                                                                 \
        }                                                                                          \
        if (ili_##kind##_check(m, object) != IL_OK || ili_waitq_count(&(object)->waiters) != 0)    \
            crew_trouble(c, #kind " is not sound");                                                \
        ili_guard_unlock(m, self, &(object)->guard);                                               \
    } while (0)

static inline void several_settle(struct crew *c) {
    struct several_first f;
    several_begin(c, &f);
    if (f.event) SEVERAL_SETTLE(c, event, f.event->event);
    if (f.latch) SEVERAL_SETTLE(c, latch, f.latch->latch);
    if (f.queue && world_check_queue(c->world, f.queue) != IL_OK)
        crew_trouble(c, "the queue is not sound");
    several_end(&f);
    il_event_delete(c->world->domain, "first", 5);
    il_latch_delete(c->world->domain, "first", 5);
    il_queue_delete(c->world->domain, "first", 5);
    owned_settle(c);
}

#endif
