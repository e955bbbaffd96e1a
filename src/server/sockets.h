/*
 * sockets.h - the two listening sockets, and who owns the Unix one's path.
 *
 * Beside the Unix socket lies PATH.lock, locked while a server serves PATH. Who gets that lock knows
 * that a socket found there is a dead server's and takes its place; who does not knows that a server
 * lives. The lock goes with the process, however it ends.
 */
#ifndef ILI_SERVER_SOCKETS_H
#define ILI_SERVER_SOCKETS_H

#include <stdint.h>

#include "base/fault.h"

struct ili_unix_socket {
    int fd, lock_fd; /* -1: closed */
    char path[108], lock_path[120];
};

/* Listens at LISTEN (HOST:PORT, loopback only); *PORT is the one taken. The descriptor is owned by
 * the caller. Failing, *FAULT->detail is a sentence for the user. */
il_status ili_tcp_listen(const char *listen, int *fd, uint16_t *port, struct ili_fault *fault);

/* Listens at PATH, for this user only (0600). Makes its directory (0700) if it is missing. */
il_status ili_unix_listen(const char *path, struct ili_unix_socket *out, struct ili_fault *fault);

/* Stops listening and removes the socket and the lock. */
void ili_unix_close(struct ili_unix_socket *socket);

#endif
