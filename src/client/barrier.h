/*
 * barrier.h - barriers of an http: domain; the calls of interlock.h, as lib/remote.h has them.
 *
 * A wait is one request, since a second would be another party. So it lasts at most as long as the server
 * lets a request wait (http.long_poll): then it ends with IL_ETIMEOUT, which breaks the barrier.
 */
#ifndef ILI_CLIENT_BARRIER_H
#define ILI_CLIENT_BARRIER_H

#include "client/object.h"

struct ili_remote_barrier {
    struct ili_remote_object object;
};

il_status ili_remote_barrier_open(struct ili_remote_domain *domain, const char *name,
                                  size_t name_bytes, const uint32_t *parties,
                                  struct ili_remote_barrier **out);
il_status ili_remote_barrier_close(struct ili_remote_barrier *barrier);
il_status ili_remote_barrier_delete(struct ili_remote_domain *domain, const char *name,
                                    size_t name_bytes);
il_status ili_remote_barrier_wait(struct ili_remote_barrier *barrier, int64_t timeout_ns,
                                  uint32_t *index);
il_status ili_remote_barrier_reset(struct ili_remote_barrier *barrier);
il_status ili_remote_barrier_abort(struct ili_remote_barrier *barrier);
il_status ili_remote_barrier_info_get(struct ili_remote_barrier *barrier, il_barrier_info *info);

#endif
