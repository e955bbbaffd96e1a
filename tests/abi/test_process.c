/* il_process: how programs are started, joined and ended, and the domain that they inherit. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "support/doors.h"

static char child_program[4096];

/* Options for the program of these tests with up to two more WORDS. */
static il_process_options options_of(const char *words[4], const char *what, const char *with) {
    const char *build = getenv("INTERLOCK_BUILD");
    snprintf(child_program, sizeof child_program, "%s/tests/abi/process_child",
             build ? build : "build");
    words[0] = child_program;
    words[1] = what;
    words[2] = with;
    words[3] = NULL;
    return (il_process_options){.struct_bytes = sizeof(il_process_options),
                                .arguments = words,
                                .argument_count = with ? 3 : 2};
}

static il_process *start(il_domain *domain, const il_process_options *options) {
    il_process *process = NULL;
    cr_assert_eq(il_process_start(domain, options, &process), IL_OK, "%s", il_error_message());
    return process;
}

static il_process *start_child(il_domain *domain, const char *what, const char *with) {
    const char *words[4];
    il_process_options options = options_of(words, what, with);
    return start(domain, &options);
}

static int32_t join(il_process *process) {
    int32_t code = 12345;
    cr_assert_eq(il_process_join(process, seconds(20), &code), IL_OK, "%s", il_error_message());
    return code;
}

static unsigned open_descriptors(void) {
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory)) count++;
    closedir(directory);
    return count;
}

/* Everything that can be read from STREAM. */
static void read_all(il_process *process, uint32_t stream, char *text, size_t room) {
    size_t got = 0;
    int fd;
    cr_assert_eq(il_process_pipe(process, stream, &fd), IL_OK, "%s", il_error_message());
    for (ssize_t n; (n = read(fd, text + got, room - 1 - got)) > 0;) got += (size_t)n;
    text[got] = 0;
}

/* ---- ends ------------------------------------------------------------------------------------------- */

Test(abi_process, exit_code_is_told_as_often_as_asked) {
    int32_t code = 5;
    uint32_t pid = 0;
    il_process *process = start_child(NULL, "exit", "42");
    cr_assert_eq(il_process_pid(process, &pid), IL_OK);
    cr_assert_gt(pid, 0);
    cr_assert_eq(join(process), 42);
    cr_assert_eq(join(process), 42);
    cr_assert_eq(il_process_poll(process, &code), IL_OK);
    cr_assert_eq(code, 42);
    cr_assert_eq(il_process_join(process, 0, NULL), IL_OK);
    cr_assert_eq(il_process_kill(process), IL_OK); /* nothing */
    cr_assert_eq(il_process_close(process), IL_OK);
    cr_assert_eq(il_process_close(NULL), IL_OK);
}

Test(abi_process, a_signal_is_a_negative_code) {
    il_process *process = start_child(NULL, "signal", "10");
    cr_assert_eq(join(process), -SIGUSR1);
    il_process_close(process);
    process = start_child(NULL, "linger", NULL);
    int32_t code = 77;
    cr_assert_eq(il_process_poll(process, &code), IL_ETIMEOUT);
    cr_assert_eq(code, 77);
    cr_assert_eq(il_process_terminate(process), IL_OK);
    cr_assert_eq(join(process), -SIGTERM);
    il_process_close(process);
    process = start_child(NULL, "linger", NULL);
    cr_assert_eq(il_process_kill(process), IL_OK);
    cr_assert_eq(join(process), -SIGKILL);
    il_process_close(process);
    process = start_child(NULL, "linger", NULL);
    cr_assert_eq(il_process_signal(process, SIGUSR2), IL_OK);
    cr_assert_eq(join(process), -SIGUSR2);
    cr_assert_eq(il_process_signal(process, 0), IL_EINVAL);
    cr_assert_eq(il_process_signal(process, 65), IL_EINVAL);
    il_process_close(process);
}

Test(abi_process, join_waits_as_long_as_asked) {
    il_process *process = start_child(NULL, "linger", NULL);
    int64_t begin = test_now_ns();
    cr_assert_eq(il_process_join(process, 0, NULL), IL_ETIMEOUT);
    cr_assert_eq(il_process_join(process, 50000000, NULL), IL_ETIMEOUT);
    cr_assert_geq(test_now_ns() - begin, 50000000);
    cr_assert_eq(il_process_join(process, -2, NULL), IL_EINVAL);
    il_process_kill(process);
    cr_assert_eq(join(process), -SIGKILL);
    il_process_close(process);
}

struct joiner {
    il_process *process;
    _Atomic uint64_t id;
    il_status status;
    int32_t code;
};

static void *join_main(void *argument) {
    struct joiner *j = argument;
    atomic_store(&j->id, il_thread_self());
    j->status = il_process_join(j->process, IL_FOREVER, &j->code);
    return NULL;
}

static bool has_id(void *id) { return atomic_load((_Atomic uint64_t *)id) != 0; }

Test(abi_process, join_can_be_interrupted) {
    pthread_t thread;
    struct joiner j = {.process = start_child(NULL, "linger", NULL)};
    cr_assert_eq(pthread_create(&thread, NULL, join_main, &j), 0);
    cr_assert(test_wait(has_id, &j.id, 10));
    cr_assert_eq(il_interrupt(atomic_load(&j.id)), IL_OK);
    pthread_join(thread, NULL);
    cr_assert_eq(j.status, IL_EINTR);
    /* one that comes before the wait ends the wait; one that meets an end stays pending */
    cr_assert_eq(il_interrupt(il_thread_self()), IL_OK);
    cr_assert_eq(il_process_join(j.process, IL_FOREVER, NULL), IL_EINTR);
    il_process_kill(j.process);
    cr_assert_eq(join(j.process), -SIGKILL);
    cr_assert_eq(il_interrupt(il_thread_self()), IL_OK);
    cr_assert_eq(join(j.process), -SIGKILL);
    il_process_close(j.process);
}

Test(abi_process, join_can_be_cancelled) {
    pthread_t thread;
    struct joiner j = {.process = start_child(NULL, "linger", NULL)};
    cr_assert_eq(pthread_create(&thread, NULL, join_main, &j), 0);
    cr_assert(test_wait(has_id, &j.id, 10));
    cr_assert_eq(il_cancel(atomic_load(&j.id)), IL_OK);
    pthread_join(thread, NULL);
    cr_assert_eq(j.status, IL_ECANCELLED);
    il_process_kill(j.process);
    cr_assert_eq(join(j.process), -SIGKILL);
    /* what need not wait is still told */
    cr_assert_eq(il_cancel(il_thread_self()), IL_OK);
    cr_assert_eq(join(j.process), -SIGKILL);
    il_process_close(j.process);
}

Test(abi_process, several_threads_join_one_process) {
    pthread_t threads[4];
    struct joiner j[4];
    il_process *process = start_child(NULL, "linger", NULL);
    for (int i = 0; i < 4; i++) {
        memset(&j[i], 0, sizeof j[i]);
        j[i].process = process;
        cr_assert_eq(pthread_create(&threads[i], NULL, join_main, &j[i]), 0);
    }
    il_process_terminate(process);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(j[i].status, IL_OK);
        cr_assert_eq(j[i].code, -SIGTERM);
    }
    il_process_close(process);
}

Test(abi_process, descriptor_tells_the_end) {
    int fd;
    il_process *process = start_child(NULL, "linger", NULL);
    cr_assert_eq(il_process_fd(process, &fd), IL_OK);
    struct pollfd polled = {fd, POLLIN, 0};
    cr_assert_eq(poll(&polled, 1, 0), 0);
    il_process_kill(process);
    cr_assert_eq(poll(&polled, 1, 10000), 1);
    cr_assert_eq(il_process_join(process, 0, NULL), IL_OK);
    il_process_close(process);
}

Test(abi_process, a_code_that_others_took_is_an_error) {
    uint32_t pid;
    il_process *process = start_child(NULL, "exit", "3");
    il_process_pid(process, &pid);
    cr_assert_eq(test_reap((pid_t)pid, 20), 3 << 8);
    cr_assert_eq(il_process_join(process, seconds(10), NULL), IL_ESYSTEM);
    cr_assert_not_null(strstr(il_error_message(), "SIGCHLD"));
    cr_assert_eq(il_process_poll(process, NULL), IL_ESYSTEM);
    il_process_close(process);
}

/* ---- what a program finds ---------------------------------------------------------------------------- */

Test(abi_process, streams_are_pipes_if_asked) {
    char text[64];
    const char *words[4];
    int fd;
    il_process_options options = options_of(words, "copy", NULL);
    options.stdin_mode = options.stdout_mode = options.stderr_mode = IL_STDIO_PIPE;
    il_process *process = start(NULL, &options);
    cr_assert_eq(il_process_pipe(process, 0, &fd), IL_OK);
    cr_assert_eq(write(fd, "hello", 5), 5);
    cr_assert_eq(il_process_pipe_close(process, 0), IL_OK);
    cr_assert_eq(il_process_pipe_close(process, 0), IL_OK);
    cr_assert_eq(il_process_pipe(process, 0, &fd), IL_ENOTFOUND);
    cr_assert_eq(il_process_pipe(process, 3, &fd), IL_EINVAL);
    read_all(process, 1, text, sizeof text);
    cr_assert_str_eq(text, "hello");
    read_all(process, 2, text, sizeof text);
    cr_assert_str_eq(text, "err");
    cr_assert_eq(join(process), 5);
    il_process_close(process);
}

Test(abi_process, streams_may_be_null_a_descriptor_or_each_other) {
    char text[64];
    const char *words[4];
    int ends[2], fd;
    il_process_options options = options_of(words, "copy", NULL);
    options.stdin_mode = IL_STDIO_NULL;
    options.stdout_mode = IL_STDIO_PIPE;
    options.stderr_mode = IL_STDIO_STDOUT;
    il_process *process = start(NULL, &options);
    read_all(process, 1, text, sizeof text);
    cr_assert_str_eq(text, "err");
    cr_assert_eq(il_process_pipe(process, 2, &fd), IL_ENOTFOUND);
    cr_assert_eq(join(process), 5);
    il_process_close(process);
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    options.stdout_mode = IL_STDIO_NULL;
    options.stderr_mode = IL_STDIO_FD;
    options.stderr_fd = ends[1];
    process = start(NULL, &options);
    close(ends[1]);
    cr_assert_eq(join(process), 5);
    cr_assert_eq(read(ends[0], text, sizeof text), 3);
    close(ends[0]);
    il_process_close(process);
}

static void shell_says(const char *script, il_process_options options, const char *expected) {
    char text[256];
    const char *words[] = {"sh", "-c", script};
    options.struct_bytes = sizeof options;
    options.arguments = words;
    options.argument_count = 3;
    options.stdout_mode = IL_STDIO_PIPE;
    il_process *process = start(NULL, &options);
    read_all(process, 1, text, sizeof text);
    cr_assert_str_eq(text, expected);
    cr_assert_eq(join(process), 0);
    il_process_close(process);
}

Test(abi_process, environment_and_directory_are_as_asked) {
    const char *environment[] = {"COLOUR=green", "PATH=/usr/bin:/bin", "INTERLOCK_INHERIT=1:2:3"};
    il_process_options options = {.environment = environment, .environment_count = 3};
    setenv("SHADE", "dark", 1);
    setenv("INTERLOCK_INHERIT", "6:7:8", 1); /* of descriptors that the program does not have */
    shell_says("echo $COLOUR$SHADE$INTERLOCK_INHERIT", options, "green\n");
    options.environment = NULL;
    options.directory = "/usr";
    shell_says("pwd; echo $SHADE$INTERLOCK_INHERIT", options, "/usr\ndark\n");
    options.directory = NULL;
    options.program = "/bin/echo";
    shell_says("$0", options, "-c $0\n");
}

/* ---- failures ----------------------------------------------------------------------------------------- */

static void expect_failure(const il_process_options *options, il_status expected,
                           const char *names) {
    il_process *process = (il_process *)8;
    cr_assert_eq(il_process_start(NULL, options, &process), expected, "%s", il_error_message());
    cr_assert_not_null(strstr(il_error_message(), names), "%s", il_error_message());
    cr_assert_eq(process, (il_process *)8);
}

Test(abi_process, failures_name_their_cause_and_leave_nothing) {
    char file[] = "/tmp/interlock-process-XXXXXX";
    int fd = mkstemp(file);
    close(fd);
    unsigned before = open_descriptors();
    const char *words[] = {"/no/such/program", "x"};
    il_process_options options = {.struct_bytes = sizeof options,
                                  .arguments = words,
                                  .argument_count = 2,
                                  .stdin_mode = IL_STDIO_PIPE,
                                  .stdout_mode = IL_STDIO_PIPE};
    expect_failure(&options, IL_ENOTFOUND, "/no/such/program");
    words[0] = "no-such-program";
    expect_failure(&options, IL_ENOTFOUND, "no-such-program");
    words[0] = file;
    expect_failure(&options, IL_ESYSTEM, "Permission denied");
    chmod(file, 0700);
    cr_assert_eq(truncate(file, 10), 0);
    expect_failure(&options, IL_ESYSTEM, "Exec format error");
    words[0] = "/bin/true";
    options.directory = "/no/such/directory";
    expect_failure(&options, IL_ESYSTEM, "/no/such/directory");
    options.directory = NULL;
    options.flags = 64;
    expect_failure(&options, IL_EINVAL, "options.flags");
    options.flags = 0;
    options.stderr_mode = IL_STDIO_FD;
    options.stderr_fd = 12345;
    expect_failure(&options, IL_EINVAL, "options.stderr_fd");
    options.stderr_mode = 9;
    expect_failure(&options, IL_EINVAL, "options.stderr_mode");
    options.stderr_mode = 0;
    options.stdout_mode = IL_STDIO_STDOUT;
    expect_failure(&options, IL_EINVAL, "options.stdout_mode");
    options.stdout_mode = IL_STDIO_PIPE;
    words[1] = NULL;
    expect_failure(&options, IL_EINVAL, "options.arguments[1]");
    words[1] = "x";
    const char *environment[] = {"A=1", "=2"};
    options.environment = environment;
    options.environment_count = 2;
    expect_failure(&options, IL_EINVAL, "options.environment[1]");
    options.argument_count = 0;
    expect_failure(&options, IL_EINVAL, "options.arguments");
    options.struct_bytes = 8;
    expect_failure(&options, IL_EINVAL, "options.struct_bytes");
    expect_failure(NULL, IL_EINVAL, "options");
    cr_assert_eq(il_process_start(NULL, &options, NULL), IL_EINVAL);
    cr_assert_eq(il_process_join(NULL, 0, NULL), IL_EINVAL);
    cr_assert_eq(open_descriptors(), before);
    cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1);
    unlink(file);
}

Test(abi_process, a_thousand_leave_nothing, .timeout = 120) {
    const char *words[] = {"/bin/true"};
    il_process_options options = {.struct_bytes = sizeof options,
                                  .arguments = words,
                                  .argument_count = 1,
                                  .stdin_mode = IL_STDIO_PIPE,
                                  .stdout_mode = IL_STDIO_PIPE};
    il_process *first = start_child(NULL, "linger", NULL);
    cr_assert_eq(il_process_join(first, 1000000, NULL), IL_ETIMEOUT);
    il_process_kill(first);
    (void)join(first);
    il_process_close(first);
    unsigned before = open_descriptors(); /* the thread has its own for waiting by now */
    for (int i = 0; i < 1000; i++) {
        il_process *process = start(NULL, &options);
        cr_assert_eq(join(process), 0);
        il_process_close(process);
    }
    cr_assert_eq(open_descriptors(), before);
    cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1, "there is a zombie");
}

/* ---- handles that are closed early -------------------------------------------------------------------- */

static bool is_reaped(void *pid) { return kill(*(pid_t *)pid, 0) != 0; }

Test(abi_process, a_closed_one_goes_on_and_is_reaped) {
    const char *words[4];
    int input[2], output[2];
    char text[8];
    uint32_t pid;
    cr_assert_eq(pipe2(input, O_CLOEXEC), 0);
    cr_assert_eq(pipe2(output, O_CLOEXEC), 0);
    il_process_options options = options_of(words, "copy", NULL);
    options.stdin_mode = options.stdout_mode = IL_STDIO_FD;
    options.stdin_fd = input[0];
    options.stdout_fd = output[1];
    options.stderr_mode = IL_STDIO_NULL;
    il_process *process = start(NULL, &options);
    close(input[0]);
    close(output[1]);
    il_process_pid(process, &pid);
    cr_assert_eq(il_process_close(process), IL_OK);
    cr_assert_eq(write(input[1], "still", 5), 5);
    cr_assert_eq(read(output[0], text, sizeof text), 5);
    pid_t number = (pid_t)pid;
    cr_assert_not(is_reaped(&number));
    close(input[1]);
    cr_assert(test_wait(is_reaped, &number, 10));
    close(output[0]);
}

static void *start_daemon(void *process) {
    const char *words[4];
    il_process_options options = options_of(words, "linger", NULL);
    options.flags = IL_PROCESS_DAEMON;
    *(il_process **)process = start(NULL, &options);
    return NULL;
}

Test(abi_process, a_daemon_ends_with_its_handle_not_with_its_thread) {
    pthread_t thread;
    il_process *process = NULL;
    uint32_t pid;
    cr_assert_eq(pthread_create(&thread, NULL, start_daemon, &process), 0);
    pthread_join(thread, NULL);
    cr_assert_eq(il_process_pid(process, &pid), IL_OK);
    cr_assert_eq(il_process_join(process, 20000000, NULL), IL_ETIMEOUT);
    pid_t number = (pid_t)pid;
    cr_assert_eq(il_process_close(process), IL_OK);
    cr_assert(test_wait(is_reaped, &number, 10));
}

static bool is_dead(void *pid) {
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", *(int *)pid);
    FILE *file = fopen(path, "re");
    if (!file) return true;
    char *got = fgets(text, sizeof text, file);
    fclose(file);
    return !got || strstr(text, ") Z") != NULL; /* whoever adopted it may reap late */
}

Test(abi_process, a_daemon_ends_with_a_killed_parent) {
    const char *words[4];
    char text[32];
    int fd, daemon = 0;
    il_process_options options = options_of(words, "daemon", NULL);
    options.stdout_mode = IL_STDIO_PIPE;
    il_process *process = start(NULL, &options);
    cr_assert_eq(il_process_pipe(process, 1, &fd), IL_OK);
    ssize_t got = read(fd, text, sizeof text - 1);
    cr_assert_gt(got, 0);
    text[got] = 0;
    daemon = (int)strtol(text, NULL, 10);
    cr_assert_gt(daemon, 0);
    cr_assert_not(is_dead(&daemon));
    il_process_kill(process);
    cr_assert_eq(join(process), -SIGKILL);
    cr_assert(test_wait(is_dead, &daemon, 10));
    il_process_close(process);
}

Test(abi_process, a_forked_child_leaves_its_parents_processes_alone) {
    il_process *process = NULL;
    start_daemon(&process);
    pid_t child = fork();
    if (child == 0) {
        il_process_close(process);
        _exit(0);
    }
    cr_assert_eq(test_reap(child, 20), 0);
    cr_assert_eq(il_process_join(process, 20000000, NULL), IL_ETIMEOUT);
    il_process_kill(process);
    cr_assert_eq(join(process), -SIGKILL);
    il_process_close(process);
}

/* ---- the domain that a program inherits ---------------------------------------------------------------- */

EACH_DOOR(abi_process, shares_queues_with_its_parent) {
    il_queue *to = NULL, *from = NULL;
    char message[8];
    size_t bytes;
    cr_assert_eq(il_queue_open(door->domain, "to", 2, NULL, &to), IL_OK);
    cr_assert_eq(il_queue_open(door->domain, "from", 4, NULL, &from), IL_OK);
    il_process *process = start_child(door->domain, "answer", NULL);
    for (char i = 0; i < 50; i++) {
        cr_assert_eq(il_queue_put(to, &i, 1, IL_BYTES, seconds(10)), IL_OK);
        cr_assert_eq(il_queue_get(from, message, sizeof message, &bytes, NULL, seconds(10)), IL_OK,
                     "%s", il_error_message());
        cr_assert_eq(message[0], i + 1);
    }
    cr_assert_eq(il_queue_shut(to), IL_OK);
    cr_assert_eq(join(process), 0);
    il_process_close(process);
    il_queue_close(to);
    il_queue_close(from);
}

/* Until the program that HOW starts holds the lock; then KILLED is killed, and the lock is recovered. */
static void recover(il_domain *domain, il_process *process) {
    il_lock *lock = NULL;
    il_queue *news = NULL;
    char message[8];
    size_t bytes;
    cr_assert_eq(il_queue_open(domain, "news", 4, NULL, &news), IL_OK);
    cr_assert_eq(il_lock_open(domain, "it", 2, NULL, &lock), IL_OK);
    cr_assert_eq(il_queue_get(news, message, sizeof message, &bytes, NULL, seconds(10)), IL_OK,
                 "%s", il_error_message());
    cr_assert_eq(il_lock_acquire(lock, 0, NULL), IL_ETIMEOUT);
    il_owner owner = {.struct_bytes = sizeof owner};
    cr_assert_eq(il_lock_owner(lock, &owner), IL_OK);
    cr_assert_eq(kill((pid_t)owner.pid, SIGKILL), 0);
    cr_assert_eq(il_lock_acquire(lock, seconds(10), NULL), IL_EOWNERDEAD);
    (void)join(process);
    cr_assert_eq(il_lock_release(lock, 0), IL_OK);
    il_process_close(process);
    il_lock_close(lock);
    il_queue_close(news);
}

static il_domain *open_private(void) {
    il_domain *domain = NULL;
    cr_assert_eq(il_domain_open("private:", NULL, &domain), IL_OK);
    return domain;
}

Test(abi_process, what_it_holds_is_recovered_when_it_is_killed, .timeout = 60) {
    il_domain *domain = open_private();
    for (int i = 0; i < 5; i++) recover(domain, start_child(domain, "hold", NULL));
    il_domain_close(domain);
}

Test(abi_process, a_grandchild_is_recovered_too, .timeout = 60) {
    il_domain *domain = open_private();
    recover(domain, start_child(domain, "pass-on", NULL));
    il_domain_close(domain);
}

Test(abi_process, a_shell_between_passes_the_domain_on, .timeout = 60) {
    const char *words[4];
    il_domain *domain = open_private();
    il_process_options options = options_of(words, "hold", NULL);
    const char *script[] = {"sh", "-c", "\"$0\" hold; true", child_program};
    options.arguments = script;
    options.argument_count = 4;
    recover(domain, start(domain, &options));
    il_domain_close(domain);
}

Test(abi_process, may_open_it_twice_but_nothing_else, .timeout = 60) {
    il_domain *domain = open_private();
    il_process *process = start_child(domain, "twice", NULL);
    cr_assert_eq(join(process), 0);
    il_process_close(process);
    process = start_child(domain, "replaced", NULL);
    cr_assert_eq(join(process), 0);
    il_process_close(process);
    il_domain_close(domain);
}

Test(abi_process, inherited_needs_to_be_inherited) {
    il_domain *domain = NULL;
    unsetenv("INTERLOCK_DOMAIN");
    unsetenv("INTERLOCK_INHERIT");
    cr_assert_eq(il_domain_open("inherited:", NULL, &domain), IL_ENOTFOUND);
    cr_assert_not_null(strstr(il_error_message(), "INTERLOCK_DOMAIN"));
    setenv("INTERLOCK_DOMAIN", "inherited:", 1);
    cr_assert_eq(il_domain_open("inherited:", NULL, &domain), IL_ENOTFOUND);
    setenv("INTERLOCK_DOMAIN", "private:", 1);
    cr_assert_eq(il_domain_open("inherited:", NULL, &domain), IL_OK);
    il_domain_close(domain);
    setenv("INTERLOCK_INHERIT", "6;7", 1);
    cr_assert_eq(il_domain_open("inherited:", NULL, &domain), IL_EINVAL);
    setenv("INTERLOCK_INHERIT", "0:1:2", 1);
    cr_assert_eq(il_domain_open("inherited:", NULL, &domain), IL_ENOTFOUND);
}

Test(abi_process, a_forked_child_may_pass_the_address_on) {
    struct door door;
    cr_assert(door_open(&door, "unix"));
    pid_t child = fork();
    if (child == 0) {
        /* it may not use the domain itself, but the program attaches by itself */
        il_process *process = start_child(door.domain, "twice", NULL);
        int32_t code = 99;
        il_process_join(process, seconds(20), &code);
        _exit(code);
    }
    cr_assert_eq(test_reap(child, 30), 0);
    door_close(&door);
}
