/*
 * A program that makes it hard to be ended; started by test_spawner.c.
 *   spawner_child leave        starts a process in a session of its own, twice forked, and ends
 *   spawner_child leave-bare   the same, without an environment
 *   spawner_child stay         the same, and goes on itself
 *   spawner_child run-away     forks, in a session of its own, from child to child without pause
 *   spawner_child deep N       N processes below each other, each in a session of its own
 * All have its standard output open for as long as they live ("stay": but itself), and none outlives a
 * minute.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void linger(void) {
    for (int i = 0; i < 60; i++) sleep(1);
    _exit(0);
}

static void say(const char *word) {
    ssize_t ignored = write(STDOUT_FILENO, word, strlen(word));
    (void)ignored;
}

static void leave_behind(bool bare) {
    if (fork() != 0) return;
    setsid();
    if (fork() != 0) _exit(0);
    signal(SIGTERM, SIG_IGN);
    if (bare) {
        char *arguments[] = {(char[]){"sleep"}, (char[]){"60"}, NULL}, *none[] = {NULL};
        say("b");
        execve("/bin/sleep", arguments, none);
        _exit(1);
    }
    say("b");
    linger();
}

static void run_away(void) {
    time_t end = time(NULL) + 20;
    while (time(NULL) < end) {
        pid_t next = fork();
        if (next > 0) _exit(0);
        if (next == 0) setsid();
    }
    _exit(0);
}

static void go_deep(int levels) {
    for (int i = 0; i < levels; i++) {
        if (fork() != 0) linger();
        setsid();
    }
    say("d");
    linger();
}

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "";
    if (strcmp(what, "leave") == 0 || strcmp(what, "leave-bare") == 0) {
        char byte;
        leave_behind(strcmp(what, "leave-bare") == 0);
        ssize_t ignored = read(STDIN_FILENO, &byte, 1); /* until the test says so */
        (void)ignored;
        return 3;
    }
    if (strcmp(what, "stay") == 0) {
        leave_behind(false);
        close(STDOUT_FILENO); /* only what is left behind has it open */
        linger();
    }
    if (strcmp(what, "run-away") == 0) {
        say("r");
        for (int i = 0; i < 3; i++) {
            if (fork() == 0) run_away();
        }
        linger();
    }
    if (strcmp(what, "deep") == 0 && count > 2) go_deep((int)strtol(arguments[2], NULL, 10));
    return 2;
}
