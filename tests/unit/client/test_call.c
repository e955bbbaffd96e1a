/* How requests are repeated, waited for and given up; seen through the calls on a lock. */
#include <sys/wait.h>

#include "base/status.h"
#include "client/call.h"
#include "unit/client/fake.h"

#define SECOND INT64_C(1000000000)

static struct ili_remote_lock *open_lock(struct ili_remote_domain *domain) {
    struct ili_remote_lock *lock = NULL;
    cr_assert_eq(fake_ops()->lock_open(domain, "l", 1, NULL, &lock), IL_OK, "%s", ili_error_text());
    return lock;
}

/* One domain, one lock l, and a server whose answers begin with those to acquire. */
struct scene {
    struct fake *f;
    struct ili_remote_domain *domain;
    struct ili_remote_lock *lock;
    uint64_t token;
};

static void (*acquire_reply)(struct fake *, int, const struct fake_request *);

/* Request 0 opens the lock; the releases of a closing domain are answered, too. */
static void scene_reply(struct fake *f, int fd, const struct fake_request *r) {
    if (strcmp(r->method, "PUT") == 0) {
        fake_open_ok(fd);
    } else if (strstr(r->path, "/release")) {
        fake_answer(fd, 200, "{\"released\":true}");
    } else {
        acquire_reply(f, fd, r);
    }
}

static struct scene begin(void (*reply)(struct fake *, int, const struct fake_request *)) {
    acquire_reply = reply;
    struct scene s = {.f = fake_start(scene_reply)};
    s.domain = fake_domain(s.f);
    s.lock = open_lock(s.domain);
    return s;
}

static void end(struct scene *s) {
    fake_ops()->lock_close(s->lock);
    fake_ops()->domain_close(s->domain);
    fake_stop(s->f);
}

static il_status acquire(struct scene *s, int64_t timeout_ns) {
    return fake_ops()->lock_acquire(s->lock, timeout_ns, &s->token);
}

/* ---- repeating ------------------------------------------------------------------------------- */

static void reset_twice(struct fake *f, int fd, const struct fake_request *r) {
    (void)f;
    if (r->number <= 2)
        fake_reset(fd);
    else
        fake_grant(fd, 7, 60);
}

Test(client_call, lost_answer_is_asked_for_again_with_the_same_key) {
    struct scene s = begin(reset_twice);
    cr_assert_eq(acquire(&s, SECOND), IL_OK, "%s", ili_error_text());
    cr_assert_eq(s.token, 7);
    const struct fake_request *r = s.f->requests;
    cr_assert_geq(fake_count(s.f), 4);
    cr_assert_neq(r[1].key[0], 0);
    for (int i = 2; i < 4; i++) {
        cr_assert_str_eq(r[i].path, "/v1/locks/l/acquire");
        cr_assert_str_eq(r[i].key, r[1].key);
        cr_assert_str_eq(r[i].body, r[1].body);
    }
    end(&s);
}

static void always_reset(struct fake *f, int fd, const struct fake_request *r) {
    (void)f, (void)r;
    fake_reset(fd);
}

Test(client_call, repeats_are_bounded) {
    struct scene s = begin(always_reset);
    s.token = 99;
    cr_assert_eq(acquire(&s, IL_FOREVER), IL_ECONNECT);
    cr_assert_not_null(strstr(ili_error_text(), s.f->address), "%s", ili_error_text());
    cr_assert_eq(s.token, 99);
    /* libcurl itself repeats once if a kept connection proves dead */
    cr_assert(fake_count(s.f) >= 1 + ILI_CALL_ATTEMPTS && fake_count(s.f) <= 2 + ILI_CALL_ATTEMPTS,
              "%d", fake_count(s.f));
    end(&s);
}

static void grant_by_number(struct fake *f, int fd, const struct fake_request *r) {
    (void)f;
    fake_grant(fd, (unsigned)r->number, 60);
}

Test(client_call, each_call_has_a_key_of_its_own) {
    struct scene s = begin(grant_by_number);
    cr_assert_eq(acquire(&s, 0), IL_OK);
    cr_assert_eq(acquire(&s, 0), IL_OK);
    cr_assert_str_neq(s.f->requests[1].key, s.f->requests[2].key);
    end(&s);
}

static void grant_and_close(struct fake *f, int fd, const struct fake_request *r) {
    (void)f;
    fake_grant(fd, (unsigned)r->number, 60);
    struct linger closing = {1, 5};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &closing, sizeof closing);
}

Test(client_call, kept_connection_that_died_is_replaced) {
    struct scene s = begin(grant_and_close);
    for (unsigned i = 1; i < 5; i++) {
        cr_assert_eq(acquire(&s, 0), IL_OK, "%s", ili_error_text());
        cr_assert_geq(s.token, i);
    }
    end(&s);
}

static void runs_then_grant(struct fake *f, int fd, const struct fake_request *r) {
    (void)f;
    if (r->number <= 2)
        fake_problem(fd, 409, "idempotency_running", "still");
    else
        fake_grant(fd, 8, 60);
}

Test(client_call, request_that_still_runs_is_asked_for_again) {
    struct scene s = begin(runs_then_grant);
    cr_assert_eq(acquire(&s, SECOND), IL_OK, "%s", ili_error_text());
    cr_assert_str_eq(s.f->requests[1].key, s.f->requests[3].key);
    end(&s);
}

Test(client_call, nobody_there_is_said_with_address_and_reason) {
    struct fake *f = fake_start(always_reset);
    char address[64];
    struct ili_remote_domain *domain = NULL;
    snprintf(address, sizeof address, "%s", f->address);
    fake_stop(f);
    cr_assert_eq(fake_ops()->domain_open(address, NULL, &domain), IL_ECONNECT);
    cr_assert_null(domain);
    cr_assert_not_null(strstr(ili_error_text(), address), "%s", ili_error_text());
    cr_assert_not_null(strstr(ili_error_text(), "refused"), "%s", ili_error_text());
}

/* ---- answers --------------------------------------------------------------------------------- */

static const char *garbage;

static void reply_garbage(struct fake *f, int fd, const struct fake_request *r) {
    (void)f, (void)r;
    fake_raw(fd, garbage);
    struct linger closing = {1, 5};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &closing, sizeof closing);
}

#define HEAD(status, bytes) "HTTP/1.1 " status "\r\nContent-Length: " bytes "\r\n\r\n"

Test(client_call, garbage_is_a_protocol_error) {
    static const char *const answers[] = {
        HEAD("200 OK", "0"),
        HEAD("200 OK", "2") "[]",
        HEAD("200 OK", "2") "{}",
        HEAD("200 OK", "5") "hello",
        HEAD("200 OK", "11") "{\"token\":\"7",
        HEAD("200 OK", "21") "{\"token\":7,\"lease\":1}",
        HEAD("200 OK", "24") "{\"token\":\"-7\",\"lease\":1}",
        HEAD("404 Not Found", "14") "<html>no</html",
        HEAD("502 Bad", "0"),
        HEAD("409 Conflict", "2") "{}",
        HEAD("409 Conflict", "13") "{\"code\":\"ok\"}",
        HEAD("409 Conflict", "21") "{\"code\":\"owner_died\"}",
        HEAD("409 Conflict", "16") "{\"code\":\"unkno\"}",
        HEAD("409 Conflict", "10") "{\"code\":5}",
        HEAD("302 Found", "0"),
    };
    struct scene s = begin(reply_garbage);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        garbage = answers[i];
        s.token = 99;
        cr_assert_eq(acquire(&s, 0), IL_EPROTOCOL, "%zu: %s", i, ili_error_text());
        cr_assert_eq(s.token, 99);
    }
    end(&s);
}

Test(client_call, what_is_not_http_or_is_cut_is_a_lost_answer) {
    static const char *const answers[] = {"SSH-2.0-x\r\n", HEAD("200 OK", "500") "{\"token\":"};
    struct scene s = begin(reply_garbage);
    for (size_t i = 0; i < 2; i++) {
        garbage = answers[i];
        cr_assert_eq(acquire(&s, 0), IL_ECONNECT, "%s", ili_error_text());
    }
    end(&s);
}

static void reply_huge(struct fake *f, int fd, const struct fake_request *r) {
    static char chunk[65536];
    (void)f, (void)r;
    memset(chunk, ' ', sizeof chunk);
    fake_raw(fd, HEAD("200 OK", "1000000000"));
    for (int i = 0; i < 100; i++) fake_write(fd, chunk, sizeof chunk);
    fake_reset(fd);
}

Test(client_call, huge_answer_is_cut_off) {
    struct scene s = begin(reply_huge);
    cr_assert_eq(acquire(&s, 0), IL_EPROTOCOL, "%s", ili_error_text());
    cr_assert_eq(fake_count(s.f), 2);
    end(&s);
}

static const struct ili_status_info *expected;

static void reply_code(struct fake *f, int fd, const struct fake_request *r) {
    (void)f, (void)r;
    fake_problem(fd, expected->http_status < 400 ? 409 : expected->http_status, expected->code,
                 "because \\u00fc");
}

Test(client_call, each_code_is_its_status_and_its_detail_the_text) {
    struct scene s = begin(reply_code);
    for (il_status status = -1; (expected = ili_status_info(status)); status--) {
        if (status == IL_EOWNERDEAD) continue;
        cr_assert_eq(acquire(&s, 0), status, "%s", expected->code);
        cr_assert_not_null(strstr(ili_error_text(), "because ü"), "%s", ili_error_text());
    }
    end(&s);
}

static void never_reply(struct fake *f, int fd, const struct fake_request *r) {
    (void)r;
    fake_await_leaving(f, fd);
    fake_reset(fd);
}

Test(client_call, silent_server_is_given_up) {
    struct scene s = begin(never_reply);
    s.domain->patience_ns = 20000000;
    cr_assert_eq(acquire(&s, 1000000), IL_ECONNECT, "%s", ili_error_text());
    cr_assert(fake_reaches(s.f, &s.f->left, 1));
    end(&s);
}

static void drip(struct fake *f, int fd, const struct fake_request *r) {
    char spaces[60] = {0};
    (void)f, (void)r;
    memset(spaces, ' ', sizeof spaces - 1);
    fake_raw(fd, HEAD("200 OK", "82") "{\"token\":\"7\",\"lease\":9}");
    for (size_t i = 0; i < sizeof spaces; i++) {
        struct timespec pace = {0, 2000000}; /* the slowness is what is tested */
        fake_write(fd, i ? spaces : "", i ? 1 : 0);
        nanosleep(&pace, NULL);
    }
}

Test(client_call, slow_answer_is_heard_to_the_end) {
    struct scene s = begin(drip);
    s.domain->patience_ns = 60000000; /* less than the answer takes, more than between two bytes */
    cr_assert_eq(acquire(&s, 0), IL_OK, "%s", ili_error_text());
    cr_assert_eq(s.token, 7);
    end(&s);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void time_out(struct fake *f, int fd, const struct fake_request *r) {
    (void)f, (void)r;
    fake_problem(fd, 409, "timeout", "held");
}

Test(client_call, timeout_is_sent_and_its_end_reported) {
    struct scene s = begin(time_out);
    cr_assert_eq(acquire(&s, 0), IL_ETIMEOUT);
    cr_assert_not_null(strstr(s.f->requests[1].body, "\"timeout\":0}"), "%s",
                       s.f->requests[1].body);
    /* a server that ends waits early is asked again until the time is over */
    cr_assert_eq(acquire(&s, 3000000), IL_ETIMEOUT);
    cr_assert_geq(fake_count(s.f), 3);
    cr_assert_not_null(strstr(s.f->requests[2].body, "\"timeout\":0.00"));
    end(&s);
}

static void grant_at_four(struct fake *f, int fd, const struct fake_request *r) {
    if (r->number < 4)
        time_out(f, fd, r);
    else
        fake_grant(fd, 9, 60);
}

Test(client_call, forever_outlasts_the_servers_limit) {
    struct scene s = begin(grant_at_four);
    cr_assert_eq(acquire(&s, IL_FOREVER), IL_OK, "%s", ili_error_text());
    cr_assert_eq(s.token, 9);
    for (int i = 1; i <= 4; i++) {
        cr_assert_null(strstr(s.f->requests[i].body, "timeout"));
        if (i > 1) cr_assert_str_neq(s.f->requests[i].key, s.f->requests[i - 1].key);
    }
    end(&s);
}

static void limit_of_100(struct fake *f, int fd, const struct fake_request *r) {
    (void)f;
    const char *timeout = strstr(r->body, "\"timeout\":");
    if (timeout && strtod(timeout + 10, NULL) > 100) {
        fake_answer(
            fd, 400,
            "{\"code\":\"invalid_argument\",\"detail\":\"0 to 100\",\"field\":\"timeout\"}");
    } else {
        fake_grant(fd, 9, 60);
    }
}

Test(client_call, servers_limit_is_found_out_once) {
    struct scene s = begin(limit_of_100);
    cr_assert_eq(acquire(&s, 1000 * SECOND), IL_OK, "%s", ili_error_text());
    cr_assert_eq(fake_count(s.f), 4); /* 300, 150, 75 */
    cr_assert_eq(acquire(&s, 1000 * SECOND), IL_OK);
    cr_assert_eq(fake_count(s.f), 5);
    end(&s);
}

/* ---- interruption ---------------------------------------------------------------------------- */

struct interrupter {
    struct fake *f;
    uint64_t thread;
    int at; /* once so many requests have come */
};

static void *interrupt_later(void *context) {
    struct interrupter *i = context;
    if (fake_reaches(i->f, &i->f->count, i->at)) ili_thread_interrupt(i->thread);
    return NULL;
}

static il_status acquire_interrupted(struct scene *s) {
    pthread_t thread;
    struct interrupter i = {s->f, ili_thread_id(ili_thread_current()), fake_count(s->f) + 1};
    pthread_create(&thread, NULL, interrupt_later, &i);
    il_status status = acquire(s, IL_FOREVER);
    pthread_join(thread, NULL);
    return status;
}

Test(client_call, interruption_ends_the_wait_and_the_server_sees_it) {
    struct scene s = begin(never_reply);
    cr_assert_eq(acquire_interrupted(&s), IL_EINTR, "%s", ili_error_text());
    cr_assert(fake_reaches(s.f, &s.f->left, 1));
    cr_assert_not(fake_take());
    cr_assert_eq(fake_count(s.f), 2); /* not sent again */
    cr_assert_eq(acquire_interrupted(&s), IL_EINTR);
    end(&s);
}

static void grant_in_the_last_moment(struct fake *f, int fd, const struct fake_request *r) {
    (void)r;
    fake_await_leaving(f, fd);
    fake_grant(fd, 11, 60);
}

Test(client_call, grant_on_its_way_is_not_lost_to_an_interruption) {
    struct scene s = begin(grant_in_the_last_moment);
    cr_assert_eq(acquire_interrupted(&s), IL_OK, "%s", ili_error_text());
    cr_assert_eq(s.token, 11);
    cr_assert(fake_take(), "the interruption stays pending");
    end(&s);
}

Test(client_call, pending_interruption_lets_pass_what_need_not_wait) {
    struct scene s = begin(grant_by_number);
    fake_raise();
    cr_assert_eq(acquire(&s, IL_FOREVER), IL_OK);
    cr_assert_not_null(strstr(s.f->requests[1].body, "\"timeout\":0}"));
    cr_assert(fake_take());
    acquire_reply = time_out;
    fake_raise();
    cr_assert_eq(acquire(&s, IL_FOREVER), IL_EINTR);
    cr_assert_not(fake_take());
    fake_raise();
    cr_assert_eq(acquire(&s, 0), IL_ETIMEOUT);
    cr_assert(fake_take(), "a call that does not wait leaves it alone");
    end(&s);
}

static void reset_and_hang(struct fake *f, int fd, const struct fake_request *r) {
    if (r->number == 1)
        fake_reset(fd);
    else
        never_reply(f, fd, r);
}

Test(client_call, repeat_does_not_outlast_the_callers_deadline) {
    struct scene s = begin(reset_and_hang);
    int64_t before = ili_now_ns();
    cr_assert_eq(acquire(&s, 200000000), IL_ETIMEOUT, "%s", ili_error_text());
    cr_assert_lt(ili_now_ns() - before, 5 * SECOND);
    end(&s);
}

/* ---- the module ------------------------------------------------------------------------------ */

Test(client_call, forked_child_is_told_to_open_anew) {
    struct scene s = begin(grant_by_number);
    cr_assert_eq(acquire(&s, 0), IL_OK);
    pid_t child = fork();
    if (child == 0) {
        int32_t locked;
        struct ili_remote_lock *lock;
        const struct ili_remote_ops *ops = fake_ops();
        bool good = ops->lock_acquire(s.lock, 0, NULL) == IL_EFORKED &&
                    ops->lock_release(s.lock, 0) == IL_EFORKED &&
                    ops->lock_locked(s.lock, &locked) == IL_EFORKED &&
                    ops->lock_open(s.domain, "m", 1, NULL, &lock) == IL_EFORKED &&
                    ops->lock_close(s.lock) == IL_OK && ops->domain_close(s.domain) == IL_OK;
        _exit(good ? 0 : 1);
    }
    int result = -1;
    cr_assert_eq(waitpid(child, &result, 0), child);
    cr_assert_eq(result, 0);
    cr_assert_eq(acquire(&s, 0), IL_OK, "the parent goes on");
    end(&s);
}

Test(client_call, object_without_name_is_unsupported_and_says_why) {
    struct fake *f = fake_start(always_reset);
    struct ili_remote_domain *domain = fake_domain(f);
    struct ili_remote_lock *lock = NULL;
    struct ili_remote_queue *queue = NULL;
    cr_assert_eq(fake_ops()->lock_open(domain, NULL, 0, NULL, &lock), IL_EUNSUPPORTED);
    cr_assert_not_null(strstr(ili_error_text(), "name"));
    cr_assert_eq(fake_ops()->queue_open(domain, NULL, 0, NULL, &queue), IL_EUNSUPPORTED);
    cr_assert_eq(fake_count(f), 0);
    fake_ops()->domain_close(domain);
    fake_stop(f);
}

static void reply_version(struct fake *f, int fd, const struct fake_request *r) {
    (void)f, (void)r;
    fake_raw(fd, garbage);
}

Test(client_call, only_an_interlockd_of_this_api_is_a_domain) {
    static const char *const answers[] = {
        HEAD("200 OK", "9") "{\"api\":2}", HEAD("200 OK", "5") "hello",
        HEAD("200 OK", "2") "{}",          HEAD("404 No", "24") "{\"code\":\"no_such_route\"}",
        HEAD("404 No", "5") "hello",
    };
    struct fake *f = fake_start(reply_version);
    f->greets = false;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct ili_remote_domain *domain = NULL;
        garbage = answers[i];
        cr_assert_eq(fake_ops()->domain_open(f->address, NULL, &domain), IL_EPROTOCOL, "%s",
                     ili_error_text());
        cr_assert_null(domain);
    }
    fake_stop(f);
}

Test(client_call, module_refuses_a_library_of_another_version) {
    struct ili_remote_host host = {.abi = ILI_REMOTE_ABI + 1};
    cr_assert_null(ili_remote_ops(&host));
    cr_assert_null(ili_remote_ops(NULL));
}

Test(client_call, names_are_percent_encoded) {
    struct fake *f = fake_start(scene_reply);
    struct ili_remote_domain *domain = fake_domain(f);
    static const char *const names[][2] = {
        {"a/b c?", "/v1/locks/a%2Fb%20c%3F"},
        {"..", "/v1/locks/%2E%2E"},
        {".", "/v1/locks/%2E"},
        {"ä", "/v1/locks/%C3%A4"},
        {"...", "/v1/locks/..."},
    };
    for (int i = 0; i < 5; i++) {
        struct ili_remote_lock *lock = NULL;
        cr_assert_eq(fake_ops()->lock_open(domain, names[i][0], strlen(names[i][0]), NULL, &lock),
                     IL_OK, "%s", ili_error_text());
        cr_assert_str_eq(f->requests[i].path, names[i][1]);
        fake_ops()->lock_close(lock);
    }
    fake_ops()->domain_close(domain);
    fake_stop(f);
}
