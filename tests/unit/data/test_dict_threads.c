/* Threads at one dict: no change is lost, every update of many is seen whole, and a copy is of one moment. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

#include "data/dict.h"
#include "support/member.h"

#define MIB (UINT64_C(1) << 20)
#define THREADS 4

static struct ili_dict *dict;
static int rounds;
static _Atomic int troubles;

static struct ili_dict_change set_of(const char *key, const uint64_t *number, uint64_t version) {
    return (struct ili_dict_change){.what = IL_CHANGE_SET,
                                    .key = key,
                                    .key_bytes = strlen(key),
                                    .data = number,
                                    .bytes = sizeof *number,
                                    .version = version};
}

/* Adds one to a counter by comparing versions, as often as it takes. */
static void *count(void *unused) {
    (void)unused;
    for (int i = 0; i < rounds;) {
        uint64_t number = 0;
        struct ili_item item = {.data = &number, .room = sizeof number};
        il_status status = ili_dict_get(&test_member, dict, "counter", 7, &item);
        uint64_t version = status == IL_OK ? item.version : IL_VERSION_NONE;
        number++;
        struct ili_dict_change c = set_of("counter", &number, version);
        status = ili_dict_update(&test_member, dict, &c, 1, NULL, NULL);
        if (status == IL_OK)
            i++;
        else if (status != IL_ECHANGED)
            troubles++;
    }
    return NULL;
}

Test(data_dict_threads, no_change_by_version_is_lost, .timeout = 120) {
    pthread_t threads[THREADS];
    uint64_t number = 0;
    struct ili_item item = {.data = &number, .room = sizeof number};
    rounds = TEST_ROUNDS(20000);
    cr_assert(test_enter(8 * MIB));
    dict = test_object(&ili_dict_kind, "it", NULL);
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, count, NULL);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    cr_assert_eq(ili_dict_get(&test_member, dict, "counter", 7, &item), IL_OK);
    cr_assert_eq(number, (uint64_t)rounds * THREADS);
    cr_assert_eq(item.version, number);
    cr_assert_eq(troubles, 0);
    test_leave();
}

static struct ili_dict *copies[THREADS];

/* Sets all four keys to one number; or removes them, or clears. */
static void *set_all(void *argument) {
    static const char *const keys[] = {"a", "b", "c", "d"};
    uint64_t random = test_seed((uint64_t)(intptr_t)argument);
    for (int i = 0; i < rounds; i++) {
        uint64_t number = test_random(&random);
        struct ili_dict_change c[4];
        for (int k = 0; k < 4; k++) {
            c[k] = set_of(keys[k], &number, IL_VERSION_ANY);
            if (number % 8 == 0) c[k].what = IL_CHANGE_REMOVE;
        }
        il_status status = number % 8 == 1 ? ili_dict_clear(&test_member, dict)
                                           : ili_dict_update(&test_member, dict, c, 4, NULL, NULL);
        if (status != IL_OK && status != IL_ENOKEY) troubles++;
    }
    return NULL;
}

/* Looks: all four or none, and all the same. */
static void *look(void *argument) {
    struct ili_dict *own = copies[(intptr_t)argument];
    struct ili_dict_entry entries[8];
    char room[200];
    for (int i = 0; i < rounds; i++) {
        il_cursor cursor = {0};
        size_t done = 9;
        struct ili_dict *at = i % 2 ? own : dict;
        if (at == own && (ili_dict_clear(&test_member, own) != IL_OK ||
                          ili_dict_copy(&test_member, dict, own, NULL) != IL_OK)) {
            troubles++;
        }
        if (ili_dict_items(&test_member, at, &cursor, IL_KEYS | IL_VALUES, room, sizeof room,
                           entries, 8, &done) != IL_OK ||
            (done != 0 && done != 4)) {
            troubles++;
        }
        for (size_t k = 1; k < done; k++) {
            if (memcmp(entries[k].item.data, entries[0].item.data, 8) != 0) troubles++;
        }
    }
    return NULL;
}

Test(data_dict_threads, update_of_many_is_seen_whole, .timeout = 120) {
    pthread_t threads[THREADS];
    char name[16];
    rounds = TEST_ROUNDS(10000);
    cr_assert(test_enter(8 * MIB));
    dict = test_object(&ili_dict_kind, "it", NULL);
    for (intptr_t i = 0; i < THREADS; i++) {
        snprintf(name, sizeof name, "copy %d", (int)i);
        copies[i] = test_object(&ili_dict_kind, name, NULL);
    }
    for (intptr_t i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, i % 2 ? look : set_all, (void *)i);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    cr_assert_eq(troubles, 0);
    cr_assert_eq(ili_dict_check(&test_member, dict), IL_OK);
    cr_assert_eq(test_check_alloc(), IL_OK);
    test_leave();
}
