/*
 * check.c - see check.h.
 *
 * A point of the search is the set of steps that were taken and the state they led to. Points that were
 * seen are kept as 128 bits of hash: what was met twice is not tried again. A collision could only make
 * a history fail, in one of some 10^25.
 * Candidates at a point are the steps that began before the first return of those that are left. They
 * are tried by rank: first all that have to happen, in the order in which they probably did; then the
 * optional ones, which are rarely needed, and tried early would double the search each.
 */
#include "linear/check/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "linear/check/models.h"

#define SEEN_MOST (UINT64_C(1) << 17)
#define SEEN_MOST_OF_A_PREFIX 100000 /* there are a dozen of them */

static void *must(void *memory) {
    if (!memory) abort();
    return memory;
}

/* ---- steps ---------------------------------------------------------------------------------- */

static struct linear_step *new_step(struct linear_search *search, const struct linear_call *call,
                                    unsigned op) {
    if (search->count == search->capacity) {
        search->capacity = search->capacity ? search->capacity * 2 : 256;
        search->steps = must(realloc(search->steps, search->capacity * sizeof search->steps[0]));
    }
    struct linear_step *step = &search->steps[search->count++];
    memset(step, 0, sizeof *step);
    step->call = call;
    step->op = op;
    step->began_ns = call->began_ns;
    step->ended_ns = LINEAR_NEVER;
    step->rank_ns = call->ended_ns;
    step->after = step->prior = step->until = step->lease = step->next = step->end = step->broken =
        LINEAR_NONE;
    step->optional = true;
    step->known = call->status != LINEAR_PENDING;
    return step;
}

uint32_t linear_add(struct linear_search *search, const struct linear_call *call, unsigned op) {
    struct linear_step *step = new_step(search, call, op);
    if (call->ended_ns <= search->horizon_ns && call->ended_ns != LINEAR_NEVER) {
        step->ended_ns = call->ended_ns;
        step->optional = false;
    }
    return (uint32_t)(search->count - 1);
}

uint32_t linear_add_maybe(struct linear_search *search, const struct linear_call *call, unsigned op,
                          int64_t began_ns, uint32_t after) {
    struct linear_step *step = new_step(search, call, op);
    step->began_ns = began_ns;
    step->after = after;
    return (uint32_t)(search->count - 1);
}

/* Whether CALL did something that only a session that lives can do. */
static bool shows_life(const struct linear_call *call) {
    bool anybodys = call->op == OP_CHECK || call->op == OP_BREAK;
    return !anybodys && (call->status == IL_OK || call->status == IL_EOWNERDEAD);
}

/* A call of a session that died is not carried out after the death was dealt with. */
static void set_limits(struct linear_search *search) {
    for (uint32_t d = 0; d < search->count; d++) {
        if (search->steps[d].op != OP_DEATH) continue;
        const struct linear_call *death = search->steps[d].call;
        for (uint32_t i = 0; i < search->count; i++) {
            struct linear_step *step = &search->steps[i];
            bool same = death->owner ? step->call->owner == death->owner
                                     : step->call->session == death->session;
            if (!same || step->op == OP_DEATH || step->op == OP_LEASE_END) continue;
            if (step->call->status == LINEAR_PENDING) step->until = d;
            if (!step->optional && shows_life(step->call)) step->until = d;
        }
    }
}

/* Whether a grant was broken, or may have been, while CALL was under way. */
static bool broken_meanwhile(const struct linear_history *h, const struct linear_call *call) {
    for (size_t i = 0; i < h->count; i++) {
        const struct linear_call *other = &h->calls[i];
        bool broke =
            other->op == OP_BREAK && (other->status == IL_OK || other->status == LINEAR_PENDING);
        if (broke && other->began_ns <= call->ended_ns && other->ended_ns >= call->began_ns) {
            return true;
        }
    }
    return false;
}

static bool failed_for_itself(const struct linear_history *h, const struct linear_call *call) {
    switch (call->status) {
    case IL_EINTR:
    case IL_EDEADLK:
    case IL_EUPGRADE:
    case IL_ELIMIT:
    case IL_ENOMEM: return true;
    case IL_ELEASE: return call->op == OP_ACQUIRE; /* what it holds already, and renews so */
    case IL_EREVOKED: /* the same, between the acquire and the renewal */
        return call->op == OP_ACQUIRE && call->lease_ns && broken_meanwhile(h, call);
    case IL_ETIMEOUT:
        return !(call->flags & CALL_NOWAIT) && call->op != OP_MEET && call->op != OP_AWAIT;
    default: return false;
    }
}

/* False: there is no need to search. */
static bool expand(struct linear_search *search, const struct linear_model *model) {
    const struct linear_history *h = search->history;
    for (size_t i = 0; i < h->count; i++) {
        const struct linear_call *call = &h->calls[i];
        if (call->flags & CALL_SEVERAL) search->several = true;
        if (call->began_ns > search->horizon_ns || failed_for_itself(h, call)) continue;
        if (call->op == OP_DEATH) {
            linear_add(search, call, OP_DEATH);
        } else {
            model->expand(search, call);
        }
    }
    set_limits(search);
    bool possible = !model->relate || model->relate(search);
    for (uint32_t i = 0; i < search->count; i++) {
        const struct linear_step *step = &search->steps[i];
        if (step->until != LINEAR_NONE && !step->optional) search->steps[step->until].awaited++;
    }
    return possible;
}

/* ---- points that were seen ------------------------------------------------------------------ */

struct hash {
    uint64_t a, b;
};

struct seen {
    struct hash *table;
    uint64_t size, count;
};

static uint64_t mixed(uint64_t z) {
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static struct hash hash_of_step(uint32_t number) {
    uint64_t n = (uint64_t)number + 1;
    return (struct hash){mixed(n * UINT64_C(0x9e3779b97f4a7c15)),
                         mixed(n * UINT64_C(0xd1342543de82ef95))};
}

static struct hash hash_of_state(const struct linear_state *state, size_t bytes) {
    struct hash h = {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)};
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t word;
        memcpy(&word, state->data + i, 8);
        if (word == 0) continue;
        uint64_t part = mixed(word ^ mixed(i + 1));
        h.a += part;
        h.b ^= mixed(part + UINT64_C(0xa4093822299f31d0));
    }
    return h;
}

static bool put_into(struct hash *table, uint64_t size, struct hash h) {
    uint64_t at = h.a & (size - 1);
    for (;; at = (at + 1) & (size - 1)) {
        if (table[at].a == 0 && table[at].b == 0) break;
        if (table[at].a == h.a && table[at].b == h.b) return false;
    }
    table[at] = h;
    return true;
}

/* False: it is there already. */
static bool remember(struct seen *seen, struct hash h) {
    if (h.a == 0 && h.b == 0) h.b = 1;
    if (seen->count * 2 >= seen->size) {
        uint64_t size = seen->size ? seen->size * 2 : 4096;
        struct hash *table = must(calloc(size, sizeof *table));
        for (uint64_t i = 0; i < seen->size; i++) {
            if (seen->table[i].a || seen->table[i].b) put_into(table, size, seen->table[i]);
        }
        free(seen->table);
        seen->table = table;
        seen->size = size;
    }
    if (!put_into(seen->table, seen->size, h)) return false;
    seen->count++;
    return true;
}

/* ---- the search ----------------------------------------------------------------------------- */

/* Node 0 is the list's head; 1 + 2i the beginning of step i, 2 + 2i its return. */
struct node {
    uint32_t before, behind;
};

struct event {
    int64_t at_ns;
    uint32_t node;
};

struct taken {
    uint32_t step;
    bool alone; /* nothing else needs to be tried in its place */
    struct linear_state before;
};

struct best {
    uint32_t *order;
    size_t count;
    struct linear_state state;
};

/* Of events at one time, beginnings come first: such calls may have overlapped. */
static int by_time(const void *x, const void *y) {
    const struct event *a = x, *b = y;
    if (a->at_ns != b->at_ns) return a->at_ns < b->at_ns ? -1 : 1;
    bool a_returns = a->node % 2 == 0, b_returns = b->node % 2 == 0;
    if (a_returns != b_returns) return a_returns ? 1 : -1;
    return a->node < b->node ? -1 : a->node > b->node;
}

static struct node *make_list(const struct linear_search *search) {
    struct node *nodes = must(calloc(1 + 2 * search->count, sizeof *nodes));
    struct event *events = must(calloc(1 + 2 * search->count, sizeof *events));
    size_t count = 0;
    for (uint32_t i = 0; i < search->count; i++) {
        const struct linear_step *step = &search->steps[i];
        events[count++] = (struct event){step->began_ns, 1 + 2 * i};
        if (!step->optional) events[count++] = (struct event){step->ended_ns, 2 + 2 * i};
    }
    qsort(events, count, sizeof *events, by_time);
    uint32_t last = 0;
    for (size_t i = 0; i < count; i++) {
        nodes[last].behind = events[i].node;
        nodes[events[i].node].before = last;
        last = events[i].node;
    }
    nodes[last].behind = 0;
    nodes[0].before = last;
    free(events);
    return nodes;
}

static void cut(struct node *nodes, uint32_t n) {
    nodes[nodes[n].before].behind = nodes[n].behind;
    nodes[nodes[n].behind].before = nodes[n].before;
}

static void join(struct node *nodes, uint32_t n) {
    nodes[nodes[n].before].behind = n;
    nodes[nodes[n].behind].before = n;
}

static void lift(struct linear_search *search, struct node *nodes, uint32_t number) {
    const struct linear_step *step = &search->steps[number];
    cut(nodes, 1 + 2 * number);
    if (step->optional) return;
    cut(nodes, 2 + 2 * number);
    if (step->until != LINEAR_NONE) search->steps[step->until].awaited--;
}

static void drop(struct linear_search *search, struct node *nodes, uint32_t number) {
    const struct linear_step *step = &search->steps[number];
    if (!step->optional) {
        if (step->until != LINEAR_NONE) search->steps[step->until].awaited++;
        join(nodes, 2 + 2 * number);
    }
    join(nodes, 1 + 2 * number);
}

static bool may_come(const struct linear_search *search, uint32_t number) {
    const struct linear_step *step = &search->steps[number];
    if (step->after != LINEAR_NONE && !search->done[step->after]) return false;
    if (step->prior != LINEAR_NONE && !search->done[step->prior]) return false;
    if (step->awaited > 0) return false;
    return step->until == LINEAR_NONE || !search->done[step->until];
}

static bool is_before(const struct linear_search *search, uint32_t a, uint32_t b) {
    const struct linear_step *x = &search->steps[a], *y = &search->steps[b];
    if (x->optional != y->optional) return y->optional;
    if (x->rank_ns != y->rank_ns) return x->rank_ns < y->rank_ns;
    return a < b;
}

/* The next candidate by rank behind LAST (LINEAR_NONE: the first), or LINEAR_NONE. */
static uint32_t find_candidate(const struct linear_search *search, const struct node *nodes,
                               uint32_t last) {
    uint32_t best = LINEAR_NONE;
    for (uint32_t at = nodes[0].behind; at % 2 == 1; at = nodes[at].behind) {
        uint32_t number = at / 2;
        if (last != LINEAR_NONE && !is_before(search, last, number)) continue;
        if (best != LINEAR_NONE && !is_before(search, number, best)) continue;
        if (may_come(search, number)) best = number;
    }
    return best;
}

/* Whether STEP, with the outcome that it had, never changes anything. */
static bool only_looks(const struct linear_step *step) {
    if (step->optional || !step->known) return false;
    switch (step->op) {
    case OP_CHECK:
    case OP_PEEK:
    case OP_IS_SET:
    case OP_WAIT:
    case OP_COUNT: return true;
    case OP_ACQUIRE:
    case OP_RELEASE:
    case OP_RENEW:
    case OP_BREAK:
    case OP_PUT:
    case OP_GET:
    case OP_NOTIFY: return step->call->status != IL_OK && step->call->status != IL_EOWNERDEAD;
    default: return false;
    }
}

/* A step that only looks, and may come next: taken now, it is in the way of no other. */
static uint32_t find_harmless(const struct linear_search *search, const struct linear_model *model,
                              const struct node *nodes, const struct linear_state *state) {
    for (uint32_t at = nodes[0].behind; at % 2 == 1; at = nodes[at].behind) {
        uint32_t number = at / 2;
        if (!only_looks(&search->steps[number]) || !may_come(search, number)) continue;
        struct linear_state next;
        memcpy(&next, state, model->bytes);
        if (model->step(search, number, &next)) return number;
    }
    return LINEAR_NONE;
}

static void keep_best(struct best *best, const struct taken *stack, size_t depth,
                      const struct linear_state *state) {
    if (!best || (best->order && depth <= best->count)) return;
    best->order = must(realloc(best->order, (depth + 1) * sizeof best->order[0]));
    for (size_t i = 0; i < depth; i++) best->order[i] = stack[i].step;
    best->count = depth;
    best->state = *state;
}

static enum linear_verdict search_all(struct linear_search *search,
                                      const struct linear_model *model, struct best *best) {
    struct linear_state state = {{0}};
    struct seen seen = {0};
    struct hash path = {0, 0};
    struct taken *stack = must(calloc(search->count + 1, sizeof *stack));
    struct node *nodes = make_list(search);
    size_t depth = 0, left = 0;
    uint32_t last = LINEAR_NONE;
    enum linear_verdict verdict = LINEAR_OK;
    search->done = must(calloc(search->count + 1, sizeof(bool)));
    for (size_t i = 0; i < search->count; i++) left += !search->steps[i].optional;
    model->start(&search->history->object, &state);
    while (left > 0) {
        uint32_t number = LINEAR_NONE;
        if (last == LINEAR_NONE) number = find_harmless(search, model, nodes, &state);
        bool alone = number != LINEAR_NONE;
        if (!alone) number = find_candidate(search, nodes, last);
        if (number != LINEAR_NONE) {
            struct linear_state next;
            memcpy(&next, &state, model->bytes);
            last = number;
            if (!model->step(search, number, &next)) continue;
            struct hash s = hash_of_step(number), h = hash_of_state(&next, model->bytes);
            h.a ^= path.a ^ s.a;
            h.b ^= path.b ^ s.b;
            if (!remember(&seen, h) && !alone) continue;
            path.a ^= s.a;
            path.b ^= s.b;
            stack[depth].step = number;
            stack[depth].alone = alone;
            memcpy(&stack[depth++].before, &state, model->bytes);
            memcpy(&state, &next, model->bytes);
            search->done[number] = true;
            lift(search, nodes, number);
            if (!search->steps[number].optional) left--;
            last = LINEAR_NONE;
            continue;
        }
        keep_best(best, stack, depth, &state);
        if (depth == 0) {
            verdict = LINEAR_VIOLATED;
            break;
        }
        if (seen.count > search->most) {
            verdict = LINEAR_UNDECIDED;
            break;
        }
        bool only;
        do {
            last = stack[--depth].step;
            only = stack[depth].alone;
            struct hash s = hash_of_step(last);
            path.a ^= s.a;
            path.b ^= s.b;
            memcpy(&state, &stack[depth].before, model->bytes);
            search->done[last] = false;
            drop(search, nodes, last);
            if (!search->steps[last].optional) left++;
        } while (only && depth > 0);
        if (only) {
            verdict = LINEAR_VIOLATED;
            break;
        }
    }
    free(seen.table);
    free(stack);
    free(nodes);
    return verdict;
}

static void forget(struct linear_search *search) {
    free(search->steps);
    free(search->done);
    search->steps = NULL;
    search->done = NULL;
    search->count = search->capacity = 0;
}

/* A level that finds an order suffices; only the last one can tell that there is none. */
static enum linear_verdict check_until(const struct linear_history *history,
                                       const struct linear_model *model, int64_t horizon_ns,
                                       uint64_t most) {
    enum linear_verdict verdict = LINEAR_VIOLATED;
    for (unsigned level = 0; level < LINEAR_LEVELS && verdict != LINEAR_OK; level++) {
        struct linear_search search = {
            .history = history, .horizon_ns = horizon_ns, .most = most, .level = level};
        verdict = LINEAR_VIOLATED;
        if (expand(&search, model)) verdict = search_all(&search, model, NULL);
        bool levels = search.levels;
        forget(&search);
        if (!levels) break;
    }
    return verdict;
}

/* ---- the explanation ------------------------------------------------------------------------ */

static int by_number(const void *x, const void *y) {
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return a < b ? -1 : a > b;
}

/* The first return after which the history so far is not linearizable, as far as that is soon found. */
static int64_t find_horizon(const struct linear_history *history,
                            const struct linear_model *model) {
    int64_t *returns = must(calloc(history->count + 1, sizeof *returns));
    size_t count = 0;
    for (size_t i = 0; i < history->count; i++) {
        if (history->calls[i].ended_ns != LINEAR_NEVER)
            returns[count++] = history->calls[i].ended_ns;
    }
    qsort(returns, count, sizeof *returns, by_number);
    size_t low = 0, high = count ? count - 1 : 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (check_until(history, model, returns[middle], SEEN_MOST_OF_A_PREFIX) ==
            LINEAR_VIOLATED) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    int64_t horizon = count ? returns[low] : LINEAR_NEVER;
    free(returns);
    return horizon;
}

static void print_step(const struct linear_step *step, int64_t zero, int64_t horizon, FILE *out) {
    const struct linear_call *call = step->call;
    fprintf(out, "  %12.3f ", (double)(step->began_ns - zero) / 1e3);
    if (step->ended_ns == LINEAR_NEVER) {
        fprintf(out, "%12s ",
                call->ended_ns == LINEAR_NEVER || call->ended_ns <= horizon ? "-" : "later");
    } else {
        fprintf(out, "%12.3f ", (double)(step->ended_ns - zero) / 1e3);
    }
    fprintf(out, "session %-3u owner %-4u %-10s", call->session, call->owner,
            linear_op_name(step->op));
    if (call->argument) fprintf(out, " of %" PRIu64, call->argument);
    if (call->amount) fprintf(out, " by %u", call->amount);
    if (call->lease_ns) fprintf(out, " lease %.3f ms", (double)call->lease_ns / 1e6);
    if (call->flags & CALL_NOWAIT) fprintf(out, " nowait");
    if (call->flags & CALL_DROPPED) fprintf(out, " dropped");
    if (call->flags & CALL_SEVERAL) fprintf(out, " with others");
    if (call->status == LINEAR_PENDING) {
        fprintf(out, " -> ?");
    } else {
        fprintf(out, " -> %s", il_status_name(call->status));
        if (call->result) fprintf(out, " %" PRIu64, call->result);
    }
    fprintf(out, "\n");
}

/* All calls about the token or the item of the call that could not come last. */
static void print_related(const struct linear_search *search, int64_t zero, FILE *out) {
    uint64_t about = 0;
    for (uint32_t i = 0; i < search->count; i++) {
        const struct linear_step *step = &search->steps[i];
        if (search->done[i] || step->ended_ns != search->horizon_ns) continue;
        about = step->call->argument ? step->call->argument : step->call->result;
    }
    if (about) fprintf(out, " all about %" PRIu64 ":\n", about);
    for (uint32_t i = 0; i < search->count && about; i++) {
        const struct linear_call *call = search->steps[i].call;
        if (call->argument != about && call->result != about) continue;
        print_step(&search->steps[i], zero, search->horizon_ns, out);
    }
}

static void explain(const struct linear_history *history, const struct linear_model *model,
                    enum linear_verdict verdict, FILE *out) {
    struct linear_search search = {
        .history = history, .most = SEEN_MOST_OF_A_PREFIX, .level = LINEAR_LEVELS - 1};
    struct best best = {0};
    search.horizon_ns = verdict == LINEAR_VIOLATED ? find_horizon(history, model) : LINEAR_NEVER;
    (void)expand(&search, model);
    (void)search_all(&search, model, &best);
    int64_t zero = history->count ? history->calls[0].began_ns : 0;
    fprintf(out, "%s \"%s\": %s, %zu calls; times in us since the first of them\n",
            linear_kind_name(history->object.kind), history->object.name,
            verdict == LINEAR_VIOLATED ? "not linearizable" : "undecided", history->count);
    fprintf(out, " began          ended\n");
    fprintf(out, " the longest run that the model allows, its end (%zu steps):\n", best.count);
    memset(search.done, 0, search.count);
    for (size_t i = 0; i < best.count; i++) {
        search.done[best.order[i]] = true;
        if (best.count - i <= 24) {
            print_step(&search.steps[best.order[i]], zero, search.horizon_ns, out);
        }
    }
    fprintf(out, " which leads to: ");
    model->describe(&search, &best.state, out);
    fprintf(out, "\n and none of these may come next:\n");
    size_t shown = 0;
    for (uint32_t i = 0; i < search.count && shown < 40; i++) {
        if (search.done[i] || (search.steps[i].optional && shown > 30)) continue;
        print_step(&search.steps[i], zero, search.horizon_ns, out);
        shown++;
    }
    print_related(&search, zero, out);
    free(best.order);
    forget(&search);
}

static int by_beginning(const void *x, const void *y) {
    const struct linear_call *a = x, *b = y;
    return a->began_ns < b->began_ns ? -1 : a->began_ns > b->began_ns;
}

enum linear_verdict linear_check(struct linear_history *history, FILE *out) {
    const struct linear_model *model = linear_model_of(history->object.kind);
    if (!model) return LINEAR_UNDECIDED;
    if (history->count)
        qsort(history->calls, history->count, sizeof history->calls[0], by_beginning);
    enum linear_verdict verdict = check_until(history, model, LINEAR_NEVER, SEEN_MOST);
    if (verdict != LINEAR_OK && out) explain(history, model, verdict, out);
    return verdict;
}
