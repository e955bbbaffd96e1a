#include "client/latch.h"

#include <stdlib.h>

il_status ili_remote_latch_open(struct ili_remote_domain *domain, const char *name,
                                size_t name_bytes, const uint32_t *count,
                                struct ili_remote_latch **out) {
    struct ili_remote_latch *latch = NULL;
    il_status status = ili_remote_object_new(domain, IL_KIND_LATCH, name, name_bytes, sizeof *latch,
                                             (void **)&latch);
    if (status != IL_OK) return status;
    struct ili_call call;
    ili_remote_object_begin(&call, &latch->object, "PUT", NULL);
    if (count) {
        ili_call_field(&call, "count");
        ili_buffer_add_number(&call.body, *count);
    }
    status = ili_remote_object_open(&call, !count);
    if (status == IL_OK) {
        *out = latch;
    } else {
        free(latch);
    }
    return status;
}

il_status ili_remote_latch_close(struct ili_remote_latch *latch) {
    free(latch);
    return IL_OK;
}

il_status ili_remote_latch_delete(struct ili_remote_domain *domain, const char *name,
                                  size_t name_bytes) {
    return ili_remote_object_delete(domain, IL_KIND_LATCH, name, name_bytes);
}

il_status ili_remote_latch_count_down(struct ili_remote_latch *latch, uint32_t count,
                                      uint32_t *left) {
    il_status status = ili_remote_domain_check(latch->object.domain);
    if (status != IL_OK) return status;
    struct ili_call call;
    uint32_t now;
    ili_remote_object_begin(&call, &latch->object, "POST", "count_down");
    call.keyed = true;
    ili_call_field(&call, "count");
    ili_buffer_add_number(&call.body, count);
    status = ili_remote_object_gone(ili_call_run(&call));
    if (status == IL_OK) status = ili_remote_answer_count(&call, "count", &now);
    if (status == IL_OK && left) *left = now;
    ili_call_end(&call);
    return status;
}

il_status ili_remote_latch_wait(struct ili_remote_latch *latch, int64_t timeout_ns) {
    return ili_remote_object_wait(&latch->object, timeout_ns);
}

il_status ili_remote_latch_count(struct ili_remote_latch *latch, uint32_t *count) {
    return ili_remote_object_count(&latch->object, "count", count);
}
