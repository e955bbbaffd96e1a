/* The heap of deadlines: order, moving, clearing, and timers that set timers. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/timer.h"

struct counted {
    struct ili_timer timer;
    unsigned fired;
};

static int64_t last_ns;

static void count(struct ili_timer *timer, void *context) {
    struct counted *c = (struct counted *)timer;
    (void)context;
    cr_assert(timer->at_ns >= last_ns, "fired out of order");
    last_ns = timer->at_ns;
    c->fired++;
}

static void set_again(struct ili_timer *timer, void *context) {
    ((struct counted *)timer)->fired++;
    cr_assert(ili_timers_set(context, timer, timer->at_ns));
}

Test(server_timer, nothing_set_is_never_due) {
    struct ili_timers timers = {0};
    cr_assert_eq(ili_timers_next(&timers), ILI_NEVER);
    ili_timers_run(&timers, 1000, &timers);
    ili_timers_free(&timers);
}

Test(server_timer, those_that_are_due_fire_in_order) {
    enum { COUNT = 1000 };
    static struct counted all[COUNT];
    struct ili_timers timers = {0};
    srand(7);
    for (int i = 0; i < COUNT; i++) {
        all[i].timer.fire = count;
        cr_assert(ili_timers_set(&timers, &all[i].timer, rand() % 500));
    }
    for (int i = 0; i < COUNT; i += 3) ili_timers_clear(&timers, &all[i].timer);
    for (int i = 1; i < COUNT; i += 3) cr_assert(ili_timers_set(&timers, &all[i].timer, 700 + i));
    ili_timers_run(&timers, 699, &timers);
    for (int i = 0; i < COUNT; i++) cr_assert_eq(all[i].fired, i % 3 == 2, "timer %d", i);
    cr_assert_eq(ili_timers_next(&timers), 701);
    ili_timers_run(&timers, 10000, &timers);
    for (int i = 0; i < COUNT; i++) cr_assert_eq(all[i].fired, i % 3 != 0, "timer %d", i);
    cr_assert_eq(timers.count, 0);
    ili_timers_free(&timers);
}

Test(server_timer, clearing_what_is_not_set_is_harmless) {
    struct ili_timers timers = {0};
    struct counted one = {.timer.fire = count};
    ili_timers_clear(&timers, &one.timer);
    cr_assert(ili_timers_set(&timers, &one.timer, 5));
    ili_timers_clear(&timers, &one.timer);
    ili_timers_clear(&timers, &one.timer);
    ili_timers_run(&timers, 10, &timers);
    cr_assert_eq(one.fired, 0);
    ili_timers_free(&timers);
}

Test(server_timer, one_that_sets_itself_for_the_past_does_not_hold_the_loop) {
    struct ili_timers timers = {0};
    struct counted one = {.timer.fire = set_again};
    cr_assert(ili_timers_set(&timers, &one.timer, 5));
    ili_timers_run(&timers, 10, &timers);
    cr_assert_eq(one.fired, 1);
    ili_timers_run(&timers, 10, &timers);
    cr_assert_eq(one.fired, 2);
    ili_timers_free(&timers);
}
