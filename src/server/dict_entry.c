#include "server/dict_entry.h"

#include <stdlib.h>

#include "server/limits.h"
#include "server/objects.h"
#include "server/payloads.h"
#include "server/pin.h"
#include "server/refusal.h"
#include "server/reply.h"
#include "server/server.h"

#define TRIES_MOST 100 /* to set an entry that others set at the same time */

void ili_dict_entry_refuse(struct ili_request *request, il_status status,
                           const struct ili_refusal *refusal,
                           const struct ili_precondition *condition) {
    const char *version = condition && condition->field ? condition->field : "version";
    const struct ili_blame blame = {.place = "key", .version = version};
    ili_refusal_reply(request, status, refusal, &blame);
}

void ili_dict_entry_write(struct ili_out *out, const struct ili_key *key,
                          const struct ili_item *item) {
    ili_out_open(out, '{');
    ili_key_write(out, key);
    ili_payload_write_item(out, item);
}

void ili_dict_entry_reply_version(struct ili_request *request, const struct ili_key *key,
                                  uint64_t version) {
    struct ili_out out = {0};
    ili_out_open(&out, '{');
    ili_key_write(&out, key);
    ili_limits_write_version(&out, "version", version);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

/* The version that KEY has now. */
static il_status version_now(struct ili_request *request, struct ili_dict *dict,
                             const struct ili_dict_change *change, uint64_t *version) {
    struct ili_item item = {.room = IL_MESSAGE_MAX_BYTES};
    il_status status = ili_dict_get(ili_server_member(request->server), dict, change->key,
                                    change->key_bytes, &item);
    if (status == IL_OK) *version = item.version;
    free(item.data);
    return status;
}

/* Makes CHANGE to an entry that exists, with whatever version. IL_ECHANGED: it does not. */
static il_status change_existing(struct ili_request *request, struct ili_dict *dict,
                                 struct ili_dict_change *change, uint64_t *version,
                                 struct ili_refusal *refusal) {
    for (int tries = 0; tries < TRIES_MOST; tries++) {
        il_status status = version_now(request, dict, change, &change->version);
        if (status == IL_ENOKEY) {
            refusal->version = 0;
            return IL_ECHANGED;
        }
        if (status != IL_OK) return status;
        status =
            ili_dict_update(ili_server_member(request->server), dict, change, 1, version, refusal);
        if (status != IL_ECHANGED && status != IL_ENOKEY) return status;
    }
    return IL_EBUSY;
}

static il_status make_change(struct ili_request *request, struct ili_dict *dict,
                             struct ili_dict_change *change,
                             const struct ili_precondition *condition, uint64_t *version,
                             struct ili_refusal *refusal) {
    if (condition->exists) return change_existing(request, dict, change, version, refusal);
    change->version = condition->version;
    return ili_dict_update(ili_server_member(request->server), dict, change, 1, version, refusal);
}

void ili_dict_entry_set(struct ili_request *request, const struct ili_key *key,
                        const struct ili_payload *message,
                        const struct ili_precondition *condition) {
    struct ili_refusal refusal = {0};
    uint64_t version = 0;
    struct ili_dict_change change = {
        .what = IL_CHANGE_SET,
        .type = message->type,
        .key = key->at,
        .key_bytes = key->bytes,
        .data = message->data,
        .bytes = message->bytes,
    };
    struct ili_dict *dict = ili_objects_pin(request, 0);
    if (!dict) return;
    il_status status = make_change(request, dict, &change, condition, &version, &refusal);
    ili_unpin(request->server, dict);
    if (status == IL_OK) {
        request->version = request->part ? version : 0;
        ili_dict_entry_reply_version(request, key, version);
    } else {
        ili_dict_entry_refuse(request, status, &refusal, condition);
    }
}

il_status ili_dict_entry_remove(struct ili_request *request, struct ili_dict *dict,
                                const struct ili_key *key, const struct ili_precondition *condition,
                                uint64_t *version, struct ili_refusal *refusal) {
    struct ili_dict_change change = {
        .what = IL_CHANGE_REMOVE, .key = key->at, .key_bytes = key->bytes};
    il_status status = make_change(request, dict, &change, condition, version, refusal);
    /* If-Match of what is not there fails; an operation says what is amiss, as il_dict_remove() does */
    if (status == IL_ENOKEY && condition->field && request->part) {
        refusal->version = 0;
        return IL_ECHANGED;
    }
    return status;
}
