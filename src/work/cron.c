/*
 * cron.c - see cron.h.
 *
 * A minute of the clock on the wall is a number here, as if that clock were that of UTC: `wall`. Time is
 * looked at in spans of a day. In most of them the clock runs evenly, so wall = minute + offset and the
 * next match is found by its fields. In a span in which the clock is turned, or shortly before which it
 * was, every minute is looked at, with the highest `wall` that was reached so far: what is between that
 * and the minute's own was skipped, what is below it is a repetition.
 */
#include "work/cron.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#define DAY 1440     /* minutes */
#define BEFORE 240   /* minutes before a span in which a clock that was turned matters */
#define CYCLE 146097 /* days, after which the calendar repeats itself */
#define FIELDS 5
#define SHOWN 60 /* bytes of a wrong text that an error repeats */

enum { MINUTE, HOUR, MONTHDAY, MONTH, WEEKDAY };

static const struct field {
    const char *name;
    unsigned least, most;
    const char *const *words;
    unsigned first_word; /* what words[0] stands for */
    const char *expected;
} fields[FIELDS] = {
    {"the minute", 0, 59, NULL, 0, "0 to 59, ranges, lists, * and steps"},
    {"the hour", 0, 23, NULL, 0, "0 to 23, ranges, lists, * and steps"},
    {"the day of the month", 1, 31, NULL, 0, "1 to 31, ranges, lists, * and steps"},
    {"the month", 1, 12,
     (const char *const[]){"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct",
                           "nov", "dec", NULL},
     1, "1 to 12 or jan to dec, ranges, lists, * and steps"},
    {"the day of the week", 0, 7,
     (const char *const[]){"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL}, 0,
     "0 to 7 or sun to sat, ranges, lists, * and steps"},
};

static const struct {
    const char *name, *means;
} shorthands[] = {
    {"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
};

/* ---- reading -------------------------------------------------------------------------------------- */

struct text {
    const char *at, *end;
};

static bool take(struct text *text, char wanted) {
    if (text->at == text->end || *text->at != wanted) return false;
    text->at++;
    return true;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool read_number(struct text *text, unsigned *number) {
    unsigned n = 0, digits = 0;
    for (; text->at < text->end && is_digit(*text->at); text->at++, digits++) {
        if (digits == 3) return false;
        n = n * 10 + (unsigned)(*text->at - '0');
    }
    *number = n;
    return digits > 0;
}

/* A number or a word. */
static bool read_value(struct text *text, const struct field *of, unsigned *value) {
    if (text->at < text->end && is_digit(*text->at)) {
        return read_number(text, value) && *value >= of->least && *value <= of->most;
    }
    for (unsigned i = 0; of->words && of->words[i]; i++) {
        if (text->end - text->at < 3 || strncasecmp(text->at, of->words[i], 3) != 0) continue;
        text->at += 3;
        *value = i + of->first_word;
        return true;
    }
    return false;
}

/* One element of a list. */
static bool read_element(struct text *text, const struct field *of, uint64_t *bits) {
    unsigned from = of->least, to = of->most, step = 1;
    bool many = take(text, '*');
    if (!many) {
        if (!read_value(text, of, &from)) return false;
        to = from;
        if (take(text, '-')) {
            if (!read_value(text, of, &to)) return false;
            if (of == &fields[WEEKDAY] && to == 0) to = 7; /* sat-sun */
            if (from > to) return false;
            many = true;
        }
    }
    if (take(text, '/') && (!many || !read_number(text, &step) || step == 0)) return false;
    for (unsigned i = from; i <= to; i += step) *bits |= UINT64_C(1) << i;
    return true;
}

static bool read_list(struct text text, const struct field *of, uint64_t *bits) {
    *bits = 0;
    do {
        if (!read_element(&text, of, bits)) return false;
    } while (take(&text, ','));
    return text.at == text.end;
}

/* PART and TEXT: which part of the expression is not what was expected. */
static il_status wrong(struct ili_fault *fault, const char *part, struct text text,
                       const char *expected) {
    ptrdiff_t length = text.end - text.at;
    return ili_fault_set(fault, IL_EINVAL, "cron", expected, "cron: %s \"%.*s\": expected %s", part,
                         (int)(length < SHOWN ? length : SHOWN), text.at, expected);
}

static bool is_space(char c) { return c == ' ' || c == '\t'; }

/* Cuts TEXT into at most FIELDS parts; how many there are, one too many counts. */
static unsigned cut(struct text text, struct text *parts) {
    unsigned count = 0;
    for (;;) {
        while (text.at < text.end && is_space(*text.at)) text.at++;
        if (text.at == text.end) return count;
        if (count == FIELDS) return count + 1;
        parts[count].at = text.at;
        while (text.at < text.end && !is_space(*text.at)) text.at++;
        parts[count++].end = text.at;
    }
}

/* ---- days ----------------------------------------------------------------------------------------- */

struct date {
    unsigned month, day, weekday; /* 1.., 1.., 0 is Sunday */
};

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* The date of the day so many days after 1970-01-01, in the Gregorian calendar. Years are counted from
 * March, so that the day that only some years have is the last. */
static struct date date_of(int64_t days) {
    struct date date;
    int64_t since = days + 719468; /* 0000-03-01 */
    int64_t cycle = floor_div(since, CYCLE);
    unsigned in_cycle = (unsigned)(since - cycle * CYCLE);
    unsigned year = (in_cycle - in_cycle / 1460 + in_cycle / 36524 - in_cycle / (CYCLE - 1)) / 365;
    unsigned in_year = in_cycle - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * in_year + 2) / 153; /* 0: March */
    date.day = in_year - (153 * month + 2) / 5 + 1;
    date.month = month < 10 ? month + 3 : month - 9;
    date.weekday = (unsigned)(days + 4 - floor_div(days + 4, 7) * 7);
    return date;
}

static bool means_day(const struct ili_cron *cron, int64_t days) {
    struct date date = date_of(days);
    bool monthday = cron->days >> date.day & 1, weekday = cron->weekdays >> date.weekday & 1;
    if (!(cron->months >> date.month & 1)) return false;
    return cron->both_days ? monthday && weekday : monthday || weekday;
}

static bool means(const struct ili_cron *cron, int64_t wall) {
    int64_t days = floor_div(wall, DAY);
    unsigned minute = (unsigned)(wall - days * DAY);
    return cron->hours >> (minute / 60) & 1 && cron->minutes >> (minute % 60) & 1 &&
           means_day(cron, days);
}

static bool means_any_day(const struct ili_cron *cron) {
    for (int64_t day = 0; day < CYCLE; day++) {
        if (means_day(cron, day)) return true;
    }
    return false;
}

/* TEXT, or what it is short for. */
static struct text spelled_out(struct text text) {
    size_t bytes = (size_t)(text.end - text.at);
    for (size_t i = 0; i < sizeof shorthands / sizeof *shorthands; i++) {
        const char *name = shorthands[i].name, *means_that = shorthands[i].means;
        if (strlen(name) != bytes || memcmp(name, text.at, bytes) != 0) continue;
        return (struct text){means_that, means_that + strlen(means_that)};
    }
    return text;
}

il_status ili_cron_parse(struct ili_cron *cron, const char *text, size_t bytes,
                         struct ili_fault *fault) {
    struct text whole = {text, text + bytes}, parts[FIELDS];
    uint64_t bits[FIELDS];
    if (cut(spelled_out(whole), parts) != FIELDS) {
        return wrong(fault, "the expression", whole,
                     "five fields (minute, hour, day, month, weekday) or @daily and the like");
    }
    for (unsigned i = 0; i < FIELDS; i++) {
        if (read_list(parts[i], &fields[i], &bits[i])) continue;
        return wrong(fault, fields[i].name, parts[i], fields[i].expected);
    }
    struct ili_cron read = {
        .minutes = bits[MINUTE],
        .hours = (uint32_t)bits[HOUR],
        .days = (uint32_t)bits[MONTHDAY],
        .months = (uint16_t)bits[MONTH],
        .weekdays = (uint8_t)((bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7f),
        .both_days = *parts[MONTHDAY].at == '*' || *parts[WEEKDAY].at == '*',
        .rhythm = *parts[MINUTE].at == '*' || *parts[HOUR].at == '*',
    };
    if (!means_any_day(&read)) {
        return wrong(fault, "the expression", whole, "a day that comes: this one never does");
    }
    *cron = read;
    return IL_OK;
}

/* ---- the next one --------------------------------------------------------------------------------- */

/* What the clock on the wall is ahead of UTC at MINUTE since 1970, in minutes. */
static int64_t offset_at(bool local, int64_t minute) {
    time_t seconds = (time_t)(minute * 60);
    struct tm tm;
    if (!local || !localtime_r(&seconds, &tm)) return 0;
    return floor_div(tm.tm_gmtoff, 60);
}

/* The first match from FROM on, before TO, where the clock runs evenly; TO: none. */
static int64_t find_evenly(const struct ili_cron *cron, int64_t from, int64_t to) {
    int64_t wall = from;
    while (wall < to) {
        int64_t days = floor_div(wall, DAY);
        unsigned minute = (unsigned)(wall - days * DAY);
        if (!means_day(cron, days)) {
            wall = (days + 1) * DAY;
        } else if (!(cron->hours >> (minute / 60) & 1)) {
            wall += 60 - minute % 60;
        } else if (!(cron->minutes >> (minute % 60) & 1)) {
            wall++;
        } else {
            return wall;
        }
    }
    return to;
}

/* The first match from FROM on, in the span from START to TO, in or before which the clock is turned;
 * TO: none. */
static int64_t find_turned(const struct ili_cron *cron, int64_t start, int64_t from, int64_t to) {
    int64_t minute = start - BEFORE;
    int64_t reached = minute + offset_at(true, minute);
    for (minute++; minute < to; minute++) {
        int64_t wall = minute + offset_at(true, minute);
        bool due = cron->rhythm && means(cron, wall);
        for (; reached < wall; reached++) due |= !cron->rhythm && means(cron, reached + 1);
        if (due && minute >= from) return minute;
    }
    return to;
}

/* Whether one of the days that it can be on the wall between the minutes START and START + DAY is meant. */
static bool may_come(const struct ili_cron *cron, int64_t start) {
    int64_t day = floor_div(start, DAY);
    return means_day(cron, day) || means_day(cron, day - 1) || means_day(cron, day + 1);
}

int64_t ili_cron_next(const struct ili_cron *cron, bool local, int64_t after) {
    int64_t from = floor_div(after, 60) + 1;
    int64_t start = floor_div(from, DAY) * DAY;
    for (;; start += DAY) {
        int64_t to = start + DAY, found;
        if (!may_come(cron, start)) continue;
        if (from < start) from = start;
        int64_t offset = offset_at(local, to);
        if (offset == offset_at(local, start - BEFORE)) {
            found = find_evenly(cron, from + offset, to + offset) - offset;
        } else {
            found = find_turned(cron, start, from, to);
        }
        if (found < to) return found * 60;
    }
}
