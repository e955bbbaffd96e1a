/*
 * output.h - the last part of what a program writes to its stdout and stderr.
 */
#ifndef ILI_WORK_OUTPUT_H
#define ILI_WORK_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is an empty one. */
struct ili_output {
    char *data; /* owned */
    size_t bytes, room;
    uint64_t total; /* that were ever added */
    bool truncated; /* something at the front is gone */
};

/* Adds BYTES at DATA; of all, the last MOST bytes are sure to be kept. Without memory less is. */
void ili_output_add(struct ili_output *output, const char *data, size_t bytes, size_t most);

/* Drops what is more than MOST bytes. */
void ili_output_trim(struct ili_output *output, size_t most);

/* Reads what FD, which does not block, has now, at most a limit for one turn. False: it is at its end. */
bool ili_output_read(struct ili_output *output, int fd, size_t most);

void ili_output_free(struct ili_output *output);

#endif
