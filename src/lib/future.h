/* future.h - il_future is the public name of struct ili_future; it is never defined. */
#ifndef ILI_LIB_FUTURE_H
#define ILI_LIB_FUTURE_H

#include "run/future.h"

static inline il_future *ili_future_public(struct ili_future *future) {
    return (il_future *)(void *)future;
}

#endif
