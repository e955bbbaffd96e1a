#include <criterion/criterion.h>
#include <math.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "support/doors.h"

static il_array *open_array(struct door *door, const char *name, uint32_t type, uint32_t room,
                            uint64_t length) {
    il_array_options options = {
        .struct_bytes = sizeof options, .type = type, .room = room, .length = length};
    il_array *array = NULL;
    cr_assert_eq(il_array_open(door->domain, name, strlen(name), &options, &array), IL_OK, "%s",
                 il_error_message());
    return array;
}

static void failed(il_status status, il_status expected, const char *words) {
    cr_assert_eq(status, expected, "%s: %s", il_status_name(status), il_error_message());
    cr_assert_not_null(strstr(il_error_message(), words), "%s", il_error_message());
}

EACH_DOOR(abi_array, each_element_is_its_own) {
    il_array *array = open_array(door, "it", IL_I32, 0, 3);
    int32_t number = 7, one = 1, was = -1, now = -1, swapped = -1;
    uint64_t length = 0;
    cr_assert_eq(il_array_length(array, &length), IL_OK);
    cr_assert_eq(length, 3);
    cr_assert_eq(il_array_store(array, 1, IL_I32, &number), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_array_add(array, -2, IL_I32, &one, &was), IL_OK);
    cr_assert_eq(was, 7);
    cr_assert_eq(il_array_exchange(array, 1, IL_I32, &one, &was), IL_OK);
    cr_assert_eq(was, 8);
    cr_assert_eq(il_array_compare_exchange(array, -2, IL_I32, &was, &number, &swapped), IL_OK);
    cr_assert(swapped == 0 && was == 1);
    cr_assert_eq(il_array_compare_exchange(array, 1, IL_I32, &was, &number, &swapped), IL_OK);
    cr_assert_eq(swapped, 1);
    int32_t expected[] = {0, 7, 0};
    for (int64_t i = 0; i < 3; i++) {
        cr_assert_eq(il_array_load(array, i, IL_I32, &now), IL_OK);
        cr_assert_eq(now, expected[i]);
        cr_assert_eq(il_array_load(array, i - 3, IL_I32, &now), IL_OK);
        cr_assert_eq(now, expected[i]);
    }
    il_array_close(array);
}

EACH_DOOR(abi_array, every_type_has_the_size_it_says) {
    static const struct {
        uint32_t type;
        size_t bytes;
    } types[] = {{IL_I8, 1},  {IL_U8, 1},  {IL_I16, 2}, {IL_U16, 2}, {IL_I32, 4},
                 {IL_U32, 4}, {IL_F32, 4}, {IL_I64, 8}, {IL_U64, 8}, {IL_F64, 8}};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        char name[] = "type-X";
        uint8_t in[5 * 8], out[6 * 8];
        name[5] = (char)('a' + t);
        for (size_t i = 0; i < sizeof in; i++) in[i] = (uint8_t)(i * 37 + t) & 0x3f;
        memset(out, 0xee, sizeof out);
        il_array *array = open_array(door, name, types[t].type, 0, 5);
        cr_assert_eq(il_array_write(array, 0, 5, types[t].type, in), IL_OK, "%s",
                     il_error_message());
        cr_assert_eq(il_array_read(array, 0, 5, types[t].type, out), IL_OK, "%s",
                     il_error_message());
        cr_assert_eq(memcmp(in, out, 5 * types[t].bytes), 0);
        cr_assert_eq(out[5 * types[t].bytes], 0xee, "and no more");
        if (door->local) {
            void *memory;
            uint64_t bytes;
            cr_assert_eq(il_array_memory(array, &memory, &bytes), IL_OK);
            cr_assert_eq(bytes, 5 * types[t].bytes);
            cr_assert_eq(memcmp(memory, in, bytes), 0);
        }
        il_array_close(array);
    }
}

EACH_DOOR(abi_array, an_index_that_is_none_says_the_length) {
    il_array *array = open_array(door, "it", IL_U64, 0, 10);
    uint64_t number = 5, many[20] = {0};
    const int64_t none[] = {10, -11, INT64_MAX, INT64_MIN};
    for (int i = 0; i < 4; i++) {
        failed(il_array_store(array, none[i], IL_U64, &number), IL_ERANGE, "length is 10");
        failed(il_array_load(array, none[i], IL_U64, &number), IL_ERANGE, "length is 10");
        failed(il_array_add(array, none[i], IL_U64, &number, NULL), IL_ERANGE, "length is 10");
    }
    cr_assert_eq(number, 5);
    many[0] = 3;
    failed(il_array_write(array, 1, 10, IL_U64, many), IL_ERANGE, "length is 10");
    failed(il_array_write(array, -1, 2, IL_U64, many), IL_ERANGE, "length is 10");
    failed(il_array_read(array, 0, UINT64_MAX, IL_U64, many), IL_ERANGE, "length is 10");
    failed(il_array_read(array, 11, 0, IL_U64, many), IL_ERANGE, "length is 10");
    cr_assert_eq(il_array_read(array, 10, 0, IL_U64, NULL), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_array_read(array, 0, 10, IL_U64, many), IL_OK);
    for (int i = 0; i < 10; i++) cr_assert_eq(many[i], 0, "nothing was written");
    cr_assert_eq(il_array_write(array, -3, 3, IL_U64, (uint64_t[]){1, 2, UINT64_MAX}), IL_OK);
    cr_assert_eq(il_array_load(array, 9, IL_U64, &number), IL_OK);
    cr_assert_eq(number, UINT64_MAX);
    il_array_close(array);
}

EACH_DOOR(abi_array, many_go_in_one_call) {
    enum { COUNT = 25000 };
    il_array *array = open_array(door, "it", IL_F64, 0, COUNT + 2);
    double *in = malloc(COUNT * sizeof *in), *out = malloc(COUNT * sizeof *out), edge = 1;
    for (int i = 0; i < COUNT; i++) in[i] = i / 7.0;
    in[3] = (double)INFINITY;
    cr_assert_eq(il_array_write(array, 1, COUNT, IL_F64, in), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_array_read(array, 1, COUNT, IL_F64, out), IL_OK, "%s", il_error_message());
    cr_assert_eq(memcmp(in, out, COUNT * sizeof *in), 0);
    cr_assert_eq(il_array_load(array, 0, IL_F64, &edge), IL_OK);
    cr_assert_eq(edge, 0.0);
    edge = 1;
    cr_assert_eq(il_array_load(array, -1, IL_F64, &edge), IL_OK);
    cr_assert_eq(edge, 0.0);
    il_array_close(array);
    free(in);
    free(out);
}

EACH_DOOR(abi_array, texts_and_bytes_beside_each_other) {
    char room[32];
    size_t got = 0;
    int32_t swapped = -1;
    il_array *texts = open_array(door, "texts", IL_FIXED_TEXT, 5, 100);
    il_array *bytes = open_array(door, "bytes", IL_FIXED_BYTES, 1, 2);
    cr_assert_eq(il_array_set(texts, 50, "fifty", 5), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_array_set(texts, -49, "", 0), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_array_get(texts, -50, room, sizeof room, &got), IL_OK, "%s",
                 il_error_message());
    cr_assert(got == 5 && memcmp(room, "fifty", 5) == 0);
    cr_assert_eq(il_array_get(texts, 49, NULL, 0, &got), IL_OK);
    cr_assert_eq(got, 0);
    cr_assert_eq(il_array_compare_set(texts, 50, "fifty", 5, "50", 2, &swapped), IL_OK);
    cr_assert_eq(swapped, 1);
    cr_assert_eq(il_array_compare_set(texts, 50, "far too long", 12, "x", 1, &swapped), IL_OK);
    cr_assert_eq(swapped, 0);
    failed(il_array_get(texts, 100, room, sizeof room, &got), IL_ERANGE, "length is 100");
    failed(il_array_set(texts, 0, "sixteen", 7), IL_ETOOBIG, "room for 5");
    failed(il_array_set(texts, 0, NULL, 2), IL_EINVAL, "data");
    cr_assert_eq(il_array_set(bytes, 1, "\xff", 1), IL_OK);
    cr_assert_eq(il_array_get(bytes, 1, room, sizeof room, &got), IL_OK);
    cr_assert(got == 1 && (uint8_t)room[0] == 0xff);
    il_array_close(texts);
    il_array_close(bytes);
}

EACH_DOOR(abi_array, types_are_told_and_checked) {
    int64_t number = 0;
    void *memory;
    uint64_t bytes;
    il_array *array = open_array(door, "it", IL_I64, 0, 2);
    il_array *text = open_array(door, "text", IL_FIXED_TEXT, 3, 2);
    failed(il_array_store(array, 0, IL_U64, &number), IL_ETYPE, "i64, the call asks for u64");
    failed(il_array_read(array, 0, 1, IL_F32, &number), IL_ETYPE, "f32");
    failed(il_array_write(text, 0, 1, IL_I64, &number), IL_ETYPE, "text");
    failed(il_array_set(array, 0, "x", 1), IL_ETYPE, "i64");
    failed(il_array_memory(text, &memory, &bytes), door->local ? IL_ETYPE : IL_EUNSUPPORTED, "");
    il_array_close(array);
    il_array_close(text);
}

EACH_DOOR(abi_array, options_make_it_and_are_kept) {
    il_array_options options = {.struct_bytes = sizeof options, .type = IL_I8, .length = 3};
    il_array *array = NULL, *again = NULL;
    uint64_t length = 0;
    uint32_t type = 0, room = 0;
    failed(il_array_open(door->domain, "none", 4, NULL, &array), IL_ENOTFOUND, "");
    cr_assert_null(array);
    array = open_array(door, "it", IL_I8, 0, 3);
    cr_assert_eq(il_array_open(door->domain, "it", 2, NULL, &again), IL_OK, "%s",
                 il_error_message());
    cr_assert_eq(il_array_length(again, &length), IL_OK);
    cr_assert_eq(il_array_type(again, &type, &room), IL_OK);
    cr_assert(length == 3 && type == IL_I8 && room == 1);
    il_array_close(again);
    again = NULL;
    options.length = 4;
    failed(il_array_open(door->domain, "it", 2, &options, &again), IL_ECONFLICT, "length=4");
    options.length = 0;
    failed(il_array_open(door->domain, "x", 1, &options, &again), IL_EINVAL, "options.length");
    options.length = UINT64_C(1) << 52;
    failed(il_array_open(door->domain, "x", 1, &options, &again), IL_ENOMEM, "half of the arena");
    cr_assert_null(again);
    failed(il_array_open(door->domain, "x", 1, NULL, &again), IL_ENOTFOUND, "");
    il_array_close(array);
}

EACH_DOOR(abi_array, a_deleted_one_is_told_and_its_lock_goes_too) {
    int64_t number = 1;
    il_array *array = open_array(door, "it", IL_I64, 0, 4);
    il_rlock *lock = NULL;
    int32_t locked = -1;
    cr_assert_eq(il_array_lock(array, &lock), IL_OK);
    cr_assert_eq(il_rlock_acquire(lock, IL_NOWAIT, NULL), IL_OK);
    cr_assert_eq(il_array_delete(door->domain, "it", 2), IL_OK);
    cr_assert_eq(il_array_store(array, 0, IL_I64, &number), IL_EDELETED, "%s", il_error_message());
    cr_assert_eq(il_array_load(array, 0, IL_I64, &number), IL_EDELETED);
    cr_assert_eq(il_array_read(array, 0, 1, IL_I64, &number), IL_EDELETED);
    cr_assert_eq(il_array_write(array, 0, 1, IL_I64, &number), IL_EDELETED);
    cr_assert_eq(il_rlock_locked(lock, &locked), IL_EDELETED);
    cr_assert_eq(il_array_close(array), IL_OK);
}

EACH_DOOR(abi_array, refuses_bad_arguments) {
    int64_t number = 0;
    il_array *array = open_array(door, "it", IL_I64, 0, 4), *none = NULL;
    failed(il_array_store(NULL, 0, IL_I64, &number), IL_EINVAL, "array");
    failed(il_array_store(array, 0, IL_I64, NULL), IL_EINVAL, "in");
    failed(il_array_load(array, 0, IL_I64, NULL), IL_EINVAL, "out");
    failed(il_array_read(array, 0, 1, IL_I64, NULL), IL_EINVAL, "out");
    failed(il_array_write(array, 0, 1, IL_I64, NULL), IL_EINVAL, "in");
    failed(il_array_length(array, NULL), IL_EINVAL, "length");
    failed(il_array_open(door->domain, NULL, 0, NULL, &none), IL_EINVAL, "options");
    cr_assert_eq(il_array_close(NULL), IL_OK);
    il_array_close(array);
}

Test(abi_array, memory_is_shared_with_a_child) {
    struct door door;
    il_array *array = NULL;
    il_array_options options = {.struct_bytes = sizeof options, .type = IL_U32, .length = 1000};
    void *memory;
    uint64_t bytes;
    uint32_t sum = 0, part;
    int status = -1;
    cr_assert(door_open(&door, "private"));
    cr_assert_eq(il_array_open(door.domain, NULL, 0, &options, &array), IL_OK);
    cr_assert_eq(il_array_memory(array, &memory, &bytes), IL_OK);
    cr_assert_eq(bytes, 4000);
    pid_t child = fork();
    if (child == 0) {
        for (uint32_t i = 0; i < 1000; i++) atomic_store((_Atomic uint32_t *)memory + i, i);
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    for (int64_t i = 0; i < 1000; i++) {
        cr_assert_eq(il_array_load(array, i, IL_U32, &part), IL_OK);
        sum += part;
    }
    cr_assert_eq(sum, 499500);
    il_array_close(array);
    door_close(&door);
}
