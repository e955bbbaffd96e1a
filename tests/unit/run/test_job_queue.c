#include <criterion/criterion.h>
#include <pthread.h>

#include "run/job_queue.h"
#include "support/wait.h"

static void *never(void *argument) { return argument; }

static struct ili_job job_of(uintptr_t number) {
    return (struct ili_job){never, (void *)number}; /* never dereferenced */
}

static uintptr_t number_of(struct ili_job job) { return (uintptr_t)job.argument; }

Test(run_job_queue, gives_what_it_got_in_order_however_many) {
    struct ili_job_queue queue;
    struct ili_job job;
    cr_assert_eq(ili_job_queue_init(&queue), IL_OK);
    cr_assert(ili_job_queue_is_empty(&queue));
    cr_assert_not(ili_job_queue_pop(&queue, &job));
    uintptr_t put = 0, got = 0;
    /* more than the ring holds, so that some are behind it, and then both mixed */
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 20000; i++) {
            cr_assert_eq(ili_job_queue_push(&queue, job_of(++put)), IL_OK);
        }
        cr_assert_eq(ili_job_queue_pushed(&queue), put);
        for (int i = 0; i < (round < 4 ? 9000 : 64000); i++) {
            cr_assert_not(ili_job_queue_is_empty(&queue));
            cr_assert(ili_job_queue_pop(&queue, &job));
            got++;
            cr_assert_eq(number_of(job), got, "%lu after %lu", (unsigned long)number_of(job),
                         (unsigned long)got - 1);
        }
    }
    cr_assert_eq(put, got);
    cr_assert(ili_job_queue_is_empty(&queue));
    cr_assert_not(ili_job_queue_pop(&queue, &job));
    ili_job_queue_free(&queue);
}

Test(run_job_queue, takes_nothing_once_it_is_closed_and_gives_the_rest) {
    for (int many = 0; many < 2; many++) { /* in the ring, and behind it */
        struct ili_job_queue queue;
        struct ili_job job;
        int count = many ? 30000 : 3;
        cr_assert_eq(ili_job_queue_init(&queue), IL_OK);
        for (int i = 0; i < count; i++) ili_job_queue_push(&queue, job_of(1));
        for (int i = 0; i < 2; i++) ili_job_queue_close(&queue);
        cr_assert_eq(ili_job_queue_push(&queue, job_of(2)), IL_ECLOSED);
        for (int i = 0; i < count; i++) cr_assert(ili_job_queue_pop(&queue, &job));
        cr_assert_eq(ili_job_queue_push(&queue, job_of(2)), IL_ECLOSED);
        cr_assert(ili_job_queue_is_empty(&queue));
        ili_job_queue_free(&queue);
    }
}

/* ---- many threads ----------------------------------------------------------------------------------- */

#define PUSHERS 3
#define POPPERS 3
#define EACH 40000

struct traffic {
    struct ili_job_queue queue;
    _Atomic uint64_t seen[PUSHERS * EACH];
    _Atomic int pushers;
    _Atomic int disorder;
};

struct hand {
    pthread_t thread;
    struct traffic *traffic;
    int number;
};

static void *push_all(void *argument) {
    const struct hand *hand = argument;
    for (int i = 0; i < EACH; i++) {
        ili_job_queue_push(&hand->traffic->queue,
                           job_of((uintptr_t)hand->number * EACH + (uintptr_t)i));
    }
    atomic_fetch_sub(&hand->traffic->pushers, 1);
    return NULL;
}

/* What one popper sees of one pusher is in order. */
static void *pop_all(void *argument) {
    struct traffic *t = ((const struct hand *)argument)->traffic;
    int64_t last[PUSHERS];
    struct ili_job job;
    for (int i = 0; i < PUSHERS; i++) last[i] = -1;
    for (;;) {
        bool over = atomic_load(&t->pushers) == 0;
        if (ili_job_queue_pop(&t->queue, &job)) {
            uintptr_t number = number_of(job);
            atomic_fetch_add(&t->seen[number], 1);
            if ((int64_t)(number % EACH) <= last[number / EACH]) atomic_store(&t->disorder, 1);
            last[number / EACH] = (int64_t)(number % EACH);
        } else if (over) {
            return NULL;
        }
    }
}

Test(run_job_queue, loses_nothing_among_many_threads, .timeout = 60) {
    static struct traffic traffic;
    struct hand hands[PUSHERS + POPPERS];
    cr_assert_eq(ili_job_queue_init(&traffic.queue), IL_OK);
    atomic_store(&traffic.pushers, PUSHERS);
    for (int i = 0; i < PUSHERS + POPPERS; i++) {
        hands[i] = (struct hand){.traffic = &traffic, .number = i};
        cr_assert_eq(
            pthread_create(&hands[i].thread, NULL, i < PUSHERS ? push_all : pop_all, &hands[i]), 0);
    }
    for (int i = 0; i < PUSHERS + POPPERS; i++) pthread_join(hands[i].thread, NULL);
    for (int i = 0; i < PUSHERS * EACH; i++) {
        cr_assert_eq(atomic_load(&traffic.seen[i]), 1, "job %d: %d times", i,
                     (int)atomic_load(&traffic.seen[i]));
    }
    cr_assert_not(atomic_load(&traffic.disorder));
    ili_job_queue_free(&traffic.queue);
}
