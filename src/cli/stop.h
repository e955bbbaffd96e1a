/*
 * stop.h - SIGINT, SIGTERM and SIGHUP while a command waits: they end its wait with IL_EINTR instead of
 * ending the process, so that nothing is left half done.
 */
#ifndef ILI_CLI_STOP_H
#define ILI_CLI_STOP_H

#include <signal.h>

/* From now on, until the end of the process; call it in the thread that waits. */
void cli_stop_watch(void);

/* The signal that came, or 0. */
int cli_stop_signal(void);

/* The watched signals. */
void cli_stop_set(sigset_t *set);

#endif
