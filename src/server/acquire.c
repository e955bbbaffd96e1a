#include "server/acquire.h"

#include <stdlib.h>
#include <string.h>

#include "arena/lease.h"
#include "base/clock.h"
#include "server/conditions.h"
#include "server/deadlocks.h"
#include "server/granting.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/reply.h"
#include "server/rwmode.h"
#include "server/server.h"

struct acquisition {
    struct ili_work work;
    struct ili_claim claim;
    struct ili_deadlock_watch watch; /* while it waits */
    int64_t lease_ns;                /* as asked for; 0: not */
};

static void free_acquisition(struct ili_request *request) {
    struct acquisition *a = (struct acquisition *)request->work;
    ili_deadlock_unwatch(request->server, &a->watch);
    ili_claim_drop(request->server, &a->claim);
    request->work = NULL;
    free(a);
}

/* The answer with the grant was lost: it goes to the next one, now. */
static void undo_acquire(struct ili_request *request) {
    ili_claim_undo(request, &((struct acquisition *)request->work)->claim);
}

static void answer(struct ili_request *request, il_status status, uint64_t token) {
    struct acquisition *a = (struct acquisition *)request->work;
    struct ili_out out = {0};
    ili_deadlock_unwatch(request->server, &a->watch);
    if (status == IL_OK || status == IL_EOWNERDEAD) {
        status = ili_claim_granted(request, &a->claim, token, status, a->lease_ns);
    }
    if (status != IL_OK) {
        ili_reply_problem(request, status, NULL);
        return;
    }
    a->work.undo = undo_acquire;
    ili_out_open(&out, '{');
    ili_out_key(&out, "name");
    ili_out_text(&out, request->name, request->name_bytes);
    ili_claim_write(&out, request, &a->claim);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

static void rung(struct ili_request *request) {
    struct acquisition *a = (struct acquisition *)request->work;
    uint64_t token = 0;
    il_status status = a->claim.of->poll(request->waiter, &token);
    if (status != IL_ETIMEOUT) {
        answer(request, status, token);
    } else if (ili_deadlock_found(request)) {
        ili_park_leave(request, IL_EDEADLK);
    }
}

static bool end_wait(struct ili_request *request, il_status why) {
    struct acquisition *a = (struct acquisition *)request->work;
    uint64_t token = 0;
    il_status status = a->claim.of->withdraw(ili_server_member(request->server), a->claim.object,
                                             request->waiter, &token);
    bool got = status == IL_OK || status == IL_EOWNERDEAD;
    if (status == IL_EBUSY) return false;
    if (got && (why == IL_ETIMEOUT || why == IL_EDEADLK)) {
        answer(request, status, token); /* in the last moment */
        return true;
    }
    ili_deadlock_unwatch(request->server, &a->watch);
    a->claim.owner_died = status == IL_EOWNERDEAD;
    if (got) ili_claim_refuse(request, &a->claim, token);
    if (status != IL_ETIMEOUT && !got) why = why == IL_EGONE ? why : status;
    if (why == IL_EDEADLK) {
        ili_deadlock_reply(request);
    } else if (why != IL_EGONE) {
        ili_reply_problem(request, why, NULL);
    }
    return true;
}

static const struct ili_wait waiting = {.rung = rung, .end = end_wait};

static void wait_for_it(struct ili_request *request, int64_t deadline_ns) {
    struct acquisition *a = (struct acquisition *)request->work;
    struct ili_claim *c = &a->claim;
    uint64_t token = 0;
    /* parked first: what may fail then fails before it stands in the queue */
    il_status status = ili_park(request, &waiting, deadline_ns);
    if (status == IL_OK) {
        ili_request_drop_body(request);
        status = c->of->enqueue(ili_server_member(request->server), c->object, request->waiter,
                                request->owner->number, &c->ask, &token);
    }
    if (status != IL_ETIMEOUT) {
        answer(request, status, token);
    } else {
        ili_deadlock_watch_wait(request, &a->watch);
    }
}

/* Reads the body into A, WHO and TIMEOUT_NS. */
static bool read_body(struct ili_request *request, struct acquisition *a, struct ili_who *who,
                      int64_t *timeout_ns) {
    const struct ili_config *config = &request->server->config;
    uint64_t count = 1;
    struct ili_mode_text mode = {"exclusive"};
    struct ili_param params[6] = {
        ILI_PARAM_SECONDS("timeout", timeout_ns, 0, config->long_poll_ns),
        ILI_PARAM_SECONDS("lease", &a->lease_ns, ILI_LEASE_LEAST_NS, ILI_LEASE_MOST_NS),
        ILI_WHO_PARAMS(who),
    };
    uint32_t kind = a->claim.of ? a->claim.of->kind->number : 0;
    size_t fields = 4;
    if (kind == ILI_KIND_SEMAPHORE) {
        params[fields++] = (struct ili_param)ILI_PARAM_COUNT("count", &count, 1, IL_SEMAPHORE_MAX);
    }
    if (kind == ILI_KIND_RWLOCK) params[fields++] = (struct ili_param)ILI_MODE_PARAM(&mode);
    if (!ili_request_read(request, params, fields)) return false;
    a->claim.ask.count = (uint32_t)count;
    return ili_mode_read(request, &mode, &a->claim.ask.mode);
}

/* Pins what the request names: for a condition, its lock. False: it was answered. */
static bool pin(struct ili_request *request, struct ili_claim *claim) {
    struct ili_bound bound = {NULL, NULL};
    if (claim->of) {
        claim->object = ili_pin_named(request, claim->of->kind, NULL, 0, NULL);
    } else if (ili_bound_pin(request, 0, &bound)) {
        claim->of = ili_grantable_of(bound.lock->object.kind);
        claim->object = bound.lock;
        ili_unpin(request->server, bound.condition);
    }
    if (!claim->object) return false;
    claim->at = ili_off_of(&ili_server_member(request->server)->arena, claim->object);
    return true;
}

/* Permits that are signals are nobody's, so nothing of them can end. */
static bool may_be_leased(struct ili_request *request, const struct acquisition *a) {
    struct ili_fault fault;
    if (a->lease_ns == 0 || !ili_claim_is_signal(&a->claim)) return true;
    (void)ili_fault_set(&fault, IL_EINVAL, "lease", "no lease",
                        "lease: nothing is held of a semaphore of signals");
    ili_reply_fault(request, &fault);
    return false;
}

void ili_acquire(struct ili_request *request) {
    int64_t timeout_ns = request->server->config.long_poll_ns;
    struct ili_who who = {0};
    struct acquisition *a = calloc(1, sizeof *a);
    if (!a) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the request");
        return;
    }
    a->work.free = free_acquisition;
    a->claim.of = ili_grantable_named(request->route->collection);
    request->work = &a->work;
    if (!read_body(request, a, &who, &timeout_ns) || !ili_who_begin(request, &who)) return;
    if (!pin(request, &a->claim) || !may_be_leased(request, a)) return;
    il_status status = ili_claim_try(request, &a->claim);
    if (status == IL_ETIMEOUT && timeout_ns > 0) {
        wait_for_it(request, ili_now_ns() + timeout_ns);
    } else {
        answer(request, status, a->claim.token);
    }
}
