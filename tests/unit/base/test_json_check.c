/* What is JSON and what is not. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_check.h"

/* Over a copy without NUL behind it, so that the address sanitizer sees a step too far. */
static bool is_json(const char *text, size_t bytes) {
    char *copy = malloc(bytes ? bytes : 1);
    memcpy(copy, text, bytes);
    bool is = ili_json_check(copy, bytes);
    free(copy);
    return is;
}

static const char *const good[] = {
    "0",
    "-0",
    "12",
    "-1.50",
    "1e9",
    "1E+09",
    "0.0e-1",
    "123456789012345678901234567890",
    "true",
    "false",
    "null",
    "\"\"",
    "\"a b\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
    "\"\\ud83d\\ude00\"",
    "\"\xc3\xa9\xf0\x9f\x98\x80\"",
    "[]",
    "[ ]",
    "[1]",
    "[1,2 , 3]",
    "{}",
    "{ }",
    "{\"a\":1}",
    "{\"a\" : [ {\"b\":{}} , [] ] , \"\":null}",
    " \t\r\n[1]\n",
    "[[],{}]",
    "\"\x7f\"",
};

static const char *const bad[] = {
    "",
    " ",
    "01",
    "-",
    "+1",
    "1.",
    ".5",
    "1e",
    "1e+",
    "0x1",
    "NaN",
    "Infinity",
    "tru",
    "truee",
    "nul",
    "\"",
    "\"a",
    "\"\\\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\t\"",
    "\"\n\"",
    "\"\\ud800\"",
    "\"\\ude00\"",
    "\"\\ud800\\u0041\"",
    "\"\\ud800x\"",
    "\"\xff\"",
    "\"\xed\xa0\x80\"",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1}",
    "{",
    "}",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,}",
    "{\"a\" 1}",
    "{a:1}",
    "{1:1}",
    "{\"a\":1]",
    "1 2",
    "[] []",
    "'a'",
    "[1]x",
};

Test(base_json_check, what_is_json_is_taken) {
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert(is_json(good[i], strlen(good[i])), "%s", good[i]);
    }
}

Test(base_json_check, what_is_not_is_refused) {
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_not(is_json(bad[i], strlen(bad[i])), "%s", bad[i]);
    }
    cr_assert_not(is_json("1\0", 2));
    cr_assert_not(is_json("\"\0\"", 3));
    cr_assert_not(is_json("[\0]", 3));
}

/* A text cut off anywhere is not JSON any more; numbers aside, of which a part is one too. */
Test(base_json_check, a_part_is_refused) {
    static const char text[] = "{\"a\":[true,null,{\"b\":\"\\u00e9\\n\"}],\"c\":\"\xc3\xa9\"}";
    cr_assert(is_json(text, sizeof text - 1));
    for (size_t bytes = 0; bytes < sizeof text - 1; bytes++) cr_assert_not(is_json(text, bytes));
}

static bool nested(size_t depth) {
    char *text = malloc(depth * 2);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    bool is = is_json(text, depth * 2);
    free(text);
    return is;
}

Test(base_json_check, depth_has_a_limit) {
    cr_assert(nested(ILI_JSON_DEPTH_MOST));
    cr_assert_not(nested(ILI_JSON_DEPTH_MOST + 1));
    cr_assert_not(nested(10000000)); /* nor does it cost stack */
}

Test(base_json_check, says_how_far_it_is_json) {
    static const struct {
        const char *text;
        size_t where;
    } wrong[] = {{"", 0},         {" x", 1},   {"[1,]", 3},      {"{\"a\":}", 5},
                 {"[1] 2", 4},    {"\"ab", 3}, {"{\"a\" 1}", 5}, {"1.x", 2},
                 {"[1,\xff]", 0}, {"tru", 0},  {"[[[", 3}};
    size_t where = 99;
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_not(ili_json_check_at(wrong[i].text, strlen(wrong[i].text), &where));
        cr_assert_eq(where, wrong[i].where, "%s: %zu", wrong[i].text, where);
    }
    cr_assert(ili_json_check_at("[1] ", 4, &where));
}
