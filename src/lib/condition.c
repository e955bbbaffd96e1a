/* condition.c - il_condition_… : checks, the lock it is bound to, and which door. */
#include <stdlib.h>
#include <string.h>

#include "arena/open_table.h"
#include "lib/domain.h"
#include "lib/grant.h"
#include "lib/share.h"

static il_status no_condition(void) {
    return ili_fail(IL_EINVAL, "condition: expected a condition, got NULL");
}

/* ---- open ------------------------------------------------------------------------------------------- */

/* Another handle of the object that FROM is open on. */
static il_status share(const struct ili_handle *from, struct ili_handle *out) {
    struct ili_member *m = from->member;
    struct ili_agent *self;
    struct ili_handle handle = {.member = m, .kind = from->kind, .object = from->object};
    il_status status = ili_agent_current(m, &self);
    if (status == IL_OK) status = ili_open_claim(m, self, &handle.entry);
    if (status != IL_OK) return ili_report(status, "condition");
    status =
        ili_names_inherit(m, self, ili_open_entry(m, from->entry), ili_open_entry(m, handle.entry));
    if (status != IL_OK) {
        ili_open_release(m, handle.entry);
        return ili_report(status, "condition");
    }
    *out = handle;
    return IL_OK;
}

/* Opens the rlock of its own that a condition without a given lock has. */
static il_status open_own(il_domain *domain, const char *name, size_t name_bytes,
                          struct ili_handle *lock) {
    return ili_handle_open(domain, &ili_rlock_kind, name, name_bytes, NULL, lock);
}

/* The condition exists: opens the lock that it is bound to, by its name, or by its place if it has none. */
static il_status open_bound(il_domain *domain, const struct ili_condition *condition,
                            struct ili_handle *lock) {
    const struct ili_kind *kind =
        condition->lock_kind == ILI_KIND_LOCK ? &ili_lock_kind : &ili_rlock_kind;
    char name[IL_NAME_MAX_BYTES];
    uint32_t bytes = condition->lock_name_bytes;
    if (bytes > sizeof name) return ili_report(IL_ECORRUPT, "condition");
    if (bytes == 0) {
        ili_off at = atomic_load_explicit(&condition->lock, memory_order_relaxed);
        return ili_handle_adopt(domain, kind, at, condition->lock_birth, lock);
    }
    memcpy(name, condition->lock_name, bytes);
    return ili_handle_open(domain, kind, name, bytes, NULL, lock);
}

static void *lock_of(const struct ili_handle *lock) {
    const struct ili_kind *kind = lock->kind;
    return kind ? ili_object_at(&lock->member->arena, lock->object, kind->number) : NULL;
}

il_status ili_condition_adopted(il_domain *domain, il_condition *c) {
    il_status status = open_bound(domain, c->condition, &c->lock_handle);
    if (status == IL_OK) {
        c->lock = lock_of(&c->lock_handle);
    } else {
        (void)ili_handle_close(&c->handle);
    }
    return status;
}

/* Opens an existing condition NAME whatever its lock is, with that lock. IL_ENOTFOUND: there is none; the
 * error text is written then as well. */
static il_status open_existing(il_domain *domain, const char *name, size_t name_bytes,
                               il_condition *c) {
    struct ili_member *m = &domain->member;
    struct ili_agent *self;
    il_status status = ili_agent_current(m, &self);
    if (status == IL_OK) status = ili_open_claim(m, self, &c->handle.entry);
    if (status != IL_OK) return ili_report(status, "condition");
    c->handle.member = m;
    c->handle.kind = &ili_condition_kind;
    status = ili_names_open(m, self, &ili_condition_kind, name, name_bytes, NULL, ILI_OPEN_EXISTING,
                            ili_open_entry(m, c->handle.entry), &c->handle.object, NULL);
    if (status != IL_OK) {
        ili_open_release(m, c->handle.entry);
        return ili_report(status, "condition");
    }
    const struct ili_condition *condition = lock_of(&c->handle);
    status = condition ? open_bound(domain, condition, &c->lock_handle) : IL_ECORRUPT;
    if (status != IL_OK) (void)ili_handle_close(&c->handle);
    return status;
}

/* Opens the condition bound to the lock that c->lock_handle is open on. */
static il_status open_with_lock(il_domain *domain, const char *name, size_t name_bytes,
                                il_condition *c) {
    struct ili_condition_options options = {.lock = lock_of(&c->lock_handle),
                                            .lock_at = c->lock_handle.object};
    if (!options.lock) return ili_report(IL_ECORRUPT, "condition");
    if (name && options.lock->object.name_bytes == 0) {
        return ili_fail(IL_EINVAL, "options.lock: a condition with a name needs a lock with one");
    }
    return ili_handle_open(domain, &ili_condition_kind, name, name_bytes, &options, &c->handle);
}

static il_status open_local(il_domain *domain, const char *name, size_t name_bytes,
                            const il_condition_options *options, il_condition *c) {
    il_status status = IL_ENOTFOUND;
    if (!options && name) {
        status = open_existing(domain, name, name_bytes, c);
        if (status != IL_ENOTFOUND) goto opened;
    }
    const struct ili_handle *given = !options        ? NULL
                                     : options->lock ? &options->lock->handle
                                                     : &options->rlock->handle;
    if (given && given->member != &domain->member) {
        return ili_fail(IL_EINVAL, "options.lock: expected a lock of the same domain");
    }
    status =
        given ? share(given, &c->lock_handle) : open_own(domain, name, name_bytes, &c->lock_handle);
    if (status != IL_OK) return status;
    status = open_with_lock(domain, name, name_bytes, c);
    if (status != IL_OK) (void)ili_handle_close(&c->lock_handle);
opened:
    if (status != IL_OK) return status;
    c->condition = lock_of(&c->handle);
    c->lock = lock_of(&c->lock_handle);
    return IL_OK;
}

static il_status check_options(const il_condition_options *options) {
    if (!options) return IL_OK;
    if (options->struct_bytes < sizeof *options) {
        return ili_fail(IL_EINVAL, "options.struct_bytes: expected sizeof(il_condition_options)");
    }
    if (!options->lock == !options->rlock) {
        return ili_fail(IL_EINVAL, "options: expected either a lock or an rlock");
    }
    return IL_OK;
}

il_status il_condition_open(il_domain *domain, const char *name, size_t name_bytes,
                            const il_condition_options *options, il_condition **out) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the condition, got NULL");
    il_status status = ili_check_name(name, name_bytes, true);
    if (status == IL_OK) status = check_options(options);
    if (status != IL_OK) return status;
    bool remote_lock = options && (options->lock ? !options->lock->lock : !options->rlock->lock);
    if (options && remote_lock != (domain->remote_ops != NULL)) {
        return ili_fail(IL_EINVAL, "options.lock: expected a lock of the same domain");
    }
    il_condition *c = calloc(1, sizeof *c);
    if (!c) return ili_fail(IL_ENOMEM, "this process has no memory");
    if (domain->remote_ops) {
        c->remote_ops = domain->remote_ops;
        status = c->remote_ops->condition_open(
            domain->remote, name, name_bytes,
            options && options->lock ? options->lock->remote : NULL,
            options && options->rlock ? options->rlock->remote : NULL, &c->remote);
    } else {
        status = open_local(domain, name, name_bytes, options, c);
    }
    if (status != IL_OK) {
        free(c);
        return status;
    }
    *out = c;
    return IL_OK;
}

il_status il_condition_close(il_condition *condition) {
    if (!condition) return IL_OK;
    il_status status;
    if (condition->condition) {
        status = ili_handle_close(&condition->handle);
        il_status second = ili_handle_close(&condition->lock_handle);
        if (status == IL_OK) status = second;
    } else {
        status = condition->remote_ops->condition_close(condition->remote);
    }
    free(condition);
    return status == IL_OK ? IL_OK : ili_report(status, "condition");
}

il_status il_condition_delete(il_domain *domain, const char *name, size_t name_bytes) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    il_status status = ili_check_name(name, name_bytes, false);
    if (status != IL_OK) return status;
    if (domain->remote_ops) {
        return domain->remote_ops->condition_delete(domain->remote, name, name_bytes);
    }
    return ili_handle_delete(domain, &ili_condition_kind, name, name_bytes);
}

/* ---- its lock --------------------------------------------------------------------------------------- */

static bool is_reentrant(const il_condition *c) {
    return c->lock_handle.kind->number == ILI_KIND_RLOCK;
}

il_status il_condition_acquire(il_condition *condition, int64_t timeout_ns, uint64_t *token) {
    uint64_t granted = 0;
    if (!condition) return no_condition();
    il_status status = ili_check_timeout(timeout_ns);
    if (status != IL_OK) return status;
    if (!condition->condition) {
        return condition->remote_ops->condition_acquire(condition->remote, timeout_ns, token);
    }
    struct ili_member *m = condition->handle.member;
    int64_t deadline = ili_deadline_of(timeout_ns);
    status = is_reentrant(condition)
                 ? ili_rlock_acquire(m, (struct ili_rlock *)condition->lock, deadline, &granted)
                 : ili_lock_acquire(m, condition->lock, deadline, &granted);
    if (ili_is_granted(status)) {
        atomic_store_explicit(&condition->last, granted, memory_order_relaxed);
        if (token) *token = granted;
    }
    return ili_report(status, "condition");
}

il_status il_condition_release(il_condition *condition, uint64_t token) {
    struct ili_agent *self;
    if (!condition) return no_condition();
    if (!condition->condition) {
        return condition->remote_ops->condition_release(condition->remote, token);
    }
    struct ili_member *m = condition->handle.member;
    il_status status = ili_agent_current(m, &self);
    if (status == IL_OK) {
        uint32_t owner = ili_agent_number(&m->arena, self);
        status = is_reentrant(condition)
                     ? ili_rlock_release(m, (struct ili_rlock *)condition->lock, owner, token, NULL)
                     : ili_lock_release(m, condition->lock, owner, token);
    }
    return ili_report_token(status, &condition->lock_handle, token, &condition->last);
}

/* ---- wait and notify -------------------------------------------------------------------------------- */

il_status il_condition_wait(il_condition *condition, int64_t timeout_ns, uint64_t *token) {
    uint64_t granted = 0;
    if (!condition) return no_condition();
    il_status status = ili_check_timeout(timeout_ns);
    if (status != IL_OK) return status;
    if (!condition->condition) {
        return condition->remote_ops->condition_wait(condition->remote, timeout_ns, token);
    }
    status = ili_condition_wait(condition->handle.member, condition->condition, condition->lock,
                                ili_deadline_of(timeout_ns), &granted);
    if (granted != 0) { /* also after a timeout: the lock is held again */
        atomic_store_explicit(&condition->last, granted, memory_order_relaxed);
        if (token) *token = granted;
    }
    return ili_report(status, "condition");
}

il_status il_condition_notify(il_condition *condition, uint32_t count) {
    struct ili_agent *self;
    if (!condition) return no_condition();
    if (count == 0) return ili_fail(IL_EINVAL, "count: expected 1 or more");
    if (!condition->condition) {
        return condition->remote_ops->condition_notify(condition->remote, count);
    }
    struct ili_member *m = condition->handle.member;
    il_status status = ili_agent_current(m, &self);
    if (status == IL_OK) {
        status = ili_condition_notify(m, condition->condition, condition->lock,
                                      ili_agent_number(&m->arena, self), count, NULL);
    }
    return ili_report(status, "condition");
}

il_status il_condition_notify_all(il_condition *condition) {
    if (!condition) return no_condition();
    if (!condition->condition) {
        return condition->remote_ops->condition_notify_all(condition->remote);
    }
    return il_condition_notify(condition, UINT32_MAX);
}

il_status il_condition_waiters(il_condition *condition, uint32_t *waiters) {
    if (!condition) return no_condition();
    if (!waiters) return ili_fail(IL_EINVAL, "waiters: expected a place for the answer, got NULL");
    if (!condition->condition) {
        return condition->remote_ops->condition_waiters(condition->remote, waiters);
    }
    il_status status = ili_member_check(condition->handle.member);
    if (status == IL_OK) *waiters = ili_waitq_count(&condition->condition->waiters);
    return ili_report(status, "condition");
}
