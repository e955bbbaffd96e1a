/* JSON checked and walked in place. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "server/value.h"

/* A copy without NUL behind it, so that the address sanitizer sees a step too far. */
static il_status parse(const char *text, size_t bytes, unsigned depth, char **copy,
                       struct ili_value *value) {
    struct ili_fault fault;
    *copy = malloc(bytes ? bytes : 1);
    memcpy(*copy, text, bytes);
    return ili_value_parse(*copy, bytes, depth, value, &fault);
}

static il_status outcome(const char *text, unsigned depth) {
    char *copy;
    struct ili_value value;
    il_status status = parse(text, strlen(text), depth, &copy, &value);
    free(copy);
    return status;
}

Test(server_value, json_is_taken) {
    static const char *const good[] = {"1",
                                       "-0",
                                       "0.5",
                                       "1e9",
                                       "1E+9",
                                       "1e-2",
                                       "true",
                                       "null",
                                       "\"\"",
                                       "\"\\u00e9\\ud83d\\ude00\"",
                                       "[]",
                                       "{}",
                                       " [ 1 , 2 ] ",
                                       "{\"a\":{\"a\":1},\"b\":[{\"a\":1}]}",
                                       "123456789012345678901234567890",
                                       "1e999",
                                       "\"\xc3\xa9\"",
                                       "[[],{},[[]]]",
                                       "\"\\u0000\""};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert_eq(outcome(good[i], 64), IL_OK, "%s", good[i]);
    }
}

Test(server_value, anything_else_is_refused) {
    static const char *const bad[] = {"",
                                      " ",
                                      "{",
                                      "}",
                                      "[",
                                      "]",
                                      "[1,]",
                                      "{,}",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{a:1}",
                                      "[1 2]",
                                      "1 2",
                                      "01",
                                      "+1",
                                      ".5",
                                      "5.",
                                      "1e",
                                      "-",
                                      "0x1",
                                      "NaN",
                                      "Infinity",
                                      "tru",
                                      "True",
                                      "'a'",
                                      "\"",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\ud800\"",
                                      "\"\\udc00\"",
                                      "\"\\ud800\\ud800\"",
                                      "\"\n\"",
                                      "\"\xff\"",
                                      "\"\xed\xa0\x80\"",
                                      "\xef\xbb\xbf{}",
                                      "{\"a\":1,\"a\":2}",
                                      "{\"a\":1,\"\\u0061\":2}",
                                      "[{\"x\":{\"y\":1,\"y\":1}}]",
                                      "// 1",
                                      "[1}",
                                      "{\"a\":1]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(outcome(bad[i], 64), IL_EINVAL, "%s", bad[i]);
    }
}

Test(server_value, nesting_has_a_limit) {
    char deep[300] = "";
    for (int i = 0; i < 64; i++) strcat(deep, "[");
    for (int i = 0; i < 64; i++) strcat(deep, "]");
    cr_assert_eq(outcome(deep, 64), IL_OK);
    cr_assert_eq(outcome(deep, 63), IL_EINVAL);
    char *copy;
    struct ili_value value;
    cr_assert_eq(parse(deep, strlen(deep), 100, &copy, &value), IL_OK);
    cr_assert_eq(ili_value_depth(&value), 64);
    free(copy);
}

Test(server_value, members_are_walked_in_order) {
    static const char text[] =
        " { \"a\" : [1, \"]}\"] ,\"b\":\"x\\\"y\" , \"c\": -1.5e3,\"d\":null } ";
    static const char *const keys[] = {"\"a\"", "\"b\"", "\"c\"", "\"d\""};
    static const char *const values[] = {"[1, \"]}\"]", "\"x\\\"y\"", "-1.5e3", "null"};
    char *copy, *at = NULL;
    struct ili_value object, key, value;
    cr_assert_eq(parse(text, strlen(text), 64, &copy, &object), IL_OK);
    for (int i = 0; i < 4; i++) {
        cr_assert(ili_value_next(&object, &at, &key, &value));
        cr_assert_eq(strncmp(key.at, keys[i], key.bytes), 0);
        cr_assert_eq(value.bytes, strlen(values[i]));
        cr_assert_eq(strncmp(value.at, values[i], value.bytes), 0);
    }
    cr_assert_not(ili_value_next(&object, &at, &key, &value));
    free(copy);
}

Test(server_value, strings_become_what_they_stand_for) {
    static const char text[] = "\"a\\n\\u00e9\\ud83d\\ude00\\/\\u0000z\"";
    static const char plain[] = "a\n\xc3\xa9\xf0\x9f\x98\x80/\0z";
    char *copy;
    struct ili_value value;
    size_t bytes;
    cr_assert_eq(parse(text, strlen(text), 64, &copy, &value), IL_OK);
    const char *out = ili_value_unescape(&value, &bytes);
    cr_assert_eq(bytes, sizeof plain - 1);
    cr_assert_eq(memcmp(out, plain, bytes), 0);
    free(copy);
}
