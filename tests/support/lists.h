/*
 * lists.h - one list in an arena of the test's own, for tests that call the core: lists of words, or of bytes.
 */
#ifndef TESTS_SUPPORT_LISTS_H
#define TESTS_SUPPORT_LISTS_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/list.h"
#include "support/member.h"

#define MIB (UINT64_C(1) << 20)

static struct ili_list *list;
static struct ili_refusal refusal;

static inline void open_limited(uint64_t arena_bytes, const struct ili_limits *limits) {
    cr_assert(test_enter(arena_bytes));
    list = test_object(&ili_list_kind, "it", limits);
    cr_assert_not_null(list);
}
static inline void open_list(uint64_t arena_bytes) { open_limited(arena_bytes, NULL); }

static inline void check(void) {
    struct ili_agent *self = test_self();
    cr_assert_eq(ili_guard_lock(&test_member, self, &list->guard), IL_OK);
    il_status status = ili_list_check(&test_member, list);
    ili_guard_unlock(&test_member, self, &list->guard);
    cr_assert_eq(status, IL_OK);
}

static inline uint64_t length(void) {
    struct ili_list_view view;
    ili_list_look(list, &view);
    return view.length;
}

static inline uint64_t used(void) {
    struct ili_list_view view;
    ili_list_look(list, &view);
    return view.used_bytes;
}

static inline uint64_t version(void) {
    struct ili_list_view view;
    ili_list_look(list, &view);
    return view.version;
}

/* The name goes, and with it all that the list had. */
static inline void close_list(uint64_t free_at_first) {
    check();
    cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_list_kind, "it", 2), IL_OK);
    cr_assert_eq(test_close(list), IL_OK);
    cr_assert_eq(test_check_alloc(), IL_OK);
    if (free_at_first) cr_assert_geq(ili_alloc_available(&test_member), free_at_first);
    test_leave();
}

/* ---- lists of words ------------------------------------------------------------------------------- */

#define WORDS_MOST 16

static inline size_t payloads_of(const char *words, struct ili_payload *payloads) {
    size_t n = 0;
    while (*words) {
        size_t bytes = strcspn(words, " ");
        payloads[n++] = (struct ili_payload){words, bytes, IL_TEXT};
        words += bytes + (words[bytes] == ' ');
    }
    return n;
}

static inline il_status put_words(int64_t start, int64_t stop, const char *words) {
    struct ili_payload payloads[WORDS_MOST];
    size_t count = payloads_of(words, payloads);
    return ili_list_splice(&test_member, list, start, stop, payloads, count, IL_VERSION_ANY, NULL,
                           &refusal);
}

static inline void extend(const char *words) {
    cr_assert_eq(put_words(INT64_MAX, INT64_MAX, words), IL_OK);
}

/* The items from START to before STOP, with spaces between them. */
static inline const char *slice(int64_t start, int64_t stop) {
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

static inline const char *pop(int64_t index) {
    static char room[64];
    struct ili_item item = {.data = room, .room = sizeof room - 1};
    il_status status = ili_list_pop(&test_member, list, index, IL_VERSION_ANY, &item, &refusal);
    if (status != IL_OK) return "?";
    room[item.bytes] = '\0';
    return room;
}

static inline const char *get(int64_t index) {
    static char room[64];
    struct ili_item item = {.data = room, .room = sizeof room - 1};
    if (ili_list_get(&test_member, list, index, &item, &refusal) != IL_OK) return "?";
    room[item.bytes] = '\0';
    return room;
}

#define ANY IL_VERSION_ANY

static inline il_status update(const struct ili_list_change *changes, size_t count,
                               uint64_t at_version) {
    return ili_list_update(&test_member, list, changes, count, at_version, NULL, &refusal);
}

static inline void put_values(const struct ili_payload *values, size_t count) {
    cr_assert_eq(ili_list_splice(&test_member, list, 0, INT64_MAX, values, count, ANY, NULL, NULL),
                 IL_OK);
}

#define JSON(text)                                                                                 \
    { text, sizeof text - 1, IL_JSON }
#define TEXT(text)                                                                                 \
    { text, sizeof text - 1, IL_TEXT }
#define BYTES(text)                                                                                \
    { text, sizeof text - 1, IL_BYTES }

static inline il_status find(struct ili_payload wanted, int64_t start, int64_t stop, bool remove,
                             uint64_t *index) {
    return ili_list_find(&test_member, list, &wanted, start, stop, remove, index);
}

static inline il_status sort(bool descending) {
    return ili_list_sort(&test_member, list, descending, &refusal);
}

static const struct ili_payload letters[] = {
    {"A", 1, IL_TEXT}, {"B", 1, IL_TEXT}, {"C", 1, IL_TEXT}, {"D", 1, IL_TEXT}};

/* ---- items of bytes ---------------------------------------------------------------------------- */

static uint8_t data[IL_MESSAGE_MAX_BYTES + 1];

static inline il_status append(uint64_t bytes) {
    struct ili_payload payload = {data, bytes, IL_BYTES};
    return ili_list_splice(&test_member, list, INT64_MAX, INT64_MAX, &payload, 1, ANY, NULL,
                           &refusal);
}

#endif
