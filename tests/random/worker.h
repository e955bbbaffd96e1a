/*
 * worker.h - a process that makes the driver's operations through its door, one at a time, until it is killed.
 */
#ifndef TESTS_RANDOM_WORKER_H
#define TESTS_RANDOM_WORKER_H

#include <sys/types.h>

#include "random/kind.h"

#define OBJECTS 24

enum way { DOOR_PRIVATE, DOOR_UNIX, DOOR_HTTP };

struct shared {
    struct operation op;
    struct answer answer;
};

struct worker {
    enum way door;
    pid_t pid; /* 0: none */
    int fd;    /* a byte there: go on; a byte back: done */
    struct shared *shared;
};

/* What a worker that is forked finds. */
struct cast {
    il_domain *domain; /* the driver's; a private one is the workers' as well */
    const char *addresses[3];
    struct object *objects;
    void **handles; /* the driver's */
    uint32_t objects_count;
};

/* Forks it, and waits until it has its domain. False: it has none. */
bool worker_start(struct worker *worker, const struct cast *cast);
/* Lets it make worker->shared->op. */
bool worker_begin(struct worker *worker);
/* Waits for the end of that. False: it died, or takes too long. */
bool worker_await(struct worker *worker);
/* Kills it. */
void worker_kill(struct worker *worker);
/* Lets it end in its own way. False: it does not. */
bool worker_end(struct worker *worker);

#endif
