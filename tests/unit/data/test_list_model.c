/* Random calls on a list and on an array. */
#include "support/lists.h"

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

/* ---- updates --------------------------------------------------------------------------------------- */

static void random_update(uint64_t *random, uint64_t *number) {
    static uint8_t room[64][3072];
    static struct ili_payload payloads[64];
    static struct model before;
    struct ili_list_change changes[8];
    size_t count = 1 + test_random(random) % 8, used_payloads = 0;
    before = model;
    for (size_t i = 0; i < count; i++) {
        uint64_t r = test_random(random), n = model.length, start = some_place(random, n);
        uint64_t gone = r % 64 == 0 ? (r >> 20) % 2000 : (r >> 20) % 4, come = (r >> 40) % 4;
        if (gone > n - start) gone = n - start;
        bool negative = gone && r >> 60 & 1;
        int64_t at = (int64_t)start - (negative ? (int64_t)n : 0);
        changes[i] = (struct ili_list_change){
            at, at + (int64_t)gone, gone && (negative || r & 1), payloads + used_payloads, come,
            ANY};
        for (uint64_t k = 0; k < come; k++, used_payloads++) {
            uint64_t bytes = bytes_of(*number + k);
            memcpy(room[used_payloads], filled(*number + k), bytes);
            payloads[used_payloads] =
                (struct ili_payload){room[used_payloads], bytes, (uint32_t)((*number + k) % 3)};
        }
        model_splice(start, start + gone, *number, come, version() + 1);
        *number += come;
    }
    if (test_random(random) % 8 == 0) { /* the last one is refused: nothing happens */
        changes[count - 1].exact = true;
        changes[count - 1].start = (int64_t)before.length + 5000;
        changes[count - 1].stop = changes[count - 1].start + 1;
        cr_assert_eq(update(changes, count, ANY), IL_ERANGE);
        model = before;
    } else {
        cr_assert_eq(update(changes, count, version()), IL_OK);
    }
}

Test(data_list, updates_behave_as_their_model, .timeout = 300) {
    uint64_t random = test_seed(52), number = 1;
    open_list(64 * MIB);
    uint64_t free_at_first = ili_alloc_available(&test_member);
    walk_splice(0, 0, &number, 2000);
    for (int step = 0; step < TEST_ROUNDS(20000); step++) {
        if (model.length < 500) walk_splice(0, 0, &number, 1000);
        random_update(&random, &number);
        cr_assert_eq(length(), model.length);
        if (step % 100 == 0) check();
        if (step % 500 == 0) expect_all();
    }
    expect_all();
    close_list(free_at_first);
}
