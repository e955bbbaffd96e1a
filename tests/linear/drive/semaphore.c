#include <string.h>

#include "linear/drive/grants.h"

static void draw(struct linear_object *object, uint64_t *random) {
    static const uint32_t flags[] = {0, LINEAR_BOUNDED, LINEAR_BOUNDED, LINEAR_SIGNAL};
    object->flags = flags[worker_random(random) % 4];
    object->number = 1 + (uint32_t)(worker_random(random) % 4);
}

static il_status open_lock(il_domain *domain, const struct linear_object *object, void **handle) {
    uint32_t bounded = object->flags & LINEAR_BOUNDED ? IL_SEMAPHORE_BOUNDED : 0;
    uint32_t signal = object->flags & LINEAR_SIGNAL ? IL_SEMAPHORE_SIGNAL : 0;
    il_semaphore_options options = {
        .struct_bytes = sizeof options, .flags = bounded | signal, .value = object->number};
    return il_semaphore_open(domain, object->name, strlen(object->name), &options,
                             (il_semaphore **)handle);
}

static il_status close_lock(void *handle) { return il_semaphore_close(handle); }

static il_status acquire(void *handle, uint32_t amount, int64_t timeout_ns, int64_t lease_ns,
                         uint64_t *token) {
    return lease_ns ? il_semaphore_acquire_leased(handle, amount, timeout_ns, lease_ns, token)
                    : il_semaphore_acquire(handle, amount, timeout_ns, token);
}

static il_status release(void *handle, uint32_t amount, uint64_t token) {
    return il_semaphore_release(handle, amount, token);
}

static il_status renew(void *handle, uint64_t token, int64_t lease_ns) {
    return il_semaphore_renew(handle, token, lease_ns);
}

static il_status check(void *handle, uint64_t token) { return il_semaphore_check(handle, token); }

static il_status brk(void *handle, uint64_t token) {
    return il_semaphore_break(handle, token, "by chance");
}

static const struct grant_calls calls = {acquire, release, renew, check, brk};

const struct linear_kind linear_kind_semaphore = {.kind = IL_KIND_SEMAPHORE,
                                                  .collection = "semaphores",
                                                  .library = true,
                                                  .draw = draw,
                                                  .open = open_lock,
                                                  .close = close_lock,
                                                  .remove = il_semaphore_delete,
                                                  .act = grants_act,
                                                  .settle = grants_settle,
                                                  .finish = grants_finish,
                                                  .calls = &calls};
