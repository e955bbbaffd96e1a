/*
 * mapped.h - what a map tells, for tests of il_workers_map() and of the lane below it.
 */
#ifndef TESTS_SUPPORT_MAPPED_H
#define TESTS_SUPPORT_MAPPED_H

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <interlock.h>

#define MAPPED_MOST 20000

static struct {
    il_map_item items[MAPPED_MOST];
    char texts[MAPPED_MOST][64];
    size_t count;
    int told[MAPPED_MOST];
    il_status status[MAPPED_MOST];
    char results[MAPPED_MOST][80];
    size_t order[MAPPED_MOST], total;
    size_t enough; /* after so many it is ended; 0: never */
} run;

/* An il_map_each. */
static inline int32_t hear(void *context, const il_map_result *result) {
    (void)context;
    cr_assert_lt(result->index, run.count);
    run.told[result->index]++;
    run.status[result->index] = result->status;
    snprintf(run.results[result->index], sizeof run.results[0], "%.*s",
             result->bytes < 80 ? (int)result->bytes : 79, result->data);
    run.order[run.total++] = result->index;
    return run.total == run.enough;
}

/* Begins anew, with COUNT items. # in FORMAT stands for the index. */
static inline void fill(size_t count, const char *format) {
    const char *at = strchr(format, '#');
    memset(&run, 0, sizeof run);
    run.count = count;
    for (size_t i = 0; i < count; i++) {
        int bytes = snprintf(run.texts[i], sizeof run.texts[i], "%.*s%zu%s", (int)(at - format),
                             format, i, at + 1);
        run.items[i] = (il_map_item){run.texts[i], (uint64_t)bytes};
    }
}

/* Every item was told once; those that succeeded are their indices. How many did. */
static inline size_t check_numbers(void) {
    size_t good = 0;
    cr_assert_eq(run.total, run.count);
    for (size_t i = 0; i < run.count; i++) {
        char expected[24];
        snprintf(expected, sizeof expected, "%zu", i);
        cr_assert_eq(run.told[i], 1, "item %zu was told %d times", i, run.told[i]);
        if (run.status[i] != IL_OK) continue;
        cr_assert_str_eq(run.results[i], expected);
        good++;
    }
    return good;
}

/* Whether they were told by rising index, from 0. */
static inline bool told_in_order(void) {
    for (size_t i = 0; i < run.total; i++) {
        if (run.order[i] != i) return false;
    }
    return true;
}

#endif
