/* Programs by way of the spawner process: how they start, how they end, and that nothing outlives them.
 * A pipe tells that nothing is left of a program: its end is read once nobody has the other end open. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/wait.h"
#include "work/descendants.h"
#include "work/spawner.h"

#define WORDS(...) ((char **)(const char *[]){__VA_ARGS__, NULL})
#define EVENTS 4096

static struct ili_loop loop;
static struct ili_spawner spawner;
static struct ili_spawner_event events[EVENTS];
static char event_whats[EVENTS][24];
static size_t event_count;
static char child_program[512], spawner_program[512];

static void on_event(void *context, const struct ili_spawner_event *event) {
    (void)context;
    if (event_count == EVENTS) return;
    snprintf(event_whats[event_count], sizeof event_whats[0], "%s", event->what ? event->what : "");
    events[event_count] = *event;
    events[event_count].what = event_whats[event_count];
    event_count++;
}

static void start(void) {
    const char *build = getenv("INTERLOCK_BUILD");
    snprintf(spawner_program, sizeof spawner_program, "%s/tests/unit/work/spawner_process",
             build ? build : ".");
    snprintf(child_program, sizeof child_program, "%s/tests/unit/work/spawner_child",
             build ? build : ".");
    ili_spawner_program = spawner_program;
    cr_assert_eq(ili_loop_open(&loop), IL_OK);
    cr_assert_eq(ili_spawner_start(&spawner), IL_OK, "%s: %s", spawner_program, strerror(errno));
    cr_assert_eq(ili_spawner_listen(&spawner, &loop, on_event, NULL), IL_OK);
}

static void stop(void) {
    ili_spawner_stop(&spawner);
    ili_loop_close(&loop);
}

static const struct ili_spawner_event *find(uint64_t id, unsigned what) {
    for (size_t i = 0; i < event_count; i++) {
        if (events[i].id == id && events[i].what_happened == what) return &events[i];
    }
    return NULL;
}

/* Lets the loop turn until ID's event WHAT; NULL after 20 s. */
static const struct ili_spawner_event *await(uint64_t id, unsigned what) {
    int64_t end = test_now_ns() + INT64_C(20000000000);
    const struct ili_spawner_event *found;
    while (!(found = find(id, what)) && test_now_ns() < end) ili_loop_wait(&loop, 10000000, NULL);
    return found;
}

static struct ili_spawn spawn_of(char **arguments) {
    return (struct ili_spawn){.program = arguments[0],
                              .arguments = arguments,
                              .fds = {-1, -1, -1, -1, -1, -1, -1, -1},
                              .own_group = true};
}

/* Starts a program whose output is *OUT and, unless IN is NULL, whose input is *IN. */
static void launch(uint64_t id, char **arguments, int *out, int *in) {
    struct ili_spawn spawn = spawn_of(arguments);
    int ends[2], input[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    spawn.fds[1] = ends[1];
    if (in) {
        cr_assert_eq(pipe2(input, O_CLOEXEC), 0);
        spawn.fds[0] = input[0];
        *in = input[1];
    }
    cr_assert_eq(ili_spawner_spawn(&spawner, id, &spawn), IL_OK);
    close(ends[1]);
    if (in) close(input[0]);
    *out = ends[0];
}

/* Waits for WORD of the program. */
static bool heard(int out, char word) {
    struct pollfd polled = {out, POLLIN, 0};
    char byte;
    return poll(&polled, 1, 20000) == 1 && read(out, &byte, 1) == 1 && byte == word;
}

/* Whether nobody has the other end of OUT open any more, or soon. */
static bool is_gone(int out, int limit_ms) {
    struct pollfd polled = {out, POLLIN, 0};
    char bytes[64];
    while (poll(&polled, 1, limit_ms) == 1) {
        if (read(out, bytes, sizeof bytes) <= 0) return true;
    }
    return false;
}

static unsigned descriptors_of(pid_t pid) {
    char path[32];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    while (directory && readdir(directory)) count++;
    closedir(directory);
    return count;
}

Test(work_spawner, tells_start_and_end, .init = start, .fini = stop) {
    struct ili_spawn spawn = spawn_of(WORDS("/bin/sh", "-c", "exit 5"));
    cr_assert_eq(ili_spawner_spawn(&spawner, 1, &spawn), IL_OK);
    cr_assert_eq(ili_spawner_count(&spawner), 1);
    cr_assert_eq(ili_spawner_spawn(&spawner, 1, &spawn), IL_EINVAL);
    const struct ili_spawner_event *started = await(1, ILI_SPAWNER_STARTED);
    const struct ili_spawner_event *ended = await(1, ILI_SPAWNER_ENDED);
    cr_assert(started && ended && started < ended);
    cr_assert_gt(started->pid, 0);
    cr_assert(WIFEXITED(ended->wait_status) && WEXITSTATUS(ended->wait_status) == 5);
    cr_assert_eq(ili_spawner_count(&spawner), 0);
    cr_assert_eq(ili_spawner_spawn(&spawner, 1, &spawn), IL_OK); /* the id is free again */
}

Test(work_spawner, what_cannot_be_started_fails_with_its_step, .init = start, .fini = stop) {
    struct ili_spawn spawn = spawn_of(WORDS("/no/such/program"));
    cr_assert_eq(ili_spawner_spawn(&spawner, 1, &spawn), IL_OK);
    const struct ili_spawner_event *failed = await(1, ILI_SPAWNER_FAILED);
    cr_assert_not_null(failed);
    cr_assert_eq(failed->error, ENOENT);
    cr_assert_str_eq(failed->what, "exec");
    spawn = spawn_of(WORDS("/bin/true"));
    spawn.directory = "/no/such/directory";
    cr_assert_eq(ili_spawner_spawn(&spawner, 2, &spawn), IL_OK);
    failed = await(2, ILI_SPAWNER_FAILED);
    cr_assert(failed && failed->error == ENOENT);
    cr_assert_str_eq(failed->what, "chdir");
    cr_assert_eq(ili_spawner_count(&spawner), 0);
}

Test(work_spawner, environment_directory_and_descriptors_arrive, .init = start, .fini = stop) {
    char text[256] = {0};
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    struct ili_spawn spawn =
        spawn_of(WORDS("/bin/sh", "-c",
                       "echo $A $INTERLOCK_PROCESS >&5; pwd >&5; echo no | cat >&5; cat <&6 >&5"));
    spawn.environment = WORDS("A=b", "INTERLOCK_PROCESS=1", "PATH=/usr/bin:/bin");
    spawn.directory = "/usr";
    spawn.fds[5] = ends[1];
    spawn.fds[6] = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
    cr_assert_eq(ili_spawner_spawn(&spawner, 77, &spawn), IL_OK);
    close(ends[1]);
    close(spawn.fds[6]);
    const struct ili_spawner_event *ended = await(77, ILI_SPAWNER_ENDED);
    cr_assert(ended && ended->wait_status == 0);
    cr_assert_gt(read(ends[0], text, sizeof text - 1), 0);
    unsigned long long token, id;
    cr_assert_eq(sscanf(text, "b %16llx.%llu\n", &token, &id), 2, "%s", text);
    cr_assert_eq(id, 77);
    cr_assert_not_null(strstr(text, "\n/usr\nno\n"), "%s", text);
    cr_assert_eq(read(ends[0], text, 1), 0);
    close(ends[0]);
}

Test(work_spawner, costs_are_told, .init = start, .fini = stop) {
    struct ili_spawn spawn =
        spawn_of(WORDS("/bin/sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"));
    cr_assert_eq(ili_spawner_spawn(&spawner, 1, &spawn), IL_OK);
    const struct ili_spawner_event *ended = await(1, ILI_SPAWNER_ENDED);
    cr_assert_not_null(ended);
    cr_assert_gt(ended->cpu_ns, 10000000);
    cr_assert_lt(ended->cpu_ns, UINT64_C(20000000000));
    cr_assert_gt(ended->memory_bytes, 200000);
    cr_assert_lt(ended->memory_bytes, UINT64_C(1) << 28);
}

/* Many times more than the socket holds, while nobody reads. */
Test(work_spawner, requests_larger_than_the_socket_are_queued, .init = start, .fini = stop) {
    static char big[9][120001];
    char *arguments[16] = {(char[]){"/bin/sh"}, (char[]){"-c"}, (char[]){"exit $#"},
                           (char[]){"sh"}};
    for (int i = 0; i < 8; i++) {
        memset(big[i], 'x', sizeof big[i] - 1);
        arguments[4 + i] = big[i];
    }
    struct ili_spawn spawn = spawn_of(arguments);
    unsigned before = descriptors_of(getpid());
    for (uint64_t id = 1; id <= 20; id++) {
        int ends[2];
        cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
        spawn.fds[1] = ends[1];
        cr_assert_eq(ili_spawner_spawn(&spawner, id, &spawn), IL_OK);
        close(ends[0]);
        close(ends[1]);
    }
    for (uint64_t id = 1; id <= 20; id++) {
        const struct ili_spawner_event *ended = await(id, ILI_SPAWNER_ENDED);
        cr_assert(ended && WIFEXITED(ended->wait_status) && WEXITSTATUS(ended->wait_status) == 8);
    }
    cr_assert_eq(descriptors_of(getpid()), before);
    memset(big[8], 'x', sizeof big[8] - 1);
    arguments[12] = big[8];
    cr_assert_eq(ili_spawner_spawn(&spawner, 99, &spawn), IL_ETOOBIG);
    cr_assert_eq(ili_spawner_count(&spawner), 0);
}

Test(work_spawner, signals_reach_the_whole_group, .init = start, .fini = stop) {
    int out;
    launch(1, WORDS("/bin/sh", "-c", "sleep 60 & echo; wait"), &out, NULL);
    cr_assert(heard(out, '\n'));
    ili_spawner_kill(&spawner, 1, SIGTERM);
    const struct ili_spawner_event *ended = await(1, ILI_SPAWNER_ENDED);
    cr_assert(ended && WIFSIGNALED(ended->wait_status) && WTERMSIG(ended->wait_status) == SIGTERM);
    cr_assert(is_gone(out, 0));
    ili_spawner_kill(&spawner, 1, SIGTERM); /* nothing */
    close(out);
}

static void leaves_nothing(const char *how) {
    int out, in;
    launch(1, WORDS(child_program, how), &out, &in);
    cr_assert(heard(out, 'b'));
    close(in); /* it ends now */
    const struct ili_spawner_event *ended = await(1, ILI_SPAWNER_ENDED);
    cr_assert_not_null(ended);
    cr_assert(WIFEXITED(ended->wait_status) && WEXITSTATUS(ended->wait_status) == 3);
    cr_assert(is_gone(out, 0)); /* before the end was told, not after */
    close(out);
}

Test(work_spawner, what_left_its_session_ends_with_the_program, .init = start, .fini = stop) {
    leaves_nothing("leave");
}

Test(work_spawner, what_hides_its_environment_ends_too, .init = start, .fini = stop) {
    leaves_nothing("leave-bare");
}

Test(work_spawner, a_kill_reaches_deep_descendants, .init = start, .fini = stop) {
    int out;
    launch(1, WORDS(child_program, "deep", "12"), &out, NULL);
    cr_assert(heard(out, 'd'));
    ili_spawner_kill(&spawner, 1, SIGKILL);
    const struct ili_spawner_event *ended = await(1, ILI_SPAWNER_ENDED);
    cr_assert(ended && WIFSIGNALED(ended->wait_status));
    cr_assert(is_gone(out, 0));
    close(out);
}

Test(work_spawner, a_program_that_forks_without_pause_ends, .init = start, .fini = stop) {
    int out;
    launch(1, WORDS(child_program, "run-away"), &out, NULL);
    cr_assert(heard(out, 'r'));
    ili_spawner_kill(&spawner, 1, SIGKILL);
    cr_assert_not_null(await(1, ILI_SPAWNER_ENDED));
    cr_assert(is_gone(out, 1000));
    close(out);
}

/* What a living program left behind is its, and lives. */
Test(work_spawner, orphans_of_the_living_are_spared, .init = start, .fini = stop) {
    int out, other;
    struct ili_spawn spawn = spawn_of(WORDS("/bin/true"));
    launch(1, WORDS(child_program, "stay"), &out, NULL);
    cr_assert(heard(out, 'b'));
    launch(2, WORDS(child_program, "stay"), &other, NULL);
    cr_assert(heard(other, 'b'));
    cr_assert_eq(ili_spawner_spawn(&spawner, 3, &spawn), IL_OK);
    cr_assert_not_null(await(3, ILI_SPAWNER_ENDED));
    const struct ili_spawner_event *started = find(1, ILI_SPAWNER_STARTED);
    cr_assert_not_null(started);
    /* only the leader goes: its orphan must be found */
    kill(started->pid, SIGKILL);
    cr_assert_not_null(await(1, ILI_SPAWNER_ENDED));
    cr_assert(is_gone(out, 0));
    struct pollfd polled = {other, POLLIN, 0};
    cr_assert_eq(poll(&polled, 1, 0), 0);
    cr_assert_null(find(2, ILI_SPAWNER_ENDED));
    close(out);
    close(other);
}

/* ---- the spawner itself ----------------------------------------------------------------------------- */

Test(work_spawner, has_nothing_of_its_server, .init = start, .fini = stop) {
    char path[64], name[32] = {0};
    int kept = open("/dev/null", O_RDONLY); /* not CLOEXEC */
    stop();
    start();
    struct ili_spawn spawn = spawn_of(WORDS("/bin/true"));
    cr_assert_eq(ili_spawner_spawn(&spawner, 1, &spawn), IL_OK);
    cr_assert_not_null(await(1, ILI_SPAWNER_ENDED));   /* it has settled */
    cr_assert_leq(descriptors_of(spawner.pid), 2 + 5); /* ".", "..", 0 to 3, the signals */
    snprintf(path, sizeof path, "/proc/%d/comm", (int)spawner.pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_gt(read(fd, name, sizeof name - 1), 0);
    cr_assert_str_eq(name, "il-spawner\n");
    cr_assert_eq(getsid(spawner.pid), spawner.pid);
    close(fd);
    close(kept);
}

Test(work_spawner, thousands_leave_nothing, .init = start, .fini = stop, .timeout = 240) {
    enum { AT_ONCE = 8 };
    const uint64_t all = test_torture() ? 20000 : 1000;
    struct ili_spawn spawn = spawn_of(WORDS("/bin/true"));
    cr_assert_eq(ili_spawner_spawn(&spawner, 1, &spawn), IL_OK);
    cr_assert_not_null(await(1, ILI_SPAWNER_ENDED));
    unsigned here = descriptors_of(getpid()), there = descriptors_of(spawner.pid);
    for (uint64_t id = 2; id < all; id += AT_ONCE) {
        for (uint64_t i = 0; i < AT_ONCE; i++) {
            int pipes[2];
            cr_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
            spawn.fds[1] = pipes[1];
            cr_assert_eq(ili_spawner_spawn(&spawner, id + i, &spawn), IL_OK);
            close(pipes[0]);
            close(pipes[1]);
        }
        for (uint64_t i = 0; i < AT_ONCE; i++) cr_assert_not_null(await(id + i, ILI_SPAWNER_ENDED));
        event_count = 0;
    }
    cr_assert_eq(descriptors_of(getpid()), here);
    cr_assert_eq(descriptors_of(spawner.pid), there);
    char path[64], text[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)spawner.pid, (int)spawner.pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(fd < 0 || read(fd, text, sizeof text) == 0); /* no zombies */
    if (fd >= 0) close(fd);
}

static pid_t ended_pid;

Test(work_spawner, another_takes_its_place_when_it_is_killed, .init = start, .fini = stop) {
    int out, deep;
    /* without a mark in its environment: its parent's death alone ends it */
    launch(1, WORDS("/usr/bin/env", "-i", "/bin/sh", "-c", "echo; exec /bin/sleep 60"), &out, NULL);
    launch(2, WORDS(child_program, "deep", "4"), &deep, NULL);
    cr_assert(heard(out, '\n'));
    cr_assert(heard(deep, 'd'));
    ended_pid = spawner.pid;
    kill(ended_pid, SIGKILL);
    const struct ili_spawner_event *one = await(1, ILI_SPAWNER_ENDED),
                                   *two = await(2, ILI_SPAWNER_ENDED);
    cr_assert(one && WIFSIGNALED(one->wait_status) && WTERMSIG(one->wait_status) == SIGKILL);
    cr_assert(two && WIFSIGNALED(two->wait_status));
    cr_assert_eq(ili_spawner_count(&spawner), 0);
    cr_assert(is_gone(out, 2000));
    cr_assert(is_gone(deep, 2000)); /* below what it started itself */
    cr_assert_neq(spawner.pid, ended_pid);
    struct ili_spawn spawn = spawn_of(WORDS("/bin/true"));
    cr_assert_eq(ili_spawner_spawn(&spawner, 3, &spawn), IL_OK);
    const struct ili_spawner_event *ended = await(3, ILI_SPAWNER_ENDED);
    cr_assert(ended && ended->wait_status == 0);
    close(out);
    close(deep);
}

/* A server in a process of its own that is killed. All that it started must be gone within a second. */
static void survives_no_server(char **arguments, char word) {
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t server = fork();
    if (server == 0) {
        start();
        struct ili_spawn spawn = spawn_of(arguments);
        spawn.fds[1] = ends[1];
        close(ends[0]);
        if (ili_spawner_spawn(&spawner, 1, &spawn) != IL_OK) _exit(1);
        close(ends[1]);
        for (;;) ili_loop_wait(&loop, -1, NULL);
    }
    close(ends[1]);
    cr_assert(heard(ends[0], word));
    kill(server, SIGKILL);
    cr_assert(is_gone(ends[0], 1000));
    test_reap(server, 20);
    close(ends[0]);
}

Test(work_spawner, descendants_end_with_a_killed_server) {
    start();
    stop(); /* for the names of the programs */
    survives_no_server(WORDS(child_program, "stay"), 'b');
    survives_no_server(WORDS(child_program, "deep", "12"), 'd');
    survives_no_server(WORDS(child_program, "run-away"), 'r');
}

Test(work_spawner, stop_ends_everything, .init = start) {
    int out;
    launch(1, WORDS(child_program, "stay"), &out, NULL);
    cr_assert(heard(out, 'b'));
    pid_t process = spawner.pid;
    stop();
    cr_assert(is_gone(out, 0));
    cr_assert_eq(kill(process, 0), -1); /* reaped */
    close(out);
}

/* ---- descendants ------------------------------------------------------------------------------------ */

static pid_t seen[64];
static size_t seen_count;

static void see(void *context, pid_t pid) {
    (void)context;
    if (seen_count < 64) seen[seen_count++] = pid;
}

static bool has_seen(pid_t pid) {
    for (size_t i = 0; i < seen_count; i++) {
        if (seen[i] == pid) return true;
    }
    return false;
}

Test(work_descendants, children_are_listed_both_ways) {
    pid_t children[3];
    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            for (;;) pause();
        }
    }
    kill(children[1], SIGKILL); /* not reaped */
    ili_children_each(see, NULL);
    for (int i = 0; i < 3; i++) cr_assert(has_seen(children[i]));
    size_t listed = seen_count;
    seen_count = 0;
    ili_children_scan(see, NULL);
    for (int i = 0; i < 3; i++) cr_assert(has_seen(children[i]));
    cr_assert_eq(seen_count, listed);
    for (int i = 0; i < 3; i++) {
        ili_child_kill(children[i]);
        test_reap(children[i], 20);
    }
}

static bool is_sure(void *pid) {
    uint64_t id;
    return ili_origin_of(*(pid_t *)pid, 5, &id) != ILI_ORIGIN_UNSURE;
}

/* For a moment after a vfork() has returned, the child is still seen with this process's memory, and so
 * with its environment, which carries no mark. */
static bool knows(void *pid) {
    uint64_t id;
    return ili_origin_of(*(pid_t *)pid, 5, &id) == ILI_ORIGIN_KNOWN;
}

Test(work_descendants, origin_is_read_from_any_place_of_the_environment) {
    char mark[ILI_PROCESS_ENTRY_BYTES], other[ILI_PROCESS_ENTRY_BYTES];
    static char filler[40000];
    ili_process_entry(mark, 5, 1234567);
    ili_process_entry(other, 6, 1);
    memset(filler, 'x', sizeof filler - 1);
    for (size_t length = 16290; length < 16390; length++) {
        filler[0] = 'F', filler[1] = '=', filler[length] = 0;
        struct ili_spawn spawn = spawn_of(WORDS("/bin/sleep", "60"));
        spawn.environment = WORDS(other, filler, mark);
        pid_t pid;
        uint64_t id = 0;
        cr_assert_eq(ili_spawn(&spawn, &pid, NULL, NULL), IL_OK);
        cr_assert(test_wait(knows, &pid, 20));
        cr_assert_eq(ili_origin_of(pid, 5, &id), ILI_ORIGIN_KNOWN, "%zu", length);
        cr_assert_eq(id, 1234567);
        cr_assert_eq(ili_origin_of(pid, 7, &id), ILI_ORIGIN_UNKNOWN);
        ili_child_kill(pid);
        test_reap(pid, 20);
        cr_assert_eq(ili_origin_of(pid, 5, &id), ILI_ORIGIN_UNSURE);
        filler[length] = 'x';
    }
    /* in the middle of another entry it is no mark */
    static char more[1000];
    memset(more, 'y', sizeof more - 1);
    memcpy(filler + 100, mark, strlen(mark));
    memcpy(filler + 16256, mark, strlen(mark) + 1); /* where the second piece begins */
    struct ili_spawn spawn = spawn_of(WORDS("/bin/sleep", "60"));
    spawn.environment = WORDS(filler, more);
    pid_t pid;
    uint64_t id = 0;
    cr_assert_eq(ili_spawn(&spawn, &pid, NULL, NULL), IL_OK);
    cr_assert(test_wait(is_sure, &pid, 20));
    cr_assert_eq(ili_origin_of(pid, 5, &id), ILI_ORIGIN_UNKNOWN);
    ili_child_kill(pid);
    test_reap(pid, 20);
}
