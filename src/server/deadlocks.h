/*
 * deadlocks.h - waits that can never end: found for those that are parked here, and shown.
 *
 * A parked request looks as it begins to wait, 40 ms later for what that look could not see, and then
 * more and more rarely; also when somebody who found a deadlock names it the victim, by the doorbell, and
 * when its owner loses another way out: another of its waits has ended.
 */
#ifndef ILI_SERVER_DEADLOCKS_H
#define ILI_SERVER_DEADLOCKS_H

#include <stdbool.h>

#include "base/timer.h"

struct ili_owner;
struct ili_request;
struct ili_server;

/* All zero: nothing is watched. */
struct ili_deadlock_watch {
    struct ili_timer timer;
    struct ili_request *request;
    int64_t pause_ns;
    struct ili_owner *owner;                    /* NULL: nothing is watched */
    struct ili_deadlock_watch *next, *previous; /* of the owner */
};

/* REQUEST has just been parked and stands in its queue: looks, now and from time to time. If it finds it
 * in a deadlock, its wait ends with IL_EDEADLK (ili_park_leave). */
void ili_deadlock_watch_wait(struct ili_request *request, struct ili_deadlock_watch *watch);
void ili_deadlock_unwatch(struct ili_server *server, struct ili_deadlock_watch *watch);

/* Whether the parked REQUEST waits for ever. */
bool ili_deadlock_found(struct ili_request *request);

/* Answers 409 deadlock with the cycle that was found last. */
void ili_deadlock_reply(struct ili_request *request);

/* GET /v1/deadlocks. */
void ili_deadlocks_get(struct ili_request *request);

#endif
