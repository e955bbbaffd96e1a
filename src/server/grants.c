#include "server/grants.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "server/leases.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/reply.h"
#include "server/server.h"
#include "sync/lock.h"

/* Answers that the grant TOKEN is not the one that stands, which VIEW shows. */
static void refuse_grant(struct ili_request *request, uint64_t token,
                         const struct ili_lock_view *view) {
    char detail[sizeof request->name + 160];
    int bytes = request->name_bytes;
    const char *name = request->name;
    if (token < view->token) {
        snprintf(detail, sizeof detail,
                 "the token %" PRIu64
                 " is older than the newest grant of the lock \"%.*s\", %" PRIu64,
                 token, bytes, name, view->token);
        ili_reply_problem(request, IL_ESTALE, detail);
        return;
    }
    if (token > view->token) {
        snprintf(detail, sizeof detail,
                 "the token %" PRIu64
                 " was never granted; the newest of the lock \"%.*s\" is %" PRIu64,
                 token, bytes, name, view->token);
    } else if (view->owner) {
        snprintf(detail, sizeof detail,
                 "the grant %" PRIu64 " of the lock \"%.*s\" is an attached process's", token,
                 bytes, name);
    } else {
        snprintf(detail, sizeof detail,
                 "the grant %" PRIu64 " of the lock \"%.*s\" has been released", token, bytes,
                 name);
    }
    ili_reply_problem(request, IL_ENOTHELD, detail);
}

/* Answers why TOKEN is not the grant that stands. */
static void refuse_token(struct ili_request *request, uint64_t hash, uint64_t token) {
    struct ili_server *server = request->server;
    struct ili_lock_view view;
    il_status why = ili_lease_lost(server, hash, token);
    if (why == IL_ELEASE) {
        char detail[sizeof request->name + 100];
        snprintf(detail, sizeof detail,
                 "the lease of the grant %" PRIu64 " of the lock \"%.*s\" ran out", token,
                 request->name_bytes, request->name);
        ili_reply_problem(request, why, detail);
        return;
    }
    if (why != IL_OK) {
        ili_reply_problem(request, why, NULL);
        return;
    }
    struct ili_lock *lock = ili_pin_named(request, &ili_lock_kind, NULL, ILI_OPEN_EXISTING, NULL);
    if (!lock) return;
    ili_lock_look(lock, &view);
    ili_unpin(server, lock);
    refuse_grant(request, token, &view);
}

void ili_grant_release(struct ili_request *request) {
    struct ili_server *server = request->server;
    struct ili_out out = {0};
    uint64_t token = 0;
    const struct ili_param params[] = {ILI_PARAM_TOKEN("token", &token)};
    if (!ili_request_read(request, params, 1)) return;
    uint64_t hash = ili_lease_name_hash(server, request->name, request->name_bytes);
    struct ili_lease *lease = ili_lease_find(server, hash, token);
    if (!lease) {
        refuse_token(request, hash, token);
        return;
    }
    struct ili_lock_view view;
    il_status status = ili_lock_release(ili_server_member(server), lease->lock, token);
    if (status == IL_ESTALE || status == IL_ENOTHELD) ili_lock_look(lease->lock, &view);
    if (status != IL_EBUSY) ili_lease_drop(server, lease);
    if (status == IL_ESTALE || status == IL_ENOTHELD) {
        refuse_grant(request, token, &view);
        return;
    }
    if (status != IL_OK) {
        ili_reply_problem(request, status, NULL);
        return;
    }
    ili_out_open(&out, '{');
    ili_out_key(&out, "name");
    ili_out_text(&out, request->name, request->name_bytes);
    ili_out_key(&out, "released");
    ili_out_bool(&out, true);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

void ili_grant_renew(struct ili_request *request) {
    struct ili_server *server = request->server;
    int64_t lease_ns = server->config.default_lease_ns;
    struct ili_out out = {0};
    uint64_t token = 0;
    const struct ili_param params[] = {
        ILI_PARAM_TOKEN("token", &token),
        ILI_PARAM_SECONDS("lease", &lease_ns, ILI_LEASE_LEAST_NS, ILI_LEASE_MOST_NS),
    };
    if (!ili_request_read(request, params, 2)) return;
    uint64_t hash = ili_lease_name_hash(server, request->name, request->name_bytes);
    struct ili_lease *lease = ili_lease_find(server, hash, token);
    struct ili_lock_view view;
    if (lease) ili_lock_look(lease->lock, &view);
    if (lease && view.deleted) {
        ili_lease_remember(server, hash, token, IL_EDELETED);
        ili_lease_drop(server, lease);
        lease = NULL;
    }
    if (!lease) {
        refuse_token(request, hash, token);
        return;
    }
    int64_t end = ili_now_ns() + lease_ns;
    if (!ili_lease_move(server, lease, end)) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the lease");
        return;
    }
    atomic_store_explicit(&lease->lock->lease_end_ns, end, memory_order_relaxed);
    ili_out_open(&out, '{');
    ili_out_key(&out, "name");
    ili_out_text(&out, request->name, request->name_bytes);
    ili_out_key(&out, "token");
    ili_out_token(&out, token);
    ili_out_key(&out, "lease");
    ili_out_seconds(&out, lease_ns);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}
