/*
 * event.h - events of an http: domain; the calls of interlock.h, as lib/remote.h has them.
 */
#ifndef ILI_CLIENT_EVENT_H
#define ILI_CLIENT_EVENT_H

#include "client/object.h"

struct ili_remote_event {
    struct ili_remote_object object;
};

il_status ili_remote_event_open(struct ili_remote_domain *domain, const char *name,
                                size_t name_bytes, struct ili_remote_event **out);
il_status ili_remote_event_close(struct ili_remote_event *event);
il_status ili_remote_event_delete(struct ili_remote_domain *domain, const char *name,
                                  size_t name_bytes);
il_status ili_remote_event_set(struct ili_remote_event *event);
il_status ili_remote_event_clear(struct ili_remote_event *event);
il_status ili_remote_event_is_set(struct ili_remote_event *event, int32_t *set);
il_status ili_remote_event_wait(struct ili_remote_event *event, int64_t timeout_ns);

#endif
