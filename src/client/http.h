/*
 * http.h - one HTTP request and its answer, over connections that are kept.
 *
 * A pool holds links: a link is a libcurl handle with at most one connection, used by one request at
 * a time. Any number of threads may exchange at once.
 *
 * Giving up is orderly. A request is often a wait on the server, and a grant may be on its way back
 * while this side loses patience. So the link first closes its sending half. A server that has not
 * answered by then sees that its client left, and drops the wait; one that has answered is heard to
 * the end. Either way both sides agree on what happened, but when the network itself is dead.
 */
#ifndef ILI_CLIENT_HTTP_H
#define ILI_CLIENT_HTTP_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/buffer.h"

#define ILI_HTTP_WHY_BYTES 256 /* CURL_ERROR_SIZE */

struct ili_http_link;

struct ili_http_pool {
    pthread_mutex_t mutex; /* protects idle, idle_count */
    struct ili_http_link *idle;
    unsigned idle_count;
    const char *base;           /* "http://host:port", borrowed */
    const char *socket;         /* path of the Unix socket to connect to instead; NULL: none */
    int64_t (*now_ns)(void);    /* CLOCK_MONOTONIC */
    int64_t connect_timeout_ns; /* for a connection to be made */
};

/* What may end an exchange from outside. */
struct ili_http_waker {
    int fd;                       /* readable: ask `woken`; -1: nothing */
    bool (*woken)(void *context); /* whether it really is; then it must not be readable any more */
    /* A signal handler ran in the calling thread during the wait; `woken` is asked next. NULL: never mind. */
    void (*signalled)(void);
    void *context;
};

struct ili_http_request {
    const char *method; /* GET, PUT, POST, DELETE */
    const char *path;   /* from "/v1", percent-encoded */
    const char *key;    /* Idempotency-Key, or NULL */
    const char *header; /* another line of the head, or NULL */
    const char *body;   /* JSON; sent with PUT and POST */
    size_t body_bytes;
    size_t answer_max;          /* bytes; a longer body is ILI_HTTP_TOO_LONG */
    int64_t until_ns;           /* when the server owes the answer; ILI_NEVER */
    int64_t patience_ns;        /* how long it may be silent after that */
    int64_t resent_patience_ns; /* the same, once the request had to be sent again */
    struct ili_http_waker waker;
    /* Where the body of a successful answer goes as it comes, instead of into the answer's. False:
     * enough, the exchange is given up (BROKEN). May be NULL. */
    bool (*sink)(void *context, const char *data, size_t bytes);
    void *sink_context;
};

enum ili_http_end {
    ILI_HTTP_ANSWERED,
    ILI_HTTP_UNREACHABLE, /* no connection; the request was not sent */
    ILI_HTTP_BROKEN,      /* the connection ended before the answer did */
    ILI_HTTP_LATE,        /* given up: no answer by until_ns, and no sign of life since */
    ILI_HTTP_WOKEN,       /* given up: the waker */
    ILI_HTTP_TOO_LONG,
    ILI_HTTP_NO_MEMORY,
};

struct ili_http_answer {
    enum ili_http_end end;
    long status;            /* ANSWERED */
    bool woken;             /* the waker was asked and said yes; also if ANSWERED after that */
    bool resent;            /* the server may have seen the request more than once */
    struct ili_buffer body; /* owned by the caller */
    char why[ILI_HTTP_WHY_BYTES]; /* for people, unless ANSWERED */
};

/* BASE, and a SOCKET that is not NULL, are borrowed until the end. */
void ili_http_pool_init(struct ili_http_pool *pool, const char *base, const char *socket,
                        int64_t (*now_ns)(void));

/* No exchange may be running. */
void ili_http_pool_end(struct ili_http_pool *pool);

/* Blocks until the exchange ends. ANSWER's body is emptied first; everything else is written. */
void ili_http_exchange(struct ili_http_pool *pool, const struct ili_http_request *request,
                       struct ili_http_answer *answer);

#endif
