/*
 * watched.c - see watched.h.
 *
 * One that is told by the doorbell (kind->enqueue): its ear is armed, that is in the object's queue, from the moment
 * a stream has found nothing more until the object tells it; then all streams wake, and the first that has read all
 * arms it again. So a writer that is faster than the readers rings no bell.
 * One that is looked at (kind->look): `sample` is what was seen; if it is another the streams wake, and each compares
 * for itself with what it told last.
 * When the last watcher leaves, the ear is withdrawn. If that cannot be now the struct stays, without watchers, and it
 * is tried again.
 */
#include "server/watched.h"

#include <stdlib.h>
#include <string.h>

#include "server/pin.h"
#include "server/server.h"
#include "server/stream.h"
#include "server/watch_kinds.h"
#include "sync/waiting.h"

#define LOOK_NS INT64_C(20000000)
#define BEAT_NS INT64_C(15000000000)
#define RETRY_NS INT64_C(50000000)

static void wake_all(struct ili_watched *w) {
    for (struct ili_watcher *one = w->watchers; one; one = one->next) ili_stream_wake(one->stream);
}

bool ili_watched_is_gone(const struct ili_watched *watched) {
    const struct ili_object *object = watched->object;
    if (!object) return ili_task_find(&watched->server->pools, watched->task) == NULL;
    return atomic_load_explicit(&object->deleted, memory_order_relaxed) != 0;
}

/* ---- looking, and heartbeats ---------------------------------------------------------------------- */

static void look(struct ili_timer *timer, void *context) {
    struct ili_server *server = context;
    bool looks = false;
    for (struct ili_watched *w = server->watches.first; w; w = w->next) {
        struct ili_sample sample = {{0}};
        if (!w->watchers) continue;
        looks = looks || w->kind->look;
        if (w->kind->look) w->kind->look(w, &sample);
        if (memcmp(&sample, &w->sample, sizeof sample) == 0 && !ili_watched_is_gone(w)) continue;
        w->sample = sample;
        wake_all(w);
    }
    if (looks) (void)ili_timers_set(&server->timers, timer, server->now_ns + LOOK_NS);
}

static void beat(struct ili_timer *timer, void *context) {
    struct ili_server *server = context;
    if (!server->watches.first) return;
    for (struct ili_watched *w = server->watches.first; w; w = w->next) {
        for (struct ili_watcher *one = w->watchers; one; one = one->next) one->beat = true;
        wake_all(w);
    }
    (void)ili_timers_set(&server->timers, timer, server->now_ns + BEAT_NS);
}

/* False: no memory. */
static bool set_timers(struct ili_server *server, const struct ili_watch_kind *kind) {
    struct ili_watches *all = &server->watches;
    all->look.fire = look;
    all->beat.fire = beat;
    if (all->beat.place == 0 &&
        !ili_timers_set(&server->timers, &all->beat, server->now_ns + BEAT_NS)) {
        return false;
    }
    return !kind->look || all->look.place != 0 ||
           ili_timers_set(&server->timers, &all->look, server->now_ns + LOOK_NS);
}

/* ---- told by the doorbell ------------------------------------------------------------------------- */

static void rung(struct ili_ear *ear, struct ili_server *server) {
    struct ili_watched *w = (struct ili_watched *)((char *)ear - offsetof(struct ili_watched, ear));
    (void)server;
    if (!w->armed || ili_waiting_poll(ear->agent, NULL) == IL_ETIMEOUT) return;
    w->armed = false;
    wake_all(w);
}

il_status ili_watched_arm(struct ili_watched *watched, uint64_t version) {
    struct ili_watched *w = watched;
    if (!w->kind->enqueue || w->armed) return IL_ETIMEOUT;
    il_status status = w->ear.agent ? IL_OK : ili_park_listen_with(w->server, &w->ear);
    if (status == IL_OK) {
        status = w->kind->enqueue(ili_server_member(w->server), w->object, version, w->ear.agent);
    }
    w->armed = status == IL_ETIMEOUT;
    return status;
}

/* ---- joining and leaving -------------------------------------------------------------------------- */

static void unlink_watched(struct ili_watched *w) {
    if (w->next) w->next->previous = w->previous;
    if (w->previous) {
        w->previous->next = w->next;
    } else {
        w->server->watches.first = w->next;
    }
}

/* Nobody watches any more. */
static void end(struct ili_watched *w) {
    struct ili_server *server = w->server;
    if (w->armed) {
        il_status status = w->kind->withdraw(ili_server_member(server), w->object, w->ear.agent);
        if (status == IL_EBUSY) {
            ili_watched_retry(w);
            return;
        }
        w->armed = false;
    }
    if (w->task_watched) {
        ili_task_unwatch(ili_task_find(&server->pools, w->task), &w->task_watch);
    }
    ili_timers_clear(&server->timers, &w->retry);
    ili_park_stop_listening(server, &w->ear);
    if (w->object) ili_unpin(server, w->object);
    unlink_watched(w);
    free(w);
}

static void try_again(struct ili_timer *timer, void *context) {
    struct ili_watched *w =
        (struct ili_watched *)((char *)timer - offsetof(struct ili_watched, retry));
    (void)context;
    if (w->watchers) {
        wake_all(w);
    } else {
        end(w);
    }
}

void ili_watched_retry(struct ili_watched *watched) {
    struct ili_server *server = watched->server;
    watched->retry.fire = try_again;
    if (watched->retry.place) return;
    (void)ili_timers_set(&server->timers, &watched->retry, server->now_ns + RETRY_NS);
}

static void task_ended(struct ili_task_watch *watch, struct ili_task *task) {
    struct ili_watched *w =
        (struct ili_watched *)((char *)watch - offsetof(struct ili_watched, task_watch));
    (void)task;
    w->task_watched = false;
    wake_all(w);
}

static struct ili_watched *find(struct ili_server *server, const struct ili_watch_kind *kind,
                                const void *object, uint64_t task) {
    struct ili_watched *w = server->watches.first;
    while (w && (w->kind != kind || w->object != object || w->task != task)) w = w->next;
    return w;
}

/* NULL: no memory. */
static struct ili_watched *make(struct ili_server *server, const struct ili_watch_kind *kind,
                                void *object, uint64_t id) {
    struct ili_watched *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->kind = kind;
    w->server = server;
    w->object = object;
    w->task = id;
    w->ear.rung = rung;
    if (kind->look) kind->look(w, &w->sample);
    struct ili_task *task = object ? NULL : ili_task_find(&server->pools, id);
    if (task && !ili_task_has_ended(task)) {
        w->task_watch.ended = task_ended;
        w->task_watched = true;
        ili_task_watch(task, &w->task_watch);
    }
    w->next = server->watches.first;
    if (w->next) w->next->previous = w;
    server->watches.first = w;
    return w;
}

struct ili_watched *ili_watched_join(struct ili_server *server, const struct ili_watch_kind *kind,
                                     void *object, uint64_t task, struct ili_watcher *watcher) {
    struct ili_watched *w = find(server, kind, object, task);
    bool found = w != NULL;
    if (!found && set_timers(server, kind)) w = make(server, kind, object, task);
    if (object && (found || !w)) ili_unpin(server, object); /* it has its own, or there is none */
    if (!w) return NULL;
    watcher->previous = NULL;
    watcher->next = w->watchers;
    if (watcher->next) watcher->next->previous = watcher;
    w->watchers = watcher;
    return w;
}

void ili_watched_leave(struct ili_watched *watched, struct ili_watcher *watcher) {
    if (watcher->next) watcher->next->previous = watcher->previous;
    if (watcher->previous) {
        watcher->previous->next = watcher->next;
    } else {
        watched->watchers = watcher->next;
    }
    if (!watched->watchers) end(watched);
}

/* ---- the server's end ----------------------------------------------------------------------------- */

void ili_watches_end_all(struct ili_server *server) {
    for (struct ili_watched *w = server->watches.first; w; w = w->next) wake_all(w);
}

void ili_watches_close(struct ili_server *server) {
    while (server->watches.first) { /* that could not be withdrawn */
        struct ili_watched *w = server->watches.first;
        ili_timers_clear(&server->timers, &w->retry);
        ili_unpin(server, w->object);
        unlink_watched(w);
        free(w);
    }
}
