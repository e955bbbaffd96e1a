#include "server/latches.h"

#include <stdio.h>

#include "server/await.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/reply.h"
#include "server/server.h"
#include "sync/latch.h"

static bool read_options(struct ili_request *request, union ili_object_options *room,
                         const void **options) {
    uint64_t count = 1;
    const struct ili_param params[] = {ILI_PARAM_COUNT("count", &count, 0, IL_LATCH_MAX)};
    if (!ili_request_read(request, params, 1)) return false;
    room->number = (uint32_t)count;
    *options = &room->number;
    return true;
}

static void differ(const void *object, const void *options, struct ili_difference *difference) {
    struct ili_latch_view seen;
    ili_latch_look(object, &seen);
    snprintf(difference->has, sizeof difference->has, "count=%u", seen.start);
    snprintf(difference->asked, sizeof difference->asked, "count=%u", *(const uint32_t *)options);
}

static void write_fields(struct ili_out *out, const struct ili_latch_view *seen) {
    ili_out_key(out, "count");
    ili_out_number(out, seen->count);
    ili_out_key(out, "start");
    ili_out_number(out, seen->start);
    ili_out_key(out, "waiters");
    ili_out_number(out, seen->waiters);
}

static void view(struct ili_out *out, struct ili_server *server, const void *object, bool whole) {
    struct ili_latch_view seen;
    (void)server, (void)whole;
    ili_latch_look(object, &seen);
    write_fields(out, &seen);
}

const struct ili_collection ili_latches = {
    .name = "latches",
    .kind = &ili_latch_kind,
    .read = read_options,
    .differ = differ,
    .view = view,
};

void ili_latches_count_down(struct ili_request *request) {
    uint64_t count = 1;
    const struct ili_param params[] = {ILI_PARAM_COUNT("count", &count, 1, IL_LATCH_MAX)};
    if (!ili_request_read(request, params, 1)) return;
    struct ili_latch *latch = ili_objects_pin(request, 0);
    if (!latch) return;
    struct ili_member *member = ili_server_member(request->server);
    struct ili_latch_view seen;
    struct ili_out out = {0};
    uint32_t left = 0;
    il_status status = ili_latch_count_down(member, latch, (uint32_t)count, &left);
    if (status != IL_OK) {
        ili_objects_reply(request, status, latch);
        return;
    }
    ili_latch_look(latch, &seen);
    seen.count = left; /* what this very call left, whatever others have done since */
    ili_unpin(request->server, latch);
    ili_out_open(&out, '{');
    ili_out_key(&out, "name");
    ili_out_text(&out, request->name, request->name_bytes);
    write_fields(&out, &seen);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

/* ---- waiting -------------------------------------------------------------------------------------- */

static il_status now(struct ili_member *member, void *object, uint64_t *told) {
    (void)told;
    return ili_latch_wait(member, object, IL_NOWAIT);
}

static il_status enqueue(struct ili_member *member, void *object, struct ili_agent *waiter,
                         uint64_t *told) {
    (void)told;
    return ili_latch_enqueue(member, object, waiter);
}

static il_status withdraw(struct ili_member *member, void *object, struct ili_agent *waiter,
                          uint64_t *told) {
    (void)told;
    return ili_latch_withdraw(member, object, waiter);
}

static void success(struct ili_out *out, uint64_t told) {
    (void)told;
    ili_out_key(out, "count");
    ili_out_number(out, 0);
}

void ili_latches_wait(struct ili_request *request) {
    static const struct ili_awaited how = {
        .now = now, .enqueue = enqueue, .withdraw = withdraw, .success = success, .makes = true};
    ili_await(request, &how);
}
