/*
 * process.c - what starting a program and waiting for its end costs, against posix_spawn() and waitpid().
 *
 * The program is /bin/true with the streams of this one. The second pair has 64 MiB of touched memory in
 * the parent, which a fork would have to copy the page tables of.
 */
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <interlock.h>

#include "support/door.h"
#include "support/measure.h"

#define RUNS 100
#define BALLAST (64u << 20)

extern char **environ;

static double interlock(void *domain) {
    static const char *const words[] = {"/bin/true"};
    il_process_options options = {
        .struct_bytes = sizeof options, .arguments = words, .argument_count = 1};
    int64_t start = bench_now_ns();
    for (int i = 0; i < RUNS; i++) {
        il_process *process;
        int32_t code;
        if (il_process_start(domain, &options, &process) != IL_OK) bench_die("il_process_start");
        if (il_process_join(process, IL_FOREVER, &code) != IL_OK || code != 0) {
            bench_die("il_process_join");
        }
        il_process_close(process);
    }
    return (double)(bench_now_ns() - start) / RUNS / 1000;
}

static double posix(void *unused) {
    char *words[] = {(char[]){"/bin/true"}, NULL};
    (void)unused;
    int64_t start = bench_now_ns();
    for (int i = 0; i < RUNS; i++) {
        pid_t pid;
        int status;
        if (posix_spawn(&pid, words[0], NULL, NULL, words, environ) != 0) bench_die("posix_spawn");
        if (waitpid(pid, &status, 0) != pid || status != 0) bench_die("waitpid");
    }
    return (double)(bench_now_ns() - start) / RUNS / 1000;
}

int main(void) {
    struct bench_pair pair = {"process.spawn_join", "us", interlock, posix, NULL,
                              BENCH_AT_MOST,        1.15};
    bench_compare(&pair);
    pair.name = "process.spawn_join.inheriting";
    pair.context = bench_domain("private:");
    bench_compare(&pair);
    char *ballast = malloc(BALLAST);
    if (!ballast) bench_die("malloc");
    memset(ballast, 1, BALLAST);
    pair.name = "process.spawn_join.from_64MiB";
    pair.context = NULL;
    bench_compare(&pair);
    free(ballast);
    return 0;
}
