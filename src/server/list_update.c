/* POST /v1/lists/NAME/update: several changes, all of them in one step, or none; each sees those before it. */
#include <stdlib.h>
#include <string.h>

#include "server/item.h"
#include "server/limits.h"
#include "server/lists.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/refusal.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/update.h"

struct updating {
    struct ili_value changes;     /* json is owned */
    struct ili_list_change *list; /* owned */
    struct ili_payload *messages; /* owned: of each change one, or none */
    const char **places;          /* owned: the field of each that has its index */
    size_t count;
    uint64_t version; /* that the list must have */
};

/* The fields of a change; json is owned. */
struct fields {
    struct ili_value set, insert, remove, append;
    struct ili_item_fields item;
    uint64_t version;
};

static il_status make_room(void *context, size_t count, struct ili_fault *fault) {
    struct updating *u = context;
    if (count == 0) count = 1;
    u->list = calloc(count, sizeof *u->list);
    u->messages = calloc(count, sizeof *u->messages);
    u->places = calloc(count, sizeof *u->places);
    if (u->list && u->messages && u->places) return IL_OK;
    return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "the server has no memory for the changes");
}

static il_status read_index(const struct ili_value *value, const char *field, int64_t *index,
                            struct ili_fault *fault) {
    size_t bytes = json_is_number(value->json) ? value->bytes : 0;
    return ili_params_integer(field, value->at, bytes, -ILI_INDEX_MOST, ILI_INDEX_MOST, index,
                              fault);
}

/* Reads the message that stands beside an index. */
static il_status read_message(const struct fields *f, struct ili_payload *message,
                              struct ili_fault *fault) {
    il_status status = ili_item_read(&f->item, "", message, fault);
    /* the message is the change itself */
    if (status != IL_OK && strcmp(fault->field, "body") == 0) *fault->field = 0;
    return status;
}

/* One item, that must be there. */
static void point_at(struct ili_list_change *change, int64_t index) {
    change->start = index;
    change->stop = index + 1;
    change->exact = true;
}

static il_status read_kind(struct updating *u, const struct fields *f, struct ili_fault *fault) {
    struct ili_list_change *change = &u->list[u->count];
    struct ili_payload *message = &u->messages[u->count];
    bool has_message = f->item.json.json || f->item.text.json || f->item.base64.json;
    int64_t index = 0;
    il_status status = IL_OK;
    if (!!f->set.json + !!f->insert.json + !!f->remove.json + !!f->append.json != 1) {
        return ili_fault_expected(fault, NULL, "exactly one of set, insert, remove and append");
    }
    if (has_message && (f->remove.json || f->append.json)) {
        return ili_fault_expected(fault, NULL, "a message beside set and insert only");
    }
    if (f->version != IL_VERSION_ANY && (f->insert.json || f->append.json)) {
        return ili_fault_expected(fault, "version", "to be absent: what is added has none yet");
    }
    *change = (struct ili_list_change){.version = f->version, .messages = message, .count = 1};
    if (f->set.json) {
        u->places[u->count] = "set";
        status = read_index(&f->set, "set", &index, fault);
        if (status == IL_OK) status = read_message(f, message, fault);
        point_at(change, index);
    } else if (f->remove.json) {
        u->places[u->count] = "remove";
        status = read_index(&f->remove, "remove", &index, fault);
        point_at(change, index);
        change->messages = NULL;
        change->count = 0;
    } else if (f->insert.json) {
        u->places[u->count] = "insert";
        status = read_index(&f->insert, "insert", &index, fault);
        if (status == IL_OK) status = read_message(f, message, fault);
        change->start = change->stop = index;
    } else {
        u->places[u->count] = "append";
        status = ili_item_read_object(&f->append, "append", message, fault);
        change->start = change->stop = INT64_MAX;
    }
    if (status == IL_OK) u->count++;
    return status;
}

static il_status read_change(void *context, const struct ili_value *value,
                             struct ili_fault *fault) {
    struct fields f = {.version = IL_VERSION_ANY};
    const struct ili_param params[] = {ILI_PARAM_VALUE("set", &f.set),
                                       ILI_PARAM_VALUE("insert", &f.insert),
                                       ILI_PARAM_VALUE("remove", &f.remove),
                                       ILI_PARAM_VALUE("append", &f.append),
                                       ILI_ITEM_PARAMS(&f.item),
                                       ILI_PARAM_VERSION("version", &f.version)};
    il_status status = ili_params_read_value(value, params, 8, fault);
    if (status == IL_OK) status = read_kind(context, &f, fault);
    json_decref(f.set.json);
    json_decref(f.insert.json);
    json_decref(f.remove.json);
    json_decref(f.append.json);
    ili_item_drop(&f.item);
    return status;
}

static void update(struct ili_request *request, const struct updating *u) {
    struct ili_refusal refusal = {.which = u->count}; /* none of the changes */
    struct ili_list_view seen;
    uint64_t version = 0;
    struct ili_list *list = ili_objects_pin(request, 0);
    if (!list) return;
    il_status status = ili_list_update(ili_server_member(request->server), list, u->list, u->count,
                                       u->version, &version, &refusal);
    ili_list_look(list, &seen);
    ili_unpin(request->server, list);
    if (status == IL_OK) {
        ili_limits_reply_length(request, seen.length, version);
        return;
    }
    bool whole = refusal.which >= u->count ||
                 (status == IL_ECHANGED && u->list[refusal.which].version == IL_VERSION_ANY);
    const struct ili_blame blame = {.array = whole ? NULL : "changes",
                                    .place = "changes",
                                    .places = whole ? NULL : u->places,
                                    .version = "version"};
    ili_refusal_reply(request, status, &refusal, &blame);
}

void ili_lists_update(struct ili_request *request) {
    struct updating u = {.version = IL_VERSION_ANY};
    struct ili_fault fault;
    const struct ili_param params[] = {{"changes", ILI_PARAM_IS_VALUE, &u.changes, 0, 0, true},
                                       ILI_PARAM_VERSION("version", &u.version)};
    il_status status = ili_params_read(request->body, request->body_bytes, params, 2, &fault);
    if (status == IL_OK) status = ili_update_read(&u.changes, &u, make_room, read_change, &fault);
    if (status == IL_OK) {
        update(request, &u);
    } else {
        ili_reply_fault(request, &fault);
    }
    json_decref(u.changes.json);
    free(u.list);
    free(u.messages);
    free(u.places);
}
