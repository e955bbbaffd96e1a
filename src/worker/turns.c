/*
 * Under `lock`:
 *   reading  a thread waits for the socket, or has just read from it. At most one does
 *   busy     a thread runs calls; what is read meanwhile waits in the slots
 *   armed    the timer will go off
 *   ended    the server said its last word: whoever is done leaves
 * A thread that neither reads nor runs sleeps on the timer. There are two threads, so while one runs, either
 * the other reads, or the timer is armed and the other sleeps on it.
 */
#include "worker/turns.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "worker/next.h"

struct turns {
    struct worker_lines *lines;
    struct worker_slots *slots;
    int timer;
    pthread_mutex_t lock;
    pthread_cond_t idle; /* not busy any more */
    bool reading, busy, armed, ended;
    int64_t away_ns; /* since when nobody reads */
    int code;        /* once ended */
};

/* LOCK is held. */
static void arm(struct turns *t, int64_t ns) {
    struct itimerspec when = {.it_value = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000}};
    t->armed = true;
    (void)timerfd_settime(t->timer, 0, &when, NULL);
}

/* Sleeps until nobody has read for long. True: this thread reads from now on. False: all is over. */
static bool await_turn(struct turns *t) {
    uint64_t times;
    bool mine = false, over = false;
    while (!mine && !over) {
        if (read(t->timer, &times, sizeof times) < 0 && errno != EINTR)
            abort(); /* it cannot fail */
        pthread_mutex_lock(&t->lock);
        t->armed = false;
        over = t->ended;
        int64_t away = ili_now_ns() - t->away_ns;
        if (!over && !t->reading && away >= TURNS_PATIENCE_NS) {
            mine = t->reading = true;
        } else if (!over && !t->reading) {
            arm(t, TURNS_PATIENCE_NS - away);
        }
        pthread_mutex_unlock(&t->lock);
    }
    return mine;
}

/* Runs BATCH, and whatever was read meanwhile. True: this thread reads on. False: another does, or all is
 * over. */
static bool run(struct turns *t, struct worker_batch *batch) {
    pthread_mutex_lock(&t->lock);
    if (t->busy) {
        worker_slots_give(t->slots, batch);
        pthread_mutex_unlock(&t->lock);
        return true;
    }
    t->busy = true;
    t->reading = false;
    t->away_ns = ili_now_ns();
    if (!t->armed) arm(t, TURNS_PATIENCE_NS);
    do {
        pthread_mutex_unlock(&t->lock);
        worker_slots_run(t->slots, batch);
        pthread_mutex_lock(&t->lock);
        batch = worker_slots_next(t->slots);
    } while (batch);
    t->busy = false;
    bool reads_on = !t->reading && !t->ended;
    if (reads_on) t->reading = true;
    if (t->ended) pthread_cond_signal(&t->idle);
    pthread_mutex_unlock(&t->lock);
    return reads_on;
}

/* The server is through: waits for the one that still runs, and wakes the one that sleeps. */
static void finish(struct turns *t, int code) {
    pthread_mutex_lock(&t->lock);
    t->ended = true;
    t->reading = false;
    t->code = code;
    while (t->busy) pthread_cond_wait(&t->idle, &t->lock);
    arm(t, 1);
    pthread_mutex_unlock(&t->lock);
}

/* Until all is over. */
static void take_part(struct turns *t, bool reads) {
    struct worker_batch *batch;
    int code;
    for (;;) {
        if (!reads && !await_turn(t)) return;
        do {
            if (!worker_next_batch(t->lines, t->slots, &batch, &code)) {
                finish(t, code);
                return;
            }
            reads = run(t, batch);
        } while (reads);
        pthread_mutex_lock(&t->lock);
        bool over = t->ended;
        pthread_mutex_unlock(&t->lock);
        if (over) return;
    }
}

static void *second(void *turns) {
    take_part(turns, false);
    return NULL;
}

int worker_turns(struct worker_lines *lines, struct worker_slots *slots) {
    struct turns t = {.lines = lines, .slots = slots, .reading = true, .code = EXIT_FAILURE};
    pthread_t thread = pthread_self();
    pthread_mutex_init(&t.lock, NULL);
    pthread_cond_init(&t.idle, NULL);
    t.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (t.timer >= 0) errno = pthread_create(&thread, NULL, second, &t);
    if (t.timer >= 0 && errno == 0) {
        take_part(&t, true);
        pthread_join(thread, NULL);
    } else {
        fprintf(stderr, "interlock-worker: cannot start a thread: %s\n", strerror(errno));
    }
    if (t.timer >= 0) close(t.timer);
    pthread_cond_destroy(&t.idle);
    pthread_mutex_destroy(&t.lock);
    return t.code;
}
