/*
 * watch.h - il_watch_… of an http: domain, as lib/remote.h has it.
 */
#ifndef ILI_CLIENT_WATCH_H
#define ILI_CLIENT_WATCH_H

#include "client/object.h"
#include "lib/remote.h"

il_status ili_remote_watch_open(uint32_t kind, void *object, uint64_t after,
                                struct ili_remote_watch **out);
il_status ili_remote_watch_next(struct ili_remote_watch *watch, il_changed *changed,
                                int64_t timeout_ns);
il_status ili_remote_watch_close(struct ili_remote_watch *watch);

#endif
