/*
 * expiry.h - the timekeeper of leases: whoever keeps a domain lets them end, to the millisecond.
 *
 * A heap of (end, lease number), the keeper's own; 20 bytes a lease. A lease that was prolonged is found
 * out when its old end comes, so a renewal costs its holder one store and nobody else anything. The end of a
 * lease voids its grant (kind.revoke with IL_ELEASE) if that still stands; the entry is given back in any case.
 *
 * Nothing here outlives the keeper; a new one looks at all leases (ili_expiry_take_over).
 * One thread. What it reads from the arena is checked before it is used.
 */
#ifndef ILI_SESSION_EXPIRY_H
#define ILI_SESSION_EXPIRY_H

#include "arena/agent.h"

/* A grant that was voided because its lease ended. */
struct ili_expired {
    ili_off object; /* still open while it is told */
    uint32_t kind;
    uint32_t slot; /* index: whose it was */
    uint64_t token;
};

/* All zero is an empty one. */
struct ili_expiry {
    struct ili_expiry_entry {
        int64_t at_ns;
        uint32_t number; /* of the lease */
    } * heap;            /* [1..count] */
    uint32_t count, room;
    uint32_t *places; /* by lease number: its place in the heap; 0: it is not there */
    uint32_t place_room;
    bool missed; /* there was no memory to note one: all have to be looked at again */
    bool has_entry;
    uint32_t entry; /* of the open table: for the object whose grant is being voided */
    int64_t look_again_ns;
    void (*expired)(const struct ili_expired *what, void *context); /* NULL: nobody asks */
    void *context;
};

/* Notes the leases that were made or shortened; call it when the doorbell rang, after
 * ili_doorbell_hear(). SWEEP: after a death, as for ili_lease_collect(). */
void ili_expiry_collect(struct ili_expiry *expiry, struct ili_member *member, bool sweep);

/* A new keeper: notes all leases. */
void ili_expiry_take_over(struct ili_expiry *expiry, struct ili_member *member);

/* When to call ili_expiry_run(); ILI_NEVER: no lease runs. */
int64_t ili_expiry_next(const struct ili_expiry *expiry);

/* Ends the leases that have come to their end at NOW_NS. SELF is the calling thread's agent. */
void ili_expiry_run(struct ili_expiry *expiry, struct ili_member *member, struct ili_agent *self,
                    int64_t now_ns);

void ili_expiry_free(struct ili_expiry *expiry);

#endif
