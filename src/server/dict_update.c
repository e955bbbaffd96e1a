/* POST /v1/dicts/NAME/update: several changes, all of them in one step, or none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/dict_entry.h"
#include "server/dicts.h"
#include "server/limits.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/refusal.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/update.h"

struct updating {
    struct ili_value changes, items; /* json is owned */
    struct ili_dict_change *list;    /* owned */
    const char **places;             /* owned: the field of each that has its key */
    size_t count;
};

static il_status make_room(void *context, size_t count, struct ili_fault *fault) {
    struct updating *u = context;
    u->list = calloc(count ? count : 1, sizeof *u->list);
    u->places = calloc(count ? count : 1, sizeof *u->places);
    if (u->list && u->places) return IL_OK;
    return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "the server has no memory for the changes");
}

static void add(struct updating *u, uint32_t what, const char *place, const struct ili_key *key,
                const struct ili_payload *message, uint64_t version) {
    u->places[u->count] = place;
    u->list[u->count++] = (struct ili_dict_change){
        .what = what,
        .type = message->type,
        .key = key->at,
        .key_bytes = key->bytes,
        .data = message->data,
        .bytes = message->bytes,
        .version = version,
    };
}

/* ---- changes -------------------------------------------------------------------------------------- */

struct fields {
    struct ili_value set, remove, expect; /* json is owned */
    struct ili_item_fields item;
    uint64_t version;
};

static il_status read_kind(struct updating *u, const struct fields *f, struct ili_fault *fault) {
    struct ili_payload message = {NULL, 0, 0};
    struct ili_key key;
    bool has_message = f->item.json.json || f->item.text.json || f->item.base64.json;
    uint32_t what = IL_CHANGE_SET;
    const char *place = "set";
    const struct ili_value *named = &f->set;
    if (!!f->set.json + !!f->remove.json + !!f->expect.json != 1) {
        return ili_fault_expected(fault, NULL, "exactly one of set, remove and expect");
    }
    if (f->remove.json) {
        what = IL_CHANGE_REMOVE;
        place = "remove";
        named = &f->remove;
    } else if (f->expect.json) {
        what = IL_CHANGE_EXPECT;
        place = "expect";
        named = &f->expect;
    }
    if (what == IL_CHANGE_EXPECT && f->version == IL_VERSION_ANY) {
        return ili_fault_expected(fault, "version", "to be given beside expect");
    }
    if (what != IL_CHANGE_SET && has_message) {
        return ili_fault_expected(fault, NULL, "a message only beside set");
    }
    il_status status = ili_key_read(named, place, &key, fault);
    if (status == IL_OK && what == IL_CHANGE_SET) {
        status = ili_item_read(&f->item, "", &message, fault);
        /* the item is the change itself */
        if (status != IL_OK && strcmp(fault->field, "body") == 0) *fault->field = 0;
    }
    if (status == IL_OK) add(u, what, place, &key, &message, f->version);
    return status;
}

static il_status read_change(void *context, const struct ili_value *value,
                             struct ili_fault *fault) {
    struct fields f = {.version = IL_VERSION_ANY};
    const struct ili_param params[] = {
        ILI_PARAM_VALUE("set", &f.set), ILI_PARAM_VALUE("remove", &f.remove),
        ILI_PARAM_VALUE("expect", &f.expect), ILI_PARAM_VERSION("version", &f.version),
        ILI_ITEM_PARAMS(&f.item)};
    il_status status = ili_params_read_value(value, params, 7, fault);
    if (status == IL_OK) status = read_kind(context, &f, fault);
    json_decref(f.set.json);
    json_decref(f.remove.json);
    json_decref(f.expect.json);
    ili_item_drop(&f.item);
    return status;
}

/* ---- items ---------------------------------------------------------------------------------------- */

static il_status read_items(struct updating *u, struct ili_fault *fault) {
    struct ili_value_walk walk = {0};
    struct ili_value value;
    if (!json_is_object(u->items.json) || json_object_size(u->items.json) > ILI_UPDATE_MOST) {
        return ili_fault_expected(fault, "items", "an object of at most 65536 members");
    }
    il_status status = make_room(u, json_object_size(u->items.json), fault);
    while (status == IL_OK && ili_value_next(&u->items, &walk, &value)) {
        char where[72];
        struct ili_payload message;
        const struct ili_key key = {walk.key, strlen(walk.key)};
        snprintf(where, sizeof where, "items.%.60s", walk.key);
        status = ili_key_check(&key, where, fault);
        if (status == IL_OK) status = ili_item_read_json(&value, where, &message, fault);
        if (status == IL_OK) add(u, IL_CHANGE_SET, "items", &key, &message, IL_VERSION_ANY);
    }
    return status;
}

static void update(struct ili_request *request, const struct updating *u) {
    const struct ili_blame blame = {.array = "changes", .places = u->places, .version = "version"};
    struct ili_refusal refusal = {0};
    struct ili_dict_view seen;
    struct ili_out out = {0};
    uint64_t version = 0;
    struct ili_dict *dict = ili_objects_pin(request, 0);
    if (!dict) return;
    il_status status = IL_OK;
    if (u->count > 0) {
        status = ili_dict_update(ili_server_member(request->server), dict, u->list, u->count,
                                 &version, &refusal);
    } else {
        ili_dict_look(dict, &seen);
        version = seen.version;
    }
    ili_unpin(request->server, dict);
    if (status != IL_OK) {
        ili_refusal_reply(request, status, &refusal, &blame);
        return;
    }
    ili_out_open(&out, '{');
    ili_out_key(&out, "changes");
    ili_out_number(&out, u->count);
    ili_limits_write_version(&out, "version", version);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

void ili_dicts_update(struct ili_request *request) {
    struct updating u = {0};
    struct ili_fault fault;
    const struct ili_param params[] = {ILI_PARAM_VALUE("changes", &u.changes),
                                       ILI_PARAM_VALUE("items", &u.items)};
    il_status status = ili_params_read(request->body, request->body_bytes, params, 2, &fault);
    if (status == IL_OK && !u.changes.json == !u.items.json) {
        status = ili_fault_expected(&fault, "body", "exactly one of changes and items");
    }
    if (status == IL_OK && u.changes.json) {
        status = ili_update_read(&u.changes, &u, make_room, read_change, &fault);
    } else if (status == IL_OK) {
        status = read_items(&u, &fault);
    }
    if (status == IL_OK) {
        update(request, &u);
    } else {
        ili_reply_fault(request, &fault);
    }
    json_decref(u.changes.json);
    json_decref(u.items.json);
    free(u.list);
    free(u.places);
}
