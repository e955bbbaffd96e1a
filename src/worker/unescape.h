/* unescape.h - what a string of a JSON text stands for. */
#ifndef ILI_WORKER_UNESCAPE_H
#define ILI_WORKER_UNESCAPE_H

#include <stddef.h>

/* Writes what STRING, of BYTES with its quotes, stands for to ROOM, which has room for BYTES and may be
 * STRING itself, and a NUL behind it. *OUT is its length. STRING must be one that
 * ili_json_check() took. */
void worker_unescape(const char *string, size_t bytes, char *room, size_t *out);

#endif
