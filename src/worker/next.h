/* next.h - what the server wants done next. */
#ifndef ILI_WORKER_NEXT_H
#define ILI_WORKER_NEXT_H

#include <stdbool.h>

#include "worker/lines.h"
#include "worker/slots.h"

/* Waits for requests: *BATCH, owned. Cancels are passed on to SLOTS meanwhile. False: there will be no more,
 * and *CODE is the process's exit status; trouble is told on stderr. */
bool worker_next_batch(struct worker_lines *lines, struct worker_slots *slots,
                       struct worker_batch **batch, int *code);

#endif
