/*
 * bystander SOCKET FILE NUMBER: a client of the other arena, which nobody ruins. Under the lock "count" it
 * makes the first two words of FILE, which the bystanders share, grow by one, and puts its NUMBER and how
 * often it did so into the queue "order"; until the third word says stop. Every call has to succeed.
 * Writes how many turns it had.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <interlock.h>

#define TIMEOUT_NS INT64_C(30000000000)

/* The first two are plain words, on purpose: only the lock keeps them right. */
struct shared {
    uint64_t first, second;
    _Atomic uint64_t stop;
};

static int fail(const char *what, il_status status) {
    fprintf(stderr, "bystander: %s: %d: %s\n", what, status, il_error_message());
    return 1;
}

int main(int count, char **arguments) {
    char address[200], message[64];
    il_domain *domain;
    il_lock *lock;
    il_queue *queue;
    il_status status;
    uint64_t token, turns = 0;
    if (count != 4) return 2;
    snprintf(address, sizeof address, "unix:%s", arguments[1]);
    int fd = open(arguments[2], O_RDWR);
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || shared == MAP_FAILED) return 2;
    if ((status = il_domain_open(address, NULL, &domain)) != IL_OK) return fail("open", status);
    if ((status = il_lock_open(domain, "count", 5, NULL, &lock)) != IL_OK) {
        return fail("lock", status);
    }
    if ((status = il_queue_open(domain, "order", 5, NULL, &queue)) != IL_OK) {
        return fail("queue", status);
    }
    while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
        if ((status = il_lock_acquire(lock, TIMEOUT_NS, &token)) != IL_OK) {
            return fail("acquire", status);
        }
        volatile uint64_t *first = &shared->first, *second = &shared->second;
        uint64_t before = *first;
        *first = before + 1;
        if (*second != before) {
            fprintf(stderr, "bystander: two owners at once\n");
            return 1;
        }
        *second = before + 1;
        if ((status = il_lock_release(lock, token)) != IL_OK) return fail("release", status);
        int bytes = snprintf(message, sizeof message, "%s %" PRIu64, arguments[3], ++turns);
        status = il_queue_put(queue, message, (uint64_t)bytes, IL_TEXT, TIMEOUT_NS);
        if (status != IL_OK) return fail("put", status);
        usleep(1000);
    }
    printf("%" PRIu64 "\n", turns);
    if ((status = il_queue_close(queue)) != IL_OK) return fail("close", status);
    if ((status = il_lock_close(lock)) != IL_OK) return fail("close", status);
    if ((status = il_domain_close(domain)) != IL_OK) return fail("close", status);
    return 0;
}
