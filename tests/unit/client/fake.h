/*
 * fake.h - fake_server.h, and a library for the module to live in: the host's functions, and a domain
 * of the fake server.
 */
#ifndef TESTS_UNIT_CLIENT_FAKE_H
#define TESTS_UNIT_CLIENT_FAKE_H

#include "arena/thread.h"
#include "base/clock.h"
#include "base/error.h"
#include "client/domain.h"
#include "client/self.h"
#include "unit/client/fake_server.h"

static il_status fake_fail(il_status status, const char *text) {
    return text ? ili_fail(status, "%s", text) : ili_fail(status, NULL);
}

static il_status fake_take(void) { return ili_thread_take(ili_thread_current()); }
static void fake_raise(void) { ili_thread_interrupt(ili_thread_id(ili_thread_current())); }
static void fake_signalled(void) {
    struct ili_thread *thread = ili_thread_current();
    if (thread->signals) ili_thread_keep_interrupt(thread);
}
static int fake_wake_fd(void) { return ili_thread_wake_fd(ili_thread_current()); }
static int64_t fake_cancelled_at(void) { return ili_thread_until(ili_thread_current(), ILI_NEVER); }

FAKE_UNUSED static const struct ili_remote_ops *fake_ops(void) {
    static const struct ili_remote_host host = {.abi = ILI_REMOTE_ABI,
                                                .fail = fake_fail,
                                                .take_request = fake_take,
                                                .raise_interrupt = fake_raise,
                                                .signalled = fake_signalled,
                                                .wake_fd = fake_wake_fd,
                                                .cancelled_at_ns = fake_cancelled_at,
                                                .now_ns = ili_now_ns};
    static const struct ili_remote_ops *ops; /* asked for once, as the library does */
    if (!ops) ops = ili_remote_ops(&host);
    return ops;
}

FAKE_UNUSED static struct ili_remote_domain *fake_domain(struct fake *f) {
    struct ili_remote_domain *domain = NULL;
    il_status status = fake_ops()->domain_open(f->address, "tester", &domain);
    cr_assert_eq(status, IL_OK, "%s", ili_error_text());
    return domain;
}

/* Opens a lock without the server's knowledge, so that tests count only what they mean. */
FAKE_UNUSED static void fake_open_ok(int fd) { fake_answer(fd, 200, "{\"name\":\"l\"}"); }

/* ---- answers by rules ------------------------------------------------------------------------ */

/* What is answered to requests whose "METHOD path" contains REQUEST; 0 for STATUS ends a list. */
struct fake_rule {
    const char *request;
    int status;
    const char *body;
};

static const struct fake_rule *_Atomic fake_rules; /* the first that fits; none: 200 {} */

FAKE_UNUSED static void fake_by_rules(struct fake *f, int fd, const struct fake_request *r) {
    char line[300];
    (void)f;
    snprintf(line, sizeof line, "%s %s", r->method, r->path);
    const struct fake_rule *rule = fake_rules;
    while (rule && rule->status && !strstr(line, rule->request)) rule++;
    bool none = !rule || !rule->status;
    fake_answer(fd, none ? 200 : rule->status, none ? "{}" : rule->body);
}

/* Request number N is "METHOD path", and its body BODY. */
FAKE_UNUSED static void fake_saw(struct fake *f, int n, const char *line, const char *body) {
    char seen[300];
    cr_assert_gt(fake_count(f), n, "only %d requests", fake_count(f));
    snprintf(seen, sizeof seen, "%s %s", f->requests[n].method, f->requests[n].path);
    cr_assert_str_eq(seen, line);
    if (body) cr_assert_str_eq(f->requests[n].body, body);
}

/* The calling thread's owner key, as a member of a body. Borrowed until the next call. */
FAKE_UNUSED static const char *fake_owner(void) {
    static char text[64];
    struct ili_buffer key = {0};
    ili_remote_self_write(&key, ili_remote_self());
    snprintf(text, sizeof text, "\"owner\":%s", ili_buffer_text(&key));
    ili_buffer_free(&key);
    return text;
}

/* A body, with FORMAT's %s replaced by fake_owner(). Borrowed until the next call. */
FAKE_UNUSED static const char *fake_body(const char *format) {
    static char text[1024];
    const char *at = strstr(format, "%s");
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - format), format, fake_owner(), at + 2);
    return text;
}

/* A grant for rules. */
#define FAKE_GRANT(token)                                                                          \
    "{\"name\":\"x\",\"token\":\"" #token "\",\"lease\":null,\"owner_died\":false}"
#define FAKE_PROBLEM(code) "{\"code\":\"" code "\",\"detail\":\"because\"}"

#endif
