/*
 * worker.h - a thread that calls objects through its door, at random, and notes each call.
 */
#ifndef TESTS_LINEAR_WORKER_H
#define TESTS_LINEAR_WORKER_H

#include "linear/drive/board.h"
#include "linear/drive/http.h"

#define HANDS 3 /* what a worker may hold of one object at a time */

struct hand {
    uint64_t token;
    uint32_t amount; /* mode, permits */
    int64_t lease_ns;
};

struct worker {
    struct board *board;
    struct board_log *log;
    enum board_door door;
    uint32_t session, owner;
    uint32_t place; /* board_uses() */
    bool over;      /* its session has ended */
    uint64_t random;
    il_domain *domain;            /* DOOR_ARENA, DOOR_LIBRARY */
    void *handles[BOARD_OBJECTS]; /* its */
    struct http http;             /* DOOR_HTTP, DOOR_SESSION */
    char key[24], session_id[40]; /* its owner key; DOOR_SESSION: of the session */
    struct hand hands[BOARD_OBJECTS][HANDS];
    uint32_t held[BOARD_OBJECTS];
    uint64_t last[BOARD_OBJECTS]; /* a token of its own that it has released */
};

/* A kind of object, as the campaign uses it. */
struct linear_kind {
    unsigned kind;
    const char *collection; /* over HTTP: /v1/COLLECTION; NULL: it has no routes */
    bool library;           /* the library has it over HTTP */
    bool sessionless;       /* its requests name no session */
    /* Options for a new object, drawn by RANDOM. */
    void (*draw)(struct linear_object *object, uint64_t *random);
    il_status (*open)(il_domain *domain, const struct linear_object *object, void **handle);
    il_status (*close)(void *handle);
    il_status (*remove)(il_domain *domain, const char *name, size_t bytes);
    /* Makes one call, or a few, on the object NUMBER. */
    void (*act)(struct worker *worker, uint32_t number);
    /* Gives back what the worker holds; THREAD: but for what goes with a thread. */
    void (*settle)(struct worker *worker, uint32_t number, bool thread);
    /* After all workers have ended: shows that the object is as it should be. */
    void (*finish)(struct worker *worker, uint32_t number);
    const void *calls; /* of kinds that share the above */
};

/* The row of a kind; NULL: none. */
const struct linear_kind *linear_kind(unsigned kind);
extern const struct linear_kind *const linear_kinds[];
extern const size_t linear_kinds_count;

int64_t worker_now_ns(void);
uint64_t worker_random(uint64_t *random);
/* One of 0 … COUNT - 1. */
uint32_t worker_draw(struct worker *worker, uint32_t count);
/* How long to wait: often not at all, mostly some milliseconds. */
int64_t worker_draw_timeout(struct worker *worker);
void worker_pause(struct worker *worker, uint32_t most_us);

static inline bool worker_is_http(const struct worker *worker) {
    return worker->door == DOOR_HTTP || worker->door == DOOR_SESSION;
}

/* Notes that the call OP on NUMBER begins, and that it has ended. A status that says nothing about an
 * outcome (busy, no answer) leaves it pending; a call that the door does not have is no call. */
struct linear_call *worker_begin(struct worker *worker, uint32_t number, unsigned op);
void worker_end(struct worker *worker, struct linear_call *call, il_status status, uint64_t result);

/* POST /v1/COLLECTION/NAME/VERB with BODY (taken), as this worker, sometimes dropped. */
il_status worker_post(struct worker *worker, struct linear_call *call, const char *verb,
                      json_t *body, json_t **answer);
json_t *worker_body(struct worker *worker,
                    int64_t timeout_ns); /* with a timeout, if it is not -2 */
uint64_t worker_token(const json_t *answer);

/* For kinds of which nothing is held. */
void worker_holds_nothing(struct worker *worker, uint32_t number, bool thread);
void worker_is_finished(struct worker *worker, uint32_t number);

/* The life of a worker: until the board says stop, its log is full, or ACTS calls were made. */
void worker_run(struct worker *worker, uint32_t acts);
/* Its own handles and log; DOOR_SESSION: its own session. False: it cannot begin. */
bool worker_open(struct worker *worker, struct board *board, enum board_door door, uint32_t session,
                 uint32_t place, il_domain *domain);
void worker_close(struct worker *worker);
/* What it has is given up, now or as soon as nobody stands in the way. */
void worker_delete_session(struct http *http, struct board *board, struct board_session *session);

#endif
