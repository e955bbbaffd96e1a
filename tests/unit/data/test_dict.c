#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/point.h"
#include "data/dict.h"
#include "support/member.h"

#define MIB (UINT64_C(1) << 20)

static struct ili_dict *dict;
static uint8_t data[IL_MESSAGE_MAX_BYTES], got_data[IL_MESSAGE_MAX_BYTES];

static void open_dict(uint64_t arena_bytes, const struct ili_limits *limits) {
    cr_assert(test_enter(arena_bytes));
    dict = test_object(&ili_dict_kind, "it", limits);
    cr_assert_not_null(dict);
}

static void check(void) {
    struct ili_agent *self = test_self();
    cr_assert_eq(ili_guard_lock(&test_member, self, &dict->guard), IL_OK);
    il_status status = ili_dict_check(&test_member, dict);
    ili_guard_unlock(&test_member, self, &dict->guard);
    cr_assert_eq(status, IL_OK);
    cr_assert_eq(test_check_alloc(), IL_OK);
}

/* Removes the dict: all its memory must be back, but what the allocator's pieces had at first. */
static void leave(uint64_t free_at_first) {
    cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_dict_kind, "it", 2), IL_OK);
    cr_assert_eq(test_close(dict), IL_OK);
    cr_assert_eq(test_check_alloc(), IL_OK);
    cr_assert_eq(ili_alloc_available(&test_member), free_at_first);
    test_leave();
}

/* What is free with a dict that was never used, and without one. */
static uint64_t free_with, free_without;

static void open_measured(uint64_t arena_bytes, const struct ili_limits *limits) {
    open_dict(arena_bytes, limits);
    cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_dict_kind, "it", 2), IL_OK);
    cr_assert_eq(test_close(dict), IL_OK);
    free_without = ili_alloc_available(&test_member);
    dict = test_object(&ili_dict_kind, "it", limits);
    free_with = ili_alloc_available(&test_member);
}

static struct ili_dict_change change_of(uint32_t what, const char *key, const char *text,
                                        uint64_t version) {
    return (struct ili_dict_change){.what = what,
                                    .type = IL_TEXT,
                                    .key = key,
                                    .key_bytes = strlen(key),
                                    .data = text,
                                    .bytes = text ? strlen(text) : 0,
                                    .version = version};
}

static il_status set_if(const char *key, const char *text, uint64_t *version,
                        struct ili_refusal *refusal) {
    struct ili_dict_change c = change_of(IL_CHANGE_SET, key, text, *version);
    return ili_dict_update(&test_member, dict, &c, 1, version, refusal);
}

static il_status set(const char *key, const char *text) {
    uint64_t version = IL_VERSION_ANY;
    return set_if(key, text, &version, NULL);
}

static il_status take_away(const char *key) {
    struct ili_dict_change c = change_of(IL_CHANGE_REMOVE, key, NULL, IL_VERSION_ANY);
    return ili_dict_update(&test_member, dict, &c, 1, NULL, NULL);
}

static il_status get(const char *key, struct ili_item *item) {
    *item = (struct ili_item){.data = got_data, .room = sizeof got_data};
    return ili_dict_get(&test_member, dict, key, strlen(key), item);
}

static bool has(const char *key, const char *text) {
    struct ili_item item;
    return get(key, &item) == IL_OK && item.bytes == strlen(text) && item.type == IL_TEXT &&
           memcmp(got_data, text, item.bytes) == 0;
}

static uint64_t length(void) {
    struct ili_dict_view view;
    ili_dict_look(dict, &view);
    return view.length;
}

static uint64_t version_now(void) {
    struct ili_dict_view view;
    ili_dict_look(dict, &view);
    return view.version;
}

/* The keys in order, each with a blank behind it. */
static const char *order(void) {
    static char text[4096];
    static struct ili_dict_entry entries[100];
    static char room[65536];
    il_cursor cursor = {0};
    size_t done, at = 0;
    cr_assert_eq(ili_dict_items(&test_member, dict, &cursor, IL_KEYS, room, sizeof room, entries,
                                100, &done),
                 IL_OK);
    cr_assert_eq(cursor.finished, 1);
    for (size_t i = 0; i < done; i++) {
        cr_assert_null(entries[i].item.data);
        at += (size_t)snprintf(text + at, sizeof text - at, "%.*s ", (int)entries[i].key_bytes,
                               entries[i].key);
    }
    text[at] = 0;
    return text;
}

Test(data_dict, entry_is_set_got_and_removed) {
    struct ili_item item;
    open_measured(8 * MIB, NULL);
    cr_assert_eq(get("a", &item), IL_ENOKEY);
    cr_assert_eq(set("a", "one"), IL_OK);
    cr_assert(has("a", "one"));
    cr_assert_eq(get("a", &item), IL_OK);
    cr_assert_eq(item.version, 1);
    cr_assert_eq(set("a", "two and more"), IL_OK);
    cr_assert(has("a", "two and more"));
    cr_assert_eq(set("a", ""), IL_OK);
    cr_assert(has("a", ""));
    cr_assert_eq(version_now(), 3);
    cr_assert_eq(length(), 1);
    check();
    cr_assert_eq(take_away("b"), IL_ENOKEY);
    cr_assert_eq(take_away("a"), IL_OK);
    cr_assert_eq(take_away("a"), IL_ENOKEY);
    cr_assert_eq(get("a", &item), IL_ENOKEY);
    cr_assert_eq(version_now(), 4);
    cr_assert_eq(length(), 0);
    check();
    cr_assert_eq(ili_alloc_available(&test_member), free_with);
    leave(free_without);
}

Test(data_dict, order_is_that_of_first_setting_as_in_python) {
    open_measured(8 * MIB, NULL);
    for (const char *k = "edcba"; *k; k++) cr_assert_eq(set((char[]){*k, 0}, "x"), IL_OK);
    cr_assert_str_eq(order(), "e d c b a ");
    cr_assert_eq(set("d", "a new value keeps its place"), IL_OK);
    cr_assert_eq(set("d", (memset(data, 'x', 5000), data[5000] = 0, (char *)data)), IL_OK);
    cr_assert_str_eq(order(), "e d c b a ");
    cr_assert_eq(take_away("d"), IL_OK);
    cr_assert_eq(set("d", "anew"), IL_OK);
    cr_assert_str_eq(order(), "e c b a d ");
    cr_assert_eq(take_away("e"), IL_OK);
    cr_assert_str_eq(order(), "c b a d ");
    check();
    leave(free_without);
}

Test(data_dict, versions_are_compared) {
    struct ili_refusal refusal;
    uint64_t version = IL_VERSION_NONE;
    open_measured(8 * MIB, NULL);
    cr_assert_eq(set_if("a", "one", &version, &refusal), IL_OK);
    cr_assert_eq(version, 1);
    uint64_t none = IL_VERSION_NONE;
    cr_assert_eq(set_if("a", "two", &none, &refusal), IL_ECHANGED);
    cr_assert_eq(refusal.version, 1);
    cr_assert_eq(set_if("a", "two", &version, &refusal), IL_OK);
    cr_assert_eq(version, 2);
    uint64_t stale = 1;
    cr_assert_eq(set_if("a", "three", &stale, &refusal), IL_ECHANGED);
    cr_assert_eq(refusal.version, 2);
    cr_assert_eq(stale, 1, "the version that was asked for is left alone");
    uint64_t missing = 7;
    cr_assert_eq(set_if("b", "three", &missing, &refusal), IL_ECHANGED);
    cr_assert_eq(refusal.version, 0);
    struct ili_dict_change c = change_of(IL_CHANGE_REMOVE, "a", NULL, 1);
    cr_assert_eq(ili_dict_update(&test_member, dict, &c, 1, NULL, &refusal), IL_ECHANGED);
    cr_assert_eq(refusal.version, 2);
    c = change_of(IL_CHANGE_EXPECT, "a", NULL, 2);
    cr_assert_eq(ili_dict_update(&test_member, dict, &c, 1, NULL, &refusal), IL_OK);
    c.version = IL_VERSION_NONE;
    cr_assert_eq(ili_dict_update(&test_member, dict, &c, 1, NULL, &refusal), IL_ECHANGED);
    cr_assert(has("a", "two"));
    cr_assert_eq(version_now(), 2);
    struct ili_item item = {.data = got_data, .room = sizeof got_data};
    cr_assert_eq(ili_dict_pop(&test_member, dict, "a", 1, 1, &item, &refusal), IL_ECHANGED);
    cr_assert_eq(refusal.version, 2);
    cr_assert_eq(ili_dict_pop(&test_member, dict, "a", 1, 2, &item, &refusal), IL_OK);
    cr_assert_eq(ili_dict_pop(&test_member, dict, "a", 1, 2, &item, &refusal), IL_ENOKEY);
    leave(free_without);
}

Test(data_dict, keys_and_values_of_all_sizes, .timeout = 60) {
    static const uint64_t sizes[] = {0,
                                     1,
                                     63,
                                     64,
                                     65,
                                     511,
                                     512,
                                     752,
                                     753,
                                     8192,
                                     16300,
                                     16384,
                                     65536,
                                     100000,
                                     8191,
                                     1000,
                                     3 * MIB,
                                     16 * MIB,
                                     IL_MESSAGE_MAX_BYTES};
    static char key[IL_KEY_MAX_BYTES + 1];
    open_measured(128 * MIB, NULL);
    memset(key, 'k', IL_KEY_MAX_BYTES);
    for (uint64_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 2654435761u >> 24);
    for (unsigned kb = 0; kb <= IL_KEY_MAX_BYTES; kb += 512) {
        for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            struct ili_dict_change c = {.what = IL_CHANGE_SET, .key = key, .key_bytes = kb};
            struct ili_item item = {.data = got_data, .room = sizeof got_data};
            c.data = data + i % 7;
            c.bytes = sizes[i] - (sizes[i] > 7 ? 7 : 0);
            c.version = IL_VERSION_ANY;
            c.type = i % 3;
            cr_assert_eq(ili_dict_update(&test_member, dict, &c, 1, NULL, NULL), IL_OK);
            cr_assert_eq(ili_dict_get(&test_member, dict, key, kb, &item), IL_OK);
            cr_assert_eq(item.bytes, c.bytes);
            cr_assert_eq(item.type, i % 3);
            cr_assert_eq(memcmp(got_data, c.data, item.bytes), 0);
            check();
        }
    }
    cr_assert_eq(length(), 3);
    cr_assert_eq(ili_dict_clear(&test_member, dict), IL_OK);
    cr_assert_eq(ili_alloc_available(&test_member), free_with);
    leave(free_without);
}

Test(data_dict, full_16_mib_value) {
    open_measured(64 * MIB, NULL);
    struct ili_dict_change c = {.what = IL_CHANGE_SET,
                                .key = "",
                                .data = data,
                                .bytes = IL_MESSAGE_MAX_BYTES,
                                .version = IL_VERSION_ANY};
    memset(data, 7, sizeof data);
    cr_assert_eq(ili_dict_update(&test_member, dict, &c, 1, NULL, NULL), IL_OK);
    struct ili_item item = {.room = IL_MESSAGE_MAX_BYTES};
    cr_assert_eq(ili_dict_get(&test_member, dict, "", 0, &item), IL_OK);
    cr_assert_eq(item.bytes, IL_MESSAGE_MAX_BYTES);
    cr_assert_eq(memcmp(item.data, data, item.bytes), 0);
    free(item.data);
    item = (struct ili_item){.room = IL_MESSAGE_MAX_BYTES};
    cr_assert_eq(ili_dict_pop(&test_member, dict, "", 0, IL_VERSION_ANY, &item, NULL), IL_OK);
    cr_assert_eq(memcmp(item.data, data, item.bytes), 0);
    free(item.data);
    cr_assert_eq(ili_alloc_available(&test_member), free_with);
    leave(free_without);
}

Test(data_dict, buffer_too_small_changes_nothing_and_says_what_it_needs) {
    struct ili_item item = {.data = got_data, .room = 4};
    struct ili_dict_entry entry = {0};
    struct ili_dict_change c = change_of(IL_CHANGE_SET, "new", "value", IL_VERSION_ANY);
    bool created;
    size_t done;
    il_cursor cursor = {0};
    open_measured(8 * MIB, NULL);
    set("key", "value");
    cr_assert_eq(ili_dict_get(&test_member, dict, "key", 3, &item), IL_ETOOBIG);
    cr_assert_eq(item.bytes, 5);
    cr_assert_eq(ili_dict_pop(&test_member, dict, "key", 3, IL_VERSION_ANY, &item, NULL),
                 IL_ETOOBIG);
    cr_assert_eq(ili_dict_set_default(&test_member, dict, &c, &item, &created, NULL), IL_ETOOBIG);
    cr_assert_eq(ili_dict_pop_item(&test_member, dict, got_data, 7, &entry), IL_ETOOBIG);
    cr_assert_eq(entry.key_bytes + entry.item.bytes, 8);
    cr_assert_eq(ili_dict_items(&test_member, dict, &cursor, IL_KEYS | IL_VALUES, got_data, 7,
                                &entry, 1, &done),
                 IL_ETOOBIG);
    cr_assert_eq(done, 8);
    cr_assert_eq(cursor.after, 0);
    cr_assert_eq(length(), 1);
    cr_assert_eq(version_now(), 1);
    check();
    leave(free_without);
}

Test(data_dict, set_default_and_pop_item) {
    struct ili_item item = {.data = got_data, .room = sizeof got_data};
    struct ili_dict_change c = change_of(IL_CHANGE_SET, "a", "first", IL_VERSION_ANY);
    struct ili_dict_entry entry = {0};
    bool created = false;
    open_measured(8 * MIB, NULL);
    cr_assert_eq(ili_dict_pop_item(&test_member, dict, NULL, MIB, &entry), IL_ENOKEY);
    cr_assert_eq(ili_dict_set_default(&test_member, dict, &c, &item, &created, NULL), IL_OK);
    cr_assert(created);
    cr_assert_eq(item.bytes, 5);
    cr_assert_eq(item.version, 1);
    cr_assert_eq(memcmp(got_data, "first", 5), 0);
    c.data = "second";
    c.bytes = 6;
    item = (struct ili_item){.room = MIB};
    cr_assert_eq(ili_dict_set_default(&test_member, dict, &c, &item, &created, NULL), IL_OK);
    cr_assert_not(created);
    cr_assert_eq(item.bytes, 5);
    cr_assert_eq(memcmp(item.data, "first", 5), 0);
    free(item.data);
    set("b", "last");
    cr_assert_eq(ili_dict_pop_item(&test_member, dict, NULL, MIB, &entry), IL_OK);
    cr_assert_eq(entry.key_bytes, 1);
    cr_assert_eq(memcmp(entry.key, "blast", 5), 0);
    cr_assert_eq(memcmp(entry.item.data, "last", 4), 0);
    cr_assert_eq(entry.item.version, 2);
    free(entry.key);
    cr_assert_eq(ili_dict_pop_item(&test_member, dict, got_data, 6, &entry), IL_OK);
    cr_assert_eq(memcmp(got_data, "afirst", 6), 0);
    cr_assert_eq(length(), 0);
    check();
    leave(free_without);
}

Test(data_dict, update_of_many_is_all_or_nothing) {
    struct ili_refusal refusal;
    uint64_t version;
    open_measured(8 * MIB, NULL);
    set("a", "1");
    set("b", "2");
    struct ili_dict_change many[] = {
        change_of(IL_CHANGE_SET, "c", "3", IL_VERSION_NONE),
        change_of(IL_CHANGE_SET, "a", "new", 1),
        change_of(IL_CHANGE_REMOVE, "b", NULL, 2),
        change_of(IL_CHANGE_EXPECT, "d", NULL, IL_VERSION_NONE),
        change_of(IL_CHANGE_SET, "c", "three", IL_VERSION_NONE), /* as before all changes */
        change_of(IL_CHANGE_SET, "b", "anew", IL_VERSION_ANY),
        change_of(IL_CHANGE_REMOVE, "c", NULL, IL_VERSION_ANY),
        change_of(IL_CHANGE_SET, "e", "5", IL_VERSION_ANY),
    };
    size_t count = sizeof many / sizeof many[0];
    many[3].version = 5;
    cr_assert_eq(ili_dict_update(&test_member, dict, many, count, &version, &refusal), IL_ECHANGED);
    cr_assert_eq(refusal.which, 3);
    cr_assert_eq(refusal.version, 0);
    cr_assert_str_eq(order(), "a b ");
    many[3].version = IL_VERSION_NONE;
    struct ili_dict_change twice[] = {many[2], change_of(IL_CHANGE_REMOVE, "b", NULL, 2)};
    cr_assert_eq(ili_dict_update(&test_member, dict, twice, 2, &version, &refusal), IL_ENOKEY);
    cr_assert_eq(refusal.which, 1);
    cr_assert_eq(version_now(), 2);
    check();
    cr_assert_eq(ili_dict_update(&test_member, dict, many, count, &version, &refusal), IL_OK);
    cr_assert_eq(version, 3);
    cr_assert_eq(version_now(), 3);
    cr_assert_str_eq(order(), "a b e ");
    cr_assert(has("a", "new"));
    cr_assert(has("b", "anew"));
    check();
    cr_assert_eq(ili_dict_update(&test_member, dict, &many[3], 1, &version, NULL), IL_OK);
    struct ili_dict_change expects[] = {many[3], many[3]};
    cr_assert_eq(ili_dict_update(&test_member, dict, expects, 2, &version, NULL), IL_OK);
    cr_assert_eq(ili_dict_update(&test_member, dict, NULL, 0, &version, NULL), IL_OK);
    cr_assert_eq(version, 3, "nothing was changed");
    cr_assert_eq(ili_dict_clear(&test_member, dict), IL_OK);
    cr_assert_eq(ili_alloc_available(&test_member), free_with);
    leave(free_without);
}

Test(data_dict, limits_are_named_and_change_nothing) {
    struct ili_limits limits = {3, 100, 5000};
    struct ili_refusal refusal;
    uint64_t any = IL_VERSION_ANY;
    open_measured(8 * MIB, &limits);
    memset(data, 'x', 5000);
    data[101] = 0;
    cr_assert_eq(set_if("a", (char *)data, &any, &refusal), IL_EOVERFLOW);
    cr_assert_str_eq(refusal.what, "max_entry_bytes");
    cr_assert_eq(refusal.limit, 100);
    data[100] = 0;
    cr_assert_eq(set("a", (char *)data), IL_OK);
    cr_assert_eq(set("b", "x"), IL_OK);
    struct ili_dict_change two[] = {change_of(IL_CHANGE_SET, "c", "x", IL_VERSION_ANY),
                                    change_of(IL_CHANGE_SET, "d", "x", IL_VERSION_ANY)};
    cr_assert_eq(ili_dict_update(&test_member, dict, two, 2, NULL, &refusal), IL_EOVERFLOW);
    cr_assert_str_eq(refusal.what, "max_entries");
    cr_assert_eq(refusal.which, 1);
    cr_assert_eq(length(), 2);
    cr_assert_eq(set("c", "x"), IL_OK);
    any = IL_VERSION_ANY;
    cr_assert_eq(set_if("d", "x", &any, &refusal), IL_EOVERFLOW);
    cr_assert_str_eq(refusal.what, "max_entries");
    cr_assert_eq(refusal.limit, 3);
    cr_assert_eq(set("c", "y"), IL_OK, "one that is there may be set at the limit");
    struct ili_dict_change swap[] = {change_of(IL_CHANGE_SET, "d", "x", IL_VERSION_ANY),
                                     change_of(IL_CHANGE_REMOVE, "c", NULL, IL_VERSION_ANY)};
    cr_assert_eq(ili_dict_update(&test_member, dict, swap, 2, NULL, &refusal), IL_OK);
    check();
    leave(free_without);
}

Test(data_dict, is_no_larger_than_its_share) {
    struct ili_limits limits = {IL_ENTRIES_MAX, IL_MESSAGE_MAX_BYTES, 100000};
    struct ili_refusal refusal;
    struct ili_dict_view view;
    char key[32];
    open_measured(8 * MIB, &limits);
    for (int round = 0; round < 3; round++) {
        il_status status = IL_OK;
        for (int i = 0; status == IL_OK; i++) {
            uint64_t any = IL_VERSION_ANY;
            snprintf(key, sizeof key, "%d", i);
            status = set_if(key, "value", &any, &refusal);
        }
        cr_assert_eq(status, IL_EOVERFLOW);
        cr_assert_str_eq(refusal.what, "max_bytes");
        ili_dict_look(dict, &view);
        cr_assert_leq(view.used_bytes, 100000);
        cr_assert_gt(view.used_bytes, 90000);
        check();
        while (length())
            cr_assert_eq(take_away((snprintf(key, sizeof key, "%d", (int)length() - 1), key)),
                         IL_OK);
        cr_assert_eq(ili_alloc_available(&test_member), free_with);
    }
    ili_dict_look(dict, &view);
    cr_assert_eq(view.used_bytes, 0);
    leave(free_without);
}

Test(data_dict, cursor_sees_each_entry_once_across_removals) {
    static struct ili_dict_entry entries[7];
    static uint8_t seen[20000];
    static bool gone[20000];
    char key[32], room[512];
    uint64_t random = test_seed(51);
    open_measured(64 * MIB, NULL);
    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof key, "%d", i);
        cr_assert_eq(set(key, "x"), IL_OK);
    }
    il_cursor cursor = {0};
    int last = -1, pages = 0;
    while (!cursor.finished) {
        size_t done;
        cr_assert_eq(ili_dict_items(&test_member, dict, &cursor, IL_KEYS, room, sizeof room,
                                    entries, 7, &done),
                     IL_OK);
        for (size_t i = 0; i < done; i++) {
            snprintf(key, sizeof key, "%.*s", (int)entries[i].key_bytes, entries[i].key);
            int number = (int)strtol(key, NULL, 10);
            cr_assert_gt(number, last);
            cr_assert(!gone[number], "an entry that was removed before");
            last = number;
            seen[number]++;
        }
        /* the one the cursor stands at now and then, and some others; some set anew: they come last */
        for (int k = 0; k < 3; k++) {
            int number = k == 0 && pages % 3 == 0 ? last : (int)(test_random(&random) % 20000);
            snprintf(key, sizeof key, "%d", number);
            if (!gone[number]) cr_assert_eq(take_away(key), IL_OK);
            gone[number] = true;
        }
        pages++;
    }
    for (int i = 0; i < 20000; i++) cr_assert(seen[i] == 1 || (gone[i] && seen[i] == 0));
    check();
    /* a cursor of nonsense ends as well */
    cursor = (il_cursor){.after = 5, .hint = 12345};
    size_t done;
    cr_assert_eq(
        ili_dict_items(&test_member, dict, &cursor, IL_KEYS, room, sizeof room, entries, 7, &done),
        IL_OK);
    cursor = (il_cursor){.after = UINT64_MAX, .hint = 1};
    cr_assert_eq(
        ili_dict_items(&test_member, dict, &cursor, IL_KEYS, room, sizeof room, entries, 7, &done),
        IL_OK);
    cr_assert_eq(done, 0);
    cr_assert_eq(cursor.finished, 1);
    leave(free_without);
}

Test(data_dict, a_million_entries_in_and_out_leave_no_memory_behind, .timeout = 300) {
    char key[32];
    int count = TEST_ROUNDS(1000000);
    open_measured(512 * MIB, NULL);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < count; i++) {
            snprintf(key, sizeof key, "key %d", i);
            if (set(key, "a value of some bytes") != IL_OK) cr_assert_fail("set %d", i);
        }
        cr_assert_eq(length(), (uint64_t)count);
        check();
        if (round == 0) {
            for (int i = 0; i < count; i++) {
                snprintf(key, sizeof key, "key %d", i);
                if (take_away(key) != IL_OK) cr_assert_fail("remove %d", i);
                if (i == count / 2) check();
            }
        } else if (round == 1) {
            struct ili_dict_entry entry;
            while (ili_dict_pop_item(&test_member, dict, got_data, 1000, &entry) == IL_OK) {
            }
        } else {
            cr_assert_eq(ili_dict_clear(&test_member, dict), IL_OK);
        }
        cr_assert_eq(length(), 0);
        check();
        cr_assert_eq(ili_alloc_available(&test_member), free_with);
    }
    leave(free_without);
}

/* Entries find room where others left, but the table's larger blocks do not. */
Test(data_dict, table_that_could_not_grow_grows_once_there_is_memory, .timeout = 60) {
    struct ili_limits all = {IL_ENTRIES_MAX, IL_MESSAGE_MAX_BYTES, 64 * MIB};
    char key[32];
    int filled = 0, count = 0;
    open_measured(64 * MIB, &all);
    struct ili_dict *starved = dict, *filler = test_object(&ili_dict_kind, "filler", &all);
    dict = filler;
    do {
        snprintf(key, sizeof key, "%d", filled++);
    } while (set(key, "as large as the others") == IL_OK);
    for (int i = 0; i < filled - 1; i += 2) {
        snprintf(key, sizeof key, "%d", i);
        cr_assert_eq(take_away(key), IL_OK);
    }
    dict = starved;
    do {
        snprintf(key, sizeof key, "%d", count++);
    } while (set(key, "as large as the others") == IL_OK);
    uint64_t buckets = starved->buckets;
    cr_assert_lt(buckets * 20, length(), "%llu buckets", (unsigned long long)buckets);
    check();
    cr_assert_eq(ili_dict_clear(&test_member, filler), IL_OK);
    uint64_t least = length();
    for (uint64_t i = 0; i < least; i++) cr_assert_eq(set("0", "as large as the others"), IL_OK);
    cr_assert_gt(starved->buckets, least / 2);
    check();
    for (int i = 0; i < count - 1; i++) {
        snprintf(key, sizeof key, "%d", i);
        cr_assert(has(key, "as large as the others"));
    }
    test_leave();
}

Test(data_dict, copy_takes_all_and_keeps_what_is_there) {
    char key[32];
    open_measured(64 * MIB, NULL);
    struct ili_dict *source = dict, *into = test_object(&ili_dict_kind, "into", NULL);
    uint64_t free_with_both = ili_alloc_available(&test_member);
    for (int i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "%d", i);
        cr_assert_eq(set(key, key), IL_OK);
    }
    dict = into;
    cr_assert_eq(set("own", "stays"), IL_OK);
    cr_assert_eq(set("7", "old"), IL_OK);
    cr_assert_eq(ili_dict_copy(&test_member, source, into, NULL), IL_OK);
    cr_assert_eq(length(), 3001);
    cr_assert_eq(version_now(), 3);
    cr_assert(has("own", "stays"));
    cr_assert(has("7", "7"));
    cr_assert(has("2999", "2999"));
    check();
    cr_assert_eq(ili_dict_copy(&test_member, into, into, NULL), IL_OK);
    cr_assert_eq(length(), 3001);
    check();
    cr_assert_eq(ili_dict_clear(&test_member, into), IL_OK);
    dict = source;
    check();
    cr_assert_eq(ili_dict_clear(&test_member, source), IL_OK);
    cr_assert_eq(ili_alloc_available(&test_member), free_with_both);
    test_leave();
}

Test(data_dict, who_has_a_deleted_dict_open_is_told) {
    struct ili_item item;
    open_measured(8 * MIB, NULL);
    set("a", "1");
    cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_dict_kind, "it", 2), IL_OK);
    cr_assert_eq(get("a", &item), IL_EDELETED);
    cr_assert_eq(set("a", "2"), IL_EDELETED);
    cr_assert_eq(ili_dict_clear(&test_member, dict), IL_EDELETED);
    cr_assert_eq(test_close(dict), IL_OK);
    cr_assert_eq(test_check_alloc(), IL_OK);
    cr_assert_eq(ili_alloc_available(&test_member), free_without);
    test_leave();
}

#ifdef IL_POINTS

static struct ili_agent *thief;
static ili_off stolen;

/* Another process takes the first block that becomes free. */
static void steal(const char *point) {
    if (strcmp(point, "dict.dispose.adopted") == 0 && !stolen) {
        (void)ili_alloc(&test_member, thief, 2, 100, &stolen);
    }
}

Test(data_dict, entry_that_was_about_to_be_freed_at_a_death_is_freed_once) {
    ili_off next;
    open_measured(8 * MIB, NULL);
    cr_assert_eq(ili_agent_claim_bell(&test_member, &thief), IL_OK);
    for (const char *k = "abc"; *k; k++) set((char[]){*k, 0}, "as large as what is stolen, nearly");
    /* so that the chunk stays, and its lowest piece is the next */
    cr_assert_eq(ili_alloc(&test_member, thief, 0, 100, &next), IL_OK);
    ili_alloc_adopt(test_self(), 0, dict->first);
    ili_point_passed = steal;
    cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_dict_kind, "it", 2), IL_OK);
    cr_assert_eq(test_close(dict), IL_OK);
    ili_point_passed = NULL;
    cr_assert_neq(stolen, 0);
    cr_assert_eq(ili_alloc(&test_member, test_self(), 2, 100, &next), IL_OK);
    cr_assert_neq(next, stolen);
    cr_assert_eq(ili_alloc_free(&test_member, test_self(), 2), IL_OK);
    cr_assert_eq(ili_alloc_free(&test_member, thief, 2), IL_OK);
    cr_assert_eq(ili_alloc_free(&test_member, thief, 0), IL_OK);
    cr_assert_eq(test_check_alloc(), IL_OK);
    cr_assert_eq(ili_alloc_available(&test_member), free_without);
    ili_agent_release(&test_member, thief);
    test_leave();
}

#endif
