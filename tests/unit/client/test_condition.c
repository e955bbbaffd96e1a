/* Conditions over HTTP: the lock is held again after each wait, however it ended. */
#include "unit/client/fake.h"

#define VIEW(kind, name) "{\"name\":\"c\",\"lock\":{\"kind\":\"" kind "\",\"name\":\"" name "\"}}"
#define LATE(token) "{\"code\":\"timeout\",\"detail\":\"not notified\",\"token\":\"" #token "\"}"

struct scene {
    struct fake *f;
    struct ili_remote_domain *domain;
    struct ili_remote_condition *condition;
};

static const struct fake_rule own[] = {
    {"PUT /v1/conditions", 200, VIEW("rlock", "c")}, {"/acquire", 200, FAKE_GRANT(7)}, {0}};
static const struct fake_rule of_lock[] = {
    {"PUT /v1/conditions", 200, VIEW("lock", "l")}, {"/acquire", 200, FAKE_GRANT(7)}, {0}};

/* Request 0 opens the condition, request 1 acquires its lock with token 7. */
static struct scene begin(const struct fake_rule *rules) {
    fake_rules = rules;
    struct scene s = {.f = fake_start(fake_by_rules)};
    s.domain = fake_domain(s.f);
    cr_assert_eq(fake_ops()->condition_open(s.domain, "c", 1, NULL, NULL, &s.condition), IL_OK,
                 "%s", ili_error_text());
    cr_assert_eq(fake_ops()->condition_acquire(s.condition, IL_FOREVER, NULL), IL_OK);
    return s;
}

static void end(struct scene *s) {
    fake_rules = NULL;
    s->f->reply = fake_by_rules;
    fake_ops()->condition_close(s->condition);
    fake_ops()->domain_close(s->domain);
    fake_stop(s->f);
}

/* ---- open --------------------------------------------------------------------------------------- */

Test(client_condition, is_bound_to_what_is_given) {
    struct scene s = begin(own);
    const struct ili_remote_ops *ops = fake_ops();
    struct ili_remote_lock *lock = NULL;
    struct ili_remote_rlock *rlock = NULL;
    struct ili_remote_condition *condition = NULL;
    cr_assert_eq(ops->lock_open(s.domain, "l", 1, NULL, &lock), IL_OK);
    cr_assert_eq(ops->rlock_open(s.domain, "r", 1, NULL, &rlock), IL_OK);
    cr_assert_eq(ops->condition_open(s.domain, "c", 1, lock, NULL, &condition), IL_OK);
    ops->condition_close(condition);
    cr_assert_eq(ops->condition_open(s.domain, "c", 1, NULL, rlock, &condition), IL_OK);
    ops->condition_close(condition);
    fake_saw(s.f, 0, "PUT /v1/conditions/c", "{}");
    fake_saw(s.f, 4, "PUT /v1/conditions/c", "{\"lock\":\"l\"}");
    fake_saw(s.f, 5, "PUT /v1/conditions/c", "{\"rlock\":\"r\"}");
    ops->lock_close(lock);
    ops->rlock_close(rlock);
    end(&s);
}

Test(client_condition, another_binding_is_a_conflict_only_if_one_was_given) {
    static const struct fake_rule rules[] = {{"PUT /v1/conditions", 409, FAKE_PROBLEM("conflict")},
                                             {"GET /v1/conditions/d", 200, VIEW("lock", "l")},
                                             {0}};
    struct scene s = begin(own);
    const struct ili_remote_ops *ops = fake_ops();
    struct ili_remote_lock *lock = NULL;
    struct ili_remote_condition *condition = NULL;
    cr_assert_eq(ops->lock_open(s.domain, "l", 1, NULL, &lock), IL_OK);
    fake_rules = rules;
    cr_assert_eq(ops->condition_open(s.domain, "d", 1, lock, NULL, &condition), IL_ECONFLICT);
    cr_assert_eq(ops->condition_open(s.domain, "d", 1, NULL, NULL, &condition), IL_OK);
    ops->condition_close(condition);
    cr_assert_eq(ops->condition_open(s.domain, "e", 1, NULL, NULL, &condition), IL_EPROTOCOL);
    ops->lock_close(lock);
    end(&s);
}

/* ---- its lock ----------------------------------------------------------------------------------- */

Test(client_condition, its_lock_is_held_through_either_handle) {
    struct scene s = begin(of_lock);
    const struct ili_remote_ops *ops = fake_ops();
    struct ili_remote_lock *lock = NULL;
    cr_assert_eq(ops->lock_open(s.domain, "l", 1, NULL, &lock), IL_OK);
    fake_saw(s.f, 1, "POST /v1/conditions/c/acquire", fake_body("{\"session\":\"s1\",%s}"));
    cr_assert_eq(ops->lock_release(lock, 7), IL_OK);
    cr_assert_eq(ops->condition_release(s.condition, 0), IL_ENOTHELD);
    cr_assert_eq(ops->lock_acquire(lock, 0, NULL), IL_OK);
    cr_assert_eq(ops->condition_release(s.condition, 0), IL_OK);
    fake_saw(s.f, 5, "POST /v1/conditions/c/release",
             fake_body("{\"token\":\"7\",\"session\":\"s1\",%s}"));
    ops->lock_close(lock);
    end(&s);
}

/* ---- wait --------------------------------------------------------------------------------------- */

Test(client_condition, wait_gives_the_grant_up_and_returns_with_another) {
    static const struct fake_rule rules[] = {
        {"/wait", 200, "{\"token\":\"8\",\"owner_died\":false,\"notified\":true}"},
        {"/check", 409, FAKE_PROBLEM("stale_token")},
        {0}};
    struct scene s = begin(own);
    uint64_t token = 0;
    fake_rules = rules;
    cr_assert_eq(fake_ops()->condition_wait(s.condition, IL_FOREVER, &token), IL_OK);
    cr_assert_eq(token, 8);
    fake_saw(s.f, 2, "POST /v1/conditions/c/wait",
             fake_body("{\"token\":\"7\",\"session\":\"s1\",%s}"));
    cr_assert_neq(s.f->requests[2].key[0], 0);
    cr_assert_eq(fake_ops()->condition_release(s.condition, 7), IL_ESTALE);
    cr_assert_eq(fake_ops()->condition_release(s.condition, 8), IL_OK);
    cr_assert_eq(fake_ops()->condition_wait(s.condition, 0, &token), IL_ENOTHELD);
    end(&s);
}

Test(client_condition, timeout_holds_the_lock_again) {
    static const struct fake_rule rules[] = {{"/wait", 409, LATE(9)}, {0}};
    struct scene s = begin(own);
    uint64_t token = 0;
    fake_rules = rules;
    cr_assert_eq(fake_ops()->condition_wait(s.condition, 0, &token), IL_ETIMEOUT);
    cr_assert_eq(token, 9);
    cr_assert_eq(fake_ops()->condition_release(s.condition, 9), IL_OK);
    end(&s);
}

static void late_then_notified(struct fake *f, int fd, const struct fake_request *r) {
    (void)f;
    if (r->number == 2)
        fake_answer(fd, 409, LATE(8));
    else if (r->number == 3)
        fake_answer(fd, 409, LATE(9));
    else
        fake_answer(fd, 200, "{\"token\":\"10\",\"owner_died\":true,\"notified\":true}");
}

Test(client_condition, long_wait_goes_on_with_each_new_grant) {
    struct scene s = begin(own);
    uint64_t token = 0;
    s.f->reply = late_then_notified;
    cr_assert_eq(fake_ops()->condition_wait(s.condition, IL_FOREVER, &token), IL_EOWNERDEAD);
    cr_assert_eq(token, 10);
    cr_assert_not_null(strstr(s.f->requests[3].body, "\"token\":\"8\""));
    cr_assert_not_null(strstr(s.f->requests[4].body, "\"token\":\"9\""));
    end(&s);
}

struct interrupter {
    struct fake *f;
    uint64_t thread;
};

static void *interrupt_later(void *context) {
    struct interrupter *i = context;
    if (fake_reaches(i->f, &i->f->count, 4)) ili_thread_interrupt(i->thread);
    return NULL;
}

static _Atomic uint64_t interrupt_again; /* while the lock is acquired */

static void hang_then_grant(struct fake *f, int fd, const struct fake_request *r) {
    if (strstr(r->path, "/wait")) {
        fake_await_leaving(f, fd);
        fake_reset(fd);
    } else {
        ili_thread_interrupt(interrupt_again);
        fake_grant(fd, 20, 60);
    }
}

Test(client_condition, interruption_acquires_the_lock_again_as_deep_as_before) {
    struct scene s = begin(own);
    pthread_t thread;
    uint64_t token = 0;
    cr_assert_eq(fake_ops()->condition_acquire(s.condition, 0, NULL), IL_OK); /* twice now */
    s.f->reply = hang_then_grant;
    struct interrupter i = {s.f, ili_thread_id(ili_thread_current())};
    interrupt_again = i.thread;
    pthread_create(&thread, NULL, interrupt_later, &i);
    cr_assert_eq(fake_ops()->condition_wait(s.condition, IL_FOREVER, &token), IL_EINTR);
    pthread_join(thread, NULL);
    cr_assert_eq(token, 20);
    cr_assert(fake_reaches(s.f, &s.f->left, 1));
    fake_saw(s.f, 4, "POST /v1/conditions/c/acquire", fake_body("{\"session\":\"s1\",%s}"));
    fake_saw(s.f, 5, "POST /v1/conditions/c/acquire", fake_body("{\"session\":\"s1\",%s}"));
    cr_assert(fake_take(), "that is not to be interrupted");
    cr_assert_eq(fake_count(s.f), 6);
    s.f->reply = fake_by_rules;
    cr_assert_eq(fake_ops()->condition_release(s.condition, 20), IL_OK);
    cr_assert_eq(fake_ops()->condition_release(s.condition, 20), IL_OK);
    fake_rules = NULL;
    cr_assert_eq(fake_ops()->condition_release(s.condition, 0), IL_ENOTHELD);
    end(&s);
}

Test(client_condition, pending_interruption_ends_a_wait_with_the_lock_held) {
    static const struct fake_rule rules[] = {{"/wait", 409, LATE(9)}, {0}};
    struct scene s = begin(own);
    uint64_t token = 0;
    fake_rules = rules;
    fake_raise();
    cr_assert_eq(fake_ops()->condition_wait(s.condition, IL_FOREVER, &token), IL_EINTR);
    cr_assert_eq(token, 9);
    cr_assert_not_null(strstr(s.f->requests[2].body, "\"timeout\":0}"));
    cr_assert_eq(fake_count(s.f), 3);
    end(&s);
}

static void break_off_then_grant(struct fake *f, int fd, const struct fake_request *r) {
    (void)f;
    if (r->number == 2)
        fake_reset(fd);
    else if (strstr(r->path, "/wait"))
        fake_problem(fd, 409, "not_held", "the wait before gave it up");
    else
        fake_grant(fd, 20, 60);
}

Test(client_condition, broken_connection_misses_no_notify_and_holds_the_lock_again) {
    struct scene s = begin(own);
    uint64_t token = 0;
    s.f->reply = break_off_then_grant;
    cr_assert_eq(fake_ops()->condition_wait(s.condition, IL_FOREVER, &token), IL_OK);
    cr_assert_eq(token, 20);
    end(&s);
}

static void wait_fails(int status, const char *body, il_status expected, il_status then) {
    struct fake_rule rules[] = {{"/wait", status, body}, {0}};
    struct scene s = begin(own);
    uint64_t token = 99;
    fake_rules = rules;
    cr_assert_eq(fake_ops()->condition_wait(s.condition, IL_FOREVER, &token), expected);
    cr_assert_eq(token, 99);
    cr_assert_eq(fake_ops()->condition_release(s.condition, 0), then);
    end(&s);
}

Test(client_condition, failures_are_told_and_whether_the_lock_is_held) {
    wait_fails(410, FAKE_PROBLEM("deleted"), IL_EDELETED, IL_ENOTHELD);
    wait_fails(409, FAKE_PROBLEM("lease_lost"), IL_ELEASE, IL_ENOTHELD);
    wait_fails(410, FAKE_PROBLEM("session_ended"), IL_ELEASE, IL_ENOTHELD);
    wait_fails(409, FAKE_PROBLEM("not_held"), IL_ENOTHELD, IL_ENOTHELD);
    wait_fails(503, FAKE_PROBLEM("busy"), IL_EBUSY, IL_OK);
    wait_fails(503, FAKE_PROBLEM("limit_reached"), IL_ELIMIT, IL_OK);
}

/* Another thread of the process takes the lock while it is given up. */
struct rival {
    struct scene *s;
    il_status status;
};

static void *be_rival(void *context) {
    struct rival *rival = context;
    struct fake *f = rival->s->f;
    if (fake_reaches(f, &f->count, 3)) {
        rival->status = fake_ops()->condition_acquire(rival->s->condition, 0, NULL);
    }
    return NULL;
}

static void grant_rival_first(struct fake *f, int fd, const struct fake_request *r) {
    if (strstr(r->path, "/wait")) {
        fake_reaches(f, &f->count, 5); /* the rival released */
        fake_grant(fd, 12, 60);
    } else {
        fake_grant(fd, 11, 60);
    }
}

static void *rival_release(void *context) {
    struct rival *rival = context;
    be_rival(rival);
    if (rival->status == IL_OK) {
        rival->status = fake_ops()->condition_release(rival->s->condition, 11);
    }
    return NULL;
}

Test(client_condition, lock_that_another_thread_held_meanwhile_is_ours_again) {
    struct scene s = begin(of_lock);
    struct rival rival = {&s, IL_EINVAL};
    pthread_t thread;
    uint64_t token = 0;
    s.f->reply = grant_rival_first;
    pthread_create(&thread, NULL, rival_release, &rival);
    cr_assert_eq(fake_ops()->condition_wait(s.condition, IL_FOREVER, &token), IL_OK);
    pthread_join(thread, NULL);
    cr_assert_eq(rival.status, IL_OK);
    cr_assert_eq(token, 12);
    fake_rules = NULL;
    s.f->reply = fake_by_rules;
    cr_assert_eq(fake_ops()->condition_release(s.condition, 0), IL_OK);
    cr_assert_not_null(strstr(s.f->requests[5].body, "\"12\""));
    end(&s);
}

/* ---- notify ------------------------------------------------------------------------------------- */

Test(client_condition, notify_is_for_who_holds_the_lock) {
    struct scene s = begin(own);
    const struct ili_remote_ops *ops = fake_ops();
    cr_assert_eq(ops->condition_notify(s.condition, 2), IL_OK);
    cr_assert_eq(ops->condition_notify_all(s.condition), IL_OK);
    fake_saw(s.f, 2, "POST /v1/conditions/c/notify",
             fake_body("{\"token\":\"7\",\"count\":2,\"session\":\"s1\",%s}"));
    fake_saw(s.f, 3, "POST /v1/conditions/c/notify_all",
             fake_body("{\"token\":\"7\",\"session\":\"s1\",%s}"));
    cr_assert(s.f->requests[2].key[0] && s.f->requests[3].key[0]);
    cr_assert_eq(ops->condition_notify(s.condition, 0), IL_EINVAL);
    cr_assert_eq(ops->condition_release(s.condition, 0), IL_OK);
    cr_assert_eq(ops->condition_notify(s.condition, 1), IL_ENOTHELD);
    cr_assert_eq(ops->condition_notify_all(s.condition), IL_ENOTHELD);
    end(&s);
}

Test(client_condition, waiters_and_delete_go_to_its_routes) {
    static const struct fake_rule rules[] = {{"GET", 200, "{\"waiters\":4}"}, {0}};
    struct scene s = begin(own);
    uint32_t waiters = 0;
    fake_rules = rules;
    cr_assert_eq(fake_ops()->condition_waiters(s.condition, &waiters), IL_OK);
    cr_assert_eq(waiters, 4);
    cr_assert_eq(fake_ops()->condition_delete(s.domain, "c", 1), IL_OK);
    fake_saw(s.f, 3, "DELETE /v1/conditions/c", NULL);
    end(&s);
}
