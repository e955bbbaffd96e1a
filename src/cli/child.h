/*
 * child.h - runs a program and waits for its end.
 *
 * Signals that somebody sends to this process go on to the program; those that a terminal sends reach
 * both anyway. If this process itself is killed, the program gets SIGTERM: it would otherwise go on
 * without the lock that it was started under.
 */
#ifndef ILI_CLI_CHILD_H
#define ILI_CLI_CHILD_H

/* ARGV ends with NULL. The signals of stop.h must be watched; they are blocked from here on. Returns
 * the exit code: the program's, 128 + its signal, 127 and 126 if it cannot be started; or that of a
 * signal which came before it was. */
int cli_child_run(char **argv);

#endif
