/*
 * json_order.c - see json_order.h.
 *
 * Both texts are walked in step, without recursion: what is open in both is on one stack. Members of objects are
 * walked so too while their names agree; from the first that does not on, what is left of both objects is sorted by
 * name, and the walk jumps from value to value.
 */
#include "base/json_order.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_check.h"
#include "base/json_number.h"

#define LEVELS_FEW 8

const char *ili_order_type_name(uint32_t type) {
    static const char *const names[] = {"unknown", "null",  "boolean", "number",
                                        "string",  "array", "object",  "bytes"};
    return names[type <= ILI_ORDER_BYTES ? type : 0];
}

/* Where a text is read: never at END. */
struct side {
    const char *at, *end;
};

struct span {
    const char *at;
    size_t bytes;
};

struct member {
    struct span key; /* with its quotes */
    const char *value;
};

/* What is open in both texts. */
struct level {
    bool object, begun;
    struct member
        *members; /* sorted: of the first text, then as many of the second; NULL: not yet */
    size_t count, next;
    const char *after[2]; /* where the texts go on behind them */
};

struct walk {
    struct side side[2];
    struct level *levels, few[LEVELS_FEW];
    size_t depth, room, objects; /* open: how many, and how many of these are objects */
    bool equality;               /* nothing else is asked for */
    int order;                   /* of the first difference; equality: not 0 */
    struct ili_order_clash clash;
};

/* ---- words ---------------------------------------------------------------------------------------- */

static char peek(struct side *s) {
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
        s->at++;
    return s->at < s->end ? *s->at : '\0';
}

static uint32_t type_of(char first) {
    switch (first) {
    case 'n': return ILI_ORDER_NULL;
    case 't':
    case 'f': return ILI_ORDER_BOOLEAN;
    case '"': return ILI_ORDER_STRING;
    case '[': return ILI_ORDER_ARRAY;
    case '{': return ILI_ORDER_OBJECT;
    case '\0': return ILI_ORDER_NONE;
    default: return ILI_ORDER_NUMBER;
    }
}

static bool ends_word(char c) {
    return c == ',' || c == ']' || c == '}' || c == ':' || c == ' ' || c == '\n' || c == '\r' ||
           c == '\t';
}

/* Steps over a string, a number or a word. */
static struct span scalar(struct side *s) {
    struct span span = {s->at, 0};
    if (*s->at == '"') {
        for (s->at++; s->at < s->end && *s->at != '"'; s->at++) {
            if (*s->at == '\\' && s->at + 1 < s->end) s->at++;
        }
        if (s->at < s->end) s->at++;
    } else {
        while (s->at < s->end && !ends_word(*s->at)) s->at++;
    }
    span.bytes = (size_t)(s->at - span.at);
    return span;
}

/* Steps over any value. */
static bool skip_value(struct side *s) {
    size_t depth = 0;
    do {
        char c = peek(s);
        const char *before = s->at;
        if (c == '\0') return false;
        if (c == '[' || c == '{') depth++;
        if ((c == ']' || c == '}') && depth-- == 0) return false;
        if (c == '[' || c == '{' || c == ']' || c == '}' || c == ',' || c == ':') {
            s->at++;
        } else {
            scalar(s);
        }
        if (s->at == before) return false;
    } while (depth > 0);
    return true;
}

/* ---- strings -------------------------------------------------------------------------------------- */

static unsigned hex4(const char *at) {
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        unsigned digit = c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
        value = value << 4 | (digit & 15);
    }
    return value;
}

static uint32_t escaped_point(struct side *s) {
    static const char letters[] = "bfnrt", points[] = "\b\f\n\r\t";
    char c = *s->at++;
    const char *letter = memchr(letters, c, sizeof letters - 1);
    if (letter) return (uint32_t)points[letter - letters];
    if (c != 'u' || s->end - s->at < 4) return (unsigned char)c;
    uint32_t unit = hex4(s->at);
    s->at += 4;
    if (unit < 0xd800 || unit > 0xdbff || s->end - s->at < 6) return unit;
    uint32_t low = hex4(s->at + 2);
    s->at += 6;
    return 0x10000 + ((unit - 0xd800) << 10 | (low & 0x3ff));
}

/* The next code point. S is within a string, before its end. */
static uint32_t point(struct side *s) {
    unsigned char first = (unsigned char)*s->at++;
    if (first == '\\' && s->at < s->end) return escaped_point(s);
    if (first < 0xc0) return first;
    unsigned more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    uint32_t value = first & (0x3fu >> more);
    while (more-- > 0 && s->at < s->end) value = value << 6 | ((unsigned char)*s->at++ & 0x3f);
    return value;
}

/* Text has no escapes, and its code points are in the order of its bytes. */
static int order_bytes(const char *a, size_t a_bytes, const char *b, size_t b_bytes) {
    size_t both = a_bytes < b_bytes ? a_bytes : b_bytes;
    int order = both ? memcmp(a, b, both) : 0;
    return order ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static bool has_escapes(const struct side *s) {
    return s->at < s->end && memchr(s->at, '\\', (size_t)(s->end - s->at));
}

static int order_strings(struct side a, bool a_json, struct side b, bool b_json) {
    a_json = a_json && has_escapes(&a);
    b_json = b_json && has_escapes(&b);
    if (!a_json && !b_json) {
        return order_bytes(a.at, (size_t)(a.end - a.at), b.at, (size_t)(b.end - b.at));
    }
    while (a.at < a.end && b.at < b.end) {
        /* a backslash in text is one */
        uint32_t x = !a_json && *a.at == '\\' ? (a.at++, '\\') : point(&a);
        uint32_t y = !b_json && *b.at == '\\' ? (b.at++, '\\') : point(&b);
        if (x != y) return x < y ? -1 : 1;
    }
    return (a.at < a.end) - (b.at < b.end);
}

/* What is between the quotes. */
static struct side inside(struct span string) {
    if (string.bytes < 2) return (struct side){string.at, string.at};
    return (struct side){string.at + 1, string.at + string.bytes - 1};
}

static int order_keys(struct span a, struct span b) {
    return order_strings(inside(a), true, inside(b), true);
}

/* ---- members -------------------------------------------------------------------------------------- */

/* Several of one name stay in their order. */
static int order_members(const void *a, const void *b) {
    const struct member *x = a, *y = b;
    int order = order_keys(x->key, y->key);
    return order ? order : (x->value > y->value) - (x->value < y->value);
}

/* Reads the name and the colon: the side is at the value. */
static bool read_key(struct side *s, struct span *key) {
    if (peek(s) != '"') return false;
    *key = scalar(s);
    if (peek(s) != ':') return false;
    s->at++;
    return peek(s) != '\0';
}

/* Whether there is another element or member, at which S is then; else S is behind the bracket. */
static bool more(struct side *s, bool begun, bool *broken) {
    char c = peek(s);
    if (c == ']' || c == '}') {
        s->at++;
        return false;
    }
    if (!begun) return true;
    if (c != ',') {
        *broken = true;
        return false;
    }
    s->at++;
    return peek(s) != '\0';
}

/* Counts, or with MEMBERS reads, the members from the one on whose name is KEY and at whose value S is. */
static il_status read_members(struct side *s, struct span key, struct member *members,
                              size_t *count) {
    size_t n = 0;
    bool broken = false;
    for (;;) {
        if (members && n < *count) members[n] = (struct member){key, s->at};
        n++;
        if (!skip_value(s)) return IL_ECORRUPT;
        if (!more(s, true, &broken)) break;
        if (!read_key(s, &key)) return IL_ECORRUPT;
    }
    *count = n;
    return broken ? IL_ECORRUPT : IL_OK;
}

/* The objects of LEVEL have other names from here on. *SAME: they have the same, sorted. */
static il_status sort_members(struct walk *w, struct level *level, const struct span keys[2],
                              bool *same) {
    size_t counts[2];
    struct side from[2] = {w->side[0], w->side[1]};
    for (int i = 0; i < 2; i++) {
        il_status status = read_members(&from[i], keys[i], NULL, &counts[i]);
        if (status != IL_OK) return status;
        level->after[i] = from[i].at;
    }
    *same = counts[0] == counts[1];
    if (!*same) return IL_OK;
    size_t n = counts[0];
    level->members = malloc(2 * n * sizeof *level->members);
    if (!level->members) return IL_ENOMEM;
    for (int i = 0; i < 2; i++) {
        from[i] = w->side[i];
        il_status status = read_members(&from[i], keys[i], level->members + i * n, &n);
        if (status != IL_OK) return status;
        qsort(level->members + i * n, n, sizeof *level->members, order_members);
    }
    for (size_t i = 0; i < n && *same; i++) {
        *same = order_keys(level->members[i].key, level->members[n + i].key) == 0;
    }
    level->count = n;
    level->next = 0;
    return IL_OK;
}

/* ---- the walk ------------------------------------------------------------------------------------- */

static il_status push(struct walk *w, bool object) {
    if (w->depth == ILI_JSON_DEPTH_MOST) return IL_ECORRUPT;
    if (w->depth == w->room) {
        size_t room = w->room * 4;
        bool few = w->levels == w->few;
        struct level *levels = realloc(few ? NULL : w->levels, room * sizeof *levels);
        if (!levels) return IL_ENOMEM;
        if (few) memcpy(levels, w->few, sizeof w->few);
        w->levels = levels;
        w->room = room;
    }
    w->levels[w->depth++] = (struct level){.object = object};
    w->objects += object;
    w->side[0].at++;
    w->side[1].at++;
    return IL_OK;
}

static void pop(struct walk *w) {
    struct level *level = &w->levels[--w->depth];
    w->objects -= level->object;
    free(level->members);
}

/* The first difference: between values of types A and B, ORDERED if that is an order. */
static il_status differ(struct walk *w, uint32_t a, uint32_t b, int ordered) {
    w->order = ordered ? ordered : 1;
    if (w->equality || (ordered && !w->objects)) return IL_OK;
    if (w->objects) a = b = ILI_ORDER_OBJECT;
    w->clash = (struct ili_order_clash){a, b};
    return IL_ETYPE;
}

static il_status compare_scalars(struct walk *w, uint32_t type) {
    struct span a = scalar(&w->side[0]), b = scalar(&w->side[1]);
    int order;
    if (type == ILI_ORDER_STRING) {
        order = order_keys(a, b);
    } else if (type == ILI_ORDER_NUMBER) {
        struct ili_json_number x = ili_json_number(a.at, a.bytes),
                               y = ili_json_number(b.at, b.bytes);
        order = ili_json_number_order(&x, &y);
    } else {
        return *a.at == *b.at ? IL_OK : differ(w, type, type, 0);
    }
    return order ? differ(w, type, type, order) : IL_OK;
}

/* Both sides are at a value. */
static il_status compare_values(struct walk *w) {
    uint32_t a = type_of(peek(&w->side[0])), b = type_of(peek(&w->side[1]));
    if (!a || !b) return IL_ECORRUPT;
    if (a != b) return differ(w, a, b, 0);
    if (a == ILI_ORDER_ARRAY || a == ILI_ORDER_OBJECT) return push(w, a == ILI_ORDER_OBJECT);
    return compare_scalars(w, a);
}

/* Goes on with the sorted members of LEVEL. False: there are no more. */
static bool jump(struct walk *w, struct level *level) {
    bool left = level->next < level->count;
    for (int i = 0; i < 2; i++) {
        w->side[i].at =
            left ? level->members[i * level->count + level->next].value : level->after[i];
    }
    level->next++;
    return left;
}

/* In the innermost level: goes to the next value. *AT_VALUE: there is one; else that level is closed. */
static il_status go_on(struct walk *w, bool *at_value) {
    struct level *level = &w->levels[w->depth - 1];
    uint32_t type = level->object ? ILI_ORDER_OBJECT : ILI_ORDER_ARRAY;
    bool broken = false, same = true, has[2];
    struct span keys[2];
    if (level->members) {
        *at_value = jump(w, level);
        if (!*at_value) pop(w);
        return IL_OK;
    }
    for (int i = 0; i < 2; i++) has[i] = more(&w->side[i], level->begun, &broken);
    level->begun = true;
    if (broken) return IL_ECORRUPT;
    if (has[0] != has[1]) return differ(w, type, type, level->object ? 0 : has[0] ? 1 : -1);
    *at_value = has[0];
    if (!has[0]) pop(w);
    if (!has[0] || type == ILI_ORDER_ARRAY) return IL_OK;
    for (int i = 0; i < 2; i++) {
        if (!read_key(&w->side[i], &keys[i])) return IL_ECORRUPT;
    }
    if (order_keys(keys[0], keys[1]) == 0) return IL_OK;
    il_status status = sort_members(w, level, keys, &same);
    if (status == IL_OK && !same) return differ(w, type, type, 0);
    if (status == IL_OK) (void)jump(w, level);
    return status;
}

static il_status run(struct walk *w) {
    bool at_value = true;
    il_status status = IL_OK;
    w->levels = w->few;
    w->room = LEVELS_FEW;
    do {
        if (at_value) status = compare_values(w);
        at_value = false;
        if (w->depth && status == IL_OK && !w->order) status = go_on(w, &at_value);
    } while (status == IL_OK && !w->order && (w->depth || at_value));
    while (w->depth) pop(w);
    if (w->levels != w->few) free(w->levels);
    return status;
}

il_status ili_json_order(const char *a, size_t a_bytes, const char *b, size_t b_bytes, int *order,
                         struct ili_order_clash *clash) {
    struct walk w = {.side = {{a, a + a_bytes}, {b, b + b_bytes}}};
    il_status status = run(&w);
    if (status == IL_OK) *order = w.order;
    if (status == IL_ETYPE) *clash = w.clash;
    return status;
}

il_status ili_json_equal(const char *a, size_t a_bytes, const char *b, size_t b_bytes,
                         bool *equal) {
    struct walk w = {.side = {{a, a + a_bytes}, {b, b + b_bytes}}, .equality = true};
    il_status status = run(&w);
    if (status == IL_OK) *equal = w.order == 0;
    return status;
}

/* ---- values of any type --------------------------------------------------------------------------- */

struct ili_order_key ili_order_key(uint32_t value_type, const void *data, size_t bytes) {
    struct ili_order_key key = {.value_type = value_type, .data = data, .bytes = bytes};
    if (value_type != IL_JSON) {
        key.type = value_type == IL_TEXT ? ILI_ORDER_STRING : ILI_ORDER_BYTES;
        return key;
    }
    struct side s = {data, key.data + bytes};
    key.type = type_of(peek(&s));
    if (key.type == ILI_ORDER_NONE) key.type = ILI_ORDER_NULL; /* no JSON: never put in by a call */
    if (key.type == ILI_ORDER_NUMBER) {
        struct span span = scalar(&s);
        struct ili_json_number number = ili_json_number(span.at, span.bytes);
        key.small = ili_json_number_small(&number, &key.number);
    }
    return key;
}

static struct side characters(const struct ili_order_key *key) {
    struct side s = {key->data, key->data + key->bytes};
    if (key->value_type == IL_JSON && peek(&s) == '"') return inside(scalar(&s));
    return s;
}

il_status ili_order_of_keys(const struct ili_order_key *a, const struct ili_order_key *b,
                            int *order, struct ili_order_clash *clash) {
    if (a->type != b->type) {
        *clash = (struct ili_order_clash){a->type, b->type};
        return IL_ETYPE;
    }
    if (a->small && b->small) {
        *order = (a->number > b->number) - (a->number < b->number);
    } else if (a->type == ILI_ORDER_BYTES) {
        *order = order_bytes(a->data, a->bytes, b->data, b->bytes);
    } else if (a->type == ILI_ORDER_STRING) {
        *order = order_strings(characters(a), a->value_type == IL_JSON, characters(b),
                               b->value_type == IL_JSON);
    } else {
        return ili_json_order(a->data, a->bytes, b->data, b->bytes, order, clash);
    }
    return IL_OK;
}

il_status ili_order_equal_keys(const struct ili_order_key *a, const struct ili_order_key *b,
                               bool *equal) {
    *equal = false;
    if (a->value_type != b->value_type || a->type != b->type) return IL_OK;
    if (a->bytes == b->bytes && (!a->bytes || memcmp(a->data, b->data, a->bytes) == 0)) {
        *equal = true;
        return IL_OK;
    }
    if (a->value_type != IL_JSON) return IL_OK;
    if (a->small && b->small) {
        *equal = a->number == b->number;
        return IL_OK;
    }
    return ili_json_equal(a->data, a->bytes, b->data, b->bytes, equal);
}
