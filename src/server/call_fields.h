/*
 * call_fields.h - what to call and how, as members of a JSON object: a task, or the body of a map.
 *
 * Arguments go to the worker as they are written; line breaks between values become spaces, since a
 * call is one line.
 */
#ifndef ILI_SERVER_CALL_FIELDS_H
#define ILI_SERVER_CALL_FIELDS_H

#include "base/fault.h"
#include "work/pool.h"
#include "work/task.h"
#include "work/value.h"

/* Makes spaces of the line breaks in VALUE, which lie between its values only. */
void ili_value_unbreak(const struct ili_value *value);

/* Reads the member `function` in VALUE (its json NULL: absent) for POOL. Borrowed from the value. */
il_status ili_call_function(const struct ili_pool *pool, const struct ili_value *value,
                            const char **function, size_t *bytes, struct ili_fault *fault);

/* Checks arguments for a pool: FIELD is an array (of strings, in an exec pool). */
il_status ili_call_args(const struct ili_pool *pool, const char *field,
                        const struct ili_value *value, struct ili_fault *fault);

/* Checks `kwargs`; may be absent. */
il_status ili_call_kwargs(const struct ili_pool *pool, const struct ili_value *value,
                          struct ili_fault *fault);

/* Reads OBJECT, a task for POOL: {"function", "args", "kwargs", "input" or "input_base64"} and options.
 * CALL borrows from OBJECT, whose text is decoded in place. IL_EINVAL, IL_ETOOBIG with *FAULT. */
il_status ili_call_read(const struct ili_pool *pool, const struct ili_value *object,
                        struct ili_call *call, struct ili_task_options *options,
                        struct ili_fault *fault);

#endif
