#include "client/event.h"

#include <stdlib.h>

il_status ili_remote_event_open(struct ili_remote_domain *domain, const char *name,
                                size_t name_bytes, struct ili_remote_event **out) {
    struct ili_remote_event *event = NULL;
    il_status status = ili_remote_object_new(domain, IL_KIND_EVENT, name, name_bytes, sizeof *event,
                                             (void **)&event);
    if (status != IL_OK) return status;
    struct ili_call call;
    ili_remote_object_begin(&call, &event->object, "PUT", NULL);
    status = ili_remote_object_open(&call, true);
    if (status == IL_OK) {
        *out = event;
    } else {
        free(event);
    }
    return status;
}

il_status ili_remote_event_close(struct ili_remote_event *event) {
    free(event);
    return IL_OK;
}

il_status ili_remote_event_delete(struct ili_remote_domain *domain, const char *name,
                                  size_t name_bytes) {
    return ili_remote_object_delete(domain, IL_KIND_EVENT, name, name_bytes);
}

il_status ili_remote_event_set(struct ili_remote_event *event) {
    struct ili_call call;
    il_status status = ili_remote_object_do(&call, &event->object, "set");
    ili_call_end(&call);
    return status;
}

il_status ili_remote_event_clear(struct ili_remote_event *event) {
    struct ili_call call;
    il_status status = ili_remote_object_do(&call, &event->object, "clear");
    ili_call_end(&call);
    return status;
}

il_status ili_remote_event_is_set(struct ili_remote_event *event, int32_t *set) {
    return ili_remote_object_flag(&event->object, "set", set);
}

il_status ili_remote_event_wait(struct ili_remote_event *event, int64_t timeout_ns) {
    return ili_remote_object_wait(&event->object, timeout_ns);
}
