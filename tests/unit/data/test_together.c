/* Locks, queues and names, all at once in one domain: for the thread sanitizer above all. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "data/queue.h"
#include "support/member.h"
#include "sync/lock.h"

#define THREADS 6

static struct ili_lock *locks[2];
static struct ili_queue *queues[2];
static long protected_by[2]; /* not atomic on purpose */
static _Atomic uint64_t put_sum, got_sum;
static _Atomic unsigned failures;

static void expect(bool condition) {
    if (!condition) atomic_fetch_add(&failures, 1);
}

static void use_lock(unsigned i, uint64_t *random) {
    uint64_t token;
    int64_t deadline = test_random(random) % 2
                           ? ILI_NEVER
                           : ili_deadline_in((int64_t)(test_random(random) % 50000));
    il_status status = ili_lock_acquire(&test_member, locks[i], deadline, &token);
    if (status == IL_ETIMEOUT) return;
    expect(status == IL_OK);
    protected_by[i]++;
    expect(ili_lock_release(&test_member, locks[i], test_me(), token) == IL_OK);
}

static void use_queue(unsigned i, uint64_t *random) {
    uint64_t value = test_random(random) >> 20;
    size_t done;
    struct ili_payload message = {&value, sizeof value, IL_BYTES};
    struct ili_taken taken = {.data = &value, .room = sizeof value};
    if (test_random(random) % 2) {
        if (ili_queue_put(&test_member, queues[i], &message, 1, &done, ili_deadline_in(100000)) ==
            IL_OK) {
            atomic_fetch_add(&put_sum, value);
        }
    } else if (ili_queue_get(&test_member, queues[i], &taken, 1, &done, ili_deadline_in(100000)) ==
               IL_OK) {
        atomic_fetch_add(&got_sum, value);
    }
}

static void use_names(uint64_t *random) {
    char name[8];
    ili_off at;
    struct ili_agent *self = test_self();
    int length = snprintf(name, sizeof name, "n%u", (unsigned)(test_random(random) % 20));
    if (test_random(random) % 4 == 0) {
        il_status status =
            ili_names_delete(&test_member, self, &ili_lock_kind, name, (size_t)length);
        expect(status == IL_OK || status == IL_ENOTFOUND);
        return;
    }
    expect(ili_names_open(&test_member, self, &ili_lock_kind, name, (size_t)length, NULL, 0, NULL,
                          &at, NULL) == IL_OK);
    struct ili_lock *lock = ili_object_at(&test_member.arena, at, ILI_KIND_LOCK);
    uint64_t token;
    if (ili_lock_acquire(&test_member, lock, 0, &token) == IL_OK) {
        il_status status = ili_lock_release(&test_member, lock, test_me(), token);
        expect(status == IL_OK || status == IL_EDELETED);
    }
    expect(ili_names_close(&test_member, self, at, NULL) == IL_OK);
}

static void *work(void *number) {
    uint64_t random = (uintptr_t)number + test_seed(1);
    int steps = test_torture() ? 1000000 : 15000;
    for (int i = 0; i < steps; i++) {
        switch (test_random(&random) % 4) {
        case 0:
        case 1: use_lock(test_random(&random) % 2, &random); break;
        case 2: use_queue(test_random(&random) % 2, &random); break;
        default: use_names(&random); break;
        }
    }
    return NULL;
}

Test(data_together, all_objects_at_once, .timeout = 120) {
    pthread_t threads[THREADS];
    il_lock_options fair = {.struct_bytes = sizeof fair, .flags = IL_LOCK_FAIR};
    il_queue_options small = {sizeof small, 0, 3};
    cr_assert(test_enter(UINT64_C(32) << 20));
    locks[0] = test_object(&ili_lock_kind, "plain", NULL);
    locks[1] = test_object(&ili_lock_kind, "fair", &fair);
    queues[0] = test_object(&ili_queue_kind, "open", NULL);
    queues[1] = test_object(&ili_queue_kind, "small", &small);
    for (uintptr_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++) {
        uint64_t value;
        size_t done;
        struct ili_taken taken = {.data = &value, .room = sizeof value};
        while (ili_queue_try_get(&test_member, queues[i], &taken, 1, &done) == IL_OK) {
            atomic_fetch_add(&got_sum, value);
        }
    }
    cr_assert_eq(failures, 0);
    cr_assert_eq(put_sum, got_sum);
    cr_assert_eq(test_check_alloc(), IL_OK);
    test_leave();
}
