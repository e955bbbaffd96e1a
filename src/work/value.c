#include "work/value.h"

#include <string.h>

#include "base/json_span.h"

/* Integers of more than 64 bits pass as reals, whose values nobody looks at. */
#define FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL)

/* What jansson's values may take. In a text, {}, is what takes most for its length. */
#define WEIGHT_MOST ((size_t)512 << 20)
#define WEIGHT_OF_OBJECT 224
#define WEIGHT_OF_ARRAY 128
#define WEIGHT_OF_NAME 112
#define WEIGHT_OF_NEXT 40
#define SURELY_LIGHT_BYTES (WEIGHT_MOST / ((WEIGHT_OF_OBJECT + WEIGHT_OF_NEXT) / 3))

/* Whether the values of TEXT, which may be any, would take too much memory: a 24 MiB body could make
 * some 2 GiB of them. */
static bool too_heavy(const char *text, size_t bytes) {
    size_t weight = bytes;
    bool in_string = false;
    if (bytes <= SURELY_LIGHT_BYTES) return false;
    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];
        if (c == '"') in_string = !in_string;
        if (in_string) {
            if (c == '\\') i++;
        } else if (c == '{') {
            weight += WEIGHT_OF_OBJECT;
        } else if (c == '[') {
            weight += WEIGHT_OF_ARRAY;
        } else if (c == ':') {
            weight += WEIGHT_OF_NAME;
        } else if (c == ',') {
            weight += WEIGHT_OF_NEXT;
        }
    }
    return weight > WEIGHT_MOST;
}

static json_t *load(const char *text, size_t bytes, json_error_t *error) {
    json_t *json = json_loadb(text, bytes, FLAGS, error);
    if (!json && json_error_code(error) == json_error_numeric_overflow) {
        struct ili_json_fitting from = {.at = text, .end = text + bytes};
        *error = (json_error_t){0};
        json = json_load_callback(ili_json_fit, &from, FLAGS, error);
    }
    return json;
}

il_status ili_value_load(char *text, size_t bytes, struct ili_value *out, struct ili_fault *fault) {
    json_error_t error = {0};
    const char *nul = memchr(text, 0, bytes); /* jansson overlooks one behind a number */
    if (nul) {
        return ili_fault_set(fault, IL_EINVAL, "body", "JSON (RFC 8259)",
                             "not JSON at byte %zu: NUL", (size_t)(nul - text));
    }
    if (too_heavy(text, bytes)) {
        return ili_fault_set(fault, IL_ETOOBIG, "body", "fewer values",
                             "the body has more JSON values than the server has memory for");
    }
    json_t *json = load(text, bytes, &error);
    if (json) {
        struct ili_json_span span = ili_json_span(text, bytes);
        *out = (struct ili_value){json, text + (span.at - text), span.bytes};
        return IL_OK;
    }
    if (!error.text[0] || json_error_code(&error) == json_error_out_of_memory) {
        return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "no memory for the body");
    }
    return ili_fault_set(fault, IL_EINVAL, "body", "JSON (RFC 8259)",
                         "not JSON at line %d, column %d (byte %d): %s", error.line, error.column,
                         error.position, error.text);
}

bool ili_value_next(const struct ili_value *of, struct ili_value_walk *walk,
                    struct ili_value *value) {
    struct ili_json_span span;
    if (!ili_json_span_next((struct ili_json_span){of->at, of->bytes}, &walk->at, &span)) {
        return false;
    }
    if (json_is_object(of->json)) {
        walk->member = walk->member ? json_object_iter_next(of->json, walk->member)
                                    : json_object_iter(of->json);
        walk->key = json_object_iter_key(walk->member);
        value->json = json_object_iter_value(walk->member);
    } else {
        value->json = json_array_get(of->json, walk->index++);
    }
    value->at = of->at + (span.at - of->at);
    value->bytes = span.bytes;
    return true;
}

unsigned ili_value_depth(const struct ili_value *value) {
    return ili_json_span_depth((struct ili_json_span){value->at, value->bytes});
}

char *ili_value_text(const struct ili_value *value, size_t *bytes) {
    char *text = value->at + 1;
    *bytes = json_string_length(value->json);
    /* an escape is longer than what it stands for */
    if (*bytes != value->bytes - 2) memcpy(text, json_string_value(value->json), *bytes);
    return text;
}
