/*
 * agent.h - a thread (or a waiter parked for a client) as the arena knows it.
 *
 * An agent is what guards name as their holder, what owns blocks that are not published yet, and
 * what stands in wait queues. It is claimed by one compare-and-swap of `owner`, so there is nothing
 * to repair in claiming; all agents of a dead slot are found by looking for its number.
 *
 * park (futex word), low byte a state, changed only under the guard of the queue the agent is in:
 *   IDLE      not waiting
 *   WAITING   in a queue
 *   NOTIFIED  told to look again; set by whoever changed the object
 *   GRANTED   the object is the agent's, `token` is set
 *   ENDED     the object was deleted or closed
 * and a bit that anyone may set at any time and the sleeper clears:
 *   POKED     wake up and look around (interruption, the server left)
 * and one that only its thread sets and clears:
 *   AWAKE     it looks at the word all the time: who changes the state need not wake it
 */
#ifndef ILI_ARENA_AGENT_H
#define ILI_ARENA_AGENT_H

#include "arena/member.h"
#include "arena/thread.h"

#define ILI_PARK_IDLE 0u
#define ILI_PARK_WAITING 1u
#define ILI_PARK_NOTIFIED 2u
#define ILI_PARK_GRANTED 3u
#define ILI_PARK_ENDED 4u
#define ILI_PARK_STATE 0xffu
#define ILI_PARK_POKED 0x100u
#define ILI_PARK_AWAKE 0x200u

/* flags */
#define ILI_AGENT_BELL 1u    /* waits without a thread: waking it means ringing the doorbell */
#define ILI_AGENT_HANDOFF 2u /* wants to be granted directly: it has waited long enough */
#define ILI_AGENT_DIED 4u    /* the owner before this grant died */
#define ILI_AGENT_KEEPER 16u /* repairs: must not wait long for a guard, its holder may be dead */
#define ILI_AGENT_PROXY 32u  /* stands in a queue for another, its hub, which is poked instead */
#define ILI_AGENT_STUBBORN                                                                         \
    128u                    /* must get it: nothing that is asked of its thread ends the wait, */
                            /* and member.check_wait is not asked */
#define ILI_AGENT_OWNER 64u /* no thread and no waiter: an owner over HTTP, or a session's home */
#define ILI_AGENT_DIRECTED                                                                         \
    8u /* was notified before: goes to the queue's front if it must wait on */

/* The calling thread's agent in MEMBER, made if need be, in *OUT. IL_ELIMIT: too many threads or
 * waiters; or why the member may not act. */
il_status ili_agent_current(struct ili_member *member, struct ili_agent **out);

/* An agent without a thread, with ILI_AGENT_BELL; for waiters that the server parks. */
il_status ili_agent_claim_bell(struct ili_member *member, struct ili_agent **out);

/* An agent that belongs to the session of SLOT (index; the member's own, or a client's that it serves),
 * with FLAGS; LABEL (may be NULL) is for people. */
il_status ili_agent_claim_for(struct ili_member *member, uint32_t slot, uint32_t flags,
                              const char *label, struct ili_agent **out);

/* The agent that owns what belongs to the member's session rather than to one of its threads. */
il_status ili_agent_home(struct ili_member *member, struct ili_agent **out);

/* The slot (index) of the agent of NUMBER, which may be nonsense: then UINT32_MAX. */
uint32_t ili_agent_slot(const struct ili_arena *arena, uint32_t number);

/* On whose behalf AGENT waits: an agent number. */
static inline uint32_t ili_agent_acts_for(const struct ili_arena *arena,
                                          const struct ili_agent *agent) {
    uint32_t owner = atomic_load_explicit(&agent->for_owner, memory_order_relaxed);
    return owner ? owner : ili_agent_number(arena, agent);
}

/* The number of the calling thread's agent in MEMBER if that is at hand without a look-up; else 0. The
 * fast paths' notion of who they are: one load of thread-local memory. 0 also when the member may not act. */
static inline uint32_t ili_agent_at_hand(const struct ili_member *member) {
    if (ili_at_hand.member != member) return 0;
    /* relaxed: see ili_member_check() */
    return atomic_load_explicit(&member->self, memory_order_relaxed) ? ili_at_hand.agent : 0;
}

/* Gives an agent back. It is in no queue and owns nothing. */
void ili_agent_release(struct ili_member *member, struct ili_agent *agent);

/* Releases what BINDING names, if its domain still exists; for the end of a thread. */
void ili_agent_unbind(struct ili_thread_binding *binding);

static inline uint32_t ili_agent_state(const struct ili_agent *agent) {
    /* acquire: pairs with ili_agent_set_state(): who sees GRANTED sees the token and what the
     * granter did before */
    return atomic_load_explicit(&agent->park, memory_order_acquire) & ILI_PARK_STATE;
}

/* Under the guard of the agent's queue. Clears POKED: the sleeper looks around whenever it wakes. */
static inline void ili_agent_set_state(struct ili_agent *agent, uint32_t state) {
    atomic_store_explicit(&agent->park, state, memory_order_release);
}

/* As ili_agent_set_state(). True: the agent is not awake, so it must be woken. */
static inline bool ili_agent_change_state(struct ili_agent *agent, uint32_t state) {
    /* release: as there. One instruction, so that either this sees AWAKE or its thread the state */
    uint32_t was = atomic_exchange_explicit(&agent->park, state, memory_order_acq_rel);
    return (was & ILI_PARK_AWAKE) == 0;
}

/* Stays awake for a moment (base/awake.h). True: the state is not STATE any more. */
bool ili_agent_stay_awake(struct ili_agent *agent, uint32_t state);

/* Sleeps while the state is STATE, until DEADLINE_NS. IL_OK: the state may have changed.
 * IL_ETIMEOUT, IL_EINTR (the interruption is taken), IL_ECANCELLED, IL_EDEADLK (member.check_wait said so),
 * or why the member may not act. */
il_status ili_agent_sleep(struct ili_member *member, struct ili_agent *agent, uint32_t state,
                          int64_t deadline_ns);

/* AGENT, the hub of some proxies, of the calling thread and in no queue: sleeps until it is poked, or
 * DEADLINE_NS. IL_OK: look at the proxies. IL_ETIMEOUT, IL_EINTR, IL_ECANCELLED, IL_EDEADLK, or why the
 * member may not act. */
il_status ili_agent_sleep_as_hub(struct ili_member *member, struct ili_agent *agent,
                                 int64_t deadline_ns);

/* Whether a wait that ended with STATUS was given up by its own side, which then has to leave the queue. */
static inline bool ili_gave_up(il_status status) {
    return status == IL_ETIMEOUT || status == IL_EINTR || status == IL_ECANCELLED ||
           status == IL_EDEADLK;
}

/* Wakes AGENT, whose state was changed before: its thread, or by the doorbell its server. */
void ili_agent_wake(struct ili_member *member, struct ili_agent *agent);

/* As ili_agent_wake(), for a wake-up that must not get lost with SELF: between the two calls a
 * death of SELF makes the keeper wake AGENT. The first is called under the guard. */
void ili_agent_wake_later(struct ili_member *member, struct ili_agent *self,
                          struct ili_agent *agent);
void ili_agent_wake_now(struct ili_member *member, struct ili_agent *self);

#endif
