/*
 * pipe.h - pipes of an http: domain; the calls of interlock.h, as lib/remote.h has them.
 *
 * The session that the domain has on the server claims the end. If that session ends (it could not be renewed
 * in time, or was ended there), so do its claims, and the handle's calls fail with IL_ESESSION.
 */
#ifndef ILI_CLIENT_PIPE_H
#define ILI_CLIENT_PIPE_H

#include "client/object.h"
#include "client/session.h"
#include "lib/remote.h"

struct ili_remote_pipe {
    struct ili_remote_object object;
    uint32_t end;
    struct ili_remote_session_ref session; /* whose claim it is */
};

il_status ili_remote_pipe_open(struct ili_remote_domain *domain, const char *name,
                               size_t name_bytes, const il_pipe_options *options, uint32_t end,
                               struct ili_remote_pipe **out);
il_status ili_remote_pipe_close(struct ili_remote_pipe *pipe);
il_status ili_remote_pipe_delete(struct ili_remote_domain *domain, const char *name,
                                 size_t name_bytes);
il_status ili_remote_pipe_send(struct ili_remote_pipe *pipe, const void *data, size_t bytes,
                               uint32_t type, int64_t timeout_ns);
il_status ili_remote_pipe_receive(struct ili_remote_pipe *pipe, void *buffer, size_t capacity,
                                  size_t *bytes, uint32_t *type, int64_t timeout_ns);
il_status ili_remote_pipe_poll(struct ili_remote_pipe *pipe, int64_t timeout_ns, int32_t *ready);
il_status ili_remote_pipe_info_get(struct ili_remote_pipe *pipe, il_pipe_info *info);

#endif
