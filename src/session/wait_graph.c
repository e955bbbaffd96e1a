/*
 * wait_graph.c - see wait_graph.h.
 *
 * Two threads that close a cycle at the same time: each first publishes its wait (park is WAITING) and then
 * reads the other's park. Both accesses of both are sequentially consistent, so at least one of them sees
 * the other. What a waiter wrote before it waited (its place in the queue, what it waits for, the words of
 * what it holds) is seen by whoever sees it waiting.
 */
#include "session/wait_graph.h"

#include <stdlib.h>
#include <string.h>

#define LOOKED 0x80000000u /* in owner_of: its waits are in the graph */
#define HOLDERS_FIRST 64u
#define HOLDERS_MOST 65536u    /* of one object */
#define HOLDERS_ALL (1u << 23) /* of all waits; past that, a wait counts as open */

struct collector {
    struct ili_member *m;
    const struct ili_arena *a;
    struct ili_wait_graph *out;
    uint32_t agents;    /* how many there are */
    bool everything;    /* all waits are there: no owner's need be looked for */
    uint32_t *wait_of;  /* by agent number: index of its wait + 1 */
    uint32_t *owner_of; /* by agent number: the owner's index + 1 */
    uint32_t
        *first_for; /* by owner's number: first agent that waits for it; NULL: not looked for yet */
    uint32_t *next_for; /* by agent number: the next one that waits for the same owner */
    struct ili_gate_holder *room;
    uint32_t room_size;
    bool no_memory;
};

/* ---- reading -------------------------------------------------------------------------------------- */

static void mix(struct collector *c, uint64_t value) {
    uint64_t z = (c->out->number ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    c->out->number = z ^ z >> 29;
}

static uint32_t agent_count(const struct ili_arena *a) {
    uint32_t committed = atomic_load_explicit(&a->header->agents_committed, memory_order_acquire);
    return committed < a->regions.agents ? committed : a->regions.agents;
}

void *ili_waited_object(const struct ili_arena *arena, ili_off at, const struct ili_kind **kind) {
    const struct ili_object *object = ili_at(arena, at, sizeof *object);
    uint32_t number = object ? object->kind : 0;
    *kind = ili_kind_of(number);
    return *kind ? ili_object_at(arena, at, number) : NULL;
}

/* Whether the session of AGENT is there. A home agent's NUMBER is not that of an owner that waits. */
static bool is_live(const struct ili_arena *a, const struct ili_agent *agent, uint32_t *home) {
    uint32_t slot = atomic_load_explicit(&agent->owner, memory_order_relaxed);
    if (slot == 0 || slot > a->regions.slots) return false;
    *home = atomic_load_explicit(&a->slots[slot - 1].home, memory_order_relaxed);
    return atomic_load_explicit(&a->slots[slot - 1].state, memory_order_relaxed) == ILI_SLOT_LIVE;
}

static bool is_waiting(const struct ili_agent *agent) {
    /* seq_cst: see above; also an acquire, which pairs with ili_agent_set_state() */
    return (atomic_load_explicit(&agent->park, memory_order_seq_cst) & ILI_PARK_STATE) ==
           ILI_PARK_WAITING;
}

bool ili_waits(const struct ili_arena *arena, const struct ili_agent *agent, ili_off *object,
               uint32_t *which) {
    uint32_t home;
    if (!is_waiting(agent) || !is_live(arena, agent, &home)) return false;
    ili_off at = atomic_load_explicit(&agent->wait_object, memory_order_relaxed);
    *object = at & ~(ili_off)7;
    *which = (uint32_t)(at & 7);
    return *object != 0;
}

enum ili_owner_state ili_owner_look(const struct ili_arena *arena, uint32_t number) {
    const struct ili_agent *agent = ili_agent_at(arena, number);
    uint32_t home;
    if (!agent || !is_live(arena, agent, &home) || home == number) return ILI_OWNER_RUNS;
    if (atomic_load_explicit(&agent->flags, memory_order_relaxed) & ILI_AGENT_OWNER) {
        return ILI_OWNER_MAY_WAIT;
    }
    if (!is_waiting(agent)) return ILI_OWNER_RUNS;
    if (atomic_load_explicit(&agent->wait_object, memory_order_relaxed) == 0) {
        return ILI_OWNER_MAY_WAIT;
    }
    return ili_agent_acts_for(arena, agent) == number ? ILI_OWNER_WAITS : ILI_OWNER_RUNS;
}

/* ---- the graph grows -------------------------------------------------------------------------------- */

/* ARRAY, or a longer one in its place, that has room for COUNT + 1 elements of BYTES. NULL: there is no
 * memory, and ARRAY is as it was. */
static void *grow(struct collector *c, void *array, uint32_t *room, uint32_t count, size_t bytes) {
    if (count < *room) return array;
    uint32_t more = *room ? *room * 2 : 64;
    void *grown = realloc(array, more * bytes);
    if (grown) *room = more;
    c->no_memory |= !grown;
    return grown;
}

static uint32_t new_owner(struct collector *c) { return c->out->graph.owner_count++; }

static uint32_t owner_index(struct collector *c, uint32_t number) {
    if (number > c->agents) return new_owner(c);
    if (c->owner_of[number] == 0) c->owner_of[number] = new_owner(c) + 1;
    return (c->owner_of[number] & ~LOOKED) - 1;
}

/* The index + 1 of the wait of the agent NUMBER; 0: it does not wait, or there is no memory. */
static uint32_t add_wait(struct collector *c, uint32_t number) {
    struct ili_wait_graph *g = c->out;
    const struct ili_agent *agent = ili_agent_at(c->a, number);
    struct ili_seen_wait seen = {.agent = number};
    if (!agent || number > c->agents) return 0;
    if (c->wait_of[number]) return c->wait_of[number];
    if (!ili_waits(c->a, agent, &seen.object, &seen.which)) return 0;
    seen.owner = ili_agent_acts_for(c->a, agent);
    seen.want = atomic_load_explicit(&agent->want, memory_order_relaxed);
    seen.turn = atomic_load_explicit(&agent->turn, memory_order_relaxed);
    int64_t since = atomic_load_explicit(&agent->since_ns, memory_order_relaxed);
    mix(c, number);
    mix(c, seen.object + seen.which);
    mix(c, seen.owner);
    mix(c, seen.turn);
    mix(c, (uint64_t)since);
    uint32_t count = g->graph.wait_count, room = g->wait_room;
    struct ili_waitfor_wait *waits = grow(c, g->waits, &room, count, sizeof *waits);
    if (waits) g->waits = waits;
    struct ili_seen_wait *all = grow(c, g->seen, &g->wait_room, count, sizeof *all);
    if (all) g->seen = all;
    if (!waits || !all) return 0;
    const struct ili_agent *owner = ili_agent_at(c->a, seen.owner);
    uint32_t home = 0;
    bool shared = owner && is_live(c->a, owner, &home) && home == seen.owner;
    g->seen[count] = seen;
    g->waits[count] = (struct ili_waitfor_wait){
        /* what is the session's holds up nobody: others of the session go on */
        .owner = shared ? new_owner(c) : owner_index(c, seen.owner),
        .since_ns = since,
        .rank = number,
    };
    c->wait_of[number] = ++g->graph.wait_count;
    return c->wait_of[number];
}

/* Finds out who waits for which owner. */
static bool look_for_all(struct collector *c) {
    ili_off object;
    uint32_t which;
    if (c->first_for) return true;
    c->first_for = calloc((size_t)c->agents + 1, sizeof *c->first_for);
    c->next_for = calloc((size_t)c->agents + 1, sizeof *c->next_for);
    c->no_memory = !c->first_for || !c->next_for;
    if (c->no_memory) return false;
    for (uint32_t number = c->agents; number > 0; number--) {
        const struct ili_agent *agent = &c->a->agents[number - 1];
        uint32_t owner = atomic_load_explicit(&agent->for_owner, memory_order_relaxed);
        if (owner == 0 || owner > c->agents || !ili_waits(c->a, agent, &object, &which)) continue;
        c->next_for[number] = c->first_for[owner];
        c->first_for[owner] = number;
    }
    return true;
}

/* Adds the waits of the owner NUMBER. */
static void add_owner(struct collector *c, uint32_t number) {
    if (c->everything || number > c->agents) return;
    (void)owner_index(c, number);
    if (c->owner_of[number] & LOOKED) return;
    c->owner_of[number] |= LOOKED;
    switch (ili_owner_look(c->a, number)) {
    case ILI_OWNER_RUNS: break;
    case ILI_OWNER_WAITS: (void)add_wait(c, number); break;
    case ILI_OWNER_MAY_WAIT:
        if (!look_for_all(c)) break;
        for (uint32_t n = c->first_for[number]; n && !c->no_memory; n = c->next_for[n]) {
            (void)add_wait(c, n);
        }
        break;
    }
}

/* ---- what a wait waits for ------------------------------------------------------------------------- */

/* Reads the gate of a wait; false: nothing keeps it. */
static bool read_gate(struct collector *c, const struct ili_kind *kind, void *object,
                      const struct ili_agent *agent, struct ili_gate *gate) {
    for (;;) {
        if (!c->room) c->room = malloc(c->room_size * sizeof *c->room);
        c->no_memory |= !c->room;
        if (c->no_memory) return false;
        *gate = (struct ili_gate){.holders = c->room, .holder_room = c->room_size};
        kind->gate(c->m, object, agent, gate);
        if (!gate->overflow) break;
        if (c->room_size >= HOLDERS_MOST) return false;
        c->room_size *= 4;
        free(c->room);
        c->room = NULL;
    }
    if (gate->holder_count > c->room_size) gate->holder_count = c->room_size;
    return gate->need != 0;
}

/* Notes for all waits of the queue of WAIT which one is ahead. */
static void link_queue(struct collector *c, const struct ili_kind *kind, void *object,
                       uint32_t wait) {
    struct ili_wait_graph *g = c->out;
    struct ili_seen_wait self = g->seen[wait];
    struct ili_waitq *queue = kind->waiters ? kind->waiters(object, self.which) : NULL;
    uint32_t before = 0, number;
    if (self.linked || !queue) return;
    number = atomic_load_explicit(&queue->head, memory_order_acquire);
    for (uint32_t i = 0; number && i <= c->agents && !c->no_memory; i++) {
        const struct ili_agent *agent = ili_agent_at(c->a, number);
        uint32_t index = add_wait(c, number);
        mix(c, number);
        if (!agent) break;
        if (index) {
            struct ili_seen_wait *seen = &g->seen[index - 1];
            if (seen->linked || seen->object != self.object || seen->which != self.which) break;
            seen->linked = true;
            g->waits[index - 1].before = before;
            before = index;
        }
        number = atomic_load_explicit(&agent->next, memory_order_acquire);
    }
    if (number || !g->seen[wait].linked) g->torn = true;
}

/* Completes the wait INDEX by what its object says. */
static void add_gate(struct collector *c, uint32_t index) {
    struct ili_wait_graph *g = c->out;
    struct ili_seen_wait *seen = &g->seen[index];
    struct ili_waitfor_wait *wait = &g->waits[index];
    const struct ili_agent *agent = ili_agent_at(c->a, seen->agent);
    const struct ili_kind *kind;
    struct ili_gate gate;
    void *object = ili_waited_object(c->a, seen->object, &kind);
    if (!object || !kind->gate || !agent) return; /* open */
    if (!read_gate(c, kind, object, agent, &gate)) return;
    if (g->graph.holder_count + gate.holder_count > HOLDERS_ALL) return;
    wait->need = gate.need;
    wait->have = gate.have;
    wait->behind = gate.behind;
    wait->holders = g->graph.holder_count;
    seen->report = gate.report;
    mix(c, gate.need);
    mix(c, gate.have);
    mix(c, (uint64_t)gate.behind << 1 | gate.report);
    for (size_t i = 0; i < gate.holder_count; i++) {
        struct ili_gate_holder holder = gate.holders[i];
        uint32_t count = g->graph.holder_count;
        mix(c, (uint64_t)holder.owner << 32 | holder.count);
        struct ili_waitfor_holder *more = grow(c, g->holders, &g->holder_room, count, sizeof *more);
        if (!more) return;
        g->holders = more;
        add_owner(c, holder.owner);
        g->holders[count] = (struct ili_waitfor_holder){owner_index(c, holder.owner), holder.count};
        g->graph.holder_count++;
        g->waits[index].holder_count++;
    }
    if (gate.behind) link_queue(c, kind, object, index);
}

/* ---- the whole -------------------------------------------------------------------------------------- */

static il_status begin(struct collector *c, struct ili_member *member, struct ili_wait_graph *out) {
    *out = (struct ili_wait_graph){0};
    *c = (struct collector){.m = member,
                            .a = &member->arena,
                            .out = out,
                            .agents = agent_count(&member->arena),
                            .room_size = HOLDERS_FIRST};
    c->wait_of = calloc((size_t)c->agents + 1, sizeof *c->wait_of);
    c->owner_of = calloc((size_t)c->agents + 1, sizeof *c->owner_of);
    return c->wait_of && c->owner_of ? IL_OK : IL_ENOMEM;
}

static il_status finish(struct collector *c, il_status status) {
    struct ili_wait_graph *g = c->out;
    for (uint32_t i = 0; status == IL_OK && i < g->graph.wait_count && !c->no_memory; i++) {
        add_gate(c, i); /* which may add more waits */
    }
    g->graph.waits = g->waits;
    g->graph.holders = g->holders;
    free(c->wait_of);
    free(c->owner_of);
    free(c->first_for);
    free(c->next_for);
    free(c->room);
    return c->no_memory ? IL_ENOMEM : status;
}

il_status ili_wait_graph_of(struct ili_member *member, const struct ili_agent *agent,
                            struct ili_wait_graph *out) {
    struct collector c;
    il_status status = begin(&c, member, out);
    if (status == IL_OK && !add_wait(&c, ili_agent_number(c.a, agent))) {
        add_owner(&c, ili_agent_acts_for(c.a, agent));
    }
    return finish(&c, status);
}

il_status ili_wait_graph_all(struct ili_member *member, struct ili_wait_graph *out) {
    struct collector c;
    il_status status = begin(&c, member, out);
    c.everything = true;
    for (uint32_t number = 1; status == IL_OK && number <= c.agents && !c.no_memory; number++) {
        (void)add_wait(&c, number);
    }
    return finish(&c, status);
}

void ili_wait_graph_free(struct ili_wait_graph *graph) {
    free(graph->waits);
    free(graph->holders);
    free(graph->seen);
    *graph = (struct ili_wait_graph){0};
}
