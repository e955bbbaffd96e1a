/*
 * args.h - the args of an exec pool's task: texts that are added to its command.
 */
#ifndef ILI_WORK_ARGS_H
#define ILI_WORK_ARGS_H

#include <stddef.h>

#include "base/fault.h"

/* IL_EINVAL: ARGS is not an array of texts without NUL, or has more than 10,000; NULL is none. */
il_status ili_args_check(const char *args, size_t bytes, struct ili_fault *fault);

/* COMMAND (ended by NULL) and behind it what ARGS hold, which was checked: one block, for free(). NULL:
 * no memory. */
char **ili_args_join(char *const *command, const char *args, size_t bytes);

#endif
