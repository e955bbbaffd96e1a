#include "server/request.h"

#include <microhttpd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/connection.h"
#include "server/params.h"
#include "server/park.h"
#include "server/path.h"
#include "server/repeat.h"
#include "server/reply.h"
#include "server/server.h"

#define BODY_BYTES (UINT64_C(64) << 10)
#define ITEMS_BYTES (UINT64_C(24) << 20) /* a message of 16 MiB in base64, and what is around it */
#define ALL_BODIES_BYTES (UINT64_C(1) << 30)

/* ---- the head ------------------------------------------------------------------------------------- */

static enum MHD_Result add_header(void *context, enum MHD_ValueKind kind, const char *name,
                                  size_t name_bytes, const char *value, size_t value_bytes) {
    (void)kind;
    ili_head_add(context, name, name_bytes, value, value_bytes);
    return MHD_YES;
}

static void read_head(struct MHD_Connection *wire, const char *method, const char *url,
                      const char *version, struct ili_head *head) {
    size_t bytes =
        MHD_get_connection_info(wire, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
    memset(head, 0, sizeof *head);
    head->next = ili_head_start(version);
    MHD_get_connection_values_n(wire, MHD_HEADER_KIND, add_header, head);
    int arguments = MHD_get_connection_values_n(wire, MHD_GET_ARGUMENT_KIND, NULL, NULL);
    ili_head_close(head, method, url, version, bytes, arguments);
}

uint64_t ili_request_body_limit(const struct ili_request *request) {
    bool items = request->route && request->route->flags & ILI_ROUTE_ITEMS;
    return items ? ITEMS_BYTES : BODY_BYTES;
}

il_status ili_request_find(struct ili_request *request, struct ili_fault *fault) {
    struct ili_request *r = request;
    struct ili_path path;
    uint16_t method = ili_method_named(r->method);
    if (ili_path_split(r->path, &path)) r->route = ili_router_find(&path, method, &r->path_methods);
    if (r->path_methods == 0) {
        return ili_fault_set(fault, IL_EROUTE, NULL, NULL, "nothing is served at %s", r->path);
    }
    if (!r->route && method == ILI_OPTIONS) return IL_OK;
    if (!r->route) {
        char allow[80];
        ili_router_allow(r->path_methods, allow, sizeof allow);
        return ili_fault_set(fault, IL_EMETHOD, NULL, NULL, "%s takes %s, not %s", r->path, allow,
                             r->method);
    }
    if (!r->route->named) return IL_OK;
    if (r->route->flags & ILI_ROUTE_PART) {
        r->part = path.segment[4].at;
        r->part_bytes = path.segment[4].bytes;
    }
    size_t bytes = 0;
    il_status status =
        ili_path_name(path.segment[2].at, path.segment[2].bytes, r->name, &bytes, fault);
    r->name_bytes = (uint8_t)bytes;
    return status;
}

static il_status check_key(struct ili_request *r, const struct ili_head *head,
                           struct ili_fault *fault) {
    if (head->keys == 0 || !r->route || !(r->route->flags & ILI_ROUTE_IDEMPOTENT)) return IL_OK;
    if (head->keys > 1 || !ili_idempotency_key_valid(head->key)) {
        return ili_fault_set(fault, IL_EINVAL, "Idempotency-Key",
                             "one header of 1 to 255 visible ASCII characters",
                             "the Idempotency-Key is not one");
    }
    r->key = head->key;
    return IL_OK;
}

static il_status check_conditions(struct ili_request *r, const struct ili_head *head,
                                  struct ili_fault *fault) {
    if (!r->route || !(r->route->flags & ILI_ROUTE_PART)) return IL_OK;
    if (head->matches > 1 || head->none_matches > 1) {
        return ili_fault_set(fault, IL_EINVAL, head->matches > 1 ? "If-Match" : "If-None-Match",
                             "one header", "the header is given twice");
    }
    r->match = head->match;
    r->none_match = head->none_match;
    return IL_OK;
}

static il_status check_media_type(const struct ili_head *head, struct ili_fault *fault) {
    bool body = ili_head_length(head) > 0 || head->encodings > 0;
    if (!body || (head->types == 1 && ili_content_type_is_json(head->content_type))) return IL_OK;
    return ili_fault_set(fault, IL_EMEDIATYPE, "Content-Type", "application/json, in UTF-8",
                         "a body must have Content-Type application/json");
}

/* What can be refused only once the body was read, or the connection would have to be closed. */
static il_status check_request(struct ili_request *r, const struct ili_head *head,
                               struct ili_fault *fault) {
    const struct ili_config *config = &r->server->config;
    r->wishes = head->wishes;
    r->origin = ili_head_origin(head, config->origins, config->origin_count);
    il_status status = ili_head_check_sender(head, r->connection->local, config->listen,
                                             config->origins, config->origin_count, fault);
    if (status == IL_OK) status = ili_request_find(r, fault);
    if (status == IL_OK) status = check_media_type(head, fault);
    if (status == IL_OK) status = check_key(r, head, fault);
    if (status == IL_OK) status = check_conditions(r, head, fault);
    return status;
}

static il_status too_large(const struct ili_request *r, struct ili_fault *fault) {
    unsigned long long limit = ili_request_body_limit(r);
    char expected[40];
    snprintf(expected, sizeof expected, "at most %llu bytes", limit);
    return ili_fault_set(fault, IL_ETOOBIG, "body", expected, "the body has more than %llu bytes",
                         limit);
}

static il_status reserve_body(struct ili_request *r, uint64_t length, struct ili_fault *fault) {
    uint64_t *all = &r->server->front.body_bytes;
    if (length > ili_request_body_limit(r)) return too_large(r, fault);
    if (length == 0 || r->refusal) return IL_OK;
    if (*all + length > ALL_BODIES_BYTES) {
        return ili_fault_set(fault, IL_EBUSY, NULL, NULL, "too many large bodies at once");
    }
    r->body = malloc(length);
    if (!r->body) return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "no memory for the body");
    r->body_room = length;
    *all += length;
    return IL_OK;
}

/* The first call: nothing but the head is there. */
static int begin(struct ili_connection *c, const char *url, const char *method, const char *version,
                 struct ili_request **out) {
    struct ili_server *server = c->engine->server;
    struct ili_head head;
    struct ili_fault fault;
    struct ili_request *r = malloc(sizeof *r);
    if (!r) return MHD_NO;
    memset(r, 0, offsetof(struct ili_request, name));
    r->server = server;
    r->connection = c;
    r->method = method;
    r->path = url;
    c->request = *out = r;
    c->since_ns = server->now_ns;
    read_head(c->wire, method, url, version, &head);
    if (ili_head_check_framing(&head, method, url, version, &fault) != IL_OK) {
        return ili_reply_refusal(r, &fault);
    }
    if (check_request(r, &head, &fault) != IL_OK) {
        r->refusal = malloc(sizeof fault);
        if (!r->refusal) return MHD_NO;
        *r->refusal = fault;
    }
    if (reserve_body(r, ili_head_length(&head), &fault) != IL_OK) {
        return ili_reply_refusal(r, &fault);
    }
    return MHD_YES;
}

/* ---- the body ------------------------------------------------------------------------------------- */

void ili_request_drop_body(struct ili_request *request) {
    if (request->body_room) free(request->body);
    request->server->front.body_bytes -= request->body_room;
    request->body = NULL;
    request->body_bytes = request->body_room = 0;
}

/* More room for a body whose length was not told before. */
static bool grow_body(struct ili_request *r, uint64_t needed) {
    uint64_t room = r->body_room ? r->body_room : 1024;
    while (room < needed) room *= 2;
    char *body = realloc(r->body, room);
    if (!body) return false;
    r->server->front.body_bytes += room - r->body_room;
    r->body = body;
    r->body_room = room;
    return true;
}

static int gather(struct ili_request *r, const char *data, size_t bytes) {
    uint64_t total = r->body_bytes + bytes;
    uint64_t limit = ili_request_body_limit(r);
    r->body_bytes = total;
    if (total > limit) {
        if (!r->too_large) {
            ili_request_drop_body(r);
            r->body_bytes = total;
            r->too_large = true;
        }
        /* it cannot be answered before its end; who goes on and on is not worth an answer */
        return total <= 2 * limit ? MHD_YES : MHD_NO;
    }
    if (r->refusal) return MHD_YES;
    if (total > r->body_room &&
        (r->server->front.body_bytes > ALL_BODIES_BYTES || !grow_body(r, total))) {
        return MHD_NO;
    }
    memcpy(r->body + total - bytes, data, bytes);
    return MHD_YES;
}

bool ili_request_read(struct ili_request *request, const struct ili_param *params, size_t count) {
    struct ili_fault fault;
    if (ili_params_read(request->body, request->body_bytes, params, count, &fault) == IL_OK) {
        return true;
    }
    ili_reply_fault(request, &fault);
    return false;
}

/* ---- the whole request ---------------------------------------------------------------------------- */

static enum MHD_Result first_argument(void *context, enum MHD_ValueKind kind, const char *name,
                                      const char *value) {
    (void)kind, (void)value;
    *(const char **)context = name;
    return MHD_NO;
}

il_status ili_request_check_body(const struct ili_request *request, struct ili_fault *fault) {
    uint16_t method = request->route ? request->route->method : ILI_OPTIONS;
    if (request->body_bytes > ili_request_body_limit(request)) return too_large(request, fault);
    if (request->body_bytes == 0 || method & (ILI_PUT | ILI_POST)) return IL_OK;
    return ili_fault_set(fault, IL_EINVAL, "body", "no body", "%s takes no body", request->method);
}

static il_status check_whole(struct ili_request *r, struct ili_fault *fault) {
    const char *argument = NULL;
    if (r->too_large) return too_large(r, fault);
    if (r->refusal) {
        *fault = *r->refusal;
        return fault->status;
    }
    il_status status = ili_request_check_body(r, fault);
    if (status != IL_OK) return status;
    if (!r->route || !(r->route->flags & ILI_ROUTE_QUERY)) {
        MHD_get_connection_values(r->connection->wire, MHD_GET_ARGUMENT_KIND, first_argument,
                                  (void *)&argument);
    }
    if (argument) {
        return ili_fault_set(fault, IL_EINVAL, *argument ? argument : "query", "no query arguments",
                             "unknown query argument \"%s\", expected none", argument);
    }
    return IL_OK;
}

void ili_request_handle(struct ili_request *request) {
    if (request->server->stopping) {
        ili_reply_problem(request, IL_ESHUTDOWN, NULL);
    } else {
        request->patience_ms = 0; /* of a wait for the first of its key */
        request->route->handle(request);
    }
}

static void finish(struct ili_request *r) {
    struct ili_fault fault;
    if (check_whole(r, &fault) != IL_OK) {
        ili_reply_fault(r, &fault);
    } else if (!r->route) {
        ili_reply_empty(r, r->path_methods);
    } else if (!r->key || ili_repeat_begin(r)) {
        ili_request_handle(r);
    }
}

int ili_request_called(struct ili_connection *connection, const char *url, const char *method,
                       const char *version, const char *data, size_t *data_bytes,
                       struct ili_request **request) {
    struct ili_request *r = *request;
    if (!r) return begin(connection, url, method, version, request);
    if (r->abandoned) return MHD_NO;
    if (*data_bytes > 0) {
        int result = r->answered ? MHD_YES : gather(r, data, *data_bytes);
        *data_bytes = 0;
        return result;
    }
    if (!r->answered && !r->wait) finish(r);
    return r->abandoned ? MHD_NO : MHD_YES;
}

void ili_request_completed(struct ili_request *request, bool written) {
    struct ili_request *r = request;
    if (r->wait) ili_park_lost(r); /* libmicrohttpd gave the connection up by itself */
    bool may_undo = !r->record || ili_repeat_completed(r, written);
    if (!written && may_undo && r->work && r->work->undo) r->work->undo(r);
    if (r->ready) ili_ready_give(&r->server->readies, r->ready);
    if (!written && r->stream) ili_connection_broke(r->connection);
    r->connection->request = NULL;
    r->connection->since_ns = r->server->now_ns;
    r->connection = NULL;
    if (!r->ghost) ili_request_free(r);
}

void ili_request_free(struct ili_request *request) {
    if (request->work) request->work->free(request);
    ili_who_end(request);
    ili_request_drop_body(request);
    free(request->refusal);
    free(request);
}
