/*
 * run.h - runs the `interlock` of this build tree as a user would, and an interlockd for it.
 *
 *     struct outcome o = run("some input", "queue", "put", "q", NULL);
 *     cr_assert_eq(o.code, 0, "%s", o.err);
 */
#ifndef TESTS_UNIT_CLI_RUN_H
#define TESTS_UNIT_CLI_RUN_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_UNUSED __attribute__((unused))

struct outcome {
    int code; /* as a shell has it */
    size_t out_bytes;
    char out[20000], err[4000]; /* end with NUL */
};

/* "<build tree>/bin/NAME"; this program is in <build tree>/tests/unit/cli. */
RUN_UNUSED static const char *program(const char *name) {
    static char path[4200];
    char self[4096] = {0};
    cr_assert_gt(readlink("/proc/self/exe", self, sizeof self - 1), 0);
    for (int i = 0; i < 4; i++) dirname(self);
    snprintf(path, sizeof path, "%.4000s/bin/%s", self, name);
    return path;
}

struct running {
    pid_t pid;
    int in, out, err;
};

/* Starts NAME with ARGV[1…]; ARGV[0] is filled in. */
RUN_UNUSED static struct running start(const char *name, char **argv) {
    int in[2], out[2], err[2];
    cr_assert_eq(pipe2(in, O_CLOEXEC) + pipe2(out, O_CLOEXEC) + pipe2(err, O_CLOEXEC), 0);
    const char *path = program(name);
    argv[0] = (char *)path;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(err[1], 2);
        execv(path, argv);
        _exit(99);
    }
    close(in[0]);
    close(out[1]);
    close(err[1]);
    return (struct running){pid, in[1], out[0], err[0]};
}

/* Reads until the program closes its output, and waits for it. */
RUN_UNUSED static void finish(struct running *r, struct outcome *o) {
    struct pollfd fds[2] = {{.fd = r->out, .events = POLLIN}, {.fd = r->err, .events = POLLIN}};
    size_t have[2] = {0, 0};
    size_t rooms[2] = {sizeof o->out - 1, sizeof o->err - 1};
    char *texts[2] = {o->out, o->err};
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        poll(fds, 2, -1);
        for (int i = 0; i < 2; i++) {
            if (fds[i].fd < 0 || !fds[i].revents) continue;
            ssize_t got = read(fds[i].fd, texts[i] + have[i], rooms[i] - have[i]);
            if (got > 0)
                have[i] += (size_t)got;
            else
                fds[i].fd = -1;
        }
    }
    o->out[have[0]] = o->err[have[1]] = 0;
    o->out_bytes = have[0];
    close(r->out);
    close(r->err);
    int status = 0;
    waitpid(r->pid, &status, 0);
    o->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Runs `interlock` with the arguments up to NULL and INPUT on stdin. */
RUN_UNUSED static struct outcome run(const char *input, ...) {
    static struct outcome o;
    char *argv[32] = {NULL};
    va_list arguments;
    va_start(arguments, input);
    for (int i = 1; i < 31 && (argv[i] = va_arg(arguments, char *)); i++) {
    }
    va_end(arguments);
    signal(SIGPIPE, SIG_IGN);
    struct running r = start("interlock", argv);
    size_t length = strlen(input);
    ssize_t ignored = length ? write(r.in, input, length) : 0; /* what fits into a pipe */
    (void)ignored;
    close(r.in);
    finish(&r, &o);
    return o;
}

/* ---- a server --------------------------------------------------------------------------------- */

struct server {
    char folder[64], socket[100], unix_address[110], http_address[64];
    struct running running;
};

RUN_UNUSED static void server_start(struct server *s) {
    char line[300] = {0};
    snprintf(s->folder, sizeof s->folder, "/tmp/interlock-cli-XXXXXX");
    cr_assert_not_null(mkdtemp(s->folder));
    snprintf(s->socket, sizeof s->socket, "%s/sock", s->folder);
    snprintf(s->unix_address, sizeof s->unix_address, "unix:%s", s->socket);
    char *argv[] = {NULL, (char *)"--http", (char *)"127.0.0.1:0", (char *)"--socket", s->socket,
                    NULL};
    s->running = start("interlockd", argv);
    for (size_t have = 0; !strchr(line, '\n');) {
        ssize_t got = read(s->running.out, line + have, sizeof line - 1 - have);
        cr_assert_gt(got, 0, "interlockd does not start");
        have += (size_t)got;
    }
    char place[50];
    cr_assert_eq(sscanf(line, "interlockd ready http=%49s", place), 1, "%s", line);
    snprintf(s->http_address, sizeof s->http_address, "http://%s", place);
}

RUN_UNUSED static void server_stop(struct server *s) {
    static struct outcome o;
    char command[120];
    kill(s->running.pid, SIGTERM);
    close(s->running.in);
    finish(&s->running, &o);
    snprintf(command, sizeof command, "rm -rf %s", s->folder);
    cr_assert_eq(system(command), 0);
    cr_assert_eq(o.code, 0, "%s", o.err);
}

#endif
