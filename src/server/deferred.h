/*
 * deferred.h - a call that is submitted to a pool later: by the start of a thread, by a timer.
 *
 * It is a task as POST …/tasks takes it, whose pool need not exist yet: what only the pool can know to be
 * wrong comes out when it is submitted.
 */
#ifndef ILI_SERVER_DEFERRED_H
#define ILI_SERVER_DEFERRED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "server/params.h"
#include "work/task.h"

struct ili_out;
struct ili_server;

struct ili_deferred {
    char pool[IL_NAME_MAX_BYTES + 1];
    char *text; /* owned: the task, a JSON object; NULL: there is none */
    size_t bytes;
    char *function; /* owned; NULL: none */
};

/* Its fields in a body. All zero at first. */
struct ili_deferred_fields {
    char pool[IL_NAME_MAX_BYTES + 1];
    struct ili_value function, args, kwargs, time_limit; /* json is owned */
};

#define ILI_DEFERRED_FIELDS 5
#define ILI_DEFERRED_PARAMS(f)                                                                     \
    ILI_PARAM_NAME("pool", (f)->pool), ILI_PARAM_VALUE("function", &(f)->function),                \
        ILI_PARAM_VALUE("args", &(f)->args), ILI_PARAM_VALUE("kwargs", &(f)->kwargs),              \
        ILI_PARAM_VALUE("time_limit", &(f)->time_limit)

/* Makes OUT of FIELDS. IL_EINVAL, IL_ENOMEM with *FAULT; free OUT in every case. */
il_status ili_deferred_make(const struct ili_deferred_fields *fields, struct ili_deferred *out,
                            struct ili_fault *fault);
void ili_deferred_fields_drop(struct ili_deferred_fields *fields);

/* Which field makes A another call than B; NULL: none. Arguments are compared as they are written. */
const char *ili_deferred_differ(const struct ili_deferred *a, const struct ili_deferred *b);

/* As ili_task_submit(), with *FAULT in every failure; IL_ENOTFOUND: there is no such pool. */
il_status ili_deferred_submit(struct ili_server *server, const struct ili_deferred *deferred,
                              struct ili_task **out, struct ili_fault *fault);

/* Writes the members pool and function. */
void ili_deferred_write(struct ili_out *out, const struct ili_deferred *deferred);

void ili_deferred_free(struct ili_deferred *deferred);

#endif
