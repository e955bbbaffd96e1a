/*
 * session.h - the session that this process has on the server.
 *
 * A domain makes one when it first acquires something, the renewer keeps it alive, and closing the domain
 * ends it. All grants belong to it, so that one renewal keeps them all. A session that could not be
 * renewed in time ends on the server, and with it everything it held: whoever is told so (IL_ESESSION, by
 * a renewal or any other call) calls ili_remote_session_ended(), and the next acquire makes a new one.
 * Lock order: session, grants, losses.
 */
#ifndef ILI_CLIENT_SESSION_H
#define ILI_CLIENT_SESSION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <interlock.h>

#define ILI_SESSION_TTL_SECONDS 30 /* what is asked for; the server may give another */
#define ILI_SESSION_ID_BYTES 128   /* with its NUL */
#define ILI_SESSION_ATTEMPTS 3     /* of a call whose session ended under it */

struct ili_remote_domain;
struct ili_call;
struct ili_http_waker;

/* A session, named. */
struct ili_remote_session_ref {
    uint64_t number; /* counts those of the domain, from 1 */
    char id[ILI_SESSION_ID_BYTES];
};

struct ili_remote_session {
    pthread_mutex_t mutex; /* protects the rest; held while a session is made */
    struct ili_remote_session_ref ref;
    bool stands;
    int64_t ttl_ns;
    int64_t renew_at_ns;   /* a third of the TTL after it was last renewed */
    uint64_t losses_after; /* the number of the last loss of it that the server told */
};

void ili_remote_session_init(struct ili_remote_session *session);
void ili_remote_session_destroy(struct ili_remote_session *session);

/* Names the session that stands, making one if there is none, and starts the renewer. With the error
 * text. */
il_status ili_remote_session_use(struct ili_remote_domain *domain,
                                 struct ili_remote_session_ref *ref);

/* Names the session that stands; false: there is none. */
bool ili_remote_session_stands(struct ili_remote_domain *domain,
                               struct ili_remote_session_ref *ref);

/* The server says that session NUMBER has ended: its grants are lost. */
void ili_remote_session_ended(struct ili_remote_domain *domain, uint64_t number);

/* STATUS of a call about a grant of session NUMBER: IL_ESESSION becomes IL_ELEASE, and the session has
 * ended. */
il_status ili_remote_session_verdict(struct ili_remote_domain *domain, uint64_t number,
                                     il_status status);

/* Adds the members "session" and "owner" (a thread, self.h; 0: none) to the body. */
void ili_remote_session_name(struct ili_call *call, const struct ili_remote_session_ref *ref,
                             uint64_t owner);

/* For the renewer: when the session that stands is to be renewed; ILI_NEVER: there is none. */
int64_t ili_remote_session_due(struct ili_remote_domain *domain);
void ili_remote_session_renew(struct ili_remote_domain *domain,
                              const struct ili_http_waker *cancel);

/* Ends the session on the server, if it can be reached. */
void ili_remote_session_finish(struct ili_remote_domain *domain);

#endif
