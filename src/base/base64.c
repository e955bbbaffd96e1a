#include "base/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void ili_base64_encode(char *text, const void *data, size_t bytes) {
    const unsigned char *from = data;
    for (; bytes >= 3; bytes -= 3, from += 3) {
        uint32_t group = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
        *text++ = alphabet[group >> 18];
        *text++ = alphabet[group >> 12 & 63];
        *text++ = alphabet[group >> 6 & 63];
        *text++ = alphabet[group & 63];
    }
    if (bytes == 0) return;
    uint32_t group = (uint32_t)from[0] << 16 | (bytes == 2 ? (uint32_t)from[1] << 8 : 0);
    *text++ = alphabet[group >> 18];
    *text++ = alphabet[group >> 12 & 63];
    *text++ = bytes == 2 ? alphabet[group >> 6 & 63] : '=';
    *text++ = '=';
}

#define NONE 0x80u /* no character of the alphabet: a bit that no value has */

/* Its place in the alphabet plus 1, so that the rest of the table is 0. */
static const uint8_t places[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

static uint32_t value_of(char character) {
    uint32_t place = places[(unsigned char)character];
    return place ? place - 1 : NONE;
}

bool ili_base64_decode(void *data, size_t *bytes, const char *text, size_t characters) {
    unsigned char *to = data;
    if (characters % 4 != 0) return false;
    if (characters == 0) {
        *bytes = 0;
        return true;
    }
    size_t padding = text[characters - 1] != '=' ? 0 : text[characters - 2] != '=' ? 1 : 2;
    const char *last = text + characters - 4; /* the only group that may hold padding */
    for (; text < last; text += 4) {
        uint32_t a = value_of(text[0]), b = value_of(text[1]);
        uint32_t c = value_of(text[2]), d = value_of(text[3]);
        if ((a | b | c | d) & NONE) return false;
        *to++ = (unsigned char)(a << 2 | b >> 4);
        *to++ = (unsigned char)(b << 4 | c >> 2);
        *to++ = (unsigned char)(c << 6 | d);
    }
    uint32_t a = value_of(last[0]), b = value_of(last[1]);
    uint32_t c = padding < 2 ? value_of(last[2]) : 0, d = padding < 1 ? value_of(last[3]) : 0;
    if ((a | b | c | d) & NONE) return false;
    if ((padding == 2 && b & 15) || (padding == 1 && c & 3)) return false; /* bits cut off */
    *to++ = (unsigned char)(a << 2 | b >> 4);
    if (padding < 2) *to++ = (unsigned char)(b << 4 | c >> 2);
    if (padding < 1) *to++ = (unsigned char)(c << 6 | d);
    *bytes = (size_t)(to - (unsigned char *)data);
    return true;
}
