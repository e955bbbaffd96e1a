/*
 * capture.h - what a program writes to its stdout or stderr: read whenever there is something, of which
 * the last part is kept. However much it writes, it never waits for a reader.
 */
#ifndef ILI_SERVER_CAPTURE_H
#define ILI_SERVER_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <interlock.h>

#include "base/loop.h"
#include "base/out.h"
#include "work/output.h"

struct ili_capture {
    struct ili_source source; /* fd -1: it is not open */
    struct ili_loop *loop;
    struct ili_output output;
    size_t most;
};

/* An empty one, that is to keep MOST bytes. */
void ili_capture_init(struct ili_capture *capture, size_t most);

/* Opens a pipe whose content is read from LOOP. *FD is the end to write to, which is the caller's.
 * IL_ESYSTEM, IL_ENOMEM: it is not open. */
il_status ili_capture_open(struct ili_capture *capture, struct ili_loop *loop, int *fd);

/* Reads what is there still, and closes the pipe; nothing if it is not open. What was read stays. */
void ili_capture_close(struct ili_capture *capture);

/* Frees what was read; it is closed. */
void ili_capture_free(struct ili_capture *capture);

/* Writes the members NAME (a text, or null if it is none), NAME_base64 if it is none, and
 * NAME_truncated. */
void ili_capture_write(struct ili_out *out, const char *name, const struct ili_capture *capture);

#endif
