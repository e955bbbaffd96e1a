/* Writing JSON: escapes, commas, numbers, and text that is not UTF-8. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/out.h"

static void assert_written(struct ili_out *out, const char *expected) {
    cr_assert_not(out->failed);
    cr_assert_eq(out->bytes, strlen(expected), "%.*s", (int)out->bytes, out->data);
    cr_assert_eq(memcmp(out->data, expected, out->bytes), 0, "%.*s", (int)out->bytes, out->data);
    ili_out_free(out);
}

Test(server_out, commas_lie_where_they_belong) {
    struct ili_out out = {0};
    ili_out_open(&out, '{');
    ili_out_key(&out, "a");
    ili_out_open(&out, '[');
    ili_out_number(&out, 1);
    ili_out_open(&out, '[');
    ili_out_close(&out, ']');
    ili_out_string(&out, "{");
    ili_out_null(&out);
    ili_out_close(&out, ']');
    ili_out_key(&out, "b");
    ili_out_bool(&out, false);
    ili_out_close(&out, '}');
    assert_written(&out, "{\"a\":[1,[],\"{\",null],\"b\":false}");
}

Test(server_out, text_is_escaped_and_made_valid) {
    struct ili_out out = {0};
    ili_out_text(&out, "a\"\\\n\x01\x7f\xc3\xa9\xff\xe2\x82", 11);
    assert_written(&out, "\"a\\\"\\\\\\n\\u0001\x7f\xc3\xa9\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

Test(server_out, numbers) {
    struct ili_out out = {0};
    ili_out_open(&out, '[');
    ili_out_token(&out, UINT64_MAX);
    ili_out_seconds(&out, 60000000000);
    ili_out_seconds(&out, 1);
    ili_out_seconds(&out, 1500000000);
    ili_out_seconds(&out, -5);
    ili_out_time(&out, 0);
    ili_out_base64(&out, "\x00\x01\x02\xff", 4);
    ili_out_close(&out, ']');
    assert_written(&out, "[\"18446744073709551615\",60.0,0.000000001,1.5,0.0,"
                         "\"1970-01-01T00:00:00Z\",\"AAEC/w==\"]");
}

Test(server_out, signed_numbers_and_milliseconds) {
    struct ili_out out = {0};
    ili_out_open(&out, '[');
    ili_out_signed(&out, 0);
    ili_out_signed(&out, -100);
    ili_out_signed(&out, INT64_MAX);
    ili_out_signed(&out, INT64_MIN);
    ili_out_time_ms(&out, 0);
    ili_out_time_ms(&out, 1007);
    ili_out_time_ms(&out, INT64_C(1796066271099));
    ili_out_close(&out, ']');
    assert_written(&out, "[0,-100,9223372036854775807,-9223372036854775808,"
                         "\"1970-01-01T00:00:00.000Z\",\"1970-01-01T00:00:01.007Z\","
                         "\"2026-11-30T19:17:51.099Z\"]");
}

/* As the C library tells it, over all years that can be told. */
Test(server_out, times_are_those_of_the_calendar) {
    for (int64_t at = INT64_C(-62167219200); at <= INT64_C(253402300799); at += 9999991) {
        struct ili_out out = {0};
        char expected[64];
        struct tm parts;
        time_t seconds = (time_t)at;
        cr_assert_not_null(gmtime_r(&seconds, &parts));
        snprintf(expected, sizeof expected, "\"%04d-%02d-%02dT%02d:%02d:%02dZ\"",
                 parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                 parts.tm_sec);
        ili_out_time(&out, at);
        cr_assert_eq(out.bytes, strlen(expected));
        cr_assert(memcmp(out.data, expected, out.bytes) == 0, "%.*s is not %s", (int)out.bytes,
                  out.data, expected);
        ili_out_free(&out);
    }
}

Test(server_out, times_beyond_the_year_9999_are_null) {
    struct ili_out out = {0};
    ili_out_open(&out, '[');
    ili_out_time(&out, INT64_C(253402300799));
    ili_out_time(&out, INT64_C(253402300800));
    ili_out_time(&out, INT64_C(-62167219201));
    ili_out_close(&out, ']');
    cr_assert_eq(out.bytes, strlen("[\"9999-12-31T23:59:59Z\",null,null]"));
    cr_assert(memcmp(out.data, "[\"9999-12-31T23:59:59Z\",null,null]", out.bytes) == 0);
    ili_out_free(&out);
}
