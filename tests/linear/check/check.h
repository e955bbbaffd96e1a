/*
 * check.h - whether a history of one object is linearizable.
 *
 * The search of Wing and Gong ("Testing and verifying concurrent objects", 1993) with Lowe's memory of
 * what was seen ("Testing for linearizability", 2017), in the form that Porcupine gave it: a list of
 * calls and returns, from which a call is lifted that the model allows next and that began before the
 * first return in the list.
 *
 * Additions: a step may be optional (a call that never returned, the end of a lease): it is tried where
 * nothing else leads on. A step may have to come after another, or not after another.
 */
#ifndef TESTS_LINEAR_CHECK_H
#define TESTS_LINEAR_CHECK_H

#include <stdio.h>

#include "linear/check/history.h"

#define LINEAR_STATE_BYTES 1024
#define LINEAR_NONE UINT32_MAX
#define LINEAR_LEVELS 3

/* What a model knows. The unused part is 0, so equal states are equal bytes. */
struct linear_state {
    _Alignas(8) uint8_t data[LINEAR_STATE_BYTES];
};

/* Something that happens at one instant between began_ns and ended_ns. */
struct linear_step {
    const struct linear_call *call;
    int64_t began_ns, ended_ns;
    int64_t rank_ns; /* of two that may come next, the smaller one is tried first */
    uint32_t op;
    uint32_t after;   /* only after that step; LINEAR_NONE */
    uint32_t prior;   /* the same: a grant with a smaller token */
    uint32_t until;   /* not after that step */
    uint32_t awaited; /* a death: how many that have to happen have to come before and have not */
    uint32_t
        lease; /* of the grant that the call is about: the first of its ends, linked by `next` */
    uint32_t next;
    uint32_t end; /* of the lease that the call set */
    uint32_t got; /* a put: the step that took its item, if it is `observed` */
    uint32_t
        broken;    /* the steps that may have broken the grant that the call is about, linked too */
    bool optional; /* ended_ns is LINEAR_NEVER then */
    bool known;    /* status and result are those of the call */
    bool contended; /* somebody else waited for the object at some time between */
    bool crossed;   /* a call for several objects went on at some time between */
    bool observed;  /* a put: a call that has returned took the item */
    bool told;      /* an earlier call has said already how the grant was lost */
    bool suspect;   /* a put: the item may have been away for a while in between */
};

struct linear_search {
    const struct linear_history *history;
    struct linear_step *steps;
    size_t count, capacity;
    bool *done; /* of each step, whether it happened */
    int64_t horizon_ns;
    uint64_t most;  /* points to be looked at */
    bool several;   /* there are calls for several objects */
    bool levels;    /* set by the model: the level makes a difference */
    unsigned level; /* how much of what seldom happens is tried: 0 to LINEAR_LEVELS - 1 */
};

struct linear_model {
    size_t bytes; /* of its state: a multiple of 8 */
    /* Adds the steps that CALL consists of. */
    void (*expand)(struct linear_search *search, const struct linear_call *call);
    void (*start)(const struct linear_object *object, struct linear_state *state);
    /* Whether step NUMBER may happen in STATE, with the outcome that it had; then what follows. */
    bool (*step)(const struct linear_search *search, uint32_t number, struct linear_state *state);
    void (*describe)(const struct linear_search *search, const struct linear_state *state,
                     FILE *out);
    /* May be NULL. After all steps were added: what can be told from all of them. False: that no order
     * of them can be right. */
    bool (*relate)(struct linear_search *search);
};

enum linear_verdict { LINEAR_OK, LINEAR_VIOLATED, LINEAR_UNDECIDED };

/* The model of a kind; NULL: none. */
const struct linear_model *linear_model_of(unsigned kind);

/* Sorts the calls of HISTORY. OUT: where a violation is explained, by the shortest prefix that is none
 * and the longest run of it that is one; may be NULL. */
enum linear_verdict linear_check(struct linear_history *history, FILE *out);

/* ---- for models ----------------------------------------------------------------------------- */

/* Adds the step OP of CALL: optional if the call has not returned within the horizon. Its number. */
uint32_t linear_add(struct linear_search *search, const struct linear_call *call, unsigned op);

/* The same, always optional, from BEGAN_NS on, after step AFTER. */
uint32_t linear_add_maybe(struct linear_search *search, const struct linear_call *call, unsigned op,
                          int64_t began_ns, uint32_t after);

static inline const struct linear_call *linear_call_of(const struct linear_search *search,
                                                       uint32_t number) {
    return search->steps[number].call;
}

#endif
