/*
 * slots.h - the threads that run calls, while another reads what the server says.
 *
 * Each takes a batch, runs its calls one after the other, and answers each before it begins the next.
 */
#ifndef ILI_WORKER_SLOTS_H
#define ILI_WORKER_SLOTS_H

#include "worker/answer.h"
#include "worker/message.h"
#include "worker/module.h"

struct worker_slots;

/* Starts COUNT threads; 0: there is one slot, and no thread but the caller's. Both are borrowed until the
 * end. NULL, errno is the reason. */
struct worker_slots *worker_slots_start(unsigned count, const struct worker_module *module,
                                        struct worker_channel *channel);

/* Takes the batch over. Does not wait. */
void worker_slots_give(struct worker_slots *slots, struct worker_batch *batch);

/* Without threads: runs the calls of BATCH, which is taken, in the calling thread; one at a time does. */
void worker_slots_run(struct worker_slots *slots, struct worker_batch *batch);

/* Without threads: the first that was given and not taken yet, for worker_slots_run(). NULL: none. */
struct worker_batch *worker_slots_next(struct worker_slots *slots);

/* The call of that id ends soon, if its function heeds it or waits in a call of Interlock; one that has
 * not begun is answered here, and will not. Nothing if there is none. */
void worker_slots_cancel(struct worker_slots *slots, struct ili_json_span id);

/* Waits until all that was given is answered, or nobody listens any more. */
void worker_slots_finish(struct worker_slots *slots);

#endif
