/*
 * fake_server.h - a server in the test's own process that answers what the test wants.
 *
 *     static void reply(struct fake *f, int fd, const struct fake_request *r) {
 *         fake_answer(fd, 200, "{\"token\":\"7\",\"lease\":60.0,\"owner_died\":false}");
 *     }
 *     struct fake *f = fake_start(reply);
 *     …f->address…
 *     fake_stop(f);
 *
 * `reply` runs in a thread of the connection; r->number counts requests from 0. Requests for
 * /v1/version are answered here and not counted, until `greets` is false; so are those that make, renew
 * and end sessions, which are counted by themselves, until `hosts` is false.
 */
#ifndef TESTS_UNIT_CLIENT_FAKE_SERVER_H
#define TESTS_UNIT_CLIENT_FAKE_SERVER_H

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FAKE_MAX 64
#define FAKE_UNUSED __attribute__((unused))

struct fake_request {
    int number;
    char method[8], path[256], key[80];
    char *body; /* ends with NUL */
    size_t body_bytes;
};

struct fake {
    char address[64];
    _Atomic bool greets, hosts;
    double ttl;                /* of sessions */
    _Atomic bool sessions_end; /* renewals are refused */
    int made, renewed, over;   /* sessions; the N-th made is "sN" */
    int listener;
    void (*_Atomic reply)(struct fake *, int fd, const struct fake_request *);
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct fake_request requests[FAKE_MAX];
    int count; /* of requests */
    int left;  /* clients that closed their sending half while a reply waited for it */
    int connections;
    pthread_t acceptor, servants[FAKE_MAX];
    int fds[FAKE_MAX];
};

/* ---- answers --------------------------------------------------------------------------------- */

FAKE_UNUSED static void fake_write(int fd, const void *data, size_t bytes) {
    const char *from = data;
    while (bytes > 0) {
        ssize_t sent = send(fd, from, bytes, MSG_NOSIGNAL);
        if (sent <= 0) return;
        from += sent;
        bytes -= (size_t)sent;
    }
}

FAKE_UNUSED static void fake_raw(int fd, const char *text) { fake_write(fd, text, strlen(text)); }

FAKE_UNUSED static void fake_answer(int fd, int status, const char *body) {
    char *text = NULL; /* in one piece, or delayed acknowledgements would slow the tests down */
    int bytes = asprintf(&text,
                         "HTTP/1.1 %d X\r\nContent-Type: application/json\r\n"
                         "Content-Length: %zu\r\n\r\n%s",
                         status, strlen(body), body);
    if (bytes > 0) fake_write(fd, text, (size_t)bytes);
    free(text);
}

FAKE_UNUSED static void fake_problem(int fd, int status, const char *code, const char *detail) {
    char body[300];
    snprintf(body, sizeof body, "{\"status\":%d,\"code\":\"%s\",\"detail\":\"%s\"}", status, code,
             detail);
    fake_answer(fd, status, body);
}

FAKE_UNUSED static void fake_grant(int fd, unsigned token, double lease) {
    char body[200];
    snprintf(body, sizeof body,
             "{\"name\":\"l\",\"token\":\"%u\",\"lease\":%g,\"owner_died\":false}", token, lease);
    fake_answer(fd, 200, body);
}

FAKE_UNUSED static void fake_reset(int fd) {
    struct linger linger = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    shutdown(fd, SHUT_RD); /* the servant closes it next, and that sends the reset */
}

/* Waits until the client closes its sending half. */
FAKE_UNUSED static void fake_await_leaving(struct fake *f, int fd) {
    char byte;
    while (recv(fd, &byte, 1, 0) > 0) {
    }
    pthread_mutex_lock(&f->mutex);
    f->left++;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
}

/* ---- the server ------------------------------------------------------------------------------ */

/* Reads a request into R; false at the end of the connection. */
static bool fake_read(int fd, struct fake_request *r) {
    static const size_t room = 1 << 20;
    char *text = malloc(room + 1), *body = NULL;
    size_t have = 0, length = 0;
    bool whole = false;
    while (!whole && have < room) {
        ssize_t got = recv(fd, text + have, room - have, 0);
        if (got <= 0) break;
        have += (size_t)got;
        text[have] = 0;
        body = strstr(text, "\r\n\r\n");
        const char *header = strstr(text, "Content-Length: ");
        length = header ? strtoul(header + 16, NULL, 10) : 0;
        whole = body && have >= (size_t)(body + 4 - text) + length;
    }
    if (whole) {
        const char *key = strstr(text, "Idempotency-Key: ");
        if (sscanf(text, "%7s %255s", r->method, r->path) != 2) whole = false;
        if (key && key < body) sscanf(key + 17, "%79s", r->key);
        r->body = strndup(body + 4, length);
        r->body_bytes = length;
    }
    free(text);
    return whole;
}

/* Answers what is about sessions. False: R is about something else. */
static bool fake_session(struct fake *f, int fd, const struct fake_request *r) {
    char body[200];
    static const char path[] = "/v1/sessions";
    if (!f->hosts || strncmp(r->path, path, sizeof path - 1) != 0) return false;
    bool makes = strcmp(r->path, path) == 0 && strcmp(r->method, "POST") == 0;
    bool ends = strcmp(r->method, "DELETE") == 0;
    if (!makes && !ends && !strstr(r->path, "/renew")) return false;
    pthread_mutex_lock(&f->mutex);
    int number = makes ? ++f->made : f->made;
    bool refuses = f->sessions_end && !makes && !ends;
    f->renewed += !makes && !ends;
    f->over += ends;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
    snprintf(body, sizeof body, "{\"id\":\"s%d\",\"ttl\":%g}", number, f->ttl);
    if (refuses)
        fake_problem(fd, 410, "session_ended", "it was not renewed in time");
    else
        fake_answer(fd, makes ? 201 : 200, body);
    return true;
}

struct fake_servant {
    struct fake *f;
    int fd;
};

static void *fake_serve(void *context) {
    struct fake_servant *self = context;
    struct fake *f = self->f;
    for (;;) {
        struct fake_request r = {0};
        if (!fake_read(self->fd, &r)) break;
        if (f->greets && strstr(r.path, "/v1/version")) {
            free(r.body);
            fake_answer(self->fd, 200, "{\"version\":\"0.1.0\",\"api\":1,\"abi\":1}");
            continue;
        }
        if (fake_session(f, self->fd, &r)) {
            free(r.body);
            continue;
        }
        pthread_mutex_lock(&f->mutex);
        r.number = f->count;
        bool kept = f->count < FAKE_MAX; /* then fake_stop() frees the body */
        if (kept) f->requests[f->count++] = r;
        pthread_cond_broadcast(&f->changed);
        pthread_mutex_unlock(&f->mutex);
        f->reply(f, self->fd, &r);
        if (!kept) free(r.body);
        socklen_t bytes = sizeof(struct linger);
        struct linger linger = {0, 0};
        getsockopt(self->fd, SOL_SOCKET, SO_LINGER, &linger, &bytes);
        if (linger.l_onoff) break; /* the reply wants the connection closed */
    }
    pthread_mutex_lock(&f->mutex);
    for (int i = 0; i < f->connections; i++) {
        if (f->fds[i] == self->fd) f->fds[i] = -1;
    }
    close(self->fd);
    pthread_mutex_unlock(&f->mutex);
    free(self);
    return NULL;
}

static void *fake_accept(void *context) {
    struct fake *f = context;
    for (;;) {
        int fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) return NULL;
        struct fake_servant *servant = malloc(sizeof *servant);
        *servant = (struct fake_servant){f, fd};
        pthread_mutex_lock(&f->mutex);
        int i = f->connections++;
        f->fds[i] = fd;
        pthread_create(&f->servants[i], NULL, fake_serve, servant);
        pthread_mutex_unlock(&f->mutex);
    }
}

FAKE_UNUSED static struct fake *fake_start(void (*reply)(struct fake *, int,
                                                         const struct fake_request *)) {
    struct fake *f = calloc(1, sizeof *f);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof at;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&f->changed, &monotonic);
    pthread_mutex_init(&f->mutex, NULL);
    f->reply = reply;
    f->greets = f->hosts = true;
    f->ttl = 30;
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(f->listener, (struct sockaddr *)&at, sizeof at), 0);
    cr_assert_eq(listen(f->listener, 50), 0);
    getsockname(f->listener, (struct sockaddr *)&at, &bytes);
    snprintf(f->address, sizeof f->address, "http://127.0.0.1:%d", ntohs(at.sin_port));
    pthread_create(&f->acceptor, NULL, fake_accept, f);
    return f;
}

FAKE_UNUSED static void fake_stop(struct fake *f) {
    shutdown(f->listener, SHUT_RDWR);
    pthread_join(f->acceptor, NULL);
    close(f->listener);
    pthread_mutex_lock(&f->mutex);
    for (int i = 0; i < f->connections; i++) {
        if (f->fds[i] >= 0) shutdown(f->fds[i], SHUT_RDWR);
    }
    pthread_mutex_unlock(&f->mutex);
    for (int i = 0; i < f->connections; i++) pthread_join(f->servants[i], NULL);
    for (int i = 0; i < f->count; i++) free(f->requests[i].body);
    free(f);
}

/* *COUNTER of now. */
FAKE_UNUSED static int fake_get(struct fake *f, const int *counter) {
    pthread_mutex_lock(&f->mutex);
    int value = *counter;
    pthread_mutex_unlock(&f->mutex);
    return value;
}

/* How many requests have come. */
FAKE_UNUSED static int fake_count(struct fake *f) {
    pthread_mutex_lock(&f->mutex);
    int count = f->count;
    pthread_mutex_unlock(&f->mutex);
    return count;
}

/* Waits until *COUNTER (f->count, f->left, f->renewed, …) is at least WANTED. False after ten seconds. */
FAKE_UNUSED static bool fake_reaches(struct fake *f, const int *counter, int wanted) {
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += 10;
    pthread_mutex_lock(&f->mutex);
    int error = 0;
    while (*counter < wanted && error == 0) {
        error = pthread_cond_timedwait(&f->changed, &f->mutex, &end);
    }
    bool reached = *counter >= wanted;
    pthread_mutex_unlock(&f->mutex);
    return reached;
}

#endif
