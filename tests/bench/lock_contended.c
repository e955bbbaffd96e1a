/*
 * lock_contended.c - two processes that want one lock all the time and hold it for 100 ns, against
 * mutexes that processes share.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include <interlock.h>

#include "support/door.h"
#include "support/measure.h"
#include "support/mutex.h"

#define INSIDE_NS 100
#define PROCESSES 2

struct contest {
    const char *address; /* NULL: private, inherited */
    il_lock *lock;
    pthread_mutex_t *mutex;
};

/* What the processes of one round share. `inside` is what the lock protects. */
struct round {
    _Atomic int ready, go;
    uint64_t inside;
    uint64_t done[PROCESSES][8]; /* a cache line each */
};

static int64_t spins_inside; /* of work(): as long as INSIDE_NS */

static void work(struct round *round) {
    for (int64_t i = 0; i < spins_inside; i++) __asm__ __volatile__("" ::: "memory");
    round->inside++;
}

/* The best of many short tries: the machine may be busy with other things. */
static void calibrate(void) {
    struct round *round = bench_shared(sizeof *round);
    double best = 1e9;
    spins_inside = 1000;
    for (int i = 0; i < 2000; i++) {
        int64_t start = bench_now_ns();
        for (int t = 0; t < 10; t++) work(round);
        double each = (double)(bench_now_ns() - start) / 10;
        if (each < best) best = each;
    }
    spins_inside = (int64_t)(1000.0 * INSIDE_NS / best);
}

static uint64_t contend(const struct contest *c, il_lock *lock, struct round *round) {
    uint64_t count = 0;
    while (atomic_load_explicit(&round->go, memory_order_relaxed) == 1) {
        if (c->mutex) {
            pthread_mutex_lock(c->mutex);
            work(round);
            pthread_mutex_unlock(c->mutex);
        } else {
            uint64_t token;
            if (il_lock_acquire(lock, IL_FOREVER, &token) != IL_OK) bench_die("acquire");
            work(round);
            if (il_lock_release(lock, token) != IL_OK) bench_die("release");
        }
        count++;
    }
    return count;
}

static void child(const struct contest *c, struct round *round, int number) {
    il_lock *lock = c->lock;
    bench_pin(number); /* two on one processor hardly ever meet */
    if (!c->mutex && c->address &&
        il_lock_open(bench_domain(c->address), "bench", 5, NULL, &lock) != IL_OK) {
        bench_die("il_lock_open");
    }
    atomic_fetch_add(&round->ready, 1);
    while (atomic_load(&round->go) == 0) usleep(100);
    round->done[number][0] = contend(c, lock, round);
}

static double throughput(const struct contest *c) {
    struct round *round = bench_shared(sizeof *round);
    pid_t pids[PROCESSES];
    uint64_t total = 0;
    for (int i = 0; i < PROCESSES; i++) {
        if ((pids[i] = fork()) == 0) {
            child(c, round, i);
            _exit(0);
        }
    }
    while (atomic_load(&round->ready) < PROCESSES) usleep(100);
    int64_t start = bench_now_ns();
    atomic_store(&round->go, 1);
    usleep((useconds_t)(bench_seconds() * 1e6));
    atomic_store(&round->go, 2);
    double seconds = (double)(bench_now_ns() - start) / 1e9;
    for (int i = 0; i < PROCESSES; i++) {
        int how;
        if (waitpid(pids[i], &how, 0) != pids[i] || how != 0) bench_die("a contender failed");
        total += round->done[i][0];
    }
    if (round->inside != total) bench_die("two were inside at once");
    return (double)total / seconds;
}

static double interlock(void *context) {
    struct contest c = *(struct contest *)context;
    c.mutex = NULL;
    return throughput(&c);
}

static double mutex(void *context) { return throughput(context); }

static void compare(const char *name, const char *address, bool host) {
    struct contest contest = {.address = host ? address : NULL,
                              .mutex = bench_mutex_make(BENCH_ROBUST)};
    struct bench_pair pair = {name, "/s", interlock, mutex, &contest, BENCH_AT_LEAST, 1.0};
    il_domain *domain = bench_domain(address);
    if (il_lock_open(domain, "bench", 5, NULL, &contest.lock) != IL_OK) bench_die("il_lock_open");
    bench_compare(&pair);
    il_lock_close(contest.lock);
    il_domain_close(domain);
}

int main(void) {
    struct bench_server server;
    calibrate();
    compare("lock_contended.private.robust", "private:", false);
    if (!bench_server_start(&server)) return 1;
    compare("lock_contended.host.robust", bench_host_address(&server), true);
    bench_server_stop(&server);
    return 0;
}
