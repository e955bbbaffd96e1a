#include "server/grants.h"

#include "base/clock.h"
#include "server/leases.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/reply.h"
#include "server/server.h"
#include "sync/lock.h"

/* Answers why TOKEN is not the grant that stands. */
static void refuse_token(struct ili_request *request, uint64_t hash, uint64_t token) {
    struct ili_server *server = request->server;
    il_status why = ili_lease_lost(server, hash, token);
    if (why == IL_OK) {
        struct ili_lock_view view;
        struct ili_lock *lock =
            ili_pin_named(request, &ili_lock_kind, NULL, ILI_OPEN_EXISTING, NULL);
        if (!lock) return;
        ili_lock_look(lock, &view);
        ili_unpin(server, lock);
        why = token < view.token ? IL_ESTALE : IL_ENOTHELD;
    }
    ili_reply_problem(request, why, NULL);
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
    il_status status = ili_lock_release(ili_server_member(server), lease->lock, token);
    if (status != IL_EBUSY) ili_lease_drop(server, lease);
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
        ili_reply_problem(request, IL_ENOMEM, NULL);
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
