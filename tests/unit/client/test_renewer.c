/* Leases that are renewed while a lock is held, and what becomes of a lost one. */
#include "client/call.h"
#include "unit/client/fake.h"

/* What the server answers to renew and release; set before the lock is acquired. */
static int refuse_status;
static const char *renew_code, *release_code;
static double lease = 0.03;

static void answer_or(int fd, const char *code, const char *good) {
    if (code)
        fake_problem(fd, refuse_status, code, "no");
    else
        fake_answer(fd, 200, good);
}

static void reply(struct fake *f, int fd, const struct fake_request *r) {
    (void)f;
    if (strstr(r->path, "/acquire"))
        fake_grant(fd, 40 + (unsigned)r->number, lease);
    else if (strstr(r->path, "/renew"))
        answer_or(fd, renew_code, "{\"token\":\"41\",\"lease\":1}");
    else if (strstr(r->path, "/release"))
        answer_or(fd, release_code, "{\"released\":true}");
    else
        fake_answer(fd, 200,
                    "{\"locked\":true,\"token\":\"50\",\"waiters\":2,"
                    "\"owner\":{\"label\":\"other\",\"pid\":17}}");
}

struct scene {
    struct fake *f;
    struct ili_remote_domain *domain;
    struct ili_remote_lock *lock;
    uint64_t token;
};

/* Request 0 opens the lock, request 1 acquires it with token 41. */
static struct scene begin(void) {
    struct scene s = {.f = fake_start(reply)};
    s.domain = fake_domain(s.f);
    cr_assert_eq(fake_ops()->lock_open(s.domain, "l", 1, NULL, &s.lock), IL_OK);
    cr_assert_eq(fake_ops()->lock_acquire(s.lock, 0, &s.token), IL_OK, "%s", ili_error_text());
    cr_assert_eq(s.token, 41);
    return s;
}

static void end(struct scene *s) {
    fake_ops()->lock_close(s->lock);
    fake_ops()->domain_close(s->domain);
    fake_stop(s->f);
}

/* How many of the requests ask for OPERATION. */
static int asked(const struct scene *s, const char *operation) {
    int n = 0;
    for (int i = 0; i < fake_count(s->f); i++)
        n += strstr(s->f->requests[i].path, operation) != NULL;
    return n;
}

static void await_lost(const struct scene *s) {
    struct ili_remote_grant grant = {0};
    int64_t deadline = ili_deadline_in(INT64_C(10000000000));
    while (ili_remote_grants_find(&s->domain->grants, "l", 1, &grant) && grant.lost == IL_OK) {
        cr_assert_lt(ili_now_ns(), deadline);
        sched_yield();
    }
}

Test(client_renewer, held_lock_is_renewed_again_and_again) {
    struct scene s = begin();
    cr_assert(fake_reaches(s.f, &s.f->count, 5));
    cr_assert_geq(asked(&s, "/renew"), 3);
    cr_assert_str_eq(s.f->requests[2].path, "/v1/locks/l/renew");
    cr_assert_str_eq(s.f->requests[2].body, "{\"token\":\"41\",\"lease\":0.03}");
    cr_assert_eq(fake_ops()->lock_release(s.lock, 41), IL_OK);
    end(&s);
}

Test(client_renewer, asks_for_the_lease_that_it_renews) {
    lease = 60;
    struct scene s = begin();
    cr_assert_not_null(strstr(s.f->requests[1].body, "\"lease\":30"), "%s", s.f->requests[1].body);
    cr_assert_not_null(strstr(s.f->requests[1].body, "\"owner\":\"tester\""));
    end(&s);
}

Test(client_renewer, a_third_of_the_lease_goes_by_between) {
    cr_assert_eq(ili_renewer_renew_at(1000, 30), 1010);
    cr_assert_eq(ili_renewer_renew_at(1000, INT64_MAX), INT64_MAX);
}

Test(client_renewer, released_lock_is_not_renewed) {
    lease = 60;
    struct scene s = begin();
    struct ili_remote_grant grant;
    cr_assert(ili_remote_grants_next(&s.domain->grants, &grant));
    cr_assert_eq(fake_ops()->lock_release(s.lock, 0), IL_OK);
    cr_assert_not(ili_remote_grants_next(&s.domain->grants, &grant));
    cr_assert_not_null(strstr(s.f->requests[2].body, "\"41\""));
    end(&s);
    cr_assert_eq(refuse_status, 0);
}

static void lost_with(int status, const char *code, il_status expected) {
    refuse_status = status;
    renew_code = code;
    struct scene s = begin();
    await_lost(&s);
    int before = fake_count(s.f);
    cr_assert_eq(fake_ops()->lock_release(s.lock, 41), expected, "%s", ili_error_text());
    cr_assert_eq(fake_count(s.f), before, "nothing is left to ask");
    cr_assert_eq(asked(&s, "/renew"), 1);
    cr_assert_eq(fake_ops()->lock_release(s.lock, 0), IL_ENOTHELD, "only once");
    end(&s);
}

Test(client_renewer, lease_that_ran_out_is_the_releases_result) {
    lost_with(409, "lease_lost", IL_ELEASE);
}
Test(client_renewer, lost_grant_is_known_also_if_the_server_forgot_it) {
    lost_with(409, "not_held", IL_ELEASE);
}
Test(client_renewer, deleted_lock_is_the_releases_result) {
    lost_with(410, "deleted", IL_EDELETED);
}

Test(client_renewer, failure_that_says_nothing_of_the_lease_is_tried_again) {
    refuse_status = 503;
    renew_code = "busy";
    struct scene s = begin();
    cr_assert(fake_reaches(s.f, &s.f->count, 5));
    cr_assert_eq(fake_ops()->lock_release(s.lock, 41), IL_OK, "%s", ili_error_text());
    end(&s);
}

Test(client_renewer, closing_the_domain_releases_what_is_held) {
    lease = 60;
    struct scene s = begin();
    struct ili_remote_lock *other = NULL;
    cr_assert_eq(fake_ops()->lock_open(s.domain, "m", 1, NULL, &other), IL_OK);
    cr_assert_eq(fake_ops()->lock_acquire(other, 0, NULL), IL_OK);
    fake_ops()->lock_close(other);
    fake_ops()->lock_close(s.lock);
    cr_assert_eq(fake_ops()->domain_close(s.domain), IL_OK);
    cr_assert_eq(fake_count(s.f), 6);
    cr_assert_eq(asked(&s, "/release"), 2);
    fake_stop(s.f);
}

/* ---- release and owner ------------------------------------------------------------------------ */

Test(client_renewer, foreign_and_old_tokens_are_told_apart) {
    lease = 60;
    struct scene s = begin();
    cr_assert_eq(fake_ops()->lock_release(s.lock, 40), IL_ESTALE);
    cr_assert_eq(fake_ops()->lock_release(s.lock, 51), IL_ENOTHELD);
    cr_assert_eq(fake_ops()->lock_release(s.lock, 41), IL_OK);
    cr_assert_eq(fake_ops()->lock_release(s.lock, 41), IL_ESTALE, "50 is the newest there");
    cr_assert_eq(fake_ops()->lock_release(s.lock, 50), IL_ENOTHELD, "another session's");
    cr_assert_eq(fake_ops()->lock_release(s.lock, 0), IL_ENOTHELD);
    cr_assert_eq(asked(&s, "/release"), 1);
    end(&s);
}

Test(client_renewer, release_that_failed_may_be_tried_again) {
    lease = 60;
    refuse_status = 503;
    release_code = "busy";
    struct scene s = begin();
    cr_assert_eq(fake_ops()->lock_release(s.lock, 41), IL_EBUSY);
    release_code = NULL;
    cr_assert_eq(fake_ops()->lock_release(s.lock, 0), IL_OK);
    end(&s);
}

static void lose_the_answer(struct fake *f, int fd, const struct fake_request *r) {
    if (!strstr(r->path, "/release"))
        reply(f, fd, r);
    else if (r->number == 2)
        fake_reset(fd);
    else
        fake_problem(fd, 409, "not_held", "released by the request before");
}

Test(client_renewer, release_whose_answer_was_lost_is_a_release) {
    lease = 60;
    struct scene s = begin();
    s.f->reply = lose_the_answer;
    cr_assert_eq(fake_ops()->lock_release(s.lock, 41), IL_OK, "%s", ili_error_text());
    cr_assert_eq(fake_count(s.f), 4);
    end(&s);
}

Test(client_renewer, owner_is_what_the_server_says) {
    lease = 60;
    struct scene s = begin();
    il_owner owner;
    int32_t locked = 7;
    cr_assert_eq(fake_ops()->lock_owner(s.lock, &owner), IL_OK);
    cr_assert_eq(owner.token, 50);
    cr_assert_eq(owner.pid, 17);
    cr_assert_eq(owner.waiters, 2);
    cr_assert_eq(owner.mine, 0);
    cr_assert_str_eq(owner.label, "other");
    cr_assert_eq(fake_ops()->lock_locked(s.lock, &locked), IL_OK);
    cr_assert_eq(locked, 1);
    end(&s);
}
