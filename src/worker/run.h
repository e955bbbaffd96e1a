/*
 * run.h - one call of a module's function: what the function sees (interlock_module.h), and what came
 * of it. Where the call came from and where its result goes is somebody else's: the socket
 * (slots.h) is one such place.
 *
 * A struct worker_run is used for one call after the other, by one thread. All zero but `report` and
 * `from` is a new one.
 */
#ifndef ILI_WORKER_RUN_H
#define ILI_WORKER_RUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <interlock_module.h>

#include "base/out.h"
#include "worker/message.h"

/* JSON-RPC's codes, and ours. */
#define WORKER_FAILED 1
#define WORKER_CANCELLED 2
#define WORKER_NO_FUNCTION (-32601)
#define WORKER_BAD_ARGUMENTS (-32602)

struct worker_run {
    il_call call; /* first: the function's pointer is to it */
    struct worker_request *request;
    /* Passes progress on, valid JSON on one line. IL_EGONE: nobody listens. */
    il_status (*report)(struct worker_run *run, const char *json, size_t bytes);
    void *from; /* the reporter's */

    int code;              /* 0: it succeeded; else one of the above */
    struct ili_out result; /* JSON on one line; empty: null */
    struct ili_out type;   /* of the error: text, no JSON */
    struct ili_out message;
    bool in_vain; /* another attempt would be */
    bool spoiled; /* return_json() was given what is no JSON: whatever the function returns */
    struct worker_text *texts; /* owned: the arguments that the function asked for, unescaped */
};

/* Calls RUN_FUNCTION (NULL: there is none of that name) for REQUEST; what came of it is in RUN until the next
 * call. */
void worker_run(struct worker_run *run, il_status (*function)(il_call *call),
                struct worker_request *request);

/* The call did not take place: its outcome is an error. */
void worker_run_refuse(struct worker_run *run, int code, const char *type, const char *message);

/* Frees what RUN holds. */
void worker_run_end(struct worker_run *run);

/* The call has failed for the reason in words; returns STATUS. For the operations. */
il_status worker_run_fail(struct worker_run *run, il_status status, const char *type,
                          const char *message);

#endif
