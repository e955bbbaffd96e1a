/* Events over HTTP. */
#include "unit/client/fake.h"

struct scene {
    struct fake *f;
    struct ili_remote_domain *domain;
    struct ili_remote_event *event;
};

/* Request 0 opens the event. */
static struct scene begin(const struct fake_rule *rules) {
    fake_rules = rules;
    struct scene s = {.f = fake_start(fake_by_rules)};
    s.domain = fake_domain(s.f);
    cr_assert_eq(fake_ops()->event_open(s.domain, "e", 1, &s.event), IL_OK);
    return s;
}

static void end(struct scene *s) {
    fake_rules = NULL;
    fake_ops()->event_close(s->event);
    fake_ops()->domain_close(s->domain);
    fake_stop(s->f);
}

Test(client_event, calls_are_its_routes) {
    struct scene s = begin(NULL);
    const struct ili_remote_ops *ops = fake_ops();
    cr_assert_eq(ops->event_set(s.event), IL_OK);
    cr_assert_eq(ops->event_clear(s.event), IL_OK);
    cr_assert_eq(ops->event_wait(s.event, IL_FOREVER), IL_OK);
    cr_assert_eq(ops->event_wait(s.event, 0), IL_OK);
    cr_assert_eq(ops->event_delete(s.domain, "e", 1), IL_OK);
    fake_saw(s.f, 0, "PUT /v1/events/e", "{}");
    fake_saw(s.f, 1, "POST /v1/events/e/set", "{}");
    fake_saw(s.f, 2, "POST /v1/events/e/clear", "{}");
    fake_saw(s.f, 3, "POST /v1/events/e/wait", "{}");
    fake_saw(s.f, 4, "POST /v1/events/e/wait", "{\"timeout\":0}");
    fake_saw(s.f, 5, "DELETE /v1/events/e", NULL);
    cr_assert(s.f->requests[1].key[0] && s.f->requests[2].key[0]);
    cr_assert_eq(fake_get(s.f, &s.f->made), 0, "no session is needed");
    end(&s);
}

Test(client_event, is_set_is_what_the_server_says) {
    static const struct fake_rule yes[] = {{"GET", 200, "{\"set\":true,\"waiters\":0}"}, {0}};
    static const struct fake_rule no[] = {{"GET", 200, "{\"set\":false,\"waiters\":0}"}, {0}};
    struct scene s = begin(yes);
    int32_t set = 9;
    cr_assert_eq(fake_ops()->event_is_set(s.event, &set), IL_OK);
    cr_assert_eq(set, 1);
    fake_rules = no;
    cr_assert_eq(fake_ops()->event_is_set(s.event, &set), IL_OK);
    cr_assert_eq(set, 0);
    fake_rules = NULL;
    cr_assert_eq(fake_ops()->event_is_set(s.event, &set), IL_EPROTOCOL);
    end(&s);
}

static void set_at_third(struct fake *f, int fd, const struct fake_request *r) {
    (void)f;
    if (r->number < 3)
        fake_problem(fd, 409, "timeout", "not set");
    else
        fake_answer(fd, 200, "{\"set\":true}");
}

Test(client_event, wait_outlasts_the_servers_limit) {
    struct scene s = begin(NULL);
    s.f->reply = set_at_third;
    cr_assert_eq(fake_ops()->event_wait(s.event, IL_FOREVER), IL_OK);
    cr_assert_eq(fake_count(s.f), 4);
    end(&s);
}

Test(client_event, failures_are_told) {
    static const struct fake_rule none[] = {{"POST", 409, FAKE_PROBLEM("timeout")}, {0}};
    static const struct fake_rule deleted[] = {{"POST", 410, FAKE_PROBLEM("deleted")}, {0}};
    static const struct fake_rule gone[] = {{"POST", 404, FAKE_PROBLEM("not_found")}, {0}};
    struct scene s = begin(none);
    cr_assert_eq(fake_ops()->event_wait(s.event, 0), IL_ETIMEOUT);
    fake_rules = deleted;
    cr_assert_eq(fake_ops()->event_wait(s.event, IL_FOREVER), IL_EDELETED);
    fake_rules = gone;
    cr_assert_eq(fake_ops()->event_set(s.event), IL_EDELETED);
    end(&s);
}
