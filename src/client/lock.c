#include "client/lock.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/object.h"

struct ili_remote_lock {
    struct ili_remote_object object;
    _Atomic uint64_t newest; /* token of the newest grant this handle gave; relaxed: a hint */
};

il_status ili_remote_lock_open(struct ili_remote_domain *domain, const char *name,
                               size_t name_bytes, const uint32_t *flags,
                               struct ili_remote_lock **out) {
    il_status status = ili_remote_object_check(domain, name, name_bytes);
    if (status != IL_OK) return status;
    struct ili_remote_lock *lock = calloc(1, sizeof *lock);
    if (!lock) return ili_remote_fail(IL_ENOMEM, "no memory for a lock");
    ili_remote_object_name(&lock->object, domain, name, name_bytes);

    struct ili_call call;
    ili_remote_object_begin(&call, &lock->object, "PUT", "locks", NULL);
    if (flags) {
        ili_call_field(&call, "fair");
        ili_buffer_add_text(&call.body, *flags & IL_LOCK_FAIR ? "true" : "false");
    }
    status = ili_remote_object_open(&call, !flags);
    if (status != IL_OK) {
        free(lock);
        return status;
    }
    *out = lock;
    return IL_OK;
}

il_status ili_remote_lock_close(struct ili_remote_lock *lock) {
    free(lock);
    return IL_OK;
}

il_status ili_remote_lock_delete(struct ili_remote_domain *domain, const char *name,
                                 size_t name_bytes) {
    return ili_remote_object_delete(domain, "locks", name, name_bytes);
}

/* ---- acquire ------------------------------------------------------------------------------------ */

/* Reads the grant and puts it into the domain's table. Takes GRANT over. */
static il_status granted(struct ili_remote_lock *lock, struct ili_call *call,
                         struct ili_remote_grant *grant, uint64_t *token) {
    struct ili_remote_domain *domain = lock->object.domain;
    if (!ili_json_number_text(ili_json_member(call->object, "token"), &grant->token) ||
        !ili_json_seconds(ili_json_member(call->object, "lease"), &grant->lease_ns)) {
        free(grant);
        return ili_call_nonsense(call, "a grant without token or lease");
    }
    int64_t renew_at = ili_renewer_renew_at(ili_host->now_ns(), grant->lease_ns);
    grant->renew_at_ns = renew_at;
    uint64_t granted_token = grant->token;
    atomic_store_explicit(&lock->newest, granted_token, memory_order_relaxed);
    ili_remote_grants_add(&domain->grants, grant);
    ili_renewer_notice(&domain->renewer, renew_at);
    if (token) *token = granted_token;
    return ili_json_is(ili_json_member(call->object, "owner_died"), "true") ? IL_EOWNERDEAD : IL_OK;
}

il_status ili_remote_lock_acquire(struct ili_remote_lock *lock, int64_t timeout_ns,
                                  uint64_t *token) {
    struct ili_remote_domain *domain = lock->object.domain;
    il_status status = ili_remote_domain_check(domain);
    if (status == IL_OK) status = ili_renewer_start(domain);
    if (status != IL_OK) return status;
    struct ili_remote_grant *grant =
        ili_remote_grant_new(lock->object.name, lock->object.name_bytes);
    if (!grant) return ili_remote_fail(IL_ENOMEM, "no memory for a grant");

    struct ili_wait wait;
    struct ili_call call;
    ili_wait_begin(&wait, timeout_ns);
    ili_remote_object_begin(&call, &lock->object, "POST", "locks", "acquire");
    call.keyed = true;
    ili_call_field(&call, "lease");
    ili_buffer_add_number(&call.body, ILI_LEASE_SECONDS);
    ili_call_field(&call, "owner");
    ili_json_quote(&call.body, domain->label, strlen(domain->label));
    status = ili_call_wait(&call, &wait);
    if (status == IL_OK) {
        status = granted(lock, &call, grant, token);
    } else {
        free(grant);
    }
    ili_call_end(&call);
    return status;
}

/* ---- release ------------------------------------------------------------------------------------ */

/* Whether STATUS of a release means that there is nothing left to release. */
static bool settles(il_status status) {
    return status == IL_OK || status == IL_ENOTHELD || status == IL_ESTALE || status == IL_ELEASE ||
           status == IL_EDELETED;
}

static il_status release(struct ili_remote_domain *domain, const struct ili_remote_grant *grant) {
    struct ili_call call;
    ili_call_begin(&call, domain, "POST", "locks", grant->name, grant->name_bytes, "release");
    ili_call_field(&call, "token");
    ili_buffer_add_text(&call.body, "\"");
    ili_buffer_add_number(&call.body, grant->token);
    ili_buffer_add_text(&call.body, "\"");
    il_status status = ili_remote_object_gone(ili_call_run(&call));
    if (call.resent && (status == IL_ENOTHELD || status == IL_ESTALE)) {
        status = IL_OK; /* the request before released it */
    }
    ili_call_end(&call);
    if (settles(status)) ili_remote_grants_remove(&domain->grants, grant);
    return status;
}

/* TOKEN is not of a grant that this process has: whether it is an old one. */
static il_status not_ours(struct ili_remote_lock *lock, uint64_t token) {
    uint64_t newest = atomic_load_explicit(&lock->newest, memory_order_relaxed), current = 0;
    struct ili_call call;
    il_status status = ili_remote_object_view(&call, &lock->object, "locks");
    if (status == IL_OK) {
        ili_json_number_text(ili_json_member(call.object, "token"), &current);
        if (current > newest) newest = current;
        status = token && token < newest
                     ? ili_remote_fail(IL_ESTALE, "token %llu, the newest known grant has %llu",
                                       (unsigned long long)token, (unsigned long long)newest)
                     : ili_remote_fail(IL_ENOTHELD, NULL);
    }
    ili_call_end(&call);
    return status;
}

il_status ili_remote_lock_release(struct ili_remote_lock *lock, uint64_t token) {
    struct ili_remote_domain *domain = lock->object.domain;
    il_status status = ili_remote_domain_check(domain);
    if (status != IL_OK) return status;
    struct ili_remote_grant grant;
    status = ili_remote_grants_start_release(&domain->grants, lock->object.name,
                                             lock->object.name_bytes, token, &grant);
    if (status == IL_ENOTHELD) return not_ours(lock, token);
    if (status == IL_ESTALE) {
        return ili_remote_fail(status, "token %llu is of an older grant",
                               (unsigned long long)token);
    }
    if (grant.lost == IL_OK) return release(domain, &grant);
    ili_remote_grants_remove(&domain->grants, &grant);
    return ili_remote_fail(grant.lost, grant.lost == IL_ELEASE
                                           ? "the server took the grant back when it could not be "
                                             "renewed in time"
                                           : "the lock was deleted while it was held");
}

void ili_remote_lock_release_all(struct ili_remote_domain *domain) {
    struct ili_remote_grant grant;
    while (ili_remote_grants_take_any(&domain->grants, &grant)) {
        if (!settles(release(domain, &grant))) return; /* their leases run out */
    }
}

/* ---- glances ------------------------------------------------------------------------------------ */

il_status ili_remote_lock_locked(struct ili_remote_lock *lock, int32_t *locked) {
    il_status status = ili_remote_domain_check(lock->object.domain);
    if (status != IL_OK) return status;
    struct ili_call call;
    status = ili_remote_object_view(&call, &lock->object, "locks");
    if (status == IL_OK) *locked = ili_json_is(ili_json_member(call.object, "locked"), "true");
    ili_call_end(&call);
    return status;
}

il_status ili_remote_lock_owner(struct ili_remote_lock *lock, il_owner *owner) {
    il_status status = ili_remote_domain_check(lock->object.domain);
    if (status != IL_OK) return status;
    struct ili_call call;
    struct ili_buffer label = {0};
    uint64_t waiters = 0, pid = 0, token = 0;
    status = ili_remote_object_view(&call, &lock->object, "locks");
    if (status == IL_OK && !ili_json_number(ili_json_member(call.object, "waiters"), &waiters)) {
        status = ili_call_nonsense(&call, "a lock without waiters");
    }
    if (status == IL_OK) {
        struct ili_json who = ili_json_member(call.object, "owner");
        bool locked = ili_json_is(ili_json_member(call.object, "locked"), "true") &&
                      ili_json_number_text(ili_json_member(call.object, "token"), &token);
        if (locked) ili_json_number(ili_json_member(who, "pid"), &pid);
        if (locked) ili_json_string(ili_json_member(who, "label"), &label);
        struct ili_remote_grant mine;
        owner->token = token;
        owner->pid = (uint32_t)pid;
        owner->waiters = (uint32_t)waiters;
        owner->mine = locked &&
                      ili_remote_grants_find(&lock->object.domain->grants, lock->object.name,
                                             lock->object.name_bytes, &mine) &&
                      mine.token == token;
        ili_text_copy(owner->label, sizeof owner->label, ili_buffer_text(&label));
    }
    ili_buffer_free(&label);
    ili_call_end(&call);
    return status;
}
