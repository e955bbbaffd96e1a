/*
 * caller SOCKET SEED: an ordinary attached client of an arena that somebody ruins. Calls everything there
 * is, with short timeouts, until the domain is gone; what the calls answer does not matter, only that this
 * process neither crashes nor reads outside. A call for a kind of object is one entry of `calls`.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <interlock.h>

#define TIMEOUT_NS INT64_C(20000000)
#define LARGE_BYTES 100000u

static il_domain *domain;
static uint64_t state;
static char large[LARGE_BYTES];

static uint64_t any(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Names that others use, and some that nobody has used. */
static size_t some_name(char name[32]) {
    static unsigned fresh;
    if (any() % 4) return (size_t)snprintf(name, 32, "n%d", (int)(any() % 6));
    return (size_t)snprintf(name, 32, "c%u", fresh++ % 1000);
}

static void call_lock(const char *name, size_t bytes) {
    il_lock_options options = {.struct_bytes = sizeof options,
                               .flags = any() % 8 ? 0 : IL_LOCK_FAIR};
    il_lock *lock;
    uint64_t token = 0;
    int32_t locked;
    if (il_lock_open(domain, name, bytes, any() % 2 ? &options : NULL, &lock) != IL_OK) return;
    for (int i = 0; i < 4; i++) {
        il_status status = il_lock_acquire(lock, any() % 2 ? TIMEOUT_NS : IL_NOWAIT, &token);
        (void)il_lock_locked(lock, &locked);
        if (status == IL_OK || status == IL_EOWNERDEAD) (void)il_lock_release(lock, token);
    }
    if (any() % 8 == 0) (void)il_lock_delete(domain, name, bytes);
    (void)il_lock_close(lock);
}

static void call_queue(const char *name, size_t bytes) {
    il_queue_options options = {.struct_bytes = sizeof options, .maxsize = any() % 4 ? 8 : 0};
    il_queue *queue;
    uint64_t got;
    uint32_t type;
    static char room[LARGE_BYTES];
    if (il_queue_open(domain, name, bytes, any() % 2 ? &options : NULL, &queue) != IL_OK) return;
    for (int i = 0; i < 6; i++) {
        uint64_t size = any() % 8 ? any() % 300 : any() % LARGE_BYTES;
        if (any() % 2) {
            (void)il_queue_put(queue, large, size, IL_BYTES, TIMEOUT_NS);
        } else {
            (void)il_queue_get(queue, room, sizeof room, &got, &type, TIMEOUT_NS);
        }
        (void)il_queue_size(queue, &got);
    }
    (void)il_queue_peek(queue, room, sizeof room, &got, &type);
    if (any() % 16 == 0) (void)il_queue_shut(queue);
    if (any() % 8 == 0) (void)il_queue_delete(domain, name, bytes);
    (void)il_queue_close(queue);
}

static void call_value(const char *name, size_t bytes) {
    il_value_options options = {.struct_bytes = sizeof options, .type = IL_FIXED_TEXT, .room = 300};
    char room[300];
    il_value *value;
    int64_t number = 1;
    size_t got;
    bool text = any() % 2;
    if (il_value_open(domain, name, bytes, text ? &options : NULL, &value) != IL_OK) return;
    for (int i = 0; i < 8; i++) {
        (void)il_value_add(value, IL_I64, &number, NULL);
        (void)il_value_set(value, large, any() % 301);
        (void)il_value_get(value, room, sizeof room, &got);
        (void)il_value_load(value, IL_I64, &number);
    }
    if (any() % 8 == 0) (void)il_value_delete(domain, name, bytes);
    (void)il_value_close(value);
}

static void call_array(const char *name, size_t bytes) {
    il_array_options options = {
        .struct_bytes = sizeof options, .type = IL_U32, .length = any() % 4 ? 100 : 100000};
    uint32_t numbers[50];
    il_array *array;
    uint64_t length = 1;
    if (il_array_open(domain, name, bytes, any() % 2 ? &options : NULL, &array) != IL_OK) return;
    (void)il_array_length(array, &length);
    for (int i = 0; i < 8; i++) {
        numbers[0] = (uint32_t)any();
        (void)il_array_store(array, (int64_t)(any() % (length + 1)), IL_U32, numbers);
        (void)il_array_read(array, (int64_t)(any() % (length + 1)), any() % 50, IL_U32, numbers);
        (void)il_array_add(array, -1, IL_U32, numbers, NULL);
    }
    if (any() % 4 == 0) (void)il_array_delete(domain, name, bytes);
    (void)il_array_close(array);
}

static void call_pipe(const char *name, size_t bytes) {
    il_pipe_options options = {.struct_bytes = sizeof options, .max_bytes = 1000};
    il_pipe_info info = {.struct_bytes = sizeof info};
    il_pipe *pipe;
    size_t got;
    uint32_t type;
    int32_t ready;
    static char room[LARGE_BYTES];
    if (il_pipe_open(domain, name, bytes, any() % 2 ? &options : NULL, any() % 2, &pipe) != IL_OK) {
        (void)il_pipe_delete(domain, name, bytes); /* its end may be closed for good */
        return;
    }
    for (int i = 0; i < 6; i++) {
        if (any() % 2) {
            size_t size = any() % 8 ? any() % 200 : any() % LARGE_BYTES;
            (void)il_pipe_send(pipe, large, size, IL_BYTES, TIMEOUT_NS);
        } else {
            (void)il_pipe_receive(pipe, room, sizeof room, &got, &type, TIMEOUT_NS);
        }
        (void)il_pipe_info_get(pipe, &info);
    }
    (void)il_pipe_poll(pipe, TIMEOUT_NS, &ready);
    if (any() % 8 == 0) (void)il_pipe_delete(domain, name, bytes);
    (void)il_pipe_close(pipe);
}

static void (*const calls[])(const char *name, size_t bytes) = {call_lock, call_queue, call_value,
                                                                call_array, call_pipe};

int main(int count, char **arguments) {
    char address[200], name[32];
    uint64_t rounds = 0;
    il_domain_options options = {.struct_bytes = sizeof options, .label = "caller"};
    if (count != 3) return 2;
    snprintf(address, sizeof address, "unix:%s", arguments[1]);
    state = strtoull(arguments[2], NULL, 10) * 2 + 1;
    if (il_domain_open(address, &options, &domain) != IL_OK) return 3; /* refused: in ruins */
    il_domain_info info = {.struct_bytes = sizeof info};
    while (il_domain_info_get(domain, &info) == IL_OK) {
        size_t bytes = some_name(name);
        calls[any() % (sizeof calls / sizeof calls[0])](name, bytes);
        rounds++;
    }
    printf("%llu\n", (unsigned long long)rounds);
    (void)il_domain_close(domain);
    return 0;
}
