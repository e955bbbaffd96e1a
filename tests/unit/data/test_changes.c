#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/point.h"
#include "data/changes.h"
#include "support/member.h"

#define MIB (UINT64_C(1) << 20)

static struct ili_changes *changes;

static void open_changes(void) {
    ili_off at;
    cr_assert(test_enter(4 * MIB));
    cr_assert_eq(ili_alloc(&test_member, test_self(), 1, sizeof *changes, &at), IL_OK);
    changes = ili_at(&test_member.arena, at, sizeof *changes);
    memset(changes, 0, sizeof *changes);
}

static void close_changes(void) {
    cr_assert_eq(ili_changes_dispose(&test_member, test_self(), changes), IL_OK);
    cr_assert_eq(changes->ring, 0);
    cr_assert_eq(ili_alloc_free(&test_member, test_self(), 1), IL_OK);
    cr_assert_eq(test_check_alloc(), IL_OK);
    test_leave();
}

static il_status start(uint64_t version) {
    return ili_changes_start(&test_member, test_self(), changes, version);
}

static void note(uint64_t version, const char *key, uint32_t key_bytes, bool more) {
    struct ili_changed change = {.what = IL_CHANGED_SET,
                                 .version = version,
                                 .index = (int64_t)version,
                                 .count = 1,
                                 .key = key,
                                 .key_bytes = key_bytes};
    ili_changes_note(&test_member, changes, &change, more);
}

static void note_word(uint64_t version, const char *key, bool more) {
    note(version, key, (uint32_t)strlen(key), more);
}

static char key[IL_KEY_MAX_BYTES + 1];
static struct ili_changed got;

static il_status next(struct ili_changes_place *place) {
    return ili_changes_next(&test_member, changes, place, &got, key);
}

#define EXPECT(place, version_, key_)                                                              \
    do {                                                                                           \
        cr_assert(ili_changes_due(changes, place));                                                \
        cr_assert_eq(next(place), IL_OK);                                                          \
        cr_assert_eq(got.what, IL_CHANGED_SET);                                                    \
        cr_assert_eq(got.version, version_);                                                       \
        cr_assert_str_eq(key, key_);                                                               \
    } while (0)

#define EXPECT_NONE(place)                                                                         \
    do {                                                                                           \
        cr_assert_not(ili_changes_due(changes, place));                                            \
        cr_assert_eq(next(place), IL_ETIMEOUT);                                                    \
    } while (0)

#define EXPECT_MISSED(place, version_)                                                             \
    do {                                                                                           \
        cr_assert(ili_changes_due(changes, place));                                                \
        cr_assert_eq(next(place), IL_OK);                                                          \
        cr_assert_eq(got.what, IL_CHANGED_MISSED);                                                 \
        cr_assert_eq(got.version, version_);                                                       \
    } while (0)

#define CHECK() cr_assert_eq(ili_changes_check(&test_member, changes), IL_OK)

Test(data_changes, nothing_is_noted_before_the_first_watch) {
    struct ili_changes_place place = {.version = 2};
    open_changes();
    note_word(1, "a", false);
    cr_assert_eq(changes->ring, 0);
    cr_assert_eq(start(2), IL_OK);
    cr_assert_eq(start(2), IL_OK); /* again */
    EXPECT_NONE(&place);
    note_word(3, "b", false);
    EXPECT(&place, 3, "b");
    EXPECT_NONE(&place);
    CHECK();
    close_changes();
}

Test(data_changes, each_watcher_gets_all_in_order) {
    struct ili_changes_place places[2] = {{0}, {0}};
    open_changes();
    cr_assert_eq(start(0), IL_OK);
    note_word(1, "", false);
    note_word(2, "key", false);
    EXPECT(&places[0], 1, "");
    note_word(5, "another", false);
    EXPECT(&places[0], 2, "key");
    EXPECT(&places[0], 5, "another");
    EXPECT_NONE(&places[0]);
    EXPECT(&places[1], 1, "");
    struct ili_changes_place resumed = {.version = 2};
    EXPECT(&resumed, 5, "another");
    cr_assert_eq(got.index, 5);
    cr_assert_eq(got.count, 1);
    EXPECT_NONE(&resumed);
    CHECK();
    close_changes();
}

Test(data_changes, changes_of_one_version_count_together) {
    struct ili_changes_place place = {0};
    open_changes();
    cr_assert_eq(start(0), IL_OK);
    note_word(1, "a", true);
    note_word(1, "b", true);
    EXPECT_NONE(&place);
    note_word(1, "c", false);
    CHECK();
    EXPECT(&place, 1, "a");
    cr_assert(got.more);
    EXPECT(&place, 1, "b");
    cr_assert(got.more);
    cr_assert(ili_changes_due(changes, &place));
    EXPECT(&place, 1, "c");
    cr_assert_not(got.more);
    EXPECT_NONE(&place);
    close_changes();
}

Test(data_changes, a_version_that_is_noted_again_is_there_once) {
    struct ili_changes_place place = {0};
    open_changes();
    cr_assert_eq(start(0), IL_OK);
    note_word(1, "a", false);
    note_word(1, "a", false);
    note_word(2, "b", true);
    note_word(2, "c", false);
    note_word(2, "b", true);
    note_word(2, "c", false);
    note_word(1, "a", false);
    EXPECT(&place, 1, "a");
    EXPECT(&place, 2, "b");
    EXPECT(&place, 2, "c");
    EXPECT_NONE(&place);
    CHECK();
    close_changes();
}

/* A key that says its version, so long as the version wants it. */
static uint32_t make_key(uint64_t version, char *room) {
    uint32_t bytes = (uint32_t)(version * 7919 % (IL_KEY_MAX_BYTES + 1));
    memset(room, 'k', bytes + 1);
    int digits = snprintf(room, 24, "%llu", (unsigned long long)version);
    if ((uint32_t)digits < bytes) room[digits] = '.';
    return bytes;
}

static bool is_key_of(uint64_t version) {
    char expected[IL_KEY_MAX_BYTES + 32];
    uint32_t bytes = make_key(version, expected);
    return got.key_bytes == bytes && memcmp(key, expected, bytes) == 0 && key[bytes] == '\0';
}

Test(data_changes, the_oldest_are_dropped_and_the_slow_are_told) {
    char room[IL_KEY_MAX_BYTES + 32];
    struct ili_changes_place slow = {0}, quick = {0};
    uint64_t seen = 0;
    open_changes();
    cr_assert_eq(start(0), IL_OK);
    for (uint64_t version = 1; version <= 5000; version++) {
        note(version, room, make_key(version, room), false);
        CHECK();
        cr_assert_eq(next(&quick), IL_OK);
        cr_assert_eq(got.version, version);
        cr_assert(is_key_of(version));
    }
    EXPECT_NONE(&quick);
    cr_assert_eq(next(&slow), IL_OK);
    cr_assert_eq(got.what, IL_CHANGED_MISSED);
    uint64_t expected = got.version + 1;
    while (next(&slow) == IL_OK) {
        cr_assert_eq(got.version, expected++);
        cr_assert(is_key_of(got.version));
        seen += 32 + (got.key_bytes + 7) / 8 * 8;
    }
    cr_assert_eq(expected, 5001);
    cr_assert_gt(seen, ILI_CHANGES_BYTES - 1100); /* it is full */
    EXPECT_NONE(&slow);
    close_changes();
}

Test(data_changes, who_was_in_the_middle_of_a_dropped_version_is_told) {
    struct ili_changes_place place = {0};
    open_changes();
    cr_assert_eq(start(0), IL_OK);
    note_word(1, "a", true);
    note_word(1, "b", false);
    EXPECT(&place, 1, "a");
    for (uint64_t version = 2; version <= 2047; version++) note(version, "", 0, false);
    EXPECT_MISSED(&place, 1); /* "b" alone would still be there */
    cr_assert_eq(next(&place), IL_OK);
    cr_assert_eq(got.version, 2);
    CHECK();
    close_changes();
}

Test(data_changes, a_version_larger_than_the_ring_is_missed_and_the_next_is_not) {
    struct ili_changes_place place = {0};
    open_changes();
    cr_assert_eq(start(0), IL_OK);
    note_word(1, "a", false);
    for (int round = 0; round < 2; round++) { /* and again, as after a death */
        for (int i = 0; i < 3000; i++) note(2, "", 0, true);
        note(2, "", 0, false);
        CHECK();
        EXPECT_MISSED(&place, 2);
        EXPECT_NONE(&place);
        place.version = 0;
    }
    note_word(3, "b", false);
    EXPECT_MISSED(&place, 2);
    EXPECT(&place, 3, "b");
    EXPECT_NONE(&place);
    CHECK();
    close_changes();
}

Test(data_changes, a_place_of_another_object_is_told_so) {
    struct ili_changes_place place = {.version = 77, .at = 12345};
    open_changes();
    cr_assert_eq(start(3), IL_OK);
    note_word(4, "a", false);
    EXPECT_MISSED(&place, 4);
    EXPECT_NONE(&place);
    note_word(5, "b", false);
    EXPECT(&place, 5, "b");
    struct ili_changes_place before = {.version = 1};
    EXPECT_MISSED(&before, 3);
    EXPECT(&before, 4, "a");
    close_changes();
}

Test(data_changes, no_memory_changes_nothing) {
    open_changes();
    test_fallocate_left = 0;
    ili_system.fallocate = test_fallocate;
    il_status status = start(7);
    ili_system.fallocate = fallocate;
    cr_assert_eq(status, IL_ENOMEM);
    cr_assert_eq(changes->ring, 0);
    cr_assert_eq(start(7), IL_OK);
    close_changes();
}

Test(data_changes, nonsense_in_the_arena_is_bounded, .timeout = 60) {
    uint64_t random = test_seed(5);
    struct ili_changes_place place = {0};
    open_changes();
    for (int round = 0; round < 2000; round++) {
        changes->ring = 0;
        (void)ili_alloc_free(&test_member, test_self(), 0);
        cr_assert_eq(start(0), IL_OK);
        ili_off ring = changes->ring;
        uint64_t *words = ili_at(&test_member.arena, ring, ILI_CHANGES_BYTES);
        for (uint64_t version = 1; version < 300; version++) note(version, "a key", 5, false);
        for (int i = 0; i < 40; i++) {
            words[test_random(&random) % (ILI_CHANGES_BYTES / 8)] = test_random(&random);
        }
        _Atomic uint64_t *field = &changes->begin + test_random(&random) % 5;
        *field = test_random(&random) >> test_random(&random) % 64;
        if (test_random(&random) % 8 == 0) changes->ring = test_random(&random) >> 30;
        for (uint64_t version = 300; version < 900; version++) note(version, "a key", 5, false);
        place = (struct ili_changes_place){.version = test_random(&random) % 900,
                                           .at = test_random(&random) % ILI_CHANGES_BYTES};
        for (int i = 0; i < 1000 && next(&place) == IL_OK; i++) {
            cr_assert_leq(got.key_bytes, IL_KEY_MAX_BYTES);
        }
        ili_changes_repair(&test_member, changes, test_self(), 900);
        if (changes->ring == ring) cr_assert_eq(ili_changes_check(&test_member, changes), IL_OK);
        changes->ring = ring;
        cr_assert_eq(ili_changes_dispose(&test_member, test_self(), changes), IL_OK);
    }
    close_changes();
}

#ifdef IL_POINTS

/* A process makes the steps of `what` and dies at the COUNTth passage of POINT. */
static bool dies_at(const char *point, uint32_t count, void (*what)(void)) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        ili_point_arm(point, count);
        what();
        _exit(0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGKILL;
}

static void note_three(void) {
    note_word(2, "x", true);
    note_word(2, "y", true);
    note_word(2, "z", false);
}

static void three_after_a_death(const char *point, uint32_t count) {
    struct ili_changes_place place = {0};
    open_changes();
    cr_assert_eq(start(0), IL_OK);
    note_word(1, "a", false);
    cr_assert(dies_at(point, count, note_three), "%s:%u", point, count);
    ili_changes_repair(&test_member, changes, test_self(), 1);
    CHECK();
    note_three();
    note_word(3, "b", false);
    CHECK();
    EXPECT(&place, 1, "a");
    EXPECT(&place, 2, "x");
    EXPECT(&place, 2, "y");
    EXPECT(&place, 2, "z");
    EXPECT(&place, 3, "b");
    EXPECT_NONE(&place);
    close_changes();
}

Test(data_changes, a_death_while_noting_leaves_each_change_once) {
    three_after_a_death("changes.note.prepared", 1);
    three_after_a_death("changes.note.prepared", 2);
    three_after_a_death("changes.note.prepared", 3);
    three_after_a_death("changes.note.written", 1);
    three_after_a_death("changes.note.counts", 1);
}

static void note_large(void) { note(3000, "", 0, false); }

Test(data_changes, a_death_while_dropping_loses_nothing_silently) {
    struct ili_changes_place place = {0};
    open_changes();
    cr_assert_eq(start(0), IL_OK);
    for (uint64_t version = 1; version <= 2048; version++) note(version, "", 0, false);
    cr_assert_eq(changes->end - changes->begin, ILI_CHANGES_BYTES);
    cr_assert(dies_at("changes.note.missing", 1, note_large));
    ili_changes_repair(&test_member, changes, test_self(), 2048);
    CHECK();
    note_large();
    CHECK();
    EXPECT_MISSED(&place, 1);
    for (uint64_t version = 2; version <= 2048; version++) EXPECT(&place, version, "");
    EXPECT(&place, 3000, "");
    close_changes();
}

static struct ili_agent *starter; /* the child acts as its parent's agent */

static void start_at_nine(void) { (void)ili_changes_start(&test_member, starter, changes, 9); }

Test(data_changes, a_death_while_starting_leaks_no_block) {
    const char *points[] = {"changes.start.prepared", "changes.start.published"};
    for (int i = 0; i < 2; i++) {
        open_changes();
        starter = test_self();
        cr_assert(dies_at(points[i], 1, start_at_nine));
        ili_changes_repair(&test_member, changes, starter, 9);
        cr_assert_eq(test_self()->pending[0] != 0, changes->ring == 0);
        cr_assert_eq(start(9), IL_OK);
        cr_assert_eq(ili_alloc_free(&test_member, test_self(), 0), IL_OK); /* as a death does */
        note_word(10, "a", false);
        CHECK();
        close_changes();
    }
}

#endif
