/*
 * watched.h - an object that somebody watches, and the streams that do.
 *
 * There is one for all who watch the same object, so that a change costs whoever makes it the same, however many
 * watch. Dicts, lists and values tell by the doorbell, and only once somebody has read all there was. Queues,
 * locks and tasks know of no watchers: they are looked at every 20 ms, while somebody watches.
 */
#ifndef ILI_SERVER_WATCHED_H
#define ILI_SERVER_WATCHED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer.h"
#include "server/park.h"
#include "work/task.h"

struct ili_server;
struct ili_stream;
struct ili_watch_kind;

/* What is compared of an object that is looked at. */
struct ili_sample {
    uint64_t word[3];
};

/* A stream that watches; lies in the struct it belongs to. */
struct ili_watcher {
    struct ili_watcher *next, *previous;
    struct ili_stream *stream;
    bool beat; /* a heartbeat is due; whoever makes it clears it */
};

struct ili_watched {
    struct ili_watched *next, *previous;
    const struct ili_watch_kind *kind;
    struct ili_server *server;
    void *object;      /* pinned; NULL: a task */
    uint64_t task;     /* its id */
    bool task_watched; /* until it has ended */
    struct ili_task_watch task_watch;
    struct ili_sample sample; /* as it was when it was last looked at */
    struct ili_ear ear;
    bool armed;             /* the ear stands in the object's queue */
    struct ili_timer retry; /* something could not be done now */
    struct ili_watcher *watchers;
};

/* All of a server. */
struct ili_watches {
    struct ili_watched *first;
    struct ili_timer look, beat;
};

/* WATCHER, whose stream is set, watches OBJECT, which is pinned and taken (also on failure), or the task of the
 * id TASK. NULL: no memory. */
struct ili_watched *ili_watched_join(struct ili_server *server, const struct ili_watch_kind *kind,
                                     void *object, uint64_t task, struct ili_watcher *watcher);
void ili_watched_leave(struct ili_watched *watched, struct ili_watcher *watcher);

/* Whether the object was deleted, or the task is not kept any more. */
bool ili_watched_is_gone(const struct ili_watched *watched);

/* The watchers are to be woken by what comes after VERSION. IL_ETIMEOUT: they will be. IL_OK: it has come. */
il_status ili_watched_arm(struct ili_watched *watched, uint64_t version);

/* Wakes the watchers soon: what failed now may work then. */
void ili_watched_retry(struct ili_watched *watched);

/* The server stops: wakes everybody. */
void ili_watches_end_all(struct ili_server *server);
void ili_watches_close(struct ili_server *server);

#endif
