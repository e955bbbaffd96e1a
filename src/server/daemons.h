/*
 * daemons.h - what ends with a client's session: processes and threads that were made as its daemons.
 */
#ifndef ILI_SERVER_DAEMONS_H
#define ILI_SERVER_DAEMONS_H

#include <stdbool.h>

#include "base/fault.h"
#include "server/owners.h"

struct ili_client_session;
struct ili_server;

/* Lies in what it is; all zero is none. */
struct ili_daemon {
    struct ili_daemon *before, *after;  /* of its session */
    struct ili_client_session *session; /* NULL: it has ended, or it is no daemon */
    char id[ILI_SESSION_ID_BYTES + 1];  /* of the session; empty: it is no daemon */
    void (*end)(struct ili_server *server, struct ili_daemon *daemon);
};

/* Whether DAEMON and SESSION, two fields of a body, go together: a daemon needs a session, and nothing
 * else takes one. IL_EINVAL with *FAULT. */
il_status ili_daemon_check(bool daemon, const char *session, struct ili_fault *fault);

/* Makes DAEMON one of the session of that id. When it ends, END is called, once.
 * IL_ESESSION with *FAULT. */
il_status ili_daemon_bind(struct ili_server *server, struct ili_daemon *daemon, const char *session,
                          void (*end)(struct ili_server *server, struct ili_daemon *daemon),
                          struct ili_fault *fault);

/* It is to be freed. Nothing if it is none. */
void ili_daemon_unbind(struct ili_daemon *daemon);

/* Whether its session has ended. */
static inline bool ili_daemon_is_over(const struct ili_daemon *daemon) {
    return daemon->id[0] && !daemon->session;
}

/* SESSION has ended. */
void ili_daemons_end(struct ili_server *server, struct ili_client_session *session);

#endif
