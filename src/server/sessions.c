#include "server/sessions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena/names.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "server/losses.h"
#include "server/people.h"
#include "server/reply.h"
#include "server/server.h"

#define HELD_KEPT 64
#define HELD_SHOWN 1000

void ili_sessions_open(struct ili_sessions *sessions) {
    pthread_mutex_init(&sessions->mutex, NULL);
}

void ili_sessions_close(struct ili_sessions *sessions) {
    for (size_t i = 0; i < ILI_DEATHS_KEPT; i++) free(sessions->deaths[i].held);
    pthread_mutex_destroy(&sessions->mutex);
}

/* ---- on the keeper's thread ----------------------------------------------------------------------- */

static void log_session(struct ili_log_line *line, const struct ili_session_info *session) {
    char id[32];
    snprintf(id, sizeof id, "%" PRIu32 ".%" PRIu32, session->slot, session->generation);
    ili_log_text(line, "session", id);
    ili_log_number(line, "pid", session->pid);
    ili_log_number(line, "uid", session->uid);
    ili_log_text(line, "label", session->label);
}

static void attached(void *context, const struct ili_session_info *session) {
    struct ili_log_line line;
    (void)context;
    ili_log_begin(&line, ILI_LOG_INFO, "session.attached");
    log_session(&line, session);
    ili_log_end(&line);
}

static void remember(struct ili_sessions *s, const struct ili_session_info *session,
                     const struct ili_held *held, size_t held_count) {
    struct ili_held *copy = NULL;
    if (held_count > HELD_KEPT) held_count = HELD_KEPT;
    if (held_count > 0) copy = malloc(held_count * sizeof *copy);
    if (copy) memcpy(copy, held, held_count * sizeof *copy);
    pthread_mutex_lock(&s->mutex);
    size_t at = (s->first + s->count) % ILI_DEATHS_KEPT;
    if (s->count == ILI_DEATHS_KEPT) {
        s->first = (s->first + 1) % ILI_DEATHS_KEPT;
    } else {
        s->count++;
    }
    free(s->deaths[at].held);
    s->deaths[at] = (struct ili_death){.session = *session,
                                       .at_seconds = ili_wall_seconds(),
                                       .held = copy,
                                       .held_count = copy ? held_count : 0};
    pthread_mutex_unlock(&s->mutex);
}

static void ended(void *context, const struct ili_session_info *session, bool died,
                  const struct ili_held *held, size_t held_count) {
    struct ili_log_line line;
    if (died) remember(context, session, held, held_count);
    ili_log_begin(&line, died ? ILI_LOG_WARN : ILI_LOG_INFO,
                  died ? "session.died" : "session.ended");
    log_session(&line, session);
    ili_log_number(&line, "held", (int64_t)held_count);
    ili_log_end(&line);
    for (size_t i = 0; i < held_count; i++) {
        ili_log_begin(&line, ILI_LOG_WARN, "grant.recovered");
        ili_log_number(&line, "pid", session->pid);
        ili_log_text(&line, "kind", ili_kind_word(held[i].kind));
        ili_log_text(&line, "name", held[i].name);
        ili_log_token(&line, "token", held[i].grant.token);
        ili_log_end(&line);
    }
}

static void refused(void *context, uint32_t pid, uint32_t uid, il_status why) {
    struct ili_log_line line;
    const struct ili_status_info *info = ili_status_info(why);
    (void)context;
    ili_log_begin(&line, ILI_LOG_WARN, "session.refused");
    ili_log_number(&line, "pid", pid);
    ili_log_number(&line, "uid", uid);
    ili_log_text(&line, "why", info ? info->code : "unknown");
    ili_log_end(&line);
}

struct ili_keeper_events ili_sessions_events(struct ili_sessions *sessions) {
    return (struct ili_keeper_events){
        .context = sessions, .attached = attached, .ended = ended, .refused = refused};
}

/* ---- handlers --------------------------------------------------------------------------------------- */

static void write_id(struct ili_out *out, const char *key, const struct ili_session_info *session) {
    char id[32];
    snprintf(id, sizeof id, "%" PRIu32 ".%" PRIu32, session->slot, session->generation);
    ili_out_key(out, key);
    ili_out_string(out, id);
    ili_out_key(out, "pid");
    ili_out_number(out, session->pid);
}

static void write_or_null(struct ili_out *out, const char *key, bool known, uint64_t number) {
    ili_out_key(out, key);
    if (known) {
        ili_out_number(out, number);
    } else {
        ili_out_null(out);
    }
}

/* The members that lists of sessions have too. CLIENT NULL: it is a process's. */
static void write_session(struct ili_out *out, const struct ili_session_info *session,
                          const struct ili_client_session *client) {
    char id[ILI_SESSION_ID_BYTES + 1];
    snprintf(id, sizeof id, "%" PRIu32 ".%" PRIu32, session->slot, session->generation);
    if (client) ili_client_session_id(client, id, sizeof id);
    ili_out_key(out, "id");
    ili_out_string(out, id);
    write_or_null(out, "pid", !client, session->pid);
    write_or_null(out, "uid", !client, session->uid);
    ili_out_key(out, "label");
    ili_out_string(out, session->label);
    ili_out_key(out, "command");
    ili_out_string(out, client ? NULL : session->command);
    ili_out_key(out, "host");
    ili_out_string(out, client && client->host[0] ? client->host : NULL);
    ili_out_key(out, "since");
    ili_out_time(out, session->since_seconds);
    ili_out_key(out, "door");
    ili_out_string(out, client ? "http" : "host");
    ili_out_key(out, "ttl");
    if (client) {
        ili_out_seconds(out, client->ttl_ns);
    } else {
        ili_out_null(out);
    }
}

/* The session of SLOT that is to be shown. False: none. *CLIENT NULL: it is a process's. */
static bool find_session(struct ili_server *server, uint32_t slot, struct ili_session_info *session,
                         const struct ili_client_session **client) {
    struct ili_member *member = ili_server_member(server);
    if (slot == member->slot || !ili_session_info(&member->arena, slot, session)) return false;
    *client = ili_client_session_of(server, slot);
    if (*client) return !(*client)->ending;
    return !(session->flags & ILI_SLOT_CLIENT);
}

void ili_sessions_list(struct ili_request *request) {
    struct ili_member *member = ili_server_member(request->server);
    struct ili_out out = {0};
    ili_out_open(&out, '{');
    ili_out_key(&out, "sessions");
    ili_out_open(&out, '[');
    for (uint32_t slot = 0; slot < member->arena.regions.slots; slot++) {
        struct ili_session_info session;
        const struct ili_client_session *client;
        if (!find_session(request->server, slot, &session, &client)) continue;
        ili_out_open(&out, '{');
        write_session(&out, &session, client);
        ili_out_close(&out, '}');
    }
    ili_out_close(&out, ']');
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

/* ---- one session ------------------------------------------------------------------------------------ */

/* The session that the path of REQUEST names. False: there is none. */
static bool find_named(const struct ili_request *request, struct ili_session_info *session,
                       const struct ili_client_session **client) {
    char id[sizeof request->name + 1], own[32];
    memcpy(id, request->name, request->name_bytes);
    id[request->name_bytes] = 0;
    *client = ili_client_session_named(request->server, id);
    if (*client) return find_session(request->server, (*client)->holder.slot, session, client);
    unsigned long slot = strtoul(id, NULL, 10);
    if (slot > UINT32_MAX || !find_session(request->server, (uint32_t)slot, session, client)) {
        return false;
    }
    snprintf(own, sizeof own, "%" PRIu32 ".%" PRIu32, session->slot, session->generation);
    return !*client && strcmp(own, id) == 0;
}

bool ili_session_is_attached(const struct ili_request *request) {
    struct ili_session_info session;
    const struct ili_client_session *client;
    return find_named(request, &session, &client) && !client;
}

static void write_kind_and_name(struct ili_out *out, uint32_t kind, const char *name,
                                size_t name_bytes) {
    ili_out_key(out, "kind");
    ili_out_string(out, ili_kind_word(kind));
    ili_out_key(out, "name");
    if (name_bytes) {
        ili_out_text(out, name, name_bytes);
    } else {
        ili_out_null(out);
    }
}

static void write_held(struct ili_out *out, struct ili_server *server,
                       const struct ili_held *held) {
    ili_out_open(out, '{');
    write_kind_and_name(out, held->kind, held->name, held->name_bytes);
    ili_out_key(out, "token");
    ili_out_token(out, held->grant.token);
    ili_write_grant_size(out, held->kind, &held->grant);
    ili_write_since(out, held->grant.since_ns);
    ili_write_lease_remaining(out, server, held->grant.lease, held->object, held->grant.token);
    ili_out_close(out, '}');
}

/* What the client's session of SLOT holds of the object of STAKE. */
static void write_stake(struct ili_out *out, struct ili_server *server, uint32_t slot,
                        const struct ili_stake *stake, size_t *shown) {
    const struct ili_arena *arena = &ili_server_member(server)->arena;
    struct ili_object *object = ili_object_at(arena, stake->object, stake->kind);
    size_t count = 0;
    const struct ili_grant *grants = object ? ili_grants_of(server, object, &count) : NULL;
    for (size_t i = 0; i < count && *shown < HELD_SHOWN; i++) {
        struct ili_held held;
        if (ili_agent_slot(arena, grants[i].owner) != slot) continue;
        ili_held_describe(arena, stake->object, &grants[i], &held);
        write_held(out, server, &held);
        ++*shown;
    }
}

static void write_grants(struct ili_out *out, struct ili_server *server, uint32_t slot,
                         const struct ili_client_session *client) {
    size_t shown = 0;
    ili_out_key(out, "grants");
    ili_out_open(out, '[');
    if (client) {
        const struct ili_stake *stake = client->holder.stakes;
        for (; stake && shown < HELD_SHOWN; stake = stake->older) {
            write_stake(out, server, slot, stake, &shown);
        }
    } else {
        struct ili_held *held = calloc(HELD_SHOWN, sizeof *held);
        size_t count =
            held ? ili_session_held(ili_server_member(server), slot, held, HELD_SHOWN) : 0;
        for (size_t i = 0; i < count && i < HELD_SHOWN; i++) write_held(out, server, &held[i]);
        free(held);
    }
    ili_out_close(out, ']');
}

static void write_waits(struct ili_out *out, const struct ili_arena *arena, uint32_t slot) {
    struct ili_agent *agent;
    ili_out_key(out, "waits");
    ili_out_open(out, '[');
    for (uint32_t number = 1; (agent = ili_agent_at(arena, number)); number++) {
        ili_off at = atomic_load_explicit(&agent->wait_object, memory_order_acquire) & ~UINT64_C(7);
        uint32_t state = ili_agent_state(agent);
        if (at == 0 || (state != ILI_PARK_WAITING && state != ILI_PARK_NOTIFIED)) continue;
        if (ili_agent_slot(arena, ili_agent_acts_for(arena, agent)) != slot) continue;
        const struct ili_object *object = ili_at(arena, at, sizeof *object);
        char name[IL_NAME_MAX_BYTES + 1];
        if (!object || !ili_object_at(arena, at, object->kind)) continue;
        size_t bytes = ili_object_name(arena, object, name);
        ili_out_open(out, '{');
        write_kind_and_name(out, object->kind, name, bytes);
        ili_out_key(out, "waiting");
        ili_out_seconds(out, ili_now_ns() -
                                 atomic_load_explicit(&agent->since_ns, memory_order_relaxed));
        ili_out_close(out, '}');
    }
    ili_out_close(out, ']');
}

void ili_sessions_get(struct ili_request *request) {
    struct ili_server *server = request->server;
    struct ili_session_info session;
    const struct ili_client_session *client;
    struct ili_out out = {0};
    uint64_t after = 0;
    if (!find_named(request, &session, &client)) {
        char detail[sizeof request->name + 80];
        snprintf(detail, sizeof detail, "the session \"%.*s\" has ended, or never was",
                 request->name_bytes, request->name);
        ili_reply_problem(request, IL_ESESSION, detail);
        return;
    }
    ili_out_open(&out, '{');
    write_session(&out, &session, client);
    ili_out_key(&out, "expires_in");
    if (client) {
        int64_t left = client->requests > 0 ? client->ttl_ns : client->until_ns - ili_now_ns();
        ili_out_seconds(&out, left);
    } else {
        ili_out_null(&out);
    }
    write_grants(&out, server, session.slot, client);
    write_waits(&out, &ili_server_member(server)->arena, session.slot);
    (void)ili_losses_write(&out, server, session.slot, session.generation, &after);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

/* ---- deaths ----------------------------------------------------------------------------------------- */

static void write_death(struct ili_out *out, const struct ili_death *death) {
    ili_out_open(out, '{');
    write_id(out, "session", &death->session);
    ili_out_key(out, "label");
    ili_out_string(out, death->session.label);
    ili_out_key(out, "at");
    ili_out_time(out, death->at_seconds);
    ili_out_key(out, "held");
    ili_out_open(out, '[');
    for (size_t i = 0; i < death->held_count; i++) {
        const struct ili_held *held = &death->held[i];
        ili_out_open(out, '{');
        ili_out_key(out, "kind");
        ili_out_string(out, ili_kind_word(held->kind));
        ili_out_key(out, "name");
        ili_out_text(out, held->name, held->name_bytes);
        ili_out_key(out, "token");
        ili_out_token(out, held->grant.token);
        ili_out_close(out, '}');
    }
    ili_out_close(out, ']');
    ili_out_close(out, '}');
}

void ili_sessions_deaths(struct ili_request *request) {
    struct ili_sessions *s = &request->server->sessions;
    struct ili_out out = {0};
    ili_out_open(&out, '{');
    ili_out_key(&out, "deaths");
    ili_out_open(&out, '[');
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < s->count; i++) {
        write_death(&out, &s->deaths[(s->first + i) % ILI_DEATHS_KEPT]);
    }
    pthread_mutex_unlock(&s->mutex);
    ili_out_close(&out, ']');
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}
