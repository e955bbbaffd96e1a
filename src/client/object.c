#include "client/object.h"

#include <string.h>

#include "base/text.h"

il_status ili_remote_object_check(const struct ili_remote_domain *domain, const char *name,
                                  size_t name_bytes) {
    il_status status = ili_remote_domain_check(domain);
    if (status != IL_OK) return status;
    if (!name) {
        return ili_remote_fail(IL_EUNSUPPORTED, "an object without a name cannot be shared over "
                                                "HTTP; give it one, or use a unix: domain");
    }
    const char *why = NULL;
    status = ili_name_check(name, name_bytes, &why);
    return status == IL_OK ? IL_OK : ili_remote_fail(status, "%s", why);
}

void ili_remote_object_name(struct ili_remote_object *object, struct ili_remote_domain *domain,
                            const char *name, size_t name_bytes) {
    object->domain = domain;
    object->name_bytes = name_bytes;
    memcpy(object->name, name, name_bytes);
}

il_status ili_remote_object_open(struct ili_call *call, bool any) {
    il_status status = ili_call_run(call);
    if (any && status == IL_ECONFLICT) status = IL_OK;
    ili_call_end(call);
    return status;
}

il_status ili_remote_object_delete(struct ili_remote_domain *domain, const char *collection,
                                   const char *name, size_t name_bytes) {
    il_status status = ili_remote_object_check(domain, name, name_bytes);
    if (status != IL_OK) return status;
    struct ili_call call;
    ili_call_begin(&call, domain, "DELETE", collection, name, name_bytes, NULL);
    status = ili_call_run(&call);
    if (status == IL_ENOTFOUND && call.resent) status = IL_OK; /* by the request before */
    ili_call_end(&call);
    return status;
}

void ili_remote_object_begin(struct ili_call *call, const struct ili_remote_object *object,
                             const char *method, const char *collection, const char *operation) {
    ili_call_begin(call, object->domain, method, collection, object->name, object->name_bytes,
                   operation);
}

il_status ili_remote_object_gone(il_status status) {
    return status == IL_ENOTFOUND ? ili_remote_fail(IL_EDELETED, NULL) : status;
}

il_status ili_remote_object_view(struct ili_call *call, const struct ili_remote_object *object,
                                 const char *collection) {
    ili_remote_object_begin(call, object, "GET", collection, NULL);
    return ili_remote_object_gone(ili_call_run(call));
}
