/*
 * board.h - what the processes of a campaign's round share: the objects, and what each worker called.
 *
 * A worker is a thread with a log of its own; one that comes in the place of a killed one has a new
 * log. A call is noted before it begins, so that one cut short by a kill is seen to be pending.
 */
#ifndef TESTS_LINEAR_BOARD_H
#define TESTS_LINEAR_BOARD_H

#include <stdatomic.h>
#include <sys/types.h>

#include "linear/check/history.h"

#define BOARD_OBJECTS 8
#define BOARD_LOGS 96
#define BOARD_CALLS 1024
#define BOARD_DROPS 6
#define BOARD_SESSIONS 128
#define BOARD_EVERYTHING UINT32_MAX

enum board_door {
    DOOR_ARENA,   /* an attached process */
    DOOR_LIBRARY, /* the library, over HTTP */
    DOOR_HTTP,    /* requests as such, no session */
    DOOR_SESSION, /* requests that name a session */
};

struct board_log {
    _Atomic uint32_t count;
    uint32_t door;
    uint32_t session, owner;
    struct linear_call calls[BOARD_CALLS];
};

/* A session that was made by a request: who takes it from OPEN to ENDING ends it. */
enum board_session_state { SESSION_NONE, SESSION_OPEN, SESSION_ENDING, SESSION_ENDED };

struct board_session {
    _Atomic uint32_t state;
    pid_t pid; /* of its worker */
    uint32_t place;
    int64_t until_ns; /* nobody ends it: not before this time; 0: somebody does */
    char id[40];
};

struct board {
    /* fixed before a round */
    char socket[100], http[64]; /* the server's */
    uint64_t seed;
    uint32_t round, objects_count;
    struct linear_object objects[BOARD_OBJECTS];
    bool sessions_lapse; /* named ones are left to end by themselves */

    _Atomic uint32_t stop;     /* release what you hold and end */
    _Atomic uint32_t sessions; /* given away; 0 is that of all clients without one */
    _Atomic uint32_t drops;    /* of connections; a check's effort grows with them */
    _Atomic uint32_t logs_used;
    _Atomic uint64_t items;                /* given away */
    _Atomic int32_t level[BOARD_OBJECTS];  /* of a queue, about */
    _Atomic uint64_t token[BOARD_OBJECTS]; /* of some recent grant */
    _Atomic uint32_t unsupported;          /* calls that a door does not have */
    _Atomic uint32_t troubles;
    char trouble[300];                          /* the first */
    struct board_session named[BOARD_SESSIONS]; /* by number */
    struct board_log logs[BOARD_LOGS];
};

/* Whether a worker at PLACE uses the object NUMBER. A place has two objects, so an object has a few
 * workers only, of several processes: how hard its history is to decide depends on their number. */
static inline bool board_uses(const struct board *board, uint32_t place, uint32_t number) {
    uint32_t count = board->objects_count, first = place % count;
    uint32_t second = (first + 1 + 2 * (place / count)) % count;
    return place == BOARD_EVERYTHING || number == first || number == second;
}

/* Notes what must not happen, besides what histories tell. */
void board_trouble(struct board *board, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
