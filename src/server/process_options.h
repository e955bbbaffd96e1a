/*
 * process_options.h - a process as JSON defines it: the body of a PUT.
 *
 * Its program must be one of the configuration's, and so must the names of its environment: see
 * programs.h.
 */
#ifndef ILI_SERVER_PROCESS_OPTIONS_H
#define ILI_SERVER_PROCESS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "run/spawn.h"
#include "server/owners.h"

struct ili_programs;
struct ili_request;

/* All zero is an empty one. */
struct ili_process_options {
    char **command;  /* owned, ended by NULL; NULL: the body has no field */
    char **given;    /* owned: "NAME=value" of its environment, ended by NULL; NULL: none */
    char *directory; /* owned; NULL: / */
    char *input;     /* owned: what it reads from stdin; NULL: nothing */
    size_t input_bytes;
    struct ili_spawn_limits limits;
    uint64_t output_bytes; /* kept of each of stdout and stderr: the last ones */
    int64_t grace_ns;      /* from SIGTERM to SIGKILL, when it ends with its session */
    bool daemon;
    char session[ILI_SESSION_ID_BYTES + 1]; /* that a daemon ends with */
};

/* Reads the body of REQUEST. IL_EINVAL, IL_EPROGRAM, IL_EACCESS, IL_ETOOBIG, IL_ENOMEM with *FAULT; drop
 * OUT in every case. */
il_status ili_process_options_read(struct ili_request *request, const struct ili_programs *programs,
                                   struct ili_process_options *out, struct ili_fault *fault);

/* Which field makes A another process than B; NULL: none. */
const char *ili_process_options_differ(const struct ili_process_options *a,
                                       const struct ili_process_options *b);

void ili_process_options_drop(struct ili_process_options *options);

#endif
