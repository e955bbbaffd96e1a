/* The calls of locks and rlocks under one signature. */
#include "lock.h"

#define TRAIT_FAIR 1u
#define TRAIT_REPORTED 2u

static uint32_t traits(ilpy_handle *handle) {
    const ilpy_lock *lock = (ilpy_lock *)handle;
    return (lock->fair ? TRAIT_FAIR : 0) | (lock->reported ? TRAIT_REPORTED : 0);
}

static int adopted(ilpy_handle *handle, const il_ticket *ticket, uint32_t its) {
    ilpy_lock *lock = (ilpy_lock *)handle;
    (void)ticket;
    lock->calls =
        (const struct lock_calls *)((const char *)handle->kind - offsetof(struct lock_calls, kind));
    lock->fair = its & TRAIT_FAIR;
    lock->reported = its & TRAIT_REPORTED;
    return 0;
}

#define CALLS(word, type)                                                                          \
    static il_status word##_close(void *lock) { return il_##word##_close((type *)lock); }          \
    static il_status word##_open(il_domain *domain, const char *name, size_t bytes,                \
                                 const il_lock_options *options, void **out) {                     \
        type *made = NULL;                                                                         \
        il_status status = il_##word##_open(domain, name, bytes, options, &made);                  \
        if (status == IL_OK) *out = made;                                                          \
        return status;                                                                             \
    }                                                                                              \
    static il_status word##_acquire(void *lock, int64_t timeout_ns, uint64_t *token) {             \
        return il_##word##_acquire((type *)lock, timeout_ns, token);                               \
    }                                                                                              \
    static il_status word##_acquire_leased(void *lock, int64_t timeout_ns, int64_t lease_ns,       \
                                           uint64_t *token) {                                      \
        return il_##word##_acquire_leased((type *)lock, timeout_ns, lease_ns, token);              \
    }                                                                                              \
    static il_status word##_release(void *lock, uint64_t token) {                                  \
        return il_##word##_release((type *)lock, token);                                           \
    }                                                                                              \
    static il_status word##_renew(void *lock, uint64_t token, int64_t lease_ns) {                  \
        return il_##word##_renew((type *)lock, token, lease_ns);                                   \
    }                                                                                              \
    static il_status word##_check(void *lock, uint64_t token) {                                    \
        return il_##word##_check((type *)lock, token);                                             \
    }                                                                                              \
    static il_status word##_break(void *lock, uint64_t token, const char *reason) {                \
        return il_##word##_break((type *)lock, token, reason);                                     \
    }                                                                                              \
    static il_status word##_locked(void *lock, int32_t *locked) {                                  \
        return il_##word##_locked((type *)lock, locked);                                           \
    }                                                                                              \
    static il_status word##_owner(void *lock, il_owner *owner) {                                   \
        return il_##word##_owner((type *)lock, owner);                                             \
    }                                                                                              \
    static void word##_before_fork(ilpy_handle *handle);                                           \
    static il_status word##_after_fork(ilpy_handle *handle, void **out);                           \
    const struct lock_calls ilpy_##word##_calls = {                                                \
        .open = word##_open,                                                                       \
        .acquire = word##_acquire,                                                                 \
        .acquire_leased = word##_acquire_leased,                                                   \
        .release = word##_release,                                                                 \
        .renew = word##_renew,                                                                     \
        .check = word##_check,                                                                     \
        .break_ = word##_break,                                                                    \
        .locked = word##_locked,                                                                   \
        .owner = word##_owner,                                                                     \
        .kind = {.close = word##_close,                                                            \
                 .remove = il_##word##_delete,                                                     \
                 .number = word##_KIND,                                                            \
                 .name = #word,                                                                    \
                 .before_fork = word##_before_fork,                                                \
                 .after_fork = word##_after_fork,                                                  \
                 .traits = traits,                                                                 \
                 .adopted = adopted},                                                              \
    };

enum { lock_KIND = IL_KIND_LOCK, rlock_KIND = IL_KIND_RLOCK };

CALLS(lock, il_lock)
CALLS(rlock, il_rlock)

/* ---- forks: what the child shall have --------------------------------------------------------------- */

static void lock_before_fork(ilpy_handle *handle) {
    int32_t locked = 0;
    (void)il_lock_locked(handle->object, &locked);
    ((ilpy_lock *)handle)->saved = (uint32_t)locked;
}

static void rlock_before_fork(ilpy_handle *handle) {
    uint32_t depth = 0;
    (void)il_rlock_depth(handle->object, &depth);
    ((ilpy_lock *)handle)->saved = depth;
}

static il_status anew(ilpy_lock *lock, void **out) {
    void *made = NULL;
    il_status status = ilpy_lock_renewed(lock, &made);
    uint64_t token = 0;
    for (uint32_t i = 0; status == IL_OK && i < lock->saved; i++) {
        status = lock->calls->acquire(made, IL_NOWAIT, &token);
    }
    if (status != IL_OK) {
        if (made) (void)lock->calls->kind.close(made);
        return status;
    }
    lock->held = lock->token = token;
    lock->depth = lock->saved;
    *out = made;
    return IL_OK;
}

static il_status lock_after_fork(ilpy_handle *handle, void **out) {
    return anew((ilpy_lock *)handle, out);
}

static il_status rlock_after_fork(ilpy_handle *handle, void **out) {
    return anew((ilpy_lock *)handle, out);
}
