#include "server/acquire.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "server/connection.h"
#include "server/leases.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/reply.h"
#include "server/server.h"
#include "sync/lock.h"

struct acquisition {
    struct ili_work work;
    struct ili_lock *lock; /* pinned; NULL: let go of, or the lease's */
    uint64_t token;
    int64_t lease_ns;
    char owner[sizeof((struct ili_lock *)0)->holder];
};

static void free_acquisition(struct ili_request *request) {
    struct acquisition *a = (struct acquisition *)request->work;
    if (a->lock) ili_unpin(request->server, a->lock);
    request->work = NULL;
    free(a);
}

/* The answer with the grant was lost: the lock goes to the next one, now. */
static void undo_acquire(struct ili_request *request) {
    struct acquisition *a = (struct acquisition *)request->work;
    struct ili_server *server = request->server;
    uint64_t hash = ili_lease_name_hash(server, request->name, request->name_bytes);
    struct ili_lease *lease = ili_lease_find(server, hash, a->token);
    if (!lease) return; /* its client used another connection and has released it */
    if (ili_lock_release(ili_server_member(server), lease->lock, a->token) == IL_EBUSY) {
        (void)ili_lease_move(server, lease, server->now_ns); /* ends it, and keeps trying */
    } else {
        ili_lease_drop(server, lease);
    }
}

static void note_owner(struct ili_lock *lock, const struct acquisition *a, int64_t end_ns) {
    atomic_store_explicit(&lock->detail_token, 0, memory_order_relaxed);
    memcpy(lock->holder, a->owner, sizeof lock->holder);
    atomic_store_explicit(&lock->lease_end_ns, end_ns, memory_order_relaxed);
    atomic_store_explicit(&lock->since_seconds, ili_wall_seconds(), memory_order_relaxed);
    atomic_store_explicit(&lock->detail_token, a->token, memory_order_release);
}

/* TOKEN was granted: leases it, and answers. */
static void granted(struct ili_request *request, uint64_t token, bool owner_died) {
    struct acquisition *a = (struct acquisition *)request->work;
    struct ili_server *server = request->server;
    struct ili_out out = {0};
    uint64_t hash = ili_lease_name_hash(server, request->name, request->name_bytes);
    int64_t end = ili_now_ns() + a->lease_ns;
    struct ili_lease *lease = ili_lease_add(server, hash, token, a->lock, end);
    if (!lease) {
        (void)ili_lock_release(ili_server_member(server), a->lock, token);
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for a lease");
        return;
    }
    a->token = token;
    note_owner(a->lock, a, end);
    a->lock = NULL; /* the pin is the lease's now */
    a->work.undo = undo_acquire;
    ili_out_open(&out, '{');
    ili_out_key(&out, "name");
    ili_out_text(&out, request->name, request->name_bytes);
    ili_out_key(&out, "token");
    ili_out_token(&out, token);
    ili_out_key(&out, "lease");
    ili_out_seconds(&out, a->lease_ns);
    ili_out_key(&out, "owner_died");
    ili_out_bool(&out, owner_died);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

static void answer(struct ili_request *request, il_status status, uint64_t token) {
    if (status == IL_OK || status == IL_EOWNERDEAD) {
        granted(request, token, status == IL_EOWNERDEAD);
    } else {
        ili_reply_problem(request, status, NULL);
    }
}

static void rung(struct ili_request *request) {
    uint64_t token = 0;
    il_status status = ili_lock_poll(request->waiter, &token);
    if (status != IL_ETIMEOUT) answer(request, status, token);
}

static bool end_wait(struct ili_request *request, il_status why) {
    struct acquisition *a = (struct acquisition *)request->work;
    struct ili_member *member = ili_server_member(request->server);
    uint64_t token = 0;
    il_status status = ili_lock_withdraw(member, a->lock, request->waiter, &token);
    bool got = status == IL_OK || status == IL_EOWNERDEAD;
    if (status == IL_EBUSY) return false;
    if (got && why == IL_ETIMEOUT) {
        answer(request, status, token); /* in the last moment */
        return true;
    }
    if (got && ili_lock_release(member, a->lock, token) == IL_EBUSY) {
        /* a lease that has ended keeps trying to void it */
        uint64_t hash = ili_lease_name_hash(request->server, request->name, request->name_bytes);
        if (ili_lease_add(request->server, hash, token, a->lock, request->server->now_ns)) {
            a->lock = NULL;
        }
    }
    if (why != IL_EGONE) ili_reply_problem(request, status == IL_EDELETED ? status : why, NULL);
    return true;
}

static const struct ili_wait waiting = {.rung = rung, .end = end_wait};

static void wait_for_lock(struct ili_request *request, int64_t deadline_ns) {
    struct acquisition *a = (struct acquisition *)request->work;
    struct ili_member *member = ili_server_member(request->server);
    uint64_t token = 0;
    /* parked first: what may fail then fails before it stands in the queue */
    il_status status = ili_park(request, &waiting, deadline_ns);
    if (status == IL_OK) {
        ili_request_drop_body(request);
        status = ili_lock_enqueue(member, a->lock, request->waiter, &token);
    }
    if (status != IL_ETIMEOUT) answer(request, status, token);
}

void ili_acquire(struct ili_request *request) {
    struct ili_server *server = request->server;
    const struct ili_config *config = &server->config;
    int64_t timeout_ns = config->long_poll_ns;
    uint64_t token = 0;
    struct acquisition *a = malloc(sizeof *a);
    if (!a) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the request");
        return;
    }
    memset(a, 0, sizeof *a);
    a->work.free = free_acquisition;
    a->lease_ns = config->default_lease_ns;
    request->work = &a->work;
    const struct ili_param params[] = {
        ILI_PARAM_SECONDS("timeout", &timeout_ns, 0, config->long_poll_ns),
        ILI_PARAM_SECONDS("lease", &a->lease_ns, ILI_LEASE_LEAST_NS, ILI_LEASE_MOST_NS),
        ILI_PARAM_TEXT("owner", a->owner, (int64_t)sizeof a->owner - 1),
    };
    if (!ili_request_read(request, params, 3)) return;
    if (!a->owner[0]) {
        ili_text_copy(a->owner, sizeof a->owner, ili_connection_peer(request->connection));
    }
    a->lock = ili_pin_named(request, &ili_lock_kind, NULL, 0, NULL);
    if (!a->lock) return;
    struct ili_member *member = ili_server_member(server);
    il_status status = ili_lock_acquire(member, a->lock, IL_NOWAIT, &token);
    if (status == IL_ETIMEOUT && timeout_ns > 0) {
        wait_for_lock(request, ili_now_ns() + timeout_ns);
    } else {
        answer(request, status, token);
    }
}
