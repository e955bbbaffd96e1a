#include "server/pipes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/pin.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/stakes.h"

#define MAX_BYTES_MOST INT64_C(9007199254740991) /* what every JSON reader takes as it is */
#define TRIES_MOST 100                           /* to wait for what is only said to be there */

/* ---- pipes as objects ----------------------------------------------------------------------------- */

const char *ili_pipe_end_word(uint32_t end) { return end == IL_PIPE_A ? "a" : "b"; }

static bool read_options(struct ili_request *request, union ili_object_options *room,
                         const void **options) {
    bool one_way = false;
    room->pipe.struct_bytes = sizeof room->pipe;
    room->pipe.max_bytes = IL_PIPE_BYTES;
    const struct ili_param params[] = {
        ILI_PARAM_BOOL("one_way", &one_way),
        ILI_PARAM_COUNT("max_bytes", &room->pipe.max_bytes, 1, MAX_BYTES_MOST)};
    *options = &room->pipe;
    if (!ili_request_read(request, params, 2)) return false;
    room->pipe.flags = one_way ? IL_PIPE_ONE_WAY : 0;
    return true;
}

static void show_options(char *room, size_t bytes, uint32_t flags, uint64_t max_bytes) {
    snprintf(room, bytes, "one_way=%s, max_bytes=%" PRIu64,
             flags & IL_PIPE_ONE_WAY ? "true" : "false", max_bytes);
}

static void differ(const void *object, const void *options, struct ili_difference *difference) {
    const struct ili_pipe *pipe = object;
    const il_pipe_options *asked = options;
    show_options(difference->has, sizeof difference->has, pipe->flags, pipe->max_bytes);
    show_options(difference->asked, sizeof difference->asked, asked->flags, asked->max_bytes);
}

static void write_end(struct ili_out *out, const struct ili_pipe_view *view, uint32_t end) {
    ili_out_key(out, "end");
    ili_out_string(out, ili_pipe_end_word(end));
    ili_out_key(out, "claimed_by");
    ili_out_number(out, view->claims[end]);
    ili_out_key(out, "closed");
    ili_out_bool(out, view->closed[end]);
    ili_out_key(out, "waiting");
    ili_out_number(out, view->waiting[end]);
    ili_out_key(out, "receivers");
    ili_out_number(out, view->receivers[end]);
    ili_out_key(out, "senders");
    ili_out_number(out, view->senders[end]);
}

static void view(struct ili_out *out, struct ili_server *server, const void *object, bool whole) {
    const struct ili_pipe *pipe = object;
    struct ili_pipe_view seen;
    (void)whole;
    ili_pipe_look(ili_server_member(server), pipe, &seen);
    ili_out_key(out, "one_way");
    ili_out_bool(out, pipe->flags & IL_PIPE_ONE_WAY);
    ili_out_key(out, "max_bytes");
    ili_out_number(out, pipe->max_bytes);
    ili_out_key(out, "ends");
    ili_out_open(out, '[');
    for (uint32_t end = 0; end < ILI_PIPE_ENDS; end++) {
        ili_out_open(out, '{');
        write_end(out, &seen, end);
        ili_out_close(out, '}');
    }
    ili_out_close(out, ']');
}

const struct ili_collection ili_pipes = {
    .name = "pipes",
    .kind = &ili_pipe_kind,
    .read = read_options,
    .differ = differ,
    .view = view,
};

/* ---- at which end --------------------------------------------------------------------------------- */

il_status ili_pipe_end_parse(const char *text, const char *field, uint32_t *end,
                             struct ili_fault *fault) {
    static const char expected[] = "\"a\" or \"b\"";
    if (text && strcmp(text, "a") == 0) {
        *end = IL_PIPE_A;
    } else if (text && strcmp(text, "b") == 0) {
        *end = IL_PIPE_B;
    } else {
        return ili_fault_expected(fault, field, expected);
    }
    return IL_OK;
}

void ili_pipe_place_refuse(struct ili_request *request, const struct ili_pipe_place *place,
                           il_status status) {
    char detail[IL_NAME_MAX_BYTES + 160];
    const char *end = ili_pipe_end_word(place->end);
    const char *why = "is closed for good";
    if (status == IL_ENOTHELD) {
        why = "has not been claimed by the session";
    } else if (status == IL_EUNSUPPORTED) {
        why = place->end == IL_PIPE_A ? "only receives, since it is one-way"
                                      : "only sends, since it is one-way";
    }
    snprintf(detail, sizeof detail, "end %s of the pipe \"%.*s\" %s", end, request->name_bytes,
             request->name, why);
    ili_reply_problem(request, status, detail);
}

/* Reads PLACE as far as the body has it, and who asks. */
static bool begin(struct ili_request *request, struct ili_pipe_place *place) {
    struct ili_fault fault;
    if (ili_pipe_end_parse(place->end_text, "end", &place->end, &fault) != IL_OK) {
        ili_reply_fault(request, &fault);
        return false;
    }
    return ili_who_begin(request, &place->who);
}

struct ili_pipe *ili_pipe_place_pin(struct ili_request *request, struct ili_pipe_place *place) {
    if (!begin(request, place)) return NULL;
    uint32_t slot1 = request->session_slot, claims = 1;
    struct ili_pipe *pipe =
        ili_pin_named(request, &ili_pipe_kind, NULL, slot1 ? ILI_OPEN_EXISTING : 0, NULL);
    if (!pipe || !slot1) return pipe;
    il_status status = ili_pipe_claims_of(ili_server_member(request->server), pipe, place->end,
                                          slot1 - 1, &claims);
    if (status == IL_OK && claims) return pipe;
    ili_unpin(request->server, pipe);
    if (status == IL_OK) {
        ili_pipe_place_refuse(request, place, IL_ENOTHELD);
    } else {
        ili_reply_problem(request, status, NULL);
    }
    return NULL;
}

/* ---- claims --------------------------------------------------------------------------------------- */

/* Answers with the end, and how often the session has claimed it. */
static void reply_end(struct ili_request *request, const struct ili_pipe_place *place,
                      struct ili_pipe *pipe) {
    struct ili_out out = {0};
    struct ili_pipe_view seen;
    uint32_t claims = 0;
    (void)ili_pipe_claims_of(ili_server_member(request->server), pipe, place->end,
                             request->owner->holder->slot, &claims);
    ili_pipe_look(ili_server_member(request->server), pipe, &seen);
    ili_out_open(&out, '{');
    ili_out_key(&out, "name");
    ili_out_text(&out, request->name, request->name_bytes);
    write_end(&out, &seen, place->end);
    ili_out_key(&out, "claims");
    ili_out_number(&out, claims);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

/* Reads the body of a claim, or of giving one up, which need a session. */
static bool read_claim(struct ili_request *request, struct ili_pipe_place *place) {
    const struct ili_param params[] = {
        {"end", ILI_PARAM_IS_TEXT, place->end_text, 0, 15, true},
        {"session", ILI_PARAM_IS_TEXT, place->who.session, 1, ILI_SESSION_ID_BYTES, true}};
    return ili_request_read(request, params, 2) && begin(request, place);
}

void ili_pipes_claim(struct ili_request *request) {
    struct ili_server *server = request->server;
    struct ili_member *member = ili_server_member(server);
    struct ili_pipe_place place = {.who.session = ""};
    if (!read_claim(request, &place)) return;
    struct ili_pipe *pipe = ili_pin_named(request, &ili_pipe_kind, NULL, 0, NULL);
    if (!pipe) return;
    struct ili_holder *holder = request->owner->holder;
    il_status status = ili_pipe_claim(member, pipe, place.end, holder->slot);
    if (status == IL_OK) {
        status = ili_stake_add(server, holder, pipe);
        if (status == IL_OK) { /* which has it pinned now */
            reply_end(request, &place, pipe);
            return;
        }
        (void)ili_pipe_give_up(member, pipe, place.end, holder->slot);
    }
    ili_unpin(server, pipe);
    if (status == IL_EPIPE) {
        ili_pipe_place_refuse(request, &place, status);
    } else {
        ili_reply_problem(request, status, NULL);
    }
}

void ili_pipes_close(struct ili_request *request) {
    struct ili_server *server = request->server;
    struct ili_member *member = ili_server_member(server);
    struct ili_pipe_place place = {.who.session = ""};
    if (!read_claim(request, &place)) return;
    struct ili_pipe *pipe = ili_pin_named(request, &ili_pipe_kind, NULL, ILI_OPEN_EXISTING, NULL);
    if (!pipe) return;
    struct ili_holder *holder = request->owner->holder;
    il_status status = ili_pipe_give_up(member, pipe, place.end, holder->slot);
    if (status == IL_OK) {
        reply_end(request, &place, pipe);
        ili_stake_less(server, holder, ili_off_of(&member->arena, pipe), false);
    } else if (status == IL_ENOTHELD) {
        ili_pipe_place_refuse(request, &place, status);
    } else {
        ili_reply_problem(request, status, NULL);
    }
    ili_unpin(server, pipe);
}

/* ---- poll ----------------------------------------------------------------------------------------- */

struct polling {
    struct ili_work work;
    struct ili_pipe *pipe;   /* pinned */
    struct ili_queue *queue; /* of it */
};

static void free_polling(struct ili_request *request) {
    struct polling *p = (struct polling *)request->work;
    if (p->pipe) ili_unpin(request->server, p->pipe);
    request->work = NULL;
    free(p);
}

static void answer_poll(struct ili_request *request, il_status status) {
    struct ili_out out = {0};
    if (status != IL_OK && status != IL_ETIMEOUT) {
        ili_reply_problem(request, status, NULL);
        return;
    }
    ili_out_open(&out, '{');
    ili_out_key(&out, "name");
    ili_out_text(&out, request->name, request->name_bytes);
    ili_out_key(&out, "ready");
    ili_out_bool(&out, status == IL_OK);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

static il_status look(const struct polling *p) {
    uint32_t state = ili_queue_state(p->queue);
    if (state == ILI_QUEUE_DELETED) return IL_EDELETED;
    return ili_queue_size(p->queue) > 0 || state == ILI_QUEUE_SHUT ? IL_OK : IL_ETIMEOUT;
}

/* Looks, and stands in the queue's list of getters, until it waits there or is answered. */
static void proceed(struct ili_request *request) {
    struct polling *p = (struct polling *)request->work;
    struct ili_member *member = ili_server_member(request->server);
    il_status status = IL_EBUSY;
    for (int tries = 0; tries < TRIES_MOST; tries++) {
        status = look(p);
        if (status != IL_ETIMEOUT) break;
        status = ili_queue_enqueue(member, p->queue, request->waiter, false);
        if (status == IL_ETIMEOUT) return;
        if (status != IL_OK) break;
        status = IL_EBUSY;
    }
    answer_poll(request, status);
}

/* Nothing is taken: whoever is behind it in the queue is told instead. */
static bool leave(struct ili_request *request) {
    struct polling *p = (struct polling *)request->work;
    return ili_queue_withdraw(ili_server_member(request->server), p->queue, request->waiter,
                              false) != IL_EBUSY;
}

static void rung(struct ili_request *request) {
    if (ili_agent_state(request->waiter) == ILI_PARK_WAITING) return;
    if (leave(request)) {
        proceed(request);
    } else {
        ili_park_leave(request, IL_ETIMEOUT);
    }
}

static bool end_wait(struct ili_request *request, il_status why) {
    if (!leave(request)) return false;
    if (why == IL_ETIMEOUT) why = look((struct polling *)request->work);
    if (why != IL_EGONE) answer_poll(request, why);
    return true;
}

static const struct ili_wait waiting = {.rung = rung, .end = end_wait};

void ili_pipes_poll(struct ili_request *request) {
    struct ili_pipe_place place = {.who.session = ""};
    int64_t timeout_ns = request->server->config.long_poll_ns;
    struct polling *p = calloc(1, sizeof *p);
    if (!p) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the request");
        return;
    }
    p->work.free = free_polling;
    request->work = &p->work;
    const struct ili_param params[] = {ILI_PIPE_PLACE_PARAMS(&place),
                                       ILI_PARAM_SECONDS("timeout", &timeout_ns, 0, timeout_ns)};
    if (!ili_request_read(request, params, 3)) return;
    p->pipe = ili_pipe_place_pin(request, &place);
    if (!p->pipe) return;
    p->queue = ili_pipe_incoming(p->pipe, place.end);
    if (!p->queue) {
        ili_pipe_place_refuse(request, &place, IL_EUNSUPPORTED);
        return;
    }
    il_status status = look(p);
    if (status == IL_ETIMEOUT && timeout_ns > 0) {
        ili_request_drop_body(request);
        status = ili_park(request, &waiting, ili_now_ns() + timeout_ns);
        if (status == IL_OK) {
            proceed(request);
            return;
        }
    }
    answer_poll(request, status);
}
