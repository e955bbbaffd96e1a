/*
 * Processes are killed at random instants inside il_acquire_all(), il_wait_any() and il_wait_start(): where
 * they hold some of what they want, and where they stand in several queues at once. Nothing stays held,
 * nobody stays in a queue. See support/kills.h.
 */
#include "support/kills.h"
#include "support/several.h"

static void use_one(struct crew *c) {
    struct owned_crew o;
    owned_begin(c, &o);
    while (!crew_stopped(c)) {
        owned_use(c, &o.all[test_random(&o.random) % OWNED], OWNED_LONG, 0, &o.random);
    }
    owned_end(&o);
}

static const struct campaign acquire_all = {
    .name = "acquire_all",
    .things = (1u << OWNED) - 1,
    .settle = owned_settle,
    .roles = {several_take_all, several_take_all, several_take_all, several_take_all, use_one,
              use_one},
};

static const struct campaign wait_any = {
    .name = "wait_any",
    .things = (1u << OWNED) - 1,
    .settle = several_settle,
    .roles = {several_take_first, several_take_first, several_loop, several_loop, several_feed,
              several_feed},
};

EACH_CAMPAIGN(recovery_kills_several, acquire_all, 100)
EACH_CAMPAIGN(recovery_kills_several, wait_any, 100)
