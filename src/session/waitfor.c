/*
 * waitfor.c - see waitfor.h.
 *
 * Three kinds of node: a wait, true when it is granted; an owner, true when it can go on; and for each
 * wait its place, true when it and all ahead of it are granted. First everything that follows from the
 * owners that do not wait is made true. What is left is stuck, and is a graph: a wait leads to the owners
 * it lacks and to the place ahead of it, an owner to its waits, a place to its wait and to the place ahead.
 * A wait that closes a cycle lies on one, so it is looked for in the strongly connected components (Tarjan,
 * with a stack of its own). To see whether one does, its owner is made true for a while and what follows
 * from that within the component is noted on a trail, by which it is undone.
 */
#include "session/waitfor.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
#define TRIES 64
#define HAVE_MOST (UINT64_C(1) << 62)

enum change { GRANTED, CLEAR, ON, SUM };

struct solver {
    const struct ili_waitfor *g;
    uint32_t n, o;
    bool self_free;
    uint64_t *sum;                 /* of a wait: what is there and what will be given back */
    uint8_t *granted, *clear, *on; /* wait, place, owner */
    uint32_t *waits_at, *waits_of; /* an owner's waits */
    uint32_t *wanted_at, *wanted;  /* an owner's places among the holders */
    uint32_t *holder_wait;         /* whose holder it is */
    uint32_t *after;               /* index + 1 of the wait behind this one */
    uint32_t *work, *trail;        /* nodes whose consequences are due; changes to undo */
    uint32_t work_count, trail_count;
    uint32_t within; /* component that changes are confined to; 0: none */
    bool trailing;
    /* by node */
    uint32_t *component, *index, *low, *cursor, *stack, *calls;
    uint32_t components;
};

/* ---- nodes: waits, then owners, then places --------------------------------------------------------- */

static uint32_t owner_node(const struct solver *s, uint32_t owner) { return s->n + owner; }
static uint32_t place_node(const struct solver *s, uint32_t wait) { return s->n + s->o + wait; }

static bool is_true(const struct solver *s, uint32_t node) {
    if (node < s->n) return s->granted[node];
    return node < s->n + s->o ? s->on[node - s->n] : s->clear[node - s->n - s->o];
}

static bool is_ahead_clear(const struct solver *s, uint32_t wait) {
    uint32_t before = s->g->waits[wait].before;
    return before == 0 || s->clear[before - 1];
}

/* The next node that NODE, which is not true, waits for; NONE: that was the last. *CURSOR: 0 at first. */
static uint32_t next_edge(const struct solver *s, uint32_t node, uint32_t *cursor) {
    if (node < s->n) {
        const struct ili_waitfor_wait *w = &s->g->waits[node];
        bool lacks = s->sum[node] < w->need;
        while (*cursor < w->holder_count) {
            const struct ili_waitfor_holder *h = &s->g->holders[w->holders + (*cursor)++];
            bool own = s->self_free && h->owner == w->owner;
            if (lacks && h->count && !own && !s->on[h->owner]) return owner_node(s, h->owner);
        }
        if ((*cursor)++ == w->holder_count && w->behind && !is_ahead_clear(s, node)) {
            return place_node(s, w->before - 1);
        }
        return NONE;
    }
    if (node < s->n + s->o) {
        uint32_t at = s->waits_at[node - s->n] + (*cursor)++;
        return at < s->waits_at[node - s->n + 1] ? s->waits_of[at] : NONE;
    }
    uint32_t wait = node - s->n - s->o;
    if (*cursor == 0 && ++*cursor && !s->granted[wait]) return wait;
    if (*cursor == 1 && ++*cursor && !is_ahead_clear(s, wait)) {
        return place_node(s, s->g->waits[wait].before - 1);
    }
    return NONE;
}

/* ---- what follows from what --------------------------------------------------------------------- */

static void note(struct solver *s, enum change change, uint32_t which) {
    if (s->trailing) s->trail[s->trail_count++] = which << 2 | (uint32_t)change;
}

static bool is_within(const struct solver *s, uint32_t node) {
    return s->within == 0 || s->component[node] == s->within;
}

static void grant(struct solver *s, uint32_t wait) {
    const struct ili_waitfor_wait *w = &s->g->waits[wait];
    bool may = w->need == 0 || (s->sum[wait] >= w->need && (!w->behind || is_ahead_clear(s, wait)));
    if (s->granted[wait] || !may || !is_within(s, wait)) return;
    s->granted[wait] = 1;
    note(s, GRANTED, wait);
    s->work[s->work_count++] = wait;
}

/* WAIT is granted: so the places from here on are clear until one is not. */
static void clear_from(struct solver *s, uint32_t wait) {
    while (s->granted[wait] && !s->clear[wait] && is_ahead_clear(s, wait) &&
           is_within(s, place_node(s, wait))) {
        s->clear[wait] = 1;
        note(s, CLEAR, wait);
        if (s->after[wait] == 0) return;
        wait = s->after[wait] - 1;
        grant(s, wait);
    }
}

static void set_on(struct solver *s, uint32_t owner) {
    if (s->on[owner]) return;
    s->on[owner] = 1;
    note(s, ON, owner);
    s->work[s->work_count++] = owner_node(s, owner);
}

static void give_back(struct solver *s, uint32_t owner) {
    for (uint32_t i = s->wanted_at[owner]; i < s->wanted_at[owner + 1]; i++) {
        uint32_t holder = s->wanted[i], wait = s->holder_wait[holder];
        if (s->granted[wait] || !is_within(s, wait)) continue;
        s->sum[wait] += s->g->holders[holder].count;
        note(s, SUM, holder);
        grant(s, wait);
    }
}

static void follow(struct solver *s) {
    while (s->work_count > 0) {
        uint32_t node = s->work[--s->work_count];
        if (node < s->n) {
            clear_from(s, node);
            set_on(s, s->g->waits[node].owner);
        } else {
            give_back(s, node - s->n);
        }
    }
}

static void undo(struct solver *s) {
    while (s->trail_count > 0) {
        uint32_t entry = s->trail[--s->trail_count], which = entry >> 2;
        switch ((enum change)(entry & 3)) {
        case GRANTED: s->granted[which] = 0; break;
        case CLEAR: s->clear[which] = 0; break;
        case ON: s->on[which] = 0; break;
        case SUM: s->sum[s->holder_wait[which]] -= s->g->holders[which].count; break;
        }
    }
}

/* ---- setting up ------------------------------------------------------------------------------------ */

/* BYTES of MEMORY from *AT on, which moves on. MEMORY NULL: it is only counted. */
static void *take(uint8_t *memory, size_t *at, size_t bytes) {
    void *taken = memory ? memory + *at : NULL;
    *at += (bytes + 7) & ~(size_t)7;
    return taken;
}

/* Gives the arrays their places in MEMORY; how many bytes it must have. */
static size_t lay_out(struct solver *s, uint8_t *memory) {
    size_t n = s->n, o = s->o, h = s->g->holder_count, nodes = 2 * n + o, word = sizeof(uint32_t);
    size_t at = 0;
    s->sum = take(memory, &at, n * sizeof(uint64_t));
    s->clear = take(memory, &at, n);
    s->on = take(memory, &at, o);
    s->waits_at = take(memory, &at, (o + 2) * word);
    s->waits_of = take(memory, &at, n * word);
    s->wanted_at = take(memory, &at, (o + 2) * word);
    s->wanted = take(memory, &at, h * word);
    s->holder_wait = take(memory, &at, h * word);
    s->after = take(memory, &at, n * word);
    s->work = take(memory, &at, (n + o) * word);
    s->trail = take(memory, &at, (2 * n + o + h) * word);
    s->component = take(memory, &at, nodes * word);
    s->index = take(memory, &at, nodes * word);
    s->low = take(memory, &at, nodes * word);
    s->cursor = take(memory, &at, nodes * word);
    s->stack = take(memory, &at, nodes * word);
    s->calls = take(memory, &at, nodes * word);
    return at;
}

/* AT[k + 2] counts what belongs to k, and then, once summed up, AT[k + 1] is where its part goes on. */
static void sum_up(uint32_t *at, uint32_t count) {
    for (uint32_t k = 1; k <= count; k++) at[k + 1] += at[k];
}

static void link_up(struct solver *s) {
    const struct ili_waitfor *g = s->g;
    for (uint32_t w = 0; w < s->n; w++) {
        const struct ili_waitfor_wait *wait = &g->waits[w];
        s->waits_at[wait->owner + 2]++;
        if (wait->before) s->after[wait->before - 1] = w + 1;
        s->sum[w] = wait->have < HAVE_MOST ? wait->have : HAVE_MOST;
        for (uint32_t i = 0; i < wait->holder_count; i++) {
            const struct ili_waitfor_holder *h = &g->holders[wait->holders + i];
            s->holder_wait[wait->holders + i] = w;
            if (s->self_free && h->owner == wait->owner) {
                s->sum[w] += h->count;
            } else {
                s->wanted_at[h->owner + 2]++;
            }
        }
    }
    sum_up(s->waits_at, s->o);
    sum_up(s->wanted_at, s->o);
    for (uint32_t w = 0; w < s->n; w++) {
        const struct ili_waitfor_wait *wait = &g->waits[w];
        s->waits_of[s->waits_at[wait->owner + 1]++] = w;
        for (uint32_t i = wait->holders; i < wait->holders + wait->holder_count; i++) {
            uint32_t owner = g->holders[i].owner;
            if (s->self_free && owner == wait->owner) continue;
            s->wanted[s->wanted_at[owner + 1]++] = i;
        }
    }
}

/* Makes true what follows from the owners that do not wait. */
static void begin(struct solver *s) {
    for (uint32_t w = 0; w < s->n; w++) grant(s, w);
    follow(s);
    for (uint32_t o = 0; o < s->o; o++) {
        if (s->waits_at[o] == s->waits_at[o + 1]) set_on(s, o);
    }
    follow(s);
}

/* ---- components ------------------------------------------------------------------------------------ */

/* A component was found: its nodes lie on the stack from FROM on. */
typedef void found(struct solver *s, const uint32_t *nodes, uint32_t count, void *context);

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Numbers the components that START leads to, and reports each: those that it leads to before itself. */
static void explore(struct solver *s, uint32_t start, uint32_t *visited, found *report,
                    void *context) {
    uint32_t depth = 0, top = 0;
    s->calls[depth++] = start;
    while (depth > 0) {
        uint32_t node = s->calls[depth - 1], to;
        if (s->index[node] == 0) {
            s->index[node] = s->low[node] = ++*visited;
            s->stack[top++] = node;
        }
        while ((to = next_edge(s, node, &s->cursor[node])) != NONE) {
            if (s->index[to] == 0) break;
            if (s->component[to] == 0) s->low[node] = least(s->low[node], s->index[to]);
        }
        if (to != NONE) {
            s->calls[depth++] = to;
            continue;
        }
        depth--;
        if (depth > 0) {
            uint32_t parent = s->calls[depth - 1];
            s->low[parent] = least(s->low[parent], s->low[node]);
        }
        if (s->low[node] != s->index[node]) continue;
        uint32_t from = top;
        s->components++;
        do {
            s->component[s->stack[--from]] = s->components;
        } while (s->stack[from] != node);
        if (top - from > 1) report(s, s->stack + from, top - from, context);
        top = from;
    }
}

/* ---- victims ----------------------------------------------------------------------------------------- */

static bool began_before(const struct solver *s, uint32_t a, uint32_t b) {
    const struct ili_waitfor_wait *x = &s->g->waits[a], *y = &s->g->waits[b];
    if (x->since_ns != y->since_ns) return x->since_ns < y->since_ns;
    return x->rank != y->rank ? x->rank < y->rank : a < b;
}

/* Whether WAIT, of component C, could be granted were its owner able to go on. */
static bool closes(struct solver *s, uint32_t wait, uint32_t c) {
    s->trailing = true;
    s->within = c;
    set_on(s, s->g->waits[wait].owner);
    follow(s);
    bool granted = s->granted[wait];
    undo(s);
    s->trailing = false;
    s->within = 0;
    return granted;
}

/* Whether nothing outside is what the component waits for. */
static bool stands_alone(const struct solver *s, const uint32_t *nodes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t cursor = 0, to;
        while ((to = next_edge(s, nodes[i], &cursor)) != NONE) {
            if (s->component[to] != s->component[nodes[0]]) return false;
        }
    }
    return true;
}

/* The victim among the waits of a component; NONE: it is only stuck behind another. */
static uint32_t choose(struct solver *s, const uint32_t *nodes, uint32_t count) {
    uint32_t last = NONE, tried = NONE;
    for (int tries = 0; tries < TRIES; tries++) {
        uint32_t latest = NONE; /* of those that were not tried */
        for (uint32_t i = 0; i < count; i++) {
            if (nodes[i] >= s->n || (tried != NONE && !began_before(s, nodes[i], tried))) continue;
            if (latest == NONE || began_before(s, latest, nodes[i])) latest = nodes[i];
        }
        if (latest == NONE) break;
        if (closes(s, latest, s->component[nodes[0]])) return latest;
        if (last == NONE) last = latest;
        tried = latest;
    }
    return stands_alone(s, nodes, count) ? last : NONE;
}

/* ---- results ----------------------------------------------------------------------------------------- */

struct results {
    struct ili_waitfor_cycle *cycles;
    struct ili_waitfor_step *steps;
    uint32_t cycle_count, step_count;
    uint32_t *from, *queue; /* by node: search of the shortest way */
};

/* Writes down the shortest cycle from VICTIM within its component. */
static void trace(struct solver *s, uint32_t victim, struct results *r) {
    uint32_t head = 0, tail = 0, to, node = victim;
    r->queue[tail++] = victim;
    bool closed = false;
    while (head < tail && !closed) {
        uint32_t cursor = 0;
        node = r->queue[head++];
        while ((to = next_edge(s, node, &cursor)) != NONE) {
            closed = to == victim;
            if (closed) break;
            if (s->component[to] != s->component[victim] || r->from[to]) continue;
            r->from[to] = node + 1;
            r->queue[tail++] = to;
        }
    }
    struct ili_waitfor_cycle *cycle = &r->cycles[r->cycle_count++];
    cycle->steps = r->step_count;
    bool queued = false;
    for (;;) { /* from the end back to the victim */
        if (node >= s->n) {
            queued = node >= s->n + s->o;
        } else {
            r->steps[r->step_count++] = (struct ili_waitfor_step){node, queued};
        }
        if (node == victim) break;
        node = r->from[node] - 1;
    }
    cycle->step_count = r->step_count - cycle->steps;
    struct ili_waitfor_step *a = r->steps + cycle->steps, *b = r->steps + r->step_count - 1;
    for (; a < b; a++, b--) {
        struct ili_waitfor_step swapped = *a;
        *a = *b;
        *b = swapped;
    }
}

static void report(struct solver *s, const uint32_t *nodes, uint32_t count, void *context) {
    uint32_t victim = choose(s, nodes, count);
    if (victim != NONE) trace(s, victim, context);
}

il_status ili_waitfor_solve(const struct ili_waitfor *graph, uint32_t root, bool self_free,
                            struct ili_waitfor_result *result) {
    struct solver s = {
        .g = graph, .n = graph->wait_count, .o = graph->owner_count, .self_free = self_free};
    size_t n = s.n, nodes = 2 * n + s.o;
    size_t own = lay_out(&s, NULL);
    size_t shown = n * (sizeof(struct ili_waitfor_cycle) + sizeof(struct ili_waitfor_step) + 1);
    uint8_t *memory = calloc(1, shown + 1);
    uint8_t *work = calloc(1, own + nodes * 2 * sizeof(uint32_t) + 1);
    if (!memory || !work) {
        free(memory);
        free(work);
        return IL_ENOMEM;
    }
    lay_out(&s, work);
    struct results r = {.cycles = (struct ili_waitfor_cycle *)memory,
                        .from = (uint32_t *)(work + own)};
    r.queue = r.from + nodes;
    r.steps = (struct ili_waitfor_step *)(r.cycles + n);
    s.granted = (uint8_t *)(r.steps + n);
    link_up(&s);
    begin(&s);
    uint32_t visited = 0;
    for (uint32_t w = 0; w < s.n; w++) {
        bool wanted = root == ILI_WAITFOR_ALL || root == w;
        if (wanted && !is_true(&s, w) && s.index[w] == 0) explore(&s, w, &visited, report, &r);
    }
    for (uint32_t w = 0; w < s.n; w++) s.granted[w] = !s.granted[w];
    *result = (struct ili_waitfor_result){.stuck = s.granted,
                                          .cycles = r.cycles,
                                          .steps = r.steps,
                                          .cycle_count = r.cycle_count,
                                          .step_count = r.step_count,
                                          .memory = memory};
    free(work);
    return IL_OK;
}

void ili_waitfor_free(struct ili_waitfor_result *result) {
    free(result->memory);
    result->memory = NULL;
}
