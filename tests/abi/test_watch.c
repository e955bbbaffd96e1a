#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

#include "support/doors.h"

static il_watch *watch(uint32_t kind, void *object, uint64_t after) {
    il_watch *out = NULL;
    cr_assert_eq(il_watch_open(kind, object, after, &out), IL_OK, "%s", il_error_message());
    return out;
}

static il_changed got;

static il_status next(il_watch *w, double timeout) {
    got = (il_changed){.struct_bytes = sizeof got};
    return il_watch_next(w, &got, seconds(timeout));
}

#define EXPECT(w, what_)                                                                           \
    do {                                                                                           \
        cr_assert_eq(next(w, DOOR_SECONDS), IL_OK, "%s", il_error_message());                      \
        cr_assert_eq(got.what, what_, "%u", got.what);                                             \
    } while (0)

#define EXPECT_NONE(w)                                                                             \
    do {                                                                                           \
        cr_assert_eq(next(w, 0), IL_ETIMEOUT);                                                     \
        cr_assert_eq(next(w, 0.03), IL_ETIMEOUT);                                                  \
    } while (0)

/* ---- dicts ------------------------------------------------------------------------------------ */

static il_dict *open_dict(struct door *door) {
    il_dict *dict = NULL;
    cr_assert_eq(il_dict_open(door->domain, "it", 2, NULL, &dict), IL_OK, "%s", il_error_message());
    return dict;
}

static uint64_t set(il_dict *dict, const char *key) {
    uint64_t version = IL_VERSION_ANY;
    cr_assert_eq(il_dict_set(dict, key, strlen(key), "1", 1, IL_JSON, &version), IL_OK, "%s",
                 il_error_message());
    return version;
}

EACH_DOOR(abi_watch, dicts_tell_each_change) {
    il_dict *dict = open_dict(door);
    set(dict, "before");
    il_watch *w = watch(IL_KIND_DICT, dict, 0);
    EXPECT_NONE(w);
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        uint64_t version = set(dict, key);
        if (i % 3 == 0) continue; /* several at once */
        for (int k = i % 3 == 1 ? i - 1 : i; k <= i; k++) {
            snprintf(key, sizeof key, "k%d", k);
            EXPECT(w, IL_CHANGED_SET);
            cr_assert_str_eq(got.key, key);
            cr_assert_eq(got.key_bytes, strlen(key));
            cr_assert_eq(got.id, version - (uint64_t)(i - k));
        }
    }
    EXPECT(w, IL_CHANGED_SET);
    cr_assert_eq(il_dict_remove(dict, "k7", 2, IL_VERSION_ANY), IL_OK);
    EXPECT(w, IL_CHANGED_REMOVED);
    cr_assert_str_eq(got.key, "k7");
    cr_assert_eq(il_dict_clear(dict), IL_OK);
    EXPECT(w, IL_CHANGED_CLEARED);
    cr_assert_eq(got.key_bytes, 0);
    EXPECT_NONE(w);
    cr_assert_eq(il_watch_close(w), IL_OK);
    il_dict_close(dict);
}

EACH_DOOR(abi_watch, goes_on_after_an_id) {
    il_dict *dict = open_dict(door);
    il_watch *w = watch(IL_KIND_DICT, dict, 0);
    il_dict_change changes[3];
    for (int i = 0; i < 3; i++) {
        changes[i] = (il_dict_change){.what = IL_CHANGE_SET,
                                      .type = IL_JSON,
                                      .key = &"abc"[i],
                                      .key_bytes = 1,
                                      .data = "1",
                                      .bytes = 1,
                                      .version = IL_VERSION_ANY};
    }
    uint64_t first = set(dict, "x"), second;
    cr_assert_eq(il_dict_update(dict, changes, 3, &second), IL_OK, "%s", il_error_message());
    EXPECT(w, IL_CHANGED_SET);
    EXPECT(w, IL_CHANGED_SET);
    cr_assert_eq(got.id, second);
    cr_assert(got.more);
    il_watch_close(w); /* in the middle of a version */
    w = watch(IL_KIND_DICT, dict, first);
    for (int i = 0; i < 3; i++) {
        EXPECT(w, IL_CHANGED_SET);
        cr_assert_eq(got.id, second);
        cr_assert_eq(got.more, i < 2);
    }
    EXPECT_NONE(w);
    il_watch_close(w);
    w = watch(IL_KIND_DICT, dict, second + 100); /* not of this dict */
    EXPECT(w, IL_CHANGED_MISSED);
    cr_assert_eq(got.id, second);
    EXPECT_NONE(w);
    il_watch_close(w);
    il_dict_close(dict);
}

EACH_DOOR(abi_watch, tells_that_it_was_too_slow) {
    il_dict *dict = open_dict(door);
    il_watch *w = watch(IL_KIND_DICT, dict, 0);
    uint64_t last = 0;
    for (int i = 0; i < 2500; i++) last = set(dict, "key"); /* of 40 bytes each */
    EXPECT(w, IL_CHANGED_MISSED);
    uint64_t id = got.id;
    cr_assert_gt(id, 0);
    while (id < last) {
        EXPECT(w, IL_CHANGED_SET);
        cr_assert_eq(got.id, ++id);
    }
    EXPECT_NONE(w);
    il_watch_close(w);
    il_dict_close(dict);
}

/* ---- lists and values ---------------------------------------------------------------------------- */

EACH_DOOR(abi_watch, lists_tell_each_change) {
    il_list *list = NULL;
    uint64_t version = IL_VERSION_ANY;
    cr_assert_eq(il_list_open(door->domain, "it", 2, NULL, &list), IL_OK);
    il_watch *w = watch(IL_KIND_LIST, list, 0);
    for (int i = 0; i < 3; i++) cr_assert_eq(il_list_append(list, "1", 1, IL_JSON), IL_OK);
    for (int i = 0; i < 3; i++) {
        EXPECT(w, IL_CHANGED_INSERTED);
        cr_assert_eq(got.index, i);
        cr_assert_eq(got.count, 1);
    }
    cr_assert_eq(il_list_set(list, -1, "0", 1, IL_JSON, &version), IL_OK);
    EXPECT(w, IL_CHANGED_SET);
    cr_assert_eq(got.index, 2);
    cr_assert_eq(got.id, version);
    cr_assert_eq(il_list_sort(list, 0), IL_OK);
    EXPECT(w, IL_CHANGED_ORDER);
    cr_assert_eq(il_list_remove_at(list, 1, IL_VERSION_ANY), IL_OK);
    EXPECT(w, IL_CHANGED_REMOVED);
    cr_assert_eq(got.index, 1);
    cr_assert_eq(il_list_clear(list), IL_OK);
    EXPECT(w, IL_CHANGED_CLEARED);
    EXPECT_NONE(w);
    il_watch_close(w);
    il_list_close(list);
}

EACH_DOOR(abi_watch, values_tell_their_newest_state) {
    il_value *value = NULL;
    int64_t number = 5;
    cr_assert_eq(il_value_open(door->domain, "it", 2, NULL, &value), IL_OK);
    il_watch *w = watch(IL_KIND_VALUE, value, 0);
    EXPECT_NONE(w);
    cr_assert_eq(il_value_store(value, IL_I64, &number), IL_OK);
    EXPECT(w, IL_CHANGED_STATE);
    EXPECT_NONE(w);
    for (int i = 0; i < 10; i++) cr_assert_eq(il_value_add(value, IL_I64, &number, NULL), IL_OK);
    EXPECT(w, IL_CHANGED_STATE);
    EXPECT_NONE(w); /* all in one */
    il_watch_close(w);
    il_value_close(value);
}

/* ---- queues and locks ---------------------------------------------------------------------------- */

EACH_DOOR(abi_watch, queues_tell_their_length) {
    il_queue *queue = NULL;
    cr_assert_eq(il_queue_open(door->domain, "it", 2, NULL, &queue), IL_OK);
    il_watch *w = watch(IL_KIND_QUEUE, queue, 0);
    EXPECT_NONE(w);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(il_queue_put(queue, "1", 1, IL_JSON, IL_NOWAIT), IL_OK);
    }
    EXPECT(w, IL_CHANGED_STATE);
    cr_assert_eq(got.count, 5);
    EXPECT_NONE(w);
    il_watch *other = watch(IL_KIND_QUEUE, queue, got.id ? got.id : 6);
    EXPECT(other, IL_CHANGED_STATE); /* at once */
    cr_assert_eq(got.count, 5);
    il_watch_close(other);
    il_watch_close(w);
    il_queue_close(queue);
}

EACH_DOOR(abi_watch, locks_tell_who_has_them) {
    il_lock *lock = NULL;
    uint64_t token = 0;
    cr_assert_eq(il_lock_open(door->domain, "it", 2, NULL, &lock), IL_OK);
    il_watch *w = watch(IL_KIND_LOCK, lock, 0);
    EXPECT_NONE(w);
    cr_assert_eq(il_lock_acquire(lock, IL_NOWAIT, &token), IL_OK);
    EXPECT(w, IL_CHANGED_STATE);
    cr_assert_eq(got.token, token);
    cr_assert_str_eq(got.key, "door");
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(il_lock_release(lock, token), IL_OK);
        cr_assert_eq(il_lock_acquire(lock, IL_NOWAIT, &token), IL_OK);
    }
    EXPECT(w, IL_CHANGED_STATE);
    cr_assert_eq(got.token, token);
    cr_assert_eq(got.count, 3); /* came and went */
    cr_assert_eq(il_lock_release(lock, token), IL_OK);
    EXPECT(w, IL_CHANGED_STATE);
    cr_assert_eq(got.token, 0);
    cr_assert_eq(got.id, token);
    EXPECT_NONE(w);
    il_watch_close(w);
    il_lock_close(lock);
}

/* ---- how a wait ends ----------------------------------------------------------------------------- */

struct watcher {
    pthread_t thread;
    il_watch *watch;
    il_status status;
    uint32_t what;
    _Atomic uint64_t id;
};

static void *watch_once(void *argument) {
    struct watcher *w = argument;
    il_changed changed = {.struct_bytes = sizeof changed};
    atomic_store(&w->id, il_thread_self());
    w->status = il_watch_next(w->watch, &changed, seconds(DOOR_SECONDS));
    w->what = changed.what;
    return NULL;
}

static void start(struct watcher *w, uint32_t kind, void *object) {
    *w = (struct watcher){.watch = watch(kind, object, 0)};
    cr_assert_eq(pthread_create(&w->thread, NULL, watch_once, w), 0);
    while (atomic_load(&w->id) == 0) test_pause();
}

static void finish(struct watcher *w, il_status expected) {
    pthread_join(w->thread, NULL);
    cr_assert_eq(w->status, expected, "%s", il_status_name(w->status));
    il_watch_close(w->watch);
}

EACH_DOOR(abi_watch, a_change_ends_the_wait) {
    il_dict *dict = open_dict(door);
    struct watcher w;
    start(&w, IL_KIND_DICT, dict);
    set(dict, "a");
    finish(&w, IL_OK);
    cr_assert_eq(w.what, IL_CHANGED_SET);
    il_dict_close(dict);
}

EACH_DOOR(abi_watch, an_interruption_ends_the_wait) {
    il_dict *dict = open_dict(door);
    il_queue *queue = NULL;
    il_value *value = NULL;
    cr_assert_eq(il_queue_open(door->domain, "it", 2, NULL, &queue), IL_OK);
    cr_assert_eq(il_value_open(door->domain, "it", 2, NULL, &value), IL_OK);
    const uint32_t kinds[] = {IL_KIND_DICT, IL_KIND_QUEUE, IL_KIND_VALUE};
    void *const objects[] = {dict, queue, value};
    for (int i = 0; i < 6; i++) {
        struct watcher w;
        start(&w, kinds[i / 2], objects[i / 2]);
        if (i % 2) {
            cr_assert_eq(il_interrupt(atomic_load(&w.id)), IL_OK);
        } else {
            cr_assert_eq(il_cancel(atomic_load(&w.id)), IL_OK);
        }
        finish(&w, i % 2 ? IL_EINTR : IL_ECANCELLED);
    }
    il_dict_close(dict);
    il_queue_close(queue);
    il_value_close(value);
}

EACH_DOOR(abi_watch, what_was_asked_before_the_wait_ends_it) {
    il_dict *dict = open_dict(door);
    il_watch *w = watch(IL_KIND_DICT, dict, 0);
    uint64_t self = il_thread_self();
    cr_assert_eq(il_interrupt(self), IL_OK);
    cr_assert_eq(next(w, DOOR_SECONDS), IL_EINTR);
    EXPECT_NONE(w); /* it was taken */
    cr_assert_eq(il_cancel(self), IL_OK);
    for (int i = 0; i < 2; i++) cr_assert_eq(next(w, DOOR_SECONDS), IL_ECANCELLED);
    cr_assert_eq(next(w, 0), IL_ETIMEOUT);
    set(dict, "a");
    EXPECT(w, IL_CHANGED_SET); /* what need not wait is still told */
    cr_assert_eq(il_cancel_clear(), IL_OK);
    EXPECT_NONE(w);
    il_watch_close(w);
    il_dict_close(dict);
}

EACH_DOOR(abi_watch, deleting_ends_the_wait) {
    il_dict *dict = open_dict(door);
    il_queue *queue = NULL;
    struct watcher w;
    cr_assert_eq(il_queue_open(door->domain, "it", 2, NULL, &queue), IL_OK);
    start(&w, IL_KIND_DICT, dict);
    cr_assert_eq(il_dict_delete(door->domain, "it", 2), IL_OK);
    finish(&w, IL_EDELETED);
    start(&w, IL_KIND_QUEUE, queue);
    cr_assert_eq(il_queue_delete(door->domain, "it", 2), IL_OK);
    finish(&w, IL_EDELETED);
    il_dict_close(dict);
    il_queue_close(queue);
}

EACH_DOOR(abi_watch, wrong_arguments_are_named) {
    il_dict *dict = open_dict(door);
    il_event *event = NULL;
    il_watch *w = NULL;
    cr_assert_eq(il_event_open(door->domain, "it", 2, &event), IL_OK);
    cr_assert_eq(il_watch_open(IL_KIND_EVENT, event, 0, &w), IL_EUNSUPPORTED);
    SAYS("event");
    cr_assert_eq(il_watch_open(IL_KIND_DICT, NULL, 0, &w), IL_EINVAL);
    SAYS("object");
    cr_assert_eq(il_watch_open(IL_KIND_DICT, dict, 0, NULL), IL_EINVAL);
    SAYS("out");
    cr_assert_null(w);
    w = watch(IL_KIND_DICT, dict, 0);
    got = (il_changed){0};
    cr_assert_eq(il_watch_next(w, &got, 0), IL_EINVAL);
    SAYS("struct_bytes");
    cr_assert_eq(il_watch_next(NULL, &got, 0), IL_EINVAL);
    SAYS("watch");
    cr_assert_eq(il_watch_next(w, NULL, 0), IL_EINVAL);
    SAYS("changed");
    got.struct_bytes = sizeof got;
    cr_assert_eq(il_watch_next(w, &got, -2), IL_EINVAL);
    SAYS("timeout_ns");
    cr_assert_eq(il_watch_close(w), IL_OK);
    cr_assert_eq(il_watch_close(NULL), IL_OK);
    il_event_close(event);
    il_dict_close(dict);
}
