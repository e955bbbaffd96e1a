/*
 * thread_pool.c - empty tasks from one producer through a pool of two threads, all completed: tasks a second.
 * Against GLib's GThreadPool and libuv's work queue, which has two threads as well and tells its loop of each
 * task that is done. With futures: each is made, waited for, asked for its result and closed.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include <glib.h>
#include <interlock.h>
#include <uv.h>

#include "support/measure.h"

#define THREADS 2
#define BATCH 1000000 /* then it is looked whether the time is up */

static _Alignas(64) _Atomic uint64_t count_a;
static _Alignas(64) _Thread_local uint64_t mine;

/* Tasks count what they did by themselves, as cheaply as can be. */
static void *nothing(void *argument) {
    mine++;
    return argument;
}

/* Repeats BATCH tasks until the time is up; tasks a second. */
static double repeat(void (*batch)(void *context), void *context) {
    double seconds = bench_seconds();
    int64_t start = bench_now_ns(), now;
    uint64_t done = 0;
    do {
        batch(context);
        done += BATCH;
        now = bench_now_ns();
    } while ((double)(now - start) < seconds * 1e9);
    return (double)done * 1e9 / (double)(now - start);
}

/* ---- Interlock -------------------------------------------------------------------------------------- */

static il_pool *open_pool(void) {
    const il_pool_options options = {.struct_bytes = sizeof options, .threads = THREADS};
    il_pool *pool = NULL;
    if (il_pool_create(&options, &pool) != IL_OK) bench_die("il_pool_create");
    return pool;
}

/* The pool's end is when all is done: a pool for each batch, as the peers have. */
static void interlock_batch(void *context) {
    il_pool *pool = open_pool();
    for (int i = 0; i < BATCH; i++) {
        if (il_pool_submit(pool, nothing, context, NULL, IL_FOREVER, NULL) != IL_OK) {
            bench_die("il_pool_submit");
        }
    }
    il_pool_close(pool);
}

static double interlock(void *context) { return repeat(interlock_batch, context); }

static void futures_batch(void *context) {
    il_future **futures = context;
    il_pool *pool = open_pool();
    for (int i = 0; i < BATCH; i++) {
        if (il_pool_submit(pool, nothing, pool, NULL, IL_FOREVER, &futures[i]) != IL_OK) {
            bench_die("il_pool_submit");
        }
    }
    for (int i = 0; i < BATCH; i++) {
        void *result = NULL;
        if (il_future_wait(futures[i], IL_FOREVER) != IL_OK ||
            il_future_result(futures[i], &result) != IL_OK || result != pool) {
            bench_die("il_future_wait");
        }
        il_future_close(futures[i]);
    }
    il_pool_close(pool);
}

static double with_futures(void *context) { return repeat(futures_batch, context); }

/* ---- GLib ------------------------------------------------------------------------------------------- */

static void glib_nothing(gpointer task, gpointer context) {
    (void)context;
    (void)nothing(task);
}

static void glib_batch(void *context) {
    GThreadPool *pool = g_thread_pool_new(glib_nothing, NULL, THREADS, TRUE, NULL);
    if (!pool) bench_die("g_thread_pool_new");
    for (int i = 0; i < BATCH; i++) {
        if (!g_thread_pool_push(pool, context, NULL)) bench_die("g_thread_pool_push");
    }
    g_thread_pool_free(pool, FALSE, TRUE); /* waits for all */
}

static double glib(void *context) {
    (void)context;
    return repeat(glib_batch, &count_a);
}

/* ---- libuv ------------------------------------------------------------------------------------------ */

static void uv_nothing(uv_work_t *work) { (void)nothing(work); }

static void uv_done(uv_work_t *work, int status) {
    (void)work;
    if (status != 0) bench_die("uv_queue_work");
    atomic_fetch_add_explicit(&count_a, 1, memory_order_relaxed);
}

static void uv_batch(void *context) {
    uv_work_t *works = context;
    uv_loop_t *loop = uv_default_loop();
    for (int i = 0; i < BATCH; i++) {
        if (uv_queue_work(loop, &works[i], uv_nothing, uv_done) != 0) bench_die("uv_queue_work");
    }
    uv_run(loop, UV_RUN_DEFAULT);
}

static double libuv(void *context) {
    (void)context;
    static uv_work_t *works;
    if (!works) works = calloc(BATCH, sizeof *works);
    if (!works) bench_die("memory");
    return repeat(uv_batch, works);
}

int main(void) {
    setenv("UV_THREADPOOL_SIZE", "2", 1);
    il_future **futures = calloc(BATCH, sizeof *futures);
    if (!futures) bench_die("memory");
    struct bench_pair pair = {"thread_pool.empty.glib", "/s", interlock, glib, futures,
                              BENCH_AT_LEAST,           3.0};
    bench_compare(&pair);
    pair.name = "thread_pool.empty.libuv";
    pair.peer = libuv;
    bench_compare(&pair);
    pair.interlock = with_futures; /* neither peer has them */
    pair.target = 1.0;
    pair.name = "thread_pool.futures.libuv";
    bench_compare(&pair);
    pair.name = "thread_pool.futures.glib";
    pair.peer = glib;
    bench_compare(&pair);
    free(futures);
    return 0;
}
