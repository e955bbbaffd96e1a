/* Latches over HTTP. */
#include "unit/client/fake.h"

struct scene {
    struct fake *f;
    struct ili_remote_domain *domain;
    struct ili_remote_latch *latch;
};

/* Request 0 opens the latch. */
static struct scene begin(const uint32_t *count) {
    fake_rules = NULL;
    struct scene s = {.f = fake_start(fake_by_rules)};
    s.domain = fake_domain(s.f);
    cr_assert_eq(fake_ops()->latch_open(s.domain, "c", 1, count, &s.latch), IL_OK);
    return s;
}

static void end(struct scene *s) {
    fake_ops()->latch_close(s->latch);
    fake_ops()->domain_close(s->domain);
    fake_stop(s->f);
}

Test(client_latch, calls_are_its_routes) {
    static const struct fake_rule view[] = {
        {"/latches/c/count_down", 200, "{\"count\":2}"}, {"GET", 200, "{\"count\":1}"}, {0}};
    const struct ili_remote_ops *ops = fake_ops();
    uint32_t count = 4, left = 9;
    struct scene s = begin(&count);
    fake_rules = view;
    cr_assert_eq(ops->latch_count_down(s.latch, 2, &left), IL_OK);
    cr_assert_eq(left, 2);
    cr_assert_eq(ops->latch_count_down(s.latch, 1, NULL), IL_OK);
    cr_assert_eq(ops->latch_wait(s.latch, 1500000000), IL_OK);
    cr_assert_eq(ops->latch_count(s.latch, &left), IL_OK);
    cr_assert_eq(left, 1);
    cr_assert_eq(ops->latch_delete(s.domain, "c", 1), IL_OK);
    fake_saw(s.f, 0, "PUT /v1/latches/c", "{\"count\":4}");
    fake_saw(s.f, 1, "POST /v1/latches/c/count_down", "{\"count\":2}");
    fake_saw(s.f, 2, "POST /v1/latches/c/count_down", "{\"count\":1}");
    cr_assert_neq(s.f->requests[1].key[0], 0);
    cr_assert_str_neq(s.f->requests[1].key, s.f->requests[2].key);
    fake_saw(s.f, 3, "POST /v1/latches/c/wait", NULL);
    cr_assert_not_null(strstr(s.f->requests[3].body, "{\"timeout\":1."));
    fake_saw(s.f, 4, "GET /v1/latches/c", NULL);
    fake_saw(s.f, 5, "DELETE /v1/latches/c", NULL);
    end(&s);
}

static void lose_the_answer(struct fake *f, int fd, const struct fake_request *r) {
    (void)f;
    if (r->number == 1)
        fake_reset(fd);
    else
        fake_answer(fd, 200, "{\"count\":0}");
}

Test(client_latch, lost_answer_does_not_count_twice) {
    struct scene s = begin(NULL);
    uint32_t left = 9;
    fake_saw(s.f, 0, "PUT /v1/latches/c", "{}");
    s.f->reply = lose_the_answer;
    cr_assert_eq(fake_ops()->latch_count_down(s.latch, 1, &left), IL_OK);
    cr_assert_eq(left, 0);
    cr_assert_str_eq(s.f->requests[1].key, s.f->requests[2].key);
    end(&s);
}

Test(client_latch, failures_are_told) {
    static const struct fake_rule none[] = {{"POST", 409, FAKE_PROBLEM("timeout")}, {0}};
    struct scene s = begin(NULL);
    uint32_t left = 9;
    fake_rules = none;
    cr_assert_eq(fake_ops()->latch_wait(s.latch, 0), IL_ETIMEOUT);
    fake_rules = NULL;
    cr_assert_eq(fake_ops()->latch_count(s.latch, &left), IL_EPROTOCOL);
    cr_assert_eq(left, 9);
    end(&s);
}
