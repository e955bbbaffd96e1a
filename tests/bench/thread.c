/*
 * thread.c - starting a thread that does nothing and joining it, against bare pthreads.
 */
#include <pthread.h>

#include <interlock.h>

#include "support/measure.h"

#define SLICES 60
#define THREADS 50 /* a slice */

static void *nothing(void *argument) { return argument; }

static void interlock_threads(void) {
    for (int i = 0; i < THREADS; i++) {
        il_thread *thread = NULL;
        void *result = NULL;
        if (il_thread_create(nothing, &thread, NULL, &thread) != IL_OK ||
            il_thread_start(thread) != IL_OK ||
            il_thread_join(thread, IL_FOREVER, &result) != IL_OK || result != &thread) {
            bench_die("il_thread");
        }
        il_thread_close(thread);
    }
}

static void bare_threads(void) {
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        void *result = NULL;
        if (pthread_create(&thread, NULL, nothing, &result) != 0 ||
            pthread_join(thread, &result) != 0 || result != &result) {
            bench_die("pthread_create");
        }
    }
}

/* Microseconds a thread: the median of the slices. */
static double measure(void (*threads)(void)) {
    double slices[SLICES];
    for (int i = 0; i < SLICES; i++) {
        int64_t start = bench_now_ns();
        threads();
        slices[i] = (double)(bench_now_ns() - start) / THREADS / 1000;
    }
    return bench_median(slices, SLICES);
}

static double interlock(void *context) {
    (void)context;
    return measure(interlock_threads);
}

static double peer(void *context) {
    (void)context;
    return measure(bare_threads);
}

int main(void) {
    const struct bench_pair pair = {"thread.start_join", "us", interlock, peer, NULL,
                                    BENCH_AT_MOST,       1.15};
    bench_compare(&pair);
    return 0;
}
