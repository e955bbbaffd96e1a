#include "server/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/params.h"
#include "server/reply.h"
#include "server/server.h"

#define MOST 100
/* When the answers have reached it, nothing more is run: one answer may have 16 MiB and more. */
#define ANSWERS_BYTES (UINT64_C(24) << 20)

struct operation {
    struct ili_request request; /* its body lies in that of the batch */
    struct ili_answer answer;
};

struct batch {
    struct ili_work work;
    json_t *json; /* owned; methods and paths are borrowed from it */
    size_t count;
    struct operation operations[];
};

static void free_batch(struct ili_request *request) {
    struct batch *b = (struct batch *)request->work;
    for (size_t i = 0; i < b->count; i++) {
        struct operation *each = &b->operations[i];
        if (each->request.work) each->request.work->free(&each->request);
        ili_who_end(&each->request);
        ili_out_free(&each->answer.body);
    }
    json_decref(b->json);
    request->work = NULL;
    free(b);
}

static void undo_batch(struct ili_request *request) {
    struct batch *b = (struct batch *)request->work;
    for (size_t i = b->count; i-- > 0;) {
        struct ili_request *each = &b->operations[i].request;
        if (each->work && each->work->undo) each->work->undo(each);
    }
}

/* ---- what is to be done --------------------------------------------------------------------------- */

/* FIELD of operation INDEX is not as EXPECTED; FIELD NULL: the whole. */
static il_status wrong(struct ili_fault *fault, size_t index, const char *field,
                       const char *expected) {
    char where[sizeof fault->field];
    snprintf(where, sizeof where, "operations[%zu]%s%.40s", index, field ? "." : "",
             field ? field : "");
    return ili_fault_expected(fault, where, expected);
}

static il_status missing(struct ili_fault *fault, size_t index, const char *field) {
    char where[sizeof fault->field];
    snprintf(where, sizeof where, "operations[%zu].%s", index, field);
    return ili_fault_set(fault, IL_EINVAL, where, "to be given", "%s: is missing", where);
}

/* NULL: it is no string, or has a NUL in it. */
static const char *text_of(const json_t *json) {
    const char *text = json_string_value(json);
    return text && strlen(text) == json_string_length(json) ? text : NULL;
}

static bool is_method(const char *text) {
    uint16_t method = ili_method_named(text);
    return (method & (ILI_GET | ILI_PUT | ILI_POST | ILI_DELETE)) != 0;
}

/* Reads the members of VALUE into R. */
static il_status read_operation(const struct ili_value *value, size_t index, struct ili_request *r,
                                struct ili_value *body, struct ili_fault *fault) {
    struct ili_value_walk walk = {0};
    struct ili_value member;
    if (!json_is_object(value->json)) {
        return wrong(fault, index, NULL, "an object with method, path and body");
    }
    while (ili_value_next(value, &walk, &member)) {
        if (strcmp(walk.key, "method") == 0) {
            r->method = text_of(member.json);
            if (!r->method || !is_method(r->method)) {
                return wrong(fault, index, "method", "GET, PUT, POST or DELETE");
            }
        } else if (strcmp(walk.key, "path") == 0) {
            r->path = text_of(member.json);
            if (!r->path || *r->path != '/' || strchr(r->path, '?')) {
                return wrong(fault, index, "path", "a path, without a query");
            }
        } else if (strcmp(walk.key, "body") == 0) {
            *body = member;
        } else {
            return wrong(fault, index, walk.key, "one of method, path, body");
        }
    }
    if (!r->method) return missing(fault, index, "method");
    if (!r->path) return missing(fault, index, "path");
    r->body = body->at;
    r->body_bytes = body->bytes;
    return IL_OK;
}

/* Finds R's route; what fails there is this operation's answer. IL_EINVAL: no batch can have it. */
static il_status find_route(struct ili_request *r, size_t index, const struct ili_value *body,
                            struct ili_fault *fault) {
    struct ili_fault own;
    il_status status = ili_request_find(r, &own);
    if (status == IL_OK) status = ili_request_check_body(r, &own);
    if (status != IL_OK) {
        ili_reply_fault(r, &own);
        return IL_OK;
    }
    if (r->route->flags & ILI_ROUTE_ALONE) {
        return wrong(fault, index, "path", "an operation that can be part of a batch");
    }
    if (r->route->flags & ILI_ROUTE_WAITS) {
        const json_t *timeout = json_object_get(body->json, "timeout");
        if (!json_is_number(timeout) || json_number_value(timeout) != 0) {
            return wrong(fault, index, "body.timeout", "0, since nothing waits in a batch");
        }
    }
    return IL_OK;
}

static il_status read_all(struct ili_request *request, const struct ili_value *operations,
                          struct ili_fault *fault) {
    struct batch *b = (struct batch *)request->work;
    struct ili_value_walk walk = {0};
    struct ili_value value;
    while (ili_value_next(operations, &walk, &value)) {
        struct ili_value body = {0};
        size_t index = b->count++;
        struct operation *each = &b->operations[index];
        each->request.server = request->server;
        each->request.connection = request->connection;
        each->request.wire = request->wire;
        each->request.answer = &each->answer;
        il_status status = read_operation(&value, index, &each->request, &body, fault);
        if (status == IL_OK) status = find_route(&each->request, index, &body, fault);
        if (status != IL_OK) return status;
    }
    return IL_OK;
}

/* ---- doing it ------------------------------------------------------------------------------------- */

/* Whether EACH has changed something that is not taken back when the answer is lost. */
static bool is_lasting(const struct operation *each) {
    const struct ili_request *r = &each->request;
    bool undone = r->work && r->work->undo;
    return each->answer.http_status < 300 && r->route->method != ILI_GET && !undone;
}

static void run(struct ili_request *request) {
    struct batch *b = (struct batch *)request->work;
    uint64_t bytes = 0;
    bool undo = false, lasting = false;
    for (size_t i = 0; i < b->count; i++) {
        struct operation *each = &b->operations[i];
        struct ili_request *r = &each->request;
        if (!each->answer.http_status && bytes < ANSWERS_BYTES) {
            r->route->handle(r);
        } else if (!each->answer.http_status) {
            ili_reply_problem(r, IL_ETOOBIG, "the answers before it have filled the batch");
        }
        bytes += each->answer.body.bytes;
        undo = undo || (r->work && r->work->undo);
        lasting = lasting || is_lasting(each);
    }
    if (undo && !(request->key && lasting)) b->work.undo = undo_batch;
}

static void answer(struct ili_request *request) {
    struct batch *b = (struct batch *)request->work;
    struct ili_out out = {0};
    ili_out_open(&out, '{');
    ili_out_key(&out, "results");
    ili_out_open(&out, '[');
    for (size_t i = 0; i < b->count; i++) {
        struct ili_answer *each = &b->operations[i].answer;
        ili_out_open(&out, '{');
        ili_out_key(&out, "status");
        ili_out_number(&out, each->http_status);
        ili_out_key(&out, "body");
        if (each->body.bytes > 0) {
            ili_out_json(&out, each->body.data, each->body.bytes);
        } else {
            ili_out_null(&out);
        }
        ili_out_close(&out, '}');
        if (each->body.failed) out.failed = true;
        ili_out_free(&each->body);
    }
    ili_out_close(&out, ']');
    ili_out_close(&out, '}');
    ili_reply(request, 200, &out);
}

void ili_batch(struct ili_request *request) {
    struct ili_value operations = {0};
    struct ili_fault fault;
    const struct ili_param params[] = {{"operations", ILI_PARAM_IS_VALUE, &operations, 0, 0, true}};
    if (!ili_request_read(request, params, 1)) {
        json_decref(operations.json);
        return;
    }
    size_t count = json_array_size(operations.json); /* 0 also if it is no array */
    if (count < 1 || count > MOST) {
        ili_fault_expected(&fault, "operations", "an array of 1 to 100 operations");
        ili_reply_fault(request, &fault);
        json_decref(operations.json);
        return;
    }
    struct batch *b = calloc(1, sizeof *b + count * sizeof *b->operations);
    if (!b) {
        ili_reply_problem(request, IL_ENOMEM, "the server has no memory for the request");
        json_decref(operations.json);
        return;
    }
    b->work.free = free_batch;
    b->json = operations.json;
    request->work = &b->work;
    if (read_all(request, &operations, &fault) != IL_OK) {
        ili_reply_fault(request, &fault);
    } else {
        run(request);
        answer(request);
    }
}
