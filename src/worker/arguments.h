/* arguments.h - what a function asks of its arguments: il_call_argument() and its like. */
#ifndef ILI_WORKER_ARGUMENTS_H
#define ILI_WORKER_ARGUMENTS_H

#include <locale.h>

#include "worker/run.h"

/* As in interlock_module.h. NAME NULL: by INDEX. IL_EINVAL leaves the reason with the call. */
il_status worker_argument(il_call *call, const char *name, uint32_t index, const char **json,
                          size_t *bytes);
il_status worker_argument_text(il_call *call, const char *name, uint32_t index, const char **text,
                               size_t *bytes);
il_status worker_argument_number(il_call *call, const char *name, uint32_t index, double *number);
il_status worker_argument_integer(il_call *call, const char *name, uint32_t index, int64_t *number);

/* Frees the texts that were handed out. */
void worker_arguments_free(struct worker_run *run);

/* The locale "C", in which numbers are as JSON writes them; made once. */
locale_t worker_plain_locale(void);

#endif
