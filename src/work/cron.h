/*
 * cron.h - cron expressions: which minutes one means, and the next of them.
 *
 * Five fields: minute (0-59), hour (0-23), day of the month (1-31), month (1-12 or jan-dec), day of the
 * week (0-7 or sun-sat; 0 and 7 are Sunday). A field is a list, with commas, of `*`, numbers and ranges
 * (`1-5`); `*` and ranges may have a step (`0-30/10`). Or one of @hourly @daily @midnight @weekly
 * @monthly @yearly @annually.
 *
 * A day is meant if it fits both day fields; but if neither of them begins with `*`, if it fits either
 * of them, as POSIX says: `0 12 13 * fri` is noon of every 13th and of every Friday.
 *
 * Local time, where clocks are turned, follows Vixie cron:
 * - an expression whose minute or hour begins with `*` is a rhythm. It follows the clock on the wall:
 *   what lies in a skipped hour is left out, what lies in a repeated hour comes twice;
 * - any other is a time of day. What lies in a skipped hour comes once, in the first minute after it,
 *   and what lies in a repeated hour comes in the first of the two.
 */
#ifndef ILI_WORK_CRON_H
#define ILI_WORK_CRON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

#define ILI_CRON_BYTES 255 /* the longest expression */

struct ili_cron {
    uint64_t minutes; /* bits: 0 to 59 */
    uint32_t hours;   /* 0 to 23 */
    uint32_t days;    /* 1 to 31 */
    uint16_t months;  /* 1 to 12 */
    uint8_t weekdays; /* 0 to 6 */
    bool both_days;   /* a day has to fit both fields */
    bool rhythm;
};

/* Reads TEXT. IL_EINVAL with *FAULT, which says what is wrong with which part: also if it means no
 * minute at all, as the 31st of February. */
il_status ili_cron_parse(struct ili_cron *cron, const char *text, size_t bytes,
                         struct ili_fault *fault);

/* The beginning of the next minute that CRON means, later than AFTER; both are seconds since 1970.
 * LOCAL: by the time zone of the process (tzset(3)), else by UTC. */
int64_t ili_cron_next(const struct ili_cron *cron, bool local, int64_t after);

#endif
