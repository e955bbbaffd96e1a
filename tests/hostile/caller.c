/*
 * caller SOCKET SEED: an ordinary attached client of an arena that somebody ruins. Calls everything there
 * is, with short timeouts, until the domain is gone; what the calls answer does not matter, only that this
 * process neither crashes nor reads outside. A call for a kind of object is one entry of `calls`.
 */
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

static void (*const calls[])(const char *name, size_t bytes) = {call_lock, call_queue};

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
