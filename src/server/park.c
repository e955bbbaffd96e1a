#include "server/park.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arena/doorbell.h"
#include "base/clock.h"
#include "server/connection.h"
#include "server/reply.h"
#include "server/server.h"

/* How soon to try again to leave an object that a stopped process is inside of, and for how long before
 * the client is told that it is busy. From then on the request is a ghost: its agent stands in the queue
 * still and may be granted something, so it goes on trying. */
#define RETRY_NS INT64_C(50000000)
#define GIVE_UP_NS INT64_C(1000000000)

/* ---- the doorbell ------------------------------------------------------------------------------- */

/* Who is parked with the agent NUMBER; NULL: nobody. A ring may come late, for a wait that is over:
 * harmless. */
static struct ili_request *parked_with(const struct ili_parking *parking, uint32_t number) {
    struct ili_request *request =
        number < parking->by_number_room ? parking->by_number[number] : NULL;
    return request && request->wait ? request : NULL;
}

static void heard(uint32_t number, void *context) {
    struct ili_parking *parking = &((struct ili_server *)context)->parking;
    struct ili_request *request = parked_with(parking, number);
    struct ili_ear *ear = number < parking->by_number_room ? parking->ears[number] : NULL;
    if (ear) ear->rung(ear, context);
    if (!request) return;
    if (parking->rung_count == parking->rung_room) {
        size_t room = parking->rung_room ? parking->rung_room * 2 : 64;
        struct ili_turn *grown = realloc(parking->rung, room * sizeof *grown);
        if (!grown) { /* out of turn is better than never */
            request->wait->rung(request);
            return;
        }
        parking->rung = grown;
        parking->rung_room = room;
    }
    parking->rung[parking->rung_count++] = (struct ili_turn){request->turn, number};
}

static int earlier(const void *a, const void *b) {
    uint64_t x = ((const struct ili_turn *)a)->turn, y = ((const struct ili_turn *)b)->turn;
    return (x > y) - (x < y);
}

/* Several may have been told to take what was put: who came first takes first. */
static void serve_rung(struct ili_parking *parking) {
    if (parking->rung_count > 1) {
        qsort(parking->rung, parking->rung_count, sizeof *parking->rung, earlier);
    }
    for (size_t i = 0; i < parking->rung_count; i++) {
        /* looked up again: serving one can end another's wait */
        struct ili_request *request = parked_with(parking, parking->rung[i].number);
        if (request) request->wait->rung(request);
    }
    parking->rung_count = 0;
}

static void bell_ready(struct ili_source *source, uint32_t events, void *context) {
    uint64_t rings;
    (void)events;
    ssize_t ignored = read(source->fd, &rings, sizeof rings);
    (void)ignored;
    ili_park_listen(context);
}

void ili_park_listen(struct ili_server *server) {
    bool sweep = ili_domain_take_sweep(&server->domain);
    ili_doorbell_collect(ili_server_member(server), sweep, heard, server);
    ili_expiry_collect(&server->domain.expiry, ili_server_member(server), sweep);
    serve_rung(&server->parking);
}

il_status ili_park_open(struct ili_server *server, int fd) {
    server->parking.bell = (struct ili_source){.fd = fd, .ready = bell_ready};
    return ili_loop_add(&server->loop, &server->parking.bell, 1 /* EPOLLIN */);
}

void ili_park_close(struct ili_server *server) {
    struct ili_parking *parking = &server->parking;
    free(parking->by_number);
    free(parking->ears);
    free(parking->spare);
    free(parking->rung);
    memset(parking, 0, sizeof *parking);
}

/* ---- agents ------------------------------------------------------------------------------------- */

/* ARRAY, of pointers, with ROOM of them instead of HAD; NULL: no memory, and it is as it was. */
static void *grow(void *array, size_t had, size_t room) {
    void **grown = realloc(array, room * sizeof *grown);
    if (grown) memset(grown + had, 0, (room - had) * sizeof *grown);
    return grown;
}

/* Makes by_number[NUMBER] a place, and ears[NUMBER]. */
static bool number_fits(struct ili_parking *parking, uint32_t number) {
    size_t had = parking->by_number_room;
    if (number < had) return true;
    size_t room = had ? had : 1024;
    while (room <= number) room *= 2;
    struct ili_request **requests = grow(parking->by_number, had, room);
    if (requests) parking->by_number = requests;
    struct ili_ear **ears = requests ? grow(parking->ears, had, room) : NULL;
    if (!ears) return false;
    parking->ears = ears;
    parking->by_number_room = room;
    return true;
}

static il_status take_agent(struct ili_server *server, struct ili_agent **out) {
    struct ili_parking *parking = &server->parking;
    struct ili_member *member = ili_server_member(server);
    struct ili_agent *agent;
    if (parking->spare_count > 0) {
        agent = parking->spare[--parking->spare_count];
    } else {
        il_status status = ili_agent_claim_bell(member, &agent);
        if (status != IL_OK) return status;
        if (!number_fits(parking, ili_agent_number(&member->arena, agent))) {
            ili_agent_release(member, agent);
            return IL_ENOMEM;
        }
    }
    /* what an earlier wait left behind; nobody else looks at an agent that stands nowhere */
    atomic_store_explicit(&agent->flags, ILI_AGENT_BELL, memory_order_relaxed);
    *out = agent;
    return IL_OK;
}

static void give_agent(struct ili_server *server, struct ili_agent *agent) {
    struct ili_parking *parking = &server->parking;
    if (parking->spare_count == parking->spare_room) {
        size_t room = parking->spare_room ? parking->spare_room * 2 : 64;
        struct ili_agent **grown = realloc(parking->spare, room * sizeof *grown);
        if (!grown) {
            ili_agent_release(ili_server_member(server), agent);
            return;
        }
        parking->spare = grown;
        parking->spare_room = room;
    }
    parking->spare[parking->spare_count++] = agent;
}

static uint32_t number_of(struct ili_server *server, const struct ili_agent *agent) {
    return ili_agent_number(&ili_server_member(server)->arena, agent);
}

/* Gives REQUEST an agent to wait with. */
static il_status claim(struct ili_request *request) {
    struct ili_server *server = request->server;
    il_status status = take_agent(server, &request->waiter);
    if (status != IL_OK) return status;
    server->parking.by_number[number_of(server, request->waiter)] = request;
    return IL_OK;
}

/* Gives the agent back, which is in no queue. */
static void unclaim(struct ili_request *request) {
    struct ili_server *server = request->server;
    server->parking.by_number[number_of(server, request->waiter)] = NULL;
    give_agent(server, request->waiter);
    request->waiter = NULL;
}

il_status ili_park_listen_with(struct ili_server *server, struct ili_ear *ear) {
    il_status status = take_agent(server, &ear->agent);
    if (status == IL_OK) server->parking.ears[number_of(server, ear->agent)] = ear;
    return status;
}

void ili_park_stop_listening(struct ili_server *server, struct ili_ear *ear) {
    if (!ear->agent) return;
    server->parking.ears[number_of(server, ear->agent)] = NULL;
    give_agent(server, ear->agent);
    ear->agent = NULL;
}

/* ---- waits -------------------------------------------------------------------------------------- */

/* The client is gone and the request out of its queue: libmicrohttpd may close the connection. */
static void abandon(struct ili_request *request) {
    struct ili_connection *connection = request->connection;
    request->abandoned = true;
    ili_unpark(request);
    MHD_resume_connection(connection->wire);
    connection->engine->run = true;
}

/* Cannot fail: a place in the heap is there for a timer that is set or was just cleared. */
static void try_later(struct ili_request *request) {
    struct ili_server *server = request->server;
    (void)ili_timers_set(&server->timers, &request->timer, server->now_ns + RETRY_NS);
}

/* The request ends although its agent cannot leave. */
static void haunt(struct ili_request *request, il_status why) {
    request->ghost = request->wait;
    if (why == IL_EGONE) {
        abandon(request);
    } else {
        ili_reply_problem(request, why == IL_ETIMEOUT ? IL_EBUSY : why, NULL);
    }
    try_later(request);
}

void ili_park_leave(struct ili_request *request, il_status why) {
    struct ili_server *server = request->server;
    if (request->leaving == IL_OK) request->leaving_ns = server->now_ns;
    request->leaving = why;
    if (!request->wait->end(request, why)) {
        if (server->stopping || server->now_ns - request->leaving_ns >= GIVE_UP_NS) {
            haunt(request, why);
        } else {
            try_later(request);
        }
        return;
    }
    if (why == IL_EGONE) {
        abandon(request);
    } else if (request->wait) {
        request->leaving = IL_OK; /* it waits for something else now: a condition's lock */
    }
}

static void try_to_rest(struct ili_request *request) {
    if (!request->ghost->end(request, IL_EGONE)) {
        try_later(request);
        return;
    }
    request->ghost = NULL;
    unclaim(request);
    if (!request->connection) ili_request_free(request);
}

void ili_park_lost(struct ili_request *request) {
    if (request->wait->end(request, IL_EGONE)) {
        ili_unpark(request);
    } else {
        request->ghost = request->wait;
        ili_unpark(request);
        try_later(request);
    }
}

static void fire(struct ili_timer *timer, void *context) {
    struct ili_request *request =
        (struct ili_request *)((char *)timer - offsetof(struct ili_request, timer));
    (void)context;
    if (request->ghost) {
        try_to_rest(request);
        return;
    }
    ili_park_leave(request, request->leaving == IL_OK ? IL_ETIMEOUT : request->leaving);
}

void ili_park_not_rung(struct ili_request *request) { (void)request; }

il_status ili_park(struct ili_request *request, const struct ili_wait *wait, int64_t deadline_ns) {
    struct ili_server *server = request->server;
    if (request->answer) return IL_EUNSUPPORTED; /* batch.c lets nothing in that would wait */
    request->timer.fire = fire;
    if (!request->waiter) {
        il_status status = claim(request);
        if (status != IL_OK) return status;
    }
    if (!ili_timers_set(&server->timers, &request->timer, deadline_ns)) {
        if (!request->wait) unclaim(request);
        return IL_ENOMEM;
    }
    if (!request->wait) {
        MHD_suspend_connection(request->connection->wire);
        server->parking.parked++;
        request->turn = ++server->parking.turns;
    }
    request->wait = wait;
    request->leaving = IL_OK;
    request->patience_ms = (deadline_ns - ili_now_ns() + 999999) / 1000000;
    /* its end of file came before, and will not be reported again: end it from the loop */
    if (request->connection->gone) {
        request->leaving = IL_EGONE;
        (void)ili_timers_set(&server->timers, &request->timer, server->now_ns);
    }
    return IL_OK;
}

void ili_unpark(struct ili_request *request) {
    ili_timers_clear(&request->server->timers, &request->timer);
    if (!request->ghost) unclaim(request);
    request->wait = NULL;
    request->leaving = IL_OK;
    request->server->parking.parked--;
}

void ili_park_departed(struct ili_request *request) { ili_park_leave(request, IL_EGONE); }

void ili_park_lay_ghosts(struct ili_server *server) {
    struct ili_timer *timer;
    while ((timer = ili_timers_take(&server->timers, fire))) {
        struct ili_request *request =
            (struct ili_request *)((char *)timer - offsetof(struct ili_request, timer));
        (void)request->ghost->end(request, IL_EGONE);
        ili_request_free(request);
    }
}

void ili_park_end_session(struct ili_server *server, uint32_t session_slot) {
    struct ili_connection *connection = server->front.connections;
    for (; connection; connection = connection->next) {
        struct ili_request *request = connection->request;
        if (!request || !request->wait || request->leaving != IL_OK) continue;
        if (request->session_slot == session_slot) ili_park_leave(request, IL_ESESSION);
    }
}

void ili_park_end_all(struct ili_server *server) {
    struct ili_connection *connection = server->front.connections;
    for (; connection; connection = connection->next) {
        struct ili_request *request = connection->request;
        if (request && request->wait && request->leaving == IL_OK)
            ili_park_leave(request, IL_ESHUTDOWN);
    }
}
