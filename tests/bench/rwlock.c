/*
 * rwlock.c - what sharing and excluding cost, against rwlocks of pthreads that processes share: alone, and
 * where two processes share, exclude, or mostly share all the time and keep the lock for 100 ns.
 */
#include <pthread.h>

#include <interlock.h>

#include "support/contend.h"
#include "support/door.h"
#include "support/measure.h"

#define SLICES 40
#define PAIRS 50000
#define MOSTLY 16 /* one turn of so many is exclusive */

struct contest {
    const char *address; /* NULL: private, inherited */
    uint32_t mode;
    uint64_t exclusive_every; /* turns; 0: never */
    il_rwlock *lock;
    pthread_rwlock_t *peer;
};

static il_rwlock *open_rwlock(il_domain *domain) {
    il_rwlock *lock = NULL;
    if (il_rwlock_open(domain, "bench", 5, NULL, &lock) != IL_OK) bench_die("il_rwlock_open");
    return lock;
}

static pthread_rwlock_t *make_peer(void) {
    pthread_rwlock_t *peer = bench_shared(4096);
    pthread_rwlockattr_t shared;
    pthread_rwlockattr_init(&shared);
    pthread_rwlockattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    if (pthread_rwlock_init(peer, &shared) != 0) bench_die("pthread_rwlock_init");
    return peer;
}

static void acquire_peer(const struct contest *c, bool exclusive) {
    int failed = exclusive ? pthread_rwlock_wrlock(c->peer) : pthread_rwlock_rdlock(c->peer);
    if (failed) bench_die("pthread_rwlock");
}

static double interlock(void *context) {
    struct contest *c = context;
    double slices[SLICES];
    uint64_t token;
    for (int i = 0; i < SLICES; i++) {
        int64_t start = bench_now_ns();
        for (int p = 0; p < PAIRS; p++) {
            if (il_rwlock_acquire(c->lock, c->mode, IL_FOREVER, &token) != IL_OK ||
                il_rwlock_release(c->lock, token) != IL_OK) {
                bench_die("il_rwlock");
            }
        }
        slices[i] = (double)(bench_now_ns() - start) / PAIRS;
    }
    return bench_median(slices, SLICES);
}

static double peer(void *context) {
    struct contest *c = context;
    double slices[SLICES];
    for (int i = 0; i < SLICES; i++) {
        int64_t start = bench_now_ns();
        for (int p = 0; p < PAIRS; p++) {
            acquire_peer(c, c->mode == IL_EXCLUSIVE);
            if (pthread_rwlock_unlock(c->peer) != 0) bench_die("pthread_rwlock_unlock");
        }
        slices[i] = (double)(bench_now_ns() - start) / PAIRS;
    }
    return bench_median(slices, SLICES);
}

static bool is_exclusive(const struct contest *c, uint64_t turn) {
    return c->exclusive_every && turn % c->exclusive_every == 0;
}

static void *begin(void *context) {
    struct contest *c = context;
    return c->address ? open_rwlock(bench_domain(c->address)) : c->lock;
}

static void contended_interlock_pair(void *prepared, void *context, uint64_t turn) {
    il_rwlock *lock = prepared;
    uint64_t token;
    uint32_t mode = is_exclusive(context, turn) ? IL_EXCLUSIVE : IL_SHARED;
    if (il_rwlock_acquire(lock, mode, IL_FOREVER, &token) != IL_OK) bench_die("acquire");
    bench_work();
    if (il_rwlock_release(lock, token) != IL_OK) bench_die("release");
}

static void contended_peer_pair(void *prepared, void *context, uint64_t turn) {
    struct contest *c = context;
    (void)prepared;
    acquire_peer(c, is_exclusive(c, turn));
    bench_work();
    if (pthread_rwlock_unlock(c->peer) != 0) bench_die("pthread_rwlock_unlock");
}

static double interlock_contended(void *context) {
    struct bench_contest contest = {begin, contended_interlock_pair, context};
    return bench_contend(&contest);
}

static void *begin_peer(void *context) { return context; }

static double peer_contended(void *context) {
    struct bench_contest contest = {begin_peer, contended_peer_pair, context};
    return bench_contend(&contest);
}

static void compare(const char *address, bool host, const char *const names[5]) {
    il_domain *domain = bench_domain(address);
    struct contest c = {.address = host ? address : NULL, .peer = make_peer()};
    static const uint64_t exclusive_every[] = {0, 1, MOSTLY};
    c.lock = open_rwlock(domain);
    for (c.mode = IL_SHARED; c.mode <= IL_EXCLUSIVE; c.mode++) {
        struct bench_pair alone = {names[c.mode], "ns", interlock, peer, &c, BENCH_AT_MOST, 1.0};
        bench_compare(&alone);
    }
    for (int i = 0; i < 3; i++) {
        c.exclusive_every = exclusive_every[i];
        struct bench_pair both = {names[2 + i],   "/s", interlock_contended, peer_contended, &c,
                                  BENCH_AT_LEAST, 1.0};
        bench_compare(&both);
    }
    il_rwlock_close(c.lock);
    il_domain_close(domain);
}

int main(void) {
    static const char *const private_names[] = {
        "rwlock.shared.private", "rwlock.exclusive.private", "rwlock.two_share.private",
        "rwlock.two_exclude.private", "rwlock.two_mostly_share.private"};
    static const char *const host_names[] = {"rwlock.shared.host", "rwlock.exclusive.host",
                                             "rwlock.two_share.host", "rwlock.two_exclude.host",
                                             "rwlock.two_mostly_share.host"};
    struct bench_server server;
    compare("private:", false, private_names);
    if (!bench_server_start(&server)) return 1;
    compare(bench_host_address(&server), true, host_names);
    bench_server_stop(&server);
    return 0;
}
