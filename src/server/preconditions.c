#include "server/preconditions.h"

#include <string.h>

#include "server/params.h"
#include "server/request.h"

static bool is_any(const char *value) { return strcmp(value, "*") == 0; }

/* One version in quotes. */
static il_status read_tag(const char *value, uint64_t *version, struct ili_fault *fault) {
    static const char expected[] = "* or one version in quotes";
    size_t bytes = strlen(value);
    struct ili_fault unused;
    if (bytes > 2 && value[0] == '"' && value[bytes - 1] == '"' &&
        ili_params_count("If-Match", value + 1, bytes - 2, 1, IL_VERSION_ANY - 1, version,
                         &unused) == IL_OK) {
        return IL_OK;
    }
    return ili_fault_set(fault, IL_EINVAL, "If-Match", expected, "If-Match: expected %s", expected);
}

il_status ili_precondition_read(const struct ili_request *request, struct ili_precondition *out,
                                struct ili_fault *fault) {
    const char *match = request->match, *none = request->none_match;
    *out = (struct ili_precondition){.version = IL_VERSION_ANY};
    if (match && none) {
        return ili_fault_set(fault, IL_EINVAL, "If-None-Match", "to be absent beside If-Match",
                             "If-None-Match: expected to be absent beside If-Match");
    }
    if (none) {
        out->field = "If-None-Match";
        out->version = IL_VERSION_NONE;
        if (is_any(none)) return IL_OK;
        return ili_fault_set(fault, IL_EINVAL, out->field, "*", "If-None-Match: expected *");
    }
    if (!match) return IL_OK;
    out->field = "If-Match";
    out->exists = is_any(match);
    return out->exists ? IL_OK : read_tag(match, &out->version, fault);
}

il_status ili_precondition_read_match(const struct ili_request *request,
                                      struct ili_precondition *out, struct ili_fault *fault) {
    if (!request->none_match) return ili_precondition_read(request, out, fault);
    return ili_fault_set(fault, IL_EINVAL, "If-None-Match", "to be absent here",
                         "If-None-Match: expected to be absent here");
}
