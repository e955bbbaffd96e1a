/* Locks over HTTP: what is asked and what is told; acquiring and releasing as all kinds do it. */
#include "unit/client/fake.h"

#define SECOND INT64_C(1000000000)

struct scene {
    struct fake *f;
    struct ili_remote_domain *domain;
    struct ili_remote_lock *lock;
};

/* Request 0 opens the lock, request 1 acquires it with token 41. */
static struct scene begin(const struct fake_rule *rules) {
    static const struct fake_rule grant[] = {{"/acquire", 200, FAKE_GRANT(41)}, {0}};
    uint64_t token = 0;
    fake_rules = grant;
    struct scene s = {.f = fake_start(fake_by_rules)};
    s.domain = fake_domain(s.f);
    cr_assert_eq(fake_ops()->lock_open(s.domain, "l", 1, NULL, &s.lock), IL_OK);
    cr_assert_eq(fake_ops()->lock_acquire(s.lock, 0, &token), IL_OK, "%s", ili_error_text());
    cr_assert_eq(token, 41);
    fake_rules = rules;
    return s;
}

static void end(struct scene *s) {
    fake_rules = NULL;
    fake_ops()->lock_close(s->lock);
    fake_ops()->domain_close(s->domain);
    fake_stop(s->f);
}

Test(client_lock, options_are_sent_if_there_are_any) {
    struct scene s = begin(NULL);
    struct ili_remote_lock *lock = NULL;
    il_lock_options options = {.struct_bytes = sizeof options,
                               .flags = IL_LOCK_FAIR | IL_DEADLOCK_REPORT,
                               .lock_delay_ns = 1500000000};
    fake_saw(s.f, 0, "PUT /v1/locks/l", "{}");
    cr_assert_eq(fake_ops()->lock_open(s.domain, "m", 1, &options, &lock), IL_OK);
    fake_saw(s.f, 2, "PUT /v1/locks/m",
             "{\"fair\":true,\"lock_delay\":1.5,\"on_deadlock\":\"report\"}");
    fake_ops()->lock_close(lock);
    options = (il_lock_options){.struct_bytes = 8, .lock_delay_ns = 77};
    cr_assert_eq(fake_ops()->lock_open(s.domain, "m", 1, &options, &lock), IL_OK);
    fake_saw(s.f, 3, "PUT /v1/locks/m",
             "{\"fair\":false,\"lock_delay\":0,\"on_deadlock\":\"fail\"}");
    fake_ops()->lock_close(lock);
    end(&s);
}

Test(client_lock, other_options_are_a_conflict_only_if_some_were_given) {
    static const struct fake_rule rules[] = {{"PUT", 409, FAKE_PROBLEM("conflict")}, {0}};
    struct scene s = begin(rules);
    struct ili_remote_lock *lock = NULL;
    il_lock_options options = {.struct_bytes = sizeof options};
    cr_assert_eq(fake_ops()->lock_open(s.domain, "m", 1, &options, &lock), IL_ECONFLICT);
    cr_assert_null(lock);
    cr_assert_eq(fake_ops()->lock_open(s.domain, "m", 1, NULL, &lock), IL_OK);
    fake_ops()->lock_close(lock);
    end(&s);
}

Test(client_lock, lease_of_its_own_is_asked_for) {
    static const struct fake_rule rules[] = {{"/acquire", 200, FAKE_GRANT(42)}, {0}};
    struct scene s = begin(rules);
    cr_assert_eq(fake_ops()->lock_acquire_leased(s.lock, IL_FOREVER, 2500000000, NULL), IL_OK);
    fake_saw(s.f, 2, "POST /v1/locks/l/acquire",
             fake_body("{\"lease\":2.5,\"session\":\"s1\",%s}"));
    end(&s);
}

Test(client_lock, owners_death_comes_with_the_grant) {
    static const struct fake_rule rules[] = {
        {"/acquire", 200, "{\"token\":\"43\",\"owner_died\":true}"},
        {"/check", 409, FAKE_PROBLEM("lease_lost")},
        {0}};
    struct scene s = begin(rules);
    uint64_t token = 0;
    cr_assert_eq(fake_ops()->lock_acquire(s.lock, 0, &token), IL_EOWNERDEAD);
    cr_assert_eq(token, 43);
    cr_assert_eq(fake_ops()->lock_release(s.lock, 41), IL_ELEASE, "what became of it");
    cr_assert_eq(fake_ops()->lock_release(s.lock, 43), IL_OK);
    end(&s);
}

Test(client_lock, deadlock_is_told_with_its_cycle) {
    static const struct fake_rule rules[] = {
        {"/acquire", 409, "{\"code\":\"deadlock\",\"detail\":\"a waits for b waits for a\"}"}, {0}};
    struct scene s = begin(rules);
    cr_assert_eq(fake_ops()->lock_acquire(s.lock, IL_FOREVER, NULL), IL_EDEADLK);
    cr_assert_not_null(strstr(ili_error_text(), "a waits for b waits for a"));
    end(&s);
}

/* ---- release ------------------------------------------------------------------------------------ */

Test(client_lock, release_names_grant_session_and_owner) {
    struct scene s = begin(NULL);
    cr_assert_eq(fake_ops()->lock_release(s.lock, 0), IL_OK);
    fake_saw(s.f, 2, "POST /v1/locks/l/release",
             fake_body("{\"token\":\"41\",\"session\":\"s1\",%s}"));
    cr_assert_neq(s.f->requests[2].key[0], 0);
    cr_assert_eq(fake_ops()->lock_release(s.lock, 0), IL_ENOTHELD);
    cr_assert_eq(fake_count(s.f), 3);
    end(&s);
}

static void *release_elsewhere(void *context) {
    return (void *)(intptr_t)fake_ops()->lock_release(context, 0);
}

Test(client_lock, any_thread_of_the_process_releases) {
    struct scene s = begin(NULL);
    pthread_t thread;
    void *status = NULL;
    pthread_create(&thread, NULL, release_elsewhere, s.lock);
    pthread_join(thread, &status);
    cr_assert_eq((intptr_t)status, IL_OK);
    fake_saw(s.f, 2, "POST /v1/locks/l/release", NULL);
    end(&s);
}

Test(client_lock, token_of_another_grant_is_asked_about) {
    static const struct fake_rule stands[] = {{"/check", 200, "{\"newest\":true}"}, {0}};
    static const struct fake_rule stale[] = {{"/check", 409, FAKE_PROBLEM("stale_token")}, {0}};
    static const struct fake_rule lost[] = {{"/check", 409, FAKE_PROBLEM("lease_lost")}, {0}};
    static const struct fake_rule gone[] = {{"/check", 404, FAKE_PROBLEM("not_found")}, {0}};
    struct scene s = begin(stands);
    cr_assert_eq(fake_ops()->lock_release(s.lock, 51), IL_ENOTHELD, "another's");
    fake_saw(s.f, 2, "POST /v1/locks/l/check", "{\"token\":\"51\"}");
    cr_assert_eq(fake_ops()->lock_release(s.lock, 41), IL_OK);
    fake_rules = stale;
    cr_assert_eq(fake_ops()->lock_release(s.lock, 40), IL_ESTALE);
    cr_assert_eq(fake_ops()->lock_release(s.lock, 41), IL_ESTALE);
    fake_rules = lost;
    cr_assert_eq(fake_ops()->lock_release(s.lock, 41), IL_ELEASE);
    fake_rules = gone;
    cr_assert_eq(fake_ops()->lock_release(s.lock, 41), IL_EDELETED);
    end(&s);
}

static void release_says(const char *body, int http, il_status expected, bool settled) {
    struct fake_rule rules[] = {{"/release", http, body}, {0}};
    struct scene s = begin(rules);
    cr_assert_eq(fake_ops()->lock_release(s.lock, 0), expected, "%s", ili_error_text());
    if (!settled) fake_rules = NULL;
    cr_assert_eq(fake_ops()->lock_release(s.lock, 0), settled ? IL_ENOTHELD : IL_OK);
    end(&s);
}

Test(client_lock, refused_release_ends_the_grant_here) {
    release_says(FAKE_PROBLEM("lease_lost"), 409, IL_ELEASE, true);
    release_says(FAKE_PROBLEM("stale_token"), 409, IL_ESTALE, true);
    release_says(FAKE_PROBLEM("not_held"), 409, IL_ENOTHELD, true);
    release_says(FAKE_PROBLEM("deleted"), 410, IL_EDELETED, true);
    release_says(FAKE_PROBLEM("not_found"), 404, IL_EDELETED, true);
    release_says("{\"code\":\"revoked\",\"detail\":\"broken\",\"reason\":\"it hung\"}", 409,
                 IL_EREVOKED, true);
}

Test(client_lock, release_that_failed_may_be_tried_again) {
    release_says(FAKE_PROBLEM("busy"), 503, IL_EBUSY, false);
}

Test(client_lock, operators_reason_is_in_the_text) {
    static const struct fake_rule rules[] = {
        {"/release", 409, "{\"code\":\"revoked\",\"detail\":\"broken\",\"reason\":\"it hung\"}"},
        {"/check", 409,
         "{\"code\":\"revoked\",\"detail\":\"it hung, so broken\",\"reason\":\"it hung\"}"},
        {0}};
    struct scene s = begin(rules);
    cr_assert_eq(fake_ops()->lock_release(s.lock, 41), IL_EREVOKED);
    cr_assert_not_null(strstr(ili_error_text(), "broken: it hung"), "%s", ili_error_text());
    cr_assert_eq(fake_ops()->lock_check(s.lock, 41), IL_EREVOKED);
    cr_assert_not_null(strstr(ili_error_text(), "it hung, so broken"), "%s", ili_error_text());
    cr_assert_null(strstr(ili_error_text(), ": it hung, so broken: "), "%s", ili_error_text());
    end(&s);
}

static void lose_the_answer(struct fake *f, int fd, const struct fake_request *r) {
    (void)f;
    if (r->number == 2)
        fake_reset(fd);
    else
        fake_problem(fd, 409, "not_held", "released by the request before");
}

Test(client_lock, release_whose_answer_was_lost_is_a_release) {
    struct scene s = begin(NULL);
    s.f->reply = lose_the_answer;
    cr_assert_eq(fake_ops()->lock_release(s.lock, 41), IL_OK, "%s", ili_error_text());
    cr_assert_eq(fake_count(s.f), 4);
    cr_assert_str_eq(s.f->requests[2].key, s.f->requests[3].key);
    end(&s);
}

/* ---- renew, check, break ------------------------------------------------------------------------ */

Test(client_lock, renew_gives_another_lease_or_none) {
    struct scene s = begin(NULL);
    cr_assert_eq(fake_ops()->lock_renew(s.lock, 0, 4 * SECOND), IL_OK);
    fake_saw(s.f, 2, "POST /v1/locks/l/renew", "{\"token\":\"41\",\"lease\":4,\"session\":\"s1\"}");
    cr_assert_eq(fake_ops()->lock_renew(s.lock, 41, 0), IL_OK);
    fake_saw(s.f, 3, "POST /v1/locks/l/renew",
             "{\"token\":\"41\",\"lease\":null,\"session\":\"s1\"}");
    cr_assert_eq(fake_ops()->lock_release(s.lock, 0), IL_OK);
    cr_assert_eq(fake_ops()->lock_renew(s.lock, 0, SECOND), IL_ENOTHELD);
    end(&s);
}

Test(client_lock, check_and_break_need_no_session) {
    static const struct fake_rule none[] = {{"/break", 409, FAKE_PROBLEM("not_held")}, {0}};
    struct scene s = begin(NULL);
    cr_assert_eq(fake_ops()->lock_check(s.lock, 7), IL_OK);
    fake_saw(s.f, 2, "POST /v1/locks/l/check", "{\"token\":\"7\"}");
    cr_assert_eq(fake_ops()->lock_break(s.lock, 7, "it \"hung\""), IL_OK);
    fake_saw(s.f, 3, "POST /v1/locks/l/break", "{\"token\":\"7\",\"reason\":\"it \\\"hung\\\"\"}");
    cr_assert_neq(s.f->requests[3].key[0], 0);
    cr_assert_eq(fake_ops()->lock_break(s.lock, 0, NULL), IL_OK);
    fake_saw(s.f, 4, "POST /v1/locks/l/break", "{}");
    cr_assert_eq(fake_ops()->lock_break(s.lock, 0, "\xff"), IL_EINVAL);
    fake_rules = none;
    cr_assert_eq(fake_ops()->lock_break(s.lock, 0, NULL), IL_ENOTHELD);
    end(&s);
}

/* ---- glances ------------------------------------------------------------------------------------ */

Test(client_lock, owner_is_what_the_server_says) {
    static const struct fake_rule other[] = {{"GET", 200,
                                              "{\"waiters\":2,\"holders\":[{\"token\":\"50\","
                                              "\"owner\":{\"label\":\"other\",\"pid\":17}}]}"},
                                             {0}};
    static const struct fake_rule mine[] = {{"GET", 200,
                                             "{\"waiters\":0,\"holders\":[{\"token\":\"41\","
                                             "\"owner\":{\"label\":\"me\",\"pid\":null}}]}"},
                                            {0}};
    static const struct fake_rule nobody[] = {{"GET", 200, "{\"waiters\":1,\"holders\":[]}"}, {0}};
    struct scene s = begin(other);
    il_owner owner = {.struct_bytes = sizeof owner};
    int32_t locked = 7;
    cr_assert_eq(fake_ops()->lock_owner(s.lock, &owner), IL_OK, "%s", ili_error_text());
    cr_assert(owner.token == 50 && owner.pid == 17 && owner.waiters == 2 && owner.mine == 0);
    cr_assert_str_eq(owner.label, "other");
    cr_assert_eq(owner.struct_bytes, sizeof owner);
    fake_rules = mine;
    cr_assert_eq(fake_ops()->lock_owner(s.lock, &owner), IL_OK);
    cr_assert(owner.token == 41 && owner.pid == 0 && owner.mine == 1);
    cr_assert_eq(fake_ops()->lock_locked(s.lock, &locked), IL_OK);
    cr_assert_eq(locked, 1);
    fake_rules = nobody;
    cr_assert_eq(fake_ops()->lock_owner(s.lock, &owner), IL_OK);
    cr_assert(owner.token == 0 && owner.waiters == 1 && owner.mine == 0 && owner.label[0] == 0);
    cr_assert_eq(fake_ops()->lock_locked(s.lock, &locked), IL_OK);
    cr_assert_eq(locked, 0);
    fake_rules = NULL;
    cr_assert_eq(fake_ops()->lock_owner(s.lock, &owner), IL_EPROTOCOL);
    end(&s);
}

Test(client_lock, view_of_a_deleted_lock_says_so) {
    static const struct fake_rule gone[] = {{"GET", 404, FAKE_PROBLEM("not_found")}, {0}};
    struct scene s = begin(gone);
    int32_t locked;
    cr_assert_eq(fake_ops()->lock_locked(s.lock, &locked), IL_EDELETED);
    end(&s);
}
