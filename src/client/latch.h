/*
 * latch.h - latches of an http: domain; the calls of interlock.h, as lib/remote.h has them.
 */
#ifndef ILI_CLIENT_LATCH_H
#define ILI_CLIENT_LATCH_H

#include "client/object.h"

struct ili_remote_latch {
    struct ili_remote_object object;
};

il_status ili_remote_latch_open(struct ili_remote_domain *domain, const char *name,
                                size_t name_bytes, const uint32_t *count,
                                struct ili_remote_latch **out);
il_status ili_remote_latch_close(struct ili_remote_latch *latch);
il_status ili_remote_latch_delete(struct ili_remote_domain *domain, const char *name,
                                  size_t name_bytes);
il_status ili_remote_latch_count_down(struct ili_remote_latch *latch, uint32_t count,
                                      uint32_t *left);
il_status ili_remote_latch_wait(struct ili_remote_latch *latch, int64_t timeout_ns);
il_status ili_remote_latch_count(struct ili_remote_latch *latch, uint32_t *count);

#endif
