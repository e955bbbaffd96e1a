/*
 * semaphore.c - what permits cost, against semaphores of POSIX that processes share: alone, and where two
 * processes want the only permit, or one of two, all the time and keep it for 100 ns.
 */
#include <semaphore.h>

#include <interlock.h>

#include "support/contend.h"
#include "support/door.h"
#include "support/measure.h"

#define SLICES 40
#define PAIRS 50000

struct contest {
    const char *address; /* NULL: private, inherited */
    uint32_t value;
    il_semaphore *semaphore;
    sem_t *peer;
};

static il_semaphore *open_semaphore(il_domain *domain, uint32_t value) {
    il_semaphore_options options = {sizeof options, 0, value, 0};
    il_semaphore *semaphore = NULL;
    if (il_semaphore_open(domain, value == 1 ? "one" : "two", 3, &options, &semaphore) != IL_OK) {
        bench_die("il_semaphore_open");
    }
    return semaphore;
}

static sem_t *make_peer(uint32_t value) {
    sem_t *peer = bench_shared(4096);
    if (sem_init(peer, 1, value) != 0) bench_die("sem_init");
    return peer;
}

static void interlock_pair(il_semaphore *semaphore) {
    uint64_t token;
    if (il_semaphore_acquire(semaphore, 1, IL_FOREVER, &token) != IL_OK) bench_die("acquire");
    if (il_semaphore_release(semaphore, 1, token) != IL_OK) bench_die("release");
}

static double interlock(void *context) {
    struct contest *c = context;
    double slices[SLICES];
    for (int i = 0; i < SLICES; i++) {
        int64_t start = bench_now_ns();
        for (int p = 0; p < PAIRS; p++) interlock_pair(c->semaphore);
        slices[i] = (double)(bench_now_ns() - start) / PAIRS;
    }
    return bench_median(slices, SLICES);
}

static double posix(void *context) {
    struct contest *c = context;
    double slices[SLICES];
    for (int i = 0; i < SLICES; i++) {
        int64_t start = bench_now_ns();
        for (int p = 0; p < PAIRS; p++) {
            if (sem_wait(c->peer) != 0 || sem_post(c->peer) != 0) bench_die("sem_wait");
        }
        slices[i] = (double)(bench_now_ns() - start) / PAIRS;
    }
    return bench_median(slices, SLICES);
}

static void *begin(void *context) {
    struct contest *c = context;
    return c->address ? open_semaphore(bench_domain(c->address), c->value) : c->semaphore;
}

static void contended_interlock_pair(void *prepared, void *context, uint64_t turn) {
    il_semaphore *semaphore = prepared;
    uint64_t token;
    (void)context, (void)turn;
    if (il_semaphore_acquire(semaphore, 1, IL_FOREVER, &token) != IL_OK) bench_die("acquire");
    bench_work();
    if (il_semaphore_release(semaphore, 1, token) != IL_OK) bench_die("release");
}

static void contended_posix_pair(void *prepared, void *context, uint64_t turn) {
    struct contest *c = context;
    (void)prepared, (void)turn;
    if (sem_wait(c->peer) != 0) bench_die("sem_wait");
    bench_work();
    if (sem_post(c->peer) != 0) bench_die("sem_post");
}

static double interlock_contended(void *context) {
    struct bench_contest contest = {begin, contended_interlock_pair, context};
    return bench_contend(&contest);
}

static void *begin_posix(void *context) { return context; }

static double posix_contended(void *context) {
    struct bench_contest contest = {begin_posix, contended_posix_pair, context};
    return bench_contend(&contest);
}

static void compare(const char *address, bool host, const char *const names[3]) {
    il_domain *domain = bench_domain(address);
    for (uint32_t value = 1; value <= 2; value++) {
        struct contest c = {host ? address : NULL, value, open_semaphore(domain, value),
                            make_peer(value)};
        struct bench_pair alone = {names[0], "ns", interlock, posix, &c, BENCH_AT_MOST, 1.3};
        struct bench_pair both = {names[value],   "/s",   interlock_contended, posix_contended, &c,
                                  BENCH_AT_LEAST, 1 / 1.3};
        if (value == 1) bench_compare(&alone);
        bench_compare(&both);
        il_semaphore_close(c.semaphore);
    }
    il_domain_close(domain);
}

int main(void) {
    static const char *const private_names[] = {"semaphore.private.posix",
                                                "semaphore.contended.private.posix",
                                                "semaphore.two.private.posix"};
    static const char *const host_names[] = {
        "semaphore.host.posix", "semaphore.contended.host.posix", "semaphore.two.host.posix"};
    struct bench_server server;
    compare("private:", false, private_names);
    if (!bench_server_start(&server)) return 1;
    compare(bench_host_address(&server), true, host_names);
    bench_server_stop(&server);
    return 0;
}
