/*
 * refusal.h - why a dict or list did not do what it was asked: which field is to blame, and what would have been
 * right.
 *
 * Beside what all problems have: 412 "changed" has `version` (null: there is no such entry), 409 "overflow" has
 * `limit`, 404 "out_of_range" has `length`, 409 "type_mismatch" has `has` and `asked`.
 */
#ifndef ILI_SERVER_REFUSAL_H
#define ILI_SERVER_REFUSAL_H

#include <interlock.h>

#include "data/item.h"

struct ili_request;

/* The fields of a request that can be to blame. */
struct ili_blame {
    const char *array;         /* "changes": they are of its element refusal.which; NULL */
    const char *place;         /* what says which entry: "key", "index" */
    const char *const *places; /* the same of each element of the array; NULL: `place` */
    const char *version;       /* "version", "If-Match" */
};

/* Answers the problem of STATUS. */
void ili_refusal_reply(struct ili_request *request, il_status status,
                       const struct ili_refusal *refusal, const struct ili_blame *blame);

#endif
