#include "server/sessions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena/names.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "server/reply.h"
#include "server/server.h"

#define HELD_KEPT 64

static const char *const kind_names[ILI_KINDS_END] = {
    [ILI_KIND_LOCK] = "lock", [ILI_KIND_QUEUE] = "queue"};

static const char *kind_name(uint32_t kind) {
    return kind < ILI_KINDS_END && kind_names[kind] ? kind_names[kind] : "unknown";
}

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
        ili_log_text(&line, "kind", kind_name(held[i].kind));
        ili_log_text(&line, "name", held[i].name);
        ili_log_token(&line, "token", held[i].token);
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

void ili_sessions_list(struct ili_request *request) {
    struct ili_member *member = ili_server_member(request->server);
    struct ili_out out = {0};
    ili_out_open(&out, '{');
    ili_out_key(&out, "sessions");
    ili_out_open(&out, '[');
    for (uint32_t slot = 0; slot < member->arena.regions.slots; slot++) {
        struct ili_session_info session;
        if (slot == member->slot || !ili_session_info(&member->arena, slot, &session)) continue;
        ili_out_open(&out, '{');
        write_id(&out, "id", &session);
        ili_out_key(&out, "uid");
        ili_out_number(&out, session.uid);
        ili_out_key(&out, "label");
        ili_out_string(&out, session.label);
        ili_out_key(&out, "command");
        ili_out_string(&out, session.command);
        ili_out_key(&out, "since");
        ili_out_time(&out, session.since_seconds);
        ili_out_key(&out, "door");
        ili_out_string(&out, "host");
        ili_out_close(&out, '}');
    }
    ili_out_close(&out, ']');
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

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
        ili_out_string(out, kind_name(held->kind));
        ili_out_key(out, "name");
        ili_out_text(out, held->name, held->name_bytes);
        ili_out_key(out, "token");
        ili_out_token(out, held->token);
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
