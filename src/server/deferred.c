#include "server/deferred.h"

#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "base/status.h"
#include "base/text.h"
#include "server/call_fields.h"
#include "server/server.h"
#include "server/task_options.h"

static il_status no_memory(struct ili_fault *fault) {
    return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "the server has no memory for the call");
}

/* What can be said without the pool. */
static il_status check(const struct ili_deferred_fields *f, struct ili_fault *fault) {
    const char *function = json_string_value(f->function.json); /* NULL: absent, or no string */
    size_t bytes = json_string_length(f->function.json);
    if (!f->pool[0]) {
        return ili_fault_set(fault, IL_EINVAL, "pool", "to be given", "pool: is missing");
    }
    if (f->function.json &&
        (!function || bytes < 1 || bytes > ILI_FUNCTION_BYTES_MOST || strlen(function) != bytes)) {
        return ili_fault_expected(fault, "function", "a string of 1 to 255 bytes without NUL");
    }
    if (f->args.json && !json_is_array(f->args.json))
        return ili_fault_expected(fault, "args", "an array");
    if (f->kwargs.json && !json_is_object(f->kwargs.json)) {
        return ili_fault_expected(fault, "kwargs", "an object");
    }
    if (f->args.json && ili_value_depth(&f->args) > ILI_VALUE_DEPTH) {
        return ili_fault_expected(fault, "args", "at most 64 levels of nesting");
    }
    if (f->kwargs.json && ili_value_depth(&f->kwargs) > ILI_VALUE_DEPTH) {
        return ili_fault_expected(fault, "kwargs", "at most 64 levels of nesting");
    }
    double seconds = json_number_value(f->time_limit.json);
    if (f->time_limit.json && !json_is_null(f->time_limit.json) &&
        !(json_is_number(f->time_limit.json) && seconds >= 0.001 &&
          seconds <= (double)ILI_YEAR_NS / 1e9)) {
        return ili_fault_expected(fault, "time_limit",
                                  "a number of seconds from 0.001 to 31536000");
    }
    return IL_OK;
}

static void write_member(struct ili_out *out, const char *key, const struct ili_value *value) {
    if (!value->json) return;
    ili_out_key(out, key);
    ili_out_json(out, value->at, value->bytes);
}

il_status ili_deferred_make(const struct ili_deferred_fields *fields, struct ili_deferred *out,
                            struct ili_fault *fault) {
    struct ili_out text = {0};
    memset(out, 0, sizeof *out);
    il_status status = check(fields, fault);
    if (status != IL_OK) return status;
    ili_text_copy(out->pool, sizeof out->pool, fields->pool);
    if (fields->function.json) {
        out->function = strdup(json_string_value(fields->function.json));
        if (!out->function) return no_memory(fault);
    }
    ili_out_open(&text, '{');
    write_member(&text, "function", &fields->function);
    write_member(&text, "args", &fields->args);
    write_member(&text, "kwargs", &fields->kwargs);
    write_member(&text, "time_limit", &fields->time_limit);
    ili_out_close(&text, '}');
    if (text.failed) {
        ili_out_free(&text);
        return no_memory(fault);
    }
    out->text = text.data;
    out->bytes = text.bytes;
    return IL_OK;
}

void ili_deferred_fields_drop(struct ili_deferred_fields *fields) {
    json_decref(fields->function.json);
    json_decref(fields->args.json);
    json_decref(fields->kwargs.json);
    json_decref(fields->time_limit.json);
}

const char *ili_deferred_differ(const struct ili_deferred *a, const struct ili_deferred *b) {
    if (strcmp(a->pool, b->pool) != 0) return "pool";
    if (a->function != b->function &&
        (!a->function || !b->function || strcmp(a->function, b->function) != 0)) {
        return "function";
    }
    return a->bytes == b->bytes && memcmp(a->text, b->text, a->bytes) == 0 ? NULL : "call";
}

static il_status submit(struct ili_pool *pool, char *text, size_t bytes, struct ili_task **out,
                        struct ili_fault *fault) {
    struct ili_value object;
    struct ili_call call;
    struct ili_task_options options = ili_pool_options(pool)->defaults;
    il_status status = ili_value_load(text, bytes, &object, fault);
    if (status != IL_OK) return status;
    status = ili_call_read(pool, &object, &call, &options, fault);
    if (status == IL_OK) status = ili_task_submit(pool, &call, &options, out, fault);
    json_decref(object.json);
    return status;
}

il_status ili_deferred_submit(struct ili_server *server, const struct ili_deferred *deferred,
                              struct ili_task **out, struct ili_fault *fault) {
    struct ili_pool *pool = ili_pool_find(&server->pools, deferred->pool, strlen(deferred->pool));
    if (!pool) {
        return ili_fault_set(fault, IL_ENOTFOUND, "pool", "the name of a pool",
                             "there is no pool \"%s\"", deferred->pool);
    }
    char *copy = malloc(deferred->bytes); /* it is decoded in place */
    if (!copy) return no_memory(fault);
    memcpy(copy, deferred->text, deferred->bytes);
    fault->status = IL_OK;
    il_status status = submit(pool, copy, deferred->bytes, out, fault);
    free(copy);
    if (status != IL_OK && fault->status != status) { /* the code says it all */
        const struct ili_status_info *info = ili_status_info(status);
        ili_fault_set(fault, status, NULL, NULL, "the pool \"%s\": %s", deferred->pool,
                      info ? info->text : "unknown failure");
    }
    return status;
}

void ili_deferred_write(struct ili_out *out, const struct ili_deferred *deferred) {
    ili_out_key(out, "pool");
    ili_out_string(out, deferred->pool);
    ili_out_key(out, "function");
    ili_out_string(out, deferred->function);
}

void ili_deferred_free(struct ili_deferred *deferred) {
    free(deferred->text);
    free(deferred->function);
    memset(deferred, 0, sizeof *deferred);
}
