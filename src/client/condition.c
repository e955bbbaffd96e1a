/*
 * condition.c - see condition.h.
 *
 * A wait gives the lock up on the server, and the server answers when this side holds it again: after a
 * notify, and also after a timeout, whose answer has the new token. So between two requests of a long
 * wait the lock is held, and no notify can be missed.
 *
 * Only a wait that this side abandons (an interruption, a cancellation), or whose connection breaks, leaves the lock
 * behind: the server sees that the waiter left, and lets go of what it was about to be granted. Then the
 * lock is acquired again from here, as deep as before.
 */
#include "client/condition.h"

#include <stdlib.h>
#include <string.h>

#include "client/lock.h"
#include "client/owned.h"
#include "client/rlock.h"
#include "client/self.h"

/* ---- open and close ----------------------------------------------------------------------------- */

/* Reads which lock the condition is bound to from its view. */
static il_status read_lock(struct ili_remote_condition *condition, struct ili_call *call) {
    struct ili_json lock = ili_json_member(call->object, "lock");
    struct ili_json name = ili_json_member(lock, "name");
    uint32_t kind = ili_remote_kind_read(ili_json_member(lock, "kind"));
    size_t bytes = json_string_length(name.json);
    bool known = kind == IL_KIND_LOCK || kind == IL_KIND_RLOCK;
    if (!known || bytes == 0 || bytes > IL_NAME_MAX_BYTES) {
        return ili_call_nonsense(call, "a condition without a lock");
    }
    ili_remote_object_name(&condition->lock, condition->object.domain, kind,
                           json_string_value(name.json), bytes);
    return IL_OK;
}

static il_status open_with(struct ili_remote_condition *condition,
                           const struct ili_remote_object *bound) {
    struct ili_call call;
    ili_remote_object_begin(&call, &condition->object, "PUT", NULL);
    if (bound) {
        ili_call_field_text(&call, ili_remote_kind_word(bound->kind), bound->name,
                            bound->name_bytes);
    }
    il_status status = ili_call_run(&call);
    if (status == IL_ECONFLICT && !bound) { /* one that is there will do */
        ili_call_end(&call);
        status = ili_remote_object_view(&call, &condition->object);
    }
    if (status == IL_OK) status = read_lock(condition, &call);
    ili_call_end(&call);
    return status;
}

il_status ili_remote_condition_open(struct ili_remote_domain *domain, const char *name,
                                    size_t name_bytes, struct ili_remote_lock *lock,
                                    struct ili_remote_rlock *rlock,
                                    struct ili_remote_condition **out) {
    struct ili_remote_condition *condition = NULL;
    const struct ili_remote_object *bound = lock ? &lock->object : rlock ? &rlock->object : NULL;
    il_status status = ili_remote_object_new(domain, IL_KIND_CONDITION, name, name_bytes,
                                             sizeof *condition, (void **)&condition);
    if (status != IL_OK) return status;
    status = open_with(condition, bound);
    if (status == IL_OK) {
        *out = condition;
    } else {
        free(condition);
    }
    return status;
}

il_status ili_remote_condition_close(struct ili_remote_condition *condition) {
    free(condition);
    return IL_OK;
}

il_status ili_remote_condition_delete(struct ili_remote_domain *domain, const char *name,
                                      size_t name_bytes) {
    return ili_remote_object_delete(domain, IL_KIND_CONDITION, name, name_bytes);
}

/* ---- its lock ----------------------------------------------------------------------------------- */

il_status ili_remote_condition_acquire(struct ili_remote_condition *condition, int64_t timeout_ns,
                                       uint64_t *token) {
    struct ili_remote_owned what = {&condition->object, &condition->lock};
    struct ili_wait wait;
    ili_wait_begin(&wait, timeout_ns);
    return ili_remote_owned_acquire(what, (struct ili_remote_ask){0}, &wait, token);
}

il_status ili_remote_condition_release(struct ili_remote_condition *condition, uint64_t token) {
    struct ili_remote_owned what = {&condition->object, &condition->lock};
    return ili_remote_owned_release(what, token);
}

/* ---- wait --------------------------------------------------------------------------------------- */

/* Acquires the lock again, as deep as GRANT was; not to be interrupted. */
static il_status reacquire(struct ili_remote_condition *condition,
                           const struct ili_remote_grant *grant, uint64_t *token) {
    struct ili_remote_owned what = {&condition->object, &condition->lock};
    struct ili_remote_ask ask = {.lease_ns = grant->lease_ns};
    struct ili_wait wait;
    il_status status = IL_OK, first = IL_OK;
    ili_wait_begin(&wait, IL_FOREVER);
    wait.deaf = true;
    ili_remote_grants_remove(&condition->object.domain->grants, grant);
    for (uint32_t i = 0; i < grant->depth; i++) {
        status = ili_remote_owned_acquire(what, ask, &wait, token);
        if (status != IL_OK && status != IL_EOWNERDEAD) return status;
        if (i == 0) first = status;
    }
    return first;
}

/* The lock is held again, by TOKEN: FRESH, taken over, is the table's entry now. GRANT's cannot be
 * changed instead: another thread of this process may have held the lock meanwhile, and released it. */
static void held_again(struct ili_remote_domain *domain, struct ili_remote_grant *grant,
                       struct ili_remote_grant *fresh, uint64_t token) {
    grant->token = token;
    *fresh = *grant;
    ili_remote_grants_add(&domain->grants, fresh, true, &domain->losses);
}

/* One request of a wait. *GRANT is the one given up, and then, if *HELD, the one of now. */
static il_status wait_once(struct ili_remote_condition *condition, const struct ili_wait *wait,
                           struct ili_remote_grant *grant, bool *held, bool *again) {
    struct ili_remote_domain *domain = condition->object.domain;
    struct ili_remote_key key = ili_remote_grant_key(grant);
    struct ili_remote_grant *fresh = ili_remote_grant_new(&key);
    *held = *again = false;
    if (!fresh) return ili_remote_fail(IL_ENOMEM, "no memory for a grant");
    struct ili_call call;
    uint64_t token;
    ili_remote_object_begin(&call, &condition->object, "POST", "wait");
    call.keyed = true;
    call.late = true; /* the lock may be somebody else's for any time */
    ili_call_field_token(&call, grant->token);
    if (grant->lease_ns > 0) {
        ili_call_field(&call, "lease");
        ili_buffer_add_seconds(&call.body, (uint64_t)grant->lease_ns);
    }
    il_status status = IL_ESESSION;
    if (ili_remote_owned_name(&call, grant, ili_remote_self())) {
        status = ili_remote_object_gone(ili_call_poll(&call, wait, again));
        *held = ili_json_number_text(ili_json_member(call.object, "token"), &token);
    }
    if (*held) {
        held_again(domain, grant, fresh, token);
        if (status == IL_OK && ili_json_is(ili_json_member(call.object, "owner_died"), "true")) {
            status = IL_EOWNERDEAD;
        }
    } else {
        free(fresh);
        if (status == IL_OK) {
            status = ili_call_nonsense(&call, "a wait without a token");
        } else if (call.resent && (status == IL_ENOTHELD || status == IL_ESTALE)) {
            /* The request before gave the lock up, and its connection broke. A notify may have come:
             * to go on without one is harmless, to miss one is not. */
            status = IL_OK;
        }
    }
    ili_call_end(&call);
    return ili_remote_session_verdict(domain, grant->session, status);
}

il_status ili_remote_condition_wait(struct ili_remote_condition *condition, int64_t timeout_ns,
                                    uint64_t *token) {
    struct ili_remote_domain *domain = condition->object.domain;
    struct ili_remote_grant grant;
    struct ili_wait wait;
    ili_wait_begin(&wait, timeout_ns);
    il_status status = ili_remote_owned_find(&condition->lock, 0, &grant);
    if (status != IL_OK) return status;
    bool held, again;
    do {
        status = wait_once(condition, &wait, &grant, &held, &again);
    } while (again && held);
    if (!held) {
        bool left = status == IL_OK || ili_call_gave_up(status);
        if (!left) {
            if (ili_remote_owned_settles(status)) {
                ili_remote_grants_remove(&domain->grants, &grant);
            }
            return status;
        }
        il_status got = reacquire(condition, &grant, &grant.token);
        if (got != IL_OK && got != IL_EOWNERDEAD) return got;
        status = status == IL_OK ? got : ili_remote_fail(status, NULL);
    }
    bool holds = status == IL_OK || status == IL_EOWNERDEAD || ili_call_gave_up(status);
    if (holds && token) *token = grant.token;
    return status;
}

/* ---- notify ------------------------------------------------------------------------------------- */

/* COUNT 0: all. */
static il_status notify(struct ili_remote_condition *condition, const char *operation,
                        uint32_t count) {
    struct ili_remote_domain *domain = condition->object.domain;
    struct ili_remote_grant grant;
    il_status status = ili_remote_owned_find(&condition->lock, 0, &grant);
    if (status != IL_OK) return status;
    struct ili_call call;
    ili_remote_object_begin(&call, &condition->object, "POST", operation);
    call.keyed = true;
    ili_call_field_token(&call, grant.token);
    if (count) {
        ili_call_field(&call, "count");
        ili_buffer_add_number(&call.body, count);
    }
    if (ili_remote_owned_name(&call, &grant, ili_remote_self())) {
        status = ili_remote_object_gone(ili_call_run(&call));
        status = ili_remote_session_verdict(domain, grant.session, status);
    } else {
        status = ili_remote_owned_lost(domain, &grant);
    }
    ili_call_end(&call);
    return status;
}

il_status ili_remote_condition_notify(struct ili_remote_condition *condition, uint32_t count) {
    return count == 0 ? ili_remote_fail(IL_EINVAL, "count: expected 1 or more, got 0")
                      : notify(condition, "notify", count);
}

il_status ili_remote_condition_notify_all(struct ili_remote_condition *condition) {
    return notify(condition, "notify_all", 0);
}

il_status ili_remote_condition_waiters(struct ili_remote_condition *condition, uint32_t *waiters) {
    return ili_remote_object_count(&condition->object, "waiters", waiters);
}
