/*
 * grants.c - locks, rlocks, rwlocks and semaphores, one after the other.
 *
 * A grant is made to an owner of a session; which of the two it belongs to is a matter of the kind. It
 * ends by a release, by the death of whom it belongs to, by the end of its lease, by being broken.
 * An acquire that did not return may have been granted: its grant has a token that nobody knows.
 * The end of a lease is a step that may happen any time after the lease's length has passed since the
 * call began that set it, if that lease still counts.
 */
#include "linear/check/grants.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "linear/check/models.h"

#define UNKNOWN (UINT64_C(1) << 63) /* tokens from here on */

static bool is_thread_owned(const struct grants *g) {
    return g->kind == IL_KIND_RLOCK || g->kind == IL_KIND_RWLOCK;
}

static bool belongs(const struct grants *g, const struct grant *grant,
                    const struct linear_call *call) {
    return is_thread_owned(g) ? grant->owner == call->owner : grant->session == call->session;
}

void grants_start(const struct linear_object *object, struct grants *grants) {
    grants->kind = (uint16_t)object->kind;
    grants->flags = (uint16_t)object->flags;
    grants->number = object->number;
    grants->value = object->kind == IL_KIND_SEMAPHORE ? object->number : 0;
    if (object->kind == IL_KIND_CONDITION) {
        grants->kind = object->flags & LINEAR_ON_RLOCK ? IL_KIND_RLOCK : IL_KIND_LOCK;
    }
}

/* ---- steps ---------------------------------------------------------------------------------- */

static bool was_granted(const struct linear_call *call) {
    return call->status == IL_OK || call->status == IL_EOWNERDEAD;
}

/* Whether others waited meanwhile; with SEVERAL: by calls for several objects. */
static bool others_waited(const struct linear_search *search, const struct linear_call *call,
                          bool several) {
    for (size_t i = 0; i < search->history->count; i++) {
        const struct linear_call *other = &search->history->calls[i];
        if (other->began_ns > call->ended_ns) break;
        bool counts = several ? other->flags & CALL_SEVERAL : !(other->flags & CALL_NOWAIT);
        if (other != call && other->op == OP_ACQUIRE && counts &&
            other->ended_ns >= call->began_ns) {
            return true;
        }
    }
    return false;
}

static void add_lease(struct linear_search *search, const struct linear_call *call, uint32_t set) {
    uint32_t end =
        linear_add_maybe(search, call, OP_LEASE_END, call->began_ns + call->lease_ns, set);
    search->steps[set].end = end;
}

void grants_expand(struct linear_search *search, const struct linear_call *call) {
    uint32_t number = linear_add(search, call, call->op);
    bool sets = call->op == OP_ACQUIRE || call->op == OP_RENEW;
    if (call->op == OP_ACQUIRE && call->flags & CALL_NOWAIT && call->status == IL_ETIMEOUT) {
        search->steps[number].contended = others_waited(search, call, false);
        search->steps[number].crossed = others_waited(search, call, true);
    }
    if (sets && call->lease_ns && (was_granted(call) || call->status == LINEAR_PENDING)) {
        add_lease(search, call, number);
    }
    if (call->op == OP_ACQUIRE && call->flags & CALL_DROPPED) {
        linear_add_maybe(search, call, OP_UNDO, call->began_ns, number);
        linear_add_maybe(search, call, OP_UNDO_DIED, call->began_ns, number);
    }
}

static uint64_t token_of(const struct linear_step *step) {
    switch (step->op) {
    case OP_ACQUIRE:
    case OP_AWAIT_END: return step->known ? step->call->result : 0;
    default: return step->call->argument;
    }
}

static int by_token(const void *x, const void *y) {
    const uint64_t *a = x, *b = y;
    return a[0] != b[0] ? (a[0] < b[0] ? -1 : 1) : a[1] < b[1] ? -1 : a[1] > b[1];
}

/* Whether STEP tells of a grant with a token. */
static bool tells_token(const struct linear_search *search, const struct linear_step *step) {
    const struct linear_object *object = &search->history->object;
    if (object->kind == IL_KIND_SEMAPHORE && object->flags & LINEAR_SIGNAL) return false;
    return (step->op == OP_ACQUIRE || step->op == OP_AWAIT_END) && token_of(step) != 0;
}

/* Whether the grant of STEP was made when it happens, or before. A shared one may have been made by an
 * acquire of its owner that never returned, and be told by a later acquire, after greater tokens. */
static bool is_as_told(const struct linear_search *search, const struct linear_step *step) {
    const struct linear_history *h = search->history;
    if (h->object.kind != IL_KIND_RWLOCK) return true;
    for (size_t i = 0; i < h->count; i++) {
        const struct linear_call *call = &h->calls[i];
        if (call->op == OP_ACQUIRE && call->owner == step->call->owner &&
            call->status == LINEAR_PENDING) {
            return false;
        }
    }
    return true;
}

/* Grants come in the order of their tokens. ORDER: token and number of each step. */
static void order_by_token(struct linear_search *search, uint64_t (*order)[2]) {
    uint32_t last = LINEAR_NONE;
    for (size_t from = 0, to; from < search->count; from = to) {
        uint32_t next = last;
        for (to = from; to < search->count && order[to][0] == order[from][0]; to++) {
            struct linear_step *step = &search->steps[order[to][1]];
            if (!tells_token(search, step)) continue;
            step->prior = last;
            if (next == last && is_as_told(search, step)) next = (uint32_t)order[to][1];
        }
        last = next;
    }
}

/* Links all ends that the lease of a grant may have had, and finds what broke it, for the calls that
 * are about it. */
bool grants_relate(struct linear_search *search) {
    uint64_t(*order)[2] = calloc(search->count + 1, sizeof *order); /* token, step */
    if (!order) abort();
    for (size_t i = 0; i < search->count; i++) {
        order[i][0] = token_of(&search->steps[i]);
        order[i][1] = i;
    }
    qsort(order, search->count, sizeof *order, by_token);
    for (size_t from = 0, to; from < search->count; from = to) {
        uint32_t ends = LINEAR_NONE, broken = LINEAR_NONE;
        int64_t told_ns = LINEAR_NEVER;
        for (to = from; to < search->count && order[to][0] == order[from][0]; to++) {
            struct linear_step *step = &search->steps[order[to][1]];
            if (step->op != OP_LEASE_END && step->end != LINEAR_NONE) {
                search->steps[step->end].next = ends;
                ends = step->end;
            }
            bool tells = step->known &&
                         (step->call->status == IL_ELEASE || step->call->status == IL_EREVOKED);
            if (tells && step->call->ended_ns < told_ns) told_ns = step->call->ended_ns;
            if (step->op == OP_BREAK && (!step->known || step->call->status == IL_OK)) {
                step->next = broken;
                broken = (uint32_t)order[to][1];
            }
        }
        for (size_t i = from; i < to && order[i][0]; i++) {
            struct linear_step *step = &search->steps[order[i][1]];
            if (step->op == OP_LEASE_END) continue;
            step->lease = ends;
            step->broken = broken;
            step->told = told_ns < step->began_ns;
        }
    }
    order_by_token(search, order);
    free(order);
    return true;
}

/* ---- grants --------------------------------------------------------------------------------- */

void grants_remove(struct grants *grants, uint32_t index) {
    grants->count--;
    memmove(&grants->all[index], &grants->all[index + 1],
            (grants->count - index) * sizeof grants->all[0]);
    memset(&grants->all[grants->count], 0, sizeof grants->all[0]);
}

static bool insert(struct grants *g, const struct grant *grant) {
    uint32_t at = g->count;
    if (g->count == GRANTS_MOST) return false;
    for (; at > 0 && g->all[at - 1].token > grant->token; at--) g->all[at] = g->all[at - 1];
    g->all[at] = *grant;
    g->count++;
    return true;
}

uint32_t grants_find(const struct grants *grants, const struct linear_call *call) {
    for (uint32_t i = 0; i < grants->count; i++) {
        if (call->argument ? grants->all[i].token == call->argument
                           : belongs(grants, &grants->all[i], call)) {
            return i;
        }
    }
    return LINEAR_NONE;
}

static uint32_t find_own(const struct grants *g, const struct linear_call *call) {
    for (uint32_t i = 0; i < g->count; i++) {
        if (belongs(g, &g->all[i], call)) return i;
    }
    return LINEAR_NONE;
}

static bool is_free_for(const struct grants *g, const struct linear_call *call) {
    switch (g->kind) {
    case IL_KIND_SEMAPHORE: return g->value >= (int64_t)call->amount;
    case IL_KIND_RWLOCK:
        return g->count == 0 || (call->amount == IL_SHARED && g->all[0].mode == IL_SHARED);
    default: return g->count == 0;
    }
}

/* A lock whose owner failed, and which nobody has got since, may be held back. */
static bool is_delayed(const struct grants *g) {
    return g->kind == IL_KIND_LOCK && g->number && g->died;
}

bool grants_give(const struct linear_step *step, uint32_t number, uint32_t amount,
                 struct grants *grants) {
    const struct linear_call *call = step->call;
    bool semaphore = grants->kind == IL_KIND_SEMAPHORE;
    if (!is_free_for(grants, call)) return false;
    if (step->known && call->ended_ns < grants->from_ns) return false;
    if (step->known && (call->status == IL_EOWNERDEAD) != (grants->died != 0)) return false;
    grants->died = 0;
    grants->from_ns = 0;
    if (semaphore) grants->value -= call->amount;
    if (semaphore && grants->flags & LINEAR_SIGNAL) return true;
    struct grant grant = {.token = step->known ? call->result : UNKNOWN + number,
                          .session = call->session,
                          .owner = call->owner,
                          .amount = semaphore ? call->amount : amount,
                          .mode = grants->kind == IL_KIND_RWLOCK ? call->amount : 0,
                          .lease = call->lease_ns ? number + 1 : 0,
                          .step = number + 1};
    if (step->known) {
        if (grant.token <= grants->newest || grant.token >= UNKNOWN) return false;
        grants->newest = grant.token;
        grants->later = 0;
    } else {
        grants->later = 1;
        grant.above = grants->newest;
    }
    return insert(grants, &grant);
}

/* The grant at INDEX, which an acquire made that has not returned, turns out to be TOKEN. */
static bool learn(struct grants *g, uint32_t index, uint64_t token) {
    struct grant grant = g->all[index];
    if (grant.token < UNKNOWN || token <= grant.above) return false;
    grants_remove(g, index);
    grant.token = token;
    grant.above = 0;
    if (token > g->newest) {
        g->newest = token;
        g->later = 0;
    }
    return insert(g, &grant);
}

static bool acquire(const struct linear_step *step, uint32_t number, struct grants *g) {
    const struct linear_call *call = step->call;
    uint32_t own = is_thread_owned(g) ? find_own(g, call) : LINEAR_NONE;
    if (step->known && call->status == IL_ETIMEOUT) {
        if (own != LINEAR_NONE) return g->all[own].mode == IL_SHARED && call->amount;
        bool turn =
            g->kind == IL_KIND_SEMAPHORE || g->kind == IL_KIND_RWLOCK || g->flags & LINEAR_FAIR;
        return !is_free_for(g, call) || is_delayed(g) || step->crossed || (turn && step->contended);
    }
    if (step->known && !was_granted(call)) return false;
    if (own != LINEAR_NONE) {
        struct grant *grant = &g->all[own];
        if (g->kind == IL_KIND_RWLOCK && grant->mode != call->amount) return false;
        if (step->known && call->status != IL_OK) return false;
        if (step->known && call->result != grant->token && !learn(g, own, call->result))
            return false;
        own = find_own(g, call); /* it may have moved */
        if (call->lease_ns) g->all[own].lease = UINT32_MAX;
        g->all[own].amount++;
        return true;
    }
    return grants_give(step, number, 1, g);
}

/* A grant ends as if its owner had died, at LOST_NS or later. */
static void lose(struct grants *g, uint32_t index, int64_t lost_ns) {
    if (g->kind == IL_KIND_LOCK && g->number) g->from_ns = lost_ns + (int64_t)g->number * 1000000;
    if (g->kind == IL_KIND_SEMAPHORE) {
        g->value += g->all[index].amount;
    } else if (g->kind != IL_KIND_RWLOCK || g->all[index].mode == IL_EXCLUSIVE) {
        g->died = 1;
    }
    grants_remove(g, index);
}

/* Whether a lease has ended that an acquire set which never returned: of the same owner as STEP's, it may
 * have been one more acquire of the grant that the call is about. Nobody was told its token, so it is not
 * among the ends that grants_relate() has linked. */
static bool leased_out_unseen(const struct linear_search *search, const struct linear_step *step,
                              const struct grants *g) {
    for (size_t i = 0; is_thread_owned(g) && i < search->count; i++) {
        const struct linear_step *end = &search->steps[i];
        if (end->op == OP_LEASE_END && search->done[i] && end->call->op == OP_ACQUIRE &&
            end->call->status == LINEAR_PENDING && end->call->owner == step->call->owner) {
            return true;
        }
    }
    return false;
}

/* Whether a break that succeeded may have found no grant any more, but a lock that was held back since its
 * holder had failed, and ended that. Then nothing is said to have been broken. */
static bool may_have_ended_a_delay(const struct linear_search *search, const struct grants *g) {
    for (size_t i = 0; g->kind == IL_KIND_LOCK && g->number && i < search->count; i++) {
        if (search->steps[i].op == OP_DEATH && search->done[i]) return true;
    }
    return false;
}

/* Whether STATUS is the right thing to say about a grant that does not stand, or is another's. */
static bool explains(const struct linear_search *search, const struct linear_step *step,
                     const struct grants *g) {
    const struct linear_call *call = step->call;
    bool leased_out = false, broken = false;
    for (uint32_t i = step->broken; i != LINEAR_NONE; i = search->steps[i].next) {
        broken |= search->done[i];
    }
    for (uint32_t i = step->lease; i != LINEAR_NONE; i = search->steps[i].next) {
        leased_out |= search->done[i];
    }
    switch (call->status) {
    case IL_ELEASE: return leased_out || leased_out_unseen(search, step, g);
    case IL_EREVOKED: return broken;
    case IL_ENOTHELD:
        return step->told || (!leased_out && (!broken || may_have_ended_a_delay(search, g)));
    case IL_ESTALE:
        return (step->told || (!leased_out && !broken)) &&
               (call->argument < g->newest || search->several ||
                (g->later && call->argument == g->newest));
    default: return false;
    }
}

static bool release(const struct linear_search *search, const struct linear_step *step,
                    struct grants *g) {
    const struct linear_call *call = step->call;
    uint32_t at = grants_find(g, call);
    if (g->kind == IL_KIND_SEMAPHORE) {
        bool bounded = (g->flags & LINEAR_BOUNDED) != 0;
        int64_t value = g->value + call->amount;
        bool over = bounded && value > (int64_t)g->number;
        if (call->argument && (at == LINEAR_NONE || !belongs(g, &g->all[at], call))) {
            return step->known && explains(search, step, g);
        }
        if (over) return step->known && call->status == IL_EOVERFLOW;
        if (step->known && call->status != IL_OK) return false;
        g->value = value;
        if (at == LINEAR_NONE) return true;
        if (g->all[at].amount < call->amount) return false;
        g->all[at].amount -= call->amount;
        if (g->all[at].amount == 0) grants_remove(g, at);
        return true;
    }
    if (at == LINEAR_NONE || !belongs(g, &g->all[at], call)) {
        return step->known && explains(search, step, g);
    }
    if (step->known && call->status != IL_OK) return false;
    if (--g->all[at].amount == 0) grants_remove(g, at);
    return true;
}

static bool end_lease(const struct linear_search *search, uint32_t number, struct grants *g) {
    const struct linear_step *step = &search->steps[number];
    for (uint32_t i = 0; i < g->count; i++) {
        struct grant *grant = &g->all[i];
        bool any = grant->lease == UINT32_MAX && grant->owner == step->call->owner;
        if (grant->lease == step->after + 1 || any) {
            lose(g, i, step->began_ns);
            return true;
        }
    }
    return false;
}

static void die(const struct linear_call *death, struct grants *g) {
    for (uint32_t i = g->count; i-- > 0;) {
        struct grant *grant = &g->all[i];
        bool its = death->owner ? is_thread_owned(g) && grant->owner == death->owner
                                : grant->session == death->session;
        if (its) lose(g, i, death->began_ns);
    }
}

static bool undo(const struct linear_search *search, uint32_t number, struct grants *g) {
    const struct linear_step *step = &search->steps[number];
    for (uint32_t i = 0; i < g->count; i++) {
        bool its = is_thread_owned(g) ? g->all[i].owner == step->call->owner
                                      : g->all[i].step == step->after + 1;
        if (!its) continue;
        if (g->all[i].amount > 1 && is_thread_owned(g) && step->op == OP_UNDO) {
            g->all[i].amount--;
            return true;
        }
        if (step->op == OP_UNDO_DIED && g->kind != IL_KIND_SEMAPHORE) {
            lose(g, i, step->began_ns);
        } else {
            if (g->kind == IL_KIND_SEMAPHORE) g->value += g->all[i].amount;
            grants_remove(g, i);
        }
        return true;
    }
    return false;
}

bool grants_step(const struct linear_search *search, uint32_t number, struct grants *grants) {
    const struct linear_step *step = &search->steps[number];
    const struct linear_call *call = step->call;
    uint32_t at = grants_find(grants, call);
    bool mine = at != LINEAR_NONE && belongs(grants, &grants->all[at], call);
    switch (step->op) {
    case OP_ACQUIRE: return acquire(step, number, grants);
    case OP_RELEASE: return release(search, step, grants);
    case OP_RENEW:
        if (!mine) return step->known && explains(search, step, grants);
        if (step->known && call->status != IL_OK) return false;
        grants->all[at].lease = call->lease_ns ? number + 1 : 0;
        return true;
    case OP_CHECK:
        if (at == LINEAR_NONE) return step->known && explains(search, step, grants);
        return !step->known || call->status == IL_OK;
    case OP_BREAK:
        if (at == LINEAR_NONE && is_delayed(grants) && (!step->known || call->status == IL_OK)) {
            grants->from_ns = 0; /* it ends the delay */
            return call->argument == grants->newest || grants->later;
        }
        if (at == LINEAR_NONE) { /* it need not tell what became of the grant */
            return step->known && (call->status == IL_ENOTHELD || call->status == IL_ESTALE ||
                                   explains(search, step, grants));
        }
        if (step->known && call->status != IL_OK) return false;
        lose(grants, at, step->began_ns);
        return true;
    case OP_LEASE_END: return end_lease(search, number, grants);
    case OP_UNDO:
    case OP_UNDO_DIED: return undo(search, number, grants);
    case OP_DEATH: die(call, grants); return true;
    default: return false;
    }
}

void grants_describe(const struct grants *grants, FILE *out) {
    if (grants->kind == IL_KIND_SEMAPHORE)
        fprintf(out, "%" PRId64 " permits left, ", grants->value);
    fprintf(out, "newest token %" PRIu64 "%s%s", grants->newest, grants->later ? " or later" : "",
            grants->died ? ", an owner died" : "");
    if (grants->count == 0) fprintf(out, ", nobody holds it");
    for (uint32_t i = 0; i < grants->count; i++) {
        const struct grant *grant = &grants->all[i];
        fprintf(out, ", held by session %u owner %u", grant->session, grant->owner);
        if (grant->token < UNKNOWN) fprintf(out, " as %" PRIu64, grant->token);
        fprintf(out, " (%u%s)", grant->amount,
                grants->kind != IL_KIND_RWLOCK ? ""
                : grant->mode == IL_EXCLUSIVE  ? ", exclusive"
                                               : ", shared");
    }
}

/* ---- the model ------------------------------------------------------------------------------ */

_Static_assert(sizeof(struct grants) <= LINEAR_STATE_BYTES, "a model's state");

static void start(const struct linear_object *object, struct linear_state *state) {
    grants_start(object, (struct grants *)(void *)state->data);
}

static bool step_model(const struct linear_search *search, uint32_t number,
                       struct linear_state *state) {
    return grants_step(search, number, (struct grants *)(void *)state->data);
}

static void describe(const struct linear_search *search, const struct linear_state *state,
                     FILE *out) {
    (void)search;
    grants_describe((const struct grants *)(const void *)state->data, out);
}

const struct linear_model linear_grants = {
    sizeof(struct grants), grants_expand, start, step_model, describe, grants_relate};
