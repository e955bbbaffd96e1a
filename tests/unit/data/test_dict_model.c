/* A dict against a plain model: the same seeded operations, the same results, entry by entry and in order. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/dict.h"
#include "support/member.h"

#define MIB (UINT64_C(1) << 20)
#define KEYS 3000
#define MANY_MOST 40

struct model_entry {
    bool there;
    uint32_t type;
    uint64_t bytes, number; /* what the value is made of */
    uint64_t version, place;
};

static struct {
    struct model_entry entries[KEYS];
    uint64_t length, version, next_place;
} model;

static struct ili_dict *dict;
static uint8_t made[MANY_MOST][70000], got[70000];
static char keys[KEYS][1100];
static uint64_t random_state;

static uint64_t some(uint64_t below) { return test_random(&random_state) % below; }

static void make_keys(void) {
    for (int i = 0; i < KEYS; i++) {
        int length = i == 0 ? 0 : snprintf(keys[i], 24, "k%d", i);
        /* some long ones */
        if (i % 50 == 1) {
            while (length < i % 1000 + 24) keys[i][length++] = 'x';
        }
        keys[i][length] = 0;
    }
}

static uint64_t some_size(void) {
    switch (some(16)) {
    case 0: return 0;
    case 1: return some(5000);
    case 2: return some(60) ? some(900) : some(sizeof got);
    default: return some(100);
    }
}

static void fill(uint8_t *room, uint64_t bytes, uint64_t number) {
    for (uint64_t i = 0; i < bytes; i++) room[i] = (uint8_t)(number >> (i % 5 * 8) ^ i);
}

static bool is_value(const void *value, uint64_t bytes, const struct model_entry *e) {
    static uint8_t expected[sizeof got];
    if (bytes != e->bytes) return false;
    fill(expected, bytes, e->number);
    return bytes == 0 || memcmp(value, expected, bytes) == 0;
}

static bool is_item(const struct ili_item *item, const struct model_entry *e) {
    return item->version == e->version && item->type == e->type &&
           is_value(item->data, item->bytes, e);
}

/* What a set of KEY means, number NUMBER, in version VERSION. */
static void model_set(unsigned key, uint64_t bytes, uint64_t number, uint64_t version) {
    struct model_entry *e = &model.entries[key];
    if (!e->there) e->place = ++model.next_place;
    model.length += !e->there;
    e->there = true;
    e->bytes = bytes;
    e->number = number;
    e->type = number % 3;
    e->version = version;
    model.version = version;
}

static void model_remove(unsigned key, uint64_t version) {
    model.entries[key].there = false;
    model.length--;
    model.version = version;
}

static int by_place(const void *a, const void *b) {
    const struct model_entry *const *x = a, *const *y = b;
    return (*x)->place < (*y)->place ? -1 : (*x)->place > (*y)->place;
}

/* All entries in order, in pages of some size. */
static void compare_all(void) {
    static const struct model_entry *sorted[KEYS];
    static struct ili_dict_entry entries[64];
    static uint8_t room[300000];
    uint64_t count = 0, at = 0;
    il_cursor cursor = {0};
    for (int i = 0; i < KEYS; i++) {
        if (model.entries[i].there) sorted[count++] = &model.entries[i];
    }
    qsort(sorted, count, sizeof sorted[0], by_place);
    cr_assert_eq(count, model.length);
    while (!cursor.finished) {
        size_t done;
        il_status status =
            ili_dict_items(&test_member, dict, &cursor, IL_KEYS | IL_VALUES, room,
                           80000 + some(sizeof room - 80000), entries, 1 + some(64), &done);
        cr_assert_eq(status, IL_OK);
        for (size_t i = 0; i < done; i++, at++) {
            const char *key = keys[sorted[at] - model.entries];
            cr_assert_lt(at, count);
            cr_assert_eq(entries[i].key_bytes, strlen(key));
            cr_assert_eq(memcmp(entries[i].key, key, strlen(key)), 0);
            cr_assert(is_item(&entries[i].item, sorted[at]));
        }
    }
    cr_assert_eq(at, count);
}

static void check(void) {
    struct ili_dict_view view;
    struct ili_agent *self = test_self();
    cr_assert_eq(ili_guard_lock(&test_member, self, &dict->guard), IL_OK);
    il_status status = ili_dict_check(&test_member, dict);
    ili_guard_unlock(&test_member, self, &dict->guard);
    cr_assert_eq(status, IL_OK);
    ili_dict_look(dict, &view);
    cr_assert_eq(view.length, model.length);
    cr_assert_eq(view.version, model.version);
    cr_assert_eq(test_check_alloc(), IL_OK);
}

/* What is to be expected of VERSION asked for. */
static il_status expected_of(const struct model_entry *e, uint64_t version) {
    uint64_t has = e->there ? e->version : 0;
    return version == IL_VERSION_ANY || version == has ? IL_OK : IL_ECHANGED;
}

static uint64_t some_version(const struct model_entry *e) {
    switch (some(6)) {
    case 0: return IL_VERSION_NONE;
    case 1: return e->there ? e->version : 3;
    case 2: return e->version + 1;
    default: return IL_VERSION_ANY;
    }
}

static struct ili_dict_change some_change(unsigned *key, uint64_t number, unsigned slot) {
    *key = (unsigned)some(KEYS);
    struct ili_dict_change c = {.key = keys[*key], .key_bytes = strlen(keys[*key])};
    c.what = some(5) < 3 ? IL_CHANGE_SET : some(4) ? IL_CHANGE_REMOVE : IL_CHANGE_EXPECT;
    c.version = some_version(&model.entries[*key]);
    c.type = number % 3;
    if (c.what == IL_CHANGE_SET) {
        c.bytes = some_size();
        c.data = made[slot];
        fill(made[slot], c.bytes, number);
    }
    return c;
}

static void step_one(uint64_t number) {
    unsigned key;
    struct ili_refusal refusal = {0};
    struct ili_dict_change c = some_change(&key, number, 0);
    struct model_entry *e = &model.entries[key];
    uint64_t version = 0;
    il_status expected = expected_of(e, c.version);
    if (c.what == IL_CHANGE_REMOVE && !e->there) expected = IL_ENOKEY;
    cr_assert_eq(ili_dict_update(&test_member, dict, &c, 1, &version, &refusal), expected);
    if (expected == IL_ECHANGED) cr_assert_eq(refusal.version, e->there ? e->version : 0);
    if (expected != IL_OK) return;
    if (c.what == IL_CHANGE_SET) model_set(key, c.bytes, number, model.version + 1);
    if (c.what == IL_CHANGE_REMOVE) model_remove(key, model.version + 1);
    cr_assert_eq(version, model.version);
}

static void step_many(uint64_t number, bool mostly_fine) {
    static struct ili_dict_change c[MANY_MOST];
    unsigned key[MANY_MOST], count = (unsigned)some(MANY_MOST);
    static bool there[KEYS];
    bool changes = false;
    uint64_t version, next = model.version + 1;
    struct ili_refusal refusal = {0};
    il_status expected = IL_OK;
    unsigned which = 0;
    for (int i = 0; i < KEYS; i++) there[i] = model.entries[i].there;
    for (unsigned i = 0; i < count; i++) {
        c[i] = some_change(&key[i], number + i, i);
        if (i % 4 == 3) { /* some key again */
            key[i] = key[i - 1 - some(3)];
            c[i].key = keys[key[i]];
            c[i].key_bytes = strlen(c[i].key);
        }
        if (mostly_fine) c[i].version = IL_VERSION_ANY;
        if (mostly_fine && c[i].what == IL_CHANGE_REMOVE && !there[key[i]]) {
            c[i].what = IL_CHANGE_EXPECT;
        }
        if (expected != IL_OK) continue;
        which = i;
        if (c[i].what == IL_CHANGE_REMOVE && !there[key[i]]) expected = IL_ENOKEY;
        if (expected == IL_OK) expected = expected_of(&model.entries[key[i]], c[i].version);
        if (c[i].what == IL_CHANGE_REMOVE) there[key[i]] = false;
        if (c[i].what == IL_CHANGE_SET) there[key[i]] = true;
    }
    cr_assert_eq(ili_dict_update(&test_member, dict, c, count, &version, &refusal), expected);
    if (expected != IL_OK) {
        cr_assert_eq(refusal.which, which);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        if (c[i].what == IL_CHANGE_SET) model_set(key[i], c[i].bytes, number + i, next);
        if (c[i].what == IL_CHANGE_REMOVE) model_remove(key[i], next);
        changes |= c[i].what != IL_CHANGE_EXPECT;
    }
    cr_assert_eq(version, changes ? next : next - 1);
}

static void step_default(uint64_t number) {
    unsigned key = (unsigned)some(KEYS);
    struct ili_item item = {.data = got, .room = sizeof got};
    bool created;
    struct ili_dict_change c = {.what = IL_CHANGE_SET,
                                .key = keys[key],
                                .key_bytes = strlen(keys[key]),
                                .data = made[0],
                                .bytes = some_size(),
                                .type = number % 3};
    fill(made[0], c.bytes, number);
    cr_assert_eq(ili_dict_set_default(&test_member, dict, &c, &item, &created, NULL), IL_OK);
    cr_assert_eq(created, !model.entries[key].there);
    if (created) model_set(key, c.bytes, number, model.version + 1);
    cr_assert(is_item(&item, &model.entries[key]));
}

static void step_pop(void) {
    unsigned key = (unsigned)some(KEYS);
    struct model_entry *e = &model.entries[key];
    struct ili_item item = {.room = sizeof got};
    il_status status =
        ili_dict_pop(&test_member, dict, keys[key], strlen(keys[key]), IL_VERSION_ANY, &item, NULL);
    cr_assert_eq(status, e->there ? IL_OK : IL_ENOKEY);
    if (status != IL_OK) return;
    cr_assert(is_item(&item, e));
    free(item.data);
    model_remove(key, model.version + 1);
}

static void step_pop_item(void) {
    struct ili_dict_entry entry;
    struct model_entry *last = NULL;
    for (int i = 0; i < KEYS; i++) {
        struct model_entry *e = &model.entries[i];
        if (e->there && (!last || e->place > last->place)) last = e;
    }
    il_status status = ili_dict_pop_item(&test_member, dict, NULL, 2 * sizeof got, &entry);
    cr_assert_eq(status, last ? IL_OK : IL_ENOKEY);
    if (!last) return;
    unsigned key = (unsigned)(last - model.entries);
    cr_assert_eq(entry.key_bytes, strlen(keys[key]));
    cr_assert_eq(memcmp(entry.key, keys[key], entry.key_bytes), 0);
    cr_assert(is_item(&entry.item, last));
    free(entry.key);
    model_remove(key, model.version + 1);
}

static void step_get(void) {
    unsigned key = (unsigned)some(KEYS);
    struct ili_item item = {.data = got, .room = sizeof got};
    il_status status = ili_dict_get(&test_member, dict, keys[key], strlen(keys[key]), &item);
    cr_assert_eq(status, model.entries[key].there ? IL_OK : IL_ENOKEY);
    if (status == IL_OK) cr_assert(is_item(&item, &model.entries[key]));
}

static void clear(void) {
    cr_assert_eq(ili_dict_clear(&test_member, dict), IL_OK);
    if (model.length) model.version++;
    for (int i = 0; i < KEYS; i++) model.entries[i].there = false;
    model.length = 0;
}

Test(data_dict_model, never_differs, .timeout = 300) {
    uint64_t steps = test_torture() ? 5000000 : 200000;
    random_state = test_seed(52);
    make_keys();
    cr_assert(test_enter(256 * MIB));
    dict = test_object(&ili_dict_kind, "it", NULL);
    uint64_t free_at_first = ili_alloc_available(&test_member);
    for (uint64_t step = 0; step < steps; step++) {
        bool shrinks = step / 5000 % 3 == 2;
        uint64_t number = step * MANY_MOST, kind = some(100);
        if (kind < 40)
            step_one(number);
        else if (kind < 55)
            step_get();
        else if (kind < 60)
            step_many(number, some(2));
        else if (kind < 75)
            step_default(number);
        else if (kind < (shrinks ? 90 : 78))
            step_pop_item();
        else
            step_pop();
        if (step % 50000 == 30000) clear();
        if (step % 2000 == 0) compare_all();
        if (step % 500 == 0) check();
    }
    compare_all();
    check();
    clear();
    cr_assert_eq(ili_alloc_available(&test_member), free_at_first);
    test_leave();
}

Test(data_dict_model, any_failed_commit_is_an_error_that_changes_nothing, .timeout = 120) {
    unsigned refused = 0;
    random_state = test_seed(53);
    make_keys();
    cr_assert(test_enter(64 * MIB));
    dict = test_object(&ili_dict_kind, "it", NULL);
    ili_system.fallocate = test_fallocate;
    for (int round = 0; round < 300; round++) {
        test_fallocate_left = round % 4;
        for (int i = 0; i < 30; i++) {
            static struct ili_dict_change c[MANY_MOST];
            unsigned count = some(3) ? 1 : 1 + (unsigned)some(MANY_MOST - 1), key[MANY_MOST];
            uint64_t number = (uint64_t)(round * 30 + i) * MANY_MOST, next = model.version + 1;
            for (unsigned k = 0; k < count; k++) {
                do {
                    c[k] = some_change(&key[k], number + k, k);
                } while (c[k].what != IL_CHANGE_SET);
                c[k].version = IL_VERSION_ANY;
            }
            il_status status = ili_dict_update(&test_member, dict, c, count, NULL, NULL);
            cr_assert(status == IL_OK || status == IL_ENOMEM, "%d", status);
            refused += status != IL_OK;
            for (unsigned k = 0; status == IL_OK && k < count; k++) {
                model_set(key[k], c[k].bytes, number + k, next);
            }
        }
        test_fallocate_left = round % 3 ? INT64_MAX : 0;
        if (round % 20 == 0 && ili_dict_clear(&test_member, dict) == IL_OK) {
            if (model.length) model.version++;
            for (int i = 0; i < KEYS; i++) model.entries[i].there = false;
            model.length = 0;
        }
        test_fallocate_left = INT64_MAX;
        check();
        compare_all();
    }
    cr_assert(refused > 0, "nothing failed: the test tests nothing");
    test_leave();
}
