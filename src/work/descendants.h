/*
 * descendants.h - the processes below the spawner: finding them, whose they are, killing them.
 *
 * A process is named by its pid only while it is an unreaped child of the calling process, so the
 * number cannot have been given to another one. One thread.
 */
#ifndef ILI_WORK_DESCENDANTS_H
#define ILI_WORK_DESCENDANTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The variable that says which program a process belongs to: "INTERLOCK_PROCESS=<token>.<id>". */
#define ILI_PROCESS_VARIABLE "INTERLOCK_PROCESS"
#define ILI_PROCESS_ENTRY_BYTES 64

void ili_process_entry(char entry[ILI_PROCESS_ENTRY_BYTES], uint64_t token, uint64_t id);

enum ili_origin {
    ILI_ORIGIN_KNOWN,   /* it carries an id of this token */
    ILI_ORIGIN_UNKNOWN, /* it carries none */
    ILI_ORIGIN_UNSURE,  /* it is ending, or becoming another program right now: look again soon */
};

/* Whose PID is, by the environment it was run with. */
enum ili_origin ili_origin_of(pid_t pid, uint64_t token, uint64_t *id);

/* Tells every child of the calling process, those it adopted too, and those that ended and are not yet
 * reaped. VISIT may kill, but not reap. */
void ili_children_each(void (*visit)(void *context, pid_t pid), void *context);
/* The same by looking through all processes: for kernels that keep no list of children. */
void ili_children_scan(void (*visit)(void *context, pid_t pid), void *context);

/* SIGKILL to an unreaped child, and to its process group. */
void ili_child_kill(pid_t child);

/* Kills every process of this machine that carries TOKEN, whoever its parent is, until none is left, for
 * at most LIMIT_NS. */
void ili_origin_sweep(uint64_t token, int64_t limit_ns);

#endif
