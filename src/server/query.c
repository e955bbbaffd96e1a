#include "server/query.h"

#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

#include "server/connection.h"
#include "server/path.h"
#include "server/request.h"

struct reading {
    struct ili_query_param *params;
    size_t count;
    struct ili_fault *fault;
    il_status status;
};

static il_status unknown(const struct reading *r, const char *name) {
    char expected[sizeof r->fault->expected] = "";
    for (size_t i = 0; i < r->count; i++) {
        size_t length = strlen(expected);
        const char *between = i == 0 ? "" : i + 1 == r->count ? " or " : ", ";
        snprintf(expected + length, sizeof expected - length, "%s%s", between, r->params[i].name);
    }
    return ili_fault_set(r->fault, IL_EINVAL, *name ? name : "query", expected,
                         "unknown query argument, expected %s", expected);
}

static il_status read_one(const struct reading *r, const char *name, const char *value) {
    size_t i = 0;
    while (i < r->count && strcmp(r->params[i].name, name) != 0) i++;
    if (i == r->count) return unknown(r, name);
    struct ili_query_param *param = &r->params[i];
    if (param->given) {
        return ili_fault_set(r->fault, IL_EINVAL, name, "to be given once", "%s is given twice",
                             name);
    }
    param->given = true;
    if (!value || !ili_percent_decode(value, strlen(value), param->room, param->room_bytes - 1,
                                      &param->bytes)) {
        return ili_fault_set(r->fault, IL_EINVAL, name, "a value", "%s: bad value", name);
    }
    param->room[param->bytes] = 0;
    return IL_OK;
}

static enum MHD_Result read_argument(void *context, enum MHD_ValueKind kind, const char *name,
                                     const char *value) {
    struct reading *r = context;
    (void)kind;
    r->status = read_one(r, name, value);
    return r->status == IL_OK ? MHD_YES : MHD_NO;
}

il_status ili_query_read(struct ili_request *request, struct ili_query_param *params, size_t count,
                         struct ili_fault *fault) {
    struct reading reading = {params, count, fault, IL_OK};
    if (request->answer) return IL_OK;
    MHD_get_connection_values(request->connection->wire, MHD_GET_ARGUMENT_KIND, read_argument,
                              &reading);
    return reading.status;
}
