/*
 * request.h - one HTTP request, from its head to the moment its answer was written or given up.
 *
 * A request is checked, gathers its body, and is given to its route's handler, which either answers it
 * (reply.h) or parks it (park.h) to be answered later. What a handler holds meanwhile (an object, a
 * grant, items) hangs on `work`, whose `undo` runs if the answer never reached the client, and whose
 * `free` runs at the end in every case.
 */
#ifndef ILI_SERVER_REQUEST_H
#define ILI_SERVER_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <interlock.h>

#include "arena/layout.h"
#include "base/fault.h"
#include "base/timer.h"
#include "server/framing.h"
#include "server/router.h"

struct MHD_Connection;
struct ili_agent;
struct ili_answer;
struct ili_connection;
struct ili_owner;
struct ili_param;
struct ili_ready;
struct ili_record;
struct ili_stream;
struct ili_wait;
struct ili_work;

struct ili_request {
    struct ili_server *server;
    struct ili_connection *connection; /* NULL: completed, only a ghost is left */
    struct MHD_Connection *wire;
    const struct ili_route *route; /* NULL: none has this path and method */
    const char *method, *path;     /* libmicrohttpd's */
    const char *key;               /* Idempotency-Key, libmicrohttpd's; NULL: none */
    const char *match,
        *none_match;  /* If-Match, If-None-Match of a part, libmicrohttpd's; NULL: none */
    const char *part; /* of the path behind the operation, encoded; NULL: none */
    size_t part_bytes;
    uint64_t version; /* of what the answer shows, for its ETag; 0: none */
    struct ili_wishes wishes;
    const char *origin; /* the allowed one it comes from, the configuration's; NULL: none */

    char *body; /* owned, with room; else borrowed */
    uint64_t body_bytes, body_room;
    struct ili_answer *answer; /* of an operation of a batch: it goes here; NULL: to the client */

    struct ili_work *work;
    struct ili_stream *stream;       /* it is answered with, see stream.h; NULL: none */
    struct ili_record *record;       /* what its Idempotency-Key stands for; NULL: nothing */
    struct ili_request *next_repeat; /* of those that wait for one record */

    /* while parked */
    const struct ili_wait *wait; /* NULL: not parked */
    struct ili_agent *waiter;
    uint64_t turn;       /* order of arrival among all that were ever parked */
    int64_t patience_ms; /* how long it was to wait at most */
    struct ili_timer timer;
    il_status
        leaving; /* why it is being withdrawn, if the first attempt could not; IL_OK: it is not */
    int64_t leaving_ns; /* since when */
    const struct ili_wait
        *ghost; /* answered, but its agent could not leave its queue yet: park.c */

    struct ili_owner *owner;   /* for whom it acts, see owners.h; NULL: it has not been asked */
    uint32_t session_slot;     /* of the session it names, index + 1; 0: none */
    struct ili_ready *ready;   /* what its answer was sent with; NULL: nothing to give back */
    struct ili_fault *refusal; /* owned; found in the head, to be answered after the body */
    uint16_t path_methods;     /* of the routes with this path, see router.h */
    bool waited;               /* as it would like to: its answer says so */
    bool answered;             /* an answer was given to libmicrohttpd */
    bool abandoned;            /* there will be none: the connection is closed */
    bool too_large;            /* the body, which is no longer kept */
    uint8_t name_bytes;
    char name[IL_NAME_MAX_BYTES]; /* of the object, decoded; the last field, not cleared */
};

/* What a handler holds for a request; it is the head of the handler's own struct. */
struct ili_work {
    void (*undo)(struct ili_request *request); /* the answer was lost; NULL: nothing to undo */
    void (*free)(struct ili_request *request); /* gives back what it holds, and itself */
};

/* Finds what REQUEST, whose method and path are set, asks for: its route, its object's name. IL_EROUTE,
 * IL_EMETHOD, IL_EINVAL with *FAULT filled in. IL_OK without a route: OPTIONS. */
il_status ili_request_find(struct ili_request *request, struct ili_fault *fault);

/* How many bytes a body may have there. */
uint64_t ili_request_body_limit(const struct ili_request *request);

/* Whether there may be a body: IL_EINVAL, IL_ETOOBIG with *FAULT filled in. */
il_status ili_request_check_body(const struct ili_request *request, struct ili_fault *fault);

/* Reads the fields of the body (params.h). False: they are wrong, and the request was answered. */
bool ili_request_read(struct ili_request *request, const struct ili_param *params, size_t count);

/* Frees the body, which no work refers to. */
void ili_request_drop_body(struct ili_request *request);

/* Runs the route's handler (again, if the request had to wait for another of the same key). */
void ili_request_handle(struct ili_request *request);

/* What libmicrohttpd calls, see MHD_AccessHandlerCallback and MHD_RequestCompletedCallback. */
int ili_request_called(struct ili_connection *connection, const char *url, const char *method,
                       const char *version, const char *data, size_t *data_bytes,
                       struct ili_request **request);
void ili_request_completed(struct ili_request *request, bool written);

/* A completed request, once nothing in the arena refers to it any more. */
void ili_request_free(struct ili_request *request);

#endif
