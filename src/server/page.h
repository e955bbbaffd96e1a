/*
 * page.h - one page of what the server itself keeps by name: ?limit=N&cursor=….
 *
 * Pages are in the order of names. What exists during a whole walk is listed exactly once, whatever
 * comes and goes meanwhile: a cursor is the last name that was listed, in hexadecimal.
 */
#ifndef ILI_SERVER_PAGE_H
#define ILI_SERVER_PAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/out.h"

struct ili_query_param;
struct ili_request;
struct ili_server;

#define ILI_PAGE_DEFAULT 100u
#define ILI_PAGE_MOST 1000u

/* How to walk over the things of a kind. */
struct ili_page_walk {
    const char *member; /* of the answer: "pools" */
    /* The first whose name is greater than NAME, byte by byte; NAME NULL: the first of all. */
    const void *(*after)(struct ili_server *server, const char *name, size_t name_bytes);
    const char *(*name)(const void *thing, size_t *name_bytes);
    void (*view)(struct ili_out *out, struct ili_server *server, const void *thing);
};

/* Answers with {"MEMBER": [views], "cursor": …}. */
void ili_page_reply(struct ili_request *request, const struct ili_page_walk *walk);

/* The value of `limit`, or ILI_PAGE_DEFAULT if it was not given. */
il_status ili_page_limit(const struct ili_query_param *param, uint64_t *limit,
                         struct ili_fault *fault);

/* The fault of a cursor that no page had. */
il_status ili_page_bad_cursor(struct ili_fault *fault);

#endif
