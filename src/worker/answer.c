#include "worker/answer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/lane.h"

#define PIECES_MOST 4

void worker_channel_init(struct worker_channel *channel, int fd) {
    channel->fd = fd;
    pthread_mutex_init(&channel->lock, NULL);
    atomic_init(&channel->gone, false);
}

static struct iovec piece(const char *text, size_t bytes) {
    return (struct iovec){(char *)text, bytes};
}

/* Steps over BYTES that were sent. */
static void advance(struct msghdr *message, size_t bytes) {
    while (message->msg_iovlen > 0 && bytes >= message->msg_iov->iov_len) {
        bytes -= message->msg_iov->iov_len;
        message->msg_iov++;
        message->msg_iovlen--;
    }
    if (message->msg_iovlen == 0) return;
    message->msg_iov->iov_base = (char *)message->msg_iov->iov_base + bytes;
    message->msg_iov->iov_len -= bytes;
}

/* Sends the pieces of a line whole, waiting as long as it takes. */
static il_status send_line(struct worker_channel *channel, struct iovec *pieces, size_t count) {
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
    pthread_mutex_lock(&channel->lock);
    while (message.msg_iovlen > 0 && !atomic_load_explicit(&channel->gone, memory_order_relaxed)) {
        ssize_t sent = sendmsg(channel->fd, &message, MSG_NOSIGNAL);
        if (sent >= 0) {
            advance(&message, (size_t)sent);
        } else if (errno == EAGAIN) { /* whoever made the socket made it so */
            poll(&(struct pollfd){.fd = channel->fd, .events = POLLOUT}, 1, -1);
        } else if (errno != EINTR) {
            atomic_store_explicit(&channel->gone, true, memory_order_relaxed);
        }
    }
    pthread_mutex_unlock(&channel->lock);
    return message.msg_iovlen == 0 ? IL_OK : IL_EGONE;
}

/* {"code":…,"message":…,"data":{"type":…}} */
static void write_error(struct ili_out *out, const struct worker_run *run) {
    char code[16];
    ili_out_open(out, '{');
    ili_out_key(out, "code");
    int bytes = snprintf(code, sizeof code, "%d", run->code);
    ili_out_json(out, code, (size_t)bytes);
    ili_out_key(out, "message");
    ili_out_text(out, run->message.data ? run->message.data : "", run->message.bytes);
    ili_out_key(out, "data");
    ili_out_open(out, '{');
    ili_out_key(out, "type");
    ili_out_text(out, run->type.data ? run->type.data : "", run->type.bytes);
    if (run->in_vain) {
        ili_out_key(out, "retry");
        ili_out_bool(out, false);
    }
    ili_out_close(out, '}');
    ili_out_close(out, '}');
}

void worker_answer(struct worker_channel *channel, struct ili_json_span id,
                   struct worker_run *run) {
    static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":", tail[] = "}\n";
    static const char result[] = ",\"result\":", error[] = ",\"error\":";
    struct ili_out text = {0};
    char start[64 + sizeof head]; /* one piece less, if the id is as short as they are */
    size_t pieces = 0;
    struct iovec line[PIECES_MOST + 1];

    if (run->code == 0 && run->result.bytes > WORKER_LINE_MOST - 256) {
        worker_run_refuse(run, WORKER_FAILED, "ValueError",
                          "the result does not fit in a line of 24 MiB");
    }
    const char *word = run->code == 0 ? result : error;
    if (sizeof head + id.bytes + strlen(word) < sizeof start) {
        size_t bytes = sizeof head - 1;
        memcpy(start, head, bytes);
        memcpy(start + bytes, id.at, id.bytes);
        bytes += id.bytes;
        memcpy(start + bytes, word, strlen(word));
        line[pieces++] = piece(start, bytes + strlen(word));
    } else {
        line[pieces++] = piece(head, sizeof head - 1);
        line[pieces++] = piece(id.at, id.bytes);
        line[pieces++] = piece(word, strlen(word));
    }
    if (run->code != 0) {
        write_error(&text, run);
        static const char none[] = "{\"code\":1,\"message\":\"out of memory\"}";
        line[pieces++] = text.failed ? piece(none, sizeof none - 1) : piece(text.data, text.bytes);
    } else if (run->result.bytes > 0) {
        line[pieces++] = piece(run->result.data, run->result.bytes);
    } else {
        line[pieces++] = piece("null", 4);
    }
    line[pieces++] = piece(tail, sizeof tail - 1);
    send_line(channel, line, pieces);
    ili_out_free(&text);
}

il_status worker_report(struct worker_channel *channel, struct ili_json_span id, const char *json,
                        size_t bytes) {
    static const char head[] = "{\"jsonrpc\":\"2.0\",\"method\":\"progress\",\"params\":{\"id\":";
    struct iovec line[] = {piece(head, sizeof head - 1), piece(id.at, id.bytes),
                           piece(",\"value\":", 9), piece(json, bytes), piece("}}\n", 3)};
    return send_line(channel, line, sizeof line / sizeof *line);
}

il_status worker_hello(struct worker_channel *channel, const char *name,
                       const il_module_function *functions, size_t count, bool lane,
                       unsigned slots) {
    struct ili_out out = {0};
    ili_out_open(&out, '{');
    ili_out_key(&out, "jsonrpc");
    ili_out_string(&out, "2.0");
    ili_out_key(&out, "method");
    ili_out_string(&out, "hello");
    ili_out_key(&out, "params");
    ili_out_open(&out, '{');
    ili_out_key(&out, "protocol");
    ili_out_number(&out, 1);
    ili_out_key(&out, "name");
    ili_out_string(&out, name);
    ili_out_key(&out, "functions");
    ili_out_open(&out, '[');
    for (size_t i = 0; i < count; i++) ili_out_string(&out, functions[i].name);
    if (lane) ili_out_string(&out, ILI_LANE_FUNCTION);
    ili_out_close(&out, ']');
    ili_out_key(&out, "slots");
    ili_out_number(&out, slots);
    ili_out_key(&out, "batch");
    ili_out_bool(&out, true);
    ili_out_close(&out, '}');
    ili_out_close(&out, '}');
    struct iovec line[] = {piece(out.data, out.bytes), piece("\n", 1)};
    il_status status = out.failed ? IL_ENOMEM : send_line(channel, line, 2);
    ili_out_free(&out);
    return status;
}
