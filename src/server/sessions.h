/*
 * sessions.h - who is attached, and who died holding what.
 *
 * The keeper's thread reports, the HTTP thread answers from it; a mutex lies between them.
 */
#ifndef ILI_SERVER_SESSIONS_H
#define ILI_SERVER_SESSIONS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session/keeper.h"

struct ili_request;

#define ILI_DEATHS_KEPT 100

struct ili_death {
    struct ili_session_info session;
    int64_t at_seconds;    /* wall clock */
    struct ili_held *held; /* owned */
    size_t held_count;
};

struct ili_sessions {
    pthread_mutex_t mutex;
    struct ili_death deaths[ILI_DEATHS_KEPT]; /* a ring */
    size_t first, count;
};

void ili_sessions_open(struct ili_sessions *sessions);
void ili_sessions_close(struct ili_sessions *sessions);

/* What the keeper calls. */
struct ili_keeper_events ili_sessions_events(struct ili_sessions *sessions);

/* Whether the path of REQUEST names the session of an attached process. */
bool ili_session_is_attached(const struct ili_request *request);

/* Handlers. */
void ili_sessions_list(struct ili_request *request);
void ili_sessions_get(struct ili_request *request);
void ili_sessions_deaths(struct ili_request *request);

#endif
