#include "client/json_text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const char *skip_space(const char *s, const char *end) {
    while (s < end && (*s == ' ' || *s == '\n' || *s == '\r' || *s == '\t')) s++;
    return s;
}

/* ---- checking: each function returns where its piece ends, NULL if there is none ---------------- */

static bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static const char *string_end(const char *s, const char *end) {
    if (s >= end || *s != '"') return NULL;
    for (s++; s < end && *s != '"'; s++) {
        if ((unsigned char)*s < 0x20) return NULL;
        if (*s != '\\') continue;
        if (++s >= end || !strchr("\"\\/bfnrtu", *s) || !*s) return NULL;
        if (*s != 'u') continue;
        if (end - s < 5 || !is_hex(s[1]) || !is_hex(s[2]) || !is_hex(s[3]) || !is_hex(s[4])) {
            return NULL;
        }
        s += 4;
    }
    return s < end ? s + 1 : NULL;
}

static const char *digits_end(const char *s, const char *end) {
    const char *first = s;
    while (s < end && *s >= '0' && *s <= '9') s++;
    return s > first ? s : NULL;
}

static const char *number_end(const char *s, const char *end) {
    if (s < end && *s == '-') s++;
    s = s < end && *s == '0' ? s + 1 : digits_end(s, end);
    if (s && s < end && *s == '.') s = digits_end(s + 1, end);
    if (s && s < end && (*s == 'e' || *s == 'E')) {
        s++;
        if (s < end && (*s == '+' || *s == '-')) s++;
        s = digits_end(s, end);
    }
    return s;
}

static const char *scalar_end(const char *s, const char *end) {
    static const char *const words[] = {"true", "false", "null"};
    if (s >= end) return NULL;
    if (*s == '"') return string_end(s, end);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(end - s) >= length && memcmp(s, words[i], length) == 0) return s + length;
    }
    return number_end(s, end);
}

/* A member's name and colon, and the space behind. */
static const char *name_end(const char *s, const char *end) {
    s = string_end(s, end);
    if (!s) return NULL;
    s = skip_space(s, end);
    return s < end && *s == ':' ? skip_space(s + 1, end) : NULL;
}

/* One value, without recursion: CLOSERS holds what closes each array and object that is open. */
static const char *value_end(const char *s, const char *end, unsigned max_depth) {
    char closers[ILI_JSON_DEPTH];
    unsigned depth = 0;
    for (;;) {
        /* a value begins at s */
        if (s < end && (*s == '[' || *s == '{')) {
            if (depth == max_depth) return NULL;
            char closer = *s == '[' ? ']' : '}';
            closers[depth++] = closer;
            s = skip_space(s + 1, end);
            if (s >= end) return NULL;
            if (*s != closer) {
                if (closer == '}' && !(s = name_end(s, end))) return NULL;
                continue;
            }
        } else {
            s = scalar_end(s, end);
            if (!s) return NULL;
        }
        /* a value has ended, or an empty container is about to */
        for (;;) {
            if (depth == 0) return s;
            s = skip_space(s, end);
            if (s >= end) return NULL;
            if (*s == closers[depth - 1]) {
                depth--;
                s++;
                continue;
            }
            if (*s != ',') return NULL;
            s = skip_space(s + 1, end);
            if (closers[depth - 1] == '}' && !(s = name_end(s, end))) return NULL;
            break;
        }
    }
}

bool ili_json_check(const char *text, size_t bytes, unsigned depth, struct ili_json *value) {
    const char *end = text + bytes;
    if (depth > ILI_JSON_DEPTH || !ili_utf8_valid(text, bytes)) return false;
    const char *start = skip_space(text, end);
    const char *stop = value_end(start, end, depth);
    if (!stop || skip_space(stop, end) != end) return false;
    *value = (struct ili_json){start, (size_t)(stop - start)};
    return true;
}

/* ---- taking apart what was checked -------------------------------------------------------------- */

struct ili_json ili_json_member(struct ili_json object, const char *key) {
    struct ili_json found = {NULL, 0};
    if (!object.at || *object.at != '{') return found;
    const char *end = object.at + object.bytes;
    const char *s = skip_space(object.at + 1, end);
    size_t length = strlen(key);
    while (*s == '"') {
        const char *name = s + 1, *name_stop = string_end(s, end) - 1;
        s = name_end(s, end);
        const char *stop = value_end(s, end, ILI_JSON_DEPTH);
        if ((size_t)(name_stop - name) == length && memcmp(name, key, length) == 0) {
            found = (struct ili_json){s, (size_t)(stop - s)};
        }
        s = skip_space(stop, end);
        if (*s == ',') s = skip_space(s + 1, end);
    }
    return found;
}

struct ili_json ili_json_next(struct ili_json array, size_t *at) {
    if (!array.at || *array.at != '[') return (struct ili_json){NULL, 0};
    const char *end = array.at + array.bytes;
    const char *s = skip_space(array.at + (*at ? *at : 1), end);
    if (*s == ']') return (struct ili_json){NULL, 0};
    if (*s == ',') s = skip_space(s + 1, end);
    const char *stop = value_end(s, end, ILI_JSON_DEPTH);
    *at = (size_t)(stop - array.at);
    return (struct ili_json){s, (size_t)(stop - s)};
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
    if (!value.at || *value.at != '"') return false;
    return ili_json_number((struct ili_json){value.at + 1, value.bytes - 2}, number);
}

/* What jansson makes of VALUE, which must not be an object or array of a message. */
static json_t *load(struct ili_json value) {
    return value.at ? json_loadb(value.at, value.bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)
                    : NULL;
}

bool ili_json_seconds(struct ili_json value, int64_t *ns) {
    json_t *loaded = load(value);
    bool good = json_is_number(loaded);
    double seconds = good ? json_number_value(loaded) : 0;
    json_decref(loaded);
    if (!good || !(seconds >= 0)) return false;
    *ns = seconds >= 9e9 ? INT64_MAX : (int64_t)(seconds * 1e9 + 0.5);
    return true;
}

bool ili_json_string(struct ili_json value, struct ili_buffer *out) {
    json_t *loaded = load(value);
    bool good = json_is_string(loaded);
    if (good) ili_buffer_add(out, json_string_value(loaded), json_string_length(loaded));
    json_decref(loaded);
    return good && !out->failed;
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
