/* What one process does with an entry of a dict, through each door. Many entries: test_dict_many.c; several
 * processes: test_data_shared.c. */
#include "support/dicts.h"

/* ---- one entry ------------------------------------------------------------------------------------ */

EACH_DOOR(abi_dict, keeps_values_of_any_type_and_length) {
    static const size_t lengths[] = {
        0, 1, 7, 8, 9, 8191, 8192, 8193, 65536, 1000001, IL_MESSAGE_MAX_BYTES};
    il_dict *dict = open_dict(door, "it", NULL);
    char *data = malloc(IL_MESSAGE_MAX_BYTES + 1), *room = malloc(IL_MESSAGE_MAX_BYTES);
    il_item item;
    for (size_t i = 0; i <= IL_MESSAGE_MAX_BYTES; i++) data[i] = (char)(i * 31 + i / 4096);
    for (unsigned k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
        cr_assert_eq(il_dict_set(dict, "key", 3, data, lengths[k], IL_BYTES, NULL), IL_OK,
                     "%zu: %s", lengths[k], il_error_message());
        cr_assert_eq(il_dict_get(dict, "key", 3, room, IL_MESSAGE_MAX_BYTES, &item), IL_OK,
                     "%zu: %s", lengths[k], il_error_message());
        cr_assert_eq(item.bytes, lengths[k]);
        cr_assert_eq(item.type, IL_BYTES);
        cr_assert_eq(memcmp(room, data, item.bytes), 0);
    }
    cr_assert_eq(il_dict_set(dict, "key", 3, data, IL_MESSAGE_MAX_BYTES + 1, IL_BYTES, NULL),
                 IL_EOVERFLOW);
    SAYS("max_entry_bytes");
    cr_assert_eq(il_dict_set(dict, "json", 4, "{\"a\": 1.0}", 10, IL_JSON, NULL), IL_OK, "%s",
                 il_error_message());
    cr_assert_eq(il_dict_get(dict, "json", 4, room, 100, &item), IL_OK);
    cr_assert_eq(item.bytes, 10);
    cr_assert_arr_eq(room, "{\"a\": 1.0}", 10);
    cr_assert_eq(item.type, IL_JSON);
    cr_assert_eq(il_dict_set(dict, "none", 4, NULL, 0, IL_TEXT, NULL), IL_OK);
    cr_assert_eq(il_dict_get(dict, "none", 4, NULL, 0, &item), IL_OK);
    cr_assert_eq(item.bytes, 0);
    cr_assert_eq(item.type, IL_TEXT);
    free(data);
    free(room);
    il_dict_close(dict);
}

EACH_DOOR(abi_dict, any_text_is_a_key) {
    static const char *const keys[] = {
        "", "/", "..", "a b", "%41", "A", "\"\\\n", "käse\xF0\x9F\xA7\x80", "?#&"};
    char longest[IL_KEY_MAX_BYTES + 1];
    il_dict *dict = open_dict(door, "it", NULL);
    int32_t found = -1;
    memset(longest, 'k', sizeof longest);
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) set(dict, keys[i], keys[i]);
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) expect(dict, keys[i], keys[i]);
    cr_assert_eq(il_dict_set(dict, "a\0b", 3, "nul", 3, IL_TEXT, NULL), IL_OK, "%s",
                 il_error_message());
    cr_assert_eq(il_dict_contains(dict, "a\0b", 3, &found), IL_OK);
    cr_assert_eq(found, 1);
    cr_assert_eq(il_dict_contains(dict, "a\0c", 3, &found), IL_OK);
    cr_assert_eq(found, 0);
    expect(dict, "a", NULL);
    SAYS(door->local ? "\"a\"" : "key");
    cr_assert_eq(il_dict_set(dict, longest, IL_KEY_MAX_BYTES, "long", 4, IL_TEXT, NULL), IL_OK);
    cr_assert_eq(il_dict_remove(dict, longest, IL_KEY_MAX_BYTES, IL_VERSION_ANY), IL_OK);
    cr_assert_eq(il_dict_remove(dict, longest, IL_KEY_MAX_BYTES, IL_VERSION_ANY), IL_ENOKEY);
    cr_assert_eq(il_dict_set(dict, longest, IL_KEY_MAX_BYTES + 1, "x", 1, IL_TEXT, NULL),
                 IL_EINVAL);
    SAYS("key_bytes");
    cr_assert_eq(length_of(dict), 10);
    il_dict_close(dict);
}

EACH_DOOR(abi_dict, keys_stay_in_the_order_they_were_first_set_in) {
    char room[20];
    il_entry entry;
    il_dict *dict = open_dict(door, "it", NULL);
    cr_assert_str_eq(keys_of(dict), "");
    for (const char *key = "c\0a\0d\0b\0"; *key; key += 2) set(dict, key, "1");
    set(dict, "a", "2");
    cr_assert_str_eq(keys_of(dict), "c a d b ");
    cr_assert_eq(il_dict_remove(dict, "c", 1, IL_VERSION_ANY), IL_OK);
    set(dict, "c", "3");
    cr_assert_str_eq(keys_of(dict), "a d b c ");
    cr_assert_eq(il_dict_pop_item(dict, room, sizeof room, &entry), IL_OK, "%s",
                 il_error_message());
    cr_assert_eq(entry.key_bytes, 1);
    cr_assert_eq(entry.key[0], 'c');
    cr_assert_eq(entry.item.bytes, 1);
    cr_assert_eq(*(const char *)entry.data, '3');
    cr_assert_eq(entry.item.type, IL_TEXT);
    cr_assert_str_eq(keys_of(dict), "a d b ");
    cr_assert_eq(il_dict_clear(dict), IL_OK);
    cr_assert_eq(il_dict_pop_item(dict, room, sizeof room, &entry), IL_ENOKEY);
    SAYS("empty");
    cr_assert_str_eq(keys_of(dict), "");
    il_dict_close(dict);
}

EACH_DOOR(abi_dict, a_version_says_whether_it_changed) {
    il_dict *dict = open_dict(door, "it", NULL);
    uint64_t none = IL_VERSION_NONE, first, second;
    char says[40];
    cr_assert_eq(version_of(dict), 0, "nothing has changed yet");
    cr_assert_eq(set_if(dict, "k", "one", &none), IL_OK, "%s", il_error_message());
    first = none;
    cr_assert_gt(first, 0);
    cr_assert_eq(expect(dict, "k", "one"), first);
    cr_assert_eq(version_of(dict), first);
    none = IL_VERSION_NONE;
    cr_assert_eq(set_if(dict, "k", "two", &none), IL_ECHANGED);
    cr_assert_eq(none, IL_VERSION_NONE, "written on success only");
    snprintf(says, sizeof says, "%llu", (unsigned long long)first);
    SAYS(says);
    second = first;
    cr_assert_eq(set_if(dict, "k", "two", &second), IL_OK, "%s", il_error_message());
    cr_assert_gt(second, first);
    cr_assert_eq(set_if(dict, "k", "three", &first), IL_ECHANGED);
    expect(dict, "k", "two");
    cr_assert_eq(il_dict_remove(dict, "k", 1, first), IL_ECHANGED);
    cr_assert_eq(il_dict_remove(dict, "k", 1, second), IL_OK);
    cr_assert_gt(version_of(dict), second);
    cr_assert_eq(set_if(dict, "k", "four", &second), IL_ECHANGED, "it is not there");
    expect(dict, "k", NULL);
    cr_assert_gt(set(dict, "k", "five"), second);
    cr_assert_eq(il_dict_remove(dict, "k", 1, IL_VERSION_NONE), IL_EINVAL);
    SAYS("version");
    il_dict_close(dict);
}

EACH_DOOR(abi_dict, set_default_sets_what_is_not_there) {
    char room[20];
    il_item item = {0};
    int32_t created = -1;
    il_dict *dict = open_dict(door, "it", NULL);
    cr_assert_eq(
        il_dict_set_default(dict, "k", 1, "new", 3, IL_TEXT, room, sizeof room, &item, &created),
        IL_OK, "%s", il_error_message());
    cr_assert_eq(created, 1);
    cr_assert_eq(item.bytes, 3);
    cr_assert_arr_eq(room, "new", 3);
    cr_assert_eq(item.version, expect(dict, "k", "new"));
    uint64_t version = item.version;
    cr_assert_eq(
        il_dict_set_default(dict, "k", 1, "other", 5, IL_BYTES, room, sizeof room, &item, &created),
        IL_OK);
    cr_assert_eq(created, 0);
    cr_assert_eq(item.bytes, 3);
    cr_assert_arr_eq(room, "new", 3);
    cr_assert_eq(item.type, IL_TEXT);
    cr_assert_eq(item.version, version);
    cr_assert_eq(il_dict_set_default(dict, "l", 1, "x", 1, IL_TEXT, room, 1, &item, NULL), IL_OK);
    expect(dict, "l", "x");
    il_dict_close(dict);
}

EACH_DOOR(abi_dict, what_does_not_fit_stays) {
    char room[16] = "untouched";
    il_item item = {0};
    il_entry entry = {0}, entries[4];
    il_cursor cursor = {0};
    size_t done = 0;
    int32_t created = -1;
    il_dict *dict = open_dict(door, "it", NULL);
    uint64_t version = set(dict, "key", "twelve bytes");
    cr_assert_eq(il_dict_get(dict, "key", 3, room, 11, &item), IL_ETOOBIG);
    cr_assert_eq(item.bytes, 12);
    item.bytes = 0;
    cr_assert_eq(il_dict_get(dict, "key", 3, NULL, 100, &item), IL_ETOOBIG);
    cr_assert_eq(item.bytes, 12);
    item.bytes = 0;
    cr_assert_eq(il_dict_pop(dict, "key", 3, room, 11, &item), IL_ETOOBIG);
    cr_assert_eq(item.bytes, 12);
    item.bytes = 0;
    cr_assert_eq(il_dict_set_default(dict, "key", 3, "", 0, IL_TEXT, room, 11, &item, &created),
                 IL_ETOOBIG);
    cr_assert_eq(item.bytes, 12);
    item.bytes = 0;
    cr_assert_eq(
        il_dict_set_default(dict, "new", 3, "twelve bytes", 12, IL_TEXT, room, 11, &item, &created),
        IL_ETOOBIG, "it would not come back, so it is not set");
    cr_assert_eq(item.bytes, 12);
    cr_assert_eq(created, -1);
    cr_assert_eq(il_dict_pop_item(dict, room, 14, &entry), IL_ETOOBIG);
    cr_assert_eq(entry.key_bytes + entry.item.bytes, 15);
    cr_assert_eq(il_dict_items(dict, &cursor, IL_KEYS | IL_VALUES, room, 14, entries, 4, &done),
                 IL_ETOOBIG);
    cr_assert_eq(done, 15);
    cr_assert_str_eq(room, "untouched");
    cr_assert_eq(version_of(dict), version);
    cr_assert_eq(length_of(dict), 1);
    cr_assert_eq(il_dict_items(dict, &cursor, IL_KEYS | IL_VALUES, room, 15, entries, 4, &done),
                 IL_OK);
    cr_assert_eq(done, 1);
    cr_assert_arr_eq(room, "keytwelve bytes", 15);
    cr_assert_eq(il_dict_pop(dict, "key", 3, room, 12, &item), IL_OK);
    cr_assert_eq(item.bytes, 12);
    cr_assert_eq(item.version, version);
    cr_assert_eq(il_dict_pop(dict, "key", 3, room, 12, &item), IL_ENOKEY);
    SAYS("key");
    il_dict_close(dict);
}

/* ---- errors --------------------------------------------------------------------------------------- */

EACH_DOOR(abi_dict, a_limit_is_named_and_nothing_changes) {
    il_data_options options = {sizeof options, 0, 2, 100, 2000};
    char data[101] = {0};
    il_dict *dict = open_dict(door, "it", &options), *same = NULL, *other = NULL;
    set(dict, "a", "1");
    set(dict, "b", "2");
    cr_assert_eq(set_if(dict, "c", "3", NULL), IL_EOVERFLOW);
    SAYS("max_entries");
    cr_assert_eq(il_dict_set(dict, "a", 1, data, 101, IL_BYTES, NULL), IL_EOVERFLOW);
    SAYS("max_entry_bytes");
    SAYS("100");
    expect(dict, "a", "1");
    cr_assert_eq(length_of(dict), 2);
    set(dict, "a", "one");
    cr_assert_eq(il_dict_remove(dict, "b", 1, IL_VERSION_ANY), IL_OK);
    set(dict, "c", "3");

    cr_assert_eq(il_dict_open(door->domain, "it", 2, &options, &same), IL_OK);
    options.max_entries = 3;
    cr_assert_eq(il_dict_open(door->domain, "it", 2, &options, &other), IL_ECONFLICT);
    cr_assert_null(other);
    cr_assert_eq(il_dict_open(door->domain, "it", 2, NULL, &other), IL_OK, "as it is");
    expect(other, "c", "3");
    il_dict_close(same);
    il_dict_close(other);

    il_data_options small = {sizeof small, 0, 0, 0, 2000};
    char big[1000] = {0}, key[20];
    other = open_dict(door, "small", &small);
    il_status status = IL_OK;
    for (int i = 0; i < 4 && status == IL_OK; i++) {
        snprintf(key, sizeof key, "%d", i);
        status = il_dict_set(other, key, strlen(key), big, sizeof big, IL_BYTES, NULL);
    }
    cr_assert_eq(status, IL_EOVERFLOW);
    SAYS("max_bytes");
    il_dict_close(other);
    il_dict_close(dict);
}

#define REFUSED(call, word)                                                                        \
    do {                                                                                           \
        cr_assert_eq(call, IL_EINVAL, "%s", #call);                                                \
        SAYS(word);                                                                                \
    } while (0)

EACH_DOOR(abi_dict, wrong_arguments_are_named) {
    il_dict *dict = open_dict(door, "it", NULL), *out = NULL;
    il_data_options options = {sizeof options - 1, 0, 0, 0, 0};
    char room[8];
    il_item item;
    il_entry entry;
    il_cursor cursor = {0};
    il_dict_change change = {.what = 9, .key = "k", .key_bytes = 1};
    size_t done;
    REFUSED(il_dict_open(NULL, "it", 2, NULL, &out), "domain");
    REFUSED(il_dict_open(door->domain, "it", 2, NULL, NULL), "out");
    REFUSED(il_dict_open(door->domain, "", 0, NULL, &out), "name");
    REFUSED(il_dict_open(door->domain, "it", 2, &options, &out), "struct_bytes");
    options = (il_data_options){sizeof options, 1, 0, 0, 0};
    REFUSED(il_dict_open(door->domain, "it", 2, &options, &out), "reserved");
    options = (il_data_options){sizeof options, 0, IL_ENTRIES_MAX + 1, 0, 0};
    REFUSED(il_dict_open(door->domain, "it", 2, &options, &out), "max_entries");
    options = (il_data_options){sizeof options, 0, 0, IL_MESSAGE_MAX_BYTES + 1, 0};
    REFUSED(il_dict_open(door->domain, "it", 2, &options, &out), "max_entry_bytes");
    REFUSED(il_dict_get(NULL, "k", 1, room, 8, &item), "dict");
    REFUSED(il_dict_get(dict, NULL, 1, room, 8, &item), "key");
    REFUSED(il_dict_get(dict, "\xff", 1, room, 8, &item), "UTF-8");
    REFUSED(il_dict_get(dict, "k", 1, room, 8, NULL), "item");
    REFUSED(il_dict_set(dict, "k", 1, NULL, 1, IL_TEXT, NULL), "data");
    REFUSED(il_dict_set(dict, "k", 1, "x", 1, 7, NULL), "type");
    REFUSED(il_dict_set(dict, "k", 1, "\xc3\x28", 2, IL_TEXT, NULL), "UTF-8");
    REFUSED(il_dict_set(dict, "k", 1, "[1,]", 4, IL_JSON, NULL), "byte 3");
    REFUSED(il_dict_set(dict, "k", 1, NULL, 0, IL_JSON, NULL), "JSON");
    REFUSED(il_dict_pop_item(dict, room, 8, NULL), "entry");
    REFUSED(il_dict_contains(dict, "k", 1, NULL), "found");
    REFUSED(il_dict_length(dict, NULL, NULL), "length");
    REFUSED(il_dict_copy(dict, NULL), "into");
    REFUSED(il_dict_update(dict, NULL, 1, NULL), "changes");
    REFUSED(il_dict_update(dict, &change, 1, NULL), "changes[0].what");
    change.what = IL_CHANGE_EXPECT;
    change.version = IL_VERSION_ANY;
    REFUSED(il_dict_update(dict, &change, 1, NULL), "changes[0].version");
    change = (il_dict_change){IL_CHANGE_SET, IL_JSON, "k", 1, "nul", 3, IL_VERSION_ANY};
    REFUSED(il_dict_update(dict, &change, 1, NULL), "changes[0].data");
    REFUSED(il_dict_items(dict, NULL, IL_KEYS, room, 8, &entry, 1, &done), "cursor");
    REFUSED(il_dict_items(dict, &cursor, IL_VALUES, room, 8, &entry, 1, &done), "what");
    REFUSED(il_dict_items(dict, &cursor, IL_KEYS, room, 8, NULL, 1, &done), "entries");
    REFUSED(il_dict_items(dict, &cursor, IL_KEYS, room, 8, &entry, 0, &done), "entries");
    REFUSED(il_dict_items(dict, &cursor, IL_KEYS, room, 8, &entry, 1, NULL), "done");
    cr_assert_eq(length_of(dict), 0);
    cr_assert_eq(il_dict_close(NULL), IL_OK);
    il_dict_close(dict);
}

EACH_DOOR(abi_dict, a_deleted_one_is_gone) {
    uint64_t length = 0;
    il_dict *dict = open_dict(door, "it", NULL), *again = NULL;
    set(dict, "a", "1");
    cr_assert_eq(il_dict_delete(door->domain, "it", 2), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_dict_delete(door->domain, "it", 2), IL_ENOTFOUND);
    cr_assert_eq(il_dict_length(dict, &length, NULL), IL_EDELETED);
    cr_assert_eq(il_dict_clear(dict), IL_EDELETED);
    if (door->local) cr_assert_eq(set_if(dict, "b", "2", NULL), IL_EDELETED);
    again = open_dict(door, "it", NULL);
    cr_assert_eq(length_of(again), 0);
    il_dict_close(dict);
    il_dict_close(again);
}

EACH_DOOR(abi_dict, an_interruption_is_for_what_waits) {
    il_dict *dict = open_dict(door, "it", NULL);
    il_event *event = NULL;
    cr_assert_eq(il_event_open(door->domain, "event", 5, &event), IL_OK);
    il_interrupt(il_thread_self());
    set(dict, "a", "1");
    expect(dict, "a", "1");
    cr_assert_eq(il_event_wait(event, seconds(10)), IL_EINTR, "it was not taken by the dict");
    il_event_close(event);
    il_dict_close(dict);
}
