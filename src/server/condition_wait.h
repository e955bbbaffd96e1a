/*
 * condition_wait.h - POST /v1/conditions/NAME/wait: waiting for a condition to be notified.
 *
 * A wait gives the lock up, is parked in the condition's queue, and when it was notified, or its time is
 * up, in the lock's: it is answered when the lock is held again, by a new grant with a new token. If it
 * ends in any other way (its client leaves, something was deleted, the server stops) the lock is not held.
 */
#ifndef ILI_SERVER_CONDITION_WAIT_H
#define ILI_SERVER_CONDITION_WAIT_H

struct ili_request;

void ili_conditions_wait(struct ili_request *request);

#endif
