/*
 * domain.h - what is served: the arena, this process's place in it, and the keeper.
 *
 * Tokens only grow, also across restarts: each arena starts them at epoch << 30, where the epoch is
 * the wall clock's seconds, or one more than the last one that the file interlock.epoch remembers if
 * the clock stepped back. While the server runs the file is kept up to date with the epoch plus the
 * seconds it has run, and no lock can be granted 2^30 times in a second, so the next epoch lies above
 * every token that was given out.
 */
#ifndef ILI_SERVER_DOMAIN_H
#define ILI_SERVER_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "arena/agent.h"
#include "base/fault.h"
#include "base/timer.h"
#include "session/expiry.h"

struct ili_keeper;
struct ili_server;

struct ili_domain {
    struct ili_member member;
    struct ili_agent *self; /* this thread's agent */
    struct ili_keeper *keeper;
    struct ili_expiry expiry; /* of the leases */
    uint64_t epoch;
    int64_t started_ns;
    char epoch_path[300];
    struct ili_timer note_time;
    bool entered;
};

/* Makes the arena and starts the keeper. */
il_status ili_domain_start(struct ili_server *server, struct ili_fault *fault);

/* Ends the keeper, and with it what is attached, and gives the arena back. */
void ili_domain_stop(struct ili_server *server);

bool ili_domain_take_sweep(struct ili_domain *domain);

/* The epoch for a server that starts at WALL_SECONDS, the last one having been REMEMBERED (0: none). */
uint64_t ili_epoch_next(uint64_t wall_seconds, uint64_t remembered);

#endif
