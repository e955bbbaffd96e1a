#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/list.h"
#include "data/list_store.h"
#include "support/member.h"

#define MIB (UINT64_C(1) << 20)

static struct ili_list *list;
static struct ili_refusal refusal;

static void open_limited(uint64_t arena_bytes, const struct ili_limits *limits) {
    cr_assert(test_enter(arena_bytes));
    list = test_object(&ili_list_kind, "it", limits);
    cr_assert_not_null(list);
}
static void open_list(uint64_t arena_bytes) { open_limited(arena_bytes, NULL); }

static void check(void) {
    struct ili_agent *self = test_self();
    cr_assert_eq(ili_guard_lock(&test_member, self, &list->guard), IL_OK);
    il_status status = ili_list_check(&test_member, list);
    ili_guard_unlock(&test_member, self, &list->guard);
    cr_assert_eq(status, IL_OK);
}

static uint64_t length(void) {
    struct ili_list_view view;
    ili_list_look(list, &view);
    return view.length;
}

static uint64_t used(void) {
    struct ili_list_view view;
    ili_list_look(list, &view);
    return view.used_bytes;
}

static uint64_t version(void) {
    struct ili_list_view view;
    ili_list_look(list, &view);
    return view.version;
}

/* The name goes, and with it all that the list had. */
static void close_list(uint64_t free_at_first) {
    check();
    cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_list_kind, "it", 2), IL_OK);
    cr_assert_eq(test_close(list), IL_OK);
    cr_assert_eq(test_check_alloc(), IL_OK);
    if (free_at_first) cr_assert_geq(ili_alloc_available(&test_member), free_at_first);
    test_leave();
}

/* ---- lists of words ------------------------------------------------------------------------------- */

#define WORDS_MOST 16

static size_t payloads_of(const char *words, struct ili_payload *payloads) {
    size_t n = 0;
    while (*words) {
        size_t bytes = strcspn(words, " ");
        payloads[n++] = (struct ili_payload){words, bytes, IL_TEXT};
        words += bytes + (words[bytes] == ' ');
    }
    return n;
}

static il_status put_words(int64_t start, int64_t stop, const char *words) {
    struct ili_payload payloads[WORDS_MOST];
    size_t count = payloads_of(words, payloads);
    return ili_list_splice(&test_member, list, start, stop, payloads, count, IL_VERSION_ANY, NULL,
                           &refusal);
}

static void extend(const char *words) {
    cr_assert_eq(put_words(INT64_MAX, INT64_MAX, words), IL_OK);
}

/* The items from START to before STOP, with spaces between them. */
static const char *slice(int64_t start, int64_t stop) {
    static char text[512];
    char room[256];
    struct ili_item items[32];
    size_t done = 0;
    il_status status =
        ili_list_slice(&test_member, list, start, stop, room, sizeof room, items, 32, &done, NULL);
    if (status != IL_OK) return "?";
    text[0] = '\0';
    for (size_t i = 0; i < done; i++) {
        size_t at = strlen(text);
        snprintf(text + at, sizeof text - at, "%s%.*s", i ? " " : "", (int)items[i].bytes,
                 (const char *)items[i].data);
    }
    return text;
}

#define EXPECT(words) cr_assert_str_eq(slice(0, INT64_MAX), words)

static const char *pop(int64_t index) {
    static char room[64];
    struct ili_item item = {.data = room, .room = sizeof room - 1};
    il_status status = ili_list_pop(&test_member, list, index, IL_VERSION_ANY, &item, &refusal);
    if (status != IL_OK) return "?";
    room[item.bytes] = '\0';
    return room;
}

static const char *get(int64_t index) {
    static char room[64];
    struct ili_item item = {.data = room, .room = sizeof room - 1};
    if (ili_list_get(&test_member, list, index, &item, &refusal) != IL_OK) return "?";
    room[item.bytes] = '\0';
    return room;
}

Test(data_list, indexes_and_slices_are_pythons) {
    open_list(8 * MIB);
    EXPECT("");
    extend("a b c d e");
    EXPECT("a b c d e");
    cr_assert_str_eq(get(0), "a");
    cr_assert_str_eq(get(-1), "e");
    cr_assert_str_eq(get(-5), "a");
    cr_assert_str_eq(slice(1, 3), "b c");
    cr_assert_str_eq(slice(-2, INT64_MAX), "d e");
    cr_assert_str_eq(slice(3, 1), "");
    cr_assert_str_eq(slice(-100, 2), "a b");
    cr_assert_str_eq(slice(4, 100), "e");
    cr_assert_str_eq(slice(INT64_MIN, INT64_MAX), "a b c d e");
    cr_assert_str_eq(slice(7, 9), "");
    const int64_t none[] = {5, -6, INT64_MAX, INT64_MIN};
    for (int i = 0; i < 4; i++) {
        refusal.limit = 0;
        cr_assert_str_eq(get(none[i]), "?");
        cr_assert_eq(refusal.limit, 5);
        cr_assert_str_eq(pop(none[i]), "?");
        struct ili_payload payload = {"x", 1, IL_TEXT};
        cr_assert_eq(
            ili_list_set(&test_member, list, none[i], &payload, IL_VERSION_ANY, NULL, &refusal),
            IL_ERANGE);
    }
    EXPECT("a b c d e");
    close_list(0);
}

Test(data_list, splices_are_pythons_slice_assignments) {
    open_list(8 * MIB);
    extend("a b c d e");
    cr_assert_eq(put_words(1, 3, "X Y Z"), IL_OK);
    EXPECT("a X Y Z d e");
    cr_assert_eq(put_words(4, 2, "m"), IL_OK); /* as l[4:2] = ["m"] */
    EXPECT("a X Y Z m d e");
    cr_assert_eq(put_words(100, 100, "end"), IL_OK);
    cr_assert_eq(put_words(-100, -100, "begin"), IL_OK);
    EXPECT("begin a X Y Z m d e end");
    cr_assert_eq(put_words(-1, -1, "last"), IL_OK);
    EXPECT("begin a X Y Z m d e last end");
    cr_assert_eq(put_words(2, -2, ""), IL_OK);
    EXPECT("begin a last end");
    uint64_t before = version();
    cr_assert_eq(put_words(2, 2, ""), IL_OK);
    cr_assert_eq(version(), before, "nothing changed");
    cr_assert_str_eq(pop(-1), "end");
    cr_assert_str_eq(pop(1), "a");
    cr_assert_str_eq(pop(0), "begin");
    cr_assert_str_eq(pop(0), "last");
    cr_assert_str_eq(pop(0), "?");
    cr_assert_eq(refusal.limit, 0);
    cr_assert_eq(used(), 0);
    extend("x y");
    cr_assert_eq(put_words(0, INT64_MAX, ""), IL_OK);
    EXPECT("");
    close_list(0);
}

/* ---- against a model ------------------------------------------------------------------------------ */

/* An item of the model: its number is what it begins with, its bytes and type follow from that. */
static uint64_t bytes_of(uint64_t number) {
    if (number % 97 == 0) return 8 + number % 3000;
    return 8 + number % 60;
}

static uint8_t *filled(uint64_t number) {
    static uint8_t room[4096];
    memset(room, (int)(number * 31), bytes_of(number));
    memcpy(room, &number, 8);
    return room;
}

#define MODEL_MOST 300000
struct model {
    uint64_t number[MODEL_MOST], version[MODEL_MOST], length;
};
static struct model model;

static void model_splice(uint64_t start, uint64_t stop, uint64_t number, uint64_t count,
                         uint64_t version_now) {
    memmove(&model.number[start + count], &model.number[stop], (model.length - stop) * 8);
    memmove(&model.version[start + count], &model.version[stop], (model.length - stop) * 8);
    model.length = model.length - (stop - start) + count;
    for (uint64_t i = 0; i < count; i++) {
        model.number[start + i] = number + i;
        model.version[start + i] = version_now;
    }
}

static void expect_item(const struct ili_item *item, uint64_t index) {
    uint64_t number = model.number[index];
    cr_assert_eq(item->bytes, bytes_of(number));
    cr_assert_eq(item->type, number % 3);
    cr_assert_eq(item->version, model.version[index]);
    cr_assert_eq(memcmp(item->data, filled(number), item->bytes), 0);
}

static void expect_all(void) {
    static uint8_t room[65536];
    static struct ili_item items[1024];
    size_t done;
    cr_assert_eq(length(), model.length);
    for (uint64_t at = 0; at < model.length; at += done) {
        cr_assert_eq(ili_list_slice(&test_member, list, (int64_t)at, INT64_MAX, room, sizeof room,
                                    items, 1024, &done, NULL),
                     IL_OK);
        cr_assert_gt(done, 0);
        for (size_t i = 0; i < done; i++) expect_item(&items[i], at + i);
    }
}

#define BATCH_MOST 3000

static void walk_splice(uint64_t start, uint64_t stop, uint64_t *number, uint64_t count) {
    static struct ili_payload payloads[BATCH_MOST];
    static uint8_t room[BATCH_MOST][3072];
    uint64_t now = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t bytes = bytes_of(*number + i);
        memcpy(room[i], filled(*number + i), bytes);
        payloads[i] = (struct ili_payload){room[i], bytes, (uint32_t)((*number + i) % 3)};
    }
    cr_assert_eq(ili_list_splice(&test_member, list, (int64_t)start, (int64_t)stop, payloads, count,
                                 version(), &now, &refusal),
                 IL_OK);
    cr_assert_eq(now, version());
    model_splice(start, stop, *number, count, now);
    *number += count;
}

/* Where most changes of real lists take place, and anywhere. */
static uint64_t some_place(uint64_t *random, uint64_t most) {
    uint64_t r = test_random(random);
    switch (r % 5) {
    case 0: return 0;
    case 1: return most;
    case 2: return most ? most - (r >> 8) % (most < 20 ? most : 20) : 0;
    default: return (r >> 8) % (most + 1);
    }
}

static void walk_step(uint64_t *random, uint64_t *number, bool grow) {
    uint8_t room[4096];
    uint64_t r = test_random(random), n = model.length;
    struct ili_item item = {.data = room, .room = sizeof room};
    uint64_t start = some_place(random, n), many = r % 400 == 0 ? r >> 40 : r % 40 == 1 ? 40 : 3;
    uint64_t gone = (r >> 20) % (many % BATCH_MOST + 1), come = (r >> 32) % (many % BATCH_MOST + 1);
    if (gone > n - start) gone = n - start;
    switch (r % 8) {
    case 0: walk_splice(start, start + gone, number, come); break;
    case 1:
    case 2: walk_splice(start, start, number, grow ? come + 1 : come / 2); break;
    case 3: walk_splice(start, start + (grow ? gone / 4 : gone), number, 0); break;
    case 4:
    case 5:
        if (n == 0) break;
        start = start < n ? start : n - 1;
        cr_assert_eq(ili_list_pop(&test_member, list,
                                  (int64_t)start - (r >> 60 & 1 ? (int64_t)n : 0),
                                  model.version[start], &item, &refusal),
                     IL_OK);
        expect_item(&item, start);
        model_splice(start, start + 1, 0, 0, 0);
        break;
    case 6:
        if (n == 0) break;
        start = start < n ? start : n - 1;
        cr_assert_eq(ili_list_get(&test_member, list, (int64_t)start, &item, &refusal), IL_OK);
        expect_item(&item, start);
        break;
    default:
        if (n == 0) break;
        start = start < n ? start : n - 1;
        struct ili_payload payload = {filled(*number), bytes_of(*number), (uint32_t)(*number % 3)};
        cr_assert_eq(ili_list_set(&test_member, list, (int64_t)start, &payload,
                                  model.version[start], &model.version[start], &refusal),
                     IL_OK);
        model.number[start] = (*number)++;
    }
}

Test(data_list, behaves_as_its_model, .timeout = 300) {
    uint64_t random = test_seed(51), number = 1;
    unsigned steps = test_torture() ? 5000000 : 200000;
    open_list(256 * MIB);
    uint64_t free_at_first = ili_alloc_available(&test_member);
    for (unsigned step = 0; step < steps; step++) {
        walk_step(&random, &number, step / 20000 % 2 == 0);
        cr_assert_eq(length(), model.length);
        if (step % 1000 == 0) check();
        if (step % 10000 == 0) expect_all();
        if (model.length > MODEL_MOST - 2 * BATCH_MOST)
            walk_splice(10, model.length - 10, &number, 0);
    }
    expect_all();
    cr_assert_eq(put_words(0, INT64_MAX, ""), IL_OK);
    cr_assert_eq(used(), 0);
    close_list(free_at_first);
}
