#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "support/doors.h"

#define SOON_NS INT64_C(50000000) /* how soon a cycle is found */
#define LOCKS 3

/* One that holds a lock of its own and, when told so, goes for the next one's. */
struct crosser {
    il_lock *own, *next;
    int64_t timeout_ns;
    _Atomic int holds, go, done;
    il_status acquired;
    uint64_t own_token;
    int64_t took_ns;
    pid_t pid;
    char message[512];
};

static void cross(struct crosser *c) {
    uint64_t token;
    c->pid = getpid();
    cr_expect_eq(il_lock_acquire(c->own, seconds(5), &c->own_token), IL_OK);
    atomic_store(&c->holds, 1);
    while (!atomic_load(&c->go)) test_pause();
    int64_t began = test_now_ns();
    c->acquired = il_lock_acquire(c->next, c->timeout_ns, &token);
    c->took_ns = test_now_ns() - began;
    strncpy(c->message, il_error_message(), sizeof c->message - 1);
    if (c->acquired == IL_OK || c->acquired == IL_EOWNERDEAD) il_lock_release(c->next, token);
    il_lock_release(c->own, c->own_token);
    atomic_store(&c->done, 1);
}

static void *cross_thread(void *crosser) {
    cross(crosser);
    return NULL;
}

static bool is_set(void *flag) { return atomic_load((_Atomic int *)flag) != 0; }

static bool has_waiter(void *lock) {
    il_owner owner = {.struct_bytes = sizeof owner};
    return il_lock_owner(lock, &owner) == IL_OK && owner.waiters > 0;
}

static il_lock *open_lock(il_domain *domain, int number, uint32_t flags) {
    il_lock_options options = {.struct_bytes = sizeof options, .flags = flags};
    char name[16];
    il_lock *lock = NULL;
    snprintf(name, sizeof name, "lock-%d", number);
    cr_expect_eq(il_lock_open(domain, name, strlen(name), &options, &lock), IL_OK, "%s",
                 il_error_message());
    return lock;
}

static void await(void *flag, const char *what) {
    cr_assert(test_wait(is_set, flag, DOOR_SECONDS), "%s", what);
}

/* COUNT threads in a ring: each but the last waits for the next one's lock, then the last closes it. */
static void ring_of_threads(struct door *door, int count) {
    struct crosser ring[LOCKS] = {0};
    pthread_t threads[LOCKS];
    for (int i = 0; i < count; i++) {
        ring[i].own = open_lock(door->domain, i, 0);
        ring[i].next = open_lock(door->domain, (i + 1) % count, 0);
        ring[i].timeout_ns = i % 2 ? seconds(20) : IL_FOREVER;
        cr_assert_eq(pthread_create(&threads[i], NULL, cross_thread, &ring[i]), 0);
    }
    for (int i = 0; i < count; i++) await(&ring[i].holds, "a thread does not come");
    for (int i = 0; i + 1 < count; i++) {
        atomic_store(&ring[i].go, 1);
        cr_assert(test_wait(has_waiter, ring[i].next, DOOR_SECONDS));
    }
    atomic_store(&ring[count - 1].go, 1);
    for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
    const struct crosser *last = &ring[count - 1];
    cr_assert_eq(last->acquired, IL_EDEADLK, "%s", il_status_name(last->acquired));
    cr_assert_lt(last->took_ns, SOON_NS);
    for (int i = 0; i < count; i++) {
        char name[32], pid[32];
        snprintf(name, sizeof name, "\"lock-%d\"", i);
        snprintf(pid, sizeof pid, "pid %d", (int)getpid());
        cr_assert(strstr(last->message, name), "no %s in: %s", name, last->message);
        cr_assert(strstr(last->message, pid), "no %s in: %s", pid, last->message);
        if (i + 1 < count) cr_assert_eq(ring[i].acquired, IL_OK);
        il_lock_close(ring[i].own);
        il_lock_close(ring[i].next);
    }
}

/* The HTTP door has its own test of this. */
EACH_DOOR(abi_deadlock, two_threads_that_cross) {
    if (door->local) ring_of_threads(door, 2);
}

EACH_DOOR(abi_deadlock, three_threads_that_cross) {
    if (door->local) ring_of_threads(door, 3);
}

/* Two processes, and this one that looks on. */
EACH_DOOR(abi_deadlock, processes_that_cross) {
    struct crosser *both =
        mmap(NULL, 2 * sizeof *both, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t children[2];
    if (!door->local) return;
#if defined(__SANITIZE_THREAD__)
    if (door->server) return; /* it cannot follow threads that a forked child starts */
#endif
    il_lock *second = open_lock(door->domain, 1, 0);
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] != 0) continue;
        il_domain *domain = door->domain; /* a private one is inherited */
        if (door->server) il_domain_open(door->address, NULL, &domain);
        both[i].own = open_lock(domain, i, 0);
        both[i].next = open_lock(domain, 1 - i, 0);
        both[i].timeout_ns = IL_FOREVER;
        cross(&both[i]);
        _exit(0);
    }
    await(&both[0].holds, "the first process does not come");
    await(&both[1].holds, "the second process does not come");
    atomic_store(&both[0].go, 1);
    cr_assert(test_wait(has_waiter, second, DOOR_SECONDS));
    atomic_store(&both[1].go, 1);
    for (int i = 0; i < 2; i++) cr_assert_eq(test_reap(children[i], DOOR_SECONDS), 0);
    cr_assert_eq(both[0].acquired, IL_OK, "%s", il_status_name(both[0].acquired));
    cr_assert_eq(both[1].acquired, IL_EDEADLK, "%s", il_status_name(both[1].acquired));
    cr_assert_lt(both[1].took_ns, SOON_NS);
    for (int i = 0; i < 2; i++) {
        char pid[32];
        snprintf(pid, sizeof pid, "pid %d", (int)both[i].pid);
        cr_assert(strstr(both[1].message, pid), "no %s in: %s", pid, both[1].message);
    }
    il_lock_close(second);
    munmap(both, 2 * sizeof *both);
}

EACH_DOOR(abi_deadlock, is_only_listed_where_the_object_says_so) {
    struct crosser both[2] = {0};
    pthread_t threads[2];
    if (!door->local) return;
    for (int i = 0; i < 2; i++) {
        both[i].own = open_lock(door->domain, i, IL_DEADLOCK_REPORT);
        both[i].next = open_lock(door->domain, 1 - i, IL_DEADLOCK_REPORT);
        both[i].timeout_ns = seconds(i == 0 ? 30 : 0.2);
        cr_assert_eq(pthread_create(&threads[i], NULL, cross_thread, &both[i]), 0);
        await(&both[i].holds, "a thread does not come");
    }
    for (int i = 0; i < 2; i++) atomic_store(&both[i].go, 1);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    cr_assert_eq(both[0].acquired, IL_OK);
    cr_assert_eq(both[1].acquired, IL_ETIMEOUT);
    for (int i = 0; i < 2; i++) {
        il_lock_close(both[i].own);
        il_lock_close(both[i].next);
    }
}

/* Many wait for one who runs, and one of them holds what others wait for. */
EACH_DOOR(abi_deadlock, waits_that_converge_raise_no_alarm) {
    struct crosser all[LOCKS] = {0};
    pthread_t threads[LOCKS];
    uint64_t token;
    if (!door->local) return;
    il_lock *top = open_lock(door->domain, 100, 0);
    cr_assert_eq(il_lock_acquire(top, 0, &token), IL_OK);
    for (int i = 0; i < LOCKS; i++) {
        all[i].own = open_lock(door->domain, i, 0);
        all[i].next = i == 0 ? top : i == 1 ? open_lock(door->domain, 0, 0) : top;
        all[i].timeout_ns = IL_FOREVER;
        cr_assert_eq(pthread_create(&threads[i], NULL, cross_thread, &all[i]), 0);
        await(&all[i].holds, "a thread does not come");
        atomic_store(&all[i].go, 1);
        cr_assert(test_wait(has_waiter, all[i].next, DOOR_SECONDS));
    }
    /* long enough for each of them to look again */
    il_lock *moment = open_lock(door->domain, 101, 0);
    cr_assert_eq(il_lock_acquire(moment, 0, NULL), IL_OK);
    cr_assert_eq(il_lock_acquire(moment, seconds(0.1), NULL), IL_ETIMEOUT,
                 "a self-made wait fails");
    cr_assert_eq(il_lock_release(moment, 0), IL_OK);
    cr_assert_eq(il_lock_close(moment), IL_OK);
    for (int i = 0; i < LOCKS; i++) cr_assert_eq(atomic_load(&all[i].done), 0);
    cr_assert_eq(il_lock_release(top, token), IL_OK);
    for (int i = 0; i < LOCKS; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(all[i].acquired, IL_OK, "%s", all[i].message);
        il_lock_close(all[i].own);
    }
    il_lock_close(all[1].next);
    il_lock_close(top);
}

static void *acquire_twice(void *lock) {
    il_status first = il_lock_acquire(lock, IL_FOREVER, NULL);
    il_status second = il_lock_acquire(lock, IL_FOREVER, NULL); /* as a binary semaphore */
    il_lock_release(lock, 0);
    return (void *)(intptr_t)(first == IL_OK ? second : first);
}

EACH_DOOR(abi_deadlock, what_a_thread_holds_itself_another_may_release) {
    pthread_t thread;
    void *status;
    if (!door->local) return;
    il_lock *lock = open_lock(door->domain, 0, 0);
    cr_assert_eq(pthread_create(&thread, NULL, acquire_twice, lock), 0);
    cr_assert(test_wait(has_waiter, lock, DOOR_SECONDS));
    cr_assert_eq(il_lock_release(lock, 0), IL_OK);
    pthread_join(thread, &status);
    cr_assert_eq((il_status)(intptr_t)status, IL_OK);
    il_lock_close(lock);
}

/* ---- both at once, again and again ---------------------------------------------------------------------- */

#define ROUNDS 2000

struct meeting {
    il_lock *locks[2];
    int side;
    pthread_barrier_t *barrier;
    il_status *status;
};

static void *meet(void *argument) {
    struct meeting *m = argument;
    for (int i = 0; i < ROUNDS; i++) {
        il_lock_acquire(m->locks[m->side], IL_FOREVER, NULL);
        pthread_barrier_wait(m->barrier);
        m->status[i] = il_lock_acquire(m->locks[1 - m->side], seconds(5), NULL);
        if (m->status[i] == IL_OK) il_lock_release(m->locks[1 - m->side], 0);
        il_lock_release(m->locks[m->side], 0);
        pthread_barrier_wait(m->barrier);
    }
    return NULL;
}

EACH_DOOR(abi_deadlock, exactly_one_of_two_that_meet_fails) {
    static il_status status[2][ROUNDS];
    pthread_barrier_t barrier;
    struct meeting sides[2];
    pthread_t threads[2];
    if (!door->local) return;
    pthread_barrier_init(&barrier, NULL, 2);
    for (int i = 0; i < 2; i++) {
        sides[i] = (struct meeting){.side = i, .barrier = &barrier, .status = status[i]};
        for (int k = 0; k < 2; k++) sides[i].locks[k] = open_lock(door->domain, k, 0);
    }
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, meet, &sides[i]);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < ROUNDS; i++) {
        bool first = status[0][i] == IL_EDEADLK, second = status[1][i] == IL_EDEADLK;
        cr_assert(first != second, "round %d: %s, %s", i, il_status_name(status[0][i]),
                  il_status_name(status[1][i]));
        cr_assert_eq(status[first ? 1 : 0][i], IL_OK);
    }
    for (int i = 0; i < 4; i++) il_lock_close(sides[i / 2].locks[i % 2]);
    pthread_barrier_destroy(&barrier);
}

/* ---- a crowd --------------------------------------------------------------------------------------------- */

#define CROWD 5
#define CROWD_LOCKS 6
#define CROWD_ROUNDS 1500
#define CROWD_HOLDS 3

struct member_of_crowd {
    il_lock **locks;
    uint64_t seed;
    bool ordered; /* takes them in one order, so that there is no deadlock */
    long failed, wrong;
};

static void *jostle(void *argument) {
    struct member_of_crowd *me = argument;
    for (int round = 0; round < CROWD_ROUNDS; round++) {
        unsigned held[CROWD_HOLDS], count = 0, at = 0;
        while (count < CROWD_HOLDS) {
            at = me->ordered ? at + 1 + (unsigned)(test_random(&me->seed) >> 40) % 2
                             : (unsigned)(test_random(&me->seed) >> 40) % CROWD_LOCKS;
            if (at >= CROWD_LOCKS) break;
            bool again = false;
            for (unsigned i = 0; i < count; i++) again |= held[i] == at;
            if (again) continue;
            il_status status = il_lock_acquire(me->locks[at], seconds(10), NULL);
            if (status == IL_EDEADLK) me->failed++;
            if (status != IL_OK && status != IL_EDEADLK) me->wrong++;
            if (status != IL_OK) break;
            held[count++] = at;
            sched_yield(); /* so that others come */
        }
        while (count > 0) il_lock_release(me->locks[held[--count]], 0);
    }
    return NULL;
}

/* How often a wait was said to close a cycle. */
static long crowd(struct door *door, bool ordered) {
    struct member_of_crowd all[CROWD];
    pthread_t threads[CROWD];
    il_lock *locks[CROWD_LOCKS];
    long failed = 0;
    for (int i = 0; i < CROWD_LOCKS; i++) {
        locks[i] = open_lock(door->domain, i, i % 2 ? IL_LOCK_FAIR : 0);
    }
    for (int i = 0; i < CROWD; i++) {
        all[i] = (struct member_of_crowd){
            .locks = locks, .seed = test_seed(5) + (uint64_t)i, .ordered = ordered};
        cr_assert_eq(pthread_create(&threads[i], NULL, jostle, &all[i]), 0);
    }
    for (int i = 0; i < CROWD; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(all[i].wrong, 0, "a deadlock was missed");
        failed += all[i].failed;
    }
    for (int i = 0; i < CROWD_LOCKS; i++) il_lock_close(locks[i]);
    return failed;
}

EACH_DOOR(abi_deadlock, a_crowd_that_keeps_an_order_hears_no_alarm) {
    if (door->local) cr_assert_eq(crowd(door, true), 0);
}

EACH_DOOR(abi_deadlock, a_crowd_without_order_never_stands_still) {
    if (door->local) cr_assert_gt(crowd(door, false), 0);
}
