/*
 * status.h - the one table of result codes.
 *
 * From it come the names and sentences of the C ABI, the `code` and status of an HTTP problem, and
 * the exceptions of the bindings. api/interlock.h writes the numbers out again, since an FFI
 * generator must not have to evaluate this macro; tests/unit/base/test_status.c proves them equal.
 *
 * X(constant, number, HTTP code, HTTP status, sentence)
 */
#ifndef ILI_BASE_STATUS_H
#define ILI_BASE_STATUS_H

#include <stdint.h>

#include <interlock.h>

#define ILI_STATUS_TABLE(X)                                                                        \
    X(IL_OK, 0, "ok", 200, "success")                                                              \
    X(IL_EINVAL, -1, "invalid_argument", 400, "an argument is not what the call expects")          \
    X(IL_ENOMEM, -2, "out_of_memory", 507, "the arena has no memory left for this")                \
    X(IL_ETIMEOUT, -3, "timeout", 409, "the wait ended without success")                           \
    X(IL_EBUSY, -4, "busy", 503, "the object is being changed by a process that does not move")    \
    X(IL_EINTR, -5, "interrupted", 503, "the wait was interrupted")                                \
    X(IL_ENOTHELD, -6, "not_held", 409, "the caller does not hold it")                             \
    X(IL_ESTALE, -7, "stale_token", 409, "the token is not that of the newest grant")              \
    X(IL_EOWNERDEAD, -8, "owner_died", 200, "granted; the owner before died holding it")           \
    X(IL_ELEASE, -9, "lease_lost", 409, "the grant's lease ran out")                               \
    X(IL_ECONFLICT, -10, "conflict", 409, "it exists with other options")                          \
    X(IL_ENOTFOUND, -11, "not_found", 404, "there is no such object")                              \
    X(IL_EDELETED, -12, "deleted", 410, "the object was deleted")                                  \
    X(IL_ECLOSED, -13, "closed", 409, "it is closed")                                              \
    X(IL_ETOOBIG, -14, "too_large", 413, "it is longer than allowed, or than the buffer")          \
    X(IL_ELIMIT, -15, "limit_reached", 503, "a fixed limit of the domain is reached")              \
    X(IL_EGONE, -16, "gone", 503, "the server went away; open the domain anew")                    \
    X(IL_EFORKED, -17, "forked", 500, "inherited through fork(); open the domain anew")            \
    X(IL_EUNSUPPORTED, -18, "unsupported", 501, "this domain cannot do that")                      \
    X(IL_ECORRUPT, -19, "corrupt", 500, "the arena does not make sense here")                      \
    X(IL_EACCESS, -20, "forbidden", 403, "the server refuses this user, host or origin")           \
    X(IL_ECONNECT, -21, "unreachable", 502, "no server answers at that address")                   \
    X(IL_EPROTOCOL, -22, "protocol", 502, "the other side speaks another version")                 \
    X(IL_ESYSTEM, -23, "system", 500, "a system call failed")                                      \
    X(IL_EROUTE, -24, "no_such_route", 404, "there is no such route")                              \
    X(IL_EMETHOD, -25, "method_not_allowed", 405, "the route does not take this method")           \
    X(IL_EMEDIATYPE, -26, "unsupported_media_type", 415, "the body must be application/json")      \
    X(IL_EIDEMPOTENCY, -27, "idempotency_mismatch", 422, "the key was used with another request")  \
    X(IL_EINPROGRESS, -28, "idempotency_running", 409, "the request of that key still runs")       \
    X(IL_ESHUTDOWN, -29, "shutting_down", 503, "the server is stopping")                           \
    X(IL_EDEADLK, -30, "deadlock", 409, "the wait would close a cycle of owners")                  \
    X(IL_EBROKEN, -31, "broken", 409, "the barrier is broken")                                     \
    X(IL_EOVERFLOW, -32, "overflow", 409, "it would go beyond its bound")                          \
    X(IL_EREVOKED, -33, "revoked", 409, "an operator broke the grant")                             \
    X(IL_EUPGRADE, -34, "upgrade_refused", 409, "a shared grant cannot become exclusive")          \
    X(IL_ESESSION, -35, "session_ended", 410, "the session has ended, or never was")               \
    X(IL_ECANCELLED, -36, "cancelled", 409, "it was cancelled")                                    \
    X(IL_ESTARTED, -37, "already_started", 409, "it can be started only once")                     \
    X(IL_ENOTSTARTED, -38, "not_started", 409, "it has not been started")                          \
    X(IL_ESELF, -39, "joins_itself", 409, "a thread cannot wait for its own end")                  \
    X(IL_EFAILED, -40, "task_failed", 409, "the function failed; the message has its error")       \
    X(IL_ELOST, -41, "task_lost", 409, "the worker died while it ran the task")                    \
    X(IL_EPROGRAM, -42, "program_not_allowed", 403,                                                \
      "the configuration does not allow that program")                                             \
    X(IL_EFUNCTION, -43, "no_such_function", 404, "no worker of the pool has that function")       \
    X(IL_EEOF, -44, "end_of_file", 409, "the pipe's other end is closed, and nothing is left")     \
    X(IL_EPIPE, -45, "broken_pipe", 409, "the pipe's other end is closed")                         \
    X(IL_ETYPE, -46, "type_mismatch", 409, "the object holds another type")                        \
    X(IL_ERANGE, -47, "out_of_range", 404, "there is no such index")                               \
    X(IL_ENOKEY, -48, "no_such_key", 404, "there is no such key or value")                         \
    X(IL_ECHANGED, -49, "changed", 412, "it has another version than was expected")

struct ili_status_info {
    il_status status;
    const char *name;     /* "IL_ETIMEOUT" */
    const char *code;     /* "timeout" */
    uint16_t http_status; /* 409 */
    const char *text;
};

/* The row of STATUS; NULL for a number that is not in the table. Borrowed for ever. */
const struct ili_status_info *ili_status_info(il_status status);

/* The row whose HTTP code is CODE; NULL if none. */
const struct ili_status_info *ili_status_by_code(const char *code);

#endif
