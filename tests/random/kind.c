#include "random/kind.h"

#include <stdio.h>
#include <string.h>

#include "support/wait.h"

/* ---- drawing ------------------------------------------------------------------------------------ */

uint32_t draw_below(uint64_t *random, uint32_t count) {
    return (uint32_t)(test_random(random) % count);
}

uint64_t draw_bytes(uint64_t *random) {
    uint32_t chance = draw_below(random, 1000);
    if (chance < 80) return 0;
    if (chance < 880) return 1 + draw_below(random, 64);
    if (chance < 980) return 1 + draw_below(random, 2000);
    if (chance < 997) return 1 + draw_below(random, 20000);
    return 1 + draw_below(random, 100 << 10);
}

static void fill_text(char *to, uint64_t bytes, uint64_t *random) {
    uint64_t i = 0, word = test_random(random);
    while (i < bytes) {
        if (i % 8 == 0) word = test_random(random);
        unsigned byte = (unsigned)(word >> i % 8 * 8) & 0xff;
        if (byte < 8 && i + 2 <= bytes) { /* beyond ASCII */
            memcpy(to + i, "\xc3\xa4", 2);
            i += 2;
        } else {
            to[i++] = (char)('a' + byte % 26);
        }
    }
}

/* A text that is the same after it was parsed and printed again, as the HTTP door does. */
static uint64_t fill_json(char *to, uint64_t bytes, uint64_t *random) {
    uint64_t at = 0;
    if (bytes < 10) return (uint64_t)sprintf(to, "%d", (int)draw_below(random, 200) - 100);
    if (draw_below(random, 4) == 0) return (uint64_t)sprintf(to, "%s", "{\"a\":[1,null,true]}");
    if (draw_below(random, 2) == 0) {
        to[at++] = '[';
        while (at + 6 < bytes) at += (uint64_t)sprintf(to + at, "%u,", draw_below(random, 1000));
        at += (uint64_t)sprintf(to + at, "%u]", draw_below(random, 10));
        return at;
    }
    to[at++] = '"';
    fill_text(to + at, bytes, random);
    at += bytes;
    to[at++] = '"';
    return at;
}

struct piece *draw_value(struct cargo *cargo, uint32_t type, uint64_t bytes, uint64_t *random) {
    struct piece *piece = cargo_add(cargo, type, NULL, bytes + 32);
    char *to = cargo->room + piece->at;
    if (type == IL_JSON) {
        bytes = fill_json(to, bytes, random);
    } else if (type == IL_TEXT) {
        fill_text(to, bytes, random);
    } else {
        for (uint64_t i = 0; i < bytes; i += 8) {
            uint64_t word = test_random(random);
            memcpy(to + i, &word, bytes - i < 8 ? bytes - i : 8);
        }
    }
    cargo->used = piece->at + bytes;
    piece->bytes = bytes;
    return piece;
}

struct piece *draw_any_value(struct cargo *cargo, uint64_t *random) {
    uint64_t bytes = draw_bytes(random), left = ROOM - cargo->used;
    if (bytes > left / 4) bytes = left / 4;
    return draw_value(cargo, draw_below(random, 3), bytes, random);
}

uint64_t draw_capacity(uint64_t *random) {
    return draw_below(random, 16) == 0 ? draw_below(random, 40) : ROOM;
}

/* ---- pieces ------------------------------------------------------------------------------------- */

void cargo_clear(struct cargo *cargo) {
    cargo->count = 0;
    cargo->used = 0;
}

struct piece *cargo_add(struct cargo *cargo, uint32_t type, const void *data, uint64_t bytes) {
    struct piece *piece = &cargo->pieces[cargo->count++];
    memset(piece, 0, sizeof *piece);
    piece->type = type;
    piece->at = cargo->used;
    piece->bytes = bytes;
    if (data) memcpy(cargo->room + cargo->used, data, bytes);
    cargo->used += bytes;
    return piece;
}

void cargo_add_key(struct cargo *cargo, struct piece *piece, const void *key, uint64_t bytes) {
    piece->key_at = cargo->used;
    piece->key_bytes = bytes;
    if (bytes > 0) memcpy(cargo->room + cargo->used, key, bytes);
    cargo->used += bytes;
}

void cargo_took(struct cargo *cargo, uint32_t type, uint64_t bytes, uint64_t version) {
    struct piece *piece = cargo_add(cargo, type, NULL, bytes);
    piece->version = version;
}

void answer_begin(struct answer *answer) {
    answer->status = answer->got = IL_OK;
    answer->number = answer->bytes = answer->version = answer->type = UNTOUCHED;
    cargo_clear(&answer->cargo);
    answer->message[0] = 0;
}

bool answers_equal(const struct answer *got, const struct answer *expected, char why[WHY]) {
    const struct cargo *a = &got->cargo, *b = &expected->cargo;
    if (got->status != expected->status) {
        snprintf(why, WHY, "%s (%.300s), not %s", il_status_name(got->status), got->message,
                 il_status_name(expected->status));
        return false;
    }
    const struct {
        const char *what;
        uint64_t got, expected;
    } numbers[] = {{"number", got->number, expected->number},
                   {"bytes", got->bytes, expected->bytes},
                   {"version", got->version, expected->version},
                   {"type", got->type, expected->type},
                   {"count", a->count, b->count}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i].got == numbers[i].expected) continue;
        snprintf(why, WHY, "%s %lld, not %lld, with %s", numbers[i].what, (long long)numbers[i].got,
                 (long long)numbers[i].expected, il_status_name(got->status));
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        const struct piece *p = &a->pieces[i], *q = &b->pieces[i];
        if (p->type == q->type && p->version == q->version && p->bytes == q->bytes &&
            p->key_bytes == q->key_bytes &&
            memcmp(cargo_key(a, p), cargo_key(b, q), q->key_bytes) == 0 &&
            memcmp(cargo_data(a, p), cargo_data(b, q), q->bytes) == 0)
            continue;
        snprintf(why, WHY,
                 "entry %u of %u: type %u, %llu bytes, version %llu, not %u, %llu, %llu, or others",
                 i, a->count, p->type, (unsigned long long)p->bytes, (unsigned long long)p->version,
                 q->type, (unsigned long long)q->bytes, (unsigned long long)q->version);
        return false;
    }
    return true;
}
