#include "client/barrier.h"

#include <stdlib.h>

il_status ili_remote_barrier_open(struct ili_remote_domain *domain, const char *name,
                                  size_t name_bytes, const uint32_t *parties,
                                  struct ili_remote_barrier **out) {
    struct ili_remote_barrier *barrier = NULL;
    il_status status = ili_remote_object_new(domain, IL_KIND_BARRIER, name, name_bytes,
                                             sizeof *barrier, (void **)&barrier);
    if (status != IL_OK) return status;
    struct ili_call call;
    ili_remote_object_begin(&call, &barrier->object, "PUT", NULL);
    if (parties) {
        ili_call_field(&call, "parties");
        ili_buffer_add_number(&call.body, *parties);
    }
    status = ili_remote_object_open(&call, !parties);
    if (status == IL_OK) {
        *out = barrier;
    } else {
        free(barrier);
    }
    return status;
}

il_status ili_remote_barrier_close(struct ili_remote_barrier *barrier) {
    free(barrier);
    return IL_OK;
}

il_status ili_remote_barrier_delete(struct ili_remote_domain *domain, const char *name,
                                    size_t name_bytes) {
    return ili_remote_object_delete(domain, IL_KIND_BARRIER, name, name_bytes);
}

/* Within the session that stands now: if this process dies, its end breaks the barrier. */
static il_status wait_once(struct ili_remote_barrier *barrier, const struct ili_wait *wait,
                           uint32_t *index) {
    struct ili_remote_domain *domain = barrier->object.domain;
    struct ili_remote_session_ref session;
    il_status status = ili_remote_session_use(domain, &session);
    if (status != IL_OK) return status;
    struct ili_call call;
    uint32_t mine;
    ili_remote_object_begin(&call, &barrier->object, "POST", "wait");
    call.keyed = true;
    call.once = true;
    ili_remote_session_name(&call, &session, 0);
    status = ili_remote_object_gone(ili_call_wait(&call, wait));
    if (status == IL_ESESSION) ili_remote_session_ended(domain, session.number);
    if (status == IL_OK) status = ili_remote_answer_count(&call, "index", &mine);
    if (status == IL_OK && index) *index = mine;
    ili_call_end(&call);
    return status;
}

il_status ili_remote_barrier_wait(struct ili_remote_barrier *barrier, int64_t timeout_ns,
                                  uint32_t *index) {
    il_status status = ili_remote_domain_check(barrier->object.domain);
    if (status != IL_OK) return status;
    struct ili_wait wait;
    ili_wait_begin(&wait, timeout_ns);
    int attempt = 0;
    do {
        status = wait_once(barrier, &wait, index);
    } while (status == IL_ESESSION && ++attempt < ILI_SESSION_ATTEMPTS);
    return status;
}

il_status ili_remote_barrier_reset(struct ili_remote_barrier *barrier) {
    struct ili_call call;
    il_status status = ili_remote_object_do(&call, &barrier->object, "reset");
    ili_call_end(&call);
    return status;
}

il_status ili_remote_barrier_abort(struct ili_remote_barrier *barrier) {
    struct ili_call call;
    il_status status = ili_remote_object_do(&call, &barrier->object, "abort");
    ili_call_end(&call);
    return status;
}

il_status ili_remote_barrier_info_get(struct ili_remote_barrier *barrier, il_barrier_info *info) {
    struct ili_call call;
    uint32_t parties, waiting;
    il_status status = ili_remote_object_view(&call, &barrier->object);
    if (status == IL_OK) status = ili_remote_answer_count(&call, "parties", &parties);
    if (status == IL_OK) status = ili_remote_answer_count(&call, "waiting", &waiting);
    if (status == IL_OK) {
        info->parties = parties;
        info->waiting = waiting;
        info->broken = ili_json_is(ili_json_member(call.object, "broken"), "true");
    }
    ili_call_end(&call);
    return status;
}
