/* What one process does with many entries of a dict, through each door. */
#include "support/dicts.h"

EACH_DOOR(abi_dict_many, several_changes_are_all_made_or_none) {
    il_dict *dict = open_dict(door, "it", NULL);
    uint64_t a = set(dict, "a", "1"), b = set(dict, "b", "2"), now = 0;
    il_dict_change changes[] = {
        {IL_CHANGE_SET, IL_TEXT, "a", 1, "10", 2, a},
        {IL_CHANGE_REMOVE, 0, "b", 1, NULL, 0, IL_VERSION_ANY},
        {IL_CHANGE_SET, IL_TEXT, "c", 1, "30", 2, IL_VERSION_NONE},
        {IL_CHANGE_EXPECT, 0, "d", 1, NULL, 0, IL_VERSION_NONE},
    };
    changes[3].version = 77;
    cr_assert_eq(il_dict_update(dict, changes, 4, &now), IL_ECHANGED);
    SAYS("changes[3]");
    cr_assert_eq(now, 0);
    changes[3] = (il_dict_change){IL_CHANGE_REMOVE, 0, "d", 1, NULL, 0, IL_VERSION_ANY};
    cr_assert_eq(il_dict_update(dict, changes, 4, &now), IL_ENOKEY);
    SAYS("changes[3]");
    expect(dict, "a", "1");
    expect(dict, "b", "2");
    expect(dict, "c", NULL);
    cr_assert_eq(version_of(dict), b);

    changes[3] = (il_dict_change){IL_CHANGE_EXPECT, 0, "b", 1, NULL, 0, b};
    cr_assert_eq(il_dict_update(dict, changes, 4, &now), IL_OK, "%s", il_error_message());
    cr_assert_eq(now, b + 1, "one step has one version");
    cr_assert_eq(expect(dict, "a", "10"), now);
    cr_assert_eq(expect(dict, "c", "30"), now);
    cr_assert_str_eq(keys_of(dict), "a c ");
    cr_assert_eq(version_of(dict), now);

    uint64_t same = 0;
    cr_assert_eq(il_dict_update(dict, NULL, 0, &same), IL_OK);
    cr_assert_eq(same, now);
    il_dict_close(dict);
}

EACH_DOOR(abi_dict_many, many_changes_fit_into_one) {
    enum { N = 3000 };
    static char keys[N][8];
    static il_dict_change changes[N];
    il_dict *dict = open_dict(door, "it", NULL);
    uint64_t version = 0;
    for (int i = 0; i < N; i++) {
        int bytes = snprintf(keys[i], sizeof keys[i], "%d", i);
        changes[i] =
            (il_dict_change){IL_CHANGE_SET, IL_TEXT,         keys[i],        (uint64_t)bytes,
                             keys[i],       (uint64_t)bytes, IL_VERSION_NONE};
    }
    cr_assert_eq(il_dict_update(dict, changes, N, &version), IL_OK, "%s", il_error_message());
    cr_assert_eq(length_of(dict), N);
    cr_assert_eq(expect(dict, "2999", "2999"), version);
    cr_assert_eq(il_dict_update(dict, changes, 65537, NULL), IL_EINVAL);
    SAYS("count");
    il_dict_close(dict);
}

EACH_DOOR(abi_dict_many, a_walk_sees_each_entry_once) {
    enum { N = 2500 };
    static il_entry entries[N + 10];
    static char room[N * 20], small[64];
    char key[16], value[24];
    il_cursor cursor = {0};
    size_t done = 0;
    il_dict *dict = open_dict(door, "it", NULL);
    for (int i = 0; i < N; i++) {
        snprintf(key, sizeof key, "%d", i);
        snprintf(value, sizeof value, "value %d", i);
        set(dict, key, value);
    }
    cr_assert_eq(il_dict_items(dict, &cursor, IL_KEYS | IL_VALUES, room, sizeof room, entries,
                               N + 10, &done),
                 IL_OK, "%s", il_error_message());
    cr_assert_eq(done, N);
    for (int i = 0; i < N; i++) {
        snprintf(key, sizeof key, "%d", i);
        snprintf(value, sizeof value, "value %d", i);
        cr_assert_eq(entries[i].key_bytes, strlen(key));
        cr_assert_eq(memcmp(entries[i].key, key, strlen(key)), 0);
        cr_assert_eq(entries[i].item.bytes, strlen(value));
        cr_assert_eq(memcmp(entries[i].data, value, strlen(value)), 0);
        cr_assert_eq(entries[i].item.type, IL_TEXT);
        cr_assert_gt(entries[i].item.version, 0);
    }
    /* few at a time, while that at which it stands is set anew: it comes again at the end */
    memset(&cursor, 0, sizeof cursor);
    int seen = 0, anew = 0, again = 0;
    while (!cursor.finished) {
        cr_assert_eq(il_dict_items(dict, &cursor, IL_KEYS, small, sizeof small, entries, 50, &done),
                     IL_OK, "%s", il_error_message());
        for (size_t i = 0; i < done; i++) {
            cr_assert_null(entries[i].data);
            cr_assert_gt(entries[i].item.bytes, 3, "of its value");
            if (seen == N) {
                again++;
                continue;
            }
            snprintf(key, sizeof key, "%d", seen++);
            cr_assert_eq(entries[i].key_bytes, strlen(key));
            cr_assert_eq(memcmp(entries[i].key, key, strlen(key)), 0);
        }
        if (seen > 200) continue;
        snprintf(key, sizeof key, "%d", seen - 1);
        cr_assert_eq(il_dict_remove(dict, key, strlen(key), IL_VERSION_ANY), IL_OK);
        set(dict, key, "anew");
        anew++;
    }
    cr_assert_eq(seen, N);
    cr_assert_gt(anew, 3);
    cr_assert_eq(again, anew);
    memset(&cursor, 0, sizeof cursor);
    cr_assert_eq(il_dict_clear(dict), IL_OK);
    cr_assert_eq(il_dict_items(dict, &cursor, IL_KEYS, small, sizeof small, entries, 50, &done),
                 IL_OK, "%s", il_error_message());
    cr_assert_eq(done, 0);
    cr_assert_eq(cursor.finished, 1);
    il_dict_close(dict);
}

EACH_DOOR(abi_dict_many, a_copy_has_all_of_one_moment) {
    il_dict *dict = open_dict(door, "it", NULL), *into = open_dict(door, "into", NULL);
    set(dict, "a", "1");
    set(dict, "b", "2");
    set(into, "z", "26");
    set(into, "b", "old");
    cr_assert_eq(il_dict_copy(dict, into), IL_OK, "%s", il_error_message());
    cr_assert_str_eq(keys_of(into), "z b a ");
    expect(into, "b", "2");
    cr_assert_eq(il_dict_clear(dict), IL_OK);
    cr_assert_eq(length_of(dict), 0);
    cr_assert_eq(length_of(into), 3);
    cr_assert_eq(il_dict_copy(into, into), IL_EINVAL);
    il_dict_close(dict);
    il_dict_close(into);
}
