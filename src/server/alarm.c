#include "server/alarm.h"

#include "base/clock.h"
#include "server/server.h"

/* How long cron sleeps at most: then it looks at the wall clock, which may have been set. */
#define GLANCE_NS INT64_C(30000000000)
#define SET_BACK_SECONDS 10800
#define MS INT64_C(1000000)

int64_t (*ili_alarm_wall_ms_of)(int64_t then_ns) = ili_wall_ms_of;

static int64_t wall_now_ms(void) { return ili_alarm_wall_ms_of(ili_now_ns()); }

int64_t ili_alarm_next_ms(const struct ili_alarm *alarm) {
    if (alarm->options.kind == ILI_ALARM_CRON) return alarm->next_wall * 1000;
    return ili_alarm_wall_ms_of(alarm->next_ns);
}

/* False: no memory. */
static bool set(struct ili_alarm *a) {
    int64_t at_ns = a->next_ns;
    if (a->options.kind == ILI_ALARM_CRON) {
        int64_t wait_ns = (a->next_wall * 1000 - wall_now_ms()) * MS;
        if (wait_ns > GLANCE_NS) wait_ns = GLANCE_NS;
        at_ns = ili_now_ns() + (wait_ns > 0 ? wait_ns : 0);
    }
    return ili_timers_set(&a->server->timers, &a->timer, at_ns);
}

/* After an instant, which is NOW_NS and WALL_MS by the two clocks. */
static void find_next(struct ili_alarm *a, int64_t now_ns, int64_t wall_ms) {
    const struct ili_alarm_options *o = &a->options;
    if (o->kind == ILI_ALARM_CRON) {
        int64_t after = wall_ms / 1000;
        /* a clock that was set back a little does not repeat what came */
        if (after < a->last_wall && a->last_wall - after <= SET_BACK_SECONDS) after = a->last_wall;
        a->next_wall = ili_cron_next(&o->cron, o->local, after);
        return;
    }
    a->next_ns += o->period_ns;
    if (a->next_ns > now_ns) return;
    a->next_ns = a->base_ns + ((now_ns - a->base_ns) / o->period_ns + 1) * o->period_ns;
}

static bool is_running(const struct ili_alarm *a) {
    const struct ili_task *task =
        a->last_task ? ili_task_find(&a->server->pools, a->last_task) : NULL;
    return task && !ili_task_has_ended(task);
}

static void run(struct ili_alarm *a, int64_t now_ns) {
    struct ili_task *task;
    struct ili_fault fault;
    if (a->options.skip_if_running && is_running(a)) {
        a->skipped++;
    } else if (ili_deferred_submit(a->server, &a->options.call, &task, &fault) == IL_OK) {
        a->runs++;
        a->last_task = task->id;
        a->last_run_ns = now_ns;
    } else {
        a->failed++;
        a->last_error = fault;
        a->last_error_ns = now_ns;
    }
}

static bool is_last(const struct ili_alarm *a) {
    uint64_t came = a->runs + a->skipped + a->failed;
    return a->options.kind == ILI_ALARM_AFTER || (a->options.repeat && came >= a->options.repeat);
}

static void fire(struct ili_timer *timer, void *context) {
    struct ili_alarm *a = (struct ili_alarm *)((char *)timer - offsetof(struct ili_alarm, timer));
    /* read once: a minute that begins in between would be neither due nor next */
    int64_t now_ns = ili_now_ns(), wall_ms = ili_alarm_wall_ms_of(now_ns);
    bool due = a->options.kind != ILI_ALARM_CRON || wall_ms >= a->next_wall * 1000;
    (void)context;
    if (a->server->stopping) return;
    if (due) {
        a->last_wall = a->next_wall;
        run(a, now_ns);
    }
    if (due && is_last(a)) {
        a->state = ILI_ALARM_DONE;
        return;
    }
    find_next(a, now_ns, wall_ms); /* also if it was not due: the clock may have been set back */
    (void)set(a);                  /* cannot fail: its place in the heap has just become free */
}

il_status ili_alarm_start(struct ili_alarm *alarm) {
    if (alarm->was_started) return IL_ESTARTED;
    if (alarm->state == ILI_ALARM_CANCELLED) return IL_ECANCELLED;
    alarm->timer.fire = fire;
    alarm->base_ns = ili_now_ns();
    alarm->next_ns = alarm->base_ns;
    if (alarm->options.kind == ILI_ALARM_CRON) {
        find_next(alarm, alarm->base_ns, wall_now_ms());
    } else {
        alarm->next_ns += alarm->options.period_ns;
    }
    if (!set(alarm)) return IL_ENOMEM;
    alarm->was_started = true;
    alarm->state = ILI_ALARM_WAITING;
    return IL_OK;
}

void ili_alarm_cancel(struct ili_alarm *alarm) {
    if (alarm->state == ILI_ALARM_DONE) return;
    ili_timers_clear(&alarm->server->timers, &alarm->timer);
    alarm->state = ILI_ALARM_CANCELLED;
}
