#include "client/json_text.h"

#include <string.h>

#include "base/json_span.h"

/* Integers of more than 64 bits pass as reals. */
#define FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL)

static struct ili_json_span span_of(struct ili_json value) {
    return (struct ili_json_span){value.at, value.bytes};
}

static json_t *load(const char *text, size_t bytes) {
    json_error_t error = {0};
    json_t *json = json_loadb(text, bytes, FLAGS, &error);
    if (!json && json_error_code(&error) == json_error_numeric_overflow) {
        struct ili_json_fitting from = {.at = text, .end = text + bytes};
        json = json_load_callback(ili_json_fit, &from, FLAGS, &error);
    }
    return json;
}

bool ili_json_load(const char *text, size_t bytes, unsigned depth, struct ili_json *value) {
    if (memchr(text, 0, bytes)) return false; /* jansson overlooks one behind a number */
    json_t *json = load(text, bytes);
    if (!json) return false;
    struct ili_json_span span = ili_json_span(text, bytes);
    if (ili_json_span_depth(span) > depth) {
        json_decref(json);
        return false;
    }
    *value = (struct ili_json){json, span.at, span.bytes};
    return true;
}

void ili_json_free(struct ili_json *value) {
    json_decref(value->json);
    *value = (struct ili_json){0};
}

struct ili_json ili_json_member(struct ili_json object, const char *key) {
    struct ili_json_span span;
    const char *at = NULL;
    void *member = json_object_iter(object.json); /* NULL: no object, or an empty one */
    while (member && ili_json_span_next(span_of(object), &at, &span)) {
        if (strcmp(json_object_iter_key(member), key) == 0) {
            return (struct ili_json){json_object_iter_value(member), span.at, span.bytes};
        }
        member = json_object_iter_next(object.json, member);
    }
    return (struct ili_json){0};
}

struct ili_json ili_json_next(struct ili_json array, struct ili_json_walk *walk) {
    struct ili_json_span span;
    json_t *element = json_array_get(array.json, walk->index);
    if (!element || !ili_json_span_next(span_of(array), &walk->at, &span)) {
        return (struct ili_json){0};
    }
    walk->index++;
    return (struct ili_json){element, span.at, span.bytes};
}

bool ili_json_is(struct ili_json value, const char *word) {
    return value.at && value.bytes == strlen(word) && memcmp(value.at, word, value.bytes) == 0;
}

bool ili_json_number(struct ili_json value, uint64_t *number) {
    uint64_t sum = 0;
    if (!value.at || value.bytes == 0) return false;
    for (size_t i = 0; i < value.bytes; i++) {
        unsigned digit = (unsigned)(value.at[i] - '0');
        if (digit > 9 || sum > (UINT64_MAX - digit) / 10) return false;
        sum = sum * 10 + digit;
    }
    *number = sum;
    return true;
}

bool ili_json_number_text(struct ili_json value, uint64_t *number) {
    if (!json_is_string(value.json)) return false;
    return ili_json_number((struct ili_json){value.json, value.at + 1, value.bytes - 2}, number);
}

bool ili_json_seconds(struct ili_json value, int64_t *ns) {
    if (!json_is_number(value.json)) return false;
    /* once more, by itself: beside a number that fits no double it may have been shortened */
    json_t *loaded = json_loadb(value.at, value.bytes, JSON_DECODE_ANY, NULL);
    double seconds = loaded ? json_number_value(loaded) : -1;
    json_decref(loaded);
    if (!(seconds >= 0)) return false;
    *ns = seconds >= 9e9 ? INT64_MAX : (int64_t)(seconds * 1e9 + 0.5);
    return true;
}

bool ili_json_string(struct ili_json value, struct ili_buffer *out) {
    if (!json_is_string(value.json)) return false;
    ili_buffer_add(out, json_string_value(value.json), json_string_length(value.json));
    return !out->failed;
}

static int append(const char *text, size_t bytes, void *out) {
    ili_buffer_add(out, text, bytes);
    return ((struct ili_buffer *)out)->failed ? -1 : 0;
}

void ili_json_quote(struct ili_buffer *out, const char *text, size_t bytes) {
    json_t *string = json_stringn(text, bytes);
    if (!string || json_dump_callback(string, append, out, JSON_ENCODE_ANY) != 0) {
        out->failed = true;
    }
    json_decref(string);
}
