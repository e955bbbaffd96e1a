/*
 * park.h - waits that cost memory only: a request without a thread.
 *
 * A parked request stands in an object's wait queue as an agent whose wake-up rings the doorbell. Its
 * wait ends in one of five ways, all in this thread: the doorbell (`rung`), its deadline, the client's
 * departure, the end of its session, the server's stop (`end`, with IL_ETIMEOUT, IL_EGONE, IL_ESESSION,
 * IL_ESHUTDOWN).
 */
#ifndef ILI_SERVER_PARK_H
#define ILI_SERVER_PARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <interlock.h>

#include "base/loop.h"

struct ili_agent;
struct ili_request;
struct ili_server;

struct ili_wait {
    /* The doorbell rang for it: answers if it can, else it stays parked. */
    void (*rung)(struct ili_request *request);
    /* Leaves the wait queue. False: it could not now (somebody stopped inside the object), it will be
     * called again. True: it is out, and unless WHY is IL_EGONE it has been answered, or waits for
     * something else (ili_park()); if it is, what it was granted meanwhile has gone to others. */
    bool (*end)(struct ili_request *request, il_status why);
};

/* A `rung` for a request that stands in no queue, so that no doorbell rings for it. */
void ili_park_not_rung(struct ili_request *request);

/* One who waits with an agent of its own, for no request alone: for all who watch an object. It lies in the
 * struct it belongs to. */
struct ili_ear {
    struct ili_agent *agent; /* NULL: it has none */
    /* The doorbell rang for it; perhaps late, for a wait that is over. */
    void (*rung)(struct ili_ear *ear, struct ili_server *server);
};

/* A parked request's place in the order of arrival. */
struct ili_turn {
    uint64_t turn;
    uint32_t number; /* of its agent */
};

struct ili_parking {
    struct ili_source bell;         /* the arena's doorbell */
    struct ili_request **by_number; /* of agents: who is parked with it */
    struct ili_ear **ears;          /* by the same numbers */
    size_t by_number_room;          /* of both */
    struct ili_agent **spare;       /* agents that are claimed and unused */
    size_t spare_count, spare_room;
    uint32_t parked;
    uint64_t turns;        /* that were given out */
    struct ili_turn *rung; /* whom the doorbell named, while it is listened to */
    size_t rung_count, rung_room;
};

/* Opens the parking place; the doorbell's descriptor is FD. IL_ENOMEM, IL_ESYSTEM. */
il_status ili_park_open(struct ili_server *server, int fd);
void ili_park_close(struct ili_server *server);

/* Gives EAR an agent, which is in no queue. IL_ENOMEM, IL_ELIMIT. */
il_status ili_park_listen_with(struct ili_server *server, struct ili_ear *ear);
/* Takes it back; it is in no queue. Nothing if there is none. */
void ili_park_stop_listening(struct ili_server *server, struct ili_ear *ear);

/* Parks REQUEST, with an agent that is in no queue yet, until DEADLINE_NS; if it is parked already it
 * goes on waiting, with WAIT. IL_ENOMEM, IL_ELIMIT: it is not parked. */
il_status ili_park(struct ili_request *request, const struct ili_wait *wait, int64_t deadline_ns);

/* No longer parked; reply.c calls it, which then resumes the connection. */
void ili_unpark(struct ili_request *request);

/* Ends the wait of a parked request for the reason WHY; if that cannot be now, soon. */
void ili_park_leave(struct ili_request *request, il_status why);

/* The client of a parked request has left. */
void ili_park_departed(struct ili_request *request);

/* REQUEST, which is parked, is completed without an answer. */
void ili_park_lost(struct ili_request *request);

/* Ends all waits of the session of SESSION_SLOT (as in struct ili_request; not 0) with IL_ESESSION. What
 * cannot end at once ends a little later by itself. */
void ili_park_end_session(struct ili_server *server, uint32_t session_slot);

/* Ends all waits with IL_ESHUTDOWN; call again until none is parked. */
void ili_park_end_all(struct ili_server *server);

/* A ring may have been lost in an arena that somebody ruined: listens without having been called. */
void ili_park_listen(struct ili_server *server);

/* At the end of the server: frees the requests whose agents could not leave their queues. */
void ili_park_lay_ghosts(struct ili_server *server);

#endif
