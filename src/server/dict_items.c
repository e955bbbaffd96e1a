/* /v1/dicts/NAME/items/KEY: one entry, whose version is its ETag. */
#include <stdlib.h>

#include "server/dict_entry.h"
#include "server/dicts.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/reply.h"
#include "server/server.h"

void ili_dict_item_get(struct ili_request *request) {
    char room[IL_KEY_MAX_BYTES];
    struct ili_key key;
    struct ili_fault fault;
    struct ili_item item = {.room = IL_MESSAGE_MAX_BYTES};
    struct ili_out out = {0};
    if (ili_key_of_path(request, room, &key, &fault) != IL_OK) {
        ili_reply_fault(request, &fault);
        return;
    }
    struct ili_dict *dict = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!dict) return;
    il_status status =
        ili_dict_get(ili_server_member(request->server), dict, key.at, key.bytes, &item);
    ili_unpin(request->server, dict);
    if (status != IL_OK) {
        ili_dict_entry_refuse(request, status, &(struct ili_refusal){0}, NULL);
        return;
    }
    ili_dict_entry_write(&out, &key, &item);
    ili_out_close(&out, '}');
    request->version = item.version;
    ili_reply(request, 200, &out);
    free(item.data);
}

void ili_dict_item_put(struct ili_request *request) {
    char room[IL_KEY_MAX_BYTES];
    struct ili_key key;
    struct ili_fault fault;
    struct ili_item_fields fields = {0};
    struct ili_payload message;
    struct ili_precondition condition;
    const struct ili_param params[] = {ILI_ITEM_PARAMS(&fields)};
    il_status status = ili_key_of_path(request, room, &key, &fault);
    if (status == IL_OK) status = ili_precondition_read(request, &condition, &fault);
    if (status == IL_OK) {
        status = ili_params_read(request->body, request->body_bytes, params, 3, &fault);
    }
    if (status == IL_OK) status = ili_item_read(&fields, "", &message, &fault);
    ili_item_drop(&fields);
    if (status == IL_OK) {
        ili_dict_entry_set(request, &key, &message, &condition);
    } else {
        ili_reply_fault(request, &fault);
    }
}

void ili_dict_item_delete(struct ili_request *request) {
    char room[IL_KEY_MAX_BYTES];
    struct ili_key key;
    struct ili_fault fault;
    struct ili_precondition condition;
    struct ili_refusal refusal = {0};
    uint64_t version;
    il_status status = ili_key_of_path(request, room, &key, &fault);
    if (status == IL_OK) status = ili_precondition_read_match(request, &condition, &fault);
    if (status != IL_OK) {
        ili_reply_fault(request, &fault);
        return;
    }
    struct ili_dict *dict = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!dict) return;
    status = ili_dict_entry_remove(request, dict, &key, &condition, &version, &refusal);
    ili_unpin(request->server, dict);
    if (status == IL_OK) {
        ili_reply_empty(request, 0);
    } else {
        ili_dict_entry_refuse(request, status, &refusal, &condition);
    }
}
