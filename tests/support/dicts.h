/*
 * dicts.h - what tests of dicts through the doors do all the time: texts under keys.
 */
#ifndef TESTS_SUPPORT_DICTS_H
#define TESTS_SUPPORT_DICTS_H

#include <criterion/criterion.h>

#include "support/doors.h"

static inline il_dict *open_dict(struct door *door, const char *name,
                                 const il_data_options *options) {
    il_dict *dict = NULL;
    cr_assert_eq(il_dict_open(door->domain, name, strlen(name), options, &dict), IL_OK, "%s",
                 il_error_message());
    return dict;
}

static inline il_status set_if(il_dict *dict, const char *key, const char *text,
                               uint64_t *version) {
    return il_dict_set(dict, key, strlen(key), text, strlen(text), IL_TEXT, version);
}

static inline uint64_t set(il_dict *dict, const char *key, const char *text) {
    uint64_t version = IL_VERSION_ANY;
    cr_assert_eq(set_if(dict, key, text, &version), IL_OK, "%s: %s", key, il_error_message());
    return version;
}

/* KEY has TEXT (NULL: is not there). Returns its version. */
static inline uint64_t expect(il_dict *dict, const char *key, const char *text) {
    char room[200];
    il_item item = {.bytes = 99};
    il_status status = il_dict_get(dict, key, strlen(key), room, sizeof room, &item);
    if (!text) {
        cr_assert_eq(status, IL_ENOKEY, "%s: %s", key, il_error_message());
        cr_assert_eq(item.bytes, 99, "nothing is told of what is not there");
        return 0;
    }
    cr_assert_eq(status, IL_OK, "%s: %s", key, il_error_message());
    cr_assert_eq(item.bytes, strlen(text), "%s", key);
    cr_assert_eq(memcmp(room, text, item.bytes), 0, "%s", key);
    cr_assert_eq(item.type, IL_TEXT);
    return item.version;
}

static inline uint64_t length_of(il_dict *dict) {
    uint64_t length = 0;
    cr_assert_eq(il_dict_length(dict, &length, NULL), IL_OK, "%s", il_error_message());
    return length;
}

static inline uint64_t version_of(il_dict *dict) {
    uint64_t length, version = 99;
    cr_assert_eq(il_dict_length(dict, &length, &version), IL_OK, "%s", il_error_message());
    return version;
}

/* The keys in their order, each followed by a blank. Borrowed until the next call. */
static inline const char *keys_of(il_dict *dict) {
    static char words[4000];
    char room[100];
    il_entry entries[7];
    il_cursor cursor = {0};
    size_t done, length = 0;
    while (!cursor.finished) {
        cr_assert_eq(il_dict_items(dict, &cursor, IL_KEYS, room, sizeof room, entries, 7, &done),
                     IL_OK, "%s", il_error_message());
        for (size_t i = 0; i < done; i++) {
            length += (size_t)snprintf(words + length, sizeof words - length, "%.*s ",
                                       (int)entries[i].key_bytes, entries[i].key);
        }
    }
    words[length] = 0;
    return words;
}

#endif
