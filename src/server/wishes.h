/*
 * wishes.h - what a request would like to have: Prefer (RFC 7240), of which `wait` is understood, and
 * Accept, as far as there is a choice.
 */
#ifndef ILI_SERVER_WISHES_H
#define ILI_SERVER_WISHES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"

/* All zero: no wishes. */
struct ili_wishes {
    int64_t wait_ns; /* how long it would wait for the result; ILI_NEVER: it does not say */
    bool waits;      /* it would wait */
    bool bad_wait;   /* its `wait` is no number */
    bool ndjson;     /* Accept names application/x-ndjson */
    bool json;       /* Accept names application/json */
};

/* One header's value; call it for each, in order: the first `wait` counts. */
void ili_wishes_prefer(struct ili_wishes *wishes, const char *value);
void ili_wishes_accept(struct ili_wishes *wishes, const char *value);

/* For who honours them. IL_EINVAL: `wait` is no number of seconds. */
il_status ili_wishes_check(const struct ili_wishes *wishes, struct ili_fault *fault);

#endif
