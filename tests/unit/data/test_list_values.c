/* The calls on a list that look at its values. */
#include "base/json_order.h"
#include "support/lists.h"

Test(data_list, finds_counts_and_removes_what_is_equal) {
    static const struct ili_payload values[] = {
        JSON("1"),    TEXT("1"),   JSON("1.0"), BYTES("1"), JSON("[1,{\"a\":2, \"b\":3}]"),
        JSON("true"), JSON("1e0"), TEXT("")};
    uint64_t index = 99, count;
    open_list(8 * MIB);
    put_values(values, 8);
    cr_assert_eq(find((struct ili_payload)JSON("1"), 0, INT64_MAX, false, &index), IL_OK);
    cr_assert_eq(index, 0);
    cr_assert_eq(find((struct ili_payload)JSON("10e-1"), 1, INT64_MAX, false, &index), IL_OK);
    cr_assert_eq(index, 2);
    cr_assert_eq(find((struct ili_payload)JSON("1"), -2, INT64_MAX, false, &index), IL_OK);
    cr_assert_eq(index, 6);
    cr_assert_eq(find((struct ili_payload)JSON("1"), 3, 6, false, &index), IL_ENOKEY);
    cr_assert_eq(index, 6);
    cr_assert_eq(find((struct ili_payload)TEXT("1"), 0, INT64_MAX, false, &index), IL_OK);
    cr_assert_eq(index, 1);
    cr_assert_eq(find((struct ili_payload)BYTES("1"), 0, INT64_MAX, false, &index), IL_OK);
    cr_assert_eq(index, 3);
    cr_assert_eq(find((struct ili_payload)TEXT(""), 0, INT64_MAX, false, &index), IL_OK);
    cr_assert_eq(index, 7);
    cr_assert_eq(find((struct ili_payload)BYTES(""), 0, INT64_MAX, false, &index), IL_ENOKEY);
    static const struct ili_payload one = JSON("1.00"), object = JSON("[1.0,{\"b\":3,\"a\":2}]");
    cr_assert_eq(ili_list_count(&test_member, list, &one, &count), IL_OK);
    cr_assert_eq(count, 3);
    cr_assert_eq(ili_list_count(&test_member, list, &object, &count), IL_OK);
    cr_assert_eq(count, 1);
    uint64_t before = version();
    cr_assert_eq(find(object, 0, INT64_MAX, true, &index), IL_OK);
    cr_assert_eq(index, 4);
    cr_assert_eq(find(object, 0, INT64_MAX, true, &index), IL_ENOKEY);
    cr_assert_eq(version(), before + 1);
    cr_assert_eq(length(), 7);
    close_list(0);
}

Test(data_list, sorts_numbers_and_strings_stably) {
    static const struct ili_payload numbers[] = {JSON("3"),
                                                 JSON("1.0"),
                                                 JSON("-2"),
                                                 JSON("1"),
                                                 JSON("1e0"),
                                                 JSON("0.5"),
                                                 JSON("1000000000000000000000")};
    static const struct ili_payload strings[] = {JSON("\"b\""), TEXT("a"), JSON("\"a\""),
                                                 TEXT("B")};
    open_list(8 * MIB);
    cr_assert_eq(sort(false), IL_OK);
    put_values(numbers, 7);
    cr_assert_eq(sort(false), IL_OK);
    EXPECT("-2 0.5 1.0 1 1e0 3 1000000000000000000000");
    uint64_t before = version();
    cr_assert_eq(sort(false), IL_OK);
    cr_assert_eq(version(), before, "nothing changed");
    cr_assert_eq(sort(true), IL_OK);
    EXPECT("1000000000000000000000 3 1.0 1 1e0 0.5 -2");
    put_values(strings, 4);
    cr_assert_eq(sort(false), IL_OK);
    EXPECT("B a \"a\" \"b\"");
    cr_assert_eq(ili_list_reverse(&test_member, list), IL_OK);
    EXPECT("\"b\" \"a\" a B");
    close_list(0);
}

Test(data_list, sort_of_what_has_no_order_names_both_types_and_changes_nothing) {
    static const struct ili_payload mixed[] = {JSON("2"), JSON("1"), TEXT("x"), JSON("0")};
    static const struct ili_payload objects[] = {JSON("{\"a\":1}"), JSON("{\"a\":2}")};
    open_list(8 * MIB);
    put_values(mixed, 4);
    uint64_t before = version();
    cr_assert_eq(sort(false), IL_ETYPE);
    cr_assert_eq(refusal.has + refusal.asked, ILI_ORDER_NUMBER + ILI_ORDER_STRING);
    EXPECT("2 1 x 0");
    cr_assert_eq(version(), before);
    put_values(objects, 2);
    cr_assert_eq(sort(true), IL_ETYPE);
    cr_assert_eq(refusal.has, ILI_ORDER_OBJECT);
    cr_assert_eq(refusal.asked, ILI_ORDER_OBJECT);
    close_list(0);
}

Test(data_list, sorts_and_reverses_a_long_list) {
    enum { COUNT = 100000 };
    static struct ili_payload values[COUNT];
    static char text[COUNT][16];
    static struct ili_item items[COUNT];
    static char room[COUNT * 16];
    uint64_t random = test_seed(53);
    size_t done;
    open_list(64 * MIB);
    for (int i = 0; i < COUNT; i++) { /* the part behind the point says where it was */
        int bytes = snprintf(text[i], 16, "%u.%06d", (unsigned)(test_random(&random) % 5000), i);
        values[i] = (struct ili_payload){text[i], (uint64_t)bytes, IL_TEXT};
    }
    put_values(values, COUNT);
    uint64_t taken = used();
    cr_assert_eq(sort(false), IL_OK);
    cr_assert_eq(ili_list_slice(&test_member, list, 0, INT64_MAX, room, sizeof room, items, COUNT,
                                &done, NULL),
                 IL_OK);
    cr_assert_eq(done, COUNT);
    for (int i = 1; i < COUNT; i++) {
        uint64_t shorter =
            items[i].bytes < items[i - 1].bytes ? items[i].bytes : items[i - 1].bytes;
        int order = memcmp(items[i - 1].data, items[i].data, shorter);
        cr_assert(order < 0 || (order == 0 && items[i - 1].bytes < items[i].bytes));
    }
    cr_assert_eq(ili_list_reverse(&test_member, list), IL_OK);
    char first[16];
    struct ili_item item = {.data = first, .room = 16};
    cr_assert_eq(ili_list_get(&test_member, list, -1, &item, NULL), IL_OK);
    cr_assert_eq(memcmp(first, items[0].data, item.bytes), 0);
    cr_assert_leq(used(), taken + 8192);
    close_list(0);
}
