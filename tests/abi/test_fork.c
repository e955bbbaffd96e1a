#include <criterion/criterion.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "support/doors.h"

/* What children report; all assertions are the parent's. */
struct report {
    _Atomic int step[8];
    _Atomic il_status status[16];
    _Atomic uint64_t token[4];
    _Atomic pid_t pids[4];
};

static struct report *new_report(void) {
    return mmap(NULL, sizeof(struct report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                0);
}

static bool is_set(void *step) { return atomic_load((_Atomic int *)step) != 0; }
static void await_step(struct report *r, int number) {
    (void)test_wait(is_set, &r->step[number], DOOR_SECONDS);
}
static void set_step(struct report *r, int number) { atomic_store(&r->step[number], 1); }

Test(abi_fork, child_shares_a_private_domain, .timeout = 60) {
    struct report *r = new_report();
    il_domain *domain = NULL;
    il_lock *lock = NULL;
    il_queue *queue = NULL;
    uint64_t token = 0;
    char room[8];
    size_t bytes;
    cr_assert_eq(il_domain_open("private:", NULL, &domain), IL_OK);
    il_lock_open(domain, "it", 2, NULL, &lock);
    il_queue_open(domain, NULL, 0, NULL, &queue);
    il_lock_acquire(lock, 0, &token);
    pid_t child = fork();
    if (child == 0) {
        uint64_t mine = 0;
        r->status[0] = il_lock_release(lock, token); /* its parent's, not its own */
        r->status[1] = il_lock_acquire(lock, 0, NULL);
        r->status[2] = il_queue_put(queue, "hello", 5, IL_TEXT, seconds(5));
        r->status[3] = il_lock_acquire(lock, seconds(10), &mine);
        r->token[0] = mine;
        il_owner owner = {.struct_bytes = sizeof owner};
        il_lock_owner(lock, &owner);
        r->pids[0] = (pid_t)owner.pid;
        r->status[4] = il_lock_release(lock, mine);
        r->status[5] = il_lock_close(lock);
        r->status[6] = il_queue_close(queue);
        r->status[7] = il_domain_close(domain);
        _exit(0);
    }
    cr_assert_eq(il_queue_get(queue, room, sizeof room, &bytes, NULL, seconds(10)), IL_OK, "%s",
                 il_error_message());
    cr_assert_eq(bytes, 5);
    cr_assert_eq(il_lock_release(lock, token), IL_OK);
    cr_assert_eq(test_reap(child, DOOR_SECONDS), 0);
    cr_assert_eq(r->status[0], IL_ENOTHELD);
    cr_assert_eq(r->status[1], IL_ETIMEOUT);
    for (int i = 2; i < 8; i++)
        cr_assert_eq(r->status[i], IL_OK, "%d: %s", i, il_status_name(r->status[i]));
    cr_assert(r->token[0] > token);
    cr_assert_eq(r->pids[0], child);
    cr_assert_eq(il_lock_acquire(lock, seconds(5), NULL), IL_OK);
    il_lock_release(lock, 0);
    il_lock_close(lock);
    il_queue_close(queue);
    il_domain_close(domain);
}

EACH_DOOR(abi_fork, child_of_a_client_opens_its_own) {
    struct report *r = new_report();
    il_lock *lock = NULL;
    il_queue *queue = NULL;
    uint64_t token = 0;
    if (!door->server) return;
#if defined(__SANITIZE_THREAD__)
    return; /* it cannot follow threads that a forked child starts */
#endif
    il_lock_open(door->domain, "it", 2, NULL, &lock);
    il_queue_open(door->domain, "it", 2, NULL, &queue);
    il_lock_acquire(lock, 0, &token);
    pid_t child = fork();
    if (child == 0) {
        il_domain *own = NULL;
        il_lock *mine = NULL;
        char room[8];
        size_t bytes;
        r->status[0] = il_lock_acquire(lock, seconds(1), NULL);
        r->status[1] = il_lock_release(lock, token);
        r->status[2] = il_queue_put(queue, "x", 1, IL_TEXT, seconds(1));
        r->status[3] = il_queue_get(queue, room, sizeof room, &bytes, NULL, seconds(1));
        r->status[4] = il_lock_close(lock);
        r->status[5] = il_queue_close(queue);
        r->status[6] = il_domain_close(door->domain);
        r->status[7] = il_domain_open(door->address, NULL, &own);
        r->status[8] = il_lock_open(own, "it", 2, NULL, &mine);
        r->status[9] = il_lock_acquire(mine, 0, NULL);
        set_step(r, 0);
        r->status[10] = il_lock_acquire(mine, seconds(10), NULL);
        r->status[11] = il_lock_release(mine, 0);
        il_lock_close(mine);
        r->status[12] = il_domain_close(own);
        _exit(0);
    }
    await_step(r, 0);
    cr_assert_eq(il_lock_release(lock, token), IL_OK, "the parent's session goes on: %s",
                 il_error_message());
    cr_assert_eq(test_reap(child, DOOR_SECONDS), 0);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(r->status[i], IL_EFORKED, "%d: %s", i, il_status_name(r->status[i]));
    for (int i = 4; i < 13; i++) {
        cr_assert_eq(r->status[i], i == 9 ? IL_ETIMEOUT : IL_OK, "%d: %s", i,
                     il_status_name(r->status[i]));
    }
    cr_assert_eq(il_lock_acquire(lock, 0, NULL), IL_OK);
    il_lock_release(lock, 0);
    il_lock_close(lock);
    il_queue_close(queue);
}

/* Acquires, says so, and holds on until it is killed. */
static void hold(struct report *r, il_lock *lock, int number) {
    uint64_t token = 0;
    atomic_store(&r->pids[number], getpid());
    r->status[number] = il_lock_acquire(lock, seconds(20), &token);
    r->token[number] = token;
    set_step(r, number);
    for (;;) pause();
}

static bool are_started(void *report) {
    struct report *r = report;
    return atomic_load(&r->pids[0]) != 0 && atomic_load(&r->pids[1]) != 0;
}

static bool is_third_started(void *report) {
    return atomic_load(&((struct report *)report)->pids[2]) != 0;
}

static il_domain *family_domain;
static il_lock *family_lock;

/* The domain's maker, its child and its grandchild: each waits for the one before, which dies. The
 * test's process takes no part. */
Test(abi_fork, keepers_role_passes_on_when_its_process_dies, .timeout = 60) {
    struct report *r = new_report();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t maker = fork();
    if (maker == 0) {
        il_domain_open("private:", NULL, &family_domain);
        il_lock_open(family_domain, "it", 2, NULL, &family_lock);
        il_lock_acquire(family_lock, 0, NULL);
        if (fork() == 0) {
            if (fork() == 0) {
                await_step(r, 1);
                hold(r, family_lock, 2);
            }
            hold(r, family_lock, 1);
        }
        hold(r, family_lock, 0); /* waits for itself: it is the keeper then */
    }
    cr_assert(test_wait(are_started, r, DOOR_SECONDS));
    kill(maker, SIGKILL);
    await_step(r, 1);
    cr_assert_eq(r->status[1], IL_EOWNERDEAD, "%s", il_status_name(r->status[1]));
    cr_assert(test_wait(is_third_started, r, DOOR_SECONDS));
    kill(r->pids[1], SIGKILL);
    await_step(r, 2);
    cr_assert_eq(r->status[2], IL_EOWNERDEAD, "%s", il_status_name(r->status[2]));
    cr_assert(r->token[2] > r->token[1]);
    kill(r->pids[2], SIGKILL);
}

/* A program that goes to the background at once: its child inherits all the same. */
Test(abi_fork, child_goes_on_when_its_parent_ends_at_once, .timeout = 120) {
    struct report *r = new_report();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    il_domain *domain = NULL;
    il_lock *locks[50], *other = NULL;
    il_domain_open("private:", NULL, &domain);
    il_lock_open(domain, "held", 4, NULL, &other);
    il_lock_acquire(other, 0, NULL);
    (void)il_lock_acquire(other, 1000000, NULL); /* this process is the keeper now */
    for (int round = 0; round < 100; round++) {
        atomic_store(&r->step[0], 0);
        pid_t parent = fork();
        if (parent == 0) {
            for (int i = 0; i < 50; i++) (void)il_lock_open(domain, NULL, 0, NULL, &locks[i]);
            if (fork() != 0) kill(getpid(), SIGKILL);
            r->status[0] = IL_OK;
            for (int i = 0; i < 50; i++) {
                il_status status = il_lock_acquire(locks[i], seconds(5), NULL);
                if (status == IL_OK) status = il_lock_release(locks[i], 0);
                if (status == IL_OK) status = il_lock_close(locks[i]);
                if (status != IL_OK) r->status[0] = status;
            }
            set_step(r, 0);
            _exit(0);
        }
        waitpid(parent, NULL, 0);
        await_step(r, 0);
        cr_assert_eq(r->step[0], 1, "round %d: the child did not end", round);
        cr_assert_eq(r->status[0], IL_OK, "round %d: %s", round, il_status_name(r->status[0]));
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
    }
    il_lock_release(other, 0);
    il_lock_close(other);
    il_domain_close(domain);
}
