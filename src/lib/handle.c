/* handle.c - the part of opening, closing and deleting that all kinds of object share. */
#include "arena/open_table.h"
#include "base/text.h"
#include "lib/domain.h"

il_status ili_report(il_status status, const char *what) {
    switch (status) {
    case IL_OK:
    case IL_EOWNERDEAD: return status;
    case IL_ENOMEM:
        return ili_fail(status, "%s: the domain's arena is full, or %s has its share of it", what,
                        what);
    case IL_ELIMIT:
        return ili_fail(status, "%s: too many threads or processes wait in this domain", what);
    default: return ili_fail(status, "%s", what);
    }
}

il_status ili_check_name(const char *name, size_t name_bytes, bool anonymous) {
    const char *why;
    if (!name && anonymous) return IL_OK;
    if (!name) return ili_fail(IL_EINVAL, "name: expected a string, got NULL");
    il_status status = ili_name_check(name, name_bytes, &why);
    return status == IL_OK ? IL_OK : ili_fail(status, "name: %s", why);
}

il_status ili_handle_open(struct il_domain *domain, const struct ili_kind *kind, const char *name,
                          size_t name_bytes, const void *options, struct ili_handle *out) {
    struct ili_member *m = &domain->member;
    const char *what = kind->number == ILI_KIND_LOCK ? "lock" : "queue";
    struct ili_agent *self;
    struct ili_handle handle = {.member = m};
    il_status status = ili_agent_current(m, &self);
    if (status != IL_OK) return ili_report(status, what);
    status = ili_open_claim(m, self, &handle.entry);
    if (status != IL_OK) return ili_report(status, what);
    status = ili_names_open(m, self, kind, name, name ? name_bytes : 0, options, 0,
                            ili_open_entry(m, handle.entry), &handle.object, NULL);
    if (status != IL_OK) {
        ili_open_release(m, handle.entry);
        return ili_report(status, what);
    }
    *out = handle;
    return IL_OK;
}

il_status ili_handle_close(struct ili_handle *handle) {
    struct ili_member *m = handle->member;
    struct ili_agent *self;
    il_status status = ili_agent_current(m, &self);
    if (status != IL_OK) return status;
    status = ili_names_close(m, self, handle->object, ili_open_entry(m, handle->entry));
    if (status == IL_OK) ili_open_release(m, handle->entry);
    return status;
}

il_status ili_handle_delete(struct il_domain *domain, const struct ili_kind *kind, const char *name,
                            size_t name_bytes) {
    struct ili_agent *self;
    il_status status = ili_agent_current(&domain->member, &self);
    if (status == IL_OK) {
        status = ili_names_delete(&domain->member, self, kind, name, name_bytes);
    }
    return ili_report(status, kind->number == ILI_KIND_LOCK ? "lock" : "queue");
}
