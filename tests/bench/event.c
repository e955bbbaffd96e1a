/*
 * event.c - two processes that wake each other by events, against the same by bare futexes.
 *
 * event.pingpong: each sets the other's event and waits for its own, all the time; on two processors, and
 * on one.
 * event.wake: the waiter is asleep for certain when the event is set; the time from set() to the return of
 * wait().
 */
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <interlock.h>

#include "support/door.h"
#include "support/measure.h"

#define WAKES 400
#define ASLEEP_NS 150000 /* from the moment a waiter says that it waits: it sleeps by then */

enum { PING, PONG };

struct pair {
    const char *address; /* NULL: private, inherited */
    il_domain *domain;
    bool futex;
    bool together; /* both on one processor */
};

/* What the two processes of one round share. */
struct round {
    _Atomic int ready, stop;
    _Atomic uint32_t word[2]; /* the futexes */
    _Atomic int64_t set_ns;
    _Atomic uint32_t waiting; /* grows with each wait of event.wake */
    double figure;
};

struct side {
    const struct pair *pair;
    struct round *round;
    il_event *events[2];
};

typedef void (*role)(struct side *side);

static void set(struct side *side, int which) {
    if (!side->pair->futex) {
        if (il_event_set(side->events[which]) != IL_OK) bench_die("set");
        return;
    }
    atomic_store_explicit(&side->round->word[which], 1, memory_order_release);
    syscall(SYS_futex, &side->round->word[which], FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Waits, and clears. */
static void wait_for(struct side *side, int which) {
    if (!side->pair->futex) {
        if (il_event_wait(side->events[which], IL_FOREVER) != IL_OK) bench_die("wait");
        if (il_event_clear(side->events[which]) != IL_OK) bench_die("clear");
        return;
    }
    _Atomic uint32_t *word = &side->round->word[which];
    while (atomic_exchange_explicit(word, 0, memory_order_acquire) == 0) {
        syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0);
    }
}

/* ---- two processes -------------------------------------------------------------------------------- */

static void open_side(struct side *side) {
    static const char *const names[] = {"ping", "pong"};
    const struct pair *pair = side->pair;
    il_domain *domain = pair->address ? bench_domain(pair->address) : pair->domain;
    for (int i = 0; i < 2; i++) {
        if (il_event_open(domain, names[i], 4, &side->events[i]) != IL_OK) bench_die("open");
        if (il_event_clear(side->events[i]) != IL_OK) bench_die("clear");
    }
    atomic_fetch_add(&side->round->ready, 1);
    while (atomic_load(&side->round->ready) < 2) usleep(100);
}

/* The figure that the FIRST of two processes comes to. */
static double run(const struct pair *pair, role first, role second) {
    struct side side = {.pair = pair, .round = bench_shared(sizeof *side.round)};
    pid_t pids[2];
    for (int i = 0; i < 2; i++) {
        if ((pids[i] = fork()) == 0) {
            bench_pin(pair->together ? 0 : i);
            open_side(&side);
            (i ? second : first)(&side);
            _exit(0);
        }
    }
    for (int i = 0; i < 2; i++) {
        int how;
        if (waitpid(pids[i], &how, 0) != pids[i] || how != 0) bench_die("a side failed");
    }
    return side.round->figure;
}

/* ---- ping-pong ------------------------------------------------------------------------------------ */

/* Nanoseconds from one side to the other. */
static void serve(struct side *side) {
    int64_t begin = bench_now_ns(), end = begin + (int64_t)(bench_seconds() * 1e9), now;
    uint64_t count = 0;
    do {
        for (int i = 0; i < 64; i++, count++) {
            set(side, PING);
            wait_for(side, PONG);
        }
        now = bench_now_ns();
    } while (now < end);
    atomic_store(&side->round->stop, 1);
    set(side, PING);
    side->round->figure = (double)(now - begin) / (double)count / 2;
}

static void answer(struct side *side) {
    while (!atomic_load_explicit(&side->round->stop, memory_order_relaxed)) {
        wait_for(side, PING);
        set(side, PONG);
    }
}

/* ---- waking a sleeper ------------------------------------------------------------------------------- */

/* The median of nanoseconds from set() to the return of wait(). */
static void be_woken(struct side *side) {
    static double took[WAKES];
    for (int i = 0; i < WAKES; i++) {
        atomic_fetch_add(&side->round->waiting, 1);
        wait_for(side, PING);
        took[i] = (double)(bench_now_ns() - atomic_load(&side->round->set_ns));
    }
    side->round->figure = bench_median(took, WAKES);
}

static void be_waker(struct side *side) {
    struct round *round = side->round;
    for (uint32_t i = 1; i <= WAKES; i++) {
        while (atomic_load(&round->waiting) < i) {
        }
        bench_busy(ASLEEP_NS);
        atomic_store(&round->set_ns, bench_now_ns());
        set(side, PING);
    }
}

/* ---- against each other ----------------------------------------------------------------------------- */

static double our_pingpong(void *context) { return run(context, serve, answer); }
static double our_wake(void *context) { return run(context, be_woken, be_waker); }

static double futex_pingpong(void *context) {
    struct pair pair = *(struct pair *)context;
    pair.futex = true;
    return run(&pair, serve, answer);
}

static double futex_wake(void *context) {
    struct pair pair = *(struct pair *)context;
    pair.futex = true;
    return run(&pair, be_woken, be_waker);
}

static void compare(const char *door, const char *address, bool host) {
    struct pair pair = {.address = host ? address : NULL, .domain = bench_domain(address)};
    char name[64];
    struct bench_pair both = {name, "ns", our_pingpong, futex_pingpong, &pair, BENCH_AT_MOST, 1.2};
    snprintf(name, sizeof name, "event.pingpong.%s", door);
    bench_compare(&both);
    snprintf(name, sizeof name, "event.pingpong.one_cpu.%s", door);
    pair.together = true;
    bench_compare(&both);
    snprintf(name, sizeof name, "event.wake.%s", door);
    pair.together = false;
    both.interlock = our_wake;
    both.peer = futex_wake;
    bench_compare(&both);
    il_domain_close(pair.domain);
}

int main(void) {
    struct bench_server server;
    compare("private", "private:", false);
    if (!bench_server_start(&server)) return 1;
    compare("host", bench_host_address(&server), true);
    bench_server_stop(&server);
    return 0;
}
