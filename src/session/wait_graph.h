/*
 * wait_graph.h - the waits of an arena as a graph for waitfor.h, read without any guard.
 *
 * What is read may change meanwhile, or be nonsense; everything is checked and bounded. A graph says what
 * it was read from by a number: two graphs with one number, read one after the other and neither `torn`,
 * are what truly stood at a moment between the two, since a wait that was there both times, by its turn,
 * has not moved, and who waits changes nothing.
 *
 * Home agents (a session's own, not one of its threads or clients) always go on, and so does whoever
 * belongs to a session that has ended: its grants are about to be voided.
 */
#ifndef ILI_SESSION_WAIT_GRAPH_H
#define ILI_SESSION_WAIT_GRAPH_H

#include "arena/names.h"
#include "session/waitfor.h"

/* Of a wait of the graph, at the same place. */
struct ili_seen_wait {
    uint32_t agent; /* number */
    uint32_t owner; /* number of the agent that it waits for */
    ili_off object;
    uint32_t which; /* queue of the object */
    uint32_t want;
    uint64_t turn;
    bool report; /* IL_DEADLOCK_REPORT */
    bool linked; /* found in its queue */
};

struct ili_wait_graph {
    struct ili_waitfor graph; /* waits and holders are the two below */
    struct ili_waitfor_wait *waits;
    struct ili_waitfor_holder *holders;
    struct ili_seen_wait *seen;
    uint64_t number;
    bool torn; /* a queue changed while it was read */
    uint32_t wait_room, holder_room;
};

/* What AGENT waits for, and all that matters to it; the graph's first wait is AGENT's, or if it waits by
 * others in its place (ILI_AGENT_PROXY) one of theirs. No waits: it does not wait.
 * *OUT owned: ili_wait_graph_free(), also on failure. IL_ENOMEM. */
il_status ili_wait_graph_of(struct ili_member *member, const struct ili_agent *agent,
                            struct ili_wait_graph *out);

/* All waits of the arena. */
il_status ili_wait_graph_all(struct ili_member *member, struct ili_wait_graph *out);

void ili_wait_graph_free(struct ili_wait_graph *graph);

/* The object at AT, of whatever kind; NULL: there is none. *KIND is its kind. */
void *ili_waited_object(const struct ili_arena *arena, ili_off at, const struct ili_kind **kind);

enum ili_owner_state {
    ILI_OWNER_RUNS,
    ILI_OWNER_WAITS,   /* by its own agent, for one thing */
    ILI_OWNER_MAY_WAIT /* by others in its place: they must be looked for */
};

/* What the owner of NUMBER, which may be nonsense, does. */
enum ili_owner_state ili_owner_look(const struct ili_arena *arena, uint32_t number);

/* Whether AGENT waits in a queue. *OBJECT: for what; *WHICH: the queue's number within it. */
bool ili_waits(const struct ili_arena *arena, const struct ili_agent *agent, ili_off *object,
               uint32_t *which);

#endif
