#include "support/contend.h"

#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/measure.h"

#define PROCESSES 2
#define INSIDE_NS 100

struct round {
    _Atomic int ready, go;
    uint64_t done[PROCESSES][8]; /* a cache line each */
};

static int64_t spins;

static void spin(int64_t count) {
    for (int64_t i = 0; i < count; i++) __asm__ __volatile__("" ::: "memory");
}

/* The best of many short tries: the machine may be busy with other things. */
static void calibrate(void) {
    double best = 1e9;
    for (int i = 0; i < 2000; i++) {
        int64_t start = bench_now_ns();
        spin(10000);
        double each = (double)(bench_now_ns() - start);
        if (each < best) best = each;
    }
    spins = (int64_t)(10000.0 * INSIDE_NS / best);
}

void bench_work(void) { spin(spins); }

static void child(const struct bench_contest *c, struct round *round, int number) {
    bench_pin(number); /* two on one processor hardly ever meet */
    void *prepared = c->begin(c->context);
    uint64_t count = 0;
    atomic_fetch_add(&round->ready, 1);
    while (atomic_load(&round->go) == 0) usleep(100);
    while (atomic_load_explicit(&round->go, memory_order_relaxed) == 1) {
        c->pair(prepared, c->context, count);
        count++;
    }
    round->done[number][0] = count;
}

double bench_contend(const struct bench_contest *contest) {
    struct round *round = bench_shared(sizeof *round);
    pid_t pids[PROCESSES];
    uint64_t total = 0;
    if (spins == 0) calibrate();
    for (int i = 0; i < PROCESSES; i++) {
        if ((pids[i] = fork()) == 0) {
            child(contest, round, i);
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
    return (double)total / seconds;
}
