/*
 * losses.c - see losses.h. Who listens is parked like any other wait; after each turn of the loop in which
 * the arena's count of losses has changed, all who listen look.
 */
#include "server/losses.h"

#include <stdlib.h>
#include <string.h>

#include "arena/loss.h"
#include "arena/names.h"
#include "base/clock.h"
#include "base/status.h"
#include "server/client_sessions.h"
#include "server/params.h"
#include "server/reply.h"
#include "server/server.h"

struct listening {
    struct ili_work work;
    uint64_t after;
    uint32_t generation;
};

static void write_loss(struct ili_out *out, struct ili_server *server,
                       const struct ili_loss_copy *loss) {
    const struct ili_arena *arena = &ili_server_member(server)->arena;
    const struct ili_object *object = ili_object_at(arena, loss->object, loss->kind);
    const struct ili_status_info *info = ili_status_info(loss->why);
    char name[IL_NAME_MAX_BYTES + 1];
    size_t bytes = object ? ili_object_name(arena, object, name) : 0;
    ili_out_open(out, '{');
    ili_out_key(out, "kind");
    ili_out_string(out, ili_kind_word(loss->kind));
    ili_out_key(out, "name");
    if (bytes) {
        ili_out_text(out, name, bytes);
    } else {
        ili_out_null(out);
    }
    ili_out_key(out, "token");
    ili_out_token(out, loss->token);
    ili_out_key(out, "code");
    ili_out_string(out, info ? info->code : "lease_lost");
    ili_out_key(out, "reason");
    ili_out_string(out, loss->reason[0] ? loss->reason : NULL);
    ili_out_close(out, '}');
}

uint32_t ili_losses_write(struct ili_out *out, struct ili_server *server, uint32_t slot,
                          uint32_t generation, uint64_t *after) {
    struct ili_loss_copy loss;
    uint32_t count = 0;
    uint64_t last = *after;
    ili_out_key(out, "losses");
    ili_out_open(out, '[');
    while (count < ILI_LOSSES &&
           ili_loss_next(&ili_server_member(server)->arena, slot, generation, &last, &loss)) {
        write_loss(out, server, &loss);
        *after = loss.number;
        count++;
    }
    ili_out_close(out, ']');
    return count;
}

/* ---- listening ------------------------------------------------------------------------------------ */

static void free_listening(struct ili_request *request) {
    free(request->work);
    request->work = NULL;
}

/* Takes REQUEST off the list of those who listen. */
static void forget(struct ili_request *request) {
    struct ili_client_sessions *c = &request->server->clients;
    for (size_t i = 0; i < c->listening_count; i++) {
        if (c->listening[i] != request) continue;
        c->listening[i] = c->listening[--c->listening_count];
        return;
    }
}

/* Answers if there is something to tell. */
static bool tell(struct ili_request *request) {
    struct listening *l = (struct listening *)request->work;
    struct ili_out out = {0};
    uint64_t after = l->after;
    ili_out_open(&out, '{');
    uint32_t slot = request->session_slot - 1;
    if (ili_losses_write(&out, request->server, slot, l->generation, &after) == 0) {
        ili_out_free(&out);
        return false;
    }
    ili_out_key(&out, "after");
    ili_out_token(&out, after);
    ili_out_close(&out, '}');
    forget(request);
    ili_reply(request, 200, &out);
    return true;
}

static void rung(struct ili_request *request) { (void)request; /* it stands in no queue */ }

static bool end_wait(struct ili_request *request, il_status why) {
    forget(request);
    if (why != IL_EGONE) ili_reply_problem(request, why, NULL);
    return true;
}

static const struct ili_wait waiting = {.rung = rung, .end = end_wait};

void ili_client_sessions_tell(struct ili_server *server) {
    struct ili_client_sessions *c = &server->clients;
    uint64_t losses = atomic_load_explicit(&ili_server_member(server)->arena.header->losses,
                                           memory_order_acquire);
    if (losses == c->losses_seen) return;
    c->losses_seen = losses;
    for (size_t i = c->listening_count; i-- > 0;) (void)tell(c->listening[i]);
}

static il_status listen_for(struct ili_request *request, int64_t timeout_ns) {
    struct ili_client_sessions *c = &request->server->clients;
    if (c->listening_count == c->listening_room) {
        size_t room = c->listening_room ? c->listening_room * 2 : 16;
        struct ili_request **grown = realloc(c->listening, room * sizeof(struct ili_request *));
        if (!grown) return IL_ENOMEM;
        c->listening = grown;
        c->listening_room = room;
    }
    il_status status = ili_park(request, &waiting, ili_now_ns() + timeout_ns);
    if (status == IL_OK) c->listening[c->listening_count++] = request;
    return status;
}

void ili_client_sessions_losses(struct ili_request *request) {
    struct ili_server *server = request->server;
    int64_t timeout_ns = server->config.long_poll_ns;
    uint64_t after = 0;
    const struct ili_param params[] = {
        ILI_PARAM_SECONDS("timeout", &timeout_ns, 0, timeout_ns),
        {"after", ILI_PARAM_IS_TOKEN, &after, 0, 0, false},
    };
    if (!ili_request_read(request, params, 2)) return;
    struct ili_who who = {0};
    const struct ili_client_session *session = ili_client_session_of_path(request);
    if (!session) return;
    ili_client_session_id(session, who.session, sizeof who.session);
    if (!ili_who_begin(request, &who)) return;
    struct listening *l = calloc(1, sizeof *l);
    if (!l) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the request");
        return;
    }
    l->work.free = free_listening;
    l->after = after;
    l->generation = request->owner->holder->session->generation;
    request->work = &l->work;
    if (tell(request)) return;
    il_status status = timeout_ns > 0 ? listen_for(request, timeout_ns) : IL_ETIMEOUT;
    if (status != IL_OK) ili_reply_problem(request, status, NULL);
}
