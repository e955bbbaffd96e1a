/*
 * vigil.h - a parked request that waits for something of this thread's own, not for one of the arena:
 * the end of a task, of a pool, of a process. It stands in no queue, and no doorbell rings for it; who
 * watches the thing tells it.
 *
 *     struct joining { struct ili_vigil vigil; … };     vigil comes first; it is the request's work
 *     struct joining *j = ili_vigil_new(request, sizeof *j, unwatch, answer);
 *     status = ili_vigil_park(request, &j->vigil, deadline);     IL_OK: watch it now
 *     ili_vigil_met(&j->vigil);                                  from the watch
 */
#ifndef ILI_SERVER_VIGIL_H
#define ILI_SERVER_VIGIL_H

#include "server/request.h"

struct ili_vigil {
    struct ili_work work;
    struct ili_request *request;
    /* Stops watching. Not called once ili_vigil_met() was. */
    void (*unwatch)(struct ili_vigil *vigil);
    /* Answers. IL_OK: what it waited for has come. Else why it waits no more: IL_ETIMEOUT, IL_ESHUTDOWN,
     * IL_ESESSION; or IL_EGONE: the client has left, and there is nobody to answer. */
    void (*answer)(struct ili_request *request, il_status status);
};

/* The work of REQUEST: BYTES, all zero but for the vigil at their beginning, freed with the request. NULL: no
 * memory, and the request was answered. */
void *ili_vigil_new(struct ili_request *request, size_t bytes,
                    void (*unwatch)(struct ili_vigil *vigil),
                    void (*answer)(struct ili_request *request, il_status status));

/* Parks REQUEST with its work VIGIL until DEADLINE_NS; its body is dropped. IL_ENOMEM, IL_ELIMIT: it is
 * not parked. IL_EUNSUPPORTED: in a batch nobody waits. */
il_status ili_vigil_park(struct ili_request *request, struct ili_vigil *vigil, int64_t deadline_ns);

/* What it waits for has come: VIGIL's request is answered. */
void ili_vigil_met(struct ili_vigil *vigil);

#endif
