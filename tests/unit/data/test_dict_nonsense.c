/*
 * Nonsense is written into a dict's struct, entries, table and agent, as a hostile process might, and every call made:
 * none may crash, hang or write outside of the arena, whatever it returns.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "data/dict.h"
#include "data/dict_store.h"
#include "support/member.h"

#define MIB (UINT64_C(1) << 20)
#define ENTRIES 300

static struct ili_dict *dict, *other;
static uint64_t random_state;
static char room[70000];

static uint64_t some(uint64_t below) { return test_random(&random_state) % below; }

/* The offset of some entry, or of a part of the table, while the dict still makes sense. */
static ili_off places[ENTRIES + ILI_DICT_SEGMENTS + 1];
static unsigned place_count;

static void find_places(void) {
    struct ili_dict_seen seen;
    place_count = 0;
    for (ili_off at = dict->first; at && ili_dict_see(&test_member, at, &seen);) {
        if (place_count < ENTRIES) places[place_count++] = at;
        at = seen.node->after;
    }
    for (unsigned i = 0; i < ILI_DICT_SEGMENTS; i++) {
        if (dict->segments[i]) places[place_count++] = dict->segments[i];
    }
}

static uint64_t some_word(void) {
    switch (some(8)) {
    case 0: return test_random(&random_state);
    case 1: return 0;
    case 2: return UINT64_MAX - some(100);
    case 3: return some(2000);
    case 4: return ili_off_of(&test_member.arena, dict) + some(1216) / 8 * 8;
    case 5: return places[some(place_count)] + some(3) * 8;
    case 6: return test_member.arena.bytes - some(10) * 64;
    default: return places[some(place_count)];
    }
}

static void write_nonsense(void) {
    uint64_t at = some(2)
                      ? ili_off_of(&test_member.arena, dict) + offsetof(struct ili_dict, limits) +
                            some(sizeof *dict - offsetof(struct ili_dict, limits))
                      : places[some(place_count)] + some(80);
    uint64_t word = some_word();
    if (some(4) == 0) { /* the guard's intent */
        at = ili_off_of(&test_member.arena, &dict->guard.intent[some(3)]);
        if (some(2)) word = (1 + some(6)) | some(5) << 8 | some(60) << 16;
    }
    memcpy(test_member.arena.base + at / 8 * 8, &word, 8);
}

static void call(void) {
    static struct ili_dict_entry entries[20];
    struct ili_dict_change c[4];
    char keys[4][16];
    struct ili_item item = {.data = some(2) ? room : NULL, .room = sizeof room};
    struct ili_changes_place place = {0};
    struct ili_changed out;
    struct ili_dict_entry entry = {0};
    il_cursor cursor = {.after = some(3) ? 0 : some(ENTRIES), .hint = some_word()};
    bool given = item.data != NULL, created;
    size_t done;
    for (int i = 0; i < 4; i++) {
        snprintf(keys[i], sizeof keys[i], "%u", (unsigned)some(ENTRIES * 2));
        c[i] = (struct ili_dict_change){.what = 1 + (uint32_t)some(3),
                                        .key = keys[i],
                                        .key_bytes = strlen(keys[i]),
                                        .data = room,
                                        .bytes = some(600),
                                        .version = IL_VERSION_ANY};
    }
    switch (some(11)) {
    case 0:
        if (ili_dict_get(&test_member, dict, keys[0], strlen(keys[0]), &item) == IL_OK && !given) {
            free(item.data);
        }
        break;
    case 1: (void)ili_dict_update(&test_member, dict, c, 1, NULL, NULL); break;
    case 2: (void)ili_dict_update(&test_member, dict, c, 4, NULL, NULL); break;
    case 3:
        if (ili_dict_pop(&test_member, dict, keys[0], strlen(keys[0]), IL_VERSION_ANY, &item,
                         NULL) == IL_OK &&
            !given) {
            free(item.data);
        }
        break;
    case 4: (void)ili_dict_pop_item(&test_member, dict, room, sizeof room, &entry); break;
    case 5:
        for (int pages = 0; pages < 100 && !cursor.finished; pages++) {
            if (ili_dict_items(&test_member, dict, &cursor, IL_KEYS | IL_VALUES, room, sizeof room,
                               entries, 20, &done) != IL_OK) {
                break;
            }
        }
        break;
    case 6:
        c[0].what = IL_CHANGE_SET;
        if (ili_dict_set_default(&test_member, dict, c, &item, &created, NULL) == IL_OK && !given) {
            free(item.data);
        }
        break;
    case 7: (void)ili_dict_watch(&test_member, dict, &place); break;
    case 8:
        for (int i = 0; i < 10; i++) {
            if (ili_dict_changed(&test_member, dict, &place, &out, room, 0) != IL_OK) break;
        }
        break;
    case 9: ili_dict_repair(&test_member, test_self(), dict, test_self()); break;
    case 10:
        if (some(20) == 0)
            (void)ili_dict_clear(&test_member, dict);
        else if (some(20) == 0)
            (void)ili_dict_copy(&test_member, dict, other, NULL);
        else
            (void)ili_dict_check(&test_member, dict);
        break;
    }
}

static void round_of_nonsense(unsigned writes) {
    char key[16];
    cr_assert(test_enter(8 * MIB));
    test_member.before_wait = NULL;
    test_member.patience_ns = 100000;
    dict = test_object(&ili_dict_kind, "it", NULL);
    other = test_object(&ili_dict_kind, "other", NULL);
    for (unsigned i = 0; i < ENTRIES; i++) {
        snprintf(key, sizeof key, "%u", i);
        struct ili_dict_change c = {.what = IL_CHANGE_SET,
                                    .key = key,
                                    .key_bytes = strlen(key),
                                    .data = room,
                                    .bytes = some(100),
                                    .version = IL_VERSION_ANY};
        cr_assert_eq(ili_dict_update(&test_member, dict, &c, 1, NULL, NULL), IL_OK);
    }
    find_places();
    for (unsigned i = 0; i < writes; i++) {
        int64_t since = ili_now_ns();
        write_nonsense();
        call();
        call();
        cr_assert_lt(ili_now_ns() - since, INT64_C(5000000000));
    }
    (void)ili_names_delete(&test_member, test_self(), &ili_dict_kind, "it", 2);
    (void)test_close(dict);
    test_leave();
}

Test(data_dict_nonsense, no_call_crashes_or_hangs, .timeout = 300) {
    random_state = test_seed(54);
    for (int round = 0; round < (test_torture() ? 100000 : TEST_ROUNDS(4000)); round++)
        round_of_nonsense(1 + (unsigned)some(60));
}
