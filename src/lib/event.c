/* event.c - il_event_… : checks, and which door. */
#include <stdlib.h>

#include "base/clock.h"
#include "lib/domain.h"

static il_status no_event(void) {
    return ili_fail(IL_EINVAL, "event: expected an event, got NULL");
}

il_status il_event_open(il_domain *domain, const char *name, size_t name_bytes, il_event **out) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the event, got NULL");
    il_status status = ili_check_name(name, name_bytes, true);
    if (status != IL_OK) return status;
    il_event *event = calloc(1, sizeof *event);
    if (!event) return ili_fail(IL_ENOMEM, "this process has no memory");
    if (domain->remote_ops) {
        event->remote_ops = domain->remote_ops;
        status = event->remote_ops->event_open(domain->remote, name, name_bytes, &event->remote);
    } else {
        status = ili_handle_open(domain, &ili_event_kind, name, name_bytes, NULL, &event->handle);
        if (status == IL_OK) {
            event->event =
                ili_object_at(&domain->member.arena, event->handle.object, ILI_KIND_EVENT);
        }
    }
    if (status != IL_OK) {
        free(event);
        return status;
    }
    *out = event;
    return IL_OK;
}

il_status il_event_close(il_event *event) {
    if (!event) return IL_OK;
    il_status status = event->event ? ili_handle_close(&event->handle)
                                    : event->remote_ops->event_close(event->remote);
    free(event);
    return status == IL_OK ? IL_OK : ili_report(status, "event");
}

il_status il_event_delete(il_domain *domain, const char *name, size_t name_bytes) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    il_status status = ili_check_name(name, name_bytes, false);
    if (status != IL_OK) return status;
    if (domain->remote_ops) {
        return domain->remote_ops->event_delete(domain->remote, name, name_bytes);
    }
    return ili_handle_delete(domain, &ili_event_kind, name, name_bytes);
}

il_status il_event_set(il_event *event) {
    if (!event) return no_event();
    if (!event->event) return event->remote_ops->event_set(event->remote);
    return ili_report(ili_event_set(event->handle.member, event->event), "event");
}

il_status il_event_clear(il_event *event) {
    if (!event) return no_event();
    if (!event->event) return event->remote_ops->event_clear(event->remote);
    return ili_report(ili_event_clear(event->handle.member, event->event), "event");
}

il_status il_event_is_set(il_event *event, int32_t *set) {
    struct ili_event_view view;
    if (!event) return no_event();
    if (!set) return ili_fail(IL_EINVAL, "set: expected a place for the answer, got NULL");
    if (!event->event) return event->remote_ops->event_is_set(event->remote, set);
    il_status status = ili_member_check(event->handle.member);
    if (status == IL_OK) {
        ili_event_look(event->event, &view);
        if (view.deleted) status = IL_EDELETED;
    }
    if (status == IL_OK) *set = view.set;
    return ili_report(status, "event");
}

il_status il_event_wait(il_event *event, int64_t timeout_ns) {
    if (!event) return no_event();
    if (timeout_ns < IL_FOREVER) {
        return ili_fail(IL_EINVAL, "timeout_ns: expected IL_FOREVER, IL_NOWAIT or more");
    }
    if (!event->event) return event->remote_ops->event_wait(event->remote, timeout_ns);
    if (ili_event_is_set(event->event) && ili_member_check(event->handle.member) == IL_OK) {
        return IL_OK;
    }
    int64_t deadline = timeout_ns == 0 ? 0 : ili_deadline_in(timeout_ns);
    return ili_report(ili_event_wait(event->handle.member, event->event, deadline), "event");
}
