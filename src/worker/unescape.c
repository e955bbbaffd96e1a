#include "worker/unescape.h"

#include <string.h>

static unsigned hex(const char *digits) {
    unsigned unit = 0;
    for (int i = 0; i < 4; i++) {
        char c = digits[i];
        unsigned value = (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        unit = unit * 16 + value;
    }
    return unit;
}

static size_t utf8(char *room, unsigned point) {
    if (point < 0x80) {
        room[0] = (char)point;
        return 1;
    }
    size_t bytes = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = bytes - 1; i > 0; i--, point >>= 6) room[i] = (char)(0x80 | (point & 0x3F));
    room[0] = (char)(leads[bytes] | point);
    return bytes;
}

/* *AT is behind the "\u". */
static unsigned code_point(const char **at) {
    unsigned unit = hex(*at);
    *at += 4;
    if (unit < 0xD800 || unit > 0xDBFF) return unit;
    unsigned low = hex(*at + 2);
    *at += 6;
    return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
}

void worker_unescape(const char *string, size_t bytes, char *room, size_t *out) {
    static const char signs[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    const char *at = string + 1, *end = string + bytes - 1;
    char *to = room;
    while (at < end) {
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }
        char sign = at[1];
        at += 2;
        if (sign == 'u') {
            to += utf8(to, code_point(&at)); /* never longer than what stood for it */
        } else {
            const char *known = strchr(signs, sign);
            *to++ = known ? meanings[known - signs] : sign;
        }
    }
    *to = '\0';
    *out = (size_t)(to - room);
}
