/*
 * scenarios_cells.h - victims and companions at values and arrays, for scenarios.h.
 *
 * A text says of itself how it goes on, so half a text shows. A number is counted up by all and watched by some: a
 * watcher that is not told of a change waits too long, which is a trouble.
 */
#ifndef TESTS_SUPPORT_SCENARIOS_CELLS_H
#define TESTS_SUPPORT_SCENARIOS_CELLS_H

#include "lib/cells.h"
#include "support/scenarios_simple.h"

#define CELLS_ROOM 90u

static inline il_value *crew_open_count(struct crew *c) {
    il_value *value = NULL;
    if (il_value_open(c->world->domain, "count", 5, NULL, &value) != IL_OK)
        crew_trouble(c, "value: %s", il_error_message());
    return value;
}

static inline il_array *crew_open_texts(struct crew *c) {
    il_array_options options = {
        .struct_bytes = sizeof options, .type = IL_FIXED_TEXT, .room = CELLS_ROOM, .length = 20};
    il_array *array = NULL;
    il_status status = il_array_open(c->world->domain, "texts", 5, &options, &array);
    if (status != IL_OK) crew_trouble(c, "array: %s", il_error_message());
    return array;
}

/* Counts up; *VALUE is another one after a deletion. */
static inline void count_up(struct crew *c, il_value **value) {
    int64_t one = 1;
    il_status status = il_value_add(*value, IL_I64, &one, NULL);
    crew_expect(c, "counting", status, IL_OK);
    if (status != IL_EDELETED) return;
    il_value_close(*value);
    *value = crew_open_count(c);
}

static inline void crew_count(struct crew *c) {
    il_value *value = crew_open_count(c);
    while (value && !crew_stopped(c)) {
        crew_await_queue(&value->h.place.cells->watchers, 1);
        count_up(c, &value);
        crew_progress(c);
    }
    il_value_close(value);
}

/* Waits for the next change. */
static inline void watch_once(struct crew *c, il_value **value, uint64_t *version,
                              int64_t timeout_ns, il_status or) {
    struct ili_member *m = &c->world->domain->member;
    il_status status =
        ili_cells_watch(m, (*value)->h.place.cells, version, test_now_ns() + timeout_ns);
    if (status != IL_OK && status != IL_EDELETED && status != or)
        crew_trouble(c, "watching: %s", il_status_name(status));
    if (status != IL_EDELETED) return;
    il_value_close(*value);
    *value = crew_open_count(c);
    *version = 0;
}

static inline void crew_watch_count(struct crew *c) {
    il_value *value = crew_open_count(c);
    uint64_t version = 0;
    while (value && !crew_stopped(c)) {
        watch_once(c, &value, &version, CREW_PATIENCE_NS, IL_OK);
        crew_progress(c);
    }
    il_value_close(value);
}

static inline void use_count(struct crew *c) {
    uint64_t random = test_seed(30), version = 0;
    il_value *value = crew_open_count(c);
    for (int i = 0; value && i < 80; i++) {
        if (test_random(&random) % 2) {
            crew_await_queue(&value->h.place.cells->watchers, 1);
            count_up(c, &value);
        } else {
            watch_once(c, &value, &version, (int64_t)(test_random(&random) % 300000), IL_ETIMEOUT);
        }
    }
    il_value_close(value);
}

static inline void delete_count(struct crew *c) {
    for (int i = 0; i < 6; i++) {
        il_value *value = crew_open_count(c);
        if (!value) return;
        crew_await_queue(&value->h.place.cells->watchers, 1);
        (void)il_value_delete(c->world->domain, "count", 5);
        il_value_close(value);
    }
}

static inline void nudge_count(struct crew *c) {
    il_value *value = crew_open_count(c);
    if (value) count_up(c, &value);
    il_value_close(value);
}

static inline void settle_count(struct crew *c) {
    int64_t before = 0, after = 0;
    il_value *value = crew_open_count(c);
    if (!value) return;
    CREW_CHECK(c, cells, value->h.place.cells);
    il_value_load(value, IL_I64, &before);
    count_up(c, &value);
    if (il_value_load(value, IL_I64, &after) != IL_OK || after != before + 1)
        crew_trouble(c, "the value does not go on: %s", il_error_message());
    il_value_close(value);
    il_value_delete(c->world->domain, "count", 5);
}

/* ---- texts ------------------------------------------------------------------------------------ */

/* One letter, as often as it says itself. */
static inline size_t make_text(uint64_t random, char *text) {
    char letter = (char)('a' + random % 26);
    size_t bytes = (size_t)(letter - 'a') * 3 + 5;
    memset(text, letter, bytes);
    return bytes;
}

static inline bool is_whole(const char *text, size_t bytes) {
    if (bytes == 0) return true;
    if (text[0] < 'a' || text[0] > 'z' || bytes != (size_t)(text[0] - 'a') * 3 + 5) return false;
    for (size_t i = 1; i < bytes; i++) {
        if (text[i] != text[0]) return false;
    }
    return true;
}

static inline void use_text(struct crew *c, il_array **array, uint64_t *random) {
    char text[CELLS_ROOM], now[CELLS_ROOM];
    int64_t index = (int64_t)(test_random(random) % 20);
    int32_t swapped;
    size_t bytes = make_text(test_random(random), text), got = 0;
    il_status status = il_array_get(*array, index, now, sizeof now, &got);
    if (status == IL_OK && !is_whole(now, got)) crew_trouble(c, "half a text");
    if (status == IL_OK && test_random(random) % 4 == 0) {
        status = il_array_compare_set(*array, index, now, got, text, bytes, &swapped);
    } else if (status == IL_OK) {
        status = il_array_set(*array, index, text, bytes);
    }
    crew_expect(c, "text", status, IL_OK);
    if (status != IL_EDELETED) return;
    il_array_close(*array);
    *array = crew_open_texts(c);
}

static inline void crew_use_texts(struct crew *c) {
    uint64_t random = c->me + 5;
    il_array *array = crew_open_texts(c);
    while (array && !crew_stopped(c)) {
        use_text(c, &array, &random);
        crew_progress(c);
    }
    il_array_close(array);
}

static inline void use_texts(struct crew *c) {
    uint64_t random = test_seed(31);
    il_array *array = crew_open_texts(c);
    for (int i = 0; array && i < 60; i++) use_text(c, &array, &random);
    il_array_close(array);
}

/* Makes it anew again and again: each time its memory is taken and given back. */
static inline void delete_texts(struct crew *c) {
    uint64_t random = test_seed(32);
    for (int i = 0; i < 12; i++) {
        il_array *array = crew_open_texts(c);
        if (!array) return;
        use_text(c, &array, &random);
        if (i % 2) {
            (void)il_array_delete(c->world->domain, "texts", 5);
            il_array_close(array);
        } else {
            il_array_close(array);
            (void)il_array_delete(c->world->domain, "texts", 5);
        }
    }
}

/* A block that was freed although the array lies in it would now be given to another one. */
static inline void settle_memory(struct crew *c, il_array *array, const char *text, size_t bytes) {
    il_array_options options = {
        .struct_bytes = sizeof options, .type = IL_FIXED_TEXT, .room = CELLS_ROOM, .length = 20};
    il_array *others[16] = {NULL};
    char now[CELLS_ROOM];
    size_t got = 0;
    for (int i = 0; i < 16; i++) {
        if (il_array_open(c->world->domain, NULL, 0, &options, &others[i]) != IL_OK)
            crew_trouble(c, "another array: %s", il_error_message());
    }
    for (int64_t i = 0; i < 20; i++) {
        if (il_array_get(array, i, now, sizeof now, &got) != IL_OK || got != bytes ||
            memcmp(now, text, bytes) != 0) {
            crew_trouble(c, "two arrays have one memory");
            break;
        }
    }
    for (int i = 0; i < 16; i++) il_array_close(others[i]);
}

static inline void settle_texts(struct crew *c) {
    char now[CELLS_ROOM], text[CELLS_ROOM];
    size_t got = 0, bytes = make_text(7, text);
    il_array *array = crew_open_texts(c);
    if (!array) return;
    CREW_CHECK(c, cells, array->h.place.cells);
    for (int64_t i = 0; i < 20; i++) {
        if (il_array_get(array, i, now, sizeof now, &got) != IL_OK || !is_whole(now, got))
            crew_trouble(c, "text %d: %s", (int)i, il_error_message());
        if (il_array_set(array, i, text, bytes) != IL_OK)
            crew_trouble(c, "the array does not go on: %s", il_error_message());
    }
    settle_memory(c, array, text, bytes);
    il_array_close(array);
    il_array_delete(c->world->domain, "texts", 5);
}

#endif
