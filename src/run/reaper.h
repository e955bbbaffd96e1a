/*
 * reaper.h - a thread of this process that waits for children that nobody waits for any more, and that
 * starts those which are to die with the process.
 *
 * It is started when it is first needed and lives as long as the process: a child's parent-death signal
 * is sent when the thread that started it ends, so that thread must be one that does not. After fork()
 * the child has none, and starts its own.
 */
#ifndef ILI_RUN_REAPER_H
#define ILI_RUN_REAPER_H

#include "run/spawn.h"

/* Starts SPAWN from the reaper's thread. As ili_spawn(). */
il_status ili_reaper_spawn(const struct ili_spawn *spawn, pid_t *pid, int *pid_fd,
                           const char **what);

/* Reaps the child behind PID_FD when it ends. PID_FD is taken. If there is no memory for a thread the child
 * is reaped with the next one that is given, or remains a zombie until this process ends. */
void ili_reaper_adopt(int pid_fd);

#endif
