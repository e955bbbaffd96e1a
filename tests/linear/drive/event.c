/*
 * event.c - events in a campaign.
 */
#include <string.h>

#include "linear/drive/worker.h"

static void draw(struct linear_object *object, uint64_t *random) { (void)object, (void)random; }

static il_status open_it(il_domain *domain, const struct linear_object *object, void **handle) {
    return il_event_open(domain, object->name, strlen(object->name), (il_event **)handle);
}

static il_status close_it(void *handle) { return il_event_close(handle); }

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

static il_status do_set(void *handle, int64_t timeout_ns) {
    (void)timeout_ns;
    return il_event_set(handle);
}
static il_status do_clear(void *handle, int64_t timeout_ns) {
    (void)timeout_ns;
    return il_event_clear(handle);
}
static il_status do_wait(void *handle, int64_t timeout_ns) {
    return il_event_wait(handle, timeout_ns);
}

static void look(struct worker *w, uint32_t number) {
    int32_t set = 0;
    struct linear_call *call = worker_begin(w, number, OP_IS_SET);
    il_status status = il_event_is_set(w->handles[number], &set);
    worker_end(w, call, status, (uint64_t)set);
}

static void act(struct worker *w, uint32_t number) {
    uint32_t what = worker_draw(w, 8);
    if (what == 0) {
        make_call(w, number, OP_SET, "set", -1, do_set);
    } else if (what < 3) {
        make_call(w, number, OP_CLEAR, "clear", -1, do_clear);
    } else if (what == 3 && !worker_is_http(w)) {
        look(w, number);
    } else {
        make_call(w, number, OP_WAIT, "wait", worker_draw_timeout(w), do_wait);
    }
}

const struct linear_kind linear_kind_event = {.kind = IL_KIND_EVENT,
                                              .collection = "events",
                                              .library = true,
                                              .sessionless = true,
                                              .draw = draw,
                                              .open = open_it,
                                              .close = close_it,
                                              .remove = il_event_delete,
                                              .act = act,
                                              .settle = worker_holds_nothing,
                                              .finish = worker_is_finished};
