/*
 * wait_any.c - see wait_any.h.
 *
 * An agent stands in the queue of each, as a proxy of the agent that the request is parked with: the
 * doorbell rings for that one. What more than one granted is given back.
 */
#include "server/wait_any.h"

#include <stdlib.h>

#include "arena/lease.h"
#include "base/clock.h"
#include "server/deadlocks.h"
#include "server/params.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/targets.h"

struct waiting_any {
    struct ili_work work;
    struct ili_targets targets;
    struct ili_deadlock_watch watch;
    int64_t lease_ns;
    struct ili_agent *proxies[ILI_TARGETS_MOST]; /* as far as they were made */
    bool queued[ILI_TARGETS_MOST];
    size_t winner; /* that was granted; targets.count: none */
};

static bool is_granted(il_status status) { return status == IL_OK || status == IL_EOWNERDEAD; }

/* Takes all but the winner out of their queues. One that was granted meanwhile becomes the winner, if there
 * is none, or is given back. False: some could not leave. */
static bool leave_all(struct ili_request *request) {
    struct waiting_any *w = (struct waiting_any *)request->work;
    bool left = true;
    for (size_t i = 0; i < w->targets.count; i++) {
        struct ili_named_target *t = &w->targets.at[i];
        if (!w->queued[i]) continue;
        il_status status =
            ili_target_withdraw(ili_server_member(request->server), &t->target, w->proxies[i]);
        if (status == IL_EBUSY) {
            left = false;
            continue;
        }
        w->queued[i] = false;
        if (!is_granted(status)) continue;
        if (w->winner == w->targets.count) {
            w->winner = i;
        } else {
            ili_target_refuse(request, t);
        }
    }
    return left;
}

static void free_waiting(struct ili_request *request) {
    struct waiting_any *w = (struct waiting_any *)request->work;
    struct ili_server *server = request->server;
    ili_deadlock_unwatch(server, &w->watch);
    for (size_t i = 0; i < w->targets.count; i++) {
        if (w->proxies[i]) ili_agent_release(ili_server_member(server), w->proxies[i]);
    }
    ili_targets_drop(server, &w->targets);
    request->work = NULL;
    free(w);
}

static void undo_wait(struct ili_request *request) {
    struct waiting_any *w = (struct waiting_any *)request->work;
    if (w->winner < w->targets.count) ili_claim_undo(request, &w->targets.at[w->winner].claim);
}

/* The winner is out of its queue, and all others are. */
static void answer(struct ili_request *request) {
    struct waiting_any *w = (struct waiting_any *)request->work;
    struct ili_named_target *t = &w->targets.at[w->winner];
    struct ili_out out = {0};
    il_status status = IL_OK;
    ili_deadlock_unwatch(request->server, &w->watch);
    if (t->claim.of) {
        status =
            ili_claim_granted(request, &t->claim, t->target.token, t->target.status, w->lease_ns);
    }
    if (status != IL_OK) {
        ili_targets_problem(request, &w->targets, w->winner, status);
        return;
    }
    if (t->claim.of) w->work.undo = undo_wait;
    ili_out_open(&out, '{');
    ili_out_key(&out, "index");
    ili_out_number(&out, w->winner);
    ili_target_write(&out, t);
    if (t->claim.of) ili_claim_write(&out, request, &t->claim);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

/* The wait is to end for WHY, which is about the target INDEX. False: some waiters could not leave yet. */
static bool finish(struct ili_request *request, size_t index, il_status why) {
    struct waiting_any *w = (struct waiting_any *)request->work;
    if (!leave_all(request)) return false;
    ili_deadlock_unwatch(request->server, &w->watch);
    if (w->winner < w->targets.count && (why == IL_OK || why == IL_ETIMEOUT)) {
        answer(request);
        return true;
    }
    if (w->winner < w->targets.count) ili_target_refuse(request, &w->targets.at[w->winner]);
    w->winner = w->targets.count;
    if (why == IL_EDEADLK) {
        ili_deadlock_reply(request);
    } else if (why == IL_ETIMEOUT) {
        ili_reply_problem(request, why, "none of them could be had in time");
    } else if (why != IL_EGONE) {
        ili_targets_problem(request, &w->targets, index, why);
    }
    return true;
}

static bool end_wait(struct ili_request *request, il_status why) { return finish(request, 0, why); }

static void rung(struct ili_request *request) {
    struct waiting_any *w = (struct waiting_any *)request->work;
    struct ili_member *member = ili_server_member(request->server);
    il_status status = IL_ETIMEOUT;
    size_t i = 0;
    for (; i < w->targets.count; i++) {
        if (!w->queued[i]) continue;
        status = ili_target_poll(member, &w->targets.at[i].target, w->proxies[i]);
        if (status == IL_ETIMEOUT || status == IL_EBUSY) continue;
        w->queued[i] = false;
        break;
    }
    if (i == w->targets.count) {
        if (ili_deadlock_found(request)) ili_park_leave(request, IL_EDEADLK);
        return;
    }
    if (is_granted(status)) w->winner = i;
    /* should some not be able to leave: the park's end tries again, and answers with the winner */
    il_status why = is_granted(status) ? IL_OK : status;
    if (!finish(request, i, why)) ili_park_leave(request, why == IL_OK ? IL_ETIMEOUT : why);
}

static const struct ili_wait waiting = {.rung = rung, .end = end_wait};

static il_status make_proxies(struct ili_request *request) {
    struct waiting_any *w = (struct waiting_any *)request->work;
    struct ili_member *member = ili_server_member(request->server);
    uint32_t hub = ili_agent_number(&member->arena, request->waiter);
    for (size_t i = 0; i < w->targets.count; i++) {
        il_status status = ili_agent_claim_for(
            member, member->slot, ILI_AGENT_BELL | ILI_AGENT_PROXY, NULL, &w->proxies[i]);
        if (status != IL_OK) return status;
        atomic_store_explicit(&w->proxies[i]->hub, hub, memory_order_relaxed);
    }
    return IL_OK;
}

static void wait_for_one(struct ili_request *request, int64_t deadline_ns) {
    struct waiting_any *w = (struct waiting_any *)request->work;
    struct ili_member *member = ili_server_member(request->server);
    il_status status = ili_park(request, &waiting, deadline_ns);
    if (status == IL_OK) {
        ili_request_drop_body(request);
        status = make_proxies(request);
    }
    if (status != IL_OK) {
        ili_reply_problem(request, status, "too many wait at once");
        return;
    }
    for (size_t i = 0; i < w->targets.count; i++) {
        status = ili_target_enqueue(member, &w->targets.at[i].target, w->proxies[i],
                                    request->owner->number);
        w->queued[i] = status == IL_ETIMEOUT;
        if (w->queued[i]) continue;
        if (is_granted(status)) w->winner = i;
        il_status why = is_granted(status) ? IL_OK : status;
        if (!finish(request, i, why)) ili_park_leave(request, why == IL_OK ? IL_ETIMEOUT : why);
        return;
    }
    ili_deadlock_watch_wait(request, &w->watch);
}

static bool read_body(struct ili_request *request, struct waiting_any *w, struct ili_who *who,
                      int64_t *timeout_ns) {
    struct ili_value targets = {0};
    struct ili_fault fault;
    const struct ili_param params[] = {
        {"targets", ILI_PARAM_IS_VALUE, &targets, 0, 0, true},
        ILI_PARAM_SECONDS("timeout", timeout_ns, 0, *timeout_ns),
        ILI_PARAM_SECONDS("lease", &w->lease_ns, ILI_LEASE_LEAST_NS, ILI_LEASE_MOST_NS),
        ILI_WHO_PARAMS(who),
    };
    il_status status = ili_params_read(request->body, request->body_bytes, params, 5, &fault);
    if (status == IL_OK) {
        status = ili_targets_read(&targets, "targets", true, &w->targets, &fault);
    }
    json_decref(targets.json);
    if (status != IL_OK) ili_reply_fault(request, &fault);
    return status == IL_OK;
}

void ili_wait_any(struct ili_request *request) {
    int64_t timeout_ns = request->server->config.long_poll_ns;
    struct ili_who who = {0};
    struct waiting_any *w = calloc(1, sizeof *w);
    if (!w) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the request");
        return;
    }
    w->work.free = free_waiting;
    request->work = &w->work;
    if (!read_body(request, w, &who, &timeout_ns) || !ili_who_begin(request, &who)) return;
    w->winner = w->targets.count;
    for (size_t i = 0; i < w->targets.count; i++) {
        const struct ili_grantable *of = w->targets.at[i].claim.of;
        if (!of || !of->by_owner || ili_who_be_one(request)) continue;
        ili_reply_problem(request, IL_ELIMIT, "there are too many owners");
        return;
    }
    if (!ili_targets_open(request, &w->targets)) return;
    for (size_t i = 0; i < w->targets.count; i++) {
        il_status status = ili_target_try(ili_server_member(request->server),
                                          &w->targets.at[i].target, request->owner->number);
        if (status == IL_ETIMEOUT) continue;
        if (is_granted(status)) w->winner = i;
        (void)finish(request, i, is_granted(status) ? IL_OK : status);
        return;
    }
    if (timeout_ns == 0) {
        (void)finish(request, 0, IL_ETIMEOUT);
    } else {
        wait_for_one(request, ili_now_ns() + timeout_ns);
    }
}
