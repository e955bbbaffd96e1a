/* Prefer and Accept: what is understood, what is ignored, and what comes first. */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "server/wishes.h"

#define SECOND INT64_C(1000000000)

static struct ili_wishes prefer(const char *value) {
    struct ili_wishes wishes = {0};
    ili_wishes_prefer(&wishes, value);
    return wishes;
}

static struct ili_wishes accept_of(const char *value) {
    struct ili_wishes wishes = {0};
    ili_wishes_accept(&wishes, value);
    return wishes;
}

Test(server_wishes, wait_has_a_number_of_seconds) {
    static const struct {
        const char *value;
        int64_t wait_ns;
    } cases[] = {
        {"wait=10", 10 * SECOND},
        {"WAIT=10", 10 * SECOND},
        {"wait = 10", 10 * SECOND},
        {"wait=\"10\"", 10 * SECOND},
        {"wait=10;x=y", 10 * SECOND},
        {"wait=10 ; x=\"a,b\"", 10 * SECOND},
        {",, wait=10 ,", 10 * SECOND},
        {"respond-async, wait=10", 10 * SECOND},
        {"x=\"wait=1, wait=2\", wait=3", 3 * SECOND},
        {"x=\"a\\\", wait=1\", wait=3", 3 * SECOND},
        {"wait=0.25", SECOND / 4},
        {"wait=0", 0},
        {"wait=99999999999999", ILI_NEVER},
        {"wait", ILI_NEVER},
        {"wait; x=y", ILI_NEVER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ili_wishes wishes = prefer(cases[i].value);
        cr_assert(wishes.waits && !wishes.bad_wait, "%s", cases[i].value);
        cr_assert_eq(wishes.wait_ns, cases[i].wait_ns, "%s", cases[i].value);
    }
}

Test(server_wishes, the_first_wait_counts) {
    struct ili_wishes wishes = prefer("wait=1, wait=2");
    ili_wishes_prefer(&wishes, "wait=3");
    cr_assert_eq(wishes.wait_ns, 1 * SECOND);
}

Test(server_wishes, a_wait_that_is_no_number_is_refused) {
    static const char *const values[] = {
        "wait=",   "wait=x",  "wait=-1", "wait=1s",  "wait=1.",  "wait=1.5.", "wait=1e3",
        "wait=\"", "wait=.5", "wait= ",  "wait=\"1", "wait=0x1", "wait=\"\"", "wait=1 2"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct ili_wishes wishes = prefer(values[i]);
        struct ili_fault fault;
        cr_assert(wishes.bad_wait, "%s", values[i]);
        cr_assert_eq(ili_wishes_check(&wishes, &fault), IL_EINVAL);
        cr_assert_str_eq(fault.field, "Prefer");
    }
}

Test(server_wishes, other_preferences_are_ignored) {
    static const char *const values[] = {"",          ",",         "waiting=1",  "wait-for=1",
                                         "x; wait=1", "await=1",   "x=\"wait\"", ";wait=1",
                                         "=wait",     "\"wait=1\""};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct ili_wishes wishes = prefer(values[i]);
        cr_assert(!wishes.waits && !wishes.bad_wait, "%s", values[i]);
    }
}

Test(server_wishes, accept_names_what_there_is) {
    cr_assert(accept_of("application/x-ndjson").ndjson);
    cr_assert(accept_of("text/html, Application/X-NDJSON; q=0.5").ndjson);
    cr_assert(accept_of("application/json,application/x-ndjson").json);
    cr_assert(accept_of("application/json;charset=utf-8").json);
    struct ili_wishes any = accept_of("*/*, application/*, application/x-ndjson2");
    cr_assert(!any.ndjson && !any.json);
    cr_assert_not(accept_of("application/x-ndjson;q=0").ndjson);
    cr_assert_not(accept_of("application/x-ndjson ; q=0.0").ndjson);
}
