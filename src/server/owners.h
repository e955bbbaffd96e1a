/*
 * owners.h - for whom a request acts: the body's "session" and "owner" made an agent of the arena.
 *
 * An owner is (session, key). With a session the key tells its parts apart, "" if there is none; without
 * one the same key is the same owner, and who gives none is one of the anonymous, whose grants are told
 * apart by their tokens only. An owner is kept while a request acts for it and while it holds something;
 * when it is forgotten is of no consequence to anybody.
 */
#ifndef ILI_SERVER_OWNERS_H
#define ILI_SERVER_OWNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <interlock.h>

#define ILI_OWNER_KEY_BYTES 63
#define ILI_SESSION_ID_BYTES 63
#define ILI_OWNERS_OF_SESSION 1024u

struct ili_agent;
struct ili_client_session;
struct ili_stake;
struct ili_request;
struct ili_server;

struct ili_deadlock_watch;

struct ili_owner {
    struct ili_owner *next;          /* in its bucket */
    struct ili_owner *newer, *older; /* of its holder */
    struct ili_holder *holder;       /* NULL: its session has ended */
    struct ili_agent *agent;
    uint32_t number;                    /* of the agent */
    uint32_t uses;                      /* requests that act for it */
    struct ili_deadlock_watch *watches; /* its waits */
    bool unnamed; /* one of the anonymous, for once told apart: in no bucket */
    char key[ILI_OWNER_KEY_BYTES + 1];
};

/* Whose owners they are: a client's session, or all who have none. */
struct ili_holder {
    struct ili_client_session *session; /* NULL: none */
    uint32_t slot;                      /* index */
    uint32_t owner_count, look_at;      /* with so many it is looked who can be forgotten */
    struct ili_owner *owners;           /* the newest */
    struct ili_stake *stakes;           /* see stakes.h */
};

struct ili_owners {
    struct ili_owner **buckets;
    size_t bucket_count, count;
    struct ili_holder sessionless;
    struct ili_owner *anonymous;
};

/* What a body says of it; all zero at first. */
struct ili_who {
    char session[ILI_SESSION_ID_BYTES + 1];
    char owner[ILI_OWNER_KEY_BYTES + 1];
};

#define ILI_WHO_PARAMS(who)                                                                        \
    ILI_PARAM_TEXT("session", (who)->session, ILI_SESSION_ID_BYTES),                               \
        ILI_PARAM_TEXT("owner", (who)->owner, ILI_OWNER_KEY_BYTES)
#define ILI_WHO_COUNT 2

il_status ili_owners_open(struct ili_server *server);
void ili_owners_close(struct ili_server *server);

/* Makes REQUEST act for WHO: request->owner, and request->session_slot if it names a session, which is kept
 * alive by it. False: the request was answered (410 session_ended, 503 limit_reached). */
bool ili_who_begin(struct ili_request *request, const struct ili_who *who);

/* Where it matters that two are not the same (rlocks, rwlocks): if REQUEST acts for the anonymous, an owner
 * is made for it alone. False: there are too many. */
bool ili_who_be_one(struct ili_request *request);

/* REQUEST, which names nobody, acts for the owner of that agent from now on. False: it is none that acts
 * over HTTP. */
bool ili_who_become(struct ili_request *request, uint32_t number);

/* REQUEST has ended. */
void ili_who_end(struct ili_request *request);

/* The session of HOLDER ends: its owners are no more, and their agents, which stand nowhere, free. */
void ili_owners_drop(struct ili_server *server, struct ili_holder *holder);

/* Whose slot (index) it is: NULL if it is an attached process's. */
struct ili_holder *ili_holder_of(struct ili_server *server, uint32_t slot);

#endif
