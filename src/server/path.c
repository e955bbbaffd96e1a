#include "server/path.h"

#include <string.h>

#include "base/text.h"

bool ili_path_split(const char *path, struct ili_path *out) {
    out->count = 0;
    if (*path != '/') return false;
    while (*path == '/') {
        const char *start = path + 1;
        path = start + strcspn(start, "/");
        if (out->count == ILI_PATH_SEGMENTS) {
            out->count++;
            return true;
        }
        out->segment[out->count].at = start;
        out->segment[out->count++].bytes = (size_t)(path - start);
    }
    return true;
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool ili_percent_decode(const char *from, size_t from_bytes, char *room, size_t room_bytes,
                        size_t *bytes) {
    size_t count = 0;
    for (size_t i = 0; i < from_bytes; i++) {
        char c = from[i];
        if (c == '%') {
            int high = i + 2 < from_bytes ? hex(from[i + 1]) : -1;
            int low = i + 2 < from_bytes ? hex(from[i + 2]) : -1;
            if (high < 0 || low < 0) return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (count == room_bytes) return false;
        room[count++] = c;
    }
    *bytes = count;
    return true;
}

static const char expected[] = "1 to 255 bytes of UTF-8 without NUL, percent-encoded";

il_status ili_path_name(const char *segment, size_t segment_bytes, char *name, size_t *name_bytes,
                        struct ili_fault *fault) {
    char decoded[IL_NAME_MAX_BYTES + 1];
    size_t bytes = 0;
    const char *why = "bad percent-encoding";
    for (size_t i = 0; i < segment_bytes; i++) {
        if (segment[i] != '%') continue;
        if (i + 2 >= segment_bytes || hex(segment[i + 1]) < 0 || hex(segment[i + 2]) < 0) {
            return ili_fault_set(fault, IL_EINVAL, "name", expected, "%s", why);
        }
    }
    if (!ili_percent_decode(segment, segment_bytes, decoded, sizeof decoded, &bytes)) {
        bytes = sizeof decoded; /* too long, since the encoding is right */
        memset(decoded, 'x', sizeof decoded);
    }
    if (ili_name_check(decoded, bytes, &why) != IL_OK) {
        return ili_fault_set(fault, IL_EINVAL, "name", expected, "%s", why);
    }
    memcpy(name, decoded, bytes);
    *name_bytes = bytes;
    return IL_OK;
}
