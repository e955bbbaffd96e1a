/* JSON as jansson takes it, and its values beside their parts of the text. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "work/value.h"

/* A copy without NUL behind it, so that the address sanitizer sees a step too far. */
static il_status load(const char *text, size_t bytes, char **copy, struct ili_value *value) {
    struct ili_fault fault;
    *copy = malloc(bytes ? bytes : 1);
    memcpy(*copy, text, bytes);
    return ili_value_load(*copy, bytes, value, &fault);
}

static il_status outcome(const char *text) {
    char *copy;
    struct ili_value value = {0};
    il_status status = load(text, strlen(text), &copy, &value);
    json_decref(value.json);
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
                                       "[1e999,-1e999,{\"a\":1e999}]",
                                       "\"\xc3\xa9\"",
                                       "[[],{},[[]]]",
                                       "\"\\u0000\""};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert_eq(outcome(good[i]), IL_OK, "%s", good[i]);
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
                                      "{\"a\":1]",
                                      "[1e999,01]",
                                      "{\"a\":1e999,\"a\":1}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(outcome(bad[i]), IL_EINVAL, "%s", bad[i]);
    }
}

Test(server_value, numbers_of_any_length_are_taken) {
    char *digits = calloc(1, 10001), *copy;
    memset(digits, '9', 10000);
    struct ili_value value;
    cr_assert_eq(load(digits, 10000, &copy, &value), IL_OK);
    cr_assert_eq(value.bytes, 10000);
    cr_assert_eq(memcmp(value.at, digits, 10000), 0);
    json_decref(value.json);
    free(copy);
    free(digits);
}

Test(server_value, nesting_is_measured_and_has_a_limit) {
    char deep[6000] = "", *copy;
    struct ili_value value;
    memset(deep, '[', 64);
    memset(deep + 64, ']', 64);
    cr_assert_eq(load(deep, 128, &copy, &value), IL_OK);
    cr_assert_eq(ili_value_depth(&value), 64);
    json_decref(value.json);
    free(copy);
    memset(deep, '[', 3000);
    memset(deep + 3000, ']', 3000);
    cr_assert_eq(load(deep, 6000, &copy, &value), IL_EINVAL);
    free(copy);
}

Test(server_value, nul_is_nowhere_in_json) {
    static const char *const texts[] = {"1@",    "[1@]", "[1@,2]", "{\"a\":1@}",
                                        "\"@\"", "{@}",  "{}@"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[16], *copy;
        size_t bytes = strlen(texts[i]);
        struct ili_value value;
        memcpy(text, texts[i], bytes);
        *(char *)memchr(text, '@', bytes) = 0;
        cr_assert_eq(load(text, bytes, &copy, &value), IL_EINVAL, "%s", texts[i]);
        free(copy);
    }
}

/* A text of BYTES that repeats UNIT in an array. */
static il_status outcome_of_many(const char *unit, size_t bytes) {
    size_t length = strlen(unit), at = 1;
    char *text = malloc(bytes);
    struct ili_value value = {0};
    struct ili_fault fault;
    *text = '[';
    for (; at + length + 2 <= bytes; at += length) memcpy(text + at, unit, length);
    memcpy(text + at, "0]", 2);
    il_status status = ili_value_load(text, at + 2, &value, &fault);
    json_decref(value.json);
    free(text);
    return status;
}

Test(server_value, values_have_bounded_memory) {
    cr_assert_eq(outcome_of_many("{},", (size_t)24 << 20), IL_ETOOBIG);
    cr_assert_eq(outcome_of_many("[],", (size_t)24 << 20), IL_ETOOBIG);
    cr_assert_eq(outcome_of_many("{\"\":0},", (size_t)24 << 20), IL_ETOOBIG);
    cr_assert_eq(outcome_of_many("\"{[,:\\\"{[,:\",", (size_t)7 << 20), IL_OK);
    cr_assert_eq(outcome_of_many("{},", (size_t)1 << 20), IL_OK);
}

Test(server_value, members_are_walked_in_order) {
    static const char text[] =
        " { \"a\" : [1, \"]}\"] ,\"\\u0062\":\"x\\\"y\" , \"c\": -1.5e3,\"d\":null } ";
    static const char *const keys[] = {"a", "b", "c", "d"};
    static const char *const values[] = {"[1, \"]}\"]", "\"x\\\"y\"", "-1.5e3", "null"};
    static const json_type types[] = {JSON_ARRAY, JSON_STRING, JSON_REAL, JSON_NULL};
    char *copy;
    struct ili_value object, value;
    struct ili_value_walk walk = {0};
    cr_assert_eq(load(text, strlen(text), &copy, &object), IL_OK);
    for (int i = 0; i < 4; i++) {
        cr_assert(ili_value_next(&object, &walk, &value));
        cr_assert_str_eq(walk.key, keys[i]);
        cr_assert_eq(json_typeof(value.json), types[i]);
        cr_assert_eq(value.bytes, strlen(values[i]));
        cr_assert_eq(strncmp(value.at, values[i], value.bytes), 0);
    }
    cr_assert_not(ili_value_next(&object, &walk, &value));
    json_decref(object.json);
    free(copy);
}

Test(server_value, strings_become_what_they_stand_for) {
    static const char text[] = "\"a\\n\\u00e9\\ud83d\\ude00\\/\\u0000z\"";
    static const char plain[] = "a\n\xc3\xa9\xf0\x9f\x98\x80/\0z";
    char *copy;
    struct ili_value value;
    size_t bytes;
    cr_assert_eq(load(text, strlen(text), &copy, &value), IL_OK);
    const char *out = ili_value_text(&value, &bytes);
    json_decref(value.json);
    cr_assert_eq(bytes, sizeof plain - 1);
    cr_assert_eq(memcmp(out, plain, bytes), 0);
    free(copy);
}
