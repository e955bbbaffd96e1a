/*
 * http.h - requests over a connection of one's own, which can be dropped at any time.
 */
#ifndef TESTS_LINEAR_HTTP_H
#define TESTS_LINEAR_HTTP_H

#include <interlock.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct http {
    const char *socket;  /* a path */
    const char *address; /* or HOST:PORT */
    int fd;              /* -1: none */
    char buffer[65536];
    size_t got;
};

#define HTTP_WAIT_FOR_ANSWER (-1)

/* METHOD PATH with BODY (borrowed; NULL: none). DROP_NS: after so long the connection is closed, and
 * whatever has been answered is not read. The result is LINEAR_PENDING then, and if there was no answer.
 * *ANSWER (may be NULL): owned, or NULL. */
il_status http_call(struct http *http, const char *method, const char *path, json_t *body,
                    int64_t drop_ns, json_t **answer);
void http_close(struct http *http, bool reset);

#endif
