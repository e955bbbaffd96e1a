/* What a program finds when it was started, and how a failure is told. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/spawn.h"
#include "support/wait.h"

#define WORDS(...) ((char **)(const char *[]){__VA_ARGS__, NULL})
#define NONE                                                                                       \
    { -1, -1, -1, -1, -1, -1, -1, -1 }

static struct ili_spawn shell(const char *arguments[4], const char *script) {
    arguments[0] = "sh";
    arguments[1] = "-c";
    arguments[2] = script;
    arguments[3] = NULL;
    return (struct ili_spawn){.program = "/bin/sh", .arguments = (char **)arguments, .fds = NONE};
}

/* Runs SCRIPT with SPAWN's settings and its output in TEXT; its wait status. */
static int run(struct ili_spawn *spawn, char *text, size_t room) {
    int ends[2], status;
    pid_t pid;
    size_t got = 0;
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    spawn->fds[1] = ends[1];
    cr_assert_eq(ili_spawn(spawn, &pid, NULL, NULL), IL_OK, "%s", strerror(errno));
    close(ends[1]);
    for (ssize_t n; (n = read(ends[0], text + got, room - 1 - got)) > 0;) got += (size_t)n;
    text[got] = 0;
    close(ends[0]);
    status = test_reap(pid, 20);
    return status;
}

static unsigned open_descriptors(void) {
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory)) count++;
    closedir(directory);
    return count;
}

Test(run_spawn, exit_code_and_signal_are_the_programs) {
    char text[16];
    const char *arguments[4];
    struct ili_spawn spawn = shell(arguments, "exit 7");
    int status = run(&spawn, text, sizeof text);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    spawn = shell(arguments, "kill -TERM $$");
    status = run(&spawn, text, sizeof text);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

Test(run_spawn, only_the_given_descriptors_are_open) {
    char text[256];
    const char *arguments[4];
    int extra = open("/dev/null", O_RDONLY); /* not CLOEXEC */
    cr_assert_geq(extra, 0);
    cr_assert_eq(dup2(extra, 200), 200);
    struct ili_spawn spawn =
        shell(arguments, "for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 200; do"
                         "    [ -e /proc/$$/fd/$i ] && echo -n $i; done");
    spawn.fds[5] = extra;
    run(&spawn, text, sizeof text);
    cr_assert_str_eq(text, "0125");
    close(extra);
    close(200);
}

/* In a process of its own, whose low descriptors are nobody's: those at 3 to 6 change places, and one
 * that is not open is missed. Writes what the program read to OUT. */
static void change_places(int out) {
    const char *arguments[4], *what = NULL;
    pid_t pid;
    for (int i = 0; i < 4; i++) {
        int ends[2];
        char digit = (char)('0' + i);
        if (pipe(ends) != 0 || write(ends[1], &digit, 1) != 1) _exit(1);
        close(ends[1]);
        if (fcntl(ends[0], F_DUPFD, 20 + i) != 20 + i) _exit(2);
        close(ends[0]);
    }
    for (int i = 0; i < 4; i++) dup2(20 + i, 3 + i);
    struct ili_spawn spawn = shell(arguments, "cat <&3; cat <&4; cat <&5; cat <&6");
    int order[4] = {6, 5, 3, 4};
    for (int i = 0; i < 4; i++) spawn.fds[3 + i] = order[i];
    spawn.fds[1] = out;
    if (ili_spawn(&spawn, &pid, NULL, NULL) != IL_OK || waitpid(pid, NULL, 0) != pid) _exit(3);
    close(7);
    spawn.fds[7] = 7;
    if (ili_spawn(&spawn, &pid, NULL, &what) != IL_ESYSTEM || errno != EBADF) _exit(4);
    _exit(strcmp(what, "dup") == 0 ? 0 : 5);
}

Test(run_spawn, descriptors_may_change_places) {
    int ends[2];
    char text[8] = {0};
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    int out = fcntl(ends[1], F_DUPFD_CLOEXEC, 100);
    pid_t child = fork();
    if (child == 0) change_places(out);
    close(out);
    close(ends[1]);
    int status = test_reap(child, 20);
    cr_assert_eq(status, 0, "%x", status);
    cr_assert_eq(read(ends[0], text, 5), 4);
    cr_assert_str_eq(text, "3201");
    close(ends[0]);
}

static void ignore(int signal) { (void)signal; }

Test(run_spawn, signals_are_as_in_a_fresh_program) {
    char text[4096];
    sigset_t blocked, still;
    signal(SIGUSR1, ignore);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    struct ili_spawn spawn = {.program = "cat", .fds = NONE};
    spawn.arguments = WORDS("cat", "/proc/self/status");
    run(&spawn, text, sizeof text);
    cr_assert_not_null(strstr(text, "\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
                                    "SigCgt:\t0000000000000000\n"));
    sigprocmask(SIG_BLOCK, NULL, &still);
    cr_assert(sigismember(&still, SIGUSR2) && !sigismember(&still, SIGTERM));
}

Test(run_spawn, directory_environment_and_group_are_as_asked) {
    char text[256];
    const char *arguments[4];
    struct ili_spawn spawn =
        shell(arguments, "pwd; echo $COLOUR; ps -o pgid= -p $$ | tr -d ' '; echo $$");
    spawn.directory = "/";
    spawn.environment = WORDS("COLOUR=green", "PATH=/usr/bin:/bin");
    spawn.own_group = true;
    run(&spawn, text, sizeof text);
    int group, pid;
    cr_assert_eq(sscanf(text, "/\ngreen\n%d\n%d\n", &group, &pid), 2, "%s", text);
    cr_assert_eq(group, pid);
}

Test(run_spawn, limits_are_set) {
    char text[256];
    const char *arguments[4];
    struct ili_spawn spawn = shell(arguments, "ulimit -d; ulimit -St; ulimit -Ht; ulimit -n");
    spawn.limits = (struct ili_spawn_limits){UINT64_C(1) << 30, 100, 99};
    run(&spawn, text, sizeof text);
    cr_assert_str_eq(text, "1048576\n100\n101\n99\n");
}

static void expect_failure(struct ili_spawn *spawn, int error, const char *step) {
    const char *what = NULL;
    pid_t pid = 12345;
    int fd = 54321;
    unsigned before = open_descriptors();
    errno = 0;
    cr_assert_eq(ili_spawn(spawn, &pid, &fd, &what), IL_ESYSTEM);
    cr_assert_eq(errno, error, "%s", strerror(errno));
    cr_assert_str_eq(what, step);
    cr_assert_eq(pid, 12345);
    cr_assert_eq(fd, 54321);
    cr_assert_eq(open_descriptors(), before);
    cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
    cr_assert_eq(errno, ECHILD);
}

Test(run_spawn, failures_name_their_step) {
    const char *arguments[4];
    struct ili_spawn spawn = shell(arguments, "true");
    spawn.program = "/no/such/program";
    expect_failure(&spawn, ENOENT, "exec");
    spawn.program = "no-such-program";
    expect_failure(&spawn, ENOENT, "exec");
    spawn.program = "";
    expect_failure(&spawn, ENOENT, "exec");
    spawn.program = "/etc/passwd";
    expect_failure(&spawn, EACCES, "exec");
    spawn.program = "/bin/sh";
    spawn.directory = "/no/such/directory";
    expect_failure(&spawn, ENOENT, "chdir");
    spawn.directory = NULL;
    spawn.fds[4] = 999;
    expect_failure(&spawn, EBADF, "dup");
}

Test(run_spawn, path_is_the_childs_and_a_refusal_is_the_better_reason) {
    char directory[] = "/tmp/interlock-spawn-XXXXXX", file[64], path[96], text[16];
    cr_assert_not_null(mkdtemp(directory));
    snprintf(file, sizeof file, "%s/mine", directory);
    snprintf(path, sizeof path, "PATH=/no/such:%s:/bin", directory);
    int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    cr_assert_eq(write(fd, "#!/bin/sh\necho hi\n", 18), 18);
    close(fd);
    struct ili_spawn spawn = {.program = "mine", .fds = NONE};
    spawn.arguments = WORDS("mine");
    spawn.environment = WORDS(path);
    expect_failure(&spawn, EACCES, "exec");
    cr_assert_eq(chmod(file, 0700), 0);
    run(&spawn, text, sizeof text);
    cr_assert_str_eq(text, "hi\n");
    unlink(file);
    rmdir(directory);
}

Test(run_spawn, pid_fd_tells_the_end_and_nothing_is_left_over) {
    unsigned before = open_descriptors();
    for (int i = 0; i < 200; i++) {
        struct ili_spawn spawn = {.program = "/bin/true", .fds = NONE};
        pid_t pid;
        int fd;
        spawn.arguments = WORDS("true");
        cr_assert_eq(ili_spawn(&spawn, &pid, &fd, NULL), IL_OK);
        struct pollfd polled = {fd, POLLIN, 0};
        cr_assert_eq(poll(&polled, 1, 20000), 1);
        cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        close(fd);
        cr_assert_eq(test_reap(pid, 20), 0);
    }
    cr_assert_eq(open_descriptors(), before);
}

static void *spawn_often(void *unused) {
    (void)unused;
    for (int i = 0; i < 50; i++) {
        struct ili_spawn spawn = {.program = "true", .fds = NONE};
        pid_t pid;
        spawn.arguments = WORDS("true");
        if (ili_spawn(&spawn, &pid, NULL, NULL) != IL_OK) return (void *)"spawn";
        if (test_reap(pid, 20) != 0) return (void *)"status";
    }
    return NULL;
}

Test(run_spawn, threads_start_programs_at_once) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, spawn_often, NULL), 0);
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        cr_assert_null(result, "%s", (char *)result);
    }
}

/* The parent is killed; its child with it. */
Test(run_spawn, dies_with_its_parent) {
    int ends[2];
    char byte;
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t parent = fork();
    if (parent == 0) {
        const char *arguments[4];
        pid_t pid;
        struct ili_spawn spawn = shell(arguments, "echo; exec sleep 1000");
        spawn.fds[1] = ends[1];
        spawn.dies_with_parent = true;
        if (ili_spawn(&spawn, &pid, NULL, NULL) != IL_OK) _exit(1);
        for (;;) pause();
    }
    close(ends[1]);
    cr_assert_eq(read(ends[0], &byte, 1), 1);
    kill(parent, SIGKILL);
    cr_assert_eq(read(ends[0], &byte, 1), 0); /* the end of the pipe: nobody has it open */
    test_reap(parent, 20);
    close(ends[0]);
}
