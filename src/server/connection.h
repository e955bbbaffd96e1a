/*
 * connection.h - a client's connection: watched for its departure, from acceptance to close.
 *
 * libmicrohttpd does not look at a parked connection, and may overlook an end of file that comes with
 * the last data. So every connection's socket also lies in our own epoll set, for EPOLLRDHUP: if its
 * request is parked, the wait ends; if not, libmicrohttpd is made to look (a poke).
 */
#ifndef ILI_SERVER_CONNECTION_H
#define ILI_SERVER_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"

struct MHD_Connection;
struct ili_engine;
struct ili_request;
struct ili_server;

struct ili_connection {
    struct ili_source source;
    struct ili_engine *engine;
    struct MHD_Connection *wire;
    struct ili_request *request; /* being handled; NULL: none */
    struct ili_connection *next, *previous;
    struct ili_connection *next_poke;
    int64_t since_ns; /* of the last accept, request or answer */
    bool local;       /* on the Unix socket */
    bool gone;        /* the client closed its side */
    bool poked, cut;
    bool broken;   /* libmicrohttpd has given it up in the middle of an answer */
    char peer[54]; /* see ili_connection_peer() */
};

/* When libmicrohttpd has taken a connection in, and when it is about to close it. NULL: no memory. */
struct ili_connection *ili_connection_begin(struct ili_engine *engine, struct MHD_Connection *wire,
                                            int fd, bool local);
void ili_connection_end(struct ili_connection *connection);

/* Makes libmicrohttpd see the ends of file that were noted. After ili_front_run(). */
void ili_connection_poke_all(struct ili_server *server);

/* An answer broke off: makes libmicrohttpd close the connection, which it would forget to do. */
void ili_connection_broke(struct ili_connection *connection);

/* Who is at the other end, for people: "127.0.0.1:52344". Borrowed as long as the connection. */
const char *ili_connection_peer(struct ili_connection *connection);

/* Closes it without an answer, as soon as libmicrohttpd looks. */
void ili_connection_cut(struct ili_connection *connection);

#endif
