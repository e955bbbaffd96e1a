/*
 * host.h - what the library that opened this module does for it; see lib/remote.h.
 *
 * The error text and the interruptions of a thread live in the library. Nothing in this room may use
 * base/error.h, whose text nobody would read.
 */
#ifndef ILI_CLIENT_HOST_H
#define ILI_CLIENT_HOST_H

#include "lib/remote.h"

/* Set once, before anything else here is called. */
extern const struct ili_remote_host *ili_host;

/* Writes the calling thread's error text and returns STATUS. A NULL FORMAT adds nothing to the
 * status's own sentence. */
il_status ili_remote_fail(il_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
