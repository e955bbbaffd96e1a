/*
 * client_sessions.h - sessions made over HTTP: kept alive by the requests that name them, ended by their
 * client, or by the server when nothing was heard of them for their time to live.
 *
 * A session is a slot of the arena (ILI_SLOT_CLIENT), so what it holds looks to everybody as what a
 * process holds, and its end is what a death is: its waits are withdrawn (410 session_ended), its grants
 * go to the next ones, which are told that the owner died. A request that names a session keeps it alive
 * as long as it waits, and for the time to live after it.
 */
#ifndef ILI_SERVER_CLIENT_SESSIONS_H
#define ILI_SERVER_CLIENT_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/timer.h"
#include "server/owners.h"

#define ILI_TTL_LEAST_NS INT64_C(1000000000)
#define ILI_TTL_MOST_NS INT64_C(86400000000000)

struct ili_daemon;
struct ili_out;

struct ili_client_session {
    struct ili_timer timer;
    struct ili_holder holder;
    uint32_t generation; /* of its slot */
    uint32_t requests;   /* that name it and have not ended */
    uint64_t secret;     /* what nobody guesses of its id */
    int64_t ttl_ns, until_ns;
    struct ili_daemon *daemons; /* what ends with it */
    bool ending; /* it is no more for anybody; something of it is still in the way of others */
    char label[64], host[64];
};

struct ili_client_sessions {
    struct ili_client_session **by_slot; /* of all slots */
    size_t count;
    uint64_t losses_seen;           /* of the arena, when those who listen were last told */
    struct ili_request **listening; /* for losses */
    size_t listening_count, listening_room;
};

il_status ili_client_sessions_open(struct ili_server *server);
void ili_client_sessions_close(struct ili_server *server);

/* The session of that id; NULL: it has ended, or never was. */
struct ili_client_session *ili_client_session_named(struct ili_server *server, const char *id);

/* The session of SLOT (index); NULL: it is none of a client. */
struct ili_client_session *ili_client_session_of(struct ili_server *server, uint32_t slot);

/* The session that the path of REQUEST names; NULL: the request was answered. */
struct ili_client_session *ili_client_session_of_path(struct ili_request *request);

/* It was named just now. */
void ili_client_session_touch(struct ili_server *server, struct ili_client_session *session);

/* Its id in ROOM, at most ILI_SESSION_ID_BYTES + 1. */
void ili_client_session_id(const struct ili_client_session *session, char *room, size_t bytes);

/* Grants may have been lost: answers those who listen for theirs. Once a turn of the loop. */
void ili_client_sessions_tell(struct ili_server *server);

/* Handlers. */
void ili_client_sessions_make(struct ili_request *request);
void ili_client_sessions_renew(struct ili_request *request);
void ili_client_sessions_end(struct ili_request *request);
void ili_client_sessions_losses(struct ili_request *request);

#endif
