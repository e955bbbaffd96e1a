/*
 * condition.c - a condition and the lock it is bound to, one step after the other.
 *
 * A wait is two steps, three if it is given up: it gives the lock up and stands among the waiters; it
 * leaves them without having been notified; it has the lock again.
 */
#include <string.h>

#include "linear/check/grants.h"
#include "linear/check/models.h"

#define WAITERS_MOST 20

enum place { STANDS = 1, NOTIFIED, GAVE_UP };

struct waiter {
    uint32_t step, place; /* the step with which it began */
    uint32_t session, amount;
};

struct condition {
    struct grants lock;
    uint32_t count, unused;
    struct waiter all[WAITERS_MOST]; /* in the order in which they came */
};
_Static_assert(sizeof(struct condition) <= LINEAR_STATE_BYTES, "a model's state");

static struct condition *condition_of(struct linear_state *state) {
    return (struct condition *)(void *)state->data;
}

/* Who does not hold the lock cannot wait. */
static bool was_refused(il_status status) {
    return status == IL_ENOTHELD || status == IL_ESTALE || status == IL_ELEASE ||
           status == IL_EREVOKED;
}

static void expand(struct linear_search *search, const struct linear_call *call) {
    if (call->op != OP_AWAIT) {
        grants_expand(search, call);
        return;
    }
    uint32_t begun = linear_add(search, call, OP_AWAIT), last = begun;
    if (was_refused(call->status)) return;
    if (call->flags & CALL_DROPPED) linear_add_maybe(search, call, OP_UNDO, call->began_ns, begun);
    if (call->status == IL_ETIMEOUT || call->status == LINEAR_PENDING) {
        uint32_t gave_up = linear_add(search, call, OP_WITHDRAW);
        search->steps[gave_up].after = begun;
        if (call->status == IL_ETIMEOUT) last = gave_up;
    }
    uint32_t end = linear_add(search, call, OP_AWAIT_END);
    search->steps[end].after = last;
    if (call->lease_ns) {
        uint32_t over =
            linear_add_maybe(search, call, OP_LEASE_END, call->began_ns + call->lease_ns, end);
        search->steps[end].end = over;
    }
}

static void start(const struct linear_object *object, struct linear_state *state) {
    grants_start(object, &condition_of(state)->lock);
}

static void remove_at(struct condition *c, uint32_t at) {
    c->count--;
    memmove(&c->all[at], &c->all[at + 1], (c->count - at) * sizeof c->all[0]);
    memset(&c->all[c->count], 0, sizeof c->all[0]);
}

static bool holds(const struct condition *c, const struct linear_call *call, uint32_t *at) {
    *at = grants_find(&c->lock, call);
    if (*at == LINEAR_NONE) return false;
    const struct grant *grant = &c->lock.all[*at];
    return c->lock.kind == IL_KIND_RLOCK ? grant->owner == call->owner
                                         : grant->session == call->session;
}

static bool begin(struct condition *c, const struct linear_step *step, uint32_t number) {
    uint32_t at;
    bool held = holds(c, step->call, &at);
    if (step->known && was_refused(step->call->status)) {
        return !held;
    }
    if (!held || c->count == WAITERS_MOST) return false;
    uint32_t amount = c->lock.all[at].amount;
    grants_remove(&c->lock, at);
    c->all[c->count++] = (struct waiter){number, STANDS, step->call->session, amount};
    return true;
}

static uint32_t first_step_of(const struct linear_search *search, uint32_t number) {
    const struct linear_step *step = &search->steps[number];
    while (step->op != OP_AWAIT && step->after != LINEAR_NONE) {
        number = step->after;
        step = &search->steps[number];
    }
    return number;
}

static uint32_t find(const struct condition *c, uint32_t begun) {
    uint32_t at = 0;
    while (at < c->count && c->all[at].step != begun) at++;
    return at < c->count ? at : LINEAR_NONE;
}

static bool withdraw(const struct linear_search *search, uint32_t number, struct condition *c) {
    uint32_t at = find(c, first_step_of(search, number));
    if (at == LINEAR_NONE || c->all[at].place != STANDS) return false;
    c->all[at].place = GAVE_UP;
    return true;
}

static bool end(const struct linear_search *search, uint32_t number, struct condition *c) {
    struct linear_step step = search->steps[number];
    struct linear_call call = *step.call;
    uint32_t at = find(c, first_step_of(search, number));
    if (at == LINEAR_NONE || c->all[at].place == STANDS) return false;
    if (call.status == IL_ETIMEOUT) {
        if (c->all[at].place != GAVE_UP) return false;
        call.status = c->lock.died ? IL_EOWNERDEAD : IL_OK; /* the timeout is what it says */
    } else if (step.known && c->all[at].place != NOTIFIED) {
        return false;
    }
    call.amount = 1;
    step.call = &call;
    uint32_t amount = c->all[at].amount;
    remove_at(c, at);
    return grants_give(&step, number, amount, &c->lock);
}

static bool notify(const struct linear_step *step, struct condition *c) {
    uint32_t at, left = step->call->amount;
    bool held = holds(c, step->call, &at);
    if (step->known && step->call->status != IL_OK) return !held;
    if (!held) return false;
    for (uint32_t i = 0; i < c->count && left > 0; i++) {
        if (c->all[i].place != STANDS) continue;
        c->all[i].place = NOTIFIED;
        left--;
    }
    return true;
}

static bool undo(const struct linear_search *search, uint32_t number, struct condition *c) {
    uint32_t at = find(c, search->steps[number].after);
    if (at != LINEAR_NONE) {
        remove_at(c, at);
        return true;
    }
    for (uint32_t i = 0; i < c->lock.count; i++) { /* it has the lock again, and loses it */
        uint32_t made = c->lock.all[i].step - 1;
        if (first_step_of(search, made) != search->steps[number].after) continue;
        grants_remove(&c->lock, i);
        return true;
    }
    return false;
}

static bool step_model(const struct linear_search *search, uint32_t number,
                       struct linear_state *state) {
    const struct linear_step *step = &search->steps[number];
    struct condition *c = condition_of(state);
    switch (step->op) {
    case OP_AWAIT: return begin(c, step, number);
    case OP_WITHDRAW: return withdraw(search, number, c);
    case OP_AWAIT_END: return end(search, number, c);
    case OP_NOTIFY: return notify(step, c);
    case OP_UNDO:
        if (step->call->op == OP_AWAIT) return undo(search, number, c);
        break;
    case OP_DEATH:
        for (uint32_t i = c->count; i-- > 0;) {
            if (c->all[i].session == step->call->session) remove_at(c, i);
        }
        break;
    default: break;
    }
    return grants_step(search, number, &c->lock);
}

static void describe(const struct linear_search *search, const struct linear_state *state,
                     FILE *out) {
    static const char *const places[] = {"?", "waits", "is notified", "gave up"};
    const struct condition *c = (const struct condition *)(const void *)state->data;
    (void)search;
    grants_describe(&c->lock, out);
    for (uint32_t i = 0; i < c->count; i++) {
        fprintf(out, ", one of session %u %s", c->all[i].session, places[c->all[i].place]);
    }
}

const struct linear_model linear_condition = {
    sizeof(struct condition), expand, start, step_model, describe, grants_relate};
