#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "data/dict.h"
#include "support/member.h"

#define MIB (UINT64_C(1) << 20)

static struct ili_dict *dict;
static char key[IL_KEY_MAX_BYTES + 1];

static il_status set(const char *name, const char *text) {
    struct ili_dict_change c = {.what = IL_CHANGE_SET,
                                .key = name,
                                .key_bytes = strlen(name),
                                .data = text,
                                .bytes = strlen(text),
                                .version = IL_VERSION_ANY};
    return ili_dict_update(&test_member, dict, &c, 1, NULL, NULL);
}

static il_status next(struct ili_changes_place *place, struct ili_changed *out) {
    return ili_dict_changed(&test_member, dict, place, out, key, 0);
}

static void open_watched(struct ili_changes_place *place) {
    cr_assert(test_enter(8 * MIB));
    dict = test_object(&ili_dict_kind, "it", NULL);
    cr_assert_eq(set("before", "x"), IL_OK);
    cr_assert_eq(ili_dict_watch(&test_member, dict, place), IL_OK);
    cr_assert_eq(place->version, 1);
}

Test(data_dict_watch, each_change_is_told_once_in_order) {
    struct ili_changes_place place = {0};
    struct ili_changed out;
    struct ili_item item = {.room = 100};
    open_watched(&place);
    cr_assert_eq(next(&place, &out), IL_ETIMEOUT);
    set("a", "one");
    set("a", "two, over the first");
    memset(key, 'x', 1000);
    key[1000] = 0;
    set("a", key);
    cr_assert_eq(ili_dict_pop(&test_member, dict, "a", 1, IL_VERSION_ANY, &item, NULL), IL_ETOOBIG);
    struct ili_dict_change many[] = {{.what = IL_CHANGE_REMOVE, .key = "a", .key_bytes = 1},
                                     {.what = IL_CHANGE_EXPECT, .key = "a", .key_bytes = 1},
                                     {.what = IL_CHANGE_SET, .key = "b", .key_bytes = 1}};
    for (int i = 0; i < 3; i++) many[i].version = IL_VERSION_ANY;
    cr_assert_eq(ili_dict_update(&test_member, dict, many, 3, NULL, NULL), IL_OK);
    struct ili_dict_entry entry;
    cr_assert_eq(ili_dict_pop_item(&test_member, dict, key, sizeof key, &entry), IL_OK);
    cr_assert_eq(ili_dict_clear(&test_member, dict), IL_OK);
    static const struct {
        uint32_t what;
        uint64_t version;
        const char *key;
        bool more;
    } expected[] = {{IL_CHANGED_SET, 2, "a", false},   {IL_CHANGED_SET, 3, "a", false},
                    {IL_CHANGED_SET, 4, "a", false},   {IL_CHANGED_REMOVED, 5, "a", true},
                    {IL_CHANGED_SET, 5, "b", false},   {IL_CHANGED_REMOVED, 6, "b", false},
                    {IL_CHANGED_CLEARED, 7, "", false}};
    for (unsigned i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        cr_assert_eq(next(&place, &out), IL_OK);
        cr_assert_eq(out.what, expected[i].what);
        cr_assert_eq(out.version, expected[i].version);
        cr_assert_str_eq(out.key, expected[i].key);
        cr_assert_eq(out.more, expected[i].more);
    }
    cr_assert_eq(next(&place, &out), IL_ETIMEOUT);
    cr_assert_eq(ili_changes_check(&test_member, &dict->changes), IL_OK);
    test_leave();
}

Test(data_dict_watch, slow_watcher_is_told_that_it_missed_some) {
    struct ili_changes_place place = {0};
    struct ili_changed out;
    char name[32];
    open_watched(&place);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "key %d", i);
        cr_assert_eq(set(name, "x"), IL_OK);
    }
    cr_assert_eq(next(&place, &out), IL_OK);
    cr_assert_eq(out.what, IL_CHANGED_MISSED);
    uint64_t version = out.version;
    while (next(&place, &out) == IL_OK) cr_assert_eq(out.version, ++version);
    cr_assert_eq(version, 5001);
    test_leave();
}

static void *set_when_watched(void *unused) {
    (void)unused;
    int64_t end = ili_now_ns() + INT64_C(10000000000);
    while (ili_waitq_count(&dict->changes.watchers) == 0 && ili_now_ns() < end) sched_yield();
    return (void *)(intptr_t)set("a", "told");
}

Test(data_dict_watch, waiting_watcher_is_woken, .timeout = 20) {
    struct ili_changes_place place = {0};
    struct ili_changed out;
    pthread_t thread;
    void *result;
    open_watched(&place);
    cr_assert_eq(ili_dict_changed(&test_member, dict, &place, &out, key, ili_now_ns() + 1000000),
                 IL_ETIMEOUT);
    pthread_create(&thread, NULL, set_when_watched, NULL);
    cr_assert_eq(ili_dict_changed(&test_member, dict, &place, &out, key,
                                  ili_now_ns() + INT64_C(10000000000)),
                 IL_OK);
    cr_assert_str_eq(out.key, "a");
    pthread_join(thread, &result);
    cr_assert_eq((intptr_t)result, IL_OK);
    test_leave();
}

Test(data_dict_watch, waiter_without_a_thread_is_told_and_may_leave) {
    struct ili_changes_place place = {0};
    struct ili_agent *waiter, *other;
    struct ili_changed out;
    open_watched(&place);
    cr_assert_eq(ili_agent_claim_bell(&test_member, &waiter), IL_OK);
    cr_assert_eq(ili_agent_claim_bell(&test_member, &other), IL_OK);
    cr_assert_eq(ili_dict_enqueue(&test_member, dict, &place, waiter), IL_ETIMEOUT);
    cr_assert_eq(ili_dict_enqueue(&test_member, dict, &place, other), IL_ETIMEOUT);
    cr_assert_eq(ili_dict_withdraw(&test_member, dict, other), IL_ETIMEOUT);
    cr_assert_eq(ili_waiting_poll(waiter, NULL), IL_ETIMEOUT);
    set("a", "1");
    cr_assert_eq(ili_waiting_poll(waiter, NULL), IL_OK);
    cr_assert_eq(ili_dict_enqueue(&test_member, dict, &place, waiter), IL_OK, "there is a change");
    cr_assert_eq(next(&place, &out), IL_OK);
    cr_assert_eq(ili_dict_enqueue(&test_member, dict, &place, waiter), IL_ETIMEOUT);
    cr_assert_eq(ili_names_delete(&test_member, test_self(), &ili_dict_kind, "it", 2), IL_OK);
    cr_assert_eq(ili_waiting_poll(waiter, NULL), IL_EDELETED);
    cr_assert_eq(test_close(dict), IL_OK);
    cr_assert_eq(test_check_alloc(), IL_OK);
    ili_agent_release(&test_member, waiter);
    ili_agent_release(&test_member, other);
    test_leave();
}
