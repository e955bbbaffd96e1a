/* Times for people: what was at one instant is shown as one time, whenever it is asked. */
#include <criterion/criterion.h>
#include <time.h>

#include "base/clock.h"

Test(base_clock, an_instant_is_always_the_same_time) {
    int64_t then_ns = ili_now_ns(), ms = ili_wall_ms_of(then_ns);
    for (int i = 0; i < 100000; i++) cr_assert_eq(ili_wall_ms_of(then_ns), ms);
}

Test(base_clock, times_keep_their_order) {
    int64_t then_ns = ili_now_ns(), last = 0;
    for (int i = 0; i < 100000; i++) {
        int64_t ms = ili_wall_ms_of(then_ns + i * INT64_C(1000));
        cr_assert_geq(ms, last);
        last = ms;
    }
}

Test(base_clock, it_is_the_wall_clocks_time) {
    int64_t before = ili_wall_seconds(), ms = ili_wall_ms_of(ili_now_ns());
    int64_t after = ili_wall_seconds();
    cr_assert_geq(ms / 1000, before - 1);
    cr_assert_leq(ms / 1000, after + 1);
    cr_assert_leq(ili_wall_seconds_of(ili_now_ns()), after + 1);
}

static int readings;

/* As if the thread had stood still for 5 ms after its first look at this clock. */
static int64_t interrupted_once(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    int64_t now_ns = ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
    return readings++ ? now_ns : now_ns - INT64_C(5000000);
}

Test(base_clock, an_interrupted_first_reading_does_not_stay) {
    int64_t then_ns = ili_now_ns();
    ili_clock_now = interrupted_once;
    int64_t ms = ili_wall_ms_of(then_ns);
    for (int i = 0; i < 1000; i++) cr_assert_eq(ili_wall_ms_of(then_ns), ms);
    cr_assert_gt(readings, 2);
}
