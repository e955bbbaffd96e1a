/* latch.c - il_latch_… : checks, and which door. */
#include <stdlib.h>

#include "base/clock.h"
#include "lib/domain.h"

static il_status no_latch(void) { return ili_fail(IL_EINVAL, "latch: expected a latch, got NULL"); }

il_status il_latch_open(il_domain *domain, const char *name, size_t name_bytes,
                        const uint32_t *count, il_latch **out) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the latch, got NULL");
    il_status status = ili_check_name(name, name_bytes, true);
    if (status != IL_OK) return status;
    if (count && *count > IL_LATCH_MAX) {
        return ili_fail(IL_EINVAL, "count: expected 0 to %u, got %u", IL_LATCH_MAX, *count);
    }
    il_latch *latch = calloc(1, sizeof *latch);
    if (!latch) return ili_fail(IL_ENOMEM, "this process has no memory");
    if (domain->remote_ops) {
        latch->remote_ops = domain->remote_ops;
        status =
            latch->remote_ops->latch_open(domain->remote, name, name_bytes, count, &latch->remote);
    } else {
        status = ili_handle_open(domain, &ili_latch_kind, name, name_bytes, count, &latch->handle);
        if (status == IL_OK) {
            latch->latch =
                ili_object_at(&domain->member.arena, latch->handle.object, ILI_KIND_LATCH);
        }
    }
    if (status != IL_OK) {
        free(latch);
        return status;
    }
    *out = latch;
    return IL_OK;
}

il_status il_latch_close(il_latch *latch) {
    if (!latch) return IL_OK;
    il_status status = latch->latch ? ili_handle_close(&latch->handle)
                                    : latch->remote_ops->latch_close(latch->remote);
    free(latch);
    return status == IL_OK ? IL_OK : ili_report(status, "latch");
}

il_status il_latch_delete(il_domain *domain, const char *name, size_t name_bytes) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    il_status status = ili_check_name(name, name_bytes, false);
    if (status != IL_OK) return status;
    if (domain->remote_ops) {
        return domain->remote_ops->latch_delete(domain->remote, name, name_bytes);
    }
    return ili_handle_delete(domain, &ili_latch_kind, name, name_bytes);
}

il_status il_latch_count_down(il_latch *latch, uint32_t count, uint32_t *left) {
    if (!latch) return no_latch();
    if (count == 0) return ili_fail(IL_EINVAL, "count: expected 1 or more, got 0");
    if (!latch->latch) return latch->remote_ops->latch_count_down(latch->remote, count, left);
    return ili_report(ili_latch_count_down(latch->handle.member, latch->latch, count, left),
                      "latch");
}

il_status il_latch_wait(il_latch *latch, int64_t timeout_ns) {
    if (!latch) return no_latch();
    if (timeout_ns < IL_FOREVER) {
        return ili_fail(IL_EINVAL, "timeout_ns: expected IL_FOREVER, IL_NOWAIT or more");
    }
    if (!latch->latch) return latch->remote_ops->latch_wait(latch->remote, timeout_ns);
    int64_t deadline = timeout_ns == 0 ? 0 : ili_deadline_in(timeout_ns);
    return ili_report(ili_latch_wait(latch->handle.member, latch->latch, deadline), "latch");
}

il_status il_latch_count(il_latch *latch, uint32_t *count) {
    struct ili_latch_view view;
    if (!latch) return no_latch();
    if (!count) return ili_fail(IL_EINVAL, "count: expected a place for the answer, got NULL");
    if (!latch->latch) return latch->remote_ops->latch_count(latch->remote, count);
    il_status status = ili_member_check(latch->handle.member);
    if (status == IL_OK) {
        ili_latch_look(latch->latch, &view);
        if (view.deleted) status = IL_EDELETED;
    }
    if (status == IL_OK) *count = view.count;
    return ili_report(status, "latch");
}
