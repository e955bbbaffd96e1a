/*
 * workers.h - pools of the server, as this side has them; the calls of interlock.h, as lib/remote.h has
 * them. A handle is the pool's name.
 */
#ifndef ILI_CLIENT_WORKERS_H
#define ILI_CLIENT_WORKERS_H

#include "client/call.h"

struct ili_remote_workers {
    struct ili_remote_domain *domain;
    size_t name_bytes;
    char name[IL_NAME_MAX_BYTES];
};

il_status ili_remote_workers_open(struct ili_remote_domain *domain, const char *name,
                                  size_t name_bytes, struct ili_remote_workers **out);
il_status ili_remote_workers_close(struct ili_remote_workers *workers);
il_status ili_remote_workers_submit(struct ili_remote_workers *workers,
                                    const struct ili_remote_work *work,
                                    struct ili_remote_task **out);
il_status ili_remote_workers_apply(struct ili_remote_workers *workers,
                                   const struct ili_remote_work *work, int64_t timeout_ns,
                                   struct ili_remote_task **out);
il_status ili_remote_workers_lanes(struct ili_remote_workers *workers, const char *function,
                                   size_t function_bytes, struct ili_remote_lanes *lanes);

/* Begins a request about the pool. */
void ili_remote_workers_begin(struct ili_call *call, const struct ili_remote_workers *workers,
                              const char *method, const char *operation);

/* Adds what WORK asks for to the body: "function", "kwargs", the options. */
void ili_remote_work_write(struct ili_call *call, const struct ili_remote_work *work);

#endif
