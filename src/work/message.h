/*
 * message.h - what a worker says: one line is one JSON-RPC message (docs/worker-protocol.md).
 *
 * A line comes from a program that may be broken or hostile: whatever it holds, the outcome is one of
 * the kinds below. Values keep the text in which they were written.
 */
#ifndef ILI_WORK_MESSAGE_H
#define ILI_WORK_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json_span.h"

#define ILI_LINE_BYTES_MOST ((size_t)24 << 20)
#define ILI_PROGRESS_BYTES_MOST 65536u
#define ILI_SLOTS_MOST 1024u

enum ili_message_kind {
    ILI_MESSAGE_BAD,          /* why */
    ILI_MESSAGE_RESULT,       /* id or init, value */
    ILI_MESSAGE_ERROR,        /* id or init, code, text, type, traceback, no_retry */
    ILI_MESSAGE_HELLO,        /* protocol, name, functions, slots, batch */
    ILI_MESSAGE_PROGRESS,     /* id, value */
    ILI_MESSAGE_REQUEST,      /* value: its id. One that the server does not know, as all are */
    ILI_MESSAGE_NOTIFICATION, /* one that the server does not know */
};

/* Everything is borrowed: from the line, or from `json`. */
struct ili_message {
    enum ili_message_kind kind;
    const char *why; /* for ever */
    bool init;       /* the id is "init" */
    uint64_t id;
    struct ili_json_span value;

    int64_t code;
    const json_t *text, *type, *traceback; /* strings; NULL: not there */
    bool no_retry;

    int64_t protocol;
    const json_t *name;      /* a string; NULL */
    const json_t *functions; /* an array of strings; NULL: any */
    uint32_t slots;
    bool batch;

    json_t *json; /* private; NULL for most results */
};

/* Reads LINE, without its line break, which is written to while it is read. */
void ili_message_read(char *line, size_t bytes, struct ili_message *message);

void ili_message_free(struct ili_message *message);

#endif
