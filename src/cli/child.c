#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/stop.h"

/* In the child. REPORT is closed by a successful exec. */
static void become(char **argv, const sigset_t *mask, pid_t parent, int report) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(CLI_CANNOT_RUN); /* it died before prctl() */
    /* Handlers end with exec; what was ignored stays ignored. */
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(argv[0], argv);
    int error = errno;
    ssize_t ignored = write(report, &error, sizeof error);
    (void)ignored;
    _exit(CLI_CANNOT_RUN);
}

/* Waits for CHILD and passes signals of SET on to it. */
static int attend(pid_t child, const sigset_t *set) {
    for (;;) {
        siginfo_t info;
        int signal_number = sigwaitinfo(set, &info);
        int status;
        if (signal_number == SIGCHLD && waitpid(child, &status, WNOHANG) == child) {
            return WIFEXITED(status) ? WEXITSTATUS(status) : CLI_SIGNAL + WTERMSIG(status);
        }
        if (signal_number > 0 && signal_number != SIGCHLD && info.si_code <= 0) {
            kill(child, signal_number); /* si_code > 0: from the kernel, to the whole group */
        }
    }
}

int cli_child_run(char **argv) {
    sigset_t set, before;
    int report[2], error = 0;
    cli_stop_set(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, &before);
    if (cli_stop_signal()) return CLI_SIGNAL + cli_stop_signal();
    if (pipe2(report, O_CLOEXEC) != 0) {
        cli_say("pipe: %s", strerror(errno));
        return CLI_FAILED;
    }
    pid_t parent = getpid(), child = fork();
    if (child == 0) become(argv, &before, parent, report[1]);
    if (child < 0) error = errno;
    close(report[1]);
    if (child > 0 && read(report[0], &error, sizeof error) <= 0) error = 0;
    close(report[0]);
    if (error == 0) return attend(child, &set);

    cli_say("%s: %s", argv[0], strerror(error));
    if (child > 0) waitpid(child, NULL, 0);
    return error == ENOENT ? CLI_NOT_FOUND : CLI_CANNOT_RUN;
}
