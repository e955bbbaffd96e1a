/* deadlock.c - see deadlock.h. Showing what was found is in deadlock_show.c. */
#include "session/deadlock.h"

#include <stdlib.h>

#include "session/deadlock_show.h"
#include "session/wait_graph.h"

#define HOPS 8 /* of a simple chain that is followed without putting a graph together */
#define AT_A_GLANCE 16
#define ATTEMPTS 8 /* at finding everything as it was */
#define CYCLES_SHOWN 1000

/* ---- a glance ---------------------------------------------------------------------------------------- */

/* Whether all that hold the object run. False also in doubt. */
static bool all_run(struct ili_member *m, const struct ili_kind *kind, void *object) {
    struct ili_grant grants[AT_A_GLANCE];
    if (!kind->grants) return false;
    size_t count = kind->grants(m, object, grants, AT_A_GLANCE);
    if (count > AT_A_GLANCE) return false;
    for (size_t i = 0; i < count; i++) {
        if (ili_owner_look(&m->arena, grants[i].owner) != ILI_OWNER_RUNS) return false;
    }
    return true;
}

/* Whether AGENT waits first in its queue. */
static bool is_first(const struct ili_member *m, const struct ili_kind *kind, void *object,
                     uint32_t which, const struct ili_agent *agent) {
    struct ili_waitq *queue = kind->waiters ? kind->waiters(object, which) : NULL;
    return queue && ili_waitq_first(m, queue) == agent;
}

/* The one owner of GATE that waits; *SUM: what those that run will give back. 0: nobody waits, or it is
 * not that simple: then *SUM is 0 as well. What the waiting OWNER holds itself counts as given back. */
static uint32_t sum_up(const struct ili_arena *a, const struct ili_gate *gate, uint32_t owner,
                       uint64_t *sum) {
    uint32_t blocked = 0;
    *sum = gate->have;
    for (size_t i = 0; i < gate->holder_count && i < AT_A_GLANCE; i++) {
        uint32_t number = gate->holders[i].owner;
        enum ili_owner_state state = number == owner ? ILI_OWNER_RUNS : ili_owner_look(a, number);
        if (state == ILI_OWNER_RUNS) {
            *sum += gate->holders[i].count;
        } else if (state == ILI_OWNER_WAITS && (blocked == 0 || blocked == number)) {
            blocked = number;
        } else {
            *sum = 0;
            return 0;
        }
    }
    return blocked;
}

/* Follows the chain from AGENT for as long as it is simple. True: it ends at somebody who runs. */
static bool ends_well(struct ili_member *m, const struct ili_agent *agent) {
    struct ili_gate_holder holders[AT_A_GLANCE];
    const struct ili_arena *a = &m->arena;
    const struct ili_kind *kind;
    ili_off at;
    uint32_t which;
    for (int hop = 0; hop < HOPS; hop++) {
        if (!ili_waits(a, agent, &at, &which)) {
            /* one that waits by others in its place must be looked at closely */
            return ili_owner_look(a, ili_agent_number(a, agent)) == ILI_OWNER_RUNS;
        }
        void *object = ili_waited_object(a, at, &kind);
        if (!object || !kind->gate) return true;
        struct ili_gate gate = {.holders = holders, .holder_room = AT_A_GLANCE};
        uint64_t sum;
        kind->gate(m, object, agent, &gate);
        if (gate.overflow) return false;
        if (gate.need == 0) return true;
        if (gate.behind && !is_first(m, kind, object, which, agent) && !all_run(m, kind, object)) {
            return false;
        }
        uint32_t blocked = sum_up(a, &gate, ili_agent_acts_for(a, agent), &sum);
        if (sum >= gate.need) return true;
        if (blocked == 0 || gate.behind) return false;
        agent = ili_agent_at(a, blocked);
        if (!agent) return true;
    }
    return false;
}

/* ---- a close look -------------------------------------------------------------------------------------- */

/* A deadlock that stood. */
struct found {
    struct ili_wait_graph graph;
    struct ili_waitfor_result result;
};

static void release(struct found *found) {
    ili_waitfor_free(&found->result);
    ili_wait_graph_free(&found->graph);
}

static bool solve(struct ili_member *m, const struct ili_agent *agent, bool self_free,
                  struct found *found) {
    *found = (struct found){0};
    return ili_wait_graph_of(m, agent, &found->graph) == IL_OK &&
           found->graph.graph.wait_count > 0 &&
           ili_waitfor_solve(&found->graph.graph, 0, self_free, &found->result) == IL_OK &&
           found->result.cycle_count > 0;
}

/* Whether AGENT is in a deadlock, or behind one: *FOUND, to be released; only what two looks in a row
 * found alike counts. */
static bool find(struct ili_member *m, const struct ili_agent *agent, bool self_free,
                 struct found *found) {
    struct found before;
    bool any = solve(m, agent, self_free, &before);
    for (int i = 0; any && i < ATTEMPTS; i++) {
        any = solve(m, agent, self_free, found);
        bool same = any && found->graph.number == before.graph.number && !found->graph.torn &&
                    !before.graph.torn;
        release(&before);
        if (same) return true;
        before = *found;
    }
    release(&before);
    return false;
}

/* Index of the cycle whose victim began last. */
static uint32_t last_cycle(const struct found *found) {
    const struct ili_waitfor_wait *waits = found->graph.waits;
    const struct ili_waitfor_result *r = &found->result;
    uint32_t last = 0;
    for (uint32_t c = 1; c < r->cycle_count; c++) {
        const struct ili_waitfor_wait *x = &waits[r->steps[r->cycles[last].steps].wait];
        const struct ili_waitfor_wait *y = &waits[r->steps[r->cycles[c].steps].wait];
        bool later = x->since_ns == y->since_ns ? y->rank > x->rank : y->since_ns > x->since_ns;
        if (later) last = c;
    }
    return last;
}

/* Makes AGENT look around, who is to see that it is the victim. */
static void poke(struct ili_member *m, struct ili_agent *agent) {
    atomic_fetch_or_explicit(&agent->park, ILI_PARK_POKED, memory_order_release);
    ili_agent_wake(m, agent);
}

/* Whether VICTIM waits for WAITER: it is itself, or stands in its place. */
static bool is_of(const struct ili_arena *a, const struct ili_agent *victim,
                  const struct ili_agent *waiter) {
    if (victim == waiter) return true;
    return atomic_load_explicit(&victim->flags, memory_order_relaxed) & ILI_AGENT_PROXY &&
           atomic_load_explicit(&victim->hub, memory_order_relaxed) == ili_agent_number(a, waiter);
}

il_status ili_deadlock_check(struct ili_member *member, struct ili_agent *waiter) {
    struct found found;
    il_status status = IL_OK;
    /* seq_cst: publishes the wait before those of others are read, see wait_graph.c */
    atomic_fetch_or_explicit(&waiter->park, 0, memory_order_seq_cst);
    if (ends_well(member, waiter) || !find(member, waiter, true, &found)) return IL_OK;
    uint32_t cycle = last_cycle(&found);
    const struct ili_seen_wait *seen =
        &found.graph.seen[found.result.steps[found.result.cycles[cycle].steps].wait];
    struct ili_agent *victim = ili_agent_at(&member->arena, seen->agent);
    if (victim && !seen->report) {
        if (is_of(&member->arena, victim, waiter)) {
            ili_deadlock_note(member, &found.graph, &found.result, cycle);
            status = IL_EDEADLK;
        } else {
            poke(member, victim);
        }
    }
    release(&found);
    return status;
}

/* ---- the list ------------------------------------------------------------------------------------------ */

/* Whether the wait INDEX of GRAPH still closes a cycle. */
static bool still_stands(struct ili_member *m, const struct ili_wait_graph *graph, uint32_t index) {
    struct found found;
    const struct ili_seen_wait *seen = &graph->seen[index];
    const struct ili_agent *agent = ili_agent_at(&m->arena, seen->agent);
    bool stands = false;
    if (!agent || !find(m, agent, false, &found)) return false;
    for (uint32_t c = 0; c < found.result.cycle_count && !stands; c++) {
        const struct ili_waitfor_cycle *cycle = &found.result.cycles[c];
        const struct ili_seen_wait *victim =
            &found.graph.seen[found.result.steps[cycle->steps].wait];
        stands = victim->agent == seen->agent && victim->turn == seen->turn;
    }
    release(&found);
    return stands;
}

il_status ili_deadlock_list(struct ili_member *member, struct ili_deadlocks *out) {
    struct ili_wait_graph graph;
    struct ili_waitfor_result result = {0};
    uint32_t *standing = calloc(CYCLES_SHOWN, sizeof *standing), count = 0;
    il_status status = ili_wait_graph_all(member, &graph);
    if (status == IL_OK && !standing) status = IL_ENOMEM;
    if (status == IL_OK) {
        status = ili_waitfor_solve(&graph.graph, ILI_WAITFOR_ALL, false, &result);
    }
    for (uint32_t c = 0; c < result.cycle_count && count < CYCLES_SHOWN; c++) {
        uint32_t victim = result.steps[result.cycles[c].steps].wait;
        if (still_stands(member, &graph, victim)) standing[count++] = c;
    }
    if (status == IL_OK) {
        status = ili_deadlock_show(member, &graph, &result, standing, count, true, out);
    }
    ili_waitfor_free(&result);
    ili_wait_graph_free(&graph);
    free(standing);
    return status;
}
