#include "work/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES 16384u
#define READS_IN_A_TURN 8

static void drop_front(struct ili_output *output, size_t bytes) {
    memmove(output->data, output->data + bytes, output->bytes - bytes);
    output->bytes -= bytes;
    output->truncated = true;
}

/* Room for BYTES more, which are at most MOST. Up to twice MOST is kept, so that bytes are moved once and
 * not with each addition. */
static bool make_room(struct ili_output *output, size_t bytes, size_t most) {
    if (bytes <= output->room - output->bytes) return true;
    size_t room = output->room ? output->room * 2 : 512;
    while (room - output->bytes < bytes) room *= 2;
    if (room <= 2 * most) {
        char *data = realloc(output->data, room);
        if (data) {
            output->data = data;
            output->room = room;
            return true;
        }
    } else if (output->room < 2 * most) {
        char *data = realloc(output->data, 2 * most);
        if (data) {
            output->data = data;
            output->room = 2 * most;
        }
    }
    ili_output_trim(output, most - bytes);
    return bytes <= output->room - output->bytes;
}

void ili_output_add(struct ili_output *output, const char *data, size_t bytes, size_t most) {
    output->total += bytes;
    if (bytes > most) {
        data += bytes - most;
        bytes = most;
        output->bytes = 0;
        output->truncated = true;
    }
    if (bytes == 0) return;
    if (!make_room(output, bytes, most)) {
        output->truncated = true;
        return;
    }
    memcpy(output->data + output->bytes, data, bytes);
    output->bytes += bytes;
}

void ili_output_trim(struct ili_output *output, size_t most) {
    if (output->bytes > most) drop_front(output, output->bytes - most);
}

bool ili_output_read(struct ili_output *output, int fd, size_t most) {
    char room[READ_BYTES];
    for (int i = 0; i < READS_IN_A_TURN; i++) {
        ssize_t got = read(fd, room, sizeof room);
        if (got == 0) return false;
        if (got < 0) return errno == EAGAIN || errno == EINTR;
        ili_output_add(output, room, (size_t)got, most);
        if ((size_t)got < sizeof room) return true; /* it has no more now */
    }
    return true;
}

void ili_output_free(struct ili_output *output) {
    free(output->data);
    *output = (struct ili_output){0};
}
