#include "server/barriers.h"

#include <stdio.h>

#include "server/await.h"
#include "server/params.h"
#include "server/reply.h"
#include "server/server.h"
#include "sync/barrier.h"

static bool read_options(struct ili_request *request, union ili_object_options *room,
                         const void **options) {
    uint64_t parties = 0;
    const struct ili_param params[] = {ILI_PARAM_COUNT("parties", &parties, 1, IL_BARRIER_MAX)};
    if (!ili_request_read(request, params, 1)) return false;
    room->number = (uint32_t)parties;
    if (parties > 0) *options = &room->number;
    return true;
}

static void differ(const void *object, const void *options, struct ili_difference *difference) {
    struct ili_barrier_view seen;
    ili_barrier_look(object, &seen);
    snprintf(difference->has, sizeof difference->has, "parties=%u", seen.parties);
    snprintf(difference->asked, sizeof difference->asked, "parties=%u", *(const uint32_t *)options);
}

static void view(struct ili_out *out, struct ili_server *server, const void *object, bool whole) {
    struct ili_barrier_view seen;
    (void)server, (void)whole;
    ili_barrier_look(object, &seen);
    ili_out_key(out, "parties");
    ili_out_number(out, seen.parties);
    ili_out_key(out, "waiting");
    ili_out_number(out, seen.waiting);
    ili_out_key(out, "broken");
    ili_out_bool(out, seen.broken);
}

const struct ili_collection ili_barriers = {
    .name = "barriers",
    .kind = &ili_barrier_kind,
    .read = read_options,
    .needed = "parties",
    .differ = differ,
    .view = view,
};

static void change(struct ili_request *request,
                   il_status (*how)(struct ili_member *member, struct ili_barrier *barrier)) {
    if (!ili_request_read(request, NULL, 0)) return;
    struct ili_barrier *barrier = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!barrier) return;
    ili_objects_reply(request, how(ili_server_member(request->server), barrier), barrier);
}

void ili_barriers_reset(struct ili_request *request) { change(request, ili_barrier_reset); }

void ili_barriers_abort(struct ili_request *request) { change(request, ili_barrier_abort); }

/* ---- waiting -------------------------------------------------------------------------------------- */

static il_status now(struct ili_member *member, void *object, uint64_t *told) {
    uint32_t index = 0;
    il_status status = ili_barrier_wait(member, object, IL_NOWAIT, &index);
    *told = index;
    return status;
}

static il_status enqueue(struct ili_member *member, void *object, struct ili_agent *waiter,
                         uint64_t *told) {
    *told = 0; /* the last has it */
    return ili_barrier_enqueue(member, object, waiter);
}

static il_status withdraw(struct ili_member *member, void *object, struct ili_agent *waiter,
                          uint64_t *told) {
    uint32_t index = 0;
    il_status status = ili_barrier_withdraw(member, object, waiter, &index);
    *told = index;
    return status;
}

static void success(struct ili_out *out, uint64_t told) {
    ili_out_key(out, "index");
    ili_out_number(out, told);
}

void ili_barriers_wait(struct ili_request *request) {
    static const struct ili_awaited how = {.now = now,
                                           .enqueue = enqueue,
                                           .withdraw = withdraw,
                                           .success = success,
                                           .commits = true,
                                           .named = true};
    ili_await(request, &how);
}
