#include "base/siphash.h"

#include <string.h>

struct state {
    uint64_t a, b, c, d;
};

static uint64_t rotate(uint64_t x, int bits) { return (x << bits) | (x >> (64 - bits)); }

static void rounds(struct state *s, int count) {
    for (int i = 0; i < count; i++) {
        s->a += s->b;
        s->c += s->d;
        s->b = rotate(s->b, 13) ^ s->a;
        s->d = rotate(s->d, 16) ^ s->c;
        s->a = rotate(s->a, 32);
        s->c += s->b;
        s->a += s->d;
        s->b = rotate(s->b, 17) ^ s->c;
        s->d = rotate(s->d, 21) ^ s->a;
        s->c = rotate(s->c, 32);
    }
}

static void absorb(struct state *s, uint64_t word) {
    s->d ^= word;
    rounds(s, 2);
    s->a ^= word;
}

uint64_t ili_siphash(const uint64_t key[2], const void *data, size_t bytes) {
    /* the initial constants are "somepseudorandomlygeneratedbytes" */
    struct state s = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                      key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
    const unsigned char *p = data;
    size_t whole = bytes / 8;
    uint64_t word;
    for (size_t i = 0; i < whole; i++) {
        memcpy(&word, p + 8 * i, 8);
        absorb(&s, word);
    }
    word = (uint64_t)bytes << 56;
    for (size_t i = 0; i < bytes % 8; i++) word |= (uint64_t)p[8 * whole + i] << (8 * i);
    absorb(&s, word);
    s.c ^= 0xff;
    rounds(&s, 4);
    return s.a ^ s.b ^ s.c ^ s.d;
}
