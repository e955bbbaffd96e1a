#include "worker/lines.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/answer.h"

#define CHUNK_BYTES (256 * 1024)
#define KEPT_BYTES (4 * CHUNK_BYTES) /* a buffer that grew beyond is given back */

/* Room for a chunk behind what was read. */
static bool make_room(struct worker_lines *lines) {
    if (lines->from > 0) {
        memmove(lines->data, lines->data + lines->from, lines->to - lines->from);
        lines->to -= lines->from;
        lines->seen -= lines->from;
        lines->from = 0;
    }
    size_t room = lines->room;
    if (lines->to == 0 && room > KEPT_BYTES) room = 0;
    if (room - lines->to < CHUNK_BYTES || room < lines->to) room = lines->to * 2 + CHUNK_BYTES;
    if (room == lines->room) return true;
    char *data = realloc(lines->data, room);
    if (!data) return false;
    lines->data = data;
    lines->room = room;
    return true;
}

/* IL_OK: there is more; IL_ECLOSED: end of file; IL_ESYSTEM: errno. */
static il_status read_more(struct worker_lines *lines) {
    if (!make_room(lines)) return IL_ESYSTEM;
    for (;;) {
        ssize_t got = read(lines->fd, lines->data + lines->to, lines->room - lines->to);
        if (got > 0) {
            lines->to += (size_t)got;
            return IL_OK;
        }
        if (got == 0 || errno == ECONNRESET) return IL_ECLOSED;
        if (errno == EAGAIN) { /* whoever made the socket made it so */
            poll(&(struct pollfd){.fd = lines->fd, .events = POLLIN}, 1, -1);
        } else if (errno != EINTR) {
            return IL_ESYSTEM;
        }
    }
}

enum worker_line worker_lines_next(struct worker_lines *lines, char **line, size_t *bytes) {
    char *end = NULL;
    for (;;) {
        if (lines->to > lines->seen) {
            end = memchr(lines->data + lines->seen, '\n', lines->to - lines->seen);
        }
        if (end) break;
        lines->seen = lines->to;
        if (lines->to - lines->from > WORKER_LINE_MOST) return WORKER_LINE_TOO_LONG;
        il_status status = read_more(lines);
        if (status == IL_ECLOSED) return WORKER_LINE_END;
        if (status != IL_OK) return WORKER_LINE_FAILED;
    }
    size_t length = (size_t)(end - (lines->data + lines->from));
    char *copy = malloc(length + 1);
    if (!copy) return WORKER_LINE_FAILED;
    memcpy(copy, lines->data + lines->from, length);
    copy[length] = '\0';
    lines->from = lines->seen = lines->from + length + 1;
    *line = copy;
    *bytes = length;
    return WORKER_LINE;
}

void worker_lines_free(struct worker_lines *lines) { free(lines->data); }
