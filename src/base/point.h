/*
 * point.h - named points at which a test may kill the process.
 *
 * ILI_POINT("lock.handoff.granted") stands between two steps of a change to shared memory. In a
 * build with IL_POINTS it ends the process by SIGKILL when the environment variable
 * INTERLOCK_KILL_AT is "NAME" or "NAME:N" (the Nth passage); else it is nothing. Tests may also call
 * ili_point_arm() in a forked child.
 */
#ifndef ILI_BASE_POINT_H
#define ILI_BASE_POINT_H

#ifdef IL_POINTS
#include <stdint.h>

void ili_point_hit(const char *name);

/* Kill this process at the COUNTth passage of NAME from now; NULL disarms. NAME is borrowed. */
void ili_point_arm(const char *name, uint32_t count);

/* Called at each passage, so that tests learn which points a scenario passes. NULL: nobody. */
extern void (*ili_point_passed)(const char *name);

#define ILI_POINT(name) ili_point_hit(name)
#else
#define ILI_POINT(name) ((void)0)
#endif

#endif
