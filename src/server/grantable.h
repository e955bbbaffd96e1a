/*
 * grantable.h - what can be granted, one row a kind: how locks, rlocks, rwlocks and semaphores are taken
 * for an owner, waited for without a thread, given back, and leased.
 *
 * OWNER is an agent number. All codes are those of the kind's own calls.
 */
#ifndef ILI_SERVER_GRANTABLE_H
#define ILI_SERVER_GRANTABLE_H

#include "arena/names.h"
#include "base/out.h"

struct ili_server;

/* How much of it. */
struct ili_ask {
    uint32_t mode;  /* rwlock: IL_SHARED, IL_EXCLUSIVE */
    uint32_t count; /* semaphore: permits */
};

struct ili_grantable {
    const char *collection; /* "locks" */
    const struct ili_kind *kind;
    bool by_owner; /* only the owner may release, and may acquire again */
    /* At once; IL_ETIMEOUT: it cannot be. */
    il_status (*try_for)(struct ili_member *m, void *object, uint32_t owner,
                         const struct ili_ask *ask, uint64_t *token);
    /* At once, or WAITER stands in the queue: IL_ETIMEOUT. */
    il_status (*enqueue)(struct ili_member *m, void *object, struct ili_agent *waiter,
                         uint32_t owner, const struct ili_ask *ask, uint64_t *token);
    il_status (*poll)(struct ili_agent *waiter, uint64_t *token);
    il_status (*withdraw)(struct ili_member *m, void *object, struct ili_agent *waiter,
                          uint64_t *token);
    /* TOKEN 0: what OWNER has, for kinds that allow it. *LEFT: what is left of a reentrant grant. */
    il_status (*release)(struct ili_member *m, void *object, uint32_t owner, uint64_t token,
                         uint32_t count, uint32_t *left);
    /* DURATION_NS 0: without end. */
    il_status (*lease)(struct ili_member *m, void *object, uint32_t owner, uint64_t token,
                       int64_t duration_ns);
    il_status (*check)(struct ili_member *m, void *object, uint64_t token);
    /* The token of the newest grant there was. */
    uint64_t (*newest)(struct ili_server *server, const void *object);
    /* Writes what a release of COUNT answers beside the name; LEFT of release(). */
    void (*write_released)(struct ili_out *out, struct ili_server *server, const void *object,
                           uint32_t count, uint32_t left);
    /* The token of the grant whose end holds the object back; 0: nothing does. NULL: nothing ever does. */
    uint64_t (*held_back)(struct ili_server *server, const void *object);
};

/* The row of that collection, kind, or word for the kind; NULL: there is none. */
const struct ili_grantable *ili_grantable_named(const char *collection);
const struct ili_grantable *ili_grantable_of(uint32_t kind);
const struct ili_grantable *ili_grantable_word(const char *word);

#endif
