/*
 * barrier.c - barriers in a campaign: who finds one broken often makes it whole.
 */
#include <string.h>

#include "linear/drive/worker.h"

static void draw(struct linear_object *object, uint64_t *random) {
    object->number = 1 + (uint32_t)(worker_random(random) % 4);
}

static il_status open_it(il_domain *domain, const struct linear_object *object, void **handle) {
    return il_barrier_open(domain, object->name, strlen(object->name), &object->number,
                           (il_barrier **)handle);
}

static il_status close_it(void *handle) { return il_barrier_close(handle); }

/* A call without arguments, which is nobody's. */
static void make_call(struct worker *w, uint32_t number, unsigned op, const char *verb,
                      il_status (*call_it)(il_barrier *barrier)) {
    struct linear_call *call = worker_begin(w, number, op);
    if (worker_is_http(w)) call->session = 0;
    il_status status = worker_is_http(w) ? worker_post(w, call, verb, json_object(), NULL)
                                         : call_it(w->handles[number]);
    worker_end(w, call, status, 0);
}

static il_status meet(struct worker *w, uint32_t number) {
    int64_t timeout_ns =
        worker_draw(w, 12) ? 5000000 + (int64_t)worker_draw(w, 50000000) : worker_draw_timeout(w);
    uint32_t index = 0;
    struct linear_call *call = worker_begin(w, number, OP_MEET);
    il_status status;
    if (timeout_ns == IL_NOWAIT) call->flags |= CALL_NOWAIT;
    if (worker_is_http(w)) {
        json_t *answer = NULL;
        status = worker_post(w, call, "wait", worker_body(w, timeout_ns), &answer);
        index = (uint32_t)json_integer_value(json_object_get(answer, "index"));
        json_decref(answer);
    } else {
        status = il_barrier_wait(w->handles[number], timeout_ns, &index);
    }
    worker_end(w, call, status, index);
    return status;
}

static void act(struct worker *w, uint32_t number) {
    uint32_t what = worker_draw(w, 128);
    if (what == 0) {
        make_call(w, number, OP_ABORT, "abort", il_barrier_abort);
    } else if (what == 1) {
        make_call(w, number, OP_RESET, "reset", il_barrier_reset);
    } else if (meet(w, number) == IL_EBROKEN && what % 2) {
        make_call(w, number, OP_RESET, "reset", il_barrier_reset);
    }
}

const struct linear_kind linear_kind_barrier = {.kind = IL_KIND_BARRIER,
                                                .collection = "barriers",
                                                .library = true,
                                                .draw = draw,
                                                .open = open_it,
                                                .close = close_it,
                                                .remove = il_barrier_delete,
                                                .act = act,
                                                .settle = worker_holds_nothing,
                                                .finish = worker_is_finished};
