#include "server/events.h"

#include "server/await.h"
#include "server/reply.h"
#include "server/server.h"
#include "sync/event.h"

static void view(struct ili_out *out, struct ili_server *server, const void *object, bool whole) {
    struct ili_event_view seen;
    (void)server, (void)whole;
    ili_event_look(object, &seen);
    ili_out_key(out, "set");
    ili_out_bool(out, seen.set);
    ili_out_key(out, "waiters");
    ili_out_number(out, seen.waiters);
}

const struct ili_collection ili_events = {.name = "events", .kind = &ili_event_kind, .view = view};

static void change(struct ili_request *request,
                   il_status (*how)(struct ili_member *member, struct ili_event *event)) {
    if (!ili_request_read(request, NULL, 0)) return;
    struct ili_event *event = ili_objects_pin(request, 0);
    if (!event) return;
    ili_objects_reply(request, how(ili_server_member(request->server), event), event);
}

void ili_events_set(struct ili_request *request) { change(request, ili_event_set); }

void ili_events_clear(struct ili_request *request) { change(request, ili_event_clear); }

/* ---- waiting -------------------------------------------------------------------------------------- */

static il_status now(struct ili_member *member, void *object, uint64_t *told) {
    (void)told;
    return ili_event_wait(member, object, IL_NOWAIT);
}

static il_status enqueue(struct ili_member *member, void *object, struct ili_agent *waiter,
                         uint64_t *told) {
    (void)told;
    return ili_event_enqueue(member, object, waiter);
}

static il_status withdraw(struct ili_member *member, void *object, struct ili_agent *waiter,
                          uint64_t *told) {
    (void)told;
    return ili_event_withdraw(member, object, waiter);
}

static void success(struct ili_out *out, uint64_t told) {
    (void)told;
    ili_out_key(out, "set");
    ili_out_bool(out, true);
}

void ili_events_wait(struct ili_request *request) {
    static const struct ili_awaited how = {
        .now = now, .enqueue = enqueue, .withdraw = withdraw, .success = success, .makes = true};
    ili_await(request, &how);
}
