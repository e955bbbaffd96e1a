/*
 * Processes are killed at random instants while they send and receive at both ends of a pipe. Beyond what
 * support/kills.h says: every message that was sent is received once, whole and in order, but for those that
 * a dead receiver was taking; nobody's end is closed by the death of another, and all claims of the dead go.
 */
#include "support/kills.h"
#include "support/scenarios_pipe.h"

static void settle(struct crew *c) {
    bool after = pipe_is_kept(c);
    settle_pipe(c);
    uint64_t missing = crew_missing(c);
    if (after && missing > c->lost) {
        crew_trouble(c, "%llu messages are missing, dead receivers had taken %llu at most",
                     (unsigned long long)missing, (unsigned long long)c->lost);
    }
}

static const struct campaign pipes = {
    .name = "pipe",
    .settle = settle,
    .nudge = nudge_pipe,
    .roles = {pipe_send_a, pipe_receive_b, pipe_send_b, pipe_receive_a, pipe_mix, pipe_mix},
};

EACH_CAMPAIGN(recovery_kills_pipe, pipes, 100)
