/*
 * conditions.h - /v1/conditions: conditions as objects, the release of their locks, and notifying.
 * Acquiring is acquire.c, waiting is condition_wait.c.
 *
 * A condition is bound to a lock or an rlock by that one's name. Who holds the lock is told by the token
 * of the grant, as everywhere over HTTP.
 */
#ifndef ILI_SERVER_CONDITIONS_H
#define ILI_SERVER_CONDITIONS_H

#include "server/objects.h"

extern const struct ili_collection ili_conditions;

/* A condition and its lock, both pinned (pin.h), or NULL. */
struct ili_bound {
    struct ili_condition *condition;
    struct ili_lock *lock;
};

/* Pins what REQUEST names; FLAGS as of ili_objects_pin(). False: the request was answered. */
bool ili_bound_pin(struct ili_request *request, uint32_t flags, struct ili_bound *bound);
void ili_bound_unpin(struct ili_server *server, struct ili_bound *bound);

/* Makes REQUEST, which acts for somebody or nobody (owners.h), act for who has the lock by TOKEN. False:
 * that is another, or the grant does not stand; the request was answered. */
bool ili_bound_hold(struct ili_request *request, const struct ili_bound *bound, uint64_t token);

/* Answers why TOKEN is not a grant of the lock that stands. */
void ili_bound_refuse(struct ili_request *request, const struct ili_bound *bound, uint64_t token,
                      il_status why);

void ili_conditions_release(struct ili_request *request);
void ili_conditions_notify(struct ili_request *request);
void ili_conditions_notify_all(struct ili_request *request);

#endif
