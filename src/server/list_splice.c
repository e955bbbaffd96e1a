/* Putting items into a list and taking some out: append, extend, insert, splice. */
#include "server/lists.h"
#include "server/params.h"
#include "server/payloads.h"
#include "server/reply.h"
#include "server/server.h"

#define MESSAGES_MOST 1000000u

struct splicing {
    struct ili_item_fields fields;     /* json is owned */
    struct ili_value values, messages; /* the same */
    struct ili_payloads payloads;      /* owned */
    struct ili_payload one;            /* in the body */
    int64_t start, stop;
    uint64_t version; /* that the list must have */
};

/* Reads one message beside the COUNT PARAMS. */
static il_status read_one(struct ili_request *request, struct splicing *s,
                          const struct ili_param *params, size_t count, struct ili_fault *fault) {
    il_status status = ili_params_read(request->body, request->body_bytes, params, count, fault);
    if (status == IL_OK) status = ili_item_read(&s->fields, "", &s->one, fault);
    ili_item_drop(&s->fields);
    return status;
}

/* Reads `values` or `messages`, which may both be absent unless NEEDED. */
static il_status read_many(struct ili_request *request, struct splicing *s,
                           const struct ili_param *params, size_t count, bool needed,
                           struct ili_fault *fault) {
    static const char one_of[] = "exactly one of values and messages";
    static const char at_most[] = "at most one of values and messages";
    il_status status = ili_params_read(request->body, request->body_bytes, params, count, fault);
    int given = !!s->values.json + !!s->messages.json;
    if (status == IL_OK && (given > 1 || (needed && given == 0))) {
        const char *expected = needed ? one_of : at_most;
        status = ili_fault_expected(fault, "body", expected);
    }
    if (status == IL_OK && s->values.json) {
        status =
            ili_payloads_read_values(&s->values, "values", 0, MESSAGES_MOST, &s->payloads, fault);
    } else if (status == IL_OK && s->messages.json) {
        status = ili_payloads_read(&s->messages, "messages", 0, MESSAGES_MOST, &s->payloads, fault);
    }
    json_decref(s->values.json);
    json_decref(s->messages.json);
    return status;
}

static void splice(struct ili_request *request, const struct splicing *s,
                   const struct ili_payload *messages, size_t count) {
    struct ili_refusal refusal = {0};
    uint64_t version = 0;
    struct ili_list *list = ili_objects_pin(request, 0);
    if (!list) return;
    il_status status = ili_list_splice(ili_server_member(request->server), list, s->start, s->stop,
                                       messages, count, s->version, &version, &refusal);
    ili_list_reply_changed(request, list, status, version, &refusal);
}

static void splice_or_refuse(struct ili_request *request, struct splicing *s, il_status status,
                             const struct ili_fault *fault) {
    if (status == IL_OK) {
        splice(request, s, s->payloads.at, s->payloads.count);
    } else {
        ili_reply_fault(request, fault);
    }
    ili_payloads_free(&s->payloads);
}

void ili_list_call_append(struct ili_request *request) {
    struct splicing s = {.start = INT64_MAX, .stop = INT64_MAX, .version = IL_VERSION_ANY};
    struct ili_fault fault;
    const struct ili_param params[] = {ILI_ITEM_PARAMS(&s.fields)};
    if (read_one(request, &s, params, 3, &fault) == IL_OK) {
        splice(request, &s, &s.one, 1);
    } else {
        ili_reply_fault(request, &fault);
    }
}

void ili_list_call_insert(struct ili_request *request) {
    struct splicing s = {.version = IL_VERSION_ANY};
    struct ili_fault fault;
    const struct ili_param params[] = {
        {"index", ILI_PARAM_IS_INTEGER, &s.start, -ILI_INDEX_MOST, ILI_INDEX_MOST, true},
        ILI_ITEM_PARAMS(&s.fields)};
    if (read_one(request, &s, params, 4, &fault) == IL_OK) {
        s.stop = s.start;
        splice(request, &s, &s.one, 1);
    } else {
        ili_reply_fault(request, &fault);
    }
}

void ili_list_call_extend(struct ili_request *request) {
    struct splicing s = {.start = INT64_MAX, .stop = INT64_MAX, .version = IL_VERSION_ANY};
    struct ili_fault fault;
    const struct ili_param params[] = {ILI_PARAM_VALUE("values", &s.values),
                                       ILI_PARAM_VALUE("messages", &s.messages)};
    il_status status = read_many(request, &s, params, 2, true, &fault);
    splice_or_refuse(request, &s, status, &fault);
}

void ili_list_call_splice(struct ili_request *request) {
    struct splicing s = {.stop = INT64_MAX, .version = IL_VERSION_ANY};
    struct ili_fault fault;
    const struct ili_param params[] = {
        ILI_PARAM_VALUE("values", &s.values), ILI_PARAM_VALUE("messages", &s.messages),
        ILI_PARAM_INDEX("start", &s.start), ILI_PARAM_INDEX("stop", &s.stop),
        ILI_PARAM_VERSION("version", &s.version)};
    il_status status = read_many(request, &s, params, 5, false, &fault);
    splice_or_refuse(request, &s, status, &fault);
}
