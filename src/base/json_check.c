#include "base/json_check.h"

#include <stdint.h>
#include <string.h>

#include "base/text.h"

/* Where the text is read: never beyond END. */
struct cursor {
    const char *at, *end;
};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* 16 if C is no hexadecimal digit. */
static unsigned hex_value(char c) {
    if (is_digit(c)) return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f') return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') return (unsigned)(c - 'A') + 10;
    return 16;
}

static void skip_space(struct cursor *c) {
    while (c->at < c->end &&
           (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t')) {
        c->at++;
    }
}

/* The next character; NUL, which is nowhere allowed, at the end. */
static char peek(const struct cursor *c) { return c->at < c->end ? *c->at : '\0'; }

static bool skip_word(struct cursor *c, const char *word) {
    size_t bytes = strlen(word);
    if ((size_t)(c->end - c->at) < bytes || memcmp(c->at, word, bytes) != 0) return false;
    c->at += bytes;
    return true;
}

static bool skip_digits(struct cursor *c) {
    const char *first = c->at;
    while (is_digit(peek(c))) c->at++;
    return c->at > first;
}

static bool skip_number(struct cursor *c) {
    if (peek(c) == '-') c->at++;
    if (peek(c) == '0') {
        c->at++;
    } else if (!skip_digits(c)) {
        return false;
    }
    if (peek(c) == '.') {
        c->at++;
        if (!skip_digits(c)) return false;
    }
    if (peek(c) == 'e' || peek(c) == 'E') {
        c->at++;
        if (peek(c) == '+' || peek(c) == '-') c->at++;
        if (!skip_digits(c)) return false;
    }
    return true;
}

/* The four digits of \uXXXX. */
static bool skip_hex(struct cursor *c, unsigned *unit) {
    *unit = 0;
    for (int i = 0; i < 4; i++, c->at++) {
        unsigned value = hex_value(peek(c));
        if (value == 16) return false;
        *unit = *unit * 16 + value;
    }
    return true;
}

/* C is behind a backslash. A surrogate has its other half behind it. */
static bool skip_escape(struct cursor *c) {
    char escaped = peek(c);
    unsigned unit, other;
    if (!escaped || !strchr("\"\\/bfnrtu", escaped)) return false;
    c->at++;
    if (escaped != 'u') return true;
    if (!skip_hex(c, &unit)) return false;
    if (unit < 0xD800 || unit > 0xDFFF) return true;
    return unit <= 0xDBFF && skip_word(c, "\\u") && skip_hex(c, &other) && other >= 0xDC00 &&
           other <= 0xDFFF;
}

static bool skip_string(struct cursor *c) {
    if (peek(c) != '"') return false;
    c->at++;
    while (c->at < c->end) {
        unsigned char byte = (unsigned char)*c->at++;
        if (byte == '"') return true;
        if (byte < 0x20) return false;
        if (byte == '\\' && !skip_escape(c)) return false;
    }
    return false;
}

static bool skip_scalar(struct cursor *c) {
    switch (peek(c)) {
    case '"': return skip_string(c);
    case 't': return skip_word(c, "true");
    case 'f': return skip_word(c, "false");
    case 'n': return skip_word(c, "null");
    default: return skip_number(c);
    }
}

static bool skip_key(struct cursor *c) {
    skip_space(c);
    if (!skip_string(c)) return false;
    skip_space(c);
    if (peek(c) != ':') return false;
    c->at++;
    skip_space(c);
    return true;
}

/* Without recursion: bit i of `objects` says whether the bracket at depth i is one of an object. */
static bool skip_value(struct cursor *c) {
    uint64_t objects[ILI_JSON_DEPTH_MOST / 64] = {0};
    unsigned depth = 0;
    for (;;) {
        char bracket = peek(c);
        if (bracket == '{' || bracket == '[') {
            if (depth == ILI_JSON_DEPTH_MOST) return false;
            uint64_t bit = UINT64_C(1) << depth % 64;
            if (bracket == '{') {
                objects[depth / 64] |= bit;
            } else {
                objects[depth / 64] &= ~bit;
            }
            depth++;
            c->at++;
            skip_space(c);
            if (peek(c) != (bracket == '{' ? '}' : ']')) {
                if (bracket == '{' && !skip_key(c)) return false;
                continue;
            }
        } else if (!skip_scalar(c)) {
            return false;
        }
        /* Behind a value, or before the end of an empty bracket. */
        for (;;) {
            if (depth == 0) return true;
            bool object = objects[(depth - 1) / 64] >> (depth - 1) % 64 & 1;
            skip_space(c);
            char sign = peek(c);
            if (sign != ',' && sign != (object ? '}' : ']')) return false;
            c->at++;
            if (sign == ',') {
                skip_space(c);
                if (object && !skip_key(c)) return false;
                break;
            }
            depth--;
        }
    }
}

bool ili_json_check_at(const char *text, size_t bytes, size_t *where) {
    struct cursor c = {text, text + bytes};
    bool good = ili_utf8_valid(text, bytes);
    if (good) {
        skip_space(&c);
        good = skip_value(&c);
    }
    if (good) {
        skip_space(&c);
        good = c.at == c.end;
    }
    *where = (size_t)(c.at - text);
    return good;
}

bool ili_json_check(const char *text, size_t bytes) {
    size_t where;
    return ili_json_check_at(text, bytes, &where);
}
