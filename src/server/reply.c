#include "server/reply.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "server/connection.h"
#include "server/describe.h"
#include "server/park.h"
#include "server/ready.h"
#include "server/repeat.h"
#include "server/server.h"

static const char answer_type[] = "application/json";
#define ALLOWED_HEADERS "Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer"
#define EXPOSED_HEADERS "ETag, Idempotency-Replayed, Preference-Applied, Retry-After"
#define PREFLIGHT_SECONDS "600"
static const char problem_type[] = "application/problem+json";

static bool add_header(struct MHD_Response *response, const char *name, const char *value) {
    return MHD_add_response_header(response, name, value) == MHD_YES;
}

/* What lets the page that asks see the answer. */
static bool add_origin(struct MHD_Response *response, const char *origin) {
    return add_header(response, "Access-Control-Allow-Origin", origin) &&
           add_header(response, "Access-Control-Expose-Headers", EXPOSED_HEADERS) &&
           add_header(response, "Vary", "Origin");
}

/* The version that the answer shows, as a strong tag. */
static bool add_tag(struct MHD_Response *response, uint64_t version) {
    char tag[24];
    snprintf(tag, sizeof tag, "\"%" PRIu64 "\"", version);
    return add_header(response, "ETag", tag);
}

/* Adds what every answer to REQUEST has; takes RESPONSE. NULL: no memory. */
static struct MHD_Response *with_headers(const struct ili_request *request,
                                         struct MHD_Response *response, const char *type) {
    bool added = ili_ready_headers(response, type);
    if (request->origin) added = added && add_origin(response, request->origin);
    if (request->version) added = added && add_tag(response, request->version);
    if (request->waited) added = added && add_header(response, "Preference-Applied", "wait");
    if (request->server->stopping) added = added && add_header(response, "Connection", "close");
    if (added) return response;
    MHD_destroy_response(response);
    return NULL;
}

/* Takes BODY. NULL: no memory. */
static struct MHD_Response *make_response(struct ili_request *request, struct ili_out *body,
                                          const char *type) {
    if (body->failed) {
        ili_out_free(body);
        return NULL;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body->bytes, body->data, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        ili_out_free(body);
        return NULL;
    }
    *body = (struct ili_out){0};
    return with_headers(request, response, type);
}

/* Sends RESPONSE (NULL: there was no memory for one), which it takes. */
static void send_response(struct ili_request *request, unsigned http_status,
                          struct MHD_Response *response) {
    struct ili_connection *connection = request->connection;
    bool parked = request->wait != NULL;
    request->answered = response != NULL;
    if (response) {
        /* also while the connection is suspended: it goes out when that ends */
        if (MHD_queue_response(connection->wire, http_status, response) != MHD_YES) {
            request->answered = false;
        }
        if (!request->ready) MHD_destroy_response(response);
    }
    if (!request->answered) request->abandoned = true;
    connection->since_ns = request->server->now_ns;
    if (parked) {
        ili_unpark(request);
        MHD_resume_connection(connection->wire);
        connection->engine->run = true; /* libmicrohttpd does not tell of it */
    }
}

/* Whether the answer is not for a client but for a batch, which then has it. Takes BODY. */
static bool keep_inside(struct ili_request *request, unsigned http_status, struct ili_out *body) {
    if (!request->answer) return false;
    request->answered = !body->failed;
    request->abandoned = body->failed;
    *request->answer = (struct ili_answer){http_status, *body};
    *body = (struct ili_out){0};
    return true;
}

/* Whether a response that was used before will do. */
static bool is_plain(const struct ili_request *request, const struct ili_out *body) {
    return !body->failed && body->bytes <= ILI_READY_BYTES && !request->origin &&
           !request->waited && !request->version && !request->server->stopping;
}

void ili_reply(struct ili_request *request, unsigned http_status, struct ili_out *body) {
    if (keep_inside(request, http_status, body)) return;
    if (request->record) {
        ili_repeat_keep(request, http_status, body->failed ? NULL : body->data, body->bytes);
    }
    if (is_plain(request, body)) {
        request->ready = ili_ready_take(&request->server->readies, body->data, body->bytes);
        ili_out_free(body);
        send_response(request, http_status, request->ready ? request->ready->response : NULL);
    } else {
        send_response(request, http_status, make_response(request, body, answer_type));
    }
    if (request->record) ili_repeat_answered(request);
}

void ili_reply_stream(struct ili_request *request, const char *type, size_t piece_bytes,
                      ili_reply_reader *reader, void *context) {
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, piece_bytes, reader, context, NULL);
    /* libmicrohttpd ends chunks that it has not begun after the head of an answer to HEAD: it may use none
     * there, and closes the connection */
    if (response && strcmp(request->method, "HEAD") == 0) {
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    }
    if (response) response = with_headers(request, response, type);
    send_response(request, 200, response);
}

/* What a browser asks before it lets a page send more than a form could. */
static void add_preflight(struct MHD_Response *response, const char *methods) {
    add_header(response, "Access-Control-Allow-Methods", methods);
    add_header(response, "Access-Control-Allow-Headers", ALLOWED_HEADERS);
    add_header(response, "Access-Control-Max-Age", PREFLIGHT_SECONDS);
}

void ili_reply_empty(struct ili_request *request, uint16_t methods) {
    struct ili_out nothing = {0};
    if (keep_inside(request, MHD_HTTP_NO_CONTENT, &nothing)) return;
    struct MHD_Response *response = make_response(request, &nothing, NULL);
    char allow[80];
    ili_router_allow(methods, allow, sizeof allow);
    if (response && methods) {
        add_header(response, "Allow", allow);
        if (request->origin) add_preflight(response, allow);
    }
    send_response(request, MHD_HTTP_NO_CONTENT, response);
}

static void write_problem(struct ili_out *out, const struct ili_status_info *info,
                          const struct ili_fault *fault, const struct ili_out *members) {
    char type[80] = "urn:interlock:problem:";
    strncat(type, info->code, sizeof type - strlen(type) - 1);
    ili_out_open(out, '{');
    ili_out_key(out, "type");
    ili_out_string(out, type);
    ili_out_key(out, "title");
    ili_out_string(out, info->text);
    ili_out_key(out, "status");
    ili_out_number(out, info->http_status);
    ili_out_key(out, "detail");
    ili_out_string(out, fault->detail[0] ? fault->detail : info->text);
    ili_out_key(out, "code");
    ili_out_string(out, info->code);
    if (fault->field[0]) {
        ili_out_key(out, "field");
        ili_out_string(out, fault->field);
        ili_out_key(out, "expected");
        ili_out_string(out, fault->expected);
    }
    if (members && members->bytes > 0) ili_out_json(out, members->data, members->bytes);
    if (members && members->failed) out->failed = true;
    ili_out_close(out, '}');
}

static const struct ili_status_info *info_of(il_status status) {
    const struct ili_status_info *info = ili_status_info(status);
    return info ? info : ili_status_info(IL_ECORRUPT); /* a code that no caller should make */
}

static struct MHD_Response *problem_response(struct ili_request *request, il_status status,
                                             struct ili_out *body) {
    struct MHD_Response *response = make_response(request, body, problem_type);
    if (!response) return NULL;
    if (status == IL_EMETHOD) {
        char allow[80];
        ili_router_allow(request->path_methods, allow, sizeof allow);
        add_header(response, "Allow", allow);
    }
    if (info_of(status)->http_status == 503) add_header(response, "Retry-After", "1");
    return response;
}

/* Whether a repeat of the request could end better. */
static bool is_passing(il_status status) {
    return status == IL_ETIMEOUT || status == IL_EINPROGRESS || info_of(status)->http_status >= 500;
}

static void send_problem(struct ili_request *request, const struct ili_fault *fault, bool done,
                         const struct ili_out *members) {
    const struct ili_status_info *info = info_of(fault->status);
    struct ili_out body = {0};
    write_problem(&body, info, fault, members);
    if (keep_inside(request, info->http_status, &body)) return;
    if (request->record && (done || !is_passing(fault->status))) {
        ili_repeat_keep(request, info->http_status, body.failed ? NULL : body.data, body.bytes);
    }
    send_response(request, info->http_status, problem_response(request, fault->status, &body));
    if (request->record) ili_repeat_answered(request);
}

void ili_reply_fault(struct ili_request *request, const struct ili_fault *fault) {
    send_problem(request, fault, false, NULL);
}

void ili_reply_fault_with(struct ili_request *request, const struct ili_fault *fault,
                          struct ili_out *members) {
    send_problem(request, fault, false, members);
    ili_out_free(members);
}

void ili_reply_problem(struct ili_request *request, il_status status, const char *detail) {
    struct ili_out nothing = {0};
    ili_reply_problem_with(request, status, detail, false, &nothing);
}

void ili_reply_problem_done(struct ili_request *request, il_status status, const char *detail,
                            const char *member, uint64_t done) {
    struct ili_out members = {0};
    if (member) {
        ili_out_key(&members, member);
        ili_out_number(&members, done);
    }
    ili_reply_problem_with(request, status, detail, done > 0, &members);
}

void ili_reply_problem_with(struct ili_request *request, il_status status, const char *detail,
                            bool done, struct ili_out *members) {
    struct ili_fault fault;
    char described[sizeof fault.detail];
    if (!detail) {
        ili_describe(request, status, described, sizeof described);
        detail = described;
    }
    ili_fault_set(&fault, status, NULL, NULL, "%s", detail);
    send_problem(request, &fault, done, members);
    ili_out_free(members);
}

void ili_reply_again(struct ili_request *request, unsigned http_status, const char *body,
                     size_t body_bytes) {
    struct ili_out copy = {0};
    ili_out_json(&copy, body, body_bytes);
    struct MHD_Response *response =
        make_response(request, &copy, http_status < 400 ? answer_type : problem_type);
    if (response) add_header(response, "Idempotency-Replayed", "true");
    send_response(request, http_status, response);
}

int ili_reply_refusal(struct ili_request *request, const struct ili_fault *fault) {
    const struct ili_status_info *info = info_of(fault->status);
    struct ili_out body = {0};
    write_problem(&body, info, fault, NULL);
    send_response(request, info->http_status, problem_response(request, fault->status, &body));
    return !request->abandoned;
}
