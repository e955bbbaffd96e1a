#include "support/python.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/measure.h"

static pid_t child;
static FILE *to, *from;

void bench_python_start(const char *script, int argument, const char *warm) {
    char path[4096], number[16];
    int in[2], out[2];
    const char *source = getenv("INTERLOCK_SOURCE");
    snprintf(path, sizeof path, "%s/tests/bench/support/%s", source ? source : ".", script);
    snprintf(number, sizeof number, "%d", argument);
    if (pipe(in) != 0 || pipe(out) != 0) bench_die("pipe");
    child = fork();
    if (child < 0) bench_die("fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        for (int i = 0; i < 2; i++) {
            close(in[i]);
            close(out[i]);
        }
        execlp("python3", "python3", path, number, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    to = fdopen(in[1], "w");
    from = fdopen(out[0], "r");
    if (!to || !from) bench_die("fdopen");
    (void)bench_python_ask(warm, 1000);
}

void bench_python_stop(void) {
    fclose(to); /* it ends at the end of its input */
    fclose(from);
    waitpid(child, NULL, 0);
}

double bench_python_ask(const char *what, int count) {
    char line[64], *end;
    fprintf(to, "%s %d\n", what, count);
    fflush(to);
    if (!fgets(line, sizeof line, from)) bench_die("the Python program does not answer");
    double rate = strtod(line, &end);
    if (end == line) bench_die("the Python program answers nonsense");
    return rate;
}
