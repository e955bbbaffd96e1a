/*
 * What is told to those who wait at an event, a latch or a barrier when a process dies at a given point of a
 * call: that it was done, for all of them, or that it was not, for all of them.
 *
 * The waiters are the test's own, without threads. The keeper comes after the death, so that something may
 * happen in between.
 */
#include <criterion/criterion.h>

#ifdef IL_POINTS
#include "base/point.h"
#include "support/world.h"

#define WAITERS 3

static struct world w;
static struct ili_member *m;
static struct ili_agent *waiters[WAITERS];

struct death {
    const char *point;
    uint32_t passage;
    bool done; /* the call counts as made */
};

static void open_world(void) {
    cr_assert(world_open(&w, false, 8 << 20));
    m = &w.domain->member;
    for (int i = 0; i < WAITERS; i++) cr_assert_eq(ili_agent_claim_bell(m, &waiters[i]), IL_OK);
}

/* Runs CALL in a child that dies at the point. */
static void die(const struct death *death, void (*call)(void)) {
    pid_t child = fork();
    if (child == 0) {
        ili_point_arm(death->point, death->passage);
        call();
        _exit(0);
    }
    int status = test_reap(child, 10);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%s:%u was not passed",
              death->point, death->passage);
}

static void recover(void) {
    world_watch(&w);
    cr_assert(test_wait(world_is_alone, &w, 10), "the dead process is not recovered");
}

#define EACH_DEATH(deaths)                                                                         \
    for (const struct death *death = deaths; death < deaths + sizeof deaths / sizeof *deaths;      \
         death++)

/* ---- event ------------------------------------------------------------------------------------ */

static il_event *event;
static void set_event(void) { il_event_set(event); }

Test(recovery_told, event_is_set_for_all_or_none, .timeout = 120) {
    static const struct death deaths[] = {
        {"guard.locked", 1, false},         {"event.set.intended", 1, false},
        {"event.set.done", 1, true},        {"waiting.removed", 1, true},
        {"waiting.removed", 3, true},       {"waiting.told", 1, true},
        {"waiting.told", 2, true},          {"agent.wake", 1, true},
        {"waitq.remove.unlinked", 2, true},
    };
    EACH_DEATH(deaths) {
        int32_t set = -1;
        open_world();
        cr_assert_eq(il_event_open(w.domain, "it", 2, &event), IL_OK);
        for (int i = 0; i < WAITERS; i++)
            cr_assert_eq(ili_event_enqueue(m, event->event, waiters[i]), IL_ETIMEOUT);
        die(death, set_event);
        cr_assert_eq(il_event_is_set(event, &set), IL_OK);
        cr_assert_eq(set, death->done, "%s", death->point);
        /* that it was cleared meanwhile takes nothing away from who waited */
        cr_assert_eq(il_event_clear(event), IL_OK);
        recover();
        for (int i = 0; i < WAITERS; i++)
            cr_assert_eq(ili_event_poll(waiters[i]), death->done ? IL_OK : IL_ETIMEOUT,
                         "%s:%u, waiter %d", death->point, death->passage, i);
        il_event_set(event);
        for (int i = 0; i < WAITERS && !death->done; i++)
            cr_assert_eq(ili_event_poll(waiters[i]), IL_OK);
        il_event_close(event);
        world_close(&w);
    }
}

/* ---- latch ------------------------------------------------------------------------------------ */

static il_latch *latch;
static void count_down(void) { il_latch_count_down(latch, 2, NULL); }

Test(recovery_told, latch_lets_all_go_on_or_none, .timeout = 120) {
    static const struct death deaths[] = {
        {"guard.locked", 1, false},   {"latch.count_down.done", 1, true},
        {"waiting.removed", 1, true}, {"waiting.told", 1, true},
        {"waiting.told", 3, true},
    };
    EACH_DEATH(deaths) {
        uint32_t two = 2, count = 9;
        open_world();
        cr_assert_eq(il_latch_open(w.domain, "it", 2, &two, &latch), IL_OK);
        for (int i = 0; i < WAITERS; i++)
            cr_assert_eq(ili_latch_enqueue(m, latch->latch, waiters[i]), IL_ETIMEOUT);
        die(death, count_down);
        cr_assert_eq(il_latch_count(latch, &count), IL_OK);
        cr_assert_eq(count, death->done ? 0 : 2);
        recover();
        for (int i = 0; i < WAITERS; i++)
            cr_assert_eq(ili_latch_poll(waiters[i]), death->done ? IL_OK : IL_ETIMEOUT,
                         "%s:%u, waiter %d", death->point, death->passage, i);
        il_latch_close(latch);
        world_close(&w);
    }
}

/* ---- barrier ---------------------------------------------------------------------------------- */

static il_barrier *barrier;
static void wait_at_barrier(void) { il_barrier_wait(barrier, IL_FOREVER, NULL); }
static void do_not_wait(void) { il_barrier_wait(barrier, IL_NOWAIT, NULL); }
static void reset(void) { il_barrier_reset(barrier); }
static void abort_it(void) { il_barrier_abort(barrier); }

static void open_barrier(uint32_t parties) {
    open_world();
    cr_assert_eq(il_barrier_open(w.domain, "it", 2, &parties, &barrier), IL_OK);
    for (int i = 0; i < WAITERS; i++)
        cr_assert_eq(ili_barrier_enqueue(m, barrier->barrier, waiters[i]), IL_ETIMEOUT);
}

static void all_are_told(il_status status, const struct death *death) {
    for (uint32_t i = 0; i < WAITERS; i++) {
        uint32_t index = 99;
        cr_assert_eq(ili_barrier_poll(waiters[i], &index), status, "%s:%u, waiter %u", death->point,
                     death->passage, i);
        if (status == IL_OK) cr_assert_eq(index, WAITERS - i, "%u", index);
    }
}

static void close_barrier(uint32_t broken) {
    il_barrier_info info = {.struct_bytes = sizeof info};
    cr_assert_eq(il_barrier_info_get(barrier, &info), IL_OK);
    cr_assert_eq(info.broken, broken);
    il_barrier_close(barrier);
    world_close(&w);
}

Test(recovery_told, barrier_round_is_complete_for_all_or_none, .timeout = 120) {
    static const struct death deaths[] = {
        {"guard.locked", 1, false},         {"barrier.complete.intended", 1, true},
        {"waiting.removed", 1, true},       {"waiting.removed", 3, true},
        {"waiting.told", 1, true},          {"waiting.told", 2, true},
        {"waitq.remove.unlinked", 2, true}, {"agent.wake", 2, true},
        {"barrier.complete.told", 1, true},
    };
    EACH_DEATH(deaths) {
        open_barrier(WAITERS + 1);
        die(death, wait_at_barrier);
        recover();
        all_are_told(death->done ? IL_OK : IL_ETIMEOUT, death);
        close_barrier(0);
    }
}

Test(recovery_told, barrier_is_broken_by_the_death_of_who_came, .timeout = 120) {
    static const struct death deaths[] = {
        {"waitq.add.prepared", 1, true},
        {"waitq.add.linked", 1, true},
        {"guard.unlocked", 1, true},
    };
    EACH_DEATH(deaths) {
        open_barrier(WAITERS + 2);
        die(death, wait_at_barrier);
        recover();
        all_are_told(IL_EBROKEN, death);
        close_barrier(1);
    }
}

Test(recovery_told, barrier_is_broken_or_reset_for_all_or_none, .timeout = 120) {
    static const struct death aborts[] = {
        {"guard.locked", 1, false},
        {"barrier.broken", 1, true},
        {"waiting.removed", 2, true},
        {"waiting.told", 2, true},
    };
    static const struct death resets[] = {
        {"guard.locked", 1, false},         {"barrier.reset.intended", 1, true},
        {"waiting.removed", 2, true},       {"waiting.told", 3, true},
        {"barrier.reset.cleared", 1, true},
    };
    EACH_DEATH(aborts) {
        for (int how = 0; how < 2; how++) {
            open_barrier(WAITERS + 2);
            die(death, how ? do_not_wait : abort_it);
            recover();
            all_are_told(death->done ? IL_EBROKEN : IL_ETIMEOUT, death);
            close_barrier(death->done);
        }
    }
    EACH_DEATH(resets) {
        open_barrier(WAITERS + 2);
        die(death, reset);
        recover();
        all_are_told(death->done ? IL_EBROKEN : IL_ETIMEOUT, death);
        close_barrier(0);
    }
}

/* ---- condition -------------------------------------------------------------------------------- */

static il_condition *condition;

static uint64_t own_lock(void) {
    uint64_t token = 0;
    cr_assert_eq(il_condition_acquire(condition, IL_FOREVER, &token), IL_OK);
    return token;
}

static bool another_waits(void *unused) {
    uint32_t count = 0;
    (void)unused;
    return il_condition_waiters(condition, &count) == IL_OK && count == 1;
}

Test(recovery_told, notify_of_a_dead_waiter_goes_to_the_next, .timeout = 60) {
    uint32_t depth = 0;
    open_world();
    cr_assert_eq(il_condition_open(w.domain, "it", 2, NULL, &condition), IL_OK);
    pid_t child = fork();
    if (child == 0) {
        (void)own_lock();
        il_condition_wait(condition, IL_FOREVER, NULL);
        _exit(0);
    }
    cr_assert(test_wait(another_waits, NULL, 10), "the child does not wait");
    uint64_t token = own_lock();
    struct ili_agent *self;
    cr_assert_eq(ili_agent_current(m, &self), IL_OK);
    cr_assert_eq(ili_condition_enqueue(m, condition->condition, condition->lock, waiters[0],
                                       ili_agent_number(&m->arena, self), token, &depth),
                 IL_ETIMEOUT);
    kill(child, SIGKILL);
    (void)test_reap(child, 10);
    (void)own_lock();
    cr_assert_eq(il_condition_notify(condition, 1), IL_OK);
    cr_assert_eq(il_condition_release(condition, 0), IL_OK);
    cr_assert_eq(ili_waiting_poll(waiters[0], NULL), IL_ETIMEOUT);
    recover();
    cr_assert_eq(ili_waiting_poll(waiters[0], NULL), IL_OK);
    il_condition_close(condition);
    world_close(&w);
}

#else

Test(recovery_told, needs_a_build_with_points) { cr_skip("built without IL_POINTS"); }

#endif
