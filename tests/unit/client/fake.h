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
#include "unit/client/fake_server.h"

static il_status fake_fail(il_status status, const char *text) {
    return text ? ili_fail(status, "%s", text) : ili_fail(status, NULL);
}

static bool fake_take(void) { return ili_thread_take_interrupt(ili_thread_current()); }
static void fake_raise(void) { ili_thread_interrupt(ili_thread_id(ili_thread_current())); }
static int fake_wake_fd(void) { return ili_thread_wake_fd(ili_thread_current()); }

FAKE_UNUSED static const struct ili_remote_ops *fake_ops(void) {
    static const struct ili_remote_host host = {.abi = ILI_REMOTE_ABI,
                                                .fail = fake_fail,
                                                .take_interrupt = fake_take,
                                                .raise_interrupt = fake_raise,
                                                .wake_fd = fake_wake_fd,
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

#endif
