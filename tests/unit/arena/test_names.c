#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "support/member.h"
#include "sync/lock.h"

#define MIB (UINT64_C(1) << 20)

static il_status open_name(const char *name, size_t bytes, uint32_t flags, ili_off *at) {
    return ili_names_open(&test_member, test_self(), &ili_lock_kind, name, bytes, NULL, flags, NULL,
                          at, NULL);
}

static il_status make(unsigned number) {
    char name[24];
    ili_off at;
    int length = snprintf(name, sizeof name, "name %u", number);
    il_status status = open_name(name, (size_t)length, 0, &at);
    return status == IL_OK ? ili_names_close(&test_member, test_self(), at, NULL) : status;
}

static il_status unmake(unsigned number) {
    char name[24];
    int length = snprintf(name, sizeof name, "name %u", number);
    return ili_names_delete(&test_member, test_self(), &ili_lock_kind, name, (size_t)length);
}

/* Nanoseconds for finding one of COUNT names, the best of some rounds. */
static double time_to_find(unsigned count) {
    double best = 1e9;
    uint64_t random = 1;
    for (int round = 0; round < 7; round++) {
        int64_t begin = test_now_ns();
        for (int i = 0; i < 20000; i++) {
            char name[24];
            ili_off at;
            int length =
                snprintf(name, sizeof name, "name %u", (unsigned)(test_random(&random) % count));
            if (open_name(name, (size_t)length, ILI_OPEN_EXISTING, &at) != IL_OK) return -1;
            ili_names_close(&test_member, test_self(), at, NULL);
        }
        double took = (double)(test_now_ns() - begin) / 20000;
        if (took < best) best = took;
    }
    return best;
}

Test(arena_names, a_million_fit_and_are_found_as_fast, .timeout = 300) {
    cr_assert(test_enter(1024 * MIB));
    const unsigned many_names = TEST_ROUNDS(1000000);
    unsigned i = 0;
    for (; i < 10000; i++) cr_assert_eq(make(i), IL_OK);
    double few = time_to_find(10000);
    for (; i < many_names; i++) {
        if (make(i) != IL_OK) cr_assert_fail("name %u", i);
    }
    cr_assert_eq(ili_names_count(&test_member), many_names);
    double many = time_to_find(many_names);
    fprintf(stderr, "finding one of 10,000 names: %.0f ns, of %u: %.0f ns\n", few, many_names,
            many);
    cr_assert(few > 0 && many > 0);
    cr_assert(many < few * 8, "caches explain a part, a list would be a hundred times slower");
    test_leave();
}

Test(arena_names, ten_million_are_made_and_deleted_without_a_trace, .timeout = 300) {
    cr_assert(test_enter(16 * MIB));
    cr_assert_eq(make(1), IL_OK);
    cr_assert_eq(unmake(1), IL_OK);
    uint64_t free_at_first = ili_alloc_available(&test_member);
#if defined(__SANITIZE_THREAD__) || defined(__clang__) /* sanitized, so slow */
    unsigned cycles = 300000;
#else
    unsigned cycles = 10000000;
#endif
    struct ili_agent *self = test_self();
    for (unsigned i = 0; i < cycles; i++) { /* one name: the segments of the table stay */
        ili_off at;
        if (ili_names_open(&test_member, self, &ili_lock_kind, "name 1", 6, NULL, 0, NULL, &at,
                           NULL) != IL_OK ||
            ili_names_close(&test_member, self, at, NULL) != IL_OK ||
            ili_names_delete(&test_member, self, &ili_lock_kind, "name 1", 6) != IL_OK) {
            cr_assert_fail("cycle %u", i);
        }
    }
    cr_assert_eq(ili_alloc_available(&test_member), free_at_first);
    cr_assert_eq(test_check_alloc(), IL_OK);
    test_leave();
}

Test(arena_names, live_as_long_as_somebody_refers_to_them) {
    ili_off one, two;
    bool created = false;
    cr_assert(test_enter(4 * MIB));
    cr_assert_eq(open_name("it", 2, ILI_OPEN_EXISTING, &one), IL_ENOTFOUND);
    cr_assert_eq(ili_names_open(&test_member, test_self(), &ili_lock_kind, "it", 2, NULL, 0, NULL,
                                &one, &created),
                 IL_OK);
    cr_assert(created);
    cr_assert_eq(ili_names_open(&test_member, test_self(), &ili_lock_kind, "it", 2, NULL, 0, NULL,
                                &two, &created),
                 IL_OK);
    cr_assert_not(created);
    cr_assert_eq(one, two);
    il_lock_options fair = {.struct_bytes = sizeof fair, .flags = IL_LOCK_FAIR};
    cr_assert_eq(ili_names_open(&test_member, test_self(), &ili_lock_kind, "it", 2, &fair, 0, NULL,
                                &two, NULL),
                 IL_ECONFLICT);
    cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_lock_kind, "it", 2), IL_OK);
    cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_lock_kind, "it", 2),
                 IL_ENOTFOUND);
    struct ili_lock *lock = ili_object_at(&test_member.arena, one, ILI_KIND_LOCK);
    cr_assert_not_null(lock);
    cr_assert_eq(atomic_load(&lock->object.deleted), 1);
    cr_assert_eq(open_name("it", 2, 0, &two), IL_OK);
    cr_assert_neq(one, two, "the old one is still open");
    for (int i = 0; i < 2; i++)
        cr_assert_eq(ili_names_close(&test_member, test_self(), one, NULL), IL_OK);
    cr_assert_eq(ili_names_close(&test_member, test_self(), two, NULL), IL_OK);
    cr_assert_eq(ili_names_count(&test_member), 1);
    test_leave();
}

Test(arena_names, any_failed_commit_changes_nothing, .timeout = 60) {
    cr_assert(test_enter(32 * MIB));
    ili_system.fallocate = test_fallocate;
    unsigned refused = 0, number = 0;
    for (int64_t n = 0; n < 30; n++) {
        test_fallocate_left = n % 3;
        uint64_t names = ili_names_count(&test_member), made = 0;
        for (int i = 0; i < 300; i++) {
            il_status status = make(number++);
            cr_assert(status == IL_OK || status == IL_ENOMEM, "%d", status);
            made += status == IL_OK;
            refused += status != IL_OK;
        }
        test_fallocate_left = INT64_MAX;
        cr_assert_eq(ili_names_count(&test_member), names + made);
        cr_assert_eq(test_check_alloc(), IL_OK);
    }
    cr_assert(refused > 0);
    test_leave();
}

/* ---- listing ---------------------------------------------------------------------------------- */

#define STAYING 2000u
#define PASSING 2000u

static uint8_t seen[STAYING + PASSING];

static void note(const struct ili_object *object, const char *name, size_t bytes, void *context) {
    (void)object;
    char text[32] = "";
    unsigned number = 0;
    if (bytes < sizeof text) memcpy(text, name, bytes);
    if (sscanf(text, "name %u", &number) == 1 && number < STAYING + PASSING) seen[number]++;
    ++*(unsigned *)context;
}

static void *come_and_go(void *end) {
    uint64_t random = 1;
    while (!atomic_load((_Atomic int *)end)) {
        unsigned number = STAYING + (unsigned)(test_random(&random) % PASSING);
        (void)(test_random(&random) % 2 ? make(number) : unmake(number));
    }
    return NULL;
}

Test(arena_names, are_listed_once_each_while_others_come_and_go, .timeout = 120) {
    pthread_t thread;
    _Atomic int end = 0;
    cr_assert(test_enter(64 * MIB));
    for (unsigned i = 0; i < STAYING; i++) cr_assert_eq(make(i), IL_OK);
    pthread_create(&thread, NULL, come_and_go, &end);
    for (int round = 0; round < 20; round++) {
        struct ili_names_cursor cursor = {0};
        unsigned pages = 0, visited = 0;
        memset(seen, 0, sizeof seen);
        while (!cursor.finished && pages < 100000) {
            visited = 0;
            cr_assert_eq(ili_names_page(&test_member, test_self(), ILI_KIND_LOCK, &cursor, 17, note,
                                        &visited),
                         IL_OK);
            cr_assert(visited <= 17);
            pages++;
        }
        cr_assert(cursor.finished);
        for (unsigned i = 0; i < STAYING; i++)
            cr_assert_eq(seen[i], 1, "%u was seen %u times", i, seen[i]);
    }
    atomic_store(&end, 1);
    pthread_join(thread, NULL);
    test_leave();
}
