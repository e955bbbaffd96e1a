#include "server/lists.h"

#include <stdio.h>

#include "base/json_order.h"
#include "server/limits.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/refusal.h"
#include "server/reply.h"
#include "server/server.h"

static void differ(const void *object, const void *options, struct ili_difference *difference) {
    struct ili_list_view view;
    ili_list_look(object, &view);
    ili_limits_differ(&view.limits, options, difference);
}

static void view(struct ili_out *out, struct ili_server *server, const void *object, bool whole) {
    struct ili_list_view seen;
    (void)server, (void)whole;
    ili_list_look(object, &seen);
    ili_limits_write_view(out, &(struct ili_data_view){&seen.limits, seen.length, seen.version,
                                                       seen.used_bytes, seen.watchers});
}

const struct ili_collection ili_lists = {
    .name = "lists",
    .kind = &ili_list_kind,
    .read = ili_limits_read,
    .defaults = ili_limits_defaults,
    .differ = differ,
    .view = view,
};

void ili_list_reply_changed(struct ili_request *request, struct ili_list *list, il_status status,
                            uint64_t version, const struct ili_refusal *refusal) {
    const struct ili_blame blame = {.place = "index", .version = "version"};
    struct ili_list_view seen;
    ili_list_look(list, &seen);
    ili_unpin(request->server, list);
    if (status == IL_OK) {
        ili_limits_reply_length(request, seen.length, version);
    } else {
        ili_refusal_reply(request, status, refusal, &blame);
    }
}

void ili_lists_length(struct ili_request *request) {
    struct ili_list_view seen;
    if (!ili_request_read(request, NULL, 0)) return;
    struct ili_list *list = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!list) return;
    ili_list_look(list, &seen);
    ili_unpin(request->server, list);
    ili_limits_reply_length(request, seen.length, seen.version);
}

void ili_lists_clear(struct ili_request *request) {
    struct ili_refusal refusal = {0};
    uint64_t version = 0;
    if (!ili_request_read(request, NULL, 0)) return;
    struct ili_list *list = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!list) return;
    il_status status = ili_list_splice(ili_server_member(request->server), list, 0, INT64_MAX, NULL,
                                       0, IL_VERSION_ANY, &version, &refusal);
    ili_objects_reply(request, status, list);
}

void ili_lists_reverse(struct ili_request *request) {
    if (!ili_request_read(request, NULL, 0)) return;
    struct ili_list *list = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!list) return;
    ili_objects_reply(request, ili_list_reverse(ili_server_member(request->server), list), list);
}

/* ---- sort ----------------------------------------------------------------------------------------- */

static void reply_types(struct ili_request *request, const struct ili_refusal *refusal) {
    struct ili_out members = {0};
    char detail[120];
    const char *has = ili_order_type_name(refusal->has);
    const char *asked = ili_order_type_name(refusal->asked);
    snprintf(detail, sizeof detail, "%s and %s have no order", has, asked);
    ili_out_key(&members, "has");
    ili_out_string(&members, has);
    ili_out_key(&members, "asked");
    ili_out_string(&members, asked);
    ili_reply_problem_with(request, IL_ETYPE, detail, false, &members);
}

void ili_lists_sort(struct ili_request *request) {
    struct ili_refusal refusal = {0};
    bool descending = false;
    const struct ili_param params[] = {ILI_PARAM_BOOL("descending", &descending)};
    if (!ili_request_read(request, params, 1)) return;
    struct ili_list *list = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!list) return;
    il_status status =
        ili_list_sort(ili_server_member(request->server), list, descending, &refusal);
    if (status != IL_ETYPE) {
        ili_objects_reply(request, status, list);
        return;
    }
    ili_unpin(request->server, list);
    reply_types(request, &refusal);
}
