#include "server/capture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/text.h"

#define LAST_READS_MOST 64

void ili_capture_init(struct ili_capture *capture, size_t most) {
    *capture = (struct ili_capture){.source.fd = -1, .most = most};
}

static void shut(struct ili_capture *c) {
    if (c->source.fd < 0) return;
    ili_loop_remove(c->loop, &c->source);
    close(c->source.fd);
    c->source.fd = -1;
}

static void ready(struct ili_source *source, uint32_t events, void *context) {
    struct ili_capture *c = (struct ili_capture *)source;
    (void)events, (void)context;
    if (source->fd < 0) return; /* it was closed in the same turn */
    if (!ili_output_read(&c->output, source->fd, c->most)) shut(c);
}

il_status ili_capture_open(struct ili_capture *capture, struct ili_loop *loop, int *fd) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return IL_ESYSTEM;
    capture->loop = loop;
    capture->source = (struct ili_source){.fd = ends[0], .ready = ready};
    il_status status = fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0
                           ? ili_loop_add(loop, &capture->source, EPOLLIN)
                           : IL_ESYSTEM;
    if (status != IL_OK) {
        close(ends[0]);
        close(ends[1]);
        capture->source.fd = -1;
        return status;
    }
    *fd = ends[1];
    return IL_OK;
}

void ili_capture_close(struct ili_capture *capture) {
    struct ili_output *output = &capture->output;
    /* somebody else may hold the other end and go on writing */
    for (unsigned reads = 0; capture->source.fd >= 0 && reads < LAST_READS_MOST; reads++) {
        uint64_t before = output->total;
        bool more = ili_output_read(output, capture->source.fd, capture->most);
        if (!more || output->total == before) break;
    }
    shut(capture);
    ili_output_trim(output, capture->most);
}

void ili_capture_free(struct ili_capture *capture) {
    shut(capture);
    ili_output_free(&capture->output);
}

/* ---- the view ------------------------------------------------------------------------------------- */

static bool is_continuation(char c) { return ((unsigned char)c & 0xc0) == 0x80; }

/* How much of TEXT is well-formed, when what is cut off at its ends is left out; false: none is. */
static bool find_text(const char *text, size_t bytes, bool cut_start, bool cut_end, size_t *from,
                      size_t *to) {
    *from = 0;
    while (cut_start && *from < 3 && *from < bytes && is_continuation(text[*from])) ++*from;
    for (size_t less = 0; less <= (cut_end ? 3 : 0) && less <= bytes - *from; less++) {
        *to = bytes - less;
        if (ili_utf8_valid(text + *from, *to - *from)) return true;
    }
    return false;
}

static void write_key(struct ili_out *out, const char *name, const char *suffix) {
    char key[40];
    snprintf(key, sizeof key, "%s%s", name, suffix);
    ili_out_key(out, key);
}

void ili_capture_write(struct ili_out *out, const char *name, const struct ili_capture *capture) {
    const struct ili_output *output = &capture->output;
    size_t more = output->bytes > capture->most ? output->bytes - capture->most : 0;
    const char *text = output->bytes ? output->data + more : "";
    size_t bytes = output->bytes - more, from, to;
    bool truncated = output->truncated || more > 0, open = capture->source.fd >= 0;
    write_key(out, name, "");
    if (find_text(text, bytes, truncated, open, &from, &to)) {
        ili_out_text(out, text + from, to - from);
    } else {
        ili_out_null(out);
        write_key(out, name, "_base64");
        ili_out_base64(out, text, bytes);
    }
    write_key(out, name, "_truncated");
    ili_out_bool(out, truncated);
}
