#include <criterion/criterion.h>
#include <pthread.h>
#include <sys/wait.h>

#include "support/doors.h"

static il_lock *open_lock(struct door *door, int64_t delay_ns) {
    il_lock_options options = {.struct_bytes = sizeof options, .lock_delay_ns = delay_ns};
    il_lock *lock = NULL;
    cr_assert_eq(il_lock_open(door->domain, "it", 2, &options, &lock), IL_OK, "%s",
                 il_error_message());
    return lock;
}

EACH_DOOR(abi_lease, ends_the_grant_and_the_holder_is_told) {
    il_lock *lock = open_lock(door, 0);
    uint64_t lost = 0, next = 0;
    cr_assert_eq(il_lock_acquire_leased(lock, IL_NOWAIT, seconds(0.05), &lost), IL_OK, "%s",
                 il_error_message());
    cr_assert_eq(il_lock_check(lock, lost), IL_OK, "%s", il_error_message());
    int64_t begin = test_now_ns();
    cr_assert_eq(il_lock_acquire(lock, seconds(5), &next), IL_EOWNERDEAD, "%s", il_error_message());
    double waited = (double)(test_now_ns() - begin) / 1e9;
    cr_assert(waited < 2, "%.3f s", waited);
    cr_assert_eq(il_lock_release(lock, lost), IL_ELEASE, "%s", il_error_message());
    cr_assert_eq(il_lock_renew(lock, lost, seconds(1)), IL_ELEASE);
    cr_assert_eq(il_lock_check(lock, lost), IL_ELEASE);
    cr_assert_eq(il_lock_check(lock, next), IL_OK);
    cr_assert_eq(il_lock_release(lock, next), IL_OK);
    cr_assert_eq(il_lock_check(lock, next), IL_ENOTHELD);
    il_loss loss = {.struct_bytes = sizeof loss};
    cr_assert_eq(il_loss_next(door->domain, &loss, seconds(2)), IL_OK, "%s", il_error_message());
    cr_assert_eq(loss.token, lost);
    cr_assert_eq(loss.why, IL_ELEASE);
    cr_assert_eq(loss.kind, IL_KIND_LOCK);
    cr_assert_str_eq(loss.name, "it");
    cr_assert_eq(il_loss_next(door->domain, &loss, IL_NOWAIT), IL_ETIMEOUT, "each is told once");
    il_lock_close(lock);
}

EACH_DOOR(abi_lease, is_prolonged_shortened_and_lifted) {
    il_lock *lock = open_lock(door, 0);
    uint64_t token = 0, next = 0;
    cr_assert_eq(il_lock_acquire_leased(lock, IL_NOWAIT, seconds(0.1), &token), IL_OK);
    cr_assert_eq(il_lock_renew(lock, token, seconds(60)), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_lock_acquire(lock, seconds(0.3), &next), IL_ETIMEOUT);
    cr_assert_eq(il_lock_renew(lock, 0, seconds(0.05)), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_lock_acquire(lock, seconds(5), &next), IL_EOWNERDEAD);
    cr_assert_eq(il_lock_renew(lock, next, seconds(0.05)), IL_OK, "a grant without one gets it");
    cr_assert_eq(il_lock_renew(lock, next, 0), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_lock_acquire(lock, seconds(0.2), &token), IL_ETIMEOUT);
    cr_assert_eq(il_lock_release(lock, 0), IL_OK);
    il_lock_close(lock);
}

EACH_DOOR(abi_lease, operator_breaks_a_grant_with_a_reason) {
    il_lock *lock = open_lock(door, 0);
    uint64_t token = 0, next = 0;
    cr_assert_eq(il_lock_break(lock, 0, NULL), IL_ENOTHELD);
    cr_assert_eq(il_lock_acquire(lock, IL_NOWAIT, &token), IL_OK);
    cr_assert_eq(il_lock_break(lock, token + 1, NULL), IL_ENOTHELD, "%s", il_error_message());
    cr_assert_eq(il_lock_break(lock, token, "it hung, says Ann"), IL_OK, "%s", il_error_message());
    cr_assert_eq(il_lock_acquire(lock, IL_NOWAIT, &next), IL_EOWNERDEAD);
    cr_assert_eq(il_lock_release(lock, token), IL_EREVOKED);
    SAYS("it hung, says Ann");
    cr_assert_eq(il_lock_break(lock, 0, NULL), IL_OK);
    cr_assert_eq(il_lock_release(lock, 0), IL_EREVOKED);
    char reason[200];
    memset(reason, 'x', sizeof reason);
    reason[sizeof reason - 1] = 0;
    cr_assert_eq(il_lock_break(lock, 0, reason), IL_EINVAL);
    SAYS("reason");
    il_lock_close(lock);
}

EACH_DOOR(abi_lease, lock_delay_is_for_failures_only) {
    il_lock *lock = open_lock(door, seconds(0.4));
    uint64_t token = 0;
    cr_assert_eq(il_lock_acquire(lock, IL_NOWAIT, &token), IL_OK);
    cr_assert_eq(il_lock_release(lock, token), IL_OK);
    cr_assert_eq(il_lock_acquire_leased(lock, IL_NOWAIT, seconds(0.05), &token), IL_OK, "%s",
                 il_error_message());
    int64_t begin = test_now_ns();
    cr_assert_eq(il_lock_acquire(lock, seconds(5), &token), IL_EOWNERDEAD, "%s",
                 il_error_message());
    double waited = (double)(test_now_ns() - begin) / 1e9;
    cr_assert(waited > 0.4, "%.3f s", waited);
    cr_assert_eq(il_lock_release(lock, token), IL_OK);
    il_lock_close(lock);
}

/* A holder that is stopped past its lease and continued can neither release, renew nor pass a check. */
EACH_DOOR(abi_lease, stopped_holder_has_lost_it) {
    if (!door->server) cr_skip("the holder is a process that attaches or connects");
    int up[2], down[2];
    cr_assert(pipe(up) == 0 && pipe(down) == 0);
    il_lock *lock = open_lock(door, 0);
    pid_t child = fork();
    if (child == 0) {
        il_domain *domain = NULL;
        il_lock *its = NULL;
        il_lock_options options = {.struct_bytes = sizeof options};
        uint64_t token = 0;
        char go = 0;
        if (il_domain_open(door->address, NULL, &domain) != IL_OK ||
            il_lock_open(domain, "it", 2, &options, &its) != IL_OK ||
            il_lock_acquire_leased(its, IL_NOWAIT, seconds(0.3), &token) != IL_OK ||
            write(up[1], &token, sizeof token) != (ssize_t)sizeof token ||
            read(down[0], &go, 1) != 1)
            _exit(1);
        bool lost = il_lock_check(its, token) == IL_ELEASE &&
                    il_lock_renew(its, token, seconds(1)) == IL_ELEASE &&
                    il_lock_release(its, token) == IL_ELEASE;
        _exit(lost ? 0 : 2);
    }
    uint64_t token = 0, next = 0;
    cr_assert_eq(read(up[0], &token, sizeof token), (ssize_t)sizeof token);
    kill(child, SIGSTOP);
    cr_assert_eq(il_lock_acquire(lock, seconds(10), &next), IL_EOWNERDEAD, "%s",
                 il_error_message());
    cr_assert(next > token);
    kill(child, SIGCONT);
    cr_assert_eq(write(down[1], "g", 1), 1);
    cr_assert_eq(test_reap(child, DOOR_SECONDS), 0);
    cr_assert_eq(il_lock_release(lock, next), IL_OK);
    il_lock_close(lock);
}
