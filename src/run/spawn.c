/*
 * spawn.c - see spawn.h.
 *
 * The child is made by clone(CLONE_VM | CLONE_VFORK): it uses the parent's memory, on a stack that lies in
 * the parent's, and the parent's thread sleeps until the child has run the program or has ended. So
 * nothing is copied, and a failure is told by writing it down. What follows from that:
 *   - The child calls the kernel and nothing else: a function of the C library might take a lock that
 *     another thread of the parent holds, or note something about the child in the parent's memory (as the
 *     sanitizers do). errno is the parent's too, and is written last by the parent.
 *   - No handler of the parent may run in the child: all signals are blocked over the clone, and the
 *     child empties its mask only after it has reset every handler, which are its own.
 *   - pthread_atfork() handlers do not run; the memory of domains is not touched.
 * Of the descriptors a source below ILI_SPAWN_FDS is moved out of the way before any place is filled.
 */
#include "run/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_BYTES 12288
#define SIGNALS 64
#define MASK_BYTES (SIGNALS / 8)
#define USUAL_PATH "/usr/local/bin:/usr/bin:/bin"

/* Code that runs in the child: the parent's sanitizer must not follow it. */
#define IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined")))

struct start {
    const struct ili_spawn *spawn;
    char *const *environment;
    pid_t parent;
    const char *what; /* the step that failed; NULL: none */
    int error;
};

struct kernel_limit {
    uint64_t soft, hard;
};

IN_CHILD static void fail(struct start *s, const char *what) {
    s->error = errno;
    s->what = what;
    for (;;) syscall(SYS_exit_group, 127);
}

/* ---- descriptors ----------------------------------------------------------------------------------- */

IN_CHILD static void close_others(void) {
    struct kernel_limit limit;
    if (syscall(SYS_close_range, ILI_SPAWN_FDS, ~0U, 0) == 0) return;
    /* a kernel before 5.9, or a filter that does not know the call */
    if (syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) != 0) return;
    for (uint64_t fd = ILI_SPAWN_FDS; fd < limit.soft; fd++) syscall(SYS_close, (int)fd);
}

/* Where descriptor I is to come from, out of the way of the places; -1: it is to be closed. */
IN_CHILD static int source_of(struct start *s, int i) {
    int from = s->spawn->fds[i];
    if (from < 0) {
        if (i > 2) return -1;
        from = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
        if (from < 0) fail(s, "open /dev/null");
        if (from >= ILI_SPAWN_FDS) return from;
    } else if (from >= ILI_SPAWN_FDS) {
        return from;
    }
    int moved = (int)syscall(SYS_fcntl, from, F_DUPFD_CLOEXEC, ILI_SPAWN_FDS);
    if (moved < 0) fail(s, "fcntl F_DUPFD");
    return moved;
}

IN_CHILD static void place_descriptors(struct start *s) {
    int from[ILI_SPAWN_FDS];
    /* first: one that is not open must not become what is opened here */
    for (int i = 0; i < ILI_SPAWN_FDS; i++) {
        int fd = s->spawn->fds[i];
        if (fd >= 0 && syscall(SYS_fcntl, fd, F_GETFD) < 0) fail(s, "dup");
    }
    for (int i = 0; i < ILI_SPAWN_FDS; i++) from[i] = source_of(s, i);
    for (int i = 0; i < ILI_SPAWN_FDS; i++) {
        if (from[i] < 0) {
            syscall(SYS_close, i);
        } else if (syscall(SYS_dup3, from[i], i, 0) < 0) {
            fail(s, "dup");
        }
    }
    close_others();
}

/* ---- the rest of what a program finds -------------------------------------------------------------- */

IN_CHILD static void limit_to(struct start *s, int resource, uint64_t soft, uint64_t hard,
                              const char *what) {
    struct kernel_limit limit;
    if (soft == 0) return;
    if (syscall(SYS_prlimit64, 0, resource, NULL, &limit) != 0) fail(s, what);
    if (hard < limit.hard) limit.hard = hard;
    limit.soft = soft < limit.hard ? soft : limit.hard;
    if (syscall(SYS_prlimit64, 0, resource, &limit, NULL) != 0) fail(s, what);
}

IN_CHILD static void reset_signals(void) {
    /* as the kernel's struct of any architecture, all zero: SIG_DFL */
    const uint64_t action[8] = {0};
    const uint64_t none = 0;
    for (int i = 1; i <= SIGNALS; i++) syscall(SYS_rt_sigaction, i, action, NULL, MASK_BYTES);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, MASK_BYTES);
}

/* The value of PATH in the child's environment. */
IN_CHILD static const char *search_path(char *const *environment) {
    static const char name[] = "PATH=";
    for (; *environment; environment++) {
        const char *at = *environment;
        size_t i = 0;
        while (name[i] && at[i] == name[i]) i++;
        if (!name[i]) return at + i;
    }
    return USUAL_PATH;
}

/* Writes DIRECTORY (up to a colon) / PROGRAM into PATH. False: too long. */
IN_CHILD static bool join(char path[PATH_MAX], const char *directory, const char *program) {
    size_t at = 0;
    for (; *directory && *directory != ':'; directory++) {
        if (at >= PATH_MAX - 2) return false;
        path[at++] = *directory;
    }
    if (at) path[at++] = '/'; /* an empty entry is the current directory */
    for (; at < PATH_MAX; program++) {
        path[at++] = *program;
        if (!*program) return true;
    }
    return false;
}

IN_CHILD static void run(const struct start *s, const char *path) {
    syscall(SYS_execve, path, s->spawn->arguments, s->environment);
}

/* Returns only on failure, with errno. */
IN_CHILD static void run_program(const struct start *s) {
    char path[PATH_MAX];
    const char *program = s->spawn->program;
    const char *at = program;
    bool refused = false;
    while (*at && *at != '/') at++;
    if (*at || !*program) {
        run(s, program);
        return;
    }
    for (const char *entry = search_path(s->environment);;) {
        errno = ENAMETOOLONG;
        if (join(path, entry, program)) run(s, path);
        refused |= errno == EACCES;
        if (errno != EACCES && errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG) return;
        while (*entry && *entry != ':') entry++;
        if (!*entry++) break;
    }
    /* a file that may not be run is the better reason, wherever it lay on the way */
    errno = refused ? EACCES : ENOENT;
}

IN_CHILD static int child(void *argument) {
    struct start *s = argument;
    const struct ili_spawn *spawn = s->spawn;
    if (spawn->dies_with_parent) {
        if (syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) fail(s, "prctl");
        errno = ESRCH;
        if (syscall(SYS_getppid) != s->parent) fail(s, "prctl"); /* it died before */
    }
    if (spawn->own_group && syscall(SYS_setpgid, 0, 0) != 0) fail(s, "setpgid");
    place_descriptors(s);
    if (spawn->directory && syscall(SYS_chdir, spawn->directory) != 0) fail(s, "chdir");
    limit_to(s, RLIMIT_DATA, spawn->limits.memory_bytes, spawn->limits.memory_bytes, "RLIMIT_DATA");
    /* SIGXCPU, then SIGKILL if that was caught */
    limit_to(s, RLIMIT_CPU, spawn->limits.cpu_seconds, spawn->limits.cpu_seconds + 1, "RLIMIT_CPU");
    limit_to(s, RLIMIT_NOFILE, spawn->limits.open_files, spawn->limits.open_files, "RLIMIT_NOFILE");
    reset_signals();
    run_program(s);
    fail(s, "exec");
    return 0;
}

/* ---- the parent's side ------------------------------------------------------------------------------ */

il_status ili_spawn(const struct ili_spawn *spawn, pid_t *pid, int *pid_fd, const char **what) {
    _Alignas(16) uint8_t stack[STACK_BYTES];
    struct start start = {
        .spawn = spawn,
        .environment = spawn->environment ? spawn->environment : environ,
        .parent = getpid(),
    };
    const uint64_t all = ~UINT64_C(0);
    uint64_t old;
    int fd = -1, flags = CLONE_VM | CLONE_VFORK | SIGCHLD | (pid_fd ? CLONE_PIDFD : 0);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, MASK_BYTES);
    pid_t made = clone(child, stack + sizeof stack, flags, &start, &fd);
    int error = made < 0 ? errno : start.error;
    if (made >= 0 && error) {
        while (waitpid(made, NULL, 0) < 0 && errno == EINTR) continue;
        if (fd >= 0) close(fd);
    }
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, MASK_BYTES);
    if (error) {
        if (what) *what = made < 0 ? "clone" : start.what;
        errno = error;
        return error == ENOMEM ? IL_ENOMEM : IL_ESYSTEM;
    }
    *pid = made;
    if (pid_fd) *pid_fd = fd;
    return IL_OK;
}
