/* Finding an item of a list by what it is: remove, index, count. */
#include "server/item.h"
#include "server/lists.h"
#include "server/params.h"
#include "server/pin.h"
#include "server/reply.h"
#include "server/server.h"

struct finding {
    struct ili_item_fields fields; /* json is owned */
    struct ili_payload message;
    int64_t start, stop;
};

/* Reads the message, and the COUNT fields of PARAMS; then opens the list. NULL: the request was answered. */
static struct ili_list *begin(struct ili_request *request, struct finding *f,
                              const struct ili_param *params, size_t count) {
    struct ili_fault fault;
    il_status status = ili_params_read(request->body, request->body_bytes, params, count, &fault);
    if (status == IL_OK) status = ili_item_read(&f->fields, "", &f->message, &fault);
    ili_item_drop(&f->fields);
    if (status == IL_OK) return ili_objects_pin(request, ILI_OPEN_EXISTING);
    ili_reply_fault(request, &fault);
    return NULL;
}

static void reply_number(struct ili_request *request, il_status status, const char *member,
                         uint64_t number) {
    struct ili_out out = {0};
    if (status != IL_OK) {
        ili_reply_problem(request, status,
                          status == IL_ENOKEY ? "no item of the list is equal" : NULL);
        return;
    }
    ili_out_open(&out, '{');
    ili_out_key(&out, member);
    ili_out_number(&out, number);
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

static void find(struct ili_request *request, struct ili_list *list, const struct finding *f,
                 bool remove) {
    uint64_t index = 0;
    il_status status = ili_list_find(ili_server_member(request->server), list, &f->message,
                                     f->start, f->stop, remove, &index);
    ili_unpin(request->server, list);
    reply_number(request, status, "index", index);
}

void ili_list_call_remove(struct ili_request *request) {
    struct finding f = {.stop = INT64_MAX};
    const struct ili_param params[] = {ILI_ITEM_PARAMS(&f.fields)};
    struct ili_list *list = begin(request, &f, params, 3);
    if (list) find(request, list, &f, true);
}

void ili_list_call_index(struct ili_request *request) {
    struct finding f = {.stop = INT64_MAX};
    const struct ili_param params[] = {ILI_ITEM_PARAMS(&f.fields),
                                       ILI_PARAM_INDEX("start", &f.start),
                                       ILI_PARAM_INDEX("stop", &f.stop)};
    struct ili_list *list = begin(request, &f, params, 5);
    if (list) find(request, list, &f, false);
}

void ili_list_call_count(struct ili_request *request) {
    struct finding f = {0};
    uint64_t count = 0;
    const struct ili_param params[] = {ILI_ITEM_PARAMS(&f.fields)};
    struct ili_list *list = begin(request, &f, params, 3);
    if (!list) return;
    il_status status = ili_list_count(ili_server_member(request->server), list, &f.message, &count);
    ili_unpin(request->server, list);
    reply_number(request, status, "count", count);
}
