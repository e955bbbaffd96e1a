/*
 * barrier.c - two processes that meet at a barrier all the time, against a pthread_barrier_t that processes
 * share: on two processors; on one; and with some work between two rounds, of a length that differs, so that
 * one waits for the other.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <interlock.h>

#include "support/door.h"
#include "support/measure.h"

#define PARTIES 2
#define WORK_NS 50000 /* at most, between two rounds */

struct meeting {
    const char *address; /* NULL: private, inherited */
    il_domain *domain;
    pthread_barrier_t *peer; /* NULL: ours */
    int64_t work_ns;
    bool together; /* on one processor */
};

struct round {
    _Atomic int ready, go, stop;
    double took[PARTIES];
};

static void meet(const struct meeting *m, il_barrier *barrier) {
    if (m->peer) {
        int how = pthread_barrier_wait(m->peer);
        if (how != 0 && how != PTHREAD_BARRIER_SERIAL_THREAD) bench_die("pthread_barrier_wait");
    } else if (il_barrier_wait(barrier, IL_FOREVER, NULL) != IL_OK) {
        bench_die("il_barrier_wait");
    }
}

/* Both sides do the same number of rounds: who is number 0 says when it is enough, between two rounds. */
static void attend(const struct meeting *m, struct round *round, int number) {
    static const uint32_t parties = PARTIES;
    il_barrier *barrier = NULL;
    il_domain *domain = m->address ? bench_domain(m->address) : m->domain;
    uint64_t count = 0, random = (uint64_t)number + 1;
    bench_pin(m->together ? 0 : number);
    if (il_barrier_open(domain, "bench", 5, &parties, &barrier) != IL_OK) bench_die("open");
    atomic_fetch_add(&round->ready, 1);
    while (atomic_load(&round->go) == 0) usleep(100);
    int64_t begin = bench_now_ns(), end = begin + (int64_t)(bench_seconds() * 1e9);
    for (;;) {
        meet(m, barrier);
        if (++count % 64 == 0) {
            if (number == 0 && bench_now_ns() >= end) atomic_store(&round->stop, 1);
            meet(m, barrier);
            count++;
            if (atomic_load(&round->stop)) break;
            meet(m, barrier); /* before the next store */
            count++;
        }
        if (m->work_ns) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            bench_busy((int64_t)(random >> 33) % m->work_ns);
        }
    }
    round->took[number] = (double)(bench_now_ns() - begin) / (double)count;
}

/* Nanoseconds a round. */
static double rounds(const struct meeting *m) {
    struct round *round = bench_shared(sizeof *round);
    pid_t pids[PARTIES];
    for (int i = 0; i < PARTIES; i++) {
        if ((pids[i] = fork()) == 0) {
            attend(m, round, i);
            _exit(0);
        }
    }
    while (atomic_load(&round->ready) < PARTIES) usleep(100);
    atomic_store(&round->go, 1);
    for (int i = 0; i < PARTIES; i++) {
        int how;
        if (waitpid(pids[i], &how, 0) != pids[i] || how != 0) bench_die("a party failed");
    }
    return round->took[0];
}

static double interlock(void *context) { return rounds(context); }

static double peer(void *context) {
    struct meeting m = *(struct meeting *)context;
    pthread_barrierattr_t shared;
    m.peer = bench_shared(sizeof *m.peer);
    pthread_barrierattr_init(&shared);
    pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    if (pthread_barrier_init(m.peer, &shared, PARTIES) != 0) bench_die("pthread_barrier_init");
    return rounds(&m);
}

static void compare(const char *door, const char *address, bool host) {
    struct meeting m = {.address = host ? address : NULL, .domain = bench_domain(address)};
    char name[64];
    struct bench_pair pair = {name, "ns", interlock, peer, &m, BENCH_AT_MOST, 1.0};
    snprintf(name, sizeof name, "barrier.%s", door);
    bench_compare(&pair);
    snprintf(name, sizeof name, "barrier.one_cpu.%s", door);
    m.together = true;
    bench_compare(&pair);
    snprintf(name, sizeof name, "barrier.work.%s", door);
    m.together = false;
    m.work_ns = WORK_NS;
    bench_compare(&pair);
    il_domain_close(m.domain);
}

int main(void) {
    struct bench_server server;
    compare("private", "private:", false);
    if (!bench_server_start(&server)) return 1;
    compare("host", bench_host_address(&server), true);
    bench_server_stop(&server);
    return 0;
}
