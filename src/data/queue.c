/*
 * queue.c - see queue.h; where messages lie: queue_store.c. This file is about waiting.
 *
 * Getters stand in `getters`, under the tail's guard: a producer, which holds it when it publishes,
 * sees exactly who waits. Putters stand in `putters`, under the head's guard: a consumer sees them
 * when it makes room. Who is about to wait takes the other side's guard, looks once more, and only
 * then enters the list; so no wake-up is lost, and no fence is needed.
 * A waiter that is told to try is out of its list; if it was too late it enters again at the front.
 * Lock order: tail, then head, then the allocator.
 */
#include "data/queue.h"

#include <stdlib.h>
#include <string.h>

#include "arena/alloc.h"
#include "base/awake.h"
#include "base/clock.h"
#include "base/point.h"
#include "base/relax.h"
#include "data/queue_store.h"

#define LULLS 8        /* how long to stay awake for the other side */
#define LULL_NS 700    /* between two looks meanwhile */
#define LULL_PAUSES 64 /* as many at most, whatever the clock says */

uint32_t ili_queue_state(const struct ili_queue *queue) {
    return atomic_load_explicit(&queue->state, memory_order_acquire);
}

static uint64_t taken(const struct ili_queue *q) {
    return atomic_load_explicit(&q->get_count, memory_order_acquire) -
           atomic_load_explicit(&q->returned_count, memory_order_relaxed);
}

uint64_t ili_queue_size(const struct ili_queue *queue) {
    uint64_t gone = taken(queue);
    uint64_t put = atomic_load_explicit(&queue->put_count, memory_order_acquire);
    return put > gone ? put - gone : 0; /* read one after the other: never below none */
}

/* How many more messages fit. Under the tail's guard. */
static uint64_t room_left(struct ili_queue *q) {
    if (q->maxsize == 0) return UINT64_MAX;
    uint64_t put = atomic_load_explicit(&q->put_count, memory_order_relaxed);
    if (put - q->taken_seen >= q->maxsize) q->taken_seen = taken(q);
    /* as ili_queue_size() has it: the two must agree on what is full, or nobody waits and nobody puts */
    uint64_t size = put > q->taken_seen ? put - q->taken_seen : 0;
    return size < q->maxsize ? q->maxsize - size : 0;
}

static il_status state_error(const struct ili_queue *q, bool empty_handed) {
    uint32_t state = ili_queue_state(q);
    if (state == ILI_QUEUE_DELETED) return IL_EDELETED;
    return state == ILI_QUEUE_SHUT && empty_handed ? IL_ECLOSED : IL_OK;
}

/* Tells up to COUNT waiters of LIST to try. Under the list's guard. The last one's wake-up is left
 * for ili_agent_wake_now(). */
static void tell(struct ili_member *m, struct ili_agent *self, struct ili_waitq *list,
                 uint64_t count) {
    /* no list is longer, unless it is corrupt and leads in a circle */
    if (count > m->arena.regions.agents) count = m->arena.regions.agents;
    while (count-- > 0) {
        struct ili_agent *waiter = ili_waitq_first(m, list);
        if (!waiter) return;
        if (ili_agent_state(waiter) != ILI_PARK_WAITING) { /* corrupt: nobody is told twice */
            ili_waitq_remove(m, list, waiter);
            continue;
        }
        ili_agent_wake_now(m, self);
        ili_agent_wake_later(m, self, waiter);
        ili_waitq_remove(m, list, waiter);
        ILI_POINT("queue.tell.removed");
        ili_agent_set_state(waiter, ILI_PARK_NOTIFIED);
        ILI_POINT("queue.tell.told");
    }
}

/* Of a queue that most_bytes limits: the first whose message fits, as long as one does. Under the head's
 * guard. */
static void tell_fitting(struct ili_member *m, struct ili_agent *self, struct ili_queue *q) {
    uint64_t promised = 0;
    for (uint64_t told = 0; told < m->arena.regions.agents; told++) {
        struct ili_agent *waiter = ili_waitq_first(m, &q->putters);
        uint64_t bytes = waiter ? atomic_load_explicit(&waiter->want, memory_order_relaxed) : 0;
        if (!waiter || !ili_store_may_fit(q, bytes, promised)) return;
        promised += ili_store_cost(bytes);
        tell(m, self, &q->putters, 1);
    }
}

/* Room has been made for COUNT messages. Under the head's guard. */
static void tell_putters(struct ili_member *m, struct ili_agent *self, struct ili_queue *q,
                         uint64_t count) {
    if (q->most_bytes) {
        tell_fitting(m, self, q);
    } else {
        tell(m, self, &q->putters, count);
    }
}

/* ---- the kind ----------------------------------------------------------------------------------- */

static void init(struct ili_member *member, void *object, const void *options) {
    struct ili_queue *queue = object;
    const il_queue_options *o = options;
    queue->maxsize = o ? o->maxsize : 0;
    queue->max_bytes = ili_arena_share(&member->arena);
    queue->tail_guard.kind = ILI_GUARD_QUEUE_TAIL;
    queue->head_guard.kind = ILI_GUARD_QUEUE_HEAD;
}

void ili_queue_init_part(struct ili_member *member, struct ili_queue *queue, uint64_t most_bytes) {
    init(member, queue, NULL);
    queue->most_bytes = most_bytes;
}

static bool same(const void *object, const void *options) {
    return ((const struct ili_queue *)object)->maxsize ==
           ((const il_queue_options *)options)->maxsize;
}

static il_status set_state(struct ili_member *m, struct ili_agent *self, struct ili_queue *q,
                           uint32_t state) {
    il_status status = ili_guard_lock(m, self, &q->tail_guard);
    if (status != IL_OK) return status;
    status = ili_guard_lock(m, self, &q->head_guard);
    if (status == IL_OK) {
        if (ili_queue_state(q) < state) {
            atomic_store_explicit(&q->state, state, memory_order_release);
        }
        ILI_POINT("queue.state.set");
        tell(m, self, &q->getters, UINT64_MAX);
        tell(m, self, &q->putters, UINT64_MAX);
        ili_guard_unlock(m, self, &q->head_guard);
    }
    ili_guard_unlock(m, self, &q->tail_guard);
    ili_agent_wake_now(m, self);
    return status;
}

il_status ili_queue_shut(struct ili_member *member, struct ili_queue *queue) {
    struct ili_agent *self;
    il_status status = ili_agent_current(member, &self);
    if (status != IL_OK) return status;
    status = state_error(queue, false);
    return status == IL_OK ? set_state(member, self, queue, ILI_QUEUE_SHUT) : status;
}

static il_status end(struct ili_member *member, struct ili_agent *self, void *object) {
    return set_state(member, self, object, ILI_QUEUE_DELETED);
}

static il_status dispose(struct ili_member *member, struct ili_agent *self, struct ili_agent *owner,
                         void *object) {
    return ili_store_dispose(member, self, owner, object);
}

/* ---- put ---------------------------------------------------------------------------------------- */

/* Copies a large message into a block in pending[0]. */
static il_status prepare_block(struct ili_member *m, struct ili_agent *self,
                               const struct ili_queue *q, const struct ili_payload *message) {
    ili_off block;
    uint64_t used = atomic_load_explicit(&q->used_bytes, memory_order_relaxed);
    if (used + ili_alloc_size(message->bytes) > q->max_bytes) return IL_ENOMEM;
    il_status status = ili_alloc(m, self, 0, message->bytes, &block);
    if (status != IL_OK) return status;
    memcpy(ili_at(&m->arena, block, message->bytes), message->data, message->bytes);
    return IL_OK;
}

/* Whether it is the turn of WAITER, who was told so. */
static bool has_turn(const struct ili_agent *waiter) {
    return (atomic_load_explicit(&waiter->flags, memory_order_relaxed) & ILI_AGENT_DIRECTED) != 0;
}

/* Of a queue that most_bytes limits: whether a message of BYTES may go now. Behind those who wait, but for one
 * whose TURN it is: or a large message would never find the queue empty. */
static bool may_go(const struct ili_queue *q, uint64_t bytes, bool turn) {
    if (!turn && ili_waitq_count(&q->putters)) return false;
    return ili_store_may_fit(q, bytes, 0);
}

/* Under the tail's guard: puts what fits; a large message only as the first, prepared. */
static il_status put_some(struct ili_member *m, struct ili_agent *self, struct ili_queue *q,
                          const struct ili_payload *messages, size_t count, bool turn,
                          size_t *done) {
    il_status status = state_error(q, true);
    uint64_t room = status == IL_OK ? room_left(q) : 0;
    size_t i = 0;
    if (status == IL_OK && room == 0) status = IL_ETIMEOUT;
    while (status == IL_OK && i < count && i < room) {
        const struct ili_payload *message = &messages[i];
        bool large = message->bytes > ILI_QUEUE_INLINE_BYTES;
        if (large && i > 0) break;
        if (q->most_bytes && !may_go(q, message->bytes, turn)) {
            status = IL_ETIMEOUT;
            break;
        }
        ili_off place = 0;
        status = ili_store_reserve(m, self, q, large ? 8 : message->bytes, &place);
        if (status != IL_OK) break;
        if (large) {
            ili_store_append_block(m, self, q, place, message);
        } else {
            ili_store_append(m, q, place, message);
        }
        i++;
        if (large) break;
    }
    *done = i;
    return i > 0 ? IL_OK : status;
}

static il_status try_put(struct ili_member *member, struct ili_queue *queue,
                         const struct ili_payload *messages, size_t count, bool turn,
                         size_t *done) {
    struct ili_agent *self;
    size_t put = 0;
    il_status status = ili_agent_current(member, &self);
    if (status != IL_OK) return status;
    *done = 0;
    if (count == 0) return state_error(queue, true);
    if (messages[0].bytes > IL_MESSAGE_MAX_BYTES) return IL_ETOOBIG;
    bool large = messages[0].bytes > ILI_QUEUE_INLINE_BYTES;
    if (large && queue->most_bytes && !may_go(queue, messages[0].bytes, turn)) {
        status = state_error(queue, true); /* before it is copied in vain */
        return status == IL_OK ? IL_ETIMEOUT : status;
    }
    if (large && (status = prepare_block(member, self, queue, messages)) != IL_OK) return status;
    status = ili_guard_lock(member, self, &queue->tail_guard);
    if (status == IL_OK) {
        status = put_some(member, self, queue, messages, count, turn, &put);
        if (put && queue->most_bytes) {
            atomic_store_explicit(&queue->put_processor, ili_processor(), memory_order_relaxed);
        }
        if (ili_waitq_count(&queue->getters)) tell(member, self, &queue->getters, put);
        ili_guard_unlock(member, self, &queue->tail_guard);
        ili_agent_wake_now(member, self);
    }
    if (large && put == 0) (void)ili_alloc_free(member, self, 0);
    *done = put;
    return status;
}

/* After a death, whether the queue's share of the arena may be less used than it seemed. */
static bool recounted(struct ili_member *m, struct ili_queue *q) {
    struct ili_agent *self;
    bool changed = false;
    if (!atomic_load_explicit(&q->recount, memory_order_relaxed)) return false;
    if (ili_agent_current(m, &self) != IL_OK) return false;
    if (ili_guard_lock(m, self, &q->tail_guard) != IL_OK) return false;
    if (ili_guard_lock(m, self, &q->head_guard) == IL_OK) {
        changed = ili_store_recount(m, q);
        ili_guard_unlock(m, self, &q->head_guard);
    }
    ili_guard_unlock(m, self, &q->tail_guard);
    return changed;
}

il_status ili_queue_try_put_of(struct ili_member *member, struct ili_queue *queue,
                               const struct ili_agent *waiter, const struct ili_payload *messages,
                               size_t count, size_t *done) {
    bool turn = waiter && has_turn(waiter);
    il_status status = try_put(member, queue, messages, count, turn, done);
    if (status == IL_ENOMEM && recounted(member, queue)) {
        status = try_put(member, queue, messages, count, turn, done);
    }
    return status;
}

il_status ili_queue_try_put(struct ili_member *member, struct ili_queue *queue,
                            const struct ili_payload *messages, size_t count, size_t *done) {
    return ili_queue_try_put_of(member, queue, NULL, messages, count, done);
}

/* ---- get ---------------------------------------------------------------------------------------- */

/* Under the head's guard: the oldest message. False: there is none, or *STATUS says why. What is counted has
 * been published: so if the counts speak of messages and none is found by a second look, the queue is
 * corrupt, and who tried again and again would do so for ever. */
static bool first(struct ili_member *m, struct ili_agent *self, struct ili_queue *q,
                  struct ili_record *record, il_status *status) {
    if (ili_store_first(m, self, self, q, record, status)) return true;
    if (*status != IL_OK || ili_queue_size(q) == 0) return false;
    if (ili_store_first(m, self, self, q, record, status)) return true;
    if (*status == IL_OK) *status = IL_ECORRUPT;
    return false;
}

/* Finds room for RECORD in *MESSAGE, which may go on behind PREVIOUS. */
static il_status find_room(struct ili_taken *message, const struct ili_taken *previous,
                           const struct ili_record *record) {
    message->bytes = record->bytes;
    message->type = record->type;
    message->sequence = record->sequence;
    if (message->data == NULL && previous) {
        message->data = (char *)previous->data + previous->bytes;
        message->room = previous->room - previous->bytes;
    } else if (message->data == NULL) {
        if (record->bytes > message->room) return IL_ETOOBIG;
        message->data = malloc(record->bytes + 1);
        if (!message->data) return IL_ENOMEM;
        message->room = record->bytes;
    }
    return record->bytes <= message->room ? IL_OK : IL_ETOOBIG;
}

/* Under the head's guard: takes what is there. A message in a block only as the first: it is then in
 * pending[0], *LARGE is set, and it has not been copied yet. */
static il_status take_some(struct ili_member *m, struct ili_agent *self, struct ili_queue *q,
                           struct ili_taken *messages, size_t count, size_t *done,
                           struct ili_record *large) {
    size_t i = 0;
    il_status status = IL_OK;
    uint32_t state = ili_queue_state(q);
    if (state == ILI_QUEUE_DELETED) return IL_EDELETED;
    for (; i < count; i++) {
        struct ili_record record;
        if (!first(m, self, q, &record, &status)) {
            if (status == IL_OK) status = state == ILI_QUEUE_SHUT ? IL_ECLOSED : IL_ETIMEOUT;
            break;
        }
        if (record.block && i > 0) break;
        status = find_room(&messages[i], i > 0 ? &messages[i - 1] : NULL, &record);
        if (status != IL_OK) break;
        if (!record.block && record.bytes) memcpy(messages[i].data, record.data, record.bytes);
        ili_store_take(m, self, q, &record);
        if (record.block) {
            *large = record;
            i++;
            break;
        }
    }
    *done = i;
    return i > 0 ? IL_OK : status;
}

il_status ili_queue_try_get(struct ili_member *member, struct ili_queue *queue,
                            struct ili_taken *messages, size_t count, size_t *done) {
    struct ili_agent *self;
    struct ili_record large = {0};
    size_t got = 0;
    il_status status = ili_agent_current(member, &self);
    if (status != IL_OK) return status;
    *done = 0;
    status = ili_alloc_free(member, self, 0); /* what an earlier call could not free */
    if (status == IL_OK) status = ili_guard_lock(member, self, &queue->head_guard);
    if (status != IL_OK) return status;
    status = take_some(member, self, queue, messages, count, &got, &large);
    if (ili_waitq_count(&queue->putters)) tell_putters(member, self, queue, got);
    ili_guard_unlock(member, self, &queue->head_guard);
    ili_agent_wake_now(member, self);
    if (large.block) {
        memcpy(messages[0].data, large.data, large.bytes);
        (void)ili_alloc_free(member, self, 0);
    }
    *done = got;
    return status;
}

il_status ili_queue_peek(struct ili_member *member, struct ili_queue *queue,
                         struct ili_taken *message) {
    struct ili_agent *self;
    struct ili_record record;
    il_status status = ili_agent_current(member, &self);
    if (status != IL_OK) return status;
    status = ili_guard_lock(member, self, &queue->head_guard);
    if (status != IL_OK) return status;
    status = state_error(queue, false);
    if (status == IL_OK) {
        if (first(member, self, queue, &record, &status)) {
            status = find_room(message, NULL, &record);
            if (status == IL_OK && record.bytes) memcpy(message->data, record.data, record.bytes);
        } else if (status == IL_OK) {
            status = ili_queue_state(queue) == ILI_QUEUE_SHUT ? IL_ECLOSED : IL_ETIMEOUT;
        }
    }
    ili_guard_unlock(member, self, &queue->head_guard);
    return status;
}

il_status ili_queue_give_back(struct ili_member *member, struct ili_queue *queue,
                              const struct ili_payload *message, uint64_t sequence) {
    struct ili_agent *self;
    il_status status = ili_agent_current(member, &self);
    if (status != IL_OK) return status;
    status = ili_store_prepare_returned(member, self, message, sequence);
    if (status != IL_OK) return status;
    status = ili_guard_lock(member, self, &queue->head_guard);
    if (status != IL_OK) {
        (void)ili_alloc_free(member, self, 0);
        return status;
    }
    ili_store_give_back(member, self, queue);
    ili_guard_unlock(member, self, &queue->head_guard);
    status = ili_guard_lock(member, self, &queue->tail_guard);
    if (status != IL_OK)
        return IL_OK; /* it is back; a getter that sleeps is told by the next put */
    tell(member, self, &queue->getters, 1);
    ili_guard_unlock(member, self, &queue->tail_guard);
    ili_agent_wake_now(member, self);
    return IL_OK;
}

/* ---- waiting ------------------------------------------------------------------------------------ */

static void enter(struct ili_member *m, struct ili_waitq *list, struct ili_agent *waiter,
                  const struct ili_queue *q, unsigned which) {
    bool front = has_turn(waiter);
    atomic_store_explicit(&waiter->since_ns, ili_now_ns(), memory_order_relaxed);
    ili_waitq_add(m, list, waiter, ili_off_of(&m->arena, q), which, front);
}

/* BYTES: of the putter's message, where most_bytes limits them. */
static bool worth_trying(struct ili_queue *q, const struct ili_agent *waiter, bool putter,
                         uint64_t bytes) {
    if (ili_queue_state(q) != ILI_QUEUE_OPEN) return true;
    if (!putter) return ili_queue_size(q) > 0;
    if (q->most_bytes) return may_go(q, bytes, has_turn(waiter));
    return room_left(q) > 0;
}

static il_status enqueue(struct ili_member *m, struct ili_agent *self, struct ili_queue *q,
                         struct ili_agent *waiter, bool putter, uint64_t bytes) {
    il_status status = ili_guard_lock(m, self, &q->tail_guard);
    if (status != IL_OK) return status;
    if (!putter) {
        if (!worth_trying(q, waiter, false, 0)) {
            enter(m, &q->getters, waiter, q, ILI_QUEUE_GETTERS);
            status = IL_ETIMEOUT;
        }
    } else if ((status = ili_guard_lock(m, self, &q->head_guard)) == IL_OK) {
        /* both: room_left() belongs to the tail, the list to the head */
        if (!worth_trying(q, waiter, true, bytes)) {
            if (q->most_bytes) {
                atomic_store_explicit(&waiter->want, (uint32_t)bytes, memory_order_relaxed);
            }
            enter(m, &q->putters, waiter, q, ILI_QUEUE_PUTTERS);
            status = IL_ETIMEOUT;
        }
        ili_guard_unlock(m, self, &q->head_guard);
    }
    ili_guard_unlock(m, self, &q->tail_guard);
    return status;
}

il_status ili_queue_enqueue(struct ili_member *member, struct ili_queue *queue,
                            struct ili_agent *waiter, bool putter) {
    struct ili_agent *self;
    il_status status = ili_agent_current(member, &self);
    return status == IL_OK ? enqueue(member, self, queue, waiter, putter, 0) : status;
}

il_status ili_queue_enqueue_put(struct ili_member *member, struct ili_queue *queue,
                                struct ili_agent *waiter, uint64_t bytes) {
    struct ili_agent *self;
    il_status status = ili_agent_current(member, &self);
    return status == IL_OK ? enqueue(member, self, queue, waiter, true, bytes) : status;
}

bool ili_queue_settled(struct ili_agent *waiter) {
    if (ili_agent_state(waiter) != ILI_PARK_NOTIFIED) return false;
    atomic_store_explicit(&waiter->wait_object, 0, memory_order_relaxed);
    atomic_fetch_or_explicit(&waiter->flags, ILI_AGENT_DIRECTED, memory_order_relaxed);
    ili_agent_set_state(waiter, ILI_PARK_IDLE);
    return true;
}

il_status ili_queue_withdraw(struct ili_member *member, struct ili_queue *queue,
                             struct ili_agent *waiter, bool putter) {
    struct ili_agent *self;
    struct ili_guard *guard = putter ? &queue->head_guard : &queue->tail_guard;
    struct ili_waitq *list = putter ? &queue->putters : &queue->getters;
    il_status status = ili_agent_current(member, &self);
    if (status != IL_OK) return status;
    status = ili_guard_lock(member, self, guard);
    if (status != IL_OK) return status;
    uint32_t state = ili_agent_state(waiter);
    if (state == ILI_PARK_WAITING) ili_waitq_remove(member, list, waiter);
    if (putter && queue->most_bytes) {
        tell_fitting(member, self, queue); /* the one behind it may need less room */
    } else if (state == ILI_PARK_NOTIFIED) {
        tell(member, self, list, 1); /* the turn passes on */
    }
    atomic_store_explicit(&waiter->wait_object, 0, memory_order_relaxed);
    atomic_fetch_and_explicit(&waiter->flags, ~ILI_AGENT_DIRECTED, memory_order_relaxed);
    ili_agent_set_state(waiter, ILI_PARK_IDLE);
    ili_guard_unlock(member, self, guard);
    ili_agent_wake_now(member, self);
    return IL_OK;
}

/* Stays awake for a while. True: it is worth trying again.
 * Looking takes the lines away from the other side, and who looks all the time gets one message (or
 * one place) at a time, each at the price of moving lines to and fro. After a lull there are some
 * dozen, and both sides work on without meeting. */
static bool turn_comes(const struct ili_queue *q, bool putter, uint64_t bytes,
                       int64_t deadline_ns) {
    for (int i = 0; i < LULLS; i++) {
        int64_t now = ili_now_ns(), end = now + LULL_NS;
        if (now >= deadline_ns) break;
        for (int p = 0; p < LULL_PAUSES && ili_now_ns() < end; p++) ili_relax();
        if (ili_queue_state(q) != ILI_QUEUE_OPEN) return true;
        uint64_t size = ili_queue_size(q);
        if (putter ? size < q->maxsize : size > 0) return true;
        if (putter && q->most_bytes && may_go(q, bytes, false)) return true;
    }
    return false;
}

/* Waits until it is worth trying again; a putter, with a message of BYTES. */
static il_status wait_turn(struct ili_member *m, struct ili_queue *q, bool putter, uint64_t bytes,
                           int64_t deadline_ns) {
    struct ili_agent *self;
    /* two that answer each other on one processor would keep each other from it */
    bool alone = putter || q->most_bytes == 0 ||
                 atomic_load_explicit(&q->put_processor, memory_order_relaxed) != ili_processor();
    if (alone && turn_comes(q, putter, bytes, deadline_ns)) return IL_OK;
    il_status status = ili_agent_current(m, &self);
    if (status != IL_OK) return status;
    status = enqueue(m, self, q, self, putter, bytes);
    if (status != IL_ETIMEOUT) return status;
    status = ili_agent_sleep(m, self, ILI_PARK_WAITING, deadline_ns);
    if (ili_queue_settled(self)) { /* told in time, whatever ended the sleep */
        if (status == IL_EINTR) ili_thread_keep_interrupt(ili_thread_current());
        return IL_OK;
    }
    if (ili_gave_up(status)) {
        il_status withdrawn = ili_queue_withdraw(m, q, self, putter);
        if (withdrawn != IL_OK) status = withdrawn;
    }
    return status;
}

/* The end of a call that waited. If it did not use its turn (its buffer was too small, memory was
 * short), the next one has it. */
static void end_turn(struct ili_member *m, struct ili_queue *q, bool putter, bool used) {
    struct ili_agent *self;
    struct ili_guard *guard = putter ? &q->head_guard : &q->tail_guard;
    struct ili_waitq *list = putter ? &q->putters : &q->getters;
    if (ili_agent_current(m, &self) != IL_OK) return;
    atomic_fetch_and_explicit(&self->flags, ~ILI_AGENT_DIRECTED, memory_order_relaxed);
    if (used || ili_guard_lock(m, self, guard) != IL_OK) return;
    uint64_t size = ili_queue_size(q);
    if (putter && q->most_bytes) {
        tell_fitting(m, self, q);
    } else if (putter ? q->maxsize == 0 || size < q->maxsize : size > 0) {
        tell(m, self, list, 1);
    }
    ili_guard_unlock(m, self, guard);
    ili_agent_wake_now(m, self);
}

/* Also for who is told to try, and is too late, again and again. */
static bool is_over(int64_t deadline_ns) {
    return deadline_ns != ILI_NEVER && ili_now_ns() >= deadline_ns;
}

il_status ili_queue_put(struct ili_member *member, struct ili_queue *queue,
                        const struct ili_payload *messages, size_t count, size_t *done,
                        int64_t deadline_ns) {
    size_t put = 0, more = 0;
    struct ili_agent *self = NULL; /* once it has waited */
    il_status status;
    *done = 0;
    for (;;) {
        status = ili_queue_try_put_of(member, queue, self, messages + put, count - put, &more);
        put += more;
        *done = put;
        if (status == IL_OK && put == count) break;
        if (status == IL_OK) continue;
        if (status != IL_ETIMEOUT || is_over(deadline_ns)) break;
        status = wait_turn(member, queue, true, messages[put].bytes, deadline_ns);
        if (status == IL_OK) status = ili_agent_current(member, &self);
        if (status != IL_OK) break;
    }
    if (self) end_turn(member, queue, true, status == IL_OK);
    return status;
}

il_status ili_queue_get(struct ili_member *member, struct ili_queue *queue,
                        struct ili_taken *messages, size_t count, size_t *done,
                        int64_t deadline_ns) {
    bool waited = false;
    il_status status;
    for (;;) {
        status = ili_queue_try_get(member, queue, messages, count, done);
        if (status != IL_ETIMEOUT || is_over(deadline_ns)) break;
        status = wait_turn(member, queue, false, 0, deadline_ns);
        if (status != IL_OK) break;
        waited = true;
    }
    if (waited) end_turn(member, queue, false, status == IL_OK);
    return status;
}

/* ---- repair ------------------------------------------------------------------------------------- */

/* Under the tail's guard: whoever may go on is told so. */
static void nudge_getters(struct ili_member *m, struct ili_agent *self, struct ili_queue *q) {
    bool open = ili_queue_state(q) == ILI_QUEUE_OPEN;
    tell(m, self, &q->getters, open ? ili_queue_size(q) : UINT64_MAX);
    ili_agent_wake_now(m, self);
}

/* Under the head's guard. */
static void nudge_putters(struct ili_member *m, struct ili_agent *self, struct ili_queue *q) {
    uint64_t size = ili_queue_size(q), max = q->maxsize, room = UINT64_MAX;
    bool open = ili_queue_state(q) == ILI_QUEUE_OPEN;
    if (open && max) room = size < max ? max - size : 0;
    if (open && q->most_bytes) {
        tell_fitting(m, self, q);
    } else {
        tell(m, self, &q->putters, room);
    }
    ili_agent_wake_now(m, self);
}

void ili_queue_repair_tail(struct ili_member *member, struct ili_agent *self,
                           struct ili_queue *queue, struct ili_agent *dead) {
    ili_store_repair_tail(member, queue, dead);
    ili_off at = ili_off_of(&member->arena, queue);
    ili_waitq_repair(member, &queue->getters, at, ILI_QUEUE_GETTERS, UINT32_MAX);
    ili_waitq_relink(member, &queue->getters, at, ILI_QUEUE_GETTERS, false);
    nudge_getters(member, self, queue);
}

void ili_queue_repair_head(struct ili_member *member, struct ili_agent *self,
                           struct ili_queue *queue, struct ili_agent *dead) {
    ili_store_repair_head(member, queue, dead);
    ili_off at = ili_off_of(&member->arena, queue);
    ili_waitq_repair(member, &queue->putters, at, ILI_QUEUE_PUTTERS, UINT32_MAX);
    ili_waitq_relink(member, &queue->putters, at, ILI_QUEUE_PUTTERS, false);
    nudge_putters(member, self, queue);
}

static il_status recover(struct ili_member *member, struct ili_agent *self, void *object,
                         uint32_t slot) {
    struct ili_queue *queue = object;
    ili_off at = ili_off_of(&member->arena, queue);
    il_status status = ili_guard_lock(member, self, &queue->tail_guard);
    if (status != IL_OK) return status;
    ili_waitq_repair(member, &queue->getters, at, ILI_QUEUE_GETTERS, slot);
    nudge_getters(member, self, queue);
    ili_guard_unlock(member, self, &queue->tail_guard);
    status = ili_guard_lock(member, self, &queue->head_guard);
    if (status != IL_OK) return status;
    ili_waitq_repair(member, &queue->putters, at, ILI_QUEUE_PUTTERS, slot);
    nudge_putters(member, self, queue);
    ili_guard_unlock(member, self, &queue->head_guard);
    return IL_OK;
}

il_status ili_queue_check(const struct ili_member *member, const struct ili_queue *queue) {
    if (!ili_waitq_sound(member, &queue->getters)) return IL_ECORRUPT;
    if (!ili_waitq_sound(member, &queue->putters)) return IL_ECORRUPT;
    return ili_store_check(member, queue);
}

const struct ili_kind ili_queue_kind = {
    .number = ILI_KIND_QUEUE,
    .word = "queue",
    .bytes = sizeof(struct ili_queue),
    .init = init,
    .same = same,
    .end = end,
    .dispose = dispose,
    .recover = recover,
};
