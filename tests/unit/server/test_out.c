/* Writing JSON: escapes, commas, numbers, and text that is not UTF-8. */
#include <criterion/criterion.h>
#include <string.h>

#include "server/out.h"

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
