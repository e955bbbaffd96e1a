/*
 * scenarios.h - what victims do while a crew works on the same objects. scenario_run.h runs it.
 */
#ifndef TESTS_SUPPORT_SCENARIOS_H
#define TESTS_SUPPORT_SCENARIOS_H

#include <stdio.h>

#include "support/crew.h"
#include "support/scenarios_cells.h"
#include "support/scenarios_owner.h"
#include "support/scenarios_pipe.h"
#include "support/scenarios_shared.h"
#include "support/scenarios_simple.h"
#include "support/several.h"

#define GENEROUS_S 10.0

/* ---- what victims do -------------------------------------------------------------------------- */

static uint8_t room[CREW_ROOM];

static void use_locks(struct crew *c) {
    il_lock *locks[] = {crew_open_lock(c, PLAIN), crew_open_lock(c, FAIR)};
    uint64_t random = test_seed(1);
    for (int i = 0; i < 60; i++) {
        uint64_t r = test_random(&random);
        int64_t timeout = r % 3 == 0   ? IL_NOWAIT
                          : r % 3 == 1 ? (int64_t)(r >> 8) % 300000
                                       : CREW_SECONDS * INT64_C(1000000000);
        (void)crew_use_lock(c, locks[r >> 60 & 1], r >> 60 & 1, timeout);
    }
    for (int i = 0; i < 2; i++) il_lock_close(locks[i]);
}

static void await_waiters(il_lock *lock, uint32_t count) {
    int64_t end = test_now_ns() + INT64_C(5000000000);
    il_owner owner = {.struct_bytes = sizeof owner};
    while (il_lock_owner(lock, &owner) == IL_OK && owner.waiters < count && test_now_ns() < end) {
        test_pause();
    }
}

static void barge(struct crew *c) {
    il_lock *lock = crew_open_lock(c, PLAIN);
    for (int i = 0; i < 500; i++)
        (void)crew_use_lock(c, lock, PLAIN, CREW_SECONDS * INT64_C(1000000000));
    il_lock_close(lock);
}

/* Holds both locks until others wait, then gives them up. */
static void hold_locks(struct crew *c) {
    for (unsigned n = 0; n < 2; n++) {
        uint64_t token;
        il_lock *lock = crew_open_lock(c, n);
        il_status status = il_lock_acquire(lock, CREW_SECONDS * INT64_C(1000000000), &token);
        crew_enter(c, n, status, token);
        await_waiters(lock, 2);
        crew_leave(c, n);
        il_lock_release(lock, token);
        il_lock_close(lock);
    }
}

static void delete_locks(struct crew *c) {
    for (int i = 0; i < 4; i++) {
        for (unsigned n = 0; n < 2; n++) {
            uint64_t token;
            il_lock *lock = crew_open_lock(c, n);
            il_status status = il_lock_acquire(lock, CREW_SECONDS * INT64_C(1000000000), &token);
            if (status == IL_OK || status == IL_EOWNERDEAD) await_waiters(lock, 2);
            il_lock_delete(c->world->domain, crew_lock_name(n), strlen(crew_lock_name(n)));
            il_lock_close(lock);
        }
    }
}

static void use_queue(struct crew *c) {
    uint64_t random = test_seed(2);
    il_queue *bounded = crew_open_queue(c, BOUNDED);
    il_queue *open = crew_open_queue(c, OPEN_END);
    for (int i = 0; i < 60; i++) {
        unsigned number = test_random(&random) % 2;
        il_queue *queue = number == BOUNDED ? bounded : open;
        int64_t timeout = test_random(&random) % 2 ? IL_NOWAIT : 3000000;
        if (test_random(&random) % 2) {
            (void)crew_put(c, queue, number, room, &random, timeout);
        } else {
            (void)crew_get(c, queue, room, sizeof room, 1 + i % 4, timeout);
        }
    }
    il_queue_close(bounded);
    il_queue_close(open);
}

static void put_many(struct crew *c) {
    uint64_t random = test_seed(3);
    il_queue *queue = crew_open_queue(c, OPEN_END);
    for (int i = 0; i < 200; i++) (void)crew_put(c, queue, OPEN_END, room, &random, 3000000);
    il_queue_close(queue);
}

static void get_many(struct crew *c) {
    il_queue *queue = crew_open_queue(c, OPEN_END);
    for (int i = 0; i < 100; i++) (void)crew_get(c, queue, room, sizeof room, 3, 3000000);
    il_queue_close(queue);
}

static void delete_queue(struct crew *c) {
    for (int i = 0; i < 4; i++) {
        il_queue *queue = crew_open_queue(c, BOUNDED);
        uint64_t random = test_seed(4);
        for (int k = 0; k < 4; k++) (void)crew_put(c, queue, BOUNDED, room, &random, IL_NOWAIT);
        if (i % 2) il_queue_shut(queue);
        il_queue_delete(c->world->domain, "bounded", 7);
        il_queue_close(queue);
    }
}

/* Queues of its own, made, filled, emptied, and thrown away at each stage. */
static void own_queues(struct crew *c) {
    static const struct {
        int small, large, got;
    } stages[] = {{0, 0, 0},   {1, 0, 0},       {1, 0, 1},       {0, 2, 0},
                  {600, 2, 0}, {2500, 0, 2400}, {2500, 3, 2501}, {2500, 1, -1}};
    for (unsigned s = 0; s < sizeof stages / sizeof stages[0]; s++) {
        char name[32];
        size_t got;
        il_queue *queue = NULL;
        int length = snprintf(name, sizeof name, "own %u", s);
        if (il_queue_open(c->world->domain, s % 2 ? NULL : name, (size_t)length, NULL, &queue)) {
            crew_trouble(c, "%s", il_error_message());
            return;
        }
        for (int i = 0; i < stages[s].small; i++) il_queue_put(queue, room, 100, IL_BYTES, 0);
        for (int i = 0; i < stages[s].large; i++) {
            il_queue_put(queue, room, CREW_MESSAGE_MOST, IL_BYTES, 0);
        }
        for (int i = 0; i < stages[s].got; i++) {
            il_queue_get(queue, room, sizeof room, &got, NULL, 0);
        }
        for (int i = 0; stages[s].got < 0 && i < 3000; i++) { /* in at one end, out at the other */
            il_queue_get(queue, room, sizeof room, &got, NULL, 0);
            il_queue_put(queue, room, 100, IL_BYTES, 0);
        }
        if (s % 2 == 0) il_queue_delete(c->world->domain, name, (size_t)length);
        il_queue_close(queue);
    }
}

static void use_names(struct crew *c) {
    il_domain *d = c->world->domain;
    static il_lock *many[600];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 12; i++) {
            char name[200];
            int length = snprintf(name, sizeof name, "%0*d", 1 + i * 15, i % 3);
            il_lock *lock = NULL;
            il_queue *queue = NULL;
            if (i % 2) {
                il_lock_open(d, name, (size_t)length, NULL, &lock);
                il_lock_acquire(lock, 0, NULL);
                il_lock_close(lock);
            } else {
                il_queue_open(d, name, (size_t)length, NULL, &queue);
                il_queue_put(queue, name, (size_t)length, IL_TEXT, 0);
                il_queue_close(queue);
            }
            if (i % 2) il_lock_delete(d, name, (size_t)length);
            if (i % 2 == 0) il_queue_delete(d, name, (size_t)length);
        }
        crew_progress(c);
    }
    for (int i = 0; i < 600; i++) {
        many[i] = NULL; /* it stays so where the small arena is full for the moment */
        il_status opened = il_lock_open(d, NULL, 0, NULL, &many[i]);
        if (opened != IL_OK && opened != IL_ENOMEM)
            crew_trouble(c, "anonymous lock %d: %s", i, il_error_message());
    }
    for (int i = 0; i < 600; i++) il_lock_close(many[i]);
    use_locks(c);
}

/* Takes messages and gives some back, as a server does that could not deliver them. */
static void give_back(struct crew *c) {
    il_queue *queue = crew_open_queue(c, OPEN_END);
    struct ili_member *m = &c->world->domain->member;
    for (int i = 0, tries = 0; i < 60 && tries < 1000000; tries++) {
        struct ili_taken taken = {.data = room, .room = sizeof room};
        size_t done;
        atomic_store(&c->board->members[c->me].taking, 1);
        if (ili_queue_try_get(m, queue->queue, &taken, 1, &done) != IL_OK) continue;
        struct ili_payload payload = {room, taken.bytes, taken.type};
        if (i++ % 3) {
            if (ili_queue_give_back(m, queue->queue, &payload, taken.sequence) != IL_OK) {
                crew_trouble(c, "giving back");
            }
        } else {
            crew_read(c, room, taken.bytes);
        }
        atomic_store(&c->board->members[c->me].taking, 0);
    }
    il_queue_close(queue);
}

/* A child of the victim dies instead, while it joins. */
static void fork_child(struct crew *c) {
    il_lock *locks[8];
    for (int i = 0; i < 8; i++) il_lock_open(c->world->domain, NULL, 0, NULL, &locks[i]);
    pid_t child = fork();
    if (child == 0) {
        if (!c->world->served) use_locks(c);
        _exit(0);
    }
    int status = test_reap(child, GENEROUS_S);
    if (WIFSIGNALED(status)) kill(getpid(), SIGKILL);
}

static void wake_server(struct crew *c) {
    for (int i = 0; i < 10; i++) {
        hold_locks(c);
        use_locks(c);
    }
}

/* ---- companions ------------------------------------------------------------------------------- */

static void produce_bounded(struct crew *c) { crew_produce(c, BOUNDED); }
static void consume_bounded(struct crew *c) { crew_consume(c, BOUNDED); }
static void consume_open(struct crew *c) { crew_consume(c, OPEN_END); }
static void produce_open(struct crew *c) {
    uint64_t random = c->me + 1;
    uint8_t *own = malloc(CREW_ROOM);
    il_queue *queue = crew_open_queue(c, OPEN_END);
    while (!crew_stopped(c)) {
        uint64_t size = 0;
        il_queue_size(queue, &size);
        if (size > 200 || !crew_put(c, queue, OPEN_END, own, &random, 0)) sched_yield();
    }
    il_queue_close(queue);
    free(own);
}

static void fresh_names(struct crew *c) {
    for (int i = 0; i < 40; i++) {
        il_lock *lock = NULL;
        char name[32];
        int length = snprintf(name, sizeof name, "fresh %d", i);
        il_lock_open(c->world->domain, name, (size_t)length, NULL, &lock);
        il_lock_close(lock);
        il_lock_delete(c->world->domain, name, (size_t)length);
    }
}

static void churn_names(struct crew *c) {
    while (!crew_stopped(c)) use_names(c);
}

/* ---- scenarios -------------------------------------------------------------------------------- */

#define COMPANIONS 4

struct scenario {
    const char *name;
    void (*victim)(struct crew *c);
    void (*companions[COMPANIONS])(struct crew *c);
    bool bells; /* the server parks waiters; served only */
    bool private_only;
    bool silent; /* the companions may come to rest without the victim */
    bool grows;  /* the name table stays larger */
    /* For objects of its own, in the process that looks on; may be NULL. */
    void (*nudge)(struct crew *c); /* see struct crew */
    void (*settle)(
        struct crew *c); /* proves them sound and removes them; once before, once after */
};

#define AT_EVENT .nudge = nudge_event, .settle = settle_event
#define AT_LATCH .nudge = nudge_latch, .settle = settle_latch
#define AT_COUNT .nudge = nudge_count, .settle = settle_count
#define AT_TEXTS .settle = settle_texts
#define AT_BARRIER .nudge = nudge_barrier, .settle = settle_barrier

static const struct scenario scenarios[] = {
    {"locks",
     use_locks,
     {crew_hammer_plain, crew_hammer_plain, crew_hammer_fair, crew_hammer_fair},
     .bells = false},
    {"barge", barge, {crew_hammer_plain, crew_hammer_plain, crew_hammer_plain}, .bells = false},
    {"fresh names", fresh_names, {crew_hammer_plain}, .grows = true},
    {"hold",
     hold_locks,
     {crew_hammer_plain, crew_hammer_plain, crew_hammer_fair, crew_hammer_fair},
     .bells = false},
    {"delete locks",
     delete_locks,
     {crew_hammer_plain, crew_hammer_plain, crew_hammer_fair, crew_hammer_fair},
     .bells = false},
    {"bounded",
     use_queue,
     {produce_bounded, produce_bounded, consume_bounded, consume_bounded},
     .bells = false},
    {"open", use_queue, {produce_open, consume_open, consume_open}, .bells = false},
    {"put", put_many, {consume_open, consume_open}, .silent = true},
    {"get", get_many, {produce_open, consume_open}, .bells = false},
    {"delete queue",
     delete_queue,
     {produce_bounded, consume_bounded, consume_bounded},
     .silent = true},
    {"own queues", own_queues, {crew_hammer_plain}, .bells = false},
    {"names", use_names, {churn_names, churn_names, crew_hammer_plain}, .bells = false},
    {"give back", give_back, {produce_open, consume_open}, .bells = false},
    {"fork", fork_child, {crew_hammer_plain}, .private_only = true},
    {"permits", use_permits, {share_permits, share_permits, share_permits}, .bells = false},
    {"shares", use_shares, {share_lock, share_lock, share_lock}, .bells = false},
    {"sharing threads end",
     end_sharing_threads,
     {share_permits, share_lock, share_lock},
     .bells = false},
    {"delete shared",
     delete_shared,
     {share_permits, share_permits, share_lock, share_lock},
     .bells = false},
    {"own permits", own_permits, {share_permits}, .bells = false},
    {"bells", wake_server, {crew_hammer_plain, crew_hammer_fair}, .bells = true},
    {"leases", use_leases, {crew_hammer_plain, crew_hammer_fair, hammer_delayed}, .bells = false},
    {"deep", hammer_deep_a_while, {hammer_deep, hammer_deep}, .bells = false},
    {"lock threads end", end_lock_threads, {hammer_deep, crew_hammer_plain}, .bells = false},
    {"news", hear_news, {spread_news, spread_news, spread_news}, .bells = false},
    {"delete news", delete_news, {spread_news, spread_news}, .bells = false},
    {"event", use_event, {crew_await_event, crew_await_event, crew_pulse_event}, AT_EVENT},
    {"delete event",
     delete_event,
     {crew_await_event, crew_await_event, crew_pulse_event},
     AT_EVENT},
    {"latch", use_latch, {crew_use_latch, crew_use_latch, crew_use_latch}, AT_LATCH},
    {"delete latch", delete_latch, {crew_use_latch, crew_use_latch, crew_use_latch}, AT_LATCH},
    {"barrier", use_barrier, {crew_meet, crew_meet, crew_meet}, AT_BARRIER},
    {"delete barrier", delete_barrier, {crew_meet, crew_meet, crew_meet}, AT_BARRIER},
    {"count", use_count, {crew_watch_count, crew_watch_count, crew_count}, AT_COUNT},
    {"delete count", delete_count, {crew_watch_count, crew_watch_count, crew_count}, AT_COUNT},
    {"texts", use_texts, {crew_use_texts, crew_use_texts}, AT_TEXTS},
    {"delete texts", delete_texts, {crew_use_texts, crew_use_texts}, AT_TEXTS},
    {"pipe",
     use_pipe,
     {pipe_send_a, pipe_receive_b, pipe_send_b, pipe_receive_a},
     .nudge = nudge_pipe,
     .settle = settle_pipe},
    {"ends of pipes", come_and_go, {receive_to_the_end, receive_to_the_end}, .settle = settle_ends},
    {"own pipes", own_pipes, {crew_hammer_plain}, .settle = settle_own_pipes},
    {"all at once",
     several_die_acquiring,
     {several_take_all, several_take_all, several_feed},
     .settle = several_settle},
    {"the first",
     several_die_waiting,
     {several_take_first, several_feed, several_feed},
     .settle = several_settle},
    {"the first, polled",
     several_die_polling,
     {several_loop, several_feed, several_feed},
     .settle = several_settle},
};
#define SCENARIOS (sizeof scenarios / sizeof scenarios[0])

#endif
