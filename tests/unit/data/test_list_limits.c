/* Sizes and limits of lists, a full arena, and one in which others write. */
#include "data/list_store.h"
#include "support/lists.h"

static uint8_t got_data[IL_MESSAGE_MAX_BYTES];

Test(data_list, items_of_all_sizes) {
    static const uint64_t sizes[] = {0,     1,     31,    32,      33,
                                     16352, 16353, 65536, 1 << 20, IL_MESSAGE_MAX_BYTES};
    open_list(128 * MIB);
    for (uint64_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 131 >> 3);
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(append(sizes[i]), IL_OK);
        struct ili_item item = {.data = got_data, .room = sizes[i]};
        cr_assert_eq(ili_list_get(&test_member, list, -1, &item, NULL), IL_OK);
        cr_assert_eq(item.bytes, sizes[i]);
        cr_assert_eq(memcmp(got_data, data, sizes[i]), 0);
        if (sizes[i] == 0) continue;
        item.room--;
        cr_assert_eq(ili_list_get(&test_member, list, -1, &item, NULL), IL_ETOOBIG);
        cr_assert_eq(ili_list_pop(&test_member, list, -1, ANY, &item, NULL), IL_ETOOBIG);
        cr_assert_eq(item.bytes, sizes[i]);
        struct ili_item copy = {.room = sizes[i] - 1};
        cr_assert_eq(ili_list_get(&test_member, list, -1, &copy, NULL), IL_ETOOBIG);
        copy.room++;
        cr_assert_eq(ili_list_get(&test_member, list, -1, &copy, NULL), IL_OK);
        cr_assert_eq(memcmp(copy.data, data, sizes[i]), 0);
        free(copy.data);
    }
    cr_assert_eq(length(), 10);
    cr_assert_eq(append(IL_MESSAGE_MAX_BYTES + 1), IL_EOVERFLOW);
    cr_assert_str_eq(refusal.what, "max_entry_bytes");
    struct ili_item items[3];
    size_t done;
    cr_assert_eq(
        ili_list_slice(&test_member, list, -1, INT64_MAX, got_data, 100, items, 3, &done, NULL),
        IL_ETOOBIG);
    cr_assert_eq(done, IL_MESSAGE_MAX_BYTES);
    cr_assert_eq(
        ili_list_slice(&test_member, list, 1, INT64_MAX, got_data, 100, items, 3, &done, NULL),
        IL_OK);
    cr_assert_eq(done, 3);
    cr_assert_eq(
        ili_list_slice(&test_member, list, 1, INT64_MAX, got_data, 60, items, 3, &done, NULL),
        IL_OK);
    cr_assert_eq(done, 2);
    struct ili_item popped = {.room = UINT64_MAX};
    cr_assert_eq(ili_list_pop(&test_member, list, -1, ANY, &popped, NULL), IL_OK);
    cr_assert_eq(memcmp(popped.data, data, IL_MESSAGE_MAX_BYTES), 0);
    free(popped.data);
    close_list(0);
}

Test(data_list, what_goes_beyond_a_limit_is_refused_and_changes_nothing) {
    const struct ili_limits limits = {.max_entries = 5, .max_entry_bytes = 100, .max_bytes = 4096};
    open_limited(8 * MIB, &limits);
    extend("a b c d e");
    uint64_t before = version();
    cr_assert_eq(append(1), IL_EOVERFLOW);
    cr_assert_str_eq(refusal.what, "max_entries");
    cr_assert_eq(refusal.limit, 5);
    cr_assert_eq(put_words(0, 1, "x y"), IL_EOVERFLOW);
    const struct ili_list_change changes[] = {{0, 1, true, letters, 1, ANY},
                                              {0, 0, false, letters, 1, ANY}};
    cr_assert_eq(update(changes, 2, ANY), IL_EOVERFLOW);
    cr_assert_eq(put_words(0, 0, "1 2 3 4 5 6"), IL_EOVERFLOW);
    struct ili_payload long_one = {data, 101, IL_BYTES};
    cr_assert_eq(ili_list_set(&test_member, list, 0, &long_one, ANY, NULL, &refusal), IL_EOVERFLOW);
    cr_assert_str_eq(refusal.what, "max_entry_bytes");
    cr_assert_eq(refusal.limit, 100);
    EXPECT("a b c d e");
    cr_assert_eq(version(), before);
    cr_assert_eq(put_words(0, 3, "x y z"), IL_OK);
    EXPECT("x y z d e");
    close_list(0);
}

Test(data_list, no_list_takes_more_of_the_arena_than_its_bytes) {
    const struct ili_limits limits = {
        .max_entries = IL_ENTRIES_MAX, .max_entry_bytes = 100000, .max_bytes = 100000};
    open_limited(8 * MIB, &limits);
    uint64_t free_at_first = ili_alloc_available(&test_member), count = 0;
    while (append(500) == IL_OK) count++;
    cr_assert_str_eq(refusal.what, "max_bytes");
    cr_assert_eq(refusal.limit, 100000);
    cr_assert_gt(count, 100);
    cr_assert_gt(used(), 98000);
    cr_assert_leq(used(), 100000);
    check();
    struct ili_payload larger = {data, 5000, IL_BYTES};
    cr_assert_eq(ili_list_set(&test_member, list, 3, &larger, ANY, NULL, &refusal), IL_EOVERFLOW);
    cr_assert_eq(length(), count);
    cr_assert_eq(put_words(3, 40, ""), IL_OK, "what makes it smaller is not refused");
    cr_assert_eq(ili_list_set(&test_member, list, 3, &larger, ANY, NULL, &refusal), IL_OK);
    close_list(free_at_first);
}

Test(data_list, a_full_arena_is_an_error_that_changes_nothing) {
    const struct ili_limits limits = {
        .max_entries = IL_ENTRIES_MAX, .max_entry_bytes = 100000, .max_bytes = UINT64_MAX};
    open_limited(4 * MIB, &limits);
    uint64_t free_at_first = ili_alloc_available(&test_member);
    uint64_t random = test_seed(54), refused = 0;
    for (int round = 0; round < 200; round++) {
        uint64_t before = version(), n = length();
        il_status status = append(test_random(&random) % 60000);
        if (status == IL_OK) continue;
        cr_assert_eq(status, IL_ENOMEM);
        refused++;
        cr_assert_eq(version(), before);
        cr_assert_eq(length(), n);
        check();
        cr_assert_eq(test_check_alloc(), IL_OK);
        if (round % 3 == 0) cr_assert_eq(put_words(-5, INT64_MAX, ""), IL_OK);
    }
    cr_assert_gt(refused, 20);
    for (uint64_t bytes = 60000; bytes; bytes /= 2) {
        while (append(bytes) == IL_OK) {
        }
    }
    cr_assert_eq(append(1), IL_ENOMEM);
    check();
    cr_assert_eq(put_words(0, INT64_MAX, ""), IL_OK, "clearing needs no memory");
    cr_assert_eq(length(), 0);
    close_list(free_at_first);
}

Test(data_list, any_failed_commit_is_an_error_that_changes_nothing, .timeout = 120) {
    uint64_t random = test_seed(55), refused = 0;
    open_list(64 * MIB);
    for (int i = 0; i < 2000; i++) cr_assert_eq(append(i % 60u), IL_OK);
    ili_system.fallocate = test_fallocate;
    for (int round = 0; round < 300; round++) {
        uint64_t before = version(), n = length(), r = test_random(&random);
        struct ili_payload large[3] = {
            {data, r % 200000, IL_BYTES}, {data, 10, IL_BYTES}, {data, 90000, IL_BYTES}};
        test_fallocate_left = round % 4;
        il_status status = IL_OK;
        for (int i = 0; i < 20 && status == IL_OK; i++) {
            before = version();
            n = length();
            status = ili_list_splice(&test_member, list, (int64_t)(r % n), (int64_t)(r % n) + 1,
                                     large, 3, ANY, NULL, &refusal);
        }
        test_fallocate_left = INT64_MAX;
        if (status != IL_OK) {
            refused++;
            cr_assert(status == IL_ENOMEM || status == IL_EOVERFLOW, "%d", status);
            cr_assert_eq(version(), before);
            cr_assert_eq(length(), n);
        }
        check();
        cr_assert_eq(test_check_alloc(), IL_OK);
        cr_assert_eq(put_words(-60, INT64_MAX, "x"), IL_OK);
    }
    cr_assert_gt(refused, 0, "nothing failed: the test tests nothing");
    close_list(0);
}

Test(data_list, a_million_items_in_at_both_ends_and_out_again, .timeout = 300) {
    enum { COUNT = 1000000 };
    struct ili_payload payload = {data, 20, IL_BYTES};
    open_list(256 * MIB);
    uint64_t free_at_first = ili_alloc_available(&test_member);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COUNT; i++) {
            int64_t at = i % 2 ? 0 : INT64_MAX;
            memcpy(data, &i, sizeof i);
            if (ili_list_splice(&test_member, list, at, at, &payload, 1, ANY, NULL, NULL) != IL_OK)
                cr_assert_fail("put %d", i);
        }
        check();
        cr_assert_leq(used(), (uint64_t)COUNT * 74, "an item takes 64 bytes, and its slot 8");
        for (int i = 0; i < COUNT; i++) { /* from both ends, or all from the front */
            int got, from_front = i < COUNT / 2 ? COUNT - 1 - 2 * i : 2 * i - COUNT;
            struct ili_item item = {.data = got_data, .room = 20};
            int64_t at = round || i % 2 == 0 ? 0 : -1;
            if (ili_list_pop(&test_member, list, at, ANY, &item, NULL) != IL_OK)
                cr_assert_fail("pop %d", i);
            memcpy(&got, got_data, sizeof got);
            if (got != (round ? from_front : COUNT - 1 - i)) cr_assert_fail("%d is %d", i, got);
        }
        cr_assert_eq(used(), 0);
        cr_assert_eq(ili_alloc_available(&test_member), free_at_first);
    }
    close_list(free_at_first);
}

/* Another process writes nonsense all over the list's blocks: errors, and calls that end. */
Test(data_list, a_scribbled_list_is_an_error, .timeout = 120) {
    uint64_t random = test_seed(56), index;
    open_list(8 * MIB);
    struct ili_changes_place place = {0};
    cr_assert_eq(ili_list_watch(&test_member, list, &place), IL_OK);
    for (int i = 0; i < 1500; i++) cr_assert_eq(append(i % 60u), IL_OK);
    const struct ili_arena *a = &test_member.arena;
    const ili_off from = a->regions.data_at, bytes = 8 * ILI_CHUNK_BYTES;
    static uint8_t sound[8 * ILI_CHUNK_BYTES];
    memcpy(sound, a->base + from, bytes);
    ili_off at = ili_off_of(a, list);
    cr_assert(at >= from && at < from + bytes);
    for (int round = 0; round < TEST_ROUNDS(3000); round++) {
        memcpy(a->base + from, sound, bytes);
        for (int i = 0; i < 12; i++) {
            uint64_t r = test_random(&random),
                     *word = (uint64_t *)(a->base + from) + r % (bytes / 8);
            if (i == 0) word = (uint64_t *)&list->root + (r >> 20) % 5;
            if (i == 1) {
                struct ili_list_root root;
                cr_assert(
                    ili_list_root_of(a, ((struct ili_list *)(sound + (at - from)))->root, &root));
                word = (uint64_t *)ili_list_entry_word(&root, (uint32_t)(r >> 20) % root.count);
            }
            *word = r & 1 ? *word ^ (UINT64_C(1) << (r >> 50) % 64)
                          : test_random(&random) >> (r >> 40) % 64;
            list->guard.word = 0;
            list->guard.kind = ILI_GUARD_LIST;
            list->deleted = 0;
        }
        static uint8_t room[65536];
        struct ili_item items[100], item = {.data = room, .room = sizeof room};
        size_t done;
        (void)ili_list_check(&test_member, list);
        (void)ili_list_get(&test_member, list, (int64_t)(test_random(&random) % 1500), &item, NULL);
        (void)ili_list_slice(&test_member, list, 100, 1400, room, sizeof room, items, 100, &done,
                             NULL);
        (void)put_words(700, 705, "a b c");
        (void)pop(3);
        (void)put_words(100, -100, "");
        (void)find((struct ili_payload)JSON("1"), 0, INT64_MAX, false, &index);
        (void)sort(false);
        (void)ili_list_reverse(&test_member, list);
        ili_list_repair(&test_member, test_self(), list, test_self());
        (void)put_words(0, INT64_MAX, "");
        for (int i = 0; i < ILI_AGENT_PENDING; i++) ili_alloc_published(test_self(), (unsigned)i);
    }
    memcpy(a->base + from, sound, bytes);
    test_leave();
}
