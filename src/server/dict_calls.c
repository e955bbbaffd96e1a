/* What is done with one entry of a dict, whose key is in the body. */
#include <stdlib.h>

#include "server/dict_entry.h"
#include "server/dicts.h"
#include "server/limits.h"
#include "server/params.h"
#include "server/payloads.h"
#include "server/pin.h"
#include "server/refusal.h"
#include "server/reply.h"
#include "server/server.h"

#define MAX_BYTES_MOST INT64_C(9007199254740991) /* what every JSON reader takes as it is */

/* What a call may have in its body. */
struct fields {
    struct ili_value key_value, fallback; /* json is owned */
    struct ili_item_fields item;
    struct ili_key key;
    struct ili_payload message;
    uint64_t version;
};

/* Reads the body: a key, with MESSAGE a message, and the COUNT other PARAMS. False: it was answered. */
static bool read_fields(struct ili_request *request, struct fields *f, bool message,
                        const struct ili_param *params, size_t count) {
    struct ili_fault fault;
    il_status status = ili_params_read(request->body, request->body_bytes, params, count, &fault);
    if (status == IL_OK) status = ili_key_read(&f->key_value, "key", &f->key, &fault);
    if (status == IL_OK && message) status = ili_item_read(&f->item, "", &f->message, &fault);
    json_decref(f->key_value.json);
    ili_item_drop(&f->item);
    if (status == IL_OK) return true;
    ili_reply_fault(request, &fault);
    return false;
}

static bool read_key(struct ili_request *request, struct fields *f) {
    const struct ili_param params[] = {ILI_PARAM_VALUE("key", &f->key_value)};
    return read_fields(request, f, false, params, 1);
}

/* Answers that NEEDED bytes are more than the client takes. */
static void refuse_too_long(struct ili_request *request, uint64_t needed) {
    ili_reply_problem_done(request, IL_ETOOBIG, "what would be answered is longer than max_bytes",
                           "bytes", needed);
}

/* Answers with what was read or removed, and frees it. */
static void reply_item(struct ili_request *request, il_status status, const struct ili_key *key,
                       struct ili_item *item) {
    struct ili_out out = {0};
    if (status == IL_ETOOBIG) {
        refuse_too_long(request, item->bytes);
        return;
    }
    if (status != IL_OK) {
        ili_dict_entry_refuse(request, status, &(struct ili_refusal){0}, NULL);
        return;
    }
    ili_dict_entry_write(&out, key, item);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
    free(item->data);
}

void ili_dict_call_get(struct ili_request *request) {
    struct fields f = {0};
    struct ili_item item = {.room = IL_MESSAGE_MAX_BYTES};
    if (!read_key(request, &f)) return;
    struct ili_dict *dict = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!dict) return;
    il_status status =
        ili_dict_get(ili_server_member(request->server), dict, f.key.at, f.key.bytes, &item);
    ili_unpin(request->server, dict);
    reply_item(request, status, &f.key, &item);
}

void ili_dict_call_set(struct ili_request *request) {
    struct fields f = {.version = IL_VERSION_ANY};
    const struct ili_param params[] = {ILI_PARAM_VALUE("key", &f.key_value),
                                       ILI_ITEM_PARAMS(&f.item),
                                       ILI_PARAM_VERSION("version", &f.version)};
    if (!read_fields(request, &f, true, params, 5)) return;
    const struct ili_precondition condition = {.version = f.version};
    ili_dict_entry_set(request, &f.key, &f.message, &condition);
}

void ili_dict_call_remove(struct ili_request *request) {
    struct fields f = {.version = IL_VERSION_ANY};
    struct ili_refusal refusal = {0};
    uint64_t version = 0;
    const struct ili_param params[] = {ILI_PARAM_VALUE("key", &f.key_value),
                                       ILI_PARAM_VERSION("version", &f.version)};
    if (!read_fields(request, &f, false, params, 2)) return;
    struct ili_dict *dict = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!dict) return;
    const struct ili_precondition condition = {
        .version = f.version, .field = f.version == IL_VERSION_ANY ? NULL : "version"};
    il_status status = ili_dict_entry_remove(request, dict, &f.key, &condition, &version, &refusal);
    ili_unpin(request->server, dict);
    if (status == IL_OK) {
        ili_dict_entry_reply_version(request, &f.key, version);
    } else {
        ili_dict_entry_refuse(request, status, &refusal, NULL);
    }
}

void ili_dict_call_contains(struct ili_request *request) {
    struct fields f = {0};
    char nothing;
    struct ili_item item = {.data = &nothing, .room = 0};
    struct ili_out out = {0};
    if (!read_key(request, &f)) return;
    struct ili_dict *dict = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!dict) return;
    il_status status =
        ili_dict_get(ili_server_member(request->server), dict, f.key.at, f.key.bytes, &item);
    ili_unpin(request->server, dict);
    if (status != IL_OK && status != IL_ETOOBIG && status != IL_ENOKEY) {
        ili_reply_problem(request, status, NULL);
        return;
    }
    ili_out_open(&out, '{');
    ili_key_write(&out, &f.key);
    ili_out_key(&out, "contains");
    ili_out_bool(&out, status != IL_ENOKEY);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

void ili_dict_call_set_default(struct ili_request *request) {
    struct fields f = {0};
    struct ili_item item = {.room = IL_MESSAGE_MAX_BYTES};
    struct ili_refusal refusal = {0};
    struct ili_out out = {0};
    bool created = false;
    const struct ili_param params[] = {ILI_PARAM_VALUE("key", &f.key_value),
                                       ILI_ITEM_PARAMS(&f.item),
                                       ILI_PARAM_COUNT("max_bytes", &item.room, 0, MAX_BYTES_MOST)};
    if (!read_fields(request, &f, true, params, 5)) return;
    struct ili_dict *dict = ili_objects_pin(request, 0);
    if (!dict) return;
    const struct ili_dict_change change = {IL_CHANGE_SET,  f.message.type, f.key.at,
                                           f.key.bytes,    f.message.data, f.message.bytes,
                                           IL_VERSION_NONE};
    il_status status = ili_dict_set_default(ili_server_member(request->server), dict, &change,
                                            &item, &created, &refusal);
    ili_unpin(request->server, dict);
    if (status == IL_ETOOBIG) {
        refuse_too_long(request, item.bytes);
        return;
    }
    if (status != IL_OK) {
        ili_dict_entry_refuse(request, status, &refusal, NULL);
        return;
    }
    ili_dict_entry_write(&out, &f.key, &item);
    ili_out_key(&out, "created");
    ili_out_bool(&out, created);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
    free(item.data);
}

/* The key was not there: answers with the default. */
static void reply_fallback(struct ili_request *request, const struct fields *f) {
    struct ili_out out = {0};
    const struct ili_item item = {
        .data = f->fallback.at, .bytes = f->fallback.bytes, .type = IL_JSON};
    ili_dict_entry_write(&out, &f->key, &item);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

void ili_dict_call_pop(struct ili_request *request) {
    struct fields f = {0};
    struct ili_item item = {.room = IL_MESSAGE_MAX_BYTES};
    const struct ili_param params[] = {ILI_PARAM_VALUE("key", &f.key_value),
                                       ILI_PARAM_VALUE("default", &f.fallback),
                                       ILI_PARAM_COUNT("max_bytes", &item.room, 0, MAX_BYTES_MOST)};
    bool read = read_fields(request, &f, false, params, 3);
    bool has_fallback = f.fallback.json != NULL;
    json_decref(f.fallback.json);
    if (!read) return;
    struct ili_dict *dict = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!dict) return;
    il_status status = ili_dict_pop(ili_server_member(request->server), dict, f.key.at, f.key.bytes,
                                    IL_VERSION_ANY, &item, NULL);
    ili_unpin(request->server, dict);
    if (status == IL_ENOKEY && has_fallback) {
        reply_fallback(request, &f);
    } else {
        reply_item(request, status, &f.key, &item);
    }
}

void ili_dict_call_pop_item(struct ili_request *request) {
    struct ili_dict_entry entry = {0};
    struct ili_out out = {0};
    uint64_t room = IL_MESSAGE_MAX_BYTES + IL_KEY_MAX_BYTES;
    const struct ili_param params[] = {ILI_PARAM_COUNT("max_bytes", &room, 0, MAX_BYTES_MOST)};
    if (!ili_request_read(request, params, 1)) return;
    struct ili_dict *dict = ili_objects_pin(request, ILI_OPEN_EXISTING);
    if (!dict) return;
    il_status status =
        ili_dict_pop_item(ili_server_member(request->server), dict, NULL, room, &entry);
    ili_unpin(request->server, dict);
    if (status == IL_ETOOBIG) {
        refuse_too_long(request, entry.key_bytes + entry.item.bytes);
        return;
    }
    if (status != IL_OK) {
        ili_reply_problem(request, status, status == IL_ENOKEY ? "the dict is empty" : NULL);
        return;
    }
    ili_dict_entry_write(&out, &(struct ili_key){entry.key, entry.key_bytes}, &entry.item);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
    free(entry.key);
}
