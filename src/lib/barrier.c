/* barrier.c - il_barrier_… : checks, and which door. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "lib/domain.h"

static il_status no_barrier(void) {
    return ili_fail(IL_EINVAL, "barrier: expected a barrier, got NULL");
}

/* ---- open and close ------------------------------------------------------------------------------- */

/* Without PARTIES nothing can be made. */
static il_status open_local(il_domain *domain, const char *name, size_t name_bytes,
                            const uint32_t *parties, il_barrier *barrier) {
    il_status status;
    if (parties) {
        status =
            ili_handle_open(domain, &ili_barrier_kind, name, name_bytes, parties, &barrier->handle);
    } else {
        status =
            ili_handle_open_existing(domain, &ili_barrier_kind, name, name_bytes, &barrier->handle);
        if (status == IL_ENOTFOUND) {
            return ili_fail(IL_EINVAL, "parties: needed to make a barrier, got NULL");
        }
    }
    if (status != IL_OK) return status;
    barrier->barrier =
        ili_object_at(&domain->member.arena, barrier->handle.object, ILI_KIND_BARRIER);
    return IL_OK;
}

il_status il_barrier_open(il_domain *domain, const char *name, size_t name_bytes,
                          const uint32_t *parties, il_barrier **out) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the barrier, got NULL");
    il_status status = ili_check_name(name, name_bytes, true);
    if (status != IL_OK) return status;
    if (parties && (*parties == 0 || *parties > IL_BARRIER_MAX)) {
        return ili_fail(IL_EINVAL, "parties: expected 1 to %u, got %u", IL_BARRIER_MAX, *parties);
    }
    if (!parties && !name) {
        return ili_fail(IL_EINVAL, "parties: needed to make a barrier, got NULL");
    }
    il_barrier *barrier = calloc(1, sizeof *barrier);
    if (!barrier) return ili_fail(IL_ENOMEM, "this process has no memory");
    if (domain->remote_ops) {
        barrier->remote_ops = domain->remote_ops;
        status = barrier->remote_ops->barrier_open(domain->remote, name, name_bytes, parties,
                                                   &barrier->remote);
    } else {
        status = open_local(domain, name, name_bytes, parties, barrier);
    }
    if (status != IL_OK) {
        free(barrier);
        return status;
    }
    *out = barrier;
    return IL_OK;
}

il_status il_barrier_close(il_barrier *barrier) {
    if (!barrier) return IL_OK;
    il_status status = barrier->barrier ? ili_handle_close(&barrier->handle)
                                        : barrier->remote_ops->barrier_close(barrier->remote);
    free(barrier);
    return status == IL_OK ? IL_OK : ili_report(status, "barrier");
}

il_status il_barrier_delete(il_domain *domain, const char *name, size_t name_bytes) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    il_status status = ili_check_name(name, name_bytes, false);
    if (status != IL_OK) return status;
    if (domain->remote_ops) {
        return domain->remote_ops->barrier_delete(domain->remote, name, name_bytes);
    }
    return ili_handle_delete(domain, &ili_barrier_kind, name, name_bytes);
}

/* ---- wait, reset, abort --------------------------------------------------------------------------- */

il_status il_barrier_wait(il_barrier *barrier, int64_t timeout_ns, uint32_t *index) {
    if (!barrier) return no_barrier();
    if (timeout_ns < IL_FOREVER) {
        return ili_fail(IL_EINVAL, "timeout_ns: expected IL_FOREVER, IL_NOWAIT or more");
    }
    if (!barrier->barrier) {
        return barrier->remote_ops->barrier_wait(barrier->remote, timeout_ns, index);
    }
    int64_t deadline = timeout_ns == 0 ? 0 : ili_deadline_in(timeout_ns);
    return ili_report(ili_barrier_wait(barrier->handle.member, barrier->barrier, deadline, index),
                      "barrier");
}

il_status il_barrier_reset(il_barrier *barrier) {
    if (!barrier) return no_barrier();
    if (!barrier->barrier) return barrier->remote_ops->barrier_reset(barrier->remote);
    return ili_report(ili_barrier_reset(barrier->handle.member, barrier->barrier), "barrier");
}

il_status il_barrier_abort(il_barrier *barrier) {
    if (!barrier) return no_barrier();
    if (!barrier->barrier) return barrier->remote_ops->barrier_abort(barrier->remote);
    return ili_report(ili_barrier_abort(barrier->handle.member, barrier->barrier), "barrier");
}

/* ---- a glance ------------------------------------------------------------------------------------- */

static il_status local_info(const il_barrier *barrier, il_barrier_info *info) {
    struct ili_barrier_view view;
    il_status status = ili_member_check(barrier->handle.member);
    if (status == IL_OK) {
        ili_barrier_look(barrier->barrier, &view);
        if (view.deleted) status = IL_EDELETED;
    }
    if (status != IL_OK) return ili_report(status, "barrier");
    info->parties = view.parties;
    info->waiting = view.waiting;
    info->broken = view.broken;
    return IL_OK;
}

il_status il_barrier_info_get(il_barrier *barrier, il_barrier_info *info) {
    il_barrier_info all = {0};
    if (!barrier) return no_barrier();
    if (!info || info->struct_bytes < sizeof(uint32_t)) {
        return ili_fail(IL_EINVAL, "info.struct_bytes: expected sizeof(il_barrier_info)");
    }
    uint32_t bytes = info->struct_bytes;
    il_status status = barrier->barrier
                           ? local_info(barrier, &all)
                           : barrier->remote_ops->barrier_info_get(barrier->remote, &all);
    if (status != IL_OK) return status;
    all.struct_bytes = bytes;
    memcpy(info, &all, bytes < sizeof all ? bytes : sizeof all);
    return IL_OK;
}
