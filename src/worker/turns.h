/*
 * turns.h - reading and running by turns, for a worker that runs one call at a time.
 *
 * The thread that reads a call runs it, which saves waking another one for each. Somebody must read
 * meanwhile, or a cancel would go unheard: a second thread sleeps until the first has been away for
 * TURNS_PATIENCE, then reads on in its place, and the first goes to sleep when it is done. So for short
 * calls the second never wakes, and which of the two runs a function changes from time to time.
 */
#ifndef ILI_WORKER_TURNS_H
#define ILI_WORKER_TURNS_H

#include "worker/lines.h"
#include "worker/slots.h"

#define TURNS_PATIENCE_NS INT64_C(5000000)

/* Reads what the server says and runs its calls until its end; then all of them are answered. SLOTS has no
 * threads of its own. The process's exit status; trouble is told on stderr. */
int worker_turns(struct worker_lines *lines, struct worker_slots *slots);

#endif
