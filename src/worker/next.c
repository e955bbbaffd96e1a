#include "worker/next.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool worker_next_batch(struct worker_lines *lines, struct worker_slots *slots,
                       struct worker_batch **batch, int *code) {
    *code = EXIT_FAILURE;
    for (;;) {
        char *line;
        size_t bytes;
        struct ili_json_span id;
        switch (worker_lines_next(lines, &line, &bytes)) {
        case WORKER_LINE: break;
        case WORKER_LINE_END: *code = EXIT_SUCCESS; return false;
        case WORKER_LINE_TOO_LONG:
            fputs("interlock-worker: the server sent a line of more than 24 MiB\n", stderr);
            return false;
        default:
            fprintf(stderr, "interlock-worker: cannot read: %s\n", strerror(errno));
            return false;
        }
        enum worker_message message = worker_message_read(line, bytes, batch, &id);
        if (message == WORKER_REQUESTS) return true;
        if (message == WORKER_CANCEL) worker_slots_cancel(slots, id);
        free(line);
        if (message == WORKER_NONSENSE || message == WORKER_NO_MEMORY) {
            fprintf(stderr, "interlock-worker: %s\n",
                    message == WORKER_NONSENSE ? "the server sent a line that is no message"
                                               : "out of memory");
            return false;
        }
    }
}
