#include "base/number_text.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <string.h>

static void both_ways(uint32_t type, const void *number, size_t size, const char *text) {
    char room[ILI_NUMBER_TEXT_BYTES], back[8] = {0};
    bool word = true;
    size_t bytes = ili_number_write(type, number, room, &word);
    cr_assert(strcmp(room, text) == 0, "%s instead of %s", room, text);
    cr_assert_eq(bytes, strlen(text));
    cr_assert(word ? ili_number_read_word(type, room, bytes, back)
                   : ili_number_read(type, room, bytes, back));
    cr_assert_eq(memcmp(back, number, size), 0, "%s", text);
}

#define BOTH(T, type, value, text)                                                                 \
    do {                                                                                           \
        T number = value;                                                                          \
        both_ways(type, &number, sizeof number, text);                                             \
    } while (0)

Test(base_number_text, integers_are_exact) {
    BOTH(int8_t, IL_I8, INT8_MIN, "-128");
    BOTH(int8_t, IL_I8, INT8_MAX, "127");
    BOTH(int16_t, IL_I16, INT16_MIN, "-32768");
    BOTH(int32_t, IL_I32, INT32_MIN, "-2147483648");
    BOTH(int32_t, IL_I32, -1, "-1");
    BOTH(int64_t, IL_I64, INT64_MIN, "-9223372036854775808");
    BOTH(int64_t, IL_I64, INT64_MAX, "9223372036854775807");
    BOTH(uint8_t, IL_U8, UINT8_MAX, "255");
    BOTH(uint16_t, IL_U16, UINT16_MAX, "65535");
    BOTH(uint32_t, IL_U32, UINT32_MAX, "4294967295");
    BOTH(uint64_t, IL_U64, UINT64_MAX, "18446744073709551615");
    BOTH(uint64_t, IL_U64, 0, "0");
}

Test(base_number_text, floats_come_back_as_they_were) {
    BOTH(double, IL_F64, 0.1, "0.1");
    BOTH(double, IL_F64, 0.1 + 0.2, "0.30000000000000004");
    BOTH(double, IL_F64, 1.0, "1.0");
    BOTH(double, IL_F64, -0.0, "-0.0");
    BOTH(double, IL_F64, 5e-324, "4.94065645841247e-324");
    BOTH(double, IL_F64, 1.7976931348623157e308, "1.7976931348623157e+308");
    BOTH(double, IL_F64, (double)INFINITY, "inf");
    BOTH(double, IL_F64, -(double)INFINITY, "-inf");
    BOTH(double, IL_F64, (double)NAN, "nan");
    BOTH(float, IL_F32, 0.1F, "0.1");
    BOTH(float, IL_F32, 16777217.0F, "16777216.0");
    BOTH(float, IL_F32, 3.4028235e38F, "3.4028235e+38");
    BOTH(float, IL_F32, -INFINITY, "-inf");
}

Test(base_number_text, no_locale_matters) {
    /* where the locale is not installed this is one more look at the same */
    setlocale(LC_ALL, "de_DE.UTF-8");
    BOTH(double, IL_F64, 2.5, "2.5");
}

Test(base_number_text, refuses_what_does_not_fit) {
    static const struct {
        uint32_t type;
        const char *text;
    } bad[] = {{IL_I8, "128"},
               {IL_I8, "-129"},
               {IL_I8, "1.0"},
               {IL_I8, "1e1"},
               {IL_I8, ""},
               {IL_U8, "-1"},
               {IL_U8, "256"},
               {IL_U64, "18446744073709551616"},
               {IL_I64, "9223372036854775808"},
               {IL_I64, "-9223372036854775809"},
               {IL_I64, "99999999999999999999999"},
               {IL_F64, "1e999"},
               {IL_F32, "1e39"},
               {IL_F64, "inf"},
               {IL_F64, ""},
               {IL_F64, "1x"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char out[8] = "untouch";
        cr_assert(!ili_number_read(bad[i].type, bad[i].text, strlen(bad[i].text), out), "%s",
                  bad[i].text);
        cr_assert_eq(memcmp(out, "untouch", 8), 0);
    }
    char out[8];
    cr_assert(!ili_number_read_word(IL_I64, "nan", 3, out), "an integer is never nan");
    cr_assert(!ili_number_read_word(IL_F64, "NaN", 3, out));
    cr_assert(ili_number_read(IL_I64, "-0", 2, out));
}
