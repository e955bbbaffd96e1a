/*
 * queue.c - a queue, one call after the other.
 *
 * Items are numbers that are put once; they have their place in the order by `turn`. What a get took
 * whose client went away may be given back: it is then before all that came after it. What was given
 * back may make the queue longer than its bound.
 *
 * What calls without a return may have done is tried in levels, since each doubles the search. Level 0:
 * nothing was given back, and only a bounded queue ever had in it what nobody is known to have got.
 * Level 1: an item was away for a while if without that its order, an empty or a full queue cannot be
 * explained. Level 2: everything.
 */
#include <stdlib.h>
#include <string.h>

#include "linear/check/models.h"

#define ITEMS_MOST 50
#define TAKEN_MOST 8

struct item {
    uint32_t number, turn;
    uint16_t observed, suspect;
    uint32_t unused;
};

struct queue {
    uint32_t maxsize, closed;
    uint32_t turns, count, taken;
    uint32_t unused;
    struct item items[ITEMS_MOST];
    struct {
        struct item item;
        uint32_t step, unused; /* the get, + 1 */
    } by[TAKEN_MOST];
};
_Static_assert(sizeof(struct queue) <= LINEAR_STATE_BYTES, "a model's state");

static struct queue *queue_of(struct linear_state *state) {
    return (struct queue *)(void *)state->data;
}

static void expand(struct linear_search *search, const struct linear_call *call) {
    uint32_t number = linear_add(search, call, call->op);
    if (call->op == OP_GET && call->flags & CALL_DROPPED) {
        linear_add_maybe(search, call, OP_UNDO, call->began_ns, number);
    }
}

/* When an item certainly was in the queue, if nothing was given back. */
struct stay {
    uint32_t put;
    int64_t from_ns, until_ns; /* the end of its put, the beginning of its get */
    int64_t put_began_ns, got_ns;
};

static bool is_empty_handed(const struct linear_step *step) {
    return (step->op == OP_GET || step->op == OP_PEEK) && step->known && !step->optional &&
           (step->call->status == IL_ETIMEOUT || step->call->status == IL_ECLOSED);
}

/* What must have been away: an item that a later one overtook, that was there when the queue was found
 * empty, or that left no room for one that was put. */
static void find_suspects(struct linear_search *search) {
    struct stay *stays = calloc(search->count + 1, sizeof *stays);
    uint32_t bound = search->history->object.number;
    size_t count = 0;
    if (!stays) abort();
    for (uint32_t i = 0; i < search->count; i++) {
        const struct linear_step *put = &search->steps[i];
        if (put->op != OP_PUT || !put->observed) continue;
        const struct linear_step *got = &search->steps[put->got];
        stays[count++] =
            (struct stay){i, put->ended_ns, got->began_ns, put->began_ns, got->ended_ns};
    }
    for (size_t s = 0; s < count; s++) {
        struct linear_step *put = &search->steps[stays[s].put];
        for (size_t t = 0; t < count && !put->suspect; t++) {
            put->suspect =
                stays[s].from_ns < stays[t].put_began_ns && stays[t].got_ns < stays[s].until_ns;
        }
        if (stays[s].from_ns >= stays[s].until_ns) continue;
        for (uint32_t i = 0; i < search->count && !put->suspect; i++) {
            const struct linear_step *step = &search->steps[i];
            put->suspect = is_empty_handed(step) && step->began_ns < stays[s].until_ns &&
                           step->ended_ns > stays[s].from_ns;
        }
    }
    for (size_t p = 0; p < count && bound; p++) {
        const struct linear_step *put = &search->steps[stays[p].put];
        for (unsigned mark = 0, there = 0; mark < 2; mark++) {
            for (size_t s = 0; s < count; s++) {
                bool inside =
                    s != p && stays[s].from_ns < put->ended_ns && stays[s].until_ns > put->began_ns;
                if (inside && !mark) there++;
                if (inside && mark) search->steps[stays[s].put].suspect = true;
            }
            if (there < bound) break;
        }
    }
    free(stays);
}

/* What was got was put before, even by a call that never returned, and is got by nobody else. What was
 * got first was probably put first: the order in which puts are tried decides how long the search is. */
static bool relate(struct linear_search *search) {
    uint64_t most = 0;
    bool possible = true;
    for (size_t i = 0; i < search->count; i++) {
        if (search->steps[i].call->argument > most) most = search->steps[i].call->argument;
    }
    uint32_t *puts = calloc(most + 1, sizeof *puts); /* of each item, + 1 */
    search->levels = true;
    if (!puts) abort();
    for (uint32_t i = 0; i < search->count; i++) {
        struct linear_step *step = &search->steps[i];
        if (step->op != OP_PUT || (step->known && step->call->status != IL_OK)) continue;
        puts[step->call->argument] = i + 1;
        step->rank_ns = LINEAR_NEVER;
    }
    for (uint32_t i = 0; i < search->count; i++) {
        const struct linear_step *step = &search->steps[i];
        uint64_t item = step->call->result;
        bool got = step->op == OP_GET || step->op == OP_PEEK;
        if (!got || !step->known || step->optional || step->call->status != IL_OK) continue;
        struct linear_step *put =
            item <= most && puts[item] ? &search->steps[puts[item] - 1] : NULL;
        if (!put || put->began_ns > step->ended_ns || (step->op == OP_GET && put->observed)) {
            possible = false;
            break;
        }
        if (put->rank_ns > step->ended_ns) put->rank_ns = step->ended_ns;
        if (step->op == OP_GET) {
            put->observed = true;
            put->got = i;
        }
        if (put->ended_ns > step->ended_ns) {
            put->ended_ns = step->ended_ns;
            put->optional = false;
        }
    }
    free(puts);
    find_suspects(search);
    return possible;
}

static void start(const struct linear_object *object, struct linear_state *state) {
    queue_of(state)->maxsize = object->number;
}

static bool put(struct queue *q, const struct linear_step *step) {
    const struct linear_call *call = step->call;
    bool full = q->maxsize && q->count >= q->maxsize;
    if (step->known && call->status == IL_ECLOSED) return q->closed != 0;
    if (step->known && call->status == IL_ETIMEOUT) return full && !q->closed;
    if (step->known && call->status != IL_OK) return false;
    if (full || q->closed || q->count == ITEMS_MOST) return false;
    q->items[q->count++] =
        (struct item){(uint32_t)call->argument, ++q->turns, step->observed, step->suspect, 0};
    return true;
}

static void take(struct queue *q) {
    q->count--;
    memmove(&q->items[0], &q->items[1], q->count * sizeof q->items[0]);
    memset(&q->items[q->count], 0, sizeof q->items[0]);
}

static bool get(const struct linear_search *search, struct queue *q, uint32_t number) {
    const struct linear_step *step = &search->steps[number];
    const struct linear_call *call = step->call;
    if (step->known && call->status == IL_ECLOSED) return q->closed && q->count == 0;
    if (step->known && call->status == IL_ETIMEOUT) return q->count == 0 && !q->closed;
    if (step->known && call->status != IL_OK) return false;
    if (q->count == 0 || (step->known && q->items[0].number != call->result)) return false;
    if (step->op == OP_PEEK) return true;
    bool returns = !step->known && call->flags & CALL_DROPPED;
    if (!step->known && q->items[0].observed) { /* another got it, so it was away at most */
        bool away = search->level == 2 || (search->level == 1 && q->items[0].suspect);
        if (!returns || !away) return false;
    }
    if (returns) {
        uint32_t at = q->taken;
        if (at == TAKEN_MOST) return false;
        for (; at > 0 && q->by[at - 1].step > number + 1; at--) q->by[at] = q->by[at - 1];
        q->by[at].item = q->items[0];
        q->by[at].step = number + 1;
        q->taken++;
    }
    take(q);
    return true;
}

static bool give_back(struct queue *q, uint32_t get_step, unsigned level) {
    uint32_t t = 0, at = 0;
    while (t < q->taken && q->by[t].step != get_step + 1) t++;
    if (t == q->taken || q->count == ITEMS_MOST) return false;
    struct item item = q->by[t].item;
    if (!item.observed && level < 2) return false;
    q->taken--;
    memmove(&q->by[t], &q->by[t + 1], (q->taken - t) * sizeof q->by[0]);
    memset(&q->by[q->taken], 0, sizeof q->by[0]);
    while (at < q->count && q->items[at].turn < item.turn) at++;
    memmove(&q->items[at + 1], &q->items[at], (q->count - at) * sizeof q->items[0]);
    q->items[at] = item;
    q->count++;
    return true;
}

static bool step_model(const struct linear_search *search, uint32_t number,
                       struct linear_state *state) {
    const struct linear_step *step = &search->steps[number];
    struct queue *q = queue_of(state);
    switch (step->op) {
    case OP_PUT:
        if (step->optional && !step->observed && !q->maxsize && search->level < 2) return false;
        return put(q, step);
    case OP_GET:
    case OP_PEEK: return get(search, q, number);
    case OP_CLOSE: q->closed = 1; return true;
    case OP_UNDO: return give_back(q, step->after, search->level);
    case OP_DEATH: return true;
    default: return false;
    }
}

static void describe(const struct linear_search *search, const struct linear_state *state,
                     FILE *out) {
    const struct queue *q = (const struct queue *)(const void *)state->data;
    (void)search;
    fprintf(out, "%u items%s%s", q->count, q->closed ? ", closed" : "", q->count ? ":" : "");
    for (uint32_t i = 0; i < q->count; i++) fprintf(out, " %u", q->items[i].number);
}

const struct linear_model linear_queue = {sizeof(struct queue), expand,   start,
                                          step_model,           describe, relate};
