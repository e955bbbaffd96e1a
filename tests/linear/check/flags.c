/*
 * flags.c - an event and a latch, one call after the other: each is a number.
 */
#include "linear/check/models.h"

struct flag {
    uint64_t value;
};

static struct flag *flag_of(struct linear_state *state) {
    return (struct flag *)(void *)state->data;
}

static void expand(struct linear_search *search, const struct linear_call *call) {
    linear_add(search, call, call->op);
}

static void start_event(const struct linear_object *object, struct linear_state *state) {
    (void)object, (void)state;
}

static void start_latch(const struct linear_object *object, struct linear_state *state) {
    flag_of(state)->value = object->number;
}

/* A wait with the outcome it had, where it goes on if OPEN. */
static bool wait(const struct linear_step *step, bool open) {
    if (!step->known) return true;
    return step->call->status == IL_OK ? open : step->call->status == IL_ETIMEOUT && !open;
}

static bool step_event(const struct linear_search *search, uint32_t number,
                       struct linear_state *state) {
    const struct linear_step *step = &search->steps[number];
    struct flag *flag = flag_of(state);
    bool done = !step->known || step->call->status == IL_OK;
    switch (step->op) {
    case OP_SET: flag->value = 1; return done;
    case OP_CLEAR: flag->value = 0; return done;
    case OP_IS_SET: return done && (!step->known || step->call->result == flag->value);
    case OP_WAIT: return wait(step, flag->value == 1);
    case OP_DEATH: return true;
    default: return false;
    }
}

static bool step_latch(const struct linear_search *search, uint32_t number,
                       struct linear_state *state) {
    const struct linear_step *step = &search->steps[number];
    struct flag *flag = flag_of(state);
    bool done = !step->known || step->call->status == IL_OK;
    switch (step->op) {
    case OP_COUNT_DOWN:
        flag->value -= step->call->amount < flag->value ? step->call->amount : flag->value;
        if (step->call->flags & CALL_VIEWED && step->call->result < flag->value) return done;
        return done && (!step->known || step->call->result == flag->value);
    case OP_COUNT: return done && (!step->known || step->call->result == flag->value);
    case OP_WAIT: return wait(step, flag->value == 0);
    case OP_DEATH: return true;
    default: return false;
    }
}

static void describe(const struct linear_search *search, const struct linear_state *state,
                     FILE *out) {
    (void)search;
    fprintf(out, "%llu",
            (unsigned long long)((const struct flag *)(const void *)state->data)->value);
}

const struct linear_model linear_event = {sizeof(struct flag), expand,   start_event,
                                          step_event,          describe, NULL};
const struct linear_model linear_latch = {sizeof(struct flag), expand,   start_latch,
                                          step_latch,          describe, NULL};
