/*
 * doors.h - one test body, three domains: private:, unix: and http:. The latter two are of a real
 * interlockd, started for the test on a free port and a socket of its own.
 */
#ifndef TESTS_SUPPORT_DOORS_H
#define TESTS_SUPPORT_DOORS_H

#include <dirent.h>
#include <fcntl.h>
#include <interlock.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "support/wait.h"

#define DOOR_SECONDS 10

struct door {
    char address[200]; /* what il_domain_open() takes */
    bool local;        /* an arena of this host */
    pid_t server;      /* 0: none */
    char socket[100];
    il_domain *domain;
};

/* Starts interlockd, with the configuration file CONFIG unless that is NULL; its addresses. False: it does
 * not run. */
static inline bool door_serve(struct door *door, char http[64], const char *config) {
    static unsigned number;
    char program[4096], line[512] = "";
    const char *build = getenv("INTERLOCK_BUILD");
    int out[2];
    snprintf(program, sizeof program, "%s/bin/interlockd", build ? build : "build");
    snprintf(door->socket, sizeof door->socket, "/tmp/interlock-door-%d-%u.sock", (int)getpid(),
             number++);
    if (pipe2(out, O_CLOEXEC) != 0) return false;
    door->server = fork();
    if (door->server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(out[1], 1);
        execl(program, program, "--http", "127.0.0.1:0", "--socket", door->socket,
              config ? "--config" : (char *)NULL, config, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    struct pollfd polled = {out[0], POLLIN, 0};
    size_t got = 0;
    while (!strchr(line, '\n') && poll(&polled, 1, DOOR_SECONDS * 1000) == 1) {
        ssize_t more = read(out[0], line + got, sizeof line - 1 - got);
        if (more <= 0) break;
        got += (size_t)more;
        line[got] = 0;
    }
    close(out[0]);
    const char *at = strstr(line, "http=");
    return at && sscanf(at, "http=%63s", http) == 1;
}

#if defined(__SANITIZE_ADDRESS__)
#define DOOR_SETTLES true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DOOR_SETTLES true
#endif
#endif
#ifndef DOOR_SETTLES
#define DOOR_SETTLES false
#endif

/* Whether all threads of this process but the calling one sleep. */
static inline bool door_threads_sleep(void *unused) {
    (void)unused;
    DIR *tasks = opendir("/proc/self/task");
    bool sleep = tasks != NULL;
    for (struct dirent *task; sleep && (task = readdir(tasks));) {
        char path[300], state = 'S';
        FILE *file;
        if (task->d_name[0] == '.' || atoi(task->d_name) == gettid()) continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/stat", task->d_name);
        if (!(file = fopen(path, "r"))) continue; /* it has ended */
        sleep = fscanf(file, "%*d (%*[^)]) %c", &state) == 1 && state == 'S';
        fclose(file);
    }
    if (tasks) closedir(tasks);
    return sleep;
}

/* Under the address sanitizer: waits until the domain's own threads are through their start. That start takes
 * locks of the sanitizer's allocator, and a child that is forked meanwhile finds them locked for ever. */
static inline bool door_settle(void) {
    return !DOOR_SETTLES || test_wait(door_threads_sleep, NULL, DOOR_SECONDS);
}

static inline bool door_open_with(struct door *door, const char *which, const char *config) {
    char http[64] = "";
    memset(door, 0, sizeof *door);
    door->local = strcmp(which, "http") != 0;
    if (strcmp(which, "private") == 0) {
        strcpy(door->address, "private:");
    } else {
        if (!door_serve(door, http, config)) return false;
        if (door->local) {
            snprintf(door->address, sizeof door->address, "unix:%s", door->socket);
        } else {
            snprintf(door->address, sizeof door->address, "http://%s", http);
        }
    }
    il_domain_options options = {.struct_bytes = sizeof options,
                                 .arena_bytes = door->server ? 0 : UINT64_C(256) << 20,
                                 .label = "door"};
    return il_domain_open(door->address, &options, &door->domain) == IL_OK && door_settle();
}

static inline bool door_open(struct door *door, const char *which) {
    return door_open_with(door, which, NULL);
}

/* Ends the server if there is one. False: it did not end well. */
static inline bool door_close(struct door *door) {
    bool well = il_domain_close(door->domain) == IL_OK;
    if (door->server > 0) {
        kill(door->server, SIGTERM);
        well = test_reap(door->server, DOOR_SECONDS) == 0 && well;
        unlink(door->socket);
    }
    return well;
}

/* Test(SUITE, NAME_private), …_unix and …_http, each with a fresh struct door *door. */
#define EACH_DOOR(suite, name)                                                                     \
    static void suite##_##name(struct door *door);                                                 \
    ONE_DOOR(suite, name, private)                                                                 \
    ONE_DOOR(suite, name, unix)                                                                    \
    ONE_DOOR(suite, name, http)                                                                    \
    static void suite##_##name(struct door *door)

/* "unix" is a macro of gnu C, but not here: the tests are C11. */
#define ONE_DOOR(suite, name, which)                                                               \
    Test(suite, name##_##which, .timeout = 120) {                                                  \
        struct door door;                                                                          \
        cr_assert(door_open(&door, #which), "%s", il_error_message());                             \
        suite##_##name(&door);                                                                     \
        cr_assert(door_close(&door), "the server did not end well");                               \
    }

/* The last error's text names WHAT. */
#define SAYS(what)                                                                                 \
    cr_assert(strstr(il_error_message(), what), "the message does not name %s: %s", what,          \
              il_error_message())

static inline int64_t seconds(double s) { return (int64_t)(s * 1e9); }

#endif
