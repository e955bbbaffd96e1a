/*
 * path.h - percent-decoding, and names taken from a path.
 *
 * A path is taken apart at its slashes before anything is decoded: a name may hold a slash, as %2F.
 */
#ifndef ILI_SERVER_PATH_H
#define ILI_SERVER_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"

#define ILI_PATH_SEGMENTS 5

/* A path's segments, borrowed from it and still encoded. "/v1/locks" has two. */
struct ili_path {
    unsigned count; /* ILI_PATH_SEGMENTS + 1: more than any route has */
    struct {
        const char *at;
        size_t bytes;
    } segment[ILI_PATH_SEGMENTS];
};

/* False: it does not begin with a slash. */
bool ili_path_split(const char *path, struct ili_path *out);

/* Decodes FROM into ROOM. False: a % without two hexadecimal digits, or it does not fit. */
bool ili_percent_decode(const char *from, size_t from_bytes, char *room, size_t room_bytes,
                        size_t *bytes);

/* Decodes a segment into NAME (IL_NAME_MAX_BYTES) and checks that it is a name. */
il_status ili_path_name(const char *segment, size_t segment_bytes, char *name, size_t *name_bytes,
                        struct ili_fault *fault);

#endif
