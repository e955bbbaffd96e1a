/*
 * stakes.h - which objects the clients' sessions hold something of, so that these objects stay and the
 * end of a session finds them.
 *
 * What is held is written in the objects alone. A stake only says that HOLDER may hold something of an
 * object, which is pinned for it: too many of them cost memory, and a slow sweep removes them; there is
 * never one too few.
 */
#ifndef ILI_SERVER_STAKES_H
#define ILI_SERVER_STAKES_H

#include "arena/names.h"
#include "base/timer.h"

struct ili_holder;
struct ili_request;
struct ili_server;

struct ili_stake {
    struct ili_stake *next;          /* in its bucket */
    struct ili_stake *newer, *older; /* of its holder */
    struct ili_holder *holder;
    ili_off object; /* pinned */
    uint64_t hash;  /* of its name */
    uint32_t kind;
    uint32_t grants;    /* that were given by requests and not released by them */
    int64_t deleted_ns; /* when it was seen that the object was deleted; 0: it was not */
};

struct ili_stakes {
    struct ili_stake **buckets;
    size_t bucket_count, count;
    size_t swept; /* buckets up to here */
    struct ili_timer sweep;
    struct ili_grant *grants; /* room for looking at them; owned */
    size_t grant_room;
};

void ili_stakes_open(struct ili_server *server);
void ili_stakes_close(struct ili_server *server);

/* HOLDER has been granted something of OBJECT, whose pin this takes over. IL_ENOMEM: it does not. */
il_status ili_stake_add(struct ili_server *server, struct ili_holder *holder, void *object);

/* HOLDER (NULL: nothing is done) has released something of OBJECT, or lost it: lets go of the object if
 * that was all. LOST: not by a request. */
void ili_stake_less(struct ili_server *server, struct ili_holder *holder, ili_off object,
                    bool lost);

/* Whether HOLDER held something of an object (KIND, NAME) that was deleted meanwhile. */
bool ili_stake_was_deleted(struct ili_server *server, const struct ili_holder *holder,
                           uint32_t kind, const char *name, size_t name_bytes);

/* Lets go of STAKE. */
void ili_stake_drop(struct ili_server *server, struct ili_stake *stake);

/* The grants of OBJECT as its kind shows them; *COUNT of them. Borrowed until the next call. */
const struct ili_grant *ili_grants_of(struct ili_server *server, void *object, size_t *count);

/* Sets the bit of each agent number of HOLDER's that holds something. */
void ili_stakes_mark(struct ili_server *server, const struct ili_holder *holder, uint64_t *bits);

#endif
