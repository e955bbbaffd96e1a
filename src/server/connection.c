#include "server/connection.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "server/server.h"
#include "server/stream.h"

static void poke(struct ili_connection *c) {
    struct ili_front *front = &c->engine->server->front;
    if (c->poked) return;
    c->poked = true;
    c->next_poke = front->pokes;
    front->pokes = c;
}

void ili_connection_broke(struct ili_connection *connection) {
    connection->broken = true;
    poke(connection);
}

/* The client closed its side, or the connection broke. */
static void departed(struct ili_source *source, uint32_t events, void *context) {
    struct ili_connection *c = (struct ili_connection *)source;
    (void)events, (void)context;
    c->gone = true;
    if (c->request && c->request->wait) {
        ili_park_departed(c->request);
    } else if (c->request && c->request->stream && c->request->stream->resting) {
        ili_stream_departed(c->request);
    } else {
        poke(c);
    }
}

struct ili_connection *ili_connection_begin(struct ili_engine *engine, struct MHD_Connection *wire,
                                            int fd, bool local) {
    struct ili_server *server = engine->server;
    struct ili_connection *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->source = (struct ili_source){.fd = fd, .early = true, .ready = departed};
    c->engine = engine;
    c->wire = wire;
    c->local = local;
    c->since_ns = server->now_ns;
    /* edge-triggered: one word about each departure is enough; EPOLLHUP and EPOLLERR come unasked */
    if (ili_loop_add(&server->loop, &c->source, EPOLLRDHUP | EPOLLET) != IL_OK) {
        free(c);
        return NULL;
    }
    c->next = server->front.connections;
    if (c->next) c->next->previous = c;
    server->front.connections = c;
    server->front.connection_count++;
    engine->connections++;
    return c;
}

static void forget_poke(struct ili_front *front, struct ili_connection *c) {
    for (struct ili_connection **at = &front->pokes; *at; at = &(*at)->next_poke) {
        if (*at != c) continue;
        *at = c->next_poke;
        return;
    }
}

void ili_connection_end(struct ili_connection *connection) {
    struct ili_connection *c = connection;
    struct ili_server *server = c->engine->server;
    struct ili_front *front = &server->front;
    if (c->poked) forget_poke(front, c);
    ili_loop_remove(&server->loop, &c->source); /* its descriptor is still open here */
    if (c->previous) {
        c->previous->next = c->next;
    } else {
        front->connections = c->next;
    }
    if (c->next) c->next->previous = c->previous;
    front->connection_count--;
    c->engine->connections--;
    free(c);
    ili_accept_resume(server); /* a descriptor is free again */
}

void ili_connection_poke_all(struct ili_server *server) {
    while (server->front.pokes) {
        struct ili_connection *c = server->front.pokes;
        server->front.pokes = c->next_poke;
        c->poked = false;
        if (c->broken) {
            /* it is closed in the next turn of libmicrohttpd in which something happens to it, and the
             * client, who is gone, does nothing more */
            MHD_suspend_connection(c->wire);
            MHD_resume_connection(c->wire);
            c->engine->run = true;
            continue;
        }
        /* libmicrohttpd has read what there was; this makes the descriptor ready once more, for an
         * end of file that arrived with the last data */
        shutdown(c->source.fd, SHUT_RD);
    }
}

const char *ili_connection_peer(struct ili_connection *connection) {
    struct ili_connection *c = connection;
    char text[INET6_ADDRSTRLEN] = "?";
    if (c->peer[0]) return c->peer;
    const struct sockaddr *address =
        MHD_get_connection_info(c->wire, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
        snprintf(c->peer, sizeof c->peer, "%s:%u", text, ntohs(v4->sin_port));
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
        snprintf(c->peer, sizeof c->peer, "[%s]:%u", text, ntohs(v6->sin6_port));
    } else {
        snprintf(c->peer, sizeof c->peer, "unix socket");
    }
    return c->peer;
}

void ili_connection_cut(struct ili_connection *connection) {
    if (connection->cut) return;
    connection->cut = true;
    shutdown(connection->source.fd, SHUT_RDWR);
}
