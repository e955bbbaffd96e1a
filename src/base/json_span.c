#include "base/json_span.h"

/* A double holds numbers of 308 digits: these leave room for the exponent. */
#define DIGITS_MOST 200
#define EXPONENT_DIGITS_MOST 2

static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

static const char *over_space(const char *at, const char *end) {
    while (at < end && is_space(*at)) at++;
    return at;
}

static const char *string_end(const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\') at++;
    }
    return at < end ? at + 1 : end;
}

/* Where a number or a word ends. */
static const char *word_end(const char *at, const char *end) {
    while (at < end && *at != ',' && *at != ']' && *at != '}' && !is_space(*at)) at++;
    return at;
}

/* Where the value at AT ends; *DEEPEST is how deep it is nested. */
static const char *value_end(const char *at, const char *end, unsigned *deepest) {
    unsigned depth = 0;
    *deepest = 0;
    if (*at != '"' && *at != '{' && *at != '[') return word_end(at, end);
    do {
        char c = *at;
        if (c == '"') {
            at = string_end(at, end);
            continue;
        }
        if ((c == '{' || c == '[') && ++depth > *deepest) *deepest = depth;
        if (c == '}' || c == ']') depth--;
        at++;
    } while (depth > 0 && at < end);
    return at;
}

struct ili_json_span ili_json_span(const char *text, size_t bytes) {
    const char *end = text + bytes;
    text = over_space(text, end);
    while (end > text && is_space(end[-1])) end--;
    return (struct ili_json_span){text, (size_t)(end - text)};
}

/* The next value of an array, or with KEY of an object. */
static bool next(struct ili_json_span of, const char **at, struct ili_json_span *key,
                 struct ili_json_span *value) {
    const char *end = of.at + of.bytes - 1; /* the closing bracket */
    const char *here = over_space(*at ? *at : of.at + 1, end);
    unsigned unused;
    if (here < end && *here == ',') here = over_space(here + 1, end);
    if (here >= end) return false;
    if (*of.at == '{') {
        const char *key_end = string_end(here, end);
        *key = (struct ili_json_span){here, (size_t)(key_end - here)};
        here = over_space(over_space(key_end, end) + 1, end);
    }
    *at = value_end(here, end, &unused);
    *value = (struct ili_json_span){here, (size_t)(*at - here)};
    return true;
}

bool ili_json_span_next(struct ili_json_span of, const char **at, struct ili_json_span *value) {
    struct ili_json_span key;
    return next(of, at, &key, value);
}

bool ili_json_span_member(struct ili_json_span of, const char **at, struct ili_json_span *key,
                          struct ili_json_span *value) {
    return next(of, at, key, value);
}

unsigned ili_json_span_depth(struct ili_json_span of) {
    unsigned deepest;
    value_end(of.at, of.at + of.bytes, &deepest);
    return deepest;
}

/* ---- numbers that fit ------------------------------------------------------------------------ */

/* Whether C, the next character, is passed on. */
static bool passes(struct ili_json_fitting *f, char c) {
    if (f->in_string) {
        if (c == '"' && !f->escaped) f->in_string = false;
        f->escaped = c == '\\' && !f->escaped;
        return true;
    }
    if (c >= '0' && c <= '9') {
        return f->digits++ < (f->exponent ? EXPONENT_DIGITS_MOST : DIGITS_MOST);
    }
    f->in_string = c == '"';
    f->exponent = c == 'e' || c == 'E' || (f->exponent && (c == '+' || c == '-'));
    f->digits = 0;
    return true;
}

size_t ili_json_fit(void *room, size_t room_bytes, void *from) {
    struct ili_json_fitting *f = from;
    char *to = room;
    size_t written = 0;
    while (written < room_bytes && f->at < f->end) {
        char c = *f->at++;
        if (passes(f, c)) to[written++] = c;
    }
    return written;
}
