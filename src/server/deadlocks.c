#include "server/deadlocks.h"

#include <stddef.h>

#include "base/clock.h"
#include "server/people.h"
#include "server/reply.h"
#include "server/server.h"
#include "session/deadlock.h"

#define FIRST_NS INT64_C(40000000)
#define LAST_NS INT64_C(5000000000)

/* ---- looking -------------------------------------------------------------------------------------- */

bool ili_deadlock_found(struct ili_request *request) {
    return ili_deadlock_check(ili_server_member(request->server), request->waiter) == IL_EDEADLK;
}

static void look(struct ili_deadlock_watch *watch) {
    struct ili_request *request = watch->request;
    struct ili_server *server = request->server;
    if (ili_deadlock_found(request)) {
        ili_park_leave(request, IL_EDEADLK); /* may have ended the watch */
        return;
    }
    (void)ili_timers_set(&server->timers, &watch->timer, ili_now_ns() + watch->pause_ns);
    watch->pause_ns = watch->pause_ns * 4 < LAST_NS ? watch->pause_ns * 4 : LAST_NS;
}

static void fire(struct ili_timer *timer, void *context) {
    (void)context;
    look((struct ili_deadlock_watch *)timer);
}

void ili_deadlock_watch_wait(struct ili_request *request, struct ili_deadlock_watch *watch) {
    if (request->owner == request->server->owners.anonymous) return; /* whoever they are */
    watch->timer.fire = fire;
    watch->request = request;
    watch->pause_ns = FIRST_NS;
    if (!watch->owner) {
        watch->owner = request->owner;
        watch->previous = NULL;
        watch->next = watch->owner->watches;
        if (watch->next) watch->next->previous = watch;
        watch->owner->watches = watch;
    }
    look(watch);
}

void ili_deadlock_unwatch(struct ili_server *server, struct ili_deadlock_watch *watch) {
    struct ili_owner *owner = watch->owner;
    ili_timers_clear(&server->timers, &watch->timer);
    if (!owner) return;
    watch->owner = NULL;
    if (watch->previous) watch->previous->next = watch->next;
    if (watch->next) watch->next->previous = watch->previous;
    if (owner->watches == watch) owner->watches = watch->next;
    /* cannot fail: their places in the heap are there */
    for (struct ili_deadlock_watch *other = owner->watches; other; other = other->next) {
        (void)ili_timers_set(&server->timers, &other->timer, server->now_ns);
    }
}

/* ---- showing -------------------------------------------------------------------------------------- */

static void write_waits_for(struct ili_out *out, const struct ili_deadlock_wait *wait) {
    ili_out_key(out, "waits_for");
    ili_out_open(out, '{');
    ili_out_key(out, "kind");
    ili_out_string(out, ili_kind_word(wait->kind));
    ili_out_key(out, "name");
    if (wait->name_bytes) {
        ili_out_text(out, wait->name, wait->name_bytes);
    } else {
        ili_out_null(out);
    }
    const struct ili_grant size = {.mode = wait->want, .count = wait->want};
    if (wait->kind != ILI_KIND_RLOCK) ili_write_grant_size(out, wait->kind, &size);
    ili_out_close(out, '}');
}

static void write_held_by(struct ili_out *out, struct ili_server *server,
                          const struct ili_deadlocks *d, const struct ili_deadlock_wait *wait) {
    ili_out_key(out, "held_by");
    ili_out_open(out, '[');
    for (uint32_t i = 0; i < wait->holder_count; i++) {
        const struct ili_deadlock_holder *holder = &d->holders[wait->holders + i];
        ili_out_open(out, '{');
        ili_out_key(out, "owner");
        ili_write_owner(out, server, holder->owner.agent, NULL);
        ili_out_key(out, "token");
        ili_out_token(out, holder->grant.token);
        ili_out_close(out, '}');
    }
    ili_out_close(out, ']');
}

static void write_wait(struct ili_out *out, struct ili_server *server,
                       const struct ili_deadlocks *d, const struct ili_deadlock_wait *wait,
                       bool waiting) {
    ili_out_open(out, '{');
    ili_out_key(out, "owner");
    ili_write_owner(out, server, wait->owner.agent, NULL);
    write_waits_for(out, wait);
    if (waiting) {
        ili_out_key(out, "waiting");
        ili_out_seconds(out, ili_ns_between(wait->since_ns, ili_now_ns()));
    }
    write_held_by(out, server, d, wait);
    ili_out_close(out, '}');
}

static void write_cycle(struct ili_out *out, struct ili_server *server,
                        const struct ili_deadlocks *d, const struct ili_deadlock_cycle *cycle) {
    ili_out_open(out, '[');
    for (uint32_t i = 0; i < cycle->step_count; i++) {
        write_wait(out, server, d, &d->waits[d->steps[cycle->steps + i].wait], false);
    }
    ili_out_close(out, ']');
}

void ili_deadlock_reply(struct ili_request *request) {
    const struct ili_deadlocks *last = ili_deadlock_last();
    struct ili_out members = {0};
    if (!last || last->cycle_count == 0) {
        ili_reply_problem(request, IL_EDEADLK, ili_deadlock_text());
        return;
    }
    ili_out_key(&members, "cycle");
    write_cycle(&members, request->server, last, &last->cycles[0]);
    ili_reply_problem_with(request, IL_EDEADLK, ili_deadlock_text(), false, &members);
}

void ili_deadlocks_get(struct ili_request *request) {
    struct ili_server *server = request->server;
    struct ili_deadlocks d;
    struct ili_out out = {0};
    il_status status = ili_deadlock_list(ili_server_member(server), &d);
    if (status != IL_OK) {
        ili_reply_problem(request, status, "the server has no memory for the list");
        return;
    }
    ili_out_open(&out, '{');
    ili_out_key(&out, "deadlocks");
    ili_out_open(&out, '[');
    for (uint32_t i = 0; i < d.cycle_count; i++) {
        ili_out_open(&out, '{');
        ili_out_key(&out, "cycle");
        write_cycle(&out, server, &d, &d.cycles[i]);
        ili_write_since(&out, d.cycles[i].since_ns);
        ili_out_close(&out, '}');
    }
    ili_out_close(&out, ']');
    ili_out_key(&out, "graph");
    ili_out_open(&out, '[');
    for (uint32_t i = 0; i < d.wait_count; i++) write_wait(&out, server, &d, &d.waits[i], true);
    ili_out_close(&out, ']');
    ili_out_close(&out, '}');
    ili_deadlocks_free(&d);
    ili_reply(request, 200, &out);
}
