/*
 * dict.c - see dict.h; the calls about many entries are in dict_walk.c.
 *
 * A key is any text, which a path could not hold, so all that is done with an entry is a POST with the key in
 * its body. What is taken out, but does not fit into the caller's buffer, must stay in the dict, and only the server
 * can see to that: `max_bytes` says what fits.
 */
#include "client/dict.h"

#include <stdlib.h>

#include "client/item.h"
#include "client/message.h"

il_status ili_remote_dict_open(struct ili_remote_domain *domain, const char *name,
                               size_t name_bytes, const il_data_options *options,
                               struct ili_remote_dict **out) {
    struct ili_remote_dict *dict = NULL;
    il_status status =
        ili_remote_object_new(domain, IL_KIND_DICT, name, name_bytes, sizeof *dict, (void **)&dict);
    if (status != IL_OK) return status;
    struct ili_call call;
    ili_remote_object_begin(&call, &dict->object, "PUT", NULL);
    if (options) ili_item_options(&call, options);
    status = ili_remote_object_open(&call, !options);
    if (status == IL_OK) {
        *out = dict;
    } else {
        free(dict);
    }
    return status;
}

il_status ili_remote_dict_close(struct ili_remote_dict *dict) {
    free(dict);
    return IL_OK;
}

il_status ili_remote_dict_delete(struct ili_remote_domain *domain, const char *name,
                                 size_t name_bytes) {
    return ili_remote_object_delete(domain, IL_KIND_DICT, name, name_bytes);
}

/* Begins the POST of OPERATION about KEY. CALL is to be ended also after a failure. */
static il_status begin(struct ili_call *call, const struct ili_remote_dict *dict,
                       const char *operation, const char *key, size_t key_bytes) {
    ili_remote_object_begin(call, &dict->object, "POST", operation);
    ili_call_field_text(call, "key", key ? key : "", key_bytes);
    return ili_remote_domain_check(dict->object.domain);
}

static il_status run(struct ili_call *call) { return ili_remote_object_gone(ili_call_run(call)); }

il_status ili_remote_dict_get(struct ili_remote_dict *dict, const char *key, size_t key_bytes,
                              void *buffer, size_t capacity, il_item *item) {
    struct ili_call call;
    if (!buffer) capacity = 0;
    il_status status = begin(&call, dict, "get", key, key_bytes);
    call.answer_max += ili_message_spread(IL_MESSAGE_MAX_BYTES);
    if (status == IL_OK) status = run(&call);
    status = ili_item_deliver(&call, status, buffer, capacity, item);
    ili_call_end(&call);
    return status;
}

il_status ili_remote_dict_contains(struct ili_remote_dict *dict, const char *key, size_t key_bytes,
                                   int32_t *found) {
    struct ili_call call;
    il_status status = begin(&call, dict, "contains", key, key_bytes);
    if (status == IL_OK) status = run(&call);
    if (status == IL_OK) {
        struct ili_json told = ili_json_member(call.object, "contains");
        if (json_is_boolean(told.json)) {
            *found = ili_json_is(told, "true");
        } else {
            status = ili_call_nonsense(&call, "something that lacks a flag");
        }
    }
    ili_call_end(&call);
    return status;
}

il_status ili_remote_dict_set(struct ili_remote_dict *dict, const char *key, size_t key_bytes,
                              const il_message *message, uint64_t *version) {
    struct ili_call call;
    il_status status = begin(&call, dict, "set", key, key_bytes);
    call.keyed = true;
    if (status == IL_OK) status = ili_item_write(&call, message);
    if (version) ili_item_expect(&call.body, *version);
    if (status == IL_OK) status = run(&call);
    if (status == IL_OK) status = ili_item_version(&call, version);
    ili_call_end(&call);
    return status;
}

il_status ili_remote_dict_set_default(struct ili_remote_dict *dict, const char *key,
                                      size_t key_bytes, const il_message *message, void *buffer,
                                      size_t capacity, il_item *item, int32_t *created) {
    struct ili_call call;
    int32_t was_set = 0;
    if (!buffer) capacity = 0;
    il_status status = begin(&call, dict, "setdefault", key, key_bytes);
    call.keyed = true;
    if (status == IL_OK) status = ili_item_write(&call, message);
    ili_item_fits(&call, capacity);
    if (status == IL_OK) status = run(&call);
    status = ili_item_deliver(&call, status, buffer, capacity, item);
    if (status == IL_OK) was_set = ili_json_is(ili_json_member(call.object, "created"), "true");
    if (status == IL_OK && created) *created = was_set;
    ili_call_end(&call);
    return status;
}

il_status ili_remote_dict_remove(struct ili_remote_dict *dict, const char *key, size_t key_bytes,
                                 uint64_t version) {
    struct ili_call call;
    il_status status = begin(&call, dict, "remove", key, key_bytes);
    call.keyed = true;
    ili_item_expect(&call.body, version);
    if (status == IL_OK) status = run(&call);
    ili_call_end(&call);
    return status;
}

il_status ili_remote_dict_pop(struct ili_remote_dict *dict, const char *key, size_t key_bytes,
                              void *buffer, size_t capacity, il_item *item) {
    struct ili_call call;
    if (!buffer) capacity = 0;
    il_status status = begin(&call, dict, "pop", key, key_bytes);
    call.keyed = true;
    ili_item_fits(&call, capacity);
    if (status == IL_OK) status = run(&call);
    status = ili_item_deliver(&call, status, buffer, capacity, item);
    ili_call_end(&call);
    return status;
}
