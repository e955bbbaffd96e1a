#include "server/dicts.h"

#include <string.h>

#include "server/limits.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/refusal.h"
#include "server/reply.h"
#include "server/server.h"

#define COPY_TRIES 100 /* to open what others make and delete at the same time */

static void differ(const void *object, const void *options, struct ili_difference *difference) {
    struct ili_dict_view view;
    ili_dict_look(object, &view);
    ili_limits_differ(&view.limits, options, difference);
}

static void view(struct ili_out *out, struct ili_server *server, const void *object, bool whole) {
    struct ili_dict_view seen;
    (void)server, (void)whole;
    ili_dict_look(object, &seen);
    ili_limits_write_view(out, &(struct ili_data_view){&seen.limits, seen.length, seen.version,
                                                       seen.used_bytes, seen.watchers});
}

const struct ili_collection ili_dicts = {
    .name = "dicts",
    .kind = &ili_dict_kind,
    .read = ili_limits_read,
    .defaults = ili_limits_defaults,
    .differ = differ,
    .view = view,
};

void ili_dicts_length(struct ili_request *request) {
    struct ili_dict_view seen;
    if (!ili_request_read(request, NULL, 0)) return;
    struct ili_dict *dict = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!dict) return;
    ili_dict_look(dict, &seen);
    ili_unpin(request->server, dict);
    ili_limits_reply_length(request, seen.length, seen.version);
}

void ili_dicts_clear(struct ili_request *request) {
    if (!ili_request_read(request, NULL, 0)) return;
    struct ili_dict *dict = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!dict) return;
    ili_objects_reply(request, ili_dict_clear(ili_server_member(request->server), dict), dict);
}

/* ---- copy ----------------------------------------------------------------------------------------- */

/* Opens the dict NAME, which is made with the limits that DICT has. */
static il_status open_other(struct ili_request *request, const struct ili_dict *dict,
                            const char *name, struct ili_dict **other) {
    size_t bytes = strlen(name);
    void *object = NULL;
    struct ili_dict_view seen;
    il_status status = IL_EBUSY;
    ili_dict_look(dict, &seen);
    for (int tries = 0; tries < COPY_TRIES; tries++) {
        status = ili_pin_name(request->server, &ili_dict_kind, name, bytes, NULL, ILI_OPEN_EXISTING,
                              NULL, &object);
        if (status != IL_ENOTFOUND) break;
        status = ili_pin_name(request->server, &ili_dict_kind, name, bytes, &seen.limits, 0, NULL,
                              &object);
        if (status != IL_ECONFLICT) break;
        status = IL_EBUSY;
    }
    *other = object;
    return status;
}

static void reply_copy(struct ili_request *request, const char *to, const struct ili_dict *other) {
    struct ili_dict_view seen;
    struct ili_out out = {0};
    ili_dict_look(other, &seen);
    ili_out_open(&out, '{');
    ili_out_key(&out, "to");
    ili_out_string(&out, to);
    ili_out_key(&out, "length");
    ili_out_number(&out, seen.length);
    ili_limits_write_version(&out, "version", seen.version);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

static void copy(struct ili_request *request, struct ili_dict *dict, const char *to) {
    struct ili_dict *other = NULL;
    struct ili_refusal refusal = {0};
    const struct ili_blame blame = {.place = "to", .version = "to"};
    il_status status = open_other(request, dict, to, &other);
    if (status == IL_OK) {
        status = ili_dict_copy(ili_server_member(request->server), dict, other, &refusal);
    }
    if (status == IL_OK) {
        reply_copy(request, to, other);
    } else {
        ili_refusal_reply(request, status, &refusal, &blame);
    }
    if (other) ili_unpin(request->server, other);
}

void ili_dicts_copy(struct ili_request *request) {
    char to[IL_NAME_MAX_BYTES + 1];
    struct ili_fault fault;
    const struct ili_param params[] = {{"to", ILI_PARAM_IS_TEXT, to, 1, IL_NAME_MAX_BYTES, true}};
    if (!ili_request_read(request, params, 1)) return;
    if (strlen(to) == request->name_bytes && memcmp(to, request->name, request->name_bytes) == 0) {
        ili_fault_expected(&fault, "to", "another dict");
        ili_reply_fault(request, &fault);
        return;
    }
    struct ili_dict *dict = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!dict) return;
    copy(request, dict, to);
    ili_unpin(request->server, dict);
}
