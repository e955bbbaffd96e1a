/* /v1/lists/NAME/items/INDEX: one item, whose version is its ETag; and pop. */
#include <stdlib.h>

#include "server/item.h"
#include "server/limits.h"
#include "server/lists.h"
#include "server/params.h"
#include "server/path.h"
#include "server/payloads.h"
#include "server/pin.h"
#include "server/preconditions.h"
#include "server/refusal.h"
#include "server/reply.h"
#include "server/server.h"

#define INDEX_TEXT_BYTES 24

static il_status index_of_path(const struct ili_request *request, int64_t *index,
                               struct ili_fault *fault) {
    char text[INDEX_TEXT_BYTES];
    size_t bytes = 0;
    if (!ili_percent_decode(request->part, request->part_bytes, text, sizeof text, &bytes)) {
        bytes = 0; /* no integer is as long, and none is empty */
    }
    return ili_params_integer("index", text, bytes, -ILI_INDEX_MOST, ILI_INDEX_MOST, index, fault);
}

static void refuse(struct ili_request *request, il_status status, const struct ili_refusal *refusal,
                   const struct ili_precondition *condition) {
    const char *version = condition && condition->field ? condition->field : "version";
    const struct ili_blame blame = {.place = "index", .version = version};
    ili_refusal_reply(request, status, refusal, &blame);
}

/* Answers with what was read or removed, and frees it. */
static void reply_item(struct ili_request *request, int64_t index, struct ili_item *item) {
    struct ili_out out = {0};
    ili_out_open(&out, '{');
    ili_out_key(&out, "index");
    ili_out_signed(&out, index);
    ili_payload_write_item(&out, item);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
    free(item->data);
}

void ili_list_item_get(struct ili_request *request) {
    int64_t index;
    struct ili_fault fault;
    struct ili_refusal refusal = {0};
    struct ili_item item = {.room = IL_MESSAGE_MAX_BYTES};
    if (index_of_path(request, &index, &fault) != IL_OK) {
        ili_reply_fault(request, &fault);
        return;
    }
    struct ili_list *list = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!list) return;
    il_status status =
        ili_list_get(ili_server_member(request->server), list, index, &item, &refusal);
    ili_unpin(request->server, list);
    if (status == IL_OK) {
        request->version = item.version;
        reply_item(request, index, &item);
    } else {
        refuse(request, status, &refusal, NULL);
    }
}

/* An index that is none is there with no version: a precondition fails. */
static il_status as_condition(il_status status, const struct ili_precondition *condition,
                              struct ili_refusal *refusal) {
    if (status != IL_ERANGE || !condition->field) return status;
    refusal->version = 0;
    return IL_ECHANGED;
}

static void set(struct ili_request *request, int64_t index, const struct ili_payload *message,
                const struct ili_precondition *condition) {
    struct ili_refusal refusal = {0};
    struct ili_out out = {0};
    uint64_t now = 0;
    struct ili_list *list = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!list) return;
    il_status status = ili_list_set(ili_server_member(request->server), list, index, message,
                                    condition->version, &now, &refusal);
    status = as_condition(status, condition, &refusal);
    ili_unpin(request->server, list);
    if (status != IL_OK) {
        refuse(request, status, &refusal, condition);
        return;
    }
    ili_out_open(&out, '{');
    ili_out_key(&out, "index");
    ili_out_signed(&out, index);
    ili_limits_write_version(&out, "version", now);
    ili_out_close(&out, '}');
    request->version = now;
    ili_reply(request, 200, &out);
}

void ili_list_item_put(struct ili_request *request) {
    int64_t index;
    struct ili_fault fault;
    struct ili_item_fields fields = {0};
    struct ili_payload message;
    struct ili_precondition condition;
    const struct ili_param params[] = {ILI_ITEM_PARAMS(&fields)};
    il_status status = index_of_path(request, &index, &fault);
    if (status == IL_OK) status = ili_precondition_read_match(request, &condition, &fault);
    if (status == IL_OK) {
        status = ili_params_read(request->body, request->body_bytes, params, 3, &fault);
    }
    if (status == IL_OK) status = ili_item_read(&fields, "", &message, &fault);
    ili_item_drop(&fields);
    if (status == IL_OK) {
        set(request, index, &message, &condition);
    } else {
        ili_reply_fault(request, &fault);
    }
}

void ili_list_item_delete(struct ili_request *request) {
    int64_t index;
    struct ili_fault fault;
    struct ili_precondition condition;
    struct ili_refusal refusal = {0};
    il_status status = index_of_path(request, &index, &fault);
    if (status == IL_OK) status = ili_precondition_read_match(request, &condition, &fault);
    if (status != IL_OK) {
        ili_reply_fault(request, &fault);
        return;
    }
    struct ili_list *list = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!list) return;
    status = ili_list_pop(ili_server_member(request->server), list, index, condition.version, NULL,
                          &refusal);
    status = as_condition(status, &condition, &refusal);
    ili_unpin(request->server, list);
    if (status == IL_OK) {
        ili_reply_empty(request, 0);
    } else {
        refuse(request, status, &refusal, &condition);
    }
}

void ili_list_call_pop(struct ili_request *request) {
    int64_t index = -1;
    uint64_t version = IL_VERSION_ANY;
    struct ili_item item = {.room = IL_MESSAGE_MAX_BYTES};
    struct ili_refusal refusal = {0};
    const struct ili_param params[] = {ILI_PARAM_INDEX("index", &index),
                                       ILI_PARAM_VERSION("version", &version),
                                       ILI_PARAM_COUNT("max_bytes", &item.room, 0, ILI_INDEX_MOST)};
    if (!ili_request_read(request, params, 3)) return;
    struct ili_list *list = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!list) return;
    il_status status =
        ili_list_pop(ili_server_member(request->server), list, index, version, &item, &refusal);
    ili_unpin(request->server, list);
    if (status == IL_OK) {
        reply_item(request, index, &item);
    } else if (status == IL_ETOOBIG) {
        ili_reply_problem_done(request, status, "the item is longer than max_bytes", "bytes",
                               item.bytes);
    } else {
        refuse(request, status, &refusal, NULL);
    }
}
