#include "base/out.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/text.h"

/* Room for BYTES more; NULL if there is no memory. */
static char *reserve(struct ili_out *out, size_t bytes) {
    if (out->failed) return NULL;
    if (bytes > out->room - out->bytes) {
        size_t room = out->room ? out->room * 2 : 256;
        while (room - out->bytes < bytes) room *= 2;
        char *data = realloc(out->data, room);
        if (!data) {
            out->failed = true;
            return NULL;
        }
        out->data = data;
        out->room = room;
    }
    return out->data + out->bytes;
}

static void add(struct ili_out *out, const char *text, size_t bytes) {
    char *room = reserve(out, bytes);
    if (!room) return;
    memcpy(room, text, bytes);
    out->bytes += bytes;
}

/* Before a value or a key: a comma, unless it is the first of its line or bracket or a key's value. */
static void separate(struct ili_out *out) {
    if (out->bytes == 0 || out->failed) return;
    char last = out->data[out->bytes - 1];
    if (last != '{' && last != '[' && last != ':' && last != '\n') add(out, ",", 1);
}

void ili_out_open(struct ili_out *out, char bracket) {
    separate(out);
    add(out, &bracket, 1);
}

void ili_out_close(struct ili_out *out, char bracket) { add(out, &bracket, 1); }

void ili_out_key(struct ili_out *out, const char *key) {
    separate(out);
    size_t bytes = strlen(key);
    char *room = reserve(out, bytes + 3);
    if (!room) return;
    room[0] = '"';
    memcpy(room + 1, key, bytes);
    room[bytes + 1] = '"';
    room[bytes + 2] = ':';
    out->bytes += bytes + 3;
}

/* How many bytes at TEXT stand for themselves in a JSON string. */
static size_t plain_run(const unsigned char *text, size_t bytes) {
    size_t i = 0;
    while (i < bytes && text[i] >= 0x20 && text[i] < 0x80 && text[i] != '"' && text[i] != '\\') i++;
    return i;
}

/* Length of the UTF-8 sequence at TEXT; 0: it is none. */
static size_t sequence(const unsigned char *text, size_t bytes) {
    size_t length = text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : 2;
    return length <= bytes && ili_utf8_valid(text, length) ? length : 0;
}

static void add_escaped(struct ili_out *out, unsigned char c) {
    static const char hex[] = "0123456789abcdef";
    static const char shorts[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    for (const char *s = shorts; *s; s += 2) {
        if ((unsigned char)*s != c) continue;
        char escape[2] = {'\\', s[1]};
        add(out, escape, 2);
        return;
    }
    char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    add(out, escape, 6);
}

void ili_out_text(struct ili_out *out, const char *text, size_t bytes) {
    const unsigned char *at = (const unsigned char *)text;
    separate(out);
    add(out, "\"", 1);
    while (bytes > 0) {
        size_t length = plain_run(at, bytes);
        if (length > 0) {
            add(out, (const char *)at, length);
        } else if (*at < 0x80) {
            add_escaped(out, *at);
            length = 1;
        } else if ((length = sequence(at, bytes)) > 0) {
            add(out, (const char *)at, length);
        } else {
            add(out, "\xEF\xBF\xBD", 3);
            length = 1;
        }
        at += length;
        bytes -= length;
    }
    add(out, "\"", 1);
}

void ili_out_string(struct ili_out *out, const char *text) {
    if (text) {
        ili_out_text(out, text, strlen(text));
    } else {
        ili_out_null(out);
    }
}

static size_t digits(char room[20], uint64_t number) {
    char reversed[20];
    size_t count = 0;
    do {
        reversed[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    for (size_t i = 0; i < count; i++) room[i] = reversed[count - 1 - i];
    return count;
}

void ili_out_number(struct ili_out *out, uint64_t number) {
    char room[20];
    separate(out);
    add(out, room, digits(room, number));
}

void ili_out_signed(struct ili_out *out, int64_t number) {
    char room[21];
    size_t count = digits(room + 1, number < 0 ? -(uint64_t)number : (uint64_t)number);
    room[0] = '-';
    separate(out);
    add(out, number < 0 ? room : room + 1, number < 0 ? count + 1 : count);
}

void ili_out_token(struct ili_out *out, uint64_t token) {
    char room[22];
    size_t count = digits(room + 1, token);
    room[0] = room[count + 1] = '"';
    separate(out);
    add(out, room, count + 2);
}

void ili_out_bool(struct ili_out *out, bool value) {
    separate(out);
    if (value) {
        add(out, "true", 4);
    } else {
        add(out, "false", 5);
    }
}

void ili_out_null(struct ili_out *out) {
    separate(out);
    add(out, "null", 4);
}

void ili_out_seconds(struct ili_out *out, int64_t ns) {
    char room[32];
    if (ns < 0) ns = 0;
    size_t count = digits(room, (uint64_t)ns / 1000000000);
    uint64_t rest = (uint64_t)ns % 1000000000;
    room[count++] = '.';
    uint64_t unit = 100000000;
    do {
        room[count++] = (char)('0' + rest / unit);
        rest %= unit;
        unit /= 10;
    } while (rest);
    separate(out);
    add(out, room, count);
}

#define DAY 86400
#define YEAR_0_DAYS 719468                 /* from 1 March of the year 0 to 1970 */
#define CENTURIES_DAYS 146097              /* 400 years */
#define FIRST_SECOND INT64_C(-62167219200) /* of the year 0 */
#define LAST_SECOND INT64_C(253402300799)  /* of the year 9999 */

static char *padded(char *to, int count, unsigned number) {
    for (int i = count - 1; i >= 0; i--, number /= 10) to[i] = (char)('0' + number % 10);
    return to + count;
}

/* Writes the time without its end; how long it is. 0: it cannot be told. Every answer about a task has
 * some, and strftime() takes as long as all the rest of it. Years are counted from March here, so that the
 * day that some of them have more is their last. */
static size_t time_text(char room[40], int64_t wall_seconds) {
    if (wall_seconds < FIRST_SECOND || wall_seconds > LAST_SECOND) return 0;
    int64_t days = (wall_seconds - FIRST_SECOND) / DAY; /* since 1 January of the year 0 */
    unsigned second = (unsigned)((wall_seconds - FIRST_SECOND) % DAY);
    unsigned from_march = (unsigned)(days + FIRST_SECOND / DAY + YEAR_0_DAYS + CENTURIES_DAYS);
    unsigned centuries = from_march / CENTURIES_DAYS, day = from_march % CENTURIES_DAYS;
    unsigned century = day / 36524 < 3 ? day / 36524 : 3;
    day -= century * 36524;
    unsigned fours = day / 1461, year = day % 1461 / 365 < 3 ? day % 1461 / 365 : 3;
    day = day % 1461 - year * 365;
    unsigned month = (5 * day + 2) / 153; /* 0: March. Five months have 153 days, again and again */
    unsigned day_of_month = day - (153 * month + 2) / 5 + 1;
    year += fours * 4 + century * 100 + centuries * 400 - 400 + (month >= 10);
    month = month < 10 ? month + 3 : month - 9;
    char *to = padded(room, 4, year);
    *to++ = '-';
    to = padded(to, 2, month);
    *to++ = '-';
    to = padded(to, 2, day_of_month);
    *to++ = 'T';
    to = padded(to, 2, second / 3600);
    *to++ = ':';
    to = padded(to, 2, second / 60 % 60);
    *to++ = ':';
    to = padded(to, 2, second % 60);
    return (size_t)(to - room);
}

void ili_out_time(struct ili_out *out, int64_t wall_seconds) {
    char text[48];
    size_t length = time_text(text, wall_seconds);
    if (length == 0) {
        ili_out_null(out);
        return;
    }
    text[length++] = 'Z';
    ili_out_text(out, text, length);
}

void ili_out_time_ms(struct ili_out *out, int64_t wall_ms) {
    char text[48];
    size_t length = time_text(text, wall_ms / 1000);
    int64_t rest = wall_ms % 1000;
    if (length == 0 || rest < 0) {
        ili_out_null(out);
        return;
    }
    text[length++] = '.';
    for (int64_t unit = 100; unit > 0; unit /= 10) {
        text[length++] = (char)('0' + rest / unit % 10);
    }
    text[length++] = 'Z';
    ili_out_text(out, text, length);
}

void ili_out_base64(struct ili_out *out, const void *data, size_t bytes) {
    size_t length = ili_base64_length(bytes);
    separate(out);
    char *room = reserve(out, length + 2);
    if (!room) return;
    room[0] = room[length + 1] = '"';
    ili_base64_encode(room + 1, data, bytes);
    out->bytes += length + 2;
}

void ili_out_json(struct ili_out *out, const char *text, size_t bytes) {
    separate(out);
    add(out, text, bytes);
}

void ili_out_plain(struct ili_out *out, const char *text, size_t bytes) { add(out, text, bytes); }

void ili_out_line(struct ili_out *out) { add(out, "\n", 1); }

void ili_out_free(struct ili_out *out) {
    free(out->data);
    *out = (struct ili_out){0};
}
