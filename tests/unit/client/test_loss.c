/* Grants that were lost, as il_loss_next() tells them over HTTP. */
#include "unit/client/fake.h"

#define REVOKED                                                                                    \
    "{\"kind\":\"rlock\",\"name\":\"r\",\"token\":\"7\",\"code\":\"revoked\",\"reason\":\"it "     \
    "hung\"}"
#define LEASE                                                                                      \
    "{\"kind\":\"lock\",\"name\":\"l\",\"token\":\"8\",\"code\":\"lease_lost\",\"reason\":null}"

struct scene {
    struct fake *f;
    struct ili_remote_domain *domain;
};

static struct scene begin(const struct fake_rule *rules) {
    fake_rules = rules;
    struct scene s = {.f = fake_start(fake_by_rules)};
    s.domain = fake_domain(s.f);
    return s;
}

static void end(struct scene *s) {
    fake_rules = NULL;
    fake_ops()->domain_close(s->domain);
    fake_stop(s->f);
}

static il_status next(struct scene *s, il_loss *loss, int64_t timeout_ns) {
    memset(loss, 0, sizeof *loss);
    loss->struct_bytes = sizeof *loss;
    return fake_ops()->loss_next(s->domain, loss, timeout_ns);
}

Test(client_loss, each_is_told_once_and_the_next_asked_for_behind_it) {
    static const struct fake_rule two[] = {
        {"/losses", 200, "{\"losses\":[" REVOKED "," LEASE "],\"after\":\"17\"}"}, {0}};
    static const struct fake_rule none[] = {{"/losses", 409, FAKE_PROBLEM("timeout")}, {0}};
    struct scene s = begin(two);
    il_loss loss;
    cr_assert_eq(next(&s, &loss, IL_FOREVER), IL_OK, "%s", ili_error_text());
    cr_assert(loss.kind == IL_KIND_RLOCK && loss.why == IL_EREVOKED && loss.token == 7);
    cr_assert(loss.name_bytes == 1 && strcmp(loss.name, "r") == 0);
    cr_assert_str_eq(loss.reason, "it hung");
    cr_assert_eq(loss.struct_bytes, sizeof loss);
    fake_rules = none;
    cr_assert_eq(next(&s, &loss, 0), IL_OK);
    cr_assert(loss.kind == IL_KIND_LOCK && loss.why == IL_ELEASE && loss.token == 8);
    cr_assert_eq(loss.reason[0], 0);
    cr_assert_eq(next(&s, &loss, 0), IL_ETIMEOUT);
    fake_saw(s.f, 0, "POST /v1/sessions/s1/losses", "{}");
    fake_saw(s.f, 1, "POST /v1/sessions/s1/losses", "{\"after\":\"17\",\"timeout\":0}");
    end(&s);
}

Test(client_loss, empty_list_is_no_loss) {
    static const struct fake_rule empty[] = {{"/losses", 200, "{\"losses\":[],\"after\":\"0\"}"},
                                             {0}};
    struct scene s = begin(empty);
    il_loss loss;
    cr_assert_eq(next(&s, &loss, 0), IL_ETIMEOUT);
    cr_assert_eq(next(&s, &loss, 2000000), IL_ETIMEOUT);
    end(&s);
}

Test(client_loss, nonsense_is_a_protocol_error) {
    static const char *const answers[] = {
        "{}",
        "{\"losses\":5,\"after\":\"1\"}",
        "{\"losses\":[]}",
        "{\"losses\":[],\"after\":1}",
        "{\"losses\":[5],\"after\":\"1\"}",
        "{\"losses\":[{\"kind\":\"car\",\"name\":\"l\",\"token\":\"8\",\"code\":\"revoked\"}],"
        "\"after\":\"2\"}",
        "{\"losses\":[{\"kind\":\"lock\",\"name\":\"l\",\"token\":\"8\",\"code\":\"cold\"}],"
        "\"after\":\"3\"}",
        "{\"losses\":[{\"kind\":\"lock\",\"name\":\"l\",\"token\":8,\"code\":\"revoked\"}],"
        "\"after\":\"4\"}",
    };
    struct scene s = begin(NULL);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct fake_rule rules[] = {{"/losses", 200, answers[i]}, {0}};
        il_loss loss;
        fake_rules = rules;
        cr_assert_eq(next(&s, &loss, 0), IL_EPROTOCOL, "%zu", i);
    }
    end(&s);
}

static void ended_then_nothing(struct fake *f, int fd, const struct fake_request *r) {
    if (!strstr(r->path, "/losses"))
        fake_by_rules(f, fd, r);
    else if (strstr(r->path, "/s1/"))
        fake_problem(fd, 410, "session_ended", "long ago");
    else
        fake_problem(fd, 409, "timeout", "nothing was lost");
}

Test(client_loss, end_of_the_session_loses_all_that_it_had) {
    static const struct fake_rule grants[] = {
        {"/l/acquire", 200, FAKE_GRANT(7)}, {"/m/acquire", 200, FAKE_GRANT(8)}, {0}};
    struct scene s = begin(grants);
    const struct ili_remote_ops *ops = fake_ops();
    struct ili_remote_lock *l = NULL, *m = NULL;
    il_loss loss;
    uint64_t seen = 0;
    cr_assert_eq(ops->lock_open(s.domain, "l", 1, NULL, &l), IL_OK);
    cr_assert_eq(ops->lock_open(s.domain, "m", 1, NULL, &m), IL_OK);
    cr_assert_eq(ops->lock_acquire(l, 0, NULL), IL_OK);
    cr_assert_eq(ops->lock_acquire(m, 0, NULL), IL_OK);
    s.f->reply = ended_then_nothing;
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(next(&s, &loss, IL_FOREVER), IL_OK);
        cr_assert(loss.kind == IL_KIND_LOCK && loss.why == IL_ELEASE && loss.name_bytes == 1);
        seen += loss.token;
    }
    cr_assert_eq(seen, 15);
    cr_assert_eq(next(&s, &loss, 0), IL_ETIMEOUT);
    cr_assert_eq(fake_get(s.f, &s.f->made), 2);
    cr_assert_eq(ops->lock_release(l, 7), IL_ELEASE);
    ops->lock_close(l);
    ops->lock_close(m);
    end(&s);
}

Test(client_loss, sessions_that_always_end_are_given_up) {
    static const struct fake_rule ended[] = {{"/losses", 410, FAKE_PROBLEM("session_ended")}, {0}};
    struct scene s = begin(ended);
    il_loss loss;
    cr_assert_eq(next(&s, &loss, IL_FOREVER), IL_ESESSION);
    end(&s);
}

Test(client_loss, oldest_go_untold_beyond_a_number) {
    struct ili_remote_losses losses;
    il_loss loss = {.kind = IL_KIND_LOCK};
    ili_remote_losses_init(&losses);
    for (loss.token = 1; loss.token <= 600; loss.token++) ili_remote_losses_add(&losses, &loss);
    for (uint64_t token = 89; token <= 600; token++) {
        cr_assert(ili_remote_losses_take(&losses, &loss));
        cr_assert_eq(loss.token, token);
    }
    cr_assert_not(ili_remote_losses_take(&losses, &loss));
    ili_remote_losses_add(&losses, &loss);
    ili_remote_losses_end(&losses);
}
