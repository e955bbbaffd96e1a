/*
 * submit.h - POST /v1/pools/NAME/tasks: one task, or many of which all are submitted or none.
 *
 * With Prefer: wait a single one is waited for, see tasks.h.
 */
#ifndef ILI_SERVER_SUBMIT_H
#define ILI_SERVER_SUBMIT_H

#include "base/fault.h"
#include "work/value.h"

struct ili_pool;
struct ili_request;

void ili_submit(struct ili_request *request);

/* Loads the body, an object; json_decref() it. False: the request was answered. */
bool ili_submit_load(struct ili_request *request, struct ili_value *body);

/* Until when REQUEST would like to wait; now, if it would not. */
int64_t ili_submit_patience(struct ili_request *request);

/* Answers with the failure of a submission to the pool of the path, as FAULT has it. */
void ili_submit_refuse(struct ili_request *request, il_status status,
                       const struct ili_fault *fault);

#endif
