/*
 * alarm.h - the life of a timer over HTTP (timer.h has that name): a call of a pool's function once after
 * a delay, at intervals, or whenever a cron expression says.
 *
 *   created ─start─▶ waiting ─▶ done        after its last time
 *      └──────cancel───┴──────▶ cancelled
 *
 * It is started once. An interval is counted from the start, so it does not drift. What is missed, since
 * the server was stopped or busy, comes once. A time at which the call cannot be submitted is counted and
 * its error kept; a timer that repeats goes on. Delays and intervals follow the monotonic clock, cron the
 * wall clock, also when that is set.
 */
#ifndef ILI_SERVER_ALARM_H
#define ILI_SERVER_ALARM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer.h"
#include "server/deferred.h"
#include "server/roster.h"
#include "work/cron.h"

struct ili_server;

enum ili_alarm_kind { ILI_ALARM_AFTER, ILI_ALARM_EVERY, ILI_ALARM_CRON };

enum ili_alarm_state {
    ILI_ALARM_CREATED,
    ILI_ALARM_WAITING,
    ILI_ALARM_DONE,
    ILI_ALARM_CANCELLED,
};

/* All zero is an empty one. */
struct ili_alarm_options {
    struct ili_deferred call; /* owned */
    enum ili_alarm_kind kind;
    int64_t period_ns; /* AFTER, EVERY */
    char cron_text[ILI_CRON_BYTES + 1];
    struct ili_cron cron;
    bool local;      /* cron is by the server's time zone */
    uint64_t repeat; /* how many times; 0: without end */
    bool skip_if_running;
};

struct ili_alarm {
    struct ili_named named;
    struct ili_server *server;
    struct ili_alarm_options options;
    enum ili_alarm_state state;
    struct ili_timer timer;
    int64_t base_ns, next_ns;     /* AFTER, EVERY: the start, and when it is due */
    int64_t next_wall, last_wall; /* CRON: when it is due, and was, seconds since 1970 */
    bool was_started;
    uint64_t runs, skipped, failed; /* times that came: submitted, left out, not submitted */
    uint64_t last_task;             /* 0: none */
    int64_t last_run_ns, last_error_ns;
    struct ili_fault last_error; /* its newest, if last_error_ns is set */
};

/* ili_wall_ms_of(); replaced by tests only. */
extern int64_t (*ili_alarm_wall_ms_of)(int64_t then_ns);

/* IL_ESTARTED; IL_ECANCELLED: it was cancelled before; IL_ENOMEM. */
il_status ili_alarm_start(struct ili_alarm *alarm);

/* Nothing if it is done. */
void ili_alarm_cancel(struct ili_alarm *alarm);

/* When it is due next, milliseconds since 1970. It is waiting. */
int64_t ili_alarm_next_ms(const struct ili_alarm *alarm);

#endif
