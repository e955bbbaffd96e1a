/* queue_put.c - `interlock queue put`. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/queue.h"
#include "cli/stop.h"

#define ROOM                                                                                       \
    ((size_t)IL_MESSAGE_MAX_BYTES + 2) /* the longest message, a newline, and one too many */
#define MOST_LINES 512

struct request {
    const char *name, *value; /* value NULL: stdin */
    uint32_t type;
    bool typed, lines;
    int64_t timeout_ns;
};

static int parse(int argc, char **argv, struct request *request) {
    static const struct option options[] = {
        {"text", no_argument, NULL, 'T'},          {"json", no_argument, NULL, 'J'},
        {"bytes", no_argument, NULL, 'B'},         {"lines", no_argument, NULL, 'l'},
        {"timeout", required_argument, NULL, 't'}, {NULL, 0, NULL, 0},
    };
    int option, code;
    *request = (struct request){.type = IL_TEXT, .timeout_ns = IL_FOREVER};
    while ((option = getopt_long(argc, argv, "lt:", options, NULL)) != -1) {
        switch (option) {
        case 'T':
        case 'J':
        case 'B':
            if (request->typed) return cli_wrong("queue", "a message has one type");
            request->typed = true;
            request->type = option == 'T' ? IL_TEXT : option == 'J' ? IL_JSON : IL_BYTES;
            break;
        case 'l': request->lines = true; break;
        case 't':
            code = cli_parse_timeout("queue", optarg, &request->timeout_ns);
            if (code != CLI_OK) return code;
            break;
        default: return cli_wrong("queue", "unknown option, or one that lacks its value");
        }
    }
    if (optind < argc) request->name = argv[optind++];
    if (optind < argc) request->value = argv[optind++];
    if (request->value && strcmp(request->value, "-") == 0) request->value = NULL;
    if (!request->name) return cli_wrong("queue", "which queue?");
    if (optind < argc) return cli_wrong("queue", "one message at a time: quote it, or use --lines");
    if (request->lines && request->value) {
        return cli_wrong("queue", "--lines reads stdin, it takes no value");
    }
    if (request->lines && request->type != IL_TEXT) {
        return cli_wrong("queue", "--lines puts text messages");
    }
    return CLI_OK;
}

/* Whether DATA is one JSON value; if not, says where it goes wrong. The server behind a unix: domain
 * would take it unseen. */
static bool is_json(const char *data, size_t bytes) {
    json_error_t error;
    json_t *value =
        json_loadb(data, bytes, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    /* a number may be larger than jansson has room for, and yet be JSON */
    bool good = value || json_error_code(&error) == json_error_numeric_overflow;
    if (!good) cli_say("not JSON: line %d, column %d: %s", error.line, error.column, error.text);
    json_decref(value);
    return good;
}

static int failed(const struct request *request, il_status status) {
    char what[300];
    if (status == IL_EINTR && cli_stop_signal()) return CLI_SIGNAL + cli_stop_signal();
    snprintf(what, sizeof what, "queue \"%.255s\"", request->name);
    return cli_failed(what, status);
}

static int put_one(il_queue *queue, const struct request *request, const char *data, size_t bytes) {
    if (request->type == IL_JSON && !is_json(data, bytes)) return CLI_DATA;
    if (request->type == IL_TEXT && !ili_utf8_valid(data, bytes)) {
        cli_say("the message is not UTF-8 text: put it with --bytes");
        return CLI_DATA;
    }
    il_status status = il_queue_put(queue, data, bytes, request->type, request->timeout_ns);
    return status == IL_OK ? CLI_OK : failed(request, status);
}

/* Reads more of stdin behind the *HAVE bytes of ROOM. CLI_OK with *END set at its end. */
static int read_more(char *room, size_t *have, bool *end) {
    ssize_t got = read(STDIN_FILENO, room + *have, ROOM - *have);
    if (got < 0 && errno == EINTR && cli_stop_signal()) return CLI_SIGNAL + cli_stop_signal();
    if (got < 0 && errno != EINTR) {
        cli_say("stdin: %s", strerror(errno));
        return CLI_FAILED;
    }
    if (got > 0) *have += (size_t)got;
    *end = got == 0;
    return CLI_OK;
}

static int too_long(void) {
    cli_say("a message has at most %d bytes", IL_MESSAGE_MAX_BYTES);
    return CLI_DATA;
}

static int put_stdin(il_queue *queue, const struct request *request, char *room) {
    size_t have = 0;
    bool end = false;
    int code = CLI_OK;
    while (code == CLI_OK && !end) {
        code = read_more(room, &have, &end);
        if (have > IL_MESSAGE_MAX_BYTES) return too_long();
    }
    return code == CLI_OK ? put_one(queue, request, room, have) : code;
}

/* Puts the whole lines among the first BYTES of ROOM; *USED is what they took. */
static int put_whole_lines(il_queue *queue, const struct request *request, const char *room,
                           size_t bytes, size_t *used) {
    *used = 0;
    for (;;) {
        il_message lines[MOST_LINES];
        size_t count = 0, done;
        const char *newline;
        while (count < MOST_LINES && (newline = memchr(room + *used, '\n', bytes - *used))) {
            size_t length = (size_t)(newline - room) - *used;
            if (length > IL_MESSAGE_MAX_BYTES) return too_long();
            if (!ili_utf8_valid(room + *used, length)) {
                cli_say("a line is not UTF-8 text");
                return CLI_DATA;
            }
            lines[count++] = (il_message){.data = room + *used, .bytes = length, .type = IL_TEXT};
            *used += length + 1;
        }
        if (count == 0) return CLI_OK;
        il_status status = il_queue_put_many(queue, lines, count, &done, request->timeout_ns);
        if (status != IL_OK) return failed(request, status);
    }
}

static int put_lines(il_queue *queue, const struct request *request, char *room) {
    size_t have = 0, used;
    bool end = false;
    while (!end) {
        int code = read_more(room, &have, &end);
        if (end && have > 0 && room[have - 1] != '\n') room[have++] = '\n'; /* the last one's */
        if (code == CLI_OK) code = put_whole_lines(queue, request, room, have, &used);
        if (code != CLI_OK) return code;
        have -= used;
        memmove(room, room + used, have);
        if (have == ROOM) return too_long();
    }
    return CLI_OK;
}

static int put_all(il_queue *queue, const struct request *request) {
    if (request->value) return put_one(queue, request, request->value, strlen(request->value));
    char *room = malloc(ROOM);
    if (!room) {
        cli_say("no memory for a message");
        return CLI_FAILED;
    }
    int code = request->lines ? put_lines(queue, request, room) : put_stdin(queue, request, room);
    free(room);
    return code;
}

int cli_queue_put(const char *address, int argc, char **argv) {
    struct request request;
    il_domain *domain = NULL;
    il_queue *queue = NULL;
    int code = parse(argc, argv, &request);
    if (code == CLI_OK) code = cli_open(address, &domain);
    if (code != CLI_OK) return code;
    il_status status = il_queue_open(domain, request.name, strlen(request.name), NULL, &queue);
    if (status == IL_OK) cli_stop_watch();
    code = status == IL_OK ? put_all(queue, &request) : failed(&request, status);
    il_queue_close(queue);
    il_domain_close(domain);
    return code;
}
