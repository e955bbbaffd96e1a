/* What one process does with a list, through each door. Several processes: test_data_shared.c. */
#include <criterion/criterion.h>

#include "support/doors.h"

static il_list *open_list(struct door *door, const char *name, const il_data_options *options) {
    il_list *list = NULL;
    cr_assert_eq(il_list_open(door->domain, name, strlen(name), options, &list), IL_OK, "%s",
                 il_error_message());
    return list;
}

static void append(il_list *list, const char *text) {
    cr_assert_eq(il_list_append(list, text, strlen(text), IL_TEXT), IL_OK, "%s",
                 il_error_message());
}

/* A list of one text for each character of LETTERS. */
static il_list *list_of(struct door *door, const char *name, const char *letters) {
    il_list *list = open_list(door, name, NULL);
    for (; *letters; letters++) append(list, (char[]){*letters, 0});
    return list;
}

/* All items one behind the other. Borrowed until the next call. */
static const char *all_of(il_list *list) {
    static char room[4001];
    il_list_item items[100];
    size_t done = 0, length = 0;
    cr_assert_eq(il_list_slice(list, 0, INT64_MAX, room, sizeof room - 1, items, 100, &done, NULL),
                 IL_OK, "%s", il_error_message());
    for (size_t i = 0; i < done; i++) {
        cr_assert(items[i].item.bytes == 0 || items[i].data == room + length);
        length += items[i].item.bytes;
    }
    room[length] = 0;
    return room;
}

static uint64_t version_of(il_list *list) {
    uint64_t length, version = 99;
    cr_assert_eq(il_list_length(list, &length, &version), IL_OK, "%s", il_error_message());
    return version;
}

static uint64_t length_of(il_list *list) {
    uint64_t length = 99;
    cr_assert_eq(il_list_length(list, &length, NULL), IL_OK, "%s", il_error_message());
    return length;
}

/* ---- one item ------------------------------------------------------------------------------------- */

EACH_DOOR(abi_list, items_have_indexes_from_both_ends) {
    char room[20];
    il_item item = {.bytes = 99};
    il_list *list = list_of(door, "it", "abcd");
    static const struct {
        int64_t index;
        char letter;
    } at[] = {{0, 'a'}, {3, 'd'}, {-1, 'd'}, {-4, 'a'}};
    for (unsigned i = 0; i < sizeof at / sizeof *at; i++) {
        cr_assert_eq(il_list_get(list, at[i].index, room, sizeof room, &item), IL_OK, "%s",
                     il_error_message());
        cr_assert_eq(item.bytes, 1);
        cr_assert_eq(item.type, IL_TEXT);
        cr_assert_eq(room[0], at[i].letter);
    }
    item.bytes = 99;
    cr_assert_eq(il_list_get(list, 4, room, sizeof room, &item), IL_ERANGE);
    SAYS("4");
    cr_assert_eq(il_list_get(list, -5, room, sizeof room, &item), IL_ERANGE);
    cr_assert_eq(il_list_pop(list, 4, room, sizeof room, &item), IL_ERANGE);
    cr_assert_eq(il_list_remove_at(list, INT64_MIN, IL_VERSION_ANY), IL_ERANGE);
    cr_assert_eq(il_list_set(list, INT64_MAX, "x", 1, IL_TEXT, NULL), IL_ERANGE);
    cr_assert_eq(item.bytes, 99);
    cr_assert_str_eq(all_of(list), "abcd");
    il_list_close(list);
}

EACH_DOOR(abi_list, keeps_values_of_any_type_and_length) {
    static const size_t lengths[] = {0, 1, 8, 8193, 1000001, IL_MESSAGE_MAX_BYTES};
    il_list *list = open_list(door, "it", NULL);
    char *data = malloc(IL_MESSAGE_MAX_BYTES + 1), *room = malloc(IL_MESSAGE_MAX_BYTES);
    il_item item;
    for (size_t i = 0; i <= IL_MESSAGE_MAX_BYTES; i++) data[i] = (char)(i * 31 + i / 4096);
    for (unsigned k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
        cr_assert_eq(il_list_append(list, data, lengths[k], IL_BYTES), IL_OK, "%zu: %s", lengths[k],
                     il_error_message());
        cr_assert_eq(il_list_get(list, -1, room, IL_MESSAGE_MAX_BYTES, &item), IL_OK, "%zu: %s",
                     lengths[k], il_error_message());
        cr_assert_eq(item.bytes, lengths[k]);
        cr_assert_eq(item.type, IL_BYTES);
        cr_assert_eq(memcmp(room, data, item.bytes), 0);
        cr_assert_eq(il_list_pop(list, -1, room, IL_MESSAGE_MAX_BYTES, &item), IL_OK);
    }
    cr_assert_eq(il_list_append(list, data, IL_MESSAGE_MAX_BYTES + 1, IL_BYTES), IL_EOVERFLOW);
    SAYS("max_entry_bytes");
    cr_assert_eq(length_of(list), 0);
    free(data);
    free(room);
    il_list_close(list);
}

EACH_DOOR(abi_list, inserts_and_removes_where_python_does) {
    char room[20];
    il_item item;
    il_list *list = list_of(door, "it", "bd");
    cr_assert_eq(il_list_insert(list, 0, "a", 1, IL_TEXT), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_list_insert(list, -1, "c", 1, IL_TEXT), IL_OK);
    cr_assert_eq(il_list_insert(list, 100, "e", 1, IL_TEXT), IL_OK);
    cr_assert_eq(il_list_insert(list, -100, "_", 1, IL_TEXT), IL_OK);
    cr_assert_str_eq(all_of(list), "_abcde");
    cr_assert_eq(il_list_pop(list, 0, room, sizeof room, &item), IL_OK);
    cr_assert_eq(room[0], '_');
    cr_assert_eq(il_list_pop(list, -2, room, sizeof room, &item), IL_OK);
    cr_assert_eq(room[0], 'd');
    cr_assert_eq(il_list_remove_at(list, 1, IL_VERSION_ANY), IL_OK);
    cr_assert_str_eq(all_of(list), "ace");
    cr_assert_eq(il_list_clear(list), IL_OK);
    cr_assert_eq(length_of(list), 0);
    cr_assert_eq(il_list_pop(list, -1, room, sizeof room, &item), IL_ERANGE);
    SAYS(door->local ? "0" : "empty");
    il_list_close(list);
}

EACH_DOOR(abi_list, a_version_says_whether_it_changed) {
    char room[4], says[30];
    il_item item;
    il_list *list = open_list(door, "it", NULL);
    cr_assert_eq(version_of(list), 0, "nothing has changed yet");
    append(list, "a");
    append(list, "b");
    cr_assert_eq(il_list_get(list, 0, room, sizeof room, &item), IL_OK);
    uint64_t version = item.version, old = version;
    cr_assert_gt(version, 0);
    cr_assert_eq(il_list_set(list, 0, "A", 1, IL_TEXT, &version), IL_OK, "%s", il_error_message());
    cr_assert_gt(version, old);
    cr_assert_eq(version_of(list), version);
    cr_assert_eq(il_list_set(list, 0, "x", 1, IL_TEXT, &old), IL_ECHANGED);
    snprintf(says, sizeof says, "%llu", (unsigned long long)version);
    SAYS(says);
    cr_assert_eq(il_list_remove_at(list, 0, old), IL_ECHANGED);
    cr_assert_eq(il_list_remove_at(list, -2, version), IL_OK);
    cr_assert_str_eq(all_of(list), "b");
    il_message c = {"c", 1, IL_TEXT, 0};
    cr_assert_eq(il_list_splice(list, 0, 0, &c, 1, &old), IL_ECHANGED, "of the whole list");
    version = version_of(list);
    cr_assert_eq(il_list_splice(list, 0, 0, &c, 1, &version), IL_OK, "%s", il_error_message());
    cr_assert_eq(version, version_of(list));
    cr_assert_str_eq(all_of(list), "cb");
    il_list_close(list);
}

EACH_DOOR(abi_list, what_does_not_fit_stays) {
    char room[16] = "untouched";
    il_item item = {0};
    il_list_item items[2];
    size_t done = 0;
    il_list *list = open_list(door, "it", NULL);
    append(list, "twelve bytes");
    append(list, "more");
    cr_assert_eq(il_list_get(list, 0, room, 11, &item), IL_ETOOBIG);
    cr_assert_eq(item.bytes, 12);
    item.bytes = 0;
    cr_assert_eq(il_list_pop(list, 0, room, 11, &item), IL_ETOOBIG);
    cr_assert_eq(item.bytes, 12);
    item.bytes = 0;
    cr_assert_eq(il_list_pop(list, 0, NULL, 100, &item), IL_ETOOBIG);
    cr_assert_eq(item.bytes, 12);
    cr_assert_eq(il_list_slice(list, 0, 2, room, 11, items, 2, &done, NULL), IL_ETOOBIG);
    cr_assert_eq(done, 12);
    cr_assert_str_eq(room, "untouched");
    cr_assert_eq(length_of(list), 2);
    cr_assert_eq(il_list_slice(list, 0, 2, room, 15, items, 2, &done, NULL), IL_OK, "%s",
                 il_error_message());
    cr_assert_eq(done, 1, "the other does not fit");
    cr_assert_arr_eq(room, "twelve bytes", 12);
    cr_assert_eq(il_list_pop(list, 0, room, 12, &item), IL_OK);
    cr_assert_eq(item.bytes, 12);
    il_list_close(list);
}

/* ---- many ----------------------------------------------------------------------------------------- */

EACH_DOOR(abi_list, slices_and_splices_are_python_s) {
    char room[100];
    il_list_item items[20];
    size_t done = 9;
    uint64_t version = 0;
    il_list *list = list_of(door, "it", "abcdef");
    static const struct {
        int64_t start, stop;
        const char *are;
    } slices[] = {{0, INT64_MAX, "abcdef"}, {1, 3, "bc"},    {-2, INT64_MAX, "ef"},
                  {-3, -1, "de"},           {4, 100, "ef"},  {3, 2, ""},
                  {100, 200, ""},           {-100, 2, "ab"}, {INT64_MIN, INT64_MIN, ""}};
    for (unsigned i = 0; i < sizeof slices / sizeof *slices; i++) {
        cr_assert_eq(il_list_slice(list, slices[i].start, slices[i].stop, room, sizeof room, items,
                                   20, &done, &version),
                     IL_OK, "%u: %s", i, il_error_message());
        cr_assert_eq(done, strlen(slices[i].are), "%u: %zu", i, done);
        cr_assert_eq(memcmp(room, slices[i].are, done), 0);
        cr_assert_eq(version, version_of(list));
    }
    cr_assert_eq(il_list_slice(list, 1, INT64_MAX, room, sizeof room, items, 2, &done, NULL),
                 IL_OK);
    cr_assert_eq(done, 2);
    cr_assert_arr_eq(room, "bc", 2);

    const il_message xyz[] = {{"x", 1, IL_TEXT, 0}, {"y", 1, IL_TEXT, 0}, {"z", 1, IL_TEXT, 0}};
    cr_assert_eq(il_list_splice(list, 1, 3, xyz, 3, NULL), IL_OK, "%s", il_error_message());
    cr_assert_str_eq(all_of(list), "axyzdef");
    cr_assert_eq(il_list_splice(list, -3, INT64_MAX, NULL, 0, NULL), IL_OK);
    cr_assert_str_eq(all_of(list), "axyz");
    cr_assert_eq(il_list_splice(list, 3, 1, xyz, 1, NULL), IL_OK, "before 3, as in Python");
    cr_assert_str_eq(all_of(list), "axyxz");
    cr_assert_eq(il_list_extend(list, xyz, 3), IL_OK, "%s", il_error_message());
    cr_assert_str_eq(all_of(list), "axyxzxyz");
    uint64_t before = version_of(list);
    cr_assert_eq(il_list_extend(list, NULL, 0), IL_OK);
    cr_assert_str_eq(all_of(list), "axyxzxyz");
    cr_assert_eq(version_of(list), before);
    il_list_close(list);
}

EACH_DOOR(abi_list, thousands_are_put_in_and_read_at_once) {
    enum { N = 2500 };
    static char texts[N][8], room[N * 8];
    static il_message messages[N];
    static il_list_item items[N + 10];
    size_t done = 0;
    il_list *list = open_list(door, "it", NULL);
    for (int i = 0; i < N; i++) {
        snprintf(texts[i], sizeof texts[i], "%d", i);
        messages[i] = (il_message){texts[i], strlen(texts[i]), IL_JSON, 0};
    }
    cr_assert_eq(il_list_extend(list, messages, N), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_list_slice(list, 0, INT64_MAX, room, sizeof room, items, N + 10, &done, NULL),
                 IL_OK, "%s", il_error_message());
    cr_assert_eq(done, N);
    for (int i = 0; i < N; i++) {
        cr_assert_eq(items[i].item.bytes, messages[i].bytes);
        cr_assert_eq(memcmp(items[i].data, texts[i], messages[i].bytes), 0);
        cr_assert_eq(items[i].item.type, IL_JSON);
    }
    il_list_close(list);
}

EACH_DOOR(abi_list, finds_what_means_the_same) {
    uint64_t index = 99, count = 99;
    il_list *list = open_list(door, "it", NULL);
    static const char *const values[] = {"1", "true", "\"a\"", "[1, {\"b\": 2}]", "1.0"};
    for (unsigned i = 0; i < 5; i++) {
        cr_assert_eq(il_list_append(list, values[i], strlen(values[i]), IL_JSON), IL_OK, "%s",
                     il_error_message());
    }
    append(list, "a");
    cr_assert_eq(il_list_index(list, "1", 1, IL_JSON, 1, INT64_MAX, &index), IL_OK, "%s",
                 il_error_message());
    cr_assert_eq(index, 4, "1.0 is 1, true is not");
    cr_assert_eq(il_list_index(list, "a", 1, IL_TEXT, 0, INT64_MAX, &index), IL_OK);
    cr_assert_eq(index, 5);
    index = 99;
    cr_assert_eq(il_list_index(list, "a", 1, IL_TEXT, 0, 5, &index), IL_ENOKEY);
    cr_assert_eq(il_list_index(list, "a", 1, IL_BYTES, 0, INT64_MAX, &index), IL_ENOKEY);
    cr_assert_eq(index, 99);
    cr_assert_eq(il_list_index(list, "[1,{\"b\":2.0}]", 13, IL_JSON, -4, -1, &index), IL_OK);
    cr_assert_eq(index, 3);
    cr_assert_eq(il_list_count(list, "1", 1, IL_JSON, &count), IL_OK, "%s", il_error_message());
    cr_assert_eq(count, 2);
    cr_assert_eq(il_list_remove(list, "1e0", 3, IL_JSON), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_list_remove(list, "\"a\"", 3, IL_JSON), IL_OK);
    cr_assert_eq(il_list_remove(list, "\"a\"", 3, IL_JSON), IL_ENOKEY, "the text is another one");
    cr_assert_str_eq(all_of(list), "true[1, {\"b\": 2}]1.0a");
    il_list_close(list);
}

EACH_DOOR(abi_list, sorts_and_reverses) {
    il_list *list = list_of(door, "it", "cabed");
    cr_assert_eq(il_list_sort(list, 0), IL_OK, "%s", il_error_message());
    cr_assert_str_eq(all_of(list), "abcde");
    cr_assert_eq(il_list_sort(list, IL_DESCENDING), IL_OK, "%s", il_error_message());
    cr_assert_str_eq(all_of(list), "edcba");
    cr_assert_eq(il_list_reverse(list), IL_OK, "%s", il_error_message());
    cr_assert_str_eq(all_of(list), "abcde");
    uint64_t version = version_of(list);
    cr_assert_eq(il_list_append(list, "1", 1, IL_JSON), IL_OK);
    cr_assert_eq(il_list_sort(list, IL_DESCENDING), IL_ETYPE);
    SAYS("number");
    SAYS("string");
    cr_assert_str_eq(all_of(list), "abcde1");
    cr_assert_eq(version_of(list), version + 1);
    il_list_close(list);
}

/* ---- errors --------------------------------------------------------------------------------------- */

EACH_DOOR(abi_list, a_limit_is_named_and_nothing_changes) {
    il_data_options options = {sizeof options, 0, 3, 100, 2000};
    char data[101] = {0};
    il_list *list = open_list(door, "it", &options), *other = NULL;
    const il_message two[] = {{"x", 1, IL_TEXT, 0}, {"y", 1, IL_TEXT, 0}};
    append(list, "a");
    append(list, "b");
    cr_assert_eq(il_list_extend(list, two, 2), IL_EOVERFLOW);
    SAYS("max_entries");
    SAYS("3");
    cr_assert_eq(il_list_append(list, data, 101, IL_BYTES), IL_EOVERFLOW);
    SAYS("max_entry_bytes");
    cr_assert_str_eq(all_of(list), "ab");
    cr_assert_eq(il_list_splice(list, 0, 1, two, 2, NULL), IL_OK, "one goes, two come");
    cr_assert_str_eq(all_of(list), "xyb");
    options.max_bytes++;
    cr_assert_eq(il_list_open(door->domain, "it", 2, &options, &other), IL_ECONFLICT);
    cr_assert_eq(il_list_open(door->domain, "it", 2, NULL, &other), IL_OK, "as it is");
    il_list_close(other);
    il_list_close(list);
}

#define REFUSED(call, word)                                                                        \
    do {                                                                                           \
        cr_assert_eq(call, IL_EINVAL, "%s", #call);                                                \
        SAYS(word);                                                                                \
    } while (0)

EACH_DOOR(abi_list, wrong_arguments_are_named) {
    il_list *list = open_list(door, "it", NULL), *out = NULL;
    il_data_options options = {sizeof options, 1, 0, 0, 0};
    const il_message wrong[] = {{"x", 1, IL_TEXT, 0}, {"\xff", 1, IL_TEXT, 0}};
    char room[8];
    il_list_item items[1];
    size_t done;
    uint64_t none = IL_VERSION_NONE;
    REFUSED(il_list_open(NULL, "it", 2, NULL, &out), "domain");
    REFUSED(il_list_open(door->domain, "it", 2, NULL, NULL), "out");
    REFUSED(il_list_open(door->domain, "", 0, NULL, &out), "name");
    REFUSED(il_list_open(door->domain, "it", 2, &options, &out), "reserved");
    REFUSED(il_list_append(NULL, "x", 1, IL_TEXT), "list");
    REFUSED(il_list_append(list, NULL, 1, IL_TEXT), "data");
    REFUSED(il_list_append(list, "x", 1, 7), "type");
    REFUSED(il_list_append(list, "{\"a\":}", 6, IL_JSON), "byte 5");
    REFUSED(il_list_extend(list, NULL, 2), "messages");
    REFUSED(il_list_extend(list, wrong, 2), "messages[1].data");
    REFUSED(il_list_get(list, 0, room, 8, NULL), "item");
    REFUSED(il_list_pop(list, 0, room, 8, NULL), "item");
    REFUSED(il_list_set(list, 0, "x", 1, IL_TEXT, &none), "version");
    REFUSED(il_list_remove_at(list, 0, IL_VERSION_NONE), "version");
    REFUSED(il_list_index(list, "x", 1, IL_TEXT, 0, 1, NULL), "index");
    REFUSED(il_list_index(list, "\xff", 1, IL_TEXT, 0, 1, &none), "UTF-8");
    REFUSED(il_list_count(list, "x", 1, IL_TEXT, NULL), "count");
    REFUSED(il_list_sort(list, 2), "flags");
    REFUSED(il_list_length(list, NULL, NULL), "length");
    REFUSED(il_list_slice(list, 0, 1, room, 8, NULL, 1, &done, NULL), "items");
    REFUSED(il_list_slice(list, 0, 1, room, 8, items, 0, &done, NULL), "items");
    REFUSED(il_list_slice(list, 0, 1, room, 8, items, 1, NULL, NULL), "done");
    REFUSED(il_list_clear(NULL), "list");
    cr_assert_eq(length_of(list), 0);
    cr_assert_eq(il_list_close(NULL), IL_OK);
    il_list_close(list);
}

EACH_DOOR(abi_list, a_deleted_one_is_gone) {
    uint64_t length = 0;
    il_list *list = list_of(door, "it", "ab");
    cr_assert_eq(il_list_delete(door->domain, "it", 2), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_list_delete(door->domain, "it", 2), IL_ENOTFOUND);
    cr_assert_eq(il_list_length(list, &length, NULL), IL_EDELETED);
    cr_assert_eq(il_list_reverse(list), IL_EDELETED);
    if (door->local) cr_assert_eq(il_list_append(list, "b", 1, IL_TEXT), IL_EDELETED);
    il_list *again = open_list(door, "it", NULL);
    cr_assert_eq(length_of(again), 0);
    il_list_close(list);
    il_list_close(again);
}
