/*
 * spawn.h - starting a program: what il_process and the server's spawner have in common.
 *
 * The child gets exactly the descriptors that it is given (everything else is closed), default signal
 * handling, an empty signal mask, and a process group of its own. A program that cannot be started is
 * an error of the call with its errno: the child reports it before it is anybody's process.
 * Costs what posix_spawn() costs: the child shares the parent's memory until it runs the program.
 */
#ifndef ILI_RUN_SPAWN_H
#define ILI_RUN_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <interlock.h>

#define ILI_SPAWN_FDS 8

struct ili_spawn_limits {
    uint64_t memory_bytes; /* RLIMIT_DATA: private memory that can be written; 0: as the parent's */
    uint64_t cpu_seconds;  /* RLIMIT_CPU of the whole process; 0: as the parent's */
    uint64_t open_files;   /* RLIMIT_NOFILE; 0: as the parent's */
};

struct ili_spawn {
    const char *program;      /* path; without a slash it is looked for in the child's PATH */
    char *const *arguments;   /* with argv[0], ended by NULL */
    char *const *environment; /* whole, ended by NULL; NULL: the parent's */
    const char *directory;    /* NULL: the parent's */
    int fds
        [ILI_SPAWN_FDS]; /* the child's descriptor i is fds[i]; -1: 0 to 2 /dev/null, else closed */
    struct ili_spawn_limits limits;
    bool dies_with_parent; /* PR_SET_PDEATHSIG SIGKILL: when the calling thread ends */
    bool own_group;        /* a process group of its own */
};

/* Starts it. *PID_FD (may be NULL) is owned. On failure errno is the reason and *WHAT (may be NULL) the
 * step that failed ("chdir", "exec", …): IL_ESYSTEM; IL_ENOMEM. */
il_status ili_spawn(const struct ili_spawn *spawn, pid_t *pid, int *pid_fd, const char **what);

#endif
