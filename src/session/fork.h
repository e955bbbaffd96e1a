/*
 * fork.h - what fork() does to the domains of a process.
 *
 * Private: the child takes a slot of its own and opens what its parent has open; it holds nothing.
 * Attached: the child's calls fail with IL_EFORKED, and its copy of the life line is closed, so that
 * the parent's death is seen.
 */
#ifndef ILI_SESSION_FORK_H
#define ILI_SESSION_FORK_H

/* Installs the handlers, once. */
void ili_fork_prepare(void);

#endif
