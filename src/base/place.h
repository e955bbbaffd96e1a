/*
 * place.h - where interlockd listens when nobody says otherwise, and so where clients look.
 */
#ifndef ILI_BASE_PLACE_H
#define ILI_BASE_PLACE_H

#include <stddef.h>

#include <interlock.h>

/* The socket of a server that runs for the whole machine. */
#define ILI_SYSTEM_SOCKET "/run/interlock/interlock.sock"

/* The path of the calling user's default socket:
 *   $XDG_RUNTIME_DIR/interlock.sock   if that variable is set and absolute
 *   ILI_SYSTEM_SOCKET                 for root
 *   /tmp/interlock-UID/interlock.sock for everybody else. The server makes that directory, 0700; if
 *                                     another user has made it first, it cannot be trusted.
 * IL_ETOOBIG: longer than ROOM or a socket's address; IL_EACCESS: the directory below /tmp is not
 * the caller's alone. ROOM holds the path also then. */
il_status ili_default_socket(char *room, size_t room_bytes);

#endif
