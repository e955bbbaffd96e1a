#include "server/accept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "server/server.h"
#include "session/attach.h"
#include "session/keeper.h"

#define BURST 64
#define MAGIC_BYTES (sizeof ILI_ATTACH_MAGIC - 1)

struct ili_newcomer {
    struct ili_source source;
    struct ili_newcomer *next, *previous;
    int64_t since_ns;
};

enum speech { SPEAKS_HTTP, SPEAKS_ATTACH, SAID_TOO_LITTLE, LEFT };

static enum speech listen_to(int fd) {
    char first[MAGIC_BYTES];
    ssize_t count = recv(fd, first, sizeof first, MSG_PEEK | MSG_DONTWAIT);
    if (count < 0) return errno == EAGAIN || errno == EINTR ? SAID_TOO_LITTLE : LEFT;
    if (count == 0) return LEFT;
    if (memcmp(first, ILI_ATTACH_MAGIC, (size_t)count) != 0) return SPEAKS_HTTP;
    return (size_t)count == sizeof first ? SPEAKS_ATTACH : SAID_TOO_LITTLE;
}

/* Hands FD on; false: it stays here. */
static bool hand_on(struct ili_server *server, int fd) {
    /* libmicrohttpd wants an address; a Unix socket's says nothing */
    static const struct sockaddr_un nobody = {.sun_family = AF_UNIX};
    switch (listen_to(fd)) {
    case SPEAKS_ATTACH: ili_keeper_adopt(server->domain.keeper, fd); return true;
    case SPEAKS_HTTP:
        (void)ili_front_add(server, fd, (const struct sockaddr *)&nobody, sizeof(sa_family_t));
        return true;
    case LEFT: close(fd); return true;
    case SAID_TOO_LITTLE: break;
    }
    return false;
}

static void forget(struct ili_server *server, struct ili_newcomer *n) {
    struct ili_accept *a = &server->accept;
    ili_loop_remove(&server->loop, &n->source);
    if (n->previous) {
        n->previous->next = n->next;
    } else {
        a->newcomers = n->next;
    }
    if (n->next) n->next->previous = n->previous;
    a->newcomer_count--;
    free(n);
}

static void newcomer_ready(struct ili_source *source, uint32_t events, void *context) {
    struct ili_newcomer *n = (struct ili_newcomer *)source;
    struct ili_server *server = context;
    int fd = source->fd;
    (void)events;
    if (listen_to(fd) == SAID_TOO_LITTLE) return;
    forget(server, n);
    (void)hand_on(server, fd);
    ili_accept_resume(server);
}

static void keep(struct ili_server *server, int fd) {
    struct ili_accept *a = &server->accept;
    struct ili_newcomer *n = calloc(1, sizeof *n);
    if (n) {
        n->source = (struct ili_source){.fd = fd, .ready = newcomer_ready};
        n->since_ns = server->now_ns;
    }
    /* edge-triggered: a few bytes that do not tell yet must not keep the loop awake */
    if (!n || ili_loop_add(&server->loop, &n->source, EPOLLIN | EPOLLRDHUP | EPOLLET) != IL_OK) {
        free(n);
        close(fd);
        return;
    }
    n->next = a->newcomers;
    if (n->next) n->next->previous = n;
    a->newcomers = n;
    a->newcomer_count++;
}

/* ---- the listening sockets -------------------------------------------------------------------- */

static void pause_accepting(struct ili_server *server, const char *why) {
    struct ili_accept *a = &server->accept;
    if (a->paused) return;
    a->paused = true;
    ili_log_event(ILI_LOG_WARN, "accept.paused", why);
    ili_loop_remove(&server->loop, &a->tcp);
    ili_loop_remove(&server->loop, &a->local);
}

void ili_accept_resume(struct ili_server *server) {
    struct ili_accept *a = &server->accept;
    if (!a->paused || server->stopping) return;
    a->paused = false;
    (void)ili_loop_add(&server->loop, &a->tcp, EPOLLIN);
    (void)ili_loop_add(&server->loop, &a->local, EPOLLIN);
}

static void listener_ready(struct ili_source *source, uint32_t events, void *context) {
    struct ili_server *server = context;
    struct ili_accept *a = &server->accept;
    (void)events;
    for (int i = 0; i < BURST && !a->paused; i++) {
        struct sockaddr_storage address;
        socklen_t bytes = sizeof address;
        if (server->front.connection_count + a->newcomer_count >= server->config.connections) {
            pause_accepting(server, "the limit of connections is reached");
            return;
        }
        int fd =
            accept4(source->fd, (struct sockaddr *)&address, &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                pause_accepting(server, strerror(errno));
            }
            if (errno == ECONNABORTED || errno == EINTR) continue;
            return;
        }
        if (source == &a->tcp) {
            (void)ili_front_add(server, fd, (struct sockaddr *)&address, bytes);
        } else if (!hand_on(server, fd)) {
            keep(server, fd);
        }
    }
}

il_status ili_accept_open(struct ili_server *server, struct ili_fault *fault) {
    struct ili_accept *a = &server->accept;
    a->tcp = a->local = (struct ili_source){.fd = -1, .ready = listener_ready};
    a->socket.fd = a->socket.lock_fd = -1;
    il_status status = ili_unix_listen(server->config.socket, &a->socket, fault);
    if (status != IL_OK) return status;
    a->local.fd = a->socket.fd;
    status = ili_tcp_listen(server->config.listen, &a->tcp.fd, &a->port, fault);
    if (status != IL_OK) return status;
    if (ili_loop_add(&server->loop, &a->tcp, EPOLLIN) != IL_OK ||
        ili_loop_add(&server->loop, &a->local, EPOLLIN) != IL_OK) {
        return ili_fault_set(fault, IL_ESYSTEM, NULL, NULL, "cannot watch the sockets: %s",
                             strerror(errno));
    }
    return IL_OK;
}

void ili_accept_close(struct ili_server *server) {
    struct ili_accept *a = &server->accept;
    if (a->tcp.fd >= 0) {
        ili_loop_remove(&server->loop, &a->tcp);
        close(a->tcp.fd);
        a->tcp.fd = -1;
    }
    if (a->local.fd >= 0) {
        ili_loop_remove(&server->loop, &a->local);
        ili_unix_close(&a->socket);
        a->local.fd = -1;
    }
    while (a->newcomers) {
        int fd = a->newcomers->source.fd;
        forget(server, a->newcomers);
        close(fd);
    }
}

void ili_accept_sweep(struct ili_server *server) {
    struct ili_newcomer *n = server->accept.newcomers, *next;
    int64_t oldest = server->now_ns - server->config.idle_timeout_ns;
    for (; n; n = next) {
        next = n->next;
        if (n->since_ns >= oldest) continue;
        int fd = n->source.fd;
        forget(server, n);
        close(fd);
    }
    ili_accept_resume(server);
}
