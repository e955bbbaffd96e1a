/*
 * front.h - libmicrohttpd, driven from our own loop.
 *
 * libmicrohttpd runs without a thread and without a listening socket: connections are handed to it,
 * its epoll descriptors lie in ours, and MHD_run() is called when one is ready or a parked request was
 * resumed (which it does not report by itself). Connections are spread over engines of at most
 * ILI_ENGINE_CONNECTIONS, since waking one parked connection costs a walk over all of its engine's.
 *
 * MHD_run() may free any connection of its engine, so nothing else runs meanwhile that holds one.
 */
#ifndef ILI_SERVER_FRONT_H
#define ILI_SERVER_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/loop.h"

struct MHD_Daemon;
struct ili_connection;
struct ili_server;

#define ILI_ENGINE_CONNECTIONS 512u

struct ili_engine {
    struct ili_source source;
    struct ili_server *server;
    struct MHD_Daemon *daemon;
    uint32_t connections;
    bool run; /* owed a MHD_run() */
};

struct ili_front {
    struct ili_engine **engines;
    size_t engine_count, engine_room;
    struct ili_connection *connections; /* all of them */
    uint32_t connection_count;
    struct ili_connection
        *pokes;          /* to be told of an end of file that libmicrohttpd may have missed */
    uint64_t body_bytes; /* of all request bodies that are in memory */
};

/* Hands the connected socket FD to libmicrohttpd, which closes it, also on failure. LOCAL: a Unix
 * socket. IL_ENOMEM, IL_ESYSTEM. */
il_status ili_front_add(struct ili_server *server, int fd, const struct sockaddr *address,
                        socklen_t address_bytes);

/* How long the loop may sleep because of libmicrohttpd: 0, or -1 for any time. */
int64_t ili_front_patience(struct ili_front *front);

/* Lets libmicrohttpd work where it has to. After it, connections may be gone. */
void ili_front_run(struct ili_front *front);

/* Closes connections that have had no request or answer for longer than the idle timeout. */
void ili_front_sweep(struct ili_server *server);

/* Whether any request is still unanswered or its answer not yet written. */
bool ili_front_busy(const struct ili_front *front);

/* Ends all connections. No request may be parked. */
void ili_front_close(struct ili_front *front);

#endif
