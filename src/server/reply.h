/*
 * reply.h - the one way out: answers with a body, without one, and problems (RFC 9457).
 *
 * Each request is answered once, from its handler or later while it is parked; answering a parked
 * request resumes it. An answer that cannot be made for want of memory closes the connection.
 */
#ifndef ILI_SERVER_REPLY_H
#define ILI_SERVER_REPLY_H

#include <sys/types.h>

#include "base/fault.h"
#include "base/out.h"
#include "server/request.h"

/* An answer that stays in memory, for a request that no client has sent by itself (batch.h). */
struct ili_answer {
    unsigned http_status; /* 0: there is none yet */
    struct ili_out body;  /* owned; empty: without a body */
};

/* Answers with the JSON in BODY, which it takes. */
void ili_reply(struct ili_request *request, unsigned http_status, struct ili_out *body);

/* Writes the next bytes into ROOM, see MHD_ContentReaderCallback. */
typedef ssize_t ili_reply_reader(void *context, uint64_t position, char *room, size_t room_bytes);

/* Answers 200 with what READER gives (stream.h). CONTEXT lives as long as the request. */
void ili_reply_stream(struct ili_request *request, const char *type, size_t piece_bytes,
                      ili_reply_reader *reader, void *context);

/* Answers 204, with Allow unless METHODS is 0. */
void ili_reply_empty(struct ili_request *request, uint16_t methods);

/* Answers with the problem of STATUS; DETAIL NULL: what describe.h says. */
void ili_reply_problem(struct ili_request *request, il_status status, const char *detail);

/* The same for an input that FAULT describes. */
void ili_reply_fault(struct ili_request *request, const struct ili_fault *fault);

/* The same with MEMBERS, as ili_reply_problem_with() has it. */
void ili_reply_fault_with(struct ili_request *request, const struct ili_fault *fault,
                          struct ili_out *members);

/* The same with one more member: how much was done before it went wrong. */
void ili_reply_problem_done(struct ili_request *request, il_status status, const char *detail,
                            const char *member, uint64_t done);

/* The same with MEMBERS, which it takes: what was written to it from the first key on, without brackets.
 * DONE: the request has changed something, so a repeat must be told the same. */
void ili_reply_problem_with(struct ili_request *request, il_status status, const char *detail,
                            bool done, struct ili_out *members);

/* Answers as another request of the same Idempotency-Key was answered. BODY is copied. */
void ili_reply_again(struct ili_request *request, unsigned http_status, const char *body,
                     size_t body_bytes);

/* In place of an answer, before the body was read: closes the connection after it. Returns what
 * libmicrohttpd's handler has to return. */
int ili_reply_refusal(struct ili_request *request, const struct ili_fault *fault);

#endif
