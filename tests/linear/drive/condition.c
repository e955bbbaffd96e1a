/*
 * condition.c - conditions in a campaign, bound to a lock, or to an rlock of their own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linear/drive/worker.h"

#define LEASE_NS 150000000 /* over HTTP */

static void draw(struct linear_object *object, uint64_t *random) {
    object->flags = worker_random(random) % 3 ? 0 : LINEAR_ON_RLOCK;
}

static il_status open_it(il_domain *domain, const struct linear_object *object, void **handle) {
    il_condition_options options = {.struct_bytes = sizeof options};
    size_t bytes = strlen(object->name);
    char name[80];
    if (object->flags & LINEAR_ON_RLOCK) {
        return il_condition_open(domain, object->name, bytes, NULL, (il_condition **)handle);
    }
    snprintf(name, sizeof name, "%s-lock", object->name);
    il_status status = il_lock_open(domain, name, strlen(name), NULL, &options.lock);
    if (status != IL_OK) return status;
    status = il_condition_open(domain, object->name, bytes, &options, (il_condition **)handle);
    il_lock_close(options.lock);
    return status;
}

static il_status close_it(void *handle) { return il_condition_close(handle); }

static json_t *body_of(struct worker *w, uint64_t token, int64_t timeout_ns) {
    json_t *body = worker_body(w, timeout_ns);
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)token);
    if (token) json_object_set_new(body, "token", json_string(text));
    return body;
}

static il_status post_for_grant(struct worker *w, struct linear_call *call, const char *verb,
                                json_t *body, uint64_t *token) {
    json_t *answer = NULL;
    json_object_set_new(body, "lease", json_real((double)call->lease_ns / 1e9));
    il_status status = worker_post(w, call, verb, body, &answer);
    *token = worker_token(answer);
    if (status == IL_OK && json_is_true(json_object_get(answer, "owner_died"))) {
        status = IL_EOWNERDEAD;
    }
    json_decref(answer);
    return status;
}

static void acquire(struct worker *w, uint32_t number, int64_t timeout_ns) {
    uint64_t token = 0;
    struct linear_call *call = worker_begin(w, number, OP_ACQUIRE);
    il_status status;
    if (timeout_ns == IL_NOWAIT) call->flags |= CALL_NOWAIT;
    if (worker_is_http(w)) {
        call->lease_ns = LEASE_NS;
        status = post_for_grant(w, call, "acquire", worker_body(w, timeout_ns), &token);
    } else {
        status = il_condition_acquire(w->handles[number], timeout_ns, &token);
    }
    worker_end(w, call, status, token);
    if (status != IL_OK && status != IL_EOWNERDEAD) return;
    w->hands[number][0].token = token;
    w->held[number] = 1;
}

static il_status release(struct worker *w, uint32_t number) {
    uint64_t token = w->hands[number][0].token;
    struct linear_call *call = worker_begin(w, number, OP_RELEASE);
    call->argument = token;
    il_status status = worker_is_http(w)
                           ? worker_post(w, call, "release", body_of(w, token, -1), NULL)
                           : il_condition_release(w->handles[number], token);
    worker_end(w, call, status, 0);
    if (status != IL_EBUSY) w->held[number] = 0;
    return status;
}

static void wait(struct worker *w, uint32_t number) {
    uint64_t token = w->hands[number][0].token, got = 0;
    int64_t timeout_ns = worker_draw_timeout(w);
    struct linear_call *call = worker_begin(w, number, OP_AWAIT);
    il_status status;
    if (worker_is_http(w)) {
        call->argument = token;
        call->lease_ns = LEASE_NS;
        status = post_for_grant(w, call, "wait", body_of(w, token, timeout_ns), &got);
    } else {
        status = il_condition_wait(w->handles[number], timeout_ns, &got);
    }
    worker_end(w, call, status, got);
    w->held[number] = status == IL_OK || status == IL_EOWNERDEAD || status == IL_ETIMEOUT;
    w->hands[number][0].token = got;
}

static void notify(struct worker *w, uint32_t number) {
    uint64_t token = w->hands[number][0].token;
    struct linear_call *call = worker_begin(w, number, OP_NOTIFY);
    il_status status;
    call->amount = worker_draw(w, 4) ? 1 + worker_draw(w, 2) : UINT32_MAX;
    bool all = call->amount == UINT32_MAX;
    if (worker_is_http(w)) {
        json_t *body = body_of(w, token, -1);
        call->argument = token;
        if (!all) json_object_set_new(body, "count", json_integer(call->amount));
        status = worker_post(w, call, all ? "notify_all" : "notify", body, NULL);
    } else {
        status = all ? il_condition_notify_all(w->handles[number])
                     : il_condition_notify(w->handles[number], call->amount);
    }
    worker_end(w, call, status, 0);
}

static void act(struct worker *w, uint32_t number) {
    /* an rlock belongs to a thread, and a request without an owner is nobody's */
    if (worker_is_http(w) && w->board->objects[number].flags & LINEAR_ON_RLOCK) return;
    if (!w->held[number]) {
        acquire(w, number, worker_draw_timeout(w));
        return;
    }
    switch (worker_draw(w, 4)) {
    case 0: wait(w, number); break;
    case 1: notify(w, number); break;
    default: (void)release(w, number);
    }
}

static void settle(struct worker *w, uint32_t number, bool thread) {
    if (thread && w->door == DOOR_ARENA && w->board->objects[number].flags & LINEAR_ON_RLOCK)
        return;
    for (int attempts = 0; w->held[number] && attempts < 50; attempts++) {
        if (release(w, number) == IL_EBUSY) worker_pause(w, 2000);
    }
}

static void finish(struct worker *w, uint32_t number) {
    acquire(w, number, INT64_C(10000000000));
    if (!w->held[number]) board_trouble(w->board, "%s is stuck", w->board->objects[number].name);
    settle(w, number, false);
}

const struct linear_kind linear_kind_condition = {.kind = IL_KIND_CONDITION,
                                                  .collection = "conditions",
                                                  .library = true,
                                                  .draw = draw,
                                                  .open = open_it,
                                                  .close = close_it,
                                                  .remove = il_condition_delete,
                                                  .act = act,
                                                  .settle = settle,
                                                  .finish = finish};
