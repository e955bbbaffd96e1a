/*
 * latch.c - latches in a campaign.
 */
#include <string.h>

#include "linear/drive/worker.h"

static void draw(struct linear_object *object, uint64_t *random) {
    object->number = 1 + (uint32_t)(worker_random(random) % 200);
}

static il_status open_it(il_domain *domain, const struct linear_object *object, void **handle) {
    return il_latch_open(domain, object->name, strlen(object->name), &object->number,
                         (il_latch **)handle);
}

static il_status close_it(void *handle) { return il_latch_close(handle); }

/* A call of this worker, without arguments but a timeout (-1: none). */
static void make_call(struct worker *w, uint32_t number, unsigned op, const char *verb,
                      int64_t timeout_ns, il_status (*call_it)(void *handle, int64_t timeout_ns)) {
    struct linear_call *call = worker_begin(w, number, op);
    if (timeout_ns == IL_NOWAIT) call->flags |= CALL_NOWAIT;
    il_status status = worker_is_http(w)
                           ? worker_post(w, call, verb, worker_body(w, timeout_ns), NULL)
                           : call_it(w->handles[number], timeout_ns);
    worker_end(w, call, status, 0);
}

static il_status do_wait(void *handle, int64_t timeout_ns) {
    return il_latch_wait(handle, timeout_ns);
}

static void count_down(struct worker *w, uint32_t number) {
    uint32_t left = 0;
    struct linear_call *call = worker_begin(w, number, OP_COUNT_DOWN);
    il_status status;
    call->amount = 1 + worker_draw(w, 3);
    if (w->door != DOOR_ARENA) call->flags |= CALL_VIEWED; /* the server answers with its view */
    if (worker_is_http(w)) {
        json_t *answer = NULL, *body = worker_body(w, -1);
        json_object_set_new(body, "count", json_integer(call->amount));
        status = worker_post(w, call, "count_down", body, &answer);
        left = (uint32_t)json_integer_value(json_object_get(answer, "count"));
        json_decref(answer);
    } else {
        status = il_latch_count_down(w->handles[number], call->amount, &left);
    }
    worker_end(w, call, status, left);
}

static void look(struct worker *w, uint32_t number) {
    uint32_t count = 0;
    struct linear_call *call = worker_begin(w, number, OP_COUNT);
    il_status status = il_latch_count(w->handles[number], &count);
    worker_end(w, call, status, count);
}

static void act(struct worker *w, uint32_t number) {
    uint32_t what = worker_draw(w, 8);
    if (what == 0) {
        count_down(w, number);
    } else if (what == 1 && !worker_is_http(w)) {
        look(w, number);
    } else {
        make_call(w, number, OP_WAIT, "wait", worker_draw_timeout(w), do_wait);
    }
}

const struct linear_kind linear_kind_latch = {.kind = IL_KIND_LATCH,
                                              .collection = "latches",
                                              .library = true,
                                              .sessionless = true,
                                              .draw = draw,
                                              .open = open_it,
                                              .close = close_it,
                                              .remove = il_latch_delete,
                                              .act = act,
                                              .settle = worker_holds_nothing,
                                              .finish = worker_is_finished};
