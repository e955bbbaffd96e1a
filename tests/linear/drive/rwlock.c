#include <string.h>

#include "linear/drive/grants.h"

static void draw(struct linear_object *object, uint64_t *random) { (void)object, (void)random; }

static il_status open_lock(il_domain *domain, const struct linear_object *object, void **handle) {
    return il_rwlock_open(domain, object->name, strlen(object->name), NULL, (il_rwlock **)handle);
}

static il_status close_lock(void *handle) { return il_rwlock_close(handle); }

static il_status acquire(void *handle, uint32_t amount, int64_t timeout_ns, int64_t lease_ns,
                         uint64_t *token) {
    return lease_ns ? il_rwlock_acquire_leased(handle, amount, timeout_ns, lease_ns, token)
                    : il_rwlock_acquire(handle, amount, timeout_ns, token);
}

static il_status release(void *handle, uint32_t amount, uint64_t token) {
    (void)amount;
    return il_rwlock_release(handle, token);
}

static il_status renew(void *handle, uint64_t token, int64_t lease_ns) {
    return il_rwlock_renew(handle, token, lease_ns);
}

static il_status check(void *handle, uint64_t token) { return il_rwlock_check(handle, token); }

static il_status brk(void *handle, uint64_t token) {
    return il_rwlock_break(handle, token, "by chance");
}

static const struct grant_calls calls = {acquire, release, renew, check, brk};

const struct linear_kind linear_kind_rwlock = {.kind = IL_KIND_RWLOCK,
                                               .collection = "rwlocks",
                                               .library = true,
                                               .draw = draw,
                                               .open = open_lock,
                                               .close = close_lock,
                                               .remove = il_rwlock_delete,
                                               .act = grants_act,
                                               .settle = grants_settle,
                                               .finish = grants_finish,
                                               .calls = &calls};
