/* Semaphores over HTTP: which grant a release means. */
#include "unit/client/fake.h"

struct scene {
    struct fake *f;
    struct ili_remote_domain *domain;
    struct ili_remote_semaphore *semaphore;
};

/* Request 0 opens the semaphore. */
static struct scene begin(const struct fake_rule *rules) {
    fake_rules = rules;
    struct scene s = {.f = fake_start(fake_by_rules)};
    s.domain = fake_domain(s.f);
    cr_assert_eq(fake_ops()->semaphore_open(s.domain, "s", 1, NULL, &s.semaphore), IL_OK);
    return s;
}

static void end(struct scene *s) {
    fake_rules = NULL;
    fake_ops()->semaphore_close(s->semaphore);
    fake_ops()->domain_close(s->domain);
    fake_stop(s->f);
}

static const struct fake_rule grant_7[] = {{"/acquire", 200, FAKE_GRANT(7)}, {0}};
static const struct fake_rule grant_8[] = {{"/acquire", 200, FAKE_GRANT(8)}, {0}};

static void acquire(struct scene *s, const struct fake_rule *rules, uint32_t count) {
    fake_rules = rules;
    cr_assert_eq(fake_ops()->semaphore_acquire(s->semaphore, count, 0, NULL), IL_OK);
}

static il_status release(struct scene *s, uint32_t count, uint64_t token) {
    return fake_ops()->semaphore_release(s->semaphore, count, token);
}

Test(client_semaphore, options_are_sent) {
    struct scene s = begin(NULL);
    struct ili_remote_semaphore *semaphore = NULL;
    il_semaphore_options options = {
        .struct_bytes = sizeof options, .flags = IL_SEMAPHORE_BOUNDED, .value = 5};
    cr_assert_eq(fake_ops()->semaphore_open(s.domain, "t", 1, &options, &semaphore), IL_OK);
    fake_saw(s.f, 0, "PUT /v1/semaphores/s", "{}");
    fake_saw(s.f, 1, "PUT /v1/semaphores/t",
             "{\"value\":5,\"bounded\":true,\"signal\":false,\"on_deadlock\":\"fail\"}");
    fake_ops()->semaphore_close(semaphore);
    end(&s);
}

Test(client_semaphore, permits_are_acquired_and_released_to_their_grant) {
    struct scene s = begin(NULL);
    acquire(&s, grant_7, 3);
    fake_saw(s.f, 1, "POST /v1/semaphores/s/acquire",
             fake_body("{\"count\":3,\"session\":\"s1\",%s,\"timeout\":0}"));
    cr_assert_eq(release(&s, 2, 7), IL_OK);
    fake_saw(s.f, 2, "POST /v1/semaphores/s/release",
             fake_body("{\"token\":\"7\",\"count\":2,\"session\":\"s1\",%s}"));
    cr_assert_neq(s.f->requests[2].key[0], 0);
    cr_assert_eq(release(&s, 1, 0), IL_OK);
    fake_saw(s.f, 3, "POST /v1/semaphores/s/release",
             fake_body("{\"token\":\"7\",\"count\":1,\"session\":\"s1\",%s}"));
    cr_assert_eq(release(&s, 1, 7), IL_ENOTHELD, "that grant is used up");
    end(&s);
}

Test(client_semaphore, release_that_fits_no_single_grant_is_left_to_the_server) {
    struct scene s = begin(NULL);
    acquire(&s, grant_7, 2);
    acquire(&s, grant_8, 1);
    cr_assert_eq(release(&s, 3, 0), IL_OK);
    fake_saw(s.f, 3, "POST /v1/semaphores/s/release",
             fake_body("{\"count\":3,\"session\":\"s1\",%s}"));
    cr_assert_eq(release(&s, 1, 8), IL_ENOTHELD, "nothing is left of either");
    fake_saw(s.f, 4, "POST /v1/semaphores/s/check", "{\"token\":\"8\"}");
    end(&s);
}

Test(client_semaphore, who_holds_none_releases_all_the_same) {
    struct scene s = begin(NULL);
    cr_assert_eq(release(&s, 4, 0), IL_OK);
    fake_saw(s.f, 1, "POST /v1/semaphores/s/release", "{\"count\":4}");
    cr_assert_eq(fake_get(s.f, &s.f->made), 0);
    end(&s);
}

Test(client_semaphore, signals_are_held_by_nobody) {
    static const struct fake_rule signal[] = {
        {"/acquire", 200, FAKE_GRANT(7)}, {"/t", 200, "{\"name\":\"t\",\"signal\":true}"}, {0}};
    struct scene s = begin(signal);
    struct ili_remote_semaphore *signals = NULL;
    il_semaphore_options options = {
        .struct_bytes = sizeof options, .flags = IL_SEMAPHORE_SIGNAL, .value = 1};
    uint64_t token = 9;
    cr_assert_eq(fake_ops()->semaphore_open(s.domain, "t", 1, &options, &signals), IL_OK);
    cr_assert_eq(fake_ops()->semaphore_acquire(signals, 1, IL_FOREVER, &token), IL_OK);
    cr_assert_eq(token, 7);
    cr_assert_eq(fake_ops()->semaphore_renew(signals, 0, 1000000000), IL_ENOTHELD);
    fake_ops()->semaphore_close(signals);
    end(&s);
}

Test(client_semaphore, permits_of_a_lost_session_are_not_released_again) {
    struct scene s = begin(NULL);
    acquire(&s, grant_7, 2);
    ili_remote_session_ended(s.domain, 1);
    int before = fake_count(s.f);
    cr_assert_eq(release(&s, 2, 0), IL_ELEASE);
    cr_assert_eq(fake_count(s.f), before);
    acquire(&s, grant_8, 1);
    cr_assert_eq(release(&s, 1, 0), IL_OK);
    cr_assert_not_null(strstr(s.f->requests[before + 1].body, "\"session\":\"s2\""));
    end(&s);
}

static int refused;

static void reply_ended(struct fake *f, int fd, const struct fake_request *r) {
    if (strstr(r->path, "/release") && refused-- > 0)
        fake_problem(fd, 410, "session_ended", "long ago");
    else
        fake_by_rules(f, fd, r);
}

Test(client_semaphore, release_beside_no_grant_outlives_the_session) {
    struct scene s = begin(NULL);
    acquire(&s, grant_7, 1);
    cr_assert_eq(release(&s, 1, 7), IL_OK);
    s.f->reply = reply_ended;
    refused = 1;
    cr_assert_eq(release(&s, 1, 0), IL_OK, "%s", ili_error_text());
    fake_saw(s.f, 4, "POST /v1/semaphores/s/release", "{\"count\":1}");
    end(&s);
}

Test(client_semaphore, refusals_are_told_and_change_nothing) {
    static const struct fake_rule overflow[] = {{"/release", 409, FAKE_PROBLEM("overflow")}, {0}};
    static const struct fake_rule many[] = {{"/acquire", 400, FAKE_PROBLEM("invalid_argument")},
                                            {0}};
    struct scene s = begin(NULL);
    acquire(&s, grant_7, 1);
    fake_rules = overflow;
    cr_assert_eq(release(&s, 1, 7), IL_EOVERFLOW);
    cr_assert_eq(release(&s, 5, 0), IL_EOVERFLOW);
    fake_rules = many;
    cr_assert_eq(fake_ops()->semaphore_acquire(s.semaphore, 99, IL_FOREVER, NULL), IL_EINVAL);
    cr_assert_eq(release(&s, 1, 7), IL_OK, "it is still held");
    end(&s);
}

Test(client_semaphore, value_and_the_rest_go_to_its_routes) {
    static const struct fake_rule value[] = {{"GET", 200, "{\"value\":3}"}, {0}};
    struct scene s = begin(NULL);
    const struct ili_remote_ops *ops = fake_ops();
    uint32_t permits = 9;
    fake_rules = grant_7;
    cr_assert_eq(ops->semaphore_acquire_leased(s.semaphore, 1, 0, 1000000000, NULL), IL_OK);
    fake_rules = value;
    cr_assert_eq(ops->semaphore_value(s.semaphore, &permits), IL_OK);
    cr_assert_eq(permits, 3);
    cr_assert_eq(ops->semaphore_renew(s.semaphore, 7, 0), IL_OK);
    cr_assert_eq(ops->semaphore_check(s.semaphore, 7), IL_OK);
    cr_assert_eq(ops->semaphore_break(s.semaphore, 7, NULL), IL_OK);
    cr_assert_eq(ops->semaphore_delete(s.domain, "s", 1), IL_OK);
    cr_assert_not_null(strstr(s.f->requests[1].body, "{\"count\":1,\"lease\":1,"));
    fake_saw(s.f, 3, "POST /v1/semaphores/s/renew",
             "{\"token\":\"7\",\"lease\":null,\"session\":\"s1\"}");
    fake_saw(s.f, 4, "POST /v1/semaphores/s/check", "{\"token\":\"7\"}");
    fake_saw(s.f, 5, "POST /v1/semaphores/s/break", "{\"token\":\"7\"}");
    fake_saw(s.f, 6, "DELETE /v1/semaphores/s", NULL);
    end(&s);
}
