/*
 * wait.h - waiting for a state, with a deadline. Tests never sleep for a time and hope.
 */
#ifndef TESTS_SUPPORT_WAIT_H
#define TESTS_SUPPORT_WAIT_H

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline int64_t test_now_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* A moment between two looks at a state. */
static inline void test_pause(void) {
    struct timespec moment = {0, 50000};
    nanosleep(&moment, NULL);
}

/* Until DONE(CONTEXT), at most SECONDS. False: it never was. */
static inline bool test_wait(bool (*done)(void *context), void *context, double seconds) {
    int64_t end = test_now_ns() + (int64_t)(seconds * 1e9);
    for (int i = 0; !done(context); i++) {
        if (test_now_ns() > end) return done(context);
        if (i < 50) {
            sched_yield();
        } else {
            test_pause();
        }
    }
    return true;
}

/* Until CHILD ends, at most SECONDS; then it is killed, and the result is -1. Else its wait status. */
static inline int test_reap(pid_t child, double seconds) {
    int64_t end = test_now_ns() + (int64_t)(seconds * 1e9);
    int status;
    for (int i = 0;; i++) {
        pid_t got = waitpid(child, &status, WNOHANG);
        if (got == child) return status;
        if (got < 0 && errno != EINTR) return -1;
        if (test_now_ns() > end) break;
        if (i < 50) {
            sched_yield();
        } else {
            test_pause();
        }
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return -1;
}

/* Whether this is ./dev torture. */
static inline bool test_torture(void) { return getenv("INTERLOCK_TORTURE") != NULL; }

/* How many rounds of N a long run of one thread does: the thread sanitizer has nothing to see there, and is
 * thirty times as slow. */
#if defined(__SANITIZE_THREAD__)
#define TEST_ROUNDS(n) ((n) / 30)
#else
#define TEST_ROUNDS(n) (n)
#endif

/* The seed of a randomised test: INTERLOCK_SEED, or one that is the same in each normal run. */
static inline uint64_t test_seed(uint64_t usual) {
    const char *given = getenv("INTERLOCK_SEED");
    return given ? strtoull(given, NULL, 0) : usual;
}

/* splitmix64 */
static inline uint64_t test_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

#endif
