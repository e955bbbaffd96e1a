/* Which JSON values are equal and which comes first. The ranks and outcomes are Python's. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_order.h"

/* A copy without NUL behind it, so that the address sanitizer sees a step too far. */
static char *copy_of(const char *text, size_t bytes) {
    char *copy = malloc(bytes ? bytes : 1);
    memcpy(copy, text, bytes);
    return copy;
}

static il_status order_of(const char *a, const char *b, int *order, struct ili_order_clash *clash) {
    char *x = copy_of(a, strlen(a)), *y = copy_of(b, strlen(b));
    il_status status = ili_json_order(x, strlen(a), y, strlen(b), order, clash);
    free(x);
    free(y);
    if (status == IL_OK) *order = (*order > 0) - (*order < 0);
    return status;
}

static bool are_equal(const char *a, const char *b) {
    bool equal = false;
    char *x = copy_of(a, strlen(a)), *y = copy_of(b, strlen(b));
    cr_assert_eq(ili_json_equal(x, strlen(a), y, strlen(b), &equal), IL_OK);
    free(x);
    free(y);
    return equal;
}

static int order_as_keys(const char *a, const char *b) {
    int order = 9;
    struct ili_order_clash clash;
    struct ili_order_key x = ili_order_key(IL_JSON, a, strlen(a)),
                         y = ili_order_key(IL_JSON, b, strlen(b));
    cr_assert_eq(ili_order_of_keys(&x, &y, &order, &clash), IL_OK);
    return (order > 0) - (order < 0);
}

struct ranked {
    int rank;
    const char *text;
};

#define ZEROS "00000000000000000000000000000000000000000000000000000000000000000000000000000000"

static const struct ranked numbers[] = {
    {0, "-1e400"},
    {1, "-123456789012345678901"},
    {2, "-1.5"},
    {3, "-1"},
    {4, "0"},
    {4, "-0"},
    {4, "-0.0"},
    {4, "0e5"},
    {4, "1e-400"},
    {5, "5e-324"},
    {6, "0.1"},
    {6, "0.10"},
    {6, "0.1000000000000000055511151231257827"},
    {7, "0.3"},
    {8, "0.30000000000000004"},
    {9, "1"},
    {9, "1.0"},
    {9, "1e0"},
    {10, "2"},
    {11, "10"},
    {11, "1e1"},
    {12, "100"},
    {12, "1E+2"},
    {13, "9007199254740992"},
    {13, "9007199254740993.0"},
    {14, "9007199254740993"},
    {15, "999999999999999999"},
    {16, "1000000000000000000"},
    {17, "123456789012345678901234567890.0"},
    {18, "123456789012345678901234567890"},
    {19, "123456789012345678901234567891"},
    {20, "1e308"},
    {21, "1" ZEROS ZEROS ZEROS ZEROS},
    {22, "1e400"},
};

static const struct ranked strings[] = {
    {0, "\"\""},
    {1, "\"\\n\""},
    {2, "\"/\""},
    {2, "\"\\/\""},
    {3, "\"A\""},
    {4, "\"Z\""},
    {5, "\"\\\\\""},
    {6, "\"a\""},
    {6, "\"\\u0061\""},
    {7, "\"a\\u0000\""},
    {8, "\"ab\""},
    {9, "\"b\""},
    {10, "\"\303\251\""},
    {10, "\"\\u00e9\""},
    {11, "\"\357\277\277\""},
    {11, "\"\\uffff\""},
    {12, "\"\360\237\230\200\""},
    {12, "\"\\ud83d\\ude00\""},
};

static const struct ranked arrays[] = {
    {0, "[]"},        {0, "[ ]"},
    {1, "[1]"},       {1, "[1.0 ]"},
    {2, "[1,-7]"},    {3, "[1, 2]"},
    {3, "[1e0,2.0]"}, {4, "[ 1 , 2 , 0 ]"},
    {5, "[1.5]"},     {6, "[123456789012345678901234567890]"},
};

static void expect_ranks(const struct ranked *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            const char *a = values[i].text, *b = values[k].text;
            int order = 9,
                expected = (values[i].rank > values[k].rank) - (values[i].rank < values[k].rank);
            struct ili_order_clash clash;
            cr_assert_eq(order_of(a, b, &order, &clash), IL_OK, "%s, %s", a, b);
            cr_assert_eq(order, expected, "%s, %s: %d", a, b, order);
            cr_assert_eq(are_equal(a, b), expected == 0, "%s, %s", a, b);
            cr_assert_eq(order_as_keys(a, b), expected, "%s, %s", a, b);
        }
    }
}

Test(base_json_order, numbers_go_by_size_exactly) {
    expect_ranks(numbers, sizeof numbers / sizeof *numbers);
}

Test(base_json_order, strings_go_by_code_point) {
    expect_ranks(strings, sizeof strings / sizeof *strings);
}

Test(base_json_order, arrays_go_by_element_then_by_length) {
    expect_ranks(arrays, sizeof arrays / sizeof *arrays);
}

static const struct {
    const char *a, *b;
    bool equal;
} pairs[] = {
    {"null", " null ", true},
    {"true", "true", true},
    {"true", "false", false},
    {"true", "1", false},
    {"false", "0", false},
    {"null", "false", false},
    {"\"1\"", "1", false},
    {"{}", "{ }", true},
    {"{}", "[]", false},
    {"{\"a\":1,\"b\":2}", "{\"b\":2.0,\"a\":1}", true},
    {"{\"a\":1,\"b\":2}", "{\"b\":1,\"a\":2}", false},
    {"{\"a\":1,\"b\":2}", "{\"a\":1}", false},
    {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
    {"{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1,\"c\":3,\"d\":2}", false},
    {"{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1,\"c\":3,\"b\":2}", true},
    {"{\"\\u0061\":[{\"x\":{},\"y\":[]}]}", "{\"a\":[{\"y\":[ ],\"x\":{ }}]}", true},
    {"[{\"a\":1,\"b\":[1,2]},3]", "[{\"b\":[1,2],\"a\":1},3]", true},
    {"[{\"a\":1,\"b\":[1,2]},3]", "[{\"b\":[1,2],\"a\":1},4]", false},
    {"[{\"a\":1,\"b\":[1,2]},3]", "[{\"b\":[2,1],\"a\":1},3]", false},
    {"{\"k\":{\"k\":{\"b\":1,\"a\":{\"z\":1,\"y\":2}}},\"j\":0}",
     "{\"j\":0,\"k\":{\"k\":{\"a\":{\"y\":2,\"z\":1},\"b\":1}}}", true},
};

Test(base_json_order, equal_is_what_means_the_same) {
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        cr_assert_eq(are_equal(pairs[i].a, pairs[i].b), pairs[i].equal, "%s, %s", pairs[i].a,
                     pairs[i].b);
        cr_assert_eq(are_equal(pairs[i].b, pairs[i].a), pairs[i].equal, "%s, %s", pairs[i].b,
                     pairs[i].a);
    }
}

static const struct {
    const char *a, *b;
    uint32_t has, asked;
} clashes[] = {
    {"1", "\"1\"", ILI_ORDER_NUMBER, ILI_ORDER_STRING},
    {"true", "false", ILI_ORDER_BOOLEAN, ILI_ORDER_BOOLEAN},
    {"null", "0", ILI_ORDER_NULL, ILI_ORDER_NUMBER},
    {"[]", "{}", ILI_ORDER_ARRAY, ILI_ORDER_OBJECT},
    {"{\"a\":1}", "{\"a\":2}", ILI_ORDER_OBJECT, ILI_ORDER_OBJECT},
    {"[1,\"a\"]", "[1,2]", ILI_ORDER_STRING, ILI_ORDER_NUMBER},
    {"[{\"a\":[1]},1]", "[{\"a\":[2]},2]", ILI_ORDER_OBJECT, ILI_ORDER_OBJECT},
};

Test(base_json_order, what_has_no_order_names_both_types) {
    int order = 9;
    struct ili_order_clash clash;
    for (size_t i = 0; i < sizeof clashes / sizeof *clashes; i++) {
        cr_assert_eq(order_of(clashes[i].a, clashes[i].b, &order, &clash), IL_ETYPE);
        cr_assert_eq(clash.has, clashes[i].has, "%s", clashes[i].a);
        cr_assert_eq(clash.asked, clashes[i].asked, "%s", clashes[i].a);
    }
    /* equal ones before the first difference do no harm */
    cr_assert_eq(
        order_of("[null,{\"a\":1,\"b\":2},1]", "[null,{\"b\":2,\"a\":1},2]", &order, &clash),
        IL_OK);
    cr_assert_eq(order, -1);
    cr_assert_str_eq(ili_order_type_name(ILI_ORDER_NUMBER), "number");
    cr_assert_str_eq(ili_order_type_name(ILI_ORDER_BYTES), "bytes");
    cr_assert_str_eq(ili_order_type_name(77), "unknown");
}

Test(base_json_order, text_and_json_strings_have_an_order_but_are_not_equal) {
    bool equal = true;
    int order = 9;
    struct ili_order_clash clash;
    struct ili_order_key text = ili_order_key(IL_TEXT, "a\\n", 3);
    struct ili_order_key same = ili_order_key(IL_JSON, "\"a\\\\n\"", 6);
    struct ili_order_key less = ili_order_key(IL_JSON, "\"a\\n\"", 5);
    struct ili_order_key bytes = ili_order_key(IL_BYTES, "a\\n", 3);
    cr_assert_eq(ili_order_of_keys(&text, &same, &order, &clash), IL_OK);
    cr_assert_eq(order, 0);
    cr_assert_eq(ili_order_of_keys(&text, &less, &order, &clash), IL_OK);
    cr_assert_gt(order, 0);
    cr_assert_eq(ili_order_equal_keys(&text, &same, &equal), IL_OK);
    cr_assert_not(equal);
    cr_assert_eq(ili_order_of_keys(&text, &bytes, &order, &clash), IL_ETYPE);
    cr_assert_eq(clash.asked, ILI_ORDER_BYTES);
}

Test(base_json_order, deep_and_wide_values) {
    enum { DEPTH = 1024, WIDTH = 20000 };
    static char a[WIDTH * 20], b[WIDTH * 20];
    memset(a, '[', DEPTH);
    memset(a + DEPTH, ']', DEPTH);
    a[2 * DEPTH] = '\0';
    cr_assert(are_equal(a, a));
    size_t x = 0, y = 0;
    for (int i = 0; i < WIDTH; i++) {
        x += (size_t)sprintf(a + x, "%s\"k%d\":%d", i ? "," : "{", i, i);
        y += (size_t)sprintf(b + y, "%s\"k%d\":%d", i ? "," : "{", WIDTH - 1 - i, WIDTH - 1 - i);
    }
    memcpy(a + x, "}", 2);
    memcpy(b + y, "}", 2);
    cr_assert(are_equal(a, b));
    b[y - 1] = '9';
    cr_assert_not(are_equal(a, b));
}

/* Whatever another process wrote: some answer, and no step outside. */
Test(base_json_order, nonsense_is_survived) {
    static const char letters[] = "[]{},:\"\\u01a tfn-.e";
    bool equal;
    int order;
    struct ili_order_clash clash;
    srand(6);
    for (int round = 0; round < 200000; round++) {
        char a[24], b[24];
        size_t n = (size_t)rand() % sizeof a, k = (size_t)rand() % sizeof b;
        for (size_t i = 0; i < n; i++) a[i] = letters[(size_t)rand() % (sizeof letters - 1)];
        for (size_t i = 0; i < k; i++)
            b[i] = rand() % 3 && i < n ? a[i] : letters[(size_t)rand() % (sizeof letters - 1)];
        char *x = copy_of(a, n), *y = copy_of(b, k);
        (void)ili_json_equal(x, n, y, k, &equal);
        (void)ili_json_order(x, n, y, k, &order, &clash);
        struct ili_order_key first = ili_order_key(IL_JSON, x, n),
                             second = ili_order_key(IL_JSON, y, k);
        (void)ili_order_of_keys(&first, &second, &order, &clash);
        free(x);
        free(y);
    }
}
