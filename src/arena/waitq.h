/*
 * waitq.h - who waits for an object, in order: a list of agents, under a guard of the object.
 *
 * `next` from `head` on is the truth; prev, tail and count are rebuilt by ili_waitq_repair(). An
 * agent names the object it waits for (wait_object) from before it is linked until after it was
 * unlinked, so that a death finds it.
 */
#ifndef ILI_ARENA_WAITQ_H
#define ILI_ARENA_WAITQ_H

#include "arena/agent.h"

struct ili_waitq {
    _Atomic uint32_t head, tail; /* agent index + 1 */
    _Atomic uint32_t count;
    uint32_t reserved;
};

/* Puts AGENT, in state WAITING, at the end, or with FRONT at the beginning. OBJECT is what it waits
 * for, WHICH (0 to 7) names the queue within it. */
void ili_waitq_add(struct ili_member *member, struct ili_waitq *queue, struct ili_agent *agent,
                   ili_off object, unsigned which, bool front);

/* Unlinks AGENT, which is in the queue. Its wait_object is left to the caller. */
void ili_waitq_remove(struct ili_member *member, struct ili_waitq *queue, struct ili_agent *agent);

/* The first; NULL if nobody waits. */
struct ili_agent *ili_waitq_first(const struct ili_member *member, const struct ili_waitq *queue);

/* The one behind AGENT; NULL if it is the last. */
struct ili_agent *ili_waitq_next(const struct ili_member *member, const struct ili_agent *agent);

static inline uint32_t ili_waitq_count(const struct ili_waitq *queue) {
    return atomic_load_explicit(&queue->count, memory_order_relaxed);
}

/* Walks the list, drops agents of SLOT (index; UINT32_MAX: none) and agents that do not wait for
 * OBJECT's queue WHICH, and rebuilds what can be derived. */
void ili_waitq_repair(struct ili_member *member, struct ili_waitq *queue, ili_off object,
                      unsigned which, uint32_t slot);

/* After a guard's holder died, and after ili_waitq_repair(): puts those back, at the front, that it had
 * unlinked and not yet told anything, so that they can be told now. They are in state WAITING, or with
 * NOTIFIED_TOO in state NOTIFIED. */
void ili_waitq_relink(struct ili_member *member, struct ili_waitq *queue, ili_off object,
                      unsigned which, bool notified_too);

/* Whether links, tail and count agree. For tests and debug builds. */
bool ili_waitq_sound(const struct ili_member *member, const struct ili_waitq *queue);

#endif
