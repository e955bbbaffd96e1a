/*
 * grants.c - locks, rlocks, rwlocks and semaphores in a campaign: what is acquired is held for a while,
 * renewed, checked, released, also with tokens that no longer count, and now and then broken.
 */
#include <string.h>

#include "linear/drive/grants.h"

static const struct grant_calls *calls_of(unsigned kind) { return linear_kind(kind)->calls; }

static const struct linear_object *object_of(struct worker *w, uint32_t number) {
    return &w->board->objects[number];
}

static void add_amount(const struct linear_object *object, uint32_t amount, json_t *body) {
    if (object->kind == IL_KIND_SEMAPHORE) json_object_set_new(body, "count", json_integer(amount));
}

static void add_token(json_t *body, uint64_t token) {
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)token);
    json_object_set_new(body, "token", json_string(text));
}

/* A body of a call by this worker about TOKEN. */
static json_t *body_about(struct worker *w, uint64_t token) {
    json_t *body = worker_body(w, -1);
    if (token) add_token(body, token);
    return body;
}

/* ---- calls ---------------------------------------------------------------------------------- */

static il_status post_acquire(struct worker *w, struct linear_call *call, int64_t timeout_ns,
                              uint64_t *token) {
    const struct linear_object *object = object_of(w, call->object);
    json_t *body = worker_body(w, timeout_ns), *answer = NULL;
    json_object_set_new(body, "owner", json_string(w->key));
    if (call->lease_ns) {
        json_object_set_new(body, "lease", json_real((double)call->lease_ns / 1e9));
    }
    add_amount(object, call->amount, body);
    if (object->kind == IL_KIND_RWLOCK) {
        json_object_set_new(body, "mode",
                            json_string(call->amount == IL_EXCLUSIVE ? "exclusive" : "shared"));
    }
    il_status status = worker_post(w, call, "acquire", body, &answer);
    if (status == IL_OK) {
        *token = worker_token(answer);
        if (json_is_true(json_object_get(answer, "owner_died"))) status = IL_EOWNERDEAD;
    }
    json_decref(answer);
    return status;
}

static void take_in_hand(struct worker *w, uint32_t number, il_status status, struct hand hand) {
    if (status != IL_OK && status != IL_EOWNERDEAD) return;
    w->hands[number][w->held[number]++] = hand;
    atomic_store_explicit(&w->board->token[number], hand.token, memory_order_relaxed);
}

static void acquire(struct worker *w, uint32_t number, uint32_t amount, int64_t timeout_ns,
                    int64_t lease_ns) {
    const struct linear_object *object = object_of(w, number);
    bool keeps = !(object->flags & LINEAR_SIGNAL && object->kind == IL_KIND_SEMAPHORE);
    uint64_t token = 0;
    struct linear_call *call = worker_begin(w, number, OP_ACQUIRE);
    call->amount = amount;
    call->lease_ns = lease_ns;
    if (timeout_ns == IL_NOWAIT) call->flags |= CALL_NOWAIT;
    il_status status =
        worker_is_http(w) ? post_acquire(w, call, timeout_ns, &token)
                          : calls_of(object->kind)
                                ->acquire(w->handles[number], amount, timeout_ns, lease_ns, &token);
    worker_end(w, call, status, token);
    if (keeps) take_in_hand(w, number, status, (struct hand){token, amount, lease_ns});
}

static il_status release(struct worker *w, uint32_t number, uint32_t amount, uint64_t token) {
    const struct linear_object *object = object_of(w, number);
    struct linear_call *call = worker_begin(w, number, OP_RELEASE);
    call->argument = token;
    call->amount = object->kind == IL_KIND_SEMAPHORE ? amount : 0;
    il_status status;
    if (worker_is_http(w)) {
        json_t *body = body_about(w, token);
        if (object->kind == IL_KIND_RLOCK || object->kind == IL_KIND_RWLOCK) {
            json_object_set_new(body, "owner", json_string(w->key));
        }
        add_amount(object, amount, body);
        status = worker_post(w, call, "release", body, NULL);
    } else {
        status = calls_of(object->kind)->release(w->handles[number], amount, token);
    }
    worker_end(w, call, status, 0);
    return status;
}

static void renew(struct worker *w, uint32_t number, uint64_t token, int64_t lease_ns) {
    const struct linear_object *object = object_of(w, number);
    struct linear_call *call = worker_begin(w, number, OP_RENEW);
    il_status status;
    call->argument = token;
    call->lease_ns = lease_ns;
    if (worker_is_http(w)) {
        json_t *body = body_about(w, token);
        json_object_set_new(body, "lease", json_real((double)lease_ns / 1e9));
        status = worker_post(w, call, "renew", body, NULL);
    } else {
        status = calls_of(object->kind)->renew(w->handles[number], token, lease_ns);
    }
    worker_end(w, call, status, 0);
}

static void check(struct worker *w, uint32_t number, uint64_t token) {
    struct linear_call *call = worker_begin(w, number, OP_CHECK);
    il_status status;
    call->argument = token;
    if (worker_is_http(w)) {
        json_t *body = json_object();
        add_token(body, token);
        status = worker_post(w, call, "check", body, NULL);
    } else {
        status = calls_of(object_of(w, number)->kind)->check(w->handles[number], token);
    }
    worker_end(w, call, status, 0);
}

static void break_grant(struct worker *w, uint32_t number, uint64_t token) {
    struct linear_call *call = worker_begin(w, number, OP_BREAK);
    il_status status;
    call->argument = token;
    if (worker_is_http(w)) {
        json_t *body = json_object();
        add_token(body, token);
        json_object_set_new(body, "reason", json_string("by chance"));
        status = worker_post(w, call, "break", body, NULL);
    } else {
        status = calls_of(object_of(w, number)->kind)->brk(w->handles[number], token);
    }
    worker_end(w, call, status, 0);
}

/* ---- the mix -------------------------------------------------------------------------------- */

static uint32_t draw_amount(struct worker *w, const struct linear_object *object) {
    if (object->kind == IL_KIND_RWLOCK) return worker_draw(w, 3) ? IL_SHARED : IL_EXCLUSIVE;
    if (object->kind != IL_KIND_SEMAPHORE) return 0;
    return 1 + worker_draw(w, object->number < 2 ? 1 : 2);
}

/* Without a session always some lease, elsewhere seldom; short ones end while they are held. */
static int64_t draw_lease(struct worker *w) {
    bool always = w->door == DOOR_HTTP;
    if (!always && (w->door == DOOR_LIBRARY || worker_draw(w, 4))) return 0;
    return worker_draw(w, 4) ? 150000000 : 3000000 + (int64_t)worker_draw(w, 20000000);
}

static void try_to_acquire(struct worker *w, uint32_t number) {
    const struct linear_object *object = object_of(w, number);
    bool signal = object->kind == IL_KIND_SEMAPHORE && object->flags & LINEAR_SIGNAL;
    int64_t lease = signal ? 0 : draw_lease(w);
    uint32_t amount = draw_amount(w, object), held = w->held[number];
    if (held > 0) { /* again, as the kind allows it */
        amount = w->hands[number][0].amount;
        lease = w->hands[number][0].lease_ns;
    }
    acquire(w, number, amount, worker_draw_timeout(w), lease);
}

static void use_hand(struct worker *w, uint32_t number) {
    struct hand *hand = &w->hands[number][w->held[number] - 1];
    uint32_t what = worker_draw(w, 16);
    if (what == 0 && hand->lease_ns) {
        renew(w, number, hand->token, hand->lease_ns);
    } else if (what == 1) {
        check(w, number, hand->token);
    } else if (what == 2) {
        worker_pause(w, worker_draw(w, 8) ? 1000 : 30000);
    } else if (what == 3 && w->last[number]) {
        (void)release(w, number, hand->amount, w->last[number]);
    } else {
        il_status status = release(w, number, hand->amount, hand->token);
        if (status == IL_EBUSY) return;
        w->last[number] = hand->token;
        w->held[number]--;
    }
}

/* Locks, rlocks and semaphores whose permits are held. */
static bool is_of_several(struct worker *w, uint32_t number) {
    const struct linear_object *object = object_of(w, number);
    switch (object->kind) {
    case IL_KIND_SEMAPHORE:
        if (object->flags & LINEAR_SIGNAL) return false;
        break;
    case IL_KIND_LOCK:
    case IL_KIND_RLOCK: break;
    default: return false;
    }
    return w->handles[number] && w->held[number] == 0;
}

void grants_act_on_several(struct worker *w) {
    il_target targets[2];
    struct linear_call *parts[2];
    size_t count = 0, index = 0;
    bool all = worker_draw(w, 2);
    uint32_t numbers[2];
    for (uint32_t i = 0; i < w->board->objects_count && count < 2; i++) {
        if (is_of_several(w, i)) numbers[count++] = i;
    }
    if (count < 2) return;
    for (size_t i = 0; i < count; i++) {
        const struct linear_object *object = object_of(w, numbers[i]);
        parts[i] = worker_begin(w, numbers[i], OP_ACQUIRE);
        parts[i]->flags |= CALL_SEVERAL;
        parts[i]->amount = draw_amount(w, object);
        targets[i] = (il_target){
            .kind = object->kind, .count = parts[i]->amount, .object = w->handles[numbers[i]]};
    }
    int64_t timeout_ns = worker_draw_timeout(w);
    il_status status = all ? il_acquire_all(targets, count, timeout_ns)
                           : il_wait_any(targets, count, timeout_ns, &index);
    for (size_t i = 0; i < count; i++) {
        bool got = status == IL_OK && (all || i == index);
        il_status one = got ? targets[i].status : status == IL_OK ? IL_ETIMEOUT : status;
        uint64_t token = got ? targets[i].token : 0;
        worker_end(w, parts[i], one, token);
        take_in_hand(w, numbers[i], one, (struct hand){token, parts[i]->amount, 0});
    }
}

void grants_act(struct worker *w, uint32_t number) {
    const struct linear_object *object = object_of(w, number);
    bool again = object->kind == IL_KIND_RLOCK || object->kind == IL_KIND_RWLOCK;
    uint64_t some = atomic_load_explicit(&w->board->token[number], memory_order_relaxed);
    uint32_t what = worker_draw(w, 64);
    if (object->kind == IL_KIND_SEMAPHORE && object->flags & LINEAR_SIGNAL) {
        if (what % 2) {
            try_to_acquire(w, number);
        } else {
            (void)release(w, number, draw_amount(w, object), 0);
        }
    } else if (what == 0 && some) {
        break_grant(w, number, some);
    } else if (what < 3 && some) {
        check(w, number, some);
    } else if (what == 3 && w->last[number]) {
        renew(w, number, w->last[number], 100000000);
    } else if (w->held[number] == 0 || (again && w->held[number] < HANDS && what % 4 == 0)) {
        try_to_acquire(w, number);
    } else {
        use_hand(w, number);
    }
}

void grants_settle(struct worker *w, uint32_t number, bool thread) {
    unsigned kind = object_of(w, number)->kind;
    bool goes = kind == IL_KIND_RLOCK || kind == IL_KIND_RWLOCK;
    if (thread && goes && w->door == DOOR_ARENA) return;
    for (int attempts = 0; w->held[number] > 0 && attempts < 50; attempts++) {
        struct hand *hand = &w->hands[number][w->held[number] - 1];
        if (release(w, number, hand->amount, hand->token) == IL_EBUSY) {
            worker_pause(w, 2000);
        } else {
            w->held[number]--;
        }
    }
}

/* Nothing is left over: within the longest lease it is to be had. */
void grants_finish(struct worker *w, uint32_t number) {
    const struct linear_object *object = object_of(w, number);
    bool signal = object->kind == IL_KIND_SEMAPHORE && object->flags & LINEAR_SIGNAL;
    if (signal) return;
    uint32_t amount = object->kind == IL_KIND_RWLOCK      ? IL_EXCLUSIVE
                      : object->kind == IL_KIND_SEMAPHORE ? object->number
                                                          : 0;
    acquire(w, number, amount, INT64_C(10000000000), 0);
    if (w->held[number] == 0) board_trouble(w->board, "%s is stuck", object->name);
    grants_settle(w, number, false);
}
