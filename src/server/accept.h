/*
 * accept.h - new connections: taken in, told apart, handed on.
 *
 * A connection on the Unix socket is either a process that attaches (its first bytes are
 * ILI_ATTACH_MAGIC) and goes to the keeper, or speaks HTTP and goes to the front, as all of TCP does.
 * Until enough has come to tell, it waits here.
 */
#ifndef ILI_SERVER_ACCEPT_H
#define ILI_SERVER_ACCEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/loop.h"
#include "server/sockets.h"

struct ili_newcomer;
struct ili_server;

struct ili_accept {
    struct ili_source tcp, local; /* fd -1: closed */
    struct ili_unix_socket socket;
    uint16_t port;
    bool paused; /* no descriptor or no place is left: until a connection closes */
    struct ili_newcomer *newcomers;
    uint32_t newcomer_count;
};

/* Opens both listening sockets; connections are taken in once the loop runs. */
il_status ili_accept_open(struct ili_server *server, struct ili_fault *fault);

/* No more connections; those that wait here are closed. */
void ili_accept_close(struct ili_server *server);

/* A connection has closed: takes connections in again, if that was paused. */
void ili_accept_resume(struct ili_server *server);

/* Closes newcomers that have said too little for too long. */
void ili_accept_sweep(struct ili_server *server);

#endif
