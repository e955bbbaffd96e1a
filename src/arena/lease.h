/*
 * lease.h - grants that end by themselves: a table of them, and which have changed.
 *
 * An entry is claimed by one compare-and-swap and freed by one store, so there is nothing to repair in
 * it. It is a claim about a grant, not the grant: who keeps time (the server, or the keeper of a private
 * domain; session/expiry.h) voids the grant TOKEN of the object when the end has come and the grant still
 * stands, and frees the entry in any case. An entry that outlives its grant, because of a death between
 * the two, therefore does no harm.
 *
 * To prolong a lease is one store that nobody has to hear of: the timekeeper looks at the end again when
 * its own timer fires. Everything else sets the entry's bit and rings the doorbell.
 * A lease is known by its number (index + 1).
 */
#ifndef ILI_ARENA_LEASE_H
#define ILI_ARENA_LEASE_H

#include "arena/member.h"

#define ILI_LEASE_LEAST_NS INT64_C(1000000)
#define ILI_LEASE_NOBODY (UINT32_MAX - 1) /* as a slot: not for a holder, a lock's delay */

/* A lease of DURATION_NS from now on the grant TOKEN of the object at OBJECT, for the session of SLOT
 * (index). *NUMBER. IL_ELIMIT: all are taken; IL_ENOMEM. */
il_status ili_lease_claim(struct ili_member *member, uint32_t slot, ili_off object, uint64_t token,
                          int64_t duration_ns, uint32_t *number);

/* The lease of NUMBER if it is that of the grant TOKEN of OBJECT; else NULL. NUMBER may be nonsense. */
struct ili_lease *ili_lease_of(const struct ili_arena *arena, uint32_t number, ili_off object,
                               uint64_t token);

/* What an entry says, all of it of one grant. */
struct ili_lease_copy {
    uint32_t slot; /* index; perhaps nonsense */
    bool armed;    /* false: it is being made, and the rest is not known */
    ili_off object;
    uint64_t token;
    int64_t end_ns;
};

/* Copies LEASE, which others may end and claim anew meanwhile. False: it is nobody's. Frees an entry that is
 * nonsense. */
bool ili_lease_read(struct ili_lease *lease, struct ili_lease_copy *copy);

/* Lets LEASE end DURATION_NS from now. */
void ili_lease_extend(struct ili_member *member, struct ili_lease *lease, int64_t duration_ns);

/* The grant TOKEN of OBJECT is no more. Nothing if LEASE is another grant's by now: the timekeeper, repair
 * and a holder that was stopped in between may all come here. */
void ili_lease_end(struct ili_lease *lease, ili_off object, uint64_t token);

/* The same for who knows that LEASE is its own. */
void ili_lease_free(struct ili_lease *lease);

/* The session of SLOT (index) has ended: none of its entries is left. */
void ili_lease_end_all_of(struct ili_member *member, uint32_t slot);

/* The timekeeper: calls HEARD for each lease that was claimed or shortened since the last call. With SWEEP
 * it does not trust the summary, for the time after a death. */
void ili_lease_collect(struct ili_member *member, bool sweep,
                       void (*heard)(uint32_t number, void *context), void *context);

/* A new timekeeper: calls HEARD for each lease there is. */
void ili_lease_each(struct ili_member *member, void (*heard)(uint32_t number, void *context),
                    void *context);

/* The lease of NUMBER, which a timekeeper knows; NULL for nonsense. */
struct ili_lease *ili_lease_at(const struct ili_arena *arena, uint32_t number);

#endif
