/*
 * waitfor.h - who can never go on: deadlocks in a graph of waits, in this process's own memory.
 *
 * A wait is for NEED of something, of which HAVE is there and the rest is held by owners; and, if it is
 * served in order, for those ahead of it in its queue. An owner that does not wait can go on, and sooner or
 * later gives back what it holds. One that waits can go on once any of its waits can be granted. A wait can
 * be granted once `have` and what is held by owners that can go on reach `need`, and all waits ahead of it
 * can be granted. Whatever does not follow from this is stuck.
 *
 * A stuck wait closes a cycle if it could be granted were its owner able to go on: then it stands in its
 * own way. (One that merely waits for somebody in a cycle would still be stuck.) The waits that close a
 * cycle together make a deadlock; its victim is the one that began last. Where several began at once none
 * may close it alone: then the last of all of them is the victim, unless they are only stuck behind
 * another deadlock.
 *
 * Cost: linear in the graph but for the search of a victim, which tries at most 64 waits a deadlock. No
 * recursion. Not a lock's business, and knows no arena: deadlock.h puts the graph together.
 */
#ifndef ILI_SESSION_WAITFOR_H
#define ILI_SESSION_WAITFOR_H

#include <stdbool.h>
#include <stdint.h>

#include <interlock.h>

struct ili_waitfor_wait {
    uint32_t owner;                 /* from 0 */
    uint32_t before;                /* index + 1 of the one ahead of it in its queue; 0: none */
    uint32_t holders, holder_count; /* its part of ili_waitfor.holders */
    uint64_t need, have;            /* need 0: it can always be granted */
    int64_t since_ns;               /* when it began */
    uint32_t rank;                  /* which of two that began at once is the later one */
    bool behind;                    /* it is served in order */
};

struct ili_waitfor_holder {
    uint32_t owner;
    uint32_t count;
};

/* No wait is `before` of two others, or of itself by any detour. At most 2^29 holders. */
struct ili_waitfor {
    const struct ili_waitfor_wait *waits;
    const struct ili_waitfor_holder *holders;
    uint32_t wait_count, holder_count, owner_count;
};

/* A wait of a cycle, and how it leads to the next one: that one's owner holds what it waits for, or is
 * `queued` ahead of it. The last step leads to the first. */
struct ili_waitfor_step {
    uint32_t wait;
    bool queued;
};

/* The shortest cycle of a deadlock from its victim, which is the first step. */
struct ili_waitfor_cycle {
    uint32_t steps, step_count; /* its part of ili_waitfor_result.steps */
};

struct ili_waitfor_result {
    const uint8_t *stuck; /* for each wait: 1 or 0 */
    const struct ili_waitfor_cycle *cycles;
    const struct ili_waitfor_step *steps;
    uint32_t cycle_count, step_count;
    void *memory;
};

#define ILI_WAITFOR_ALL UINT32_MAX

/* Finds the deadlocks of GRAPH, or only those that the wait ROOT is stuck in or behind. SELF_FREE: what an
 * owner waits for and holds itself counts as given back, since other threads may do so in its name.
 * *RESULT owned: ili_waitfor_free(). IL_ENOMEM. */
il_status ili_waitfor_solve(const struct ili_waitfor *graph, uint32_t root, bool self_free,
                            struct ili_waitfor_result *result);

void ili_waitfor_free(struct ili_waitfor_result *result);

#endif
