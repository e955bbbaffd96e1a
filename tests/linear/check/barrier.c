/*
 * barrier.c - a barrier, one step after the other. A wait is two steps: it arrives, and it goes on.
 *
 * Who has arrived stays in the state until it goes on: WAITING, or with the outcome of its round.
 * A wait of a dead session, of a client that went away, or whose time is over breaks the barrier if it still
 * waits.
 */
#include <string.h>

#include "linear/check/models.h"

#define ARRIVED_MOST 40

enum fate { WAITING = 1, MET, BROKEN };

struct arrival {
    uint32_t step, fate; /* the step of its arrival */
    uint32_t session;
    int32_t index; /* -1: not known, or it did not get one */
};

struct barrier {
    uint32_t parties, broken, count, unused;
    struct arrival all[ARRIVED_MOST]; /* by rising step */
};
_Static_assert(sizeof(struct barrier) <= LINEAR_STATE_BYTES, "a model's state");

static struct barrier *barrier_of(struct linear_state *state) {
    return (struct barrier *)(void *)state->data;
}

static void expand(struct linear_search *search, const struct linear_call *call) {
    uint32_t number = linear_add(search, call, call->op);
    if (call->op != OP_MEET) return;
    if (call->status != LINEAR_PENDING) {
        uint32_t end = linear_add(search, call, OP_MEET_END);
        search->steps[end].after = number;
    } else {
        /* its client went away; or its time was over, and its process died before it could say so */
        linear_add_maybe(search, call, OP_UNDO, call->began_ns, number);
    }
}

static void start(const struct linear_object *object, struct linear_state *state) {
    barrier_of(state)->parties = object->number;
}

static void decide(struct barrier *b, enum fate fate) {
    for (uint32_t i = 0; i < b->count; i++) {
        if (b->all[i].fate == WAITING) b->all[i].fate = fate;
    }
}

static void break_it(struct barrier *b) {
    decide(b, BROKEN);
    b->broken = 1;
}

static void remove_at(struct barrier *b, uint32_t at) {
    b->count--;
    memmove(&b->all[at], &b->all[at + 1], (b->count - at) * sizeof b->all[0]);
    memset(&b->all[b->count], 0, sizeof b->all[0]);
}

static bool arrive(struct barrier *b, const struct linear_step *step, uint32_t number) {
    const struct linear_call *call = step->call;
    uint32_t waiting = 0, at = b->count;
    bool met = step->known && call->status == IL_OK;
    if (b->count == ARRIVED_MOST) return false;
    for (uint32_t i = 0; i < b->count; i++) {
        if (b->all[i].fate != WAITING) continue;
        waiting++;
        if (met && b->all[i].index == (int32_t)call->result) return false;
    }
    bool last = !b->broken && waiting + 1 == b->parties;
    if (met && (b->broken || last != (call->result == 0) || call->result >= b->parties))
        return false;
    for (; at > 0 && b->all[at - 1].step > number; at--) b->all[at] = b->all[at - 1];
    b->all[at] = (struct arrival){number, b->broken ? BROKEN : WAITING, call->session,
                                  met ? (int32_t)call->result : -1};
    b->count++;
    if (last) decide(b, MET);
    return true;
}

static bool go_on(struct barrier *b, const struct linear_step *step) {
    uint32_t at = 0;
    while (at < b->count && b->all[at].step != step->after) at++;
    if (at == b->count) return false;
    uint32_t fate = b->all[at].fate;
    switch (step->call->status) {
    case IL_OK:
        if (fate != MET) return false;
        break;
    case IL_EBROKEN:
        if (fate != BROKEN) return false;
        break;
    case IL_ETIMEOUT:
        if (fate != WAITING) return false;
        break;
    default: return false;
    }
    remove_at(b, at);
    if (fate == WAITING) break_it(b);
    return true;
}

/* The arrivals of a session, or the one of STEP, are no more. */
static bool leave(struct barrier *b, uint32_t session, uint32_t step) {
    bool waited = false, found = false;
    for (uint32_t i = b->count; i-- > 0;) {
        if (step == LINEAR_NONE ? b->all[i].session != session : b->all[i].step != step) continue;
        waited |= b->all[i].fate == WAITING;
        found = true;
        remove_at(b, i);
    }
    if (waited) break_it(b);
    return found;
}

static bool step_model(const struct linear_search *search, uint32_t number,
                       struct linear_state *state) {
    const struct linear_step *step = &search->steps[number];
    struct barrier *b = barrier_of(state);
    switch (step->op) {
    case OP_MEET: return arrive(b, step, number);
    case OP_MEET_END: return go_on(b, step);
    case OP_RESET:
        decide(b, BROKEN);
        b->broken = 0;
        return true;
    case OP_ABORT: break_it(b); return true;
    case OP_UNDO: return leave(b, 0, step->after);
    case OP_DEATH: leave(b, step->call->session, LINEAR_NONE); return true;
    default: return false;
    }
}

static void describe(const struct linear_search *search, const struct linear_state *state,
                     FILE *out) {
    static const char *const fates[] = {"?", "waiting", "met", "broken"};
    const struct barrier *b = (const struct barrier *)(const void *)state->data;
    (void)search;
    fprintf(out, "%s", b->broken ? "broken" : "whole");
    for (uint32_t i = 0; i < b->count; i++) {
        fprintf(out, ", one of session %u %s", b->all[i].session, fates[b->all[i].fate]);
    }
}

const struct linear_model linear_barrier = {
    sizeof(struct barrier), expand, start, step_model, describe, NULL};
