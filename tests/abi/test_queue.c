#include <criterion/criterion.h>
#include <pthread.h>

#include "support/doors.h"

static il_queue *open_queue(struct door *door, const char *name, uint64_t maxsize) {
    il_queue_options options = {sizeof options, 0, maxsize};
    il_queue *queue = NULL;
    cr_assert_eq(il_queue_open(door->domain, name, strlen(name), &options, &queue), IL_OK, "%s",
                 il_error_message());
    return queue;
}

static void put(il_queue *queue, const char *text) {
    cr_assert_eq(il_queue_put(queue, text, strlen(text), IL_TEXT, 0), IL_OK, "%s",
                 il_error_message());
}

static void expect(il_queue *queue, const char *text) {
    char room[100];
    size_t bytes = 0;
    uint32_t type = 9;
    cr_assert_eq(il_queue_get(queue, room, sizeof room, &bytes, &type, seconds(1)), IL_OK, "%s",
                 il_error_message());
    cr_assert_eq(bytes, strlen(text));
    cr_assert_arr_eq(room, text, bytes);
    cr_assert_eq(type, IL_TEXT);
}

EACH_DOOR(abi_queue, is_first_in_first_out) {
    il_queue *queue = open_queue(door, "it", 0);
    char text[20];
    for (int i = 0; i < 300; i++) {
        snprintf(text, sizeof text, "message %d", i);
        put(queue, text);
    }
    uint64_t size = 0;
    cr_assert_eq(il_queue_size(queue, &size), IL_OK);
    cr_assert_eq(size, 300);
    for (int i = 0; i < 300; i++) {
        snprintf(text, sizeof text, "message %d", i);
        expect(queue, text);
    }
    cr_assert_eq(il_queue_size(queue, &size), IL_OK);
    cr_assert_eq(size, 0);
    il_queue_close(queue);
}

EACH_DOOR(abi_queue, keeps_bytes_and_type_of_any_length) {
    static const size_t lengths[] = {
        0, 1, 7, 8, 9, 8191, 8192, 8193, 65536, 1000001, IL_MESSAGE_MAX_BYTES};
    il_queue *queue = open_queue(door, "it", 0);
    char *data = malloc(IL_MESSAGE_MAX_BYTES + 1), *room = malloc(IL_MESSAGE_MAX_BYTES);
    for (size_t i = 0; i <= IL_MESSAGE_MAX_BYTES; i++) data[i] = (char)(i * 31 + i / 4096);
    for (unsigned k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
        size_t bytes = 0;
        uint32_t type = 9;
        cr_assert_eq(il_queue_put(queue, data, lengths[k], IL_BYTES, seconds(20)), IL_OK, "%zu: %s",
                     lengths[k], il_error_message());
        cr_assert_eq(il_queue_get(queue, room, IL_MESSAGE_MAX_BYTES, &bytes, &type, seconds(20)),
                     IL_OK, "%zu: %s", lengths[k], il_error_message());
        cr_assert_eq(bytes, lengths[k]);
        cr_assert_eq(type, IL_BYTES);
        cr_assert_eq(memcmp(room, data, bytes), 0);
    }
    cr_assert_eq(il_queue_put(queue, data, IL_MESSAGE_MAX_BYTES + 1, IL_BYTES, 0), IL_ETOOBIG);
    SAYS("bytes");
    cr_assert_eq(il_queue_put(queue, NULL, 0, IL_TEXT, 0), IL_OK);
    cr_assert_eq(il_queue_put(queue, "{\"a\":[1]}", 9, IL_JSON, 0), IL_OK, "%s",
                 il_error_message());
    size_t bytes = 5;
    uint32_t type = 9;
    cr_assert_eq(il_queue_get(queue, NULL, 0, &bytes, &type, 0), IL_OK);
    cr_assert_eq(bytes, 0);
    cr_assert_eq(type, IL_TEXT);
    cr_assert_eq(il_queue_get(queue, room, 100, &bytes, &type, 0), IL_OK);
    cr_assert_eq(bytes, 9);
    cr_assert_eq(type, IL_JSON);
    cr_assert_eq(il_queue_put(queue, "\xc3\x28", 2, IL_TEXT, 0), IL_EINVAL);
    SAYS("data");
    free(data);
    free(room);
    il_queue_close(queue);
}

EACH_DOOR(abi_queue, leaves_what_does_not_fit) {
    il_queue *queue = open_queue(door, "it", 0);
    char room[16];
    size_t bytes = 0, done = 0;
    il_message message;
    put(queue, "twelve bytes");
    cr_assert_eq(il_queue_get(queue, room, 11, &bytes, NULL, 0), IL_ETOOBIG);
    cr_assert_eq(bytes, 12);
    bytes = 0;
    cr_assert_eq(il_queue_peek(queue, room, 11, &bytes, NULL), IL_ETOOBIG);
    cr_assert_eq(bytes, 12);
    cr_assert_eq(il_queue_get_many(queue, room, 11, &message, 1, &done, 0), IL_ETOOBIG);
    cr_assert_eq(done, 12);
    bytes = 0;
    cr_assert_eq(il_queue_peek(queue, room, 12, &bytes, NULL), IL_OK);
    cr_assert_eq(bytes, 12);
    expect(queue, "twelve bytes");
    il_queue_close(queue);
}

EACH_DOOR(abi_queue, holds_no_more_than_its_maxsize) {
    il_queue *queue = open_queue(door, "it", 2);
    int32_t full = -1, empty = -1;
    uint64_t maxsize = 0;
    cr_assert_eq(il_queue_maxsize(queue, &maxsize), IL_OK);
    cr_assert_eq(maxsize, 2);
    cr_assert_eq(il_queue_empty(queue, &empty), IL_OK);
    cr_assert_eq(empty, 1);
    put(queue, "a");
    cr_assert_eq(il_queue_full(queue, &full), IL_OK);
    cr_assert_eq(full, 0);
    put(queue, "b");
    cr_assert_eq(il_queue_full(queue, &full), IL_OK);
    cr_assert_eq(full, 1);
    cr_assert_eq(il_queue_empty(queue, &empty), IL_OK);
    cr_assert_eq(empty, 0);
    cr_assert_eq(il_queue_put(queue, "c", 1, IL_TEXT, IL_NOWAIT), IL_ETIMEOUT);
    int64_t begin = test_now_ns();
    cr_assert_eq(il_queue_put(queue, "c", 1, IL_TEXT, seconds(0.05)), IL_ETIMEOUT);
    cr_assert(test_now_ns() - begin >= seconds(0.05));
    expect(queue, "a");
    put(queue, "c");
    expect(queue, "b");
    expect(queue, "c");
    begin = test_now_ns();
    size_t bytes = 77;
    char room[4];
    cr_assert_eq(il_queue_get(queue, room, 4, &bytes, NULL, seconds(0.05)), IL_ETIMEOUT);
    cr_assert(test_now_ns() - begin >= seconds(0.05));
    cr_assert_eq(bytes, 77);
    il_queue_close(queue);
}

EACH_DOOR(abi_queue, takes_and_gives_many_at_once) {
    il_queue *queue = open_queue(door, "it", 100);
    static char data[150][8], room[4000];
    il_message messages[150], got[150];
    size_t done = 99;
    for (int i = 0; i < 150; i++) {
        snprintf(data[i], sizeof data[i], "%d", i);
        messages[i] =
            (il_message){data[i], strlen(data[i]), (uint32_t)i % 2 ? IL_TEXT : IL_BYTES, 0};
    }
    cr_assert_eq(il_queue_put_many(queue, messages, 0, &done, 0), IL_OK);
    cr_assert_eq(done, 0);
    cr_assert_eq(il_queue_put_many(queue, messages, 150, &done, seconds(0.05)), IL_ETIMEOUT);
    cr_assert_eq(done, 100, "%zu", done);
    size_t total = 0;
    while (total < 150) {
        cr_assert_eq(il_queue_get_many(queue, room, sizeof room, got, 30, &done, seconds(1)), IL_OK,
                     "%s", il_error_message());
        cr_assert(done >= 1 && done <= 30);
        for (size_t i = 0; i < done; i++) {
            cr_assert_eq(got[i].bytes, strlen(data[total + i]));
            cr_assert_arr_eq(got[i].data, data[total + i], got[i].bytes);
            cr_assert_eq(got[i].type, (total + i) % 2 ? IL_TEXT : IL_BYTES);
        }
        total += done;
        if (total == 90) {
            cr_assert_eq(il_queue_put_many(queue, messages + 100, 50, &done, 0), IL_OK);
            cr_assert_eq(done, 50);
        }
    }
    cr_assert_eq(il_queue_get_many(queue, room, sizeof room, got, 1, &done, 0), IL_ETIMEOUT);
    /* only what fits */
    cr_assert_eq(il_queue_put_many(queue, messages, 20, &done, 0), IL_OK);
    cr_assert_eq(il_queue_get_many(queue, room, 5, got, 20, &done, 0), IL_OK);
    cr_assert_eq(done, 5);
    il_queue_close(queue);
}

struct other {
    pthread_t thread;
    il_queue *queue;
    bool puts;
    il_status status;
};

static void *use_other(void *argument) {
    struct other *o = argument;
    char room[100];
    size_t bytes;
    o->status =
        o->puts ? il_queue_put(o->queue, "from the thread", 15, IL_TEXT, seconds(DOOR_SECONDS))
                : il_queue_get(o->queue, room, sizeof room, &bytes, NULL, seconds(DOOR_SECONDS));
    return NULL;
}

EACH_DOOR(abi_queue, wakes_who_waits) {
    il_queue *queue = open_queue(door, "it", 1);
    struct other getter = {.queue = queue}, putter = {.queue = queue, .puts = true};
    pthread_create(&getter.thread, NULL, use_other, &getter);
    put(queue, "x");
    pthread_join(getter.thread, NULL);
    cr_assert_eq(getter.status, IL_OK);
    put(queue, "y");
    pthread_create(&putter.thread, NULL, use_other, &putter);
    expect(queue, "y");
    pthread_join(putter.thread, NULL);
    cr_assert_eq(putter.status, IL_OK);
    expect(queue, "from the thread");
    il_queue_close(queue);
}

EACH_DOOR(abi_queue, when_shut_gives_what_is_left) {
    il_queue *queue = open_queue(door, "it", 2), *empty = open_queue(door, "empty", 0);
    struct other getter = {.queue = empty}, putter = {.queue = queue, .puts = true};
    char room[10];
    size_t bytes;
    put(queue, "a");
    put(queue, "b");
    pthread_create(&putter.thread, NULL, use_other, &putter);
    pthread_create(&getter.thread, NULL, use_other, &getter);
    cr_assert_eq(il_queue_shut(queue), IL_OK);
    cr_assert_eq(il_queue_shut(empty), IL_OK);
    cr_assert_eq(il_queue_shut(queue), IL_OK, "shutting twice is a no-op");
    pthread_join(putter.thread, NULL);
    pthread_join(getter.thread, NULL);
    cr_assert_eq(putter.status, IL_ECLOSED);
    cr_assert_eq(getter.status, IL_ECLOSED);
    cr_assert_eq(il_queue_put(queue, "c", 1, IL_TEXT, 0), IL_ECLOSED);
    expect(queue, "a");
    expect(queue, "b");
    cr_assert_eq(il_queue_get(queue, room, sizeof room, &bytes, NULL, IL_FOREVER), IL_ECLOSED);
    il_queue_close(queue);
    il_queue_close(empty);
}

EACH_DOOR(abi_queue, tells_everyone_of_its_end) {
    il_queue *queue = open_queue(door, "it", 0), *again = NULL;
    struct other getter = {.queue = queue};
    uint64_t size;
    il_queue_options options = {sizeof options, 0, 5};
    cr_assert_eq(il_queue_open(door->domain, "it", 2, &options, &again), IL_ECONFLICT);
    if (!door->local) { /* there a handle is a name: using it makes the queue anew */
        cr_assert_eq(il_queue_delete(door->domain, "it", 2), IL_OK);
        cr_assert_eq(il_queue_delete(door->domain, "it", 2), IL_ENOTFOUND);
        put(queue, "anew");
        expect(queue, "anew");
        il_queue_close(queue);
        return;
    }
    pthread_create(&getter.thread, NULL, use_other, &getter);
    cr_assert_eq(il_queue_delete(door->domain, "it", 2), IL_OK);
    pthread_join(getter.thread, NULL);
    cr_assert(getter.status == IL_EDELETED, "%s", il_status_name(getter.status));
    cr_assert_eq(il_queue_put(queue, "x", 1, IL_TEXT, 0), IL_EDELETED);
    cr_assert_eq(il_queue_size(queue, &size), IL_EDELETED);
    cr_assert_eq(il_queue_shut(queue), IL_EDELETED);
    cr_assert_eq(il_queue_delete(door->domain, "it", 2), IL_ENOTFOUND);
    again = open_queue(door, "it", 5);
    put(again, "new");
    expect(again, "new");
    il_queue_close(again);
    il_queue_close(queue);
}

EACH_DOOR(abi_queue, names_the_bad_argument) {
    il_queue *queue = open_queue(door, "it", 0), *out = NULL;
    il_queue_options options = {sizeof options, 1, 0};
    il_message message = {NULL, 3, IL_BYTES, 0};
    char room[8];
    size_t n = 0;
    cr_assert_eq(il_queue_open(NULL, "it", 2, NULL, &out), IL_EINVAL);
    SAYS("domain");
    cr_assert_eq(il_queue_open(door->domain, "it", 2, NULL, NULL), IL_EINVAL);
    SAYS("out");
    cr_assert_eq(il_queue_open(door->domain, "it", 2, &options, &out), IL_EINVAL);
    SAYS("reserved");
    options = (il_queue_options){4, 0, 0};
    cr_assert_eq(il_queue_open(door->domain, "it", 2, &options, &out), IL_EINVAL);
    SAYS("struct_bytes");
    cr_assert_eq(il_queue_delete(door->domain, "", 0), IL_EINVAL);
    SAYS("name");
    cr_assert_eq(il_queue_put(NULL, "x", 1, 0, 0), IL_EINVAL);
    SAYS("queue");
    cr_assert_eq(il_queue_put(queue, NULL, 1, 0, 0), IL_EINVAL);
    SAYS("data");
    cr_assert_eq(il_queue_put(queue, "x", 1, 3, 0), IL_EINVAL);
    SAYS("type");
    cr_assert_eq(il_queue_put(queue, "x", 1, 0, -5), IL_EINVAL);
    SAYS("timeout_ns");
    cr_assert_eq(il_queue_put_many(queue, &message, 1, NULL, 0), IL_EINVAL);
    SAYS("done");
    cr_assert_eq(il_queue_put_many(queue, NULL, 1, &n, 0), IL_EINVAL);
    SAYS("messages");
    cr_assert_eq(il_queue_put_many(queue, &message, 1, &n, 0), IL_EINVAL);
    SAYS("data");
    cr_assert_eq(il_queue_get(queue, room, 8, NULL, NULL, 0), IL_EINVAL);
    SAYS("bytes");
    cr_assert_eq(il_queue_get(queue, room, 8, &n, NULL, -2), IL_EINVAL);
    SAYS("timeout_ns");
    cr_assert_eq(il_queue_get_many(queue, room, 8, &message, 0, &n, 0), IL_EINVAL);
    SAYS("messages");
    cr_assert_eq(il_queue_get_many(queue, room, 8, &message, 1, NULL, 0), IL_EINVAL);
    SAYS("done");
    cr_assert_eq(il_queue_peek(queue, room, 8, NULL, NULL), IL_EINVAL);
    SAYS("bytes");
    cr_assert_eq(il_queue_peek(queue, room, 8, &n, NULL), IL_ETIMEOUT);
    cr_assert_eq(il_queue_size(queue, NULL), IL_EINVAL);
    SAYS("size");
    cr_assert_eq(il_queue_maxsize(queue, NULL), IL_EINVAL);
    SAYS("maxsize");
    cr_assert_eq(il_queue_empty(queue, NULL), IL_EINVAL);
    SAYS("empty");
    cr_assert_eq(il_queue_full(queue, NULL), IL_EINVAL);
    SAYS("full");
    cr_assert_eq(il_queue_shut(NULL), IL_EINVAL);
    SAYS("queue");
    cr_assert_eq(il_queue_close(NULL), IL_OK);
    il_queue_close(queue);
}

EACH_DOOR(abi_queue, without_a_name_lives_until_it_is_closed) {
    il_queue *queue = NULL;
    il_domain_info before = {.struct_bytes = sizeof before}, after = before;
    il_status status = il_queue_open(door->domain, NULL, 0, NULL, &queue);
    if (!door->local) {
        cr_assert_eq(status, IL_EUNSUPPORTED);
        return;
    }
    il_queue_close(queue);
    il_domain_info_get(door->domain, &before);
    static char big[100000];
    cr_assert_eq(il_queue_open(door->domain, NULL, 0, NULL, &queue), IL_OK);
    for (int i = 0; i < 10; i++) il_queue_put(queue, big, sizeof big, IL_BYTES, 0);
    il_queue_close(queue);
    il_domain_info_get(door->domain, &after);
    cr_assert_eq(after.free_bytes, before.free_bytes);
}
