#include "server/grants.h"

#include <string.h>

#include "arena/lease.h"
#include "base/log.h"
#include "server/granting.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/reply.h"
#include "server/server.h"
#include "sync/lock.h"

/* The object that REQUEST names, pinned; NULL: the request was answered. One that was deleted while the
 * caller held something of it is told apart from one that never was. */
static void *open_object(struct ili_request *request, const struct ili_grantable *of) {
    struct ili_server *server = request->server;
    void *object = NULL;
    il_status status = ili_pin_open(request, of->kind, NULL, ILI_OPEN_EXISTING, NULL, &object);
    if (status == IL_OK) return object;
    const struct ili_holder *holder =
        request->owner ? request->owner->holder : &server->owners.sessionless;
    if (status == IL_ENOTFOUND && ili_stake_was_deleted(server, holder, of->kind->number,
                                                        request->name, request->name_bytes)) {
        status = IL_EDELETED;
    }
    ili_reply_problem(request, status, NULL);
    return NULL;
}

/* Answers why it failed, and lets go of OBJECT. */
static void refuse(struct ili_request *request, const struct ili_grantable *of, void *object,
                   uint64_t token, il_status status) {
    struct ili_fault fault;
    ili_grant_explain(request->server, of, object, request->name, request->name_bytes, token,
                      status, &fault);
    ili_unpin(request->server, object);
    if (status == IL_EBUSY || status == IL_EDELETED) {
        ili_reply_problem(request, status, NULL);
    } else {
        ili_reply_fault(request, &fault);
    }
}

static void begin_answer(struct ili_request *request, struct ili_out *out) {
    ili_out_open(out, '{');
    ili_out_key(out, "name");
    ili_out_text(out, request->name, request->name_bytes);
}

static void end_answer(struct ili_request *request, struct ili_out *out) {
    ili_out_close(out, '}');
    ili_reply(request, 200, out);
}

void ili_grant_release(struct ili_request *request) {
    const struct ili_grantable *of = ili_grantable_named(request->route->collection);
    bool semaphore = of->kind->number == ILI_KIND_SEMAPHORE;
    struct ili_who who = {0};
    struct ili_out out = {0};
    uint64_t token = 0, count = 1;
    uint32_t left = 0;
    const struct ili_param params[] = {
        {"token", ILI_PARAM_IS_TOKEN, &token, 0, 0, !semaphore},
        ILI_WHO_PARAMS(&who),
        ILI_PARAM_COUNT("count", &count, 1, IL_SEMAPHORE_MAX),
    };
    if (!ili_request_read(request, params, semaphore ? 4 : 3)) return;
    if (!ili_who_begin(request, &who)) return;
    void *object = open_object(request, of);
    if (!object) return;
    il_status status = ili_grant_give_back(request, of, object, token, (uint32_t)count, &left);
    if (status != IL_OK) {
        refuse(request, of, object, token, status);
        return;
    }
    begin_answer(request, &out);
    of->write_released(&out, request->server, object, (uint32_t)count, left);
    ili_unpin(request->server, object);
    end_answer(request, &out);
}

/* How long the grant TOKEN of OBJECT is to last if the request does not say: as long as it was to last
 * before; else the default, but 0 (no end) for a session's. */
static int64_t usual_lease(struct ili_request *request, void *object, uint64_t token) {
    struct ili_server *server = request->server;
    const struct ili_arena *arena = &ili_server_member(server)->arena;
    size_t count;
    const struct ili_grant *grants = ili_grants_of(server, object, &count);
    for (size_t i = 0; i < count; i++) {
        if (grants[i].token != token) continue;
        const struct ili_lease *lease =
            ili_lease_of(arena, grants[i].lease, ili_off_of(arena, object), token);
        uint32_t slot = ili_agent_slot(arena, grants[i].owner);
        if (lease && slot != ili_server_member(server)->slot) {
            return atomic_load_explicit(&lease->duration_ns, memory_order_relaxed);
        }
        if (!lease && slot != ili_server_member(server)->slot) return 0;
    }
    return server->config.default_lease_ns;
}

void ili_grant_renew(struct ili_request *request) {
    const struct ili_grantable *of = ili_grantable_named(request->route->collection);
    struct ili_server *server = request->server;
    struct ili_who who = {0};
    struct ili_out out = {0};
    int64_t lease_ns = 0;
    uint64_t token = 0;
    const struct ili_param params[] = {
        ILI_PARAM_TOKEN("token", &token),
        ILI_PARAM_LEASE("lease", &lease_ns, ILI_LEASE_LEAST_NS, ILI_LEASE_MOST_NS),
        ILI_WHO_PARAMS(&who),
    };
    if (!ili_request_read(request, params, 4) || !ili_who_begin(request, &who)) return;
    if (lease_ns == ILI_LEASE_NONE && !who.session[0]) {
        struct ili_fault fault;
        (void)ili_fault_set(&fault, IL_EINVAL, "lease", "a number of seconds",
                            "lease: a grant without a session has one");
        ili_reply_fault(request, &fault);
        return;
    }
    void *object = open_object(request, of);
    if (!object) return;
    /* without an owner key: whichever owner of the session has it, or of all if none is named */
    uint32_t owner = request->owner->number;
    if (request->owner == server->owners.anonymous) {
        owner = ili_grant_owner(request, object, token);
    } else if (!who.owner[0]) {
        const struct ili_arena *arena = &ili_server_member(server)->arena;
        uint32_t holder = ili_grant_owner(request, object, token);
        if (ili_agent_slot(arena, holder) == ili_agent_slot(arena, owner)) owner = holder;
    }
    if (lease_ns == 0) lease_ns = usual_lease(request, object, token);
    if (lease_ns == ILI_LEASE_NONE) lease_ns = 0;
    il_status status = of->lease(ili_server_member(server), object, owner, token, lease_ns);
    if (status != IL_OK) {
        refuse(request, of, object, token, status);
        return;
    }
    ili_unpin(server, object);
    begin_answer(request, &out);
    ili_out_key(&out, "token");
    ili_out_token(&out, token);
    ili_out_key(&out, "lease");
    if (lease_ns > 0) {
        ili_out_seconds(&out, lease_ns);
    } else {
        ili_out_null(&out);
    }
    end_answer(request, &out);
}

void ili_grant_check(struct ili_request *request) {
    const struct ili_grantable *of = ili_grantable_named(request->route->collection);
    struct ili_out out = {0};
    uint64_t token = 0;
    const struct ili_param params[] = {ILI_PARAM_TOKEN("token", &token)};
    if (!ili_request_read(request, params, 1)) return;
    void *object = open_object(request, of);
    if (!object) return;
    il_status status = of->check(ili_server_member(request->server), object, token);
    if (status != IL_OK) {
        refuse(request, of, object, token, status);
        return;
    }
    ili_unpin(request->server, object);
    begin_answer(request, &out);
    ili_out_key(&out, "token");
    ili_out_token(&out, token);
    ili_out_key(&out, "newest");
    ili_out_bool(&out, true);
    end_answer(request, &out);
}

/* ---- breaking ------------------------------------------------------------------------------------- */

static void log_broken(const struct ili_request *request, const struct ili_grantable *of,
                       uint64_t token, const char *reason) {
    struct ili_log_line line;
    char name[sizeof request->name + 1];
    memcpy(name, request->name, request->name_bytes);
    name[request->name_bytes] = 0;
    ili_log_begin(&line, ILI_LOG_WARN, "grant.broken");
    ili_log_text(&line, "kind", of->kind->word);
    ili_log_text(&line, "name", name);
    ili_log_token(&line, "token", token);
    ili_log_text(&line, "reason", reason);
    ili_log_end(&line);
}

static il_status break_one(struct ili_request *request, const struct ili_grantable *of,
                           void *object, uint64_t token, uint32_t slot, const char *reason) {
    struct ili_server *server = request->server;
    struct ili_member *member = ili_server_member(server);
    il_status status = of->kind->revoke(member, server->domain.self, object, token, IL_EREVOKED,
                                        reason[0] ? reason : NULL);
    if (status != IL_OK) return status;
    log_broken(request, of, token, reason);
    ili_stake_less(server, ili_holder_of(server, slot), ili_off_of(&member->arena, object), true);
    return IL_OK;
}

/* The grant TOKEN, or with 0 all that stand; then *TOKEN is the newest of them. */
static il_status break_grants(struct ili_request *request, const struct ili_grantable *of,
                              void *object, uint64_t *token, const char *reason) {
    const struct ili_arena *arena = &ili_server_member(request->server)->arena;
    il_status result = IL_ENOTHELD;
    uint64_t wanted = *token;
    bool more = true;
    /* each time anew, since the list is borrowed; what is broken is not in the next one */
    for (unsigned i = 0; more && i < ILI_AGENTS_MAX; i++) {
        size_t count, at = 0;
        const struct ili_grant *grants = ili_grants_of(request->server, object, &count);
        while (at < count && wanted != 0 && grants[at].token != wanted) at++;
        if (at == count) break;
        uint64_t one = grants[at].token;
        uint32_t slot = ili_agent_slot(arena, grants[at].owner);
        result = break_one(request, of, object, one, slot, reason);
        if (one > *token) *token = one;
        more = wanted == 0 && result == IL_OK && count > 1;
    }
    if (result != IL_ENOTHELD) return result;
    if (wanted == 0 && of->held_back) wanted = *token = of->held_back(request->server, object);
    /* also a delay that holds a lock back, which is no grant; else why there is none */
    return wanted ? break_one(request, of, object, wanted, UINT32_MAX, reason) : IL_ENOTHELD;
}

void ili_grant_break(struct ili_request *request) {
    const struct ili_grantable *of = ili_grantable_named(request->route->collection);
    char reason[ILI_REASON_BYTES] = "";
    struct ili_out out = {0};
    uint64_t token = 0;
    const struct ili_param params[] = {
        {"token", ILI_PARAM_IS_TOKEN, &token, 0, 0, false},
        ILI_PARAM_TEXT("reason", reason, (int64_t)sizeof reason - 1),
    };
    if (!ili_request_read(request, params, 2)) return;
    void *object = open_object(request, of);
    if (!object) return;
    il_status status = break_grants(request, of, object, &token, reason);
    if (status != IL_OK) {
        refuse(request, of, object, token, status);
        return;
    }
    ili_unpin(request->server, object);
    begin_answer(request, &out);
    ili_out_key(&out, "token");
    ili_out_token(&out, token);
    ili_out_key(&out, "broken");
    ili_out_bool(&out, true);
    end_answer(request, &out);
}
