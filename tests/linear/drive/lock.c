#include <string.h>

#include "linear/drive/grants.h"

static void draw(struct linear_object *object, uint64_t *random) {
    object->flags = worker_random(random) % 3 ? 0 : LINEAR_FAIR;
    object->number = worker_random(random) % 3 ? 0 : 2 + (uint32_t)(worker_random(random) % 20);
}

static il_status open_lock(il_domain *domain, const struct linear_object *object, void **handle) {
    il_lock_options options = {.struct_bytes = sizeof options,
                               .flags = object->flags & LINEAR_FAIR ? IL_LOCK_FAIR : 0,
                               .lock_delay_ns = (int64_t)object->number * 1000000};
    return il_lock_open(domain, object->name, strlen(object->name), &options, (il_lock **)handle);
}

static il_status close_lock(void *handle) { return il_lock_close(handle); }

static il_status acquire(void *handle, uint32_t amount, int64_t timeout_ns, int64_t lease_ns,
                         uint64_t *token) {
    (void)amount;
    return lease_ns ? il_lock_acquire_leased(handle, timeout_ns, lease_ns, token)
                    : il_lock_acquire(handle, timeout_ns, token);
}

static il_status release(void *handle, uint32_t amount, uint64_t token) {
    (void)amount;
    return il_lock_release(handle, token);
}

static il_status renew(void *handle, uint64_t token, int64_t lease_ns) {
    return il_lock_renew(handle, token, lease_ns);
}

static il_status check(void *handle, uint64_t token) { return il_lock_check(handle, token); }

static il_status brk(void *handle, uint64_t token) {
    return il_lock_break(handle, token, "by chance");
}

static const struct grant_calls calls = {acquire, release, renew, check, brk};

const struct linear_kind linear_kind_lock = {.kind = IL_KIND_LOCK,
                                             .collection = "locks",
                                             .library = true,
                                             .draw = draw,
                                             .open = open_lock,
                                             .close = close_lock,
                                             .remove = il_lock_delete,
                                             .act = grants_act,
                                             .settle = grants_settle,
                                             .finish = grants_finish,
                                             .calls = &calls};
