#include "worker/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_check.h"
#include "worker/unescape.h"

/* The members that a message may have; at NULL: it has not. */
struct parts {
    struct ili_json_span id, method, params;
};

static bool is(struct ili_json_span span, const char *text) {
    return span.bytes == strlen(text) && memcmp(span.at, text, span.bytes) == 0;
}

static bool begins(struct ili_json_span span, char bracket) {
    return span.at && *span.at == bracket;
}

/* False: OBJECT is none. */
static bool take_apart(struct ili_json_span object, struct parts *parts) {
    struct ili_json_span key, value;
    const char *at = NULL;
    *parts = (struct parts){0};
    if (!begins(object, '{')) return false;
    while (ili_json_span_member(object, &at, &key, &value)) {
        if (is(key, "\"id\"")) parts->id = value;
        if (is(key, "\"method\"")) parts->method = value;
        if (is(key, "\"params\"")) parts->params = value;
    }
    return true;
}

/* Ends a value, which belongs to a line and has something behind it, with NUL. */
static void end_with_nul(struct ili_json_span span) { ((char *)span.at)[span.bytes] = '\0'; }

/* What a string stands for, in its place; "" for what is no string. */
static const char *text_of(struct ili_json_span span) {
    size_t bytes;
    if (!begins(span, '"')) return "";
    char *text = (char *)span.at;
    worker_unescape(text, span.bytes, text, &bytes);
    return text;
}

/* Fills the rest of a call. The line's brackets and commas behind a value are overwritten, so they
 * must have been walked over before. */
static void read_params(struct ili_json_span params, struct worker_request *request) {
    struct ili_json_span key, value, function = {0}, task = {0};
    const char *at = NULL;
    request->args = (struct ili_json_span){"[]", 2};
    request->kwargs = (struct ili_json_span){"{}", 2};
    request->attempt = 1;
    if (!begins(params, '{')) {
        request->kind = WORKER_UNFIT;
        return;
    }
    struct ili_json_span args = {0}, kwargs = {0};
    while (ili_json_span_member(params, &at, &key, &value)) {
        if (is(key, "\"function\"")) function = value;
        if (is(key, "\"args\"")) args = value;
        if (is(key, "\"kwargs\"")) kwargs = value;
        if (is(key, "\"task\"")) task = value;
        if (is(key, "\"attempt\"")) request->attempt = (uint32_t)strtoul(value.at, NULL, 10);
    }
    if (!begins(function, '"') || (args.at && *args.at != '[') ||
        (kwargs.at && *kwargs.at != '{')) {
        request->kind = WORKER_UNFIT;
        return;
    }
    if (args.at) {
        request->args = args;
        end_with_nul(args);
    }
    if (kwargs.at) {
        request->kwargs = kwargs;
        end_with_nul(kwargs);
    }
    request->function = text_of(function);
    request->task = text_of(task);
}

/* False: it wants no answer, or is no message. */
static bool read_request(struct ili_json_span object, struct worker_request *request) {
    struct parts parts;
    if (!take_apart(object, &parts) || !parts.id.at || !parts.method.at) return false;
    request->id = parts.id;
    request->kind = is(parts.method, "\"call\"") || is(parts.method, "\"initialize\"")
                        ? WORKER_CALL
                        : WORKER_UNKNOWN;
    if (request->kind == WORKER_CALL) read_params(parts.params, request);
    return true;
}

static struct worker_batch *batch_new(size_t room) {
    struct worker_batch *batch = calloc(1, sizeof *batch + room * sizeof batch->requests[0]);
    if (!batch) return NULL;
    for (size_t i = 0; i < room; i++) atomic_init(&batch->requests[i].cancelled, false);
    return batch;
}

static enum worker_message read_array(struct ili_json_span array, struct worker_batch **out) {
    struct ili_json_span element;
    const char *at = NULL;
    size_t count = 0;
    while (ili_json_span_next(array, &at, &element)) count++;
    struct worker_batch *batch = batch_new(count);
    if (!batch) return WORKER_NO_MEMORY;
    at = NULL;
    while (batch->count < count && ili_json_span_next(array, &at, &element)) {
        if (!read_request(element, &batch->requests[batch->count])) break;
        batch->count++;
    }
    if (count == 0 || batch->count < count) {
        free(batch);
        return WORKER_NONSENSE;
    }
    *out = batch;
    return WORKER_REQUESTS;
}

static enum worker_message read_object(struct ili_json_span object, struct worker_batch **out,
                                       struct ili_json_span *id) {
    struct parts parts, params;
    take_apart(object, &parts);
    if (parts.method.at && parts.id.at) {
        struct worker_batch *batch = batch_new(1);
        if (!batch) return WORKER_NO_MEMORY;
        read_request(object, &batch->requests[0]);
        batch->count = 1;
        *out = batch;
        return WORKER_REQUESTS;
    }
    if (!parts.method.at) return WORKER_NONSENSE;
    if (!is(parts.method, "\"cancel\"")) return WORKER_IGNORED;
    if (!take_apart(parts.params, &params) || !params.id.at) return WORKER_IGNORED;
    *id = params.id;
    return WORKER_CANCEL;
}

enum worker_message worker_message_read(char *line, size_t bytes, struct worker_batch **batch,
                                        struct ili_json_span *id) {
    if (!ili_json_check(line, bytes)) return WORKER_NONSENSE;
    struct ili_json_span whole = ili_json_span(line, bytes);
    enum worker_message kind = WORKER_NONSENSE;
    if (*whole.at == '[') kind = read_array(whole, batch);
    if (*whole.at == '{') kind = read_object(whole, batch, id);
    if (kind == WORKER_REQUESTS) (*batch)->line = line;
    return kind;
}

void worker_batch_free(struct worker_batch *batch) {
    if (!batch) return;
    free(batch->line);
    free(batch);
}
