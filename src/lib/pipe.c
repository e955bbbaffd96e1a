/*
 * pipe.c - il_pipe_… : checks, and which door.
 *
 * A handle is an entry of the open table and one claim of its end, which is made after the entry and given
 * up before it: so whatever claims are left by a process that dies, its open table leads to them.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/domain.h"
#include "lib/grant.h"
#include "lib/message.h"
#include "lib/share.h"

static il_status no_pipe(void) { return ili_fail(IL_EINVAL, "pipe: expected a pipe, got NULL"); }

static il_status check_end(uint32_t end) {
    if (end == IL_PIPE_A || end == IL_PIPE_B) return IL_OK;
    return ili_fail(IL_EINVAL, "end: expected IL_PIPE_A or IL_PIPE_B, got %u", end);
}

/* STATUS with the error text, of a call at END. */
static il_status report(il_status status, uint32_t end) {
    if (status != IL_EUNSUPPORTED) return ili_report(status, "pipe");
    return ili_fail(status, "pipe: it is one-way: end %s",
                    end == IL_PIPE_A ? "A only receives" : "B only sends");
}

/* ---- open and close ------------------------------------------------------------------------------- */

static il_status check_options(const il_pipe_options *options) {
    if (!options) return IL_OK;
    if (options->struct_bytes < sizeof *options) {
        return ili_fail(IL_EINVAL, "options.struct_bytes: expected sizeof(il_pipe_options)");
    }
    if (options->flags & ~IL_PIPE_ONE_WAY) {
        return ili_fail(IL_EINVAL, "options.flags: expected 0 or IL_PIPE_ONE_WAY, got %u",
                        options->flags);
    }
    return IL_OK;
}

/* The open handle of PIPE claims END, or is closed. */
static il_status claim(il_pipe *pipe, uint32_t end) {
    struct ili_member *m = pipe->handle.member;
    pipe->pipe = ili_object_at(&m->arena, pipe->handle.object, ILI_KIND_PIPE);
    pipe->end = end;
    il_status status = pipe->pipe ? ili_pipe_claim(m, pipe->pipe, end, m->slot) : IL_ECORRUPT;
    if (status == IL_OK) return IL_OK;
    (void)ili_handle_close(&pipe->handle);
    if (status != IL_EPIPE) return ili_report(status, "pipe");
    return ili_fail(status, "pipe: end %s is closed for good", end == IL_PIPE_A ? "A" : "B");
}

il_status ili_pipe_adopted(il_pipe *pipe, uint32_t end) { return claim(pipe, end); }

il_status il_pipe_open(il_domain *domain, const char *name, size_t name_bytes,
                       const il_pipe_options *options, uint32_t end, il_pipe **out) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    if (!out) return ili_fail(IL_EINVAL, "out: expected a place for the pipe, got NULL");
    il_status status = ili_check_name(name, name_bytes, false);
    if (status == IL_OK) status = check_options(options);
    if (status == IL_OK) status = check_end(end);
    if (status != IL_OK) return status;
    il_pipe *pipe = calloc(1, sizeof *pipe);
    if (!pipe) return ili_fail(IL_ENOMEM, "this process has no memory");
    pipe->end = end;
    if (domain->remote_ops) {
        pipe->remote_ops = domain->remote_ops;
        status = pipe->remote_ops->pipe_open(domain->remote, name, name_bytes, options, end,
                                             &pipe->remote);
    } else {
        status = ili_handle_open(domain, &ili_pipe_kind, name, name_bytes, options, &pipe->handle);
        if (status == IL_OK) status = claim(pipe, end);
    }
    if (status != IL_OK) {
        free(pipe);
        return status;
    }
    *out = pipe;
    return IL_OK;
}

il_status il_pipe_open_pair(il_domain *domain, const il_pipe_options *options, il_pipe **a,
                            il_pipe **b) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    if (!a || !b) return ili_fail(IL_EINVAL, "a, b: expected places for both ends, got NULL");
    il_status status = check_options(options);
    if (status != IL_OK) return status;
    if (domain->remote_ops) {
        return ili_fail(IL_EUNSUPPORTED, "an http: domain has no pipes without a name");
    }
    il_pipe *ends[2] = {calloc(1, sizeof **a), calloc(1, sizeof **b)};
    if (!ends[0] || !ends[1]) {
        free(ends[0]);
        free(ends[1]);
        return ili_fail(IL_ENOMEM, "this process has no memory");
    }
    status = ili_handle_open(domain, &ili_pipe_kind, NULL, 0, options, &ends[0]->handle);
    if (status == IL_OK) status = claim(ends[0], IL_PIPE_A);
    if (status == IL_OK) {
        status = ili_handle_again(&ends[0]->handle, &ends[1]->handle);
        if (status == IL_OK) status = claim(ends[1], IL_PIPE_B);
        if (status != IL_OK) {
            (void)ili_pipe_give_up(&domain->member, ends[0]->pipe, IL_PIPE_A, domain->member.slot);
            (void)ili_handle_close(&ends[0]->handle);
        }
    }
    if (status != IL_OK) {
        free(ends[0]);
        free(ends[1]);
        return status;
    }
    *a = ends[0];
    *b = ends[1];
    return IL_OK;
}

/* A claim that cannot be given up keeps its entry, so that the end of the process finds it. */
static il_status close_local(il_pipe *pipe) {
    struct ili_member *m = pipe->handle.member;
    il_status status = ili_pipe_give_up(m, pipe->pipe, pipe->end, m->slot);
    bool gone = status == IL_EGONE || status == IL_EFORKED || status == IL_ENOTHELD;
    return status == IL_OK || gone ? ili_handle_close(&pipe->handle) : status;
}

il_status il_pipe_close(il_pipe *pipe) {
    if (!pipe) return IL_OK;
    il_status status = pipe->pipe ? close_local(pipe) : pipe->remote_ops->pipe_close(pipe->remote);
    free(pipe);
    return status == IL_OK ? IL_OK : ili_report(status, "pipe");
}

il_status il_pipe_delete(il_domain *domain, const char *name, size_t name_bytes) {
    if (!domain) return ili_fail(IL_EINVAL, "domain: expected a domain, got NULL");
    il_status status = ili_check_name(name, name_bytes, false);
    if (status != IL_OK) return status;
    if (domain->remote_ops) {
        return domain->remote_ops->pipe_delete(domain->remote, name, name_bytes);
    }
    return ili_handle_delete(domain, &ili_pipe_kind, name, name_bytes);
}

/* ---- messages ------------------------------------------------------------------------------------- */

il_status il_pipe_send(il_pipe *pipe, const void *data, size_t bytes, uint32_t type,
                       int64_t timeout_ns) {
    if (!pipe) return no_pipe();
    il_status status = ili_message_check(data, bytes, type);
    if (status == IL_OK) status = ili_check_timeout(timeout_ns);
    if (status != IL_OK) return status;
    if (!pipe->pipe) {
        return pipe->remote_ops->pipe_send(pipe->remote, data, bytes, type, timeout_ns);
    }
    struct ili_payload message = {data, bytes, type};
    status = ili_pipe_send(pipe->handle.member, pipe->pipe, pipe->end, &message,
                           ili_deadline_of(timeout_ns));
    return report(status, pipe->end);
}

il_status il_pipe_receive(il_pipe *pipe, void *buffer, size_t capacity, size_t *bytes,
                          uint32_t *type, int64_t timeout_ns) {
    if (!pipe) return no_pipe();
    if (!bytes) return ili_fail(IL_EINVAL, "bytes: expected a place for the answer, got NULL");
    il_status status = ili_check_timeout(timeout_ns);
    if (status != IL_OK) return status;
    if (!pipe->pipe) {
        return pipe->remote_ops->pipe_receive(pipe->remote, buffer, capacity, bytes, type,
                                              timeout_ns);
    }
    struct ili_taken message = ili_message_room(buffer, capacity);
    status = ili_pipe_receive(pipe->handle.member, pipe->pipe, pipe->end, &message,
                              ili_deadline_of(timeout_ns));
    if (status == IL_EUNSUPPORTED) return report(status, pipe->end);
    return ili_message_taken(status, &message, bytes, type, "pipe");
}

il_status il_pipe_poll(il_pipe *pipe, int64_t timeout_ns, int32_t *ready) {
    if (!pipe) return no_pipe();
    if (!ready) return ili_fail(IL_EINVAL, "ready: expected a place for the answer, got NULL");
    il_status status = ili_check_timeout(timeout_ns);
    if (status != IL_OK) return status;
    if (!pipe->pipe) return pipe->remote_ops->pipe_poll(pipe->remote, timeout_ns, ready);
    status = ili_pipe_poll(pipe->handle.member, pipe->pipe, pipe->end, ili_deadline_of(timeout_ns));
    if (status != IL_OK && status != IL_ETIMEOUT) return report(status, pipe->end);
    *ready = status == IL_OK;
    return IL_OK;
}

/* ---- a glance ------------------------------------------------------------------------------------- */

static il_status local_info(const il_pipe *pipe, il_pipe_info *all) {
    struct ili_pipe_view view;
    il_status status = ili_member_check(pipe->handle.member);
    if (status == IL_OK) {
        ili_pipe_look(pipe->handle.member, pipe->pipe, &view);
        if (view.deleted) status = IL_EDELETED;
    }
    if (status != IL_OK) return ili_report(status, "pipe");
    all->flags = pipe->pipe->flags;
    all->max_bytes = pipe->pipe->max_bytes;
    for (uint32_t end = 0; end < ILI_PIPE_ENDS; end++) {
        all->claims[end] = view.claims[end];
        all->closed[end] = view.closed[end];
        all->waiting[end] = view.waiting[end];
    }
    return IL_OK;
}

il_status il_pipe_info_get(il_pipe *pipe, il_pipe_info *info) {
    il_pipe_info all = {0};
    if (!pipe) return no_pipe();
    if (!info || info->struct_bytes < sizeof(uint32_t)) {
        return ili_fail(IL_EINVAL, "info.struct_bytes: expected sizeof(il_pipe_info)");
    }
    uint32_t bytes = info->struct_bytes;
    il_status status =
        pipe->pipe ? local_info(pipe, &all) : pipe->remote_ops->pipe_info_get(pipe->remote, &all);
    if (status != IL_OK) return status;
    all.struct_bytes = bytes;
    all.end = pipe->end;
    memcpy(info, &all, bytes < sizeof all ? bytes : sizeof all);
    return IL_OK;
}
