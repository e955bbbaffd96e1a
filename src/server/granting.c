#include "server/granting.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena/lease.h"
#include "arena/loss.h"
#include "base/clock.h"
#include "base/status.h"
#include "base/text.h"
#include "server/connection.h"
#include "server/people.h"
#include "server/pin.h"
#include "server/server.h"
#include "session/target.h"
#include "sync/lock.h"
#include "sync/rlock.h"
#include "sync/rwlock.h"
#include "sync/semaphore.h"

#define RETRY_NS INT64_C(50000000)

/* ---- giving back ---------------------------------------------------------------------------------- */

/* A grant that could not be given back, because a process was stopped inside the object. */
struct late {
    struct ili_timer timer;
    struct ili_target target; /* its object is pinned */
    uint32_t owner;
};

static il_status try_to_give_back(struct ili_server *server, const struct ili_target *target,
                                  uint32_t owner) {
    bool signal = target->kind == ILI_KIND_SEMAPHORE && ili_semaphore_is_signal(target->object);
    struct ili_target whole = *target;
    if (signal) whole.token = 0; /* nothing is held: the permits are given anew */
    return ili_target_give_back(ili_server_member(server), &whole, owner);
}

static void try_again(struct ili_timer *timer, void *context) {
    struct late *late = (struct late *)timer;
    struct ili_server *server = context;
    if (try_to_give_back(server, &late->target, late->owner) == IL_EBUSY) {
        (void)ili_timers_set(&server->timers, timer, server->now_ns + RETRY_NS);
        return;
    }
    ili_unpin(server, late->target.object);
    free(late);
}

static void give_back_later(struct ili_server *server, const struct ili_target *target,
                            uint32_t owner) {
    struct late *late = calloc(1, sizeof *late);
    _Atomic ili_off from = ili_off_of(&ili_server_member(server)->arena, target->object);
    /* a reference of its own */
    if (!late ||
        ili_names_inherit(ili_server_member(server), server->domain.self, &from, NULL) != IL_OK) {
        free(late);
        return;
    }
    late->timer.fire = try_again;
    late->target = *target;
    late->owner = owner;
    (void)ili_timers_set(&server->timers, &late->timer, server->now_ns + RETRY_NS);
}

void ili_granting_close(struct ili_server *server) {
    struct ili_timer *timer;
    while ((timer = ili_timers_take(&server->timers, try_again))) {
        ili_unpin(server, ((struct late *)timer)->target.object);
        free(timer);
    }
}

static void give_back(struct ili_server *server, const struct ili_claim *claim, uint32_t owner,
                      uint64_t token) {
    struct ili_target target = {
        .kind = claim->of->kind->number,
        .mode = claim->ask.mode,
        .count = claim->ask.count,
        .status = claim->owner_died ? IL_EOWNERDEAD : IL_OK,
        .token = token,
    };
    target.object = ili_object_at(&ili_server_member(server)->arena, claim->at, target.kind);
    if (target.object && try_to_give_back(server, &target, owner) == IL_EBUSY) {
        give_back_later(server, &target, owner);
    }
}

void ili_claim_refuse(struct ili_request *request, struct ili_claim *claim, uint64_t token) {
    give_back(request->server, claim, request->owner->number, token);
}

void ili_claim_undo(struct ili_request *request, struct ili_claim *claim) {
    struct ili_server *server = request->server;
    struct ili_owner *owner = request->owner;
    if (claim->token == 0 || !owner || !owner->holder) return; /* its session has ended */
    give_back(server, claim, owner->number, claim->token);
    claim->token = 0;
    ili_stake_less(server, owner->holder, claim->at, false);
}

void ili_claim_drop(struct ili_server *server, struct ili_claim *claim) {
    if (claim->object) ili_unpin(server, claim->object);
    claim->object = NULL;
}

/* ---- taking --------------------------------------------------------------------------------------- */

il_status ili_claim_try(struct ili_request *request, struct ili_claim *claim) {
    if (claim->of->by_owner && !ili_who_be_one(request)) return IL_ELIMIT;
    return claim->of->try_for(ili_server_member(request->server), claim->object,
                              request->owner->number, &claim->ask, &claim->token);
}

/* Whether this is one more acquire of a grant that stood before. */
static bool is_again(const struct ili_request *request, const struct ili_claim *claim) {
    struct ili_member *member = ili_server_member(request->server);
    uint32_t owner = request->owner->number;
    uint32_t kind = claim->of->kind->number;
    if (kind == ILI_KIND_RLOCK) return ili_rlock_depth(claim->object, owner) > 1;
    return kind == ILI_KIND_RWLOCK &&
           ili_rwlock_depth(member, claim->object, owner, claim->token) > 1;
}

/* The lease that the grant has; NULL: none. */
static const struct ili_lease *lease_of(struct ili_server *server, const struct ili_claim *claim) {
    size_t count;
    const struct ili_grant *grants = ili_grants_of(server, claim->object, &count);
    for (size_t i = 0; i < count; i++) {
        if (grants[i].token != claim->token) continue;
        return ili_lease_of(&ili_server_member(server)->arena, grants[i].lease, claim->at,
                            claim->token);
    }
    return NULL;
}

/* How long the grant lasts: what was asked for; without a session the default, but what an earlier acquire
 * of the same grant asked for stays. */
static il_status lease(struct ili_request *request, struct ili_claim *claim, int64_t lease_ns) {
    struct ili_server *server = request->server;
    struct ili_member *member = ili_server_member(server);
    bool sessionless = !request->owner->holder->session;
    if (lease_ns == 0 && is_again(request, claim)) {
        const struct ili_lease *stands = lease_of(server, claim);
        if (stands) {
            claim->lease_ns = atomic_load_explicit(&stands->duration_ns, memory_order_relaxed);
        }
        return IL_OK;
    }
    if (lease_ns == 0 && sessionless) lease_ns = server->config.default_lease_ns;
    claim->lease_ns = lease_ns;
    if (lease_ns == 0) return IL_OK;
    return claim->of->lease(member, claim->object, request->owner->number, claim->token, lease_ns);
}

bool ili_claim_is_signal(const struct ili_claim *claim) {
    return claim->of->kind->number == ILI_KIND_SEMAPHORE && ili_semaphore_is_signal(claim->object);
}

/* For people: where an anonymous client is. */
static void note_label(struct ili_request *request, const struct ili_claim *claim) {
    struct ili_lock *lock = claim->object;
    uint32_t kind = claim->of->kind->number;
    bool known = request->owner->holder->session || request->owner->key[0];
    if (known || (kind != ILI_KIND_LOCK && kind != ILI_KIND_RLOCK)) return;
    atomic_store_explicit(&lock->label_token, 0, memory_order_relaxed);
    ili_text_copy(lock->label, sizeof lock->label, ili_connection_peer(request->connection));
    atomic_store_explicit(&lock->label_token, claim->token, memory_order_release);
}

il_status ili_claim_granted(struct ili_request *request, struct ili_claim *claim, uint64_t token,
                            il_status outcome, int64_t lease_ns) {
    claim->token = token;
    claim->owner_died = outcome == IL_EOWNERDEAD;
    if (ili_claim_is_signal(claim)) return IL_OK;
    il_status status = lease(request, claim, lease_ns);
    if (status == IL_OK) {
        note_label(request, claim);
        status = ili_stake_add(request->server, request->owner->holder, claim->object);
    }
    if (status == IL_OK) {
        claim->object = NULL; /* the pin is the holder's now */
    } else {
        ili_claim_refuse(request, claim, token);
        claim->token = 0;
    }
    return status;
}

void ili_claim_write(struct ili_out *out, struct ili_request *request,
                     const struct ili_claim *claim) {
    uint32_t kind = claim->of->kind->number;
    void *object = ili_object_at(&ili_server_member(request->server)->arena, claim->at, kind);
    struct ili_grant size = {.mode = claim->ask.mode, .count = claim->ask.count};
    if (kind == ILI_KIND_RLOCK && object) {
        size.count = ili_rlock_depth(object, request->owner->number);
    }
    ili_out_key(out, "token");
    ili_out_token(out, claim->token);
    ili_out_key(out, "lease");
    if (claim->lease_ns > 0) {
        ili_out_seconds(out, claim->lease_ns);
    } else {
        ili_out_null(out);
    }
    ili_out_key(out, "owner_died");
    ili_out_bool(out, claim->owner_died);
    ili_write_grant_size(out, kind, &size);
}

/* ---- grants that stand ---------------------------------------------------------------------------- */

uint32_t ili_grant_owner(struct ili_request *request, void *object, uint64_t token) {
    struct ili_server *server = request->server;
    size_t count;
    const struct ili_grant *grants = ili_grants_of(server, object, &count);
    for (size_t i = 0; i < count && token != 0; i++) {
        uint32_t slot = ili_agent_slot(&ili_server_member(server)->arena, grants[i].owner);
        if (grants[i].token == token && ili_holder_of(server, slot)) return grants[i].owner;
    }
    return server->owners.anonymous->number;
}

il_status ili_grant_give_back(struct ili_request *request, const struct ili_grantable *of,
                              void *object, uint64_t token, uint32_t count, uint32_t *left) {
    struct ili_server *server = request->server;
    struct ili_member *member = ili_server_member(server);
    bool nobody = request->owner == server->owners.anonymous;
    uint32_t owner = nobody ? ili_grant_owner(request, object, token) : request->owner->number;
    uint32_t slot = ili_agent_slot(&member->arena, owner);
    il_status status = of->release(member, object, owner, token, count, left);
    if (status == IL_OK) {
        ili_stake_less(server, ili_holder_of(server, slot), ili_off_of(&member->arena, object),
                       false);
    }
    return status;
}

/* Whether the grant TOKEN stands, whoever has it. */
static bool stands(struct ili_server *server, const void *object, uint64_t token) {
    size_t count;
    const struct ili_grant *grants = ili_grants_of(server, (void *)(uintptr_t)object, &count);
    for (size_t i = 0; i < count; i++) {
        if (grants[i].token == token) return true;
    }
    return false;
}

/* WHAT: the lock "deploy". */
static void explain_not_held(struct ili_server *server, const struct ili_grantable *of,
                             const void *object, const char *what, uint64_t token,
                             struct ili_fault *fault) {
    uint64_t newest = object ? of->newest(server, object) : 0;
    if (token > newest) {
        ili_fault_set(fault, IL_ENOTHELD, NULL, NULL,
                      "the token %" PRIu64 " was never granted; the newest of %s is %" PRIu64,
                      token, what, newest);
    } else {
        ili_fault_set(fault, IL_ENOTHELD, NULL, NULL, "the grant %" PRIu64 " of %s %s", token, what,
                      stands(server, object, token) ? "is somebody else's" : "has been released");
    }
}

void ili_grant_explain(struct ili_server *server, const struct ili_grantable *of,
                       const void *object, const char *name, int name_bytes, uint64_t token,
                       il_status status, struct ili_fault *fault) {
    const struct ili_arena *arena = &ili_server_member(server)->arena;
    const struct ili_status_info *info = ili_status_info(status);
    struct ili_loss_copy loss;
    char what[IL_NAME_MAX_BYTES + 40];
    snprintf(what, sizeof what, "the %s \"%.*s\"", of->kind->word, name_bytes, name);
    if (status == IL_EOVERFLOW) {
        ili_fault_set(fault, status, "count", "at most what is held",
                      "count: more than the grant has, or than the bound of %s allows", what);
    } else if (object && token && status == IL_ESTALE) {
        ili_fault_set(fault, status, NULL, NULL,
                      "the token %" PRIu64 " is older than the newest grant of %s, %" PRIu64, token,
                      what, of->newest(server, object));
    } else if (object && token && status == IL_ENOTHELD) {
        explain_not_held(server, of, object, what, token, fault);
    } else if (token && status == IL_ELEASE) {
        ili_fault_set(fault, status, NULL, NULL, "the lease of the grant %" PRIu64 " of %s ran out",
                      token, what);
    } else if (object && token && status == IL_EREVOKED) {
        bool known = ili_loss_find(arena, ili_off_of(arena, object), token, &loss);
        const char *reason = known ? loss.reason : "";
        ili_fault_set(fault, status, NULL, NULL,
                      "the grant %" PRIu64 " of %s was broken by an operator%s%s", token, what,
                      reason[0] ? ": " : "", reason);
    } else {
        ili_fault_set(fault, status, NULL, NULL, "%s: %s", what,
                      info ? info->text : "unknown failure");
    }
}
