/*
 * crew.h - the processes of a round: started, killed, stopped and continued, replaced.
 */
#ifndef TESTS_LINEAR_CREW_H
#define TESTS_LINEAR_CREW_H

#include "linear/drive/board.h"
#include "linear/drive/http.h"

#define CREW_MOST 8
#define CREW_DEATHS 128

struct member {
    pid_t pid; /* 0: none */
    enum board_door door;
    uint32_t session;
    int64_t stopped_until_ns; /* 0: it runs */
};

struct crew {
    struct board *board;
    struct http server; /* to ask who is attached */
    struct member all[CREW_MOST];
    uint32_t count;
    struct linear_call deaths[CREW_DEATHS]; /* of sessions */
    uint32_t deaths_count;
    uint32_t kills, stops;
    uint32_t killed[BOARD_OBJECTS]; /* processes that used it */
    uint32_t stopped[BOARD_OBJECTS];
    uint32_t ends[BOARD_OBJECTS]; /* of sessions made by requests */
};

/* Starts a process that uses the objects through DOOR. */
bool crew_add(struct crew *crew, enum board_door door);

/* Until END_NS, at random: kills members and replaces them, stops them for a while, deletes sessions. */
void crew_disturb(struct crew *crew, uint64_t *random, int64_t end_ns);

/* Lets all end in their own way, and waits for it. False: one did not. */
bool crew_end(struct crew *crew);

/* A last process, which looks whether the objects are as they should be. */
bool crew_finish(struct crew *crew);

#endif
