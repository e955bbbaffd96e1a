/*
 * listing.h - one page of the objects of a kind: ?limit=N&cursor=….
 */
#ifndef ILI_SERVER_LISTING_H
#define ILI_SERVER_LISTING_H

#include "arena/names.h"
#include "base/out.h"

struct ili_request;

struct ili_listing {
    struct ili_request *request;
    struct ili_out *out;
};

/* Answers with {"MEMBER": [views], "cursor": …}; VISIT, as for ili_names_page(), writes one view to the
 * struct ili_listing that is its context. */
void ili_listing_reply(struct ili_request *request, uint32_t kind, const char *member,
                       void (*visit)(const struct ili_object *object, const char *name,
                                     size_t name_bytes, void *context));

#endif
