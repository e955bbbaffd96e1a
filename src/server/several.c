/*
 * several.c - see several.h.
 *
 * Locks are handed to those who wait for them, so requests that each get one and give it back to wait for
 * another could pass them round for ever. So whoever was granted what it waited for, and could not have the
 * rest, PATIENT times, stays out of all queues for a random while before it tries again: the more often, the
 * longer. Meanwhile what it wants can become free.
 */
#include "server/several.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena/lease.h"
#include "base/clock.h"
#include "base/text.h"
#include "server/deadlocks.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/targets.h"

#define PATIENT 4
#define PAUSE_DOUBLED_MOST 6

struct acquisition {
    struct ili_work work;
    struct ili_targets targets;
    struct ili_deadlock_watch watch;
    size_t waits_for;       /* the target in whose queue it stands */
    struct ili_timer pause; /* set: it stands in none */
    struct ili_request *request;
    unsigned failures; /* how often what it was granted was not enough */
    int64_t lease_ns, deadline_ns;
};

static void free_acquisition(struct ili_request *request) {
    struct acquisition *a = (struct acquisition *)request->work;
    ili_deadlock_unwatch(request->server, &a->watch);
    ili_timers_clear(&request->server->timers, &a->pause);
    ili_targets_drop(request->server, &a->targets);
    request->work = NULL;
    free(a);
}

/* The answer was lost: all of them go to the next ones. */
static void undo_acquire(struct ili_request *request) {
    struct acquisition *a = (struct acquisition *)request->work;
    for (size_t i = 0; i < a->targets.count; i++) {
        ili_claim_undo(request, &a->targets.at[i].claim);
    }
}

/* All were granted. */
static void answer(struct ili_request *request) {
    struct acquisition *a = (struct acquisition *)request->work;
    struct ili_targets *all = &a->targets;
    struct ili_out out = {0};
    il_status status = IL_OK;
    size_t failed = 0;
    ili_deadlock_unwatch(request->server, &a->watch);
    for (size_t i = 0; i < all->count; i++) {
        struct ili_named_target *t = &all->at[i];
        if (status != IL_OK) {
            ili_target_refuse(request, t);
            continue;
        }
        status =
            ili_claim_granted(request, &t->claim, t->target.token, t->target.status, a->lease_ns);
        failed = i;
    }
    if (status != IL_OK) {
        undo_acquire(request);
        ili_targets_problem(request, all, failed, status);
        return;
    }
    a->work.undo = undo_acquire;
    ili_out_open(&out, '{');
    ili_out_key(&out, "grants");
    ili_out_open(&out, '[');
    for (size_t i = 0; i < all->count; i++) {
        ili_out_open(&out, '{');
        ili_target_write(&out, &all->at[i]);
        ili_claim_write(&out, request, &all->at[i].claim);
        ili_out_close(&out, '}');
    }
    ili_out_close(&out, ']');
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

static bool is_granted(il_status status) { return status == IL_OK || status == IL_EOWNERDEAD; }

/* Tries to have all, HELD (its count: none) being held already. IL_OK; else nothing is held, and *STUCK is
 * the one that could not be had. */
static il_status try_all(struct ili_request *request, size_t held, size_t *stuck) {
    struct acquisition *a = (struct acquisition *)request->work;
    struct ili_member *member = ili_server_member(request->server);
    for (size_t i = 0; i < a->targets.count; i++) {
        if (i == held) continue;
        il_status status = ili_target_try(member, &a->targets.at[i].target, request->owner->number);
        if (is_granted(status)) continue;
        for (size_t k = 0; k < a->targets.count; k++) {
            if (k == held || k < i) ili_target_refuse(request, &a->targets.at[k]);
        }
        *stuck = i;
        return status;
    }
    return IL_OK;
}

static const struct ili_wait waiting;

/* Waits for the target INDEX alone. IL_OK, IL_EOWNERDEAD: it was granted at once; IL_ETIMEOUT: it waits. */
static il_status wait_for(struct ili_request *request, size_t index) {
    struct acquisition *a = (struct acquisition *)request->work;
    il_status status = request->wait ? IL_OK : ili_park(request, &waiting, a->deadline_ns);
    if (status != IL_OK) return status;
    ili_request_drop_body(request);
    a->waits_for = index;
    return ili_target_enqueue(ili_server_member(request->server), &a->targets.at[index].target,
                              request->waiter, request->owner->number);
}

static void proceed(struct ili_request *request, size_t held);

static void pause_over(struct ili_timer *timer, void *context) {
    struct acquisition *a =
        (struct acquisition *)((char *)timer - offsetof(struct acquisition, pause));
    (void)context;
    proceed(a->request, a->targets.count);
}

/* Stays out of all queues for a while. */
static void pause_for_others(struct ili_request *request) {
    static uint64_t random = 1; /* any numbers that differ will do */
    struct acquisition *a = (struct acquisition *)request->work;
    unsigned doubled = a->failures - PATIENT;
    if (doubled > PAUSE_DOUBLED_MOST) doubled = PAUSE_DOUBLED_MOST;
    random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    int64_t pause_ns = (int64_t)((random >> 44) + 1) << doubled; /* up to 1 ms, doubled */
    a->pause.fire = pause_over;
    a->request = request;
    if (!ili_timers_set(&request->server->timers, &a->pause, ili_now_ns() + pause_ns)) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the request");
    }
}

/* Goes on until it waits or was answered. HELD as above. */
static void proceed(struct ili_request *request, size_t held) {
    struct acquisition *a = (struct acquisition *)request->work;
    size_t stuck = 0;
    il_status status;
    for (;;) {
        status = try_all(request, held, &stuck);
        if (status != IL_ETIMEOUT || a->deadline_ns == 0) break;
        if (held < a->targets.count && ++a->failures >= PATIENT) {
            pause_for_others(request);
            return;
        }
        held = stuck;
        status = wait_for(request, stuck);
        if (status == IL_ETIMEOUT) {
            ili_deadlock_watch_wait(request, &a->watch);
            return;
        }
        if (!is_granted(status)) break;
    }
    if (status == IL_OK) {
        answer(request);
    } else {
        ili_targets_problem(request, &a->targets, stuck, status);
    }
}

static void rung(struct ili_request *request) {
    struct acquisition *a = (struct acquisition *)request->work;
    if (a->pause.place) return; /* late, for a wait that is over */
    struct ili_named_target *t = &a->targets.at[a->waits_for];
    il_status status =
        ili_target_poll(ili_server_member(request->server), &t->target, request->waiter);
    if (is_granted(status)) {
        ili_deadlock_unwatch(request->server, &a->watch);
        proceed(request, a->waits_for);
    } else if (status != IL_ETIMEOUT && status != IL_EBUSY) {
        ili_targets_problem(request, &a->targets, a->waits_for, status);
    } else if (ili_deadlock_found(request)) {
        ili_park_leave(request, IL_EDEADLK);
    }
}

static bool end_wait(struct ili_request *request, il_status why) {
    struct acquisition *a = (struct acquisition *)request->work;
    struct ili_named_target *t = &a->targets.at[a->waits_for];
    size_t stuck = a->waits_for;
    il_status status = IL_ETIMEOUT;
    if (!a->pause.place) {
        status =
            ili_target_withdraw(ili_server_member(request->server), &t->target, request->waiter);
    }
    if (status == IL_EBUSY) return false;
    ili_timers_clear(&request->server->timers, &a->pause);
    ili_deadlock_unwatch(request->server, &a->watch);
    if (is_granted(status) && why == IL_ETIMEOUT &&
        try_all(request, a->waits_for, &stuck) == IL_OK) {
        answer(request); /* in the last moment */
        return true;
    }
    if (is_granted(status) && t->target.token != 0) ili_target_refuse(request, t);
    if (!is_granted(status) && status != IL_ETIMEOUT && why != IL_EGONE) why = status;
    if (why == IL_EDEADLK) {
        ili_deadlock_reply(request);
    } else if (why != IL_EGONE) {
        ili_targets_problem(request, &a->targets, stuck, why);
    }
    return true;
}

static const struct ili_wait waiting = {.rung = rung, .end = end_wait};

static bool read_body(struct ili_request *request, struct acquisition *a, struct ili_who *who) {
    int64_t timeout_ns = request->server->config.long_poll_ns;
    struct ili_value targets = {0};
    struct ili_fault fault;
    const struct ili_param params[] = {
        {"targets", ILI_PARAM_IS_VALUE, &targets, 0, 0, true},
        ILI_PARAM_SECONDS("timeout", &timeout_ns, 0, timeout_ns),
        ILI_PARAM_SECONDS("lease", &a->lease_ns, ILI_LEASE_LEAST_NS, ILI_LEASE_MOST_NS),
        ILI_WHO_PARAMS(who),
    };
    il_status status = ili_params_read(request->body, request->body_bytes, params, 5, &fault);
    if (status == IL_OK) {
        status = ili_targets_read(&targets, "targets", false, &a->targets, &fault);
    }
    json_decref(targets.json);
    if (status != IL_OK) ili_reply_fault(request, &fault);
    a->deadline_ns = timeout_ns > 0 ? ili_now_ns() + timeout_ns : 0;
    return status == IL_OK;
}

void ili_several_acquire(struct ili_request *request) {
    struct ili_who who = {0};
    struct acquisition *a = calloc(1, sizeof *a);
    if (!a) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the request");
        return;
    }
    a->work.free = free_acquisition;
    request->work = &a->work;
    if (!read_body(request, a, &who) || !ili_who_begin(request, &who)) return;
    for (size_t i = 0; i < a->targets.count; i++) {
        if (!a->targets.at[i].claim.of->by_owner || ili_who_be_one(request)) continue;
        ili_reply_problem(request, IL_ELIMIT, "there are too many owners");
        return;
    }
    if (ili_targets_open(request, &a->targets)) proceed(request, a->targets.count);
}

/* ---- release -------------------------------------------------------------------------------------- */

/* One of the grants of a release. */
struct returned {
    const struct ili_grantable *of;
    uint64_t token;
    uint32_t count;
    size_t name_bytes;
    char name[IL_NAME_MAX_BYTES];
};

static il_status wrong(struct ili_fault *fault, size_t index, const char *member,
                       const char *expected) {
    char where[sizeof fault->field];
    snprintf(where, sizeof where, "grants[%zu].%.30s", index, member);
    return ili_fault_expected(fault, where, expected);
}

static il_status read_returned(const struct ili_value *value, size_t index, struct returned *r,
                               struct ili_fault *fault) {
    char kind[16] = "", name[IL_NAME_MAX_BYTES + 1] = "";
    uint64_t count = 1;
    struct ili_fault own;
    const struct ili_param params[] = {
        {"kind", ILI_PARAM_IS_TEXT, kind, 0, (int64_t)sizeof kind - 1, true},
        ILI_PARAM_NAME("name", name),
        {"token", ILI_PARAM_IS_TOKEN, &r->token, 0, 0, false},
        ILI_PARAM_COUNT("count", &count, 1, IL_SEMAPHORE_MAX),
    };
    if (!json_is_object(value->json) || ili_params_read_value(value, params, 4, &own) != IL_OK) {
        const char *field = json_is_object(value->json) && own.field[0] ? own.field : "kind";
        return wrong(fault, index, field, json_is_object(value->json) ? own.expected : "an object");
    }
    r->of = ili_grantable_word(kind);
    if (!r->of) return wrong(fault, index, "kind", "lock, rlock, rwlock or semaphore");
    if (!name[0]) return wrong(fault, index, "name", "to be given");
    bool semaphore = r->of->kind->number == ILI_KIND_SEMAPHORE;
    if (r->token == 0 && !semaphore) return wrong(fault, index, "token", "to be given");
    if (count != 1 && !semaphore) {
        return wrong(fault, index, "count", "to be given for a semaphore only");
    }
    r->count = (uint32_t)count;
    r->name_bytes = strlen(name);
    memcpy(r->name, name, r->name_bytes);
    return IL_OK;
}

/* Gives back one. On failure FAULT says why. */
static il_status give_back(struct ili_request *request, const struct returned *r,
                           struct ili_fault *fault) {
    void *object = NULL;
    uint32_t left;
    il_status status = ili_pin_name(request->server, r->of->kind, r->name, r->name_bytes, NULL,
                                    ILI_OPEN_EXISTING, NULL, &object);
    if (status == IL_OK) {
        status = ili_grant_give_back(request, r->of, object, r->token, r->count, &left);
    }
    if (status != IL_OK) {
        ili_grant_explain(request->server, r->of, object, r->name, (int)r->name_bytes, r->token,
                          status, fault);
    }
    if (object) ili_unpin(request->server, object);
    return status;
}

static void give_back_all(struct ili_request *request, const struct returned *all, size_t count) {
    struct ili_fault first = {0}, fault;
    uint64_t released = 0;
    struct ili_out out = {0};
    for (size_t i = 0; i < count; i++) {
        il_status status = give_back(request, &all[i], &fault);
        if (status == IL_OK) released++;
        if (status != IL_OK && first.status == IL_OK) first = fault;
    }
    if (first.status != IL_OK) {
        ili_reply_problem_done(request, first.status, first.detail, "released", released);
        return;
    }
    ili_out_open(&out, '{');
    ili_out_key(&out, "released");
    ili_out_number(&out, released);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

void ili_several_release(struct ili_request *request) {
    struct ili_value grants = {0}, one;
    struct ili_value_walk walk = {0};
    struct ili_who who = {0};
    struct ili_fault fault;
    const struct ili_param params[] = {
        {"grants", ILI_PARAM_IS_VALUE, &grants, 0, 0, true},
        ILI_WHO_PARAMS(&who),
    };
    il_status status = ili_params_read(request->body, request->body_bytes, params, 3, &fault);
    size_t count = status == IL_OK ? json_array_size(grants.json) : 0, read = 0;
    struct returned *all = calloc(count ? count : 1, sizeof *all);
    if (status == IL_OK && (count < 1 || count > ILI_TARGETS_MOST)) {
        status = ili_fault_expected(&fault, "grants", "an array of 1 to 64 objects");
    } else if (!all) {
        status = ili_fault_set(&fault, IL_ENOMEM, NULL, NULL,
                               "the server has no memory for the request");
    }
    while (status == IL_OK && all && read < count && ili_value_next(&grants, &walk, &one)) {
        status = read_returned(&one, read, &all[read], &fault);
        read++;
    }
    json_decref(grants.json);
    if (status != IL_OK) {
        ili_reply_fault(request, &fault);
    } else if (ili_who_begin(request, &who)) {
        give_back_all(request, all, count);
    }
    free(all);
}
