#include "client/object.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define VIEW_BYTES ((size_t)16 * 1024 * 1024) /* a view lists who holds it, and who waits */

static il_status check(const struct ili_remote_domain *domain, const char *name,
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
                            uint32_t kind, const char *name, size_t name_bytes) {
    object->domain = domain;
    object->kind = kind;
    object->name_bytes = name_bytes;
    memcpy(object->name, name, name_bytes);
}

/* ---- open and delete ---------------------------------------------------------------------------- */

il_status ili_remote_object_new(struct ili_remote_domain *domain, uint32_t kind, const char *name,
                                size_t name_bytes, size_t bytes, void **out) {
    il_status status = check(domain, name, name_bytes);
    if (status != IL_OK) return status;
    struct ili_remote_object *object = calloc(1, bytes);
    if (!object) {
        return ili_remote_fail(IL_ENOMEM, "no memory for a handle of the %s",
                               ili_remote_kind_word(kind));
    }
    ili_remote_object_name(object, domain, kind, name, name_bytes);
    *out = object;
    return IL_OK;
}

il_status ili_remote_object_open(struct ili_call *call, bool any) {
    il_status status = ili_call_run(call);
    if (any && status == IL_ECONFLICT) status = IL_OK;
    ili_call_end(call);
    return status;
}

il_status ili_remote_object_delete(struct ili_remote_domain *domain, uint32_t kind,
                                   const char *name, size_t name_bytes) {
    il_status status = check(domain, name, name_bytes);
    if (status != IL_OK) return status;
    struct ili_call call;
    ili_call_begin(&call, domain, "DELETE", ili_remote_kind_collection(kind), name, name_bytes,
                   NULL);
    status = ili_call_run(&call);
    if (status == IL_ENOTFOUND && call.resent) status = IL_OK; /* by the request before */
    ili_call_end(&call);
    return status;
}

/* ---- requests ----------------------------------------------------------------------------------- */

void ili_remote_object_begin(struct ili_call *call, const struct ili_remote_object *object,
                             const char *method, const char *operation) {
    ili_call_begin(call, object->domain, method, ili_remote_kind_collection(object->kind),
                   object->name, object->name_bytes, operation);
}

il_status ili_remote_object_gone(il_status status) {
    return status == IL_ENOTFOUND ? ili_remote_fail(IL_EDELETED, NULL) : status;
}

il_status ili_remote_object_do(struct ili_call *call, const struct ili_remote_object *object,
                               const char *operation) {
    ili_remote_object_begin(call, object, "POST", operation);
    call->keyed = true;
    il_status status = ili_remote_domain_check(object->domain);
    return status == IL_OK ? ili_remote_object_gone(ili_call_run(call)) : status;
}

il_status ili_remote_object_wait(const struct ili_remote_object *object, int64_t timeout_ns) {
    il_status status = ili_remote_domain_check(object->domain);
    if (status != IL_OK) return status;
    struct ili_wait wait;
    struct ili_call call;
    ili_wait_begin(&wait, timeout_ns);
    ili_remote_object_begin(&call, object, "POST", "wait");
    status = ili_remote_object_gone(ili_call_wait(&call, &wait));
    ili_call_end(&call);
    return status;
}

/* ---- views -------------------------------------------------------------------------------------- */

il_status ili_remote_object_view(struct ili_call *call, const struct ili_remote_object *object) {
    ili_remote_object_begin(call, object, "GET", NULL);
    call->answer_max = VIEW_BYTES;
    il_status status = ili_remote_domain_check(object->domain);
    return status == IL_OK ? ili_remote_object_gone(ili_call_run(call)) : status;
}

static il_status answer_number(struct ili_call *call, const char *member, uint64_t *number) {
    if (ili_json_number(ili_json_member(call->object, member), number)) return IL_OK;
    return ili_call_nonsense(call, "something that lacks a number");
}

il_status ili_remote_object_number(const struct ili_remote_object *object, const char *member,
                                   uint64_t *number) {
    struct ili_call call;
    il_status status = ili_remote_object_view(&call, object);
    if (status == IL_OK) status = answer_number(&call, member, number);
    ili_call_end(&call);
    return status;
}

il_status ili_remote_answer_count(struct ili_call *call, const char *member, uint32_t *count) {
    uint64_t number;
    il_status status = answer_number(call, member, &number);
    if (status == IL_OK) *count = number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
    return status;
}

il_status ili_remote_object_count(const struct ili_remote_object *object, const char *member,
                                  uint32_t *count) {
    struct ili_call call;
    il_status status = ili_remote_object_view(&call, object);
    if (status == IL_OK) status = ili_remote_answer_count(&call, member, count);
    ili_call_end(&call);
    return status;
}

il_status ili_remote_object_flag(const struct ili_remote_object *object, const char *member,
                                 int32_t *flag) {
    struct ili_call call;
    il_status status = ili_remote_object_view(&call, object);
    if (status == IL_OK) {
        struct ili_json value = ili_json_member(call.object, member);
        if (json_is_boolean(value.json)) {
            *flag = ili_json_is(value, "true");
        } else {
            status = ili_call_nonsense(&call, "something that lacks a flag");
        }
    }
    ili_call_end(&call);
    return status;
}
