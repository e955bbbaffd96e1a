#include "arena/agent.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arena/doorbell.h"
#include "arena/futex.h"
#include "arena/guard.h"
#include "base/awake.h"
#include "base/clock.h"
#include "base/point.h"
#include "base/text.h"

/* How soon a sleeper looks again whether its wait can end (member.check_wait); then twice as long, and so
 * on. It looked as it began to wait, so this is for what the look could not see. */
#define CHECK_FIRST_NS INT64_C(20000000)
#define CHECK_LAST_NS INT64_C(320000000)

/* Tries to claim one of the agents that are committed, beginning behind the last one claimed. */
static struct ili_agent *claim_committed(struct ili_member *m, uint32_t owner) {
    uint32_t count = atomic_load_explicit(&m->arena.header->agents_committed, memory_order_acquire);
    if (count > m->arena.regions.agents) count = m->arena.regions.agents;
    uint32_t start = atomic_load_explicit(&m->agent_hint, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = (start + i) % count;
        struct ili_agent *agent = &m->arena.agents[index];
        uint32_t unused = 0;
        /* acquire: pairs with ili_agent_release() and with the keeper's cleaning */
        if (atomic_load_explicit(&agent->owner, memory_order_relaxed) == 0 &&
            atomic_compare_exchange_strong_explicit(&agent->owner, &unused, owner,
                                                    memory_order_acquire, memory_order_relaxed)) {
            atomic_store_explicit(&m->agent_hint, index + 1, memory_order_relaxed);
            return agent;
        }
    }
    return NULL;
}

/* Commits one more step of agents. Two processes may do so at once: committing twice is harmless,
 * and only the one that advances the count counts. */
static il_status commit_more(struct ili_member *m) {
    uint32_t count = atomic_load_explicit(&m->arena.header->agents_committed, memory_order_acquire);
    if (count + ILI_AGENTS_STEP > m->arena.regions.agents) return IL_ELIMIT;
    ili_off at = m->arena.regions.agents_at + (uint64_t)count * sizeof(struct ili_agent);
    il_status status = ili_arena_commit(&m->arena, at, ILI_AGENTS_STEP * sizeof(struct ili_agent));
    if (status != IL_OK) return status;
    atomic_compare_exchange_strong_explicit(&m->arena.header->agents_committed, &count,
                                            count + ILI_AGENTS_STEP, memory_order_release,
                                            memory_order_relaxed);
    return IL_OK;
}

il_status ili_agent_claim_for(struct ili_member *m, uint32_t slot, uint32_t flags,
                              const char *label, struct ili_agent **out) {
    if (atomic_load_explicit(&m->self, memory_order_relaxed) == 0) return ili_member_check(m);
    struct ili_agent *agent;
    while (!(agent = claim_committed(m, slot + 1))) {
        il_status status = commit_more(m);
        if (status != IL_OK) return status;
    }
    atomic_store_explicit(&agent->park, ILI_PARK_IDLE, memory_order_relaxed);
    atomic_store_explicit(&agent->flags, flags, memory_order_relaxed);
    atomic_store_explicit(&agent->tid, 0, memory_order_relaxed);
    atomic_store_explicit(&agent->for_owner, 0, memory_order_relaxed);
    memset(agent->label, 0, sizeof agent->label);
    if (label) ili_text_copy(agent->label, sizeof agent->label, label);
    *out = agent;
    return IL_OK;
}

il_status ili_agent_claim_bell(struct ili_member *member, struct ili_agent **out) {
    return ili_agent_claim_for(member, member->slot, ILI_AGENT_BELL, NULL, out);
}

il_status ili_agent_home(struct ili_member *member, struct ili_agent **out) {
    _Atomic uint32_t *home = &ili_member_slot(member)->home;
    uint32_t number = atomic_load_explicit(home, memory_order_acquire);
    struct ili_agent *agent = ili_agent_at(&member->arena, number);
    if (!agent) {
        il_status status = ili_agent_claim_for(member, member->slot, ILI_AGENT_OWNER, NULL, &agent);
        if (status != IL_OK) return status;
        uint32_t mine = ili_agent_number(&member->arena, agent);
        if (!atomic_compare_exchange_strong_explicit(home, &number, mine, memory_order_acq_rel,
                                                     memory_order_acquire)) {
            ili_agent_release(member, agent); /* another thread was faster */
            agent = ili_agent_at(&member->arena, number);
            if (!agent) return IL_ECORRUPT;
        }
    }
    *out = agent;
    return IL_OK;
}

uint32_t ili_agent_slot(const struct ili_arena *arena, uint32_t number) {
    const struct ili_agent *agent = ili_agent_at(arena, number);
    /* acquire: who finds that a thread has ended also finds what became of its grants */
    uint32_t owner = agent ? atomic_load_explicit(&agent->owner, memory_order_acquire) : 0;
    return owner && owner <= arena->regions.slots ? owner - 1 : UINT32_MAX;
}

static il_status bind_current(struct ili_member *member, struct ili_thread *thread,
                              struct ili_agent **out) {
    struct ili_thread_binding *free_binding = NULL;
    for (unsigned i = 0; i < ILI_THREAD_BINDINGS && !free_binding; i++) {
        if (thread->bindings[i].member == 0) free_binding = &thread->bindings[i];
    }
    if (!free_binding) {
        /* A thread in more than eight domains: it is inside a call of none of the others. */
        free_binding = &thread->bindings[member->id % ILI_THREAD_BINDINGS];
        ili_agent_unbind(free_binding);
    }
    il_status status = ili_agent_claim_for(member, member->slot, 0, NULL, out);
    if (status != IL_OK) return status;
    char name[16] = ""; /* prctl(2): 16 bytes with the NUL */
    prctl(PR_GET_NAME, name);
    ili_text_copy((*out)->label, sizeof(*out)->label, name);
    atomic_store_explicit(&(*out)->tid, (uint32_t)syscall(SYS_gettid), memory_order_relaxed);
    free_binding->member = member->id;
    free_binding->agent_number = ili_agent_number(&member->arena, *out);
    return IL_OK;
}

il_status ili_agent_current(struct ili_member *member, struct ili_agent **out) {
    if (atomic_load_explicit(&member->self, memory_order_relaxed) == 0) {
        return ili_member_check(member);
    }
    struct ili_thread *thread = ili_thread_current();
    if (!thread) return IL_ELIMIT;
    for (unsigned i = 0; i < ILI_THREAD_BINDINGS; i++) {
        if (thread->bindings[i].member == member->id) {
            *out = &member->arena.agents[thread->bindings[i].agent_number - 1];
            ili_at_hand = (struct ili_at_hand){member, thread->bindings[i].agent_number};
            return IL_OK;
        }
    }
    il_status status = bind_current(member, thread, out);
    if (status == IL_OK) {
        ili_at_hand = (struct ili_at_hand){member, ili_agent_number(&member->arena, *out)};
    }
    return status;
}

void ili_agent_release(struct ili_member *member, struct ili_agent *agent) {
    (void)member;
    atomic_store_explicit(&agent->park, ILI_PARK_IDLE, memory_order_relaxed);
    atomic_store_explicit(&agent->for_owner, 0, memory_order_relaxed);
    atomic_store_explicit(&agent->owner, 0, memory_order_release);
}

static void release_bound(struct ili_member *member, void *context) {
    struct ili_thread_binding *binding = context;
    if (member->id != binding->member) return;
    struct ili_agent *agent = &member->arena.agents[binding->agent_number - 1];
    /* once the member has left, the agent may be another one's already */
    if (atomic_load_explicit(&member->self, memory_order_acquire) == 0) return;
    if (ili_thread_ending) ili_thread_ending(member, agent);
    ili_agent_release(member, agent);
}

void ili_agent_unbind(struct ili_thread_binding *binding) {
    if (binding->member == 0) return;
    ili_members_each(release_bound, binding);
    binding->member = 0;
    ili_at_hand.member = NULL;
}

bool ili_agent_stay_awake(struct ili_agent *agent, uint32_t state) {
    struct ili_awake awake = {0};
    atomic_fetch_or_explicit(&agent->park, ILI_PARK_AWAKE, memory_order_relaxed);
    while (ili_agent_state(agent) == state && ili_awake(&awake)) {
    }
    /* acquire: pairs with ili_agent_change_state() */
    uint32_t word = atomic_fetch_and_explicit(&agent->park, ~ILI_PARK_AWAKE, memory_order_acquire);
    return (word & ILI_PARK_STATE) != state;
}

il_status ili_agent_sleep(struct ili_member *member, struct ili_agent *agent, uint32_t state,
                          int64_t deadline_ns) {
    struct ili_thread *thread = ili_thread_current();
    il_status status = IL_OK;
    int64_t slice = CHECK_FIRST_NS;
    if (!thread) return IL_ELIMIT;
    if (member->before_wait) member->before_wait(member);
    ili_thread_parked(thread, &agent->park);
    for (;;) {
        uint32_t word = atomic_load_explicit(&agent->park, memory_order_acquire);
        if ((word & ILI_PARK_STATE) != state) break;
        if (word & ILI_PARK_POKED) {
            atomic_fetch_and_explicit(&agent->park, ~ILI_PARK_POKED, memory_order_relaxed);
        }
        /* after POKED is cleared: a poke that comes later sets it again and ends the futex wait */
        status = ili_member_check(member);
        if (status != IL_OK) break;
        bool stubborn =
            atomic_load_explicit(&agent->flags, memory_order_relaxed) & ILI_AGENT_STUBBORN;
        if (!stubborn) status = ili_thread_take(thread);
        if (status != IL_OK) break;
        if (state == ILI_PARK_WAITING && member->check_wait && !stubborn) {
            status = member->check_wait(member, agent);
            if (status != IL_OK) break;
        }
        int64_t until = ili_deadline_in(slice);
        if (!member->check_wait || until > deadline_ns) until = deadline_ns;
        if (!stubborn) until = ili_thread_until(thread, until);
        int why = ili_thread_futex_wait(thread, &agent->park, state, until);
        if (why == ETIMEDOUT && until == deadline_ns) status = IL_ETIMEOUT;
        if (!stubborn && status == IL_OK) status = ili_thread_slept(thread, why);
        if (status != IL_OK) break;
        if (why == ETIMEDOUT && slice < CHECK_LAST_NS) slice *= 2;
    }
    ili_thread_unparked(thread);
    return status;
}

il_status ili_agent_sleep_as_hub(struct ili_member *member, struct ili_agent *agent,
                                 int64_t deadline_ns) {
    struct ili_thread *thread = ili_thread_current();
    il_status status;
    if (!thread) return IL_ELIMIT;
    if (member->before_wait) member->before_wait(member);
    ili_thread_parked(thread, &agent->park);
    /* for who looks at the waits; in no queue, so nobody else changes the state. IDLE is 0 */
    atomic_fetch_or_explicit(&agent->park, ILI_PARK_WAITING, memory_order_relaxed);
    status = member->check_wait ? member->check_wait(member, agent) : IL_OK;
    while (status == IL_OK) {
        status = ili_member_check(member);
        if (status != IL_OK) break;
        status = ili_thread_take(thread);
        if (status != IL_OK) break;
        /* acquire: pairs with the poke's release: what the proxy was told is seen */
        if (atomic_fetch_and_explicit(&agent->park, ~ILI_PARK_POKED, memory_order_acquire) &
            ILI_PARK_POKED) {
            break;
        }
        int64_t until = ili_thread_until(thread, deadline_ns);
        int why = ili_thread_futex_wait(thread, &agent->park, ILI_PARK_WAITING, until);
        status = ili_thread_slept(thread, why);
        if (why == ETIMEDOUT && until == deadline_ns) status = IL_ETIMEOUT;
    }
    atomic_fetch_and_explicit(&agent->park, ~ILI_PARK_STATE, memory_order_relaxed);
    ili_thread_unparked(thread);
    return status;
}

void ili_agent_wake(struct ili_member *member, struct ili_agent *agent) {
    uint32_t flags = atomic_load_explicit(&agent->flags, memory_order_relaxed);
    if (flags & ILI_AGENT_PROXY) {
        uint32_t number = atomic_load_explicit(&agent->hub, memory_order_relaxed);
        agent = ili_agent_at(&member->arena, number);
        if (!agent) return;
        /* release: pairs with the hub's clearing, after which it looks at its proxies */
        atomic_fetch_or_explicit(&agent->park, ILI_PARK_POKED, memory_order_release);
        flags = atomic_load_explicit(&agent->flags, memory_order_relaxed);
    }
    if (flags & ILI_AGENT_BELL) {
        ili_doorbell_ring(member, ili_agent_number(&member->arena, agent));
    } else {
        ili_futex_wake(&agent->park, 1);
    }
}

void ili_agent_wake_later(struct ili_member *member, struct ili_agent *self,
                          struct ili_agent *agent) {
    atomic_store_explicit(&self->waking, ili_agent_number(&member->arena, agent),
                          memory_order_relaxed);
}

void ili_agent_wake_now(struct ili_member *member, struct ili_agent *self) {
    uint32_t number = atomic_load_explicit(&self->waking, memory_order_relaxed);
    struct ili_agent *agent = ili_agent_at(&member->arena, number);
    if (!agent) return;
    ILI_POINT("agent.wake");
    ili_agent_wake(member, agent);
    atomic_store_explicit(&self->waking, 0, memory_order_relaxed);
}
