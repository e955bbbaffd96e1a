#include "base/json_number.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Halfway between two doubles lies no number of more significant digits than 767: what follows matters only by
 * being there. */
#define DIGITS_MOST 780
#define EXPONENT_MOST 100000000
#define SMALL_DIGITS 18 /* always fit */

static locale_t plain;

static void make_plain(void) { plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

/* Whatever the program's locale takes for a decimal point. */
static double read_double(const char *text) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_plain);
    return plain ? strtod_l(text, NULL, plain) : strtod(text, NULL);
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* The double next to a number without sign: its digits are collected as 0.DIGITS, and how far the point is to
 * be moved. */
static double value_of(const char *at, const char *end) {
    char text[DIGITS_MOST + 32] = "0.";
    size_t count = 0;
    long long scale = 0, exponent = 0;
    bool fraction = false, more = false;
    for (; at < end && (is_digit(*at) || *at == '.'); at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        if (count || *at != '0') {
            if (count < DIGITS_MOST) {
                text[2 + count++] = *at;
            } else {
                more |= *at != '0';
            }
            if (!fraction) scale++;
        } else if (fraction) {
            scale--;
        }
    }
    if (more) text[2 + count++] = '1';
    if (at < end && (*at == 'e' || *at == 'E')) {
        bool minus = ++at < end && *at == '-';
        if (at < end && (*at == '-' || *at == '+')) at++;
        for (; at < end && is_digit(*at); at++) {
            if (exponent < EXPONENT_MOST) exponent = exponent * 10 + (*at - '0');
        }
        if (minus) exponent = -exponent;
    }
    if (count == 0) return 0;
    snprintf(text + 2 + count, sizeof text - 2 - count, "e%lld", scale + exponent);
    return read_double(text);
}

struct ili_json_number ili_json_number(const char *text, size_t bytes) {
    const char *end = text + bytes;
    struct ili_json_number n = {.integer = true};
    if (text < end && *text == '-') {
        n.negative = true;
        text++;
    }
    for (const char *at = text; at < end; at++) {
        if (!is_digit(*at)) n.integer = false;
    }
    if (n.integer) {
        while (text < end && *text == '0') text++;
        n.digits = text;
        n.count = (size_t)(end - text);
        if (n.count == 0) n.negative = false;
    } else {
        n.value = value_of(text, end);
        if (n.negative) n.value = -n.value;
    }
    return n;
}

static int order_integers(const struct ili_json_number *a, const struct ili_json_number *b) {
    int order;
    if (a->negative != b->negative) return a->negative ? -1 : 1;
    if (a->count != b->count) {
        order = a->count < b->count ? -1 : 1;
    } else {
        order = a->count ? memcmp(a->digits, b->digits, a->count) : 0;
    }
    return a->negative ? -order : order;
}

/* An integer and a double. */
static int order_mixed(const struct ili_json_number *integer, double value) {
    char text[320];
    if (isinf(value)) return value > 0 ? -1 : 1;
    /* trunc() would need libm; from here on a double has no fraction */
    double whole = value > -0x1p53 && value < 0x1p53 ? (double)(int64_t)value : value;
    int bytes = snprintf(text, sizeof text, "%.0f", whole); /* exact */
    struct ili_json_number n = ili_json_number(text, (size_t)bytes);
    int order = order_integers(integer, &n);
    if (order || value == whole) return order;
    return value > whole ? -1 : 1;
}

int ili_json_number_order(const struct ili_json_number *a, const struct ili_json_number *b) {
    if (a->integer && b->integer) return order_integers(a, b);
    if (a->integer) return order_mixed(a, b->value);
    if (b->integer) return -order_mixed(b, a->value);
    return (a->value > b->value) - (a->value < b->value);
}

bool ili_json_number_small(const struct ili_json_number *number, int64_t *value) {
    if (!number->integer || number->count > SMALL_DIGITS) return false;
    int64_t n = 0;
    for (size_t i = 0; i < number->count; i++) n = n * 10 + (number->digits[i] - '0');
    *value = number->negative ? -n : n;
    return true;
}
