/* Timers by clocks that only the test moves: intervals that do not drift, what is missed, cron by a wall
 * clock that is set. The pool is the test's own. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "server/alarm.h"
#include "server/server.h"

#define SECOND INT64_C(1000000000)
#define NOON INT64_C(1718020800) /* 2024-06-10 12:00:00 UTC, a Monday */

static struct ili_server server; /* zero */
static struct ili_alarm alarm_;
static struct ili_task task;
static int64_t mono_ns, wall_ms;
static unsigned submitted;
static il_status outcome;

/* In place of deferred.c: the pool takes everything, or refuses it with `outcome`. */
il_status ili_deferred_submit(struct ili_server *of, const struct ili_deferred *deferred,
                              struct ili_task **out, struct ili_fault *fault) {
    (void)of, (void)deferred;
    if (outcome != IL_OK) return ili_fault_set(fault, outcome, NULL, NULL, "refused");
    submitted++;
    task.id = submitted;
    *out = &task;
    return IL_OK;
}

/* In place of the pools: the last task is there. */
struct ili_task *ili_task_find(struct ili_pools *pools, uint64_t id) {
    (void)pools;
    return id == task.id ? &task : NULL;
}

static int64_t mono(void) { return mono_ns; }
static int64_t wall_of(int64_t then_ns) { return wall_ms + (then_ns - mono_ns) / 1000000; }

/* Both clocks go on by NS, and what is due fires. */
static void pass(int64_t ns) {
    mono_ns += ns;
    wall_ms += ns / 1000000;
    ili_timers_run(&server.timers, mono_ns, &server);
}

/* As the loop does: from one timer to the next, for NS. */
static void live(int64_t ns) {
    int64_t end = mono_ns + ns;
    while (ili_timers_next(&server.timers) <= end) {
        int64_t next = ili_timers_next(&server.timers);
        pass(next > mono_ns ? next - mono_ns : 0);
    }
    pass(end - mono_ns);
}

static void begin(enum ili_alarm_kind kind, int64_t period_ns) {
    ili_clock_now = mono;
    ili_alarm_wall_ms_of = wall_of;
    mono_ns = 1000 * SECOND;
    wall_ms = NOON * 1000;
    outcome = IL_OK;
    alarm_ = (struct ili_alarm){.server = &server};
    alarm_.options.kind = kind;
    alarm_.options.period_ns = period_ns;
}

static void begin_cron(const char *text) {
    struct ili_fault fault;
    begin(ILI_ALARM_CRON, 0);
    cr_assert_eq(ili_cron_parse(&alarm_.options.cron, text, strlen(text), &fault), IL_OK);
    cr_assert_eq(ili_alarm_start(&alarm_), IL_OK);
}

Test(server_alarm, once_after_a_delay) {
    begin(ILI_ALARM_AFTER, 5 * SECOND);
    pass(60 * SECOND);
    cr_assert_eq(alarm_.runs, 0, "it was not started");
    cr_assert_eq(ili_alarm_start(&alarm_), IL_OK);
    cr_assert_eq(ili_alarm_start(&alarm_), IL_ESTARTED);
    cr_assert_eq(ili_alarm_next_ms(&alarm_), wall_ms + 5000);
    pass(5 * SECOND - 1);
    cr_assert_eq(alarm_.runs, 0);
    pass(1);
    cr_assert_eq(alarm_.runs, 1);
    cr_assert_eq(alarm_.state, ILI_ALARM_DONE);
    pass(3600 * SECOND);
    cr_assert_eq(submitted, 1);
    cr_assert_eq(ili_alarm_start(&alarm_), IL_ESTARTED);
    ili_alarm_cancel(&alarm_);
    cr_assert_eq(alarm_.state, ILI_ALARM_DONE);
}

Test(server_alarm, cancelled_it_does_not_fire) {
    begin(ILI_ALARM_AFTER, 5 * SECOND);
    cr_assert_eq(ili_alarm_start(&alarm_), IL_OK);
    ili_alarm_cancel(&alarm_);
    cr_assert_eq(alarm_.state, ILI_ALARM_CANCELLED);
    pass(60 * SECOND);
    cr_assert_eq(submitted, 0);
    cr_assert_eq(ili_alarm_start(&alarm_), IL_ESTARTED);
    begin(ILI_ALARM_AFTER, 0);
    ili_alarm_cancel(&alarm_);
    cr_assert_eq(ili_alarm_start(&alarm_), IL_ECANCELLED);
    cr_assert_eq(server.timers.count, 0);
}

Test(server_alarm, intervals_do_not_drift) {
    begin(ILI_ALARM_EVERY, 10 * SECOND);
    cr_assert_eq(ili_alarm_start(&alarm_), IL_OK);
    int64_t start_ns = mono_ns;
    for (unsigned i = 1; i <= 1000; i++) { /* the loop comes late each time, by up to 7 s */
        pass(start_ns + i * 10 * SECOND + (i * 7919) % 7 * SECOND - mono_ns);
        cr_assert_eq(alarm_.runs, i);
        cr_assert_eq(alarm_.next_ns, start_ns + (i + 1) * 10 * SECOND);
    }
}

Test(server_alarm, missed_intervals_come_once) {
    begin(ILI_ALARM_EVERY, 10 * SECOND);
    cr_assert_eq(ili_alarm_start(&alarm_), IL_OK);
    int64_t start_ns = mono_ns;
    pass(95 * SECOND); /* nine of them */
    cr_assert_eq(alarm_.runs, 1);
    cr_assert_eq(alarm_.next_ns, start_ns + 100 * SECOND);
    live(5 * SECOND);
    cr_assert_eq(alarm_.runs, 2);
    pass(10 * SECOND); /* just so late that the next one is due now */
    cr_assert_eq(alarm_.next_ns, start_ns + 120 * SECOND);
}

Test(server_alarm, so_many_times) {
    begin(ILI_ALARM_EVERY, SECOND);
    alarm_.options.repeat = 3;
    cr_assert_eq(ili_alarm_start(&alarm_), IL_OK);
    live(60 * SECOND);
    cr_assert_eq(alarm_.runs, 3);
    cr_assert_eq(alarm_.state, ILI_ALARM_DONE);
}

Test(server_alarm, an_error_is_kept_and_it_goes_on) {
    begin(ILI_ALARM_EVERY, SECOND);
    cr_assert_eq(ili_alarm_start(&alarm_), IL_OK);
    live(2 * SECOND);
    outcome = IL_ENOTFOUND;
    live(3 * SECOND);
    cr_assert_eq(alarm_.failed, 3);
    cr_assert_eq(alarm_.last_error.status, IL_ENOTFOUND);
    cr_assert_eq(alarm_.last_error_ns, mono_ns);
    outcome = IL_OK;
    live(SECOND);
    cr_assert_eq(alarm_.runs, 3);
    cr_assert_eq(alarm_.last_error.status, IL_ENOTFOUND, "it is kept");
    cr_assert_eq(alarm_.state, ILI_ALARM_WAITING);
}

Test(server_alarm, what_runs_still_may_be_waited_out) {
    begin(ILI_ALARM_EVERY, SECOND);
    alarm_.options.skip_if_running = true;
    task.state = ILI_TASK_RUNNING;
    cr_assert_eq(ili_alarm_start(&alarm_), IL_OK);
    live(4 * SECOND);
    cr_assert_eq(alarm_.runs, 1);
    cr_assert_eq(alarm_.skipped, 3);
    task.state = ILI_TASK_SUCCEEDED;
    live(SECOND);
    cr_assert_eq(alarm_.runs, 2);
}

Test(server_alarm, cron_comes_at_its_minutes) {
    begin_cron("*/10 * * * *");
    cr_assert_eq(alarm_.next_wall, NOON + 600);
    live(599 * SECOND);
    cr_assert_eq(alarm_.runs, 0);
    live(SECOND);
    cr_assert_eq(alarm_.runs, 1);
    live(3600 * SECOND);
    cr_assert_eq(alarm_.runs, 7);
    cr_assert_eq(ili_alarm_next_ms(&alarm_), (NOON + 4800) * 1000);
}

Test(server_alarm, cron_that_was_missed_comes_once) {
    begin_cron("*/10 * * * *");
    pass(3605 * SECOND); /* nobody looked for an hour */
    cr_assert_eq(alarm_.runs, 1);
    cr_assert_eq(alarm_.next_wall, NOON + 4200);
}

Test(server_alarm, cron_follows_a_clock_that_is_set_forward) {
    begin_cron("0 15 * * *");
    live(60 * SECOND);
    wall_ms = (NOON + 3 * 3600 + 5) * 1000;
    live(30 * SECOND); /* it looks at the clock that often */
    cr_assert_eq(alarm_.runs, 1);
    cr_assert_eq(alarm_.next_wall, NOON + 27 * 3600);
}

Test(server_alarm, cron_follows_a_clock_that_is_set_back) {
    begin_cron("0 * * * *");
    live(3600 * SECOND);
    cr_assert_eq(alarm_.runs, 1);
    wall_ms -= 120 * 1000; /* a little: the same hour does not come again */
    live(600 * SECOND);
    cr_assert_eq(alarm_.runs, 1);
    cr_assert_eq(alarm_.next_wall, NOON + 7200);
    wall_ms -= INT64_C(86400000); /* a day: it does not wait for that day to pass */
    live(3600 * SECOND);
    cr_assert_eq(alarm_.runs, 2);
}

Test(server_alarm, a_server_that_stops_starts_nothing) {
    begin(ILI_ALARM_EVERY, SECOND);
    cr_assert_eq(ili_alarm_start(&alarm_), IL_OK);
    server.stopping = true;
    pass(5 * SECOND);
    server.stopping = false;
    cr_assert_eq(submitted, 0);
}
