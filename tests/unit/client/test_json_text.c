#include "client/json_text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct ili_json loaded[64]; /* what the test has to free */
static size_t loaded_count;

static void free_loaded(void) {
    while (loaded_count > 0) ili_json_free(&loaded[--loaded_count]);
}

TestSuite(client_json_text, .fini = free_loaded);

static struct ili_json good(const char *text) {
    struct ili_json value = {0};
    cr_assert(ili_json_load(text, strlen(text), ILI_JSON_DEPTH, &value), "%s", text);
    loaded[loaded_count++] = value;
    return value;
}

static void is(struct ili_json value, const char *text) {
    cr_assert_not_null(value.at, "%s", text);
    cr_assert_eq(value.bytes, strlen(text));
    cr_assert_arr_eq(value.at, text, value.bytes);
}

Test(client_json_text, takes_what_rfc_8259_takes) {
    static const char *const texts[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-1.5e+300",
        "1E9999",
        "123456789012345678901234567890",
        "\"\"",
        "\"\\u00e4\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"ä\"",
        "[]",
        "{}",
        "[1,[2,{\"a\":[]}],{}]",
        " { \"a\" : 1 ,\n\t\"b\":\r[ ] } ",
        "[[],[],{}]",
        "{\"\":{}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) good(texts[i]);
}

Test(client_json_text, refuses_everything_else) {
    static const char *const texts[] = {
        "",
        " ",
        "nul",
        "nulll",
        "True",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "1e+",
        "0x1",
        "NaN",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u123\"",
        "\"a\nb\"",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{\"a\" 1}",
        "{1:2}",
        "[}",
        "{]",
        "1 2",
        "{} {}",
        "[1}",
        "{\"a\":1]",
        "1,\"timeout\":0",
        "\"\xc3\"",
        "\xef\xbb\xbf{}",
        "// c\n1",
        "\"\\ud800\"",
        "{\"a\":1,\"a\":1}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct ili_json value = {0};
        cr_assert_not(ili_json_load(texts[i], strlen(texts[i]), ILI_JSON_DEPTH, &value), "%s",
                      texts[i]);
        cr_assert_null(value.at);
    }
    struct ili_json value;
    cr_assert_not(ili_json_load("\"a\0b\"", 5, ILI_JSON_DEPTH, &value));
    cr_assert_not(ili_json_load("1\0", 2, ILI_JSON_DEPTH, &value));
}

/* Every prefix of a text that is not the whole is refused, and nothing behind it is read. */
Test(client_json_text, every_cut_is_noticed) {
    const char *text = "{\"a\":[1.5e3,true,null,{\"b\":\"x\\u00e4\\n\"}],\"c\":{}}";
    for (size_t bytes = 0; bytes < strlen(text); bytes++) {
        char *cut = strndup(text, bytes);
        struct ili_json value;
        cr_assert_not(ili_json_load(cut, bytes, ILI_JSON_DEPTH, &value), "%zu", bytes);
        free(cut);
    }
    good(text);
}

Test(client_json_text, depth_is_bounded) {
    char text[2 * ILI_JSON_DEPTH + 4] = {0};
    struct ili_json value;
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    cr_assert(ili_json_load(text, 128, 64, &value));
    ili_json_free(&value);
    cr_assert_not(ili_json_load(text, 128, 63, &value));
    memset(text, '[', sizeof text);
    cr_assert_not(ili_json_load(text, sizeof text, ILI_JSON_DEPTH, &value));
}

Test(client_json_text, members_are_found_as_they_are_written) {
    struct ili_json object =
        good("{ \"a\" : 1.0 , \"b\":{\"a\":2,\"c\":[]},\"d\":123456789012345678901 }");
    is(ili_json_member(object, "a"), "1.0");
    is(ili_json_member(object, "d"), "123456789012345678901");
    is(ili_json_member(object, "b"), "{\"a\":2,\"c\":[]}");
    is(ili_json_member(ili_json_member(object, "b"), "a"), "2");
    cr_assert_null(ili_json_member(object, "c").at);
    cr_assert_null(ili_json_member(good("[1]"), "a").at);
    cr_assert_null(ili_json_member(good("{}"), "a").at);
    cr_assert_null(ili_json_member((struct ili_json){0}, "a").at);
}

Test(client_json_text, elements_come_in_order) {
    struct ili_json array = good(" [ 1, \"]\" ,[2],{ } ]");
    struct ili_json_walk at = {0};
    is(ili_json_next(array, &at), "1");
    is(ili_json_next(array, &at), "\"]\"");
    is(ili_json_next(array, &at), "[2]");
    is(ili_json_next(array, &at), "{ }");
    cr_assert_null(ili_json_next(array, &at).at);
    at = (struct ili_json_walk){0};
    cr_assert_null(ili_json_next(good("[ ]"), &at).at);
    at = (struct ili_json_walk){0};
    cr_assert_null(ili_json_next(good("{}"), &at).at);
}

Test(client_json_text, numbers_are_exact_or_refused) {
    uint64_t number = 7;
    cr_assert(ili_json_number(good("18446744073709551615"), &number));
    cr_assert_eq(number, UINT64_MAX);
    cr_assert(ili_json_number_text(good("\"17\""), &number));
    cr_assert_eq(number, 17);
    static const char *const wrong[] = {
        "18446744073709551616", "-1", "1.0", "1e3", "\"1\"", "null"};
    for (size_t i = 0; i < 6; i++) cr_assert_not(ili_json_number(good(wrong[i]), &number));
    cr_assert_not(ili_json_number_text(good("17"), &number));
    cr_assert_not(ili_json_number_text(good("\"\""), &number));
    cr_assert_not(ili_json_number_text(good("\" 1\""), &number));
    cr_assert_eq(number, 17);
}

Test(client_json_text, seconds_become_nanoseconds) {
    int64_t ns = 7;
    cr_assert(ili_json_seconds(good("60.0"), &ns));
    cr_assert_eq(ns, INT64_C(60000000000));
    cr_assert(ili_json_seconds(good("0.001"), &ns));
    cr_assert_eq(ns, 1000000);
    cr_assert(ili_json_seconds(good("1e30"), &ns));
    cr_assert_eq(ns, INT64_MAX);
    static const char *const wrong[] = {"-1", "\"1\"", "null", "[]", "1e999"};
    for (size_t i = 0; i < 5; i++) cr_assert_not(ili_json_seconds(good(wrong[i]), &ns));
}

Test(client_json_text, strings_with_any_character_come_back) {
    const char text[] = "a\0\"\\\n\x01 ä \xf0\x9f\x98\x80 \x7f/";
    struct ili_buffer quoted = {0}, back = {0};
    ili_json_quote(&quoted, text, sizeof text);
    struct ili_json value;
    cr_assert(ili_json_load(quoted.data, quoted.bytes, 1, &value));
    cr_assert(ili_json_string(value, &back));
    ili_json_free(&value);
    cr_assert_eq(back.bytes, sizeof text);
    cr_assert_arr_eq(back.data, text, sizeof text);
    ili_buffer_free(&quoted);
    cr_assert_not(ili_json_string(good("1"), &back));
    ili_buffer_free(&back);
}
