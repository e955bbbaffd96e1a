/*
 * granting.h - what the server does with grants for its clients: takes one, leases it, remembers the object,
 * shows it, gives it back. What one request does with one grant, or with several.
 */
#ifndef ILI_SERVER_GRANTING_H
#define ILI_SERVER_GRANTING_H

#include "base/fault.h"
#include "base/out.h"
#include "server/grantable.h"

struct ili_owner;
struct ili_request;
struct ili_server;

#define ILI_LEASE_MOST_NS INT64_C(86400000000000)

/* A grant that a request is after. */
struct ili_claim {
    const struct ili_grantable *of;
    void *object; /* pinned; NULL: it is not, or no longer ours to let go of */
    ili_off at;   /* the object's */
    struct ili_ask ask;
    uint64_t token; /* once it was granted; 0: it was not */
    bool owner_died;
    int64_t lease_ns; /* 0: without end */
};

/* Tries to have it for REQUEST's owner. IL_OK, IL_EOWNERDEAD: granted, with token. */
il_status ili_claim_try(struct ili_request *request, struct ili_claim *claim);

/* Whether permits are consumed, so that nothing is held. */
bool ili_claim_is_signal(const struct ili_claim *claim);

/* It was granted, TOKEN and OUTCOME say so: leases it as asked for (LEASE_NS 0: nothing was asked for) and
 * takes note of it. On failure it was given back. */
il_status ili_claim_granted(struct ili_request *request, struct ili_claim *claim, uint64_t token,
                            il_status outcome, int64_t lease_ns);

/* Gives it back: the answer was lost, or others could not be had. Never fails: what cannot be now is tried
 * again later. */
void ili_claim_undo(struct ili_request *request, struct ili_claim *claim);

/* TOKEN was granted to a request that cannot have it: gives it back. CLAIM's object is pinned still. */
void ili_claim_refuse(struct ili_request *request, struct ili_claim *claim, uint64_t token);

/* Lets go of the object, if it is still ours to let go of. */
void ili_claim_drop(struct ili_server *server, struct ili_claim *claim);

/* Writes the members token, lease, owner_died, and what else the kind has. */
void ili_claim_write(struct ili_out *out, struct ili_request *request,
                     const struct ili_claim *claim);

/* Who may act on the grant TOKEN of OBJECT if the request names nobody: its own owner, if that acts over
 * HTTP; else the anonymous. An agent number. */
uint32_t ili_grant_owner(struct ili_request *request, void *object, uint64_t token);

/* Gives back TOKEN of OBJECT, COUNT permits of it. *LEFT, as grantable.h has it. */
il_status ili_grant_give_back(struct ili_request *request, const struct ili_grantable *of,
                              void *object, uint64_t token, uint32_t count, uint32_t *left);

/* Says in FAULT why TOKEN of the object (OF, NAME), at OBJECT, is not a grant that stands: STATUS. */
void ili_grant_explain(struct ili_server *server, const struct ili_grantable *of,
                       const void *object, const char *name, int name_bytes, uint64_t token,
                       il_status status, struct ili_fault *fault);

/* At the end: what was to be given back later. */
void ili_granting_close(struct ili_server *server);

#endif
