/*
 * batch.h - POST /v1/batch: operations in one request, run in order.
 *
 * Each operation is a struct ili_request of its own, without a connection of its own: it is found in the
 * route table and handled as any other, and its answer stays in memory (`answer`, see reply.h). None may
 * wait; that is checked of all before the first is run, as is the form of each. One that fails does not
 * keep the next from being run.
 * If the answer is lost, what the operations were granted is taken back, the last first. With an
 * Idempotency-Key that is done only if nothing else has been changed, or a repeat would change it twice.
 */
#ifndef ILI_SERVER_BATCH_H
#define ILI_SERVER_BATCH_H

struct ili_request;

void ili_batch(struct ili_request *request);

#endif
