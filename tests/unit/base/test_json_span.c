/* Parts of a JSON text, and numbers made to fit a double. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_span.h"

/* A copy without NUL behind it, so that the address sanitizer sees a step too far. */
static char *copy_of(const char *text) {
    size_t bytes = strlen(text);
    char *copy = malloc(bytes ? bytes : 1);
    memcpy(copy, text, bytes);
    return copy;
}

static void walks(const char *text, const char *const *values, size_t count) {
    char *copy = copy_of(text);
    struct ili_json_span whole = ili_json_span(copy, strlen(text)), value;
    const char *at = NULL;
    for (size_t i = 0; i < count; i++) {
        cr_assert(ili_json_span_next(whole, &at, &value), "%s: %zu", text, i);
        cr_assert_eq(value.bytes, strlen(values[i]), "%s: %zu", text, i);
        cr_assert_arr_eq(value.at, values[i], value.bytes);
    }
    cr_assert_not(ili_json_span_next(whole, &at, &value), "%s", text);
    cr_assert_not(ili_json_span_next(whole, &at, &value), "%s", text);
    free(copy);
}

Test(base_json_span, a_text_is_one_value_without_the_space_around_it) {
    static const char *const texts[][2] = {
        {"1", "1"}, {" \t\r\n[ 1 ]\n", "[ 1 ]"}, {"\" \" ", "\" \""}, {" null", "null"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct ili_json_span span = ili_json_span(texts[i][0], strlen(texts[i][0]));
        cr_assert_eq(span.bytes, strlen(texts[i][1]));
        cr_assert_arr_eq(span.at, texts[i][1], span.bytes);
    }
}

Test(base_json_span, elements_and_members_come_in_order) {
    static const char *const values[] = {"[1, \"]}\"]", "\"x\\\"y\\\\\"", "-1.5e3", "null", "{ }"};
    walks("[[1, \"]}\"],\"x\\\"y\\\\\",-1.5e3,null,{ }]", values, 5);
    walks(" [ [1, \"]}\"] ,\"x\\\"y\\\\\"\n, -1.5e3\t,null , { } ] ", values, 5);
    walks("{\"a\":[1, \"]}\"],\"b\":\"x\\\"y\\\\\",\"c\":-1.5e3,\"d\":null,\"e\":{ }}", values, 5);
    walks(" { \"\" : [1, \"]}\"] ,\"\\\":\\\\\":\"x\\\"y\\\\\" , \"c\" : -1.5e3 ,\"d\":null ,"
          "\"e\":{ } } ",
          values, 5);
    walks("[]", NULL, 0);
    walks("{ \n}", NULL, 0);
}

Test(base_json_span, depth_counts_brackets_outside_strings) {
    static const struct {
        const char *text;
        unsigned depth;
    } texts[] = {{"1", 0},
                 {"\"[[\"", 0},
                 {"[]", 1},
                 {"[1,2]", 1},
                 {"{\"a[\":{}}", 2},
                 {"[[],[[]],[]]", 3},
                 {"[\"\\\"[\",[0]]", 2}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *copy = copy_of(texts[i].text);
        struct ili_json_span span = ili_json_span(copy, strlen(texts[i].text));
        cr_assert_eq(ili_json_span_depth(span), texts[i].depth, "%s", texts[i].text);
        free(copy);
    }
}

/* What TEXT is made to be, read in pieces of PIECE bytes. */
static void fits(const char *text, const char *expected, size_t piece) {
    char *copy = copy_of(text), out[1024], room[64];
    struct ili_json_fitting from = {.at = copy, .end = copy + strlen(text)};
    size_t bytes = 0, got;
    while ((got = ili_json_fit(room, piece, &from)) > 0) {
        cr_assert_leq(bytes + got, sizeof out);
        memcpy(out + bytes, room, got);
        bytes += got;
    }
    cr_assert_eq(bytes, strlen(expected), "%s", text);
    cr_assert_arr_eq(out, expected, bytes);
    free(copy);
}

Test(base_json_span, only_numbers_that_are_too_large_are_shortened) {
    static const char *const texts[][2] = {
        {"[1e400,-1E+999 , 2e-1000]", "[1e40,-1E+99 , 2e-10]"},
        {"{\"1e400\":\"a\\\"1e400\\\\\",\"b\":1e400}", "{\"1e400\":\"a\\\"1e400\\\\\",\"b\":1e40}"},
        {"[12.5e10,true,1234,null]", "[12.5e10,true,1234,null]"},
        {"1e400x, 1e+-5, 01e, \"1e400", "1e40x, 1e+-5, 01e, \"1e400"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (size_t piece = 1; piece < 64; piece += 7) fits(texts[i][0], texts[i][1], piece);
    }
    char digits[401] = "", shorter[201] = "";
    memset(digits, '7', 400);
    memset(shorter, '7', 200);
    fits(digits, shorter, 64);
}

Test(base_json_span, members_have_names) {
    char *copy = copy_of("{ \"a\" : 1 ,\"b\\\"\":[2,{}], \"\":\"\"}");
    struct ili_json_span whole = {copy, strlen("{ \"a\" : 1 ,\"b\\\"\":[2,{}], \"\":\"\"}")}, key,
                         value;
    static const char *const members[][2] = {
        {"\"a\"", "1"}, {"\"b\\\"\"", "[2,{}]"}, {"\"\"", "\"\""}};
    const char *at = NULL;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        cr_assert(ili_json_span_member(whole, &at, &key, &value));
        cr_assert_eq(key.bytes, strlen(members[i][0]));
        cr_assert_arr_eq(key.at, members[i][0], key.bytes);
        cr_assert_eq(value.bytes, strlen(members[i][1]));
        cr_assert_arr_eq(value.at, members[i][1], value.bytes);
    }
    cr_assert_not(ili_json_span_member(whole, &at, &key, &value));
    free(copy);
}
