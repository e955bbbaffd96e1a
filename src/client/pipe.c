#include "client/pipe.h"

#include <stdlib.h>

#include "client/message.h"
#include "client/queue_room.h"

static const char *end_name(uint32_t end) { return end == IL_PIPE_A ? "a" : "b"; }

/* Begins OPERATION at the pipe's end, for the session that claimed it. */
static void begin(struct ili_call *call, const struct ili_remote_pipe *pipe,
                  const char *operation) {
    ili_remote_object_begin(call, &pipe->object, "POST", operation);
    ili_call_field_text(call, "end", end_name(pipe->end), 1);
    ili_remote_session_name(call, &pipe->session, 0);
}

/* STATUS of a call that named the session. */
static il_status verdict(const struct ili_remote_pipe *pipe, il_status status) {
    if (status == IL_ESESSION) {
        ili_remote_session_ended(pipe->object.domain, pipe->session.number);
    }
    return ili_remote_object_gone(status);
}

/* ---- open and close ------------------------------------------------------------------------------- */

static il_status put(const struct ili_remote_pipe *pipe, const il_pipe_options *options) {
    struct ili_call call;
    ili_remote_object_begin(&call, &pipe->object, "PUT", NULL);
    if (options) {
        ili_call_field_bool(&call, "one_way", options->flags & IL_PIPE_ONE_WAY);
        ili_call_field(&call, "max_bytes");
        ili_buffer_add_number(&call.body, options->max_bytes ? options->max_bytes : IL_PIPE_BYTES);
    }
    return ili_remote_object_open(&call, !options);
}

/* IL_ESESSION: the session has ended, and nothing was claimed. */
static il_status claim_once(struct ili_remote_pipe *pipe) {
    struct ili_call call;
    il_status status = ili_remote_session_use(pipe->object.domain, &pipe->session);
    if (status != IL_OK) return status;
    begin(&call, pipe, "claim");
    call.keyed = true;
    status = verdict(pipe, ili_call_run(&call));
    ili_call_end(&call);
    return status;
}

il_status ili_remote_pipe_open(struct ili_remote_domain *domain, const char *name,
                               size_t name_bytes, const il_pipe_options *options, uint32_t end,
                               struct ili_remote_pipe **out) {
    struct ili_remote_pipe *pipe = NULL;
    il_status status =
        ili_remote_object_new(domain, IL_KIND_PIPE, name, name_bytes, sizeof *pipe, (void **)&pipe);
    if (status != IL_OK) return status;
    pipe->end = end;
    status = put(pipe, options);
    if (status == IL_OK) {
        int attempt = 0;
        do {
            status = claim_once(pipe);
        } while (status == IL_ESESSION && ++attempt < ILI_SESSION_ATTEMPTS);
    }
    if (status == IL_OK) {
        *out = pipe;
    } else {
        free(pipe);
    }
    return status;
}

il_status ili_remote_pipe_close(struct ili_remote_pipe *pipe) {
    struct ili_call call;
    il_status status = ili_remote_domain_check(pipe->object.domain);
    if (status == IL_OK) {
        begin(&call, pipe, "close");
        call.keyed = true;
        status = verdict(pipe, ili_call_run(&call));
        ili_call_end(&call);
    }
    free(pipe);
    /* nothing is left to close where the pipe, the session or the parent's domain is gone */
    bool gone = status == IL_EDELETED || status == IL_ESESSION || status == IL_ENOTHELD ||
                status == IL_EFORKED;
    return gone ? IL_OK : status;
}

il_status ili_remote_pipe_delete(struct ili_remote_domain *domain, const char *name,
                                 size_t name_bytes) {
    return ili_remote_object_delete(domain, IL_KIND_PIPE, name, name_bytes);
}

/* ---- messages ------------------------------------------------------------------------------------- */

il_status ili_remote_pipe_send(struct ili_remote_pipe *pipe, const void *data, size_t bytes,
                               uint32_t type, int64_t timeout_ns) {
    il_status status = ili_remote_domain_check(pipe->object.domain);
    if (status != IL_OK) return status;
    struct ili_wait wait;
    struct ili_call call;
    ili_wait_begin(&wait, timeout_ns);
    begin(&call, pipe, "send");
    call.keyed = true;
    ili_buffer_add_text(&call.body, ",");
    status = ili_message_write(&call.body, data, bytes, type);
    if (status == IL_OK) status = verdict(pipe, ili_call_wait(&call, &wait));
    ili_call_end(&call);
    return status;
}

il_status ili_remote_pipe_receive(struct ili_remote_pipe *pipe, void *buffer, size_t capacity,
                                  size_t *bytes, uint32_t *type, int64_t timeout_ns) {
    il_status status = ili_remote_domain_check(pipe->object.domain);
    if (status != IL_OK) return status;
    struct ili_wait wait;
    struct ili_call call;
    ili_wait_begin(&wait, timeout_ns);
    begin(&call, pipe, "receive");
    status = verdict(pipe, ili_remote_queue_take(&call, &wait, buffer, capacity, bytes, type));
    ili_call_end(&call);
    return status;
}

static bool is_not_ready(const struct ili_call *call) {
    return ili_json_is(ili_json_member(call->object, "ready"), "false");
}

il_status ili_remote_pipe_poll(struct ili_remote_pipe *pipe, int64_t timeout_ns, int32_t *ready) {
    il_status status = ili_remote_domain_check(pipe->object.domain);
    if (status != IL_OK) return status;
    struct ili_wait wait;
    struct ili_call call;
    ili_wait_begin(&wait, timeout_ns);
    begin(&call, pipe, "poll");
    call.vain = is_not_ready;
    status = verdict(pipe, ili_call_wait(&call, &wait));
    if (status == IL_OK && !ili_json_is(ili_json_member(call.object, "ready"), "true")) {
        status = ili_call_nonsense(&call, "something that lacks ready");
    } else if (status == IL_OK || status == IL_ETIMEOUT) {
        *ready = status == IL_OK;
        status = IL_OK;
    }
    ili_call_end(&call);
    return status;
}

/* ---- a glance ------------------------------------------------------------------------------------- */

static bool read_end(struct ili_json one, uint32_t end, il_pipe_info *info) {
    struct ili_json closed = ili_json_member(one, "closed");
    uint64_t claims;
    if (!ili_json_number(ili_json_member(one, "claimed_by"), &claims) ||
        !ili_json_number(ili_json_member(one, "waiting"), &info->waiting[end])) {
        return false;
    }
    info->claims[end] = (uint32_t)claims;
    info->closed[end] = ili_json_is(closed, "true");
    return info->closed[end] || ili_json_is(closed, "false");
}

il_status ili_remote_pipe_info_get(struct ili_remote_pipe *pipe, il_pipe_info *info) {
    il_pipe_info all = {0};
    struct ili_call call;
    il_status status = ili_remote_object_view(&call, &pipe->object);
    if (status == IL_OK) {
        struct ili_json ends = ili_json_member(call.object, "ends");
        struct ili_json_walk walk = {0};
        if (ili_json_is(ili_json_member(call.object, "one_way"), "true")) {
            all.flags = IL_PIPE_ONE_WAY;
        }
        if (!ili_json_number(ili_json_member(call.object, "max_bytes"), &all.max_bytes) ||
            !read_end(ili_json_next(ends, &walk), 0, &all) ||
            !read_end(ili_json_next(ends, &walk), 1, &all)) {
            status = ili_call_nonsense(&call, "a pipe without its ends");
        }
    }
    ili_call_end(&call);
    if (status == IL_OK) *info = all;
    return status;
}
