#include "server/locks.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/leases.h"
#include "server/listing.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/reply.h"
#include "server/server.h"
#include "session/session_info.h"
#include "sync/lock.h"

/* ---- what a lock looks like ----------------------------------------------------------------------- */

static void write_owner(struct ili_out *out, struct ili_server *server, const struct ili_lock *lock,
                        const struct ili_lock_view *view) {
    const struct ili_member *member = ili_server_member(server);
    bool http = view->owner == member->slot + 1;
    bool known = atomic_load_explicit(&lock->detail_token, memory_order_acquire) == view->token;
    struct ili_session_info session = {0};
    char holder[sizeof lock->holder + 1] = "";
    if (http && known) {
        memcpy(holder, lock->holder, sizeof lock->holder);
        holder[sizeof lock->holder] = 0;
    }
    if (!http) (void)ili_session_info(&member->arena, view->owner - 1, &session);
    ili_out_open(out, '{');
    ili_out_key(out, "door");
    ili_out_string(out, http ? "http" : "host");
    ili_out_key(out, "label");
    ili_out_string(out, http ? holder : session.label);
    ili_out_key(out, "pid");
    if (http) {
        ili_out_null(out);
    } else {
        ili_out_number(out, session.pid);
    }
    ili_out_key(out, "lease_remaining");
    if (http && known) {
        int64_t end = atomic_load_explicit(&lock->lease_end_ns, memory_order_relaxed);
        ili_out_seconds(out, end - ili_now_ns());
    } else {
        ili_out_null(out);
    }
    ili_out_key(out, "since");
    if (http && known) {
        ili_out_time(out, atomic_load_explicit(&lock->since_seconds, memory_order_relaxed));
    } else {
        ili_out_null(out);
    }
    ili_out_close(out, '}');
}

static void write_view(struct ili_out *out, struct ili_server *server, const struct ili_lock *lock,
                       const char *name, size_t name_bytes) {
    struct ili_lock_view view;
    ili_lock_look(lock, &view);
    ili_out_open(out, '{');
    ili_out_key(out, "name");
    ili_out_text(out, name, name_bytes);
    ili_out_key(out, "fair");
    ili_out_bool(out, (lock->flags & IL_LOCK_FAIR) != 0);
    ili_out_key(out, "locked");
    ili_out_bool(out, view.owner != 0);
    ili_out_key(out, "token");
    if (view.owner) {
        ili_out_token(out, view.token);
    } else {
        ili_out_null(out);
    }
    ili_out_key(out, "owner");
    if (view.owner) {
        write_owner(out, server, lock, &view);
    } else {
        ili_out_null(out);
    }
    ili_out_key(out, "waiters");
    ili_out_number(out, view.waiters);
    ili_out_close(out, '}');
}

static void visit(const struct ili_object *object, const char *name, size_t name_bytes,
                  void *context) {
    struct ili_listing *listing = context;
    write_view(listing->out, listing->request->server, (const struct ili_lock *)object, name,
               name_bytes);
}

void ili_locks_list(struct ili_request *request) {
    ili_listing_reply(request, ILI_KIND_LOCK, "locks", visit);
}

/* Answers with the view of LOCK and lets go of it. */
static void reply_view(struct ili_request *request, unsigned http_status, struct ili_lock *lock) {
    struct ili_out out = {0};
    write_view(&out, request->server, lock, request->name, request->name_bytes);
    ili_unpin(request->server, lock);
    ili_reply(request, http_status, &out);
}

void ili_locks_get(struct ili_request *request) {
    struct ili_lock *lock = ili_pin_named(request, &ili_lock_kind, NULL, ILI_OPEN_EXISTING, NULL);
    if (lock) reply_view(request, 200, lock);
}

void ili_locks_put(struct ili_request *request) {
    bool fair = false, created = false;
    const struct ili_param params[] = {ILI_PARAM_BOOL("fair", &fair)};
    if (!ili_request_read(request, params, 1)) return;
    il_lock_options options = {.struct_bytes = sizeof options, .flags = fair ? IL_LOCK_FAIR : 0};
    void *lock;
    il_status status = ili_pin_open(request, &ili_lock_kind, &options, 0, &created, &lock);
    if (status == IL_OK) {
        reply_view(request, created ? 201 : 200, lock);
    } else if (status == IL_ECONFLICT) {
        char detail[sizeof request->name + 100];
        snprintf(detail, sizeof detail,
                 "the lock \"%.*s\" exists with fair=%s, the request asks for fair=%s",
                 request->name_bytes, request->name, fair ? "false" : "true",
                 fair ? "true" : "false");
        ili_reply_problem(request, status, detail);
    } else {
        ili_reply_problem(request, status, NULL);
    }
}

/* ---- delete --------------------------------------------------------------------------------------- */

void ili_locks_delete(struct ili_request *request) {
    struct ili_server *server = request->server;
    struct ili_lock_view view;
    struct ili_lock *lock = ili_pin_named(request, &ili_lock_kind, NULL, ILI_OPEN_EXISTING, NULL);
    if (!lock) return;
    ili_lock_look(lock, &view);
    il_status status = ili_names_delete(ili_server_member(server), server->domain.self,
                                        &ili_lock_kind, request->name, request->name_bytes);
    ili_unpin(server, lock);
    if (status != IL_OK) {
        ili_reply_problem(request, status, NULL);
        return;
    }
    uint64_t hash = ili_lease_name_hash(server, request->name, request->name_bytes);
    struct ili_lease *lease = ili_lease_find(server, hash, view.token);
    if (lease && lease->lock == lock) {
        ili_lease_remember(server, hash, lease->token, IL_EDELETED);
        ili_lease_drop(server, lease);
    }
    ili_reply_empty(request, 0);
}
