#include "server/condition_wait.h"

#include <stdlib.h>

#include "arena/lease.h"
#include "base/clock.h"
#include "server/conditions.h"
#include "server/granting.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/reply.h"
#include "server/server.h"

struct waiting {
    struct ili_work work;
    struct ili_condition *condition; /* pinned */
    struct ili_lock *lock;           /* of `claim`; what is after it is the claim's business */
    struct ili_claim claim;          /* the lock, which is to be had again */
    uint32_t depth;                  /* how often an rlock was acquired before */
    int64_t lease_ns;                /* as asked for; 0: not */
    il_status waited;                /* how the wait ended: IL_OK, IL_ETIMEOUT */
    int64_t patience_ms;             /* how long it was to be at most */
};

static void free_waiting(struct ili_request *request) {
    struct waiting *w = (struct waiting *)request->work;
    if (w->condition) ili_unpin(request->server, w->condition);
    ili_claim_drop(request->server, &w->claim);
    request->work = NULL;
    free(w);
}

/* The answer with the grant was lost: the lock goes to the next one. */
static void undo_waiting(struct ili_request *request) {
    struct waiting *w = (struct waiting *)request->work;
    struct ili_member *member = ili_server_member(request->server);
    if (!request->owner || !request->owner->holder) return; /* its session has ended */
    for (; w->depth > 1; w->depth--) {
        (void)ili_rlock_release(member, (struct ili_rlock *)w->lock, request->owner->number,
                                w->claim.token, NULL);
    }
    ili_claim_undo(request, &w->claim);
}

/* ---- the lock again ------------------------------------------------------------------------------- */

static void write_grant(struct ili_out *out, struct ili_request *request) {
    ili_claim_write(out, request, &((struct waiting *)request->work)->claim);
}

/* The wait's time was up, and the lock is held again. */
static void answer_timeout(struct ili_request *request) {
    struct ili_out members = {0};
    write_grant(&members, request);
    /* what it says is about the condition */
    request->patience_ms = ((struct waiting *)request->work)->patience_ms;
    ili_reply_problem_with(request, IL_ETIMEOUT, NULL, true, &members);
}

static void answer(struct ili_request *request, il_status status, uint64_t token) {
    struct waiting *w = (struct waiting *)request->work;
    struct ili_out out = {0};
    if (status == IL_OK || status == IL_EOWNERDEAD) {
        status = ili_claim_granted(request, &w->claim, token, status, w->lease_ns);
    }
    if (status != IL_OK) {
        ili_reply_problem(request, status, NULL);
        return;
    }
    if (w->depth > 1) ili_rlock_deepen((struct ili_rlock *)w->lock, token, w->depth);
    w->work.undo = undo_waiting;
    if (w->waited == IL_ETIMEOUT) {
        answer_timeout(request);
        return;
    }
    ili_out_open(&out, '{');
    ili_out_key(&out, "name");
    ili_out_text(&out, request->name, request->name_bytes);
    write_grant(&out, request);
    ili_out_key(&out, "notified");
    ili_out_bool(&out, true);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

static void lock_rung(struct ili_request *request) {
    uint64_t token = 0;
    il_status status = ili_lock_poll(request->waiter, &token);
    if (status != IL_ETIMEOUT) answer(request, status, token);
}

/* Never for want of time: then it would have to hold the lock. */
static bool end_lock(struct ili_request *request, il_status why) {
    struct waiting *w = (struct waiting *)request->work;
    struct ili_member *member = ili_server_member(request->server);
    uint64_t token = 0;
    il_status status = ili_lock_withdraw(member, w->lock, request->waiter, &token);
    if (status == IL_EBUSY) return false;
    if (status == IL_OK || status == IL_EOWNERDEAD) ili_claim_refuse(request, &w->claim, token);
    if (why != IL_EGONE) ili_reply_problem(request, status == IL_EDELETED ? status : why, NULL);
    return true;
}

static const struct ili_wait for_lock = {.rung = lock_rung, .end = end_lock};

/* The wait for the condition has ended: takes the lock, however long that takes. If the owner has it
 * meanwhile by another request, that grant has to end first: this one is deepened to what it was. */
static void take_again(struct ili_request *request, il_status waited) {
    struct waiting *w = (struct waiting *)request->work;
    uint64_t token = 0;
    w->waited = waited;
    w->patience_ms = request->patience_ms;
    il_status status = ili_park(request, &for_lock, ILI_NEVER);
    if (status == IL_OK) {
        status = ili_lock_enqueue(ili_server_member(request->server), w->lock, request->waiter,
                                  request->owner->number, &token);
    }
    if (status != IL_ETIMEOUT) answer(request, status, token);
}

/* ---- the condition -------------------------------------------------------------------------------- */

static void condition_rung(struct ili_request *request) {
    il_status status = ili_waiting_poll(request->waiter, NULL);
    if (status == IL_OK) {
        take_again(request, status);
    } else if (status != IL_ETIMEOUT) {
        ili_reply_problem(request, status, NULL);
    }
}

static bool end_wait(struct ili_request *request, il_status why) {
    const struct waiting *w = (struct waiting *)request->work;
    struct ili_member *member = ili_server_member(request->server);
    il_status status = ili_condition_withdraw(member, w->condition, request->waiter);
    if (status == IL_EBUSY) return false;
    if (why == IL_ETIMEOUT && (status == IL_OK || status == IL_ETIMEOUT)) {
        take_again(request, status);
    } else if (why != IL_EGONE) {
        ili_reply_problem(request, status == IL_EDELETED ? status : why, NULL);
    }
    return true;
}

static const struct ili_wait for_notify = {.rung = condition_rung, .end = end_wait};

/* Gives the lock up, which is held by TOKEN, and waits. */
static void begin(struct ili_request *request, uint64_t token, int64_t deadline_ns) {
    struct waiting *w = (struct waiting *)request->work;
    struct ili_server *server = request->server;
    /* parked first: what may fail then fails before the lock is given up */
    il_status status = ili_park(request, &for_notify, deadline_ns);
    if (status == IL_OK) {
        ili_request_drop_body(request);
        status = ili_condition_enqueue(ili_server_member(server), w->condition, w->lock,
                                       request->waiter, request->owner->number, token, &w->depth);
    }
    if (status == IL_ETIMEOUT) {
        ili_stake_less(server, request->owner->holder, w->claim.at, false);
    } else {
        ili_bound_refuse(request, &(struct ili_bound){w->condition, w->lock}, token, status);
    }
}

void ili_conditions_wait(struct ili_request *request) {
    const struct ili_config *config = &request->server->config;
    int64_t timeout_ns = config->long_poll_ns;
    uint64_t token = 0;
    struct ili_who who = {0};
    struct ili_bound bound;
    struct waiting *w = calloc(1, sizeof *w);
    if (!w) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the request");
        return;
    }
    w->work.free = free_waiting;
    request->work = &w->work;
    const struct ili_param params[] = {
        ILI_PARAM_TOKEN("token", &token),
        ILI_PARAM_SECONDS("timeout", &timeout_ns, 0, config->long_poll_ns),
        ILI_PARAM_SECONDS("lease", &w->lease_ns, ILI_LEASE_LEAST_NS, ILI_LEASE_MOST_NS),
        ILI_WHO_PARAMS(&who),
    };
    if (!ili_request_read(request, params, 5) || !ili_who_begin(request, &who)) return;
    if (!ili_bound_pin(request, ILI_OPEN_EXISTING, &bound)) return;
    w->condition = bound.condition;
    w->lock = bound.lock;
    w->claim.of = ili_grantable_of(bound.lock->object.kind);
    w->claim.object = bound.lock;
    w->claim.at = ili_off_of(&ili_server_member(request->server)->arena, bound.lock);
    w->claim.ask.count = 1;
    if (!ili_bound_hold(request, &bound, token)) return;
    begin(request, token, ili_now_ns() + timeout_ns);
}
