#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "support/doors.h"

static il_value *open_value(struct door *door, const char *name, uint32_t type, uint32_t room) {
    il_value_options options = {.struct_bytes = sizeof options, .type = type, .room = room};
    il_value *value = NULL;
    cr_assert_eq(il_value_open(door->domain, name, strlen(name), &options, &value), IL_OK, "%s",
                 il_error_message());
    return value;
}

static int64_t load(il_value *value) {
    int64_t now = -77;
    cr_assert_eq(il_value_load(value, IL_I64, &now), IL_OK, "%s", il_error_message());
    return now;
}

static void failed(il_status status, il_status expected, const char *words) {
    cr_assert_eq(status, expected, "%s: %s", il_status_name(status), il_error_message());
    cr_assert_not_null(strstr(il_error_message(), words), "%s", il_error_message());
}

#define AT_ITS_EDGES(T, type, least, most)                                                         \
    do {                                                                                           \
        T low = least, high = most, one = 1, now = 5, was = 77;                                    \
        int32_t swapped = -1;                                                                      \
        uint32_t its, room;                                                                        \
        il_value *value = open_value(door, #type, type, 0);                                        \
        cr_assert_eq(il_value_type(value, &its, &room), IL_OK);                                    \
        cr_assert(its == type && room == sizeof(T));                                               \
        cr_assert_eq(il_value_load(value, type, &now), IL_OK);                                     \
        cr_assert_eq(now, 0);                                                                      \
        cr_assert_eq(il_value_store(value, type, &high), IL_OK);                                   \
        cr_assert_eq(il_value_add(value, type, &one, &was), IL_OK);                                \
        cr_assert_eq(was, high);                                                                   \
        cr_assert_eq(il_value_load(value, type, &now), IL_OK);                                     \
        cr_assert_eq(now, low);                                                                    \
        cr_assert_eq(il_value_compare_exchange(value, type, &was, &one, &swapped), IL_OK);         \
        cr_assert(swapped == 0 && was == low);                                                     \
        cr_assert_eq(il_value_compare_exchange(value, type, &was, &high, &swapped), IL_OK);        \
        cr_assert_eq(swapped, 1);                                                                  \
        cr_assert_eq(il_value_exchange(value, type, &one, &was), IL_OK);                           \
        cr_assert_eq(was, high);                                                                   \
        cr_assert_eq(il_value_add(value, type, &one, NULL), IL_OK);                                \
        cr_assert_eq(il_value_load(value, type, &now), IL_OK);                                     \
        cr_assert_eq(now, 2);                                                                      \
        cr_assert_eq(il_value_close(value), IL_OK);                                                \
    } while (0)

EACH_DOOR(abi_value, integers_of_every_type_at_their_edges) {
    AT_ITS_EDGES(int8_t, IL_I8, INT8_MIN, INT8_MAX);
    AT_ITS_EDGES(int16_t, IL_I16, INT16_MIN, INT16_MAX);
    AT_ITS_EDGES(int32_t, IL_I32, INT32_MIN, INT32_MAX);
    AT_ITS_EDGES(int64_t, IL_I64, INT64_MIN, INT64_MAX);
    AT_ITS_EDGES(uint8_t, IL_U8, 0, UINT8_MAX);
    AT_ITS_EDGES(uint16_t, IL_U16, 0, UINT16_MAX);
    AT_ITS_EDGES(uint32_t, IL_U32, 0, UINT32_MAX);
    AT_ITS_EDGES(uint64_t, IL_U64, 0, UINT64_MAX);
}

EACH_DOOR(abi_value, floats_with_everything_they_can_be) {
    double numbers[] = {0.1, -1e300, 5e-324, (double)INFINITY, -(double)INFINITY, -0.0}, d;
    float f = 0.1F, sum;
    il_value *value = open_value(door, "f64", IL_F64, 0),
             *small = open_value(door, "f32", IL_F32, 0);
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(il_value_store(value, IL_F64, &numbers[i]), IL_OK, "%s", il_error_message());
        cr_assert_eq(il_value_load(value, IL_F64, &d), IL_OK);
        cr_assert_eq(memcmp(&d, &numbers[i], sizeof d), 0, "%g", d);
    }
    d = (double)NAN;
    cr_assert_eq(il_value_exchange(value, IL_F64, &d, NULL), IL_OK);
    cr_assert_eq(il_value_load(value, IL_F64, &d), IL_OK);
    cr_assert(isnan(d));
    for (int i = 0; i < 3; i++) cr_assert_eq(il_value_add(small, IL_F32, &f, NULL), IL_OK);
    cr_assert_eq(il_value_load(small, IL_F32, &sum), IL_OK);
    cr_assert_eq(sum, 0.1F + 0.1F + 0.1F);
    il_value_close(value);
    il_value_close(small);
}

EACH_DOOR(abi_value, is_an_i64_by_default_and_the_same_by_all_handles) {
    static const char name[] = "\xc3\xa4 / %2F:?#";
    il_value *one = NULL, *two = NULL;
    int64_t five = 5;
    uint32_t type = 0;
    cr_assert_eq(il_value_open(door->domain, name, sizeof name - 1, NULL, &one), IL_OK, "%s",
                 il_error_message());
    cr_assert_eq(il_value_type(one, &type, NULL), IL_OK);
    cr_assert_eq(type, IL_I64);
    cr_assert_eq(il_value_store(one, IL_I64, &five), IL_OK);
    il_value_options other = {.struct_bytes = sizeof other, .type = IL_U8};
    cr_assert_eq(il_value_open(door->domain, name, sizeof name - 1, &other, &two), IL_ECONFLICT);
    cr_assert_null(two);
    cr_assert_eq(il_value_open(door->domain, name, sizeof name - 1, NULL, &two), IL_OK);
    cr_assert_eq(load(two), 5);
    il_value_close(one);
    il_value_close(two);
}

EACH_DOOR(abi_value, bytes_and_text_of_a_fixed_room) {
    static const char *const texts[] = {"", "x", "\xc3\xa4 \"quoted\" \\ \n",
                                        "exactly twenty bytes"};
    const uint8_t bytes[] = {0, 255, 10, 0, 128};
    char room[64];
    size_t got = 0;
    int32_t swapped = -1;
    il_value *text = open_value(door, "text", IL_FIXED_TEXT, 20);
    il_value *raw = open_value(door, "raw", IL_FIXED_BYTES, 8);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(il_value_set(text, texts[i], strlen(texts[i])), IL_OK, "%s",
                     il_error_message());
        cr_assert_eq(il_value_get(text, room, sizeof room, &got), IL_OK, "%s", il_error_message());
        cr_assert(got == strlen(texts[i]) && memcmp(room, texts[i], got) == 0);
    }
    failed(il_value_set(text, "one and twenty bytes.", 21), IL_ETOOBIG, "room for 20");
    failed(il_value_set(text, "\xff", 1), IL_EINVAL, "UTF-8");
    got = 0;
    failed(il_value_get(text, room, 19, &got), IL_ETOOBIG, "20");
    cr_assert_eq(got, 20);
    cr_assert_eq(il_value_compare_set(text, "other", 5, "new", 3, &swapped), IL_OK);
    cr_assert_eq(swapped, 0);
    cr_assert_eq(il_value_compare_set(text, texts[3], 20, "new", 3, &swapped), IL_OK);
    cr_assert_eq(swapped, 1);
    cr_assert_eq(il_value_get(text, room, 3, &got), IL_OK);
    cr_assert_eq(memcmp(room, "new", 3), 0);
    cr_assert_eq(il_value_set(raw, bytes, sizeof bytes), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_value_get(raw, room, sizeof room, &got), IL_OK, "%s", il_error_message());
    cr_assert(got == sizeof bytes && memcmp(room, bytes, got) == 0);
    il_value_close(text);
    il_value_close(raw);
}

EACH_DOOR(abi_value, largest_text_passes) {
    char *text = malloc(IL_ROOM_MAX_BYTES), *back = malloc(IL_ROOM_MAX_BYTES);
    size_t got = 0;
    il_value *value = open_value(door, "large", IL_FIXED_TEXT, IL_ROOM_MAX_BYTES);
    memset(text, 1, IL_ROOM_MAX_BYTES); /* six times as long in JSON */
    cr_assert_eq(il_value_set(value, text, IL_ROOM_MAX_BYTES), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_value_get(value, back, IL_ROOM_MAX_BYTES, &got), IL_OK, "%s",
                 il_error_message());
    cr_assert(got == IL_ROOM_MAX_BYTES && memcmp(text, back, got) == 0);
    il_value_close(value);
    free(text);
    free(back);
}

EACH_DOOR(abi_value, a_wrong_type_is_told_with_both) {
    int64_t number = 3;
    double d = 2;
    size_t got;
    il_value *value = open_value(door, "it", IL_I64, 0);
    il_value *text = open_value(door, "text", IL_FIXED_TEXT, 4);
    failed(il_value_store(value, IL_F64, &d), IL_ETYPE, "i64, the call asks for f64");
    failed(il_value_add(value, IL_U64, &number, NULL), IL_ETYPE, "u64");
    failed(il_value_load(value, IL_I8, &number), IL_ETYPE, "i8");
    failed(il_value_set(value, "x", 1), IL_ETYPE, "i64, the call is for bytes or text");
    failed(il_value_get(value, NULL, 0, &got), IL_ETYPE, "i64");
    failed(il_value_load(text, IL_I64, &number), IL_ETYPE, "text, the call asks for i64");
    failed(il_value_load(value, 11, &number), IL_EINVAL, "type");
    cr_assert_eq(load(value), 0);
    cr_assert_eq(number, 3);
    il_value_close(value);
    il_value_close(text);
}

EACH_DOOR(abi_value, refuses_bad_arguments) {
    il_value_options options = {.struct_bytes = sizeof options, .type = 13};
    il_value *value = open_value(door, "it", IL_I64, 0), *none = NULL;
    int64_t number = 0;
    failed(il_value_open(door->domain, "x", 1, &options, &none), IL_EINVAL, "options.type");
    options.type = IL_I64;
    options.room = 8;
    failed(il_value_open(door->domain, "x", 1, &options, &none), IL_EINVAL, "options.room");
    options.type = IL_FIXED_TEXT;
    options.room = 0;
    failed(il_value_open(door->domain, "x", 1, &options, &none), IL_EINVAL, "options.room");
    options.room = IL_ROOM_MAX_BYTES + 1;
    failed(il_value_open(door->domain, "x", 1, &options, &none), IL_EINVAL, "65536");
    options.room = 1;
    options.reserved = 1;
    failed(il_value_open(door->domain, "x", 1, &options, &none), IL_EINVAL, "reserved");
    options.struct_bytes = 4;
    failed(il_value_open(door->domain, "x", 1, &options, &none), IL_EINVAL, "struct_bytes");
    failed(il_value_open(door->domain, "x", 1, NULL, NULL), IL_EINVAL, "out");
    failed(il_value_open(NULL, "x", 1, NULL, &none), IL_EINVAL, "domain");
    failed(il_value_load(NULL, IL_I64, &number), IL_EINVAL, "value");
    failed(il_value_load(value, IL_I64, NULL), IL_EINVAL, "out");
    failed(il_value_store(value, IL_I64, NULL), IL_EINVAL, "in");
    failed(il_value_add(value, IL_I64, NULL, &number), IL_EINVAL, "delta");
    failed(il_value_add(NULL, IL_I64, &number, NULL), IL_EINVAL, "value");
    failed(il_value_exchange(value, IL_I64, NULL, NULL), IL_EINVAL, "in");
    failed(il_value_compare_exchange(value, IL_I64, &number, &number, NULL), IL_EINVAL, "swapped");
    failed(il_value_type(value, NULL, NULL), IL_EINVAL, "type");
    cr_assert_null(none);
    cr_assert_eq(il_value_close(NULL), IL_OK);
    il_value_close(value);
}

EACH_DOOR(abi_value, a_deleted_one_is_told_and_its_lock_goes_too) {
    int64_t number = 1;
    il_value *value = open_value(door, "it", IL_I64, 0), *anew = NULL;
    il_rlock *lock = NULL, *again = NULL;
    int32_t locked = -1;
    cr_assert_eq(il_value_store(value, IL_I64, &number), IL_OK);
    cr_assert_eq(il_value_lock(value, &lock), IL_OK);
    cr_assert_eq(il_rlock_acquire(lock, IL_NOWAIT, NULL), IL_OK);
    cr_assert_eq(il_value_delete(door->domain, "it", 2), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_value_delete(door->domain, "it", 2), IL_ENOTFOUND);
    if (door->local) { /* over HTTP a handle stands for a name */
        cr_assert_eq(il_value_load(value, IL_I64, &number), IL_EDELETED);
        cr_assert_eq(il_value_store(value, IL_I64, &number), IL_EDELETED);
        cr_assert_eq(il_value_add(value, IL_I64, &number, NULL), IL_EDELETED);
        cr_assert_eq(il_value_exchange(value, IL_I64, &number, NULL), IL_EDELETED);
    } else {
        cr_assert_eq(load(value), 0);
    }
    cr_assert_eq(il_rlock_locked(lock, &locked), IL_EDELETED, "its lock is gone");
    anew = open_value(door, "it", IL_I64, 0);
    cr_assert_eq(load(anew), 0);
    cr_assert_eq(il_value_lock(anew, &again), IL_OK);
    cr_assert_eq(il_rlock_locked(again, &locked), IL_OK);
    cr_assert_eq(locked, 0);
    il_value_close(value);
    il_value_close(anew);
}

EACH_DOOR(abi_value, has_a_lock_of_its_own) {
    char long_name[252];
    il_value *value = open_value(door, "it", IL_I64, 0), *long_one;
    il_rlock *lock = NULL, *same = NULL, *by_name = NULL;
    int32_t locked = 0;
    cr_assert_eq(il_value_lock(value, &lock), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_value_lock(value, &same), IL_OK);
    cr_assert_eq(lock, same);
    cr_assert_eq(il_rlock_acquire(lock, IL_NOWAIT, NULL), IL_OK);
    cr_assert_eq(il_rlock_open(door->domain, "value:it", 8, NULL, &by_name), IL_OK);
    cr_assert_eq(il_rlock_locked(by_name, &locked), IL_OK);
    cr_assert_eq(locked, 1);
    cr_assert_eq(load(value), 0, "its calls do not care for the lock");
    cr_assert_eq(il_rlock_release(lock, 0), IL_OK);
    il_rlock_close(by_name);
    memset(long_name, 'n', sizeof long_name);
    long_name[250] = 0;
    long_one = open_value(door, long_name, IL_I64, 0);
    same = NULL;
    failed(il_value_lock(long_one, &same), IL_ETOOBIG, "255");
    cr_assert_null(same);
    il_value_close(long_one);
    il_value_close(value);
}

EACH_DOOR(abi_value, memory_is_the_number_itself) {
    void *memory = NULL;
    int64_t five = 5;
    il_value *value = open_value(door, "it", IL_I64, 0);
    if (door->local) {
        cr_assert_eq(il_value_memory(value, &memory), IL_OK);
        cr_assert_eq(il_value_store(value, IL_I64, &five), IL_OK);
        cr_assert_eq(atomic_load((_Atomic int64_t *)memory), 5);
        atomic_fetch_add((_Atomic int64_t *)memory, 2);
        cr_assert_eq(load(value), 7);
        il_value *text = open_value(door, "text", IL_FIXED_TEXT, 4);
        failed(il_value_memory(text, &memory), IL_ETYPE, "text");
        il_value_close(text);
    } else {
        failed(il_value_memory(value, &memory), IL_EUNSUPPORTED, "HTTP");
        cr_assert_null(memory);
    }
    il_value_close(value);
}

/* ---- threads and processes --------------------------------------------------------------------------- */

#define ADDS 200

static void *add(void *argument) {
    int64_t one = 1;
    for (int i = 0; i < ADDS; i++) (void)il_value_add(argument, IL_I64, &one, NULL);
    return NULL;
}

EACH_DOOR(abi_value, no_addition_gets_lost) {
    pthread_t threads[4];
    il_value *value = open_value(door, "it", IL_I64, 0);
    for (int i = 0; i < 4; i++) cr_assert_eq(pthread_create(&threads[i], NULL, add, value), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    cr_assert_eq(load(value), 4 * ADDS);
    il_value_close(value);
}

Test(abi_value, an_anonymous_one_is_inherited_with_its_lock) {
    struct door door;
    int64_t one = 1;
    il_value *value = NULL;
    il_rlock *lock = NULL;
    int status = -1;
    cr_assert(door_open(&door, "private"));
    cr_assert_eq(il_value_open(door.domain, NULL, 0, NULL, &value), IL_OK);
    pid_t child = fork();
    if (child == 0) {
        bool fine = il_value_lock(value, &lock) == IL_OK &&
                    il_rlock_acquire(lock, IL_NOWAIT, NULL) == IL_OK &&
                    il_value_add(value, IL_I64, &one, NULL) == IL_OK &&
                    il_rlock_release(lock, 0) == IL_OK;
        _exit(fine ? 0 : 1);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    cr_assert_eq(load(value), 1);
    cr_assert_eq(il_value_lock(value, &lock), IL_OK);
    cr_assert_eq(il_value_close(value), IL_OK);
    door_close(&door);
}

Test(abi_value, an_attached_one_is_not_inherited) {
    struct door door;
    int64_t one = 1;
    int status = -1;
    cr_assert(door_open(&door, "unix"));
    il_value *value = open_value(&door, "it", IL_I64, 0);
    pid_t child = fork();
    if (child == 0) {
        bool fine = il_value_add(value, IL_I64, &one, NULL) == IL_EFORKED &&
                    il_value_store(value, IL_I64, &one) == IL_EFORKED &&
                    il_value_load(value, IL_I64, &one) == IL_EFORKED;
        _exit(fine ? 0 : 1);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    cr_assert_eq(load(value), 0);
    il_value_close(value);
    door_close(&door);
}
