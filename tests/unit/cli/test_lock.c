/* `interlock lock`, and the rules for command lines. A private domain does for most of it. */
#include "unit/cli/run.h"

#define IN_PRIVATE "--domain", "private:"

static void wrong(const char *about, struct outcome o) {
    cr_assert_eq(o.code, 64, "%s: %d", about, o.code);
    cr_assert_not_null(strstr(o.err, about), "%s", o.err);
    cr_assert_not_null(strstr(o.err, "interlock help"), "%s", o.err);
}

Test(cli_lock, wrong_command_lines_are_explained) {
    wrong("which command?", run("", NULL));
    wrong("no command \"fly\"", run("", "fly", NULL));
    wrong("unknown option", run("", "--fly", NULL));
    wrong("which lock?", run("", IN_PRIVATE, "lock", NULL));
    wrong("which command is to run", run("", IN_PRIVATE, "lock", "l", NULL));
    wrong("which command is to run", run("", IN_PRIVATE, "lock", "l", "--", NULL));
    wrong("got \"x\"", run("", IN_PRIVATE, "lock", "-t", "x", "l", "true", NULL));
    wrong("got \"-1\"", run("", IN_PRIVATE, "lock", "--timeout=-1", "l", "true", NULL));
    wrong("got \"nan\"", run("", IN_PRIVATE, "lock", "--timeout=nan", "l", "true", NULL));
    wrong("unknown option", run("", IN_PRIVATE, "lock", "--fly", "l", "true", NULL));
    wrong("put or get?", run("", IN_PRIVATE, "queue", NULL));
    wrong("got \"peek\"", run("", IN_PRIVATE, "queue", "peek", NULL));
    wrong("which queue?", run("", IN_PRIVATE, "queue", "put", NULL));
    wrong("which queue?", run("", IN_PRIVATE, "queue", "get", NULL));
    wrong("one type", run("", IN_PRIVATE, "queue", "put", "q", "--json", "--text", NULL));
    wrong("one message", run("", IN_PRIVATE, "queue", "put", "q", "a", "b", NULL));
    wrong("stdin", run("", IN_PRIVATE, "queue", "put", "q", "a", "--lines", NULL));
    wrong("--count", run("", IN_PRIVATE, "queue", "get", "q", "-n", "-1", NULL));
    wrong("unexpected", run("", IN_PRIVATE, "ps", "x", NULL));
}

Test(cli_lock, help_and_version_need_no_server) {
    setenv("INTERLOCK_DOMAIN", "unix:/nowhere", 1);
    static const char *const commands[] = {"lock", "queue", "ps", "version", "help"};
    struct outcome o = run("", "help", NULL);
    cr_assert_eq(o.code, 0);
    for (int i = 0; i < 5; i++) {
        cr_assert_not_null(strstr(o.out, commands[i]));
        struct outcome more = run("", "help", commands[i], NULL);
        cr_assert_eq(more.code, 0);
        cr_assert_eq(strncmp(more.out, "Usage: interlock ", 17), 0);
    }
    o = run("", "--version", NULL);
    cr_assert_eq(strncmp(o.out, "interlock 0.", 12), 0, "%s", o.out);
    cr_assert_eq(run("", "help", "fly", NULL).code, 64);
}

Test(cli_lock, program_runs_with_its_token_and_its_status_is_passed_on) {
    struct outcome o = run("input", IN_PRIVATE, "lock", "l", "--", "sh", "-c",
                           "echo $INTERLOCK_TOKEN; cat; exit 3", NULL);
    cr_assert_eq(o.code, 3);
    cr_assert_gt(strtoull(o.out, NULL, 10), 0, "%s", o.out);
    cr_assert_not_null(strstr(o.out, "\ninput"));
    cr_assert_str_eq(o.err, "");
    o = run("", IN_PRIVATE, "lock", "l", "--", "sh", "-c", "kill -9 $$", NULL);
    cr_assert_eq(o.code, 128 + 9);
}

Test(cli_lock, options_after_the_program_are_the_programs) {
    struct outcome o = run("", IN_PRIVATE, "lock", "l", "echo", "--timeout", "x", NULL);
    cr_assert_str_eq(o.out, "--timeout x\n");
    o = run("", IN_PRIVATE, "lock", "--fair", "l", "-t", "1", "--", "echo", "--", "-f", NULL);
    cr_assert_str_eq(o.out, "-- -f\n");
    o = run("", IN_PRIVATE, "lock", "--", "-l", "echo", "x", NULL);
    cr_assert_str_eq(o.out, "x\n", "%s", o.err);
}

Test(cli_lock, program_that_cannot_run_has_the_shells_codes) {
    struct outcome o = run("", IN_PRIVATE, "lock", "l", "--", "/no/such/program", NULL);
    cr_assert_eq(o.code, 127);
    cr_assert_not_null(strstr(o.err, "/no/such/program"));
    cr_assert_eq(run("", IN_PRIVATE, "lock", "l", "--", "/etc/passwd", NULL).code, 126);
}

Test(cli_lock, no_server_is_said) {
    struct outcome o = run("", "--domain", "unix:/no/such/socket", "lock", "l", "true", NULL);
    cr_assert_eq(o.code, 69);
    cr_assert_not_null(strstr(o.err, "/no/such/socket"), "%s", o.err);
    o = run("", "--domain", "ftp://x", "lock", "l", "true", NULL);
    cr_assert_eq(o.code, 64);
}

/* Reads FD up to a newline. */
static void await_line(int fd) {
    char byte = 0;
    while (byte != '\n') cr_assert_eq(read(fd, &byte, 1), 1);
}

Test(cli_lock, signal_goes_on_to_the_program) {
    char *argv[] = {NULL,
                    (char *)"--domain",
                    (char *)"private:",
                    (char *)"lock",
                    (char *)"l",
                    (char *)"sh",
                    (char *)"-c",
                    (char *)"trap 'exit 7' TERM; echo up; while :; do read x; done",
                    NULL};
    struct outcome o;
    struct running r = start("interlock", argv);
    await_line(r.out);
    kill(r.pid, SIGTERM);
    close(r.in);
    finish(&r, &o);
    cr_assert_eq(o.code, 7, "%s", o.err);
}

static void held_elsewhere(const struct server *s, const char *address) {
    char *argv[] = {NULL,           (char *)"--domain",        (char *)s->unix_address,
                    (char *)"lock", (char *)"deploy",          (char *)"sh",
                    (char *)"-c",   (char *)"echo up; read x", NULL};
    struct outcome o;
    struct running holder = start("interlock", argv);
    await_line(holder.out);
    struct outcome late =
        run("", "--domain", address, "lock", "deploy", "-t", "0.05", "--", "echo", "no", NULL);
    cr_assert_eq(late.code, 75);
    cr_assert_str_eq(late.out, "");
    cr_assert_not_null(strstr(late.err, "interlock (pid "), "%s", late.err);
    struct outcome seen = run("", "--domain", address, "ps", NULL);
    cr_assert_eq(seen.code, 0, "%s", seen.err);
    cr_assert_not_null(strstr(seen.out, "\ndeploy  interlock (pid "), "%s", seen.out);
    close(holder.in); /* read ends */
    finish(&holder, &o);
    cr_assert_eq(o.code, 1);
    late = run("", "--domain", address, "lock", "deploy", "-t", "5", "--", "echo", "yes", NULL);
    cr_assert_str_eq(late.out, "yes\n");
    cr_assert_str_eq(late.err, "");
}

Test(cli_lock, lock_that_is_held_is_waited_for_in_time_or_not) {
    struct server s;
    server_start(&s);
    held_elsewhere(&s, s.unix_address);
    held_elsewhere(&s, s.http_address);
    server_stop(&s);
}

Test(cli_lock, waiting_ends_with_a_signal) {
    struct server s;
    server_start(&s);
    char *holding[] = {NULL,        (char *)"--domain", s.unix_address, (char *)"lock",
                       (char *)"l", (char *)"sh",       (char *)"-c",   (char *)"echo up; read x",
                       NULL};
    char *waiting[] = {
        NULL, (char *)"--domain", s.http_address, (char *)"lock", (char *)"l", (char *)"true",
        NULL};
    struct running holder = start("interlock", holding);
    await_line(holder.out);
    struct running waiter = start("interlock", waiting);
    bool waits = false;
    for (int tries = 0; !waits && tries < 500; tries++) {
        waits = strstr(run("", "--domain", s.unix_address, "ps", NULL).out, ")  1 ");
    }
    cr_assert(waits);
    struct outcome o;
    kill(waiter.pid, SIGINT);
    close(waiter.in);
    finish(&waiter, &o);
    cr_assert_eq(o.code, 128 + SIGINT, "%s", o.err);
    cr_assert_str_eq(o.err, "");
    close(holder.in);
    finish(&holder, &o);
    server_stop(&s);
}

Test(cli_lock, killed_holder_frees_the_lock_stops_its_program_and_is_named) {
    struct server s;
    server_start(&s);
    char *argv[] = {
        NULL,        (char *)"--domain", s.unix_address, (char *)"lock",
        (char *)"l", (char *)"sh",       (char *)"-c",   (char *)"echo up; read x; echo alive",
        NULL};
    struct outcome o;
    struct running holder = start("interlock", argv);
    await_line(holder.out);
    kill(holder.pid, SIGKILL);
    finish(&holder, &o); /* returns when the program, too, has closed its output */
    cr_assert_eq(o.code, 128 + 9);
    cr_assert_str_eq(o.out, "");
    close(holder.in);
    o = run("", "--domain", s.unix_address, "lock", "l", "-t", "5", "echo", "mine", NULL);
    cr_assert_eq(o.code, 0);
    cr_assert_str_eq(o.out, "mine\n");
    cr_assert_not_null(strstr(o.err, "died"), "%s", o.err);
    server_stop(&s);
}
