/*
 * preconditions.h - If-Match and If-None-Match of a request for one entry (RFC 9110), as versions.
 *
 * A strong tag is a version in quotes; so is the ETag of an answer.
 */
#ifndef ILI_SERVER_PRECONDITIONS_H
#define ILI_SERVER_PRECONDITIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"

struct ili_request;

struct ili_precondition {
    uint64_t version;  /* what the entry must have; IL_VERSION_NONE, IL_VERSION_ANY */
    bool exists;       /* it must be there, with whatever version */
    const char *field; /* the header; NULL: there is none. Static */
};

/* IL_EINVAL with *FAULT. */
il_status ili_precondition_read(const struct ili_request *request, struct ili_precondition *out,
                                struct ili_fault *fault);

/* The same where only If-Match makes sense: what is not there cannot be removed. */
il_status ili_precondition_read_match(const struct ili_request *request,
                                      struct ili_precondition *out, struct ili_fault *fault);

#endif
