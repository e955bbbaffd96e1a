/* Cron expressions: what is taken and refused, and the next minute, held against a walk minute by
 * minute through several years in zones whose clocks are turned. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "work/cron.h"

static void in_zone(const char *zone) {
    setenv("TZ", zone, 1);
    tzset();
}

static struct ili_cron parsed(const char *text) {
    struct ili_cron cron;
    struct ili_fault fault = {0};
    cr_assert_eq(ili_cron_parse(&cron, text, strlen(text), &fault), IL_OK, "%s: %s", text,
                 fault.detail);
    return cron;
}

/* Seconds of "2024-02-29 12:00" in UTC. */
static int64_t at(const char *text) {
    struct tm tm = {0};
    cr_assert(strptime(text, "%Y-%m-%d %H:%M", &tm), "%s", text);
    return timegm(&tm);
}

static const char *shown(int64_t seconds) {
    static char room[2][40];
    static int which;
    time_t time = seconds;
    struct tm tm;
    which ^= 1;
    strftime(room[which], sizeof room[which], "%Y-%m-%d %H:%M", gmtime_r(&time, &tm));
    return room[which];
}

static void expect_next(const char *text, bool local, const char *after, const char *next) {
    struct ili_cron cron = parsed(text);
    int64_t got = ili_cron_next(&cron, local, at(after));
    cr_assert_str_eq(shown(got), next, "%s after %s: %s, expected %s", text, after, shown(got),
                     next);
}

static void expect_utc(const char *text, const char *after, const char *next) {
    expect_next(text, false, after, next);
}

Test(work_cron, fields_lists_ranges_steps_and_names) {
    expect_utc("* * * * *", "2024-01-01 00:00", "2024-01-01 00:01");
    expect_utc("5 * * * *", "2024-01-01 00:05", "2024-01-01 01:05");
    expect_utc("*/15 * * * *", "2024-01-01 00:16", "2024-01-01 00:30");
    expect_utc("10-50/20 * * * *", "2024-01-01 00:30", "2024-01-01 00:50");
    expect_utc("0 9-17 * * mon-fri", "2024-01-05 17:00", "2024-01-08 09:00");
    expect_utc("1,2,40-42 3 * * *", "2024-01-01 03:02", "2024-01-01 03:40");
    expect_utc("0 0 1 JAN,Jul *", "2024-01-01 00:00", "2024-07-01 00:00");
    expect_utc("0 0 * * 7", "2024-01-01 00:00", "2024-01-07 00:00");
    expect_utc("0 0 * * sat-sun", "2024-01-06 00:00", "2024-01-07 00:00");
    expect_utc("0 0 * * 5-7/2", "2024-01-05 00:00", "2024-01-07 00:00");
    expect_utc(" \t0  0\t1 1 * ", "2024-01-01 00:00", "2025-01-01 00:00");
}

Test(work_cron, words_for_whole_expressions) {
    expect_utc("@hourly", "2024-01-01 00:00", "2024-01-01 01:00");
    expect_utc("@daily", "2024-01-01 00:00", "2024-01-02 00:00");
    expect_utc("@midnight", "2024-01-01 12:00", "2024-01-02 00:00");
    expect_utc("@weekly", "2024-01-01 00:00", "2024-01-07 00:00");
    expect_utc("@monthly", "2024-01-01 00:00", "2024-02-01 00:00");
    expect_utc("@yearly", "2024-01-01 00:00", "2025-01-01 00:00");
    expect_utc("@annually", "2023-06-01 00:00", "2024-01-01 00:00");
}

Test(work_cron, a_day_fits_one_of_two_fields_that_both_say_something) {
    /* Friday the 13th of September 2024; the days before and after it that count are Fridays or 13th */
    expect_utc("0 12 13 * fri", "2024-09-07 00:00", "2024-09-13 12:00");
    expect_utc("0 12 13 * fri", "2024-09-13 12:00", "2024-09-20 12:00");
    expect_utc("0 12 13 * fri", "2024-10-11 12:00", "2024-10-13 12:00");
    /* one of them begins with *: both have to fit */
    expect_utc("0 12 */2 * fri", "2024-09-07 00:00", "2024-09-13 12:00");
    expect_utc("0 12 */2 * fri", "2024-09-13 12:00", "2024-09-27 12:00");
    expect_utc("0 12 13 * */5", "2024-09-01 00:00", "2024-09-13 12:00"); /* Sunday or Friday */
    expect_utc("0 12 13 * */5", "2024-09-13 12:00", "2024-10-13 12:00");
}

Test(work_cron, leap_years) {
    expect_utc("0 0 29 2 *", "2023-01-01 00:00", "2024-02-29 00:00");
    expect_utc("0 0 29 2 *", "2024-02-29 00:00", "2028-02-29 00:00");
    expect_utc("0 0 29 2 *", "2096-02-29 00:00", "2104-02-29 00:00"); /* not 2100 */
    expect_utc("0 0 29 2 *", "1996-03-01 00:00", "2000-02-29 00:00");
    expect_utc("0 0 29 2 */7", "2004-03-01 00:00", "2032-02-29 00:00"); /* a Sunday */
    expect_utc("59 23 31 12 *", "2024-12-31 23:59", "2025-12-31 23:59");
    expect_utc("0 0 1 3 *", "2024-02-28 23:59", "2024-03-01 00:00");
}

Test(work_cron, before_1970_and_far_ahead) {
    expect_utc("30 6 * * *", "1969-12-31 06:30", "1970-01-01 06:30");
    expect_utc("30 6 * * mon", "1960-02-28 00:00", "1960-02-29 06:30");
    expect_utc("0 0 1 1 *", "2399-12-31 23:59", "2400-01-01 00:00");
    struct ili_cron cron = parsed("* * * * *");
    cr_assert_eq(ili_cron_next(&cron, false, 59), 60);
    cr_assert_eq(ili_cron_next(&cron, false, 60), 120);
    cr_assert_eq(ili_cron_next(&cron, false, -1), 0);
}

Test(work_cron, what_is_wrong_is_named) {
    static const struct {
        const char *text, *part;
    } wrong[] = {
        {"", "five fields"},
        {"* * * *", "five fields"},
        {"* * * * * *", "five fields"},
        {"@reboot", "five fields"},
        {"@DAILY", "five fields"},
        {"60 * * * *", "minute \"60\""},
        {"-1 * * * *", "minute \"-1\""},
        {"x * * * *", "minute \"x\""},
        {"1, * * * *", "minute \"1,\""},
        {",1 * * * *", "minute \",1\""},
        {"*/0 * * * *", "minute \"*/0\""},
        {"*/ * * * *", "minute \"*/\""},
        {"5/10 * * * *", "minute \"5/10\""},
        {"9-5 * * * *", "minute \"9-5\""},
        {"1-2-3 * * * *", "minute \"1-2-3\""},
        {"** * * * *", "minute \"**\""},
        {"1.5 * * * *", "minute \"1.5\""},
        {"0000 * * * *", "minute \"0000\""},
        {"99999999999999999999 * * * *", "minute"},
        {"* 24 * * *", "hour \"24\""},
        {"* * 0 * *", "day of the month \"0\""},
        {"* * 32 * *", "day of the month \"32\""},
        {"* * * 0 *", "month \"0\""},
        {"* * * 13 *", "month \"13\""},
        {"* * * january *", "month \"january\""},
        {"* * * mon *", "month \"mon\""},
        {"* * * * 8", "day of the week \"8\""},
        {"* * * * fri-mon", "day of the week \"fri-mon\""},
        {"0 0 31 2 *", "never does"},
        {"0 0 30 feb *", "never does"},
        {"0 0 31 2,4,6,9,11 *", "never does"},
        {"*\n* * * *", "five fields"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct ili_cron cron = {.minutes = 77};
        struct ili_fault fault = {0};
        cr_assert_eq(ili_cron_parse(&cron, wrong[i].text, strlen(wrong[i].text), &fault), IL_EINVAL,
                     "\"%s\" was taken", wrong[i].text);
        cr_assert_str_eq(fault.field, "cron");
        cr_assert(*fault.expected);
        cr_assert(strstr(fault.detail, wrong[i].part), "\"%s\": %s", wrong[i].text, fault.detail);
        cr_assert_eq(cron.minutes, 77, "\"%s\" was written nevertheless", wrong[i].text);
    }
    parsed("0 0 31 2 mon"); /* Mondays of February */
    parsed("0 0 29 2 *");
}

/* Europe/Berlin 2024: forward at 01:00 UTC of March 31st, from 02:00 to 03:00; back at 01:00 UTC of
 * October 27th, from 03:00 to 02:00. Times below are UTC. */
Test(work_cron, local_time_has_an_offset) {
    in_zone("Europe/Berlin");
    expect_next("0 12 * * *", true, "2024-01-15 00:00", "2024-01-15 11:00");
    expect_next("0 12 * * *", true, "2024-07-15 00:00", "2024-07-15 10:00");
    expect_next("0 12 * * *", false, "2024-07-15 00:00", "2024-07-15 12:00");
    expect_next("0 0 1 * *", true, "2024-01-15 00:00", "2024-01-31 23:00");
}

Test(work_cron, a_time_of_day_in_a_skipped_hour_comes_right_after_it) {
    in_zone("Europe/Berlin");
    expect_next("30 2 * * *", true, "2024-03-30 12:00", "2024-03-31 01:00");
    expect_next("30 2 * * *", true, "2024-03-31 01:00", "2024-04-01 00:30");
    expect_next("0,15,30 2 * * *", true, "2024-03-30 12:00", "2024-03-31 01:00");
    expect_next("0,15,30 2 * * *", true, "2024-03-31 01:00", "2024-04-01 00:00");
    expect_next("0 3 * * *", true, "2024-03-31 00:59", "2024-03-31 01:00");
    expect_next("30 1 * * *", true, "2024-03-30 12:00", "2024-03-31 00:30");
}

Test(work_cron, a_rhythm_leaves_a_skipped_hour_out) {
    in_zone("Europe/Berlin");
    expect_next("*/30 2 * * *", true, "2024-03-30 12:00", "2024-04-01 00:00");
    expect_next("*/30 * * * *", true, "2024-03-31 00:30", "2024-03-31 01:00");
    expect_next("10 * * * *", true, "2024-03-31 00:10", "2024-03-31 01:10");
}

Test(work_cron, a_time_of_day_in_a_repeated_hour_comes_once) {
    in_zone("Europe/Berlin");
    expect_next("30 2 * * *", true, "2024-10-26 12:00", "2024-10-27 00:30");
    expect_next("30 2 * * *", true, "2024-10-27 00:30", "2024-10-28 01:30");
    expect_next("30 2 * * *", true, "2024-10-27 01:10", "2024-10-28 01:30"); /* in the second */
    expect_next("0 3 * * *", true, "2024-10-27 00:59", "2024-10-27 02:00");
}

Test(work_cron, a_rhythm_comes_in_both_of_a_repeated_hour) {
    in_zone("Europe/Berlin");
    expect_next("30 * * * *", true, "2024-10-27 00:00", "2024-10-27 00:30");
    expect_next("30 * * * *", true, "2024-10-27 00:30", "2024-10-27 01:30");
    expect_next("*/20 2 * * *", true, "2024-10-27 00:40", "2024-10-27 01:00");
}

Test(work_cron, clocks_that_are_turned_at_midnight) {
    in_zone("America/Sao_Paulo"); /* 2018-11-04 00:00 became 01:00, at 03:00 UTC */
    expect_next("0 0 * * *", true, "2018-11-03 12:00", "2018-11-04 03:00");
    expect_next("0 0 * * *", true, "2018-11-04 03:00", "2018-11-05 02:00");
    in_zone("Africa/Cairo"); /* 2024-11-01 00:00 became 23:00 of the day before, at 21:00 UTC */
    expect_next("30 23 31 10 *", true, "2024-10-31 00:00", "2024-10-31 20:30");
    expect_next("30 23 31 10 *", true, "2024-10-31 20:30", "2025-10-31 21:30");
    in_zone("Pacific/Apia"); /* there was no 2011-12-30 */
    expect_next("0 12 30 12 *", true, "2011-12-01 00:00", "2011-12-30 10:00");
    in_zone(
        "Australia/Lord_Howe"); /* by half an hour: 2024-10-06 02:00 became 02:30, at 15:30 UTC */
    expect_next("15 2 * * *", true, "2024-10-05 12:00", "2024-10-05 15:30");
}

/* ---- against a walk minute by minute ---------------------------------------------------------------- */

enum { YEARS = 3, MINUTES = YEARS * 366 * 1440 };

struct minute {
    int64_t wall;
    uint8_t minute, hour, day, month, weekday;
};

/* A random field: its text, and which values it means. There is one of them in every month. */
static void random_field(char *text, size_t room, bool *means, int least, int most) {
    memset(means, 0, 64);
    *text = 0;
    for (int elements = rand() % 3 == 0 ? 2 : 1; elements > 0; elements--) {
        size_t length = strlen(text);
        int from = least + rand() % (most == 31 ? 28 : most - least + 1),
            to = from + rand() % (most - from + 1);
        int step = rand() % 4 == 0 ? 1 + rand() % 20 : 1;
        if (length) strcpy(text + length++, ",");
        switch (rand() % 4) {
        case 0:
            from = least, to = most;
            snprintf(text + length, room - length, "*/%d", step);
            break;
        case 1:
            from = least, to = most, step = 1;
            strcpy(text + length, "*");
            break;
        case 2: snprintf(text + length, room - length, "%d-%d/%d", from, to, step); break;
        default:
            to = from;
            snprintf(text + length, room - length, "%d", from);
            break;
        }
        for (int i = from; i <= to; i += step) means[i] = true;
    }
}

struct expression {
    char text[400];
    bool minutes[64], hours[64], days[64], months[64], weekdays[64];
    bool both_days, rhythm;
};

static void random_expression(struct expression *e) {
    char parts[5][60];
    random_field(parts[0], 60, e->minutes, 0, 59);
    random_field(parts[1], 60, e->hours, 0, 23);
    random_field(parts[2], 60, e->days, 1, 31);
    random_field(parts[3], 60, e->months, 1, 12);
    random_field(parts[4], 60, e->weekdays, 0, 7);
    e->weekdays[0] |= e->weekdays[7];
    e->both_days = parts[2][0] == '*' || parts[4][0] == '*';
    e->rhythm = parts[0][0] == '*' || parts[1][0] == '*';
    snprintf(e->text, sizeof e->text, "%s %s %s %s %s", parts[0], parts[1], parts[2], parts[3],
             parts[4]);
}

static bool fits(const struct expression *e, const struct minute *m) {
    bool day = e->days[m->day], weekday = e->weekdays[m->weekday];
    return e->minutes[m->minute] && e->hours[m->hour] && e->months[m->month] &&
           (e->both_days ? day && weekday : day || weekday);
}

static void describe(int64_t wall, struct minute *m) {
    time_t seconds = wall * 60;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    *m = (struct minute){wall,
                         (uint8_t)tm.tm_min,
                         (uint8_t)tm.tm_hour,
                         (uint8_t)tm.tm_mday,
                         (uint8_t)(tm.tm_mon + 1),
                         (uint8_t)tm.tm_wday};
}

/* How many times of E were compared in the zone. */
static unsigned compare(const struct expression *e, const struct minute *all, int64_t first,
                        bool local) {
    struct ili_cron cron = parsed(e->text);
    int64_t reached = all[0].wall;
    int64_t expected = ili_cron_next(&cron, local, first * 60);
    unsigned compared = 0;
    for (int i = 1; i < MINUTES; i++) {
        bool due = e->rhythm && fits(e, &all[i]);
        if (!e->rhythm && all[i].wall > reached) {
            due = fits(e, &all[i]);
            for (int64_t skipped = reached + 1; skipped < all[i].wall; skipped++) {
                struct minute m;
                describe(skipped, &m);
                due |= fits(e, &m);
            }
        }
        if (all[i].wall > reached) reached = all[i].wall;
        if (!due && (first + i) * 60 < expected) continue;
        cr_assert(due, "\"%s\": %s too early", e->text, shown(expected));
        cr_assert_eq((first + i) * 60, expected, "\"%s\": expected %s, got %s", e->text,
                     shown((first + i) * 60), shown(expected));
        expected = ili_cron_next(&cron, local, expected);
        compared++;
    }
    return compared;
}

Test(work_cron, as_a_walk_through_the_minutes_of_three_years, .timeout = 300) {
    static const char *const zones[] = {"UTC", "Europe/Berlin", "America/Sao_Paulo",
                                        "Asia/Kolkata"};
    struct minute *all = malloc(MINUTES * sizeof *all);
    int64_t first = at("2015-12-31 00:00") / 60;
    unsigned compared = 0;
    srand(20240229);
    for (size_t z = 0; z < sizeof zones / sizeof *zones; z++) {
        in_zone(zones[z]);
        for (int i = 0; i < MINUTES; i++) {
            time_t seconds = (first + i) * 60;
            struct tm tm;
            localtime_r(&seconds, &tm);
            describe(first + i + tm.tm_gmtoff / 60, &all[i]);
        }
        for (int round = 0; round < 12; round++) {
            struct expression e;
            random_expression(&e);
            compared += compare(&e, all, first, z > 0);
        }
    }
    cr_assert_gt(compared, 100000);
    free(all);
}
