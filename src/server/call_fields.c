#include "server/call_fields.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "server/params.h"
#include "server/task_options.h"

static bool is_exec(const struct ili_pool *pool) {
    return ili_pool_options(pool)->kind == ILI_POOL_EXEC;
}

void ili_value_unbreak(const struct ili_value *value) {
    for (char *at = value->at, *end = at + value->bytes; at < end; at++) {
        if (*at == '\n' || *at == '\r') *at = ' ';
    }
}

il_status ili_call_function(const struct ili_pool *pool, const struct ili_value *value,
                            const char **function, size_t *bytes, struct ili_fault *fault) {
    const char *text = json_string_value(value->json); /* NULL: absent, or no string */
    size_t length = json_string_length(value->json);
    if (is_exec(pool)) {
        if (value->json)
            return ili_fault_expected(fault, "function", "to be absent: the pool runs a program");
        *function = NULL;
        *bytes = 0;
        return IL_OK;
    }
    if (!value->json) {
        return ili_fault_set(fault, IL_EINVAL, "function", "to be given", "function: is missing");
    }
    if (!text || length < 1 || length > ILI_FUNCTION_BYTES_MOST || memchr(text, 0, length)) {
        return ili_fault_expected(fault, "function", "a string of 1 to 255 bytes without NUL");
    }
    *function = text;
    *bytes = length;
    return IL_OK;
}

static bool is_argument(const json_t *json) {
    const char *text = json_string_value(json);
    return text && strlen(text) == json_string_length(json);
}

il_status ili_call_args(const struct ili_pool *pool, const char *field,
                        const struct ili_value *value, struct ili_fault *fault) {
    if (!json_is_array(value->json)) return ili_fault_expected(fault, field, "an array");
    if (is_exec(pool)) {
        for (size_t i = 0; i < json_array_size(value->json); i++) {
            char where[sizeof fault->field];
            snprintf(where, sizeof where, "%.48s[%zu]", field, i);
            if (!is_argument(json_array_get(value->json, i))) {
                return ili_fault_expected(fault, where, "a string without NUL");
            }
        }
    }
    if (value->bytes > ILI_VALUE_DEPTH && ili_value_depth(value) > ILI_VALUE_DEPTH) {
        return ili_fault_expected(fault, field, "at most 64 levels of nesting");
    }
    ili_value_unbreak(value);
    return IL_OK;
}

il_status ili_call_kwargs(const struct ili_pool *pool, const struct ili_value *value,
                          struct ili_fault *fault) {
    if (!value->json) return IL_OK;
    if (!json_is_object(value->json)) return ili_fault_expected(fault, "kwargs", "an object");
    if (is_exec(pool))
        return ili_fault_expected(fault, "kwargs", "to be absent: the pool runs a program");
    if (ili_value_depth(value) > ILI_VALUE_DEPTH) {
        return ili_fault_expected(fault, "kwargs", "at most 64 levels of nesting");
    }
    ili_value_unbreak(value);
    return IL_OK;
}

/* The stdin of a program. */
static il_status read_input(const struct ili_pool *pool, const struct ili_value *text,
                            const struct ili_value *base64, struct ili_call *call,
                            struct ili_fault *fault) {
    const char *field = text->json ? "input" : "input_base64";
    if (!text->json && !base64->json) return IL_OK;
    if (!is_exec(pool))
        return ili_fault_expected(fault, field, "to be absent: only an exec pool has one");
    if (text->json && base64->json) {
        return ili_fault_expected(fault, "input_base64", "to be absent where there is an input");
    }
    if (text->json) {
        call->input = json_string_value(text->json);
        call->input_bytes = json_string_length(text->json);
        return call->input ? IL_OK : ili_fault_expected(fault, field, "a string");
    }
    const char *digits = json_string_value(base64->json);
    size_t bytes = json_string_length(base64->json);
    if (!digits || !ili_base64_decode(base64->at, &bytes, digits, bytes)) {
        return ili_fault_expected(fault, field, "a string of padded base64 (RFC 4648)");
    }
    call->input = base64->at;
    call->input_bytes = bytes;
    return IL_OK;
}

struct call_values {
    struct ili_value function, args, kwargs, input, base64; /* borrowed once they were read */
};

static il_status read_values(const struct ili_pool *pool, const struct ili_value *object,
                             struct call_values *v, struct ili_task_fields *fields,
                             struct ili_fault *fault) {
    const struct ili_param params[] = {
        ILI_PARAM_VALUE("function", &v->function),
        ILI_PARAM_VALUE("args", &v->args),
        ILI_PARAM_VALUE("kwargs", &v->kwargs),
        ILI_PARAM_VALUE("input", &v->input),
        ILI_PARAM_VALUE("input_base64", &v->base64),
        ILI_DELAY_PARAM(fields),
        ILI_TASK_FIELD_PARAMS(fields),
    };
    ili_task_fields_begin(fields, &ili_pool_options(pool)->defaults);
    il_status status = ili_params_read_value(object, params, sizeof params / sizeof *params, fault);
    json_decref(v->function.json);
    json_decref(v->args.json);
    json_decref(v->kwargs.json);
    json_decref(v->input.json);
    json_decref(v->base64.json);
    return status;
}

il_status ili_call_read(const struct ili_pool *pool, const struct ili_value *object,
                        struct ili_call *call, struct ili_task_options *options,
                        struct ili_fault *fault) {
    struct call_values v = {0};
    struct ili_task_fields fields;
    *call = (struct ili_call){0};
    il_status status = read_values(pool, object, &v, &fields, fault);
    if (status != IL_OK) return status;
    status = ili_call_function(pool, &v.function, &call->function, &call->function_bytes, fault);
    if (status == IL_OK && v.args.json) status = ili_call_args(pool, "args", &v.args, fault);
    if (status == IL_OK) status = ili_call_kwargs(pool, &v.kwargs, fault);
    if (status == IL_OK) status = read_input(pool, &v.input, &v.base64, call, fault);
    if (status != IL_OK) return status;
    call->args = v.args.json ? v.args.at : NULL;
    call->args_bytes = v.args.bytes;
    call->kwargs = v.kwargs.json ? v.kwargs.at : NULL;
    call->kwargs_bytes = v.kwargs.bytes;
    ili_task_fields_end(&fields, options);
    return IL_OK;
}
