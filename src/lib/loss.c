/* loss.c - il_loss_next. */
#include <errno.h>
#include <string.h>

#include "arena/futex.h"
#include "arena/loss.h"
#include "base/clock.h"
#include "lib/domain.h"
#include "lib/grant.h"
#include "session/session_info.h"

#define SLICE_NS INT64_C(50000000) /* how often a sleeper looks whether its domain still lives */

/* The next loss of this session, if there is one. */
static bool next(struct il_domain *domain, struct ili_loss_copy *copy) {
    struct ili_member *m = &domain->member;
    const struct ili_slot *slot = ili_member_slot(m);
    uint32_t generation = atomic_load_explicit(&slot->generation, memory_order_relaxed);
    pthread_mutex_lock(&m->open_mutex);
    bool found = ili_loss_next(&m->arena, m->slot, generation, &domain->losses_told, copy);
    pthread_mutex_unlock(&m->open_mutex);
    return found;
}

static il_status wait_local(struct il_domain *domain, int64_t timeout_ns,
                            struct ili_loss_copy *copy) {
    struct ili_member *m = &domain->member;
    _Atomic uint32_t *bell = &m->arena.header->loss_bell;
    struct ili_thread *thread = ili_thread_current();
    int64_t deadline = ili_deadline_of(timeout_ns);
    if (!thread) return IL_ELIMIT;
    for (;;) {
        /* acquire: pairs with ili_loss_add(): a loss that came before is seen below */
        uint32_t rung = atomic_load_explicit(bell, memory_order_acquire);
        il_status status = ili_member_check(m);
        if (status != IL_OK) return status;
        if (next(domain, copy)) return IL_OK;
        int64_t now = ili_now_ns();
        if (now >= deadline) return IL_ETIMEOUT;
        status = ili_thread_take(thread);
        if (status != IL_OK) return status;
        int64_t until = deadline - now < SLICE_NS ? deadline : now + SLICE_NS;
        /* a signal: seen above, unless there is a loss to tell first */
        if (ili_thread_slept(thread, ili_futex_wait(bell, rung, until)) != IL_OK) {
            ili_thread_keep_interrupt(thread);
        }
    }
}

il_status il_loss_next(il_domain *domain, il_loss *loss, int64_t timeout_ns) {
    struct ili_loss_copy copy;
    struct ili_held held;
    il_loss all = {0};
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    if (!loss || loss->struct_bytes < sizeof(uint32_t)) {
        return ili_fail(IL_EINVAL, "loss.struct_bytes: expected sizeof(il_loss)");
    }
    il_status status = ili_check_timeout(timeout_ns);
    if (status != IL_OK) return status;
    if (domain->remote_ops) return domain->remote_ops->loss_next(domain->remote, loss, timeout_ns);
    status = wait_local(domain, timeout_ns, &copy);
    if (status != IL_OK) return ili_report(status, "loss");
    const struct ili_grant none = {0};
    ili_held_describe(&domain->member.arena, copy.object, &none, &held);
    all.struct_bytes = loss->struct_bytes;
    all.kind = copy.kind;
    all.why = copy.why;
    all.token = copy.token;
    if (held.kind == copy.kind) { /* else the object is gone */
        all.name_bytes = held.name_bytes;
        memcpy(all.name, held.name, sizeof all.name);
    }
    memcpy(all.reason, copy.reason, sizeof all.reason);
    memcpy(loss, &all, all.struct_bytes < sizeof all ? all.struct_bytes : sizeof all);
    return IL_OK;
}
