/* `interlock queue` against a server, by both of its doors. */
#include "unit/cli/run.h"

static struct server s;

static void setup(void) { server_start(&s); }
static void teardown(void) { server_stop(&s); }

TestSuite(cli_queue, .init = setup, .fini = teardown);

#define QUEUE "--domain", address, "queue"

static void both(void (*test)(const char *address)) {
    test(s.unix_address);
    test(s.http_address);
}

static void round_trip(const char *address) {
    struct outcome o;
    cr_assert_eq((o = run("", QUEUE, "put", "q", "hello", NULL)).code, 0, "%s", o.err);
    cr_assert_eq(run("from\nstdin", QUEUE, "put", "q", NULL).code, 0);
    cr_assert_eq(run("dash", QUEUE, "put", "q", "-", NULL).code, 0);
    cr_assert_eq(run("", QUEUE, "put", "--json", "q", "{\"a\": 1.0}", NULL).code, 0);
    cr_assert_eq(run("\x01\xff", QUEUE, "put", "q", "--bytes", NULL).code, 0);
    cr_assert_eq(run("", QUEUE, "put", "q", "--", "-x", NULL).code, 0);
    o = run("", QUEUE, "get", "q", NULL);
    cr_assert_str_eq(o.out, "hello\n", "%s", o.err);
    o = run("", QUEUE, "get", "q", "--count", "3", NULL);
    cr_assert_str_eq(o.out, "from\nstdin\ndash\n{\"a\": 1.0}\n");
    o = run("", QUEUE, "get", "q", NULL);
    cr_assert_str_eq(o.out, "\x01\xff");
    o = run("", QUEUE, "get", "q", NULL);
    cr_assert_str_eq(o.out, "-x\n");
}

Test(cli_queue, messages_come_out_as_they_went_in) { both(round_trip); }

static void lines(const char *address) {
    cr_assert_eq(run("one\n\nthree\nlast", QUEUE, "put", "l", "--lines", NULL).code, 0);
    struct outcome o = run("", QUEUE, "get", "l", "-n", "4", "-t", "1", NULL);
    cr_assert_str_eq(o.out, "one\n\nthree\nlast\n", "%s", o.err);
    o = run("", QUEUE, "get", "l", "-t", "0", NULL);
    cr_assert_eq(o.code, 75);
    cr_assert_str_eq(o.out, "");
}

Test(cli_queue, each_line_is_a_message) { both(lines); }

static void bad(const char *address) {
    struct outcome o = run("", QUEUE, "put", "b", "--json", "{\"a\":1", NULL);
    cr_assert_eq(o.code, 65);
    cr_assert_not_null(strstr(o.err, "not JSON"), "%s", o.err);
    cr_assert_eq(run("", QUEUE, "put", "b", "--json", "{\"a\":1,\"a\":2}", NULL).code, 65);
    o = run("\xff", QUEUE, "put", "b", NULL);
    cr_assert_eq(o.code, 65);
    cr_assert_not_null(strstr(o.err, "--bytes"), "%s", o.err);
    cr_assert_eq(run("good\n\xff\n", QUEUE, "put", "b", "--lines", NULL).code, 65);
    cr_assert_eq(run("", QUEUE, "get", "b", "-t", "0", NULL).code, 75, "nothing was put");
}

Test(cli_queue, what_is_not_what_it_is_said_to_be_is_refused) { both(bad); }

static void follow(const char *address) {
    char *argv[] = {NULL,          (char *)"--domain", (char *)address,    (char *)"queue",
                    (char *)"get", (char *)"f",        (char *)"--follow", NULL};
    char line[6] = {0};
    struct outcome o;
    struct running follower = start("interlock", argv);
    cr_assert_eq(run("", QUEUE, "put", "f", "12345", NULL).code, 0);
    for (size_t have = 0; have < 6;) { /* at once, not when it ends */
        char byte;
        cr_assert_eq(read(follower.out, &byte, 1), 1);
        line[have++ % 6] = byte;
    }
    cr_assert_eq(memcmp(line, "12345\n", 6), 0);
    kill(follower.pid, SIGTERM);
    close(follower.in);
    finish(&follower, &o);
    cr_assert_eq(o.code, 128 + SIGTERM, "%s", o.err);
}

Test(cli_queue, follower_writes_each_message_at_once_and_ends_by_signal) { both(follow); }

static void output_gone(const char *address) {
    char *argv[] = {
        NULL, (char *)"--domain", (char *)address, (char *)"queue", (char *)"get", (char *)"o",
        NULL};
    struct outcome o;
    cr_assert_eq(run("", QUEUE, "put", "o", "x", NULL).code, 0);
    struct running getter = start("interlock", argv);
    close(getter.out);
    getter.out = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(getter.in);
    finish(&getter, &o);
    cr_assert(o.code == 74 || o.code == 0, "%d", o.code); /* 0: it was faster than the close */
}

Test(cli_queue, output_that_is_gone_is_an_error) { both(output_gone); }

Test(cli_queue, ps_shows_sizes_and_sessions) {
    const char *address = s.unix_address;
    cr_assert_eq(run("a\nb\nc\n", QUEUE, "put", "work", "--lines", NULL).code, 0);
    char *argv[] = {NULL,
                    (char *)"--domain",
                    s.unix_address,
                    (char *)"lock",
                    (char *)"busy",
                    (char *)"sh",
                    (char *)"-c",
                    (char *)"echo up; read x",
                    NULL};
    struct running holder = start("interlock", argv);
    char up[3];
    cr_assert_eq(read(holder.out, up, 3), 3);
    const char *addresses[] = {s.unix_address, s.http_address};
    for (int i = 0; i < 2; i++) {
        struct outcome o = run("", "--domain", addresses[i], "ps", NULL);
        cr_assert_eq(o.code, 0, "%s", o.err);
        cr_assert_not_null(strstr(o.out, "SESSIONS\n"), "%s", o.out);
        cr_assert_not_null(strstr(o.out, "\nbusy "), "%s", o.out);
        cr_assert_not_null(strstr(o.out, "\nwork  3  "), "%s", o.out);
    }
    struct outcome o;
    close(holder.in);
    finish(&holder, &o);
    o = run("", "--domain", s.http_address, "ps", NULL);
    cr_assert_not_null(strstr(o.out, "LOCKS: none"), "%s", o.out);
    o = run("", "--domain", s.http_address, "ps", "--all", NULL);
    cr_assert_not_null(strstr(o.out, "\nbusy  -"), "%s", o.out);
}
