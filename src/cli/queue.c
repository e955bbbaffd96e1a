/* queue.c - `interlock queue put|get`. */
#include "cli/queue.h"

#include <string.h>

#include "cli/command.h"

static int run(const char *domain, int argc, char **argv) {
    if (argc < 2) return cli_wrong("queue", "put or get?");
    if (strcmp(argv[1], "put") == 0) return cli_queue_put(domain, argc - 1, argv + 1);
    if (strcmp(argv[1], "get") == 0) return cli_queue_get(domain, argc - 1, argv + 1);
    return cli_wrong("queue", "expected put or get, got \"%s\"", argv[1]);
}

const struct cli_command cli_queue = {
    .name = "queue",
    .summary = "put messages into a queue, or get them",
    .help = "Usage: interlock queue put NAME [--text|--json|--bytes] [--timeout S] [VALUE|-]\n"
            "       interlock queue put NAME --lines [--timeout S]\n"
            "Puts VALUE, or what comes from stdin, as one message (at most 16 MiB).\n"
            "\n"
            "      --text       UTF-8 text (what it is if nothing is said)\n"
            "      --json       a JSON value\n"
            "      --bytes      anything\n"
            "  -l, --lines      each line of stdin is one text message, without its newline\n"
            "  -t, --timeout S  wait at most S seconds for room in the queue (exit code 75)\n"
            "\n"
            "Usage: interlock queue get NAME [--timeout S] [--count N] [--follow]\n"
            "Takes the oldest message and writes it to stdout; text and JSON get a newline.\n"
            "\n"
            "  -t, --timeout S  wait at most S seconds for a message (exit code 75)\n"
            "  -n, --count N    take N messages, waiting for each\n"
            "  -f, --follow     go on until the queue is closed and empty, or a signal comes\n"
            "\n"
            "A queue that does not exist is made, without limit. Once a queue is closed, put ends\n"
            "with exit code 69, and so does get when it is empty (with --follow: 0).\n",
    .run = run,
};
