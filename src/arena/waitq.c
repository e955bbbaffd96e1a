/*
 * waitq.c - see waitq.h. Everything here runs under the guard of the object that has the queue.
 *
 * The commit of each change is one store: of the link that leads to the agent (add) or past it
 * (remove).
 */
#include "arena/waitq.h"

#include "base/point.h"

static uint32_t load(const _Atomic uint32_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}
static void store(_Atomic uint32_t *p, uint32_t v) {
    atomic_store_explicit(p, v, memory_order_relaxed);
}

static void change_count(struct ili_waitq *queue, int32_t by) {
    store(&queue->count, load(&queue->count) + (uint32_t)by);
}

struct ili_agent *ili_waitq_first(const struct ili_member *member, const struct ili_waitq *queue) {
    return ili_agent_at(&member->arena, load(&queue->head));
}

struct ili_agent *ili_waitq_next(const struct ili_member *member, const struct ili_agent *agent) {
    return ili_agent_at(&member->arena, load(&agent->next));
}

void ili_waitq_add(struct ili_member *member, struct ili_waitq *queue, struct ili_agent *agent,
                   ili_off object, unsigned which, bool front) {
    uint32_t number = ili_agent_number(&member->arena, agent);
    struct ili_agent *tail = ili_agent_at(&member->arena, load(&queue->tail));
    struct ili_agent *head = ili_waitq_first(member, queue);
    atomic_store_explicit(&agent->wait_object, object + which, memory_order_relaxed);
    ili_agent_set_state(agent, ILI_PARK_WAITING);
    ILI_POINT("waitq.add.prepared");
    if (!head || !tail) {
        store(&agent->next, 0);
        store(&agent->prev, 0);
        atomic_store_explicit(&queue->head, number, memory_order_release);
        ILI_POINT("waitq.add.linked");
        store(&queue->tail, number);
    } else if (front) {
        store(&agent->next, load(&queue->head));
        store(&agent->prev, 0);
        atomic_store_explicit(&queue->head, number, memory_order_release);
        store(&head->prev, number);
    } else {
        store(&agent->next, 0);
        store(&agent->prev, load(&queue->tail));
        atomic_store_explicit(&tail->next, number, memory_order_release);
        ILI_POINT("waitq.add.linked");
        store(&queue->tail, number);
    }
    change_count(queue, 1);
}

void ili_waitq_remove(struct ili_member *member, struct ili_waitq *queue, struct ili_agent *agent) {
    struct ili_agent *prev = ili_agent_at(&member->arena, load(&agent->prev));
    struct ili_agent *next = ili_agent_at(&member->arena, load(&agent->next));
    if (prev) {
        atomic_store_explicit(&prev->next, load(&agent->next), memory_order_release);
    } else {
        atomic_store_explicit(&queue->head, load(&agent->next), memory_order_release);
    }
    ILI_POINT("waitq.remove.unlinked");
    if (next) {
        store(&next->prev, load(&agent->prev));
    } else {
        store(&queue->tail, load(&agent->prev));
    }
    change_count(queue, -1);
}

void ili_waitq_repair(struct ili_member *member, struct ili_waitq *queue, ili_off object,
                      unsigned which, uint32_t slot) {
    _Atomic uint32_t *link = &queue->head;
    uint32_t last = 0, count = 0, number = load(link);
    struct ili_agent *agent;
    while ((agent = ili_agent_at(&member->arena, number)) &&
           count <= member->arena.regions.agents) {
        uint32_t next = load(&agent->next);
        bool ours =
            atomic_load_explicit(&agent->wait_object, memory_order_relaxed) == object + which;
        uint32_t owner = load(&agent->owner);
        if (!ours || owner == 0 || (slot != UINT32_MAX && owner == slot + 1)) {
            atomic_store_explicit(link, next, memory_order_release);
        } else {
            store(&agent->prev, last);
            last = number;
            link = &agent->next;
            count++;
        }
        number = next;
    }
    if (number) store(link, 0); /* it led out of the table or in a circle */
    store(&queue->tail, last);
    store(&queue->count, count);
}

void ili_waitq_relink(struct ili_member *member, struct ili_waitq *queue, ili_off object,
                      unsigned which, bool notified_too) {
    uint64_t linked[ILI_AGENTS_MAX / 64] = {0};
    struct ili_agent *agent = ili_waitq_first(member, queue);
    uint32_t most = load(&queue->count);
    if (most > member->arena.regions.agents) most = member->arena.regions.agents;
    for (uint32_t i = most; agent && i > 0; i--) {
        uint32_t index = ili_agent_number(&member->arena, agent) - 1;
        linked[index / 64] |= UINT64_C(1) << (index % 64);
        agent = ili_waitq_next(member, agent);
    }
    for (uint32_t number = 1; (agent = ili_agent_at(&member->arena, number)); number++) {
        if (linked[(number - 1) / 64] >> ((number - 1) % 64) & 1) continue;
        if (atomic_load_explicit(&agent->wait_object, memory_order_relaxed) != object + which ||
            load(&agent->owner) == 0) {
            continue;
        }
        uint32_t state = ili_agent_state(agent);
        if (state == ILI_PARK_WAITING || (notified_too && state == ILI_PARK_NOTIFIED)) {
            ili_waitq_add(member, queue, agent, object, which, true);
        }
    }
}

bool ili_waitq_sound(const struct ili_member *member, const struct ili_waitq *queue) {
    uint32_t count = 0, last = 0, number = load(&queue->head);
    while (number) {
        const struct ili_agent *agent = ili_agent_at(&member->arena, number);
        if (!agent || load(&agent->prev) != last || count > member->arena.regions.agents) {
            return false;
        }
        last = number;
        count++;
        number = load(&agent->next);
    }
    return last == load(&queue->tail) && count == load(&queue->count);
}
