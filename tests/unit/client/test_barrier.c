/* Barriers over HTTP: a wait is one party, and so one request. */
#include "unit/client/fake.h"

struct scene {
    struct fake *f;
    struct ili_remote_domain *domain;
    struct ili_remote_barrier *barrier;
};

/* Request 0 opens the barrier. */
static struct scene begin(const struct fake_rule *rules) {
    static const uint32_t parties = 3;
    fake_rules = rules;
    struct scene s = {.f = fake_start(fake_by_rules)};
    s.domain = fake_domain(s.f);
    cr_assert_eq(fake_ops()->barrier_open(s.domain, "b", 1, &parties, &s.barrier), IL_OK);
    return s;
}

static void end(struct scene *s) {
    fake_rules = NULL;
    fake_ops()->barrier_close(s->barrier);
    fake_ops()->domain_close(s->domain);
    fake_stop(s->f);
}

Test(client_barrier, calls_are_its_routes) {
    static const struct fake_rule rules[] = {
        {"/wait", 200, "{\"name\":\"b\",\"index\":2}"},
        {"GET", 200, "{\"parties\":3,\"waiting\":2,\"broken\":true}"},
        {0}};
    struct scene s = begin(rules);
    const struct ili_remote_ops *ops = fake_ops();
    uint32_t index = 9;
    il_barrier_info info = {.struct_bytes = sizeof info};
    cr_assert_eq(ops->barrier_wait(s.barrier, IL_FOREVER, &index), IL_OK);
    cr_assert_eq(index, 2);
    cr_assert_eq(ops->barrier_wait(s.barrier, 0, NULL), IL_OK);
    cr_assert_eq(ops->barrier_reset(s.barrier), IL_OK);
    cr_assert_eq(ops->barrier_abort(s.barrier), IL_OK);
    cr_assert_eq(ops->barrier_info_get(s.barrier, &info), IL_OK);
    cr_assert(info.parties == 3 && info.waiting == 2 && info.broken == 1);
    cr_assert_eq(ops->barrier_delete(s.domain, "b", 1), IL_OK);
    fake_saw(s.f, 0, "PUT /v1/barriers/b", "{\"parties\":3}");
    fake_saw(s.f, 1, "POST /v1/barriers/b/wait", "{\"session\":\"s1\"}");
    fake_saw(s.f, 2, "POST /v1/barriers/b/wait", "{\"session\":\"s1\",\"timeout\":0}");
    fake_saw(s.f, 3, "POST /v1/barriers/b/reset", "{}");
    fake_saw(s.f, 4, "POST /v1/barriers/b/abort", "{}");
    fake_saw(s.f, 6, "DELETE /v1/barriers/b", NULL);
    for (int i = 1; i <= 4; i++) cr_assert_neq(s.f->requests[i].key[0], 0);
    end(&s);
}

Test(client_barrier, wait_that_ends_at_the_servers_limit_has_broken_it) {
    static const struct fake_rule rules[] = {{"/wait", 409, FAKE_PROBLEM("timeout")}, {0}};
    struct scene s = begin(rules);
    uint32_t index = 9;
    cr_assert_eq(fake_ops()->barrier_wait(s.barrier, IL_FOREVER, &index), IL_ETIMEOUT);
    cr_assert_eq(fake_count(s.f), 2, "a second request would be another party");
    cr_assert_eq(index, 9);
    end(&s);
}

Test(client_barrier, failures_are_told) {
    static const struct fake_rule broken[] = {{"/wait", 409, FAKE_PROBLEM("broken")}, {0}};
    static const struct fake_rule unmade[] = {{"PUT", 400, FAKE_PROBLEM("invalid_argument")}, {0}};
    struct scene s = begin(broken);
    struct ili_remote_barrier *none = NULL;
    cr_assert_eq(fake_ops()->barrier_wait(s.barrier, IL_FOREVER, NULL), IL_EBROKEN);
    fake_rules = unmade;
    cr_assert_eq(fake_ops()->barrier_open(s.domain, "n", 1, NULL, &none), IL_EINVAL);
    cr_assert_null(none);
    fake_rules = NULL;
    cr_assert_eq(fake_ops()->barrier_wait(s.barrier, 0, NULL), IL_EPROTOCOL);
    end(&s);
}
