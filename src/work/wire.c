/*
 * wire.c - the bytes between a worker and the server. Nothing here blocks, and a worker has the loop for one
 * read of at most ILI_ENGINE_ROOM bytes in a turn, however much it sends.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "work/worker.h"

#define KEPT_ROOM ((size_t)64 << 10) /* of a buffer that is empty */

static struct ili_loop *loop_of(const struct ili_worker *worker) {
    return worker->pool->engine->pools->loop;
}

void ili_wire_close_source(struct ili_worker *worker, struct ili_source *source) {
    if (source->fd < 0) return;
    ili_loop_remove(loop_of(worker), source);
    close(source->fd);
    source->fd = -1;
}

void ili_wire_close(struct ili_worker *worker) {
    ili_wire_close_source(worker, &worker->socket);
    ili_wire_close_source(worker, &worker->outlets[0].source);
    ili_wire_close_source(worker, &worker->outlets[1].source);
}

/* ---- captured output ----------------------------------------------------------------------------- */

/* Whose output it is: that of the one call that runs; else nobody's. */
static struct ili_output *output_of(struct ili_worker *worker) {
    if (worker->pool->options.kind == ILI_POOL_EXEC || worker->lanes != 1) return &worker->output;
    return &worker->flights[ili_flight_running(worker)].output;
}

static void read_output(struct ili_worker *worker, struct ili_outlet *outlet) {
    struct ili_pool *pool = worker->pool;
    bool exec = pool->options.kind == ILI_POOL_EXEC;
    struct ili_output *output = outlet == &worker->outlets[1] ? &worker->errors : output_of(worker);
    uint64_t before = output->total, most = pool->options.output_bytes;
    if (!ili_output_read(output, outlet->source.fd, most)) {
        ili_wire_close_source(worker, &outlet->source);
    }
    if (output->total == before) return;
    pool->chatty = 64;
    if (exec && !worker->too_much && worker->output.total + worker->errors.total > most) {
        worker->too_much = true;
        ili_worker_kill(worker, false, "it wrote more than %llu bytes", (unsigned long long)most);
    }
}

void ili_wire_drain_output(struct ili_worker *worker) {
    if (worker->outlets[0].source.fd >= 0) read_output(worker, &worker->outlets[0]);
}

void ili_wire_output_ready(struct ili_source *source, uint32_t events, void *context) {
    struct ili_outlet *outlet = (struct ili_outlet *)source;
    (void)events, (void)context;
    if (source->fd < 0) return;
    read_output(outlet->worker, outlet);
}

/* ---- reading ------------------------------------------------------------------------------------- */

/* Hears all whole lines of DATA. Returns how many bytes they were. */
static size_t hear_lines(struct ili_worker *worker, char *data, size_t bytes, size_t searched) {
    size_t at = 0;
    char *end;
    while ((end = memchr(data + at + searched, '\n', bytes - at - searched))) {
        size_t length = (size_t)(end - (data + at));
        ili_worker_hear(worker, data + at, length);
        at += length + 1;
        searched = 0;
        if (worker->killed && !worker->blameless) return bytes; /* the rest is nonsense too */
    }
    return at;
}

/* Room for MORE bytes of a line that is not whole. */
static bool line_fits(struct ili_worker *worker, size_t more) {
    if (worker->line_bytes + more <= worker->line_room) return true;
    size_t room = worker->line_room ? worker->line_room : 4096;
    while (room < worker->line_bytes + more) room *= 2;
    char *line = realloc(worker->line, room);
    if (!line) return false;
    worker->line = line;
    worker->line_room = room;
    return true;
}

static void keep_rest(struct ili_worker *worker, const char *data, size_t bytes) {
    worker->line_bytes = 0;
    if (bytes == 0) {
        if (worker->line_room > KEPT_ROOM) {
            free(worker->line);
            worker->line = NULL;
            worker->line_room = 0;
        }
    } else if (line_fits(worker, bytes)) {
        memmove(worker->line, data, bytes);
        worker->line_bytes = bytes;
    } else {
        ili_worker_kill(worker, false, "the server has no memory for its line");
    }
}

/* GOT bytes came, to worker->line if there was the beginning of one, else to the engine's room. */
static void take_in(struct ili_worker *worker, size_t got) {
    bool whole = worker->line_bytes == 0;
    char *data = whole ? worker->pool->engine->room : worker->line;
    size_t bytes = worker->line_bytes + got;
    size_t heard = hear_lines(worker, data, bytes, worker->line_bytes);
    keep_rest(worker, data + heard, bytes - heard);
    if (worker->line_bytes > ILI_LINE_BYTES_MOST) {
        ili_worker_kill(worker, false, "it sent a line of more than 24 MiB");
    }
}

/* One read. False: there is no more now, or never. */
static bool read_some(struct ili_worker *worker) {
    char *to = worker->pool->engine->room;
    size_t room = ILI_ENGINE_ROOM;
    if (worker->killed && !worker->blameless) return false;
    if (worker->line_bytes > 0) {
        if (!line_fits(worker, ILI_ENGINE_ROOM)) {
            ili_worker_kill(worker, false, "the server has no memory for its line");
            return false;
        }
        to = worker->line + worker->line_bytes;
    }
    ssize_t got = recv(worker->socket.fd, to, room, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (got <= 0) {
        ili_worker_closed(worker);
        return false;
    }
    ili_wire_drain_output(worker); /* what it wrote before it answered */
    take_in(worker, (size_t)got);
    return true;
}

void ili_wire_read_rest(struct ili_worker *worker) {
    uint64_t before;
    worker->pool->engine->now_ns = ili_now_ns();
    while (worker->socket.fd >= 0 && read_some(worker)) continue;
    for (int i = 0; i < 2; i++) {
        struct ili_outlet *outlet = &worker->outlets[i];
        do {
            before = worker->output.total + worker->errors.total;
            if (outlet->source.fd >= 0) read_output(worker, outlet);
        } while (worker->output.total + worker->errors.total != before);
    }
}

/* ---- writing ------------------------------------------------------------------------------------- */

size_t ili_wire_pending(const struct ili_worker *worker) {
    return worker->out.bytes - worker->out_sent;
}

void ili_wire_unsent(struct ili_worker *worker) {
    struct ili_engine *engine = worker->pool->engine;
    if (worker->is_unsent || worker->waits_to_write) return;
    worker->is_unsent = true;
    worker->next_unsent = engine->unsent;
    engine->unsent = worker;
    ili_engine_wake(engine);
}

static void listen_for(struct ili_worker *worker, bool to_write) {
    if (worker->waits_to_write == to_write) return;
    worker->waits_to_write = to_write;
    ili_loop_remove(loop_of(worker), &worker->socket);
    if (ili_loop_add(loop_of(worker), &worker->socket, to_write ? EPOLLIN | EPOLLOUT : EPOLLIN) !=
        IL_OK) {
        ili_worker_kill(worker, true, "the server has no memory to listen to it");
    }
}

void ili_wire_flush(struct ili_worker *worker) {
    struct ili_out *out = &worker->out;
    if (worker->socket.fd < 0 || worker->killed || worker->told_to_end) {
        out->bytes = worker->out_sent = 0;
        if (worker->socket.fd >= 0) listen_for(worker, false);
        return;
    }
    while (worker->out_sent < out->bytes) {
        ssize_t sent = send(worker->socket.fd, out->data + worker->out_sent,
                            out->bytes - worker->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            worker->out_sent += (size_t)sent;
            worker->sent_serial = worker->last_serial;
        } else if (errno == EAGAIN) {
            listen_for(worker, true);
            return;
        } else if (errno != EINTR) {
            break; /* it closed its end; what it said before is still to be read */
        }
    }
    out->bytes = worker->out_sent = 0;
    if (out->room > KEPT_ROOM) ili_out_free(out);
    listen_for(worker, false);
}

void ili_wire_ready(struct ili_source *source, uint32_t events, void *context) {
    struct ili_worker *worker =
        (struct ili_worker *)((char *)source - offsetof(struct ili_worker, socket));
    (void)context;
    if (source->fd < 0) return; /* closed in this turn */
    worker->pool->engine->now_ns = ili_now_ns();
    if (events & EPOLLOUT) {
        ili_wire_flush(worker);
        ili_worker_settle(worker);
        ili_pool_attend(worker->pool);
    }
    if (events & ~(uint32_t)EPOLLOUT) (void)read_some(worker);
}
