/*
 * semaphore.c - see semaphore.h.
 *
 * Permits are released to a grant when one is named, or when the process has one that is large enough.
 * Else the server is asked without a token: it takes them from what the session holds, and if that is
 * nothing, it makes them. Grants that were lost with their session were given back by its end, so a
 * release that means them makes none.
 * Of permits that are signals the process has nothing, whatever token the server gave them.
 */
#include "client/semaphore.h"

#include <stdlib.h>

#include "client/owned.h"
#include "client/self.h"

il_status ili_remote_semaphore_open(struct ili_remote_domain *domain, const char *name,
                                    size_t name_bytes, const il_semaphore_options *options,
                                    struct ili_remote_semaphore **out) {
    struct ili_remote_semaphore *semaphore = NULL;
    il_status status = ili_remote_object_new(domain, IL_KIND_SEMAPHORE, name, name_bytes,
                                             sizeof *semaphore, (void **)&semaphore);
    if (status != IL_OK) return status;
    struct ili_call call;
    ili_remote_object_begin(&call, &semaphore->object, "PUT", NULL);
    if (options) {
        ili_call_field(&call, "value");
        ili_buffer_add_number(&call.body, options->value);
        ili_call_field_bool(&call, "bounded", options->flags & IL_SEMAPHORE_BOUNDED);
        ili_call_field_bool(&call, "signal", options->flags & IL_SEMAPHORE_SIGNAL);
        ili_call_field_deadlock(&call, options->flags);
    }
    status = ili_call_run(&call);
    semaphore->object.signals =
        status == IL_OK && ili_json_is(ili_json_member(call.object, "signal"), "true");
    ili_call_end(&call);
    if (!options && status == IL_ECONFLICT) { /* it is there, with options of its own */
        int32_t signals = 0;
        status = ili_remote_object_flag(&semaphore->object, "signal", &signals);
        semaphore->object.signals = signals != 0;
    }
    if (status == IL_OK) {
        *out = semaphore;
    } else {
        free(semaphore);
    }
    return status;
}

il_status ili_remote_semaphore_close(struct ili_remote_semaphore *semaphore) {
    free(semaphore);
    return IL_OK;
}

il_status ili_remote_semaphore_delete(struct ili_remote_domain *domain, const char *name,
                                      size_t name_bytes) {
    return ili_remote_object_delete(domain, IL_KIND_SEMAPHORE, name, name_bytes);
}

/* ---- acquire and release ------------------------------------------------------------------------ */

il_status ili_remote_semaphore_acquire(struct ili_remote_semaphore *semaphore, uint32_t count,
                                       int64_t timeout_ns, uint64_t *token) {
    return ili_remote_semaphore_acquire_leased(semaphore, count, timeout_ns, 0, token);
}

il_status ili_remote_semaphore_acquire_leased(struct ili_remote_semaphore *semaphore,
                                              uint32_t count, int64_t timeout_ns, int64_t lease_ns,
                                              uint64_t *token) {
    struct ili_remote_owned what = {&semaphore->object, &semaphore->object};
    struct ili_remote_ask ask = {.count = count, .lease_ns = lease_ns};
    struct ili_wait wait;
    ili_wait_begin(&wait, timeout_ns);
    return ili_remote_owned_acquire(what, ask, &wait, token);
}

/* COUNT permits of no particular grant. IL_ESESSION: the session has ended, and nothing was done. */
static il_status release_any(struct ili_remote_semaphore *semaphore, uint32_t count) {
    struct ili_remote_domain *domain = semaphore->object.domain;
    struct ili_remote_key key = ili_remote_owned_key(&semaphore->object);
    struct ili_remote_session_ref session;
    struct ili_call call;
    bool stands = ili_remote_session_stands(domain, &session);
    ili_remote_object_begin(&call, &semaphore->object, "POST", "release");
    call.keyed = true;
    ili_call_field(&call, "count");
    ili_buffer_add_number(&call.body, count);
    if (stands) ili_remote_session_name(&call, &session, ili_remote_self());
    il_status status = ili_remote_object_gone(ili_call_run(&call));
    ili_call_end(&call);
    if (status == IL_OK) ili_remote_grants_give(&domain->grants, &key, 0, count);
    if (stands && status == IL_ESESSION) ili_remote_session_ended(domain, session.number);
    return status;
}

il_status ili_remote_semaphore_release(struct ili_remote_semaphore *semaphore, uint32_t count,
                                       uint64_t token) {
    struct ili_remote_domain *domain = semaphore->object.domain;
    struct ili_remote_key key = ili_remote_owned_key(&semaphore->object);
    struct ili_remote_grant grant;
    il_status status;
    if (token) {
        status = ili_remote_owned_find(&semaphore->object, token, &grant);
        return status == IL_OK ? ili_remote_owned_give(&semaphore->object, &grant, count) : status;
    }
    status = ili_remote_domain_check(domain);
    if (status != IL_OK) return status;
    int attempt = 0;
    do {
        if (ili_remote_grants_find_count(&domain->grants, &key, count, &grant)) {
            return ili_remote_owned_give(&semaphore->object, &grant, count);
        }
        if (ili_remote_grants_find_count(&domain->grants, &key, 1, &grant)) {
            status = release_any(semaphore, count);
        } else if (ili_remote_grants_find(&domain->grants, &key, 0, &grant)) {
            return ili_remote_owned_lost(domain, &grant);
        } else {
            status = release_any(semaphore, count);
        }
    } while (status == IL_ESESSION && ++attempt < ILI_SESSION_ATTEMPTS);
    return status;
}

il_status ili_remote_semaphore_renew(struct ili_remote_semaphore *semaphore, uint64_t token,
                                     int64_t lease_ns) {
    return ili_remote_owned_renew(&semaphore->object, token, lease_ns);
}

il_status ili_remote_semaphore_check(struct ili_remote_semaphore *semaphore, uint64_t token) {
    return ili_remote_owned_check(&semaphore->object, token);
}

il_status ili_remote_semaphore_break(struct ili_remote_semaphore *semaphore, uint64_t token,
                                     const char *reason) {
    return ili_remote_owned_break(&semaphore->object, token, reason);
}

il_status ili_remote_semaphore_value(struct ili_remote_semaphore *semaphore, uint32_t *value) {
    return ili_remote_object_count(&semaphore->object, "value", value);
}
