/*
 * params.h - a request's fields, read by type from its JSON body.
 *
 *     int64_t timeout_ns = limit_ns;
 *     const struct ili_param params[] = {
 *         ILI_PARAM_SECONDS("timeout", &timeout_ns, 0, limit_ns),
 *     };
 *     if (ili_params_read(body, body_bytes, params, 1, &fault) != IL_OK) …
 *
 * What is absent leaves its variable alone. Every refusal names the field and what was expected.
 */
#ifndef ILI_SERVER_PARAMS_H
#define ILI_SERVER_PARAMS_H

#include <stdint.h>

#include "base/fault.h"
#include "work/value.h"

#define ILI_LEASE_NONE INT64_C(-1)

enum ili_param_type {
    ILI_PARAM_IS_BOOL,
    ILI_PARAM_IS_SECONDS, /* int64_t, nanoseconds */
    ILI_PARAM_IS_LEASE,   /* the same; null: ILI_LEASE_NONE */
    ILI_PARAM_IS_COUNT,   /* uint64_t */
    ILI_PARAM_IS_INTEGER, /* int64_t, with a sign */
    ILI_PARAM_IS_TOKEN,   /* uint64_t, a decimal string other than "0" */
    ILI_PARAM_IS_VERSION, /* uint64_t, the same; null: IL_VERSION_NONE */
    ILI_PARAM_IS_TEXT,    /* char[most + 1] without NUL in it, ends with NUL */
    ILI_PARAM_IS_VALUE,   /* struct ili_value, whose json is then owned: json_decref() */
};

struct ili_param {
    const char *name;
    enum ili_param_type type;
    void *out;
    int64_t least, most; /* seconds (in ns), count; bytes of a text */
    bool required;
};

#define ILI_PARAM_BOOL(name, out)                                                                  \
    { name, ILI_PARAM_IS_BOOL, out, 0, 0, false }
#define ILI_PARAM_SECONDS(name, out, least, most)                                                  \
    { name, ILI_PARAM_IS_SECONDS, out, least, most, false }
#define ILI_PARAM_LEASE(name, out, least, most)                                                    \
    { name, ILI_PARAM_IS_LEASE, out, least, most, false }
#define ILI_PARAM_COUNT(name, out, least, most)                                                    \
    { name, ILI_PARAM_IS_COUNT, out, least, most, false }
#define ILI_PARAM_INTEGER(name, out, least, most)                                                  \
    { name, ILI_PARAM_IS_INTEGER, out, least, most, false }
#define ILI_PARAM_TOKEN(name, out)                                                                 \
    { name, ILI_PARAM_IS_TOKEN, out, 0, 0, true }
#define ILI_PARAM_VERSION(name, out)                                                               \
    { name, ILI_PARAM_IS_VERSION, out, 0, 0, false }
#define ILI_PARAM_TEXT(name, out, most)                                                            \
    { name, ILI_PARAM_IS_TEXT, out, 0, most, false }
/* The name of an object, in char[IL_NAME_MAX_BYTES + 1]. */
#define ILI_PARAM_NAME(name, out)                                                                  \
    { name, ILI_PARAM_IS_TEXT, out, 1, IL_NAME_MAX_BYTES, false }
#define ILI_PARAM_VALUE(name, out)                                                                 \
    { name, ILI_PARAM_IS_VALUE, out, 0, 0, false }

/* Reads BODY (0 bytes: {}), which values then borrow from.
 * IL_OK; IL_EINVAL, IL_ENOMEM with *FAULT filled in: then some variables may have been set. */
il_status ili_params_read(char *body, size_t body_bytes, const struct ili_param *params,
                          size_t count, struct ili_fault *fault);

/* The same for an object that was read already. */
il_status ili_params_read_value(const struct ili_value *object, const struct ili_param *params,
                                size_t count, struct ili_fault *fault);

/* One count in decimal text, as in a query; FIELD is for *FAULT. */
il_status ili_params_count(const char *field, const char *text, size_t bytes, uint64_t least,
                           uint64_t most, uint64_t *out, struct ili_fault *fault);

/* The same for one that may have a sign. */
il_status ili_params_integer(const char *field, const char *text, size_t bytes, int64_t least,
                             int64_t most, int64_t *out, struct ili_fault *fault);

#endif
