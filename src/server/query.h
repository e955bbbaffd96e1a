/*
 * query.h - a request's query arguments, by name.
 *
 *     char limit[24], cursor[64];
 *     struct ili_query_param params[] = {ILI_QUERY("limit", limit), ILI_QUERY("cursor", cursor)};
 *     if (ili_query_read(request, params, 2, &fault) != IL_OK) …
 *
 * One that is unknown, given twice or without a value is a fault that names it.
 */
#ifndef ILI_SERVER_QUERY_H
#define ILI_SERVER_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"

struct ili_request;

struct ili_query_param {
    const char *name;
    char *room; /* decoded; ended by a NUL that is not counted */
    size_t room_bytes, bytes;
    bool given;
};

#define ILI_QUERY(name, room)                                                                      \
    { name, room, sizeof(room), 0, false }

/* IL_EINVAL with *FAULT filled in. In a batch there are none. */
il_status ili_query_read(struct ili_request *request, struct ili_query_param *params, size_t count,
                         struct ili_fault *fault);

#endif
