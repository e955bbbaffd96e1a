/*
 * client_sessions.c - see client_sessions.h. One thread.
 *
 * by_slot[s] is the session of slot s from its making until everything of it is gone. `ending` is set
 * before that: nobody can name it any more, but a guard that is held by a process that does not move may
 * be in the way, so its end is tried again.
 */
#include "server/client_sessions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "arena/lease.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "server/connection.h"
#include "server/daemons.h"
#include "server/losses.h"
#include "server/params.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/stakes.h"

#define TTL_DEFAULT_NS INT64_C(30000000000)
#define RETRY_NS INT64_C(50000000)

il_status ili_client_sessions_open(struct ili_server *server) {
    uint32_t slots = ili_server_member(server)->arena.regions.slots;
    server->clients.by_slot = calloc(slots, sizeof *server->clients.by_slot);
    return server->clients.by_slot ? IL_OK : IL_ENOMEM;
}

struct ili_client_session *ili_client_session_of(struct ili_server *server, uint32_t slot) {
    uint32_t slots = ili_server_member(server)->arena.regions.slots;
    return slot < slots && server->clients.by_slot ? server->clients.by_slot[slot] : NULL;
}

/* ---- its id --------------------------------------------------------------------------------------- */

void ili_client_session_id(const struct ili_client_session *session, char *room, size_t bytes) {
    snprintf(room, bytes, "%" PRIu32 ".%" PRIu32 ".%016" PRIx64, session->holder.slot,
             session->generation, session->secret);
}

struct ili_client_session *ili_client_session_named(struct ili_server *server, const char *id) {
    char own[ILI_SESSION_ID_BYTES + 1];
    char *end;
    unsigned long slot = strtoul(id, &end, 10);
    if (end == id || *end != '.' || slot > UINT32_MAX) return NULL;
    struct ili_client_session *session = ili_client_session_of(server, (uint32_t)slot);
    if (!session || session->ending) return NULL;
    ili_client_session_id(session, own, sizeof own);
    return strcmp(own, id) == 0 ? session : NULL;
}

/* ---- its end -------------------------------------------------------------------------------------- */

static void log_session(const char *event, const struct ili_client_session *s) {
    struct ili_log_line line;
    char id[32]; /* without what nobody is to guess */
    snprintf(id, sizeof id, "%" PRIu32 ".%" PRIu32, s->holder.slot, s->generation);
    ili_log_begin(&line, ILI_LOG_INFO, event);
    ili_log_text(&line, "session", id);
    ili_log_text(&line, "label", s->label);
    ili_log_text(&line, "host", s->host);
    ili_log_end(&line);
}

static bool some_wait(const struct ili_server *server, uint32_t session_slot) {
    const struct ili_connection *c = server->front.connections;
    for (; c; c = c->next) {
        const struct ili_request *r = c->request;
        if (r && r->wait && r->session_slot == session_slot) return true;
    }
    return false;
}

/* Gives what the session holds to others. IL_EBUSY: not all of it yet. */
static il_status give_up_stakes(struct ili_server *server, struct ili_client_session *s) {
    struct ili_member *member = ili_server_member(server);
    struct ili_stake *one = s->holder.stakes, *older;
    il_status result = IL_OK;
    for (; one; one = older) {
        older = one->older;
        struct ili_object *object = ili_object_at(&member->arena, one->object, one->kind);
        const struct ili_kind *kind = ili_kind_of(one->kind);
        il_status status =
            object ? kind->recover(member, server->domain.self, object, s->holder.slot) : IL_OK;
        if (status == IL_EBUSY) {
            result = status;
        } else {
            ili_stake_drop(server, one);
        }
    }
    return result;
}

/* True: everything of it is gone, and so is the record. */
static bool end(struct ili_server *server, struct ili_client_session *s) {
    uint32_t slot = s->holder.slot;
    s->ending = true;
    ili_daemons_end(server, s);
    ili_park_end_session(server, slot + 1);
    if (some_wait(server, slot + 1) || give_up_stakes(server, s) == IL_EBUSY) {
        (void)ili_timers_set(&server->timers, &s->timer, server->now_ns + RETRY_NS);
        return false;
    }
    ili_timers_clear(&server->timers, &s->timer);
    ili_owners_drop(server, &s->holder);
    server->clients.by_slot[slot] = NULL;
    server->clients.count--;
    ili_slot_free(&ili_server_member(server)->arena, slot);
    free(s);
    return true;
}

static void fire(struct ili_timer *timer, void *context) {
    struct ili_client_session *s = (struct ili_client_session *)timer;
    struct ili_server *server = context;
    if (!s->ending && s->requests > 0) s->until_ns = server->now_ns + s->ttl_ns;
    if (!s->ending && s->until_ns > server->now_ns) {
        (void)ili_timers_set(&server->timers, timer, s->until_ns);
        return;
    }
    if (!s->ending) log_session("session.expired", s);
    (void)end(server, s);
}

void ili_client_session_touch(struct ili_server *server, struct ili_client_session *session) {
    /* the timer finds out when its old time comes */
    session->until_ns = server->now_ns + session->ttl_ns;
}

void ili_client_sessions_close(struct ili_server *server) {
    struct ili_client_sessions *c = &server->clients;
    uint32_t slots = c->by_slot ? ili_server_member(server)->arena.regions.slots : 0;
    for (uint32_t slot = 0; slot < slots; slot++) {
        struct ili_client_session *s = c->by_slot[slot];
        if (!s) continue;
        ili_timers_clear(&server->timers, &s->timer);
        while (s->holder.stakes) ili_stake_drop(server, s->holder.stakes);
        ili_owners_drop(server, &s->holder);
        free(s);
    }
    free(c->by_slot);
    free(c->listening);
    memset(c, 0, sizeof *c);
}

/* ---- handlers --------------------------------------------------------------------------------------- */

static void write_head(struct ili_out *out, const struct ili_client_session *s) {
    char id[ILI_SESSION_ID_BYTES + 1];
    ili_client_session_id(s, id, sizeof id);
    ili_out_key(out, "id");
    ili_out_string(out, id);
    ili_out_key(out, "ttl");
    ili_out_seconds(out, s->ttl_ns);
}

static il_status make(struct ili_server *server, struct ili_client_session *s) {
    struct ili_member *member = ili_server_member(server);
    if (getrandom(&s->secret, sizeof s->secret, 0) != (ssize_t)sizeof s->secret) return IL_ESYSTEM;
    s->timer.fire = fire;
    s->until_ns = server->now_ns + s->ttl_ns;
    if (!ili_timers_set(&server->timers, &s->timer, s->until_ns)) return IL_ENOMEM;
    il_status status = ili_slot_claim_client(&member->arena, s->label, &s->holder.slot);
    if (status != IL_OK) {
        ili_timers_clear(&server->timers, &s->timer);
        return status;
    }
    s->holder.session = s;
    s->holder.look_at = ILI_OWNERS_OF_SESSION;
    s->generation =
        atomic_load_explicit(&member->arena.slots[s->holder.slot].generation, memory_order_relaxed);
    server->clients.by_slot[s->holder.slot] = s;
    server->clients.count++;
    return IL_OK;
}

void ili_client_sessions_make(struct ili_request *request) {
    struct ili_client_session *s = calloc(1, sizeof *s);
    struct ili_out out = {0};
    if (!s) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for a session");
        return;
    }
    s->ttl_ns = TTL_DEFAULT_NS;
    const struct ili_param params[] = {
        ILI_PARAM_SECONDS("ttl", &s->ttl_ns, ILI_TTL_LEAST_NS, ILI_TTL_MOST_NS),
        ILI_PARAM_TEXT("label", s->label, (int64_t)sizeof s->label - 1),
        ILI_PARAM_TEXT("host", s->host, (int64_t)sizeof s->host - 1),
    };
    if (!ili_request_read(request, params, 3)) {
        free(s);
        return;
    }
    il_status status = make(request->server, s);
    if (status != IL_OK) {
        free(s);
        ili_reply_problem(request, status,
                          status == IL_ELIMIT ? "there are too many sessions and processes" : NULL);
        return;
    }
    log_session("session.made", s);
    ili_out_open(&out, '{');
    write_head(&out, s);
    ili_out_key(&out, "label");
    ili_out_string(&out, s->label);
    ili_out_close(&out, '}');
    ili_reply(request, 201, &out);
}

struct ili_client_session *ili_client_session_of_path(struct ili_request *request) {
    char id[sizeof request->name + 1];
    char detail[sizeof request->name + 80];
    memcpy(id, request->name, request->name_bytes);
    id[request->name_bytes] = 0;
    struct ili_client_session *s = ili_client_session_named(request->server, id);
    if (s) return s;
    snprintf(detail, sizeof detail, "the session \"%s\" has ended, or never was", id);
    ili_reply_problem(request, IL_ESESSION, detail);
    return NULL;
}

/* Every lease of what HOLDER holds begins anew. */
static void renew_leases(struct ili_server *server, const struct ili_holder *holder) {
    struct ili_member *member = ili_server_member(server);
    for (struct ili_stake *one = holder->stakes; one; one = one->older) {
        size_t count = 0;
        struct ili_object *object = ili_object_at(&member->arena, one->object, one->kind);
        const struct ili_grant *grants = object ? ili_grants_of(server, object, &count) : NULL;
        for (size_t i = 0; i < count; i++) {
            if (ili_agent_slot(&member->arena, grants[i].owner) != holder->slot) continue;
            struct ili_lease *lease =
                ili_lease_of(&member->arena, grants[i].lease, one->object, grants[i].token);
            if (!lease) continue;
            ili_lease_extend(member, lease,
                             atomic_load_explicit(&lease->duration_ns, memory_order_relaxed));
        }
    }
}

void ili_client_sessions_renew(struct ili_request *request) {
    struct ili_out out = {0};
    bool leases = true;
    const struct ili_param params[] = {ILI_PARAM_BOOL("leases", &leases)};
    if (!ili_request_read(request, params, 1)) return;
    struct ili_client_session *s = ili_client_session_of_path(request);
    if (!s) return;
    ili_client_session_touch(request->server, s);
    if (leases) renew_leases(request->server, &s->holder);
    ili_out_open(&out, '{');
    write_head(&out, s);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

void ili_client_sessions_end(struct ili_request *request) {
    struct ili_server *server = request->server;
    if (ili_session_is_attached(request)) {
        ili_reply_problem(request, IL_ECONFLICT,
                          "an attached process ends its session itself, by closing its domain");
        return;
    }
    struct ili_client_session *s = ili_client_session_of_path(request);
    if (!s) return;
    log_session("session.ended", s);
    (void)end(server, s);
    ili_reply_empty(request, 0);
}
