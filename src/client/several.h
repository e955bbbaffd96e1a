/*
 * several.h - calls on several objects of an http: domain; of interlock.h, as lib/remote.h has them.
 */
#ifndef ILI_CLIENT_SEVERAL_H
#define ILI_CLIENT_SEVERAL_H

#include "lib/remote.h"

il_status ili_remote_acquire_all(struct ili_remote_target *targets, size_t count,
                                 int64_t timeout_ns);
il_status ili_remote_wait_any(struct ili_remote_target *targets, size_t count, int64_t timeout_ns,
                              size_t *index);

#endif
