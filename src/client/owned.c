#include "client/owned.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/self.h"
#include "client/threads.h"

struct ili_remote_key ili_remote_owned_key(const struct ili_remote_object *object) {
    return (struct ili_remote_key){
        .kind = object->kind,
        .owner = ili_remote_kind_is_threads(object->kind) ? ili_remote_self() : 0,
        .name = object->name,
        .name_bytes = object->name_bytes,
    };
}

/* ---- acquire ------------------------------------------------------------------------------------ */

struct ili_remote_grant *ili_remote_owned_prepare(const struct ili_remote_object *object,
                                                  const struct ili_remote_session_ref *session,
                                                  const struct ili_remote_ask *ask) {
    struct ili_remote_key key = ili_remote_owned_key(object);
    if (key.owner && !ili_remote_threads_watch()) return NULL;
    struct ili_remote_grant *grant = ili_remote_grant_new(&key);
    if (!grant) return NULL;
    grant->session = session->number;
    grant->count = object->signals ? 0 : ask->count;
    grant->lease_ns = ask->lease_ns;
    return grant;
}

il_status ili_remote_owned_granted(struct ili_call *call, struct ili_json answer,
                                   struct ili_remote_grant *grant, uint64_t *token) {
    uint64_t granted = 0, depth;
    struct ili_json told = ili_json_member(answer, "token");
    bool held = grant->kind != IL_KIND_SEMAPHORE || grant->count > 0;
    if (!ili_json_number_text(told, &granted)) {
        free(grant);
        return ili_call_nonsense(call, "a grant without a token");
    }
    il_status status =
        ili_json_is(ili_json_member(answer, "owner_died"), "true") ? IL_EOWNERDEAD : IL_OK;
    if (!held) {
        free(grant);
    } else {
        bool deep = ili_json_number(ili_json_member(answer, "depth"), &depth) && depth > 0;
        if (deep) grant->depth = (uint32_t)depth;
        grant->token = granted;
        ili_remote_grants_add(&call->domain->grants, grant, deep, &call->domain->losses);
    }
    if (token) *token = granted;
    return status;
}

static void write_ask(struct ili_call *call, uint32_t kind, const struct ili_remote_ask *ask) {
    if (kind == IL_KIND_RWLOCK) {
        const char *mode = ask->mode == IL_SHARED ? "shared" : "exclusive";
        ili_call_field_text(call, "mode", mode, strlen(mode));
    }
    if (kind == IL_KIND_SEMAPHORE) {
        ili_call_field(call, "count");
        ili_buffer_add_number(&call->body, ask->count);
    }
    if (ask->lease_ns > 0) {
        ili_call_field(call, "lease");
        ili_buffer_add_seconds(&call->body, (uint64_t)ask->lease_ns);
    }
}

/* Within the session that stands now. IL_ESESSION: it does not any more. */
static il_status acquire_once(struct ili_remote_owned what, const struct ili_remote_ask *ask,
                              const struct ili_wait *wait, uint64_t *token) {
    struct ili_remote_domain *domain = what.held->domain;
    struct ili_remote_session_ref session;
    il_status status = ili_remote_session_use(domain, &session);
    if (status != IL_OK) return status;
    struct ili_remote_grant *grant = ili_remote_owned_prepare(what.held, &session, ask);
    if (!grant) return ili_remote_fail(IL_ENOMEM, "no memory for a grant");

    struct ili_call call;
    ili_remote_object_begin(&call, what.asked, "POST", "acquire");
    call.keyed = true;
    write_ask(&call, what.held->kind, ask);
    ili_remote_session_name(&call, &session, ili_remote_self());
    status = ili_call_wait(&call, wait);
    if (status == IL_OK) {
        status = ili_remote_owned_granted(&call, call.object, grant, token);
    } else {
        free(grant);
        if (status == IL_ESESSION) ili_remote_session_ended(domain, session.number);
    }
    ili_call_end(&call);
    return status;
}

il_status ili_remote_owned_acquire(struct ili_remote_owned what, struct ili_remote_ask ask,
                                   const struct ili_wait *wait, uint64_t *token) {
    il_status status = ili_remote_domain_check(what.held->domain);
    if (status != IL_OK) return status;
    int attempt = 0;
    do {
        status = acquire_once(what, &ask, wait, token);
    } while (status == IL_ESESSION && ++attempt < ILI_SESSION_ATTEMPTS);
    return status;
}

/* ---- grants that are there ---------------------------------------------------------------------- */

il_status ili_remote_owned_lost(struct ili_remote_domain *domain,
                                const struct ili_remote_grant *grant) {
    ili_remote_grants_remove(&domain->grants, grant);
    return ili_remote_fail(IL_ELEASE, "the session on the server that held it has ended");
}

/* TOKEN is of no grant that the caller has: what else it may be. */
il_status ili_remote_owned_not_ours(const struct ili_remote_object *object, uint64_t token) {
    il_status status = token ? ili_remote_owned_check(object, token) : IL_OK;
    if (status != IL_OK) return status;
    return ili_remote_fail(IL_ENOTHELD, ili_remote_kind_is_threads(object->kind)
                                            ? "the calling thread does not hold it"
                                            : "this process does not hold it");
}

il_status ili_remote_owned_find(const struct ili_remote_object *object, uint64_t token,
                                struct ili_remote_grant *grant) {
    struct ili_remote_domain *domain = object->domain;
    struct ili_remote_key key = ili_remote_owned_key(object);
    il_status status = ili_remote_domain_check(domain);
    if (status != IL_OK) return status;
    if (!ili_remote_grants_find(&domain->grants, &key, token, grant)) {
        /* also of an older grant the server may know more: why it was lost */
        return ili_remote_owned_not_ours(object, token);
    }
    return grant->lost ? ili_remote_owned_lost(domain, grant) : IL_OK;
}

bool ili_remote_owned_settles(il_status status) {
    return status == IL_OK || status == IL_ENOTHELD || status == IL_ESTALE || status == IL_ELEASE ||
           status == IL_EREVOKED || status == IL_EDELETED;
}

bool ili_remote_owned_name(struct ili_call *call, const struct ili_remote_grant *grant,
                           uint64_t owner) {
    struct ili_remote_session_ref session;
    if (!ili_remote_session_stands(call->domain, &session) || session.number != grant->session) {
        return false;
    }
    ili_remote_session_name(call, &session, owner);
    return true;
}

il_status ili_remote_owned_give(const struct ili_remote_object *asked,
                                const struct ili_remote_grant *grant, uint32_t count) {
    struct ili_remote_domain *domain = asked->domain;
    struct ili_remote_key key = ili_remote_grant_key(grant);
    struct ili_call call;
    ili_remote_object_begin(&call, asked, "POST", "release");
    call.keyed = true;
    ili_call_field_token(&call, grant->token);
    if (grant->kind == IL_KIND_SEMAPHORE) {
        ili_call_field(&call, "count");
        ili_buffer_add_number(&call.body, count);
    }
    uint64_t owner = grant->owner ? grant->owner : ili_remote_self();
    if (!ili_remote_owned_name(&call, grant, owner)) {
        ili_call_end(&call);
        return ili_remote_owned_lost(domain, grant);
    }
    il_status status = ili_remote_object_gone(ili_call_run(&call));
    status = ili_remote_session_verdict(domain, grant->session, status);
    if (call.resent && (status == IL_ENOTHELD || status == IL_ESTALE)) {
        status = IL_OK; /* the request before released it */
    }
    if (status == IL_OK && grant->kind == IL_KIND_SEMAPHORE) {
        ili_remote_grants_give(&domain->grants, &key, grant->token, count);
    } else if (status == IL_OK) {
        uint64_t depth;
        if (!ili_json_number(ili_json_member(call.object, "depth"), &depth)) {
            depth = grant->depth - 1;
        }
        ili_remote_grants_set_depth(&domain->grants, grant, (uint32_t)depth);
    } else if (ili_remote_owned_settles(status)) {
        ili_remote_grants_remove(&domain->grants, grant);
    }
    ili_call_end(&call);
    return status;
}

il_status ili_remote_owned_release(struct ili_remote_owned what, uint64_t token) {
    struct ili_remote_grant grant;
    il_status status = ili_remote_owned_find(what.held, token, &grant);
    return status == IL_OK ? ili_remote_owned_give(what.asked, &grant, 0) : status;
}

void ili_remote_release_all(struct ili_remote_domain *domain) {
    struct ili_remote_grant grant;
    while (ili_remote_grants_any(&domain->grants, &grant)) {
        struct ili_remote_object object;
        if (grant.lost) {
            ili_remote_grants_remove(&domain->grants, &grant);
            continue;
        }
        ili_remote_object_name(&object, domain, grant.kind, grant.name, grant.name_bytes);
        il_status status = ili_remote_owned_give(&object, &grant, grant.count);
        if (!ili_remote_owned_settles(status)) return; /* the session's end, or its TTL, does it */
    }
}

/* ---- renew, check, break ------------------------------------------------------------------------ */

il_status ili_remote_owned_renew(const struct ili_remote_object *object, uint64_t token,
                                 int64_t lease_ns) {
    struct ili_remote_grant grant;
    il_status status = ili_remote_owned_find(object, token, &grant);
    if (status != IL_OK) return status;
    struct ili_call call;
    ili_remote_object_begin(&call, object, "POST", "renew");
    ili_call_field_token(&call, grant.token);
    ili_call_field(&call, "lease");
    if (lease_ns > 0) {
        ili_buffer_add_seconds(&call.body, (uint64_t)lease_ns);
    } else {
        ili_buffer_add_text(&call.body, "null"); /* as long as the session */
    }
    if (ili_remote_owned_name(&call, &grant, 0)) {
        status = ili_remote_object_gone(ili_call_run(&call));
        status = ili_remote_session_verdict(object->domain, grant.session, status);
    } else {
        status = ili_remote_owned_lost(object->domain, &grant);
    }
    ili_call_end(&call);
    return status;
}

il_status ili_remote_owned_check(const struct ili_remote_object *object, uint64_t token) {
    il_status status = ili_remote_domain_check(object->domain);
    if (status != IL_OK) return status;
    struct ili_call call;
    ili_remote_object_begin(&call, object, "POST", "check");
    ili_call_field_token(&call, token);
    status = ili_remote_object_gone(ili_call_run(&call));
    ili_call_end(&call);
    return status;
}

il_status ili_remote_owned_break(const struct ili_remote_object *object, uint64_t token,
                                 const char *reason) {
    il_status status = ili_remote_domain_check(object->domain);
    if (status != IL_OK) return status;
    size_t bytes = reason ? strlen(reason) : 0;
    if (bytes && !ili_utf8_valid(reason, bytes)) {
        return ili_remote_fail(IL_EINVAL, "reason: expected UTF-8");
    }
    struct ili_call call;
    ili_remote_object_begin(&call, object, "POST", "break");
    call.keyed = true;
    if (token) ili_call_field_token(&call, token);
    if (reason) ili_call_field_text(&call, "reason", reason, bytes);
    status = ili_remote_object_gone(ili_call_run(&call));
    ili_call_end(&call);
    return status;
}

/* ---- glances ------------------------------------------------------------------------------------ */

il_status ili_remote_owned_locked(const struct ili_remote_object *object, int32_t *locked) {
    il_owner owner = {0};
    il_status status = ili_remote_owned_owner(object, &owner);
    if (status == IL_OK) *locked = owner.token != 0;
    return status;
}

/* Whether the calling thread (the process) has the grant TOKEN. */
static bool is_mine(const struct ili_remote_object *object, uint64_t token) {
    struct ili_remote_key key = ili_remote_owned_key(object);
    struct ili_remote_grant mine;
    return ili_remote_grants_find(&object->domain->grants, &key, token, &mine) && !mine.lost;
}

static void read_owner(const struct ili_remote_object *object, struct ili_json view,
                       il_owner *owner) {
    struct ili_json_walk walk = {0};
    struct ili_json holder = ili_json_next(ili_json_member(view, "holders"), &walk);
    struct ili_json who = ili_json_member(holder, "owner");
    uint64_t token = 0, pid = 0;
    if (!ili_json_number_text(ili_json_member(holder, "token"), &token) || token == 0) return;
    ili_json_number(ili_json_member(who, "pid"), &pid);
    owner->token = token;
    owner->pid = (uint32_t)pid;
    owner->mine = is_mine(object, token);
    ili_text_copy(owner->label, sizeof owner->label,
                  json_string_value(ili_json_member(who, "label").json));
}

il_status ili_remote_owned_owner(const struct ili_remote_object *object, il_owner *owner) {
    struct ili_call call;
    il_owner all = {.struct_bytes = owner->struct_bytes};
    il_status status = ili_remote_object_view(&call, object);
    if (status == IL_OK) status = ili_remote_answer_count(&call, "waiters", &all.waiters);
    if (status == IL_OK && !json_is_array(ili_json_member(call.object, "holders").json)) {
        status = ili_call_nonsense(&call, "a view without holders");
    }
    if (status == IL_OK) {
        read_owner(object, call.object, &all);
        *owner = all;
    }
    ili_call_end(&call);
    return status;
}
