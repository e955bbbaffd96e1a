/* lock.c - il_lock_… : checks, the fast path, and which door. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "lib/domain.h"

#define UNLIKELY(condition) __builtin_expect((condition), 0)

static uint32_t self_of(const il_lock *lock) {
    return atomic_load_explicit(&lock->handle.member->self, memory_order_relaxed);
}

static il_status no_lock(void) { return ili_fail(IL_EINVAL, "lock: expected a lock, got NULL"); }

/* ---- open and close ------------------------------------------------------------------------------- */

static il_status check_options(const il_lock_options *options) {
    if (!options) return IL_OK;
    if (options->struct_bytes < sizeof *options) {
        return ili_fail(IL_EINVAL, "options.struct_bytes: expected sizeof(il_lock_options)");
    }
    if (options->flags & ~IL_LOCK_FAIR) {
        return ili_fail(IL_EINVAL, "options.flags: expected 0 or IL_LOCK_FAIR, got %#x",
                        options->flags);
    }
    return IL_OK;
}

/* Whether this process holds the lock. A deleted one is nobody's. */
static bool holds(const il_lock *lock) {
    struct ili_lock_view view;
    if (ili_member_check(lock->handle.member) != IL_OK) return false;
    ili_lock_look(lock->lock, &view);
    return !view.deleted && view.owner == self_of(lock);
}

/* A handle that is closed while its lock is held must stay in the open table, or a death would not find
 * the grant. It is kept in a stack of the member, without a mutex since a fork may come at any time, and
 * really closed by a later open or close of a lock, when the lock is no longer held. */
static void keep(il_lock *lock) {
    void *top = atomic_load_explicit(&lock->handle.member->kept, memory_order_relaxed);
    do {
        lock->next = top;
        /* release: pairs with the exchange that takes the stack */
    } while (!atomic_compare_exchange_weak_explicit(&lock->handle.member->kept, &top, lock,
                                                    memory_order_release, memory_order_relaxed));
}

static il_status close_local(il_lock *lock) {
    il_status status = ili_handle_close(&lock->handle);
    free(lock);
    /* nothing is left to close where the arena is gone, or is the parent's */
    return status == IL_EGONE || status == IL_EFORKED ? IL_OK : status;
}

static void close_kept(struct ili_member *member) {
    if (!atomic_load_explicit(&member->kept, memory_order_relaxed)) return;
    il_lock *lock = atomic_exchange_explicit(&member->kept, NULL, memory_order_acquire);
    while (lock) {
        il_lock *next = lock->next;
        if (holds(lock)) {
            keep(lock);
        } else {
            (void)close_local(lock);
        }
        lock = next;
    }
}

void ili_locks_forget(struct ili_member *member) {
    il_lock *lock = atomic_exchange_explicit(&member->kept, NULL, memory_order_acquire);
    while (lock) {
        il_lock *next = lock->next;
        free(lock);
        lock = next;
    }
}

il_status il_lock_open(il_domain *domain, const char *name, size_t name_bytes,
                       const il_lock_options *options, il_lock **out) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the lock, got NULL");
    il_status status = ili_check_name(name, name_bytes, true);
    if (status == IL_OK) status = check_options(options);
    if (status != IL_OK) return status;
    il_lock *lock = calloc(1, sizeof *lock);
    if (!lock) return ili_fail(IL_ENOMEM, "this process has no memory");
    if (domain->remote_ops) {
        lock->remote_ops = domain->remote_ops;
        status = lock->remote_ops->lock_open(domain->remote, name, name_bytes,
                                             options ? &options->flags : NULL, &lock->remote);
    } else {
        close_kept(&domain->member);
        status = ili_handle_open(domain, &ili_lock_kind, name, name_bytes, options, &lock->handle);
        if (status == IL_OK) {
            lock->lock = ili_object_at(&domain->member.arena, lock->handle.object, ILI_KIND_LOCK);
        }
    }
    if (status != IL_OK) {
        free(lock);
        return status;
    }
    *out = lock;
    return IL_OK;
}

il_status il_lock_close(il_lock *lock) {
    if (!lock) return IL_OK;
    il_status status = IL_OK;
    if (lock->lock) {
        struct ili_member *member = lock->handle.member;
        if (holds(lock)) {
            keep(lock);
        } else {
            status = close_local(lock);
        }
        close_kept(member);
    } else {
        status = lock->remote_ops->lock_close(lock->remote);
        free(lock);
    }
    return status == IL_OK ? IL_OK : ili_report(status, "lock");
}

il_status il_lock_delete(il_domain *domain, const char *name, size_t name_bytes) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    il_status status = ili_check_name(name, name_bytes, false);
    if (status != IL_OK) return status;
    if (domain->remote_ops) {
        return domain->remote_ops->lock_delete(domain->remote, name, name_bytes);
    }
    return ili_handle_delete(domain, &ili_lock_kind, name, name_bytes);
}

/* ---- acquire and release -------------------------------------------------------------------------- */

static __attribute__((noinline)) il_status acquire_slow(il_lock *lock, int64_t timeout_ns,
                                                        uint64_t *token) {
    uint64_t granted = 0;
    il_status status;
    if (timeout_ns < IL_FOREVER) {
        return ili_fail(IL_EINVAL, "timeout_ns: expected IL_FOREVER, IL_NOWAIT or more");
    }
    if (lock->lock) {
        int64_t deadline = timeout_ns == 0 ? 0 : ili_deadline_in(timeout_ns);
        status = ili_lock_acquire(lock->handle.member, lock->lock, deadline, &granted);
    } else {
        status = lock->remote_ops->lock_acquire(lock->remote, timeout_ns, &granted);
        if (status != IL_OK && status != IL_EOWNERDEAD) return status;
    }
    if (status == IL_OK || status == IL_EOWNERDEAD) {
        atomic_store_explicit(&lock->last, granted, memory_order_relaxed);
        if (token) *token = granted;
    }
    return ili_report(status, "lock");
}

il_status il_lock_acquire(il_lock *lock, int64_t timeout_ns, uint64_t *token) {
    uint64_t granted;
    if (UNLIKELY(!lock)) return no_lock();
    if (UNLIKELY(!lock->lock ||
                 !ili_lock_try_again(lock->lock, self_of(lock), &lock->last, &granted))) {
        return acquire_slow(lock, timeout_ns, token);
    }
    if (token) *token = granted;
    return IL_OK;
}

static __attribute__((noinline)) il_status release_slow(il_lock *lock, uint64_t token) {
    if (!lock->lock) return lock->remote_ops->lock_release(lock->remote, token);
    return ili_report(ili_lock_release(lock->handle.member, lock->lock, token), "lock");
}

il_status il_lock_release(il_lock *lock, uint64_t token) {
    if (UNLIKELY(!lock)) return no_lock();
    if (UNLIKELY(!lock->lock || token == 0 ||
                 !ili_lock_release_fast(lock->lock, self_of(lock), token))) {
        return release_slow(lock, token);
    }
    return IL_OK;
}

/* ---- glances -------------------------------------------------------------------------------------- */

static il_status look(const il_lock *lock, struct ili_lock_view *view) {
    il_status status = ili_member_check(lock->handle.member);
    if (status != IL_OK) return status;
    ili_lock_look(lock->lock, view);
    return view->deleted ? IL_EDELETED : IL_OK;
}

il_status il_lock_locked(il_lock *lock, int32_t *locked) {
    struct ili_lock_view view;
    if (!lock) return no_lock();
    if (!locked) return ili_fail(IL_EINVAL, "locked: expected a place for the answer, got NULL");
    if (!lock->lock) return lock->remote_ops->lock_locked(lock->remote, locked);
    il_status status = look(lock, &view);
    if (status == IL_OK) *locked = view.owner != 0;
    return ili_report(status, "lock");
}

static il_status local_owner(const il_lock *lock, il_owner *owner) {
    struct ili_lock_view view;
    struct ili_member *m = lock->handle.member;
    il_status status = look(lock, &view);
    if (status != IL_OK) return ili_report(status, "lock");
    owner->waiters = view.waiters;
    if (view.owner == 0 || view.owner > m->arena.regions.slots) return IL_OK;
    owner->token = view.token;
    owner->mine = view.owner == self_of(lock);
    const struct ili_slot *slot = &m->arena.slots[view.owner - 1];
    if (m->served && view.owner == 1) { /* the server's slot: held over HTTP */
        uint64_t detail = atomic_load_explicit(&lock->lock->detail_token, memory_order_relaxed);
        if (detail == view.token) memcpy(owner->label, lock->lock->holder, sizeof owner->label);
    } else {
        owner->pid = atomic_load_explicit(&slot->pid, memory_order_relaxed);
        memcpy(owner->label, slot->label, sizeof owner->label);
    }
    owner->label[sizeof owner->label - 1] = 0;
    return IL_OK;
}

il_status il_lock_owner(il_lock *lock, il_owner *owner) {
    il_owner all = {0};
    if (!lock) return no_lock();
    if (!owner || owner->struct_bytes < sizeof(uint32_t)) {
        return ili_fail(IL_EINVAL, "owner.struct_bytes: expected sizeof(il_owner)");
    }
    uint32_t bytes = owner->struct_bytes;
    il_status status =
        lock->lock ? local_owner(lock, &all) : lock->remote_ops->lock_owner(lock->remote, &all);
    if (status != IL_OK) return status;
    all.struct_bytes = bytes;
    memcpy(owner, &all, bytes < sizeof all ? bytes : sizeof all);
    return IL_OK;
}
