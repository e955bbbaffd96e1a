/*
 * message.h - what a line of the server says (docs/worker-protocol.md).
 *
 * A line is checked to be JSON once, and cut apart where it lies: a call's texts are parts of the line,
 * as they were written, each ended by NUL.
 */
#ifndef ILI_WORKER_MESSAGE_H
#define ILI_WORKER_MESSAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json_span.h"

enum worker_request_kind {
    WORKER_CALL,    /* and initialize */
    WORKER_UNKNOWN, /* a request of another method: nothing but the id is set */
    WORKER_UNFIT,   /* a call whose params are none; likewise */
};

/* One that wants an answer. */
struct worker_request {
    enum worker_request_kind kind;
    struct ili_json_span id;     /* as it came, a string with its quotes */
    const char *function;        /* unescaped */
    struct ili_json_span args;   /* an array */
    struct ili_json_span kwargs; /* an object */
    const char *task;            /* decimal; empty: none, as for initialize */
    uint32_t attempt;
    bool begun;            /* see slots.c, whose these two are */
    atomic_bool cancelled; /* relaxed: it says nothing of other memory */
};

/* The requests of one line, to be answered one after the other. */
struct worker_batch {
    struct worker_batch *next; /* for whoever holds it */
    char *line;                /* owned: what the requests refer to */
    size_t count;
    struct worker_request requests[];
};

enum worker_message {
    WORKER_NONSENSE, /* not JSON, or nothing that JSON-RPC knows */
    WORKER_IGNORED,  /* a notification that is not known */
    WORKER_REQUESTS,
    WORKER_CANCEL,
    WORKER_NO_MEMORY,
};

/* Reads LINE, which is malloc()ed, of BYTES without its line break and with room for one more.
 * WORKER_REQUESTS: *BATCH is owned, and has the line. WORKER_CANCEL: *ID is a part of the line. Else, and
 * then too, the line stays the caller's. */
enum worker_message worker_message_read(char *line, size_t bytes, struct worker_batch **batch,
                                        struct ili_json_span *id);

void worker_batch_free(struct worker_batch *batch);

#endif
