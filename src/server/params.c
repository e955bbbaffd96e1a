#include "server/params.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MOST_BYTES 64

static void seconds_text(char *room, size_t room_bytes, int64_t ns) {
    snprintf(room, room_bytes, "%.9g", (double)ns / 1e9);
}

static il_status read_bool(const struct ili_param *p, const struct ili_value *v,
                           struct ili_fault *fault) {
    if (!json_is_boolean(v->json)) {
        return ili_fault_set(fault, IL_EINVAL, p->name, "true or false",
                             "%s: expected true or false", p->name);
    }
    *(bool *)p->out = json_is_true(v->json);
    return IL_OK;
}

static il_status read_seconds(const struct ili_param *p, const struct ili_value *v,
                              struct ili_fault *fault) {
    char least[32], most[32], expected[100], text[NUMBER_MOST_BYTES + 1];
    double seconds = NAN;
    if (json_is_number(v->json) && v->bytes <= NUMBER_MOST_BYTES) {
        memcpy(text, v->at, v->bytes);
        text[v->bytes] = 0;
        seconds = strtod(text, NULL);
        if (seconds >= (double)p->least / 1e9 && seconds <= (double)p->most / 1e9) {
            int64_t ns = (int64_t)(seconds * 1e9 + 0.5);
            *(int64_t *)p->out = ns < p->least ? p->least : ns > p->most ? p->most : ns;
            return IL_OK;
        }
    }
    seconds_text(least, sizeof least, p->least);
    seconds_text(most, sizeof most, p->most);
    snprintf(expected, sizeof expected, "a number of seconds from %s to %s", least, most);
    return ili_fault_expected(fault, p->name, expected);
}

/* Whether TEXT is an integer without sign, point and exponent that fits. */
static bool whole_number(const char *text, size_t bytes, uint64_t *out) {
    uint64_t number = 0;
    if (bytes == 0 || bytes > 20 || (bytes > 1 && *text == '0')) return false;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number)) {
            return false;
        }
    }
    *out = number;
    return true;
}

il_status ili_params_count(const char *field, const char *text, size_t bytes, uint64_t least,
                           uint64_t most, uint64_t *out, struct ili_fault *fault) {
    uint64_t number;
    char expected[100];
    if (whole_number(text, bytes, &number) && number >= least && number <= most) {
        *out = number;
        return IL_OK;
    }
    snprintf(expected, sizeof expected, "an integer from %llu to %llu", (unsigned long long)least,
             (unsigned long long)most);
    return ili_fault_expected(fault, field, expected);
}

static il_status read_count(const struct ili_param *p, const struct ili_value *v,
                            struct ili_fault *fault) {
    size_t bytes = json_is_number(v->json) ? v->bytes : 0;
    return ili_params_count(p->name, v->at, bytes, (uint64_t)p->least, (uint64_t)p->most, p->out,
                            fault);
}

il_status ili_params_integer(const char *field, const char *text, size_t bytes, int64_t least,
                             int64_t most, int64_t *out, struct ili_fault *fault) {
    char expected[100];
    uint64_t number;
    bool negative = bytes > 1 && *text == '-';
    if (whole_number(text + negative, bytes - negative, &number) && number <= INT64_MAX) {
        int64_t value = negative ? -(int64_t)number : (int64_t)number;
        if (value >= least && value <= most) {
            *out = value;
            return IL_OK;
        }
    }
    snprintf(expected, sizeof expected, "an integer from %lld to %lld", (long long)least,
             (long long)most);
    return ili_fault_expected(fault, field, expected);
}

static il_status read_integer(const struct ili_param *p, const struct ili_value *v,
                              struct ili_fault *fault) {
    size_t bytes = json_is_number(v->json) ? v->bytes : 0;
    return ili_params_integer(p->name, v->at, bytes, p->least, p->most, p->out, fault);
}

static il_status read_token(const struct ili_param *p, const struct ili_value *v,
                            struct ili_fault *fault) {
    static const char expected[] = "a decimal number in a string";
    uint64_t token;
    if (json_is_string(v->json) && whole_number(v->at + 1, v->bytes - 2, &token) && token) {
        *(uint64_t *)p->out = token;
        return IL_OK;
    }
    return ili_fault_expected(fault, p->name, expected);
}

static il_status read_version(const struct ili_param *p, const struct ili_value *v,
                              struct ili_fault *fault) {
    static const char expected[] = "a version (a decimal number in a string), or null";
    uint64_t version;
    if (json_is_null(v->json)) {
        *(uint64_t *)p->out = IL_VERSION_NONE;
        return IL_OK;
    }
    if (json_is_string(v->json) && whole_number(v->at + 1, v->bytes - 2, &version) && version &&
        version != IL_VERSION_ANY) {
        *(uint64_t *)p->out = version;
        return IL_OK;
    }
    return ili_fault_expected(fault, p->name, expected);
}

static il_status read_text(const struct ili_param *p, const struct ili_value *v,
                           struct ili_fault *fault) {
    char expected[80];
    if (json_is_string(v->json)) {
        const char *text = json_string_value(v->json);
        size_t bytes = json_string_length(v->json);
        bool fits = bytes >= (size_t)p->least && bytes <= (size_t)p->most;
        if (fits && !memchr(text, 0, bytes)) {
            memcpy(p->out, text, bytes);
            ((char *)p->out)[bytes] = 0;
            return IL_OK;
        }
    }
    if (p->least == 0) {
        snprintf(expected, sizeof expected, "a string of at most %lld bytes without NUL",
                 (long long)p->most);
    } else {
        snprintf(expected, sizeof expected, "a string of %lld to %lld bytes without NUL",
                 (long long)p->least, (long long)p->most);
    }
    return ili_fault_expected(fault, p->name, expected);
}

static il_status read_one(const struct ili_param *p, const struct ili_value *v,
                          struct ili_fault *fault) {
    switch (p->type) {
    case ILI_PARAM_IS_BOOL: return read_bool(p, v, fault);
    case ILI_PARAM_IS_LEASE:
        if (!json_is_null(v->json)) return read_seconds(p, v, fault);
        *(int64_t *)p->out = ILI_LEASE_NONE;
        return IL_OK;
    case ILI_PARAM_IS_SECONDS: return read_seconds(p, v, fault);
    case ILI_PARAM_IS_COUNT: return read_count(p, v, fault);
    case ILI_PARAM_IS_INTEGER: return read_integer(p, v, fault);
    case ILI_PARAM_IS_TOKEN: return read_token(p, v, fault);
    case ILI_PARAM_IS_VERSION: return read_version(p, v, fault);
    case ILI_PARAM_IS_TEXT: return read_text(p, v, fault);
    case ILI_PARAM_IS_VALUE:
        *(struct ili_value *)p->out = *v;
        json_incref(v->json);
        return IL_OK;
    }
    return IL_EINVAL;
}

static il_status unknown_field(const char *name, const struct ili_param *params, size_t count,
                               struct ili_fault *fault) {
    char expected[120];
    size_t length = 0;
    snprintf(expected, sizeof expected, count ? "one of" : "no fields");
    for (size_t i = 0; i < count; i++) {
        length = strlen(expected);
        snprintf(expected + length, sizeof expected - length, "%s%s", i ? ", " : " ",
                 params[i].name);
    }
    return ili_fault_set(fault, IL_EINVAL, name, expected, "unknown field, expected %s", expected);
}

static il_status read_fields(const struct ili_value *object, const struct ili_param *params,
                             size_t count, uint32_t *seen, struct ili_fault *fault) {
    struct ili_value_walk walk = {0};
    struct ili_value value;
    if (!json_is_object(object->json)) {
        return ili_fault_set(fault, IL_EINVAL, "body", "a JSON object",
                             "the body is not an object");
    }
    while (ili_value_next(object, &walk, &value)) {
        size_t i = 0;
        while (i < count && strcmp(params[i].name, walk.key) != 0) i++;
        if (i == count) return unknown_field(walk.key, params, count, fault);
        il_status status = read_one(&params[i], &value, fault);
        if (status != IL_OK) return status;
        *seen |= UINT32_C(1) << i;
    }
    return IL_OK;
}

static il_status check_required(const struct ili_param *params, size_t count, uint32_t seen,
                                struct ili_fault *fault) {
    for (size_t i = 0; i < count; i++) {
        if (!params[i].required || seen & UINT32_C(1) << i) continue;
        return ili_fault_set(fault, IL_EINVAL, params[i].name, "to be given", "%s: is missing",
                             params[i].name);
    }
    return IL_OK;
}

il_status ili_params_read_value(const struct ili_value *object, const struct ili_param *params,
                                size_t count, struct ili_fault *fault) {
    uint32_t seen = 0;
    il_status status = read_fields(object, params, count, &seen, fault);
    return status == IL_OK ? check_required(params, count, seen, fault) : status;
}

il_status ili_params_read(char *body, size_t body_bytes, const struct ili_param *params,
                          size_t count, struct ili_fault *fault) {
    if (body_bytes == 0) return check_required(params, count, 0, fault);
    struct ili_value object;
    il_status status = ili_value_load(body, body_bytes, &object, fault);
    if (status != IL_OK) return status;
    status = ili_params_read_value(&object, params, count, fault);
    json_decref(object.json);
    return status;
}
