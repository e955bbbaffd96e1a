/* lines.h - reading a socket line by line: much at once, few copies. */
#ifndef ILI_WORKER_LINES_H
#define ILI_WORKER_LINES_H

#include <stdbool.h>
#include <stddef.h>

/* All zero but FD is a new one. */
struct worker_lines {
    int fd;
    char
        *data; /* owned; [from, to) was read and not handed out, [from, seen) holds no line break */
    size_t room, from, to, seen;
};

enum worker_line {
    WORKER_LINE,
    WORKER_LINE_END,      /* end of file */
    WORKER_LINE_TOO_LONG, /* more than the protocol allows */
    WORKER_LINE_FAILED,   /* errno */
};

/* Waits for the next line. *LINE is owned, malloc()ed: without its break, a NUL in its place. What is
 * left without a break at the end of file is dropped: its sender died. */
enum worker_line worker_lines_next(struct worker_lines *lines, char **line, size_t *bytes);

void worker_lines_free(struct worker_lines *lines);

#endif
