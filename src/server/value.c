#include "server/value.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "base/text.h"

#define DEPTH_MOST 128

/* What the keys' hashes are for: two equal ones in an object. A fixed key is enough, since who makes
 * keys collide has only their own request refused. */
static const uint64_t hash_key[2] = {UINT64_C(0x696e7465726c6f63), UINT64_C(0x6b2d6b65792d3031)};

struct reader {
    const unsigned char *at, *end;
    const char *wrong; /* what was expected where `at` is */
    bool no_memory;
    unsigned most;
    /* hashes of the keys of all objects that are open, one object's behind another's */
    uint64_t *keys;
    size_t key_count, key_room;
};

static bool fail(struct reader *r, const char *expected) {
    r->wrong = expected;
    return false;
}

static void skip_space(struct reader *r) {
    while (r->at < r->end &&
           (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t')) {
        r->at++;
    }
}

static int hex4(const unsigned char *at, const unsigned char *end) {
    int value = 0;
    if (end - at < 4) return -1;
    for (int i = 0; i < 4; i++) {
        unsigned char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* The code point of the escape whose u is at AT; *LENGTH counts from there. -1: it is none. */
static int32_t escaped_point(const unsigned char *at, const unsigned char *end, size_t *length) {
    int first = hex4(at + 1, end);
    *length = 5;
    if (first < 0 || (first >= 0xDC00 && first <= 0xDFFF)) return -1;
    if (first < 0xD800 || first > 0xDBFF) return first;
    if (end - at < 11 || at[5] != '\\' || at[6] != 'u') return -1;
    int second = hex4(at + 7, end);
    if (second < 0xDC00 || second > 0xDFFF) return -1;
    *length = 11;
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
}

/* Over the bytes of a string that stand for themselves. */
static bool skip_plain(struct reader *r) {
    const unsigned char *at = r->at;
    while (at < r->end) {
        if (*at >= 0x80) {
            const unsigned char *run = at;
            while (at < r->end && *at >= 0x80) at++;
            if (!ili_utf8_valid(run, (size_t)(at - run))) {
                r->at = run;
                return fail(r, "UTF-8");
            }
        } else if (*at == '"' || *at == '\\' || *at < 0x20) {
            break;
        } else {
            at++;
        }
    }
    r->at = at;
    return true;
}

static bool skip_string(struct reader *r) {
    r->at++;
    for (;;) {
        if (!skip_plain(r)) return false;
        if (r->at == r->end) return fail(r, "the end of a string");
        unsigned char c = *r->at;
        if (c == '"') {
            r->at++;
            return true;
        }
        if (c < 0x20) return fail(r, "no control character in a string");
        if (++r->at == r->end) return fail(r, "an escape");
        if (*r->at == 'u') {
            size_t length;
            if (escaped_point(r->at, r->end, &length) < 0) {
                return fail(r, "four hexadecimal digits that are, or pair to, a character");
            }
            r->at += length;
        } else if (strchr("\"\\/bfnrt", *r->at) && *r->at) {
            r->at++;
        } else {
            return fail(r, "one of \" \\ / b f n r t u");
        }
    }
}

static bool is_digit(const struct reader *r) {
    return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

static bool skip_digits(struct reader *r) {
    if (!is_digit(r)) return fail(r, "a digit");
    while (is_digit(r)) r->at++;
    return true;
}

static bool skip_number(struct reader *r) {
    if (*r->at == '-') r->at++;
    if (r->at < r->end && *r->at == '0') {
        r->at++;
    } else if (!skip_digits(r)) {
        return false;
    }
    if (r->at < r->end && *r->at == '.') {
        r->at++;
        if (!skip_digits(r)) return false;
    }
    if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
        r->at++;
        if (r->at < r->end && (*r->at == '+' || *r->at == '-')) r->at++;
        if (!skip_digits(r)) return false;
    }
    return true;
}

static bool skip_word(struct reader *r, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, word, length) != 0) {
        return fail(r, "a value");
    }
    r->at += length;
    return true;
}

static bool skip_scalar(struct reader *r) {
    switch (*r->at) {
    case '"': return skip_string(r);
    case 't': return skip_word(r, "true");
    case 'f': return skip_word(r, "false");
    case 'n': return skip_word(r, "null");
    case '-': return skip_number(r);
    default: return is_digit(r) ? skip_number(r) : fail(r, "a value");
    }
}

/* Writes POINT to ROOM as UTF-8. */
static size_t encode(char *room, int32_t point) {
    uint32_t p = (uint32_t)point;
    if (p < 0x80) {
        room[0] = (char)p;
        return 1;
    }
    if (p < 0x800) {
        room[0] = (char)(0xC0 | p >> 6);
        room[1] = (char)(0x80 | (p & 0x3F));
        return 2;
    }
    if (p < 0x10000) {
        room[0] = (char)(0xE0 | p >> 12);
        room[1] = (char)(0x80 | (p >> 6 & 0x3F));
        room[2] = (char)(0x80 | (p & 0x3F));
        return 3;
    }
    room[0] = (char)(0xF0 | p >> 18);
    room[1] = (char)(0x80 | (p >> 12 & 0x3F));
    room[2] = (char)(0x80 | (p >> 6 & 0x3F));
    room[3] = (char)(0x80 | (p & 0x3F));
    return 4;
}

/* What the checked characters FROM..END stand for, to TO, which may be FROM: it never gets longer. */
static size_t unescape(char *to, const unsigned char *from, const unsigned char *end) {
    static const char shorts[] = "b\bf\fn\nr\rt\t";
    char *start = to;
    while (from < end) {
        if (*from != '\\') {
            *to++ = (char)*from++;
            continue;
        }
        from++;
        if (*from == 'u') {
            size_t length;
            int32_t point = escaped_point(from, end, &length);
            from += length;
            to += encode(to, point);
            continue;
        }
        char plain = (char)*from;
        for (const char *s = shorts; *s; s += 2) {
            if (*s == plain) {
                plain = s[1];
                break;
            }
        }
        *to++ = plain;
        from++;
    }
    return (size_t)(to - start);
}

static bool remember_key(struct reader *r, const unsigned char *from, const unsigned char *end) {
    if (r->key_count == r->key_room) {
        size_t room = r->key_room ? r->key_room * 2 : 32;
        uint64_t *keys = realloc(r->keys, room * sizeof *keys);
        if (!keys) {
            r->no_memory = true;
            return false;
        }
        r->keys = keys;
        r->key_room = room;
    }
    uint64_t hash;
    if (memchr(from, '\\', (size_t)(end - from))) {
        char *plain = malloc((size_t)(end - from));
        if (!plain) {
            r->no_memory = true;
            return false;
        }
        hash = ili_siphash(hash_key, plain, unescape(plain, from, end));
        free(plain);
    } else {
        hash = ili_siphash(hash_key, from, (size_t)(end - from));
    }
    r->keys[r->key_count++] = hash;
    return true;
}

static int by_hash(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* An object ends whose keys begin at FIRST: forgets them. */
static bool keys_differ(struct reader *r, size_t first) {
    size_t count = r->key_count - first;
    uint64_t *keys = r->keys + first;
    r->key_count = first;
    if (count < 2) return true;
    qsort(keys, count, sizeof *keys, by_hash);
    for (size_t i = 1; i < count; i++) {
        if (keys[i] == keys[i - 1]) return fail(r, "no two members of one name in an object");
    }
    return true;
}

/* A member's name and colon. */
static bool read_key(struct reader *r) {
    skip_space(r);
    if (r->at == r->end || *r->at != '"') return fail(r, "a member's name");
    const unsigned char *start = r->at + 1;
    if (!skip_string(r) || !remember_key(r, start, r->at - 1)) return false;
    skip_space(r);
    if (r->at == r->end || *r->at != ':') return fail(r, "a colon");
    r->at++;
    return true;
}

static bool read_value(struct reader *r) {
    unsigned char closing[DEPTH_MOST];
    size_t first_key[DEPTH_MOST];
    unsigned depth = 0;
    for (;;) {
        skip_space(r);
        if (r->at == r->end) return fail(r, "a value");
        if (*r->at == '{' || *r->at == '[') {
            if (depth == r->most) return fail(r, "no deeper nesting");
            closing[depth] = *r->at == '{' ? '}' : ']';
            first_key[depth] = r->key_count;
            r->at++;
            skip_space(r);
            if (r->at == r->end || *r->at != closing[depth]) {
                if (closing[depth++] == '}' && !read_key(r)) return false;
                continue;
            }
            r->at++; /* empty */
        } else if (!skip_scalar(r)) {
            return false;
        }
        for (;;) { /* a value has ended */
            if (depth == 0) return true;
            skip_space(r);
            if (r->at < r->end && *r->at == ',') {
                r->at++;
                if (closing[depth - 1] == '}' && !read_key(r)) return false;
                break;
            }
            if (r->at == r->end || *r->at != closing[depth - 1]) {
                return fail(r, closing[depth - 1] == '}' ? "a comma or }" : "a comma or ]");
            }
            if (closing[--depth] == '}' && !keys_differ(r, first_key[depth])) return false;
            r->at++;
        }
    }
}

static enum ili_value_type type_of(char first) {
    switch (first) {
    case '{': return ILI_VALUE_OBJECT;
    case '[': return ILI_VALUE_ARRAY;
    case '"': return ILI_VALUE_STRING;
    case 't':
    case 'f': return ILI_VALUE_BOOL;
    case 'n': return ILI_VALUE_NULL;
    default: return ILI_VALUE_NUMBER;
    }
}

static struct ili_value span(char *at, const unsigned char *end) {
    return (struct ili_value){.type = type_of(*at), .at = at, .bytes = (size_t)((char *)end - at)};
}

il_status ili_value_parse(char *text, size_t bytes, unsigned depth, struct ili_value *out,
                          struct ili_fault *fault) {
    struct reader r = {.at = (unsigned char *)text,
                       .end = (unsigned char *)text + bytes,
                       .most = depth < DEPTH_MOST ? depth : DEPTH_MOST};
    skip_space(&r);
    char *start = text + (r.at - (unsigned char *)text);
    bool right = read_value(&r);
    const unsigned char *end = r.at;
    if (right) {
        skip_space(&r);
        if (r.at != r.end) right = fail(&r, "nothing behind the value");
    }
    free(r.keys);
    if (r.no_memory) return ili_fault_set(fault, IL_ENOMEM, NULL, NULL, "no memory for the body");
    if (!right) {
        return ili_fault_set(fault, IL_EINVAL, "body", "JSON (RFC 8259)",
                             "not JSON at byte %zu: expected %s",
                             (size_t)(r.at - (unsigned char *)text), r.wrong);
    }
    *out = span(start, end);
    return IL_OK;
}

/* ---- walking a text that was checked --------------------------------------------------------- */

/* Where the value at AT ends. */
static unsigned char *value_end(unsigned char *at) {
    unsigned depth = 0;
    do {
        if (*at == '"') {
            for (at++; *at != '"'; at++) {
                if (*at == '\\') at++;
            }
            at++;
        } else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if (*at == '}' || *at == ']') {
            depth--;
            at++;
        } else if (depth) {
            at++;
        } else {
            return at + strcspn((char *)at, ",]} \n\r\t"); /* a number or a word inside brackets */
        }
    } while (depth);
    return at;
}

static char *over_space(char *at) { return at + strspn(at, " \n\r\t"); }

bool ili_value_next(const struct ili_value *of, char **at, struct ili_value *key,
                    struct ili_value *value) {
    char *end = of->at + of->bytes - 1; /* the closing bracket, which ends every walk */
    char *here = over_space(*at ? *at : of->at + 1);
    if (here >= end) return false;
    if (*here == ',') here = over_space(here + 1);
    if (key) {
        unsigned char *key_end = value_end((unsigned char *)here);
        *key = span(here, key_end);
        here = over_space(over_space((char *)key_end) + 1);
    }
    unsigned char *value_stop = value_end((unsigned char *)here);
    *value = span(here, value_stop);
    *at = (char *)value_stop;
    return true;
}

unsigned ili_value_depth(const struct ili_value *value) {
    unsigned depth = 0, most = 0;
    const char *end = value->at + value->bytes;
    for (const char *at = value->at; at < end; at++) {
        if (*at == '"') {
            for (at++; *at != '"'; at++) {
                if (*at == '\\') at++;
            }
        } else if (*at == '{' || *at == '[') {
            if (++depth > most) most = depth;
        } else if (*at == '}' || *at == ']') {
            depth--;
        }
    }
    return most;
}

char *ili_value_unescape(const struct ili_value *value, size_t *bytes) {
    unsigned char *from = (unsigned char *)value->at + 1;
    unsigned char *end = (unsigned char *)value->at + value->bytes - 1;
    unsigned char *escape = memchr(from, '\\', (size_t)(end - from));
    if (!escape) {
        *bytes = (size_t)(end - from);
    } else {
        *bytes = (size_t)(escape - from) + unescape((char *)escape, escape, end);
    }
    return (char *)from;
}
