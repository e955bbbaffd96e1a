/*
 * several.c - targets, and il_acquire_all.
 *
 * Tries each target; if one is not free, gives back what it has and waits for that one alone, then tries
 * the rest (the algorithm of C++'s std::lock, [thread.lock.algorithm]). Whoever waits holds nothing by this
 * call, so it can be part of no deadlock.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "lib/domain.h"
#include "lib/grant.h"
#include "lib/several.h"

#define ATTEMPTS_AT_ONCE 4

/* ---- targets ---------------------------------------------------------------------------------------- */

/* What an il_target refers to: its local handle and object, or its remote one. */
struct reference {
    const struct ili_handle *handle; /* NULL: remote */
    void *object;
    const struct ili_remote_ops *remote_ops;
    void *remote;
};

#define LOCAL(type, member_name)                                                                   \
    {                                                                                              \
        const struct il_##type *h = target->object;                                                \
        if (h->member_name) {                                                                      \
            *out = (struct reference){.handle = &h->handle, .object = h->member_name};             \
        } else {                                                                                   \
            *out = (struct reference){.remote_ops = h->remote_ops, .remote = h->remote};           \
        }                                                                                          \
    }                                                                                              \
    break

static bool refer(const il_target *target, struct reference *out) {
    switch (target->kind) {
    case IL_KIND_LOCK: LOCAL(lock, lock);
    case IL_KIND_RLOCK: LOCAL(rlock, lock);
    case IL_KIND_RWLOCK: LOCAL(rwlock, lock);
    case IL_KIND_SEMAPHORE: LOCAL(semaphore, semaphore);
    case IL_KIND_EVENT: LOCAL(event, event);
    case IL_KIND_LATCH: LOCAL(latch, latch);
    case IL_KIND_QUEUE: LOCAL(queue, queue);
    case IL_KIND_PIPE: LOCAL(pipe, pipe);
    default: return false;
    }
    return true;
}

static il_status check_target(const il_target *target, size_t i, bool acquire) {
    bool fits = acquire ? ili_target_is_acquired(target->kind) : ili_target_can_wait(target->kind);
    if (!fits) {
        return ili_fail(IL_EINVAL, "targets[%zu].kind: expected a kind that can be %s, got %u", i,
                        acquire ? "acquired" : "waited for", target->kind);
    }
    if (!target->object) {
        return ili_fail(IL_EINVAL, "targets[%zu].object: expected a handle, got NULL", i);
    }
    if (target->kind == IL_KIND_RWLOCK ? target->mode > IL_EXCLUSIVE : target->mode != 0) {
        return ili_fail(IL_EINVAL, "targets[%zu].mode: expected %s, got %u", i,
                        target->kind == IL_KIND_RWLOCK ? "IL_SHARED or IL_EXCLUSIVE" : "0",
                        target->mode);
    }
    if (target->kind == IL_KIND_SEMAPHORE ? target->count > IL_SEMAPHORE_MAX : target->count > 1) {
        return ili_fail(IL_EINVAL, "targets[%zu].count: expected %s, got %u", i,
                        target->kind == IL_KIND_SEMAPHORE ? "0 to IL_SEMAPHORE_MAX" : "0",
                        target->count);
    }
    return IL_OK;
}

/* Adds TARGET to S. */
static il_status add_target(struct ili_several *s, const il_target *target) {
    size_t i = s->count;
    struct reference it;
    uint32_t count = target->kind == IL_KIND_SEMAPHORE && target->count ? target->count : 1;
    if (!refer(target, &it)) return ili_fail(IL_EINVAL, "targets[%zu].kind: unknown", i);
    if (i == 0) {
        s->member = it.handle ? it.handle->member : NULL;
        s->remote_ops = it.remote_ops;
    } else if ((it.handle ? it.handle->member : NULL) != s->member ||
               it.remote_ops != s->remote_ops) {
        return ili_fail(IL_EINVAL, "targets[%zu]: expected an object of the same domain", i);
    }
    s->places[i] = it.handle ? it.handle->object : (ili_off)(uintptr_t)it.remote;
    /* objects have more than a byte: the two ends of a pipe are told apart */
    if (target->kind == IL_KIND_PIPE) s->places[i] += ((const struct il_pipe *)target->object)->end;
    for (size_t k = 0; k < i; k++) {
        if (s->places[k] == s->places[i]) {
            return ili_fail(IL_EINVAL, "targets[%zu]: the same object as targets[%zu]", i, k);
        }
    }
    uint32_t mode = target->mode;
    if (target->kind == IL_KIND_PIPE) mode = ((const struct il_pipe *)target->object)->end;
    s->local[i] = (struct ili_target){
        .kind = target->kind, .mode = mode, .count = count, .object = it.object};
    s->remote[i] = (struct ili_remote_target){
        .kind = target->kind, .mode = mode, .count = count, .object = it.remote};
    s->count++;
    return IL_OK;
}

il_status ili_several_read(const il_target *targets, size_t count, bool acquire,
                           struct ili_several *s) {
    il_status status = IL_OK;
    s->count = 0;
    if (!targets || count == 0 || count > IL_TARGETS_MAX) {
        return ili_fail(IL_EINVAL, "count: expected 1 to %u targets, got %zu", IL_TARGETS_MAX,
                        targets ? count : 0);
    }
    for (size_t i = 0; i < count && status == IL_OK; i++) {
        status = check_target(&targets[i], i, acquire);
        if (status == IL_OK) status = add_target(s, &targets[i]);
    }
    return status;
}

/* ---- all or none ------------------------------------------------------------------------------------ */

void ili_several_give_back(struct ili_several *s, uint32_t owner, size_t i) {
    /* a guard that somebody holds who does not move: what is ours stays ours until it moves */
    while (ili_target_give_back(s->member, &s->local[i], owner) == IL_EBUSY) {
    }
}

/* Waits for target I alone. */
static il_status wait_for(struct ili_several *s, size_t i, int64_t deadline) {
    struct ili_target *t = &s->local[i];
    uint64_t token = 0;
    il_status status;
    switch (t->kind) {
    case ILI_KIND_LOCK: status = ili_lock_acquire(s->member, t->object, deadline, &token); break;
    case ILI_KIND_RLOCK: status = ili_rlock_acquire(s->member, t->object, deadline, &token); break;
    case ILI_KIND_RWLOCK:
        status = ili_rwlock_acquire(s->member, t->object, t->mode, deadline, &token);
        break;
    default:
        status = ili_semaphore_acquire(s->member, t->object, t->count, deadline, &token);
        break;
    }
    t->status = status;
    t->token = token;
    return status;
}

/* Tries all but HELD, which is (COUNT: none is). *FAILED: the one that is not to be had; those that were
 * taken have then been given back. */
static il_status try_rest(struct ili_several *s, uint32_t owner, size_t held, size_t *failed) {
    for (size_t i = 0; i < s->count; i++) {
        if (i == held) continue;
        il_status status = ili_target_try(s->member, &s->local[i], owner);
        if (ili_is_granted(status)) continue;
        for (size_t k = 0; k < i; k++) {
            if (k != held) ili_several_give_back(s, owner, k);
        }
        if (held < s->count) ili_several_give_back(s, owner, held);
        *failed = i;
        return status;
    }
    return IL_OK;
}

/* Two calls that each got what the other waits for may hand it to one another again and again: after some
 * attempts they pause for a random while, longer and longer. */
static il_status pause_between(struct ili_several *s, struct ili_agent *self, unsigned attempt,
                               int64_t deadline) {
    if (attempt < ATTEMPTS_AT_ONCE) return IL_OK;
    unsigned more = attempt - ATTEMPTS_AT_ONCE;
    uint64_t most = UINT64_C(20000) << (more < 8 ? more : 8), now = (uint64_t)ili_now_ns();
    uint64_t random =
        (now ^ ili_agent_number(&s->member->arena, self)) * UINT64_C(0x9E3779B97F4A7C15);
    int64_t until = (int64_t)(now + (random >> 32) % most);
    if (until > deadline) until = deadline;
    il_status status = ili_agent_sleep_as_hub(s->member, self, until);
    return status == IL_ETIMEOUT ? IL_OK : status;
}

static il_status acquire_all_local(struct ili_several *s, int64_t timeout_ns, size_t *failed) {
    struct ili_agent *self;
    int64_t deadline = ili_deadline_of(timeout_ns);
    il_status status = ili_agent_current(s->member, &self);
    size_t held = s->count;
    *failed = 0;
    if (status != IL_OK) return status;
    uint32_t owner = ili_agent_number(&s->member->arena, self);
    for (unsigned attempt = 0;; attempt++) {
        status = try_rest(s, owner, held, failed);
        if (status != IL_ETIMEOUT || timeout_ns == 0) return status;
        held = *failed;
        status = pause_between(s, self, attempt, deadline);
        if (status != IL_OK) return status;
        status = wait_for(s, held, deadline);
        if (!ili_is_granted(status)) return status;
    }
}

il_status il_acquire_all(il_target *targets, size_t count, int64_t timeout_ns) {
    struct ili_several s = {.count = 0};
    size_t failed = 0;
    il_status status = ili_check_timeout(timeout_ns);
    if (status == IL_OK) status = ili_several_read(targets, count, true, &s);
    if (status != IL_OK) return status;
    if (s.remote_ops) {
        status = s.remote_ops->acquire_all(s.remote, count, timeout_ns);
        if (status != IL_OK) return status;
    } else if (s.member) {
        status = acquire_all_local(&s, timeout_ns, &failed);
        if (status != IL_OK) {
            char what[32];
            snprintf(what, sizeof what, "targets[%zu]", failed);
            return ili_report(status, what);
        }
    }
    for (size_t i = 0; i < count; i++) {
        targets[i].status = s.member ? s.local[i].status : s.remote[i].status;
        targets[i].token = s.member ? s.local[i].token : s.remote[i].token;
    }
    return IL_OK;
}

static il_status release_one(const il_target *target) {
    switch (target->kind) {
    case IL_KIND_LOCK: return il_lock_release(target->object, target->token);
    case IL_KIND_RLOCK: return il_rlock_release(target->object, target->token);
    case IL_KIND_RWLOCK: return il_rwlock_release(target->object, target->token);
    case IL_KIND_SEMAPHORE:
        return il_semaphore_release(target->object, target->count ? target->count : 1,
                                    target->token);
    default: return IL_OK;
    }
}

il_status il_release_all(const il_target *targets, size_t count) {
    il_status first = IL_OK;
    if (!targets && count) {
        return ili_fail(IL_EINVAL, "targets: expected those of il_acquire_all(), got NULL");
    }
    for (size_t i = 0; i < count; i++) {
        il_status status = check_target(&targets[i], i, true);
        if (status == IL_OK) status = release_one(&targets[i]);
        if (first == IL_OK) first = status;
    }
    return first;
}
