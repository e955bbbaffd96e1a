/* The session of a domain: made once, renewed, lost, ended. */
#include "client/call.h"
#include "unit/client/fake.h"

#define SECOND INT64_C(1000000000)

static const struct fake_rule grants[] = {
    {"POST /v1/locks/l/acquire", 200, FAKE_GRANT(41)},
    {"POST /v1/locks/m/acquire", 200, FAKE_GRANT(42)},
    {0},
};

struct scene {
    struct fake *f;
    struct ili_remote_domain *domain;
    struct ili_remote_lock *lock;
};

static struct ili_remote_lock *open_lock(struct ili_remote_domain *domain, const char *name) {
    struct ili_remote_lock *lock = NULL;
    cr_assert_eq(fake_ops()->lock_open(domain, name, 1, NULL, &lock), IL_OK, "%s",
                 ili_error_text());
    return lock;
}

/* Request 0 opens the lock l. */
static struct scene begin(double ttl) {
    fake_rules = grants;
    struct scene s = {.f = fake_start(fake_by_rules)};
    s.f->ttl = ttl;
    s.domain = fake_domain(s.f);
    s.lock = open_lock(s.domain, "l");
    return s;
}

static void end(struct scene *s) {
    fake_ops()->lock_close(s->lock);
    fake_ops()->domain_close(s->domain);
    fake_stop(s->f);
}

static uint64_t acquire(const struct scene *s) {
    uint64_t token = 0;
    cr_assert_eq(fake_ops()->lock_acquire(s->lock, 0, &token), IL_OK, "%s", ili_error_text());
    return token;
}

Test(client_session, is_made_by_the_first_acquire_and_only_once) {
    struct scene s = begin(30);
    cr_assert_eq(fake_get(s.f, &s.f->made), 0);
    acquire(&s);
    acquire(&s);
    cr_assert_eq(fake_get(s.f, &s.f->made), 1);
    fake_saw(s.f, 1, "POST /v1/locks/l/acquire",
             fake_body("{\"session\":\"s1\",%s,\"timeout\":0}"));
    end(&s);
}

static void reply_myself(struct fake *f, int fd, const struct fake_request *r) {
    if (strstr(r->path, "/sessions") == NULL)
        fake_by_rules(f, fd, r);
    else if (r->number == 1)
        fake_reset(fd);
    else
        fake_answer(fd, 201, "{\"id\":\"a/b\",\"ttl\":30,\"label\":\"tester\"}");
}

Test(client_session, says_who_it_is_and_is_not_made_twice_when_the_answer_is_lost) {
    struct scene s = begin(30);
    s.f->hosts = false;
    s.f->reply = reply_myself;
    acquire(&s);
    fake_saw(s.f, 1, "POST /v1/sessions", NULL);
    fake_saw(s.f, 2, "POST /v1/sessions", s.f->requests[1].body);
    cr_assert_not_null(
        strstr(s.f->requests[1].body, "{\"ttl\":30,\"label\":\"tester\",\"host\":\""));
    cr_assert_neq(s.f->requests[1].key[0], 0);
    cr_assert_str_eq(s.f->requests[1].key, s.f->requests[2].key);
    cr_assert_not_null(strstr(s.f->requests[3].body, "\"session\":\"a/b\""));
    fake_ops()->lock_close(s.lock);
    fake_ops()->domain_close(s.domain);
    fake_saw(s.f, fake_count(s.f) - 1, "DELETE /v1/sessions/a%2Fb", NULL);
    fake_stop(s.f);
}

static const char *session_answer;

static void reply_strange(struct fake *f, int fd, const struct fake_request *r) {
    if (strstr(r->path, "/sessions"))
        fake_answer(fd, 201, session_answer);
    else
        fake_by_rules(f, fd, r);
}

Test(client_session, strange_ones_are_a_protocol_error) {
    static char longest[300] = "{\"ttl\":30,\"id\":\"";
    memset(longest + strlen(longest), 'x', 200);
    strcat(longest, "\"}");
    const char *answers[] = {"{}",
                             "{\"id\":\"\",\"ttl\":30}",
                             "{\"id\":5,\"ttl\":30}",
                             "{\"id\":\"s\"}",
                             "{\"id\":\"s\",\"ttl\":0}",
                             "{\"id\":\"s\",\"ttl\":\"30\"}",
                             longest};
    struct scene s = begin(30);
    s.f->hosts = false;
    s.f->reply = reply_strange;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        session_answer = answers[i];
        cr_assert_eq(fake_ops()->lock_acquire(s.lock, 0, NULL), IL_EPROTOCOL, "%zu", i);
    }
    end(&s);
}

Test(client_session, is_renewed_again_and_again) {
    struct scene s = begin(0.03);
    acquire(&s);
    cr_assert(fake_reaches(s.f, &s.f->renewed, 3));
    cr_assert_eq(fake_ops()->lock_release(s.lock, 41), IL_OK);
    cr_assert(fake_reaches(s.f, &s.f->renewed, fake_get(s.f, &s.f->renewed) + 2),
              "also while nothing is held");
    end(&s);
    cr_assert_eq(ili_renewer_renew_at(1000, 30), 1010);
    cr_assert_eq(ili_renewer_renew_at(1000, INT64_MAX), INT64_MAX);
}

static void never_reply(struct fake *f, int fd, const struct fake_request *r) {
    (void)r;
    fake_await_leaving(f, fd);
    fake_reset(fd);
}

Test(client_session, renewal_that_hangs_does_not_hold_up_the_end) {
    struct scene s = begin(0.03);
    acquire(&s);
    s.f->hosts = false;
    s.f->reply = never_reply;
    cr_assert(fake_reaches(s.f, &s.f->count, 3)); /* a renewal */
    s.domain->patience_ns = 1000000;
    int64_t before = ili_now_ns();
    end(&s);
    cr_assert_lt(ili_now_ns() - before, 8 * SECOND);
}

/* ---- its end ------------------------------------------------------------------------------------ */

static void await_lost(const struct scene *s) {
    struct ili_remote_session_ref ref;
    int64_t deadline = ili_deadline_in(10 * SECOND);
    while (ili_remote_session_stands(s->domain, &ref)) {
        cr_assert_lt(ili_now_ns(), deadline);
        sched_yield();
    }
}

Test(client_session, lost_one_is_the_result_of_the_next_call_and_followed_by_a_new_one) {
    struct scene s = begin(0.03);
    struct ili_remote_lock *other = open_lock(s.domain, "m");
    uint64_t token = 0;
    acquire(&s);
    cr_assert_eq(fake_ops()->lock_acquire(other, 0, &token), IL_OK);
    s.f->sessions_end = true;
    await_lost(&s);
    s.f->sessions_end = false;
    int before = fake_count(s.f);
    cr_assert_eq(fake_ops()->lock_release(s.lock, 41), IL_ELEASE);
    cr_assert_not_null(strstr(ili_error_text(), "session"), "%s", ili_error_text());
    cr_assert_eq(fake_ops()->lock_renew(other, 0, SECOND), IL_ELEASE);
    cr_assert_eq(fake_count(s.f), before, "nothing is left to ask");
    cr_assert_eq(fake_ops()->lock_release(s.lock, 0), IL_ENOTHELD, "only once");
    acquire(&s);
    cr_assert_eq(fake_get(s.f, &s.f->made), 2);
    cr_assert_not_null(strstr(s.f->requests[before].body, "\"session\":\"s2\""));
    cr_assert_eq(fake_ops()->lock_release(s.lock, 41), IL_OK);
    fake_ops()->lock_close(other);
    end(&s);
}

static int refused; /* how many calls are still told that the session ended */

static void reply_ended(struct fake *f, int fd, const struct fake_request *r) {
    bool acts = strcmp(r->method, "POST") == 0;
    if (acts && refused > 0) {
        refused--;
        fake_problem(fd, 410, "session_ended", "long ago");
    } else {
        fake_by_rules(f, fd, r);
    }
}

Test(client_session, acquire_that_hears_of_the_end_goes_on_in_a_new_one) {
    struct scene s = begin(30);
    s.f->reply = reply_ended;
    acquire(&s);
    refused = 1;
    struct ili_remote_lock *other = open_lock(s.domain, "m");
    cr_assert_eq(fake_ops()->lock_acquire(other, 0, NULL), IL_OK, "%s", ili_error_text());
    cr_assert_eq(fake_get(s.f, &s.f->made), 2);
    cr_assert_eq(fake_ops()->lock_release(s.lock, 0), IL_ELEASE, "it went with the first");
    cr_assert_eq(fake_ops()->lock_release(other, 0), IL_OK);
    refused = 100;
    cr_assert_eq(fake_ops()->lock_acquire(other, 0, NULL), IL_ESESSION, "not for ever");
    refused = 0;
    fake_ops()->lock_close(other);
    end(&s);
}

static struct ili_remote_domain *ending;

static void end_then_grant(struct fake *f, int fd, const struct fake_request *r) {
    if (strstr(r->path, "/acquire")) ili_remote_session_ended(ending, 1);
    fake_by_rules(f, fd, r);
}

Test(client_session, grant_that_comes_after_its_sessions_end_is_lost) {
    struct scene s = begin(30);
    ending = s.domain;
    s.f->reply = end_then_grant;
    acquire(&s);
    il_loss loss = {0};
    struct ili_remote_grant grant = {0};
    cr_assert(ili_remote_grants_any(&s.domain->grants, &grant));
    cr_assert(grant.lost);
    cr_assert(ili_remote_losses_take(&s.domain->losses, &loss));
    cr_assert_eq(loss.token, 41);
    cr_assert_eq(fake_ops()->lock_release(s.lock, 41), IL_ELEASE);
    end(&s);
}

Test(client_session, release_that_hears_of_the_end_says_that_the_grant_was_lost) {
    struct scene s = begin(30);
    s.f->reply = reply_ended;
    acquire(&s);
    refused = 1;
    cr_assert_eq(fake_ops()->lock_release(s.lock, 41), IL_ELEASE, "%s", ili_error_text());
    cr_assert_eq(fake_ops()->lock_release(s.lock, 0), IL_ENOTHELD);
    end(&s);
}

Test(client_session, closing_the_domain_releases_what_is_held_and_ends_it) {
    struct scene s = begin(30);
    struct ili_remote_lock *other = open_lock(s.domain, "m");
    acquire(&s);
    cr_assert_eq(fake_ops()->lock_acquire(other, 0, NULL), IL_OK);
    fake_ops()->lock_close(other);
    fake_ops()->lock_close(s.lock);
    cr_assert_eq(fake_ops()->domain_close(s.domain), IL_OK);
    cr_assert_eq(fake_count(s.f), 6);
    fake_saw(s.f, 4, "POST /v1/locks/m/release", NULL);
    fake_saw(s.f, 5, "POST /v1/locks/l/release", NULL);
    cr_assert_eq(fake_get(s.f, &s.f->over), 1);
    fake_stop(s.f);
}

Test(client_session, domain_that_acquired_nothing_has_none) {
    struct scene s = begin(30);
    fake_ops()->lock_close(s.lock);
    fake_ops()->domain_close(s.domain);
    cr_assert_eq(s.f->made + s.f->over, 0);
    fake_stop(s.f);
}

/* ---- who acts ----------------------------------------------------------------------------------- */

static void *other_self(void *context) {
    *(uint64_t *)context = ili_remote_self();
    return NULL;
}

Test(client_session, each_thread_has_a_key_that_is_never_used_again) {
    uint64_t seen[20], me = ili_remote_self();
    cr_assert_eq(me, ili_remote_self());
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, other_self, &seen[i]);
        pthread_join(thread, NULL);
        cr_assert_neq(seen[i], me);
        for (int j = 0; j < i; j++) cr_assert_neq(seen[i], seen[j]);
    }
}
