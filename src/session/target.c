#include "session/target.h"

#include "data/pipe.h"
#include "data/queue.h"
#include "sync/event.h"
#include "sync/latch.h"
#include "sync/rlock.h"
#include "sync/rwlock.h"
#include "sync/semaphore.h"

bool ili_target_is_acquired(uint32_t kind) {
    return kind == ILI_KIND_LOCK || kind == ILI_KIND_RLOCK || kind == ILI_KIND_RWLOCK ||
           kind == ILI_KIND_SEMAPHORE;
}

bool ili_target_can_wait(uint32_t kind) {
    return ili_target_is_acquired(kind) || kind == ILI_KIND_EVENT || kind == ILI_KIND_LATCH ||
           kind == ILI_KIND_QUEUE || kind == ILI_KIND_PIPE;
}

/* The queue of whose messages TARGET tells. */
static struct ili_queue *queue_of(const struct ili_target *target) {
    struct ili_pipe *pipe = target->object;
    return target->kind == ILI_KIND_PIPE ? &pipe->to[target->mode == IL_PIPE_B] : target->object;
}

/* Notes a grant: STATUS with TOKEN. */
static il_status note(struct ili_target *target, il_status status, uint64_t token) {
    if (status == IL_OK || status == IL_EOWNERDEAD) {
        target->status = status;
        target->token = token;
    }
    return status;
}

static il_status has_message(const struct ili_queue *queue) {
    if (!queue) return IL_EUNSUPPORTED;
    bool ready = ili_queue_size(queue) > 0 || ili_queue_state(queue) == ILI_QUEUE_SHUT;
    return ready ? IL_OK : IL_ETIMEOUT;
}

static bool latch_is_open(const struct ili_latch *latch) {
    struct ili_latch_view view;
    ili_latch_look(latch, &view);
    return view.count == 0;
}

il_status ili_target_try(struct ili_member *member, struct ili_target *target, uint32_t owner) {
    uint64_t token = 0;
    il_status status = IL_EINVAL;
    switch (target->kind) {
    case ILI_KIND_LOCK: status = ili_lock_try(member, target->object, owner, &token); break;
    case ILI_KIND_RLOCK: status = ili_rlock_try(member, target->object, owner, &token); break;
    case ILI_KIND_RWLOCK:
        status = ili_rwlock_try(member, target->object, owner, target->mode, &token);
        break;
    case ILI_KIND_SEMAPHORE:
        status = ili_semaphore_try(member, target->object, owner, target->count, &token);
        break;
    case ILI_KIND_EVENT: status = ili_event_is_set(target->object) ? IL_OK : IL_ETIMEOUT; break;
    case ILI_KIND_LATCH: status = latch_is_open(target->object) ? IL_OK : IL_ETIMEOUT; break;
    case ILI_KIND_QUEUE: status = has_message(target->object); break;
    case ILI_KIND_PIPE:
        status = has_message(ili_pipe_incoming(target->object, target->mode));
        break;
    default: break;
    }
    return note(target, status, token);
}

il_status ili_target_enqueue(struct ili_member *member, struct ili_target *target,
                             struct ili_agent *waiter, uint32_t owner) {
    uint64_t token = 0;
    il_status status = IL_EINVAL;
    switch (target->kind) {
    case ILI_KIND_LOCK:
        status = ili_lock_enqueue(member, target->object, waiter, owner, &token);
        break;
    case ILI_KIND_RLOCK:
        status = ili_rlock_enqueue(member, target->object, waiter, owner, &token);
        break;
    case ILI_KIND_RWLOCK:
        status = ili_rwlock_enqueue(member, target->object, waiter, owner, target->mode, &token);
        break;
    case ILI_KIND_SEMAPHORE:
        status =
            ili_semaphore_enqueue(member, target->object, waiter, owner, target->count, &token);
        break;
    case ILI_KIND_EVENT: status = ili_event_enqueue(member, target->object, waiter); break;
    case ILI_KIND_LATCH: status = ili_latch_enqueue(member, target->object, waiter); break;
    case ILI_KIND_QUEUE:
    case ILI_KIND_PIPE: status = ili_queue_enqueue(member, queue_of(target), waiter, false); break;
    default: break;
    }
    return note(target, status, token);
}

/* A queue told WAITER to try. Nothing is taken here, so the next one is told instead. */
static il_status pass_on(struct ili_member *m, struct ili_queue *queue, struct ili_agent *waiter) {
    if (ili_agent_state(waiter) == ILI_PARK_WAITING) return IL_ETIMEOUT;
    il_status status = ili_queue_withdraw(m, queue, waiter, false);
    return status;
}

il_status ili_target_poll(struct ili_member *member, struct ili_target *target,
                          struct ili_agent *waiter) {
    uint64_t token = 0;
    il_status status = IL_EINVAL;
    switch (target->kind) {
    case ILI_KIND_LOCK:
    case ILI_KIND_RLOCK: status = ili_lock_poll(waiter, &token); break;
    case ILI_KIND_RWLOCK: status = ili_rwlock_poll(waiter, &token); break;
    case ILI_KIND_SEMAPHORE: status = ili_semaphore_poll(waiter, &token); break;
    case ILI_KIND_EVENT: status = ili_event_poll(waiter); break;
    case ILI_KIND_LATCH: status = ili_latch_poll(waiter); break;
    case ILI_KIND_QUEUE:
    case ILI_KIND_PIPE: status = pass_on(member, queue_of(target), waiter); break;
    default: break;
    }
    return note(target, status, token);
}

il_status ili_target_withdraw(struct ili_member *member, struct ili_target *target,
                              struct ili_agent *waiter) {
    uint64_t token = 0;
    il_status status = IL_EINVAL;
    switch (target->kind) {
    case ILI_KIND_LOCK:
    case ILI_KIND_RLOCK: status = ili_lock_withdraw(member, target->object, waiter, &token); break;
    case ILI_KIND_RWLOCK:
        status = ili_rwlock_withdraw(member, target->object, waiter, &token);
        break;
    case ILI_KIND_SEMAPHORE:
        status = ili_semaphore_withdraw(member, target->object, waiter, &token);
        break;
    case ILI_KIND_EVENT: status = ili_event_withdraw(member, target->object, waiter); break;
    case ILI_KIND_LATCH: status = ili_latch_withdraw(member, target->object, waiter); break;
    case ILI_KIND_QUEUE:
    case ILI_KIND_PIPE:
        status = ili_queue_withdraw(member, queue_of(target), waiter, false);
        if (status == IL_OK) status = IL_ETIMEOUT;
        break;
    default: break;
    }
    return note(target, status, token);
}

il_status ili_target_give_back(struct ili_member *member, const struct ili_target *target,
                               uint32_t owner) {
    struct ili_rlock *rlock = target->object;
    bool died = target->status == IL_EOWNERDEAD;
    switch (target->kind) {
    case ILI_KIND_LOCK:
        return ili_lock_give_back(member, target->object, owner, target->token, died);
    case ILI_KIND_RLOCK:
        if (ili_rlock_depth(rlock, owner) > 1) {
            return ili_rlock_release(member, rlock, owner, target->token, NULL);
        }
        return ili_lock_give_back(member, &rlock->lock, owner, target->token, died);
    case ILI_KIND_RWLOCK:
        return ili_rwlock_give_back(member, target->object, owner, target->token, died);
    case ILI_KIND_SEMAPHORE:
        return ili_semaphore_release(member, target->object, owner, target->count, target->token);
    default: return IL_OK;
    }
}
