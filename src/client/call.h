/*
 * call.h - one call of the C ABI as a request of the HTTP API, repeated where that is safe.
 *
 *     struct ili_call call;
 *     ili_call_begin(&call, domain, "POST", "locks", name, name_bytes, "release");
 *     ili_call_field(&call, "token");
 *     ili_buffer_add_text(&call.body, "\"17\"");
 *     il_status status = ili_call_run(&call);
 *     …ili_json_member(call.object, "released")…
 *     ili_call_end(&call);
 *
 * A request whose answer was lost is sent again, at most ILI_CALL_ATTEMPTS times in all. What takes
 * or gives something carries an Idempotency-Key, so that the server answers as it did before; the
 * rest does no harm twice, and `resent` tells that it may have been done already.
 *
 * Every failing call has written the error text.
 */
#ifndef ILI_CLIENT_CALL_H
#define ILI_CLIENT_CALL_H

#include "client/domain.h"
#include "client/json_text.h"

#define ILI_CALL_ATTEMPTS 4
#define ILI_CALL_ANSWER_BYTES 1048576 /* answers that hold no message */

struct ili_call {
    struct ili_remote_domain *domain;
    const char *method;
    struct ili_buffer path, body; /* the body begins with { and lacks its } */
    size_t answer_max;
    bool keyed;         /* send an Idempotency-Key, a new one for each request but a repeat */
    bool once;          /* ili_call_wait() does not outlast the server's limit */
    bool late;          /* the answer to a wait may come any time after its timeout */
    bool sole;          /* never sent again, and given up at once when its time is over */
    const char *header; /* another line of the request's head, or NULL */
    bool (*sink)(void *context, const char *data, size_t bytes); /* as in http.h */
    void *sink_context;
    /* Whether a successful answer to a wait says that what is waited for has not come: then the wait goes on,
     * or ends, as after a timeout. NULL: a success is one. */
    bool (*vain)(const struct ili_call *call);
    bool resent; /* the server may have seen this more than once */
    struct ili_http_answer answer;
    struct ili_json object; /* the answer's; also of a failure the server explained */
};

/* Path /v1/COLLECTION[/NAME[/OPERATION]]; NAME and OPERATION may be NULL. */
void ili_call_begin(struct ili_call *call, struct ili_remote_domain *domain, const char *method,
                    const char *collection, const char *name, size_t name_bytes,
                    const char *operation);

/* Begins a member of the body; its value is to be added to call->body. */
void ili_call_field(struct ili_call *call, const char *key);

/* Adds a member: a string of UTF-8; a number of 64 bits, as a string; a token; true or false; "on_deadlock", by the FLAGS of options. */
void ili_call_field_text(struct ili_call *call, const char *key, const char *text, size_t bytes);
void ili_call_field_number_text(struct ili_call *call, const char *key, uint64_t number);
void ili_call_field_token(struct ili_call *call, uint64_t token);
void ili_call_field_bool(struct ili_call *call, const char *key, bool value);
void ili_call_field_deadlock(struct ili_call *call, uint32_t flags);

/* Sends what does not wait. CANCEL (may be NULL) may end it: IL_EINTR then. */
il_status ili_call_run(struct ili_call *call);
il_status ili_call_run_until(struct ili_call *call, const struct ili_http_waker *cancel);

/* A wait of the caller's, which takes one or more requests. */
struct ili_wait {
    int64_t deadline_ns; /* ILI_NEVER */
    bool now;            /* does not wait */
    bool deaf;           /* neither il_interrupt() nor il_cancel() ends it */
};

void ili_wait_begin(struct ili_wait *wait, int64_t timeout_ns);

/* Sends CALL, with a `timeout`, until it succeeds or the wait is over: IL_ETIMEOUT. The server has a
 * limit of its own, so this may take several requests. IL_EINTR and IL_ECANCELLED as il_interrupt() and
 * il_cancel() have them. */
il_status ili_call_wait(struct ili_call *call, const struct ili_wait *wait);

/* One request of such a wait. IL_ETIMEOUT and *AGAIN: the server's limit was reached, not the caller's. */
il_status ili_call_poll(struct ili_call *call, const struct ili_wait *wait, bool *again);

/* Sends CALL once and without a `timeout`; its answer comes in parts, to call->sink, for as long as WAIT
 * lasts. IL_ETIMEOUT, IL_EINTR, IL_ECANCELLED: it was given up, which the server notices. */
il_status ili_call_stream(struct ili_call *call, const struct ili_wait *wait);

/* Whether a wait that ended with STATUS was given up by this side. */
static inline bool ili_call_gave_up(il_status status) {
    return status == IL_ETIMEOUT || status == IL_EINTR || status == IL_ECANCELLED;
}

/* Frees what the call holds; call->object is gone. */
void ili_call_end(struct ili_call *call);

/* IL_EPROTOCOL, with a text that names the request. */
il_status ili_call_nonsense(struct ili_call *call, const char *what);

#endif
