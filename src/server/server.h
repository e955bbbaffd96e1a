/*
 * server.h - what the rooms of interlockd share: one struct, used by one thread.
 *
 * The thread that runs main() owns all of it and does all of HTTP; the keeper (session/keeper.h) is
 * the other thread, and reaches nothing here but `sessions`, which has a mutex.
 */
#ifndef ILI_SERVER_SERVER_H
#define ILI_SERVER_SERVER_H

#include "arena/agent.h"
#include "base/loop.h"
#include "base/timer.h"
#include "server/accept.h"
#include "server/client_sessions.h"
#include "server/config.h"
#include "server/domain.h"
#include "server/front.h"
#include "server/idempotency.h"
#include "server/owners.h"
#include "server/park.h"
#include "server/ready.h"
#include "server/request.h"
#include "server/roster.h"
#include "server/sessions.h"
#include "server/stakes.h"
#include "server/watched.h"
#include "work/pools.h"

struct ili_server {
    struct ili_config config;
    struct ili_loop loop;
    struct ili_timers timers;
    struct ili_domain domain; /* the arena, this process's membership and the keeper */
    struct ili_front front;
    struct ili_accept accept;
    struct ili_parking parking;
    struct ili_readies readies;
    struct ili_idempotency idempotency;
    struct ili_sessions sessions;
    struct ili_client_sessions clients;
    struct ili_owners owners;
    struct ili_stakes stakes;
    struct ili_watches watches;
    struct ili_pools pools; /* with the spawner of all programs */
    bool spawner_runs, pools_open;
    struct ili_roster processes, threads, alarms; /* by name: process.h, threads.h, alarm.h */
    int64_t now_ns;                               /* when the loop last woke */
    bool stopping; /* no new work: everything is answered with IL_ESHUTDOWN */
};

static inline struct ili_member *ili_server_member(struct ili_server *server) {
    return &server->domain.member;
}

/* The owner of what clients hold without saying who they are: an agent number. */
static inline uint32_t ili_server_owner(const struct ili_server *server) {
    return server->owners.anonymous->number;
}

#endif
