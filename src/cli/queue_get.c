/* queue_get.c - `interlock queue get`. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/queue.h"
#include "cli/stop.h"

struct request {
    const char *name;
    int64_t timeout_ns;
    uint64_t count;
    bool follow;
};

/* Where messages go; grows to the longest. */
struct room {
    char *data; /* owned */
    size_t capacity;
};

static int parse(int argc, char **argv, struct request *request) {
    static const struct option options[] = {
        {"timeout", required_argument, NULL, 't'},
        {"count", required_argument, NULL, 'n'},
        {"follow", no_argument, NULL, 'f'},
        {NULL, 0, NULL, 0},
    };
    int option, code;
    char *end;
    *request = (struct request){.timeout_ns = IL_FOREVER, .count = 1};
    while ((option = getopt_long(argc, argv, "t:n:f", options, NULL)) != -1) {
        switch (option) {
        case 't':
            code = cli_parse_timeout("queue", optarg, &request->timeout_ns);
            if (code != CLI_OK) return code;
            break;
        case 'n':
            errno = 0;
            request->count = strtoull(optarg, &end, 10);
            if (optarg[0] < '0' || optarg[0] > '9' || *end || errno) {
                return cli_wrong("queue", "--count: expected a number, got \"%s\"", optarg);
            }
            break;
        case 'f':
            request->follow = true;
            request->count = UINT64_MAX;
            break;
        default: return cli_wrong("queue", "unknown option, or one that lacks its value");
        }
    }
    if (optind < argc) request->name = argv[optind++];
    if (!request->name) return cli_wrong("queue", "which queue?");
    if (optind < argc) return cli_wrong("queue", "unexpected \"%s\"", argv[optind]);
    return CLI_OK;
}

/* Takes a message, in as many attempts as the room needs to grow. */
static il_status take(il_queue *queue, const struct request *request, struct room *room,
                      size_t *bytes, uint32_t *type) {
    for (;;) {
        il_status status =
            il_queue_get(queue, room->data, room->capacity, bytes, type, request->timeout_ns);
        if (status != IL_ETOOBIG || *bytes <= room->capacity) return status;
        char *data = realloc(room->data, *bytes);
        if (!data) return status;
        room->data = data;
        room->capacity = *bytes;
    }
}

static int write_out(const struct room *room, size_t bytes, uint32_t type) {
    size_t written = fwrite(room->data, 1, bytes, stdout);
    if (type != IL_BYTES) putchar('\n');
    if (written == bytes && fflush(stdout) == 0 && !ferror(stdout)) return CLI_OK;
    cli_say("a message of %zu bytes was taken, but cannot be written: %s", bytes, strerror(errno));
    return CLI_OUTPUT;
}

static int get_all(il_queue *queue, const struct request *request, struct room *room) {
    for (uint64_t n = 0; n < request->count; n++) {
        size_t bytes = 0;
        uint32_t type = IL_BYTES;
        char what[300];
        if (cli_stop_signal()) return CLI_SIGNAL + cli_stop_signal();
        il_status status = take(queue, request, room, &bytes, &type);
        if (status == IL_OK) {
            int code = write_out(room, bytes, type);
            if (code != CLI_OK) return code;
            continue;
        }
        if (status == IL_EINTR && cli_stop_signal()) return CLI_SIGNAL + cli_stop_signal();
        if (status == IL_ECLOSED && request->follow) return CLI_OK;
        snprintf(what, sizeof what, "queue \"%.255s\"", request->name);
        return cli_failed(what, status);
    }
    return CLI_OK;
}

int cli_queue_get(const char *address, int argc, char **argv) {
    struct request request;
    struct room room = {.capacity = 65536};
    il_domain *domain = NULL;
    il_queue *queue = NULL;
    int code = parse(argc, argv, &request);
    if (code == CLI_OK) code = cli_open(address, &domain);
    if (code != CLI_OK) return code;
    il_status status = il_queue_open(domain, request.name, strlen(request.name), NULL, &queue);
    room.data = malloc(room.capacity);
    if (status != IL_OK) {
        code = cli_failed("queue", status);
    } else if (!room.data) {
        cli_say("no memory for a message");
        code = CLI_FAILED;
    } else {
        cli_stop_watch();
        signal(SIGPIPE, SIG_IGN); /* so that a reader's end is an error that can be told */
        code = get_all(queue, &request, &room);
    }
    free(room.data);
    il_queue_close(queue);
    il_domain_close(domain);
    return code;
}
