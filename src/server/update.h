/*
 * update.h - what the updates of dicts and of lists share: "changes", an array of objects.
 */
#ifndef ILI_SERVER_UPDATE_H
#define ILI_SERVER_UPDATE_H

#include "base/fault.h"
#include "server/params.h"

#define ILI_UPDATE_MOST 65536u

/* Reads CHANGES: BEGIN is told how many there are, then EACH gets one after the other, which is an object. The
 * first status that is not IL_OK ends it, with FAULT, which names the change. */
il_status ili_update_read(const struct ili_value *changes, void *context,
                          il_status (*begin)(void *context, size_t count, struct ili_fault *fault),
                          il_status (*each)(void *context, const struct ili_value *change,
                                            struct ili_fault *fault),
                          struct ili_fault *fault);

#endif
