#include "base/number_text.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MOST 1000 /* a float with more digits than that is read by the first of them */

/* ---- the locale, which the process may have chosen ------------------------------------------------- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t plain; /* for the process's life */

static void make_plain(void) { plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

/* The calling thread's locale is "C" until it is put back; (locale_t)0: it could not be made. */
static locale_t begin_plain(void) {
    pthread_once(&once, make_plain);
    return plain ? uselocale(plain) : (locale_t)0;
}

static void end_plain(locale_t before) {
    if (before) uselocale(before);
}

/* ---- reading --------------------------------------------------------------------------------------- */

struct limits {
    uint64_t most_negative, most; /* how far from 0 */
    unsigned bytes;
};

static const struct limits limits[] = {
    [IL_I8] = {UINT64_C(1) << 7, INT8_MAX, 1},
    [IL_I16] = {UINT64_C(1) << 15, INT16_MAX, 2},
    [IL_I32] = {UINT64_C(1) << 31, INT32_MAX, 4},
    [IL_I64] = {UINT64_C(1) << 63, INT64_MAX, 8},
    [IL_U8] = {0, UINT8_MAX, 1},
    [IL_U16] = {0, UINT16_MAX, 2},
    [IL_U32] = {0, UINT32_MAX, 4},
    [IL_U64] = {0, UINT64_MAX, 8},
};

static bool is_float(uint32_t type) { return type == IL_F32 || type == IL_F64; }

/* Stores the low BYTES of BITS as an integer of that size. */
static void put_integer(uint64_t bits, unsigned bytes, void *out) {
    uint8_t b1 = (uint8_t)bits;
    uint16_t b2 = (uint16_t)bits;
    uint32_t b4 = (uint32_t)bits;
    const void *from = bytes == 1   ? &b1
                       : bytes == 2 ? (void *)&b2
                       : bytes == 4 ? (void *)&b4
                                    : &bits;
    memcpy(out, from, bytes);
}

static bool read_integer(uint32_t type, const char *text, size_t bytes, void *out) {
    const struct limits *limit = &limits[type];
    bool negative = bytes > 1 && *text == '-';
    uint64_t sum = 0;
    for (size_t i = negative; i < bytes; i++) {
        unsigned digit = (unsigned)(text[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(sum, UINT64_C(10), &sum) ||
            __builtin_add_overflow(sum, (uint64_t)digit, &sum)) {
            return false;
        }
    }
    if (bytes == 0 || sum > (negative ? limit->most_negative : limit->most)) return false;
    put_integer(negative ? 0 - sum : sum, limit->bytes, out);
    return true;
}

static bool read_float(uint32_t type, const char *text, size_t bytes, void *out) {
    char digits[TEXT_MOST + 1], *end;
    size_t length = bytes < TEXT_MOST ? bytes : TEXT_MOST;
    if (bytes > TEXT_MOST) return false;
    memcpy(digits, text, length);
    digits[length] = 0;
    locale_t before = begin_plain();
    float f = strtof(digits, &end);
    double d = strtod(digits, &end);
    end_plain(before);
    if (length == 0 || *end != 0 || !isfinite(d)) return false;
    if (type == IL_F32 && !isfinite(f)) return false;
    memcpy(out, type == IL_F32 ? (void *)&f : &d, type == IL_F32 ? sizeof f : sizeof d);
    return true;
}

bool ili_number_read(uint32_t type, const char *text, size_t bytes, void *out) {
    return is_float(type) ? read_float(type, text, bytes, out)
                          : read_integer(type, text, bytes, out);
}

bool ili_number_read_word(uint32_t type, const char *text, size_t bytes, void *out) {
    double d;
    if (bytes == 3 && memcmp(text, "nan", 3) == 0) {
        d = (double)NAN;
    } else if (bytes == 3 && memcmp(text, "inf", 3) == 0) {
        d = (double)INFINITY;
    } else if (bytes == 4 && memcmp(text, "-inf", 4) == 0) {
        d = -(double)INFINITY;
    } else {
        return false;
    }
    float f = (float)d;
    if (!is_float(type)) return false;
    memcpy(out, type == IL_F32 ? (void *)&f : &d, type == IL_F32 ? sizeof f : sizeof d);
    return true;
}

/* ---- writing --------------------------------------------------------------------------------------- */

/* As few digits as tell it from all others; 1.0, not 1. */
static size_t write_finite(double d, bool is_f32, char *room) {
    size_t length = 0;
    int digits = is_f32 ? FLT_DIG : DBL_DIG;
    locale_t before = begin_plain();
    for (; digits <= DBL_DECIMAL_DIG; digits++) {
        length = (size_t)snprintf(room, ILI_NUMBER_TEXT_BYTES, "%.*g", digits, d);
        if (is_f32 ? strtof(room, NULL) == (float)d : strtod(room, NULL) == d) break;
    }
    end_plain(before);
    if (!strpbrk(room, ".e")) {
        length += (size_t)snprintf(room + length, ILI_NUMBER_TEXT_BYTES - length, ".0");
    }
    return length;
}

static size_t write_float(uint32_t type, const void *number, char *room, bool *word) {
    double d;
    float f;
    if (type == IL_F32) {
        memcpy(&f, number, sizeof f);
        d = (double)f;
    } else {
        memcpy(&d, number, sizeof d);
    }
    *word = !isfinite(d);
    if (!*word) return write_finite(d, type == IL_F32, room);
    return (size_t)snprintf(room, ILI_NUMBER_TEXT_BYTES, "%s",
                            isnan(d) ? "nan"
                            : d > 0  ? "inf"
                                     : "-inf");
}

static uint64_t get_integer(unsigned bytes, const void *number) {
    uint64_t b8;
    uint32_t b4;
    uint16_t b2;
    uint8_t b1;
    switch (bytes) {
    case 1: memcpy(&b1, number, 1); return b1;
    case 2: memcpy(&b2, number, 2); return b2;
    case 4: memcpy(&b4, number, 4); return b4;
    default: memcpy(&b8, number, 8); return b8;
    }
}

size_t ili_number_write(uint32_t type, const void *number, char room[ILI_NUMBER_TEXT_BYTES],
                        bool *word) {
    *word = false;
    if (is_float(type)) return write_float(type, number, room, word);
    const struct limits *limit = &limits[type];
    uint64_t bits = get_integer(limit->bytes, number);
    bool negative = limit->most_negative && bits > limit->most;
    if (negative) { /* its distance from 0 */
        bits = 2 * limit->most_negative - bits;
    }
    return (size_t)snprintf(room, ILI_NUMBER_TEXT_BYTES, "%s%llu", negative ? "-" : "",
                            (unsigned long long)bits);
}

const char *ili_number_range(uint32_t type) {
    static const char *const ranges[] = {
        [IL_I8] = "an integer from -128 to 127",
        [IL_I16] = "an integer from -32768 to 32767",
        [IL_I32] = "an integer from -2147483648 to 2147483647",
        [IL_I64] = "an integer from -9223372036854775808 to 9223372036854775807",
        [IL_U8] = "an integer from 0 to 255",
        [IL_U16] = "an integer from 0 to 65535",
        [IL_U32] = "an integer from 0 to 4294967295",
        [IL_U64] = "an integer from 0 to 18446744073709551615",
        [IL_F32] = "a number that fits a float, or \"nan\", \"inf\" or \"-inf\"",
        [IL_F64] = "a number that fits a double, or \"nan\", \"inf\" or \"-inf\"",
    };
    return type < sizeof ranges / sizeof *ranges && ranges[type] ? ranges[type] : "a number";
}
