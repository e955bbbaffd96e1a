#include "server/params.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Deeper than an item may be, with what lies around it: so it is the item that is found too deep. */
#define BODY_DEPTH (2 * ILI_VALUE_DEPTH)
#define NUMBER_MOST_BYTES 64

static void seconds_text(char *room, size_t room_bytes, int64_t ns) {
    snprintf(room, room_bytes, "%.9g", (double)ns / 1e9);
}

static il_status read_bool(const struct ili_param *p, const struct ili_value *v,
                           struct ili_fault *fault) {
    if (v->type != ILI_VALUE_BOOL) {
        return ili_fault_set(fault, IL_EINVAL, p->name, "true or false",
                             "%s: expected true or false", p->name);
    }
    *(bool *)p->out = *v->at == 't';
    return IL_OK;
}

static il_status read_seconds(const struct ili_param *p, const struct ili_value *v,
                              struct ili_fault *fault) {
    char least[32], most[32], expected[100], text[NUMBER_MOST_BYTES + 1];
    double seconds = NAN;
    if (v->type == ILI_VALUE_NUMBER && v->bytes <= NUMBER_MOST_BYTES) {
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
    return ili_fault_set(fault, IL_EINVAL, p->name, expected, "%s: expected %s", p->name, expected);
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
    return ili_fault_set(fault, IL_EINVAL, field, expected, "%s: expected %s", field, expected);
}

static il_status read_count(const struct ili_param *p, const struct ili_value *v,
                            struct ili_fault *fault) {
    size_t bytes = v->type == ILI_VALUE_NUMBER ? v->bytes : 0;
    return ili_params_count(p->name, v->at, bytes, (uint64_t)p->least, (uint64_t)p->most, p->out,
                            fault);
}

static il_status read_token(const struct ili_param *p, const struct ili_value *v,
                            struct ili_fault *fault) {
    static const char expected[] = "a decimal number in a string";
    uint64_t token;
    if (v->type == ILI_VALUE_STRING && whole_number(v->at + 1, v->bytes - 2, &token) && token) {
        *(uint64_t *)p->out = token;
        return IL_OK;
    }
    return ili_fault_set(fault, IL_EINVAL, p->name, expected, "%s: expected %s", p->name, expected);
}

static il_status read_text(const struct ili_param *p, const struct ili_value *v,
                           struct ili_fault *fault) {
    char expected[80];
    if (v->type == ILI_VALUE_STRING) {
        size_t bytes;
        const char *text = ili_value_unescape(v, &bytes);
        if (bytes <= (size_t)p->most && !memchr(text, 0, bytes)) {
            memcpy(p->out, text, bytes);
            ((char *)p->out)[bytes] = 0;
            return IL_OK;
        }
    }
    snprintf(expected, sizeof expected, "a string of at most %lld bytes without NUL",
             (long long)p->most);
    return ili_fault_set(fault, IL_EINVAL, p->name, expected, "%s: expected %s", p->name, expected);
}

static il_status read_one(const struct ili_param *p, const struct ili_value *v,
                          struct ili_fault *fault) {
    switch (p->type) {
    case ILI_PARAM_IS_BOOL: return read_bool(p, v, fault);
    case ILI_PARAM_IS_SECONDS: return read_seconds(p, v, fault);
    case ILI_PARAM_IS_COUNT: return read_count(p, v, fault);
    case ILI_PARAM_IS_TOKEN: return read_token(p, v, fault);
    case ILI_PARAM_IS_TEXT: return read_text(p, v, fault);
    case ILI_PARAM_IS_VALUE: *(struct ili_value *)p->out = *v; return IL_OK;
    }
    return IL_EINVAL;
}

static il_status unknown_field(const char *text, size_t bytes, const struct ili_param *params,
                               size_t count, struct ili_fault *fault) {
    char name[200], expected[120];
    size_t length = 0;
    snprintf(name, sizeof name, "%.*s", (int)(bytes < sizeof name ? bytes : sizeof name - 1), text);
    snprintf(expected, sizeof expected, count ? "one of" : "no fields");
    for (size_t i = 0; i < count; i++) {
        length = strlen(expected);
        snprintf(expected + length, sizeof expected - length, "%s%s", i ? ", " : " ",
                 params[i].name);
    }
    return ili_fault_set(fault, IL_EINVAL, name, expected, "unknown field, expected %s", expected);
}

il_status ili_params_read(char *body, size_t body_bytes, const struct ili_param *params,
                          size_t count, struct ili_fault *fault) {
    struct ili_value object = {0}, key, value;
    uint32_t seen = 0;
    char *at = NULL;
    if (body_bytes > 0) {
        il_status status = ili_value_parse(body, body_bytes, BODY_DEPTH, &object, fault);
        if (status != IL_OK) return status;
        if (object.type != ILI_VALUE_OBJECT) {
            return ili_fault_set(fault, IL_EINVAL, "body", "a JSON object",
                                 "the body is not an object");
        }
    }
    while (object.at && ili_value_next(&object, &at, &key, &value)) {
        size_t i = 0, length;
        const char *name = ili_value_unescape(&key, &length); /* the walk is past it */
        for (; i < count; i++) {
            if (strlen(params[i].name) == length && memcmp(name, params[i].name, length) == 0)
                break;
        }
        if (i == count) return unknown_field(name, length, params, count, fault);
        il_status status = read_one(&params[i], &value, fault);
        if (status != IL_OK) return status;
        seen |= UINT32_C(1) << i;
    }
    for (size_t i = 0; i < count; i++) {
        if (!params[i].required || seen & UINT32_C(1) << i) continue;
        return ili_fault_set(fault, IL_EINVAL, params[i].name, "to be given", "%s: is missing",
                             params[i].name);
    }
    return IL_OK;
}
