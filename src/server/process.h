/*
 * process.h - the life of a process that was made over HTTP, as Python's Process has it:
 *
 *   created ─start─▶ starting ─▶ running ─▶ ended
 *      ▲                 │ it could not be started: as if it had not been tried, and `trouble` says why
 *      └─────────────────┘
 *
 * It is started once. It has ended when the program and all that it started are gone. A daemon is ended
 * with its session: SIGTERM to its group, after its grace SIGKILL. The others live on until they end or
 * the server does. The spawner starts and reaps it (spawner.h).
 */
#ifndef ILI_SERVER_PROCESS_H
#define ILI_SERVER_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/timer.h"
#include "server/capture.h"
#include "server/daemons.h"
#include "server/joins.h"
#include "server/process_options.h"
#include "server/roster.h"
#include "work/pools.h"

struct ili_server;

enum ili_process_state {
    ILI_PROCESS_CREATED,
    ILI_PROCESS_STARTING,
    ILI_PROCESS_RUNNING,
    ILI_PROCESS_ENDED,
};

struct ili_process {
    struct ili_named named;
    struct ili_server *server;
    struct ili_process_options options;
    struct ili_daemon daemon;
    struct ili_program program;
    enum ili_process_state state;
    pid_t pid;       /* 0: it was never known */
    int wait_status; /* once it has ended */
    int64_t started_ns, ended_ns;
    uint64_t cpu_ns, memory_bytes; /* once it has ended */
    char trouble[160];             /* why it could not be started; empty: it could */
    struct ili_capture out, err;   /* its stdout and stderr */
    struct ili_source input;       /* writes to its stdin; fd -1: it is not open */
    size_t input_sent;
    struct ili_joins starts, joins; /* who waits until it runs; until it has ended */
    struct ili_timer grace;         /* then it is killed */
};

/* A new one, which takes *OPTIONS if it is made. IL_ENOMEM; IL_ESESSION with *FAULT. */
il_status ili_process_make(struct ili_server *server, const char *name, size_t name_bytes,
                           struct ili_process_options *options, struct ili_process **out,
                           struct ili_fault *fault);

/* Begins to start one that was only created; what comes of it is told to `starts`.
 * IL_ESYSTEM, IL_ENOMEM, IL_ETOOBIG: it is as before. */
il_status ili_process_start(struct ili_process *process);

static inline bool ili_process_is_alive(const struct ili_process *process) {
    return process->state == ILI_PROCESS_STARTING || process->state == ILI_PROCESS_RUNNING;
}

/* Sends SIGNAL to its group; nothing unless it is alive. */
void ili_process_signal(struct ili_process *process, int signal);

/* As Python tells it: what it exited with, or the negative number of the signal that ended it. */
int ili_process_exit_code(const struct ili_process *process);

/* Frees it; if it is alive it is killed. Nobody waits for it. */
void ili_process_free(struct ili_process *process);

#endif
