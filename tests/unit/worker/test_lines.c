/* Lines from a socket, however they arrive. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/answer.h"
#include "worker/lines.h"

static int ends[2];

static void open_ends(void) { cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0); }

static void is_line(struct worker_lines *lines, const char *text) {
    char *line;
    size_t bytes;
    cr_assert_eq(worker_lines_next(lines, &line, &bytes), WORKER_LINE);
    cr_assert_eq(bytes, strlen(text));
    cr_assert_str_eq(line, text);
    free(line);
}

Test(worker_lines, several_at_once_and_one_in_pieces, .init = open_ends) {
    struct worker_lines lines = {.fd = ends[0]};
    char *line;
    size_t bytes;
    cr_assert_eq(send(ends[1], "one\n\ntwo\nth", 11, 0), 11);
    is_line(&lines, "one");
    is_line(&lines, "");
    is_line(&lines, "two");
    cr_assert_eq(send(ends[1], "ree\nlost", 8, 0), 8);
    close(ends[1]);
    is_line(&lines, "three");
    cr_assert_eq(worker_lines_next(&lines, &line, &bytes), WORKER_LINE_END);
    worker_lines_free(&lines);
    close(ends[0]);
}

#define LARGE ((size_t)16 * 1024 * 1024)

static void *send_large(void *unused) {
    char *text = malloc(LARGE + 2);
    memset(text, 'x', LARGE);
    memcpy(text + LARGE, "\ny", 2);
    for (size_t sent = 0; sent < LARGE + 2;) {
        ssize_t some = send(ends[1], text + sent, LARGE + 2 - sent, 0);
        if (some < 0) break;
        sent += (size_t)some;
    }
    free(text);
    /* Then more than a line may have, until the other side has had enough. */
    char chunk[65536];
    memset(chunk, 'y', sizeof chunk);
    while (send(ends[1], chunk, sizeof chunk, MSG_NOSIGNAL) > 0) {
    }
    return unused;
}

Test(worker_lines, large_ones_are_whole_and_too_large_ones_are_told, .init = open_ends) {
    struct worker_lines lines = {.fd = ends[0]};
    pthread_t sender;
    char *line;
    size_t bytes;
    cr_assert_eq(pthread_create(&sender, NULL, send_large, NULL), 0);
    cr_assert_eq(worker_lines_next(&lines, &line, &bytes), WORKER_LINE);
    cr_assert_eq(bytes, LARGE);
    cr_assert_eq(strspn(line, "x"), LARGE);
    free(line);
    cr_assert_eq(worker_lines_next(&lines, &line, &bytes), WORKER_LINE_TOO_LONG);
    worker_lines_free(&lines);
    close(ends[0]);
    pthread_join(sender, NULL);
    close(ends[1]);
}

#define RESULT ((size_t)4 * 1024 * 1024) /* more than a socket takes at once */

static struct worker_channel channel;

static void *answer_large(void *unused) {
    struct worker_run run = {0};
    run.result.data = malloc(RESULT);
    run.result.bytes = run.result.room = RESULT;
    memset(run.result.data, '7', RESULT);
    worker_answer(&channel, (struct ili_json_span){"\"1\"", 3}, &run);
    worker_run_end(&run);
    return unused;
}

Test(worker_lines, sockets_that_do_not_block_are_waited_for) {
    static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":";
    pthread_t sender;
    char *line;
    size_t bytes;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    worker_channel_init(&channel, ends[1]);
    struct worker_lines lines = {.fd = ends[0]};
    cr_assert_eq(pthread_create(&sender, NULL, answer_large, NULL), 0);
    cr_assert_eq(worker_lines_next(&lines, &line, &bytes), WORKER_LINE);
    pthread_join(sender, NULL);
    cr_assert_eq(bytes, strlen(head) + RESULT + 1);
    cr_assert_arr_eq(line, head, strlen(head));
    cr_assert_eq(strspn(line + strlen(head), "7"), RESULT);
    cr_assert_not(channel.gone);
    free(line);
    worker_lines_free(&lines);
    close(ends[0]);
    cr_assert_eq(worker_report(&channel, (struct ili_json_span){"\"1\"", 3}, "1", 1), IL_EGONE);
    cr_assert(channel.gone);
    close(ends[1]);
}
