/*
 * await.h - waits that take nothing and hold nothing: for an event, a latch, a barrier.
 *
 * The body's `timeout` says how long, as everywhere. A wait that was over before its client left, or its
 * time was up, counts.
 */
#ifndef ILI_SERVER_AWAIT_H
#define ILI_SERVER_AWAIT_H

#include <stdbool.h>
#include <stdint.h>

#include <interlock.h>

#include "base/out.h"

struct ili_agent;
struct ili_member;
struct ili_request;

/* How to wait for an object of a kind; *TOLD is what a successful wait is told. */
struct ili_awaited {
    /* Without waiting. IL_ETIMEOUT: it is not there yet. */
    il_status (*now)(struct ili_member *member, void *object, uint64_t *told);
    /* IL_ETIMEOUT: WAITER stands in the queue now, and the doorbell will ring for it. Else how the wait
     * has ended. */
    il_status (*enqueue)(struct ili_member *member, void *object, struct ili_agent *waiter,
                         uint64_t *told);
    /* IL_ETIMEOUT: it is out of the queue; IL_EBUSY: it is not. Else what it had been told. */
    il_status (*withdraw)(struct ili_member *member, void *object, struct ili_agent *waiter,
                          uint64_t *told);
    /* Writes the answer's members, but the name. */
    void (*success)(struct ili_out *out, uint64_t told);
    bool makes;   /* an object that does not exist is made */
    bool commits; /* asking `now` in vain changes the object: not done before a wait */
    bool named; /* the body may say for whom it waits (owners.h); the wait ends with that session */
};

/* Handles a request: reads its body, waits, answers. */
void ili_await(struct ili_request *request, const struct ili_awaited *how);

#endif
